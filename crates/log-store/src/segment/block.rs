//! The columns of a block: everything of its events but their text. Pure.

use super::Row;
use crate::StreamId;
use crate::codec::{Put, Reader};

/// Writes the columns of rows that are ordered by stream, whose texts follow each other in the same order.
pub(crate) fn encode(rows: &[Row]) -> Vec<u8> {
    let mut out = Vec::with_capacity(rows.len() * 8);
    out.put(rows.len() as u64);
    let mut stream = 0;
    for run in rows.chunk_by(|a, b| a.stream == b.stream) {
        out.put(run[0].stream.0 - stream);
        out.put(run.len() as u64);
        stream = run[0].stream.0;
    }
    column(&mut out, rows, |row| row.timestamp);
    column(&mut out, rows, |row| row.sequence as i64);
    column(&mut out, rows, |row| row.ingestion_time);
    rows.iter().for_each(|row| out.put(row.length() as u64));
    out
}

/// Differences wrap: they need not fit, only come back.
fn column(out: &mut Vec<u8>, rows: &[Row], value: impl Fn(&Row) -> i64) {
    let mut last = 0;
    for row in rows {
        out.put(value(row).wrapping_sub(last));
        last = value(row);
    }
}

/// Reads what [`encode`] wrote, `text` being the number that the rows' text gets; `None` when it is anything else.
pub(crate) fn decode(columns: &[u8], text: u32) -> Option<Vec<Row>> {
    let mut reader = Reader::new(columns);
    let count = reader.count()?;
    let empty =
        Row { timestamp: 0, sequence: 0, ingestion_time: 0, stream: StreamId(0), text, start: 0, end: 0 };
    let mut rows = vec![empty; count];
    let (mut stream, mut at) = (0_u64, 0_usize);
    while at < count {
        stream = stream.checked_add(reader.get()?)?;
        let run = usize::try_from(reader.get::<u64>()?).ok()?;
        let end = at.checked_add(run).filter(|_| run > 0)?;
        rows.get_mut(at..end)?.iter_mut().for_each(|row| row.stream = StreamId(stream));
        at = end;
    }
    fill(&mut reader, &mut rows, |row, value| row.timestamp = value)?;
    fill(&mut reader, &mut rows, |row, value| row.sequence = value as u64)?;
    fill(&mut reader, &mut rows, |row, value| row.ingestion_time = value)?;
    let mut end = 0_u32;
    for row in &mut rows {
        row.start = end;
        end = end.checked_add(u32::try_from(reader.get::<u64>()?).ok()?)?;
        row.end = end;
    }
    reader.is_empty().then_some(rows)
}

fn fill(reader: &mut Reader<'_>, rows: &mut [Row], mut set: impl FnMut(&mut Row, i64)) -> Option<()> {
    let mut value = 0_i64;
    for row in rows {
        value = value.wrapping_add(reader.get()?);
        set(row, value);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn columns_come_back(
            mut values in prop::collection::vec((any::<u64>(), any::<i64>(), any::<u64>(), any::<i64>(), 0..99_u32), 0..50)
        ) {
            values.sort_unstable_by_key(|value| value.0);
            let mut end = 0;
            let rows: Vec<Row> = values
                .into_iter()
                .map(|(stream, timestamp, sequence, ingestion_time, length)| {
                    let start = end;
                    end += length;
                    Row { timestamp, sequence, ingestion_time, stream: StreamId(stream), text: 7, start, end }
                })
                .collect();
            let columns = encode(&rows);
            prop_assert_eq!(decode(&columns, 7), Some(rows));
            for cut in 0..columns.len() {
                prop_assert_eq!(decode(&columns[..cut], 7), None);
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            decode(&bytes, 0);
        }
    }
}
