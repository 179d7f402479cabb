//! What the SDK's errors say.

use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// Why the API did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// The service refused.
    #[error("{code}: {message} ({operation})")]
    Refused {
        /// The API's operation.
        operation: &'static str,
        /// AWS's error code.
        code: String,
        /// The service's own words.
        message: String,
    },
    /// No answer came, or none that could be read.
    #[error("{operation} got no answer: {reason}")]
    Unreachable {
        /// The API's operation.
        operation: &'static str,
        /// What happened on the way.
        reason: String,
    },
}

impl ApiError {
    /// What an SDK's error says: the service's own code and words if it answered, the chain of causes if not.
    pub fn of<E>(operation: &'static str, error: E) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error,
    {
        match error.code() {
            Some(code) => Self::Refused {
                operation,
                code: code.to_owned(),
                message: error.message().unwrap_or("the service gave no reason").to_owned(),
            },
            None => Self::Unreachable { operation, reason: causes(&error) },
        }
    }

    /// AWS's error code, if the service answered.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            Self::Unreachable { .. } => None,
        }
    }

    /// Whether the service says that the thing is not there (any more, or not yet).
    pub fn is_not_found(&self) -> bool {
        self.code().is_some_and(|code| {
            code.ends_with(".NotFound")
                || code.ends_with(".Unavailable")
                || matches!(code, "NoSuchEntity" | "ResourceNotFoundException")
        })
    }
}

/// The causes of an error, outermost first. Wrappers quote what they wrap: what was said before is not repeated.
pub fn causes(error: &dyn std::error::Error) -> String {
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

    #[test]
    fn what_is_not_there_is_known_by_its_code() {
        let refused = |code: &str| ApiError::Refused {
            operation: "DescribeImages",
            code: code.to_owned(),
            message: "gone".to_owned(),
        };
        for code in
            ["InvalidAMIID.NotFound", "InvalidAMIID.Unavailable", "NoSuchEntity", "ResourceNotFoundException"]
        {
            assert!(refused(code).is_not_found(), "{code}");
        }
        assert!(!refused("UnauthorizedOperation").is_not_found());
        let unreachable = ApiError::Unreachable { operation: "DescribeImages", reason: "gone".to_owned() };
        assert!(!unreachable.is_not_found());
    }
}
