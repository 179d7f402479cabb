//! Opening a store: what a crash left is put in order, what is damaged is told.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use parking_lot::{Condvar, Mutex, RwLock};

use crate::background::Wake;
use crate::engine::{Catalog, Engine, SealStatus, State};
use crate::files::{self, Layout};
use crate::graves::Graves;
use crate::manifest::{Listed, Manifest};
use crate::memtable::Memtable;
use crate::queue::Queue;
use crate::segment::Segment;
use crate::tail::Subscribers;
use crate::wal::record::Record;
use crate::wal::{self, Recovered};
use crate::{Damage, Options, StoreError};

/// Opens the store of a directory, alone.
pub(crate) fn open(dir: &Path, options: Options) -> Result<Engine, StoreError> {
    fs::create_dir_all(dir).map_err(StoreError::io("make the directory", dir))?;
    let layout = Layout::new(dir);
    let lock = lock(&layout)?;
    layout.make()?;
    let manifest = Manifest::read(&layout)?;
    // From the first segment on there must be a list: without one nothing would tell it from an unfinished one.
    manifest.write(&layout)?;
    remove_leftovers(&layout, &manifest)?;
    let mut damage = Vec::new();
    let (segments, unreadable) = open_segments(&layout, &manifest, &mut damage)?;
    let mut graves: Graves = manifest.graves.iter().copied().collect();
    let mut next_sequence = manifest.next_sequence;
    let (frozen, next_log) = replay(&layout, &manifest, &mut graves, &mut next_sequence, &mut damage)?;
    for damage in &damage {
        tracing::error!(%damage, "stored log events are lost");
    }
    Ok(Engine {
        log: Mutex::new(wal::Writer::create(&layout, next_log)?),
        queue: Mutex::new(Queue::new(next_sequence)),
        facts: Mutex::new(HashMap::new()),
        catalog: Mutex::new(Catalog {
            next_segment: manifest.next_segment,
            first_log: manifest.first_log,
            unreadable,
            kept_as_is: BTreeSet::new(),
        }),
        state: RwLock::new(State { active: Arc::new(Memtable::new(next_log)), frozen, segments, graves }),
        subscribers: Subscribers::default(),
        sealing: Mutex::new(()),
        compacting: Mutex::default(),
        seal_status: Mutex::new(SealStatus::default()),
        sealed: Condvar::new(),
        wake: Wake::default(),
        damage: Mutex::new(damage),
        closed: AtomicBool::new(false),
        untidy: AtomicBool::new(true),
        _lock: lock,
        options,
        layout,
    })
}

fn lock(layout: &Layout) -> Result<File, StoreError> {
    let path = layout.lock();
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
    let file = file.map_err(StoreError::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked { dir: layout.dir().to_owned() }),
        Err(TryLockError::Error(error)) => Err(StoreError::io("lock", &path)(error)),
    }
}

/// Removes segments that no list names and log files whose events are in segments.
fn remove_leftovers(layout: &Layout, manifest: &Manifest) -> Result<(), StoreError> {
    let listed: BTreeSet<u64> = manifest.segments.iter().map(|segment| segment.number).collect();
    for number in files::numbered(&layout.segment_dir(), "seg")? {
        if !listed.contains(&number) {
            files::remove(&layout.segment(number))?;
        }
    }
    for number in files::numbered(&layout.wal_dir(), "wal")? {
        if number < manifest.first_log {
            files::remove(&layout.wal(number))?;
        }
    }
    Ok(())
}

fn open_segments(
    layout: &Layout,
    manifest: &Manifest,
    damage: &mut Vec<Damage>,
) -> Result<(Vec<Arc<Segment>>, Vec<Listed>), StoreError> {
    let (mut segments, mut unreadable) = (Vec::new(), Vec::new());
    for listed in &manifest.segments {
        let path = layout.segment(listed.number);
        match Segment::open(&path, listed.number, listed.partition, listed.size) {
            Ok(segment) => segments.push(Arc::new(segment)),
            Err(StoreError::Damaged(what)) => {
                damage.push(what);
                unreadable.push(*listed);
            }
            Err(StoreError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
                damage.push(Damage { path, offset: 0, what: "the file is missing".to_owned() });
            }
            Err(error) => return Err(error),
        }
    }
    Ok((segments, unreadable))
}

/// Brings the log files' events back into memory; gives them and the number of the next log file.
fn replay(
    layout: &Layout,
    manifest: &Manifest,
    graves: &mut Graves,
    next_sequence: &mut u64,
    damage: &mut Vec<Damage>,
) -> Result<(Vec<Arc<Memtable>>, u64), StoreError> {
    let numbers = files::numbered(&layout.wal_dir(), "wal")?;
    let mut frozen = Vec::new();
    for number in &numbers {
        let recovered = wal::recover(layout, *number, Some(number) == numbers.last())?;
        keep_evidence(layout, *number, &recovered)?;
        damage.extend(recovered.damage);
        if recovered.records.is_empty() {
            files::remove(&layout.wal(*number))?;
            continue;
        }
        let memtable = Memtable::new(*number);
        for record in recovered.records {
            match record {
                Record::Batch(batch) => {
                    *next_sequence = (*next_sequence).max(batch.first_sequence + batch.len() as u64);
                    memtable.insert(Arc::new(batch));
                }
                Record::Grave(grave) => {
                    *next_sequence = (*next_sequence).max(grave.sequence);
                    graves.add(grave);
                }
            }
        }
        frozen.push(Arc::new(memtable));
    }
    Ok((frozen, numbers.last().map_or(manifest.first_log, |last| last + 1)))
}

/// A damaged log file is not removed with the others: whoever wants to look finds it beside.
fn keep_evidence(layout: &Layout, number: u64, recovered: &Recovered) -> Result<(), StoreError> {
    if recovered.damage.is_empty() {
        return Ok(());
    }
    let path = layout.wal(number);
    match fs::hard_link(&path, path.with_extension("damaged")) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            Err(StoreError::io("keep a copy of", &path)(error))
        }
        _ => Ok(()),
    }
}
