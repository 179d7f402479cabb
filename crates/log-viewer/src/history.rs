//! Events of the past: those of several groups in one order of time.

use std::collections::VecDeque;
use std::sync::Arc;

use aws_clients::ApiError;
use futures_util::future::try_join_all;

use crate::event::Event;
use crate::service::{Logs, Question, Span};

/// The events of several groups, oldest first. Of each group no more than a page is held.
pub struct Merged<'a> {
    logs: &'a dyn Logs,
    question: &'a Question,
    span: Span,
    feeds: Vec<Feed>,
}

/// What is known of one group's events.
struct Feed {
    group: Arc<str>,
    waiting: VecDeque<Event>,
    more: More,
}

/// How to go on.
enum More {
    First,
    After(String),
    Nothing,
}

impl<'a> Merged<'a> {
    /// The events of `groups` in `span`.
    pub fn new(logs: &'a dyn Logs, groups: &[Arc<str>], question: &'a Question, span: Span) -> Self {
        let feed =
            |group: &Arc<str>| Feed { group: group.clone(), waiting: VecDeque::new(), more: More::First };
        Self { logs, question, span, feeds: groups.iter().map(feed).collect() }
    }

    /// The next event; none at the end. Of events of the same time those of one group stay together.
    ///
    /// # Errors
    /// When a page cannot be had.
    pub async fn next(&mut self) -> Result<Option<Event>, ApiError> {
        self.refill().await?;
        let heads = self.feeds.iter().enumerate();
        let earliest = heads
            .filter_map(|(index, feed)| Some((feed.waiting.front()?.timestamp, index)))
            .min()
            .map(|(_, index)| index);
        Ok(earliest.and_then(|index| self.feeds[index].waiting.pop_front()))
    }

    /// Fetches until each group has an event waiting or has told all.
    async fn refill(&mut self) -> Result<(), ApiError> {
        let (logs, question, span) = (self.logs, self.question, self.span);
        let dry = self.feeds.iter_mut().filter(|feed| feed.waiting.is_empty());
        try_join_all(dry.map(|feed| feed.fill(logs, question, span))).await.map(drop)
    }

    /// All that is left, oldest first.
    ///
    /// # Errors
    /// When a page cannot be had.
    pub async fn all(mut self) -> Result<Vec<Event>, ApiError> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await? {
            events.push(event);
        }
        Ok(events)
    }
}

impl Feed {
    async fn fill(&mut self, logs: &dyn Logs, question: &Question, span: Span) -> Result<(), ApiError> {
        while self.waiting.is_empty() {
            let token = match &self.more {
                More::First => None,
                More::After(token) => Some(token.clone()),
                More::Nothing => return Ok(()),
            };
            let page = logs.events(&self.group, question, span, token).await?;
            self.waiting = page.events.into();
            self.more = page.next.map_or(More::Nothing, More::After);
        }
        Ok(())
    }
}

/// The span that is looked at first for the last events.
const FIRST_LOOK: i64 = 600_000;

/// The last `limit` events of `span`, oldest first. Looks back in spans that grow, so that a few events of a long time
/// do not cost reading all of it.
///
/// # Errors
/// When a page cannot be had.
pub async fn latest(
    logs: &dyn Logs,
    groups: &[Arc<str>],
    question: &Question,
    span: Span,
    now: i64,
    limit: usize,
) -> Result<Vec<Event>, ApiError> {
    let mut found: VecDeque<Event> = VecDeque::new();
    for span in backwards(span, now) {
        let mut part = VecDeque::new();
        let mut merged = Merged::new(logs, groups, question, span);
        while let Some(event) = merged.next().await? {
            part.push_back(event);
            if part.len() + found.len() > limit {
                part.pop_front();
            }
        }
        part.append(&mut found);
        found = part;
        if found.len() >= limit {
            break;
        }
    }
    Ok(found.into())
}

/// Spans that make up `span` without a gap or overlap, the latest first, each four times as long as the one before.
fn backwards(span: Span, now: i64) -> Vec<Span> {
    let mut spans = Vec::new();
    // Clocks of instances may be ahead: what has no end has none.
    let mut until = span.until;
    let mut begin = until.unwrap_or(now).min(now);
    let mut length = FIRST_LOOK;
    loop {
        begin = begin.saturating_sub(length).max(span.from);
        spans.push(Span { from: begin, until });
        if begin <= span.from {
            return spans;
        }
        until = Some(begin - 1);
        length = length.saturating_mul(4);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fake::{Fake, event};

    fn groups() -> Vec<Arc<str>> {
        vec!["/a".into(), "/b".into(), "/empty".into()]
    }

    const EVER: Span = Span { from: 0, until: None };

    #[tokio::test]
    async fn events_of_several_groups_come_in_order_of_time() {
        let fake = Fake::of(&["/a", "/b", "/empty"]);
        for (group, timestamp) in [("/a", 1), ("/a", 4), ("/a", 5), ("/b", 2), ("/b", 4), ("/b", 6)] {
            fake.put(event(group, "i-1", timestamp, &format!("{group}{timestamp}")));
        }
        let question = Question::default();
        let all = Merged::new(&fake, &groups(), &question, EVER).all().await.unwrap();
        let told: Vec<&str> = all.iter().map(|event| event.message.as_str()).collect();
        assert_eq!(told, ["/a1", "/b2", "/a4", "/b4", "/a5", "/b6"]);
        let some = Span { from: 2, until: Some(5) };
        let some = Merged::new(&fake, &groups(), &question, some).all().await.unwrap();
        assert_eq!(some, all[1..5], "both ends are part of a span");
    }

    #[tokio::test]
    async fn a_failing_page_is_an_error_and_no_end() {
        let fake = Fake::of(&["/a"]);
        fake.away(true);
        let question = Question::default();
        assert!(Merged::new(&fake, &groups()[..1], &question, EVER).all().await.is_err());
    }

    proptest! {
        #[test]
        fn spans_backwards_make_up_the_whole(from in 0i64..10_000_000, length in 0i64..100_000_000) {
            let now = from + length;
            for until in [None, Some(now)] {
                let spans = backwards(Span { from, until }, now);
                prop_assert_eq!(spans[0].until, until);
                prop_assert_eq!(spans.last().unwrap().from, from);
                for pair in spans.windows(2) {
                    prop_assert_eq!(pair[1].until, Some(pair[0].from - 1));
                }
                prop_assert!(spans.len() < 12);
            }
        }

        #[test]
        fn the_latest_are_the_end_of_all(
            times in proptest::collection::vec(0i64..20_000_000, 0..40), limit in 1usize..10
        ) {
            let fake = Fake::of(&["/a", "/b", "/empty"]);
            for (index, timestamp) in times.iter().enumerate() {
                let group = ["/a", "/b"][index % 2];
                fake.put(event(group, "i-1", *timestamp, &index.to_string()));
            }
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let (all, last) = runtime.block_on(async {
                let question = Question::default();
                let all = Merged::new(&fake, &groups(), &question, EVER).all().await.unwrap();
                let last = latest(&fake, &groups(), &question, EVER, 20_000_000, limit).await.unwrap();
                (all, last)
            });
            prop_assert_eq!(&last[..], &all[all.len().saturating_sub(limit)..]);
        }
    }
}
