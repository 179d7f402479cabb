//! A service for tests: keeps events, tells them by pages of two, and has live sessions that can be cut.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use aws_clients::ApiError;
use tokio::sync::mpsc;

use crate::event::Event;
use crate::service::{
    Group, LiveSession, Logs, Page, QueryState, Question, Span, Stacks, StartQueryError, Update,
};

/// An event that was taken in when it happened.
pub(crate) fn event(group: &str, stream: &str, timestamp: i64, message: &str) -> Event {
    Event {
        group: group.into(),
        stream: stream.into(),
        timestamp,
        ingestion_time: timestamp,
        id: None,
        message: message.to_owned(),
    }
}

/// Why `StartLiveTail` is refused.
pub(crate) const DENIED: &str = "AccessDeniedException";

#[derive(Default)]
pub(crate) struct Fake {
    pub groups: Mutex<Vec<Group>>,
    pub events: Mutex<Vec<Event>>,
    pub stacks: Mutex<Vec<(String, Vec<String>)>>,
    pub query_states: Mutex<Vec<QueryState>>,
    sessions: Mutex<Vec<(Vec<Group>, mpsc::UnboundedSender<Update>)>>,
    /// How many sessions were opened.
    pub opened: AtomicUsize,
    /// How many pages were asked for.
    pub pages: AtomicUsize,
    away: AtomicBool,
    no_live: AtomicBool,
    /// Whether live sessions are told of events.
    pub deaf: AtomicBool,
}

impl Fake {
    pub fn of(groups: &[&str]) -> Self {
        let fake = Self::default();
        for name in groups {
            fake.add_group(name);
        }
        fake
    }

    pub fn add_group(&self, name: &str) {
        self.groups.lock().unwrap().push(Group {
            name: name.into(),
            arn: format!("arn:{name}"),
            stored_bytes: 0,
            retention_days: None,
        });
    }

    /// Takes an event in; live sessions of its group are told.
    pub fn put(&self, event: Event) {
        let mut events = self.events.lock().unwrap();
        let at = events.partition_point(|before| before.timestamp <= event.timestamp);
        events.insert(at, event.clone());
        if !self.deaf.load(Ordering::SeqCst) {
            self.tell(Update { events: vec![event], sampled: false });
        }
    }

    /// Tells live sessions something.
    pub fn tell(&self, update: Update) {
        for (groups, session) in self.sessions.lock().unwrap().iter() {
            let is_of = |event: &&Event| groups.iter().any(|group| group.name == event.group);
            let events: Vec<Event> = update.events.iter().filter(is_of).cloned().collect();
            // Who has gone is not told.
            let _ = session.send(Update { events, sampled: update.sampled });
        }
    }

    /// Ends all live sessions.
    pub fn cut(&self) {
        self.sessions.lock().unwrap().clear();
    }

    /// Whether nobody answers.
    pub fn away(&self, is_away: bool) {
        self.away.store(is_away, Ordering::SeqCst);
    }

    /// Refuses live sessions.
    pub fn refuse_live(&self) {
        self.no_live.store(true, Ordering::SeqCst);
    }

    fn answer(&self, operation: &'static str) -> Result<(), ApiError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(ApiError::Unreachable { operation, reason: "nobody is there".to_owned() });
        }
        Ok(())
    }
}

struct FakeSession(mpsc::UnboundedReceiver<Update>);

#[async_trait]
impl LiveSession for FakeSession {
    async fn next(&mut self) -> Result<Option<Update>, ApiError> {
        Ok(self.0.recv().await)
    }
}

#[async_trait]
impl Logs for Fake {
    async fn groups(&self, prefix: Option<&str>) -> Result<Vec<Group>, ApiError> {
        self.answer("DescribeLogGroups")?;
        let groups = self.groups.lock().unwrap();
        Ok(groups.iter().filter(|group| group.name.starts_with(prefix.unwrap_or(""))).cloned().collect())
    }

    async fn newest_event(&self, group: &str) -> Result<Option<i64>, ApiError> {
        self.answer("DescribeLogStreams")?;
        let events = self.events.lock().unwrap();
        Ok(events.iter().filter(|event| event.group.as_ref() == group).map(|event| event.timestamp).max())
    }

    async fn events(
        &self,
        group: &Arc<str>,
        question: &Question,
        span: Span,
        token: Option<String>,
    ) -> Result<Page, ApiError> {
        self.answer("FilterLogEvents")?;
        self.pages.fetch_add(1, Ordering::SeqCst);
        // The first page is empty, as the service's may be.
        let Some(token) = token else { return Ok(Page { events: Vec::new(), next: Some("0".to_owned()) }) };
        let start: usize = token.parse().unwrap();
        let all = self.events.lock().unwrap();
        let matching: Vec<&Event> = all
            .iter()
            .filter(|event| event.group == *group && question.wants(&event.stream))
            .filter(|event| {
                event.timestamp >= span.from && span.until.is_none_or(|end| event.timestamp <= end)
            })
            .filter(|event| question.filter.as_deref().is_none_or(|text| event.message.contains(text)))
            .collect();
        let events: Vec<Event> = matching.iter().skip(start).take(2).map(|event| (*event).clone()).collect();
        let next = (start + events.len() < matching.len()).then(|| (start + events.len()).to_string());
        Ok(Page { events, next })
    }

    async fn live(&self, groups: &[Group], _: &Question) -> Result<Box<dyn LiveSession>, ApiError> {
        self.answer("StartLiveTail")?;
        if self.no_live.load(Ordering::SeqCst) {
            return Err(ApiError::Refused {
                operation: "StartLiveTail",
                code: DENIED.to_owned(),
                message: "not you".to_owned(),
            });
        }
        let (sender, receiver) = mpsc::unbounded_channel();
        self.sessions.lock().unwrap().push((groups.to_vec(), sender));
        self.opened.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(FakeSession(receiver)))
    }

    async fn start_query(
        &self,
        _: &[Group],
        query: &str,
        _: Span,
        _: Option<i32>,
    ) -> Result<String, StartQueryError> {
        self.answer("StartQuery")?;
        if query.starts_with("feilds") {
            let place = Some((0, 6));
            return Err(StartQueryError::Malformed { message: "unexpected symbol".to_owned(), place });
        }
        Ok("query-1".to_owned())
    }

    async fn query(&self, _: &str) -> Result<QueryState, ApiError> {
        self.answer("GetQueryResults")?;
        Ok(self.query_states.lock().unwrap().pop().unwrap_or(QueryState::Runs))
    }

    async fn stop_query(&self, _: &str) -> Result<(), ApiError> {
        self.query_states.lock().unwrap().push(QueryState::Ended("Cancelled".to_owned()));
        Ok(())
    }
}

#[async_trait]
impl Stacks for Fake {
    async fn log_groups(&self, stack: &str) -> Result<Vec<String>, ApiError> {
        self.answer("DescribeStackResources")?;
        let stacks = self.stacks.lock().unwrap();
        Ok(stacks
            .iter()
            .find(|(name, _)| name == stack)
            .map(|(_, groups)| groups.clone())
            .unwrap_or_default())
    }

    async fn names(&self) -> Result<Vec<String>, ApiError> {
        self.answer("DescribeStacks")?;
        Ok(self.stacks.lock().unwrap().iter().map(|(name, _)| name.clone()).collect())
    }
}
