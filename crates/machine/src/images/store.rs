//! The image records of one local cloud.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::ImageError;
use super::record::{Image, ImageState};
use crate::error::OsError;
use crate::files;

/// What instances need of the image store.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct InUse {
    /// Ids of images that instances were launched from.
    pub images: BTreeSet<String>,
    /// Layers that root volumes lie over.
    pub layers: BTreeSet<PathBuf>,
}

/// The images of one local cloud. Several processes may use the same directory at once.
#[derive(Debug, Clone)]
pub struct ImageStore {
    dir: PathBuf,
    version: Arc<AtomicU64>,
}

impl ImageStore {
    /// Opens `STATE/images`, making it where it is missing.
    pub fn open(state_dir: &Path) -> Result<Self, ImageError> {
        let dir = state_dir.join("images");
        let layers = dir.join("layers");
        fs::create_dir_all(&layers).map_err(OsError::of("make", &layers))?;
        let store = Self { dir, version: Arc::default() };
        let snapshots = store.snapshots_dir();
        fs::create_dir_all(&snapshots).map_err(OsError::of("make", &snapshots))?;
        Ok(store)
    }

    /// How often this value and its clones have written records: who saw the same number before need not look again,
    /// unless another process writes as well.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    pub(super) fn touched(&self) {
        self.version.fetch_add(1, Ordering::AcqRel);
    }

    /// Where the snapshots are.
    pub(super) fn snapshots_dir(&self) -> PathBuf {
        self.dir.join("snapshots")
    }

    /// Where this store's own layers are.
    pub fn layers_dir(&self) -> PathBuf {
        self.dir.join("layers")
    }

    /// All images, by name and then id.
    pub fn list(&self) -> Result<Vec<Image>, ImageError> {
        let mut images = Vec::new();
        for entry in fs::read_dir(&self.dir).map_err(OsError::of("list", &self.dir))? {
            let path = entry.map_err(OsError::of("list", &self.dir))?.path();
            if path.extension().is_some_and(|e| e == "json")
                && let Some(image) = read_record(&path)?
            {
                images.push(image);
            }
        }
        images.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
        Ok(images)
    }

    /// The image with this id.
    pub fn get(&self, id: &str) -> Result<Option<Image>, ImageError> {
        // An id names a file: refuse anything that could name another one.
        if !is_image_id(id) {
            return Ok(None);
        }
        read_record(&self.record_path(id))
    }

    /// The image with this name; an original before its aliases.
    pub fn by_name(&self, name: &str) -> Result<Option<Image>, ImageError> {
        let mut named: Vec<Image> = self.list()?.into_iter().filter(|i| i.name == name).collect();
        named.sort_by_key(|i| i.alias_of.is_some());
        Ok(named.into_iter().next())
    }

    /// Makes `id` another id of the image named (or called) `target`, as `adopt` does.
    /// Making the same alias again changes nothing.
    pub fn alias(&self, id: &str, target: &str) -> Result<Image, ImageError> {
        if !is_image_id(id) {
            return Err(ImageError::BadId(id.to_owned()));
        }
        let _lock = self.lock()?;
        let original = match self.get(target)? {
            Some(image) => image,
            None => self.by_name(target)?.ok_or_else(|| ImageError::NoSuchName(target.to_owned()))?,
        };
        let origin = original.alias_of.clone().unwrap_or_else(|| original.id.clone());
        if let Some(existing) = self.get(id)? {
            if existing.id == original.id || existing.alias_of.as_deref() == Some(origin.as_str()) {
                return Ok(existing);
            }
            return Err(ImageError::IdTaken { id: id.to_owned(), name: existing.name });
        }
        let alias = Image { id: id.to_owned(), alias_of: Some(origin), ..original };
        self.put(&alias)?;
        Ok(alias)
    }

    /// Removes an image and those of its layers that nothing stands on. Refused while it has aliases.
    /// Its snapshots stay.
    pub fn remove(&self, id: &str, in_use: &InUse) -> Result<(), ImageError> {
        let _lock = self.lock()?;
        let image = self.get(id)?.ok_or_else(|| ImageError::NotFound(id.to_owned()))?;
        let others: Vec<Image> = self.list()?.into_iter().filter(|i| i.id != id).collect();
        let mut users: Vec<String> = others
            .iter()
            .filter(|i| i.alias_of.as_deref() == Some(id))
            .map(|i| format!("its alias {}", i.id))
            .collect();
        if in_use.images.contains(id) {
            users.push("an instance".to_owned());
        }
        if !users.is_empty() {
            return Err(ImageError::InUse { id: id.to_owned(), users });
        }
        files::remove_all(&self.record_path(id))?;
        self.touched();
        self.remove_layers(image.layers, in_use)
    }

    /// Removes an image as [`Self::remove`] does, and those of its snapshots that no other image is made of.
    pub fn remove_with_snapshots(&self, id: &str, in_use: &InUse) -> Result<(), ImageError> {
        let snapshots = self.get(id)?.map(|image| image.block_devices).unwrap_or_default();
        let snapshots: Vec<String> = snapshots.into_iter().filter_map(|device| device.snapshot).collect();
        self.remove(id, in_use)?;
        let others = self.list()?;
        let devices = || others.iter().flat_map(|image| &image.block_devices);
        for snapshot in &snapshots {
            if !devices().any(|device| device.snapshot.as_ref() == Some(snapshot)) {
                self.delete_snapshot(snapshot)?;
            }
        }
        Ok(())
    }

    /// Removes those of this store's layers that nothing stands on any more. Does nothing while somebody else makes
    /// or removes images: it can wait. What is in use is asked for when no image can be removed any more.
    pub fn sweep_layers(&self, in_use: impl FnOnce() -> InUse) -> Result<(), ImageError> {
        let path = self.dir.join("lock");
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let lock = lock.map_err(OsError::of("open", &path))?;
        if lock.try_lock().is_err() {
            return Ok(());
        }
        let dir = self.layers_dir();
        let mut finished = Vec::new();
        for entry in fs::read_dir(&dir).map_err(OsError::of("list", &dir))? {
            let layer = entry.map_err(OsError::of("list", &dir))?.path();
            // What is half made has an extension.
            if layer.extension().is_none() {
                finished.push(layer);
            }
        }
        self.remove_layers(finished, &in_use())
    }

    /// Removes those of these layers that belong to this store and that nothing stands on. The store is locked.
    fn remove_layers(&self, layers: Vec<PathBuf>, in_use: &InUse) -> Result<(), ImageError> {
        let (images, snapshots) = (self.list()?, self.snapshots_ever()?);
        let of_images = images.iter().flat_map(|image| &image.layers);
        let of_snapshots = snapshots.iter().flat_map(|snapshot| snapshot.layers.iter().flatten());
        let kept: BTreeSet<&PathBuf> = of_images.chain(of_snapshots).chain(&in_use.layers).collect();
        let own = self.layers_dir();
        for layer in layers.iter().filter(|l| l.starts_with(&own) && !kept.contains(l)) {
            files::remove_all(layer)?;
        }
        Ok(())
    }

    /// Writes an image's record, new or changed.
    pub fn put(&self, image: &Image) -> Result<(), ImageError> {
        let json = serde_json::to_vec_pretty(image)
            .map_err(|e| ImageError::Record { path: self.record_path(&image.id), reason: e.to_string() })?;
        files::write_atomic(&self.record_path(&image.id), &json)?;
        self.touched();
        Ok(())
    }

    /// Changes the record of an image; `None` when there is none (any more).
    pub fn update(&self, id: &str, change: impl FnOnce(&mut Image)) -> Result<Option<Image>, ImageError> {
        let _lock = self.lock_records()?;
        let Some(mut image) = self.get(id)? else { return Ok(None) };
        change(&mut image);
        self.put(&image)?;
        Ok(Some(image))
    }

    /// Gives an image and its aliases other layers, unless it has them already. The store is locked.
    ///
    /// Layers that it had stay on disk: instances that were launched from them still boot from them.
    pub(super) fn replace_layers(&self, image: Image, layers: Vec<PathBuf>) -> Result<Image, ImageError> {
        if image.layers == layers && image.state == ImageState::Available {
            return Ok(image);
        }
        let created = jiff::Timestamp::now();
        for alias in self.list()?.into_iter().filter(|i| i.alias_of.as_ref() == Some(&image.id)) {
            self.put(&Image { layers: layers.clone(), created, state: ImageState::Available, ..alias })?;
        }
        let image = Image { layers, created, state: ImageState::Available, ..image };
        self.put(&image)?;
        Ok(image)
    }

    /// Waits until no other process changes the store, and keeps them from it until dropped.
    pub(super) fn lock(&self) -> Result<File, ImageError> {
        let path = self.dir.join("lock");
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(OsError::of("open", &path))?;
        file.lock().map_err(OsError::of("lock", &path))?;
        Ok(file)
    }

    /// The same for the short time that reading and writing a record takes. Whoever needs both takes this one last.
    pub fn lock_records(&self) -> Result<File, ImageError> {
        let path = self.dir.join("records.lock");
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(OsError::of("open", &path))?;
        file.lock().map_err(OsError::of("lock", &path))?;
        Ok(file)
    }

    /// Refuses a name that is ill-formed or taken.
    pub(super) fn check_new_name(&self, name: &str) -> Result<(), ImageError> {
        if !is_image_name(name) {
            return Err(ImageError::BadName(name.to_owned()));
        }
        match self.by_name(name)? {
            Some(taken) if taken.state != ImageState::Failed => {
                Err(ImageError::NameTaken { name: name.to_owned(), id: taken.id })
            }
            _ => Ok(()),
        }
    }

    pub(super) fn record_path(&self, id: &str) -> PathBuf {
        self.dir.join(format!("{id}.json"))
    }
}

fn read_record(path: &Path) -> Result<Option<Image>, ImageError> {
    let Some(bytes) = files::read_optional(path)? else { return Ok(None) };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|e| ImageError::Record { path: path.to_owned(), reason: e.to_string() })
}

/// Whether `id` has the form of an image id, old (8 digits) or new (17).
pub fn is_image_id(id: &str) -> bool {
    id.strip_prefix("ami-").is_some_and(|digits| {
        matches!(digits.len(), 8 | 17) && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// Whether EC2 would take `name` for an image (the rule is in `CreateImage`'s reference).
pub fn is_image_name(name: &str) -> bool {
    (3..=128).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"()[] ./-'@_".contains(&b))
}

/// A fresh image id.
pub(super) fn new_image_id() -> String {
    let digits: [u8; 9] = rand::random();
    format!("ami-{}", &hex::encode(digits)[..17])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images::record::{AMAZON, BlockDevice};

    fn image(id: &str, name: &str, layers: &[&Path]) -> Image {
        Image {
            id: id.into(),
            name: name.into(),
            description: "an image".into(),
            created: jiff::Timestamp::UNIX_EPOCH,
            owner: AMAZON.into(),
            region: None,
            layers: layers.iter().map(|l| l.to_path_buf()).collect(),
            architecture: "x86_64".into(),
            state: ImageState::Available,
            root_device: "/dev/xvda".into(),
            block_devices: BlockDevice::ecs_optimised(),
            tags: Default::default(),
            alias_of: None,
            ..Image::default()
        }
    }

    #[test]
    fn finds_what_was_put() {
        let state = tempfile::tempdir().unwrap();
        let store = ImageStore::open(state.path()).unwrap();
        let (a, b) = (image("ami-0000000a", "zeta", &[]), image("ami-0000000b", "alpha", &[]));
        store.put(&a).unwrap();
        store.put(&b).unwrap();
        assert_eq!(store.list().unwrap(), [b.clone(), a.clone()]);
        assert_eq!(store.get("ami-0000000a").unwrap(), Some(a));
        assert_eq!(store.get("ami-0000000c").unwrap(), None);
        assert_eq!(store.get("../lock").unwrap(), None);
        assert_eq!(store.by_name("alpha").unwrap(), Some(b));
        fs::write(state.path().join("images/ami-0000000d.json"), "{").unwrap();
        let damaged = store.list().unwrap_err().to_string();
        assert!(damaged.contains("ami-0000000d.json"), "{damaged}");
    }

    #[test]
    fn an_alias_is_the_same_image_under_another_id() {
        let state = tempfile::tempdir().unwrap();
        let store = ImageStore::open(state.path()).unwrap();
        store.put(&image("ami-0000000a", "base", &[])).unwrap();
        store.put(&image("ami-0000000b", "other", &[])).unwrap();
        let alias = store.alias("ami-ec957491", "base").unwrap();
        assert_eq!(alias.alias_of.as_deref(), Some("ami-0000000a"));
        assert_eq!(store.alias("ami-ec957491", "ami-0000000a").unwrap(), alias);
        assert_eq!(store.by_name("base").unwrap().unwrap().id, "ami-0000000a");
        assert!(matches!(store.alias("ami-ec957491", "other"), Err(ImageError::IdTaken { .. })));
        assert!(matches!(store.alias("ami-x", "base"), Err(ImageError::BadId(_))));
        assert!(matches!(store.alias("ami-ec957492", "none"), Err(ImageError::NoSuchName(_))));
        let none = InUse::default();
        assert!(matches!(store.remove("ami-0000000a", &none), Err(ImageError::InUse { .. })));
        store.remove("ami-ec957491", &none).unwrap();
        store.remove("ami-0000000a", &none).unwrap();
    }

    #[test]
    fn removal_spares_what_is_used() {
        let state = tempfile::tempdir().unwrap();
        let store = ImageStore::open(state.path()).unwrap();
        let (shared, own) = (store.layers_dir().join("shared"), store.layers_dir().join("own"));
        let cached = state.path().join("cached");
        for dir in [&shared, &own, &cached] {
            fs::create_dir(dir).unwrap();
        }
        store.put(&image("ami-0000000a", "one", &[&own, &shared, &cached])).unwrap();
        store.put(&image("ami-0000000b", "two", &[&shared, &cached])).unwrap();
        let used = InUse { images: BTreeSet::from(["ami-0000000a".to_owned()]), ..InUse::default() };
        assert!(matches!(store.remove("ami-0000000a", &used), Err(ImageError::InUse { .. })));
        store.remove("ami-0000000a", &InUse::default()).unwrap();
        assert!(!own.exists() && shared.exists() && cached.exists());
        assert!(matches!(store.remove("ami-0000000a", &used), Err(ImageError::NotFound(_))));
        store.remove("ami-0000000b", &InUse::default()).unwrap();
        assert!(!shared.exists() && cached.exists(), "the cache is not the store's");
    }

    #[test]
    fn layers_that_nothing_stands_on_are_swept_up() {
        let state = tempfile::tempdir().unwrap();
        let store = ImageStore::open(state.path()).unwrap();
        let [of_image, of_volume, of_nobody, half_made] =
            ["of-image", "of-volume", "of-nobody", "made.partial"].map(|name| store.layers_dir().join(name));
        for dir in [&of_image, &of_volume, &of_nobody, &half_made] {
            fs::create_dir(dir).unwrap();
        }
        store.put(&image("ami-0000000a", "one", &[&of_image])).unwrap();
        let in_use = || InUse { layers: BTreeSet::from([of_volume.clone()]), ..InUse::default() };
        let busy = store.lock().unwrap();
        store.sweep_layers(in_use).unwrap();
        assert!(of_nobody.exists(), "somebody may be making an image of it");
        drop(busy);
        store.sweep_layers(in_use).unwrap();
        assert!(of_image.exists() && of_volume.exists() && half_made.exists() && !of_nobody.exists());
    }

    #[test]
    fn names_and_ids() {
        for (id, good) in [
            ("ami-ec957491", true),
            ("ami-0123456789abcdef0", true),
            ("ami-EC957491", false),
            ("ami-ec95749", false),
            ("i-ec957491", false),
        ] {
            assert_eq!(is_image_id(id), good, "{id}");
        }
        assert!(is_image_id(&new_image_id()));
        for (name, good) in [("ecs-base", true), ("ab", false), ("a b (c)", true), ("semi;colon", false)] {
            assert_eq!(is_image_name(name), good, "{name}");
        }
    }
}
