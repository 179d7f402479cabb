//! Which events a scan wants: decided for groups of files, blocks, events and messages alike. Pure.

use std::sync::Arc;

use memchr::memmem::Finder;

use crate::graves::GroupGraves;
use crate::segment::index::{Block, Bounds};
use crate::segment::{Row, filter, key};
use crate::{GroupId, Order, Position, Scan, StreamId};

/// A scan, made ready.
#[derive(Debug)]
pub(crate) struct Selection {
    pub(crate) group: GroupId,
    pub(crate) order: Order,
    streams: Option<Vec<StreamId>>,
    from: i64,
    until: i64,
    after: Option<Position>,
    literals: Vec<(String, Finder<'static>)>,
    graves: Arc<GroupGraves>,
}

impl Selection {
    pub(crate) fn new(group: GroupId, scan: &Scan, graves: Arc<GroupGraves>) -> Selection {
        let mut streams = scan.streams.clone();
        if let Some(streams) = &mut streams {
            streams.sort_unstable();
        }
        let (mut from, mut until) = (scan.from, scan.until);
        match (scan.after, scan.order) {
            (None, _) => {}
            (Some(after), Order::OldestFirst) => from = from.max(after.timestamp),
            (Some(after), Order::NewestFirst) => until = until.min(after.timestamp.saturating_add(1)),
        }
        let mut literals: Vec<&String> = scan.literals.iter().filter(|literal| !literal.is_empty()).collect();
        // The longest is likely the rarest: what it does not match need not be searched for the others.
        literals.sort_by_key(|literal| std::cmp::Reverse(literal.len()));
        let literals = literals
            .into_iter()
            .map(|literal| (literal.clone(), Finder::new(literal.as_bytes()).into_owned()))
            .collect();
        Selection { group, order: scan.order, streams, from, until, after: scan.after, literals, graves }
    }

    /// All events of a group that are not deleted.
    pub(crate) fn all(group: GroupId, graves: Arc<GroupGraves>) -> Selection {
        Selection::new(group, &Scan::default(), graves)
    }

    pub(crate) fn wants_times(&self, min: i64, max: i64) -> bool {
        max >= self.from && min < self.until
    }

    pub(crate) fn wants_bounds(&self, bounds: &Bounds) -> bool {
        self.wants_times(bounds.min_timestamp, bounds.max_timestamp)
            && !self.graves.hold_all(bounds.max_timestamp, bounds.max_sequence)
    }

    pub(crate) fn wants_stream(&self, stream: StreamId) -> bool {
        self.streams.as_ref().is_none_or(|streams| streams.binary_search(&stream).is_ok())
    }

    /// Whether a block may hold what is wanted, as far as its entry tells.
    pub(crate) fn wants_block(&self, block: &Block) -> bool {
        self.wants_times(block.min_timestamp, block.max_timestamp)
            && self.streams.as_ref().is_none_or(|streams| {
                let next = streams.partition_point(|stream| *stream < block.first_stream);
                streams.get(next).is_some_and(|stream| *stream <= block.last_stream)
            })
    }

    pub(crate) fn has_literals(&self) -> bool {
        !self.literals.is_empty()
    }

    /// Whether a block's filter leaves it possible that it holds all literals.
    pub(crate) fn wants_filter(&self, bitmap: &[u8]) -> bool {
        self.literals.iter().all(|(literal, _)| filter::may_contain(bitmap, literal))
    }

    /// Whether an event is wanted as far as can be told without its message.
    pub(crate) fn wants_row(&self, row: &Row) -> bool {
        let past = |after: &Position| {
            let after = key(after.timestamp, after.sequence);
            match self.order {
                Order::OldestFirst => row.key() > after,
                Order::NewestFirst => row.key() < after,
            }
        };
        row.timestamp >= self.from
            && row.timestamp < self.until
            && self.wants_stream(row.stream)
            && self.after.as_ref().is_none_or(past)
            && (self.graves.is_empty() || !self.graves.holds(row.stream, row.timestamp, row.sequence))
    }

    /// Keeps of rows whose messages follow each other in `text` those with all literals.
    pub(crate) fn retain_messages(&self, rows: &mut Vec<Row>, text: &str) {
        let Some((first, others)) = self.literals.split_first() else { return };
        // One search over all the text; a find in nobody's message, or across two, is passed over.
        let (finder, bytes) = (&first.1, text.as_bytes());
        let mut found = None;
        rows.retain(|row| {
            let (start, end) = (row.start as usize, row.end as usize);
            if found.is_none_or(|at| at < start) {
                found = Some(finder.find(&bytes[start..]).map_or(usize::MAX, |at| start + at));
            }
            found.is_some_and(|at| at.saturating_add(first.0.len()) <= end)
                && others.iter().all(|(_, finder)| finder.find(&bytes[start..end]).is_some())
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [usize; 0] = [];

    fn kept(messages: &[&str], literals: &[&str]) -> Vec<usize> {
        let mut text = String::new();
        let mut rows: Vec<Row> = messages
            .iter()
            .enumerate()
            .map(|(index, message)| {
                let start = text.len() as u32;
                text.push_str(message);
                let (sequence, end) = (index as u64, text.len() as u32);
                Row { timestamp: 0, sequence, ingestion_time: 0, stream: StreamId(0), text: 0, start, end }
            })
            .collect();
        let literals = literals.iter().map(|literal| (*literal).to_owned()).collect();
        let scan = Scan { literals, ..Scan::default() };
        Selection::new(GroupId(1), &scan, Arc::default()).retain_messages(&mut rows, &text);
        rows.iter().map(|row| row.sequence as usize).collect()
    }

    #[test]
    fn messages_with_all_literals_are_kept() {
        let messages = ["an error", "", "err", "or so", "error, error", "warn: no error"];
        assert_eq!(kept(&messages, &[]), [0, 1, 2, 3, 4, 5]);
        assert_eq!(kept(&messages, &[""]), [0, 1, 2, 3, 4, 5]);
        assert_eq!(kept(&messages, &["error"]), [0, 4, 5]);
        assert_eq!(kept(&messages, &["error", "warn"]), [5]);
        assert_eq!(kept(&messages, &["or so"]), [3]);
        assert_eq!(kept(&messages, &["rror,"]), [4]);
        assert_eq!(kept(&messages, &["nothing"]), NONE);
    }

    #[test]
    fn a_literal_across_two_messages_is_in_neither() {
        assert_eq!(kept(&["aab", "bcc", "abbc"], &["abbc"]), [2]);
    }
}
