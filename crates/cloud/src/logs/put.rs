//! `PutLogEvents`.

use aws_wire::Error;
use aws_wire::logs::{InputLogEvent, PutLogEventsRequest, PutLogEventsResponse};
use log_store::{NewEvent, Position};

use super::{batch, errors, groups, names, streams, time};
use crate::Ctx;

/// `PutLogEvents`. Sequence tokens are not asked for, but given, as AWS does since 2023. An `entity` is what AWS
/// relates logs to in its console; nothing here is, so it is taken and let go.
pub fn put(ctx: &Ctx, input: PutLogEventsRequest) -> Result<PutLogEventsResponse, Error> {
    let group = input.log_group_name.unwrap_or_default();
    let stream = input.log_stream_name.unwrap_or_default();
    names::check_group(&group, "logGroupName")?;
    names::check_stream(&stream, "logStreamName")?;
    let now = time::now();
    let logs = &ctx.cloud.logs;
    let _both_live = logs.living.read();
    let group = groups::find(ctx, &group)?;
    let stream = streams::find(ctx, &group.id, &stream)?;
    let sorted = batch::sort(&input.log_events, group.retention_days, now)?;
    let accepted: Vec<NewEvent<'_>> = input.log_events[sorted.accepted].iter().map(new_event).collect();
    let mut next = 0;
    if !accepted.is_empty() {
        let appended =
            logs.events.append(group.number, stream.number, now, &accepted).map_err(errors::events)?;
        next = appended.first_sequence + appended.events as u64;
    }
    Ok(PutLogEventsResponse {
        next_sequence_token: Some(Position { timestamp: now, sequence: next }.to_string()),
        rejected_log_events_info: sorted.rejected,
        rejected_entity_info: None,
    })
}

fn new_event(event: &InputLogEvent) -> NewEvent<'_> {
    NewEvent {
        timestamp: event.timestamp.unwrap_or_default(),
        message: event.message.as_deref().unwrap_or_default(),
    }
}
