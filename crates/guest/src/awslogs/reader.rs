//! The reader: one thread that looks at all files in turn and fills batches, as long as there is memory for them.

use super::config::LogStreamSettings;
use super::engine::{Control, Wish};
use super::source::{Context, Pace, Source, Turn};
use super::status::Status;
use super::tail::discover::Folders;
use super::tail::window::Window;
use std::time::{Duration, Instant};

/// Most bytes of batches in memory, those on their way included. Beyond it nothing is read: the files keep the rest.
pub const MEMORY: usize = 5 << 20;
/// The pause between looks at files, while some of them grow and when none has for a while.
const BUSY: Duration = Duration::from_millis(200);
const IDLE: Duration = Duration::from_secs(1);
/// How long the last look may take when the agent ends.
const LAST_LOOK: Duration = Duration::from_secs(2);
/// The time between two lines of counts in the log.
const COUNTS: Duration = Duration::from_secs(60);

/// Reads all sections.
pub struct Reader<'a> {
    cx: Context<'a>,
    control: &'a Control,
    sources: Vec<Source>,
    /// What is to be followed once its former self has left.
    waiting: Vec<LogStreamSettings>,
    folders: Folders,
    window: Window,
    /// Who begins the next round.
    first: usize,
    pause: Duration,
    told: Instant,
    counts: String,
}

/// How a round over all sources ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Round {
    Idle,
    Read,
    NoRoom,
}

impl<'a> Reader<'a> {
    /// A reader of nothing yet.
    pub fn new(cx: Context<'a>, control: &'a Control) -> Self {
        Self {
            cx,
            control,
            sources: Vec::new(),
            waiting: Vec::new(),
            folders: Folders::default(),
            window: Window::default(),
            first: 0,
            pause: BUSY,
            told: Instant::now(),
            counts: String::new(),
        }
    }

    /// Reads until it is told to stop.
    pub fn run(&mut self) {
        loop {
            let seen = self.cx.depot.seen();
            match self.control.wish() {
                Some(Wish::Stop) => return self.stop(),
                Some(Wish::Follow(streams)) => self.follow(streams),
                None => {}
            }
            self.look();
            let round = self.round(false);
            let now = Instant::now();
            for source in &mut self.sources {
                source.flush(&self.cx, now, false);
            }
            self.part(now);
            self.tell(now);
            self.pause = match round {
                Round::Idle => (self.pause * 2).min(IDLE),
                Round::Read | Round::NoRoom => BUSY,
            };
            if round != Round::Read {
                self.cx.depot.wait(seen, round == Round::NoRoom, self.pause);
            }
        }
    }

    /// Makes the sections those of `streams`. What stays as it is goes on; what was changed is sent first.
    fn follow(&mut self, streams: Vec<LogStreamSettings>) {
        let now = Instant::now();
        for source in &mut self.sources {
            let stays = streams.iter().any(|stream| is_same(stream, source.settings()));
            if !stays && !source.is_leaving() {
                self.cx
                    .log
                    .info(format_args!("[{}] is no longer followed as it was", source.settings().section));
                source.leave(&self.cx, now);
            }
        }
        let goes_on = |stream: &LogStreamSettings| {
            self.sources
                .iter()
                .any(|source| !source.is_leaving() && source.settings().section == stream.section)
        };
        self.waiting = streams.into_iter().filter(|stream| !goes_on(stream)).collect();
        self.part(now);
    }

    /// Lets go of those that have left, and begins with those that waited for it.
    fn part(&mut self, now: Instant) {
        self.sources.retain_mut(|source| !source.has_left(&self.cx, now));
        if self.waiting.is_empty() {
            return;
        }
        let is_there = |stream: &LogStreamSettings| {
            self.sources.iter().any(|source| source.settings().section == stream.section)
        };
        let (waiting, ready): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.waiting).into_iter().partition(is_there);
        self.waiting = waiting;
        for stream in ready {
            self.cx.log.info(format_args!(
                "[{}] follows {} into {} {}",
                stream.section,
                stream.file.as_str(),
                stream.log_group_name,
                stream.log_stream_name
            ));
            self.sources.push(Source::new(stream, &self.cx));
        }
    }

    fn look(&mut self) {
        let now = Instant::now();
        self.folders.next_look();
        let mut begun = false;
        for source in &mut self.sources {
            begun |= source.look(&mut self.folders, &self.cx, now);
        }
        // Where the reading of a new section began must be known before the first of it is sent.
        if begun && let Err(err) = self.cx.ledger.sync() {
            self.cx.log.error(err);
        }
    }

    /// Gives each source its turn.
    fn round(&mut self, hurries: bool) -> Round {
        let count = self.sources.len();
        let pace = Pace { now: Instant::now(), hurries };
        let mut gathered: usize = self.sources.iter().map(Source::memory).sum();
        let mut round = Round::Idle;
        for turn in 0..count {
            let index = (self.first + turn) % count;
            if gathered + self.cx.depot.memory() >= MEMORY {
                self.first = index;
                self.make_room(pace.now);
                return Round::NoRoom;
            }
            let source = &mut self.sources[index];
            let before = source.memory();
            let turn = source.turn(&mut self.window, &self.cx, pace);
            gathered = (gathered + source.memory()).saturating_sub(before);
            round = match (turn, round) {
                (Turn::More, _) | (_, Round::Read) => Round::Read,
                (Turn::Blocked, _) => Round::NoRoom,
                (Turn::Idle, round) => round,
            };
        }
        self.first = if count == 0 { 0 } else { (self.first + 1) % count };
        round
    }

    /// With the memory full, batches that wait to become fuller go at once.
    fn make_room(&mut self, now: Instant) {
        for source in &mut self.sources {
            source.flush(&self.cx, now, true);
        }
    }

    /// Reads what there is once more and hands everything over.
    fn stop(&mut self) {
        self.cx.log.info("Ending: sending what has been read");
        let deadline = Instant::now() + LAST_LOOK;
        loop {
            let seen = self.cx.depot.seen();
            self.look();
            let round = self.round(true);
            self.make_room(Instant::now());
            if round == Round::Idle || Instant::now() >= deadline {
                break;
            }
            if round == Round::NoRoom {
                self.cx.depot.wait(seen, true, BUSY);
            }
        }
        self.cx.depot.close_all();
    }

    fn tell(&mut self, now: Instant) {
        if self.control.wants_status() {
            self.control.answer(self.status(now));
        }
        if now.saturating_duration_since(self.told) < COUNTS {
            return;
        }
        self.told = now;
        let counts = self.status(now).summary();
        if counts != self.counts {
            self.cx.log.info(&counts);
            self.counts = counts;
        }
    }

    fn status(&self, now: Instant) -> Status {
        let gathered: usize = self.sources.iter().map(Source::memory).sum();
        Status {
            waiting: (gathered + self.cx.depot.memory()) as u64,
            streams: self.sources.iter().map(|source| source.status(&self.cx, now)).collect(),
            ..Status::of(self.cx.totals)
        }
    }
}

/// Whether two sections are the same in everything. Patterns and formats are compared as they were written.
fn is_same(one: &LogStreamSettings, other: &LogStreamSettings) -> bool {
    format!("{one:?}") == format!("{other:?}")
}
