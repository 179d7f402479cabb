//! A transaction: the stored records with its own changes laid over them.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;

use super::{AnyRecord, Key, Record, StoreError, Tables, downcast, in_region};

/// The new state of one record, in memory and as it goes to disk.
pub(super) struct Stored {
    pub value: AnyRecord,
    pub body: String,
}

/// One record's change; `record` is `None` when it was removed.
pub(super) struct Change {
    pub kind: &'static str,
    pub key: Key,
    pub record: Option<Stored>,
}

/// The view of the store inside [`super::Store::write`].
pub struct Tx<'a> {
    base: &'a RwLock<Tables>,
    changes: BTreeMap<(&'static str, Key), Option<Stored>>,
}

impl<'a> Tx<'a> {
    pub(super) fn new(base: &'a RwLock<Tables>) -> Self {
        Self { base, changes: BTreeMap::new() }
    }

    /// The record as this transaction sees it.
    pub fn get<T: Record>(&self, region: &str, id: &str) -> Option<Arc<T>> {
        let key = (region.to_owned(), id.to_owned());
        if let Some(change) = self.changes.get(&(T::KIND, key.clone())) {
            return change.as_ref().and_then(|stored| downcast(&stored.value));
        }
        self.base.read().get(T::KIND)?.get(&key).and_then(downcast)
    }

    /// The records of one region as this transaction sees them, in the order of their ids.
    pub fn list<T: Record>(&self, region: &str) -> Vec<Arc<T>> {
        let mut records: BTreeMap<String, Arc<T>> = {
            let tables = self.base.read();
            tables
                .get(T::KIND)
                .map(|table| {
                    in_region(table, region)
                        .filter_map(downcast::<T>)
                        .map(|record| (record.id().to_owned(), record))
                        .collect()
                })
                .unwrap_or_default()
        };
        for ((kind, (change_region, id)), change) in &self.changes {
            if *kind != T::KIND || change_region != region {
                continue;
            }
            match change.as_ref().and_then(|stored| downcast::<T>(&stored.value)) {
                Some(record) => records.insert(id.clone(), record),
                None => records.remove(id),
            };
        }
        records.into_values().collect()
    }

    /// Adds or replaces a record.
    ///
    /// # Errors
    /// When the record cannot be turned into JSON.
    pub fn put<T: Record>(&mut self, record: T) -> Result<(), StoreError> {
        let body = serde_json::to_string(&record)
            .map_err(|source| StoreError::Unstorable { kind: T::KIND, source })?;
        let key = (record.region().to_owned(), record.id().to_owned());
        self.changes.insert((T::KIND, key), Some(Stored { value: Arc::new(record), body }));
        Ok(())
    }

    /// Changes a record in place; tells whether it was there.
    ///
    /// # Errors
    /// When the changed record cannot be turned into JSON.
    pub fn update<T: Record>(
        &mut self,
        region: &str,
        id: &str,
        change: impl FnOnce(&mut T),
    ) -> Result<bool, StoreError> {
        let Some(record) = self.get::<T>(region, id) else { return Ok(false) };
        let mut record = Arc::unwrap_or_clone(record);
        change(&mut record);
        self.put(record)?;
        Ok(true)
    }

    /// Removes a record and returns it, if it was there.
    pub fn remove<T: Record>(&mut self, region: &str, id: &str) -> Option<Arc<T>> {
        let record = self.get::<T>(region, id)?;
        self.changes.insert((T::KIND, (region.to_owned(), id.to_owned())), None);
        Some(record)
    }

    pub(super) fn into_changes(self) -> Vec<Change> {
        self.changes.into_iter().map(|((kind, key), record)| Change { kind, key, record }).collect()
    }
}
