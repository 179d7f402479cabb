//! Follows groups: what was, then what comes, without a gap or duplicates between the two.
//!
//! Live sessions are opened before the past is read, so whatever the past lacks comes live; what both tell is shown
//! once. Each [`tail::Tail`] then carries on for its groups by itself, whatever happens to its session.

mod tail;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use aws_clients::ApiError;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::event::Event;
use crate::history::{Merged, latest};
use crate::selection::{Selection, SelectionError};
use crate::service::{GROUPS_OF_A_SESSION, Group, Logs, Question, Span};
use tail::{Message, Tail};

/// Where events are shown.
pub trait Screen: Send {
    /// Tells which groups events may come from, before the first event and when there are more.
    fn groups(&mut self, names: &[Arc<str>]);

    /// Shows an event.
    ///
    /// # Errors
    /// When it cannot be written.
    fn show(&mut self, event: &Event) -> io::Result<()>;

    /// Writes what has not been written yet.
    ///
    /// # Errors
    /// When it cannot be written.
    fn finish(&mut self) -> io::Result<()>;

    /// Says something about the following itself.
    fn note(&mut self, text: &str);

    /// Whether nobody reads any more.
    fn is_gone(&self) -> bool;
}

/// How often things are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Between two looks for new groups.
    pub groups: Duration,
    /// Between two looks for new events, where there is no live session.
    pub poll: Duration,
    /// After a session has begun: until the past is surely told in full.
    pub settle: Duration,
    /// After which a session without a word is taken for dead.
    pub quiet: Duration,
    /// By how much the order in which the service takes events in may differ from that of its times for it.
    pub slack: Duration,
    /// Before the first attempt to open a lost session again; doubled with each.
    pub retry: Duration,
}

impl Pace {
    /// The longest wait between two attempts.
    const LONGEST_RETRY: Duration = Duration::from_secs(5);

    /// For a local cloud: nothing that is asked costs anybody else, and what is written can be read at once.
    pub fn local() -> Self {
        Self {
            groups: Duration::from_millis(500),
            poll: Duration::from_millis(250),
            settle: Duration::from_secs(1),
            quiet: Duration::from_secs(30),
            slack: Duration::from_secs(3),
            retry: Duration::from_millis(200),
        }
    }

    /// For AWS, which limits requests and tells events a while after it has taken them.
    pub fn aws() -> Self {
        Self {
            groups: Duration::from_secs(10),
            poll: Duration::from_secs(3),
            settle: Duration::from_secs(8),
            quiet: Duration::from_secs(30),
            slack: Duration::from_secs(30),
            retry: Duration::from_secs(1),
        }
    }
}

/// What is to be followed.
#[derive(Debug, Clone, Default)]
pub struct Order {
    /// Which events.
    pub question: Question,
    /// From which event time on the past is shown, in milliseconds.
    pub since: i64,
    /// How many events of the past are shown at most.
    pub limit: Option<usize>,
    /// The time now, in milliseconds.
    pub now: i64,
}

/// Why following ended.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// There is nothing to follow.
    #[error(transparent)]
    Selection(#[from] SelectionError),
    /// The API refuses, or could not be reached at the beginning.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// Events cannot be written.
    #[error("events cannot be written: {0}")]
    Write(#[from] io::Error),
}

/// Follows until nobody reads any more or something ends it. The program is ended by a signal in between, as any tool
/// that tails is: nothing needs to be cleaned up.
///
/// # Errors
/// When the API refuses, cannot be reached at the beginning, or events cannot be written.
pub async fn follow(
    logs: Arc<dyn Logs>,
    selection: &Selection,
    order: Order,
    pace: Pace,
    screen: &mut dyn Screen,
) -> Result<(), FollowError> {
    let (sender, receiver) = mpsc::channel(64);
    let groups = selection.groups().await?;
    let mut follower = Follower {
        logs,
        order: Arc::new(order),
        pace,
        sender,
        tails: JoinSet::new(),
        groups: Vec::new(),
        said: None,
    };
    if groups.is_empty() {
        screen.note("there are no log groups yet; waiting for them");
    }
    follower.add(groups, screen).await?;
    follower.run(selection, receiver, screen).await
}

struct Follower {
    logs: Arc<dyn Logs>,
    order: Arc<Order>,
    pace: Pace,
    sender: mpsc::Sender<Message>,
    tails: JoinSet<()>,
    groups: Vec<Group>,
    said: Option<String>,
}

/// How often it is looked whether somebody still reads.
const READER_LOOK: Duration = Duration::from_millis(500);

impl Follower {
    async fn run(
        mut self,
        selection: &Selection,
        mut receiver: mpsc::Receiver<Message>,
        screen: &mut dyn Screen,
    ) -> Result<(), FollowError> {
        let mut look = interval(self.pace.groups);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut reader = interval(READER_LOOK);
        loop {
            tokio::select! {
                Some(message) = receiver.recv() => self.take(message, selection.grows(), screen)?,
                _ = look.tick(), if selection.grows() => self.look(selection, screen).await?,
                _ = reader.tick() => if screen.is_gone() { return Ok(()) },
            }
        }
    }

    fn take(&mut self, message: Message, grows: bool, screen: &mut dyn Screen) -> Result<(), FollowError> {
        match message {
            Message::Events(events) => {
                for event in &events {
                    screen.show(event)?;
                }
                self.said = None;
            }
            // Several tails have the same to say when the other end is away.
            Message::Note(note) => {
                if self.said.as_ref() != Some(&note) {
                    screen.note(&note);
                }
                self.said = Some(note);
            }
            // There may be other groups, and this one may come again.
            Message::Failed(error, names) if grows && error.is_not_found() => {
                screen.note(&format!("{}: {error}", names.join(", ")));
                self.groups.retain(|group| !names.contains(&group.name));
            }
            Message::Failed(error, _) => return Err(error.into()),
        }
        Ok(())
    }

    /// Looks for groups that have come to be.
    async fn look(&mut self, selection: &Selection, screen: &mut dyn Screen) -> Result<(), FollowError> {
        // Whoever does not answer now is asked again; the tails tell that nobody does.
        let Ok(found) = selection.groups().await else { return Ok(()) };
        let is_new = |group: &Group| self.groups.iter().all(|known| known.name != group.name);
        let new: Vec<Group> = found.into_iter().filter(is_new).collect();
        match self.add(new, screen).await {
            // Gone again, or not to be reached: the next look tells.
            Err(FollowError::Api(_)) => Ok(()),
            added => added,
        }
    }

    /// Opens sessions for groups, shows their past, and lets tails carry on.
    async fn add(&mut self, groups: Vec<Group>, screen: &mut dyn Screen) -> Result<(), FollowError> {
        if groups.is_empty() {
            return Ok(());
        }
        let mut tails = Vec::new();
        for some in groups.chunks(GROUPS_OF_A_SESSION) {
            let tail = Tail::new(
                self.logs.clone(),
                some.to_vec(),
                self.order.clone(),
                self.pace,
                self.sender.clone(),
            );
            tails.push(tail.open().await?);
        }
        self.groups.extend(groups.iter().cloned());
        let names: Vec<Arc<str>> = self.groups.iter().map(|group| group.name.clone()).collect();
        screen.groups(&names);
        let names: Vec<Arc<str>> = groups.into_iter().map(|group| group.name).collect();
        let mut show = |event: &Event| {
            for tail in &mut tails {
                tail.remember(event);
            }
            screen.show(event)
        };
        let (order, span) = (self.order.clone(), Span { from: self.order.since, until: None });
        match order.limit {
            Some(limit) => {
                let past = latest(&*self.logs, &names, &order.question, span, order.now, limit).await?;
                past.iter().try_for_each(&mut show)?;
                if let Some(oldest) = past.first().filter(|_| past.len() == limit) {
                    tails.iter_mut().for_each(|tail| tail.leave_before(oldest.timestamp + 1));
                }
            }
            None => {
                let mut past = Merged::new(&*self.logs, &names, &order.question, span);
                while let Some(event) = past.next().await? {
                    show(&event)?;
                }
            }
        }
        for tail in tails {
            self.tails.spawn(tail.run());
        }
        Ok(())
    }
}
