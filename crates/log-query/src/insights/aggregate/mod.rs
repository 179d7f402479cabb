//! What `stats` works out of many rows.

mod distinct;
mod percentile;

use self::distinct::Distinct;
use self::percentile::Percentile;
use super::expression::{Expression, Frame};
use super::order::SortKey;
use super::value::Value;

/// A function of `stats` and what it is of.
#[derive(Debug, Clone)]
pub(super) struct Aggregate {
    pub(super) function: AggregateFunction,
    /// `None` for `count(*)`.
    pub(super) argument: Option<Expression>,
}

/// A function of `stats`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum AggregateFunction {
    Count,
    CountDistinct,
    Sum,
    Average,
    Minimum,
    Maximum,
    /// The standard deviation of the values themselves, not of a population that they are a sample of.
    Deviation,
    /// From 0 to 100.
    Percentile(f64),
    /// The value in the row with the lowest time; the times are in the place given.
    Earliest(usize),
    Latest(usize),
    SortsFirst,
    SortsLast,
}

/// Names of the functions; `pct` takes a second argument.
const NAMES: [(&str, AggregateFunction); 13] = [
    ("count", AggregateFunction::Count),
    ("count_distinct", AggregateFunction::CountDistinct),
    ("sum", AggregateFunction::Sum),
    ("avg", AggregateFunction::Average),
    ("min", AggregateFunction::Minimum),
    ("max", AggregateFunction::Maximum),
    ("stddev", AggregateFunction::Deviation),
    ("pct", AggregateFunction::Percentile(50.0)),
    ("median", AggregateFunction::Percentile(50.0)),
    // The parser puts in the place of times.
    ("earliest", AggregateFunction::Earliest(0)),
    ("latest", AggregateFunction::Latest(0)),
    ("sortsFirst", AggregateFunction::SortsFirst),
    ("sortsLast", AggregateFunction::SortsLast),
];

impl AggregateFunction {
    /// Finds a function by its name, in any mixture of cases.
    pub(super) fn named(name: &str) -> Option<AggregateFunction> {
        NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, function)| *function)
    }

    /// The names of all functions, for complaints.
    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(name, _)| *name)
    }
}

impl Aggregate {
    /// The places that it looks at.
    pub(super) fn slots(&self, slots: &mut Vec<usize>) {
        if let Some(argument) = &self.argument {
            argument.slots(slots);
        }
        if let AggregateFunction::Earliest(times) | AggregateFunction::Latest(times) = self.function {
            slots.push(times);
        }
    }

    /// What it knows before the first row.
    pub(super) fn start(&self) -> State {
        match self.function {
            AggregateFunction::Count => State::Count(0),
            AggregateFunction::CountDistinct => State::Distinct(Box::default()),
            AggregateFunction::Sum => State::Sum(0.0),
            AggregateFunction::Average | AggregateFunction::Deviation => State::Moments(Moments::default()),
            AggregateFunction::Minimum | AggregateFunction::Maximum => State::Extreme(None),
            AggregateFunction::Percentile(_) => State::Percentile(Percentile::default()),
            AggregateFunction::Earliest(_) | AggregateFunction::Latest(_) => State::Edge(None),
            AggregateFunction::SortsFirst | AggregateFunction::SortsLast => State::Edge(None),
        }
    }

    /// Takes a row into account.
    pub(super) fn add(&self, state: &mut State, frame: Frame<'_, '_>) {
        let Some(argument) = &self.argument else {
            if let State::Count(count) = state {
                *count += 1;
            }
            return;
        };
        let value = argument.value(frame);
        if !value.is_present() {
            return;
        }
        match state {
            State::Count(count) => *count += 1,
            State::Distinct(distinct) => distinct.add(&value),
            State::Sum(sum) => *sum += value.number().unwrap_or_default(),
            State::Moments(moments) => value.number().into_iter().for_each(|number| moments.add(number)),
            State::Percentile(percentile) => {
                value.number().into_iter().for_each(|number| percentile.add(number))
            }
            State::Extreme(extreme) => self.extreme(extreme, &value),
            State::Edge(edge) => {
                let key = match self.function {
                    AggregateFunction::Earliest(times) | AggregateFunction::Latest(times) => {
                        frame.values.get(times).map_or(SortKey::Nothing, SortKey::of)
                    }
                    _ => SortKey::of(&value),
                };
                self.edge(edge, key, value);
            }
        }
    }

    /// The smallest or largest value: numbers among themselves; a text counts as long as there is no number.
    fn extreme(&self, extreme: &mut Option<Value<'static>>, value: &Value<'_>) {
        let wanted = if self.function == AggregateFunction::Maximum {
            std::cmp::Ordering::Greater
        } else {
            std::cmp::Ordering::Less
        };
        let replaces = match extreme {
            None => true,
            Some(known) => match (value.number(), known.number()) {
                (Some(_), None) => true,
                (None, Some(_)) => false,
                _ => value.compare(known) == Some(wanted),
            },
        };
        if replaces {
            *extreme = Some(value.as_ref().into_owned());
        }
    }

    /// The value with the first or the last key; of equal ones, that of the row that came first.
    fn edge(&self, edge: &mut Option<(SortKey, Value<'static>)>, key: SortKey, value: Value<'_>) {
        let last = matches!(self.function, AggregateFunction::Latest(_) | AggregateFunction::SortsLast);
        let wanted = if last { std::cmp::Ordering::Greater } else { std::cmp::Ordering::Less };
        if edge.as_ref().is_none_or(|(known, _)| key.compare(known) == wanted) {
            *edge = Some((key, value.into_owned()));
        }
    }

    /// What the rows so far come to.
    pub(super) fn result(&self, state: &State) -> Value<'static> {
        let known = |number: Option<f64>| number.map_or(Value::Null, Value::Number);
        match (state, self.function) {
            (State::Count(count), _) => number(*count),
            (State::Distinct(distinct), _) => number(distinct.count()),
            (State::Sum(sum), _) => Value::Number(*sum),
            (State::Moments(moments), AggregateFunction::Deviation) => known(moments.deviation()),
            (State::Moments(moments), _) => known(moments.mean()),
            (State::Percentile(percentile), AggregateFunction::Percentile(percent)) => {
                known(percentile.at(percent))
            }
            (State::Percentile(_), _) => Value::Null,
            (State::Extreme(extreme), _) => extreme.clone().unwrap_or(Value::Null),
            (State::Edge(edge), _) => edge.as_ref().map_or(Value::Null, |(_, value)| value.clone()),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "nobody counts 2^53 rows")]
fn number(count: u64) -> Value<'static> {
    Value::Number(count as f64)
}

/// What an aggregate knows of the rows so far.
#[derive(Clone)]
pub(super) enum State {
    Count(u64),
    Distinct(Box<Distinct>),
    Sum(f64),
    Moments(Moments),
    Percentile(Percentile),
    Extreme(Option<Value<'static>>),
    Edge(Option<(SortKey, Value<'static>)>),
}

/// Mean and spread in one pass, by Welford's method, which does not lose small spreads of large values.
#[derive(Debug, Clone, Default)]
pub(super) struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    fn add(&mut self, number: f64) {
        self.count += 1.0;
        let delta = number - self.mean;
        self.mean += delta / self.count;
        self.squares += delta * (number - self.mean);
    }

    fn mean(&self) -> Option<f64> {
        (self.count > 0.0).then_some(self.mean)
    }

    fn deviation(&self) -> Option<f64> {
        (self.count > 0.0).then(|| (self.squares / self.count).sqrt())
    }
}
