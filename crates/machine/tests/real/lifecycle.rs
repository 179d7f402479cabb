//! An instance's life.

use std::path::Path;
use std::time::{Duration, Instant};

use machine::{BootError, ByteRange, Driver, DriverError, ExecIo, ExecRequest, MachineStatus};

use crate::support::{Bench, groups, sh, skipped};

const GRACE: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn boots_runs_stops_and_leaves_nothing() {
    if skipped() {
        return;
    }
    let (bench, id) = (Bench::new(), "i-0aaaaaaaaaaaaaaa1");
    let driver = &bench.driver;
    let spec = bench.spec(id).await;
    assert_eq!(driver.status(id), MachineStatus::Absent);

    let begun = Instant::now();
    driver.boot(&spec).await.unwrap();
    eprintln!("boot to init: {:?}", begun.elapsed());
    let MachineStatus::Running { leader_pid } = driver.status(id) else { panic!("{:?}", driver.status(id)) };
    assert!(matches!(driver.boot(&spec).await, Err(BootError::AlreadyRunning { .. })));
    assert_ne!(leader_pid, std::process::id().cast_signed());

    assert_eq!(sh(driver, id, "hostname").await, spec.hostname);
    assert_eq!(sh(driver, id, "cat /etc/resolv.conf").await, "nameserver 169.254.169.253");
    assert_eq!(sh(driver, id, "tail -n 1 /etc/hosts").await, "10.0.0.5 me");
    assert_eq!(sh(driver, id, "blockdev --getsize64 /dev/xvda").await, (8u64 << 30).to_string());
    sh(driver, id, "mkfs.ext4 -q -L data /dev/xvdcz && mount LABEL=data /mnt && echo kept > /mnt/file").await;
    sh(driver, id, "echo kept > /root/file && mv /usr/share/doc /usr/share/moved").await;

    let limits = groups(id).into_iter().filter_map(|group| {
        let limit =
            ["memory.limit_in_bytes", "memory.max"].map(|name| std::fs::read_to_string(group.join(name)));
        limit.into_iter().flatten().next()
    });
    assert!(limits.into_iter().any(|limit| limit.trim() == (1u64 << 30).to_string()), "memory is limited");

    driver.shutdown(id, GRACE).await.unwrap();
    assert_eq!(driver.status(id), MachineStatus::Exited);
    assert!(matches!(
        driver.exec(id, ExecRequest::capture(["true"])).await,
        Err(DriverError::NotRunning { .. })
    ));
    // Looked at while it does not run, also through a link.
    let head = ByteRange::Head { max: 100 };
    let read = driver.read_file(id, Path::new("/root/file"), head).await.unwrap().unwrap();
    assert_eq!(read.bytes, b"kept\n");
    assert_eq!(driver.read_file(id, Path::new("/no/such"), head).await.unwrap(), None);
    let console = driver.console(id, ByteRange::Tail { max: 64 << 10 }).unwrap();
    let console = String::from_utf8_lossy(&console.bytes).into_owned();
    assert!(console.contains("Welcome to") && console.contains("Power"), "{console}");

    driver.boot(&spec).await.unwrap();
    assert_eq!(sh(driver, id, "mount /dev/xvdcz /mnt && cat /root/file /mnt/file").await, "kept\nkept");
    assert_eq!(sh(driver, id, "grep -c 10.0.0.5 /etc/hosts").await, "1", "injected once");
    driver.destroy(id).await.unwrap();
    driver.destroy(id).await.unwrap();
    assert_eq!(driver.status(id), MachineStatus::Absent);
    assert_eq!(bench.remains(), Vec::<String>::new());
    assert_eq!(groups(id), Vec::<std::path::PathBuf>::new());
    assert!(!Path::new("/run/systemd/nspawn/propagate").join(id).exists());
    assert_eq!(driver.leftovers(&[]).unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn reboots_by_itself_and_when_told() {
    if skipped() {
        return;
    }
    let (bench, id) = (Bench::new(), "i-0aaaaaaaaaaaaaaa2");
    let driver = &bench.driver;
    driver.boot(&bench.spec(id).await).await.unwrap();
    let boot_id = "cat /run/marker 2>/dev/null || echo none";
    sh(driver, id, "echo first > /run/marker").await;
    let ended = tokio::spawn({
        let driver = driver.clone();
        async move { driver.exited(id).await }
    });
    driver.reboot(id, GRACE).await.unwrap();
    assert_eq!(sh(driver, id, boot_id).await, "none");

    // The machine's own doing, with nobody waiting for it.
    let MachineStatus::Running { leader_pid: before } = driver.status(id) else { panic!("not running") };
    sh(driver, id, "kill -39 1").await; // SIGRTMIN+5, as `reboot` sends where there is no bus
    let again = async {
        while !matches!(driver.status(id), MachineStatus::Running { leader_pid } if leader_pid != before) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(GRACE, again).await.unwrap();
    assert!(!ended.is_finished(), "a reboot is no end");

    driver.kill(id).await.unwrap();
    tokio::time::timeout(GRACE, ended).await.unwrap().unwrap().unwrap();
    assert_eq!(driver.status(id), MachineStatus::Exited);
    driver.destroy(id).await.unwrap();
    assert_eq!(bench.remains(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_commands() {
    if skipped() {
        return;
    }
    let (bench, id) = (Bench::new(), "i-0aaaaaaaaaaaaaaa3");
    let driver = &bench.driver;
    driver.boot(&bench.spec(id).await).await.unwrap();
    let run = async |script: &str| driver.exec(id, ExecRequest::capture(["sh", "-c", script])).await.unwrap();
    assert_eq!(run("exit 7").await.code, 7);
    assert_eq!(run("kill -TERM $$").await.code, 143);
    assert_eq!(run("echo out; echo err >&2").await.stderr, b"err\n");
    assert_eq!(run("pwd; echo $HOME").await.stdout, b"/root\n/root\n");

    let mut request = ExecRequest::capture(["sh", "-c", "pwd; echo $NAME; cat"]);
    request.io = ExecIo::Capture { stdin: vec![b'x'; 1 << 20] };
    request.env.push(("NAME".into(), "a b".into()));
    request.cwd = Some("/etc".into());
    let done = driver.exec(id, request).await.unwrap();
    assert_eq!(&done.stdout[..9], b"/etc\na b\n");
    assert_eq!(done.stdout.len(), 9 + (1 << 20));

    assert!(driver.exec(id, ExecRequest::capture(Vec::<String>::new())).await.is_err());
    assert_eq!(driver.exec(id, ExecRequest::capture(["no-such-program"])).await.unwrap().code, 127);
    let mut slow = ExecRequest::capture(["sh", "-c", "sleep 1000 & sleep 1000"]);
    slow.timeout = Some(Duration::from_millis(200));
    assert!(matches!(driver.exec(id, slow).await, Err(DriverError::ExecTimeout { .. })));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(sh(driver, id, "ls /proc | grep -E '^[0-9]+$' | while read p; do tr '\\0' ' ' < /proc/$p/cmdline 2>/dev/null; echo; done | grep -c '^sleep 1000' || true").await, "0");
    driver.destroy(id).await.unwrap();
    assert_eq!(bench.remains(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn says_why_a_machine_does_not_boot() {
    if skipped() {
        return;
    }
    let (bench, id) = (Bench::new(), "i-0aaaaaaaaaaaaaaa4");
    let empty = tempfile::tempdir_in("/var/tmp").unwrap();
    let mut spec = bench.spec(id).await;
    spec.image_layers = vec![empty.path().to_owned()];
    let error = bench.driver.boot(&spec).await.unwrap_err();
    assert!(matches!(error, BootError::Died { .. }), "{error}");
    assert!(error.to_string().contains("os-release") || error.to_string().contains("init"), "{error}");
    assert_eq!(bench.driver.status(id), MachineStatus::Exited);
    bench.driver.destroy(id).await.unwrap();
    assert_eq!(bench.remains(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once() {
    if skipped() {
        return;
    }
    let bench = Bench::new();
    let ids: Vec<String> = (0..8).map(|n| format!("i-0aaaaaaaaaaaaab{n:02}")).collect();
    let mut specs = Vec::new();
    for id in &ids {
        specs.push(bench.spec(id).await);
    }
    let begun = Instant::now();
    let boots = specs.into_iter().map(|spec| {
        let driver = bench.driver.clone();
        tokio::spawn(async move { driver.boot(&spec).await })
    });
    for boot in boots.collect::<Vec<_>>() {
        boot.await.unwrap().unwrap();
    }
    eprintln!("eight boots to init: {:?}", begun.elapsed());
    for id in &ids {
        assert!(matches!(bench.driver.status(id), MachineStatus::Running { .. }));
    }
    assert_eq!(bench.driver.instances().unwrap(), ids);
    let (kept, swept) = ids.split_at(2);
    let begun = Instant::now();
    assert!(!bench.driver.sweep(kept).await.unwrap().is_empty());
    eprintln!("six swept: {:?}", begun.elapsed());
    for id in swept {
        assert_eq!(bench.driver.status(id), MachineStatus::Absent);
    }
    for id in kept {
        assert!(matches!(bench.driver.status(id), MachineStatus::Running { .. }), "kept");
        bench.driver.destroy(id).await.unwrap();
    }
    assert_eq!(bench.remains(), Vec::<String>::new());
}
