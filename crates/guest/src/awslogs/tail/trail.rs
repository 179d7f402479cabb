//! The files of one section, in the order in which they are read: a log and the generations it was rotated into.
//!
//! A file is known by its inode while it is open, and always by its text: the first lines, and what precedes the place
//! reached. So it is found again after it was renamed, after it was copied and truncated, and after a restart with
//! either having happened meanwhile; and an inode that has been used again is not taken for the old file.

use super::discover::{Age, Entry, Role, id_of, modified_of};
use super::fingerprint::{Fingerprint, Position, read_at};
use crate::awslogs::config::{FingerprintLines, InitialPosition};
use crate::awslogs::state::{FileId, FileState, Ignored, SourceState};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long a text that is no longer where it was is looked for before what comes after it is read.
const SEARCH_FOR: Duration = Duration::from_secs(1);
/// How long a file of which everything was read is looked for, which holds up nothing: given up while generations are
/// being renamed, it would be taken for a new file when it is seen again, and shipped once more.
const REMEMBERED_FOR: Duration = Duration::from_secs(10);
/// How long a file that has been read and rotated away stays open: its writer may not have noticed yet.
const LINGER: Duration = Duration::from_secs(60);
/// How long a file that no name leads to stays open after its last growth.
const LINGER_UNNAMED: Duration = Duration::from_secs(10);
/// How much of two files is compared to tell a copy.
const COMPARED: usize = 4096;

/// Something that the agent's log should tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// Reading of a file begins.
    Found {
        /// The file.
        path: PathBuf,
        /// Where it begins, in bytes.
        from: u64,
    },
    /// Reading of a known file goes on under another name.
    Rotated {
        /// Its name so far.
        from: PathBuf,
        /// Its name now.
        to: PathBuf,
    },
    /// A file's text was removed or replaced.
    Replaced {
        /// The file.
        path: PathBuf,
    },
    /// What was left to read of a file is nowhere to be found.
    Lost {
        /// The file.
        path: PathBuf,
        /// Up to where it was read, in bytes.
        read: u64,
        /// How long it was when last seen.
        size: u64,
    },
    /// A file cannot be opened or read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// A file on the trail.
pub struct Followed {
    /// Names it in checkpoints.
    pub key: u64,
    /// Where it was last seen.
    pub path: PathBuf,
    /// What it is, or was.
    pub id: FileId,
    /// Its first lines, once they are there.
    pub fingerprint: Option<Fingerprint>,
    /// Where reading goes on.
    pub read: Position,
    /// How long it was at the last look.
    pub size: u64,
    place: Place,
    /// Whether the configured pattern leads to it.
    named: bool,
    on_disk: bool,
    changed: Instant,
    modified: i64,
    /// When it was last written to when it was last listed.
    listed: i64,
}

enum Place {
    /// Shared with the reading of it.
    Open(Arc<File>),
    /// On disk, read to its end, and closed.
    Parked,
    /// Not where it was.
    Lost {
        /// Since when.
        since: Instant,
        /// Something of it may be left to read: what comes after it waits until it is found or given up.
        is_wanted: bool,
    },
}

impl Followed {
    /// The open file.
    pub fn file(&self) -> Option<&Arc<File>> {
        match &self.place {
            Place::Open(file) => Some(file),
            Place::Parked | Place::Lost { .. } => None,
        }
    }

    /// What the ledger should know of it.
    pub fn state(&self) -> FileState {
        FileState {
            key: self.key,
            path: self.path.clone(),
            id: self.id,
            fingerprint: self.fingerprint,
            position: self.read,
            size: self.size.max(self.read.offset),
        }
    }

    /// How many bytes are there to be read.
    pub fn unread(&self) -> u64 {
        match self.place {
            Place::Open(_) => self.size.saturating_sub(self.read.offset),
            Place::Parked | Place::Lost { .. } => 0,
        }
    }

    fn is_empty_now(&self) -> bool {
        self.file().is_some_and(|file| file.metadata().is_ok_and(|meta| meta.len() == 0))
    }

    fn is_lost(&self) -> bool {
        matches!(self.place, Place::Lost { .. })
    }

    /// Whether `file` has this file's text.
    fn is_of(&self, file: &File) -> io::Result<bool> {
        let is_same = match &self.fingerprint {
            Some(print) => print.is_of(file)?,
            None => true,
        };
        Ok(is_same && self.read.is_in(file)?)
    }

    fn bind(&mut self, file: File, entry: &Entry, now: Instant) {
        self.place = Place::Open(Arc::new(file));
        self.id = entry.id;
        self.path.clone_from(&entry.path);
        self.named = entry.role == Role::Named;
        self.on_disk = true;
        self.size = entry.size;
        self.modified = entry.modified;
        self.listed = entry.modified;
        self.changed = now;
    }
}

/// What is to be done with the file at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// There is nothing to read in it: go on with the next.
    Pass,
    /// Read it. What follows it in the trail may be read when it is at its end.
    Read {
        /// Whether it has not grown for so long that its last event is whole.
        is_quiet: bool,
        /// Whether it will not grow any more.
        is_closed: bool,
        /// Whether a line that has not ended keeps what follows it in the trail waiting.
        holds_up: bool,
    },
    /// Wait: what comes next in the order is being looked for.
    Wait,
}

/// The files of one section.
pub struct Trail {
    files: Vec<Followed>,
    ignored: Vec<Ignored>,
    /// Copies of files followed, as they are made by `copytruncate` before it truncates.
    copies: Vec<Ignored>,
    /// Generations without a line, and since when they have been seen.
    awaited: Vec<(FileId, Instant)>,
    lines: FingerprintLines,
    /// How long a file must not have grown for its last event to be whole.
    quiet: Duration,
    look_again: bool,
    /// There is a file of which the next look tells what it is. What may be younger is not begun before that.
    holds: bool,
    /// The keys of files that were given up, until somebody is told.
    given_up: Vec<u64>,
}

static NEXT_KEY: AtomicU64 = AtomicU64::new(1);

fn next_key() -> u64 {
    NEXT_KEY.fetch_add(1, Ordering::Relaxed)
}

/// Whether a file last written to at `modified` may still be in the making.
fn is_recent(modified: i64) -> bool {
    let age = jiff::Timestamp::now().as_nanosecond() - i128::from(modified);
    (0..SEARCH_FOR.as_nanos() as i128).contains(&age)
}

fn as_ignored(entry: &Entry) -> Ignored {
    Ignored { id: entry.id, size: entry.size, modified: entry.modified }
}

impl Trail {
    /// The first look at a section of which nothing is known: the file last written to is read from `from` on, those
    /// before it are left alone.
    pub fn begin(
        mut entries: Vec<Entry>,
        lines: FingerprintLines,
        from: InitialPosition,
        quiet: Duration,
    ) -> (Self, Vec<Note>) {
        let mut trail = Self::empty(lines, quiet);
        let mut notes = Vec::new();
        Entry::sort(&mut entries);
        let newest = entries.iter().rposition(|entry| entry.role == Role::Named).map(|at| entries.remove(at));
        trail.ignored = entries.iter().map(as_ignored).collect();
        if let Some(entry) = newest {
            trail.adopt(&entry, from, &mut notes);
        }
        (trail, notes)
    }

    /// What was known of a section goes on. Keys are given to its files, in `state`, too.
    pub fn resume(state: &mut SourceState, lines: FingerprintLines, quiet: Duration, now: Instant) -> Self {
        let mut trail = Self::empty(lines, quiet);
        trail.ignored.clone_from(&state.ignored);
        // Of a file that was empty there is nothing to know it by: it is found like a new one.
        state.files.retain(|file| file.fingerprint.is_some() || file.position.offset > 0);
        let count = state.files.len();
        for (index, file) in state.files.iter_mut().enumerate() {
            file.key = next_key();
            // All but the last were read to their ends, unless it says otherwise.
            let is_wanted = index + 1 == count || file.position.offset < file.size;
            trail.files.push(Followed {
                key: file.key,
                path: file.path.clone(),
                id: file.id,
                fingerprint: file.fingerprint,
                read: file.position,
                size: file.size,
                place: Place::Lost { since: now, is_wanted },
                named: true,
                on_disk: false,
                changed: now,
                modified: 0,
                listed: 0,
            });
        }
        trail
    }

    fn empty(lines: FingerprintLines, quiet: Duration) -> Self {
        Self {
            files: Vec::new(),
            ignored: Vec::new(),
            copies: Vec::new(),
            awaited: Vec::new(),
            lines,
            quiet,
            look_again: false,
            holds: false,
            given_up: Vec::new(),
        }
    }

    /// What should be remembered of it before anything is shipped.
    pub fn state(&self) -> SourceState {
        SourceState {
            last_time: None,
            files: self.files.iter().map(Followed::state).collect(),
            ignored: self.ignored.clone(),
        }
    }

    /// How many files there are.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The file at `index`, in the order of reading.
    pub fn file(&self, index: usize) -> &Followed {
        &self.files[index]
    }

    /// The file at `index`, to say how far it has been read.
    pub fn file_mut(&mut self, index: usize) -> &mut Followed {
        &mut self.files[index]
    }

    /// The paths that the pattern led to.
    pub fn named_paths(&self) -> Vec<&Path> {
        self.files.iter().filter(|file| file.named).map(|file| file.path.as_path()).collect()
    }

    /// How many bytes are there to be read.
    pub fn unread(&self) -> u64 {
        self.files.iter().map(Followed::unread).sum()
    }

    /// Whether files should be looked for although no folder has changed.
    pub fn wants_look(&self) -> bool {
        self.look_again || self.files.iter().any(Followed::is_lost)
    }

    /// Compares what is on disk with what is known.
    pub fn update(&mut self, mut entries: Vec<Entry>, now: Instant) -> Vec<Note> {
        let mut notes = Vec::new();
        self.look_again = false;
        self.holds = false;
        for file in &mut self.files {
            file.on_disk = false;
        }
        self.ignored.retain(|ignored| entries.iter().any(|entry| entry.id == ignored.id));
        self.copies.retain(|copy| entries.iter().any(|entry| entry.id == copy.id));
        self.awaited.retain(|(id, _)| entries.iter().any(|entry| entry.id == *id));
        let is_left = |trail: &Self, entry: &Entry| {
            let same = as_ignored(entry);
            trail.ignored.contains(&same) || trail.copies.contains(&same)
        };
        entries.retain(|entry| !self.is_known(entry, now, &mut notes));
        entries.retain(|entry| !is_left(self, entry));
        // A copy that is being made of a file never read is told by the first lines of that file.
        for file in self.files.iter_mut().filter(|file| file.fingerprint.is_none()) {
            let print = file.file().map(|open| Fingerprint::of(open, self.lines));
            file.fingerprint = print.and_then(Result::ok).flatten();
        }
        Entry::sort(&mut entries);
        // Before a copy could be taken for it, each lost file that is still in its inode.
        entries.retain(|entry| !self.is_back(entry, now, &mut notes));
        for entry in &entries {
            if !self.place(entry, now, &mut notes) {
                self.look_again = true;
                self.holds = true;
                break;
            }
        }
        self.give_up_search(now, &mut notes);
        notes
    }

    fn is_known(&mut self, entry: &Entry, now: Instant, notes: &mut Vec<Note>) -> bool {
        let is_at = |file: &&mut Followed| file.id == entry.id && !file.is_lost();
        let Some(file) = self.files.iter_mut().find(is_at) else { return false };
        file.on_disk = true;
        file.listed = entry.modified;
        file.named = entry.role == Role::Named;
        let is_changed = (file.size, file.modified) != (entry.size, entry.modified);
        let is_same = match &file.place {
            _ if !is_changed => true,
            Place::Open(open) => file.is_of(open).unwrap_or_default(),
            Place::Parked | Place::Lost { .. } => match File::open(&entry.path) {
                Ok(opened) if file.is_of(&opened).unwrap_or_default() => {
                    file.bind(opened, entry, now);
                    true
                }
                _ => false,
            },
        };
        if !is_same {
            // What is in the inode now is placed anew, and its former text is looked for.
            notes.push(Note::Replaced { path: file.path.clone() });
            file.place = Place::Lost { since: now, is_wanted: true };
            self.copies.clear();
            return false;
        }
        if file.path != entry.path {
            notes.push(Note::Rotated { from: file.path.clone(), to: entry.path.clone() });
            file.path.clone_from(&entry.path);
        }
        true
    }

    /// Whether a lost file is still, or again, in this inode. Several may have been there one after the other.
    fn is_back(&mut self, entry: &Entry, now: Instant, notes: &mut Vec<Note>) -> bool {
        if !self.files.iter().any(|file| file.is_lost() && file.id.ino == entry.id.ino) {
            return false;
        }
        let opened = File::open(&entry.path).and_then(|file| Ok((id_of(&file.metadata()?), file)));
        let Some((_, file)) = opened.ok().filter(|(id, _)| *id == entry.id) else { return false };
        let was_here = |known: &&mut Followed| {
            known.is_lost() && known.id.ino == entry.id.ino && known.is_of(&file).unwrap_or_default()
        };
        let Some(lost) = self.files.iter_mut().find(was_here) else { return false };
        if lost.path != entry.path {
            notes.push(Note::Rotated { from: lost.path.clone(), to: entry.path.clone() });
        }
        lost.bind(file, entry, now);
        true
    }

    /// Decides what a file is that no open file is known to be. False when that cannot be told before the next look.
    fn place(&mut self, entry: &Entry, now: Instant, notes: &mut Vec<Note>) -> bool {
        let opened = File::open(&entry.path).and_then(|file| Ok((id_of(&file.metadata()?), file)));
        let found = opened.and_then(|(id, file)| Ok((id, Fingerprint::of(&file, self.lines)?, file)));
        let (id, print, file) = match found {
            Ok(found) => found,
            Err(err) if err.kind() == io::ErrorKind::NotFound => return false,
            Err(err) => {
                notes.push(Note::Unreadable { path: entry.path.clone(), reason: err.to_string() });
                return true;
            }
        };
        if id != entry.id {
            // It was renamed just now.
            return false;
        }
        match &print {
            Some(print) if self.is_twin(print, &file, entry, now, notes) => return true,
            // It may be a copy that is being made. Whose generation it is shows when it has a line.
            None if entry.role == Role::Generation => {
                self.look_again = true;
                return !self.is_awaited(entry, now);
            }
            _ => {}
        }
        match self.lost_with_text_of(&file) {
            Some(index) => self.files[index].bind(file, entry, now),
            None => self.adopt(entry, InitialPosition::StartOfFile, notes),
        }
        true
    }

    /// Whether a generation without a line was made so recently that one may still come.
    fn is_awaited(&mut self, entry: &Entry, now: Instant) -> bool {
        let known = self.awaited.iter().find(|(id, _)| *id == entry.id).map(|(_, since)| *since);
        let since = known.unwrap_or(now);
        if known.is_none() {
            self.awaited.push((entry.id, now));
        }
        is_recent(entry.modified) && now.saturating_duration_since(since) < SEARCH_FOR
    }

    /// The lost file whose text `file` has.
    fn lost_with_text_of(&self, file: &File) -> Option<usize> {
        self.files.iter().position(|lost| {
            lost.is_lost() && lost.fingerprint.is_some() && lost.is_of(file).unwrap_or_default()
        })
    }

    /// Whether `file`, which begins like others, is a copy of one, and then does what is to be done about it.
    fn is_twin(
        &mut self,
        print: &Fingerprint,
        file: &File,
        entry: &Entry,
        now: Instant,
        notes: &mut Vec<Note>,
    ) -> bool {
        for known in self.files.iter_mut().filter(|known| known.fingerprint.as_ref() == Some(print)) {
            // Compared before it is known whether there was still something to compare with.
            let is_copy = !known.is_lost() && known.is_copied_to(file, entry.size);
            if known.file().is_some_and(|open| !known.is_of(open).unwrap_or_default()) {
                // The copy was made and the file truncated since the last look.
                notes.push(Note::Replaced { path: known.path.clone() });
                known.place = Place::Lost { since: now, is_wanted: true };
                self.look_again = true;
            } else if is_copy {
                self.copies.push(as_ignored(entry));
                return true;
            }
        }
        false
    }

    /// Where a new file belongs in the order: after all others, but for those that are younger and have not been read.
    fn place_of(&self, entry: &Entry) -> usize {
        let is_younger = |file: &Followed| {
            let is_unread = file.read.offset == 0 && !file.is_lost();
            // It may have been written to since it was listed.
            let now = file.file().and_then(|open| open.metadata().ok()).map(|meta| modified_of(&meta));
            let modified = now.unwrap_or(file.listed).max(file.listed);
            is_unread && Age::of(modified, file.named, &file.path) > entry.age()
        };
        self.files.iter().rposition(|file| !is_younger(file)).map_or(0, |last| last + 1)
    }

    /// Begins to follow a file.
    fn adopt(&mut self, entry: &Entry, from: InitialPosition, notes: &mut Vec<Note>) {
        let opened = File::open(&entry.path).and_then(|file| {
            let print = Fingerprint::of(&file, self.lines)?;
            let read = match from {
                InitialPosition::StartOfFile => Position::start(),
                InitialPosition::EndOfFile => Position::at(&file, entry.size)?,
            };
            Ok((id_of(&file.metadata()?), print, read, file))
        });
        match opened {
            Ok((id, fingerprint, read, file)) if id == entry.id => {
                notes.push(Note::Found { path: entry.path.clone(), from: read.offset });
                let place = self.place_of(entry);
                let followed = Followed {
                    key: next_key(),
                    path: entry.path.clone(),
                    id,
                    fingerprint,
                    read,
                    size: entry.size,
                    place: Place::Open(Arc::new(file)),
                    named: entry.role == Role::Named,
                    on_disk: true,
                    changed: Instant::now(),
                    modified: entry.modified,
                    listed: entry.modified,
                };
                self.files.insert(place, followed);
            }
            Ok(_) => self.look_again = true,
            Err(err) => notes.push(Note::Unreadable { path: entry.path.clone(), reason: err.to_string() }),
        }
    }

    fn give_up_search(&mut self, now: Instant, notes: &mut Vec<Note>) {
        let last = self.files.len();
        let mut index = 0;
        let given_up = &mut self.given_up;
        self.files.retain(|file| {
            index += 1;
            let Place::Lost { since, is_wanted } = file.place else { return true };
            let patience = if is_wanted { SEARCH_FOR } else { REMEMBERED_FOR };
            let keeps = now.saturating_duration_since(since) < patience;
            if !keeps {
                given_up.push(file.key);
            }
            if is_wanted && !keeps && (file.size > file.read.offset || index == last) {
                notes.push(Note::Lost { path: file.path.clone(), read: file.read.offset, size: file.size });
            }
            keeps
        });
    }

    /// Says that the file at `index` no longer has its text: it was truncated or written anew.
    pub fn lose(&mut self, index: usize, now: Instant) -> Note {
        let file = &mut self.files[index];
        file.place = Place::Lost { since: now, is_wanted: true };
        // Its copy has been there before.
        self.copies.clear();
        self.look_again = true;
        Note::Replaced { path: file.path.clone() }
    }

    /// Looks at the file at `index` and says what to do with it.
    ///
    /// # Errors
    /// When it cannot be looked at.
    pub fn step(&mut self, index: usize, now: Instant) -> io::Result<Step> {
        let has_successor = index + 1 < self.files.len();
        // An empty file says nothing about whether this one has had its day.
        let is_last = self.files[index + 1..].iter().all(Followed::is_empty_now);
        let file = &mut self.files[index];
        if self.holds && file.read.offset == 0 {
            return Ok(Step::Wait);
        }
        let meta = match &file.place {
            Place::Lost { is_wanted: true, .. } => return Ok(Step::Wait),
            Place::Lost { is_wanted: false, .. } | Place::Parked => return Ok(Step::Pass),
            Place::Open(open) => open.metadata()?,
        };
        let (size, modified) = (meta.len(), modified_of(&meta));
        let is_changed = (size, modified) != (file.size, file.modified);
        if is_changed {
            // A shorter file was truncated: how long it was tells what is lost.
            file.size = if size < file.read.offset { file.size } else { size };
            file.modified = modified;
            file.changed = now;
        }
        let still = now.saturating_duration_since(file.changed);
        // A file of the same length that was written to may be another text.
        if file.read.offset == size && !is_changed {
            if !is_last && file.on_disk && still >= LINGER {
                file.place = Place::Parked;
            }
            return Ok(Step::Pass);
        }
        let is_away = !file.on_disk || (has_successor && !file.named);
        let is_closed = (is_away && still >= self.quiet) || (!is_last && still >= LINGER);
        Ok(Step::Read { is_quiet: !is_last || is_away || still >= self.quiet, is_closed, holds_up: is_away })
    }

    /// Takes the first lines of the file at `index`, if they are there now. None when the file turns out to be a copy,
    /// which is then left alone.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn settle(&mut self, index: usize) -> io::Result<Option<bool>> {
        let file = &self.files[index];
        if file.fingerprint.is_some() {
            return Ok(Some(true));
        }
        let Place::Open(open) = &file.place else { return Ok(Some(false)) };
        let Some(print) = Fingerprint::of(open, self.lines)? else { return Ok(Some(false)) };
        let is_copy = |known: &Followed| {
            known.fingerprint == Some(print) && !known.is_lost() && known.is_copied_to(open, file.size)
        };
        if self.files.iter().any(is_copy) {
            let copy = Ignored { id: file.id, size: file.size, modified: 0 };
            self.copies.push(copy);
            self.files.remove(index);
            self.look_again = true;
            return Ok(None);
        }
        let is_gone =
            |known: &Followed| known.file().is_some_and(|file| !known.is_of(file).unwrap_or_default());
        if self.files.iter().any(|known| known.fingerprint == Some(print) && is_gone(known)) {
            // Truncated just now: this may be the copy that was made of it before.
            self.look_again = true;
            return Ok(Some(false));
        }
        self.files[index].fingerprint = Some(print);
        Ok(Some(true))
    }

    /// Removes the files that need not be remembered: read to their ends and gone from the disk, or given up. Returns
    /// their keys. To be called when all that was read has been shipped.
    pub fn forget(&mut self, now: Instant) -> Vec<u64> {
        let mut forgotten = std::mem::take(&mut self.given_up);
        self.files.retain(|file| {
            let lingers = match file.place {
                Place::Open(_) => {
                    file.on_disk || now.saturating_duration_since(file.changed) < LINGER_UNNAMED
                }
                Place::Parked => file.on_disk,
                Place::Lost { .. } => true,
            };
            let keeps = lingers || file.read.offset < file.size;
            if !keeps {
                forgotten.push(file.key);
            }
            keeps
        });
        forgotten
    }

    /// Goes back to what has been shipped. A file that was closed at its end is looked for again.
    pub fn rewind(&mut self, shipped: &SourceState, now: Instant) {
        for file in &mut self.files {
            let known = shipped.files.iter().find(|known| known.key == file.key);
            let read = known.map_or_else(Position::start, |known| known.position);
            if matches!(file.place, Place::Parked) && read != file.read {
                file.place = Place::Lost { since: now, is_wanted: true };
                self.look_again = true;
            }
            file.read = read;
        }
    }
}

impl Followed {
    /// Whether `other`, `size` bytes long, is a copy of this file, or of its beginning.
    fn is_copied_to(&self, other: &File, size: u64) -> bool {
        let Some(own) = self.file() else {
            // Closed since it was read to its end.
            return size >= self.read.offset && self.read.is_in(other).unwrap_or_default();
        };
        if size > self.size.max(own.metadata().map(|meta| meta.len()).unwrap_or_default()) {
            return false;
        }
        let part = |file: &File, from: u64| {
            let mut bytes = vec![0; COMPARED.min(usize::try_from(size - from).unwrap_or(COMPARED))];
            read_at(file, &mut bytes, from).ok().filter(|count| *count == bytes.len()).map(|_| bytes)
        };
        let end = size.saturating_sub(COMPARED as u64);
        [0, end].iter().all(|from| {
            let bytes = part(own, *from);
            bytes.is_some() && bytes == part(other, *from)
        })
    }
}
