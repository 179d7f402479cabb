//! Exit codes: those of the AWS CLI, which Drydock's users know. ("AWS CLI return codes" in the AWS CLI user guide.)
//! The verbs that Packer has, too, end with Packer's.

use aws_clients::ApiError;
use log_viewer::query::QueryError;
use log_viewer::selection::SelectionError;

/// Everything went as asked.
pub const OK: u8 = 0;
/// The command line is not understood.
pub const USAGE: u8 = 252;
/// The configuration or a file of the user's cannot be used.
pub const CONFIG: u8 = 253;
/// A service refused a request.
pub const SERVICE: u8 = 254;
/// What was asked for did not come about: a deployment failed, a check does not hold.
pub const FAILED: u8 = 255;

/// The user pressed Ctrl-C: what a shell makes of a program that SIGINT has ended.
pub const INTERRUPTED: u8 = 130;

/// Whatever went wrong, where Packer would have been asked.
pub const PACKER: u8 = 1;

/// A failure with the code that the program ends with.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub code: u8,
    /// What is said on standard error; nothing when it has been said already.
    pub message: Option<String>,
}

impl Failure {
    /// A failure that has been told already.
    pub fn told(code: u8) -> Self {
        Self { code, message: None }
    }

    /// A failure of the user's configuration or files.
    pub fn config(message: impl Into<String>) -> Self {
        Self { code: CONFIG, message: Some(message.into()) }
    }

    /// Something that did not come about.
    pub fn failed(message: impl Into<String>) -> Self {
        Self { code: FAILED, message: Some(message.into()) }
    }
}

impl From<deployer::Error> for Failure {
    fn from(error: deployer::Error) -> Self {
        let code = match &error {
            deployer::Error::NoRegion(_) | deployer::Error::Template(_) => CONFIG,
            deployer::Error::Refused { .. } | deployer::Error::ChangeSet { .. } => SERVICE,
            deployer::Error::Unreachable { .. } | deployer::Error::NoStack(_) => FAILED,
        };
        Self { code, message: Some(error.to_string()) }
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        let code = if error.code().is_some() { SERVICE } else { FAILED };
        Self { code, message: Some(error.to_string()) }
    }
}

impl From<SelectionError> for Failure {
    fn from(error: SelectionError) -> Self {
        match error {
            SelectionError::Api(error) => error.into(),
            SelectionError::Name(error) => Self::failed(error.to_string()),
        }
    }
}

impl From<QueryError> for Failure {
    fn from(error: QueryError) -> Self {
        let code = match error {
            QueryError::Api(error) => return error.into(),
            QueryError::Malformed { .. } => SERVICE,
            QueryError::Ended(_) => FAILED,
            QueryError::Interrupted => INTERRUPTED,
        };
        Self { code, message: Some(error.to_string()) }
    }
}

impl From<cloud::admin::client::AdminError> for Failure {
    fn from(error: cloud::admin::client::AdminError) -> Self {
        Self::failed(error.to_string())
    }
}

impl From<cloud::daemon::DaemonError> for Failure {
    fn from(error: cloud::daemon::DaemonError) -> Self {
        Self::failed(error.to_string())
    }
}

impl From<machine::images::ImageError> for Failure {
    fn from(error: machine::images::ImageError) -> Self {
        Self::failed(error.to_string())
    }
}

impl From<machine::DriverError> for Failure {
    fn from(error: machine::DriverError) -> Self {
        Self::failed(error.to_string())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::failed(error.to_string())
    }
}
