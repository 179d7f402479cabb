//! Frames: where they begin and end, and what lies between good ones. Pure.

use std::ops::Range;

/// Bytes in front of a frame's content: mark, length, checksum.
pub(crate) const HEADER: usize = 12;
/// How a frame begins. Its first byte never stands before its second in UTF-8, so no message can hold it.
const MARK: [u8; 4] = [0xd7, b'L', b'F', b'1'];
/// Bytes at the start of a log file: mark and version, number.
pub(crate) const FILE_HEADER: usize = 16;
const FILE_MARK: &[u8; 8] = b"DRYWAL\x00\x01";

/// An empty frame, to whose end content is added before it is [`seal`]ed.
pub(crate) fn begin() -> Vec<u8> {
    vec![0; HEADER]
}

/// Fills in the header for the content behind it.
pub(crate) fn seal(frame: &mut [u8]) {
    let length = ((frame.len() - HEADER) as u32).to_le_bytes();
    frame[..4].copy_from_slice(&MARK);
    frame[4..8].copy_from_slice(&length);
    let sum = checksum(length, &frame[HEADER..]);
    frame[8..HEADER].copy_from_slice(&sum.to_le_bytes());
}

fn checksum(length: [u8; 4], content: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length);
    hasher.update(content);
    hasher.finalize()
}

pub(crate) fn file_header(number: u64) -> [u8; FILE_HEADER] {
    let mut header = [0; FILE_HEADER];
    header[..8].copy_from_slice(FILE_MARK);
    header[8..].copy_from_slice(&number.to_le_bytes());
    header
}

/// What a log file holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Frames {
    /// Where the contents of good frames stand.
    pub(crate) contents: Vec<Range<usize>>,
    /// Where bad bytes have good frames behind them.
    pub(crate) damage: Vec<usize>,
    /// The end of the last good frame.
    pub(crate) end: usize,
}

/// Finds the frames of a log file; `None` when it does not begin as the file of this number does.
pub(crate) fn read(file: &[u8], number: u64) -> Option<Frames> {
    if file.get(..FILE_HEADER)? != file_header(number) {
        return None;
    }
    let mut frames = Frames { end: FILE_HEADER, ..Frames::default() };
    while frames.end < file.len() {
        let start = frames.end;
        let Some(content) = content_at(file, start).or_else(|| {
            let found = next_good(file, start + 1);
            frames.damage.extend(found.is_some().then_some(start));
            found
        }) else {
            break;
        };
        frames.end = content.end;
        frames.contents.push(content);
    }
    Some(frames)
}

fn content_at(file: &[u8], start: usize) -> Option<Range<usize>> {
    let header = file.get(start..start + HEADER)?;
    let (mark, rest) = header.split_first_chunk::<4>()?;
    let (length, sum) = rest.split_first_chunk::<4>()?;
    let content = start + HEADER..(start + HEADER).checked_add(u32::from_le_bytes(*length) as usize)?;
    let good = *mark == MARK && checksum(*length, file.get(content.clone())?).to_le_bytes() == sum;
    good.then_some(content)
}

fn next_good(file: &[u8], from: usize) -> Option<Range<usize>> {
    let rest = file.get(from..)?;
    memchr::memmem::find_iter(rest, &MARK).find_map(|at| content_at(file, from + at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(contents: &[&[u8]]) -> Vec<u8> {
        let mut file = file_header(3).to_vec();
        for content in contents {
            let mut frame = begin();
            frame.extend_from_slice(content);
            seal(&mut frame);
            file.extend(frame);
        }
        file
    }

    fn contents<'a>(file: &'a [u8], frames: &Frames) -> Vec<&'a [u8]> {
        frames.contents.iter().map(|range| &file[range.clone()]).collect()
    }

    #[test]
    fn every_cut_keeps_the_whole_frames_before_it_and_is_no_damage() {
        let whole = file(&[b"one", b"", b"three"]);
        let ends: Vec<usize> = (0..=3).map(|n| file(&[&b"one"[..], b"", b"three"][..n]).len()).collect();
        for cut in 0..=whole.len() {
            let frames = read(&whole[..cut], 3);
            if cut < FILE_HEADER {
                assert_eq!(frames, None);
                continue;
            }
            let frames = frames.unwrap();
            let expected = ends.iter().filter(|end| **end <= cut).count() - 1;
            assert_eq!((frames.contents.len(), frames.end), (expected, ends[expected]), "cut at {cut}");
            assert!(frames.damage.is_empty());
        }
    }

    #[test]
    fn every_flipped_byte_costs_its_frame_only() {
        let whole = file(&[b"one", b"two", b"three"]);
        let bounds = [16, 31, 46, whole.len()];
        for at in FILE_HEADER..whole.len() {
            let mut bad = whole.clone();
            bad[at] ^= 0x10;
            let frames = read(&bad, 3).unwrap();
            let hit = bounds.iter().filter(|bound| **bound <= at).count() - 1;
            let mut expected = vec![&b"one"[..], b"two", b"three"];
            expected.remove(hit);
            assert_eq!(contents(&bad, &frames), expected, "byte {at}");
            let reported = if hit == 2 { vec![] } else { vec![bounds[hit]] };
            assert_eq!(frames.damage, reported, "byte {at}");
        }
    }

    #[test]
    fn another_files_header_is_refused() {
        assert_eq!(read(&file(&[b"one"]), 4), None);
    }

    #[test]
    fn zeros_behind_the_end_are_a_torn_end() {
        let mut bytes = file(&[b"one"]);
        let end = bytes.len();
        bytes.extend([0; 4096]);
        let frames = read(&bytes, 3).unwrap();
        assert_eq!((frames.contents.len(), frames.end, frames.damage.len()), (1, end, 0));
    }
}
