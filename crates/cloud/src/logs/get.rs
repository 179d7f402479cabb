//! `GetLogEvents`.

use aws_wire::Error;
use aws_wire::logs::{GetLogEventsRequest, GetLogEventsResponse, OutputLogEvent};
use log_store::{Event, Order, Position, Scan};

use super::page::Page;
use super::time::Span;
use super::token::{Direction, Mark};
use super::{errors, groups, names, streams, time};
use crate::Ctx;

/// `GetLogEvents`. The events are in the order of their times, whichever way is gone.
pub fn get(ctx: &Ctx, input: GetLogEventsRequest) -> Result<GetLogEventsResponse, Error> {
    if input.unmask == Some(true) {
        return Err(errors::unsupported("unmask"));
    }
    let name = input.log_stream_name.unwrap_or_default();
    names::check_stream(&name, "logStreamName")?;
    let group =
        groups::find_either(ctx, input.log_group_name.as_deref(), input.log_group_identifier.as_deref())?;
    let stream = streams::find(ctx, &group.id, &name)?;
    let mark = match input.next_token.as_deref() {
        Some(token) => {
            Some(Mark::parse(token).ok_or_else(|| errors::invalid("The specified nextToken is invalid."))?)
        }
        None => None,
    };
    let from_head = input.start_from_head == Some(true);
    let direction = match mark {
        Some(mark) => mark.direction,
        None if from_head => Direction::Forward,
        None => Direction::Backward,
    };
    let span = Span::new(input.start_time, input.end_time, group.retention_days, time::now());
    let scan = Scan {
        streams: Some(vec![stream.number]),
        from: span.from,
        until: span.until,
        order: if direction == Direction::Forward { Order::OldestFirst } else { Order::NewestFirst },
        after: mark.map(|mark| mark.behind),
        literals: Vec::new(),
    };
    let mut page = Page::new(input.limit);
    let mut events = Vec::new();
    for event in ctx.cloud.logs.events.scan(group.number, &scan).map_err(errors::events)? {
        let event = event.map_err(errors::events)?;
        if !page.has_room(&event) {
            break;
        }
        events.push(event);
        if page.is_full() {
            break;
        }
    }
    if direction == Direction::Backward {
        events.reverse();
    }
    let (backward, forward) = ends(&events, mark, span);
    Ok(GetLogEventsResponse {
        events: events.into_iter().map(output).collect(),
        next_forward_token: Some(forward.to_string()),
        next_backward_token: Some(backward.to_string()),
    })
}

/// Where to go on in both directions. Who has come to an end gets the token again that was given, and finds what
/// has come since when it is used once more.
fn ends(events: &[Event], mark: Option<Mark>, span: Span) -> (Mark, Mark) {
    let of = |direction, behind| Mark { direction, behind };
    if let (Some(first), Some(last)) = (events.first(), events.last()) {
        return (of(Direction::Backward, first.position), of(Direction::Forward, last.position));
    }
    let start = Mark::before(Direction::Forward, Position { timestamp: span.from, sequence: 0 });
    let mark = mark.unwrap_or(start);
    match mark.direction {
        Direction::Forward => (mark.turned(), mark),
        Direction::Backward => (mark, mark.turned()),
    }
}

fn output(event: Event) -> OutputLogEvent {
    OutputLogEvent {
        timestamp: Some(event.timestamp),
        message: Some(event.message),
        ingestion_time: Some(event.ingestion_time),
    }
}
