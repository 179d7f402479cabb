//! What was deleted or has expired. The events themselves go when their segment is written anew.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{GroupId, StreamId};

/// One deletion. It concerns events that arrived before it: those with a smaller sequence number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Grave {
    pub(crate) group: GroupId,
    pub(crate) sequence: u64,
    pub(crate) what: Dead,
}

/// Which events of the group are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Dead {
    /// All.
    Group,
    /// Those of a stream.
    Stream(StreamId),
    /// Those with an earlier timestamp.
    Before(i64),
}

/// The deletions of all groups. Cloning is cheap: groups are shared.
#[derive(Clone, Debug, Default)]
pub(crate) struct Graves {
    groups: BTreeMap<GroupId, Arc<GroupGraves>>,
    none: Arc<GroupGraves>,
}

/// The deletions of one group.
#[derive(Clone, Debug, Default)]
pub(crate) struct GroupGraves {
    group: u64,
    streams: HashMap<StreamId, u64>,
    /// Later entries have later sequence numbers and earlier times: others would say nothing.
    expired: Vec<(i64, u64)>,
}

impl Graves {
    pub(crate) fn of(&self, group: GroupId) -> &Arc<GroupGraves> {
        self.groups.get(&group).unwrap_or(&self.none)
    }

    pub(crate) fn groups(&self) -> impl Iterator<Item = (GroupId, &Arc<GroupGraves>)> {
        self.groups.iter().map(|(group, graves)| (*group, graves))
    }

    pub(crate) fn add(&mut self, grave: Grave) {
        Arc::make_mut(self.groups.entry(grave.group).or_default()).add(grave);
    }

    /// Forgets what `other` says of a group, where nothing has been added to it.
    pub(crate) fn forget(&mut self, group: GroupId, other: &Arc<GroupGraves>) {
        if self.groups.get(&group).is_some_and(|graves| Arc::ptr_eq(graves, other)) {
            self.groups.remove(&group);
        }
    }

    pub(crate) fn list(&self) -> Vec<Grave> {
        self.groups.iter().flat_map(|(group, graves)| graves.list(*group)).collect()
    }
}

impl FromIterator<Grave> for Graves {
    fn from_iter<I: IntoIterator<Item = Grave>>(list: I) -> Graves {
        let mut graves = Graves::default();
        list.into_iter().for_each(|grave| graves.add(grave));
        graves
    }
}

impl GroupGraves {
    fn add(&mut self, grave: Grave) {
        let sequence = grave.sequence;
        match grave.what {
            Dead::Group => {
                self.group = self.group.max(sequence);
                self.streams.retain(|_, bound| *bound > sequence);
                self.expired.retain(|(_, bound)| *bound > sequence);
            }
            Dead::Stream(stream) => {
                let bound = self.streams.entry(stream).or_default();
                *bound = sequence.max(*bound);
            }
            Dead::Before(before) => {
                self.expired.retain(|(time, bound)| *time > before || *bound > sequence);
                if !self.expired.iter().any(|(time, bound)| *time >= before && *bound >= sequence) {
                    self.expired.push((before, sequence));
                }
            }
        }
    }

    fn list(&self, group: GroupId) -> Vec<Grave> {
        let whole = (self.group > 0).then_some((self.group, Dead::Group));
        let streams = self.streams.iter().map(|(stream, sequence)| (*sequence, Dead::Stream(*stream)));
        let expired = self.expired.iter().map(|(before, sequence)| (*sequence, Dead::Before(*before)));
        whole
            .into_iter()
            .chain(streams)
            .chain(expired)
            .map(|(sequence, what)| Grave { group, sequence, what })
            .collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.group == 0 && self.streams.is_empty() && self.expired.is_empty()
    }

    /// Whether an event is gone.
    pub(crate) fn holds(&self, stream: StreamId, timestamp: i64, sequence: u64) -> bool {
        sequence < self.group
            || self.expired.iter().any(|(before, bound)| timestamp < *before && sequence < *bound)
            || (!self.streams.is_empty() && self.streams.get(&stream).is_some_and(|bound| sequence < *bound))
    }

    /// Whether the group was deleted after the sequence number.
    pub(crate) fn hold_group(&self, min_sequence: u64) -> bool {
        min_sequence < self.group
    }

    /// Whether all events within bounds are gone, whatever their streams.
    pub(crate) fn hold_all(&self, max_timestamp: i64, max_sequence: u64) -> bool {
        max_sequence < self.group
            || self.expired.iter().any(|(before, bound)| max_timestamp < *before && max_sequence < *bound)
    }

    /// Whether an event within bounds may be gone because of its time or because the whole group is.
    pub(crate) fn may_hold(&self, min_timestamp: i64, min_sequence: u64) -> bool {
        min_sequence < self.group
            || self.expired.iter().any(|(before, bound)| min_timestamp < *before && min_sequence < *bound)
    }

    /// Whether a stream was deleted after the sequence number.
    pub(crate) fn hold_stream(&self, stream: StreamId, min_sequence: u64) -> bool {
        self.streams.get(&stream).is_some_and(|bound| min_sequence < *bound)
    }

    /// Whether any stream was deleted after the sequence number.
    pub(crate) fn hold_any_stream(&self, min_sequence: u64) -> bool {
        self.streams.values().any(|bound| min_sequence < *bound)
    }

    /// Whether any event within bounds may be gone.
    pub(crate) fn concern(&self, min_timestamp: i64, min_sequence: u64) -> bool {
        self.may_hold(min_timestamp, min_sequence) || self.hold_any_stream(min_sequence)
    }

    /// What arrived from here on is untouched by all deletions.
    pub(crate) fn end(&self) -> u64 {
        let expired = self.expired.iter().map(|(_, bound)| *bound);
        self.streams.values().copied().chain(expired).max().unwrap_or(0).max(self.group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUP: GroupId = GroupId(1);

    fn graves(list: &[(u64, Dead)]) -> Graves {
        list.iter().map(|(sequence, what)| Grave { group: GROUP, sequence: *sequence, what: *what }).collect()
    }

    #[test]
    fn only_what_came_before_is_dead() {
        let graves = graves(&[(10, Dead::Stream(StreamId(7))), (20, Dead::Before(1000))]);
        let dead =
            |stream, timestamp, sequence| graves.of(GROUP).holds(StreamId(stream), timestamp, sequence);
        assert!(dead(7, 5000, 9));
        assert!(!dead(7, 5000, 10));
        assert!(!dead(8, 5000, 9));
        assert!(dead(8, 999, 19));
        assert!(!dead(8, 999, 20));
        assert!(!dead(8, 1000, 0));
        assert!(graves.of(GroupId(2)).is_empty());
        assert!(graves.of(GROUP).concern(999, 19) && graves.of(GROUP).concern(1000, 9));
        assert!(!graves.of(GROUP).concern(1000, 10) && !graves.of(GROUP).concern(999, 20));
    }

    #[test]
    fn a_deletion_of_the_group_replaces_what_was_said_before() {
        let graves = graves(&[(3, Dead::Stream(StreamId(7))), (4, Dead::Before(9)), (5, Dead::Group)]);
        assert_eq!(graves.list(), [Grave { group: GROUP, sequence: 5, what: Dead::Group }]);
    }

    #[test]
    fn a_later_expiry_replaces_an_earlier_one_but_not_one_that_reached_further() {
        let dead = |list: &[(u64, Dead)]| {
            graves(list).list().into_iter().map(|grave| grave.what).collect::<Vec<_>>()
        };
        assert_eq!(dead(&[(1, Dead::Before(10)), (2, Dead::Before(20))]), [Dead::Before(20)]);
        assert_eq!(
            dead(&[(1, Dead::Before(20)), (2, Dead::Before(10))]),
            [Dead::Before(20), Dead::Before(10)]
        );
        assert_eq!(dead(&[(2, Dead::Before(20)), (1, Dead::Before(10))]), [Dead::Before(20)]);
    }

    #[test]
    fn a_list_makes_the_same_graves() {
        let list =
            [(1, Dead::Group), (2, Dead::Stream(StreamId(1))), (3, Dead::Before(20)), (4, Dead::Before(10))];
        let graves = graves(&list);
        let again: Graves = graves.list().into_iter().collect();
        assert_eq!(again.list(), graves.list());
        assert_eq!(again.list().len(), 4);
    }
}
