//! Appends to a store until the process is killed, saying on standard output what has been acknowledged: each line is
//! `STREAM NUMBER COUNT`, the events `NUMBER..NUMBER + COUNT` of the stream being stored.

use std::path::Path;
use std::time::Duration;

use log_store::{GroupId, LogStore, NewEvent, Options, Scan, StreamId};

const DAY: i64 = 86_400_000;

/// Three threads append batches to streams of their own, for ever.
pub fn run(dir: &Path, seed: u64) {
    // So little that there is sealing and compaction all the time.
    let options = Options { memory: 60_000, seal_after: Duration::from_millis(20), ..Options::default() };
    let store = LogStore::open(dir, options).unwrap();
    std::thread::scope(|scope| {
        for stream in 0..3 {
            let store = &store;
            scope.spawn(move || write(store, stream, seed));
        }
    });
}

fn write(store: &LogStore, stream: u64, seed: u64) {
    let group = GroupId(stream % 2);
    let known = Scan { streams: Some(vec![StreamId(stream)]), ..Scan::default() };
    let mut next = store.scan(group, &known).unwrap().count();
    let mut state = seed.wrapping_mul(31).wrapping_add(stream);
    loop {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let count = 1 + (state >> 40) as usize % 50;
        let texts: Vec<String> =
            (next..next + count).map(|n| format!("{stream} {n} {}", "x".repeat(n % 90))).collect();
        let events: Vec<NewEvent<'_>> = texts
            .iter()
            .enumerate()
            .map(|(index, message)| NewEvent { timestamp: timestamp(next + index), message })
            .collect();
        store.append(group, StreamId(stream), 100 * DAY, &events).unwrap();
        println!("{stream} {next} {count}");
        next += count;
    }
}

/// Mostly in order, some late, over a few days.
fn timestamp(number: usize) -> i64 {
    let number = number as i64;
    20 * DAY + number * 40_000 - if number % 7 == 0 { 3_600_000 } else { 0 }
}
