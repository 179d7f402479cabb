//! The seam between the control plane and whatever runs the machines.

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;

use crate::error::{BootError, DriverError};

/// Bytes of console output that EC2's `GetConsoleOutput` returns.
pub const CONSOLE_BYTES: u64 = 64 * 1024;

/// Everything that a driver needs to know to boot an instance.
///
/// The same specification boots a stopped instance again: what the instance wrote is in its root volume.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct InstanceSpec {
    /// The instance id (`i-…`); names the instance's directory, cgroups and processes.
    pub id: String,
    /// The host name that the instance boots with.
    pub hostname: String,
    /// The image's layers, top first: read-only directories that many instances share.
    pub image_layers: Vec<PathBuf>,
    /// The root volume (`/dev/xvda`): an ext4 file system that holds everything the instance writes.
    pub root: VolumeAttachment,
    /// Further volumes, visible inside under their device names.
    pub volumes: Vec<VolumeAttachment>,
    /// Path of the network namespace that the instance lives in.
    pub netns: PathBuf,
    /// Files put into the root before its first boot; later boots leave them as the instance has them.
    pub files: Vec<InjectedFile>,
    /// Upper limit of memory in MiB; none means the host's.
    pub memory_mib: Option<u64>,
    /// Upper limit of processor time in whole processors; none means the host's.
    pub cpus: Option<u32>,
}

/// A volume and the device name that an instance sees it under.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct VolumeAttachment {
    /// The volume id (`vol-…`).
    pub volume_id: String,
    /// The device name inside (`/dev/xvdcz`).
    pub device: String,
    /// The sparse file that holds the volume's bytes.
    pub file: PathBuf,
    /// The size in GiB.
    pub size_gib: u32,
}

/// A file written into an instance's root before its first boot, owned by root.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct InjectedFile {
    /// Absolute path inside the instance; missing parent directories are made with mode 0755.
    pub path: PathBuf,
    /// Permission bits; an appended file that exists keeps its own.
    pub mode: u32,
    /// What is written.
    pub content: Vec<u8>,
    /// Add to the end of the image's file instead of replacing it.
    pub append: bool,
}

/// What is true of a machine at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MachineStatus {
    /// The driver knows nothing under this id.
    Absent,
    /// Its init runs.
    Running {
        /// The host's process id of the instance's init.
        leader_pid: i32,
    },
    /// Its processes run but its init does not yet, or not again: it boots or reboots.
    Booting,
    /// It has been booted and has ended; its volumes and console are still there.
    Exited,
}

/// Which part of a console or file to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteRange {
    /// At most `max` bytes from the start.
    Head {
        /// Upper limit in bytes.
        max: u64,
    },
    /// The last `max` bytes.
    Tail {
        /// Upper limit in bytes.
        max: u64,
    },
    /// At most `max` bytes from `offset` on; to follow a file, ask again from `Chunk::end`.
    From {
        /// Where to begin, in bytes from the start.
        offset: u64,
        /// Upper limit in bytes.
        max: u64,
    },
}

impl ByteRange {
    /// Where the range begins in a file of `size` bytes, and at most how many bytes it has.
    pub(crate) fn within(self, size: u64) -> (u64, u64) {
        match self {
            Self::Head { max } => (0, max),
            Self::Tail { max } => (size.saturating_sub(max), max),
            Self::From { offset, max } => (offset.min(size), max),
        }
    }
}

/// A part of a console or file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chunk {
    /// Where `bytes` begin.
    pub offset: u64,
    /// What was read.
    pub bytes: Vec<u8>,
    /// How long the whole file was when it was read.
    pub size: u64,
}

impl Chunk {
    /// The offset after the last byte read.
    pub fn end(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }
}

/// A command to run inside an instance, beside its init.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecRequest {
    /// Program (looked up in the instance's PATH) and arguments.
    pub argv: Vec<String>,
    /// Variables beyond a plain root login's.
    pub env: Vec<(String, String)>,
    /// Working directory inside; `/root` when none.
    pub cwd: Option<PathBuf>,
    /// Where its input comes from and its output goes to.
    pub io: ExecIo,
    /// After how long it is killed; none means never.
    pub timeout: Option<Duration>,
}

impl ExecRequest {
    /// Runs `argv` with empty input and collects what it prints.
    pub fn capture<S: Into<String>>(argv: impl IntoIterator<Item = S>) -> Self {
        Self {
            argv: argv.into_iter().map(Into::into).collect(),
            env: Vec::new(),
            cwd: None,
            io: ExecIo::Capture { stdin: Vec::new() },
            timeout: None,
        }
    }
}

/// A command's standard streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExecIo {
    /// Feed these bytes, collect both outputs.
    Capture {
        /// Standard input.
        stdin: Vec<u8>,
    },
    /// Share the calling process's streams (a user's terminal).
    Inherit,
}

/// How a command inside an instance ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExecOutcome {
    /// The exit code, or 128 plus the signal that ended it, as a shell says.
    pub code: i32,
    /// Collected standard output (empty when streams were inherited).
    pub stdout: Vec<u8>,
    /// Collected standard error (empty when streams were inherited).
    pub stderr: Vec<u8>,
}

/// Keeps an instance's volumes as they are, until it is dropped.
#[must_use = "the instance goes on as soon as this is dropped"]
pub struct Stillness(#[allow(dead_code, reason = "held for its drop")] Box<dyn Send>);

impl Stillness {
    /// Whatever ends the stillness by its drop.
    pub(crate) fn new(held: impl Send + 'static) -> Self {
        Self(Box::new(held))
    }
}

/// Something that a daemon left behind and nobody asked to keep.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leftover {
    /// A process that still runs.
    Process {
        /// The instance it belongs to.
        instance: String,
        /// Its process id.
        pid: i32,
    },
    /// A loop device whose file is in this driver's care.
    Loop {
        /// The device node.
        device: PathBuf,
        /// The file behind it.
        file: PathBuf,
    },
    /// A mount below this driver's state directory.
    Mount {
        /// Where it is mounted.
        target: PathBuf,
    },
    /// A control group.
    Cgroup {
        /// Its directory.
        path: PathBuf,
    },
    /// An instance's directory.
    Directory {
        /// The instance.
        instance: String,
        /// The directory.
        path: PathBuf,
    },
}

/// Boots, stops and looks into machines.
///
/// Instances outlive the process that booted them; a new driver on the same state directory carries on with them.
#[async_trait]
pub trait Driver: Send + Sync {
    /// Boots an instance and returns once its init runs. An instance that has exited boots again.
    async fn boot(&self, spec: &InstanceSpec) -> Result<(), BootError>;

    /// Asks the instance's init to power off; what is left after `grace` is killed. Returns when nothing runs.
    async fn shutdown(&self, id: &str, grace: Duration) -> Result<(), DriverError>;

    /// Restarts the instance: asks its init first; after `grace` it is killed and booted again.
    /// Returns once the new init runs.
    async fn reboot(&self, id: &str, grace: Duration) -> Result<(), DriverError>;

    /// Kills everything in the instance at once, as a pulled plug does. Returns when nothing runs.
    async fn kill(&self, id: &str) -> Result<(), DriverError>;

    /// Removes what the driver holds of an instance, killing it first. The volumes' files are the caller's
    /// and stay; their loop devices are released. An absent instance is no error.
    async fn destroy(&self, id: &str) -> Result<(), DriverError>;

    /// What is true of the instance now.
    fn status(&self, id: &str) -> MachineStatus;

    /// Resolves when the instance does not run (any more). A reboot is not an end.
    async fn exited(&self, id: &str) -> Result<(), DriverError>;

    /// What the instance wrote on its console, over all its boots.
    fn console(&self, id: &str, range: ByteRange) -> Result<Chunk, DriverError>;

    /// Runs a command inside a running instance and waits for its end.
    async fn exec(&self, id: &str, request: ExecRequest) -> Result<ExecOutcome, DriverError>;

    /// Reads a regular file inside the instance's root, running or not; `None` when there is no such file.
    /// Symbolic links are resolved inside the root and cannot lead out of it.
    async fn read_file(
        &self,
        id: &str,
        path: &std::path::Path,
        range: ByteRange,
    ) -> Result<Option<Chunk>, DriverError>;

    /// Makes a volume visible in a running instance.
    async fn attach_volume(&self, id: &str, volume: &VolumeAttachment) -> Result<(), DriverError>;

    /// Takes a volume away from an instance. Refused while the instance has it mounted, unless `force`.
    async fn detach_volume(&self, id: &str, volume_id: &str, force: bool) -> Result<(), DriverError>;

    /// Lets a running instance see that the file of one of its volumes has grown. What it has on the volume does not
    /// grow by that.
    async fn grow_volume(&self, id: &str, volume_id: &str, size_gib: u32) -> Result<(), DriverError>;

    /// Makes a running instance wait with writing to its volumes, and everything that it has written be in their files,
    /// until the answer is dropped: then they can be copied. An instance that does not run writes nothing anyway.
    async fn hold_still(&self, id: &str) -> Result<Stillness, DriverError>;

    /// The ids of all instances that the driver has a directory for.
    fn instances(&self) -> Result<Vec<String>, DriverError>;

    /// What is left of instances other than those in `keep`.
    fn leftovers(&self, keep: &[String]) -> Result<Vec<Leftover>, DriverError>;

    /// Removes what `leftovers` names and returns it.
    async fn sweep(&self, keep: &[String]) -> Result<Vec<Leftover>, DriverError>;
}
