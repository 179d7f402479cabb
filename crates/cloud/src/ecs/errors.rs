//! ECS's errors, with its codes and words.

use aws_wire::Error;

use crate::api::paging::PagingError;
use crate::api::tags::TagError;

/// `ClientException`
pub fn client(message: impl Into<String>) -> Error {
    Error::client("ClientException", message)
}

/// `InvalidParameterException`
pub fn invalid(message: impl Into<String>) -> Error {
    Error::client("InvalidParameterException", message)
}

/// `ClusterNotFoundException`. Agents look for these very words before they make the cluster `default`.
pub fn cluster_not_found() -> Error {
    Error::client("ClusterNotFoundException", "Cluster not found.")
}

/// A container instance that is not in the cluster.
pub fn instance_not_found(reference: &str) -> Error {
    invalid(format!("Referenced container instance {reference} not found."))
}

/// A container instance that was deregistered.
pub fn instance_inactive(id: &str) -> Error {
    client(format!("Container instance {id} is inactive."))
}

/// Something that this cloud does not have.
pub fn unsupported(what: &str) -> Error {
    invalid(format!("{what} is not supported by this cloud."))
}

/// What is wrong with a request for a page.
pub fn paging(error: PagingError) -> Error {
    match error {
        PagingError::Limit { .. } => invalid(error.to_string()),
        PagingError::Token(_) => invalid("Invalid token"),
    }
}

/// What is wrong with tags.
pub fn tags(error: TagError) -> Error {
    invalid(error.to_string())
}
