//! The image records of one local cloud.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::error::ImageError;
use super::record::{Image, ImageState};
use crate::error::OsError;
use crate::files;

/// The images of one local cloud. Several processes may use the same directory at once.
#[derive(Debug, Clone)]
pub struct ImageStore {
    dir: PathBuf,
}

impl ImageStore {
    /// Opens `STATE/images`, making it where it is missing.
    pub fn open(state_dir: &Path) -> Result<Self, ImageError> {
        let dir = state_dir.join("images");
        let layers = dir.join("layers");
        fs::create_dir_all(&layers).map_err(OsError::of("make", &layers))?;
        Ok(Self { dir })
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

    /// Removes an image, its aliases' being gone already, and the layers that no other image stands on.
    /// `in_use` holds the ids of images that instances run from.
    pub fn remove(&self, id: &str, in_use: &BTreeSet<String>) -> Result<(), ImageError> {
        let image = self.get(id)?.ok_or_else(|| ImageError::NotFound(id.to_owned()))?;
        let others: Vec<Image> = self.list()?.into_iter().filter(|i| i.id != id).collect();
        let mut users: Vec<String> = others
            .iter()
            .filter(|i| i.alias_of.as_deref() == Some(id))
            .map(|i| format!("its alias {}", i.id))
            .collect();
        if in_use.contains(id) {
            users.push("an instance".to_owned());
        }
        if !users.is_empty() {
            return Err(ImageError::InUse { id: id.to_owned(), users });
        }
        files::remove_all(&self.record_path(id))?;
        let kept: BTreeSet<&PathBuf> = others.iter().flat_map(|i| &i.layers).collect();
        let own = self.layers_dir();
        for layer in image.layers.iter().filter(|l| l.starts_with(&own) && !kept.contains(l)) {
            files::remove_all(layer)?;
        }
        Ok(())
    }

    /// Writes an image's record, new or changed.
    pub fn put(&self, image: &Image) -> Result<(), ImageError> {
        let json = serde_json::to_vec_pretty(image).map_err(|e| ImageError::Record {
            path: self.record_path(&image.id),
            reason: e.to_string(),
        })?;
        Ok(files::write_atomic(&self.record_path(&image.id), &json)?)
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

    fn record_path(&self, id: &str) -> PathBuf {
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
