//! Instances outlive the process that booted them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use machine::nspawn::NspawnDriver;
use machine::{ByteRange, Driver, InstanceSpec, MachineStatus};

use crate::support::{Bench, groups, sh, skipped};

/// Names the state directory and the specification for the process that is to be killed.
const DAEMON: &str = "DRYDOCK_TEST_DAEMON";

/// Not a test of its own: what `outlives_its_daemon` runs, and kills.
#[tokio::test(flavor = "multi_thread")]
async fn daemon() {
    let Some(state) = std::env::var_os(DAEMON).map(PathBuf::from) else { return };
    let spec: InstanceSpec =
        serde_json::from_slice(&std::fs::read(state.join("spec.json")).unwrap()).unwrap();
    NspawnDriver::open(&state).unwrap().boot(&spec).await.unwrap();
    std::fs::write(state.join("booted"), "").unwrap();
    std::future::pending::<()>().await;
}

async fn run_daemon_until(state: &Path, until: impl Fn() -> bool) {
    let mut daemon = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "adoption::daemon", "--nocapture"])
        .env(DAEMON, state)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let waited = async {
        while !until() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(60), waited).await;
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    waited.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn outlives_its_daemon() {
    if skipped() {
        return;
    }
    let (bench, id) = (Bench::new(), "i-0ccccccccccccccc1");
    let spec = bench.spec(id).await;
    std::fs::write(bench.state.path().join("spec.json"), serde_json::to_vec(&spec).unwrap()).unwrap();
    run_daemon_until(bench.state.path(), || bench.state.path().join("booted").exists()).await;

    let driver = NspawnDriver::open(bench.state.path()).unwrap();
    let MachineStatus::Running { leader_pid } = driver.status(id) else { panic!("{:?}", driver.status(id)) };
    assert_eq!(driver.instances().unwrap(), [id]);
    assert_eq!(sh(&driver, id, "hostname").await, spec.hostname);
    let speaks = async {
        while driver.console(id, ByteRange::Head { max: 1 }).unwrap().size == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), speaks).await.unwrap();
    assert_eq!(driver.leftovers(&[id.to_owned()]).unwrap(), []);
    assert_eq!(driver.sweep(&[id.to_owned()]).await.unwrap(), []);

    // Killed from outside: the new daemon is told at once.
    let ended = tokio::spawn({
        let driver = driver.clone();
        async move { driver.exited(id).await }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!ended.is_finished());
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(leader_pid), nix::sys::signal::Signal::SIGKILL)
        .unwrap();
    tokio::time::timeout(Duration::from_secs(10), ended).await.unwrap().unwrap().unwrap();
    assert_eq!(driver.status(id), MachineStatus::Exited);
    assert!(!driver.sweep(&[]).await.unwrap().is_empty());
    assert_eq!(bench.remains(), Vec::<String>::new());
    assert_eq!(groups(id), Vec::<PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_killed_in_mid_boot_leaves_what_can_be_swept() {
    if skipped() {
        return;
    }
    for (n, seen) in ["held", "console.log"].into_iter().enumerate() {
        let bench = Bench::new();
        let id = format!("i-0ccccccccccccccd{n}");
        let spec = bench.spec(&id).await;
        std::fs::write(bench.state.path().join("spec.json"), serde_json::to_vec(&spec).unwrap()).unwrap();
        let sign = bench.state.path().join("instances").join(&id).join(seen);
        run_daemon_until(bench.state.path(), || sign.exists()).await;
        let driver = NspawnDriver::open(bench.state.path()).unwrap();
        driver.sweep(&[]).await.unwrap();
        assert_eq!(driver.leftovers(&[]).unwrap(), []);
        assert_eq!(bench.remains(), Vec::<String>::new());
        assert_eq!(groups(&id), Vec::<PathBuf>::new());
    }
}
