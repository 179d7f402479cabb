//! One section of the configuration at work: its files read, cut into events, timed and gathered in batches.

use super::batch::{Batch, Builder, Clock, Limits, MAX_MESSAGE, Stamp};
use super::config::{LineStart, LogStreamSettings};
use super::datetime::TimeFinder;
use super::log::AgentLog;
use super::moment::Moment;
use super::ship::Target;
use super::ship::depot::{Depot, QueueId};
use super::state::{Checkpoint, Ledger, SourceState};
use super::status::{StreamStatus, Totals};
use super::tail::discover::{Entry, Folders, Search};
use super::tail::lines::{End, Span, Splitter, text_of};
use super::tail::trail::{Followed, Note, Step, Trail};
use super::tail::window::{ReadError, Window};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How long a file must not have grown for its last event to be whole, and for a rotated one's last line to be.
const QUIET: Duration = Duration::from_secs(1);
/// How much of a source is read in one turn, in bytes: others wait for theirs.
const TURN: usize = 4 << 20;

/// What all sources share.
pub struct Context<'a> {
    /// Where batches go.
    pub depot: &'a Depot,
    /// What is known of files.
    pub ledger: &'a Ledger,
    /// Counts.
    pub totals: &'a Totals,
    /// The agent's log.
    pub log: &'a AgentLog,
    /// Time.
    pub clock: Clock,
}

/// When a turn is, and how much time there is.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Now.
    pub now: Instant,
    /// The agent ends: what has not ended is taken for whole.
    pub hurries: bool,
}

/// How a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// There is no more to read for now.
    Idle,
    /// There is more to read.
    More,
    /// There may be more to read, but no room for it.
    Blocked,
}

/// A section at work.
pub struct Source {
    settings: LogStreamSettings,
    /// Shared, since a copy of a regular expression would come with memory of its own.
    rule: Arc<LineStart>,
    target: Target,
    search: Search,
    trail: Option<Trail>,
    queue: QueueId,
    builder: Builder,
    finder: Option<TimeFinder>,
    /// The last time found, for events without one.
    last_time: Option<i64>,
    /// The files that the batch in the making has something of.
    touched: BTreeSet<u64>,
    /// Since when there has been something unread.
    unread_since: Option<Instant>,
    /// No more is read; what there is is sent.
    leaving: bool,
    unreadable: BTreeSet<PathBuf>,
    /// Its log group and stream have been asked for, or will be with its first events.
    announced: bool,
}

impl Source {
    /// A section that is to be followed.
    pub fn new(settings: LogStreamSettings, cx: &Context<'_>) -> Self {
        let target = Target {
            group: settings.log_group_name.clone(),
            stream: settings.log_stream_name.clone(),
            retention: settings.retention_in_days,
        };
        let limits =
            Limits { count: settings.batch_count, size: settings.batch_size, age: settings.buffer_duration };
        let format = settings.datetime_format.clone();
        Self {
            queue: cx.depot.open(&settings.section, target.clone()),
            search: Search::pattern(&settings.file, settings.blacklist.as_ref()),
            trail: None,
            builder: Builder::new(limits),
            finder: format.map(|format| TimeFinder::new(format, settings.time_zone)),
            last_time: None,
            touched: BTreeSet::new(),
            unread_since: None,
            leaving: false,
            unreadable: BTreeSet::new(),
            announced: false,
            target,
            rule: Arc::new(settings.multi_line_start_pattern.clone()),
            settings,
        }
    }

    /// What it was made of.
    pub fn settings(&self) -> &LogStreamSettings {
        &self.settings
    }

    /// Looks for its files. True when the ledger must be synced before anything is read.
    pub fn look(&mut self, folders: &mut Folders, cx: &Context<'_>, now: Instant) -> bool {
        if self.leaving {
            return false;
        }
        let followed = self.trail.as_ref().map(Trail::named_paths).unwrap_or_default();
        if self.trail.as_ref().is_none_or(Trail::wants_look) {
            self.search.look_again();
        }
        let entries = self.search.look(folders, &followed);
        if let Some(entries) = entries {
            if self.trail.is_none() && self.begin(&entries, cx, now) {
                return true;
            }
            let notes = self.trail.as_mut().map(|trail| trail.update(entries, now));
            self.tell(notes.unwrap_or_default(), cx);
        }
        self.forget(cx, now);
        false
    }

    fn begin(&mut self, entries: &[Entry], cx: &Context<'_>, now: Instant) -> bool {
        let section = &self.settings.section;
        let lines = self.settings.file_fingerprint_lines;
        if let Some(mut state) = cx.ledger.source(section) {
            self.last_time = state.last_time;
            self.trail = Some(Trail::resume(&mut state, lines, QUIET, now));
            cx.ledger.begin(section, state);
            return false;
        }
        let (trail, notes) = Trail::begin(entries.to_vec(), lines, self.settings.initial_position, QUIET);
        cx.ledger.begin(section, trail.state());
        self.trail = Some(trail);
        self.tell(notes, cx);
        true
    }

    /// Reads what there is, up to a turn's share.
    pub fn turn(&mut self, window: &mut Window, cx: &Context<'_>, pace: Pace) -> Turn {
        if self.leaving {
            return Turn::Idle;
        }
        if cx.depot.went_back(self.queue) {
            self.go_back(cx, pace.now);
        }
        if cx.depot.rests(self.queue, pace.now) {
            return Turn::Idle;
        }
        let Some(mut trail) = self.trail.take() else { return Turn::Idle };
        let turn = self.read_trail(&mut trail, window, cx, pace);
        let unread = trail.unread();
        self.unread_since = if unread == 0 { None } else { self.unread_since.or(Some(pace.now)) };
        self.trail = Some(trail);
        turn
    }

    /// Begins again where the service's knowledge ends.
    fn go_back(&mut self, cx: &Context<'_>, now: Instant) {
        let shipped = cx.ledger.source(&self.settings.section).unwrap_or_default();
        self.builder.clear();
        self.touched.clear();
        self.announced = false;
        self.last_time = shipped.last_time;
        if let Some(trail) = &mut self.trail {
            trail.rewind(&shipped, now);
        }
    }

    fn read_trail(&mut self, trail: &mut Trail, window: &mut Window, cx: &Context<'_>, pace: Pace) -> Turn {
        let now = pace.now;
        let mut share = TURN;
        let mut index = 0;
        while index < trail.len() {
            let step = match trail.step(index, now) {
                Ok(step) => step,
                Err(err) => {
                    self.unreadable(&trail.file(index).path.clone(), &err.to_string(), cx);
                    Step::Pass
                }
            };
            let (is_quiet, is_closed, holds_up) = match step {
                Step::Pass => {
                    index += 1;
                    continue;
                }
                Step::Wait => return Turn::Blocked,
                Step::Read { is_quiet, is_closed, holds_up } => (is_quiet, is_closed, holds_up),
            };
            match trail.settle(index) {
                Ok(Some(true)) => {}
                Ok(Some(false)) if is_closed => {}
                // Its first lines are not all there.
                Ok(Some(false)) if holds_up => return Turn::Idle,
                Ok(Some(false)) => {
                    index += 1;
                    continue;
                }
                Ok(None) => continue,
                Err(err) => {
                    self.unreadable(&trail.file(index).path.clone(), &err.to_string(), cx);
                    index += 1;
                    continue;
                }
            }
            let end = if is_closed {
                End::Closed
            } else if is_quiet || pace.hurries {
                End::Quiet
            } else {
                End::Open
            };
            match self.read_file(trail, index, end, window, cx, &mut share) {
                Ok(FileTurn::AtEnd { is_whole: false }) if holds_up => return Turn::Idle,
                Ok(FileTurn::AtEnd { .. }) => index += 1,
                Ok(FileTurn::More) => return Turn::More,
                Ok(FileTurn::Blocked) => return Turn::Blocked,
                Err(ReadError::Replaced) => {
                    let note = trail.lose(index, now);
                    self.tell(vec![note], cx);
                    return Turn::More;
                }
                Err(ReadError::Io(err)) => {
                    self.unreadable(&trail.file(index).path.clone(), &err.to_string(), cx);
                    index += 1;
                }
            }
        }
        Turn::Idle
    }

    fn read_file(
        &mut self,
        trail: &mut Trail,
        index: usize,
        end: End,
        window: &mut Window,
        cx: &Context<'_>,
        share: &mut usize,
    ) -> Result<FileTurn, ReadError> {
        let followed = trail.file(index);
        let print = followed.fingerprint;
        let Some(file) = followed.file().map(Arc::clone) else {
            return Ok(FileTurn::AtEnd { is_whole: true });
        };
        window.load(&file, &followed.read, print.as_ref())?;
        loop {
            let end = if window.is_at_end() { end } else { End::Open };
            let (consumed, is_blocked) = self.take_events(trail, index, end, window, cx);
            trail.file_mut(index).read = window.position(consumed);
            if is_blocked {
                return Ok(FileTurn::Blocked);
            }
            if window.is_at_end() {
                return Ok(FileTurn::AtEnd { is_whole: consumed == window.unread().len() });
            }
            *share = share.saturating_sub(consumed);
            if *share == 0 {
                return Ok(FileTurn::More);
            }
            window.advance(&file, consumed, print.as_ref())?;
        }
    }

    /// Takes the events in the window, as long as there is room for them. Returns how many bytes they are, and whether
    /// room was missing.
    fn take_events(
        &mut self,
        trail: &mut Trail,
        index: usize,
        end: End,
        window: &Window,
        cx: &Context<'_>,
    ) -> (usize, bool) {
        let rule = Arc::clone(&self.rule);
        let data = window.unread();
        let key = trail.file(index).key;
        let mut moment = Moment::now(&cx.clock);
        let mut splitter = Splitter::new(data, &rule, end, MAX_MESSAGE);
        let mut taken = 0;
        for span in splitter.by_ref() {
            if !self.builder.fits(span.end - span.start) {
                trail.file_mut(index).read = window.position(taken);
                if taken > 0 {
                    self.touched.insert(key);
                }
                if !self.hand_over(trail, cx) {
                    return (taken, true);
                }
                moment = Moment::now(&cx.clock);
            }
            self.take_event(data, span, moment, cx);
            taken = span.next;
        }
        let consumed = splitter.consumed();
        if consumed > 0 {
            self.touched.insert(key);
        }
        (consumed, false)
    }

    fn take_event(&mut self, data: &[u8], span: Span, moment: Moment, cx: &Context<'_>) {
        let raw = text_of(&data[span.start..span.end]);
        let text = self.settings.encoding.decode(&raw);
        // A file truncated under a writer that does not append begins with a hole.
        let text = text.trim_start_matches('\0');
        if text.trim().is_empty()
            || !self.settings.filters.iter().all(|filter| filter.agrees(text.as_bytes()))
        {
            return;
        }
        let found = self.finder.as_mut().map(|finder| {
            finder.find(text.as_bytes(), moment.wall).filter(|found| moment.believes(found.timestamp))
        });
        let mut at = None;
        let stamp = match found {
            None => Stamp::Read(moment.read),
            Some(Some(found)) => {
                self.last_time = Some(found.timestamp);
                at = Some(found.at);
                Stamp::Said(found.timestamp)
            }
            Some(None) => {
                cx.totals.untimed.fetch_add(1, Ordering::Relaxed);
                self.last_time.map_or(Stamp::Read(moment.read), Stamp::Said)
            }
        };
        match at.filter(|_| self.settings.trim_timestamp) {
            Some(at) => self.push(stamp, &format!("{}{}", &text[..at.start], &text[at.end..])),
            None => self.push(stamp, text),
        }
    }

    /// Adds an event; one that has become too long by decoding becomes several.
    fn push(&mut self, stamp: Stamp, mut text: &str) {
        while text.len() > MAX_MESSAGE {
            let (piece, rest) = text.split_at(text.floor_char_boundary(MAX_MESSAGE));
            self.builder.push(stamp, piece);
            text = rest;
        }
        if !text.trim().is_empty() {
            self.builder.push(stamp, text);
        }
    }

    /// Hands the batch in the making over, when it has waited long enough or `now_or_never`.
    pub fn flush(&mut self, cx: &Context<'_>, now: Instant, now_or_never: bool) {
        if self.builder.is_empty() {
            if !self.touched.is_empty() && cx.depot.is_empty(self.queue) {
                self.note_blanks(cx);
            }
            self.announce(cx);
        } else if (now_or_never || self.builder.is_due(now))
            && let Some(trail) = self.trail.take()
        {
            self.hand_over(&trail, cx);
            self.trail = Some(trail);
        }
    }

    /// Files of which nothing was to be shipped have been read, too.
    fn note_blanks(&mut self, cx: &Context<'_>) {
        if let Some(trail) = self.trail.take() {
            let batch = self.seal(&trail);
            cx.ledger.note(&self.settings.section, &batch.checkpoint);
            self.trail = Some(trail);
        }
    }

    /// Asks for the log group and stream of a file that nothing has been written to yet, by a batch without events: who
    /// looks for an empty log shall find it empty, not missing. (Amazon's agent creates them with the first event.)
    fn announce(&mut self, cx: &Context<'_>) {
        let Some(trail) = self.trail.as_ref().filter(|_| !self.announced) else { return };
        let is_unread = |index| trail.file(index).read.offset == 0;
        if !trail.is_empty() && (0..trail.len()).all(is_unread) && cx.depot.has_room(self.queue) {
            self.announced = true;
            // Nothing has been read, so there is nothing to note.
            cx.depot.give(self.queue, self.builder.seal(Checkpoint::default()));
        }
    }

    fn hand_over(&mut self, trail: &Trail, cx: &Context<'_>) -> bool {
        if !cx.depot.has_room(self.queue) {
            return false;
        }
        self.announced = true;
        let batch = self.seal(trail);
        cx.depot.give(self.queue, batch);
        true
    }

    fn seal(&mut self, trail: &Trail) -> Batch {
        let touched = std::mem::take(&mut self.touched);
        let all = || (0..trail.len()).map(|index| trail.file(index));
        let files = all().filter(|file| touched.contains(&file.key)).map(Followed::state).collect();
        let order = all().map(|file| file.key).collect();
        self.builder.seal(Checkpoint { last_time: self.last_time, files, order })
    }

    /// Bytes of memory that the batch in the making takes.
    pub fn memory(&self) -> usize {
        self.builder.memory()
    }

    /// Reads no more, and sends what there is.
    pub fn leave(&mut self, cx: &Context<'_>, now: Instant) {
        self.leaving = true;
        self.flush(cx, now, true);
    }

    /// Whether it left and everything has been sent. The queue is closed then.
    pub fn has_left(&mut self, cx: &Context<'_>, now: Instant) -> bool {
        if !self.leaving {
            return false;
        }
        self.flush(cx, now, true);
        // What went back stays in its files: whoever follows them next ships it.
        let is_done =
            cx.depot.went_back(self.queue) || (self.builder.is_empty() && cx.depot.is_empty(self.queue));
        if is_done {
            cx.depot.close(self.queue);
        }
        is_done
    }

    /// Whether it is on its way out.
    pub fn is_leaving(&self) -> bool {
        self.leaving
    }

    /// How far it is behind.
    pub fn status(&self, cx: &Context<'_>, now: Instant) -> StreamStatus {
        let oldest = cx.depot.oldest(self.queue);
        let known = cx.ledger.source(&self.settings.section).unwrap_or_default();
        let since = [oldest, self.builder.opened(), self.unread_since];
        let lag_bytes = self.trail.as_ref().map_or(0, |trail| lag(trail, &known));
        let lag_seconds = since
            .into_iter()
            .flatten()
            .map(|since| now.saturating_duration_since(since).as_secs())
            .max()
            .filter(|_| lag_bytes > 0);
        StreamStatus {
            section: self.settings.section.clone(),
            group: self.target.group.clone(),
            stream: self.target.stream.clone(),
            files: self.trail.as_ref().map_or(0, Trail::len),
            lag_bytes,
            lag_seconds: lag_seconds.unwrap_or(0),
            failures: cx.depot.failures(self.queue),
        }
    }

    fn forget(&mut self, cx: &Context<'_>, now: Instant) {
        let Some(trail) = &mut self.trail else { return };
        if !cx.depot.is_empty(self.queue) || !self.builder.is_empty() {
            return;
        }
        // Nothing is on its way, so whatever was read has been shipped.
        let forgotten = trail.forget(now);
        if !forgotten.is_empty() {
            cx.ledger.forget(&self.settings.section, &forgotten);
        }
    }

    fn tell(&mut self, notes: Vec<Note>, cx: &Context<'_>) {
        let section = self.settings.section.clone();
        for note in notes {
            match note {
                Note::Found { path, from } => {
                    cx.log.info(format_args!("[{section}] reading {} from byte {from}", path.display()));
                }
                Note::Rotated { from, to } => {
                    cx.log.info(format_args!("[{section}] {} is {} now", from.display(), to.display()));
                }
                Note::Replaced { path } => {
                    cx.log.info(format_args!("[{section}] {} was truncated or replaced", path.display()));
                }
                Note::Lost { path, read, size } => cx.log.warning(format_args!(
                    "[{section}] the former text of {} is gone; {read} bytes of it had been read, and it was at least \
                     {size} long",
                    path.display()
                )),
                Note::Unreadable { path, reason } => self.unreadable(&path, &reason, cx),
            }
        }
    }

    /// Tells of a file that cannot be read, once.
    fn unreadable(&mut self, path: &Path, reason: &str, cx: &Context<'_>) {
        if self.unreadable.insert(path.to_owned()) {
            let section = &self.settings.section;
            cx.log.error(format_args!("[{section}] cannot read {}: {reason}", path.display()));
        }
    }
}

enum FileTurn {
    AtEnd { is_whole: bool },
    More,
    Blocked,
}

/// Bytes of files that have not been shipped.
fn lag(trail: &Trail, shipped: &SourceState) -> u64 {
    (0..trail.len())
        .map(|index| trail.file(index))
        .map(|file| {
            let known = shipped.files.iter().find(|known| known.key == file.key);
            let until = known.map_or(0, |known| known.position.offset);
            if file.file().is_some() { file.size.saturating_sub(until) } else { 0 }
        })
        .sum()
}

#[cfg(test)]
#[path = "source_tests.rs"]
pub(super) mod tests;
