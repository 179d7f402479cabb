//! Credentials that the cloud issues: the account's own key and the temporary ones of role sessions.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::store::{GLOBAL, Kinds, Record, Store, StoreError};
use crate::{Caller, ids};

/// Adds this module's records to those the store can load.
pub fn kinds(kinds: &mut Kinds) {
    kinds.add::<SessionCredentials>();
}

/// Temporary credentials of a role's session, as STS and the instance metadata service hand them out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionCredentials {
    /// `ASIA…`; the record's id.
    pub access_key_id: String,
    /// The key that requests are signed with.
    pub secret_access_key: String,
    /// Sent along with every request.
    pub session_token: String,
    /// The role that the session acts as; none is a session of the account itself.
    pub role: Option<String>,
    /// The session's name; the instance's id when an instance profile gave it.
    pub session: String,
    /// When they were issued.
    pub issued: Timestamp,
    /// From when on they are refused.
    pub expiration: Timestamp,
}

impl Record for SessionCredentials {
    const KIND: &'static str = "sts.session";
    fn region(&self) -> &str {
        GLOBAL
    }
    fn id(&self) -> &str {
        &self.access_key_id
    }
}

impl SessionCredentials {
    /// New credentials for a session of `role` (or of the account itself) that last for `lifetime`.
    pub fn new(role: Option<&str>, session: &str, lifetime: SignedDuration) -> Self {
        let issued = Timestamp::now();
        Self {
            access_key_id: format!("ASIA{}", ids::name_suffix(16)),
            secret_access_key: ids::hex_digits(40),
            session_token: ids::hex_digits(128),
            role: role.map(str::to_owned),
            session: session.to_owned(),
            issued,
            expiration: issued.saturating_add(lifetime).unwrap_or(Timestamp::MAX),
        }
    }

    /// Who calls with these credentials.
    pub fn caller(&self) -> Caller {
        match &self.role {
            Some(role) => Caller::Role { role: role.clone(), session: self.session.clone() },
            None => Caller::Root,
        }
    }

    /// Whether they are past their time.
    pub fn expired(&self, now: Timestamp) -> bool {
        now >= self.expiration
    }
}

/// The credentials of an instance's role: those issued before while at least `fresh` of their life remains,
/// else new ones. Expired ones of the same session are forgotten.
///
/// # Errors
/// When the store cannot be written.
pub fn for_instance(
    store: &Store,
    role: &str,
    instance_id: &str,
    now: Timestamp,
) -> Result<SessionCredentials, StoreError> {
    /// The metadata service's credentials live six hours and are renewed before the last quarter of an
    /// hour: "we make new credentials available at least five minutes before the expiration".
    const LIFETIME: SignedDuration = SignedDuration::from_hours(6);
    const FRESH: SignedDuration = SignedDuration::from_mins(15);
    store.write(|tx| {
        let mine = tx
            .list::<SessionCredentials>(GLOBAL)
            .into_iter()
            .filter(|held| held.role.as_deref() == Some(role) && held.session == instance_id);
        for held in mine {
            if held.expiration.duration_since(now) >= FRESH {
                return Ok((*held).clone());
            }
            if held.expired(now) {
                tx.remove::<SessionCredentials>(GLOBAL, &held.access_key_id);
            }
        }
        let new = SessionCredentials::new(Some(role), instance_id, LIFETIME);
        tx.put(new.clone())?;
        Ok(new)
    })
}

/// Forgets every session that is past its time.
///
/// # Errors
/// When the store cannot be written.
pub fn forget_expired(store: &Store, now: Timestamp) -> Result<(), StoreError> {
    let expired: Vec<_> =
        store.all::<SessionCredentials>().into_iter().filter(|held| held.expired(now)).collect();
    store.write(|tx| {
        for held in expired {
            tx.remove::<SessionCredentials>(GLOBAL, &held.access_key_id);
        }
        Ok(())
    })
}

/// The account's own access key, made once per state directory and kept in `keys/root.json` (mode 0600).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootKey {
    /// `AKIA…`.
    pub access_key_id: String,
    /// The key that requests are signed with.
    pub secret_access_key: String,
}

/// The account's key could not be read or made.
#[derive(Debug, thiserror::Error)]
#[error("the account's key {path}: {reason}")]
pub struct RootKeyError {
    path: PathBuf,
    reason: String,
}

impl RootKey {
    /// Reads the state directory's key, or makes it.
    ///
    /// # Errors
    /// When the file cannot be read, written or understood.
    pub fn open(state_dir: &Path) -> Result<Self, RootKeyError> {
        let path = state_dir.join("keys/root.json");
        let failed = |reason: String| RootKeyError { path: path.clone(), reason };
        match fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text).map_err(|error| failed(error.to_string())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let key = Self {
                    access_key_id: format!("AKIA{}", ids::name_suffix(16)),
                    secret_access_key: ids::hex_digits(40),
                };
                let text = serde_json::to_vec_pretty(&key).map_err(|error| failed(error.to_string()))?;
                write_secret(&path, &text).map_err(|error| failed(error.to_string()))?;
                Ok(key)
            }
            Err(error) => Err(failed(error.to_string())),
        }
    }
}

/// Writes a file that only its owner can read; it appears whole or not at all.
///
/// # Errors
/// When the directory or the file cannot be written.
pub fn write_secret(path: &Path, content: &[u8]) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let beside = path.with_extension("new");
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(beside, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn store(dir: &Path) -> Store {
        let mut known = Kinds::default();
        kinds(&mut known);
        Store::open(&dir.join("state.db"), &known).unwrap()
    }

    #[test]
    fn an_instance_keeps_its_credentials_until_they_are_nearly_over() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path());
        let now = Timestamp::now();
        let first = for_instance(&store, "web", "i-1", now).unwrap();
        assert_eq!(for_instance(&store, "web", "i-1", now + SignedDuration::from_hours(5)).unwrap(), first);
        assert_ne!(for_instance(&store, "web", "i-2", now).unwrap(), first);
        let late = now + SignedDuration::from_mins(5 * 60 + 50);
        let second = for_instance(&store, "web", "i-1", late).unwrap();
        assert_ne!(second.access_key_id, first.access_key_id);
        assert!(store.get::<SessionCredentials>(GLOBAL, &first.access_key_id).is_some(), "still valid");
    }

    #[test]
    fn expired_sessions_are_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path());
        let now = Timestamp::now();
        for_instance(&store, "web", "i-1", now).unwrap();
        forget_expired(&store, now + SignedDuration::from_hours(7)).unwrap();
        assert!(store.all::<SessionCredentials>().is_empty());
    }

    #[test]
    fn the_root_key_is_made_once_and_only_for_its_owner() {
        let dir = tempfile::tempdir().unwrap();
        let key = RootKey::open(dir.path()).unwrap();
        assert_eq!(RootKey::open(dir.path()).unwrap(), key);
        let mode = fs::metadata(dir.path().join("keys/root.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::write(dir.path().join("keys/root.json"), "{").unwrap();
        assert!(RootKey::open(dir.path()).unwrap_err().to_string().contains("keys/root.json"));
    }
}
