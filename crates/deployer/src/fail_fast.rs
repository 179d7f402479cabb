//! Gives up on instances that can no longer signal, instead of waiting out the stack's timeout.
//!
//! A group waits for its signals (`CreationPolicy`) until the time is over, `PT15M` in many templates, even
//! when the user data that was to send them has long ended. The follower sees that end on the console and
//! sends the missing signal itself, as `FAILURE`, through the ordinary `SignalResource`: this works on AWS as
//! on the local cloud, and CloudFormation then fails the resource at once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use aws_sdk_cloudformation::types::ResourceSignalStatus;

use crate::clients::Clients;
use crate::error::{Error, sdk};
use crate::follow::ResourceEvent;
use crate::instances::StackInstance;

/// What is known of the signals that a stack waits for.
#[derive(Debug, Default)]
pub struct FailFast {
    /// Resources with a creation policy, and how many signals each waits for.
    awaited: BTreeMap<String, u32>,
    /// Which instances have signalled, by resource.
    signalled: BTreeMap<String, BTreeSet<String>>,
    /// Resources that are being made.
    in_progress: BTreeSet<String>,
    /// Since when an instance's user data has been seen to be over.
    ended: BTreeMap<String, Instant>,
    given_up: BTreeSet<String>,
}

/// How long after the end of user data a signal may still come: a process that user data left behind may
/// send it, and the event that tells of a signal may be read later than the console that shows the end.
const GRACE: Duration = Duration::from_secs(2);

impl FailFast {
    /// For resources that wait for that many signals.
    pub fn new(awaited: BTreeMap<String, u32>) -> Self {
        Self { awaited, ..Self::default() }
    }

    /// Takes note of a stack event: which resources are being made, and whose signals have come.
    pub fn saw(&mut self, event: &ResourceEvent) {
        let logical_id = &event.logical_id;
        if !self.awaited.contains_key(logical_id) {
            return;
        }
        match event.status.as_str() {
            "CREATE_IN_PROGRESS" | "UPDATE_IN_PROGRESS" => self.in_progress.insert(logical_id.clone()),
            _ => self.in_progress.remove(logical_id),
        };
        if let Some(id) = event.reason.as_deref().and_then(signal_of) {
            self.signalled.entry(logical_id.clone()).or_default().insert(id.to_owned());
        }
    }

    /// The instances to give up: those whose user data has ended without a signal, in groups that cannot get
    /// the signals that they wait for from the instances that are left.
    pub fn lost<'i>(&mut self, instances: &'i [StackInstance], now: Instant) -> Vec<&'i StackInstance> {
        for instance in instances.iter().filter(|instance| instance.user_data_ended) {
            self.ended.entry(instance.id.clone()).or_insert(now);
        }
        let mut lost = Vec::new();
        for (logical_id, count) in &self.awaited {
            if !self.in_progress.contains(logical_id) {
                continue;
            }
            let none = BTreeSet::new();
            let signalled = self.signalled.get(logical_id).unwrap_or(&none);
            let group: Vec<_> = instances.iter().filter(|i| &i.logical_id == logical_id).collect();
            let silent = |instance: &&&StackInstance| {
                !signalled.contains(&instance.id)
                    && self.ended.get(&instance.id).is_some_and(|since| now.duration_since(*since) >= GRACE)
            };
            let able = group.iter().filter(|i| !signalled.contains(&i.id) && alive(i)).count()
                - group.iter().filter(|i| alive(i)).filter(silent).count();
            // Fewer instances than signals means that more are still to be launched.
            let launching = (*count as usize).saturating_sub(group.len());
            if signalled.len() + able + launching < *count as usize {
                lost.extend(
                    group
                        .iter()
                        .filter(|i| alive(i))
                        .filter(silent)
                        .filter(|i| !self.given_up.contains(&i.id)),
                );
            }
        }
        lost
    }

    /// Sends the signal that the instance can no longer send.
    ///
    /// # Errors
    /// When CloudFormation cannot be asked. That the resource no longer waits is no error.
    pub async fn give_up(
        &mut self,
        clients: &Clients,
        stack_id: &str,
        instance: &StackInstance,
    ) -> Result<(), Error> {
        self.given_up.insert(instance.id.clone());
        let sent = clients
            .cloudformation
            .signal_resource()
            .stack_name(stack_id)
            .logical_resource_id(&instance.logical_id)
            .unique_id(&instance.id)
            .status(ResourceSignalStatus::Failure)
            .send()
            .await;
        match sent.map_err(|error| sdk("SignalResource", error)) {
            Err(error) if error.code() == Some("ValidationError") => Ok(()),
            Err(error) => Err(error),
            Ok(_) => Ok(()),
        }
    }
}

fn alive(instance: &StackInstance) -> bool {
    matches!(instance.state.as_str(), "pending" | "running")
}

/// The instance whose signal an event's reason tells of: `Received SUCCESS signal with UniqueId i-…`.
fn signal_of(reason: &str) -> Option<&str> {
    let (before, id) = reason.split_once("signal with UniqueId ")?;
    before.starts_with("Received ").then(|| id.split_whitespace().next())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phase::Phase;

    fn instance(id: &str, phase: Phase) -> StackInstance {
        StackInstance {
            id: id.into(),
            logical_id: "Group".into(),
            state: "running".into(),
            private_ip: None,
            public_ip: None,
            launched: None,
            key_name: None,
            user_data_ended: phase == Phase::Ended,
            phase,
            console_tail: Vec::new(),
        }
    }

    fn event(status: &str, reason: Option<&str>) -> ResourceEvent {
        ResourceEvent {
            id: String::new(),
            time: String::new(),
            logical_id: "Group".into(),
            physical_id: String::new(),
            resource_type: String::new(),
            status: status.into(),
            reason: reason.map(str::to_owned),
        }
    }

    /// Which instances are given up when looked at now and again after the grace.
    fn lost_of(count: u32, instances: &[StackInstance], signals: &[&str]) -> Vec<String> {
        let mut fail_fast = FailFast::new(BTreeMap::from([("Group".to_owned(), count)]));
        fail_fast.saw(&event("CREATE_IN_PROGRESS", None));
        for id in signals {
            let reason = format!("Received SUCCESS signal with UniqueId {id}");
            fail_fast.saw(&event("CREATE_IN_PROGRESS", Some(&reason)));
        }
        let now = Instant::now();
        assert!(fail_fast.lost(instances, now).is_empty(), "a signal may still be on its way");
        fail_fast.lost(instances, now + GRACE).iter().map(|instance| instance.id.clone()).collect()
    }

    #[test]
    fn an_instance_that_ended_without_its_signal_is_lost() {
        assert_eq!(lost_of(1, &[instance("i-1", Phase::Ended)], &[]), ["i-1"]);
        assert!(lost_of(1, &[instance("i-1", Phase::Ended)], &["i-1"]).is_empty());
        assert!(lost_of(1, &[instance("i-1", Phase::UserData)], &[]).is_empty());
    }

    #[test]
    fn an_instance_that_joined_but_never_signalled_is_lost_too() {
        let joined = StackInstance { user_data_ended: true, ..instance("i-1", Phase::Registered) };
        assert_eq!(lost_of(1, &[joined], &[]), ["i-1"]);
    }

    #[test]
    fn others_that_can_still_signal_are_waited_for() {
        let ended = || instance("i-1", Phase::Ended);
        let busy = || instance("i-2", Phase::UserData);
        assert!(lost_of(1, &[ended(), busy()], &[]).is_empty(), "the other one is enough");
        assert_eq!(lost_of(2, &[ended(), busy()], &[]), ["i-1"]);
        assert!(lost_of(2, &[busy()], &[]).is_empty(), "one is still to be launched");
        let gone = StackInstance { state: "terminated".into(), ..ended() };
        assert!(lost_of(1, &[gone, busy()], &[]).is_empty());
    }

    #[test]
    fn a_resource_that_no_longer_waits_is_left_alone() {
        let mut fail_fast = FailFast::new(BTreeMap::from([("Group".to_owned(), 1)]));
        fail_fast.saw(&event("CREATE_IN_PROGRESS", None));
        fail_fast.saw(&event("CREATE_COMPLETE", None));
        let ended = [instance("i-1", Phase::Ended)];
        let now = Instant::now();
        fail_fast.lost(&ended, now);
        assert!(fail_fast.lost(&ended, now + GRACE).is_empty());
    }

    #[test]
    fn signals_are_read_from_events() {
        assert_eq!(signal_of("Received FAILURE signal with UniqueId i-1"), Some("i-1"));
        assert_eq!(signal_of("Resource creation Initiated"), None);
    }
}
