//! Loads a running local cloud with log events and measures it: what `PutLogEvents` takes a second, what a filter over
//! one hour of ten million events takes, and how late a live tail is. Prints a JSON line for each figure.
//!
//! ```text
//! drydock cloud start --state DIR --listen 127.0.0.1:4703
//! cargo run --release --package cloud --example log_load -- http://127.0.0.1:4703 [EVENTS]
//! ```
//!
//! The cloud should be a fresh one on a disk, not in memory: an append waits for the disk.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program that measures; what fails ends it")]

mod client;
mod events;
mod figures;

use std::time::Duration;

use client::Client;

/// As many events as the figures are stated for.
const EVENTS: usize = 10_000_000;
/// Streams, and clients that put at the same time.
const STREAMS: usize = 4;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let endpoint = arguments.next().expect("usage: log_load http://HOST:PORT [EVENTS]");
    let events = arguments.next().map_or(EVENTS, |count| count.parse().expect("a number of events"));
    let client = Client::new(&endpoint);
    let group = format!("/load/{}", std::process::id());
    client.call("CreateLogGroup", &serde_json::json!({ "logGroupName": group })).await;
    for stream in 0..STREAMS {
        let input = serde_json::json!({ "logGroupName": group, "logStreamName": events::stream(stream) });
        client.call("CreateLogStream", &input).await;
    }
    figures::put(&client, &group, events).await;
    // What was put last may still be on its way from memory to its place.
    tokio::time::sleep(Duration::from_secs(2)).await;
    figures::filter(&client, &group, events).await;
    figures::live_tail(&client, &group).await;
    client.call("DeleteLogGroup", &serde_json::json!({ "logGroupName": group })).await;
}
