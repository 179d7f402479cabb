//! The log file that is written to, and what is left of log files after a crash.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::frame::{self, FILE_HEADER};
use super::record::{self, Record};
use crate::files::{Layout, sync_dir};
use crate::{Damage, StoreError};

/// The log file that is written to.
#[derive(Debug)]
pub(crate) struct Writer {
    layout: Layout,
    number: u64,
    file: File,
    end: u64,
    failed: Option<String>,
}

impl Writer {
    pub(crate) fn create(layout: &Layout, number: u64) -> Result<Writer, StoreError> {
        let file = create(&layout.wal(number), number)?;
        sync_dir(&layout.wal_dir())?;
        Ok(Writer { layout: layout.clone(), number, file, end: FILE_HEADER as u64, failed: None })
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Goes on in a new file. After an error everything is as before.
    pub(crate) fn rotate(&mut self) -> Result<(), StoreError> {
        *self = Writer::create(&self.layout, self.number + 1)?;
        Ok(())
    }

    /// Seals a frame, writes it and syncs it. After an error it is not in the log.
    ///
    /// When that cannot be known (a sync failed: the kernel may have dropped the pages, and will say so only
    /// once), nothing more is taken.
    pub(crate) fn write(&mut self, frame: &mut [u8]) -> Result<(), StoreError> {
        if let Some(cause) = &self.failed {
            return Err(StoreError::WriteFailed { cause: cause.clone() });
        }
        frame::seal(frame);
        let path = self.layout.wal(self.number);
        if let Err(error) = self.file.write_all_at(frame, self.end) {
            let error = StoreError::io("write to", &path)(error);
            if let Err(undo) = self.file.set_len(self.end) {
                self.failed = Some(format!("{error}; then cutting it off: {undo}"));
            }
            return Err(error);
        }
        if let Err(error) = self.file.sync_data() {
            let error = StoreError::io("sync", &path)(error);
            self.failed = Some(error.to_string());
            return Err(error);
        }
        self.end += frame.len() as u64;
        Ok(())
    }
}

fn create(path: &Path, number: u64) -> Result<File, StoreError> {
    let create = || -> io::Result<File> {
        // A crash, or a full disk, may have left a file that never was written to.
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
        file.write_all_at(&frame::file_header(number), 0)?;
        file.sync_all()?;
        Ok(file)
    };
    create().map_err(StoreError::io("make", path))
}

/// What a log file held.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) records: Vec<Record>,
    pub(crate) damage: Vec<Damage>,
}

/// Reads a log file. Of the last one, an end that was never acknowledged is cut off, so that it is not taken for
/// damage when it is no longer the last.
pub(crate) fn recover(layout: &Layout, number: u64, last: bool) -> Result<Recovered, StoreError> {
    let path = layout.wal(number);
    let file = fs::read(&path).map_err(StoreError::io("read", &path))?;
    let mut recovered = Recovered { records: Vec::new(), damage: Vec::new() };
    let mut damaged = |offset: usize, what: &str| {
        recovered.damage.push(Damage { path: path.clone(), offset: offset as u64, what: what.to_owned() });
    };
    let Some(frames) = frame::read(&file, number) else {
        // A last file without a whole header was just being made.
        if !last || file.len() > FILE_HEADER {
            damaged(0, "it does not begin as a log file");
        }
        return Ok(recovered);
    };
    for offset in &frames.damage {
        damaged(*offset, "a frame has a wrong checksum");
    }
    if frames.end < file.len() {
        if last {
            cut(&path, frames.end as u64).map_err(StoreError::io("cut the torn end of", &path))?;
        } else {
            damaged(frames.end, "its last frame has a wrong checksum");
        }
    }
    for content in frames.contents {
        match record::read(&file[content.clone()]) {
            Some(records) => recovered.records.extend(records),
            None => recovered.damage.push(Damage {
                path: path.clone(),
                offset: content.start as u64,
                what: "a frame holds records that are not known".to_owned(),
            }),
        }
    }
    Ok(recovered)
}

fn cut(path: &Path, end: u64) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_len(end)?;
    file.sync_all()
}
