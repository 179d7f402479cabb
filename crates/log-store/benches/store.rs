//! What a store of log events takes and gives: ten million events of a day, then questions.
//!
//! `cargo bench -p log-store [-- EVENTS]`; prints one JSON line for each figure. `--fill DIR EVENTS` and
//! `--ask DIR EVENTS` do one half, the second of which deletes the events at its end.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod corpus;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use corpus::{Corpus, DAY, HOUR, START};
use log_store::{GroupId, LogStore, NewEvent, Options, Order, Scan, StreamId, Tail};

/// Streams of the group: what is asked of one must be found among them.
const STREAMS: u64 = 1000;
const GROUP: GroupId = GroupId(1);
/// Events of one append: about a quarter of what `PutLogEvents` takes, which is 10,000 or 1 MiB.
const BATCH: usize = 2000;
const WRITERS: u64 = 4;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let events = arguments.iter().filter_map(|argument| argument.parse().ok()).next().unwrap_or(10_000_000);
    let path_after = |flag| arguments.iter().skip_while(|argument| *argument != flag).nth(1).map(Path::new);
    if let Some(path) = path_after("--fill") {
        return fill(path, events);
    }
    if let Some(path) = path_after("--ask") {
        return ask(path, events);
    }
    let dir = tempfile::Builder::new().prefix("log-store-bench").tempdir_in("/var/tmp").unwrap();
    many_small_appends(&dir.path().join("small"));
    tail(&dir.path().join("tail"));
    let path = dir.path().join("day");
    fill(&path, events);
    // In a process of its own, whose memory is what asking takes.
    let mut asking = Command::new(std::env::current_exe().unwrap());
    assert!(asking.arg("--ask").arg(&path).arg(events.to_string()).status().unwrap().success());
}

fn figure(name: &str, value: f64, unit: &str, aim: &str) {
    println!(r#"{{"figure": "log-store: {name}", "value": {value:.3}, "unit": "{unit}", "aim": "{aim}"}}"#);
}

/// Stores the events of a day as agents send them: batches of one stream after another, all of which speak at all
/// times. So every segment has a part of every hour that it touches, and the batches' times overlap.
fn fill(path: &Path, events: usize) {
    let store = LogStore::open(path, Options::default()).unwrap();
    let start = Instant::now();
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let store = &store;
            scope.spawn(move || write(store, events, writer));
        }
    });
    let taken = start.elapsed().as_secs_f64();
    figure("append", events as f64 / taken, "events/s", ">= 200000");
    figure("filter over an hour while segments are being joined", median(&store, &hour()).0, "ms", "");
    let settle = Instant::now();
    store.seal().unwrap();
    store.compact().unwrap();
    figure("settle after the last append", settle.elapsed().as_secs_f64(), "s", "");
    figure("bytes on disk per event", disk(path) as f64 / events as f64, "B", "");
    figure("largest resident memory while writing", memory("VmHWM"), "MiB", "");
    figure("resident memory, idle after writing", memory("VmRSS"), "MiB", "");
}

/// Each writer has its share of the streams. The day is cut into as many windows as a stream has batches.
fn write(store: &LogStore, events: usize, writer: u64) {
    let mut corpus = Corpus::new(writer);
    let windows = events.div_ceil(BATCH * STREAMS as usize) as i64;
    let mine = STREAMS / WRITERS;
    let mut left = events / WRITERS as usize;
    for window in 0..windows {
        let (first, last) = (START + DAY * window / windows, START + DAY * (window + 1) / windows);
        for stream in writer * mine..(writer + 1) * mine {
            let count = BATCH.min(left);
            left -= count;
            let lines: Vec<(i64, String)> = (0..count as i64)
                .map(|index| first + (last - first) * index / count as i64)
                .map(|time| (time, corpus.line(time)))
                .collect();
            let new: Vec<NewEvent<'_>> = lines
                .iter()
                .map(|(timestamp, message)| NewEvent { timestamp: *timestamp, message })
                .collect();
            store.append(GROUP, StreamId(stream), last, &new).unwrap();
        }
    }
}

/// An hour in the middle of the day, in the middle of a window.
fn hour() -> Scan {
    let from = START + 11 * HOUR;
    Scan { from, until: from + HOUR, ..Scan::default() }
}

fn ask(path: &Path, events: usize) {
    let open = Instant::now();
    let store = LogStore::open(path, Options::default()).unwrap();
    figure("open", open.elapsed().as_secs_f64() * 1e3, "ms", "");
    figure("resident memory, idle", memory("VmRSS"), "MiB", "");
    let hour = hour();
    let literals = |text: &str| vec![text.to_owned()];
    let rare = store.scan(GROUP, &hour).unwrap().nth(1000).unwrap().unwrap().message;
    let id = rare.split("request=").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    let questions = [
        ("an hour, all of it", hour.clone()),
        ("an hour, a term that 1 in 50 has", Scan { literals: literals("ERROR"), ..hour.clone() }),
        ("an hour, one request id", Scan { literals: literals(&id), ..hour.clone() }),
        ("an hour, one stream of 1000", Scan { streams: Some(vec![StreamId(500)]), ..hour.clone() }),
        ("the day, one request id", Scan { literals: literals(&id), ..Scan::default() }),
        ("the day, one stream of 1000", Scan { streams: Some(vec![StreamId(500)]), ..Scan::default() }),
    ];
    for (name, scan) in questions {
        let (time, found) = median(&store, &scan);
        let aim = if name.starts_with("an hour") { "< 200" } else { "" };
        figure(&format!("filter over {name} ({found} found)"), time, "ms", aim);
    }
    let newest = Scan { order: Order::NewestFirst, ..Scan::default() };
    let start = Instant::now();
    assert_eq!(store.scan(GROUP, &newest).unwrap().take(100).count(), 100.min(events));
    figure("the last 100 events", start.elapsed().as_secs_f64() * 1e3, "ms", "");
    let start = Instant::now();
    assert_eq!(store.scan(GROUP, &Scan::default()).unwrap().count(), events);
    figure("read everything", events as f64 / start.elapsed().as_secs_f64(), "events/s", "");
    figure("largest resident memory while asking", memory("VmHWM"), "MiB", "");
    figure("resident memory after reading everything", memory("VmRSS"), "MiB", "");
    let start = Instant::now();
    store.delete_group(GROUP).unwrap();
    store.compact().unwrap();
    figure("delete everything, disk freed", start.elapsed().as_secs_f64() * 1e3, "ms", "");
    assert!(disk(path) < 1 << 20, "{} bytes are left", disk(path));
}

/// Milliseconds of the median of five scans, and how many events were found.
fn median(store: &LogStore, scan: &Scan) -> (f64, usize) {
    let timed = || {
        let start = Instant::now();
        let found = store.scan(GROUP, scan).unwrap().map(Result::unwrap).count();
        (start.elapsed().as_secs_f64() * 1e3, found)
    };
    let mut times: Vec<(f64, usize)> = (0..5).map(|_| timed()).collect();
    times.sort_by(|a, b| a.0.total_cmp(&b.0));
    times[2]
}

/// One event for each of a thousand streams, from many threads, as a server with many agents has it.
fn many_small_appends(path: &Path) {
    let store = LogStore::open(path, Options::default()).unwrap();
    let threads = 64;
    let start = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let store = &store;
            scope.spawn(move || {
                for stream in (thread..STREAMS).step_by(threads as usize) {
                    let event =
                        NewEvent { timestamp: START, message: "one line of a stream that says little" };
                    store.append(GroupId(stream % 10), StreamId(stream), START, &[event]).unwrap();
                }
            });
        }
    });
    figure("1000 appends of one event, 64 at a time", start.elapsed().as_secs_f64() * 1e3, "ms", "< 1000");
}

/// From before an append to its subscriber, while others append as well.
fn tail(path: &Path) {
    let store = LogStore::open(path, Options::default()).unwrap();
    let subscription = store.subscribe(&[GROUP]);
    let stop = AtomicBool::new(false);
    let mut times = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut corpus = Corpus::new(9);
            while !stop.load(Ordering::Relaxed) {
                let lines: Vec<String> = (0..1000).map(|_| corpus.line(START)).collect();
                let new: Vec<_> =
                    lines.iter().map(|message| NewEvent { timestamp: START, message }).collect();
                store.append(GroupId(2), StreamId(1), START, &new).unwrap();
            }
        });
        for _ in 0..100 {
            let start = Instant::now();
            scope.spawn(|| {
                let event = NewEvent { timestamp: START, message: "news" };
                store.append(GROUP, StreamId(1), START, &[event]).unwrap();
            });
            let got = subscription.recv_timeout(Duration::from_secs(10));
            assert!(matches!(got, Some(Tail::Events(events)) if events.len() == 1));
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
        stop.store(true, Ordering::Relaxed);
    });
    times.sort_by(f64::total_cmp);
    figure("append to subscriber, median", times[50], "ms", "< 500");
    figure("append to subscriber, slowest of 100", times[99], "ms", "< 500");
}

fn disk(path: &Path) -> u64 {
    let entries = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    let size = |path: PathBuf| if path.is_dir() { disk(&path) } else { path.metadata().unwrap().len() };
    entries.map(size).sum()
}

/// A line of this process's status, in MiB.
fn memory(name: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}
