//! `StartLiveTail`: new events of some groups as they come, until the client leaves or three hours have passed.

mod frames;
mod sample;

use std::collections::HashMap;
use std::future::poll_fn;
use std::time::{Duration, Instant};

use aws_wire::Error;
use aws_wire::logs::*;
use bytes::Bytes;
use http::HeaderValue;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use log_query::FilterPattern;
use log_store::{Event, GroupId, Subscription, Tail};
use tokio::sync::mpsc;

use super::{errors, filter, groups, names, streams, time};
use crate::Ctx;
use crate::http::{Body, Response};
use crate::ids;
use sample::Budget;

/// The most groups of a session.
const MAX_GROUPS: usize = 10;
/// The most streams or prefixes of a session.
const MAX_STREAMS: usize = 100;
/// How long a session may be open.
const MAX_OPEN: Duration = Duration::from_secs(3 * 60 * 60);
/// How often something is told, if only that there is nothing.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// How long events are gathered before they are told.
const GATHERING: Duration = Duration::from_millis(100);
/// How many frames wait for a slow client; what comes then is left out.
const WAITING: usize = 10;

/// A session that has been allowed and checked.
pub struct Session {
    ctx: Ctx,
    subscription: Subscription,
    pattern: FilterPattern,
    wanted: Wanted,
    groups: HashMap<GroupId, Group>,
    start: LiveTailSessionStart,
    /// How long it may be open.
    open_for: Duration,
}

struct Group {
    /// `ACCOUNT:NAME`.
    identifier: String,
    streams: streams::Names,
    retention_days: Option<i32>,
}

/// Which streams are told of.
enum Wanted {
    All,
    Named(Vec<String>),
    Prefixed(Vec<String>),
}

impl Wanted {
    fn has(&self, stream: &str) -> bool {
        match self {
            Self::All => true,
            Self::Named(names) => names.iter().any(|name| name == stream),
            Self::Prefixed(prefixes) => prefixes.iter().any(|prefix| stream.starts_with(prefix.as_str())),
        }
    }
}

/// Checks a request and opens its session; events are held from now on.
///
/// # Errors
/// `InvalidParameterException`, `ResourceNotFoundException`.
pub fn start(ctx: &Ctx, input: StartLiveTailRequest) -> Result<Session, Error> {
    let pattern = filter::parse_pattern(input.log_event_filter_pattern.as_deref())?;
    let identifiers = &input.log_group_identifiers;
    if !(1..=MAX_GROUPS).contains(&identifiers.len()) {
        return Err(errors::invalid(format!(
            "logGroupIdentifiers must name between 1 and {MAX_GROUPS} log groups."
        )));
    }
    let wanted = wanted(&input)?;
    let mut found = HashMap::new();
    for identifier in identifiers {
        let name = groups::home(ctx).group_name(identifier, "logGroupIdentifiers", false)?;
        let group = groups::find(ctx, &name)?;
        let streams = streams::Names::new(&ctx.cloud.store, &group);
        let identifier = format!("{}:{name}", ctx.account);
        found.insert(group.number, Group { identifier, streams, retention_days: group.retention_days });
    }
    let numbers: Vec<GroupId> = found.keys().copied().collect();
    Ok(Session {
        subscription: ctx.cloud.logs.events.subscribe(&numbers),
        ctx: ctx.clone(),
        pattern,
        wanted,
        groups: found,
        start: LiveTailSessionStart {
            request_id: Some(ctx.request_id.clone()),
            session_id: Some(ids::uuid()),
            log_group_identifiers: input.log_group_identifiers,
            log_stream_names: input.log_stream_names,
            log_stream_name_prefixes: input.log_stream_name_prefixes,
            log_event_filter_pattern: input.log_event_filter_pattern,
        },
        open_for: MAX_OPEN,
    })
}

fn wanted(input: &StartLiveTailRequest) -> Result<Wanted, Error> {
    let (named, prefixes) = (&input.log_stream_names, &input.log_stream_name_prefixes);
    if named.is_empty() && prefixes.is_empty() {
        return Ok(Wanted::All);
    }
    if !named.is_empty() && !prefixes.is_empty() {
        return Err(errors::invalid(
            "logStreamNames and logStreamNamePrefixes are mutually exclusive parameters.",
        ));
    }
    if input.log_group_identifiers.len() > 1 {
        return Err(errors::invalid("Log streams can be chosen only if there is one log group."));
    }
    if named.len().max(prefixes.len()) > MAX_STREAMS {
        return Err(errors::invalid(format!("No more than {MAX_STREAMS} log streams can be chosen.")));
    }
    named.iter().try_for_each(|name| names::check_stream(name, "logStreamNames"))?;
    prefixes.iter().try_for_each(|prefix| names::check_stream(prefix, "logStreamNamePrefixes"))?;
    Ok(match prefixes.is_empty() {
        true => Wanted::Named(named.clone()),
        false => Wanted::Prefixed(prefixes.clone()),
    })
}

impl Session {
    /// The same for less than three hours.
    #[cfg(test)]
    pub fn open_for(self, open_for: Duration) -> Self {
        Self { open_for, ..self }
    }

    /// The answer. Its body goes on as long as the session does. Called where tasks can be spawned.
    pub fn into_response(self) -> Response {
        let request_id = self.ctx.request_id.clone();
        let (sender, mut frames) = mpsc::channel::<Bytes>(WAITING);
        tokio::spawn(self.run(sender));
        let stream = futures_util::stream::poll_fn(move |context| {
            frames.poll_recv(context).map(|frame| frame.map(|bytes| Ok(Frame::data(bytes))))
        });
        let body: Body = StreamBody::new(stream).boxed_unsync();
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(frames::CONTENT_TYPE));
        if let Ok(id) = HeaderValue::from_str(&request_id) {
            headers.insert("x-amzn-requestid", id);
        }
        response
    }

    async fn run(mut self, sender: mpsc::Sender<Bytes>) {
        if let Err(error) = self.tell(&sender).await {
            tracing::error!(%error, "a live tail ended");
        }
    }

    /// Tells the session's start, then what comes, until one of the three ends: the client's, the store's, or the
    /// session's own.
    async fn tell(&mut self, sender: &mpsc::Sender<Bytes>) -> Result<(), frames::FrameError> {
        let opened = Instant::now();
        for frame in [frames::initial_response()?, frames::start(&self.start)?] {
            if sender.send(frame).await.is_err() {
                return Ok(());
            }
        }
        let mut budget = Budget::new(opened);
        let mut dropped = false;
        loop {
            let Some(mut gathered) = self.gather(sender, HEARTBEAT).await else { return Ok(()) };
            gathered.missed |= std::mem::take(&mut dropped);
            let sampled = budget.sample(Instant::now(), &mut gathered.events) || gathered.missed;
            let update = LiveTailSessionUpdate {
                session_metadata: Some(LiveTailSessionMetadata { sampled: Some(sampled) }),
                session_results: gathered.events,
            };
            match sender.try_send(frames::update(&update)?) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(_)) => dropped = true,
                Err(mpsc::error::TrySendError::Closed(_)) => return Ok(()),
            }
            if opened.elapsed() >= self.open_for {
                // A client that takes nothing does not hear this either.
                _ = sender.try_send(frames::timeout("The session has been open for three hours.")?);
                return Ok(());
            }
        }
    }

    /// Waits for events for at most `patience`, and then a moment for more. None when nobody listens any more, or
    /// nothing can come.
    async fn gather(&mut self, sender: &mpsc::Sender<Bytes>, patience: Duration) -> Option<Gathered> {
        let mut gathered = Gathered::default();
        let mut until = tokio::time::Instant::now() + patience;
        loop {
            tokio::select! {
                () = sender.closed() => return None,
                () = tokio::time::sleep_until(until) => return Some(gathered),
                tail = poll_fn(|context| self.subscription.poll_recv(context)) => match tail {
                    Some(Tail::Events(events)) => {
                        let before = gathered.events.len();
                        gathered.events.extend(events.into_iter().filter_map(|event| self.wire(event)));
                        if before == 0 && !gathered.events.is_empty() {
                            until = until.min(tokio::time::Instant::now() + GATHERING);
                        }
                    }
                    Some(Tail::Missed(_)) => gathered.missed = true,
                    None => return None,
                },
            }
        }
    }

    /// An event as it is told, if it is asked for.
    fn wire(&mut self, event: Event) -> Option<LiveTailSessionLogEvent> {
        if !self.pattern.matches(&event.message) {
            return None;
        }
        let group = self.groups.get_mut(&event.group)?;
        let stream = group.streams.get(&self.ctx.cloud.store, event.stream)?;
        let expired =
            time::expiry(group.retention_days, time::now()).is_some_and(|before| event.timestamp < before);
        (self.wanted.has(&stream) && !expired).then(|| LiveTailSessionLogEvent {
            log_stream_name: Some(stream.to_string()),
            log_group_identifier: Some(group.identifier.clone()),
            message: Some(event.message),
            timestamp: Some(event.timestamp),
            ingestion_time: Some(event.ingestion_time),
        })
    }
}

/// What has come for one update.
#[derive(Default)]
struct Gathered {
    events: Vec<LiveTailSessionLogEvent>,
    /// Whether there was more than could be kept.
    missed: bool,
}
