//! Live tails, as clients read them.

use std::time::Duration;

use aws_smithy_eventstream::frame::{DecodedFrame, MessageFrameDecoder};
use bytes::BytesMut;
use http_body_util::BodyExt;
use serde_json::Value;

use super::*;
use crate::http::Body;
use crate::logs::live_tail;

const GROUP: &str = "arn:aws:logs:us-east-1:123456789012:log-group:g";

fn request(groups: &[&str]) -> StartLiveTailRequest {
    StartLiveTailRequest {
        log_group_identifiers: groups.iter().map(|group| (*group).to_owned()).collect(),
        ..Default::default()
    }
}

/// A client's end of a session.
struct Reader {
    body: Body,
    decoder: MessageFrameDecoder,
    received: BytesMut,
}

impl Reader {
    fn open(bench: &Bench, input: StartLiveTailRequest) -> Self {
        Self::of(live_tail::start(&bench.ctx(), input).unwrap())
    }

    fn of(session: live_tail::Session) -> Self {
        let response = session.into_response();
        assert_eq!(response.headers()["content-type"], "application/vnd.amazon.eventstream");
        Self { body: response.into_body(), decoder: MessageFrameDecoder::new(), received: BytesMut::new() }
    }

    /// The next frame: its kind and its payload; none when the stream has ended.
    async fn frame(&mut self) -> Option<(String, Value)> {
        loop {
            if let DecodedFrame::Complete(message) = self.decoder.decode_frame(&mut self.received).unwrap() {
                let kinds = [":event-type", ":exception-type"];
                let kind = message.headers().iter().find(|header| kinds.contains(&header.name().as_str()));
                let kind = kind.unwrap().value().as_string().unwrap().as_str().to_owned();
                return Some((kind, serde_json::from_slice(message.payload()).unwrap()));
            }
            let frame = tokio::time::timeout(Duration::from_secs(10), self.body.frame()).await.unwrap()?;
            self.received.extend_from_slice(&frame.unwrap().into_data().unwrap());
        }
    }

    /// The next update with events in it: their streams and messages, and whether it is a sample.
    async fn update(&mut self) -> (Vec<(String, String)>, bool) {
        loop {
            let (kind, payload) = self.frame().await.unwrap();
            assert_eq!(kind, "sessionUpdate");
            let text = |event: &Value, name: &str| event[name].as_str().unwrap().to_owned();
            let events: Vec<_> = payload["sessionResults"]
                .as_array()
                .unwrap()
                .iter()
                .map(|event| {
                    assert_eq!(event["logGroupIdentifier"], "123456789012:g");
                    (text(event, "logStreamName"), text(event, "message"))
                })
                .collect();
            if !events.is_empty() {
                return (events, payload["sessionMetadata"]["sampled"].as_bool().unwrap());
            }
        }
    }
}

#[tokio::test]
async fn new_events_are_told_as_they_come() {
    let bench = Bench::new();
    group(&bench, "g");
    put(&bench, "g", "i-1", &[(0, "ERROR before")]);
    let pattern = Some("ERROR".to_owned());
    let mut reader =
        Reader::open(&bench, StartLiveTailRequest { log_event_filter_pattern: pattern, ..request(&[GROUP]) });
    assert_eq!(reader.frame().await.unwrap(), ("initial-response".to_owned(), serde_json::json!({})));
    let (kind, start) = reader.frame().await.unwrap();
    assert_eq!(kind, "sessionStart");
    assert_eq!(start["logGroupIdentifiers"][0], GROUP);
    assert_eq!(start["logEventFilterPattern"], "ERROR");
    assert!(start["sessionId"].is_string() && start["requestId"].is_string());

    stream(&bench, "g", "i-2");
    put(&bench, "g", "i-2", &[(-1, "GET /"), (0, "ERROR 1")]);
    let begun = std::time::Instant::now();
    assert_eq!(reader.update().await, (vec![("i-2".to_owned(), "ERROR 1".to_owned())], false));
    assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());

    let quiet = reader.frame().await.unwrap().1;
    assert_eq!(quiet["sessionResults"], serde_json::json!([]), "an update although nothing came");
    let many: Vec<(i64, &str)> = (0..2000).map(|_| (0, "ERROR")).collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    put(&bench, "g", "i-1", &many);
    let (events, sampled) = reader.update().await;
    assert_eq!((events.len(), sampled), (500, true));
}

#[tokio::test]
async fn streams_are_chosen_by_name_or_prefix() {
    let bench = Bench::new();
    group(&bench, "g");
    for name in ["task-1", "other"] {
        stream(&bench, "g", name);
    }
    let named = StartLiveTailRequest { log_stream_names: vec!["other".into()], ..request(&["g"]) };
    let prefixed = StartLiveTailRequest { log_stream_name_prefixes: vec!["task".into()], ..request(&["g"]) };
    for (input, expected) in [(named, "other"), (prefixed, "task-1")] {
        let mut reader = Reader::open(&bench, input);
        reader.frame().await.unwrap();
        reader.frame().await.unwrap();
        for name in ["i-1", "task-1", "other"] {
            put(&bench, "g", name, &[(0, name)]);
        }
        assert_eq!(reader.update().await.0, [(expected.to_owned(), expected.to_owned())]);
    }
}

#[tokio::test]
async fn a_session_ends_with_the_store() {
    let bench = Bench::new();
    group(&bench, "g");
    let mut reader = Reader::open(&bench, request(&[GROUP]));
    reader.frame().await.unwrap();
    reader.frame().await.unwrap();
    let cloud = std::sync::Arc::clone(&bench.cloud);
    tokio::task::spawn_blocking(move || cloud.logs.close()).await.unwrap();
    while let Some((kind, _)) = reader.frame().await {
        assert_eq!(kind, "sessionUpdate");
    }
}

#[tokio::test]
async fn a_session_does_not_last_for_ever() {
    let bench = Bench::new();
    group(&bench, "g");
    let session = live_tail::start(&bench.ctx(), request(&[GROUP])).unwrap();
    let mut reader = Reader::of(session.open_for(Duration::from_millis(1500)));
    let mut kinds = Vec::new();
    while let Some((kind, _)) = reader.frame().await {
        kinds.push(kind);
    }
    let (last, before) = kinds.split_last().unwrap();
    assert_eq!(last, "SessionTimeoutException");
    assert_eq!(before, ["initial-response", "sessionStart", "sessionUpdate", "sessionUpdate"]);
}

#[test]
fn requests_are_checked() {
    let bench = Bench::new();
    group(&bench, "g");
    group(&bench, "h");
    let starred = format!("{GROUP}:*");
    let names = || vec!["i-1".to_owned()];
    for (input, code) in [
        (request(&[]), "InvalidParameterException"),
        (request(&["g"; 11]), "InvalidParameterException"),
        (request(&[&starred]), "InvalidParameterException"),
        (request(&["none"]), "ResourceNotFoundException"),
        (
            StartLiveTailRequest { log_stream_names: names(), ..request(&["g", "h"]) },
            "InvalidParameterException",
        ),
        (
            StartLiveTailRequest {
                log_stream_names: names(),
                log_stream_name_prefixes: names(),
                ..request(&["g"])
            },
            "InvalidParameterException",
        ),
        (
            StartLiveTailRequest { log_event_filter_pattern: Some("{ $.a = ".into()), ..request(&["g"]) },
            "InvalidParameterException",
        ),
    ] {
        let refused = live_tail::start(&bench.ctx(), input.clone()).err().unwrap();
        assert_eq!(refused.code, code, "{input:?}");
    }
}
