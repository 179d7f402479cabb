//! The base image, made from its recipe once and cached for all clouds of this machine.
//!
//! It has two layers, each in a directory named after a digest of what it is made from: the packages, which take a
//! minute and are rarely remade, and an overlay of files and the guest tools, which takes a moment.

use std::borrow::Cow;
use std::env;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use super::command;
use super::error::ImageError;
use super::key::Key;
use super::record::{AMAZON, BlockDevice, Image, ImageState};
use super::store::{ImageStore, new_image_id};
use crate::error::OsError;
use crate::files;

/// The base image's name.
pub const BASE_NAME: &str = "ecs-base";

/// The recipe's program that makes the packages layer: `build-packages ROOTDIR`.
const BUILD_PACKAGES: &str = "build-packages";
/// The recipe's list of packages.
const PACKAGES: &str = "packages.list";
/// The recipe's program that makes the overlay layer: `build-overlay BASEROOT OVERLAYDIR GUEST_BINARY`.
const BUILD_OVERLAY: &str = "build-overlay";
/// Takes another package source; see `build-packages`. It decides what the packages layer holds.
const APT_SOURCES: &str = "DRYDOCK_APT_SOURCES";

/// What the base image is made from.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// The files of `images/ecs-base`.
    pub files: Vec<RecipeFile>,
    /// The static multi-call binary of the guest tools.
    pub guest: Cow<'static, [u8]>,
}

/// A file of the recipe.
#[derive(Debug, Clone)]
pub struct RecipeFile {
    /// Its path within the recipe.
    pub path: PathBuf,
    /// Its permission bits.
    pub mode: u32,
    /// Its content.
    pub bytes: Cow<'static, [u8]>,
}

impl RecipeFile {
    /// A file of the recipe.
    pub fn file(path: impl Into<PathBuf>, mode: u32, bytes: impl Into<Cow<'static, [u8]>>) -> Self {
        Self { path: path.into(), mode, bytes: bytes.into() }
    }
}

/// Where layers are cached: `DRYDOCK_CACHE_DIR`, else `/var/cache/drydock` for root, else `drydock` in the user's
/// cache directory.
pub fn cache_dir() -> PathBuf {
    let named = |name| env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    if let Some(dir) = named("DRYDOCK_CACHE_DIR") {
        return dir;
    }
    if let Some(dir) = named("XDG_CACHE_HOME") {
        return dir.join("drydock");
    }
    match named("HOME") {
        Some(home) if !nix::unistd::geteuid().is_root() => home.join(".cache/drydock"),
        _ => "/var/cache/drydock".into(),
    }
}

impl ImageStore {
    /// Makes the base image, or finds that it is made already. A changed recipe changes the image's layers under
    /// the same id; instances that run keep the old ones. `progress` gets a line at a time.
    ///
    /// Blocks for as long as it takes: about a minute the first time on a machine.
    pub fn create_base(
        &self,
        recipe: &Recipe,
        cache: &Path,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Image, ImageError> {
        fs::create_dir_all(cache).map_err(OsError::of("make", cache))?;
        let unpacked = unpack(recipe)?;
        let sources = package_sources()?;
        let packages = cache.join(format!("packages-{}", recipe.packages_key(&sources)));
        layer(&packages, progress, &mut |target, lock, progress| {
            progress("making the packages layer of the base image; this is done once");
            let script = unpacked.path().join(BUILD_PACKAGES);
            command::run(&script, Command::new(&script).arg(target).stdin(lock), progress)
        })?;
        let overlay = cache.join(format!("overlay-{}", recipe.overlay_key(&sources)));
        layer(&overlay, progress, &mut |target, lock, progress| {
            progress("making the overlay layer of the base image");
            let script = unpacked.path().join(BUILD_OVERLAY);
            let guest = unpacked.path().join(GUEST);
            command::run(
                &script,
                Command::new(&script).arg(&packages).arg(target).arg(guest).stdin(lock),
                progress,
            )
        })?;
        self.record_base(vec![overlay, packages])
    }

    fn record_base(&self, layers: Vec<PathBuf>) -> Result<Image, ImageError> {
        let _lock = self.lock()?;
        if let Some(known) = self.by_name(BASE_NAME)? {
            return self.replace_layers(known, layers);
        }
        let image = Image {
            id: new_image_id(),
            name: BASE_NAME.to_owned(),
            description: "Debian 12 with Docker and the ECS agent, shaped like the ECS-optimised AMI"
                .to_owned(),
            created: jiff::Timestamp::now(),
            owner: AMAZON.to_owned(),
            region: None,
            layers,
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
}

/// The guest binary's name beside the unpacked recipe; no file of the recipe has it.
const GUEST: &str = ".guest";

impl Recipe {
    /// Names the packages layer after all that decides what is in it.
    fn packages_key(&self, sources: &[u8]) -> String {
        let mut key = Key::default();
        for file in self
            .sorted()
            .into_iter()
            .filter(|f| f.path == Path::new(BUILD_PACKAGES) || f.path == Path::new(PACKAGES))
        {
            key.add(file.path.as_os_str().as_encoded_bytes());
            key.add(&file.bytes);
        }
        key.add(sources);
        key.finish()
    }

    /// Names the overlay layer after all that decides what is in it, the packages included: it copies from them.
    fn overlay_key(&self, sources: &[u8]) -> String {
        let mut key = Key::default();
        key.add(self.packages_key(sources).as_bytes());
        for file in self.sorted() {
            key.add(file.path.as_os_str().as_encoded_bytes());
            key.add(&file.mode.to_le_bytes());
            key.add(&file.bytes);
        }
        key.add(&self.guest);
        key.finish()
    }

    fn sorted(&self) -> Vec<&RecipeFile> {
        let mut files: Vec<&RecipeFile> = self.files.iter().collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        files
    }
}

fn package_sources() -> Result<Vec<u8>, ImageError> {
    match env::var_os(APT_SOURCES).filter(|v| !v.is_empty()) {
        None => Ok(Vec::new()),
        Some(path) => Ok(fs::read(&path).map_err(OsError::of("read", Path::new(&path)))?),
    }
}

/// Writes the recipe to a temporary directory, for its programs to run in.
fn unpack(recipe: &Recipe) -> Result<tempfile::TempDir, ImageError> {
    let dir = tempfile::tempdir().map_err(OsError::of("make a directory in", env::temp_dir()))?;
    for file in &recipe.files {
        if !file.path.components().all(|c| matches!(c, Component::Normal(_))) {
            let reason = "a recipe's paths are relative and without `..`";
            return Err(ImageError::BadPath { path: file.path.clone(), reason });
        }
        write(&dir.path().join(&file.path), file.mode, &file.bytes)?;
    }
    write(&dir.path().join(GUEST), 0o755, &recipe.guest)?;
    Ok(dir)
}

fn write(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), ImageError> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(OsError::of("make", parent))?;
    }
    fs::write(path, bytes).map_err(OsError::of("write", path))?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .map_err(OsError::of("set the mode of", path))?;
    Ok(())
}

/// What makes a layer: gets the directory to make, the lock for its program to hold, and where lines go.
type Build<'a> = &'a mut dyn FnMut(&Path, File, &mut dyn FnMut(&str)) -> Result<(), ImageError>;

/// Makes the layer `target` unless it is there. It appears whole: whoever is killed on the way leaves a directory
/// that the next one throws away.
fn layer(target: &Path, progress: &mut dyn FnMut(&str), build: Build<'_>) -> Result<(), ImageError> {
    if target.is_dir() {
        return Ok(());
    }
    let (lock_path, partial) = (target.with_extension("lock"), target.with_extension("partial"));
    let lock = OpenOptions::new().create(true).truncate(false).write(true).read(true).open(&lock_path);
    let lock = lock.map_err(OsError::of("open", &lock_path))?;
    if lock.try_lock().is_err() {
        progress("another process makes the same layer; waiting for it");
        lock.lock().map_err(OsError::of("lock", &lock_path))?;
    }
    if target.is_dir() {
        return Ok(());
    }
    files::remove_all(&partial)?;
    // The program inherits the lock: should we be killed, it may still be at work on the directory.
    let inherited = lock.try_clone().map_err(OsError::of("lock", &lock_path))?;
    let built = build(&partial, inherited, progress);
    if let Err(failure) = built {
        files::remove_all(&partial)?;
        return Err(failure);
    }
    // All of it must be on disk before its name says that it is.
    let dir = File::open(&partial).map_err(OsError::of("open", &partial))?;
    nix::unistd::syncfs(&dir).map_err(OsError::of("sync", &partial))?;
    fs::rename(&partial, target).map_err(OsError::of("name", target))?;
    files::sync_dir(target.parent().unwrap_or(Path::new("/")))?;
    Ok(())
}

/// This machine's architecture in EC2's words.
pub(super) fn architecture() -> &'static str {
    match env::consts::ARCH {
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &'static str) -> RecipeFile {
        RecipeFile { path: path.into(), mode: 0o755, bytes: Cow::Borrowed(text.as_bytes()) }
    }

    fn recipe() -> Recipe {
        let packages =
            "#!/bin/sh\necho packing; mkdir \"$1\"; cat \"${0%/*}/packages.list\" > \"$1/packages\"\n";
        let overlay = "#!/bin/sh\nmkdir \"$2\"; cat \"$1/packages\" \"$3\" > \"$2/both\"\n";
        Recipe {
            files: vec![
                file(BUILD_PACKAGES, packages),
                file(PACKAGES, "docker.io\n"),
                file(BUILD_OVERLAY, overlay),
                file("overlay/etc/x", "x"),
            ],
            guest: Cow::Borrowed(b"guest"),
        }
    }

    #[test]
    fn makes_layers_once_and_follows_the_recipe() {
        let (state, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let store = ImageStore::open(state.path()).unwrap();
        let mut recipe = recipe();
        let make = |recipe: &Recipe| {
            let mut lines = 0;
            let image = store.create_base(recipe, cache.path(), &mut |_| lines += 1).unwrap();
            (image, lines)
        };
        let (first, lines) = make(&recipe);
        assert_eq!(lines, 3);
        assert_eq!(fs::read_to_string(first.layers[0].join("both")).unwrap(), "docker.io\nguest");
        assert_eq!(make(&recipe), (first.clone(), 0));
        let alias = store.alias("ami-ec957491", BASE_NAME).unwrap();
        assert_eq!(alias.layers, first.layers);

        recipe.guest = Cow::Borrowed(b"newer");
        let (second, lines) = make(&recipe);
        assert_eq!((&second.id, lines), (&first.id, 1));
        assert_ne!(second.layers[0], first.layers[0]);
        assert_eq!(second.layers[1], first.layers[1]);
        assert_eq!(store.get("ami-ec957491").unwrap().unwrap().layers, second.layers);
    }

    #[test]
    fn a_failed_build_leaves_nothing() {
        let (state, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let store = ImageStore::open(state.path()).unwrap();
        let mut recipe = recipe();
        recipe.files[0] = file(BUILD_PACKAGES, "#!/bin/sh\nmkdir \"$1\"; echo no such package; exit 100\n");
        let failed = store.create_base(&recipe, cache.path(), &mut |_| {}).unwrap_err();
        assert!(failed.to_string().contains("no such package"), "{failed}");
        let left: Vec<_> = fs::read_dir(cache.path()).unwrap().flatten().map(|e| e.path()).collect();
        assert!(left.iter().all(|p| p.extension().is_some_and(|e| e == "lock")), "{left:?}");
        assert_eq!(store.list().unwrap(), []);
    }

    #[test]
    fn paths_stay_inside_the_recipe() {
        let mut recipe = recipe();
        recipe.files.push(file("../x", "x"));
        assert!(matches!(unpack(&recipe), Err(ImageError::BadPath { .. })));
    }
}
