//! Images of the user's: imported from a file, or another image with files added.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::mount::{MsFlags, mount};

use super::base::architecture;
use super::command;
use super::error::ImageError;
use super::key::Key;
use super::record::{BlockDevice, Image, ImageState};
use super::store::{ImageStore, new_image_id};
use crate::error::OsError;
use crate::files;
use crate::inroot::InRoot;
use crate::mounts::{escape, in_own_mounts, join_layers};

/// Where an init may be (systemd-nspawn looks for these).
const INITS: [&str; 3] = ["/usr/lib/systemd/systemd", "/lib/systemd/systemd", "/sbin/init"];

/// What the user says of a new image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewImage {
    /// The name; it must be free.
    pub name: String,
    /// What it is, in a sentence.
    pub description: String,
    /// The account that owns it.
    pub owner: String,
    /// The one region that sees it; none means all.
    pub region: Option<String>,
}

/// A file of the host's to add to an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addition {
    /// The file on the host.
    pub source: PathBuf,
    /// Its absolute path in the image. It will belong to the owner of the directory that it is in.
    pub path: PathBuf,
    /// Its permission bits; none means those of the host's file.
    pub mode: Option<u32>,
}

impl ImageStore {
    /// Makes an image from a tar file (compressed or not) of a root file system, with owners by number, extended
    /// attributes and device nodes. Blocks while it is unpacked.
    pub fn import(&self, tar: &Path, new: &NewImage) -> Result<Image, ImageError> {
        let _lock = self.lock()?;
        self.prepare(&new.name)?;
        let id = new_image_id();
        let partial = self.partial_layer(&id);
        fs::create_dir(&partial).map_err(OsError::of("make", &partial))?;
        let checked = unpack(tar, &partial).and_then(|()| check_init(&partial, tar));
        if let Err(failure) = checked {
            files::remove_all(&partial)?;
            return Err(failure);
        }
        let layer = self.finish_layer(&id)?;
        let image = Image {
            id,
            name: new.name.clone(),
            description: new.description.clone(),
            created: jiff::Timestamp::now(),
            owner: new.owner.clone(),
            region: new.region.clone(),
            layers: vec![layer],
            architecture: architecture().to_owned(),
            state: ImageState::Available,
            root_device: "/dev/xvda".to_owned(),
            block_devices: BlockDevice::ecs_optimised(),
            tags: Default::default(),
            alias_of: None,
            ..Image::default()
        };
        self.put(&image)?;
        Ok(image)
    }

    /// Makes an image that is another one (by id or name) with files added.
    pub async fn create(
        &self,
        new: &NewImage,
        from: &str,
        additions: &[Addition],
    ) -> Result<Image, ImageError> {
        let _lock = self.lock()?;
        self.prepare(&new.name)?;
        self.derive(new, from, additions).await
    }

    /// Makes such an image unless it is there and made of the same. One of that name made of something else gets the
    /// new content under its old id; instances that run keep the old one.
    pub async fn ensure(
        &self,
        new: &NewImage,
        from: &str,
        additions: &[Addition],
    ) -> Result<Image, ImageError> {
        let _lock = self.lock()?;
        let Some(known) = self.by_name(&new.name)? else {
            self.prepare(&new.name)?;
            return self.derive(new, from, additions).await;
        };
        let layers = self.derived_layers(&self.find(from)?, additions).await?;
        self.replace_layers(known, layers)
    }

    async fn derive(&self, new: &NewImage, from: &str, additions: &[Addition]) -> Result<Image, ImageError> {
        let base = self.find(from)?;
        let image = Image {
            id: new_image_id(),
            name: new.name.clone(),
            description: new.description.clone(),
            created: jiff::Timestamp::now(),
            owner: new.owner.clone(),
            region: new.region.clone(),
            layers: self.derived_layers(&base, additions).await?,
            tags: Default::default(),
            alias_of: None,
            shared: Default::default(),
            client_token: None,
            deregistration_protection: false,
            deprecation: None,
            ..base
        };
        self.put(&image)?;
        Ok(image)
    }

    /// The base's layers below one with the additions, which is named after what it is made of and made if missing.
    async fn derived_layers(&self, base: &Image, additions: &[Addition]) -> Result<Vec<PathBuf>, ImageError> {
        let files = additions.iter().map(NewFile::read).collect::<Result<Vec<_>, _>>()?;
        let key = layer_key(&base.layers, &files);
        let layer = self.layers_dir().join(&key);
        if !layer.is_dir() {
            if let Err(failure) = self.add_layer(&key, base, files).await {
                files::remove_all(&self.partial_layer(&key))?;
                return Err(failure);
            }
            self.finish_layer(&key)?;
        }
        Ok(std::iter::once(layer).chain(base.layers.iter().cloned()).collect())
    }

    /// Writes into an overlay over the base, so that the new layer has the base's directories with their owners and
    /// modes, and links among them are followed.
    async fn add_layer(&self, name: &str, base: &Image, files: Vec<NewFile>) -> Result<(), ImageError> {
        let partial = self.partial_layer(name);
        // Overlay needs a second directory on the same file system, and a place to be mounted at.
        let (work, merged) = (partial.with_extension("work"), partial.with_extension("merged"));
        for dir in [&partial, &work, &merged] {
            files::remove_all(dir)?;
            fs::create_dir(dir).map_err(OsError::of("make", dir))?;
        }
        let options = format!(
            "lowerdir={},upperdir={},workdir={},index=off",
            join_layers(base.layers.iter().map(PathBuf::as_path)),
            escape(&partial),
            escape(&work)
        );
        let target = merged.clone();
        let added = in_own_mounts(move || {
            let flags = MsFlags::empty();
            mount(Some("overlay"), &target, Some("overlay"), flags, Some(options.as_str()))
                .map_err(OsError::of("mount the image's layers at", &target))?;
            let root = InRoot::open(&target).map_err(OsError::of("open", &target))?;
            files.iter().try_for_each(|file| file.write(&root))
        });
        let added = added.await;
        files::remove_all(&work)?;
        files::remove_all(&merged)?;
        Ok(added?)
    }

    fn find(&self, id_or_name: &str) -> Result<Image, ImageError> {
        match self.get(id_or_name)? {
            Some(image) => Ok(image),
            None => self.by_name(id_or_name)?.ok_or_else(|| ImageError::NoSuchName(id_or_name.to_owned())),
        }
    }

    /// Checks the name, and throws away what killed processes left half made. The store is locked: nobody is at work.
    fn prepare(&self, name: &str) -> Result<(), ImageError> {
        self.check_new_name(name)?;
        let layers = self.layers_dir();
        for entry in fs::read_dir(&layers).map_err(OsError::of("list", &layers))? {
            let path = entry.map_err(OsError::of("list", &layers))?.path();
            // Finished layers have no extension.
            if path.extension().is_some() {
                files::remove_all(&path)?;
            }
        }
        Ok(())
    }

    fn partial_layer(&self, name: &str) -> PathBuf {
        self.layers_dir().join(format!("{name}.partial"))
    }

    fn finish_layer(&self, name: &str) -> Result<PathBuf, ImageError> {
        let (partial, layer) = (self.partial_layer(name), self.layers_dir().join(name));
        let dir = fs::File::open(&partial).map_err(OsError::of("open", &partial))?;
        nix::unistd::syncfs(&dir).map_err(OsError::of("sync", &partial))?;
        fs::rename(&partial, &layer).map_err(OsError::of("name", &layer))?;
        Ok(layer)
    }
}

fn unpack(tar: &Path, into: &Path) -> Result<(), ImageError> {
    // Opened here for a plain error when it is not there.
    drop(fs::File::open(tar).map_err(OsError::of("open", tar))?);
    let mut command = Command::new("tar");
    command.args(["--extract", "--numeric-owner", "--same-owner", "--same-permissions"]);
    command.args(["--xattrs", "--xattrs-include=*", "--file"]).arg(tar).arg("--directory").arg(into);
    command::run(Path::new("tar"), command.stdin(Stdio::null()), &mut |_| {}).map_err(|error| match error {
        ImageError::Program { output, .. } => ImageError::Unpack { archive: tar.to_owned(), reason: output },
        other => other,
    })
}

fn check_init(root: &Path, origin: &Path) -> Result<(), ImageError> {
    let inside = InRoot::open(root).map_err(OsError::of("open", root))?;
    match INITS.iter().any(|init| inside.exists(Path::new(init))) {
        true => Ok(()),
        false => Err(ImageError::NoInit { origin: origin.to_owned() }),
    }
}

fn check_addition(addition: &Addition) -> Result<(), ImageError> {
    let refuse = |reason| Err(ImageError::BadPath { path: addition.path.clone(), reason });
    if !addition.path.is_absolute() {
        return refuse("a path in an image begins with `/`");
    }
    if addition.path.file_name().is_none() || addition.path.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return refuse("it names no file");
    }
    let meta = fs::metadata(&addition.source).map_err(OsError::of("read", &addition.source))?;
    if !meta.is_file() {
        return Err(ImageError::BadPath {
            path: addition.source.clone(),
            reason: "it is not a regular file",
        });
    }
    Ok(())
}

/// A file that is about to be added.
struct NewFile {
    path: PathBuf,
    mode: u32,
    content: Vec<u8>,
}

impl NewFile {
    fn read(addition: &Addition) -> Result<Self, ImageError> {
        check_addition(addition)?;
        let source = &addition.source;
        let content = fs::read(source).map_err(OsError::of("read", source))?;
        let mode = match addition.mode {
            Some(mode) => mode,
            None => fs::metadata(source).map_err(OsError::of("read", source))?.mode() & 0o7777,
        };
        Ok(Self { path: addition.path.clone(), mode, content })
    }

    fn write(&self, root: &InRoot) -> Result<(), OsError> {
        root.write_for_owner_of_directory(&self.path, self.mode, &self.content)
            .map_err(OsError::of("write into the image:", &self.path))
    }
}

/// Names a layer after what it is made of.
fn layer_key(base: &[PathBuf], files: &[NewFile]) -> String {
    let mut key = Key::default();
    for layer in base {
        key.add(layer.as_os_str().as_encoded_bytes());
    }
    for file in files {
        key.add(file.path.as_os_str().as_encoded_bytes());
        key.add(&file.mode.to_le_bytes());
        key.add(&file.content);
    }
    key.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_places_that_are_none() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let addition = |path: &str| Addition { source: file.path().into(), path: path.into(), mode: None };
        for (path, fine) in
            [("/home/ec2-user/firstrun.sh", true), ("relative", false), ("/", false), ("/etc/", false)]
        {
            assert_eq!(check_addition(&addition(path)).is_ok(), fine, "{path}");
        }
        let directory = Addition { source: "/".into(), ..addition("/x") };
        assert!(check_addition(&directory).is_err());
    }

    #[test]
    fn an_archive_without_init_is_no_image() {
        let state = tempfile::tempdir().unwrap();
        let store = ImageStore::open(state.path()).unwrap();
        let new = NewImage {
            name: "mine".into(),
            description: String::new(),
            owner: "123456789012".into(),
            region: None,
        };
        let tree = tempfile::tempdir().unwrap();
        fs::write(tree.path().join("file"), "x").unwrap();
        let tar = state.path().join("root.tar.gz");
        let pack = |tree: &Path| {
            let done =
                Command::new("tar").arg("-czf").arg(&tar).arg("-C").arg(tree).arg(".").status().unwrap();
            assert!(done.success());
        };
        pack(tree.path());
        assert!(matches!(store.import(&tar, &new), Err(ImageError::NoInit { .. })));
        assert!(matches!(store.import(Path::new("/no/such.tar"), &new), Err(ImageError::Os(_))));
        assert_eq!(fs::read_dir(store.layers_dir()).unwrap().count(), 0);

        // A link whose target is only found when links are resolved inside the tree.
        fs::create_dir_all(tree.path().join("usr/lib/systemd")).unwrap();
        fs::create_dir_all(tree.path().join("sbin")).unwrap();
        fs::write(tree.path().join("usr/lib/systemd/my-init"), "").unwrap();
        std::os::unix::fs::symlink("/usr/lib/systemd/my-init", tree.path().join("sbin/init")).unwrap();
        pack(tree.path());
        let image = store.import(&tar, &new).unwrap();
        assert!(image.layers[0].join("file").is_file());
        assert!(matches!(store.import(&tar, &new), Err(ImageError::NameTaken { .. })));
        store.remove(&image.id, &Default::default()).unwrap();
        assert!(!image.layers[0].exists());
    }
}
