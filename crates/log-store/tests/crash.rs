//! What is left when the process is killed at any moment, or its last write is torn at any byte.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking; the writer tells the test"
)]

mod common;
#[path = "common/writer.rs"]
mod writer;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use log_store::{Event, GroupId, LogStore, NewEvent, Options, Scan, StreamId};

const GROUP: GroupId = GroupId(1);
const STREAM: StreamId = StreamId(2);
const KILLS: u64 = 100;

fn read(store: &LogStore, group: GroupId) -> Vec<Event> {
    store.scan(group, &Scan::default()).unwrap().map(Result::unwrap).collect()
}

#[test]
#[ignore = "it is what the next test kills"]
fn the_writer() {
    let argument = |name| std::env::var(name).unwrap();
    writer::run(Path::new(&argument("WRITER_DIR")), argument("WRITER_SEED").parse().unwrap());
}

fn start_writer(dir: &Path, seed: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_writer", "--ignored", "--nocapture"])
        .env("WRITER_DIR", dir)
        .env("WRITER_SEED", seed.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn kill_at_any_moment_loses_nothing_acknowledged_and_doubles_nothing() {
    let dir = common::directory();
    // By stream: how many events have been acknowledged, over all runs.
    let mut acknowledged: BTreeMap<u64, usize> = BTreeMap::new();
    for run in 0..KILLS {
        let mut child = start_writer(dir.path(), run);
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::scope(|scope| {
            let reader = scope.spawn(move || {
                let lines = output.lines().map_while(Result::ok);
                lines.map(|line| numbers(&line)).collect::<Vec<Vec<usize>>>()
            });
            std::thread::sleep(Duration::from_micros(5_000 + run * 7_919 % 80_000));
            child.kill().unwrap();
            child.wait().unwrap();
            for line in reader.join().unwrap() {
                // The last line may have been cut; a stream's numbers only grow.
                if let [stream, first, count] = line[..] {
                    let known = acknowledged.entry(stream as u64).or_default();
                    *known = (*known).max(first + count);
                }
            }
        });
        if run % 10 == 9 || run + 1 == KILLS {
            check(dir.path(), &acknowledged);
        }
    }
    assert!(
        acknowledged.values().sum::<usize>() > 1000,
        "it was killed before it did anything: {acknowledged:?}"
    );
}

fn numbers(line: &str) -> Vec<usize> {
    line.split(' ').filter_map(|word| word.parse().ok()).collect()
}

fn check(dir: &Path, acknowledged: &BTreeMap<u64, usize>) {
    let store = LogStore::open(dir, Options::default()).unwrap();
    assert_eq!(store.damage(), []);
    let mut by_stream: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for event in [GroupId(0), GroupId(1)].into_iter().flat_map(|group| read(&store, group)) {
        let [stream, number, ..] = numbers(&event.message)[..] else { panic!("{event:?}") };
        assert_eq!(stream as u64, event.stream.0);
        by_stream.entry(event.stream.0).or_default().push(number);
    }
    for (stream, known) in acknowledged {
        let mut found = by_stream.remove(stream).unwrap_or_default();
        found.sort_unstable();
        // Each once, without a gap, up to at least the last that was acknowledged.
        assert_eq!(found, (0..found.len()).collect::<Vec<_>>(), "stream {stream}");
        assert!(found.len() >= *known, "stream {stream}: {} of {known}", found.len());
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A store with one event in each of some appends, all of them in the log. Gives the log file.
fn logged(dir: &Path, appends: usize) -> PathBuf {
    let store = LogStore::open(dir, Options::default()).unwrap();
    for number in 0..appends {
        let message = format!("event {number}");
        let event = NewEvent { timestamp: number as i64, message: &message };
        store.append(GROUP, STREAM, 7, &[event]).unwrap();
    }
    drop(store);
    let mut files = fs::read_dir(dir.join("wal")).unwrap().map(|entry| entry.unwrap().path());
    let file = files.next().unwrap();
    assert_eq!(files.next(), None);
    file
}

#[test]
fn a_log_torn_at_any_byte_gives_what_was_whole() {
    let dir = common::directory();
    let original = dir.path().join("original");
    let log = logged(&original, 5);
    let whole = fs::read(&log).unwrap();
    let mut counts = Vec::new();
    for cut in 0..=whole.len() {
        let torn = dir.path().join("torn");
        copy(&original, &torn);
        fs::write(torn.join("wal").join(log.file_name().unwrap()), &whole[..cut]).unwrap();
        let store = LogStore::open(&torn, Options::default()).unwrap();
        let found = read(&store, GROUP);
        assert!(found.iter().enumerate().all(|(number, event)| event.message == format!("event {number}")));
        assert_eq!(store.damage(), [], "cut at {cut}");
        // What is appended behind a torn end is not taken for it.
        let event = NewEvent { timestamp: 100, message: "later" };
        store.append(GROUP, STREAM, 7, &[event]).unwrap();
        drop(store);
        let store = LogStore::open(&torn, Options::default()).unwrap();
        assert_eq!(read(&store, GROUP).len(), found.len() + 1, "cut at {cut}");
        assert_eq!(store.damage(), [], "cut at {cut}");
        drop(store);
        counts.push(found.len());
        fs::remove_dir_all(&torn).unwrap();
    }
    assert!(counts.is_sorted());
    assert_eq!((counts[0], counts[whole.len()], counts[whole.len() - 1]), (0, 5, 4));
}

#[test]
fn a_damaged_log_is_named_kept_aside_and_costs_one_write_only() {
    let dir = common::directory();
    let log = logged(dir.path(), 5);
    let mut bytes = fs::read(&log).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&log, bytes).unwrap();
    let store = LogStore::open(dir.path(), Options::default()).unwrap();
    assert_eq!(read(&store, GROUP).len(), 4);
    let damage = store.damage();
    assert_eq!((damage.len(), &damage[0].path), (1, &log));
    store.seal().unwrap();
    assert!(log.with_extension("damaged").exists());
    drop(store);
    let store = LogStore::open(dir.path(), Options::default()).unwrap();
    assert_eq!((read(&store, GROUP).len(), store.damage().len()), (4, 0));
}

/// Three segments of different days, with an event each of two groups. Gives their files.
fn sealed(dir: &Path) -> Vec<PathBuf> {
    let store = LogStore::open(dir, Options::default()).unwrap();
    for day in 0..3 {
        let message = format!("event of day {day}");
        let event = NewEvent { timestamp: day * 86_400_000, message: &message };
        store.append(GROUP, STREAM, 7, &[event]).unwrap();
        store.append(GroupId(5), STREAM, 7, &[event]).unwrap();
        store.seal().unwrap();
    }
    drop(store);
    let mut files: Vec<_> =
        fs::read_dir(dir.join("segments")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert_eq!(files.len(), 3);
    files
}

#[test]
fn a_segment_damaged_at_any_byte_is_named_and_the_others_are_read() {
    let dir = common::directory();
    let original = dir.path().join("original");
    let segment = sealed(&original).remove(1);
    let whole = fs::read(&segment).unwrap();
    for at in 0..whole.len() {
        let bad = dir.path().join("bad");
        copy(&original, &bad);
        let path = bad.join("segments").join(segment.file_name().unwrap());
        let mut bytes = whole.clone();
        bytes[at] ^= 0x20;
        fs::write(&path, bytes).unwrap();
        let store = LogStore::open(&bad, Options::default()).unwrap();
        let mut errors: Vec<String> = store.damage().iter().map(ToString::to_string).collect();
        let mut found = Vec::new();
        let everything = Scan { literals: vec!["event of day".to_owned()], ..Scan::default() };
        for group in [GROUP, GroupId(5)] {
            for event in store.scan(group, &everything).unwrap() {
                match event {
                    Ok(event) => found.push(event.message),
                    Err(error) => errors.push(error.to_string()),
                }
            }
        }
        let of = |day: u32| found.iter().filter(|text| **text == format!("event of day {day}")).count();
        assert_eq!((of(0), of(2)), (2, 2), "byte {at}");
        assert_eq!(found.len(), 4 + of(1), "byte {at}");
        if of(1) < 2 {
            let name = path.display().to_string();
            assert!(errors.iter().any(|error| error.contains(&name)), "byte {at}: {errors:?}");
        }
        // Work on the others goes on.
        store.delete_stream(GROUP, STREAM).unwrap();
        store.compact().unwrap();
        drop(store);
        fs::remove_dir_all(&bad).unwrap();
    }
}

#[test]
fn a_missing_segment_is_named_and_the_others_are_read() {
    let dir = common::directory();
    let segment = sealed(dir.path()).remove(1);
    fs::remove_file(&segment).unwrap();
    let store = LogStore::open(dir.path(), Options::default()).unwrap();
    let damage = store.damage();
    assert_eq!((damage.len(), &damage[0].path), (1, &segment));
    assert_eq!(read(&store, GROUP).len(), 2);
}

#[test]
fn what_no_list_names_is_removed() {
    let dir = common::directory();
    sealed(dir.path());
    let stray = dir.path().join("segments/0000000099.seg");
    fs::write(&stray, "unfinished").unwrap();
    let store = LogStore::open(dir.path(), Options::default()).unwrap();
    assert!(!stray.exists());
    assert_eq!((read(&store, GROUP).len(), store.damage().len()), (3, 0));
}
