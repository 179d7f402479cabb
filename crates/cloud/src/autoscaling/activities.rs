//! Scaling activities: beginning, ending and describing them.

use std::sync::Arc;

use aws_wire::Error;
use aws_wire::autoscaling::{ActivitiesType, Activity, DescribeScalingActivitiesType, Filter};
use jiff::{SignedDuration, Timestamp};

use super::state::{ActivityRecord, ActivityStatus, GroupRecord, Placement};
use super::{errors, paging};
use crate::api::paging::{Limits, Order, PageRequest};
use crate::store::{Store, StoreError, Tx};
use crate::{Ctx, ids};

/// How long activities are kept: six weeks, as on AWS.
const KEPT: SignedDuration = SignedDuration::from_hours(6 * 7 * 24);

/// A new activity of a group, in progress.
pub fn begin(
    group: &GroupRecord,
    placement: &Placement,
    description: String,
    cause: String,
    now: Timestamp,
) -> ActivityRecord {
    ActivityRecord {
        region: group.region.clone(),
        id: ids::uuid(),
        group: group.id.clone(),
        group_arn: group.arn.clone(),
        group_deleted: false,
        description,
        cause,
        start: now,
        end: None,
        status: ActivityStatus::InProgress,
        status_message: None,
        placement: placement.clone(),
    }
}

/// Changes an activity, if there is one.
///
/// # Errors
/// The store's.
pub fn update(
    tx: &mut Tx<'_>,
    region: &str,
    id: Option<&str>,
    change: impl FnOnce(&mut ActivityRecord),
) -> Result<(), StoreError> {
    if let Some(id) = id {
        tx.update::<ActivityRecord>(region, id, change)?;
    }
    Ok(())
}

/// Forgets activities that began six weeks ago or earlier.
///
/// # Errors
/// The store's.
pub fn forget_old(store: &Store, now: Timestamp) -> Result<(), StoreError> {
    let is_old = |activity: &Arc<ActivityRecord>| now.duration_since(activity.start) > KEPT;
    let old: Vec<_> = store.all::<ActivityRecord>().into_iter().filter(is_old).collect();
    if old.is_empty() {
        return Ok(());
    }
    store.write(|tx| {
        for activity in &old {
            tx.remove::<ActivityRecord>(&activity.region, &activity.id);
        }
        Ok(())
    })
}

/// The group's activity that blocks others: one that goes on, or ended within the cooldown.
pub fn blocking(activities: &[Arc<ActivityRecord>], group: &GroupRecord, now: Timestamp) -> Option<String> {
    let cooldown = SignedDuration::from_secs(group.default_cooldown.into());
    let blocks = |activity: &&Arc<ActivityRecord>| {
        activity.group_arn == group.arn && activity.end.is_none_or(|end| now.duration_since(end) < cooldown)
    };
    activities.iter().find(blocks).map(|activity| activity.id.clone())
}

/// `DescribeScalingActivities`: those in progress first, the newest first.
pub fn describe(ctx: &Ctx, input: DescribeScalingActivitiesType) -> Result<ActivitiesType, Error> {
    let filters = Filters::parse(&input.filters)?;
    let named = |given: &[String], id: &String| given.is_empty() || given.contains(id);
    let mut activities: Vec<Arc<ActivityRecord>> = ctx.cloud.store.list(&ctx.region);
    activities.retain(|activity| {
        (input.include_deleted_groups == Some(true) || !activity.group_deleted)
            && input.auto_scaling_group_name.as_ref().is_none_or(|name| *name == activity.group)
            && named(&input.activity_ids, &activity.id)
            && filters.accept(activity)
    });
    activities.sort_by_key(|activity| (activity.end.is_some(), std::cmp::Reverse(activity.start)));
    let request = PageRequest { max: input.max_records, token: input.next_token.as_deref() };
    let limits = Limits { min: 1, max: 100, default: Some(100) };
    let page = paging::page(activities, request, limits, Order::Fixed, |activity| &activity.id)?;
    Ok(ActivitiesType {
        activities: page.items.iter().map(|activity| to_wire(activity)).collect(),
        next_token: page.next,
    })
}

/// The filters of `DescribeScalingActivities`.
#[derive(Default)]
struct Filters {
    after: Option<Timestamp>,
    before: Option<Timestamp>,
    statuses: Vec<String>,
}

impl Filters {
    fn parse(filters: &[Filter]) -> Result<Self, Error> {
        let mut parsed = Self::default();
        for filter in filters {
            match filter.name.as_deref().unwrap_or_default() {
                "StartTimeLowerBound" => parsed.after = Some(time(&filter.values)?),
                "StartTimeUpperBound" => parsed.before = Some(time(&filter.values)?),
                "Status" => parsed.statuses.clone_from(&filter.values),
                other => return Err(errors::validation(format!("The filter '{other}' is invalid"))),
            }
        }
        Ok(parsed)
    }

    fn accept(&self, activity: &ActivityRecord) -> bool {
        self.after.is_none_or(|after| activity.start >= after)
            && self.before.is_none_or(|before| activity.start <= before)
            && (self.statuses.is_empty()
                || self.statuses.iter().any(|status| status == activity.status.name()))
    }
}

fn time(values: &[String]) -> Result<Timestamp, Error> {
    let text = values.first().map(String::as_str).unwrap_or_default();
    text.parse().map_err(|_| errors::validation(format!("'{text}' is not a time in ISO 8601 form")))
}

/// An activity as answers hold it.
pub fn to_wire(activity: &ActivityRecord) -> Activity {
    let details = serde_json::json!({
        "Subnet ID": activity.placement.subnet,
        "Availability Zone": activity.placement.zone,
    });
    Activity {
        activity_id: Some(activity.id.clone()),
        auto_scaling_group_name: Some(activity.group.clone()),
        auto_scaling_group_arn: Some(activity.group_arn.clone()),
        auto_scaling_group_state: activity.group_deleted.then(|| "Deleted".to_owned()),
        description: Some(activity.description.clone()),
        cause: Some(activity.cause.clone()),
        start_time: Some(activity.start),
        end_time: activity.end,
        status_code: Some(activity.status.name().to_owned()),
        status_message: activity.status_message.clone(),
        progress: Some(activity.status.progress()),
        details: Some(details.to_string()),
    }
}
