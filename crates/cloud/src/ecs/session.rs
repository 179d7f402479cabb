//! The agents' sessions.

use std::sync::Arc;

use http::StatusCode;

use crate::http::{Request, Response, text};
use crate::{Caller, Cloud};

/// Serves an agent's WebSocket.
pub fn accept(_cloud: &Arc<Cloud>, _caller: Caller, _request: Request) -> Response {
    text(StatusCode::NOT_IMPLEMENTED, "ECS agents' sessions are not served yet\n")
}
