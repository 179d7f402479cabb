//! The store against a list: random operations, then the same questions to both.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;
use std::path::Path;

use log_store::{
    EVENT_OVERHEAD, Event, GroupId, LogStore, NewEvent, Options, Order, Position, Scan, StreamFacts, StreamId,
};
use proptest::prelude::*;

const DAY: i64 = 86_400_000;

#[derive(Clone, Debug)]
enum Step {
    Append { group: u64, stream: u64, events: Vec<(i64, String)> },
    DeleteGroup(u64),
    DeleteStream(u64, u64),
    Expire(u64, i64),
    Seal,
    Compact,
    Reopen,
    Ask(Question),
}

#[derive(Clone, Debug)]
struct Question {
    group: u64,
    streams: Option<Vec<u64>>,
    from: i64,
    until: i64,
    newest_first: bool,
    after: Option<usize>,
    literals: Vec<String>,
}

#[derive(Default)]
struct Model {
    events: Vec<Event>,
    next: u64,
}

impl Model {
    fn answer(&self, group: GroupId, scan: &Scan) -> Vec<Event> {
        let past = |event: &&Event| {
            scan.after.is_none_or(|after| match scan.order {
                Order::OldestFirst => event.position > after,
                Order::NewestFirst => event.position < after,
            })
        };
        let mut found: Vec<Event> = self
            .events
            .iter()
            .filter(|event| event.group == group)
            .filter(|event| event.timestamp >= scan.from && event.timestamp < scan.until)
            .filter(|event| scan.streams.as_ref().is_none_or(|streams| streams.contains(&event.stream)))
            .filter(|event| scan.literals.iter().all(|literal| event.message.contains(literal)))
            .filter(past)
            .cloned()
            .collect();
        found.sort_by_key(|event| event.position);
        if scan.order == Order::NewestFirst {
            found.reverse();
        }
        found
    }

    fn facts(&self, group: GroupId) -> BTreeMap<StreamId, StreamFacts> {
        let mut facts: BTreeMap<StreamId, StreamFacts> = BTreeMap::new();
        for event in self.events.iter().filter(|event| event.group == group) {
            let bytes = event.message.len() as u64 + EVENT_OVERHEAD;
            let known = facts.entry(event.stream).or_insert(StreamFacts {
                first_timestamp: event.timestamp,
                last_timestamp: event.timestamp,
                last_ingestion_time: event.ingestion_time,
                events: 0,
                stored_bytes: 0,
            });
            known.first_timestamp = known.first_timestamp.min(event.timestamp);
            known.last_timestamp = known.last_timestamp.max(event.timestamp);
            known.last_ingestion_time = known.last_ingestion_time.max(event.ingestion_time);
            known.events += 1;
            known.stored_bytes += bytes;
        }
        facts
    }
}

fn open(dir: &Path) -> LogStore {
    // Little memory: sealing happens by itself as well.
    LogStore::open(dir, Options { memory: 20_000, ..Options::default() }).unwrap()
}

struct Trial {
    dir: tempfile::TempDir,
    store: Option<LogStore>,
    model: Model,
}

impl Trial {
    fn new() -> Trial {
        let dir = common::directory();
        let store = Some(open(dir.path()));
        Trial { dir, store, model: Model::default() }
    }

    fn store(&self) -> &LogStore {
        self.store.as_ref().unwrap()
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Append { group, stream, events } => self.append(GroupId(group), StreamId(stream), &events),
            Step::DeleteGroup(group) => {
                self.store().delete_group(GroupId(group)).unwrap();
                self.model.events.retain(|event| event.group.0 != group);
            }
            Step::DeleteStream(group, stream) => {
                self.store().delete_stream(GroupId(group), StreamId(stream)).unwrap();
                self.model.events.retain(|event| (event.group.0, event.stream.0) != (group, stream));
            }
            Step::Expire(group, before) => {
                self.store().expire(GroupId(group), before).unwrap();
                self.model.events.retain(|event| event.group.0 != group || event.timestamp >= before);
            }
            Step::Seal => self.store().seal().unwrap(),
            Step::Compact => self.store().compact().unwrap(),
            Step::Reopen => {
                self.store = None;
                self.store = Some(open(self.dir.path()));
            }
            Step::Ask(question) => self.ask(&question),
        }
    }

    fn append(&mut self, group: GroupId, stream: StreamId, events: &[(i64, String)]) {
        let new: Vec<NewEvent<'_>> =
            events.iter().map(|(timestamp, message)| NewEvent { timestamp: *timestamp, message }).collect();
        let ingestion_time = 50 * DAY + self.model.next as i64;
        let appended = self.store().append(group, stream, ingestion_time, &new).unwrap();
        assert!(appended.first_sequence >= self.model.next, "a number was given twice");
        assert_eq!(appended.events, events.len());
        for (sequence, event) in (appended.first_sequence..).zip(new) {
            self.model.next = sequence + 1;
            self.model.events.push(Event {
                position: Position { timestamp: event.timestamp, sequence },
                group,
                stream,
                timestamp: event.timestamp,
                ingestion_time,
                message: event.message.to_owned(),
            });
        }
    }

    fn ask(&self, question: &Question) {
        let group = GroupId(question.group);
        let after = question.after.and_then(|index| {
            let events = &self.model.events;
            (!events.is_empty()).then(|| events[index % events.len()].position)
        });
        let scan = Scan {
            streams: question
                .streams
                .as_ref()
                .map(|streams| streams.iter().map(|id| StreamId(*id)).collect()),
            from: question.from,
            until: question.until,
            order: if question.newest_first { Order::NewestFirst } else { Order::OldestFirst },
            after,
            literals: question.literals.clone(),
        };
        let found: Vec<Event> = self.store().scan(group, &scan).unwrap().map(Result::unwrap).collect();
        assert_eq!(found, self.model.answer(group, &scan), "{scan:?}");
    }

    fn check_all(&self) {
        for group in (0..4).map(GroupId) {
            let everything = Scan::default();
            let found: Vec<Event> =
                self.store().scan(group, &everything).unwrap().map(Result::unwrap).collect();
            assert_eq!(found, self.model.answer(group, &everything));
            let facts: BTreeMap<_, _> = self.store().streams(group).unwrap().into_iter().collect();
            assert_eq!(facts, self.model.facts(group));
            let bytes: u64 = facts.values().map(|facts| facts.stored_bytes).sum();
            assert_eq!(self.store().group_bytes(group).unwrap(), bytes);
            if let Some(event) = found.get(found.len() / 2) {
                assert_eq!(self.store().event(group, event.position).unwrap().as_ref(), Some(event));
            }
        }
        assert_eq!(self.store().damage(), []);
    }
}

fn group() -> impl Strategy<Value = u64> {
    0..3_u64
}

fn timestamp() -> impl Strategy<Value = i64> {
    prop_oneof![
        6 => (10 * DAY)..(10 * DAY + 2000),
        2 => (8 * DAY)..(12 * DAY),
        1 => 0..60 * DAY,
    ]
}

fn message() -> impl Strategy<Value = String> {
    prop_oneof![
        5 => "(GET|PUT) /(cart|item|user)/[0-9]{1,3} [a-f0-9]{8} (ok|error)",
        1 => "[a-zé ]{0,30}",
        1 => Just(String::new()),
        1 => ("[xy]{3}", 1..400_usize).prop_map(|(text, times)| text.repeat(times)),
    ]
}

fn append() -> impl Strategy<Value = Step> {
    (group(), 0..4_u64, prop::collection::vec((timestamp(), message()), 0..60))
        .prop_map(|(group, stream, events)| Step::Append { group, stream, events })
}

fn question() -> impl Strategy<Value = Question> {
    let literal =
        prop_oneof![Just("error"), Just("GET /cart"), Just("item/1"), Just("a"), Just("é"), Just("xyxxyx")];
    (
        group(),
        prop::option::of(prop::collection::vec(0..5_u64, 0..3)),
        prop_oneof![Just(i64::MIN), timestamp()],
        prop_oneof![Just(i64::MAX), timestamp()],
        any::<bool>(),
        prop::option::of(any::<usize>()),
        prop::collection::vec(literal.prop_map(str::to_owned), 0..3),
    )
        .prop_map(|(group, streams, from, until, newest_first, after, literals)| Question {
            group,
            streams,
            from,
            until,
            newest_first,
            after,
            literals,
        })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => append(),
        1 => group().prop_map(Step::DeleteGroup),
        2 => (group(), 0..4_u64).prop_map(|(group, stream)| Step::DeleteStream(group, stream)),
        2 => (group(), timestamp()).prop_map(|(group, before)| Step::Expire(group, before)),
        4 => Just(Step::Seal),
        2 => Just(Step::Compact),
        2 => Just(Step::Reopen),
        8 => question().prop_map(Step::Ask),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn a_store_answers_as_a_list_does(steps in prop::collection::vec(step(), 1..60)) {
        let mut trial = Trial::new();
        steps.into_iter().for_each(|step| trial.take(step));
        trial.check_all();
        trial.take(Step::Reopen);
        trial.check_all();
        trial.take(Step::Seal);
        trial.take(Step::Compact);
        trial.check_all();
    }
}
