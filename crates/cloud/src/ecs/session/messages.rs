//! What agents and services say to each other: `{"type": "HeartbeatMessage", "message": {…}}`. Pure.

use serde_json::{Value, json};

/// What an agent says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// It lives: the answer to a heartbeat.
    HeartbeatAck,
    /// It published something to the telemetry service, which acknowledges it by this name.
    Published {
        /// The type of the acknowledgement.
        ack: &'static str,
    },
    /// Anything else, by its type.
    Other(String),
}

/// Why a message is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// It is not JSON.
    #[error("it is not JSON: {0}")]
    NotJson(String),
    /// It does not say what it is.
    #[error("it has no type")]
    NoType,
}

/// Reads a message. Amazon's agent signs what it sends to the telemetry service, each message like a request:
/// headers, an empty line and then the message. Who speaks was verified when the session was opened.
///
/// # Errors
/// When it is not a message.
pub fn parse(text: &str) -> Result<Incoming, MessageError> {
    let body = match text.split_once("\r\n\r\n") {
        Some((_, body)) if !text.starts_with('{') => body,
        _ => text,
    };
    let frame: Value =
        serde_json::from_str(body).map_err(|error| MessageError::NotJson(error.to_string()))?;
    let kind = frame.get("type").and_then(Value::as_str).ok_or(MessageError::NoType)?;
    Ok(match kind {
        "HeartbeatAckRequest" => Incoming::HeartbeatAck,
        "PublishMetricsRequest" => Incoming::Published { ack: "AckPublishMetric" },
        "PublishHealthRequest" => Incoming::Published { ack: "AckPublishHealth" },
        "PublishInstanceStatusRequest" => Incoming::Published { ack: "AckPublishInstanceStatus" },
        other => Incoming::Other(other.to_owned()),
    })
}

/// The agent communication service's heartbeat.
pub fn heartbeat(message_id: &str) -> String {
    framed("HeartbeatMessage", json!({"healthy": true, "messageId": message_id}))
}

/// The telemetry service's heartbeat, which is not answered.
pub fn telemetry_heartbeat() -> String {
    framed("HeartbeatMessage", json!({"healthy": true}))
}

/// Acknowledges what was published.
pub fn published(ack: &str) -> String {
    framed(ack, json!({"message": "OK"}))
}

/// Announces that the service closes the session, and why.
pub fn close(reason: &str) -> String {
    framed("CloseMessage", json!({"message": reason}))
}

/// Refuses a session, in the form in which agents read the answer to a failed upgrade.
pub fn refusal(exception: &str, message: &str) -> String {
    framed(exception, json!({"message": message}))
}

fn framed(kind: &str, message: Value) -> String {
    json!({"type": kind, "message": message}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read() {
        let cases = [
            (r#"{"type":"HeartbeatAckRequest","message":{"messageId":"m"}}"#, Ok(Incoming::HeartbeatAck)),
            (
                "Authorization: AWS4-HMAC-SHA256 x\r\nHost: h\r\n\r\n{\"type\":\"PublishMetricsRequest\",\"message\":{}}",
                Ok(Incoming::Published { ack: "AckPublishMetric" }),
            ),
            (r#"{"type":"PublishHealthRequest"}"#, Ok(Incoming::Published { ack: "AckPublishHealth" })),
            (
                r#"{"type":"PublishInstanceStatusRequest"}"#,
                Ok(Incoming::Published { ack: "AckPublishInstanceStatus" }),
            ),
            (r#"{"type":"AckRequest","message":{}}"#, Ok(Incoming::Other("AckRequest".into()))),
            (r#"{"message":{}}"#, Err(MessageError::NoType)),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text), expected, "{text}");
        }
        assert!(matches!(parse("Host: h"), Err(MessageError::NotJson(_))));
    }
}
