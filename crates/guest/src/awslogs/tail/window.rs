//! A part of a file in memory, and the certainty that it is still the file it was.

use super::fingerprint::{Anchor, Fingerprint, MAX_ANCHOR, Position, read_at};
use std::fs::File;
use std::io;

/// How much of a file is in memory at a time, in bytes: more than twice the longest event.
const SIZE: usize = 768 << 10;

/// Why nothing was read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// What was read before is no longer there: the file was truncated or written anew.
    #[error("the file's text is not what it was")]
    Replaced,
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The memory that every file is read into, one after the other.
pub struct Window {
    buffer: Vec<u8>,
    /// Where the unread part begins; before it is what precedes it in the file.
    begin: usize,
    end: usize,
    /// Where the unread part begins in the file.
    offset: u64,
    at_end: bool,
}

impl Default for Window {
    fn default() -> Self {
        Self { buffer: vec![0; SIZE], begin: 0, end: 0, offset: 0, at_end: false }
    }
}

impl Window {
    /// Reads `file` from `from` on, and makes sure that it is the file of `from` and of `fingerprint`.
    pub fn load(
        &mut self,
        file: &File,
        from: &Position,
        fingerprint: Option<&Fingerprint>,
    ) -> Result<(), ReadError> {
        let known = from.anchor.size();
        let base = from.offset - known as u64;
        self.end = read_at(file, &mut self.buffer, base)?;
        self.at_end = self.end < self.buffer.len();
        self.begin = known;
        self.offset = from.offset;
        let is_same = self.end >= known && from.anchor.is_of(&self.buffer[..known]);
        if is_same { check(file, fingerprint) } else { Err(ReadError::Replaced) }
    }

    /// Goes on behind the first `consumed` bytes.
    pub fn advance(
        &mut self,
        file: &File,
        consumed: usize,
        fingerprint: Option<&Fingerprint>,
    ) -> Result<(), ReadError> {
        self.skip(consumed);
        let keep = self.begin - self.begin.min(MAX_ANCHOR);
        self.buffer.copy_within(keep..self.end, 0);
        self.begin -= keep;
        self.end -= keep;
        let next = self.offset + (self.end - self.begin) as u64;
        let count = read_at(file, &mut self.buffer[self.end..], next)?;
        self.end += count;
        self.at_end = self.end < self.buffer.len();
        // What was read before this was so of the same file as long as its first lines are.
        check(file, fingerprint)
    }

    /// Passes over `count` bytes.
    pub fn skip(&mut self, count: usize) {
        self.begin += count;
        self.offset += count as u64;
    }

    /// What is not yet consumed.
    pub fn unread(&self) -> &[u8] {
        &self.buffer[self.begin..self.end]
    }

    /// Whether the file ends with it.
    pub fn is_at_end(&self) -> bool {
        self.at_end
    }

    /// The place of the first unread byte but `ahead`.
    pub fn position(&self, ahead: usize) -> Position {
        let anchor = Anchor::of(&self.buffer[..self.begin + ahead]);
        Position { offset: self.offset + ahead as u64, anchor }
    }
}

fn check(file: &File, fingerprint: Option<&Fingerprint>) -> Result<(), ReadError> {
    match fingerprint {
        Some(print) if !print.is_of(file)? => Err(ReadError::Replaced),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::awslogs::config::FingerprintLines;
    use std::io::Write;

    #[test]
    fn a_long_file_is_read_in_parts_and_each_place_is_known_again() {
        let text: Vec<u8> = (0..2 * SIZE as u32).flat_map(u32::to_le_bytes).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&text).unwrap();
        let mut window = Window::default();
        window.load(&file, &Position::start(), None).unwrap();
        let mut read = Vec::new();
        loop {
            let part = window.unread().len();
            let consumed = if window.is_at_end() { part } else { part - 100 };
            read.extend_from_slice(&window.unread()[..consumed]);
            let place = window.position(consumed);
            assert!(place.is_in(&file).unwrap() && place.offset == read.len() as u64);
            if window.is_at_end() {
                break;
            }
            window.advance(&file, consumed, None).unwrap();
        }
        assert!(read == text);
    }

    #[test]
    fn a_file_with_another_text_is_told() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"one\ntwo\nthree\n").unwrap();
        let print = Fingerprint::of(&file, FingerprintLines { first: 1, last: 1 }).unwrap();
        let place = Position::at(&file, 8).unwrap();
        let mut window = Window::default();
        window.load(&file, &place, print.as_ref()).unwrap();
        assert_eq!(window.unread(), b"three\n");
        for text in [&b"one\n"[..], b"1ne\ntwo\nthree\n", b"one\ntWo\nthree\n"] {
            let mut other = tempfile::tempfile().unwrap();
            other.write_all(text).unwrap();
            assert!(
                matches!(window.load(&other, &place, print.as_ref()), Err(ReadError::Replaced)),
                "{text:?}"
            );
        }
    }
}
