//! Docker's version, asked over its socket.

use serde::Deserialize;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// What Docker says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Version {
    /// The engine's version.
    pub version: String,
    /// The newest API it speaks.
    pub api_version: String,
    /// The oldest API it speaks.
    #[serde(rename = "MinAPIVersion", default)]
    pub min_api_version: String,
}

/// Why Docker cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum DockerError {
    /// The socket cannot be used.
    #[error("cannot reach Docker at {path}: {source}")]
    Io {
        /// The socket.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// Docker answered something else.
    #[error("Docker's answer to GET /version is not as expected: {0}")]
    Unexpected(String),
}

const TIMEOUT: Duration = Duration::from_secs(10);

/// Asks Docker at `socket` for its version.
pub fn version(socket: &Path) -> Result<Version, DockerError> {
    let answer =
        exchange(socket).map_err(|source| DockerError::Io { path: socket.display().to_string(), source })?;
    parse(&answer).map_err(DockerError::Unexpected)
}

fn exchange(socket: &Path) -> io::Result<Vec<u8>> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    // HTTP/1.0: the answer is not chunked and ends with the connection.
    stream.write_all(b"GET /version HTTP/1.0\r\nHost: docker\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(1 << 20).read_to_end(&mut answer)?;
    Ok(answer)
}

fn parse(answer: &[u8]) -> Result<Version, String> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Response::new(&mut headers);
    match head.parse(answer).map_err(|err| err.to_string())? {
        httparse::Status::Complete(length) if head.code == Some(200) => {
            serde_json::from_slice(&answer[length..]).map_err(|err| err.to_string())
        }
        httparse::Status::Complete(_) => Err(format!("status {}", head.code.unwrap_or_default())),
        httparse::Status::Partial => Err("it broke off".to_owned()),
    }
}

/// The API versions whose support ECS knows as an attribute.
const KNOWN_APIS: [(u32, u32); 19] = [
    (1, 17),
    (1, 18),
    (1, 19),
    (1, 20),
    (1, 21),
    (1, 22),
    (1, 23),
    (1, 24),
    (1, 25),
    (1, 26),
    (1, 27),
    (1, 28),
    (1, 29),
    (1, 30),
    (1, 31),
    (1, 32),
    (1, 35),
    (1, 38),
    (1, 44),
];

impl Version {
    /// The known API versions between the oldest and the newest that this Docker speaks.
    pub fn supported_apis(&self) -> Vec<String> {
        let oldest = parse_api(&self.min_api_version).unwrap_or((0, 0));
        let newest = parse_api(&self.api_version).unwrap_or((0, 0));
        let spoken = KNOWN_APIS.iter().filter(|api| (oldest..=newest).contains(api));
        spoken.map(|(major, minor)| format!("{major}.{minor}")).collect()
    }
}

fn parse_api(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &[u8] = b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n\
        {\"Version\":\"20.10.24\",\"ApiVersion\":\"1.41\",\"MinAPIVersion\":\"1.32\",\"Os\":\"linux\"}";

    #[test]
    fn the_answer_is_read() {
        let version = parse(ANSWER).unwrap();
        assert_eq!((version.version.as_str(), version.api_version.as_str()), ("20.10.24", "1.41"));
        assert_eq!(version.supported_apis(), ["1.32", "1.35", "1.38"]);
        assert_eq!(parse(b"HTTP/1.0 500 No\r\n\r\n").unwrap_err(), "status 500");
        assert_eq!(parse(b"HTTP/1.0 200").unwrap_err(), "it broke off");
    }

    #[test]
    fn a_missing_socket_is_named() {
        let err = version(Path::new("/no/docker.sock")).unwrap_err().to_string();
        assert!(err.starts_with("cannot reach Docker at /no/docker.sock: "), "{err}");
    }
}
