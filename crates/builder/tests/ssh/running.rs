//! Commands: output, exit codes, signals, lost connections, cancellation.

use std::{
    fs,
    time::{Duration, Instant},
};

use builder::{
    communicator::{CommunicatorError, Exit},
    ssh,
};
use tokio_util::sync::CancellationToken;

use crate::sshd::{CUT, Kept, Sshd, say};

#[tokio::test]
async fn output_and_exit_codes_come_back() {
    let sshd = Sshd::start();
    let communicator = sshd.connect().await;
    for (command, code, out, err) in [
        ("true", 0, "", ""),
        ("echo out; echo err >&2; exit 42", 42, "out\n", "err\n"),
        ("printf 'no end'", 0, "no end", ""),
        ("printf '\\377\\000'", 0, "\u{fffd}\0", ""),
        ("kill -KILL $$", 137, "", ""),
        ("kill -TERM $$", 143, "", ""),
        ("kill -SEGV $$", 139, "", ""),
        ("cat <<X\nhere\nX", 0, "here\n", ""),
        ("cat", 0, "", ""),
        ("exit 255", 255, "", ""),
    ] {
        let kept = Kept::default();
        assert_eq!(communicator.run(command, &kept).await.expect("it runs"), Exit::Code(code), "{command}");
        assert_eq!((kept.out().as_str(), kept.err().as_str()), (out, err), "{command}");
    }
}

#[tokio::test]
async fn much_output_comes_whole_and_in_order() {
    let sshd = Sshd::start();
    let communicator = sshd.connect().await;
    let kept = Kept::default();
    communicator.run("seq 1 1000000; seq 1 1000 >&2", &kept).await.expect("it runs");
    let expected: String = (1..=1_000_000).map(|number| format!("{number}\n")).collect();
    assert_eq!(kept.out().len(), expected.len());
    assert!(kept.out() == expected);
    assert_eq!(kept.err().lines().count(), 1000);
}

#[tokio::test]
async fn output_is_streamed_as_it_comes() {
    struct Stamps(parking_lot::Mutex<Vec<Instant>>);
    impl builder::communicator::Output for Stamps {
        fn stdout(&self, _: &[u8]) {
            self.0.lock().push(Instant::now());
        }
        fn stderr(&self, _: &[u8]) {}
    }
    let sshd = Sshd::start();
    let communicator = sshd.connect().await;
    let stamps = Stamps(parking_lot::Mutex::default());
    communicator.run("echo first; sleep 0.5; echo second", &stamps).await.expect("it runs");
    let stamps = stamps.0.into_inner();
    assert!(stamps[stamps.len() - 1] - stamps[0] > Duration::from_millis(400), "{stamps:?}");
}

#[tokio::test]
async fn a_terminal_is_given_when_asked_for() {
    let sshd = Sshd::start();
    let mut config = sshd.config();
    let plain = sshd.connect_as(&config).await.expect("a connection");
    assert_eq!(plain.run("tty -s", &Kept::default()).await.expect("it runs"), Exit::Code(1));
    config.pty = true;
    let terminal = sshd.connect_as(&config).await.expect("a connection");
    assert_eq!(say(terminal.as_ref(), "tty -s && stty size && echo $TERM").await, "40 80\r\nxterm\r\n");
}

#[tokio::test]
async fn a_lost_connection_is_told_and_made_again() {
    let sshd = Sshd::start();
    let communicator = sshd.connect().await;
    let kept = Kept::default();
    let exit = communicator.run(&format!("echo before; {CUT}"), &kept).await.expect("it started");
    assert_eq!(exit, Exit::Disconnected);
    assert_eq!(kept.out(), "before\n");
    assert_eq!(say(communicator.as_ref(), "echo after").await, "after\n");
    communicator.reconnect().await.expect("a connection");
    assert_eq!(say(communicator.as_ref(), "echo again").await, "again\n");
}

#[tokio::test]
async fn a_machine_that_is_gone_is_told_with_its_address() {
    let sshd = Sshd::start();
    let communicator = sshd.connect().await;
    let address = format!("127.0.0.1:{}", sshd.port);
    drop(sshd);
    let error = communicator.run("true", &Kept::default()).await.expect_err("nobody there");
    let text = error.to_string();
    assert!(text.starts_with(&format!("no connection to {address}: ")), "{text}");
    assert!(text.contains("Connection refused"), "{text}");
}

#[tokio::test]
async fn a_silent_connection_ends_by_its_limit() {
    let sshd = Sshd::start();
    let mut config = sshd.config();
    config.keep_alive_interval = None;
    config.read_write_timeout = Some(Duration::from_millis(300));
    let communicator = sshd.connect_as(&config).await.expect("a connection");
    let start = Instant::now();
    assert_eq!(communicator.run("sleep 10", &Kept::default()).await.expect("it started"), Exit::Disconnected);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());

    // Signs of life keep it.
    config.keep_alive_interval = Some(Duration::from_millis(100));
    let communicator = sshd.connect_as(&config).await.expect("a connection");
    assert_eq!(communicator.run("sleep 1", &Kept::default()).await.expect("it started"), Exit::Code(0));
}

#[tokio::test]
async fn a_cancelled_build_ends_its_command() {
    let sshd = Sshd::start();
    let cancel = CancellationToken::new();
    let communicator = ssh::connect(&sshd.config(), "127.0.0.1", Some(&sshd.key), cancel.clone())
        .await
        .expect("a connection");
    let started = sshd.path("started");
    let command = format!("touch {}; sleep 100", started.display());
    let kept = Kept::default();
    let running = communicator.run(&command, &kept);
    let stop = async {
        while !fs::exists(&started).expect("looked") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        cancel.cancel();
        Instant::now()
    };
    let (result, stopped) = tokio::join!(running, stop);
    assert!(matches!(result, Err(CommunicatorError::Cancelled)), "{result:?}");
    assert!(stopped.elapsed() < Duration::from_millis(500), "{:?}", stopped.elapsed());
    // What comes after that is the clean-up.
    assert_eq!(say(communicator.as_ref(), "echo clean").await, "clean\n");
}

#[tokio::test]
async fn several_commands_share_the_connection_at_a_time() {
    let sshd = Sshd::start();
    let communicator = sshd.connect().await;
    let directory = sshd.dir.path().to_owned();
    // Each waits for the next one, and the last for the first.
    let commands = (0..8).map(|number: u32| {
        let communicator = communicator.clone();
        let (mine, next) =
            (directory.join(number.to_string()), directory.join(((number + 1) % 8).to_string()));
        let command = format!(
            "touch {}; until [ -e {} ]; do sleep 0.01; done; echo {number}",
            mine.display(),
            next.display()
        );
        tokio::spawn(async move { say(communicator.as_ref(), &command).await })
    });
    for (number, command) in commands.collect::<Vec<_>>().into_iter().enumerate() {
        assert_eq!(command.await.expect("no panic"), format!("{number}\n"));
    }
    assert_eq!(sshd.log().matches("Accepted publickey").count(), 1);
}
