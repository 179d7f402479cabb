//! All of the engine against a service that refuses.

use super::*;
use crate::awslogs::batch::Event;
use crate::awslogs::ship::{Accepted, SendError, Target};
use crate::awslogs::source::tests::settings;
use std::path::Path;
use std::time::Instant;

const DENIED: [&str; 3] = ["denied", "refused", "forbidden"];

/// Has every message of group `fine` and refuses those of others.
#[derive(Default)]
struct Strict(Mutex<Vec<String>>);

impl Strict {
    fn messages(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap()
    }
}

impl Sink for Strict {
    fn put(&self, target: &Target, events: &[Event<'_>]) -> Result<Accepted, SendError> {
        if target.group != "fine" {
            return Err(SendError::Denied("not authorized".to_owned()));
        }
        self.messages().extend(events.iter().map(|event| event.message.to_owned()));
        Ok(Accepted::default())
    }
}

fn section(dir: &Path, group: &str) -> LogStreamSettings {
    let path = dir.join(group);
    LogStreamSettings {
        section: group.to_owned(),
        log_group_name: group.to_owned(),
        batch_count: 10_000,
        ..settings(&path.display().to_string())
    }
}

#[test]
fn a_stream_that_is_refused_gives_way_to_the_others() {
    let dir = tempfile::tempdir().unwrap();
    // Each is more than the agent's memory.
    let backlog = format!("{}\n", "x".repeat(999)).repeat(2 * crate::awslogs::reader::MEMORY / 1000);
    for group in DENIED {
        std::fs::write(dir.path().join(group), &backlog).unwrap();
    }
    let lines: Vec<String> = (0..50_000).map(|number| format!("line {number} {}", "y".repeat(200))).collect();
    std::fs::write(dir.path().join("fine"), lines.join("\n") + "\n").unwrap();
    let (sink, log, totals) = (Strict::default(), AgentLog::nowhere(), Totals::default());
    let (ledger, _) = Ledger::open(&dir.path().join("state")).unwrap();
    let engine = Engine { sink: &sink, ledger: &ledger, log: &log, totals: &totals, queue_size: 10 };
    let control = Control::default();
    control
        .follow([&DENIED[..], &["fine"]].concat().iter().map(|group| section(dir.path(), group)).collect());
    std::thread::scope(|scope| {
        scope.spawn(|| engine.run(&control));
        let begun = Instant::now();
        while sink.messages().len() < lines.len() && begun.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(20));
        }
        control.stop();
    });
    assert!(*sink.messages() == lines, "{} of {} lines came", sink.messages().len(), lines.len());
    let denied = ledger.source("denied").unwrap();
    assert!(
        denied.files.iter().all(|file| file.position.offset == 0),
        "what was refused is kept: {denied:?}"
    );
}
