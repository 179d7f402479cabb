//! Files, both ways, by both methods.

use std::{
    fs::{self, Permissions},
    io::Cursor,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use builder::{
    communicator::{Communicator, CommunicatorError},
    ssh::{self, TransferMethod},
};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_util::sync::CancellationToken;

use crate::sshd::{Sshd, mode};

const METHODS: [TransferMethod; 2] = [TransferMethod::Scp, TransferMethod::Sftp];

async fn connect(sshd: &Sshd, transfer: TransferMethod) -> Arc<dyn Communicator> {
    let mut config = sshd.config();
    config.transfer = transfer;
    sshd.connect_as(&config).await.expect("a connection")
}

async fn put(
    communicator: &dyn Communicator,
    path: &str,
    content: &[u8],
    mode: u32,
) -> Result<(), CommunicatorError> {
    communicator.upload(path, &mut Cursor::new(content.to_vec()), content.len() as u64, mode).await
}

async fn get(communicator: &dyn Communicator, path: &str) -> Result<Vec<u8>, CommunicatorError> {
    let mut sink = Cursor::new(Vec::new());
    communicator.download(path, &mut sink).await?;
    Ok(sink.into_inner())
}

#[tokio::test]
async fn files_of_odd_names_and_sizes_go_and_come_back() {
    let sshd = Sshd::start();
    let names = [
        "plain",
        "a b",
        "it's",
        "\"double\"",
        "new\nline",
        "-dash",
        "$(id)",
        "`id`",
        "semi;colon",
        "*",
        "?",
        "[x]",
        "tab\t",
        "back\\slash",
        "ümläut",
        "~tilde",
        "$",
        "a&b|c<d>",
        "#",
        "!",
        "C0644 5 x",
    ];
    let whole: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    for method in METHODS {
        let communicator = connect(&sshd, method).await;
        for (number, name) in names.iter().enumerate() {
            let content = &whole[..number * 17_000 % whole.len()];
            let path = sshd.text(name);
            let name = format!("{method:?} {name:?}");
            put(communicator.as_ref(), &path, content, 0o640)
                .await
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(fs::read(&path).expect("a file"), content, "{name}");
            assert_eq!(mode(Path::new(&path)), 0o640, "{name}");
            let back =
                get(communicator.as_ref(), &path).await.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(back, content, "{name}");
            fs::remove_file(&path).expect("removed");
        }
    }
}

#[tokio::test]
async fn relative_paths_count_from_the_home_and_are_overwritten() {
    let sshd = Sshd::start();
    let name = format!(".drydock-test-{}", sshd.port);
    let home = std::env::home_dir().expect("a home").join(&name);
    for method in METHODS {
        let communicator = connect(&sshd, method).await;
        put(communicator.as_ref(), &name, b"long content", 0o600).await.expect("copied");
        put(communicator.as_ref(), &name, b"short", 0o600).await.expect("copied");
        assert_eq!(fs::read(&home).expect("a file"), b"short");
        if method == TransferMethod::Scp {
            put(communicator.as_ref(), &format!("~/{name}"), b"by tilde", 0o600).await.expect("copied");
            assert_eq!(fs::read(&home).expect("a file"), b"by tilde");
            put(communicator.as_ref(), &format!("$HOME/{name}"), b"by name", 0o600).await.expect("copied");
            assert_eq!(fs::read(&home).expect("a file"), b"by name");
        }
        fs::remove_file(&home).expect("removed");
    }
}

#[tokio::test]
async fn a_directorys_path_takes_the_file_into_it() {
    let sshd = Sshd::start();
    for method in METHODS {
        let directory = sshd.path(&format!("{method:?}"));
        fs::create_dir(&directory).expect("a directory");
        let communicator = connect(&sshd, method).await;
        put(communicator.as_ref(), directory.to_str().expect("UTF-8"), b"x", 0o644).await.expect("copied");
        assert!(directory.join(format!("{method:?}")).is_file());
    }
}

/// What the other end says, in its own words.
#[tokio::test]
async fn refusals_are_told() {
    let sshd = Sshd::start();
    fs::create_dir(sshd.path("dir")).expect("a directory");
    for (method, path, reasons) in [
        (TransferMethod::Scp, sshd.text("missing/file"), ["No such file or directory"; 2]),
        (TransferMethod::Scp, "/proc/sys/kernel/ostype".to_owned(), ["Permission denied"; 2]),
        (TransferMethod::Scp, "/dev/full".to_owned(), ["No space left on device"; 2]),
        (TransferMethod::Sftp, sshd.text("missing/file"), ["No such file"; 2]),
        (TransferMethod::Sftp, "/proc/sys/kernel/ostype".to_owned(), ["Permission denied"; 2]),
        (TransferMethod::Sftp, "/dev/full".to_owned(), ["Failure", "full disk"]),
    ] {
        let communicator = connect(&sshd, method).await;
        // More than the pipes hold, so that the refusal comes while there is more to send.
        let content = vec![7; 5 << 20];
        let error = put(communicator.as_ref(), &path, &content, 0o644).await.expect_err("refused");
        let text = error.to_string();
        assert!(text.starts_with(&format!("cannot upload {path}: ")), "{method:?}: {text}");
        assert!(reasons.iter().all(|reason| text.contains(reason)), "{method:?}: {text}");
        // The connection is as good as before.
        put(communicator.as_ref(), &sshd.text("after"), b"x", 0o644).await.expect("copied");
    }
    for method in METHODS {
        let communicator = connect(&sshd, method).await;
        let error = get(communicator.as_ref(), &sshd.text("missing")).await.expect_err("refused").to_string();
        assert!(
            error.starts_with("cannot download ") && error.contains("No such file"),
            "{method:?}: {error}"
        );
        let error = get(communicator.as_ref(), &sshd.text("dir")).await.expect_err("refused").to_string();
        assert!(error.starts_with("cannot download "), "{method:?}: {error}");
    }
}

#[tokio::test]
async fn a_server_without_the_program_or_the_subsystem_says_what_to_do() {
    let sshd = Sshd::with("SetEnv PATH=/nowhere\nForceCommand /bin/sh -c \"exit 127\"");
    let communicator = connect(&sshd, TransferMethod::Scp).await;
    let error = put(communicator.as_ref(), "/tmp/x", b"x", 0o644).await.expect_err("no scp").to_string();
    assert!(error.contains("there is no scp program on the machine"), "{error}");

    let chatty = Sshd::with("ForceCommand /bin/echo Welcome to the machine");
    let communicator = connect(&chatty, TransferMethod::Scp).await;
    let error = put(communicator.as_ref(), "/tmp/x", b"x", 0o644).await.expect_err("chatty").to_string();
    assert!(error.contains("Welcome to the machine") && error.contains("startup file"), "{error}");
}

/// `count` bytes that are never in memory together.
fn endless(count: u64) -> impl AsyncRead + Send + Unpin {
    tokio::io::repeat(b'x').take(count)
}

fn resident_mib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("status");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number") >> 10
}

#[tokio::test]
async fn large_files_take_no_memory() {
    const SIZE: u64 = 100 << 20;
    let sshd = Sshd::start();
    let expected = Sha256::digest(vec![b'x'; SIZE as usize]);
    for method in METHODS {
        let communicator = connect(&sshd, method).await;
        let path = sshd.text("large");
        let before = resident_mib();
        let start = Instant::now();
        communicator.upload(&path, &mut endless(SIZE), SIZE, 0o644).await.expect("copied");
        let up = start.elapsed();
        let copy = sshd.path("copy");
        let mut sink = tokio::fs::File::create(&copy).await.expect("a file");
        communicator.download(&path, &mut sink).await.expect("copied back");
        let down = start.elapsed() - up;
        let grown = resident_mib().saturating_sub(before);
        println!("{method:?}: 100 MiB up in {up:?}, down in {down:?}, {grown} MiB of memory");
        // Other tests of this process run meanwhile.
        assert!(grown < 60, "{method:?}: {grown} MiB");
        assert_eq!(Sha256::digest(fs::read(&copy).expect("a copy")), expected, "{method:?}");
    }
}

#[tokio::test]
async fn a_source_that_ends_early_is_told() {
    let sshd = Sshd::start();
    for method in METHODS {
        let communicator = connect(&sshd, method).await;
        let path = sshd.text("short");
        let error =
            communicator.upload(&path, &mut Cursor::new(b"four"), 10, 0o644).await.expect_err("too short");
        assert!(error.to_string().contains("became shorter"), "{error}");
        put(communicator.as_ref(), &path, b"whole", 0o644).await.expect("copied");
    }
}

#[tokio::test]
async fn a_cancelled_build_ends_its_copy() {
    let sshd = Sshd::start();
    for method in METHODS {
        let cancel = CancellationToken::new();
        let mut config = sshd.config();
        config.transfer = method;
        let communicator =
            ssh::connect(&config, "127.0.0.1", Some(&sshd.key), cancel.clone()).await.expect("a connection");
        let path = sshd.text("endless");
        let mut content = endless(u64::MAX);
        let copying = communicator.upload(&path, &mut content, 1 << 40, 0o644);
        let stop = async {
            while fs::metadata(&path).map_or(0, |file| file.len()) < 1 << 20 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            cancel.cancel();
            Instant::now()
        };
        let (result, stopped) = tokio::join!(copying, stop);
        assert!(matches!(result, Err(CommunicatorError::Cancelled)), "{result:?}");
        assert!(stopped.elapsed() < Duration::from_millis(500), "{:?}", stopped.elapsed());
        fs::remove_file(&path).expect("removed");
    }
}

#[tokio::test]
async fn a_connection_lost_on_the_way_is_told() {
    let sshd = Sshd::start();
    let communicator = sshd.connect().await;
    let path = sshd.text("lost");
    let mut content = endless(u64::MAX);
    let copying = communicator.upload(&path, &mut content, 1 << 40, 0o644);
    let cut = async {
        while fs::metadata(&path).map_or(0, |file| file.len()) < 1 << 20 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let find =
            format!("pgrep -f -- '[s]cp -t -- .*{}' | head -1 | xargs -I PID ps -o ppid= -p PID", path);
        let other = sshd.connect().await;
        // scp's parent is the server's process of that connection (its shell replaces itself by scp).
        crate::sshd::say(other.as_ref(), &format!("kill -9 $({find})")).await;
    };
    let (result, ()) = tokio::join!(copying, cut);
    let error = result.expect_err("lost").to_string();
    assert!(error.starts_with("no connection to 127.0.0.1:"), "{error}");
}

/// A tree with what trees have: empty files and directories, odd names, links, modes.
fn tree(root: &Path) {
    fs::create_dir_all(root.join("deep/er/empty")).expect("directories");
    fs::write(root.join("deep/er/a file"), "deep").expect("written");
    fs::write(root.join("it's"), "").expect("written");
    fs::write(root.join("run"), "#!/bin/sh\n").expect("written");
    fs::set_permissions(root.join("run"), Permissions::from_mode(0o755)).expect("mode");
    fs::set_permissions(root.join("deep"), Permissions::from_mode(0o750)).expect("mode");
    symlink("run", root.join("link")).expect("a link");
    symlink("deep", root.join("linked")).expect("a link");
}

/// Every path below a directory, with what it is.
fn listing(root: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            let name = path.strip_prefix(root).expect("below").display().to_string();
            let file = fs::symlink_metadata(&path).expect("a file");
            assert!(!file.is_symlink(), "{name}");
            if file.is_dir() {
                lines.push(format!("{name}/ {:o}", mode(&path)));
                open.push(path);
            } else {
                lines.push(format!(
                    "{name} {:o} {:?}",
                    mode(&path),
                    fs::read_to_string(&path).expect("text")
                ));
            }
        }
    }
    lines.sort();
    lines
}

#[tokio::test]
async fn directories_go_by_packers_rule_of_the_trailing_slash() {
    let sshd = Sshd::start();
    let source = tempfile::tempdir().expect("a directory");
    let root = source.path().join("tree");
    tree(&root);
    let expected = [
        "deep/ 750",
        "deep/er/ 755",
        "deep/er/a file 644 \"deep\"",
        "deep/er/empty/ 755",
        "it's 644 \"\"",
        "link 755 \"#!/bin/sh\\n\"",
        "linked/ 750",
        "linked/er/ 755",
        "linked/er/a file 644 \"deep\"",
        "linked/er/empty/ 755",
        "run 755 \"#!/bin/sh\\n\"",
    ];
    for method in METHODS {
        let communicator = connect(&sshd, method).await;
        let there = sshd.path(&format!("{method:?} there"));
        fs::create_dir(&there).expect("a directory");
        let (with, without) = (format!("{}/", root.display()), root.display().to_string());
        communicator.upload_dir(there.to_str().expect("UTF-8"), &without).await.expect("copied");
        assert_eq!(listing(&there.join("tree")), expected, "{method:?}");
        assert_eq!(fs::read_dir(&there).expect("a directory").count(), 1);
        communicator.upload_dir(there.to_str().expect("UTF-8"), &with).await.expect("copied");
        fs::remove_dir_all(there.join("tree")).expect("removed");
        assert_eq!(listing(&there), expected, "{method:?}");
        // Once more over itself.
        communicator.upload_dir(there.to_str().expect("UTF-8"), &with).await.expect("copied");
        assert_eq!(listing(&there), expected, "{method:?}");
    }
}

#[tokio::test]
async fn a_destination_that_is_not_there_becomes_the_copy_or_is_told() {
    let sshd = Sshd::start();
    let source = tempfile::tempdir().expect("a directory");
    fs::write(source.path().join("file"), "x").expect("written");
    let communicator = sshd.connect().await;
    let path = source.path().to_str().expect("UTF-8");
    communicator.upload_dir(&sshd.text("new"), path).await.expect("copied");
    assert!(sshd.path("new/file").is_file());
    let error =
        communicator.upload_dir(&sshd.text("newer"), &format!("{path}/")).await.expect_err("not there");
    assert!(error.to_string().contains("No such file or directory"), "{error}");
    assert!(!sshd.path("newer").exists());
}

#[tokio::test]
async fn directories_that_cannot_be_copied_are_told() {
    let sshd = Sshd::start();
    let source = tempfile::tempdir().expect("a directory");
    let path = source.path().to_str().expect("UTF-8").to_owned();
    fs::write(source.path().join("new\nline"), "x").expect("written");
    let communicator = sshd.connect().await;
    let error =
        communicator.upload_dir(&sshd.text("copy"), &path).await.expect_err("no such name").to_string();
    assert!(error.contains("scp cannot carry the name \"new\\nline\""), "{error}");
    let sftp = connect(&sshd, TransferMethod::Sftp).await;
    sftp.upload_dir(sshd.dir.path().to_str().expect("UTF-8"), &path).await.expect("sftp can");

    fs::remove_file(source.path().join("new\nline")).expect("removed");
    symlink("nowhere", source.path().join("dead")).expect("a link");
    for method in METHODS {
        let communicator = connect(&sshd, method).await;
        let error = communicator.upload_dir(&sshd.text("copy"), &path).await.expect_err("a dead link");
        assert!(
            matches!(&error, CommunicatorError::Local { path, .. } if path.ends_with("/dead")),
            "{error}"
        );
        let error = communicator.upload_dir(&sshd.text("copy"), "/nowhere").await.expect_err("nothing there");
        assert!(matches!(&error, CommunicatorError::Local { path, .. } if path == "/nowhere"), "{error}");
    }
}

#[tokio::test]
async fn directories_come_back() {
    let sshd = Sshd::start();
    tree(&sshd.path("tree"));
    fs::write(sshd.path("one.log"), "1").expect("written");
    fs::write(sshd.path("two.log"), "2").expect("written");
    for method in METHODS {
        let communicator = connect(&sshd, method).await;
        let here = tempfile::tempdir().expect("a directory");
        communicator.download_dir(&sshd.text("tree/"), here.path()).await.expect("copied");
        assert_eq!(fs::read(here.path().join("tree/deep/er/a file")).expect("a file"), b"deep");
        assert_eq!(mode(&here.path().join("tree/run")), 0o755);
        assert!(here.path().join("tree/deep/er/empty").is_dir());

        communicator.download_dir(&sshd.text("*.log"), here.path()).await.expect("copied");
        assert_eq!(fs::read(here.path().join("two.log")).expect("a file"), b"2");
        assert!(here.path().join("one.log").is_file());

        let error =
            communicator.download_dir(&sshd.text("nothing/"), here.path()).await.expect_err("nothing there");
        assert!(error.to_string().contains("No such file"), "{error}");
    }
}
