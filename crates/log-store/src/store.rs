//! The store, for now in memory.

use std::collections::BTreeMap;
use std::path::Path;

use parking_lot::Mutex;

use crate::tail::Subscribers;
use crate::{
    Appended, EVENT_OVERHEAD, Event, GroupId, MAX_TIMESTAMP, NewEvent, Options, Order, Position, Scan,
    ScanStatistics, StoreError, StreamFacts, StreamId, Subscription,
};

/// A store of log events in a directory of its own.
#[derive(Debug)]
pub struct LogStore {
    options: Options,
    state: Mutex<State>,
    subscribers: Subscribers,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    groups: BTreeMap<GroupId, Vec<Event>>,
}

/// The events of a scan. An error names what could not be read; the events outside of it still follow.
#[derive(Debug)]
pub struct Scanner {
    events: std::vec::IntoIter<Event>,
    statistics: ScanStatistics,
}

impl Scanner {
    /// What has been looked at so far.
    pub fn statistics(&self) -> ScanStatistics {
        self.statistics
    }
}

impl Iterator for Scanner {
    type Item = Result<Event, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.events.next().map(Ok)
    }
}

impl LogStore {
    /// Opens the store in `dir`, which is made when it does not exist.
    pub fn open(dir: &Path, options: Options) -> Result<LogStore, StoreError> {
        std::fs::create_dir_all(dir).map_err(StoreError::io("make the directory", dir))?;
        Ok(LogStore { options, state: Mutex::default(), subscribers: Subscribers::default() })
    }

    /// Stores events of one stream, in the order given. They are on the disk when this returns; after an error
    /// none of them is stored.
    pub fn append(
        &self,
        group: GroupId,
        stream: StreamId,
        ingestion_time: i64,
        events: &[NewEvent<'_>],
    ) -> Result<Appended, StoreError> {
        if let Some(bad) = events.iter().find(|event| !(0..=MAX_TIMESTAMP).contains(&event.timestamp)) {
            return Err(StoreError::Timestamp { timestamp: bad.timestamp });
        }
        let mut state = self.state.lock();
        let first_sequence = state.next;
        state.next += events.len() as u64;
        let new: Vec<Event> = (first_sequence..)
            .zip(events)
            .map(|(sequence, event)| Event {
                position: Position { timestamp: event.timestamp, sequence },
                group,
                stream,
                timestamp: event.timestamp,
                ingestion_time,
                message: event.message.to_owned(),
            })
            .collect();
        self.subscribers.publish(group, new.len(), || new.iter().cloned());
        state.groups.entry(group).or_default().extend(new);
        Ok(Appended { first_sequence, events: events.len() })
    }

    /// Reads events of a group as they are now; what comes during the scan is not in it.
    pub fn scan(&self, group: GroupId, scan: &Scan) -> Result<Scanner, StoreError> {
        let state = self.state.lock();
        let mut found: Vec<Event> = state
            .groups
            .get(&group)
            .into_iter()
            .flatten()
            .filter(|event| (scan.from..scan.until).contains(&event.timestamp))
            .filter(|event| scan.streams.as_ref().is_none_or(|streams| streams.contains(&event.stream)))
            .filter(|event| scan.literals.iter().all(|literal| event.message.contains(literal.as_str())))
            .filter(|event| {
                scan.after.is_none_or(|after| match scan.order {
                    Order::OldestFirst => event.position > after,
                    Order::NewestFirst => event.position < after,
                })
            })
            .cloned()
            .collect();
        found.sort_by_key(|event| event.position);
        if scan.order == Order::NewestFirst {
            found.reverse();
        }
        Ok(Scanner { events: found.into_iter(), statistics: ScanStatistics::default() })
    }

    /// The event at a position of a group, when there is one.
    pub fn event(&self, group: GroupId, position: Position) -> Result<Option<Event>, StoreError> {
        let until = position.timestamp.saturating_add(1);
        let scan = Scan { from: position.timestamp, until, ..Scan::default() };
        for event in self.scan(group, &scan)? {
            let event = event?;
            if event.position == position {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    /// What is known of a stream's events; `None` when it has none.
    pub fn stream_facts(&self, group: GroupId, stream: StreamId) -> Result<Option<StreamFacts>, StoreError> {
        let state = self.state.lock();
        let mut events =
            state.groups.get(&group).into_iter().flatten().filter(|event| event.stream == stream);
        let fact = |event: &Event| StreamFacts {
            first_timestamp: event.timestamp,
            last_timestamp: event.timestamp,
            last_ingestion_time: event.ingestion_time,
            events: 1,
            stored_bytes: event.message.len() as u64 + EVENT_OVERHEAD,
        };
        let Some(first) = events.next().map(fact) else { return Ok(None) };
        Ok(Some(events.map(fact).fold(first, |a, b| StreamFacts {
            first_timestamp: a.first_timestamp.min(b.first_timestamp),
            last_timestamp: a.last_timestamp.max(b.last_timestamp),
            last_ingestion_time: a.last_ingestion_time.max(b.last_ingestion_time),
            events: a.events + b.events,
            stored_bytes: a.stored_bytes + b.stored_bytes,
        })))
    }

    /// The `stored_bytes` of all streams of a group.
    pub fn group_bytes(&self, group: GroupId) -> Result<u64, StoreError> {
        let state = self.state.lock();
        let events = state.groups.get(&group).into_iter().flatten();
        Ok(events.map(|event| event.message.len() as u64 + EVENT_OVERHEAD).sum())
    }

    /// Removes the events that a stream has now. They are not seen again; their disk space is freed soon after.
    pub fn delete_stream(&self, group: GroupId, stream: StreamId) -> Result<(), StoreError> {
        if let Some(events) = self.state.lock().groups.get_mut(&group) {
            events.retain(|event| event.stream != stream);
        }
        Ok(())
    }

    /// Removes the events that a group has now. They are not seen again; their disk space is freed soon after.
    pub fn delete_group(&self, group: GroupId) -> Result<(), StoreError> {
        self.state.lock().groups.remove(&group);
        Ok(())
    }

    /// Removes the events of a group with a timestamp before `before` (milliseconds).
    pub fn expire(&self, group: GroupId, before: i64) -> Result<(), StoreError> {
        if let Some(events) = self.state.lock().groups.get_mut(&group) {
            events.retain(|event| event.timestamp >= before);
        }
        Ok(())
    }

    /// Follows the events that are appended to these groups from now on.
    pub fn subscribe(&self, groups: &[GroupId]) -> Subscription {
        self.subscribers.subscribe(groups, self.options.subscriber_events)
    }

    /// Ends subscriptions and takes no more events.
    pub fn close(&self) -> Result<(), StoreError> {
        self.subscribers.close();
        Ok(())
    }
}
