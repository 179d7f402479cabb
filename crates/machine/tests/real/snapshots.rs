//! Volumes that are copied while their instance runs and after it has ended, and instances of the copies.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use machine::nspawn::NspawnDriver;
use machine::volumes::{Content, copy_sparse};
use machine::{Driver, InjectedFile, InstanceSpec, MachineStatus, VolumeAttachment};

use crate::support::{Bench, sh, skipped};

const GRACE: Duration = Duration::from_secs(20);

const MIB: u64 = 1 << 20;

fn copy(volume: &VolumeAttachment, to: &Path) -> PathBuf {
    let path = to.join(format!("copy-of-{}", volume.volume_id));
    let (from, to) = (fs::File::open(&volume.file).unwrap(), fs::File::create(&path).unwrap());
    copy_sparse(&from, &to).unwrap();
    path
}

fn bytes(path: &Path) -> u64 {
    fs::metadata(path).unwrap().blocks() * 512
}

/// The same instance with another id, name and root volume, and files that tell it from the first.
async fn sibling(bench: &Bench, of: &InstanceSpec, id: &str, root: PathBuf, size_gib: u32) -> InstanceSpec {
    let content = Content::GrownCopyOf(root);
    let root = bench.volume(id, "root", "/dev/xvda", size_gib, &content).await;
    let hosts = InjectedFile {
        path: "/etc/hosts".into(),
        mode: 0o644,
        content: b"10.0.0.6 sibling\n".to_vec(),
        append: true,
    };
    InstanceSpec {
        id: id.to_owned(),
        hostname: "ip-10-0-0-6.ec2.internal".to_owned(),
        root,
        volumes: Vec::new(),
        files: vec![hosts],
        ..of.clone()
    }
}

/// A loop that writes without end, and says how far it has come.
async fn start_writer(driver: &NspawnDriver, id: &str) {
    let script = "i=0; while :; do i=$((i+1)); echo $i > /counter.new; mv /counter.new /counter; done";
    sh(driver, id, &format!("setsid sh -c '{script}' > /dev/null 2>&1 < /dev/null & sleep 0.3")).await;
}

async fn count(driver: &NspawnDriver, id: &str) -> u64 {
    sh(driver, id, "cat /counter").await.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_a_running_instance_boots_as_another_one() {
    if skipped() {
        return;
    }
    let (bench, id) = (Bench::new(), "i-0ccccccccccccccc1");
    let driver = &bench.driver;
    let spec = bench.spec(id).await;
    driver.boot(&spec).await.unwrap();
    sh(driver, id, "mkfs.ext4 -q -L data /dev/xvdcz && mkdir /data && mount LABEL=data /data").await;
    sh(driver, id, "echo root > /marker; echo data > /data/marker; echo '10.9.9.9 added' >> /etc/hosts")
        .await;
    start_writer(driver, id).await;

    let still = driver.hold_still(id).await.unwrap();
    let copies: Vec<PathBuf> =
        [&spec.root, &spec.volumes[0]].map(|volume| copy(volume, bench.state.path())).into();
    // Nothing of it can be written meanwhile: the files stay byte for byte what was copied.
    tokio::time::sleep(Duration::from_millis(300)).await;
    for (volume, copied) in [&spec.root, &spec.volumes[0]].into_iter().zip(&copies) {
        let same = std::process::Command::new("cmp")
            .args(["--bytes", "256MiB"])
            .arg(&volume.file)
            .arg(copied)
            .status()
            .unwrap();
        assert!(same.success(), "{} was written to while it was held still", volume.device);
    }
    drop(still);
    let then = count(driver, id).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(count(driver, id).await > then, "it goes on");

    let second = "i-0ccccccccccccccc2";
    let mut copied = sibling(&bench, &spec, second, copies[0].clone(), 12).await;
    let data = bench.volume(second, "data", "/dev/xvdcz", 22, &Content::CopyOf(copies[1].clone())).await;
    copied.volumes.push(data);
    driver.boot(&copied).await.unwrap();
    assert_eq!(sh(driver, second, "cat /marker").await, "root");
    assert_eq!(sh(driver, second, "mount LABEL=data /data && cat /data/marker").await, "data");
    assert_eq!(sh(driver, second, "cat /etc/hostname").await, "ip-10-0-0-6.ec2.internal");
    let hosts = sh(driver, second, "cat /etc/hosts").await;
    assert!(hosts.contains("10.0.0.6 sibling\n10.9.9.9 added") && !hosts.contains("10.0.0.5"), "{hosts}");
    let ids = [id, second].map(|id| sh(driver, id, "cat /etc/machine-id"));
    let [first_id, second_id] = ids;
    assert_ne!(first_id.await, second_id.await);
    let gib = sh(driver, second, "df --output=size --block-size=1G / | tail -n 1").await;
    assert!((11..=12).contains(&gib.parse::<u32>().unwrap()), "the file system fills its volume: {gib} GiB");
    for id in [id, second] {
        driver.destroy(id).await.unwrap();
    }
    assert_eq!(bench.remains(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_takes_what_is_in_use() {
    if skipped() {
        return;
    }
    let (bench, id) = (Bench::new(), "i-0ddddddddddddddd1");
    let driver = &bench.driver;
    let spec = bench.spec(id).await;
    driver.boot(&spec).await.unwrap();
    sh(driver, id, "mkfs.ext4 -q /dev/xvdcz && mkdir /data && mount /dev/xvdcz /data").await;
    for dir in ["/data", ""] {
        sh(
            driver,
            id,
            &format!("head -c 20M /dev/urandom > {dir}/kept; head -c 300M /dev/urandom > {dir}/lost; sync"),
        )
        .await;
    }
    sh(driver, id, "rm /data/lost /lost; sync").await;
    driver.shutdown(id, GRACE).await.unwrap();
    assert_eq!(driver.status(id), MachineStatus::Exited);
    for volume in [&spec.root, &spec.volumes[0]] {
        let copied = bytes(&copy(volume, bench.state.path()));
        eprintln!("{}: {} MiB of {} GiB", volume.device, copied / MIB, volume.size_gib);
        assert!((20 * MIB..40 * MIB).contains(&copied), "{}: {} MiB", volume.device, copied / MIB);
    }
    driver.destroy(id).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_does_not_run_is_not_held() {
    if skipped() {
        return;
    }
    let (bench, id) = (Bench::new(), "i-0eeeeeeeeeeeeeee1");
    let driver = &bench.driver;
    assert!(driver.hold_still(id).await.is_err());
    let spec = bench.spec(id).await;
    driver.boot(&spec).await.unwrap();
    driver.shutdown(id, GRACE).await.unwrap();
    assert!(driver.hold_still(id).await.is_err());
    driver.destroy(id).await.unwrap();
}
