//! The records of a frame: a batch of events, or a deletion.

use crate::batch::Batch;
use crate::codec::{Put, Reader};
use crate::graves::{Dead, Grave};
use crate::{GroupId, StreamId};

/// What happened.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Record {
    Batch(Batch),
    Grave(Grave),
}

const BATCH: u8 = 1;
const DELETE_GROUP: u8 = 2;
const DELETE_STREAM: u8 = 3;
const EXPIRE: u8 = 4;

/// A record that does not know its sequence number yet.
#[derive(Debug)]
pub(crate) struct Draft(Vec<u8>);

impl Draft {
    pub(crate) fn batch(batch: &Batch) -> Draft {
        let mut bytes = vec![BATCH, 0, 0, 0, 0, 0, 0, 0, 0];
        batch.encode(&mut bytes);
        Draft(bytes)
    }

    pub(crate) fn grave(group: GroupId, what: Dead) -> Draft {
        let kind = match what {
            Dead::Group => DELETE_GROUP,
            Dead::Stream(_) => DELETE_STREAM,
            Dead::Before(_) => EXPIRE,
        };
        let mut bytes = vec![kind, 0, 0, 0, 0, 0, 0, 0, 0];
        bytes.put(group.0);
        match what {
            Dead::Group => {}
            Dead::Stream(stream) => bytes.put(stream.0),
            Dead::Before(before) => bytes.put(before),
        }
        Draft(bytes)
    }

    /// Adds the record to a frame: of a batch the first number, of a deletion the one that it ends before.
    pub(crate) fn write(mut self, sequence: u64, frame: &mut Vec<u8>) {
        self.0[1..9].copy_from_slice(&sequence.to_le_bytes());
        frame.extend_from_slice(&self.0);
    }
}

/// Reads the records of a frame's content; `None` when it holds anything else.
pub(crate) fn read(content: &[u8]) -> Option<Vec<Record>> {
    let mut reader = Reader::new(content);
    let mut records = Vec::new();
    while !reader.is_empty() {
        let [kind] = reader.array()?;
        let sequence = reader.u64()?;
        if kind == BATCH {
            records.push(Record::Batch(Batch::decode(sequence, &mut reader)?));
            continue;
        }
        let group = GroupId(reader.get()?);
        let what = match kind {
            DELETE_GROUP => Dead::Group,
            DELETE_STREAM => Dead::Stream(StreamId(reader.get()?)),
            EXPIRE => Dead::Before(reader.get()?),
            _ => return None,
        };
        records.push(Record::Grave(Grave { group, sequence, what }));
    }
    Some(records)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NewEvent;

    #[test]
    fn records_come_back_in_order() {
        let group = GroupId(9);
        let mut batch = Batch::new(group, StreamId(1), 5, &[NewEvent { timestamp: 4, message: "m" }]);
        let mut frame = Vec::new();
        Draft::batch(&batch).write(100, &mut frame);
        batch.first_sequence = 100;
        let mut expected = vec![Record::Batch(batch)];
        for what in [Dead::Group, Dead::Stream(StreamId(2)), Dead::Before(i64::MAX)] {
            Draft::grave(group, what).write(101, &mut frame);
            expected.push(Record::Grave(Grave { group, sequence: 101, what }));
        }
        assert_eq!(read(&frame), Some(expected));
        frame.push(99);
        assert_eq!(read(&frame), None);
    }
}
