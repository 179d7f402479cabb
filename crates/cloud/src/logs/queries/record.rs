//! `GetLogRecord`: all fields of one event, by the `@ptr` of a query's results.

use std::collections::BTreeMap;

use aws_wire::Error;
use aws_wire::logs::{GetLogRecordRequest, GetLogRecordResponse};
use serde_json::Value;

use super::pointer::Pointer;
use crate::Ctx;
use crate::logs::state::GroupRecord;
use crate::logs::{errors, streams, time};

/// `GetLogRecord`
pub fn get(ctx: &Ctx, input: GetLogRecordRequest) -> Result<GetLogRecordResponse, Error> {
    if input.unmask == Some(true) {
        return Err(errors::unsupported("unmask"));
    }
    let text = input.log_record_pointer.unwrap_or_default();
    let pointer: Pointer =
        text.parse().map_err(|_| errors::invalid(format!("'{text}' is not a logRecordPointer.")))?;
    let gone = || Error::client("ResourceNotFoundException", "The specified log record does not exist.");
    let groups = ctx.cloud.store.list::<GroupRecord>(&ctx.region);
    let group = groups.into_iter().find(|group| group.number == pointer.group).ok_or_else(gone)?;
    let expired = time::expiry(group.retention_days, time::now())
        .is_some_and(|before| pointer.position.timestamp < before);
    let event = ctx.cloud.logs.events.event(group.number, pointer.position).map_err(errors::events)?;
    let event = event.filter(|_| !expired).ok_or_else(gone)?;
    let all = streams::of_group(ctx, &group.id);
    let stream = all.iter().find(|stream| stream.number == event.stream).ok_or_else(gone)?;
    let mut record = discovered(&event.message);
    record.extend([
        ("@ingestionTime".to_owned(), event.ingestion_time.to_string()),
        ("@log".to_owned(), format!("{}:{}", ctx.account, group.id)),
        ("@logStream".to_owned(), stream.name.clone()),
        ("@message".to_owned(), event.message),
        ("@ptr".to_owned(), text),
        ("@timestamp".to_owned(), event.timestamp.to_string()),
    ]);
    Ok(GetLogRecordResponse { log_record: record })
}

/// The most fields that are taken out of a message ("Supported logs and discovered fields" in the user guide).
const MAX_FIELDS: usize = 200;

/// The fields of a message that is a JSON object: those of inner objects and arrays by dotted names.
fn discovered(message: &str) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    if let Ok(object @ Value::Object(_)) = serde_json::from_str(message) {
        flatten(String::new(), &object, &mut fields);
    }
    fields
}

fn flatten(name: String, value: &Value, fields: &mut BTreeMap<String, String>) {
    let inner = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(key, value)| flatten(inner(key), value, fields));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| flatten(inner(&at.to_string()), item, fields));
        }
        _ if fields.len() >= MAX_FIELDS => {}
        Value::String(text) => _ = fields.insert(name, text.clone()),
        Value::Null => {}
        Value::Bool(_) | Value::Number(_) => _ = fields.insert(name, value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_messages_have_fields() {
        let found = discovered(r#"{"a":{"b":[1,"x",null]},"ok":true,"n":1.5}"#);
        let found: Vec<(&str, &str)> =
            found.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(found, [("a.b.0", "1"), ("a.b.1", "x"), ("n", "1.5"), ("ok", "true")]);
        for message in ["", "plain", "[1]", "{", "7"] {
            assert!(discovered(message).is_empty(), "{message}");
        }
        let many: Vec<usize> = (0..300).collect();
        assert_eq!(discovered(&serde_json::json!({ "a": many }).to_string()).len(), MAX_FIELDS);
    }
}
