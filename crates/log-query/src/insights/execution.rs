//! A query at work: rows go through its stages, some of which hold them back until all have come.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use super::error::RunError;
use super::expression::Frame;
use super::groups::{Groups, write_key};
use super::plan::{MAX_RESULTS, Plan, Stage};
use super::results::{ResultRow, Results, Statistics};
use super::row::{Ptr, Record, Row};
use super::sorting::Sorting;
use super::value::Value;

/// How many different rows `dedup` remembers.
const MAX_DISTINCT: usize = 250_000;

/// What a run needs to know besides the query.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settings {
    /// When the query was started, for `now()`: milliseconds since 1970.
    pub now: i64,
    /// How many rows to return where the query has no `limit` of its own; 10,000 when this is not given either, and
    /// at most.
    pub limit: Option<usize>,
}

/// A query that is being carried out. It holds its results so far and what it must remember, not the rows pushed.
///
/// Rows are to be pushed newest first: that is the order in which a query without `sort` returns them.
#[derive(Clone)]
pub struct Execution<'q> {
    plan: &'q Plan,
    settings: Settings,
    /// One for each stage.
    states: Vec<State>,
    rows: Vec<ResultRow>,
    statistics: Statistics,
}

/// What a stage remembers.
#[derive(Clone)]
enum State {
    Nothing,
    Passed(usize),
    Seen(HashSet<Vec<u8>>),
    Sorting(Sorting),
    Groups(Groups),
}

impl State {
    fn of(stage: &Stage) -> State {
        match stage {
            Stage::Limit(_) => State::Passed(0),
            Stage::Dedup(_) => State::Seen(HashSet::new()),
            Stage::Sort(_) => State::Sorting(Sorting::default()),
            Stage::Stats(_) => State::Groups(Groups::default()),
            Stage::Filter(_) | Stage::Compute(_) | Stage::Discover { .. } | Stage::Extract(_) => {
                State::Nothing
            }
        }
    }
}

impl<'q> Execution<'q> {
    pub(super) fn new(plan: &'q Plan, settings: Settings) -> Execution<'q> {
        let states = plan.stages.iter().map(State::of).collect();
        Execution { plan, settings, states, rows: Vec::new(), statistics: Statistics::default() }
    }

    /// Takes one row.
    ///
    /// # Errors
    /// See [`RunError`].
    pub fn push(&mut self, row: &Row<'_>) -> Result<(), RunError> {
        self.statistics.records_scanned += 1;
        self.statistics.bytes_scanned += row.message.len() as u64;
        let mut record = Record { values: row.values(&self.plan.sources), ptr: Ptr::Unmade(row.ptr) };
        let simple = self.plan.simple;
        for stage in &self.plan.stages[..simple] {
            if !self.pass(stage, &mut record) {
                return Ok(());
            }
        }
        self.statistics.records_matched += 1;
        self.run(simple, record)
    }

    /// What has been looked at so far.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.statistics
    }

    /// The results of the rows so far: what `GetQueryResults` shows of a running query. What is held is copied for it.
    ///
    /// # Errors
    /// See [`RunError`].
    pub fn results(&self) -> Result<Results, RunError> {
        self.clone().finish()
    }

    /// The results, after the last row.
    ///
    /// # Errors
    /// See [`RunError`].
    pub fn finish(mut self) -> Result<Results, RunError> {
        let plan = self.plan;
        for (at, stage) in plan.stages.iter().enumerate() {
            match (stage, std::mem::replace(&mut self.states[at], State::of(stage))) {
                (Stage::Sort(sort), State::Sorting(sorting)) => {
                    for record in sorting.records(sort) {
                        self.run(at + 1, record)?;
                    }
                }
                (Stage::Stats(stats), State::Groups(groups)) => {
                    for record in groups.records(stats, self.settings.now) {
                        self.run(at + 1, record)?;
                    }
                }
                (_, state) => self.states[at] = state,
            }
        }
        Ok(Results { rows: self.rows, statistics: self.statistics })
    }

    /// Has a record go through the stages from `first` on, as far as it comes.
    fn run(&mut self, first: usize, mut record: Record<'_>) -> Result<(), RunError> {
        let plan = self.plan;
        let now = self.settings.now;
        for (stage, at) in plan.stages[first..].iter().zip(first..) {
            match (stage, &mut self.states[at]) {
                (Stage::Limit(limit), State::Passed(passed)) => {
                    if *passed == *limit {
                        return Ok(());
                    }
                    *passed += 1;
                }
                (Stage::Dedup(keys), State::Seen(seen)) => {
                    let frame = Frame { values: &record.values, now };
                    // What has no value is like nothing else.
                    if keys.iter().all(|key| key.value(frame).is_present()) {
                        let mut key = Vec::new();
                        write_key(keys, frame, &mut key);
                        if seen.len() == MAX_DISTINCT && !seen.contains(&key) {
                            return Err(RunError::TooManyRows { command: "dedup", limit: MAX_DISTINCT });
                        }
                        if !seen.insert(key) {
                            return Ok(());
                        }
                    }
                }
                (Stage::Sort(sort), State::Sorting(sorting)) => return sorting.add(sort, record, now),
                (Stage::Stats(stats), State::Groups(groups)) => {
                    return groups.add(stats, Frame { values: &record.values, now });
                }
                (simple, _) => {
                    if !self.pass(simple, &mut record) {
                        return Ok(());
                    }
                }
            }
        }
        self.show(record);
        Ok(())
    }

    /// Has a record go through a stage that knows no other records; says whether it goes on.
    fn pass(&self, stage: &Stage, record: &mut Record<'_>) -> bool {
        let now = self.settings.now;
        match stage {
            Stage::Filter(condition) => condition.value(Frame { values: &record.values, now }).truth(),
            Stage::Compute(values) => {
                for (slot, expression) in values {
                    let value = expression.value(Frame { values: &record.values, now }).into_owned();
                    set(&mut record.values, *slot, value);
                }
                true
            }
            Stage::Discover { message, discovery } => {
                match record.values.get(*message).cloned() {
                    Some(Value::Text(Cow::Borrowed(message))) => {
                        discovery.run(message, &mut |slot, value| set(&mut record.values, slot, value));
                    }
                    // A record that was kept.
                    Some(Value::Text(Cow::Owned(message))) => {
                        discovery.run(&message, &mut |slot, value| {
                            set(&mut record.values, slot, value.into_owned())
                        });
                    }
                    _ => {}
                }
                true
            }
            Stage::Extract(extraction) => {
                for (slot, value) in extraction.run(&record.values) {
                    set(&mut record.values, slot, value);
                }
                true
            }
            Stage::Sort(_) | Stage::Limit(_) | Stage::Dedup(_) | Stage::Stats(_) => true,
        }
    }

    /// Takes a record into the results, if there is room.
    fn show(&mut self, record: Record<'_>) {
        let room = match (self.plan.limited, self.settings.limit) {
            (false, Some(limit)) => limit.min(MAX_RESULTS),
            _ => MAX_RESULTS,
        };
        if self.rows.len() >= room {
            return;
        }
        let value = |(name, slot): &(String, usize)| {
            Some((name.clone(), record.values.get(*slot)?.text()?.into_owned()))
        };
        let mut fields: Vec<_> = self.plan.shown.iter().filter_map(value).collect();
        if let (true, Ptr::Made(ptr)) = (self.plan.events, record.ptr.into_made()) {
            fields.retain(|(name, _)| name != "@ptr");
            fields.push(("@ptr".to_owned(), ptr));
        }
        self.rows.push(ResultRow { fields });
    }
}

impl fmt::Debug for Execution<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Execution").field("statistics", &self.statistics).finish_non_exhaustive()
    }
}

fn set<'r>(values: &mut Vec<Value<'r>>, slot: usize, value: Value<'r>) {
    if values.len() <= slot {
        values.resize(slot + 1, Value::Null);
    }
    values[slot] = value;
}
