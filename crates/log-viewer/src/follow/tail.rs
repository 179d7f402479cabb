//! Follows a few groups by a live session, and without one where it is not allowed.

use std::sync::Arc;
use std::time::Duration;

use aws_clients::ApiError;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::{Order, Pace};
use crate::event::Event;
use crate::history::Merged;
use crate::overlap::{Debts, Recent};
use crate::service::{Group, LiveSession, Logs, Span, Update};

/// What a tail has to tell.
#[derive(Debug)]
pub(super) enum Message {
    /// New events.
    Events(Vec<Event>),
    /// Something about the following itself.
    Note(String),
    /// A tail cannot go on: the error, and its groups.
    Failed(ApiError, Vec<Arc<str>>),
}

/// Nobody listens any more.
struct Deaf;

/// By how much this machine's clock may differ from the service's, in milliseconds.
const CLOCK_SLACK: i64 = 300_000;
/// How much older than its arrival an event may be, in a look that is made often.
const NEAR: i64 = 60_000;
/// The same in a look that is made seldom: an agent that was cut off ships what it has written down meanwhile.
const FAR: i64 = 3_600_000;
/// How many near looks there are for each far one.
const NEAR_LOOKS: u32 = 40;

/// Some groups, followed.
pub(super) struct Tail {
    logs: Arc<dyn Logs>,
    groups: Vec<Group>,
    names: Vec<Arc<str>>,
    order: Arc<Order>,
    /// From which event time on everything is shown, whenever it was taken in.
    since: i64,
    pace: Pace,
    sender: mpsc::Sender<Message>,
    /// What was shown last.
    recent: Recent,
    /// What was shown that the live session may tell as well.
    owed: Debts,
}

/// A tail with its session, or with the refusal of one.
pub(super) struct Opened {
    tail: Tail,
    session: Result<Box<dyn LiveSession>, ApiError>,
}

impl Opened {
    /// Remembers an event of the past that is shown.
    pub fn remember(&mut self, event: &Event) {
        if self.tail.names.contains(&event.group) {
            self.tail.recent.add(event);
            if event.ingestion_time >= self.tail.order.now - CLOCK_SLACK {
                self.tail.owed.add(event, Instant::now().into_std());
            }
        }
    }

    /// Leaves the past before an event time alone: the user wanted only the end of it.
    pub fn leave_before(&mut self, since: i64) {
        self.tail.since = since;
    }

    /// Carries on until nobody listens any more or a group is gone.
    pub async fn run(self) {
        // Whoever has ended the listening knows.
        let _ = match self.session {
            Ok(session) => self.tail.live(session).await,
            Err(refusal) => self.tail.without_session(&refusal).await,
        };
    }
}

/// Why a session is over.
enum Lost {
    /// The service has ended it, as it does after some hours.
    Ended,
    /// It has said nothing for too long.
    Silent,
    /// The connection broke, or what came over it was an error.
    Broken(ApiError),
}

impl Tail {
    pub fn new(
        logs: Arc<dyn Logs>,
        groups: Vec<Group>,
        order: Arc<Order>,
        pace: Pace,
        sender: mpsc::Sender<Message>,
    ) -> Self {
        let names = groups.iter().map(|group| group.name.clone()).collect();
        let (since, recent, owed) = (order.since, Recent::default(), Debts::default());
        Self { logs, groups, names, order, since, pace, sender, recent, owed }
    }

    /// Opens the session.
    ///
    /// # Errors
    /// When a group does not exist or nobody answers.
    pub async fn open(self) -> Result<Opened, ApiError> {
        match self.logs.live(&self.groups, &self.order.question).await {
            Err(error) if !is_refusal(&error) => Err(error),
            session => Ok(Opened { tail: self, session }),
        }
    }

    /// Shows what sessions tell; opens another one when one is lost.
    async fn live(mut self, mut session: Box<dyn LiveSession>) -> Result<(), Deaf> {
        loop {
            let lost = self.listen(&mut *session).await?;
            drop(session);
            session = match self.reopen(lost).await? {
                Ok(session) => session,
                Err(refusal) if is_refusal(&refusal) => return self.without_session(&refusal).await,
                Err(error) => return self.fail(error).await,
            };
        }
    }

    /// Shows what a session tells until it is lost.
    async fn listen(&mut self, session: &mut dyn LiveSession) -> Result<Lost, Deaf> {
        // What the service had taken in just before the session began may not have been readable yet.
        let mut look = Some(Instant::now() + self.pace.settle);
        let mut looked = Instant::now();
        let mut silent = Instant::now() + self.pace.quiet;
        loop {
            let told = tokio::select! {
                // The look first: a session with too much to tell is never at a loss for words.
                biased;
                () = sleep_until(look.unwrap_or(silent)), if look.is_some() => None,
                told = timeout_at(silent, session.next()) => Some(told),
            };
            let update = match told {
                None => Update::default(),
                Some(Ok(Ok(Some(update)))) => update,
                Some(Ok(Ok(None))) => return Ok(Lost::Ended),
                Some(Ok(Err(error))) => return Ok(Lost::Broken(error)),
                Some(Err(_)) => return Ok(Lost::Silent),
            };
            silent = Instant::now() + self.pace.quiet;
            // What was left out can be read, if not all of it at once; looking costs more than listening.
            if update.sampled {
                look = look.or(Some(looked + self.pace.settle));
            }
            if look.is_some_and(|at| at <= Instant::now()) {
                looked = Instant::now();
                look = update.sampled.then(|| looked + self.pace.settle);
                if let Err(error) = self.catch_up(NEAR).await? {
                    return Ok(Lost::Broken(error));
                }
            }
            self.update(update.events).await?;
        }
    }

    async fn update(&mut self, mut new: Vec<Event>) -> Result<(), Deaf> {
        new.retain(|event| self.order.question.wants(&event.stream) && !self.owed.take(event));
        new.sort_by_key(|event| event.timestamp);
        self.tell(new).await
    }

    /// Opens a session again, as soon as somebody answers, and shows what came meanwhile.
    async fn reopen(&mut self, lost: Lost) -> Result<Result<Box<dyn LiveSession>, ApiError>, Deaf> {
        let mut is_told = false;
        if let Lost::Broken(error) = &lost {
            self.note(format!("the live session broke off ({error}); opening it again")).await?;
            is_told = true;
        }
        let mut wait = self.pace.retry;
        loop {
            match self.logs.live(&self.groups, &self.order.question).await {
                Ok(session) => {
                    // What another session told will not be told by this one.
                    self.owed = Debts::default();
                    if self.catch_up(FAR).await?.is_ok() {
                        if is_told {
                            self.note("following again".to_owned()).await?;
                        }
                        return Ok(Ok(session));
                    }
                }
                Err(error) if is_passing(&error) => {
                    if !is_told {
                        self.note(format!("{error}; trying again")).await?;
                        is_told = true;
                    }
                }
                Err(error) if error.is_not_found() && self.leave_the_gone().await => continue,
                Err(error) => return Ok(Err(error)),
            }
            sleep(wait).await;
            wait = (wait * 2).min(Pace::LONGEST_RETRY);
        }
    }

    /// Follows by looking again and again.
    async fn without_session(mut self, refusal: &ApiError) -> Result<(), Deaf> {
        // Requests are counted per account: many groups are looked at less often.
        let poll = self.pace.poll.max(self.pace.poll * self.groups.len() as u32 / 4);
        self.note(format!("no live session ({refusal}); looking every {} instead", seconds(poll))).await?;
        let mut looks: u32 = 0;
        let mut is_away = false;
        loop {
            let reach = if is_away || looks.is_multiple_of(NEAR_LOOKS) { FAR } else { NEAR };
            match self.catch_up(reach).await? {
                Ok(()) => {
                    if is_away {
                        self.note("following again".to_owned()).await?;
                    }
                    is_away = false;
                    looks = looks.wrapping_add(1);
                }
                Err(error) if is_passing(&error) => {
                    if !is_away {
                        self.note(format!("{error}; trying again")).await?;
                    }
                    is_away = true;
                }
                Err(error) if error.is_not_found() && self.leave_the_gone().await => continue,
                Err(error) => return self.fail(error).await,
            }
            sleep(poll).await;
        }
    }

    /// Leaves out the groups that somebody has deleted; whether that changes anything.
    async fn leave_the_gone(&mut self) -> bool {
        let mut left = Vec::new();
        for group in &self.groups {
            match self.logs.groups(Some(&group.name)).await {
                Ok(found) if found.iter().any(|found| found.name == group.name) => left.push(group.clone()),
                Ok(_) => {}
                Err(_) => return false,
            }
        }
        let is_smaller = !left.is_empty() && left.len() < self.groups.len();
        if is_smaller {
            self.names = left.iter().map(|group| group.name.clone()).collect();
            self.groups = left;
        }
        is_smaller
    }

    /// Shows what was taken in lately and has not been shown.
    async fn catch_up(&mut self, reach: i64) -> Result<Result<(), ApiError>, Deaf> {
        let cutoff = self.cutoff();
        let (logs, order, since) = (self.logs.clone(), self.order.clone(), self.since);
        let span = Span { from: cutoff.saturating_sub(reach).max(0), until: None };
        let mut shown = self.recent.since(cutoff);
        let is_wanted = |event: &Event| {
            let is_late = event.ingestion_time >= order.now;
            event.ingestion_time >= cutoff && (event.timestamp >= since || is_late)
        };
        let mut found = Merged::new(&*logs, &self.names, &order.question, span);
        let mut new = Vec::new();
        loop {
            match found.next().await {
                Ok(Some(event)) if is_wanted(&event) && !shown.take(&event) => new.push(event),
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) => return Ok(Err(error)),
            }
        }
        let now = Instant::now().into_std();
        for event in &new {
            self.owed.add(event, now);
        }
        Ok(Ok(self.tell(new).await?))
    }

    /// The service's time from which on something may not have been shown.
    fn cutoff(&self) -> i64 {
        self.recent
            .newest()
            .map_or(self.order.now - CLOCK_SLACK, |newest| newest - self.pace.slack.as_millis() as i64)
    }

    async fn tell(&mut self, events: Vec<Event>) -> Result<(), Deaf> {
        if events.is_empty() {
            return Ok(());
        }
        for event in &events {
            self.recent.add(event);
        }
        self.send(Message::Events(events)).await
    }

    async fn fail(&self, error: ApiError) -> Result<(), Deaf> {
        self.send(Message::Failed(error, self.names.clone())).await
    }

    async fn note(&self, text: String) -> Result<(), Deaf> {
        self.send(Message::Note(text)).await
    }

    async fn send(&self, message: Message) -> Result<(), Deaf> {
        self.sender.send(message).await.map_err(|_| Deaf)
    }
}

/// Whether the service answered that this cannot be had; another way may serve.
fn is_refusal(error: &ApiError) -> bool {
    error.code().is_some() && !is_passing(error) && !error.is_not_found()
}

/// Whether it may be answered otherwise in a moment.
fn is_passing(error: &ApiError) -> bool {
    match error.code() {
        None => true,
        Some(code) => {
            code.contains("Throttl")
                || matches!(
                    code,
                    "ServiceUnavailableException"
                        | "ServiceUnavailable"
                        | "InternalFailure"
                        | "InternalServerError"
                        | "InternalServerException"
                        | "SessionTimeoutException"
                        | "SessionStreamingException"
                )
        }
    }
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}
