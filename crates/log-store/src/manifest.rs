//! The list of segments: what is in it is in the store, what is not is not.
//!
//! One line of JSON and one with its checksum, replaced as a whole. It is written after the segments that it
//! names are durable, and before the log files and segments that it no longer needs are removed.

use std::fs;
use std::io::ErrorKind;

use serde::{Deserialize, Serialize};

use crate::StoreError;
use crate::files::{self, Layout};
use crate::graves::Grave;

/// The version of everything in the directory.
const FORMAT: u32 = 1;

/// What a store consists of beside its log files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    pub(crate) format: u32,
    /// No event in a segment has this sequence number or a later one.
    pub(crate) next_sequence: u64,
    /// No segment had this number or a later one.
    pub(crate) next_segment: u64,
    /// Log files with a smaller number are in segments.
    pub(crate) first_log: u64,
    pub(crate) segments: Vec<Listed>,
    pub(crate) graves: Vec<Grave>,
}

/// A segment in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Listed {
    pub(crate) number: u64,
    /// Days since 1970 of its events.
    pub(crate) partition: i64,
    /// Bytes of its file.
    pub(crate) size: u64,
}

impl Default for Manifest {
    fn default() -> Manifest {
        Manifest {
            format: FORMAT,
            next_sequence: 0,
            next_segment: 0,
            first_log: 0,
            segments: Vec::new(),
            graves: Vec::new(),
        }
    }
}

impl Manifest {
    /// Reads the list; an empty one when there is none and nothing else, either.
    pub(crate) fn read(layout: &Layout) -> Result<Manifest, StoreError> {
        let path = layout.manifest();
        let bad = |what: String| StoreError::Manifest { path: path.clone(), what };
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return match files::numbered(&layout.segment_dir(), "seg")?.first() {
                    None => Ok(Manifest::default()),
                    Some(_) => Err(bad("it is missing although there are segments".to_owned())),
                };
            }
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                return Err(bad("it is not text".to_owned()));
            }
            Err(error) => return Err(StoreError::io("read", &path)(error)),
        };
        Manifest::parse(&text).map_err(bad)
    }

    fn parse(text: &str) -> Result<Manifest, String> {
        let (json, sum) = text.split_once('\n').ok_or("it has no checksum")?;
        if sum.trim_end() != checksum(json) {
            return Err("its checksum is wrong".to_owned());
        }
        let manifest: Manifest = serde_json::from_str(json).map_err(|error| error.to_string())?;
        if manifest.format != FORMAT {
            return Err(format!("it has format {}, and this program knows format {FORMAT}", manifest.format));
        }
        Ok(manifest)
    }

    pub(crate) fn write(&self, layout: &Layout) -> Result<(), StoreError> {
        let path = layout.manifest();
        let json = serde_json::to_string(self)
            .map_err(|error| StoreError::Manifest { path: path.clone(), what: error.to_string() })?;
        files::replace(&path, format!("{json}\n{}\n", checksum(&json)).as_bytes())
    }
}

fn checksum(json: &str) -> String {
    format!("crc32 {:08x}", crc32fast::hash(json.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graves::Dead;
    use crate::{GroupId, StreamId};

    #[test]
    fn a_list_comes_back_and_any_change_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        layout.make().unwrap();
        assert_eq!(Manifest::read(&layout).unwrap(), Manifest::default());
        let grave = |what| Grave { group: GroupId(3), sequence: 9, what };
        let manifest = Manifest {
            next_sequence: u64::MAX,
            segments: vec![Listed { number: 4, partition: 20_000, size: 123 }],
            graves: vec![grave(Dead::Group), grave(Dead::Stream(StreamId(5))), grave(Dead::Before(7))],
            ..Manifest::default()
        };
        manifest.write(&layout).unwrap();
        assert_eq!(Manifest::read(&layout).unwrap(), manifest);
        let good = fs::read(layout.manifest()).unwrap();
        for at in 0..good.len() - 1 {
            let mut bad = good.clone();
            bad[at] ^= 0x01;
            fs::write(layout.manifest(), bad).unwrap();
            assert!(Manifest::read(&layout).is_err(), "byte {at}");
        }
    }

    #[test]
    fn segments_without_a_list_are_not_an_empty_store() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        layout.make().unwrap();
        fs::write(layout.segment(1), b"").unwrap();
        let error = Manifest::read(&layout).unwrap_err().to_string();
        assert!(error.contains("missing although there are segments"), "{error}");
    }
}
