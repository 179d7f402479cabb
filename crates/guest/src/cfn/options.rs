//! The options that the tools share.

use crate::aws::credentials::{self, CredentialFileError, Credentials};
use crate::aws::imds::{Imds, ImdsError};
use crate::aws::proxy::ProxySettings;
use crate::aws::retry::{Sleeper, with_backoff};
use clap::{Args, Parser};
use std::ffi::OsString;
use std::path::PathBuf;

/// How often the metadata service is asked before giving up, as in cfn-bootstrap.
pub const IMDS_TRIES: u32 = 10;

/// Credentials for the CloudFormation API. Without any, the instance identity document is used.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "AWS Credentials")]
pub struct CredentialOptions {
    /// A credential file, readable only by the owner, with keys 'AWSAccessKeyId' and 'AWSSecretKey'
    #[arg(short = 'f', long)]
    pub credential_file: Option<PathBuf>,
    /// An IAM Role
    #[arg(long)]
    pub role: Option<String>,
    /// An AWS Access Key
    #[arg(long)]
    pub access_key: Option<String>,
    /// An AWS Secret Key
    #[arg(long)]
    pub secret_key: Option<String>,
}

/// Why the credentials asked for cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// The credential file is no good.
    #[error("Error retrieving credentials from file:\n\t{0}")]
    File(#[from] CredentialFileError),
    /// The role's credentials cannot be had.
    #[error("Error retrieving credentials of role {role}: {source}")]
    Role {
        /// The role named.
        role: String,
        /// Why not.
        source: ImdsError,
    },
}

impl CredentialOptions {
    /// The credentials asked for: a file's before a role's before a key's. None means the instance's identity.
    pub fn resolve(
        &self,
        imds: &Imds,
        sleeper: &dyn Sleeper,
    ) -> Result<Option<Credentials>, CredentialError> {
        if let Some(path) = &self.credential_file {
            return Ok(Some(credentials::from_file(path)?));
        }
        if let Some(role) = &self.role {
            let found = with_backoff(IMDS_TRIES, sleeper, |_, _| (), || imds.role_credentials(role));
            return found.map(Some).map_err(|source| CredentialError::Role { role: role.clone(), source });
        }
        match (&self.access_key, &self.secret_key) {
            (Some(access_key), Some(secret_key)) if !access_key.is_empty() => {
                Ok(Some(Credentials::permanent(access_key, secret_key)))
            }
            _ => Ok(None),
        }
    }
}

/// Proxies, in the form `[scheme://][user:password@]host:port`.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Proxy")]
pub struct ProxyOptions {
    /// A (non-SSL) HTTP proxy
    #[arg(long)]
    pub http_proxy: Option<String>,
    /// An HTTPS proxy
    #[arg(long)]
    pub https_proxy: Option<String>,
}

impl ProxyOptions {
    /// These proxies where given, else the environment's.
    pub fn over(&self, environment: ProxySettings) -> ProxySettings {
        ProxySettings {
            http: self.http_proxy.clone().or(environment.http),
            https: self.https_proxy.clone().or(environment.https),
            no_proxy: environment.no_proxy,
        }
    }
}

/// Which CloudFormation endpoint to call.
#[derive(Debug, Clone, Args)]
pub struct EndpointOptions {
    /// The CloudFormation region
    #[arg(long, default_value = "us-east-1")]
    pub region: String,
}

/// Parses `args`, printing help or what is wrong. The exit code of a wrong option is 2, as in cfn-bootstrap.
pub fn parse<O: Parser>(args: Vec<OsString>) -> Result<O, u8> {
    O::try_parse_from(args).map_err(|err| {
        // A closed standard stream leaves nobody to tell.
        let _ = err.print();
        u8::try_from(err.exit_code()).unwrap_or(2)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NoSleep, http_client};

    #[test]
    fn keys_need_both_halves() {
        let imds = Imds::new(http_client(), "http://127.0.0.1:1");
        let with = |access: Option<&str>, secret: Option<&str>| {
            let options = CredentialOptions {
                access_key: access.map(str::to_owned),
                secret_key: secret.map(str::to_owned),
                ..CredentialOptions::default()
            };
            options.resolve(&imds, &NoSleep).unwrap()
        };
        assert_eq!(with(Some("A"), Some("S")), Some(Credentials::permanent("A", "S")));
        assert_eq!(with(Some("A"), None), None);
        assert_eq!(with(None, None), None);
    }

    #[test]
    fn a_missing_file_is_told_in_cfn_bootstraps_words() {
        let imds = Imds::new(http_client(), "http://127.0.0.1:1");
        let options =
            CredentialOptions { credential_file: Some("/no".into()), ..CredentialOptions::default() };
        let err = options.resolve(&imds, &NoSleep).unwrap_err();
        assert_eq!(
            err.to_string(),
            "Error retrieving credentials from file:\n\tCredential file was not found at /no"
        );
    }
}
