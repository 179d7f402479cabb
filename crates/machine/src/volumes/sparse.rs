//! Copies files and leaves their holes out.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use nix::errno::Errno;
use nix::unistd::{Whence, lseek};

/// The unit in which zeroes are looked for: a file system's block.
const BLOCK: usize = 4096;

/// How much is read at a time.
const BUFFER: usize = 1 << 20;

/// A block of nothing.
static ZEROES: [u8; BLOCK] = [0; BLOCK];

/// Copies the data of `from` to the same offsets of `to`, skipping holes and blocks of zeroes, and makes `to` at least
/// as long.
///
/// `to` must read as zeroes wherever `from` has a hole: a new file does.
pub fn copy_sparse(from: &File, to: &File) -> io::Result<()> {
    let length = from.metadata()?.len();
    if to.metadata()?.len() < length {
        to.set_len(length)?;
    }
    let length = i64::try_from(length).map_err(io::Error::other)?;
    let (mut offset, mut buffer) = (0, vec![0; BUFFER]);
    while let Some((start, end)) = next_data(from, offset, length)? {
        // Both are offsets in a file, which are not negative.
        copy_extent(from, to, start.unsigned_abs(), end.unsigned_abs(), &mut buffer)?;
        offset = end;
    }
    Ok(())
}

/// The first stretch of data at or after `offset`.
fn next_data(file: &File, offset: i64, length: i64) -> io::Result<Option<(i64, i64)>> {
    if offset >= length {
        return Ok(None);
    }
    match lseek(file, offset, Whence::SeekData) {
        // ENXIO: only a hole is left.
        Err(Errno::ENXIO) => Ok(None),
        Err(e) => Err(e.into()),
        Ok(start) => Ok(Some((start, lseek(file, start, Whence::SeekHole)?))),
    }
}

/// Copies a stretch of data but for its blocks of zeroes, which need no place on disk.
fn copy_extent(from: &File, to: &File, start: u64, end: u64, buffer: &mut [u8]) -> io::Result<()> {
    let mut offset = start;
    while offset < end {
        let wanted = usize::try_from(end - offset).unwrap_or(usize::MAX).min(buffer.len());
        let Some(chunk) = buffer.get_mut(..wanted) else { break };
        from.read_exact_at(chunk, offset)?;
        for run in data_runs(chunk) {
            to.write_all_at(&chunk[run.clone()], offset + run.start as u64)?;
        }
        offset += wanted as u64;
    }
    Ok(())
}

/// The parts of `bytes` that hold something, in whole blocks (but for the last).
fn data_runs(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (index, block) in bytes.chunks(BLOCK).enumerate() {
        if block == &ZEROES[..block.len()] {
            continue;
        }
        let start = index * BLOCK;
        match runs.last_mut() {
            Some(last) if last.end == start => last.end = start + block.len(),
            _ => runs.push(start..start + block.len()),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn keeps_data_and_holes() {
        let (from, to) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        from.set_len(1 << 30).unwrap();
        from.write_all_at(b"head", 0).unwrap();
        from.write_all_at(b"tail", 900 << 20).unwrap();
        copy_sparse(&from, &to).unwrap();
        assert_eq!(to.metadata().unwrap().len(), 1 << 30);
        assert!(to.metadata().unwrap().blocks() * 512 < 1 << 20, "the holes were filled");
        for (offset, expected) in [(0, b"head"), (900 << 20, b"tail"), (500 << 20, b"\0\0\0\0")] {
            let mut got = [0; 4];
            to.read_exact_at(&mut got, offset).unwrap();
            assert_eq!(&got, expected, "at {offset}");
        }
    }

    #[test]
    fn zeroes_that_were_written_are_left_out_as_well() {
        let (from, to) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        let mut bytes = vec![0; 3 << 20];
        bytes[BLOCK * 7 + 1] = 1;
        bytes.extend([0, 0, 9]);
        from.write_all_at(&bytes, 0).unwrap();
        copy_sparse(&from, &to).unwrap();
        let mut copied = vec![1; bytes.len()];
        to.read_exact_at(&mut copied, 0).unwrap();
        assert!(copied == bytes, "the copy reads as the original");
        assert!(to.metadata().unwrap().blocks() * 512 <= 64 << 10, "zeroes take no place");
    }

    #[test]
    fn runs_of_data() {
        let mut bytes = vec![0; BLOCK * 4 + 2];
        assert_eq!(data_runs(&bytes), []);
        for at in [BLOCK, BLOCK * 3 - 1, BLOCK * 4] {
            bytes[at] = 1;
        }
        assert_eq!(data_runs(&bytes), [BLOCK..BLOCK * 3, BLOCK * 4..BLOCK * 4 + 2]);
    }

    #[test]
    fn copies_nothing_of_an_empty_file() {
        let (from, to) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        copy_sparse(&from, &to).unwrap();
        assert_eq!(to.metadata().unwrap().len(), 0);
    }
}
