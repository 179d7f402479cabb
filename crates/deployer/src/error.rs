//! Why something could not be done.

use aws_clients::ApiError;
use aws_clients::config::NoRegion;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// A failure of this crate's.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The service refused a request.
    #[error("{message} ({code}, {operation})")]
    Refused {
        /// The API action.
        operation: &'static str,
        /// AWS's error code.
        code: String,
        /// The service's own words.
        message: String,
    },
    /// No answer came.
    #[error("{operation} got no answer: {reason}")]
    Unreachable {
        /// The API action.
        operation: &'static str,
        /// What happened on the way.
        reason: String,
    },
    /// The user's AWS configuration has no region.
    #[error(transparent)]
    NoRegion(#[from] NoRegion),
    /// The template cannot be deployed.
    #[error("{0}")]
    Template(String),
    /// A change set could not be made.
    #[error("the change set of stack {stack} failed: {reason}")]
    ChangeSet {
        /// The stack.
        stack: String,
        /// CloudFormation's reason.
        reason: String,
    },
    /// There is no such stack.
    #[error("stack {0} does not exist")]
    NoStack(String),
}

impl Error {
    /// The service's error code, when a service refused.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            _ => None,
        }
    }
}

impl From<ApiError> for Error {
    fn from(error: ApiError) -> Self {
        match error {
            ApiError::Refused { operation, code, message } => Self::Refused { operation, code, message },
            ApiError::Unreachable { operation, reason } => Self::Unreachable { operation, reason },
        }
    }
}

/// Turns an SDK's error into ours: the service's own code and words where it answered, the whole chain of
/// causes where it did not.
pub fn sdk<E>(operation: &'static str, error: E) -> Error
where
    E: ProvideErrorMetadata + std::error::Error,
{
    ApiError::of(operation, error).into()
}
