//! Carrying queries out, on threads of their own.

use std::iter::Peekable;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_wire::Error;
use log_query::insights::{Execution, Row, Settings};
use log_store::{Event, Order, Position, Scan, Scanner, StoreError};

use super::job::{Job, Status};
use super::pointer::Pointer;
use crate::Cloud;
use crate::logs::state::GroupRecord;
use crate::logs::streams::Names;
use crate::logs::time::{self, Span};

/// How long a query may run ("StartQuery" in the API reference).
const MAX_RUN: Duration = Duration::from_secs(60 * 60);
/// How often a running query shows what it has.
const SHOW_EVERY: Duration = Duration::from_millis(250);
/// After how many events the time is looked at.
const BETWEEN_LOOKS: usize = 1024;

/// Starts a thread that carries out what waits, and ends when nothing does.
pub fn start(cloud: &Arc<Cloud>) {
    let on = Arc::clone(cloud);
    let thread = std::thread::Builder::new().name("logs-query".to_owned()).spawn(move || {
        while let Some(job) = on.logs.queries.next() {
            carry_out(&on, &job);
        }
    });
    if let Err(error) = thread {
        tracing::error!(%error, "no thread for queries");
        while let Some(job) = cloud.logs.queries.next() {
            job.end(Status::Failed, None, 0);
        }
    }
}

fn carry_out(cloud: &Cloud, job: &Job) {
    if !job.begin() {
        return;
    }
    let begun = Instant::now();
    let settings = Settings { now: time::now(), limit: job.limit };
    let mut execution = job.query.start(settings);
    let ended = read(cloud, job, &mut execution, begun);
    let ended = ended.and_then(|status| Ok((status, execution.finish()?)));
    let duration = i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX);
    match ended {
        Ok((status, results)) => job.end(status, Some(results), duration),
        Err(error) => {
            tracing::warn!(query = job.id, %error, "a query failed");
            job.end(Status::Failed, None, duration);
        }
    }
}

/// Why a query could not be carried to its end.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Run(#[from] log_query::insights::RunError),
    #[error(transparent)]
    Records(#[from] Error),
}

fn read(cloud: &Cloud, job: &Job, execution: &mut Execution<'_>, begun: Instant) -> Result<Status, Failure> {
    let mut events = Newest::open(cloud, job)?;
    let mut shown = begun;
    let mut count = 0;
    while let Some((source, event)) = events.next()? {
        let source = &mut events.sources[source];
        let Some(stream) = source.streams.get(&cloud.store, event.stream) else { continue };
        let ptr = || Pointer { group: event.group, position: event.position }.to_string();
        let row = Row {
            timestamp: event.timestamp,
            ingestion_time: event.ingestion_time,
            message: &event.message,
            log_stream: &stream,
            log: &source.log,
            ptr: &ptr,
        };
        execution.push(&row)?;
        count += 1;
        if count % BETWEEN_LOOKS == 0 && shown.elapsed() >= SHOW_EVERY {
            if job.status() != Status::Running {
                return Ok(Status::Cancelled);
            }
            job.show(execution.results()?);
            if begun.elapsed() >= MAX_RUN {
                return Ok(Status::Timeout);
            }
            shown = Instant::now();
        }
    }
    Ok(Status::Complete)
}

/// The events of several groups as one, newest first.
struct Newest {
    sources: Vec<Source>,
}

struct Source {
    /// `ACCOUNT:NAME`.
    log: String,
    streams: Names,
    events: Peekable<Scanner>,
}

impl Newest {
    fn open(cloud: &Cloud, job: &Job) -> Result<Self, StoreError> {
        let open = |group: &Arc<GroupRecord>| {
            let span = Span::new(Some(job.from), Some(job.until), group.retention_days, time::now());
            let scan = Scan {
                from: span.from,
                until: span.until,
                order: Order::NewestFirst,
                literals: job.query.literals(),
                ..Scan::default()
            };
            Ok(Source {
                log: format!("{}:{}", job.account, group.id),
                streams: Names::new(&cloud.store, group),
                events: cloud.logs.events.scan(group.number, &scan)?.peekable(),
            })
        };
        Ok(Self { sources: job.groups.iter().map(open).collect::<Result<_, StoreError>>()? })
    }

    /// The next event, and whose it is.
    fn next(&mut self) -> Result<Option<(usize, Event)>, StoreError> {
        let mut best: Option<(usize, Position)> = None;
        for (index, source) in self.sources.iter_mut().enumerate() {
            match source.events.peek() {
                None => {}
                Some(Ok(event)) if best.is_some_and(|(_, best)| best > event.position) => {}
                Some(Ok(event)) => best = Some((index, event.position)),
                // A failure is told at once.
                Some(Err(_)) => return source.events.next().transpose().map(|_| None),
            }
        }
        let Some((index, _)) = best else { return Ok(None) };
        self.sources[index].events.next().transpose().map(|event| event.map(|event| (index, event)))
    }
}
