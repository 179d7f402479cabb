//! The events of one append, as they are kept in memory until they are in a segment.

use crate::codec::{Put, Reader};
use crate::{Event, GroupId, NewEvent, Position, StreamId};

/// The events of one append, in the order given.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) group: GroupId,
    pub(crate) stream: StreamId,
    pub(crate) ingestion_time: i64,
    pub(crate) first_sequence: u64,
    pub(crate) min_timestamp: i64,
    pub(crate) max_timestamp: i64,
    entries: Vec<Entry>,
    text: String,
}

/// One event of a batch: its message ends at `end` and begins where the one before it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    timestamp: i64,
    end: u32,
}

impl Batch {
    /// The first sequence number is not known before the batch has its place in the log.
    pub(crate) fn new(
        group: GroupId,
        stream: StreamId,
        ingestion_time: i64,
        events: &[NewEvent<'_>],
    ) -> Batch {
        let mut text = String::with_capacity(events.iter().map(|event| event.message.len()).sum());
        let entries = events
            .iter()
            .map(|event| {
                text.push_str(event.message);
                Entry { timestamp: event.timestamp, end: text.len() as u32 }
            })
            .collect();
        Batch::of(group, stream, ingestion_time, 0, entries, text)
    }

    fn of(
        group: GroupId,
        stream: StreamId,
        ingestion_time: i64,
        first_sequence: u64,
        entries: Vec<Entry>,
        text: String,
    ) -> Batch {
        let timestamps = || entries.iter().map(|entry| entry.timestamp);
        let min_timestamp = timestamps().min().unwrap_or(i64::MAX);
        let max_timestamp = timestamps().max().unwrap_or(i64::MIN);
        Batch { group, stream, ingestion_time, first_sequence, min_timestamp, max_timestamp, entries, text }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn timestamp(&self, index: usize) -> i64 {
        self.entries[index].timestamp
    }

    pub(crate) fn sequence(&self, index: usize) -> u64 {
        self.first_sequence + index as u64
    }

    /// Where the message of an event stands in [`Batch::text`].
    pub(crate) fn range(&self, index: usize) -> (u32, u32) {
        let start = index.checked_sub(1).map_or(0, |before| self.entries[before].end);
        (start, self.entries[index].end)
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn event(&self, index: usize) -> Event {
        let (start, end) = self.range(index);
        let timestamp = self.timestamp(index);
        Event {
            position: Position { timestamp, sequence: self.sequence(index) },
            group: self.group,
            stream: self.stream,
            timestamp,
            ingestion_time: self.ingestion_time,
            message: self.text[start as usize..end as usize].to_owned(),
        }
    }

    /// The memory that it takes.
    pub(crate) fn memory(&self) -> usize {
        size_of::<Batch>() + self.entries.capacity() * size_of::<Entry>() + self.text.capacity()
    }

    /// Writes all but the first sequence number.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.reserve(self.text.len() + self.entries.len() * 4 + 64);
        out.put(self.group.0);
        out.put(self.stream.0);
        out.put(self.ingestion_time);
        out.put(self.entries.len() as u64);
        let (mut timestamp, mut end) = (0, 0);
        for entry in &self.entries {
            out.put(entry.timestamp - timestamp);
            out.put(entry.end - end);
            (timestamp, end) = (entry.timestamp, entry.end);
        }
        out.extend_from_slice(self.text.as_bytes());
    }

    pub(crate) fn decode(first_sequence: u64, from: &mut Reader<'_>) -> Option<Batch> {
        let (group, stream, ingestion_time) = (GroupId(from.get()?), StreamId(from.get()?), from.get()?);
        let mut entries = Vec::with_capacity(from.count()?);
        let (mut timestamp, mut end) = (0_i64, 0_u32);
        for _ in 0..entries.capacity() {
            timestamp = timestamp.checked_add(from.get()?)?;
            end = end.checked_add(from.get()?)?;
            entries.push(Entry { timestamp, end });
        }
        let text = String::from_utf8(from.take(end as usize)?.to_owned()).ok()?;
        if !entries.iter().all(|entry| text.is_char_boundary(entry.end as usize)) {
            return None;
        }
        Some(Batch::of(group, stream, ingestion_time, first_sequence, entries, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_comes_back() {
        let events = [(5, "five"), (3, ""), (3, "größer"), (900, "x")]
            .map(|(timestamp, message)| NewEvent { timestamp, message });
        let mut batch = Batch::new(GroupId(1), StreamId(300), 1_800_000_000_000, &events);
        batch.first_sequence = 77;
        assert_eq!((batch.min_timestamp, batch.max_timestamp), (3, 900));
        let mut bytes = Vec::new();
        batch.encode(&mut bytes);
        let mut reader = Reader::new(&bytes);
        assert_eq!(Batch::decode(77, &mut reader), Some(batch));
        assert!(reader.is_empty());
        for cut in 0..bytes.len() {
            assert_eq!(Batch::decode(77, &mut Reader::new(&bytes[..cut])), None, "cut at {cut}");
        }
    }

    #[test]
    fn a_length_inside_of_a_character_is_refused() {
        let mut bytes = Vec::new();
        for number in [1_u64, 1, 0, 2] {
            bytes.put(number);
        }
        for (timestamp, length) in [(0_i64, 1_u32), (0, 1)] {
            bytes.put(timestamp);
            bytes.put(length);
        }
        bytes.extend_from_slice("é".as_bytes());
        assert_eq!(Batch::decode(0, &mut Reader::new(&bytes)), None);
    }
}
