//! The SQLite file behind the store.

use std::path::Path;

use rusqlite::{Connection, params};

use super::StoreError;
use super::tx::Change;

pub(super) struct Disk {
    connection: Connection,
    path: String,
}

impl Disk {
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let name = path.display().to_string();
        let open = || -> rusqlite::Result<Connection> {
            let connection = Connection::open(path)?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "NORMAL")?;
            connection.execute_batch(
                "CREATE TABLE IF NOT EXISTS records (
                     kind TEXT NOT NULL, region TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL,
                     PRIMARY KEY (kind, region, id)
                 ) WITHOUT ROWID;",
            )?;
            Ok(connection)
        };
        match open() {
            Ok(connection) => Ok(Self { connection, path: name }),
            Err(source) => Err(StoreError::Sqlite { path: name, source }),
        }
    }

    /// Hands each stored record to `each` as kind, region, id and body.
    pub fn load(
        &self,
        mut each: impl FnMut(&str, &str, &str, &str) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let failed = |source| StoreError::Sqlite { path: self.path.clone(), source };
        let mut select =
            self.connection.prepare("SELECT kind, region, id, body FROM records").map_err(failed)?;
        let mut rows = select.query([]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let text = |column| row.get_ref(column).and_then(|value| Ok(value.as_str()?));
            let (kind, region) = (text(0).map_err(failed)?, text(1).map_err(failed)?);
            let (id, body) = (text(2).map_err(failed)?, text(3).map_err(failed)?);
            each(kind, region, id, body)?;
        }
        Ok(())
    }

    /// Writes all changes in one SQLite transaction.
    pub fn save(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let write = |connection: &mut Connection| -> rusqlite::Result<()> {
            let tx = connection.transaction()?;
            {
                let mut put = tx.prepare_cached(
                    "INSERT INTO records (kind, region, id, body) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (kind, region, id) DO UPDATE SET body = excluded.body",
                )?;
                let mut remove =
                    tx.prepare_cached("DELETE FROM records WHERE kind = ?1 AND region = ?2 AND id = ?3")?;
                for Change { kind, key: (region, id), record } in changes {
                    match record {
                        Some(stored) => put.execute(params![kind, region, id, stored.body])?,
                        None => remove.execute(params![kind, region, id])?,
                    };
                }
            }
            tx.commit()
        };
        write(&mut self.connection).map_err(|source| StoreError::Sqlite { path: self.path.clone(), source })
    }
}
