//! A query as the stages that rows go through, one after another.

use super::aggregate::Aggregate;
use super::discover::Discovery;
use super::expression::Expression;
use super::extract::Extraction;
use super::scope::{Scope, Source};

/// How many rows a query returns at most, and without a limit of its own.
pub(super) const MAX_RESULTS: usize = 10_000;

/// One command, or what is needed before it.
#[derive(Debug, Clone)]
pub(super) enum Stage {
    Filter(Expression),
    /// Values into places.
    Compute(Vec<(usize, Expression)>),
    /// Fields out of messages that are JSON.
    Discover {
        message: usize,
        discovery: Discovery,
    },
    Extract(Extraction),
    Sort(Sort),
    Limit(usize),
    Dedup(Vec<Expression>),
    Stats(Stats),
}

/// `sort`
#[derive(Debug, Clone)]
pub(super) struct Sort {
    pub(super) keys: Vec<SortBy>,
    /// How many of the first rows are needed; `None` where all may be.
    pub(super) keep: Option<usize>,
}

/// What to sort by, and which way.
#[derive(Debug, Clone)]
pub(super) struct SortBy {
    pub(super) expression: Expression,
    pub(super) descending: bool,
}

/// `stats`: the row of a group has the values of `by` first, then those of `outputs`.
#[derive(Debug, Clone)]
pub(super) struct Stats {
    pub(super) by: Vec<Expression>,
    pub(super) aggregates: Vec<Aggregate>,
    /// What is worked out of a group in the end, step by step: an expression finds the steps before it in its places.
    pub(super) steps: Vec<Step>,
    /// The steps that are columns.
    pub(super) outputs: Vec<usize>,
}

/// A step from what aggregates know of a group to its row.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// What the aggregate of this number comes to.
    Result(usize),
    Expression(Expression),
}

/// A whole query.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) stages: Vec<Stage>,
    /// How many stages from the first pass rows on one by one.
    pub(super) simple: usize,
    /// The places of a row of events, and where their values come from.
    pub(super) sources: Vec<Source>,
    /// What results show: names and places.
    pub(super) shown: Vec<(String, usize)>,
    /// Whether the rows of the result are single events, which can be found again.
    pub(super) events: bool,
    /// Whether the query limits its rows itself.
    pub(super) limited: bool,
}

impl Plan {
    /// Puts stages together: `scope` is that of the events, `shown` what is shown in the end.
    pub(super) fn new(mut stages: Vec<Stage>, mut scope: Scope, shown: Vec<(String, usize)>) -> Plan {
        let events = !stages.iter().any(|stage| matches!(stage, Stage::Stats(_)));
        let limited = stages.iter().any(|stage| matches!(stage, Stage::Limit(_)));
        discover_before_use(&mut stages, &mut scope, shown.iter().map(|(_, slot)| *slot).filter(|_| events));
        for at in 0..stages.len() {
            let keep = kept(&stages[at + 1..]);
            if let Stage::Sort(sort) = &mut stages[at] {
                sort.keep = keep;
            }
        }
        let simple = stages.iter().take_while(|stage| stage.is_simple()).count();
        Plan { stages, simple, sources: scope.sources().to_vec(), shown, events, limited }
    }

    /// The conditions that events must meet whatever the rest of the query does.
    pub(super) fn first_filters(&self) -> impl Iterator<Item = &Expression> {
        self.stages[..self.simple].iter().filter_map(|stage| match stage {
            Stage::Filter(condition) => Some(condition),
            _ => None,
        })
    }
}

impl Stage {
    /// Whether the stage passes rows on one by one, or drops them, without knowing others.
    pub(super) fn is_simple(&self) -> bool {
        matches!(self, Stage::Filter(_) | Stage::Compute(_) | Stage::Discover { .. } | Stage::Extract(_))
    }

    /// The places that the stage looks at.
    fn slots(&self) -> Vec<usize> {
        let mut slots = Vec::new();
        match self {
            Stage::Filter(condition) => condition.slots(&mut slots),
            Stage::Compute(values) => values.iter().for_each(|(_, value)| value.slots(&mut slots)),
            Stage::Discover { message, .. } => slots.push(*message),
            Stage::Extract(extraction) => slots.push(extraction.source),
            Stage::Sort(sort) => sort.keys.iter().for_each(|key| key.expression.slots(&mut slots)),
            Stage::Limit(_) => {}
            Stage::Dedup(keys) => keys.iter().for_each(|key| key.slots(&mut slots)),
            Stage::Stats(stats) => {
                stats.by.iter().for_each(|by| by.slots(&mut slots));
                stats.aggregates.iter().for_each(|aggregate| aggregate.slots(&mut slots));
            }
        }
        slots
    }
}

/// Has messages read as JSON right before the first stage that looks at a field discovered in them, so that what is
/// filtered out before is never read.
fn discover_before_use(stages: &mut Vec<Stage>, scope: &mut Scope, shown: impl Iterator<Item = usize>) {
    let mut wanted = Vec::new();
    for (slot, source) in scope.sources().iter().enumerate() {
        if let Source::Discovered(name) = source {
            wanted.push((name.clone(), slot));
        }
    }
    let is_wanted = |slot: &usize| wanted.iter().any(|(_, wanted)| wanted == slot);
    let used = stages.iter().position(|stage| stage.slots().iter().any(is_wanted));
    let end = stages.iter().position(|stage| matches!(stage, Stage::Stats(_))).unwrap_or(stages.len());
    let shown_at_end = shown.collect::<Vec<_>>().iter().any(is_wanted).then_some(end);
    // After the first `stats` places have another meaning.
    let Some(at) = used.filter(|at| *at <= end).or(shown_at_end) else { return };
    let message = scope.message();
    stages.insert(at, Stage::Discover { message, discovery: Discovery::new(wanted) });
}

/// How many of the first rows matter to the stages that follow.
fn kept(following: &[Stage]) -> Option<usize> {
    for stage in following {
        match stage {
            Stage::Limit(limit) => return Some(*limit),
            Stage::Compute(_) | Stage::Discover { .. } | Stage::Extract(_) => {}
            Stage::Filter(_) | Stage::Sort(_) | Stage::Dedup(_) | Stage::Stats(_) => return None,
        }
    }
    Some(MAX_RESULTS)
}
