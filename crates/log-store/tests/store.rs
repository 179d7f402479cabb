//! What callers rely on, one thing at a time.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use log_store::{
    GroupId, LogStore, MAX_TIMESTAMP, NewEvent, Options, Order, Scan, StoreError, StreamId, Tail,
};

const GROUP: GroupId = GroupId(1);
const STREAM: StreamId = StreamId(2);
const HOUR: i64 = 3_600_000;

fn put(store: &LogStore, group: GroupId, stream: StreamId, events: &[(i64, &str)]) {
    let events: Vec<_> =
        events.iter().map(|(timestamp, message)| NewEvent { timestamp: *timestamp, message }).collect();
    store.append(group, stream, 9, &events).unwrap();
}

fn messages(store: &LogStore, scan: &Scan) -> Vec<String> {
    store.scan(GROUP, scan).unwrap().map(|event| event.unwrap().message).collect()
}

fn disk(path: &Path) -> u64 {
    let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { disk(&path) } else { path.metadata().unwrap().len() }).sum()
}

fn wait_until(what: &str, mut is: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is() {
        assert!(Instant::now() < deadline, "it did not happen: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn one_process_at_a_time() {
    let dir = common::directory();
    let store = LogStore::open(dir.path(), Options::default()).unwrap();
    let error = LogStore::open(dir.path(), Options::default()).unwrap_err();
    assert!(matches!(&error, StoreError::Locked { dir: locked } if locked == dir.path()), "{error}");
    drop(store);
    LogStore::open(dir.path(), Options::default()).unwrap();
}

#[test]
fn times_that_cannot_be_stored_are_refused_and_nothing_of_the_append_is() {
    let dir = common::directory();
    let store = LogStore::open(dir.path(), Options::default()).unwrap();
    for bad in [-1, MAX_TIMESTAMP + 1, i64::MIN] {
        let events = [5, bad].map(|timestamp| NewEvent { timestamp, message: "m" });
        let error = store.append(GROUP, STREAM, 9, &events).unwrap_err();
        assert!(matches!(error, StoreError::Timestamp { timestamp } if timestamp == bad), "{error}");
    }
    assert!(messages(&store, &Scan::default()).is_empty());
    put(&store, GROUP, STREAM, &[(MAX_TIMESTAMP, "the end"), (0, "the start")]);
    assert_eq!(messages(&store, &Scan::default()), ["the start", "the end"]);
}

#[test]
fn an_empty_append_and_an_empty_message_are_fine() {
    let dir = common::directory();
    let store = LogStore::open(dir.path(), Options::default()).unwrap();
    put(&store, GROUP, STREAM, &[]);
    put(&store, GROUP, STREAM, &[(1, "")]);
    store.seal().unwrap();
    assert_eq!(messages(&store, &Scan::default()), [""]);
    assert_eq!(store.stream_facts(GROUP, StreamId(77)).unwrap(), None);
}

#[test]
fn large_messages_are_kept_whole() {
    let dir = common::directory();
    let store = LogStore::open(dir.path(), Options::default()).unwrap();
    let large = "é".repeat(3 << 20);
    put(&store, GROUP, STREAM, &[(2, &large), (1, "small"), (3, "small")]);
    store.seal().unwrap();
    assert_eq!(messages(&store, &Scan::default()), ["small", &large, "small"]);
    let error = store.append(GROUP, STREAM, 9, &[NewEvent { timestamp: 1, message: &"x".repeat(65 << 20) }]);
    assert!(matches!(error, Err(StoreError::TooLarge { .. })));
}

#[test]
fn a_scan_sees_one_moment_while_everything_goes_on() {
    let dir = common::directory();
    let store = LogStore::open(dir.path(), Options { memory: 50_000, ..Options::default() }).unwrap();
    let events: Vec<(i64, &str)> = (0..5000).map(|time| (time, "a line that takes some space")).collect();
    events.chunks(100).for_each(|events| put(&store, GROUP, STREAM, events));
    let mut scan = store.scan(GROUP, &Scan::default()).unwrap();
    assert!(scan.next().unwrap().is_ok());
    put(&store, GROUP, STREAM, &[(2500, "later")]);
    store.delete_group(GROUP).unwrap();
    store.seal().unwrap();
    store.compact().unwrap();
    assert!(scan.all(|event| event.unwrap().message != "later"));
    assert!(messages(&store, &Scan::default()).is_empty());
}

#[test]
fn appends_and_scans_at_once_agree() {
    let dir = common::directory();
    let store = LogStore::open(dir.path(), Options { memory: 100_000, ..Options::default() }).unwrap();
    let done = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for stream in 0..4 {
            let (store, done) = (&store, &done);
            scope.spawn(move || {
                for number in 0..300 {
                    let text = format!("{stream} {number}");
                    put(store, GROUP, StreamId(stream), &[(number, &text), (number, &text)]);
                }
                done.fetch_add(1, Ordering::Relaxed);
            });
        }
        scope.spawn(|| {
            while done.load(Ordering::Relaxed) < 4 {
                let events: Vec<_> =
                    store.scan(GROUP, &Scan::default()).unwrap().map(Result::unwrap).collect();
                assert!(events.is_sorted_by_key(|event| event.position));
                for stream in (0..4).map(StreamId) {
                    // An append is seen whole or not at all, and never before one that came earlier.
                    let times: Vec<i64> = events
                        .iter()
                        .filter(|event| event.stream == stream)
                        .map(|event| event.timestamp)
                        .collect();
                    let expected: Vec<i64> = (0..times.len() as i64).map(|index| index / 2).collect();
                    assert_eq!(times, expected);
                }
            }
        });
    });
    assert_eq!(messages(&store, &Scan::default()).len(), 2400);
}

#[test]
fn an_hour_of_a_day_and_a_rare_word_leave_most_blocks_unread() {
    let dir = common::directory();
    let store = LogStore::open(dir.path(), Options::default()).unwrap();
    let texts: Vec<String> = (0..48_000_u64)
        .map(|n| format!("request={:016x} took {} ms", n.wrapping_mul(0x9e37_79b9_7f4a_7c15), n % 100))
        .collect();
    for (batch, texts) in texts.chunks(1000).enumerate() {
        let time = |index: usize| (batch * 1000 + index) as i64 * 24 * HOUR / 48_000;
        let events: Vec<_> =
            texts.iter().enumerate().map(|(index, text)| (time(index), text.as_str())).collect();
        put(&store, GROUP, StreamId(batch as u64), &events);
    }
    store.seal().unwrap();
    let read = |scan: &Scan| {
        let mut events = store.scan(GROUP, scan).unwrap();
        (events.by_ref().map(Result::unwrap).count(), events.statistics())
    };
    let (all, everything) = read(&Scan::default());
    assert_eq!((all, everything.events, everything.blocks_skipped), (48_000, 48_000, 0));
    let (found, hour) = read(&Scan { from: 5 * HOUR, until: 6 * HOUR, ..Scan::default() });
    assert_eq!(found, 2000);
    assert!(hour.blocks * 8 < everything.blocks, "{hour:?} of {everything:?}");
    let (found, word) = read(&Scan { literals: vec![texts[30_000][8..24].to_owned()], ..Scan::default() });
    assert_eq!(found, 1);
    assert!(word.blocks * 5 < everything.blocks, "{word:?} of {everything:?}");
    let (found, stream) = read(&Scan { streams: Some(vec![StreamId(7)]), ..Scan::default() });
    assert_eq!(found, 1000);
    assert!(stream.blocks * 8 < everything.blocks, "{stream:?} of {everything:?}");
}

#[test]
fn a_scan_opens_the_segments_that_it_has_reached() {
    let dir = common::directory();
    let store = LogStore::open(dir.path(), Options::default()).unwrap();
    for day in 0..30 {
        put(&store, GROUP, STREAM, &[(day * 24 * HOUR, "a line")]);
    }
    store.seal().unwrap();
    // Files of its own, not of the tests beside it.
    let open = || {
        let files = fs::read_dir("/proc/self/fd")
            .unwrap()
            .filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
        files.filter(|file| file.starts_with(dir.path().join("segments"))).count()
    };
    let mut scan = store.scan(GROUP, &Scan::default()).unwrap();
    let mut most = 0;
    for _ in 0..30 {
        assert!(scan.next().unwrap().is_ok());
        most = most.max(open());
    }
    assert!(scan.next().is_none());
    assert!(most <= 1, "{most} files are open at one time");
}

#[test]
fn deleting_and_expiring_free_the_disk() {
    let dir = common::directory();
    let store = LogStore::open(dir.path(), Options::default()).unwrap();
    let line =
        |n: u64| format!("{:032x}", u128::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c834));
    let texts: Vec<String> = (0..20_000).map(line).collect();
    let events: Vec<(i64, &str)> =
        texts.iter().enumerate().map(|(n, text)| (n as i64 * 24 * HOUR / 20_000, text.as_str())).collect();
    for group in 1..=4 {
        put(&store, GroupId(group), STREAM, &events);
        put(&store, GroupId(group), StreamId(3), &events[..10]);
    }
    store.seal().unwrap();
    let before = disk(dir.path());
    let settled_below = |limit: u64| {
        store.compact().unwrap();
        assert!(disk(dir.path()) < limit, "{} of {before} bytes, wanted {limit}", disk(dir.path()));
    };
    store.delete_group(GroupId(2)).unwrap();
    settled_below(before * 8 / 10);
    store.delete_stream(GroupId(3), STREAM).unwrap();
    settled_below(before * 6 / 10);
    store.expire(GroupId(4), 25 * HOUR).unwrap();
    settled_below(before * 3 / 10);
    assert_eq!(store.scan(GroupId(3), &Scan::default()).unwrap().count(), 10);
    assert_eq!(store.scan(GroupId(1), &Scan::default()).unwrap().count(), 20_010);
    store.delete_group(GROUP).unwrap();
    store.delete_group(GroupId(3)).unwrap();
    settled_below(4096);
    // Nothing is remembered of deletions of which nothing is left to delete.
    store.seal().unwrap();
    store.compact().unwrap();
    let list = fs::read_to_string(dir.path().join("MANIFEST")).unwrap();
    assert!(list.contains(r#""segments":[],"graves":[]"#), "{list}");
}

#[test]
fn a_stream_with_a_deleted_ones_number_begins_anew() {
    let dir = common::directory();
    let store = LogStore::open(dir.path(), Options::default()).unwrap();
    put(&store, GROUP, STREAM, &[(1, "old")]);
    put(&store, GROUP, StreamId(3), &[(1, "other")]);
    store.delete_stream(GROUP, STREAM).unwrap();
    put(&store, GROUP, STREAM, &[(1, "new")]);
    for _ in 0..3 {
        assert_eq!(messages(&store, &Scan::default()), ["other", "new"]);
        assert_eq!(store.stream_facts(GROUP, STREAM).unwrap().unwrap().events, 1);
        store.seal().unwrap();
        store.compact().unwrap();
    }
}

#[test]
fn what_was_expired_stays_away_and_what_comes_later_may_be_older() {
    let dir = common::directory();
    let store = LogStore::open(dir.path(), Options::default()).unwrap();
    put(&store, GROUP, STREAM, &[(10, "old"), (30, "new")]);
    store.expire(GROUP, 20).unwrap();
    put(&store, GROUP, STREAM, &[(15, "late")]);
    assert_eq!(messages(&store, &Scan::default()), ["late", "new"]);
    drop(store);
    let store = LogStore::open(dir.path(), Options::default()).unwrap();
    assert_eq!(messages(&store, &Scan::default()), ["late", "new"]);
}

#[test]
fn many_small_segments_become_few_by_themselves() {
    let dir = common::directory();
    let options = Options { seal_after: Duration::from_millis(1), ..Options::default() };
    let store = LogStore::open(dir.path(), options).unwrap();
    let files = || fs::read_dir(dir.path().join("segments")).unwrap().count();
    for number in 0..40 {
        put(&store, GROUP, STREAM, &[(number, "a line")]);
        std::thread::sleep(Duration::from_millis(5));
    }
    wait_until("memory is sealed and few segments are left", || {
        let logs = fs::read_dir(dir.path().join("wal")).unwrap().map(|entry| entry.unwrap());
        logs.map(|log| log.metadata().unwrap().len()).sum::<u64>() == 16 && (1..4).contains(&files())
    });
    assert_eq!(messages(&store, &Scan::default()).len(), 40);
}

#[test]
fn pages_join_without_gap_or_double_in_both_directions() {
    let dir = common::directory();
    let store = LogStore::open(dir.path(), Options::default()).unwrap();
    let texts: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    for (number, text) in texts.iter().enumerate() {
        put(&store, GROUP, StreamId(number as u64 % 3), &[(number as i64 / 10, text)]);
        if number == 50 {
            store.seal().unwrap();
        }
    }
    for order in [Order::OldestFirst, Order::NewestFirst] {
        let (mut after, mut pages) = (None, Vec::new());
        loop {
            let scan = Scan { order, after, ..Scan::default() };
            let page: Vec<_> = store.scan(GROUP, &scan).unwrap().take(7).map(Result::unwrap).collect();
            let Some(last) = page.last() else { break };
            after = Some(last.position);
            pages.extend(page.into_iter().map(|event| event.message));
        }
        if order == Order::NewestFirst {
            pages.reverse();
        }
        assert_eq!(pages, texts);
    }
}

#[test]
fn subscribers_get_what_they_asked_for_and_are_told_what_they_missed() {
    let dir = common::directory();
    let store = LogStore::open(dir.path(), Options { subscriber_events: 5, ..Options::default() }).unwrap();
    put(&store, GROUP, STREAM, &[(1, "before")]);
    let subscription = store.subscribe(&[GROUP]);
    put(&store, GroupId(9), STREAM, &[(1, "another group")]);
    assert_eq!(subscription.try_recv(), None);
    assert_eq!(subscription.recv_timeout(Duration::from_millis(1)), None);
    put(&store, GROUP, STREAM, &[(2, "a"), (1, "b"), (1, "c")]);
    put(&store, GROUP, STREAM, &[(2, "d"), (2, "e"), (2, "f"), (2, "g")]);
    put(&store, GROUP, STREAM, &[(3, "h")]);
    let Some(Tail::Events(events)) = subscription.recv_timeout(Duration::from_secs(9)) else { panic!() };
    let texts: Vec<_> = events.iter().map(|event| event.message.as_str()).collect();
    assert_eq!(texts, ["a", "b", "c", "d", "e"]);
    assert_eq!(store.event(GROUP, events[4].position).unwrap().as_ref(), Some(&events[4]));
    assert_eq!(subscription.try_recv(), Some(Tail::Missed(3)));
    put(&store, GROUP, STREAM, &[(3, "i")]);
    assert!(matches!(subscription.try_recv(), Some(Tail::Events(events)) if events[0].message == "i"));
    let mut context = Context::from_waker(Waker::noop());
    assert_eq!(subscription.poll_recv(&mut context), Poll::Pending);
    store.close();
    assert_eq!(subscription.poll_recv(&mut context), Poll::Ready(None));
    assert!(subscription.is_closed());
}

#[test]
fn when_segments_cannot_be_written_appends_end_with_the_reason_and_go_on_when_they_can() {
    let dir = common::directory();
    let store = LogStore::open(dir.path(), Options { memory: 2000, ..Options::default() }).unwrap();
    let (segments, away) = (dir.path().join("segments"), dir.path().join("away"));
    fs::rename(&segments, &away).unwrap();
    fs::write(&segments, "in the way").unwrap();
    let append = |number: usize| {
        let message = format!("event {number}");
        store.append(GROUP, STREAM, 9, &[NewEvent { timestamp: number as i64, message: &message }])
    };
    let mut stored = 0;
    let error = loop {
        match append(stored) {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
        assert!(stored < 10_000, "memory has no end");
    };
    assert!(matches!(error, StoreError::Behind { .. }), "{error}");
    assert!(error.to_string().contains("segments/"), "{error}");
    assert_eq!(messages(&store, &Scan::default()).len(), stored);
    store.delete_stream(GROUP, StreamId(99)).unwrap();
    fs::remove_file(&segments).unwrap();
    fs::rename(&away, &segments).unwrap();
    wait_until("appends go on", || append(stored).is_ok());
    assert_eq!(messages(&store, &Scan::default()).len(), stored + 1);
    drop(store);
    let store = LogStore::open(dir.path(), Options::default()).unwrap();
    assert_eq!(messages(&store, &Scan::default()).len(), stored + 1);
}

#[test]
fn a_closed_store_says_so() {
    let dir = common::directory();
    let store = LogStore::open(dir.path(), Options::default()).unwrap();
    store.close();
    let event = NewEvent { timestamp: 1, message: "m" };
    assert!(matches!(store.append(GROUP, STREAM, 9, &[event]), Err(StoreError::Closed)));
    assert!(matches!(store.scan(GROUP, &Scan::default()).err(), Some(StoreError::Closed)));
}
