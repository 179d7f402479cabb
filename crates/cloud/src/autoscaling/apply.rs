//! Writing down what was decided, inside the transaction in which it was decided.

use jiff::{SignedDuration, Timestamp};

use super::decide::Action;
use super::state::{
    ActivityRecord, ActivityStatus, GroupRecord, Health, LaunchRecord, Lifecycle, MemberRecord, Placement,
};
use super::words::{self, Arrival, Departure};
use super::{activities, launch};
use crate::ec2::state::InstanceRecord;
use crate::store::{StoreError, Tx};

/// What lies between the times of two actions that were decided on together.
const TICK: SignedDuration = SignedDuration::from_micros(1);

/// An instance that ends sooner after it went into service is short-lived.
const SHORT_LIVED: SignedDuration = SignedDuration::from_secs(30);

/// Applies actions to a group and its instances. Gives back the ids of the machines that are to be ended.
///
/// # Errors
/// The store's.
pub fn apply(
    tx: &mut Tx<'_>,
    group: &GroupRecord,
    actions: Vec<Action>,
    now: Timestamp,
) -> Result<Vec<String>, StoreError> {
    let mut after = group.clone();
    let mut to_end = Vec::new();
    let mut is_removed = false;
    // Activities are told in the order of their times, so each action has a time of its own.
    let times = std::iter::successors(Some(now), |time| time.checked_add(TICK).ok());
    for (action, now) in actions.into_iter().zip(times) {
        match action {
            Action::EnterService(id) => {
                enter_service(tx, group, &id, now)?;
            }
            Action::FailLaunch(id) => {
                after.note_failure(now);
                fail_launch(tx, group, &id, now)?;
            }
            Action::MarkNotRunning(id) => {
                tx.update::<MemberRecord>(&group.region, &id, |member| member.health = Health::NotRunning)?;
            }
            Action::TakeOut(id, departure) => {
                if is_short_lived(tx, group, &id, departure, now) {
                    after.note_failure(now);
                }
                take_out(tx, group, &id, departure, now)?;
                note_departure(&mut after, departure);
            }
            Action::EndMachine(id) => to_end.push(id),
            Action::Forget(id) => forget(tx, group, &id, now)?,
            Action::Launch(placement, arrival) => {
                if !begin_launch(tx, group, placement, arrival, now)? {
                    after.note_failure(now);
                }
                note_arrival(&mut after, arrival);
            }
            Action::Settle => {
                after.change = None;
                after.replacing = 0;
            }
            Action::Remove => {
                remove(tx, group)?;
                is_removed = true;
            }
        }
    }
    if !is_removed && after != *group {
        tx.put(after)?;
    }
    Ok(to_end)
}

/// Whether an instance ended by itself soon after it went into service. One is replaced at once; but where
/// each ends like that, their replacements wait ever longer, as failed launches do.
fn is_short_lived(tx: &Tx<'_>, group: &GroupRecord, id: &str, departure: Departure, now: Timestamp) -> bool {
    let in_service = || tx.get::<MemberRecord>(&group.region, id).and_then(|member| member.in_service);
    departure == Departure::Unhealthy(Health::NotRunning)
        && in_service().is_some_and(|since| now.duration_since(since) < SHORT_LIVED)
}

/// The change of capacity is told by those activities that answer it first.
fn note_departure(group: &mut GroupRecord, departure: Departure) {
    match departure {
        Departure::Difference { .. } => group.change = None,
        Departure::Unhealthy(_) => group.replacing = group.replacing.saturating_add(1),
        Departure::Named { .. } => {}
    }
}

fn note_arrival(group: &mut GroupRecord, arrival: Arrival) {
    match arrival {
        Arrival::Difference { .. } => group.change = None,
        Arrival::Replacement => group.replacing = group.replacing.saturating_sub(1).max(0),
    }
}

/// Stores a launch for EC2 to be asked. Tells whether it can be.
fn begin_launch(
    tx: &mut Tx<'_>,
    group: &GroupRecord,
    placement: Placement,
    arrival: Arrival,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let cause = words::launching(group.change.as_deref(), arrival, now);
    let mut activity =
        activities::begin(group, &placement, "Launching a new EC2 instance".to_owned(), cause, now);
    let planned = launch::plan(tx, group, &placement);
    let can_be_asked = planned.is_ok();
    match planned {
        Ok(plan) => tx.put(LaunchRecord {
            region: group.region.clone(),
            id: plan.request.client_token.clone().unwrap_or_default(),
            group: group.id.clone(),
            request: plan.request,
            placement,
            source: plan.source,
            source_created: plan.source_created,
            activity: activity.id.clone(),
        })?,
        Err(error) => activity.fail(&launch_failed(&error.to_string()), now),
    }
    tx.put(activity)?;
    Ok(can_be_asked)
}

/// The status message of a launch that EC2 refused.
pub fn launch_failed(reason: &str) -> String {
    format!("{}. Launching EC2 instance failed.", reason.trim_end_matches('.'))
}

fn enter_service(tx: &mut Tx<'_>, group: &GroupRecord, id: &str, now: Timestamp) -> Result<(), StoreError> {
    let mut activity = None;
    tx.update::<MemberRecord>(&group.region, id, |member| {
        member.lifecycle = Lifecycle::InService;
        member.in_service = Some(now);
        activity = member.activity.take();
    })?;
    activities::update(tx, &group.region, activity.as_deref(), |activity| {
        activity.finish(ActivityStatus::Successful, now);
    })
}

fn fail_launch(tx: &mut Tx<'_>, group: &GroupRecord, id: &str, now: Timestamp) -> Result<(), StoreError> {
    let instance = tx.get::<InstanceRecord>(&group.region, id);
    let reason = instance.as_ref().and_then(|instance| instance.state_reason.as_ref());
    let reason = reason.map_or("it is not known", |reason| reason.message.as_str());
    let message = format!(
        "Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: {reason}"
    );
    let mut activity = None;
    tx.update::<MemberRecord>(&group.region, id, |member| {
        member.lifecycle = Lifecycle::Terminating;
        member.health = Health::NotRunning;
        activity = member.activity.take();
    })?;
    activities::update(tx, &group.region, activity.as_deref(), |activity| activity.fail(&message, now))
}

/// Takes an instance out of the group, to be terminated. The activity is given back, unless it is none of the
/// group's.
///
/// # Errors
/// The store's.
pub fn take_out(
    tx: &mut Tx<'_>,
    group: &GroupRecord,
    id: &str,
    departure: Departure,
    now: Timestamp,
) -> Result<Option<ActivityRecord>, StoreError> {
    let Some(member) = tx.get::<MemberRecord>(&group.region, id) else { return Ok(None) };
    let cause = words::terminating(group.change.as_deref(), departure, id, now);
    let activity =
        activities::begin(group, &member.placement, format!("Terminating EC2 instance: {id}"), cause, now);
    activities::update(tx, &group.region, member.activity.as_deref(), |launching| {
        launching.finish(ActivityStatus::Cancelled, now);
    })?;
    tx.put(activity.clone())?;
    tx.update::<MemberRecord>(&group.region, id, |member| {
        member.lifecycle = Lifecycle::Terminating;
        member.activity = Some(activity.id.clone());
        if let Departure::Unhealthy(health) = departure {
            member.health = health;
        }
    })?;
    Ok(Some(activity))
}

fn forget(tx: &mut Tx<'_>, group: &GroupRecord, id: &str, now: Timestamp) -> Result<(), StoreError> {
    let Some(member) = tx.remove::<MemberRecord>(&group.region, id) else { return Ok(()) };
    activities::update(tx, &group.region, member.activity.as_deref(), |activity| {
        activity.finish(ActivityStatus::Successful, now);
    })
}

/// Removes a group; its activities stay and say so.
///
/// # Errors
/// The store's.
pub fn remove(tx: &mut Tx<'_>, group: &GroupRecord) -> Result<(), StoreError> {
    tx.remove::<GroupRecord>(&group.region, &group.id);
    for activity in tx.list::<ActivityRecord>(&group.region) {
        if activity.group_arn == group.arn {
            tx.update::<ActivityRecord>(&group.region, &activity.id, |activity| {
                activity.group_deleted = true
            })?;
        }
    }
    Ok(())
}
