//! The log agent's figures: how fast it reads, times and batches lines with the network stubbed, and what it costs to
//! follow a thousand files.
//!
//! Reports, asserts nothing: `cargo bench -p guest --bench log_agent`.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark reports on stdout and may panic")]

use guest::aws::credentials::{CredentialProvider, Credentials};
use guest::aws::http::{Http, HttpError, Request, Response};
use guest::aws::imds::ImdsError;
use guest::aws::json::JsonService;
use guest::awslogs::batch::Event;
use guest::awslogs::config::{
    Encoding, FilePattern, FingerprintLines, InitialPosition, LineStart, LogStreamSettings,
};
use guest::awslogs::datetime::{DateTimeFormat, Dialect, TimeZone};
use guest::awslogs::engine::{Control, Engine};
use guest::awslogs::log::AgentLog;
use guest::awslogs::ship::cloudwatch::{CloudWatch, SIGNING_NAME, TARGET};
use guest::awslogs::ship::{Accepted, SendError, Sink, Target};
use guest::awslogs::state::Ledger;
use guest::awslogs::status::Totals;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Lines of the hot file.
const LINES: usize = 3_000_000;
/// Files followed at once.
const FILES: usize = 1000;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    // One core does everything: reading, timing, batching, and whatever the stubbed service costs.
    let mut core = CpuSet::new();
    core.set(0).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            sched_setaffinity(Pid::from_raw(0), &core).unwrap();
            hot_file(folder.path(), "iso", "%Y-%m-%dT%H:%M:%S.%f", Some(100.0));
            hot_file(folder.path(), "syslog", "%b %d %H:%M:%S", None);
        });
    });
    many_files(&folder.path().join("many"));
}

fn report(figure: &str, value: f64, unit: &str, aim: Option<f64>) {
    let figure = serde_json::json!({
        "figure": figure, "value": (value * 10.0).round() / 10.0, "unit": unit, "aim": aim,
    });
    println!("{figure}");
}

/// Takes everything and counts it.
#[derive(Default)]
struct Counter(AtomicU64);

impl Sink for Counter {
    fn put(&self, _: &Target, events: &[Event<'_>]) -> Result<Accepted, SendError> {
        self.0.fetch_add(events.len() as u64, Ordering::Relaxed);
        Ok(Accepted::default())
    }
}

/// An HTTP client whose requests all succeed.
struct Yes;

impl Http for Yes {
    fn send(&self, _: &Request) -> Result<Response, HttpError> {
        Ok(Response { status: 200, body: b"{}".to_vec() })
    }

    fn download(&self, request: &Request, _: &mut dyn Write) -> Result<Response, HttpError> {
        self.send(request)
    }
}

struct Keys;

impl CredentialProvider for Keys {
    fn credentials(&self) -> Result<Credentials, ImdsError> {
        Ok(Credentials::permanent("AKID", "secret"))
    }
}

fn settings(file: &Path, format: &str) -> LogStreamSettings {
    LogStreamSettings {
        section: "hot".to_owned(),
        file: FilePattern::python(&file.display().to_string()).unwrap(),
        log_group_name: "group".to_owned(),
        log_stream_name: "stream".to_owned(),
        datetime_format: Some(DateTimeFormat::new(format, Dialect::Python).unwrap()),
        time_zone: TimeZone::Utc,
        initial_position: InitialPosition::StartOfFile,
        encoding: Encoding::UTF_8,
        multi_line_start_pattern: LineStart::NotBlank,
        buffer_duration: Duration::from_secs(5),
        batch_count: 10_000,
        batch_size: 1 << 20,
        file_fingerprint_lines: FingerprintLines { first: 1, last: 1 },
        blacklist: None,
        filters: Vec::new(),
        trim_timestamp: false,
        retention_in_days: None,
    }
}

/// Lines of about 120 bytes, a few hundred a second.
fn write_lines(file: &Path, format: &str) -> u64 {
    let mut time = jiff::civil::date(2026, 11, 21).at(0, 0, 0, 0);
    let mut out = std::io::BufWriter::new(std::fs::File::create(file).unwrap());
    for number in 0..LINES {
        if number % 300 == 0 {
            time = time.checked_add(jiff::SignedDuration::from_millis(25)).unwrap();
        }
        let stamp = time.strftime(format);
        writeln!(
            out,
            "{stamp} ip-10-0-0-12 todobackend[{}]: GET /todos/{number} 200 {} ms user=\"someone\" agent=\"curl/8.4\" ok",
            number % 32_768,
            number % 97,
        )
        .unwrap();
    }
    out.flush().unwrap();
    std::fs::metadata(file).unwrap().len()
}

fn hot_file(folder: &Path, name: &str, format: &str, aim: Option<f64>) {
    let file = folder.join(name);
    let bytes = write_lines(&file, format);
    let counter = Counter::default();
    let seconds = run(&file, format, &folder.join(format!("{name}.state")), &counter);
    assert_eq!(counter.0.load(Ordering::Relaxed), LINES as u64);
    let rate = bytes as f64 / 1e6 / seconds;
    report(&format!("log agent: {format} lines read, timed and batched on one core"), rate, "MB/s", aim);
    let service = JsonService {
        http: &Yes,
        credentials: &Keys,
        region: "eu-west-1".into(),
        endpoint: "http://localhost".into(),
        signing_name: SIGNING_NAME,
        target: TARGET,
    };
    for (how, gzip) in [("plain", false), ("compressed", true)] {
        let sink = CloudWatch::new(
            JsonService { region: "eu-west-1".into(), endpoint: service.endpoint.clone(), ..service },
            gzip,
        );
        let seconds = run(&file, format, &folder.join(format!("{name}.{how}")), &sink);
        let rate = bytes as f64 / 1e6 / seconds;
        report(
            &format!("log agent: {format} lines up to the signed request, {how}, on one core"),
            rate,
            "MB/s",
            None,
        );
    }
    std::fs::remove_file(file).unwrap();
}

/// How many seconds it takes until everything has been taken.
fn run(file: &Path, format: &str, state: &Path, sink: &dyn Sink) -> f64 {
    let (ledger, _) = Ledger::open(state).unwrap();
    let (log, totals, control) = (AgentLog::nowhere(), Totals::default(), Control::default());
    control.follow(vec![settings(file, format)]);
    let engine = Engine { sink, ledger: &ledger, log: &log, totals: &totals, queue_size: 10 };
    let started = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| engine.run(&control));
        // The last line counts as whole when it has been quiet for a second: stop at once instead.
        while totals.events.load(Ordering::Relaxed) < (LINES - 10_000) as u64 {
            std::thread::sleep(Duration::from_millis(2));
        }
        control.stop();
    });
    started.elapsed().as_secs_f64()
}

/// A service that takes everything, or nothing.
struct Service {
    port: u16,
    requests: Arc<AtomicU64>,
    is_away: Arc<AtomicBool>,
}

impl Service {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let service = Self {
            port: listener.local_addr().unwrap().port(),
            requests: Arc::default(),
            is_away: Arc::default(),
        };
        let (requests, is_away) = (Arc::clone(&service.requests), Arc::clone(&service.is_away));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (requests, is_away) = (Arc::clone(&requests), Arc::clone(&is_away));
                std::thread::spawn(move || serve(stream, &requests, &is_away));
            }
        });
        service
    }

    /// Waits until so many requests have come, and then none for some seconds.
    fn wait_for_quiet(&self, least: u64) {
        let (mut seen, mut since) = (0, Instant::now());
        while seen < least || since.elapsed() < Duration::from_secs(8) {
            std::thread::sleep(Duration::from_millis(100));
            let now = self.requests.load(Ordering::Relaxed);
            if now != seen {
                (seen, since) = (now, Instant::now());
            }
        }
    }
}

fn serve(mut stream: TcpStream, requests: &AtomicU64, is_away: &AtomicBool) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() || is_away.load(Ordering::Relaxed) {
            return;
        }
        requests.fetch_add(1, Ordering::Relaxed);
        if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").is_err() {
            return;
        }
    }
}

fn agent(folder: &Path, port: u16) -> Child {
    let mut config = format!("[general]\nstate_file = {}/state\n", folder.display());
    for number in 0..FILES {
        write!(
            config,
            "[{number}]\nfile = {}/{number}.log\nlog_group_name = g\nlog_stream_name = s{number}\n\
             datetime_format = %b %d %H:%M:%S\n",
            folder.display()
        )
        .unwrap();
    }
    std::fs::write(folder.join("awslogs.conf"), config).unwrap();
    let access = "aws_access_key_id = AKID\naws_secret_access_key = secret\n";
    let aws = format!("[default]\nregion = eu-west-1\nendpoint_url = http://127.0.0.1:{port}\n{access}");
    std::fs::write(folder.join("awscli.conf"), aws).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_drydock-guest"));
    command.arg("awslogs-agent");
    for (option, name) in [
        ("--config", "awslogs.conf"),
        ("--additional-configs-dir", "none"),
        ("--aws-config", "awscli.conf"),
        ("--proxy", "none"),
        ("--socket", "socket"),
        ("--log-file", "log"),
    ] {
        command.arg(option).arg(folder.join(name));
    }
    command.env("AWS_EC2_METADATA_DISABLED", "true").stdin(Stdio::null()).spawn().unwrap()
}

fn append(folder: &Path, lines: usize) {
    for number in 0..FILES {
        let file =
            std::fs::OpenOptions::new().create(true).append(true).open(folder.join(format!("{number}.log")));
        let text =
            format!("Nov 21 09:00:00 host program[1]: file {number} {}\n", "x".repeat(60)).repeat(lines);
        file.unwrap().write_all(text.as_bytes()).unwrap();
    }
}

fn many_files(folder: &Path) {
    std::fs::create_dir(folder).unwrap();
    append(folder, 100);
    let service = Service::start();
    let mut agent = agent(folder, service.port);
    service.wait_for_quiet(FILES as u64);
    assert!(agent.try_wait().unwrap().is_none(), "the agent ended");
    report("log agent: resident with 1,000 files followed", memory(&agent, "VmRSS"), "MB", Some(30.0));
    let (before, started) = (usage(&agent), Instant::now());
    std::thread::sleep(Duration::from_secs(10));
    let (after, seconds) = (usage(&agent), started.elapsed().as_secs_f64());
    report("log agent: wakeups of 1,000 idle files", (after.0 - before.0) as f64 / seconds, "1/s", None);
    report(
        "log agent: processor for 1,000 idle files",
        (after.1 - before.1) as f64 / seconds * 10.0,
        "ms/s",
        None,
    );
    service.is_away.store(true, Ordering::Relaxed);
    append(folder, 2000);
    std::thread::sleep(Duration::from_secs(8));
    report(
        "log agent: resident, the service away and 200 MB waiting in 1,000 files",
        memory(&agent, "VmRSS"),
        "MB",
        Some(30.0),
    );
    service.is_away.store(false, Ordering::Relaxed);
    std::thread::sleep(Duration::from_secs(20));
    report("log agent: most ever resident", memory(&agent, "VmHWM"), "MB", None);
    agent.kill().unwrap();
    agent.wait().unwrap();
}

/// A line of the process's status, in MB.
fn memory(agent: &Child, name: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", agent.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    let kilobytes: f64 = line.trim_start_matches(':').trim().trim_end_matches(" kB").trim().parse().unwrap();
    kilobytes * 1024.0 / 1e6
}

/// How often its threads have been woken, and its processor time in hundredths of a second.
fn usage(agent: &Child) -> (u64, u64) {
    let mut switches = 0;
    for thread in std::fs::read_dir(format!("/proc/{}/task", agent.id())).unwrap() {
        let status = std::fs::read_to_string(thread.unwrap().path().join("status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).unwrap();
        switches += line.trim().parse::<u64>().unwrap();
    }
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", agent.id())).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (switches, fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap())
}
