//! Where a command goes: the local cloud or the user's own AWS.

use std::fmt;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;

/// The other end of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A local cloud's listener and its account's key.
    Local {
        /// E.g. `http://127.0.0.1:4566`.
        endpoint: String,
        /// The region to work in.
        region: String,
        /// The account's access key.
        key: AccessKey,
    },
    /// AWS as the user's own configuration has it (profile, SSO, environment).
    Aws {
        /// A profile other than the configuration's own choice.
        profile: Option<String>,
        /// A region other than the configuration's own choice.
        region: Option<String>,
    },
}

/// An access key. Its secret is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessKey {
    /// The key's id.
    pub id: String,
    /// The key's secret.
    pub secret: String,
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl AccessKey {
    /// The key as a provider of credentials, named for the SDK's own logs.
    pub fn provider(&self, name: &'static str) -> SharedCredentialsProvider {
        SharedCredentialsProvider::new(Credentials::new(&self.id, &self.secret, None, None, name))
    }
}

impl Target {
    /// The endpoint of all services; none for AWS's own.
    pub fn endpoint(&self) -> Option<&str> {
        match self {
            Self::Local { endpoint, .. } => Some(endpoint),
            Self::Aws { .. } => None,
        }
    }

    /// The region, where it does not come from the user's AWS configuration.
    pub fn region(&self) -> Option<&str> {
        match self {
            Self::Local { region, .. } => Some(region),
            Self::Aws { region, .. } => region.as_deref(),
        }
    }

    /// The access key, where it does not come from the user's AWS configuration.
    pub fn key(&self) -> Option<&AccessKey> {
        match self {
            Self::Local { key, .. } => Some(key),
            Self::Aws { .. } => None,
        }
    }

    /// A profile of the user's AWS configuration.
    pub fn profile(&self) -> Option<&str> {
        match self {
            Self::Local { .. } => None,
            Self::Aws { profile, .. } => profile.as_deref(),
        }
    }
}

impl fmt::Display for Target {
    /// What it is called in messages: `the local cloud at …` or `AWS`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local { endpoint, .. } => write!(f, "the local cloud at {endpoint}"),
            Self::Aws { .. } => f.write_str("AWS"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        let key = AccessKey { id: "AKIDLOCAL".to_owned(), secret: "hush".to_owned() };
        let target =
            Target::Local { endpoint: "http://127.0.0.1:9".to_owned(), region: "us-east-1".to_owned(), key };
        let shown = format!("{target:?} {target}");
        assert!(shown.contains("AKIDLOCAL") && !shown.contains("hush"), "{shown}");
    }
}
