//! Following against a service whose sessions can be cut.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::JoinHandle;

use super::*;
use crate::fake::{DENIED, Fake, event};
use crate::selection::Scope;
use crate::service::Update;

/// Everything that was shown.
#[derive(Default)]
struct Shown {
    lines: Mutex<Vec<String>>,
    notes: Mutex<Vec<String>>,
    is_gone: AtomicBool,
}

struct TestScreen(Arc<Shown>);

impl Screen for TestScreen {
    fn groups(&mut self, _: &[Arc<str>]) {}

    fn show(&mut self, event: &Event) -> io::Result<()> {
        self.0.lines.lock().unwrap().push(event.message.clone());
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn note(&mut self, text: &str) {
        self.0.notes.lock().unwrap().push(text.to_owned());
    }

    fn is_gone(&self) -> bool {
        self.0.is_gone.load(Ordering::SeqCst)
    }
}

/// Times of the tests are around this moment.
const NOW: i64 = 1_800_000_000_000;

struct Run {
    fake: Arc<Fake>,
    shown: Arc<Shown>,
    task: JoinHandle<Result<(), FollowError>>,
}

impl Run {
    fn of(fake: Fake, asked: &[&str], order: Order) -> Self {
        let (fake, shown) = (Arc::new(fake), Arc::new(Shown::default()));
        let asked = asked.iter().map(|name| (*name).to_owned()).collect();
        let (logs, stacks) = (fake.clone(), fake.clone());
        let selection = Selection::new(logs.clone(), stacks, Scope::Region, asked);
        let pace = Pace {
            groups: Duration::from_millis(20),
            poll: Duration::from_millis(10),
            settle: Duration::from_millis(40),
            quiet: Duration::from_secs(5),
            slack: Duration::from_secs(3),
            retry: Duration::from_millis(5),
        };
        let mut screen = TestScreen(shown.clone());
        let task = tokio::spawn(async move { follow(logs, &selection, order, pace, &mut screen).await });
        Self { fake, shown, task }
    }

    /// Waits until as many lines as expected were shown, and a little longer for those that should not be.
    async fn shows(&self, expected: &[&str]) {
        self.until(|shown| shown.lines.lock().unwrap().len() >= expected.len()).await;
        tokio::time::sleep(Duration::from_millis(150)).await;
        assert_eq!(
            *self.shown.lines.lock().unwrap(),
            expected,
            "notes: {:?}",
            self.shown.notes.lock().unwrap()
        );
    }

    async fn notes(&self, part: &str) {
        self.until(|shown| shown.notes.lock().unwrap().iter().any(|note| note.contains(part))).await;
        let notes = self.shown.notes.lock().unwrap();
        assert!(notes.iter().any(|note| note.contains(part)), "{part}: {notes:?}");
    }

    async fn until(&self, holds: impl Fn(&Shown) -> bool) {
        for _ in 0..400 {
            if holds(&self.shown) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn order() -> Order {
    Order { since: NOW - 600_000, now: NOW, ..Order::default() }
}

#[tokio::test]
async fn the_past_is_shown_and_then_what_comes() {
    let fake = Fake::of(&["/a", "/b"]);
    fake.put(event("/a", "i-1", NOW - 700_000, "before since"));
    fake.put(event("/a", "i-1", NOW - 20, "a1"));
    fake.put(event("/b", "i-1", NOW - 10, "b1"));
    let run = Run::of(fake, &[], order());
    run.shows(&["a1", "b1"]).await;
    run.fake.put(event("/b", "i-2", NOW + 1, "b2"));
    run.fake.put(event("/a", "i-1", NOW + 2, "a2"));
    run.shows(&["a1", "b1", "b2", "a2"]).await;
    assert_eq!(run.fake.opened.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn what_the_past_and_the_session_both_tell_is_shown_once() {
    let fake = Fake::of(&["/a"]);
    fake.put(event("/a", "i-1", NOW, "same"));
    fake.put(event("/a", "i-1", NOW, "same"));
    let run = Run::of(fake, &[], order());
    run.shows(&["same", "same"]).await;
    // Taken in while the session was being opened: told by both. A third equal one is new.
    let same = event("/a", "i-1", NOW, "same");
    run.fake.tell(Update { events: vec![same.clone(), same.clone(), same], sampled: false });
    run.shows(&["same", "same", "same"]).await;
}

#[tokio::test]
async fn what_the_session_does_not_tell_is_caught_up_with() {
    let run = Run::of(Fake::of(&["/a"]), &[], order());
    run.until(|_| run.fake.opened.load(Ordering::SeqCst) == 1).await;
    run.fake.deaf.store(true, Ordering::SeqCst);
    run.fake.put(event("/a", "i-1", NOW, "readable late"));
    run.shows(&["readable late"]).await;
    run.fake.put(event("/a", "i-1", NOW + 1, "too many"));
    run.fake.tell(Update { events: Vec::new(), sampled: true });
    run.shows(&["readable late", "too many"]).await;
}

#[tokio::test]
async fn what_a_session_tells_in_part_is_shown_in_order() {
    let run = Run::of(Fake::of(&["/a"]), &[], order());
    run.until(|_| run.fake.opened.load(Ordering::SeqCst) == 1).await;
    // The look that follows upon the beginning is over.
    tokio::time::sleep(Duration::from_millis(200)).await;
    run.fake.deaf.store(true, Ordering::SeqCst);
    let all: Vec<Event> = (1..=6).map(|at| event("/a", "i-1", NOW + at, &at.to_string())).collect();
    all.iter().for_each(|event| run.fake.put(event.clone()));
    run.fake.tell(Update { events: vec![all[1].clone(), all[4].clone()], sampled: true });
    run.shows(&["1", "2", "3", "4", "5", "6"]).await;
}

#[tokio::test]
async fn a_lost_session_is_opened_again_and_nothing_is_lost() {
    let fake = Fake::of(&["/a"]);
    fake.put(event("/a", "i-1", NOW - 10, "past"));
    let run = Run::of(fake, &[], order());
    run.shows(&["past"]).await;
    run.fake.put(event("/a", "i-1", NOW, "live"));
    run.shows(&["past", "live"]).await;
    run.fake.away(true);
    run.fake.cut();
    // Happened before what was shown last, shipped late.
    run.fake.put(Event { ingestion_time: NOW + 5, ..event("/a", "i-1", NOW - 1_000_000, "late") });
    run.notes("trying again").await;
    run.fake.away(false);
    run.notes("following again").await;
    run.fake.put(event("/a", "i-1", NOW + 9, "after"));
    run.shows(&["past", "live", "late", "after"]).await;
    assert_eq!(run.fake.opened.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn without_sessions_new_events_are_looked_for() {
    let fake = Fake::of(&["/a"]);
    fake.refuse_live();
    fake.put(event("/a", "i-1", NOW - 10, "past"));
    let run = Run::of(fake, &[], order());
    run.notes(DENIED).await;
    run.shows(&["past"]).await;
    run.fake.put(event("/a", "i-1", NOW - 10, "past"));
    run.fake.put(event("/a", "i-1", NOW + 1, "new"));
    run.shows(&["past", "past", "new"]).await;
    run.fake.away(true);
    run.notes("trying again").await;
    run.fake.put(event("/a", "i-1", NOW + 2, "meanwhile"));
    run.fake.away(false);
    run.shows(&["past", "past", "new", "meanwhile"]).await;
}

#[tokio::test]
async fn groups_that_come_to_be_are_followed_from_their_beginning() {
    let run = Run::of(Fake::of(&[]), &[], order());
    run.notes("no log groups yet").await;
    run.fake.put(event("/new", "i-1", NOW, "first"));
    run.fake.add_group("/new");
    run.shows(&["first"]).await;
    run.fake.put(event("/new", "i-1", NOW + 1, "second"));
    run.shows(&["first", "second"]).await;
}

#[tokio::test]
async fn only_what_was_asked_for_is_followed() {
    let question = Question { stream_prefix: Some("i-2".to_owned()), filter: None };
    let fake = Fake::of(&["/a", "/b"]);
    for (stream, message) in [("i-1", "not this"), ("i-2", "this")] {
        fake.put(event("/a", stream, NOW, message));
    }
    let run = Run::of(fake, &["/a"], Order { question, ..order() });
    run.shows(&["this"]).await;
    run.fake.put(event("/b", "i-2", NOW + 1, "other group"));
    run.shows(&["this"]).await;
}

#[tokio::test]
async fn the_past_can_be_limited() {
    let fake = Fake::of(&["/a", "/b"]);
    for index in 0..10 {
        fake.put(event(["/a", "/b"][index % 2], "i-1", NOW - 100 + index as i64, &index.to_string()));
    }
    let run = Run::of(fake, &[], Order { limit: Some(3), since: 0, ..order() });
    run.shows(&["7", "8", "9"]).await;
}

#[tokio::test]
async fn eleven_groups_take_two_sessions() {
    let names: Vec<String> = (10..21).map(|index| format!("/g{index}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let run = Run::of(Fake::of(&names), &[], order());
    run.until(|_| run.fake.opened.load(Ordering::SeqCst) == 2).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    run.fake.put(event("/g10", "i-1", NOW, "first"));
    run.fake.put(event("/g20", "i-1", NOW + 1, "last"));
    run.shows(&["first", "last"]).await;
}

#[tokio::test]
async fn nobody_reading_ends_it_and_an_unknown_group_does_not_begin() {
    let run = Run::of(Fake::of(&["/a"]), &[], order());
    run.until(|_| run.fake.opened.load(Ordering::SeqCst) == 1).await;
    run.shown.is_gone.store(true, Ordering::SeqCst);
    run.task.await.unwrap().unwrap();
    let unknown = Run::of(Fake::of(&["/a"]), &["/unheard"], order());
    assert!(matches!(unknown.task.await.unwrap(), Err(FollowError::Selection(_))));
}
