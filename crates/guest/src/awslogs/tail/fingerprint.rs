//! How a file is known again: by the text of its first lines, and by the text before the place reached in it.

use crate::awslogs::config::FingerprintLines;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Most bytes that a fingerprint covers: a first line may be of any length.
const MAX_FINGERPRINT: usize = 4096;
/// How far into a file its fingerprint's lines are looked for.
const MAX_SEARCH: usize = 256 << 10;
/// Most bytes that an anchor covers.
pub const MAX_ANCHOR: usize = 64;

/// Half a SHA-256: enough to tell files apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(u128);

impl Digest {
    fn of(bytes: &[u8]) -> Self {
        let whole = Sha256::digest(bytes);
        let mut half = [0; 16];
        half.copy_from_slice(&whole[..16]);
        Self(u128::from_be_bytes(half))
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        format!("{:032x}", digest.0)
    }
}

impl TryFrom<String> for Digest {
    type Error = std::num::ParseIntError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        u128::from_str_radix(&text, 16).map(Self)
    }
}

/// The text of a file's first lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Where the lines begin, in bytes.
    from: u64,
    /// How many bytes of them count.
    len: u32,
    digest: Digest,
}

impl Fingerprint {
    /// The fingerprint of `file`; None while the lines are not all there.
    pub fn of(file: &File, lines: FingerprintLines) -> io::Result<Option<Self>> {
        let mut start = Vec::new();
        loop {
            let known = start.len();
            start.resize((known * 4).clamp(MAX_FINGERPRINT, MAX_SEARCH), 0);
            let count = read_at(file, &mut start[known..], known as u64)?;
            let at_end = count < start.len() - known;
            start.truncate(known + count);
            if let Some((from, len)) = range_of(&start, lines) {
                return Ok(Some(Self {
                    from: from as u64,
                    len: len as u32,
                    digest: Digest::of(&start[from..from + len]),
                }));
            }
            if at_end {
                return Ok(None);
            }
            if start.len() >= MAX_SEARCH {
                // Lines of such length: the beginning of the file must do.
                let digest = Digest::of(&start[..MAX_FINGERPRINT]);
                return Ok(Some(Self { from: 0, len: MAX_FINGERPRINT as u32, digest }));
            }
        }
    }

    /// Whether `file` still has these lines.
    pub fn is_of(&self, file: &File) -> io::Result<bool> {
        let mut bytes = [0; MAX_FINGERPRINT];
        let Some(part) = bytes.get_mut(..self.len as usize) else { return Ok(false) };
        Ok(read_at(file, part, self.from)? == part.len() && Digest::of(part) == self.digest)
    }
}

/// Where the lines lie in `start`, and how many bytes of them count; None when they are not all there.
fn range_of(start: &[u8], lines: FingerprintLines) -> Option<(usize, usize)> {
    let mut from = 0;
    for _ in 1..lines.first {
        from += memchr::memchr(b'\n', &start[from..])? + 1;
    }
    let mut end = from;
    for _ in lines.first..=lines.last {
        match memchr::memchr(b'\n', &start[end..]) {
            Some(length) => end += length + 1,
            None if start.len() - from >= MAX_FINGERPRINT => end = start.len(),
            None => return None,
        }
    }
    Some((from, (end - from).min(MAX_FINGERPRINT)))
}

/// The text just before a place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    len: u32,
    digest: Digest,
}

impl Anchor {
    /// The anchor of a place that has `before` in front of it, of which the last [`MAX_ANCHOR`] bytes count.
    pub fn of(before: &[u8]) -> Self {
        let part = &before[before.len().saturating_sub(MAX_ANCHOR)..];
        Self { len: part.len() as u32, digest: Digest::of(part) }
    }

    /// How many bytes it covers.
    pub fn size(&self) -> usize {
        (self.len as usize).min(MAX_ANCHOR)
    }

    /// Whether `before` is what was there.
    pub fn is_of(&self, before: &[u8]) -> bool {
        before.len() == self.len as usize && Digest::of(before) == self.digest
    }
}

/// A place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// In bytes from the file's start.
    pub offset: u64,
    /// What is before it.
    pub anchor: Anchor,
}

impl Position {
    /// The start of any file.
    pub fn start() -> Self {
        Self { offset: 0, anchor: Anchor::of(b"") }
    }

    /// The place at `offset` of `file`.
    pub fn at(file: &File, offset: u64) -> io::Result<Self> {
        let mut before = [0; MAX_ANCHOR];
        let part = &mut before[..offset.min(MAX_ANCHOR as u64) as usize];
        let count = read_at(file, part, offset - part.len() as u64)?;
        Ok(Self { offset, anchor: Anchor::of(&part[..count]) })
    }

    /// Whether `file` has this place, with the same text before it.
    pub fn is_in(&self, file: &File) -> io::Result<bool> {
        let mut before = [0; MAX_ANCHOR];
        let part = &mut before[..self.anchor.size()];
        let from = self.offset.saturating_sub(part.len() as u64);
        Ok(read_at(file, part, from)? == part.len() && self.anchor.is_of(part))
    }
}

/// Reads at `offset` until `buffer` is full or the file ends.
pub fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut count = 0;
    while count < buffer.len() {
        match file.read_at(&mut buffer[count..], offset + count as u64) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
            Err(err) => return Err(err),
        }
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn file(text: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text).unwrap();
        file
    }

    fn print(text: &[u8], first: usize, last: usize) -> Option<Fingerprint> {
        Fingerprint::of(&file(text), FingerprintLines { first, last }).unwrap()
    }

    #[test]
    fn the_lines_must_be_whole_and_others_do_not_count() {
        assert_eq!(print(b"", 1, 1), None);
        assert_eq!(print(b"one", 1, 1), None);
        assert_eq!(print(b"one\ntwo", 1, 2), None);
        assert!(print(b"one\n", 1, 1).is_some());
        assert_eq!(print(b"one\ntwo\n", 1, 1), print(b"one\nother\n", 1, 1));
        assert_ne!(print(b"one\ntwo\n", 1, 2), print(b"one\nother\n", 1, 2));
        assert_ne!(print(b"one\n", 1, 1), print(b"two\n", 1, 1));
        assert_eq!(print(b"a\nb\nc\n", 2, 3).map(|print| (print.from, print.len)), Some((2, 4)));
    }

    #[test]
    fn a_line_of_any_length_has_a_fingerprint() {
        let long = vec![b'x'; MAX_SEARCH * 2];
        let first = print(&long, 1, 1).unwrap();
        assert!(first.is_of(&file(&long)).unwrap());
        assert!(!first.is_of(&file(&long[..100])).unwrap());
        assert!(print(&long, 3, 4).is_some());
    }

    #[test]
    fn a_place_is_known_by_what_is_before_it() {
        let text: Vec<u8> = (0..200).collect();
        let place = Position::at(&file(&text), 150).unwrap();
        assert!(place.is_in(&file(&text)).unwrap());
        assert!(!place.is_in(&file(&text[..149])).unwrap());
        assert!(!place.is_in(&file(&text[1..])).unwrap());
        assert!(Position::start().is_in(&file(b"")).unwrap());
        let kept = serde_json::to_string(&place).unwrap();
        assert_eq!(serde_json::from_str::<Position>(&kept).unwrap(), place);
    }
}
