//! A small system to boot, a network namespace to boot it in, and a look at what is left of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use machine::nspawn::NspawnDriver;
use machine::volumes::{Content, VolumeStore};
use machine::{InjectedFile, InstanceSpec, VolumeAttachment};

/// The programs that these tests run, beside what the driver itself checks.
const PROGRAMS: [&str; 5] = ["systemd-nspawn", "mmdebstrap", "mkfs.ext4", "ip", "nsenter"];

/// The reason why real machines cannot be had here; panics with it when they are required.
pub fn skipped() -> bool {
    let missing = PROGRAMS.into_iter().find(|p| which(p).is_none());
    let reason = match missing {
        _ if !nix::unistd::geteuid().is_root() => "not root".to_owned(),
        Some(program) => format!("{program} is not installed"),
        None => return false,
    };
    assert!(std::env::var_os("DRYDOCK_REQUIRE_REAL").is_none(), "real machines are required: {reason}");
    eprintln!("SKIPPED: {reason}");
    true
}

fn which(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|p| p.is_file())
}

/// A root with systemd and little else, made once and kept: `DRYDOCK_TEST_ROOT`, or beside the caches.
pub fn root() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| match std::env::var_os("DRYDOCK_TEST_ROOT") {
        Some(given) => given.into(),
        None => build_root(),
    })
}

fn build_root() -> PathBuf {
    let cache = Path::new("/var/cache/drydock");
    let root = cache.join("test-root");
    if root.is_dir() {
        return root;
    }
    fs::create_dir_all(cache).unwrap();
    let partial = tempfile::Builder::new().prefix("test-root-").tempdir_in(cache).unwrap();
    let made = partial.path().join("root");
    let packages = "--include=systemd,systemd-sysv,dbus,e2fsprogs,iproute2,util-linux,mount";
    let done = Command::new("mmdebstrap")
        .args(["--variant=minbase", packages, "bookworm"])
        .arg(&made)
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    // Another test process may have been faster.
    let _ = fs::rename(&made, &root);
    root
}

/// A state directory, its driver and volumes, and one network namespace.
pub struct Bench {
    pub state: tempfile::TempDir,
    pub driver: NspawnDriver,
    pub volumes: VolumeStore,
    netns: String,
}

impl Bench {
    pub fn new() -> Self {
        let state = tempfile::Builder::new().prefix("drydock-machine-").tempdir_in("/var/tmp").unwrap();
        let driver = NspawnDriver::open(state.path()).unwrap();
        let volumes = VolumeStore::open(state.path()).unwrap();
        let netns = state.path().file_name().unwrap().to_string_lossy().replace('.', "");
        ip(&["netns", "add", &netns]);
        Self { state, driver, volumes, netns }
    }

    /// An instance with a root volume and an empty volume `/dev/xvdcz`.
    pub async fn spec(&self, id: &str) -> InstanceSpec {
        let ext4 = Content::Ext4 { label: None };
        let root = self.volume(id, "root", "/dev/xvda", 8, &ext4).await;
        let data = self.volume(id, "data", "/dev/xvdcz", 22, &Content::Empty).await;
        InstanceSpec {
            id: id.to_owned(),
            hostname: "ip-10-0-0-5.ec2.internal".to_owned(),
            image_layers: vec![root_layer()],
            root,
            volumes: vec![data],
            netns: Path::new("/run/netns").join(&self.netns),
            files: vec![
                file("/etc/resolv.conf", "nameserver 169.254.169.253\n", false),
                file("/etc/hosts", "10.0.0.5 me\n", true),
            ],
            memory_mib: Some(1024),
            cpus: Some(2),
        }
    }

    pub async fn volume(
        &self,
        instance: &str,
        name: &str,
        device: &str,
        size_gib: u32,
        content: &Content,
    ) -> VolumeAttachment {
        let volume_id = format!("vol-{name}-{instance}");
        let file = self.volumes.create(&volume_id, size_gib, content).await.unwrap();
        VolumeAttachment { volume_id, device: device.to_owned(), file, size_gib }
    }

    /// Everything on the host that bears this bench's mark, found without asking the driver.
    pub fn remains(&self) -> Vec<String> {
        let state = self.state.path().to_str().unwrap();
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let command = fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default();
            if command.contains(state) {
                found.push(format!("process {command:?}"));
            }
        }
        for entry in fs::read_dir("/sys/block").unwrap().flatten() {
            let file = fs::read_to_string(entry.path().join("loop/backing_file")).unwrap_or_default();
            if file.contains(state) {
                found.push(format!("loop {file}"));
            }
        }
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        found.extend(mounts.lines().filter(|l| l.contains(state)).map(|l| format!("mount {l}")));
        found.extend(list(&self.state.path().join("instances")));
        found
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        use machine::Driver;
        // A failed test must not leave its machines to the host.
        let swept = tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(self.driver.sweep(&[]))
        });
        if let Err(error) = swept {
            eprintln!("cannot clean up: {error}");
        }
        ip(&["netns", "del", &self.netns]);
    }
}

fn root_layer() -> PathBuf {
    root().to_owned()
}

fn file(path: &str, content: &str, append: bool) -> InjectedFile {
    InjectedFile { path: path.into(), mode: 0o644, content: content.into(), append }
}

fn list(dir: &Path) -> Vec<String> {
    fs::read_dir(dir).unwrap().flatten().map(|e| format!("file {}", e.path().display())).collect()
}

/// The directories of an instance's control groups.
pub fn groups(id: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for hierarchy in fs::read_dir("/sys/fs/cgroup").unwrap().flatten() {
        for base in [hierarchy.path(), hierarchy.path().join("..")] {
            let Ok(entries) = fs::read_dir(base) else { continue };
            let ours = entries.flatten().filter(|e| e.file_name().to_string_lossy().starts_with("drydock-"));
            found.extend(ours.map(|e| e.path().join(id)).filter(|p| p.exists()));
        }
    }
    found
}

fn ip(arguments: &[&str]) {
    let done = Command::new("ip").args(arguments).output().unwrap();
    assert!(done.status.success(), "ip {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// What a shell command inside prints; it must succeed.
pub async fn sh(driver: &NspawnDriver, id: &str, script: &str) -> String {
    use machine::{Driver, ExecRequest};
    let done = driver.exec(id, ExecRequest::capture(["sh", "-c", script])).await.unwrap();
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert_eq!(done.code, 0, "{script}: {out}{err}");
    out.trim().to_owned()
}
