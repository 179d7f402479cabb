//! What the service and the agent say: `{"type": "HeartbeatMessage", "message": {…}}`.

use serde_json::{Value, json};

/// What the service says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// The connection is alive.
    Heartbeat {
        /// What the answer names.
        message_id: String,
    },
    /// Tasks to run or to stop.
    Payload {
        /// What the answer names.
        message_id: String,
        /// The tasks' ARNs.
        tasks: Vec<String>,
    },
    /// The tasks that the service believes to be here.
    TaskManifest {
        /// What the answer names.
        message_id: String,
    },
    /// The service is about to close the connection.
    Close {
        /// Why.
        reason: String,
    },
    /// The service refuses to go on.
    Error {
        /// The exception's name.
        name: String,
        /// Its message.
        message: String,
    },
    /// Anything else.
    Unhandled {
        /// The message's type.
        kind: String,
    },
}

/// What is wrong with a message.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum MessageError {
    /// It is not JSON.
    #[error("it is not JSON: {0}")]
    NotJson(String),
    /// It has neither a type nor the form of an error.
    #[error("it has no type")]
    NoType,
    /// An answer would have nothing to name.
    #[error("{0} has no messageId")]
    NoId(String),
}

/// Reads a message. Errors come framed, or as `{"NameOfException": "message"}`.
pub fn parse(text: &str) -> Result<Incoming, MessageError> {
    let frame: Value = serde_json::from_str(text).map_err(|err| MessageError::NotJson(err.to_string()))?;
    let Some(kind) = frame.get("type").and_then(Value::as_str) else { return unframed_error(&frame) };
    let body = frame.get("message").unwrap_or(&Value::Null);
    let member = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    let message_id = || member("messageId").ok_or_else(|| MessageError::NoId(kind.to_owned()));
    Ok(match kind {
        "HeartbeatMessage" => Incoming::Heartbeat { message_id: message_id()? },
        "PayloadMessage" => Incoming::Payload { message_id: message_id()?, tasks: task_arns(body) },
        "TaskManifestMessage" => Incoming::TaskManifest { message_id: message_id()? },
        "CloseMessage" => Incoming::Close { reason: member("message").unwrap_or_default() },
        name if name.ends_with("Exception") => {
            Incoming::Error { name: name.to_owned(), message: member("message").unwrap_or_default() }
        }
        other => Incoming::Unhandled { kind: other.to_owned() },
    })
}

fn task_arns(body: &Value) -> Vec<String> {
    let tasks = body.get("tasks").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    tasks.iter().map(|task| task.get("arn").and_then(Value::as_str).unwrap_or("unnamed").to_owned()).collect()
}

fn unframed_error(frame: &Value) -> Result<Incoming, MessageError> {
    let members = frame.as_object().filter(|members| members.len() == 1).ok_or(MessageError::NoType)?;
    let (name, message) = members.iter().next().ok_or(MessageError::NoType)?;
    if !name.ends_with("Exception") {
        return Err(MessageError::NoType);
    }
    Ok(Incoming::Error { name: name.clone(), message: message.as_str().unwrap_or_default().to_owned() })
}

/// Why a payload's tasks are refused.
pub fn refusal(tasks: &[String]) -> String {
    format!("This agent does not run tasks; refused: {}", tasks.join(", "))
}

/// The answer to a heartbeat.
pub fn heartbeat_ack(message_id: &str) -> String {
    framed("HeartbeatAckRequest", json!({"messageId": message_id}))
}

/// A message was taken.
pub fn ack(cluster: &str, container_instance: &str, message_id: &str) -> String {
    let message =
        json!({"cluster": cluster, "containerInstance": container_instance, "messageId": message_id});
    framed("AckRequest", message)
}

/// A message was refused.
pub fn nack(cluster: &str, container_instance: &str, message_id: &str, reason: &str) -> String {
    framed(
        "NackRequest",
        json!({
            "cluster": cluster,
            "containerInstance": container_instance,
            "messageId": message_id,
            "reason": reason,
        }),
    )
}

fn framed(kind: &str, message: Value) -> String {
    json!({"type": kind, "message": message}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn messages_are_read() {
        let text = |value: &str| value.to_owned();
        let cases = [
            (
                r#"{"type":"HeartbeatMessage","message":{"healthy":true,"messageId":"m1"}}"#,
                Ok(Incoming::Heartbeat { message_id: text("m1") }),
            ),
            (
                r#"{"type":"PayloadMessage","message":{"messageId":"m2","tasks":[{"arn":"a"},{}]}}"#,
                Ok(Incoming::Payload { message_id: text("m2"), tasks: vec![text("a"), text("unnamed")] }),
            ),
            (
                r#"{"type":"CloseMessage","message":{"message":"ConnectionExpired: Reconnect to continue"}}"#,
                Ok(Incoming::Close { reason: text("ConnectionExpired: Reconnect to continue") }),
            ),
            (
                r#"{"type":"InactiveInstanceException","message":{"message":"gone"}}"#,
                Ok(Incoming::Error { name: text("InactiveInstanceException"), message: text("gone") }),
            ),
            (
                r#"{"InvalidClusterException":"no"}"#,
                Ok(Incoming::Error { name: text("InvalidClusterException"), message: text("no") }),
            ),
            (
                r#"{"type":"StageUpdateMessage"}"#,
                Ok(Incoming::Unhandled { kind: text("StageUpdateMessage") }),
            ),
            (r#"{"type":"HeartbeatMessage"}"#, Err(MessageError::NoId(text("HeartbeatMessage")))),
            (r#"{"a":1,"b":2}"#, Err(MessageError::NoType)),
        ];
        for (message, expected) in cases {
            assert_eq!(parse(message), expected, "{message}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*") {
            let _ = parse(&text);
        }
    }
}
