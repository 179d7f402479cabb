//! The service's refusals, in AWS's words as far as they are known.

use aws_wire::Error;
use log_store::StoreError;

use crate::api::tags::TagError;

/// A parameter is not as it should be.
pub fn invalid(message: impl Into<String>) -> Error {
    Error::client("InvalidParameterException", message)
}

/// A value that AWS's model does not allow; `constraint` begins with a verb.
pub fn constraint(value: &str, member: &str, constraint: &str) -> Error {
    invalid(format!(
        "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: Member must {constraint}"
    ))
}

/// What AWS takes and this cloud does not have.
pub fn unsupported(what: &str) -> Error {
    invalid(format!("{what} is not supported by this cloud."))
}

/// There is no such group.
pub fn no_group() -> Error {
    Error::client("ResourceNotFoundException", "The specified log group does not exist.")
}

/// There is no such stream.
pub fn no_stream() -> Error {
    Error::client("ResourceNotFoundException", "The specified log stream does not exist.")
}

/// The name is taken.
pub fn group_exists() -> Error {
    Error::client("ResourceAlreadyExistsException", "The specified log group already exists")
}

/// The name is taken.
pub fn stream_exists() -> Error {
    Error::client("ResourceAlreadyExistsException", "The specified log stream already exists")
}

/// A tag is not allowed.
pub fn tags(error: TagError) -> Error {
    match error {
        TagError::TooMany => Error::client("TooManyTagsException", error.to_string()),
        _ => invalid(error.to_string()),
    }
}

/// The events' store failed. Clients try again.
pub fn events(error: StoreError) -> Error {
    Error::with_status("ServiceUnavailableException", error.to_string(), 500)
}
