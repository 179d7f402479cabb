//! Brings groups to the capacity that they want.
//!
//! Everything is decided ([`decide`]) and written down in one transaction for each group, launches with their
//! tokens; only then is EC2 asked. So a daemon that was killed at any point finds in the store what it was about
//! to do, and asking EC2 again gives the same instance.

use std::sync::Arc;
use std::time::Duration;

use aws_wire::Error;
use aws_wire::ec2::{
    AttributeBooleanValue, Ec2 as _, Instance, ModifyInstanceAttributeRequest, TerminateInstancesRequest,
};
use jiff::Timestamp;

use super::activities;
use super::apply::{apply, launch_failed};
use super::decide::{Sight, decide};
use super::state::{ActivityStatus, GroupRecord, Health, LaunchRecord, Lifecycle, MemberRecord};
use crate::ec2::Ec2Service;
use crate::ec2::state::{InstanceRecord, InstanceState};
use crate::store::{StoreError, Tx};
use crate::{Cloud, Ctx};

/// As whom EC2 is asked.
const PRINCIPAL: &str = "autoscaling.amazonaws.com";

/// How often is looked without any change.
const ROUND: Duration = Duration::from_secs(30);

/// How long to wait after an error of the store.
const RETRY: Duration = Duration::from_secs(2);

/// Runs until it is dropped; what it left undone is in the store.
pub async fn run(cloud: Arc<Cloud>) {
    let mut changes = cloud.store.changes();
    loop {
        changes.borrow_and_update();
        match pass(&cloud, Timestamp::now()) {
            Ok(wait) => tokio::select! {
                changed = changes.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
                () = tokio::time::sleep(wait) => {}
            },
            Err(error) => {
                tracing::warn!(%error, "Auto Scaling's records cannot be written; to be tried again");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

/// Looks at every group once. Gives back how long nothing is to be done unless something changes.
pub(super) fn pass(cloud: &Arc<Cloud>, now: Timestamp) -> Result<Duration, StoreError> {
    launch_all(cloud)?;
    let mut wait = ROUND;
    for group in cloud.store.all::<GroupRecord>() {
        let to_end = converge(cloud, &group, now)?;
        for id in to_end {
            if let Err(error) = end_machine(&Ctx::service(cloud, &group.region, PRINCIPAL), &id) {
                tracing::warn!(group = group.id, instance = id, %error, "cannot be terminated; to be tried again");
            }
        }
        if let Some(setback) = group.setback.as_ref().filter(|setback| setback.retry_at > now) {
            wait = wait.min(setback.retry_at.duration_since(now).unsigned_abs());
        }
    }
    launch_all(cloud)?;
    activities::forget_old(&cloud.store, now)?;
    Ok(wait)
}

/// Decides about a group and writes it down.
pub(super) fn converge(
    cloud: &Cloud,
    group: &GroupRecord,
    now: Timestamp,
) -> Result<Vec<String>, StoreError> {
    cloud.store.write(|tx| {
        let Some(group) = tx.get::<GroupRecord>(&group.region, &group.id) else { return Ok(Vec::new()) };
        if has_launches(tx, &group) {
            return Ok(Vec::new());
        }
        let members = members(tx, &group);
        let sights: Vec<_> =
            members.iter().map(|member| Sight { member, machine: machine(tx, member) }).collect();
        let actions = decide(&group, &sights, now);
        apply(tx, &group, actions, now)
    })
}

/// The instances of a group, those that are being terminated too.
pub(super) fn members(tx: &Tx<'_>, group: &GroupRecord) -> Vec<Arc<MemberRecord>> {
    let mut members: Vec<Arc<MemberRecord>> = tx.list(&group.region);
    members.retain(|member| member.group == group.id);
    members
}

/// Whether EC2 has yet to answer a launch of the group.
pub(super) fn has_launches(tx: &Tx<'_>, group: &GroupRecord) -> bool {
    tx.list::<LaunchRecord>(&group.region).iter().any(|launch| launch.group == group.id)
}

fn machine(tx: &Tx<'_>, member: &MemberRecord) -> Option<InstanceState> {
    tx.get::<InstanceRecord>(&member.region, &member.id).map(|instance| instance.state)
}

/// Asks EC2 for every launch that was decided on. They are stored one after the other and boot side by side.
fn launch_all(cloud: &Arc<Cloud>) -> Result<(), StoreError> {
    for launch in cloud.store.all::<LaunchRecord>() {
        let ctx = Ctx::service(cloud, &launch.region, PRINCIPAL);
        let answer = Ec2Service.run_instances(&ctx, launch.request.clone());
        let instance = answer.and_then(|reservation| {
            let first = reservation.instances.into_iter().next();
            first.ok_or_else(|| Error::internal("EC2 launched no instance"))
        });
        let now = Timestamp::now();
        match instance {
            Ok(instance) => cloud.store.write(|tx| launched(tx, &launch, &instance, now))?,
            Err(error) => {
                tracing::warn!(group = launch.group, %error, "cannot launch an instance");
                cloud.store.write(|tx| refused(tx, &launch, &error, now))?;
            }
        }
    }
    Ok(())
}

fn launched(
    tx: &mut Tx<'_>,
    launch: &LaunchRecord,
    instance: &Instance,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.remove::<LaunchRecord>(&launch.region, &launch.id);
    let Some(group) = tx.get::<GroupRecord>(&launch.region, &launch.group) else { return Ok(()) };
    let id = instance.instance_id.clone().unwrap_or_default();
    activities::update(tx, &launch.region, Some(&launch.activity), |activity| {
        activity.description = format!("Launching a new EC2 instance: {id}");
        activity.status = ActivityStatus::PreInService;
    })?;
    tx.put(MemberRecord {
        region: launch.region.clone(),
        id,
        group: launch.group.clone(),
        lifecycle: Lifecycle::Pending,
        health: Health::Healthy,
        protected: group.protect_new,
        instance_type: instance.instance_type.clone().unwrap_or_default(),
        image_id: instance.image_id.clone().unwrap_or_default(),
        placement: launch.placement.clone(),
        source: Some(launch.source.clone()),
        source_created: Some(launch.source_created),
        launched: instance.launch_time.unwrap_or(now),
        in_service: None,
        activity: Some(launch.activity.clone()),
    })
}

fn refused(tx: &mut Tx<'_>, launch: &LaunchRecord, error: &Error, now: Timestamp) -> Result<(), StoreError> {
    tx.remove::<LaunchRecord>(&launch.region, &launch.id);
    activities::update(tx, &launch.region, Some(&launch.activity), |activity| {
        activity.fail(&launch_failed(&error.message), now);
    })?;
    tx.update::<GroupRecord>(&launch.region, &launch.group, |group| group.note_failure(now))?;
    Ok(())
}

/// Has a machine terminated. The protection from termination is one from users, not from the group.
fn end_machine(ctx: &Ctx, id: &str) -> Result<(), Error> {
    let instance = ctx.cloud.store.get::<InstanceRecord>(&ctx.region, id);
    if instance.is_some_and(|instance| instance.disable_api_termination) {
        Ec2Service.modify_instance_attribute(
            ctx,
            ModifyInstanceAttributeRequest {
                instance_id: Some(id.to_owned()),
                disable_api_termination: Some(AttributeBooleanValue { value: Some(false) }),
                ..ModifyInstanceAttributeRequest::default()
            },
        )?;
    }
    let request = TerminateInstancesRequest { instance_ids: vec![id.to_owned()], ..Default::default() };
    Ec2Service.terminate_instances(ctx, request).map(|_| ())
}
