//! The instances of groups: describing them, and what users ask of single ones.

use std::sync::Arc;

use aws_wire::Error;
use aws_wire::autoscaling::{
    ActivityType, AttachInstancesQuery, AutoScalingInstanceDetails, AutoScalingInstancesType,
    DescribeAutoScalingInstancesType, DetachInstancesAnswer, DetachInstancesQuery, Instance,
    SetInstanceHealthQuery, TerminateInstanceInAutoScalingGroupType,
};
use jiff::Timestamp;

use super::decide::in_grace;
use super::errors::{self, required, validation};
use super::groups::{self, source_to_wire};
use super::state::{
    ActivityRecord, ActivityStatus, GROUP_TAG, GroupRecord, Health, Lifecycle, MemberRecord, Placement,
};
use super::words::{self, Departure};
use super::{activities, apply, paging};
use crate::api::paging::{Limits, Order, PageRequest};
use crate::ec2::state::{InstanceRecord, InstanceState};
use crate::store::Tx;
use crate::{Ctx, ec2};

/// An instance as a group's description holds it.
pub fn to_wire(member: &MemberRecord) -> Instance {
    let (launch_configuration_name, launch_template) = source_to_wire(member.source.as_ref());
    Instance {
        instance_id: Some(member.id.clone()),
        instance_type: Some(member.instance_type.clone()),
        image_id: Some(member.image_id.clone()),
        availability_zone: Some(member.placement.zone.clone()),
        availability_zone_id: ec2::zone_id(&member.placement.zone),
        lifecycle_state: Some(member.lifecycle.name().to_owned()),
        health_status: Some(member.health.name().to_owned()),
        launch_configuration_name,
        launch_template,
        protected_from_scale_in: Some(member.protected),
        ..Instance::default()
    }
}

fn details(member: &MemberRecord) -> AutoScalingInstanceDetails {
    let instance = to_wire(member);
    AutoScalingInstanceDetails {
        auto_scaling_group_name: Some(member.group.clone()),
        instance_id: instance.instance_id,
        instance_type: instance.instance_type,
        image_id: instance.image_id,
        availability_zone: instance.availability_zone,
        availability_zone_id: instance.availability_zone_id,
        lifecycle_state: instance.lifecycle_state,
        // This operation has it in capitals.
        health_status: Some(member.health.name().to_uppercase()),
        launch_configuration_name: instance.launch_configuration_name,
        launch_template: instance.launch_template,
        protected_from_scale_in: instance.protected_from_scale_in,
        ..AutoScalingInstanceDetails::default()
    }
}

/// `DescribeAutoScalingInstances`: ids that are not there are ignored.
pub fn describe(
    ctx: &Ctx,
    input: DescribeAutoScalingInstancesType,
) -> Result<AutoScalingInstancesType, Error> {
    let mut members: Vec<Arc<MemberRecord>> = ctx.cloud.store.list(&ctx.region);
    members.retain(|member| input.instance_ids.is_empty() || input.instance_ids.contains(&member.id));
    let request = PageRequest { max: input.max_records, token: input.next_token.as_deref() };
    let limits = Limits { min: 1, max: 50, default: Some(50) };
    let page = paging::page(members, request, limits, Order::Ascending, |member| &member.id)?;
    Ok(AutoScalingInstancesType {
        auto_scaling_instances: page.items.iter().map(|member| details(member)).collect(),
        next_token: page.next,
    })
}

/// Changes the group of an instance that is not being terminated.
fn change<R>(
    ctx: &Ctx,
    instance_id: Option<&str>,
    change: impl FnOnce(&mut Tx<'_>, &mut GroupRecord, MemberRecord) -> Result<R, Error>,
) -> Result<R, Error> {
    let id = required(instance_id, "instanceId")?;
    let find = || ctx.cloud.store.get::<MemberRecord>(&ctx.region, id).ok_or_else(|| errors::no_instance(id));
    let group = find()?.group.clone();
    groups::change(ctx, Some(&group), |tx, group| {
        let member = tx.get::<MemberRecord>(&ctx.region, id).filter(|member| member.group == group.id);
        let member = member.ok_or_else(|| errors::no_instance(id))?;
        change(tx, group, Arc::unwrap_or_clone(member))
    })
}

/// `TerminateInstanceInAutoScalingGroup`
pub fn terminate(ctx: &Ctx, input: TerminateInstanceInAutoScalingGroupType) -> Result<ActivityType, Error> {
    let activity = change(ctx, input.instance_id.as_deref(), |tx, group, member| {
        if member.lifecycle == Lifecycle::Terminating {
            let running = member.activity.and_then(|id| tx.get::<ActivityRecord>(&ctx.region, &id));
            return Ok(running.map(Arc::unwrap_or_clone));
        }
        let before = group.desired;
        if input.should_decrement_desired_capacity == Some(true) {
            shrink(group, 1)?;
        }
        let shrinking = (group.desired != before).then_some((before, group.desired));
        Ok(apply::take_out(tx, group, &member.id, Departure::Named { shrinking }, Timestamp::now())?)
    })?;
    Ok(ActivityType { activity: activity.as_ref().map(activities::to_wire) })
}

/// Lowers the desired capacity, but not below the least.
fn shrink(group: &mut GroupRecord, count: i32) -> Result<(), Error> {
    let desired = group.desired.saturating_sub(count);
    if desired < group.min {
        return Err(errors::would_violate_min(group.min));
    }
    group.desired = desired;
    Ok(())
}

/// `SetInstanceHealth`: within the grace period a bad report is ignored, unless it says otherwise.
pub fn set_health(ctx: &Ctx, input: SetInstanceHealthQuery) -> Result<(), Error> {
    let health = match input.health_status.as_deref() {
        Some("Healthy") => Health::Healthy,
        Some("Unhealthy") => Health::Reported,
        other => {
            let given = other.unwrap_or_default();
            return Err(validation(format!("HealthStatus must be Healthy or Unhealthy, and is '{given}'")));
        }
    };
    change(ctx, input.instance_id.as_deref(), |tx, group, member| {
        let heeds_grace = input.should_respect_grace_period.unwrap_or(true);
        if health == Health::Reported && heeds_grace && in_grace(group, &member, Timestamp::now()) {
            return Ok(());
        }
        Ok(tx.put(MemberRecord { health, ..member })?)
    })
}

/// `DetachInstances`: the instances go on by themselves.
pub fn detach(ctx: &Ctx, input: DetachInstancesQuery) -> Result<DetachInstancesAnswer, Error> {
    if input.instance_ids.is_empty() {
        return Err(validation("At least one instance ID is required"));
    }
    let decrement = input.should_decrement_desired_capacity == Some(true);
    groups::change(ctx, input.auto_scaling_group_name.as_deref(), |tx, group| {
        let now = Timestamp::now();
        let mut detached = Vec::new();
        for id in &input.instance_ids {
            let before = group.desired;
            if decrement {
                shrink(group, 1)?;
            }
            let shrinking = decrement.then_some((before, group.desired));
            detached.push(detach_one(tx, group, id, shrinking, now)?);
        }
        Ok(DetachInstancesAnswer { activities: detached.iter().map(activities::to_wire).collect() })
    })
}

fn detach_one(
    tx: &mut Tx<'_>,
    group: &GroupRecord,
    id: &str,
    shrinking: Option<(i32, i32)>,
    now: Timestamp,
) -> Result<ActivityRecord, Error> {
    let member = tx.get::<MemberRecord>(&group.region, id).filter(|member| member.group == group.id);
    let member = member.ok_or_else(|| {
        validation(format!("The instance {id} is not part of Auto Scaling group {}.", group.id))
    })?;
    if member.lifecycle != Lifecycle::InService {
        let state = member.lifecycle.name();
        return Err(validation(format!("The instance {id} is in {state} state and cannot be detached.")));
    }
    tx.remove::<MemberRecord>(&group.region, id);
    tx.update::<InstanceRecord>(&group.region, id, |instance| instance.tags.remove(GROUP_TAG, None))?;
    let cause = words::detaching(id, shrinking, now);
    let mut activity =
        activities::begin(group, &member.placement, format!("Detaching EC2 instance: {id}"), cause, now);
    activity.finish(ActivityStatus::Successful, now);
    tx.put(activity.clone())?;
    Ok(activity)
}

/// `AttachInstances`: running instances join the group, which then wants that many more.
pub fn attach(ctx: &Ctx, input: AttachInstancesQuery) -> Result<(), Error> {
    if input.instance_ids.is_empty() {
        return Err(validation("At least one instance ID is required"));
    }
    groups::change(ctx, input.auto_scaling_group_name.as_deref(), |tx, group| {
        let now = Timestamp::now();
        for id in &input.instance_ids {
            let desired = group.desired.saturating_add(1);
            groups::check_desired(group, desired)?;
            attach_one(tx, group, id, desired, now)?;
            group.desired = desired;
        }
        Ok(())
    })
}

fn attach_one(
    tx: &mut Tx<'_>,
    group: &GroupRecord,
    id: &str,
    desired: i32,
    now: Timestamp,
) -> Result<(), Error> {
    if let Some(member) = tx.get::<MemberRecord>(&group.region, id) {
        let message = format!("Instance {id} is already part of AutoScalingGroup:{}.", member.group);
        return Err(validation(message));
    }
    let instance = tx.get::<InstanceRecord>(&group.region, id);
    let instance = instance.ok_or_else(|| validation(format!("Invalid Instance ID(s): [{id}]")))?;
    if instance.state != InstanceState::Running {
        let message =
            format!("Instance {id} is not in correct state. Instance(s) must be in 'running' state.");
        return Err(validation(message));
    }
    if !group.zones().contains(&instance.zone) {
        return Err(validation(format!(
            "Instance {id} is in the availability zone {}, which is not one of Auto Scaling group {}.",
            instance.zone, group.id
        )));
    }
    let placement = Placement { zone: instance.zone.clone(), subnet: instance.subnet_id.clone() };
    let cause = words::attaching(group.desired, desired, now);
    let description = format!("Attaching an existing EC2 instance: {id}");
    let mut activity = activities::begin(group, &placement, description, cause, now);
    activity.finish(ActivityStatus::Successful, now);
    tx.put(activity)?;
    tx.put(MemberRecord {
        region: group.region.clone(),
        id: id.to_owned(),
        group: group.id.clone(),
        lifecycle: Lifecycle::InService,
        health: Health::Healthy,
        protected: group.protect_new,
        instance_type: instance.instance_type.clone(),
        image_id: instance.image_id.clone(),
        placement,
        source: None,
        source_created: None,
        launched: instance.launch_time,
        in_service: Some(now),
        activity: None,
    })?;
    tx.update::<InstanceRecord>(&group.region, id, |instance| {
        group.instance_tags().into_iter().for_each(|(key, value)| instance.tags.set(key, value));
    })?;
    Ok(())
}
