//! Copies files and leaves their holes out.

use std::fs::File;
use std::io;

use nix::errno::Errno;
use nix::fcntl::copy_file_range;
use nix::unistd::{Whence, lseek};

/// Copies the data of `from` to the same offsets of `to`, skipping holes, and makes `to` at least as long.
///
/// `to` must read as zeroes wherever `from` has a hole: a new file does.
pub fn copy_sparse(from: &File, to: &File) -> io::Result<()> {
    let length = from.metadata()?.len();
    if to.metadata()?.len() < length {
        to.set_len(length)?;
    }
    let length = i64::try_from(length).map_err(io::Error::other)?;
    let mut offset = 0;
    while let Some((start, end)) = next_data(from, offset, length)? {
        copy_extent(from, to, start, end)?;
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

fn copy_extent(from: &File, to: &File, start: i64, end: i64) -> io::Result<()> {
    let (mut read_at, mut write_at) = (start, start);
    while read_at < end {
        let left = usize::try_from(end - read_at).map_err(io::Error::other)?;
        if copy_file_range(from, Some(&mut read_at), to, Some(&mut write_at), left)? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file shrank while it was copied"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{FileExt, MetadataExt};

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
    fn copies_nothing_of_an_empty_file() {
        let (from, to) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        copy_sparse(&from, &to).unwrap();
        assert_eq!(to.metadata().unwrap().len(), 0);
    }
}
