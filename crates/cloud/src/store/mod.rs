//! The state of the local cloud: typed records in memory, written through to one SQLite file.
//!
//! Reads never touch the disk: every record is kept as an `Arc` of its own type. A write is a
//! transaction ([`Store::write`]): the closure sees its own changes, and when it returns `Ok` they are
//! committed to SQLite *before* they become visible to readers, so that whatever the cloud has
//! acknowledged is there after a `SIGKILL`. The journal is a WAL with `synchronous=NORMAL`: safe against
//! the death of the process, while a power cut may cost the last transactions (never consistency).
//!
//! A record is stored as JSON in `records(kind, region, id, body)`, so the state can be read with any
//! SQLite client.

mod disk;
mod tx;

use std::any::Any;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;

pub use tx::Tx;

/// The region under which records of global services (IAM) are kept.
pub const GLOBAL: &str = "aws-global";

/// Something that is kept in the [`Store`].
pub trait Record: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// The table's name in the store, e.g. `ec2.instance`. Unique in the program.
    const KIND: &'static str;
    /// The region that the record belongs to, or [`GLOBAL`].
    fn region(&self) -> &str;
    /// The record's id, unique in its kind and region.
    fn id(&self) -> &str;
}

/// Why the store could not be opened or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite refused.
    #[error("the state file {path}: {source}")]
    Sqlite {
        /// The state file.
        path: String,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// A record does not have the shape this version expects.
    #[error("the state holds a {kind} {id:?} that this version of drydock cannot read: {source}")]
    Unreadable {
        /// The record's kind.
        kind: String,
        /// The record's id.
        id: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The state was written by a version that knows more kinds of records.
    #[error(
        "the state holds records of kind {0:?}, which this version of drydock does not know; use the version that made it, or `drydock cloud reset`"
    )]
    UnknownKind(String),
    /// A record could not be turned into JSON.
    #[error("a {kind} cannot be stored: {source}")]
    Unstorable {
        /// The record's kind.
        kind: &'static str,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

impl From<StoreError> for aws_wire::Error {
    fn from(error: StoreError) -> Self {
        aws_wire::Error::internal(error.to_string())
    }
}

type AnyRecord = Arc<dyn Any + Send + Sync>;
/// Region, then id: one region's records lie side by side, in the order of their ids.
type Key = (String, String);
type Table = BTreeMap<Key, AnyRecord>;
type Tables = BTreeMap<&'static str, Table>;
type Decode = fn(&str) -> Result<AnyRecord, serde_json::Error>;

/// The kinds of records that the program knows, each with its decoder.
#[derive(Default)]
pub struct Kinds(BTreeMap<&'static str, Decode>);

impl Kinds {
    /// Makes the store able to load records of type `T`.
    pub fn add<T: Record>(&mut self) -> &mut Self {
        self.0.insert(T::KIND, |body| Ok(Arc::new(serde_json::from_str::<T>(body)?)));
        self
    }
}

/// All records, and the file that they are written through to.
pub struct Store {
    tables: RwLock<Tables>,
    disk: Mutex<disk::Disk>,
    version: watch::Sender<u64>,
}

impl Store {
    /// Opens (or creates) the state file and loads every record.
    ///
    /// # Errors
    /// When the file cannot be opened or holds something that this version does not understand.
    pub fn open(path: &Path, kinds: &Kinds) -> Result<Self, StoreError> {
        let disk = disk::Disk::open(path)?;
        let mut tables: Tables = kinds.0.keys().map(|kind| (*kind, Table::new())).collect();
        disk.load(|kind, region, id, body| {
            let Some((name, decode)) = kinds.0.get_key_value(kind) else {
                return Err(StoreError::UnknownKind(kind.to_owned()));
            };
            let record = decode(body).map_err(|source| StoreError::Unreadable {
                kind: kind.to_owned(),
                id: id.to_owned(),
                source,
            })?;
            tables.entry(name).or_default().insert((region.to_owned(), id.to_owned()), record);
            Ok(())
        })?;
        Ok(Self { tables: RwLock::new(tables), disk: Mutex::new(disk), version: watch::Sender::new(0) })
    }

    /// The record, if there is one.
    pub fn get<T: Record>(&self, region: &str, id: &str) -> Option<Arc<T>> {
        let tables = self.tables.read();
        let record = tables.get(T::KIND)?.get(&(region.to_owned(), id.to_owned()))?;
        downcast(record)
    }

    /// The records of one region in the order of their ids.
    pub fn list<T: Record>(&self, region: &str) -> Vec<Arc<T>> {
        let tables = self.tables.read();
        tables
            .get(T::KIND)
            .map(|table| in_region(table, region).filter_map(downcast).collect())
            .unwrap_or_default()
    }

    /// The records of all regions.
    pub fn all<T: Record>(&self) -> Vec<Arc<T>> {
        let tables = self.tables.read();
        tables.get(T::KIND).map(|table| table.values().filter_map(downcast).collect()).unwrap_or_default()
    }

    /// Runs a transaction. The changes made through the [`Tx`] are kept if the closure returns `Ok` and
    /// forgotten if it returns `Err`. Writers exclude one another; readers are held up only while the
    /// finished changes are put in place.
    ///
    /// # Errors
    /// The closure's, or the store's own when the changes cannot be written.
    pub fn write<R, E: From<StoreError>>(
        &self,
        change: impl FnOnce(&mut Tx<'_>) -> Result<R, E>,
    ) -> Result<R, E> {
        let mut disk = self.disk.lock();
        let mut tx = Tx::new(&self.tables);
        let result = change(&mut tx)?;
        let changes = tx.into_changes();
        if changes.is_empty() {
            return Ok(result);
        }
        disk.save(&changes)?;
        {
            let mut tables = self.tables.write();
            for change in changes {
                let table = tables.entry(change.kind).or_default();
                match change.record {
                    Some(record) => table.insert(change.key, record.value),
                    None => table.remove(&change.key),
                };
            }
        }
        self.version.send_modify(|version| *version += 1);
        Ok(result)
    }

    /// A channel that tells the number of transactions since the start: reconcilers wait on it.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// Wakes whoever waits for a change, without one: something that is not kept here has changed.
    pub fn touch(&self) {
        self.version.send_modify(|version| *version += 1);
    }

    /// The number of transactions (and touches) since the start.
    pub fn version(&self) -> u64 {
        *self.version.borrow()
    }
}

fn downcast<T: Record>(record: &AnyRecord) -> Option<Arc<T>> {
    // A kind belongs to one type, so this only fails where two types claim one kind.
    Arc::downcast(Arc::clone(record)).ok()
}

fn in_region<'a>(table: &'a Table, region: &str) -> impl Iterator<Item = &'a AnyRecord> + use<'a> {
    let region = region.to_owned();
    let first = (region.clone(), String::new());
    table.range(first..).take_while(move |((r, _), _)| *r == region).map(|(_, record)| record)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Ship {
        port: String,
        name: String,
        masts: u32,
    }

    impl Record for Ship {
        const KIND: &'static str = "test.ship";
        fn region(&self) -> &str {
            &self.port
        }
        fn id(&self) -> &str {
            &self.name
        }
    }

    fn ship(port: &str, name: &str, masts: u32) -> Ship {
        Ship { port: port.into(), name: name.into(), masts }
    }

    fn open(dir: &Path) -> Store {
        let mut kinds = Kinds::default();
        kinds.add::<Ship>();
        Store::open(&dir.join("state.db"), &kinds).unwrap()
    }

    #[test]
    fn a_committed_record_survives_a_reopening() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        store
            .write::<_, StoreError>(|tx| {
                tx.put(ship("hull", "a", 1))?;
                tx.put(ship("hull", "b", 2))?;
                tx.put(ship("kiel", "c", 3))
            })
            .unwrap();
        store.write::<_, StoreError>(|tx| Ok(tx.remove::<Ship>("hull", "a"))).unwrap();
        drop(store);
        let store = open(dir.path());
        assert_eq!(store.list::<Ship>("hull").iter().map(|s| s.masts).collect::<Vec<_>>(), [2]);
        assert_eq!(store.all::<Ship>().len(), 2);
    }

    #[test]
    fn a_failed_transaction_leaves_no_trace() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        let before = store.version();
        let result: Result<(), StoreError> = store.write(|tx| {
            tx.put(ship("hull", "a", 1))?;
            assert!(tx.get::<Ship>("hull", "a").is_some(), "a transaction sees its own changes");
            Err(StoreError::UnknownKind("no".into()))
        });
        assert!(result.is_err());
        assert!(store.get::<Ship>("hull", "a").is_none());
        assert_eq!(store.version(), before);
    }

    #[test]
    fn a_transaction_lists_its_own_changes_over_the_stored_ones() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        store
            .write::<_, StoreError>(|tx| {
                tx.put(ship("hull", "a", 1))?;
                tx.put(ship("hull", "b", 2))
            })
            .unwrap();
        store
            .write::<_, StoreError>(|tx| {
                tx.remove::<Ship>("hull", "a");
                tx.put(ship("hull", "b", 20))?;
                tx.put(ship("hull", "c", 3))?;
                tx.put(ship("kiel", "z", 9))?;
                let masts: Vec<_> = tx.list::<Ship>("hull").iter().map(|s| s.masts).collect();
                assert_eq!(masts, [20, 3]);
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn records_of_an_unknown_kind_are_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        open(dir.path()).write::<_, StoreError>(|tx| tx.put(ship("hull", "a", 1))).unwrap();
        let error = Store::open(&dir.path().join("state.db"), &Kinds::default()).err().unwrap();
        assert!(error.to_string().contains("test.ship"), "{error}");
    }
}
