//! `FilterLogEvents`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_wire::Error;
use aws_wire::logs::{FilterLogEventsRequest, FilterLogEventsResponse, FilteredLogEvent};
use log_query::FilterPattern;
use log_store::{Event, Order, Scan, StreamId};

use super::page::Page;
use super::state::{GroupRecord, StreamRecord};
use super::time::Span;
use super::{errors, groups, names, streams, time, token};
use crate::Ctx;

/// How long one answer may take to be made: then what there is of it is given, maybe nothing, with a token to go on.
const PATIENCE: Duration = Duration::from_secs(5);
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
    let chosen = choose(ctx, &group, &input.log_stream_names, input.log_stream_name_prefix.as_deref())?;
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
        streams: chosen.is_choice.then(|| chosen.names.keys().copied().collect()),
        from: span.from,
        until: span.until,
        order: Order::OldestFirst,
        after,
        literals: pattern.literals(),
    };
    let (events, next) = search(ctx, &group, &scan, &pattern, input.limit)?;
    Ok(FilterLogEventsResponse {
        events: events.into_iter().map(|event| chosen.wire(event)).collect(),
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
) -> Result<(Vec<Event>, Option<String>), Error> {
    let begun = Instant::now();
    let mut page = Page::new(limit);
    let mut last = scan.after;
    for (count, event) in ctx.cloud.logs.events.scan(group.number, scan).map_err(errors::events)?.enumerate()
    {
        let event = event.map_err(errors::events)?;
        let out_of_time = count % BETWEEN_LOOKS == BETWEEN_LOOKS - 1 && begun.elapsed() > PATIENCE;
        if page.is_full() || out_of_time {
            return Ok((page.events, last.map(token::opaque)));
        }
        let position = event.position;
        if pattern.matches(&event.message) && page.add(event).is_err() {
            return Ok((page.events, last.map(token::opaque)));
        }
        last = Some(position);
    }
    Ok((page.events, None))
}

/// The streams that are searched, by their numbers.
pub struct Chosen {
    names: HashMap<StreamId, Arc<StreamRecord>>,
    /// Whether a request chose them, and did not just take all.
    is_choice: bool,
}

/// The streams that a request names, or that begin with its prefix, or all of a group.
fn choose(ctx: &Ctx, group: &GroupRecord, named: &[String], prefix: Option<&str>) -> Result<Chosen, Error> {
    let streams = match (named, prefix) {
        ([_, ..], Some(_)) => {
            return Err(errors::invalid(
                "logStreamNames and logStreamNamePrefix are mutually exclusive parameters.",
            ));
        }
        ([_, ..], None) if named.len() > 100 => {
            return Err(errors::constraint(
                "[...]",
                "logStreamNames",
                "have length less than or equal to 100",
            ));
        }
        ([_, ..], None) => {
            named.iter().map(|name| streams::find(ctx, &group.id, name)).collect::<Result<Vec<_>, _>>()?
        }
        ([], prefix) => {
            prefix.map_or(Ok(()), |prefix| names::check_stream(prefix, "logStreamNamePrefix"))?;
            let mut all = streams::of_group(ctx, &group.id);
            all.retain(|stream| prefix.is_none_or(|prefix| stream.name.starts_with(prefix)));
            all
        }
    };
    let names = streams.into_iter().map(|stream| (stream.number, stream)).collect();
    Ok(Chosen { names, is_choice: !named.is_empty() || prefix.is_some() })
}

impl Chosen {
    fn wire(&self, event: Event) -> FilteredLogEvent {
        FilteredLogEvent {
            // A stream that was made during the search has no name here yet, and is found the next time.
            log_stream_name: self.names.get(&event.stream).map(|stream| stream.name.clone()),
            timestamp: Some(event.timestamp),
            event_id: Some(event.position.to_string()),
            ingestion_time: Some(event.ingestion_time),
            message: Some(event.message),
        }
    }
}
