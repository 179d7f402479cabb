//! Why something could not be done.

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
    #[error("no region: give --region, set AWS_REGION, or `aws configure set region`")]
    NoRegion,
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

/// Turns an SDK's error into ours: the service's own code and words where it answered, the whole chain of
/// causes where it did not.
pub fn sdk<E>(operation: &'static str, error: E) -> Error
where
    E: ProvideErrorMetadata + std::error::Error,
{
    match (error.code(), error.message()) {
        (Some(code), message) => Error::Refused {
            operation,
            code: code.to_owned(),
            message: message.unwrap_or("the service gave no reason").to_owned(),
        },
        (None, _) => Error::Unreachable { operation, reason: causes(&error) },
    }
}

/// The causes of an error, outermost first, each said once. Wrappers quote what they wrap: what an outer cause has
/// said already is not repeated.
fn causes(error: &dyn std::error::Error) -> String {
    let mut told: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(cause) = next {
        let text = cause.to_string();
        next = cause.source();
        if !text.is_empty() && !told.iter().any(|before| before.contains(&text)) {
            told.push(text);
        }
    }
    told.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Layer {
        text: &'static str,
        source: Option<Box<Layer>>,
    }

    #[test]
    fn causes_are_told_once_each() {
        let inner = Layer { text: "Connection refused (os error 111)", source: None };
        let middle =
            Layer { text: "connect error: Connection refused (os error 111)", source: Some(inner.into()) };
        let outer = Layer { text: "dispatch failure", source: Some(middle.into()) };
        assert_eq!(causes(&outer), "dispatch failure: connect error: Connection refused (os error 111)");
    }
}
