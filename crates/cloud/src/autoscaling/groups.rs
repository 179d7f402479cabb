//! Auto Scaling groups.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_wire::Error;
use aws_wire::autoscaling::{
    AutoScalingGroup, AutoScalingGroupNamesType, AutoScalingGroupsType, CreateAutoScalingGroupType,
    DeleteAutoScalingGroupType, LaunchTemplateSpecification, SetDesiredCapacityType,
    UpdateAutoScalingGroupType,
};
use jiff::Timestamp;

use super::errors::{self, required, validation};
use super::paging::{self, PAGE};
use super::reconciler::{has_launches, members};
use super::settings::{ONE_SOURCE, Settings};
use super::state::{ActivityRecord, GroupRecord, LaunchSource, Lifecycle, MemberRecord};
use super::termination::TerminationPolicy;
use super::words::{self, Request};
use super::{activities, apply, instances, processes, tags};
use crate::api::filters::{Field, Selection};
use crate::api::paging::{Order, PageRequest};
use crate::api::tags::Tags;
use crate::store::Tx;
use crate::{Ctx, ec2, ids};

/// Seconds of cooldown where none are named.
const DEFAULT_COOLDOWN: i32 = 300;

/// Changes a group that is not being deleted.
///
/// # Errors
/// When there is no such group, or the change fails; then nothing is changed.
pub fn change<R>(
    ctx: &Ctx,
    name: Option<&str>,
    change: impl FnOnce(&mut Tx<'_>, &mut GroupRecord) -> Result<R, Error>,
) -> Result<R, Error> {
    let name = required(name, "autoScalingGroupName")?;
    ctx.cloud.store.write(|tx| {
        let mut group = Arc::unwrap_or_clone(need(tx, &ctx.region, name)?);
        if group.deleting {
            return Err(errors::pending_delete(name));
        }
        let result = change(tx, &mut group)?;
        tx.put(group)?;
        Ok(result)
    })
}

/// The group of that name.
///
/// # Errors
/// When there is none.
pub fn need(tx: &Tx<'_>, region: &str, name: &str) -> Result<Arc<GroupRecord>, Error> {
    tx.get(region, name).ok_or_else(|| errors::no_group(name))
}

/// `CreateAutoScalingGroup`
pub fn create(ctx: &Ctx, input: CreateAutoScalingGroupType) -> Result<(), Error> {
    let name = required(input.auto_scaling_group_name.as_deref(), "autoScalingGroupName")?;
    if name.contains(':') {
        return Err(validation(format!("Auto Scaling group name '{name}' must not contain a colon")));
    }
    ctx.cloud.store.write(|tx| {
        match tx.get::<GroupRecord>(&ctx.region, name) {
            Some(group) if group.deleting => return Err(errors::pending_delete(name)),
            Some(_) => return Err(errors::group_exists(name)),
            None => {}
        }
        let settings = Settings::of_new(tx, &ctx.region, &input)?;
        let mut group = new_group(ctx, name, &settings)?;
        settings.lay_over(&mut group)?;
        tags::merge(ctx, &mut group, &input.tags)?;
        if group.desired > 0 {
            group.change = Some(words::change(Request::Create, 0, group.desired, group.created));
        }
        Ok(tx.put(group)?)
    })
}

/// A group with what cannot be left out and the defaults.
fn new_group(ctx: &Ctx, name: &str, settings: &Settings) -> Result<GroupRecord, Error> {
    let source = settings.source.clone().ok_or_else(|| validation(ONE_SOURCE))?;
    if settings.placements.as_ref().is_none_or(|(placements, _)| placements.is_empty()) {
        return Err(validation("At least one Availability Zone or VPC Subnet is required."));
    }
    let bound = |value: Option<i32>, member| {
        value.ok_or_else(|| required(None, member).err().unwrap_or_else(|| validation(member)))
    };
    let min = bound(settings.min, "minSize")?;
    Ok(GroupRecord {
        region: ctx.region.to_string(),
        id: name.to_owned(),
        arn: ctx.arn("autoscaling", &format!("autoScalingGroup:{}:autoScalingGroupName/{name}", ids::uuid())),
        created: Timestamp::now(),
        source,
        min,
        max: bound(settings.max, "maxSize")?,
        desired: min,
        placements: Vec::new(),
        names_subnets: false,
        default_cooldown: DEFAULT_COOLDOWN,
        grace_period: 0,
        termination_policies: vec![TerminationPolicy::Default],
        protect_new: false,
        suspended: BTreeMap::new(),
        tags: Tags::new(),
        propagated: BTreeSet::new(),
        deleting: false,
        change: None,
        replacing: 0,
        setback: None,
    })
}

/// `UpdateAutoScalingGroup`
pub fn update(ctx: &Ctx, input: UpdateAutoScalingGroupType) -> Result<(), Error> {
    change(ctx, input.auto_scaling_group_name.as_deref(), |tx, group| {
        let (before, source) = (group.desired, group.source.clone());
        Settings::parse(tx, &ctx.region, &input)?.lay_over(group)?;
        if group.desired != before {
            let request = Request::Update { min: group.min, max: group.max };
            group.change = Some(words::change(request, before, group.desired, Timestamp::now()));
        }
        if group.source != source {
            // What failed was launched from something else.
            group.setback = None;
        }
        Ok(())
    })
}

/// `SetDesiredCapacity`
pub fn set_desired_capacity(ctx: &Ctx, input: SetDesiredCapacityType) -> Result<(), Error> {
    let desired = input.desired_capacity.ok_or_else(|| validation("DesiredCapacity is required"))?;
    change(ctx, input.auto_scaling_group_name.as_deref(), |tx, group| {
        check_desired(group, desired)?;
        let now = Timestamp::now();
        if input.honor_cooldown == Some(true) {
            let activities = tx.list::<ActivityRecord>(&ctx.region);
            if let Some(id) = activities::blocking(&activities, group, now) {
                let message = format!("Scaling activity {id} is in progress and blocks this action");
                return Err(errors::in_progress(message));
            }
        }
        if desired != group.desired {
            group.change = Some(words::change(Request::SetDesired, group.desired, desired, now));
            group.desired = desired;
        }
        Ok(())
    })
}

/// Checks a desired capacity against the group's bounds.
///
/// # Errors
/// When it is out of them.
pub fn check_desired(group: &GroupRecord, desired: i32) -> Result<(), Error> {
    let (what, bound) = if desired > group.max {
        ("above max", group.max)
    } else if desired < group.min {
        ("below min", group.min)
    } else {
        return Ok(());
    };
    Err(validation(format!(
        "New SetDesiredCapacity value {desired} is {what} value {bound} for the AutoScalingGroup."
    )))
}

/// `DeleteAutoScalingGroup`: by force with its instances, else only if it has none.
pub fn delete(ctx: &Ctx, input: DeleteAutoScalingGroupType) -> Result<(), Error> {
    let name = required(input.auto_scaling_group_name.as_deref(), "autoScalingGroupName")?;
    let by_force = input.force_delete == Some(true);
    ctx.cloud.store.write(|tx| {
        let group = need(tx, &ctx.region, name)?;
        let members = members(tx, &group);
        let is_launching = has_launches(tx, &group);
        if members.is_empty() && !is_launching {
            return Ok(apply::remove(tx, &group)?);
        }
        if group.deleting {
            return Ok(());
        }
        if !by_force {
            return Err(refuse_delete(&members));
        }
        let mut group = Arc::unwrap_or_clone(group);
        group.deleting = true;
        group.change = Some(words::change(Request::ForceDelete, group.desired, 0, Timestamp::now()));
        (group.min, group.max, group.desired) = (0, 0, 0);
        Ok(tx.put(group)?)
    })
}

fn refuse_delete(members: &[Arc<MemberRecord>]) -> Error {
    if members.iter().any(|member| member.lifecycle == Lifecycle::InService) {
        return errors::in_use(
            "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) still \
             in the group.",
        );
    }
    errors::in_progress(
        "You cannot delete an AutoScalingGroup while there are scaling activities in progress for that group.",
    )
}

const FIELDS: &[Field<GroupRecord>] =
    &[("tag-value", |group, is| group.tags.iter().any(|(_, value)| is(value)))];

/// `DescribeAutoScalingGroups`: names that are not there are ignored.
pub fn describe(ctx: &Ctx, input: AutoScalingGroupNamesType) -> Result<AutoScalingGroupsType, Error> {
    let filters = input.filters.iter().map(|f| (f.name.as_deref().unwrap_or_default(), f.values.as_slice()));
    let selection = Selection::new(FIELDS, Some(|group: &GroupRecord| &group.tags), filters)
        .map_err(|error| validation(error.to_string()))?;
    let names = &input.auto_scaling_group_names;
    let mut groups: Vec<Arc<GroupRecord>> = ctx.cloud.store.list(&ctx.region);
    groups.retain(|group| (names.is_empty() || names.contains(&group.id)) && selection.accepts(group));
    let request = PageRequest { max: input.max_records, token: input.next_token.as_deref() };
    let page = paging::page(groups, request, PAGE, Order::Ascending, |group| &group.id)?;
    let members = match input.include_instances {
        Some(false) => Vec::new(),
        Some(true) | None => ctx.cloud.store.list::<MemberRecord>(&ctx.region),
    };
    Ok(AutoScalingGroupsType {
        auto_scaling_groups: page.items.iter().map(|group| to_wire(group, &members)).collect(),
        next_token: page.next,
    })
}

fn to_wire(group: &GroupRecord, members: &[Arc<MemberRecord>]) -> AutoScalingGroup {
    let subnets: Vec<&str> = group.placements.iter().map(|placement| placement.subnet.as_str()).collect();
    let (launch_configuration_name, launch_template) = source_to_wire(Some(&group.source));
    let own = members.iter().filter(|member| member.group == group.id);
    AutoScalingGroup {
        auto_scaling_group_name: Some(group.id.clone()),
        auto_scaling_group_arn: Some(group.arn.clone()),
        launch_configuration_name,
        launch_template,
        min_size: Some(group.min),
        max_size: Some(group.max),
        desired_capacity: Some(group.desired),
        default_cooldown: Some(group.default_cooldown),
        availability_zone_ids: group.zones().iter().filter_map(|zone| ec2::zone_id(zone)).collect(),
        availability_zones: group.zones(),
        health_check_type: Some("EC2".to_owned()),
        health_check_grace_period: Some(group.grace_period),
        instances: own.map(|member| instances::to_wire(member)).collect(),
        created_time: Some(group.created),
        suspended_processes: processes::suspended(group),
        vpc_zone_identifier: Some(if group.names_subnets { subnets.join(",") } else { String::new() }),
        status: group.deleting.then(|| "Delete in progress".to_owned()),
        tags: tags::of_group(group),
        termination_policies: group
            .termination_policies
            .iter()
            .map(|policy| policy.name().to_owned())
            .collect(),
        new_instances_protected_from_scale_in: Some(group.protect_new),
        capacity_rebalance: Some(false),
        ..AutoScalingGroup::default()
    }
}

/// A source as answers hold it: a configuration's name or a template.
pub fn source_to_wire(
    source: Option<&LaunchSource>,
) -> (Option<String>, Option<LaunchTemplateSpecification>) {
    match source {
        None => (None, None),
        Some(LaunchSource::Configuration { name }) => (Some(name.clone()), None),
        Some(LaunchSource::Template { id, name, version }) => (
            None,
            Some(LaunchTemplateSpecification {
                launch_template_id: Some(id.clone()),
                launch_template_name: Some(name.clone()),
                version: Some(version.clone()),
            }),
        ),
    }
}
