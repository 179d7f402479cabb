//! CloudWatch Logs as a sink: PutLogEvents, and the groups and streams that it needs.

use super::{Accepted, SendError, Sink, Target};
use crate::aws::json::{Body, CallError, JsonService};
use crate::awslogs::batch::Event;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

/// What stands before an operation's name on the wire.
pub const TARGET: &str = "Logs_20140328";
/// The name that calls are signed for.
pub const SIGNING_NAME: &str = "logs";
/// Bodies up to this size are not compressed, in bytes, as by Amazon's agent.
const SMALL: usize = 1024;

/// The service.
pub struct CloudWatch<'a> {
    service: JsonService<'a>,
    gzip: bool,
    /// Tokens of streams that asked for one. Today's service takes none into account.
    tokens: Mutex<HashMap<(String, String), String>>,
}

impl<'a> CloudWatch<'a> {
    /// Sends to `service`, bodies compressed with `gzip`.
    pub fn new(service: JsonService<'a>, gzip: bool) -> Self {
        Self { service, gzip, tokens: Mutex::default() }
    }

    fn token(&self, target: &Target) -> Option<String> {
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        // Without one, which is the rule, no name is copied.
        if tokens.is_empty() {
            None
        } else {
            tokens.get(&(target.group.clone(), target.stream.clone())).cloned()
        }
    }

    fn keep_token(&self, target: &Target, token: Option<&str>) {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (target.group.clone(), target.stream.clone());
        match token {
            Some(token) => tokens.insert(key, token.to_owned()),
            None => tokens.remove(&key),
        };
    }

    fn put_once(&self, target: &Target, events: &[Event<'_>]) -> Result<Value, CallError> {
        let token = self.token(target);
        let input = PutLogEvents { target, events, token: token.as_deref() };
        let answer = self.service.call("PutLogEvents", body(&input, self.gzip))?;
        if token.is_some() {
            self.keep_token(target, answer.get("nextSequenceToken").and_then(Value::as_str));
        }
        Ok(answer)
    }

    /// Creates the stream, and before it, if need be, the group. It may be that only the stream may be created.
    fn create(&self, target: &Target) -> Result<(), CallError> {
        let stream = json!({"logGroupName": target.group, "logStreamName": target.stream});
        match self.create_one("CreateLogStream", &stream) {
            Err(err) if is(&err, "ResourceNotFoundException") => {}
            other => return other,
        }
        self.create_one("CreateLogGroup", &json!({"logGroupName": target.group}))?;
        if let Some(days) = target.retention {
            let input = json!({"logGroupName": target.group, "retentionInDays": days});
            self.service.call("PutRetentionPolicy", Body::from(&input))?;
        }
        self.create_one("CreateLogStream", &stream)
    }

    fn create_one(&self, operation: &str, input: &Value) -> Result<(), CallError> {
        match self.service.call(operation, Body::from(input)) {
            Err(err) if !is(&err, "ResourceAlreadyExistsException") => Err(err),
            _ => Ok(()),
        }
    }
}

impl Sink for CloudWatch<'_> {
    fn prepare(&self, target: &Target) -> Result<(), SendError> {
        self.create(target).map_err(classified)
    }

    fn put(&self, target: &Target, events: &[Event<'_>]) -> Result<Accepted, SendError> {
        // The stream may have to be created, and the service may ask for another token.
        for _ in 0..3 {
            let err = match self.put_once(target, events) {
                Ok(answer) => return Ok(accepted(&answer, events.len())),
                Err(err) => err,
            };
            let CallError::Service { code, answer, .. } = &err else { return Err(classified(err)) };
            match code.as_str() {
                "DataAlreadyAcceptedException" => {
                    self.keep_token(target, expected_token(answer).as_deref());
                    return Ok(Accepted::default());
                }
                "InvalidSequenceTokenException" => self.keep_token(target, expected_token(answer).as_deref()),
                "ResourceNotFoundException" => self.create(target).map_err(classified)?,
                _ => return Err(classified(err)),
            }
        }
        Err(SendError::Busy(format!(
            "the stream {} of the log group {} is not there although it was created",
            target.stream, target.group
        )))
    }
}

fn is(err: &CallError, name: &str) -> bool {
    matches!(err, CallError::Service { code, .. } if code == name)
}

/// The token that a refusal names: in a member of its own, or, long ago, at the end of its message.
fn expected_token(answer: &Value) -> Option<String> {
    let member = answer.get("expectedSequenceToken").and_then(Value::as_str);
    let message = answer.get("message").and_then(Value::as_str).unwrap_or_default();
    let told = message.rsplit_once("sequenceToken is: ").map(|(_, token)| token.trim());
    member.or(told).filter(|token| !token.is_empty() && *token != "null").map(str::to_owned)
}

/// How many events the service took, by the indices in its answer.
fn accepted(answer: &Value, count: usize) -> Accepted {
    let rejected = answer.get("rejectedLogEventsInfo");
    let index = |name: &str| {
        let index = rejected.and_then(|info| info.get(name)).and_then(Value::as_u64)?;
        usize::try_from(index).ok()
    };
    let old = index("tooOldLogEventEndIndex").max(index("expiredLogEventEndIndex")).unwrap_or(0).min(count);
    let new = index("tooNewLogEventStartIndex").map_or(0, |start| count.saturating_sub(start));
    Accepted { too_old: old, too_new: new.min(count - old) }
}

/// What to do about a failure.
fn classified(err: CallError) -> SendError {
    let text = err.to_string();
    match err {
        CallError::Http(_) | CallError::Credentials(_) => SendError::Unreachable(text),
        CallError::Sign(_) => SendError::Denied(text),
        CallError::Service { status, code, message, .. } => match code.as_str() {
            // A batch is checked before it is sent; a name is as the configuration has it.
            "InvalidParameterException"
                if !message.contains("logGroupName") && !message.contains("logStreamName") =>
            {
                SendError::Invalid(text)
            }
            "ThrottlingException"
            | "Throttling"
            | "ServiceUnavailableException"
            | "OperationAbortedException"
            | "InvalidSequenceTokenException"
            | "SerializationError" => SendError::Busy(text),
            _ if status >= 500 || status == 429 || status == 408 => SendError::Busy(text),
            _ if status == 413 => SendError::Invalid(text),
            _ => SendError::Denied(text),
        },
    }
}

struct PutLogEvents<'a> {
    target: &'a Target,
    events: &'a [Event<'a>],
    token: Option<&'a str>,
}

impl Serialize for PutLogEvents<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("logGroupName", &self.target.group)?;
        map.serialize_entry("logStreamName", &self.target.stream)?;
        map.serialize_entry("logEvents", &Events(self.events))?;
        if let Some(token) = self.token {
            map.serialize_entry("sequenceToken", token)?;
        }
        map.end()
    }
}

struct Events<'a>(&'a [Event<'a>]);

impl Serialize for Events<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct InputLogEvent<'a> {
            timestamp: i64,
            message: &'a str,
        }
        let mut seq = serializer.serialize_seq(Some(self.0.len()))?;
        for event in self.0 {
            seq.serialize_element(&InputLogEvent { timestamp: event.timestamp, message: event.message })?;
        }
        seq.end()
    }
}

/// The body of a call, compressed if that is worth while.
fn body(input: &PutLogEvents<'_>, gzip: bool) -> Body {
    let expected = 200 + input.events.iter().map(|event| event.message.len() + 60).sum::<usize>();
    if gzip && expected > SMALL {
        let mut encoder = GzEncoder::new(Vec::with_capacity(expected / 8), Compression::fast());
        let written = serde_json::to_writer(std::io::BufWriter::new(&mut encoder), input);
        if let (Ok(()), Ok(bytes)) = (written, encoder.finish()) {
            return Body { bytes, encoding: Some("gzip") };
        }
    }
    let mut bytes = Vec::with_capacity(expected);
    // Writing strings and numbers into memory cannot fail; if it did, the service would refuse what there is.
    let _ = serde_json::to_writer(&mut bytes, input);
    let _ = bytes.flush();
    Body { bytes, encoding: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::credentials::{CredentialProvider, Credentials};
    use crate::aws::imds::ImdsError;
    use crate::testing::{Received, Reply, Server, http_client};
    use std::sync::atomic::{AtomicUsize, Ordering};

    struct Keys;
    impl CredentialProvider for Keys {
        fn credentials(&self) -> Result<Credentials, ImdsError> {
            Ok(Credentials::permanent("AKID", "secret"))
        }
    }

    fn operation(request: &Received) -> String {
        request.header("x-amz-target").unwrap().rsplit('.').next().unwrap().to_owned()
    }

    /// What putting one event comes to, and the operations it took.
    fn put(
        answer: impl Fn(&str, usize) -> Reply + Send + Sync + 'static,
    ) -> (Result<Accepted, SendError>, Vec<String>) {
        let calls = AtomicUsize::new(0);
        let server =
            Server::start(move |request| answer(&operation(request), calls.fetch_add(1, Ordering::Relaxed)));
        let http = http_client();
        let service = JsonService {
            http: &*http,
            credentials: &Keys,
            region: "eu-west-1".into(),
            endpoint: server.url(""),
            signing_name: SIGNING_NAME,
            target: TARGET,
        };
        let target = Target { group: "g".into(), stream: "s".into(), retention: Some(7) };
        let events = [Event { timestamp: 1, message: "hello" }];
        let result = CloudWatch::new(service, false).put(&target, &events);
        (result, server.requests().iter().map(operation).collect())
    }

    fn refusal(code: &str) -> Reply {
        Reply::new(400, format!(r#"{{"__type":"{code}","message":"why","expectedSequenceToken":"t"}}"#))
    }

    #[test]
    fn a_missing_group_and_stream_are_created_and_the_events_sent_once_more() {
        let (result, calls) = put(|operation, call| match (operation, call) {
            ("PutLogEvents" | "CreateLogStream", 0..=1) => refusal("ResourceNotFoundException"),
            _ => Reply::new(200, "{}"),
        });
        assert_eq!(result, Ok(Accepted::default()));
        let expected = [
            "PutLogEvents",
            "CreateLogStream",
            "CreateLogGroup",
            "PutRetentionPolicy",
            "CreateLogStream",
            "PutLogEvents",
        ];
        assert_eq!(calls, expected);
    }

    #[test]
    fn refusals_are_told_apart() {
        let once = |code: &'static str| put(move |_, _| refusal(code)).0;
        assert!(matches!(once("ThrottlingException"), Err(SendError::Busy(_))));
        assert!(matches!(once("AccessDeniedException"), Err(SendError::Denied(_))));
        assert!(matches!(once("InvalidParameterException"), Err(SendError::Invalid(_))));
        assert_eq!(once("DataAlreadyAcceptedException"), Ok(Accepted::default()));
        assert!(matches!(put(|_, _| Reply::new(502, "bad gateway")).0, Err(SendError::Busy(_))));
        let (result, calls) = put(|_, call| match call {
            0 => refusal("InvalidSequenceTokenException"),
            _ => Reply::new(200, r#"{"nextSequenceToken":"u"}"#),
        });
        assert_eq!((result, calls.len()), (Ok(Accepted::default()), 2));
    }

    #[test]
    fn rejected_events_are_counted() {
        let answer =
            json!({"rejectedLogEventsInfo": {"tooOldLogEventEndIndex": 2, "tooNewLogEventStartIndex": 8}});
        assert_eq!(accepted(&answer, 10), Accepted { too_old: 2, too_new: 2 });
        assert_eq!(accepted(&json!({}), 10), Accepted::default());
    }
}
