//! The service's operations as callers see them.

use aws_wire::logs::{Logs as _, *};

use super::{LogsService, time};
use crate::testing::Bench;

mod events;
mod groups;
mod live_tail;
mod queries;

/// A group with a stream, `i-1`.
fn group(bench: &Bench, name: &str) {
    let group = CreateLogGroupRequest { log_group_name: Some(name.into()), ..Default::default() };
    LogsService.create_log_group(&bench.ctx(), group).unwrap();
    stream(bench, name, "i-1");
}

fn stream(bench: &Bench, group: &str, name: &str) {
    let stream =
        CreateLogStreamRequest { log_group_name: Some(group.into()), log_stream_name: Some(name.into()) };
    LogsService.create_log_stream(&bench.ctx(), stream).unwrap();
}

/// A request to put events that are so many milliseconds from now.
fn batch(group: &str, stream: &str, events: &[(i64, &str)]) -> PutLogEventsRequest {
    let now = time::now();
    let event = |(offset, message): &(i64, &str)| InputLogEvent {
        timestamp: Some(now + offset),
        message: Some((*message).into()),
    };
    PutLogEventsRequest {
        log_group_name: Some(group.into()),
        log_stream_name: Some(stream.into()),
        log_events: events.iter().map(event).collect(),
        ..Default::default()
    }
}

fn put(bench: &Bench, group: &str, stream: &str, events: &[(i64, &str)]) -> PutLogEventsResponse {
    LogsService.put_log_events(&bench.ctx(), batch(group, stream, events)).unwrap()
}
