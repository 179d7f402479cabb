//! A program that writes numbered lines and has its log rotated.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How the log is rotated.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// Renamed to `.1`, which was renamed to `.2`, and so on; then made anew.
    Numbers,
    /// Renamed to `-SERIAL`; then made anew.
    Names,
    /// Copied to `.1`; then emptied.
    CopyTruncate,
}

/// Generations kept: far more than the agent is ever behind.
const KEEP: usize = 40;

/// Writes lines until `stop`, and returns how many.
pub fn write(path: &Path, name: &str, rotation: Rotation, stop: &AtomicBool) -> usize {
    let mut log = Log { path: path.to_owned(), rotation, serial: 0, file: open(path) };
    let mut line = 0;
    while !stop.load(Ordering::Relaxed) {
        for _ in 0..rand::random_range(1..12) {
            log.line(name, line);
            line += 1;
        }
        std::thread::sleep(Duration::from_micros(rand::random_range(1000..10_000)));
        if rand::random_range(0..40) == 0 {
            log.rotate();
        }
    }
    line
}

fn open(path: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(path).unwrap()
}

struct Log {
    path: PathBuf,
    rotation: Rotation,
    serial: usize,
    file: File,
}

impl Log {
    fn line(&mut self, name: &str, number: usize) {
        let text = format!("{name} {number:08} {}\n", "x".repeat(number % 60));
        // Now and then the line is written in two parts.
        let cut = if number.is_multiple_of(7) { text.len() / 2 } else { 0 };
        self.file.write_all(&text.as_bytes()[..cut]).unwrap();
        if cut > 0 {
            std::thread::sleep(Duration::from_micros(300));
        }
        self.file.write_all(&text.as_bytes()[cut..]).unwrap();
    }

    fn with(&self, ending: &str) -> PathBuf {
        PathBuf::from(format!("{}{ending}", self.path.display()))
    }

    fn make_room(&self) {
        for number in (1..=KEEP).rev() {
            let from = self.with(&format!(".{number}"));
            if from.exists() {
                std::fs::rename(from, self.with(&format!(".{}", number + 1))).unwrap();
            }
        }
    }

    fn rotate(&mut self) {
        self.serial += 1;
        match self.rotation {
            Rotation::Numbers => {
                self.make_room();
                std::fs::rename(&self.path, self.with(".1")).unwrap();
                self.file = open(&self.path);
            }
            Rotation::Names => {
                std::fs::rename(&self.path, self.with(&format!("-{:06}", self.serial))).unwrap();
                self.file = open(&self.path);
                if let Some(old) = self.serial.checked_sub(KEEP) {
                    // The first ones have no predecessor.
                    let _ = std::fs::remove_file(self.with(&format!("-{old:06}")));
                }
            }
            Rotation::CopyTruncate => {
                self.make_room();
                std::fs::copy(&self.path, self.with(".1")).unwrap();
                self.file.set_len(0).unwrap();
            }
        }
    }
}
