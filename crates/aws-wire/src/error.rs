//! The refusal of a request, as AWS words it.

/// What a client is told when an operation fails.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Error {
    /// AWS's own code, e.g. `InvalidInstanceID.NotFound`.
    pub code: String,
    /// AWS's own wording, as far as it is known.
    pub message: String,
    /// The HTTP status.
    pub status: u16,
}

impl Error {
    /// The client's fault, status 400 unless the service's model gives `code` another one.
    pub fn client(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::with_status(code, message, 400)
    }

    /// With an HTTP status of the caller's choice.
    pub fn with_status(code: impl Into<String>, message: impl Into<String>, status: u16) -> Self {
        Self { code: code.into(), message: message.into(), status }
    }

    /// Our fault, status 500; `message` says what failed and why. SDKs retry such a request.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::with_status("InternalFailure", message, 500)
    }

    /// AWS has `operation`, this cloud does not: status 501, which SDKs do not retry.
    pub fn not_implemented(operation: &str) -> Self {
        let message = format!("This cloud does not implement the operation {operation}.");
        Self::with_status("NotImplemented", message, 501)
    }

    /// Whether the request, not the service, is at fault.
    pub fn is_client(&self) -> bool {
        self.status < 500
    }
}
