//! Loop devices: a volume's file as a block device.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::stat::{Mode, SFlag, makedev, mknod};

use crate::error::OsError;
use crate::sys;

/// The major number of loop devices (`Documentation/admin-guide/devices.txt`).
pub(crate) const LOOP_MAJOR: u64 = 7;

/// How often a device may be lost to another process between finding it free and taking it.
const ATTEMPTS: usize = 128;

/// How long the kernel may take to let go of a device whose last user is gone: it writes everything back first.
const RELEASE_LIMIT: Duration = Duration::from_secs(20);

/// A loop device in use. It goes when its last user closes it: this value is one user, a mount is another.
#[derive(Debug)]
pub(crate) struct LoopDevice {
    /// The device's number.
    pub index: u32,
    /// The device's node on the host.
    pub path: PathBuf,
    _open: File,
}

impl LoopDevice {
    /// Puts `file` behind a free loop device.
    pub(crate) fn attach(file: &Path) -> Result<Self, OsError> {
        let control_path = Path::new("/dev/loop-control");
        let control = open_read_write(control_path).map_err(OsError::of("open", control_path))?;
        let backing = open_read_write(file).map_err(OsError::of("open", file))?;
        for _ in 0..ATTEMPTS {
            let index =
                sys::free_loop(&control).map_err(OsError::of("get a loop device from", control_path))?;
            let path = node(index);
            let device = open_device(&path, index)?;
            match sys::bind_loop(&device, &backing) {
                Ok(()) => return Ok(Self { index, path, _open: device }),
                // Somebody else took it first.
                Err(Errno::EBUSY) => {}
                Err(e) => return Err(OsError::of("put a file behind", path)(e)),
            }
        }
        Err(OsError::of("get a loop device for", file)(Errno::EBUSY))
    }
}

/// A loop device and the file behind it, as the kernel lists them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bound {
    pub index: u32,
    pub file: PathBuf,
}

/// All loop devices that have a file.
pub(crate) fn list() -> Result<Vec<Bound>, OsError> {
    let dir = Path::new("/sys/block");
    let mut bound = Vec::new();
    for entry in fs::read_dir(dir).map_err(OsError::of("list", dir))? {
        let entry = entry.map_err(OsError::of("list", dir))?;
        let name = entry.file_name();
        let Some(index) = name.to_str().and_then(|n| n.strip_prefix("loop")).and_then(|n| n.parse().ok())
        else {
            continue;
        };
        // A free device has no such file, and one may become free at any time.
        if let Ok(file) = fs::read_to_string(entry.path().join("loop/backing_file")) {
            let file = file.trim_end_matches('\n');
            bound.push(Bound { index, file: file.strip_suffix(" (deleted)").unwrap_or(file).into() });
        }
    }
    Ok(bound)
}

/// Takes a device's file away, now or, if it is in use, when its last user closes it.
pub(crate) fn clear(index: u32) -> Result<(), OsError> {
    let path = node(index);
    let device = match open_read_write(&path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened.map_err(OsError::of("open", &path))?,
    };
    match sys::clear_loop(&device) {
        // ENXIO: it has none any more.
        Ok(()) | Err(Errno::ENXIO) => Ok(()),
        Err(e) => Err(OsError::of("free", path)(e)),
    }
}

/// Makes a device as large as its file is now.
pub(crate) fn refresh(index: u32) -> Result<(), OsError> {
    let path = node(index);
    let device = open_read_write(&path).map_err(OsError::of("open", &path))?;
    sys::refresh_loop(&device).map_err(OsError::of("make larger", path))
}

/// Waits until no loop device has a file that `ours` says yes to, freeing those that nothing uses.
///
/// A second device on the same file before the first has written everything back would corrupt it. The kernel
/// tells nobody when a device has become free, so this looks every few milliseconds.
pub(crate) async fn released(ours: impl Fn(&Path) -> bool) -> Result<(), OsError> {
    let begun = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        let busy: Vec<Bound> = list()?.into_iter().filter(|b| ours(&b.file)).collect();
        let Some(first) = busy.first() else { return Ok(()) };
        if begun.elapsed() > RELEASE_LIMIT {
            return Err(OsError::of("free the loop device of", &first.file)(Errno::EBUSY));
        }
        for bound in &busy {
            clear(bound.index)?;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// The host's node of a loop device.
pub(crate) fn node(index: u32) -> PathBuf {
    format!("/dev/loop{index}").into()
}

fn open_read_write(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(path)
}

/// Opens a device's node, making it where nothing keeps /dev up to date.
fn open_device(path: &Path, index: u32) -> Result<File, OsError> {
    match open_read_write(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let mode = Mode::from_bits_truncate(0o660);
            match mknod(path, SFlag::S_IFBLK, mode, makedev(LOOP_MAJOR, u64::from(index))) {
                Ok(()) | Err(Errno::EEXIST) => open_read_write(path).map_err(OsError::of("open", path)),
                Err(e) => Err(OsError::of("make", path)(e)),
            }
        }
        opened => opened.map_err(OsError::of("open", path)),
    }
}
