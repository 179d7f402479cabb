//! Log streams.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use aws_wire::Error;
use aws_wire::logs::*;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use log_store::{Position, StreamFacts, StreamId};

use super::groups::{DESCRIBED, find_either, home, next_number};
use super::state::{GroupRecord, Removal, StreamRecord};
use super::{errors, names, time};
use crate::{Ctx, Store};

/// The stream of a name.
///
/// # Errors
/// `ResourceNotFoundException`
pub fn find(ctx: &Ctx, group: &str, name: &str) -> Result<Arc<StreamRecord>, Error> {
    ctx.cloud.store.get(&ctx.region, &StreamRecord::key(group, name)).ok_or_else(errors::no_stream)
}

/// All streams of a group.
pub fn of_group(ctx: &Ctx, group: &str) -> Vec<Arc<StreamRecord>> {
    let mut streams = ctx.cloud.store.list::<StreamRecord>(&ctx.region);
    streams.retain(|stream| stream.group == group);
    streams
}

/// The names of a group's streams by their numbers, looked up once.
pub struct Names {
    region: String,
    group: String,
    /// None: of a stream that is gone, whose events are about to go.
    known: HashMap<StreamId, Option<Arc<str>>>,
}

impl Names {
    /// The names of the streams that a group has now.
    pub fn new(store: &Store, group: &GroupRecord) -> Self {
        let mut names = Self { region: group.region.clone(), group: group.id.clone(), known: HashMap::new() };
        names.look(store);
        names
    }

    /// A stream's name; none when there is no such stream any more. One that was made since is looked up.
    pub fn get(&mut self, store: &Store, stream: StreamId) -> Option<Arc<str>> {
        if !self.known.contains_key(&stream) {
            self.look(store);
        }
        self.known.entry(stream).or_default().clone()
    }

    fn look(&mut self, store: &Store) {
        let all = store.list::<StreamRecord>(&self.region);
        let own = all.iter().filter(|record| record.group == self.group);
        self.known.extend(own.map(|record| (record.number, Some(Arc::from(record.name.as_str())))));
    }
}

/// `CreateLogStream`
pub fn create(ctx: &Ctx, input: CreateLogStreamRequest) -> Result<(), Error> {
    let (group, name) = checked(input.log_group_name, input.log_stream_name)?;
    ctx.cloud.store.write(|tx| {
        if tx.get::<GroupRecord>(&ctx.region, &group).is_none() {
            return Err(errors::no_group());
        }
        let id = StreamRecord::key(&group, &name);
        if tx.get::<StreamRecord>(&ctx.region, &id).is_some() {
            return Err(errors::stream_exists());
        }
        let number = StreamId(next_number(tx)?);
        tx.put(StreamRecord {
            region: ctx.region.to_string(),
            id,
            group,
            name,
            number,
            created: time::now(),
        })?;
        Ok(())
    })
}

/// `DeleteLogStream`
pub fn delete(ctx: &Ctx, input: DeleteLogStreamRequest) -> Result<(), Error> {
    let (group, name) = checked(input.log_group_name, input.log_stream_name)?;
    let _none_are_put = ctx.cloud.logs.living.write();
    ctx.cloud.store.write(|tx| {
        let group = tx.get::<GroupRecord>(&ctx.region, &group).ok_or_else(errors::no_group)?;
        let id = StreamRecord::key(&group.id, &name);
        let stream = tx.remove::<StreamRecord>(&ctx.region, &id).ok_or_else(errors::no_stream)?;
        tx.put(Removal::of(group.number, Some(stream.number)))?;
        Ok(())
    })
}

fn checked(group: Option<String>, stream: Option<String>) -> Result<(String, String), Error> {
    let (group, stream) = (group.unwrap_or_default(), stream.unwrap_or_default());
    names::check_group(&group, "logGroupName")?;
    names::check_stream(&stream, "logStreamName")?;
    Ok((group, stream))
}

/// `DescribeLogStreams`
pub fn describe(ctx: &Ctx, input: DescribeLogStreamsRequest) -> Result<DescribeLogStreamsResponse, Error> {
    let group = find_either(ctx, input.log_group_name.as_deref(), input.log_group_identifier.as_deref())?;
    let by_time = input.order_by.as_deref() == Some("LastEventTime");
    if let Some(prefix) = &input.log_stream_name_prefix {
        names::check_stream(prefix, "logStreamNamePrefix")?;
        if by_time {
            return Err(errors::invalid("Cannot order by LastEventTime with a logStreamNamePrefix."));
        }
    }
    let prefix = input.log_stream_name_prefix.as_deref().unwrap_or_default();
    let mut rows = Vec::new();
    for stream in of_group(ctx, &group.id) {
        if stream.name.starts_with(prefix) {
            let facts = ctx.cloud.logs.events.stream_facts(group.number, stream.number);
            rows.push(Row { facts: facts.map_err(errors::events)?, stream, by_time });
        }
    }
    rows.sort_by(|a, b| turned(a.key().cmp(&b.key()), input.descending));
    let behind = match input.next_token.as_deref() {
        Some(token) => {
            Some(Key::parse(token).ok_or_else(|| errors::invalid("The specified nextToken is invalid."))?)
        }
        None => None,
    };
    let start = behind.map_or(0, |last| {
        rows.partition_point(|row| turned(row.key().cmp(&last.as_key()), input.descending).is_le())
    });
    let limit = input.limit.or(DESCRIBED.default).and_then(|limit| usize::try_from(limit).ok()).unwrap_or(50);
    let page = &rows[start..rows.len().min(start + limit)];
    let more = start + page.len() < rows.len();
    Ok(DescribeLogStreamsResponse {
        log_streams: page.iter().map(|row| row.wire(ctx)).collect(),
        next_token: page.last().filter(|_| more).map(Row::token),
    })
}

fn turned(order: Ordering, descending: Option<bool>) -> Ordering {
    if descending == Some(true) { order.reverse() } else { order }
}

/// A stream that is described.
struct Row {
    stream: Arc<StreamRecord>,
    facts: Option<StreamFacts>,
    by_time: bool,
}

impl Row {
    /// By what rows are ordered: the last event's time where that is asked for, and the name.
    fn key(&self) -> (i64, &str) {
        let last = self.facts.filter(|_| self.by_time).map_or(0, |facts| facts.last_timestamp);
        (last, &self.stream.name)
    }

    fn token(&self) -> String {
        let (last, name) = self.key();
        URL_SAFE_NO_PAD.encode(format!("1:{last}:{name}"))
    }

    fn wire(&self, ctx: &Ctx) -> LogStream {
        LogStream {
            log_stream_name: Some(self.stream.name.clone()),
            creation_time: Some(self.stream.created),
            first_event_timestamp: self.facts.map(|facts| facts.first_timestamp),
            last_event_timestamp: self.facts.map(|facts| facts.last_timestamp),
            last_ingestion_time: self.facts.map(|facts| facts.last_ingestion_time),
            upload_sequence_token: self.facts.map(|facts| {
                Position { timestamp: facts.last_ingestion_time, sequence: facts.events }.to_string()
            }),
            arn: Some(home(ctx).stream_arn(&self.stream.group, &self.stream.name)),
            // AWS has given zero here since 2019; the group's size is the one that counts.
            stored_bytes: Some(0),
        }
    }
}

/// A [`Row::key`] out of a token.
struct Key {
    last: i64,
    name: String,
}

impl Key {
    fn parse(token: &str) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        let (last, name) = text.strip_prefix("1:")?.split_once(':')?;
        Some(Self { last: last.parse().ok()?, name: name.to_owned() })
    }

    fn as_key(&self) -> (i64, &str) {
        (self.last, &self.name)
    }
}
