//! AWS credentials: from options, a file, the environment or the instance's role.

use super::imds::{Imds, ImdsError};
use jiff::{SignedDuration, Timestamp};
use std::fmt;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Mutex;

/// An access key. Printing one shows only its id.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The access key's id.
    pub access_key: String,
    /// The secret key.
    pub secret_key: String,
    /// The session token of temporary credentials.
    pub token: Option<String>,
    /// When temporary credentials end.
    pub expires: Option<Timestamp>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("access_key", &self.access_key).finish_non_exhaustive()
    }
}

impl Credentials {
    /// Long-lived credentials.
    pub fn permanent(access_key: impl Into<String>, secret_key: impl Into<String>) -> Self {
        Self { access_key: access_key.into(), secret_key: secret_key.into(), token: None, expires: None }
    }
}

/// Why a credential file cannot be used; worded as cfn-bootstrap words it.
#[derive(Debug, thiserror::Error)]
pub enum CredentialFileError {
    /// It is not there, or is not a file.
    #[error("Credential file was not found at {0}")]
    NotFound(String),
    /// Others may read it.
    #[error("Credential file cannot be accessible by group or other. Please chmod 600 the credential file.")]
    TooOpen,
    /// A key is missing.
    #[error("Credential file must contain the keys 'AWSAccessKeyId' and 'AWSSecretKey'")]
    Incomplete,
    /// It cannot be read.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Reads the `AWSAccessKeyId=` and `AWSSecretKey=` lines of a file that only its owner may read.
pub fn from_file(path: &Path) -> Result<Credentials, CredentialFileError> {
    let meta = std::fs::metadata(path)
        .ok()
        .filter(std::fs::Metadata::is_file)
        .ok_or_else(|| CredentialFileError::NotFound(path.display().to_string()))?;
    if meta.mode() & 0o077 != 0 {
        return Err(CredentialFileError::TooOpen);
    }
    let text = std::fs::read_to_string(path)?;
    let value = |key: &str| {
        text.lines().rev().find_map(|line| line.trim().strip_prefix(key)).filter(|value| !value.is_empty())
    };
    match (value("AWSAccessKeyId="), value("AWSSecretKey=")) {
        (Some(access_key), Some(secret_key)) => Ok(Credentials::permanent(access_key, secret_key)),
        _ => Err(CredentialFileError::Incomplete),
    }
}

/// Where the agent's credentials come from: a trait so that tests need no metadata service.
pub trait CredentialProvider: Send + Sync {
    /// Credentials that are valid now.
    fn credentials(&self) -> Result<Credentials, ImdsError>;
}

/// The environment's credentials, else the instance role's, kept until shortly before they end.
pub struct DefaultProvider<'a> {
    environment: Option<Credentials>,
    imds: &'a Imds,
    cached: Mutex<Option<Credentials>>,
}

/// Role credentials are replaced on the instance well before they end; so does this.
const REFRESH_BEFORE_EXPIRY: SignedDuration = SignedDuration::from_mins(5);

impl<'a> DefaultProvider<'a> {
    /// Takes the environment's credentials from `variable`, and a role's from `imds`.
    pub fn new(variable: impl Fn(&str) -> Option<String>, imds: &'a Imds) -> Self {
        let read = |name| variable(name).filter(|value| !value.is_empty());
        let environment = match (read("AWS_ACCESS_KEY_ID"), read("AWS_SECRET_ACCESS_KEY")) {
            (Some(access_key), Some(secret_key)) => {
                Some(Credentials { access_key, secret_key, token: read("AWS_SESSION_TOKEN"), expires: None })
            }
            _ => None,
        };
        Self { environment, imds, cached: Mutex::new(None) }
    }
}

impl CredentialProvider for DefaultProvider<'_> {
    fn credentials(&self) -> Result<Credentials, ImdsError> {
        if let Some(credentials) = &self.environment {
            return Ok(credentials.clone());
        }
        let mut cached = self.cached.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(credentials) =
            cached.as_ref().filter(|credentials| is_fresh(credentials, Timestamp::now()))
        {
            return Ok(credentials.clone());
        }
        let fetched = self.imds.role_name().and_then(|role| self.imds.role_credentials(&role));
        match (fetched, cached.as_ref()) {
            (Ok(credentials), _) => Ok(cached.insert(credentials).clone()),
            // The old ones may still be good for a few minutes.
            (Err(_), Some(old)) if old.expires.is_some_and(|end| end > Timestamp::now()) => Ok(old.clone()),
            (Err(err), _) => Err(err),
        }
    }
}

fn is_fresh(credentials: &Credentials, now: Timestamp) -> bool {
    credentials.expires.is_none_or(|end| end.duration_since(now) > REFRESH_BEFORE_EXPIRY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn file(text: &str, mode: u32) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        file
    }

    #[test]
    fn a_private_file_gives_both_keys() {
        let file = file("AWSAccessKeyId=AKID\n  AWSSecretKey=a=b\n", 0o600);
        assert_eq!(from_file(file.path()).unwrap(), Credentials::permanent("AKID", "a=b"));
    }

    #[test]
    fn other_files_are_refused_in_cfn_bootstraps_words() {
        let missing = from_file(Path::new("/nonexistent")).unwrap_err();
        assert_eq!(missing.to_string(), "Credential file was not found at /nonexistent");
        let open = from_file(file("", 0o640).path()).unwrap_err();
        assert!(matches!(open, CredentialFileError::TooOpen));
        let half = from_file(file("AWSAccessKeyId=AKID\n", 0o600).path()).unwrap_err();
        assert!(matches!(half, CredentialFileError::Incomplete));
    }

    #[test]
    fn credentials_are_refreshed_before_they_end() {
        let now: Timestamp = "2026-11-21T02:00:00Z".parse().unwrap();
        let until = |text: &str| Credentials {
            expires: Some(text.parse().unwrap()),
            ..Credentials::permanent("a", "b")
        };
        assert!(is_fresh(&until("2026-11-21T03:00:00Z"), now));
        assert!(!is_fresh(&until("2026-11-21T02:04:00Z"), now));
        assert!(is_fresh(&Credentials::permanent("a", "b"), now));
    }

    #[test]
    fn secrets_are_not_printed() {
        assert!(!format!("{:?}", Credentials::permanent("AKID", "hush")).contains("hush"));
    }
}
