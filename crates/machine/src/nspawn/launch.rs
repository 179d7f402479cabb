//! What is run to make a machine: systemd-nspawn's arguments, and the shell that keeps it.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::path::Path;
use std::process::Stdio;

use tokio::process::{Child, Command};

use super::dir::{Attached, InstanceDir};
use crate::driver::InstanceSpec;
use crate::error::OsError;
use crate::volumes::loopdev;

/// The keeper's program.
const KEEPER: &str = include_str!("keeper.sh");

/// What the keeper and systemd-nspawn may see of the daemon's environment: nothing but this.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Why a specification cannot be booted, if it cannot.
pub(super) fn refusal(spec: &InstanceSpec) -> Option<String> {
    let plain = |text: &str, also: &[u8]| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || also.contains(&b))
    };
    if !plain(&spec.id, b"-") || spec.id.len() > 63 || spec.id.starts_with('-') || spec.id.ends_with('-') {
        return Some(format!("`{}` is not an instance id", spec.id));
    }
    if !plain(&spec.hostname, b"-.") || spec.hostname.len() > 64 {
        return Some(format!("`{}` is not a host name", spec.hostname));
    }
    if spec.image_layers.is_empty() {
        return Some("its image has no layers".to_owned());
    }
    if let Some(layer) = spec.image_layers.iter().find(|l| !l.is_dir()) {
        return Some(format!("its image's layer {} is missing", layer.display()));
    }
    let mut devices = std::collections::BTreeSet::new();
    for volume in std::iter::once(&spec.root).chain(&spec.volumes) {
        if let Some(reason) = device_refusal(&volume.device) {
            return Some(reason);
        }
        if !devices.insert(&volume.device) {
            return Some(format!("two volumes are to be {}", volume.device));
        }
        if !volume.file.is_file() {
            return Some(format!("the file {} of {} is missing", volume.file.display(), volume.volume_id));
        }
    }
    None
}

/// Why a device name cannot be, if it cannot: only names that need no quoting anywhere are taken.
pub(super) fn device_refusal(device: &str) -> Option<String> {
    let name = device.strip_prefix("/dev/").unwrap_or_default();
    let usable = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric());
    // A loop device's own name is visible inside as well.
    (!usable || name.starts_with("loop")).then(|| format!("`{device}` is not a volume's device name"))
}

/// The names that an instance sees a volume under: the one it was attached as and, for `/dev/sdf`, `/dev/xvdf` too,
/// which is what Linux calls it on Xen and what scripts of Amazon Linux look for.
pub(super) fn device_names(device: &str) -> Vec<String> {
    let on_xen = device.strip_prefix("/dev/sd").map(|letter| format!("/dev/xvd{letter}"));
    std::iter::once(device.to_owned()).chain(on_xen).collect()
}

/// The arguments that systemd-nspawn boots the machine with.
pub(super) fn nspawn_arguments(
    dir: &InstanceDir,
    spec: &InstanceSpec,
    attached: &[Attached],
) -> Vec<OsString> {
    let with_path = |option: &str, path: &Path| {
        let mut argument = OsString::from(option);
        argument.push(path);
        argument
    };
    let mut arguments: Vec<OsString> = [
        "--quiet",
        "--boot",
        // The host's init need not be systemd: nobody to register with, no unit to move to.
        "--register=no",
        "--keep-unit",
        // The files of the image and of this program decide, not settings found beside the root.
        "--settings=no",
        "--link-journal=no",
        "--resolv-conf=off",
        "--timezone=off",
        "--console=read-only",
        // Docker needs nearly all; the host's clock and kernel modules are no instance's business.
        "--capability=all",
        "--drop-capability=CAP_SYS_TIME,CAP_SYS_MODULE",
    ]
    .map(OsString::from)
    .into();
    arguments.push(format!("--machine={}", spec.id).into());
    arguments.push(format!("--hostname={}", spec.hostname).into());
    arguments.push(with_path("--directory=", &dir.root()));
    arguments.push(with_path("--network-namespace-path=", &dir.netns()));
    for Attached { volume, loop_index } in attached {
        let node = loopdev::node(*loop_index);
        // Under the name EC2 promises, and under its own: mount and blkid find labels through the latter.
        for name in device_names(&volume.device) {
            arguments.push(format!("--bind={}:{name}", node.display()).into());
        }
        arguments.push(format!("--bind={}", node.display()).into());
    }
    arguments
}

/// Starts the keeper, which starts the machine. It lives in a session of its own, so that neither the daemon's end
/// nor its terminal's reaches it. Called with the instance's mounts in place.
pub(super) fn start_keeper(dir: &InstanceDir, notify_address: &str) -> Result<Child, OsError> {
    let path = dir.console();
    let console =
        OpenOptions::new().create(true).append(true).open(&path).map_err(OsError::of("open", &path))?;
    let errors = console.try_clone().map_err(OsError::of("open", &path))?;
    Command::new("setsid")
        .args(["bash", "-c", KEEPER, "drydock-keeper"])
        .arg(dir.path())
        .current_dir("/")
        .env_clear()
        .env("PATH", PATH)
        // The console is a file: no colours, no cursor movements.
        .env("TERM", "dumb")
        .env("NOTIFY_SOCKET", notify_address)
        // nspawn's system call filter stands in Docker's way and needs libseccomp to know the kernel.
        .env("SYSTEMD_SECCOMP", "0")
        // Docker turns on forwarding in /proc/sys/net, which nspawn otherwise leaves read-only in a given namespace.
        .env("SYSTEMD_NSPAWN_API_VFS_WRITABLE", "network")
        .stdin(Stdio::null())
        .stdout(console)
        .stderr(errors)
        .spawn()
        .map_err(OsError::of("start the keeper of", dir.path()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::VolumeAttachment;

    fn volume(id: &str, device: &str, file: &Path) -> VolumeAttachment {
        VolumeAttachment { volume_id: id.into(), device: device.into(), file: file.into(), size_gib: 8 }
    }

    fn spec(file: &Path) -> InstanceSpec {
        InstanceSpec {
            id: "i-0123456789abcdef0".into(),
            hostname: "ip-10-0-0-5.ec2.internal".into(),
            image_layers: vec!["/".into()],
            root: volume("vol-1", "/dev/xvda", file),
            volumes: vec![volume("vol-2", "/dev/xvdcz", file)],
            netns: "/run/netns/x".into(),
            files: vec![],
            memory_mib: None,
            cpus: None,
        }
    }

    #[test]
    fn what_was_attached_as_a_disk_has_its_name_on_xen_too() {
        assert_eq!(device_names("/dev/xvdcz"), ["/dev/xvdcz"]);
        assert_eq!(device_names("/dev/sdf"), ["/dev/sdf", "/dev/xvdf"]);
        assert_eq!(device_names("/dev/sda1"), ["/dev/sda1", "/dev/xvda1"]);
    }

    #[test]
    fn refuses_what_cannot_boot() {
        let file = tempfile::NamedTempFile::new().unwrap();
        type Change = fn(&mut InstanceSpec);
        let cases: [(Change, Option<&str>); 10] = [
            (|_| {}, None),
            (|s| s.id = "../x".into(), Some("instance id")),
            (|s| s.id = String::new(), Some("instance id")),
            (|s| s.hostname = "a b".into(), Some("host name")),
            (|s| s.image_layers.clear(), Some("no layers")),
            (|s| s.image_layers.push("/nowhere".into()), Some("/nowhere")),
            (|s| s.volumes[0].device = "/dev/xvda".into(), Some("two volumes")),
            (|s| s.volumes[0].device = "/dev/x:y".into(), Some("device name")),
            (|s| s.volumes[0].device = "/dev/loop3".into(), Some("device name")),
            (|s| s.root.file = "/nowhere.img".into(), Some("/nowhere.img of vol-1")),
        ];
        for (change, expected) in cases {
            let mut spec = spec(file.path());
            change(&mut spec);
            let got = refusal(&spec);
            match expected {
                None => assert_eq!(got, None),
                Some(part) => assert!(got.as_ref().is_some_and(|g| g.contains(part)), "{got:?} / {part}"),
            }
        }
    }

    #[test]
    fn binds_each_volume_under_both_names() {
        let spec = spec(Path::new("/f"));
        let attached = [Attached { volume: spec.volumes[0].clone(), loop_index: 9 }];
        let dir = InstanceDir::new(Path::new("/state/instances"), &spec.id);
        let arguments = nspawn_arguments(&dir, &spec, &attached);
        for expected in [
            "--machine=i-0123456789abcdef0",
            "--directory=/state/instances/i-0123456789abcdef0/root",
            "--bind=/dev/loop9:/dev/xvdcz",
            "--bind=/dev/loop9",
        ] {
            assert!(arguments.iter().any(|a| a == expected), "{expected} in {arguments:?}");
        }
    }
}
