//! The rows of a `sort`.

use std::cmp::Ordering;

use super::error::RunError;
use super::expression::Frame;
use super::order::SortKey;
use super::plan::Sort;
use super::row::Record;

/// How many rows are held where all may be needed.
const MAX_ROWS: usize = 250_000;

/// The rows so far; when only the first ones are needed, never more than twice as many.
#[derive(Clone, Default)]
pub(super) struct Sorting {
    rows: Vec<(Vec<SortKey>, Record<'static>)>,
    /// Whether the rows are sorted and as many as needed, so that one after the last of them can be left out.
    full: bool,
}

impl Sorting {
    pub(super) fn add(&mut self, sort: &Sort, record: Record<'_>, now: i64) -> Result<(), RunError> {
        let frame = Frame { values: &record.values, now };
        let keys: Vec<_> = sort.keys.iter().map(|key| SortKey::of(&key.expression.value(frame))).collect();
        let Some(keep) = sort.keep else {
            if self.rows.len() == MAX_ROWS {
                return Err(RunError::TooManyRows { command: "sort", limit: MAX_ROWS });
            }
            self.rows.push((keys, record.into_owned()));
            return Ok(());
        };
        if self.full && self.rows.get(keep - 1).is_some_and(|(last, _)| compare(sort, &keys, last).is_ge()) {
            return Ok(());
        }
        self.rows.push((keys, record.into_owned()));
        if self.rows.len() >= keep * 2 {
            self.cut(sort, keep);
            self.full = true;
        }
        Ok(())
    }

    /// All rows that are needed, in order. Rows with equal keys stay as they came.
    pub(super) fn records(mut self, sort: &Sort) -> impl Iterator<Item = Record<'static>> {
        self.cut(sort, sort.keep.unwrap_or(usize::MAX));
        self.rows.into_iter().map(|(_, record)| record)
    }

    fn cut(&mut self, sort: &Sort, keep: usize) {
        self.rows.sort_by(|(left, _), (right, _)| compare(sort, left, right));
        self.rows.truncate(keep);
    }
}

fn compare(sort: &Sort, left: &[SortKey], right: &[SortKey]) -> Ordering {
    let orders =
        sort.keys.iter().zip(left.iter().zip(right)).map(|(key, (left, right))| match key.descending {
            true => left.compare(right).reverse(),
            false => left.compare(right),
        });
    orders.fold(Ordering::Equal, Ordering::then)
}
