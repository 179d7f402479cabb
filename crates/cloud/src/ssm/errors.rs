//! SSM's errors, with its codes and words.

use aws_wire::Error;

use super::names::NameError;
use crate::api::paging::PagingError;
use crate::api::tags::TagError;

/// `ValidationException`
pub fn validation(message: impl Into<String>) -> Error {
    Error::client("ValidationException", message)
}

/// `ParameterNotFound`
pub fn not_found(name: &str) -> Error {
    Error::client("ParameterNotFound", format!("Parameter {name} not found."))
}

/// `ParameterVersionNotFound`
pub fn version_not_found(name: &str, selector: &str) -> Error {
    Error::client(
        "ParameterVersionNotFound",
        format!(
            "Systems Manager could not find version {selector} of {name}. Verify the version and try again."
        ),
    )
}

/// What is wrong with a name.
pub fn name(error: NameError) -> Error {
    let code = match error {
        NameError::TooDeep => "HierarchyLevelLimitExceededException",
        NameError::Reserved(_) => "AccessDeniedException",
        NameError::Length | NameError::Form | NameError::Relative => "ValidationException",
    };
    Error::client(code, error.to_string())
}

/// What is wrong with a request for a page.
pub fn paging(error: PagingError) -> Error {
    match error {
        PagingError::Limit { .. } => validation(error.to_string()),
        PagingError::Token(_) => Error::client("InvalidNextToken", "The specified token isn't valid."),
    }
}

/// What is wrong with tags.
pub fn tags(error: TagError) -> Error {
    let code = if error == TagError::TooMany { "TooManyTagsError" } else { "ValidationException" };
    Error::client(code, error.to_string())
}
