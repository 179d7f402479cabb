//! `FilterLogEvents`.

use std::time::{Duration, Instant};

use aws_wire::Error;
use aws_wire::logs::{FilterLogEventsRequest, FilterLogEventsResponse, FilteredLogEvent};
use log_query::FilterPattern;
use log_store::{Event, Order, Scan, StreamId};

use super::page::Page;
use super::state::GroupRecord;
use super::time::Span;
use super::{errors, groups, names, streams, time, token};
use crate::Ctx;

/// How long one answer may take to be made: then what there is of it is given, maybe nothing, with a token to go on.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most streams that can be named.
const MAX_STREAMS: usize = 100;
/// After how many events the time is looked at.
const BETWEEN_LOOKS: usize = 4096;

/// `FilterLogEvents`
pub fn filter(ctx: &Ctx, input: FilterLogEventsRequest) -> Result<FilterLogEventsResponse, Error> {
    if input.unmask == Some(true) {
        return Err(errors::unsupported("unmask"));
    }
    let pattern = parse_pattern(input.filter_pattern.as_deref())?;
    let group =
        groups::find_either(ctx, input.log_group_name.as_deref(), input.log_group_identifier.as_deref())?;
    let streams = choose(ctx, &group, &input.log_stream_names, input.log_stream_name_prefix.as_deref())?;
    let after = match input.next_token.as_deref() {
        Some(text) => Some(
            token::from_opaque(text).ok_or_else(|| errors::invalid("The specified nextToken is invalid."))?,
        ),
        None => None,
    };
    // Here, unlike in GetLogEvents, the end is part of the time asked for.
    let end = input.end_time.map(|end| end.saturating_add(1));
    let span = Span::new(input.start_time, end, group.retention_days, time::now());
    let scan = Scan {
        streams,
        from: span.from,
        until: span.until,
        order: Order::OldestFirst,
        after,
        literals: pattern.literals(),
    };
    let (events, next) = search(ctx, &group, &scan, &pattern, input.limit)?;
    Ok(FilterLogEventsResponse {
        events,
        // AWS has left this empty since 2019.
        searched_log_streams: Vec::new(),
        next_token: next,
    })
}

/// A filter pattern of a request.
///
/// # Errors
/// `InvalidParameterException`
pub fn parse_pattern(pattern: Option<&str>) -> Result<FilterPattern, Error> {
    FilterPattern::parse(pattern.unwrap_or_default())
        .map_err(|error| errors::invalid(format!("Invalid filter pattern: {error}")))
}

/// The matching events that one answer holds, and the token to go on with if there may be more.
fn search(
    ctx: &Ctx,
    group: &GroupRecord,
    scan: &Scan,
    pattern: &FilterPattern,
    limit: Option<i32>,
) -> Result<(Vec<FilteredLogEvent>, Option<String>), Error> {
    let begun = Instant::now();
    let mut names = streams::Names::new(&ctx.cloud.store, group);
    let mut page = Page::new(limit);
    let mut found = Vec::new();
    let mut last = scan.after;
    for (count, event) in ctx.cloud.logs.events.scan(group.number, scan).map_err(errors::events)?.enumerate()
    {
        let event = event.map_err(errors::events)?;
        let out_of_time = count % BETWEEN_LOOKS == BETWEEN_LOOKS - 1 && begun.elapsed() > PATIENCE;
        if page.is_full() || out_of_time {
            return Ok((found, last.map(token::opaque)));
        }
        let position = event.position;
        if pattern.matches(&event.message)
            && let Some(stream) = names.get(&ctx.cloud.store, event.stream)
        {
            if !page.has_room(&event) {
                return Ok((found, last.map(token::opaque)));
            }
            found.push(wire(event, &stream));
        }
        last = Some(position);
    }
    Ok((found, None))
}

fn wire(event: Event, stream: &str) -> FilteredLogEvent {
    FilteredLogEvent {
        log_stream_name: Some(stream.to_owned()),
        timestamp: Some(event.timestamp),
        event_id: Some(event.position.to_string()),
        ingestion_time: Some(event.ingestion_time),
        message: Some(event.message),
    }
}

/// The streams that a request names, or that begin with its prefix; none when it takes all of the group.
fn choose(
    ctx: &Ctx,
    group: &GroupRecord,
    named: &[String],
    prefix: Option<&str>,
) -> Result<Option<Vec<StreamId>>, Error> {
    if named.len() > MAX_STREAMS {
        let constraint = format!("have length less than or equal to {MAX_STREAMS}");
        return Err(errors::constraint("[...]", "logStreamNames", &constraint));
    }
    match (named, prefix) {
        ([], None) => Ok(None),
        ([], Some(prefix)) => {
            names::check_stream(prefix, "logStreamNamePrefix")?;
            let all = streams::of_group(ctx, &group.id);
            let wanted = all.iter().filter(|stream| stream.name.starts_with(prefix));
            Ok(Some(wanted.map(|stream| stream.number).collect()))
        }
        (named, None) => {
            let number = |name: &String| Ok(streams::find(ctx, &group.id, name)?.number);
            named.iter().map(number).collect::<Result<_, Error>>().map(Some)
        }
        (_, Some(_)) => {
            Err(errors::invalid("logStreamNames and logStreamNamePrefix are mutually exclusive parameters."))
        }
    }
}
