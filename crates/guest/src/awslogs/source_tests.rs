//! A section against a model: a writer writes, rotates and truncates, the agent looks, ships and is killed, in any
//! order. What was written arrives in order, and what arrives twice is bounded.

use super::*;
use crate::awslogs::config::{
    Encoding, FilePattern, FingerprintLines, InitialPosition, LinePattern, LineStart, LogStreamSettings,
};
use crate::awslogs::datetime::{DateTimeFormat, Dialect, TimeZone};
use crate::awslogs::ship::depot::Outcome;
use proptest::prelude::*;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Most events of a batch here.
const BATCH: usize = 5;

/// A section that follows `file`.
pub(in crate::awslogs) fn settings(file: &str) -> LogStreamSettings {
    LogStreamSettings {
        section: "s".to_owned(),
        file: FilePattern::python(file).unwrap(),
        log_group_name: "g".to_owned(),
        log_stream_name: "i".to_owned(),
        datetime_format: None,
        time_zone: TimeZone::Utc,
        initial_position: InitialPosition::StartOfFile,
        encoding: Encoding::UTF_8,
        multi_line_start_pattern: LineStart::NotBlank,
        buffer_duration: Duration::from_secs(5),
        batch_count: BATCH,
        batch_size: 1 << 20,
        file_fingerprint_lines: FingerprintLines { first: 1, last: 1 },
        blacklist: None,
        filters: Vec::new(),
        trim_timestamp: false,
        retention_in_days: None,
    }
}

/// The agent's parts for one section, driven by hand.
struct Agent {
    depot: Depot,
    ledger: Ledger,
    totals: Totals,
    log: AgentLog,
    source: Option<Source>,
    folders: Folders,
    window: Window,
    clock: Clock,
}

impl Agent {
    fn start(state: &Path, settings: LogStreamSettings) -> Self {
        let mut agent = Self {
            depot: Depot::new(2),
            ledger: Ledger::open(state).unwrap().0,
            totals: Totals::default(),
            log: AgentLog::nowhere(),
            source: None,
            folders: Folders::default(),
            window: Window::default(),
            clock: Clock::default(),
        };
        agent.source = Some(agent.with(|_, _, _, cx| Source::new(settings, cx)));
        agent
    }

    fn with<T>(
        &mut self,
        work: impl FnOnce(&mut Option<Source>, &mut Folders, &mut Window, &Context<'_>) -> T,
    ) -> T {
        let cx = Context {
            depot: &self.depot,
            ledger: &self.ledger,
            totals: &self.totals,
            log: &self.log,
            clock: self.clock,
        };
        work(&mut self.source, &mut self.folders, &mut self.window, &cx)
    }

    fn look(&mut self, now: Instant) {
        self.with(|source, folders, window, cx| {
            let source = source.as_mut().unwrap();
            folders.next_look();
            if source.look(folders, cx, now) {
                cx.ledger.sync().unwrap();
            }
            while source.turn(window, cx, Pace { now, hurries: false }) == Turn::More {
                source.look(folders, cx, now);
            }
            source.flush(cx, now, true);
        });
    }

    /// Ships up to `count` batches; what was shipped.
    fn ship(&mut self, count: usize) -> Vec<String> {
        let mut shipped = Vec::new();
        for _ in 0..count {
            let queue = self.source.as_ref().unwrap().queue;
            if self.depot.oldest(queue).is_none() {
                break;
            }
            let job = self.depot.take().unwrap();
            for request in job.batch.requests(&self.clock) {
                shipped.extend(request.iter().map(|event| event.message.to_owned()));
            }
            self.ledger.note(&job.section, &job.batch.checkpoint);
            self.ledger.sync().unwrap();
            self.depot.finish(job, Outcome::Sent);
        }
        shipped
    }
}

#[derive(Debug, Clone)]
enum Action {
    /// The writer writes lines.
    Write(usize),
    /// Half a line, and the other half at the next writing.
    WriteHalf,
    /// The file is renamed, and a new one begun.
    Rename,
    /// The file is copied, and truncated.
    CopyTruncate,
    /// The agent looks and reads, seconds after the last time.
    Look(u64),
    /// Batches go.
    Ship(usize),
    /// A batch is refused, and what has been read goes back to the files.
    Refuse,
    /// A batch goes, and the agent is killed before it could note that.
    ShipAndDie,
    /// The agent is killed and starts again.
    Restart,
    /// Everything arrives; then the file is emptied.
    DrainAndTruncate,
    /// Everything arrives; then the file is removed and another begun, which may have its inode.
    DrainAndRecreate,
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        6 => (1usize..12).prop_map(Action::Write),
        2 => Just(Action::WriteHalf),
        3 => Just(Action::Rename),
        3 => Just(Action::CopyTruncate),
        6 => prop_oneof![Just(0u64), 1u64..3, Just(70)].prop_map(Action::Look),
        4 => (1usize..4).prop_map(Action::Ship),
        2 => Just(Action::Refuse),
        1 => Just(Action::ShipAndDie),
        2 => Just(Action::Restart),
        1 => Just(Action::DrainAndTruncate),
        1 => Just(Action::DrainAndRecreate),
    ]
}

struct World {
    dir: tempfile::TempDir,
    pattern: String,
    agent: Option<Agent>,
    now: Instant,
    written: Vec<String>,
    half: bool,
    received: Vec<String>,
    kills: usize,
}

impl World {
    fn new(pattern: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let pattern = format!("{}/{pattern}", dir.path().display());
        File::create(dir.path().join("app.log")).unwrap();
        let agent = Some(Agent::start(&dir.path().join("state"), settings(&pattern)));
        let now = Instant::now();
        Self { dir, pattern, agent, now, written: Vec::new(), half: false, received: Vec::new(), kills: 0 }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("app.log")
    }

    fn append(&self, text: &str) {
        let file = OpenOptions::new().create(true).append(true).open(self.path());
        file.unwrap().write_all(text.as_bytes()).unwrap();
    }

    fn write(&mut self, lines: usize) {
        for _ in 0..lines {
            if self.half {
                self.append(" end\n");
                self.half = false;
                continue;
            }
            // Lines of one length: a file written anew may be as long as the old one.
            let line = format!("line {:06}", self.written.len());
            self.append(&format!("{line}\n"));
            self.written.push(line);
        }
    }

    fn complete_line(&mut self) {
        if self.half {
            self.write(1);
        }
    }

    fn make_room(&self) {
        for number in (1..200).rev() {
            let from = self.dir.path().join(format!("app.log.{number}"));
            if from.exists() {
                std::fs::rename(from, self.dir.path().join(format!("app.log.{}", number + 1))).unwrap();
            }
        }
    }

    fn agent(&mut self) -> &mut Agent {
        self.agent.as_mut().unwrap()
    }

    fn look(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        let now = self.now;
        self.agent().look(now);
    }

    fn ship(&mut self, count: usize) {
        let shipped = self.agent().ship(count);
        self.received.extend(shipped);
    }

    fn restart(&mut self) {
        self.kills += 1;
        drop(self.agent.take());
        let state = self.dir.path().join("state");
        self.agent = Some(Agent::start(&state, settings(&self.pattern)));
    }

    fn drain(&mut self) {
        self.complete_line();
        for _ in 0..400 {
            self.look(2);
            self.ship(usize::MAX);
            if self.received.last() == self.written.last() {
                return;
            }
        }
    }

    fn apply(&mut self, action: &Action) {
        match action {
            Action::Write(lines) => self.write(*lines),
            Action::WriteHalf => {
                self.complete_line();
                let line = format!("half {:06}", self.written.len());
                self.append(&line);
                self.written.push(line + " end");
                self.half = true;
            }
            Action::Rename => {
                self.complete_line();
                self.make_room();
                std::fs::rename(self.path(), self.dir.path().join("app.log.1")).unwrap();
                File::create(self.path()).unwrap();
            }
            Action::CopyTruncate => {
                self.complete_line();
                self.make_room();
                std::fs::copy(self.path(), self.dir.path().join("app.log.1")).unwrap();
                OpenOptions::new().write(true).open(self.path()).unwrap().set_len(0).unwrap();
            }
            Action::Look(seconds) => self.look(*seconds),
            Action::Ship(count) => self.ship(*count),
            Action::Refuse => {
                let agent = self.agent();
                if agent.depot.oldest(agent.source.as_ref().unwrap().queue).is_some() {
                    let job = agent.depot.take().unwrap();
                    agent.depot.finish(job, Outcome::Back(Duration::ZERO));
                }
            }
            Action::ShipAndDie => {
                let agent = self.agent.as_mut().unwrap();
                if agent.depot.oldest(agent.source.as_ref().unwrap().queue).is_some() {
                    let job = agent.depot.take().unwrap();
                    let requests = job.batch.requests(&agent.clock);
                    self.received.extend(requests[0].iter().map(|event| event.message.to_owned()));
                }
                self.restart();
            }
            Action::Restart => self.restart(),
            Action::DrainAndTruncate => {
                self.drain();
                OpenOptions::new().write(true).open(self.path()).unwrap().set_len(0).unwrap();
            }
            Action::DrainAndRecreate => {
                self.drain();
                std::fs::remove_file(self.path()).unwrap();
                File::create(self.path()).unwrap();
            }
        }
    }

    /// Every line arrived, in the order of writing, and again only after a kill.
    fn check(&self) -> Result<(), TestCaseError> {
        let mut next = 0;
        let mut twice = 0;
        for line in &self.received {
            if self.written.get(next) == Some(line) {
                next += 1;
            } else {
                let before = self.written[..next].contains(line);
                prop_assert!(before, "{line:?} came where {:?} was due", self.written.get(next));
                twice += 1;
            }
        }
        prop_assert_eq!(next, self.written.len(), "not everything arrived");
        prop_assert!(twice <= self.kills * BATCH, "{} came twice after {} kills", twice, self.kills);
        Ok(())
    }
}

fn run(pattern: &str, actions: &[Action]) -> Result<(), TestCaseError> {
    let mut world = World::new(pattern);
    // The first look decides where reading begins: rotations before it are not the agent's to ship.
    world.look(0);
    for action in actions {
        world.apply(action);
    }
    world.write(1);
    world.drain();
    world.check()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_arrives_in_order(actions in prop::collection::vec(action(), 1..40)) {
        run("app.log", &actions)?;
    }

    #[test]
    fn what_is_written_arrives_in_order_where_the_pattern_matches_the_generations(
        actions in prop::collection::vec(action(), 1..40),
    ) {
        run("app.log*", &actions)?;
    }
}

#[test]
fn generations_that_were_never_seen_are_found_beside_the_log() {
    use Action::*;
    run("app.log", &[Write(3), Rename, Write(3), CopyTruncate, Write(3), Rename, Write(2), Look(0)]).unwrap();
    run("app.log", &[Write(3), Look(0), Ship(9), CopyTruncate, Write(3), CopyTruncate, Write(9), Restart])
        .unwrap();
}

fn shipped_of(bytes: &[u8], change: impl FnOnce(&mut LogStreamSettings)) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.log");
    std::fs::write(&path, bytes).unwrap();
    let mut settings = settings(&path.display().to_string());
    settings.batch_count = 100;
    change(&mut settings);
    let mut agent = Agent::start(&dir.path().join("state"), settings);
    let now = Instant::now();
    agent.look(now);
    agent.look(now + Duration::from_secs(2));
    agent.ship(usize::MAX)
}

#[test]
fn events_are_decoded_filtered_and_split() {
    assert_eq!(shipped_of(b"a\n b\nc\n", |_| ()), ["a\n b", "c"]);
    assert_eq!(shipped_of(b"caf\xe9\n", |s| s.encoding = Encoding::of_python("latin_1").unwrap()), ["café"]);
    assert_eq!(shipped_of(b"a\xffb\n", |_| ()), ["a\u{fffd}b"]);
    assert_eq!(shipped_of(b"\0\0\0a\n\0\n  \nb\n", |_| ()), ["a", "b"]);
    let filter =
        |keeps| crate::awslogs::config::Filter { keeps, expression: LinePattern::new("GET").unwrap() };
    assert_eq!(shipped_of(b"GET /\nPOST /\n", |s| s.filters = vec![filter(true)]), ["GET /"]);
    assert_eq!(shipped_of(b"GET /\nPOST /\n", |s| s.filters = vec![filter(false)]), ["POST /"]);
    // Each byte becomes three: what fitted before does not any more.
    let long = [vec![0xff; MAX_MESSAGE], b"\n".to_vec()].concat();
    let shipped = shipped_of(&long, |_| ());
    assert_eq!(shipped.iter().map(String::len).sum::<usize>(), 3 * MAX_MESSAGE);
    assert!(shipped.iter().all(|event| event.len() <= MAX_MESSAGE));
}

#[test]
fn the_first_file_is_read_from_where_it_is_to_be() {
    assert_eq!(
        shipped_of(b"old\n", |s| s.initial_position = InitialPosition::EndOfFile),
        Vec::<String>::new()
    );
    // Fewer lines than the fingerprint has: they wait.
    assert_eq!(shipped_of(b"a\nb\n", |s| s.file_fingerprint_lines.last = 3), Vec::<String>::new());
    assert_eq!(shipped_of(b"a\nb\nc\n", |s| s.file_fingerprint_lines.last = 3), ["a", "b", "c"]);
}

#[test]
fn of_several_files_the_newest_is_read_first_and_older_ones_when_they_grow() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["app.log.2", "app.log.1", "app.log"] {
        std::fs::write(dir.path().join(name), format!("{name}\n")).unwrap();
        std::thread::sleep(Duration::from_millis(20));
    }
    let pattern = format!("{}/app.log*", dir.path().display());
    let mut agent = Agent::start(&dir.path().join("state"), settings(&pattern));
    let now = Instant::now();
    agent.look(now);
    agent.look(now + Duration::from_secs(2));
    assert_eq!(agent.ship(usize::MAX), ["app.log"]);
    let mut old = OpenOptions::new().append(true).open(dir.path().join("app.log.1")).unwrap();
    old.write_all(b"grown\n").unwrap();
    std::thread::sleep(Duration::from_millis(10));
    // A folder does not change when a file in it grows: it is looked at every few seconds.
    agent.source.as_mut().unwrap().search.look_again();
    agent.look(now + Duration::from_secs(4));
    agent.look(now + Duration::from_secs(6));
    assert_eq!(agent.ship(usize::MAX), ["app.log.1", "grown"]);
}

#[test]
fn a_log_that_is_empty_yet_is_announced_once_and_one_with_lines_is_not() {
    let mut world = World::new("app.log");
    world.look(0);
    let job = world.agent().depot.take().unwrap();
    assert!(job.batch.is_empty());
    world.agent().depot.finish(job, Outcome::Sent);
    world.look(2);
    let queue = world.agent().source.as_ref().unwrap().queue;
    assert!(world.agent().depot.is_empty(queue), "once is enough");
    world.write(1);
    world.drain();
    assert_eq!(world.received, world.written);

    let mut world = World::new("app.log");
    world.write(1);
    world.look(2);
    assert_eq!(world.agent().depot.take().unwrap().batch.len(), 1);
}

#[test]
fn a_time_that_the_service_would_refuse_is_replaced_by_that_of_the_reading() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("app.log");
    let now = jiff::Timestamp::now();
    let line = |hours: i64| {
        let time = now + jiff::SignedDuration::from_hours(hours);
        format!("{} in {hours} hours", time.strftime("%Y-%m-%dT%H:%M:%SZ"))
    };
    std::fs::write(&file, format!("{}\n{}\n", line(5), line(-1))).unwrap();
    let format = DateTimeFormat::new("%Y-%m-%dT%H:%M:%SZ", Dialect::Python).unwrap();
    let settings = LogStreamSettings { datetime_format: Some(format), ..settings(file.to_str().unwrap()) };
    let mut agent = Agent::start(&dir.path().join("state"), settings);
    let mut times = Vec::new();
    // Whether the last line has ended shows a little later.
    for seconds in [0, 2] {
        agent.look(Instant::now() + Duration::from_secs(seconds));
        let job = agent.depot.take().unwrap();
        let requests = job.batch.requests(&Clock::default());
        times.extend(requests[0].iter().map(|event| (event.message.to_owned(), event.timestamp)));
        agent.depot.finish(job, Outcome::Sent);
    }
    let minutes = |at: usize| (times[at].1 - now.as_millisecond()) / 60_000;
    assert_eq!(times.len(), 2);
    assert!(times[0].0.ends_with("in 5 hours") && times[1].0.ends_with("in -1 hours"), "{times:?}");
    assert_eq!((minutes(0), minutes(1)), (0, -60));
}
