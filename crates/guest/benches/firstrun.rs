//! `firstrun`'s own time: what it takes to read, compare and write the files and to ask the agent, with the services'
//! programs and the agent stubbed, and what the process takes to start.
//!
//! Reports, asserts nothing: `cargo bench -p guest --bench firstrun`.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark reports on stdout and may panic")]

use clap::Parser;
use guest::aws::http::{Http, HttpError, Request, Response};
use guest::aws::imds::Imds;
use guest::aws::retry::Sleeper;
use guest::firstrun::instance::{Instance, run};
use guest::firstrun::options::Options;
use guest::runner::{Runner, Spec};
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

const RUNS: usize = 101;
/// What the issue asks for, in milliseconds.
const AIM: f64 = 20.0;

/// An agent that has joined.
struct Joined;

impl Http for Joined {
    fn send(&self, _: &Request) -> Result<Response, HttpError> {
        let body = br#"{"Cluster":"web","ContainerInstanceArn":"arn:ci","Version":"x"}"#.to_vec();
        Ok(Response { status: 200, body })
    }

    fn download(&self, _: &Request, _: &mut dyn io::Write) -> Result<Response, HttpError> {
        Ok(Response { status: 404, body: Vec::new() })
    }
}

/// Services that do as they are told, at once.
struct Obedient;

impl Runner for Obedient {
    fn run(&self, _: &Spec, _: &mut dyn FnMut(&str)) -> io::Result<i32> {
        Ok(0)
    }
}

impl Sleeper for Obedient {
    fn sleep(&self, _: Duration) {}
}

fn main() {
    let folder = tempfile::tempdir_in(".").unwrap();
    let mut first = Vec::new();
    let mut second = Vec::new();
    for number in 0..RUNS {
        let root = folder.path().join(number.to_string());
        image(&root);
        first.push(timed(|| configure(&root)));
        second.push(timed(|| configure(&root)));
    }
    let starts = (0..RUNS).map(|_| timed(start)).collect();
    report("firstrun: a first run, services aside", first);
    report("firstrun: a second run, services aside", second);
    report("firstrun: start of the process", starts);
}

/// What an image has before the first run.
fn image(root: &Path) {
    for path in ["run/systemd/system", "etc/awslogs", "etc/ecs"] {
        std::fs::create_dir_all(root.join(path)).unwrap();
    }
    std::fs::write(root.join("etc/ecs/ecs.config"), "ECS_CLUSTER=default\n").unwrap();
    std::fs::write(root.join("etc/awslogs/proxy.conf"), "HTTP_PROXY=\nHTTPS_PROXY=\nNO_PROXY=\n").unwrap();
}

fn configure(root: &Path) {
    let options = Options::parse_from([
        "firstrun",
        "--cluster",
        "web",
        "--stack",
        "shop",
        "--group",
        "Group",
        "--region",
        "eu-west-1",
        "--proxy",
        "http://u:p@proxy.internal:3128",
    ]);
    let http: Arc<dyn Http> = Arc::new(Joined);
    let instance = Instance {
        root: root.to_owned(),
        imds: Imds::new(Arc::clone(&http), "http://127.0.0.1"),
        http,
        agent_url: "http://127.0.0.1/v1/metadata",
        runner: &Obedient,
        sleeper: &Obedient,
    };
    assert_eq!(run(&options, &instance, &mut io::sink(), &mut io::stderr()), 0);
}

fn start() {
    let program = env!("CARGO_BIN_EXE_drydock-guest");
    let done = Command::new(program).args(["firstrun", "--version"]).stdout(Stdio::null()).status().unwrap();
    assert!(done.success());
}

fn timed(work: impl FnOnce()) -> f64 {
    let begun = Instant::now();
    work();
    begun.elapsed().as_secs_f64() * 1000.0
}

/// Prints the median, for that is what a user meets.
fn report(figure: &str, mut milliseconds: Vec<f64>) {
    milliseconds.sort_by(f64::total_cmp);
    let median = milliseconds[milliseconds.len() / 2];
    println!("{{\"figure\": \"{figure}\", \"value\": {median:.2}, \"unit\": \"ms\", \"aim\": {AIM:.0}}}");
}
