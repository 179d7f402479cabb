//! The frames of a live tail's event stream. Pure.
//!
//! As every event stream of a JSON service, it begins with an empty `initial-response`, which clients wait for before
//! they show the first event.

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use aws_wire::logs::{LiveTailSessionStart, LiveTailSessionUpdate};
use bytes::Bytes;

/// `Content-Type` of the answer.
pub const CONTENT_TYPE: &str = "application/vnd.amazon.eventstream";

/// A frame that could not be encoded: a header or the payload is too long.
pub type FrameError = aws_smithy_eventstream::error::Error;

/// What the stream begins with.
///
/// # Errors
/// See [`FrameError`].
pub fn initial_response() -> Result<Bytes, FrameError> {
    frame("event", ":event-type", "initial-response", "{}".to_owned())
}

/// The session's own description.
///
/// # Errors
/// See [`FrameError`].
pub fn start(start: &LiveTailSessionStart) -> Result<Bytes, FrameError> {
    frame("event", ":event-type", "sessionStart", aws_wire::encode_event(start))
}

/// Events, or none.
///
/// # Errors
/// See [`FrameError`].
pub fn update(update: &LiveTailSessionUpdate) -> Result<Bytes, FrameError> {
    frame("event", ":event-type", "sessionUpdate", aws_wire::encode_event(update))
}

/// The end of a session that has been open for as long as it may be.
///
/// # Errors
/// See [`FrameError`].
pub fn timeout(message: &str) -> Result<Bytes, FrameError> {
    let payload = serde_json::json!({ "message": message }).to_string();
    frame("exception", ":exception-type", "SessionTimeoutException", payload)
}

fn frame(
    message_type: &'static str,
    kind: &'static str,
    name: &'static str,
    payload: String,
) -> Result<Bytes, FrameError> {
    let text = |text: &'static str| HeaderValue::String(text.into());
    let message = Message::new(payload)
        .add_header(Header::new(":message-type", text(message_type)))
        .add_header(Header::new(kind, text(name)))
        .add_header(Header::new(":content-type", text("application/json")));
    let mut bytes = Vec::new();
    write_message_to(&message, &mut bytes)?;
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use aws_smithy_eventstream::frame::read_message_from;
    use aws_wire::logs::{LiveTailSessionLogEvent, LiveTailSessionMetadata};

    use super::*;

    #[test]
    fn frames_are_read_back_as_events() {
        let event = LiveTailSessionLogEvent {
            message: Some("a \"quoted\" line\n".into()),
            timestamp: Some(1),
            ..Default::default()
        };
        let told = LiveTailSessionUpdate {
            session_metadata: Some(LiveTailSessionMetadata { sampled: Some(false) }),
            session_results: vec![event],
        };
        for (frame, header, name, payload) in [
            (initial_response(), ":event-type", "initial-response", "{}".to_owned()),
            (
                update(&told),
                ":event-type",
                "sessionUpdate",
                r#"{"sessionMetadata":{"sampled":false},"sessionResults":[{"message":"a \"quoted\" line\n","timestamp":1}]}"#.to_owned(),
            ),
            (timeout("over"), ":exception-type", "SessionTimeoutException", r#"{"message":"over"}"#.to_owned()),
        ] {
            let message = read_message_from(frame.unwrap()).unwrap();
            let found = message.headers().iter().find(|found| found.name().as_str() == header).unwrap();
            assert_eq!(found.value().as_string().unwrap().as_str(), name);
            assert_eq!(message.payload(), payload.as_bytes());
        }
    }
}
