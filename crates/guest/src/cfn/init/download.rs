//! Downloads, retried as cfn-bootstrap retries them.

use super::build::Build;
use super::error::{BuildError, IoContext};
use crate::aws::http::{HttpError, Request};
use crate::aws::retry::{Retriable, Retry, with_backoff};
use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::time::Duration;

const TRIES: u32 = 5;
/// Sources can be large and links slow.
const TIMEOUT: Duration = Duration::from_secs(900);

#[derive(Debug, thiserror::Error)]
enum DownloadError {
    #[error("{0}")]
    Http(#[from] HttpError),
    #[error("HTTP Error {status} : {body}")]
    Status { status: u16, body: String },
    #[error("cannot keep it: {0}")]
    Keep(#[from] std::io::Error),
}

impl Retriable for DownloadError {
    fn retry(&self) -> Retry {
        match self {
            Self::Status { status: 503, .. } => Retry::Forever,
            Self::Http(_) | Self::Status { status: 404 | 408 | 500.., .. } => Retry::Limited,
            Self::Status { .. } | Self::Keep(_) => Retry::Never,
        }
    }
}

/// Downloads `url` into a nameless temporary file, positioned at its beginning.
pub fn fetch(build: &Build<'_>, url: &str, identity: Option<&str>) -> Result<File, BuildError> {
    let mut request = Request::new("GET", url).timeout(TIMEOUT);
    if let Some(header) = build.authentication.header_for(url, identity)? {
        request = request.header("Authorization", header);
    }
    let mut file = tempfile::tempfile().during(|| format!("Failed to retrieve {url}"))?;
    let on_retry = |err: &DownloadError, pause: Duration| {
        build.log.error(format_args!("{url}: {err}; retrying in {pause:?}"));
    };
    with_backoff(TRIES, build.sleeper, on_retry, || {
        file.set_len(0)?;
        file.rewind()?;
        let response = build.http.download(&request, &mut file)?;
        if response.is_success() {
            Ok(())
        } else {
            Err(DownloadError::Status { status: response.status, body: response.text() })
        }
    })
    .map_err(|err| BuildError::Tool(format!("Failed to retrieve {url}: {err}")))?;
    file.seek(SeekFrom::Start(0)).during(|| format!("Failed to retrieve {url}"))?;
    Ok(file)
}

/// Whether a source is downloaded rather than read from the instance's own disk.
pub fn is_remote(source: &str) -> bool {
    let source = source.to_ascii_lowercase();
    source.starts_with("http://") || source.starts_with("https://")
}
