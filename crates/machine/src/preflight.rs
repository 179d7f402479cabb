//! Whether this host can run instances, and what to do where it cannot.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The programs that instances need, and the Debian packages that have them.
const PROGRAMS: [(&str, &str); 10] = [
    ("systemd-nspawn", "systemd-container"),
    ("mmdebstrap", "mmdebstrap"),
    ("nft", "nftables"),
    ("ip", "iproute2"),
    ("mkfs.ext4", "e2fsprogs"),
    ("nsenter", "util-linux"),
    ("setsid", "util-linux"),
    ("bash", "bash"),
    ("tar", "tar"),
    ("apt-get", "apt"),
];

/// The keys that Debian's packages are checked with.
const KEYRING: (&str, &str) = ("/usr/share/keyrings/debian-archive-keyring.gpg", "debian-archive-keyring");

/// Privileges beyond what any process has (numbers from linux/capability.h).
const CAPABILITIES: [(&str, u32); 4] =
    [("CAP_SYS_ADMIN", 21), ("CAP_NET_ADMIN", 12), ("CAP_MKNOD", 27), ("CAP_SYS_CHROOT", 18)];

/// File systems that the kernel must know, and the option that builds them.
const FILE_SYSTEMS: [(&str, &str); 3] =
    [("overlay", "CONFIG_OVERLAY_FS"), ("ext4", "CONFIG_EXT4_FS"), ("cgroup2", "CONFIG_CGROUPS")];

/// Something that is missing on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is missing.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.what, self.remedy)
    }
}

/// Everything that this host lacks to run instances; empty when it is ready.
pub fn preflight() -> Vec<Problem> {
    Host::look().problems()
}

/// What was found on a host.
#[derive(Debug, Clone, Default)]
struct Host {
    missing_programs: Vec<(&'static str, &'static str)>,
    has_keyring: bool,
    is_root: bool,
    capabilities: u64,
    file_systems: Vec<String>,
    has_cgroup2_mount: bool,
    has_loop_control: bool,
    has_network_namespaces: bool,
}

impl Host {
    fn look() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        Self {
            missing_programs: PROGRAMS.into_iter().filter(|(name, _)| !is_installed(name)).collect(),
            has_keyring: Path::new(KEYRING.0).exists(),
            is_root: nix::unistd::geteuid().is_root(),
            capabilities: effective_capabilities(&status),
            file_systems: FILE_SYSTEMS
                .iter()
                .map(|(name, _)| *name)
                .filter(|n| knows(n))
                .map(str::to_owned)
                .collect(),
            has_cgroup2_mount: mounts.contains(" - cgroup2 "),
            has_loop_control: Path::new("/dev/loop-control").exists(),
            has_network_namespaces: Path::new("/proc/self/ns/net").exists(),
        }
    }

    fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut problem = |what: String, remedy: String| found.push(Problem { what, remedy });
        if let Some((what, remedy)) = self.missing_packages() {
            problem(what, remedy);
        }
        if !self.is_root {
            problem("not running as root".into(), "run it as root, such as with sudo".into());
        } else {
            let lacking = CAPABILITIES.iter().filter(|(_, bit)| self.capabilities & (1 << bit) == 0);
            let lacking: Vec<&str> = lacking.map(|(name, _)| *name).collect();
            if !lacking.is_empty() {
                let remedy = "run it outside of a container, or in a privileged one".into();
                problem(format!("root without {}", lacking.join(", ")), remedy);
            }
        }
        for (name, option) in FILE_SYSTEMS {
            if !self.file_systems.iter().any(|known| known == name) {
                problem(format!("the kernel has no {name}"), format!("use a kernel with {option}"));
            }
        }
        if !self.has_cgroup2_mount {
            let remedy =
                "mount it: mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified (make the directory first)";
            problem("no cgroup2 file system is mounted".into(), remedy.into());
        }
        if !self.has_loop_control {
            let remedy = "run `modprobe loop`, or use a kernel with CONFIG_BLK_DEV_LOOP";
            problem("there is no /dev/loop-control".into(), remedy.into());
        }
        if !self.has_network_namespaces {
            problem("the kernel has no network namespaces".into(), "use a kernel with CONFIG_NET_NS".into());
        }
        found
    }

    /// One line for all packages: they are installed by one command.
    fn missing_packages(&self) -> Option<(String, String)> {
        let mut packages: Vec<&str> = self.missing_programs.iter().map(|(_, package)| *package).collect();
        let mut names: Vec<&str> = self.missing_programs.iter().map(|(name, _)| *name).collect();
        if !self.has_keyring {
            packages.push(KEYRING.1);
            names.push(KEYRING.0);
        }
        packages.dedup();
        let remedy = format!("apt-get install {}", packages.join(" "));
        (!names.is_empty()).then(|| (format!("not installed: {}", names.join(", ")), remedy))
    }
}

fn is_installed(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    // The system's own directories count even where a user's PATH lacks them: that is what programs are run with.
    let system = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].map(Into::into);
    env::split_paths(&path).chain(system).any(|dir| dir.join(program).is_file())
}

/// Whether the kernel knows a file system, or comes to when its module is loaded.
fn knows(file_system: &str) -> bool {
    let listed = || {
        let known = fs::read_to_string("/proc/filesystems").unwrap_or_default();
        known.lines().any(|line| line.split_whitespace().last() == Some(file_system))
    };
    // Without modprobe there are no modules to load; what counts is the list.
    listed() || (Command::new("modprobe").args(["-q", file_system]).status().is_ok() && listed())
}

fn effective_capabilities(status: &str) -> u64 {
    let set = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap_or_default();
    u64::from_str_radix(set.trim(), 16).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready() -> Host {
        Host {
            missing_programs: vec![],
            has_keyring: true,
            is_root: true,
            capabilities: u64::MAX,
            file_systems: FILE_SYSTEMS.iter().map(|(name, _)| (*name).to_owned()).collect(),
            has_cgroup2_mount: true,
            has_loop_control: true,
            has_network_namespaces: true,
        }
    }

    #[test]
    fn names_what_is_missing_and_what_to_do() {
        type Change = fn(&mut Host);
        let cases: [(Change, &[&str]); 8] = [
            (|_| {}, &[]),
            (
                |h| h.missing_programs = vec![PROGRAMS[0], PROGRAMS[5], PROGRAMS[6]],
                &[
                    "not installed: systemd-nspawn, nsenter, setsid: apt-get install systemd-container util-linux",
                ],
            ),
            (|h| h.has_keyring = false, &["apt-get install debian-archive-keyring"]),
            (|h| h.is_root = false, &["not running as root: run it as root"]),
            (|h| h.capabilities = !(1 << 12), &["root without CAP_NET_ADMIN"]),
            (
                |h| h.file_systems.retain(|f| f != "overlay"),
                &["the kernel has no overlay: use a kernel with CONFIG_OVERLAY_FS"],
            ),
            (|h| h.has_cgroup2_mount = false, &["no cgroup2 file system is mounted: mount it"]),
            (
                |h| (h.has_loop_control, h.has_network_namespaces) = (false, false),
                &["/dev/loop-control: run `modprobe loop`", "network namespaces"],
            ),
        ];
        for (change, expected) in cases {
            let mut host = ready();
            change(&mut host);
            let got: Vec<String> = host.problems().iter().map(Problem::to_string).collect();
            assert_eq!(got.len(), expected.len(), "{got:?}");
            for (line, part) in got.iter().zip(expected) {
                assert!(line.contains(part), "{line} / {part}");
            }
        }
    }

    #[test]
    fn reads_capabilities() {
        assert_eq!(effective_capabilities("CapPrm:\t0\nCapEff:\t00000000a80425fb\n"), 0xa804_25fb);
        assert_eq!(effective_capabilities(""), 0);
    }
}
