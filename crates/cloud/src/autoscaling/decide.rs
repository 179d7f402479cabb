//! What is to be done about a group as it stands. Pure: the reconciler looks, decides and acts.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::processes::Process;
use super::state::{GroupRecord, Health, Lifecycle, MemberRecord, Placement};
use super::termination;
use super::words::{Arrival, Departure};
use crate::ec2::state::InstanceState;

/// A group's instance beside what EC2 says of it.
#[derive(Debug, Clone, Copy)]
pub struct Sight<'a> {
    /// The instance as the group knows it.
    pub member: &'a MemberRecord,
    /// Its state; none if EC2 has forgotten it.
    pub machine: Option<InstanceState>,
}

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// A launched instance runs.
    EnterService(String),
    /// A launched instance ended before it ran.
    FailLaunch(String),
    /// EC2 says that an instance does not run.
    MarkNotRunning(String),
    /// An instance leaves the group and is to be terminated.
    TakeOut(String, Departure),
    /// An instance that left the group is still to be terminated.
    EndMachine(String),
    /// An instance that left the group is gone.
    Forget(String),
    /// An instance is missing.
    Launch(Placement, Arrival),
    /// The group has what it wants: what asked for it is answered.
    Settle,
    /// The group was to be deleted and is empty.
    Remove,
}

/// What becomes of one instance.
enum Fate {
    Stays(Vec<Action>),
    Leaves(Action),
    HasLeft(Option<Action>),
}

/// Decides what is to be done now.
pub fn decide(group: &GroupRecord, sights: &[Sight<'_>], now: Timestamp) -> Vec<Action> {
    if group.deleting && sights.is_empty() {
        return vec![Action::Remove];
    }
    let mut actions = Vec::new();
    let mut staying = Vec::new();
    for sight in sights {
        match fate(group, sight) {
            Fate::Stays(also) => {
                staying.push(sight.member);
                actions.extend(also);
            }
            Fate::Leaves(how) => actions.push(how),
            Fate::HasLeft(then) => actions.extend(then),
        }
    }
    actions.extend(capacity(group, &staying, &actions, now));
    actions
}

fn fate(group: &GroupRecord, sight: &Sight<'_>) -> Fate {
    let id = || sight.member.id.clone();
    match (sight.member.lifecycle, sight.machine) {
        (Lifecycle::Terminating, None | Some(InstanceState::Terminated)) => {
            Fate::HasLeft(Some(Action::Forget(id())))
        }
        (Lifecycle::Terminating, Some(InstanceState::ShuttingDown)) => Fate::HasLeft(None),
        (Lifecycle::Terminating, Some(_)) => Fate::HasLeft(Some(Action::EndMachine(id()))),
        (Lifecycle::Pending, Some(InstanceState::Pending)) => by_health(group, sight.member, Vec::new()),
        (Lifecycle::Pending, Some(InstanceState::Running)) => {
            by_health(group, sight.member, vec![Action::EnterService(id())])
        }
        (Lifecycle::Pending, _) => Fate::Leaves(Action::FailLaunch(id())),
        // Pending again means that it reboots with the whole cloud.
        (Lifecycle::InService, Some(InstanceState::Pending | InstanceState::Running)) => {
            by_health(group, sight.member, Vec::new())
        }
        (Lifecycle::InService, _) => not_running(group, sight.member),
    }
}

/// An instance that runs stays, unless it was said to be unhealthy.
fn by_health(group: &GroupRecord, member: &MemberRecord, then: Vec<Action>) -> Fate {
    match member.health {
        Health::Healthy => Fate::Stays(then),
        Health::Reported | Health::NotRunning if replaces(group) => {
            Fate::Leaves(Action::TakeOut(member.id.clone(), Departure::Unhealthy(member.health)))
        }
        Health::Reported | Health::NotRunning => Fate::Stays(then),
    }
}

fn not_running(group: &GroupRecord, member: &MemberRecord) -> Fate {
    let is_known = member.health != Health::Healthy;
    if !is_known && !group.runs(Process::HealthCheck) {
        return Fate::Stays(Vec::new());
    }
    if replaces(group) {
        return Fate::Leaves(Action::TakeOut(member.id.clone(), Departure::Unhealthy(Health::NotRunning)));
    }
    Fate::Stays(if is_known { Vec::new() } else { vec![Action::MarkNotRunning(member.id.clone())] })
}

fn replaces(group: &GroupRecord) -> bool {
    group.runs(Process::ReplaceUnhealthy) && group.runs(Process::Terminate)
}

/// What is to be done about the number of instances.
fn capacity(
    group: &GroupRecord,
    staying: &[&MemberRecord],
    actions: &[Action],
    now: Timestamp,
) -> Vec<Action> {
    let have = staying.len();
    let want = usize::try_from(group.desired).unwrap_or_default();
    if have > want {
        if !group.runs(Process::Terminate) && !group.deleting {
            return Vec::new();
        }
        let departure = Departure::Difference { from: have, to: want };
        let chosen = if group.deleting {
            staying.iter().map(|member| member.id.clone()).collect()
        } else {
            termination::select(staying, &group.termination_policies, have - want, now)
        };
        return chosen.into_iter().map(|id| Action::TakeOut(id, departure)).collect();
    }
    if have < want {
        if may_launch(group, actions, now) { launches(group, staying, actions, want) } else { Vec::new() }
    } else if group.change.is_some() || group.replacing > 0 {
        vec![Action::Settle]
    } else {
        Vec::new()
    }
}

fn may_launch(group: &GroupRecord, actions: &[Action], now: Timestamp) -> bool {
    let waits = group.setback.as_ref().is_some_and(|setback| setback.retry_at > now);
    let fails = actions.iter().any(|action| matches!(action, Action::FailLaunch(_)));
    group.runs(Process::Launch) && !group.deleting && !waits && !fails
}

fn launches(group: &GroupRecord, staying: &[&MemberRecord], actions: &[Action], want: usize) -> Vec<Action> {
    let have = staying.len();
    let is_replaced = |action: &&Action| matches!(action, Action::TakeOut(_, Departure::Unhealthy(_)));
    let replaced_now = actions.iter().filter(is_replaced).count();
    let replacements = replaced_now + usize::try_from(group.replacing).unwrap_or_default();
    let arrival = |index| match index < replacements {
        true => Arrival::Replacement,
        false => Arrival::Difference { from: have, to: want },
    };
    places(&group.placements, staying, want - have)
        .into_iter()
        .enumerate()
        .map(|(index, placement)| Action::Launch(placement, arrival(index)))
        .collect()
}

/// Where to launch `count` instances: each in the zone that has the fewest, and there in the emptiest subnet.
fn places(placements: &[Placement], staying: &[&MemberRecord], count: usize) -> Vec<Placement> {
    let mut in_zone: BTreeMap<&str, usize> = BTreeMap::new();
    let mut in_subnet: BTreeMap<&str, usize> = BTreeMap::new();
    for member in staying {
        *in_zone.entry(&member.placement.zone).or_default() += 1;
        *in_subnet.entry(&member.placement.subnet).or_default() += 1;
    }
    let mut places = Vec::new();
    for _ in 0..count {
        let crowd = |place: &&Placement| {
            (in_zone.get(place.zone.as_str()).copied(), in_subnet.get(place.subnet.as_str()).copied())
        };
        let Some(place) = placements.iter().min_by_key(crowd) else { break };
        *in_zone.entry(&place.zone).or_default() += 1;
        *in_subnet.entry(&place.subnet).or_default() += 1;
        places.push(place.clone());
    }
    places
}

/// Whether a user's report of ill health is to be ignored because the instance is still new.
pub fn in_grace(group: &GroupRecord, member: &MemberRecord, now: Timestamp) -> bool {
    let since = member.in_service.unwrap_or(member.launched);
    now.duration_since(since) < SignedDuration::from_secs(group.grace_period.into())
}

#[cfg(test)]
mod tests {
    use super::super::state::Setback;
    use super::super::testing::{at, group, member, place};
    use super::*;

    const RUNNING: Option<InstanceState> = Some(InstanceState::Running);

    fn in_state(id: &str, lifecycle: Lifecycle) -> MemberRecord {
        MemberRecord { lifecycle, ..member(id, "z1") }
    }

    fn ask(group: &GroupRecord, members: &[(MemberRecord, Option<InstanceState>)]) -> Vec<Action> {
        let sights: Vec<_> =
            members.iter().map(|(member, machine)| Sight { member, machine: *machine }).collect();
        decide(group, &sights, at(1000))
    }

    fn wants(desired: i32) -> GroupRecord {
        GroupRecord { desired, ..group("g") }
    }

    fn difference(from: usize, to: usize) -> Arrival {
        Arrival::Difference { from, to }
    }

    #[test]
    fn the_life_of_one_instance() {
        use InstanceState as S;
        use Lifecycle as L;
        let unhealthy = Departure::Unhealthy(Health::NotRunning);
        let id = || "i-1".to_owned();
        let replaced = || {
            vec![Action::TakeOut(id(), unhealthy), Action::Launch(place("z1", "s1"), Arrival::Replacement)]
        };
        for (lifecycle, machine, expected) in [
            (L::Pending, Some(S::Pending), vec![]),
            (L::Pending, Some(S::Running), vec![Action::EnterService(id())]),
            (L::Pending, Some(S::ShuttingDown), vec![Action::FailLaunch(id())]),
            (L::Pending, Some(S::Stopping), vec![Action::FailLaunch(id())]),
            (L::Pending, None, vec![Action::FailLaunch(id())]),
            (L::InService, Some(S::Running), vec![]),
            (L::InService, Some(S::Pending), vec![]),
            (L::InService, Some(S::Stopping), replaced()),
            (L::InService, Some(S::Stopped), replaced()),
            (L::InService, Some(S::ShuttingDown), replaced()),
            (L::InService, Some(S::Terminated), replaced()),
            (L::InService, None, replaced()),
        ] {
            assert_eq!(
                ask(&wants(1), &[(in_state("i-1", lifecycle), machine)]),
                expected,
                "{lifecycle:?} and {machine:?}"
            );
        }
    }

    #[test]
    fn what_left_is_ended_and_forgotten() {
        use InstanceState as S;
        for (machine, expected) in [
            (Some(S::Running), vec![Action::EndMachine("i-1".into())]),
            (Some(S::Pending), vec![Action::EndMachine("i-1".into())]),
            (Some(S::Stopped), vec![Action::EndMachine("i-1".into())]),
            (Some(S::ShuttingDown), vec![]),
            (Some(S::Terminated), vec![Action::Forget("i-1".into())]),
            (None, vec![Action::Forget("i-1".into())]),
        ] {
            let going = in_state("i-1", Lifecycle::Terminating);
            assert_eq!(ask(&wants(0), &[(going, machine)]), expected, "{machine:?}");
        }
    }

    #[test]
    fn missing_instances_are_launched_at_once_and_balanced_over_zones() {
        let mut group = wants(4);
        group.placements = vec![place("z1", "s1"), place("z2", "s2"), place("z2", "s3")];
        let there = [(member("i-1", "z1"), RUNNING)];
        let expected: Vec<_> = [("z2", "s2"), ("z2", "s3"), ("z1", "s1")]
            .into_iter()
            .map(|(zone, subnet)| Action::Launch(place(zone, subnet), difference(1, 4)))
            .collect();
        assert_eq!(ask(&group, &there), expected);
    }

    #[test]
    fn too_many_are_taken_out() {
        let there = [(member("i-1", "z1"), RUNNING), (member("i-2", "z1"), RUNNING)];
        let departure = Departure::Difference { from: 2, to: 0 };
        let both = vec![Action::TakeOut("i-1".into(), departure), Action::TakeOut("i-2".into(), departure)];
        assert_eq!(ask(&wants(0), &there), both);
        assert_eq!(ask(&wants(1), &there).len(), 1);
    }

    #[test]
    fn suspended_processes_do_not_happen() {
        let stopped = [(member("i-1", "z1"), Some(InstanceState::Stopped))];
        let running = [(member("i-1", "z1"), RUNNING)];
        let marked = vec![Action::MarkNotRunning("i-1".into())];
        for (process, desired, members, expected) in [
            (Process::Launch, 2, &running, vec![]),
            (Process::Terminate, 0, &running, vec![]),
            (Process::HealthCheck, 1, &stopped, vec![]),
            (Process::ReplaceUnhealthy, 1, &stopped, marked.clone()),
            (Process::Terminate, 1, &stopped, marked),
        ] {
            let mut group = wants(desired);
            group.suspended.insert(process, "why".into());
            assert_eq!(ask(&group, members), expected, "{process:?}");
        }
    }

    #[test]
    fn a_failed_launch_is_not_repeated_before_its_time() {
        let failed = [(in_state("i-1", Lifecycle::Pending), Some(InstanceState::ShuttingDown))];
        let mut group = wants(1);
        assert_eq!(ask(&group, &failed), [Action::FailLaunch("i-1".into())]);
        group.setback = Some(Setback { failures: 1, retry_at: at(1001) });
        assert_eq!(ask(&group, &[]), []);
        group.setback = Some(Setback { failures: 1, retry_at: at(1000) });
        assert_eq!(ask(&group, &[]), [Action::Launch(place("z1", "s1"), difference(0, 1))]);
    }

    #[test]
    fn a_reported_instance_is_replaced() {
        let ill = MemberRecord { health: Health::Reported, ..member("i-1", "z1") };
        assert_eq!(
            ask(&wants(1), &[(ill, RUNNING)]),
            [
                Action::TakeOut("i-1".into(), Departure::Unhealthy(Health::Reported)),
                Action::Launch(place("z1", "s1"), Arrival::Replacement),
            ]
        );
    }

    #[test]
    fn a_deleted_group_goes_with_all_its_instances() {
        let mut group = wants(0);
        group.deleting = true;
        group.suspended.insert(Process::Terminate, "why".into());
        let protected = MemberRecord { protected: true, ..member("i-1", "z1") };
        let departure = Departure::Difference { from: 1, to: 0 };
        assert_eq!(ask(&group, &[(protected, RUNNING)]), [Action::TakeOut("i-1".into(), departure)]);
        assert_eq!(ask(&group, &[]), [Action::Remove]);
    }

    #[test]
    fn a_group_that_has_what_it_wants_settles_once() {
        let there = [(member("i-1", "z1"), RUNNING)];
        let mut group = wants(1);
        group.change = Some("At … a user request …".into());
        assert_eq!(ask(&group, &there), [Action::Settle]);
        group.change = None;
        assert_eq!(ask(&group, &there), []);
    }
}
