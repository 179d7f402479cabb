//! The log agent, killed again and again while its files are rotated and the service fails: nothing is lost, the order
//! is kept, and what arrives twice is bounded.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic and tells its counts")]

#[path = "log_agent/service.rs"]
mod service;
#[path = "log_agent/writer.rs"]
mod writer;

use service::Service;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use writer::Rotation;

const KILLS: usize = 200;
/// Most events of a batch.
const BATCH: usize = 50;
const STREAMS: [(&str, Rotation); 3] =
    [("numbers", Rotation::Numbers), ("names", Rotation::Names), ("copies", Rotation::CopyTruncate)];

fn configure(dir: &Path, endpoint: &str) {
    let mut config = format!("[general]\nstate_file = {}/state/agent-state\n", dir.display());
    for (name, _) in STREAMS {
        config += &format!(
            "\n[{name}]\nfile = {}/{name}/app.log\nlog_group_name = /test\nlog_stream_name = {name}\n\
             buffer_duration = 5000\nbatch_count = {BATCH}\n",
            dir.display()
        );
        std::fs::create_dir(dir.join(name)).unwrap();
        std::fs::write(dir.join(name).join("app.log"), "").unwrap();
    }
    std::fs::write(dir.join("awslogs.conf"), config).unwrap();
    let access = "aws_access_key_id = AKID\naws_secret_access_key = secret\n";
    let text = format!("[default]\nregion = eu-west-1\nendpoint_url = {endpoint}\n{access}");
    std::fs::write(dir.join("awscli.conf"), text).unwrap();
}

fn agent(dir: &Path) -> Child {
    let path = |name: &str| dir.join(name);
    Command::new(env!("CARGO_BIN_EXE_drydock-guest"))
        .arg("awslogs-agent")
        .arg("--config")
        .arg(path("awslogs.conf"))
        .arg("--additional-configs-dir")
        .arg(path("none"))
        .arg("--aws-config")
        .arg(path("awscli.conf"))
        .arg("--proxy")
        .arg(path("none"))
        .arg("--socket")
        .arg(path("socket"))
        .arg("--log-file")
        .arg(path("awslogs.log"))
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .stdin(Stdio::null())
        .spawn()
        .unwrap()
}

fn writers(dir: &Path, stop: &Arc<AtomicBool>) -> Vec<JoinHandle<usize>> {
    let writer = |(name, rotation): (&'static str, Rotation)| {
        let (path, stop) = (dir.join(name).join("app.log"), Arc::clone(stop));
        std::thread::spawn(move || writer::write(&path, name, rotation, &stop))
    };
    STREAMS.map(writer).into()
}

/// How many lines came again.
///
/// # Errors
/// When one is missing or came too early.
fn check(stream: &str, received: &[String], written: usize) -> Result<usize, String> {
    let (mut next, mut twice) = (0, 0);
    for (at, message) in received.iter().enumerate() {
        let mut words = message.split(' ');
        assert_eq!(words.next(), Some(stream), "{message}");
        let number: usize = words.next().unwrap().parse().unwrap();
        assert_eq!(words.next().unwrap().len(), number % 60, "{message}");
        if number > next {
            let due = format!("{stream} {next:08} ");
            let later = received[at..].iter().any(|message| message.starts_with(&due));
            let what = if later { "came later" } else { "never came" };
            return Err(format!("{stream}: line {number} came where {next} was due, which {what}"));
        }
        if number == next { next += 1 } else { twice += 1 }
    }
    if next == written { Ok(twice) } else { Err(format!("{stream}: {next} lines came of {written}")) }
}

/// What the agent's log says of a stream's files: how a line could get lost.
fn story(dir: &Path, stream: &str) -> String {
    let log = std::fs::read_to_string(dir.join("awslogs.log")).unwrap();
    let is_of = |line: &&str| line.contains(&format!("[{stream}]")) || line.contains("Starting");
    log.lines().filter(is_of).collect::<Vec<_>>().join("\n")
}

fn last_of(service: &Service, stream: &str) -> Option<String> {
    service.received().streams.get(stream)?.last().cloned()
}

fn wait_for_all(service: &Service, written: &[usize]) {
    let deadline = Instant::now() + Duration::from_secs(30);
    let has_all = || {
        STREAMS.iter().zip(written).all(|((name, _), lines)| {
            let last = format!("{name} {:08} ", lines - 1);
            last_of(service, name).is_some_and(|message| message.starts_with(&last))
        })
    };
    while !has_all() {
        assert!(Instant::now() < deadline, "not everything arrived in time");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn nothing_is_lost_when_the_agent_is_killed_and_the_service_fails() {
    let dir = tempfile::tempdir().unwrap();
    let service = Service::start();
    configure(dir.path(), &service.url());
    // The first look decides where reading begins.
    let mut first = agent(dir.path());
    while !dir.path().join("state/agent-state").exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    first.kill().unwrap();
    first.wait().unwrap();

    let stop = Arc::new(AtomicBool::new(false));
    let writers = writers(dir.path(), &stop);
    for _ in 0..KILLS {
        let mut agent = agent(dir.path());
        std::thread::sleep(Duration::from_millis(rand::random_range(10..220)));
        assert!(agent.try_wait().unwrap().is_none(), "the agent ended by itself");
        agent.kill().unwrap();
        agent.wait().unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    let written: Vec<usize> = writers.into_iter().map(|writer| writer.join().unwrap()).collect();

    let mut last = agent(dir.path());
    wait_for_all(&service, &written);
    let ended = Command::new("kill").arg(last.id().to_string()).status().unwrap();
    assert!(ended.success() && last.wait().unwrap().success());

    let received = service.received();
    assert_eq!(received.violations, Vec::<String>::new());
    let twice: Vec<usize> = STREAMS
        .iter()
        .zip(&written)
        .map(|((name, _), lines)| {
            check(name, &received.streams[*name], *lines)
                .unwrap_or_else(|err| panic!("{err}\n{}", story(dir.path(), name)))
        })
        .collect();
    let silent = received.taken_in_silence;
    println!(
        "{KILLS} kills, {written:?} lines, {} failures of the service, {silent} batches taken in silence, {twice:?} \
         lines twice",
        received.failures
    );
    // What the agent was not told, because it was killed or because the service hung up, it sends once more.
    for ((name, _), twice) in STREAMS.iter().zip(&twice) {
        assert!(*twice <= (KILLS + 1 + silent) * BATCH, "{name}: {twice} lines came twice");
    }
}
