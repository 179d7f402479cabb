//! IAM's errors, with its codes and words.

use aws_wire::Error;

/// `NoSuchEntity`
pub fn no_such(what: &str, name: &str) -> Error {
    Error::with_status("NoSuchEntity", format!("The {what} with name {name} cannot be found."), 404)
}

/// `NoSuchEntity` of a policy.
pub fn no_such_policy(arn: &str) -> Error {
    Error::with_status("NoSuchEntity", format!("Policy {arn} does not exist or is not attachable."), 404)
}

/// `EntityAlreadyExists`
pub fn exists(what: &str, name: &str) -> Error {
    Error::with_status("EntityAlreadyExists", format!("{what} with name {name} already exists."), 409)
}

/// `DeleteConflict`
pub fn conflict(message: impl Into<String>) -> Error {
    Error::with_status("DeleteConflict", message, 409)
}

/// `LimitExceeded`
pub fn limit(message: impl Into<String>) -> Error {
    Error::with_status("LimitExceeded", message, 409)
}

/// `ValidationError`
pub fn validation(message: impl Into<String>) -> Error {
    Error::client("ValidationError", message)
}
