//! The groups of a `stats`.

use indexmap::IndexMap;

use super::aggregate::{Aggregate, State};
use super::error::RunError;
use super::expression::{Expression, Frame};
use super::plan::{Stats, Step};
use super::row::{Ptr, Record};
use super::value::Value;

/// How many groups are held.
const MAX_GROUPS: usize = 250_000;

/// The groups so far, in the order in which they came.
#[derive(Clone, Default)]
pub(super) struct Groups {
    groups: IndexMap<Box<[u8]>, Group>,
    /// The key of the row at hand, kept for its memory.
    key: Vec<u8>,
}

#[derive(Clone)]
struct Group {
    by: Vec<Value<'static>>,
    states: Vec<State>,
}

impl Groups {
    /// Takes a row into its group.
    pub(super) fn add(&mut self, stats: &Stats, frame: Frame<'_, '_>) -> Result<(), RunError> {
        self.key.clear();
        write_key(&stats.by, frame, &mut self.key);
        if !self.groups.contains_key(self.key.as_slice()) {
            if self.groups.len() == MAX_GROUPS {
                return Err(RunError::TooManyGroups { limit: MAX_GROUPS });
            }
            let by = stats.by.iter().map(|by| by.value(frame).into_owned()).collect();
            let states = stats.aggregates.iter().map(Aggregate::start).collect();
            self.groups.insert(self.key.as_slice().into(), Group { by, states });
        }
        if let Some(group) = self.groups.get_mut(self.key.as_slice()) {
            for (aggregate, state) in stats.aggregates.iter().zip(&mut group.states) {
                aggregate.add(state, frame);
            }
        }
        Ok(())
    }

    /// A record for each group.
    pub(super) fn records(self, stats: &Stats, now: i64) -> impl Iterator<Item = Record<'static>> {
        self.groups.into_values().map(move |group| {
            let mut values = Vec::with_capacity(stats.steps.len());
            for step in &stats.steps {
                let value = match step {
                    Step::Result(at) => stats.aggregates[*at].result(&group.states[*at]),
                    Step::Expression(expression) => {
                        expression.value(Frame { values: &values, now }).into_owned()
                    }
                };
                values.push(value);
            }
            let outputs = stats.outputs.iter().map(|step| values[*step].clone());
            Record { values: group.by.into_iter().chain(outputs).collect(), ptr: Ptr::None }
        })
    }
}

/// Writes the values of some expressions so that different ones are written differently.
pub(super) fn write_key(by: &[Expression], frame: Frame<'_, '_>, key: &mut Vec<u8>) {
    for expression in by {
        let value = expression.value(frame);
        if let Value::Time(time) = value {
            key.push(1);
            key.extend(time.to_le_bytes());
            continue;
        }
        match value.text() {
            None => key.push(0),
            Some(text) => {
                key.push(2);
                key.extend(text.len().to_le_bytes());
                key.extend(text.as_bytes());
            }
        }
    }
}
