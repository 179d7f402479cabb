//! What is measured.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_smithy_eventstream::frame::{DecodedFrame, MessageFrameDecoder};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::{Value, json};

use crate::STREAMS;
use crate::client::Client;
use crate::events::{self, BATCH};

const HOUR: i64 = 3_600_000;
/// How many batches are written before the clock starts, so that writing them is not measured.
const READY: usize = 100;

fn figure(name: &str, value: f64, unit: &str, aim: &str) {
    let value = (value * 100.0).round() / 100.0;
    println!("{}", json!({ "figure": name, "value": value, "unit": unit, "aim": aim }));
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    i64::try_from(since.as_millis()).expect("a time")
}

/// The first event's time, and what lies between two: the events take up the last 23 hours.
fn spread(events: usize) -> (i64, f64) {
    #[allow(clippy::cast_precision_loss, reason = "milliseconds of a day")]
    let step = (23 * HOUR) as f64 / events as f64;
    (now() - 23 * HOUR, step)
}

/// Puts all events; measures with batches that are written already.
pub async fn put(client: &Client, group: &str, events: usize) {
    let (start, step) = spread(events);
    let batches = events.div_ceil(BATCH);
    let ready = READY.min(batches);
    let bodies: Vec<Vec<Bytes>> = (0..STREAMS)
        .map(|stream| {
            let own = (stream..ready).step_by(STREAMS);
            own.map(|batch| events::batch(group, stream, batch * BATCH, start, step)).collect()
        })
        .collect();
    let bytes: usize = bodies.iter().flatten().map(Bytes::len).sum();
    let begun = Instant::now();
    let putting: Vec<_> = bodies
        .into_iter()
        .map(|bodies| {
            let client = client.clone();
            tokio::spawn(async move {
                for body in bodies {
                    accept(&client, body).await;
                }
            })
        })
        .collect();
    for task in putting {
        task.await.expect("all are put");
    }
    let took = begun.elapsed().as_secs_f64();
    #[allow(clippy::cast_precision_loss, reason = "far less than 2^53")]
    let (count, megabytes) = ((ready * BATCH) as f64, bytes as f64 / 1e6);
    figure("log events into the local cloud, by PutLogEvents", count / took, "events/s", "200000 or more");
    figure("log events into the local cloud, as JSON", megabytes / took, "MB/s", "");

    let rest: Vec<_> = (0..STREAMS)
        .map(|stream| {
            let (client, group) = (client.clone(), group.to_owned());
            tokio::spawn(async move {
                for batch in (ready..batches).filter(|batch| batch % STREAMS == stream) {
                    accept(&client, events::batch(&group, stream, batch * BATCH, start, step)).await;
                }
            })
        })
        .collect();
    for task in rest {
        task.await.expect("all are put");
    }
}

async fn accept(client: &Client, body: Bytes) {
    let answer = client.call_with("PutLogEvents", body).await;
    assert!(answer["rejectedLogEventsInfo"].is_null(), "{answer}");
}

/// Filters one hour of the events by patterns that match nearly nothing, one in a thousand, and everything.
pub async fn filter(client: &Client, group: &str, events: usize) {
    let (start, _) = spread(events);
    let from = start + 11 * HOUR;
    for (pattern, what) in [
        ("\"no such thing anywhere\"", "by a term that is nowhere"),
        ("503", "by a term"),
        ("[ip, method, path, status = 5*, size, id]", "by columns"),
    ] {
        let mut best = Duration::MAX;
        let mut found = 0;
        for _ in 0..5 {
            let begun = Instant::now();
            found = all_pages(client, group, pattern, from).await;
            best = best.min(begun.elapsed());
        }
        let name = format!("filter over one hour of {events} stored log events, {what}");
        figure(&name, best.as_secs_f64() * 1000.0, "ms", "less than 200");
        eprintln!("{pattern}: {found} events found");
    }
}

async fn all_pages(client: &Client, group: &str, pattern: &str, from: i64) -> usize {
    let mut input = json!({
        "logGroupName": group, "filterPattern": pattern, "startTime": from, "endTime": from + HOUR - 1,
    });
    let mut found = 0;
    loop {
        let answer = client.call("FilterLogEvents", &input).await;
        found += answer["events"].as_array().map_or(0, Vec::len);
        match &answer["nextToken"] {
            Value::String(token) => input["nextToken"] = token.clone().into(),
            _ => return found,
        }
    }
}

/// Follows the group and puts one event after another: how long each takes to arrive.
pub async fn live_tail(client: &Client, group: &str) {
    let identifier = format!("arn:aws:logs:us-east-1:123456789012:log-group:{group}");
    let input = json!({ "logGroupIdentifiers": [identifier], "logEventFilterPattern": "latency" });
    let mut tail = LiveTail::open(client, &input).await;
    let mut late: Vec<Duration> = Vec::new();
    for number in 0..50_u64 {
        let event = json!({ "timestamp": now(), "message": format!("latency {number}") });
        let put = json!({ "logGroupName": group, "logStreamName": events::stream(0), "logEvents": [event] });
        let begun = Instant::now();
        client.call("PutLogEvents", &put).await;
        tail.until(&format!("latency {number}")).await;
        late.push(begun.elapsed());
        tokio::time::sleep(Duration::from_millis(37 * (number % 5))).await;
    }
    late.sort();
    figure(
        "live tail, from PutLogEvents to the client",
        late[late.len() / 2].as_secs_f64() * 1000.0,
        "ms",
        "",
    );
    let worst = late.last().expect("there are some").as_secs_f64() * 1000.0;
    figure("live tail, the slowest of fifty", worst, "ms", "less than 500");
}

struct LiveTail {
    body: Incoming,
    decoder: MessageFrameDecoder,
    received: BytesMut,
}

impl LiveTail {
    async fn open(client: &Client, input: &Value) -> Self {
        let body = client.open("StartLiveTail", Bytes::from(input.to_string())).await;
        let mut tail = Self { body, decoder: MessageFrameDecoder::new(), received: BytesMut::new() };
        tail.until("sessionId").await;
        tail
    }

    /// Waits for a frame whose payload has a text in it.
    async fn until(&mut self, text: &str) {
        loop {
            while let Ok(DecodedFrame::Complete(message)) = self.decoder.decode_frame(&mut self.received) {
                if String::from_utf8_lossy(message.payload()).contains(text) {
                    return;
                }
            }
            let frame = self.body.frame().await.expect("the session goes on").expect("a frame");
            if let Ok(data) = frame.into_data() {
                self.received.extend_from_slice(&data);
            }
        }
    }
}
