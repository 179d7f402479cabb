//! Records for tests.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::activities;
use super::state::{ActivityRecord, GroupRecord, Health, LaunchSource, Lifecycle, MemberRecord, Placement};
use super::termination::TerminationPolicy;
use crate::api::tags::Tags;

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

pub fn place(zone: &str, subnet: &str) -> Placement {
    Placement { zone: zone.into(), subnet: subnet.into() }
}

/// A group that wants one instance in zone `z1`.
pub fn group(name: &str) -> GroupRecord {
    GroupRecord {
        region: "us-east-1".into(),
        id: name.into(),
        arn: format!("arn:{name}"),
        created: at(0),
        source: LaunchSource::Configuration { name: "lc".into() },
        min: 0,
        max: 10,
        desired: 1,
        placements: vec![place("z1", "s1")],
        names_subnets: true,
        default_cooldown: 300,
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
    }
}

/// An instance in service in a zone, in its first subnet.
pub fn member(id: &str, zone: &str) -> MemberRecord {
    MemberRecord {
        region: "us-east-1".into(),
        id: id.into(),
        group: "g".into(),
        lifecycle: Lifecycle::InService,
        health: Health::Healthy,
        protected: false,
        instance_type: "t2.micro".into(),
        image_id: "ami-1".into(),
        placement: place(zone, &zone.replace('z', "s")),
        source: None,
        source_created: None,
        launched: at(0),
        in_service: Some(at(0)),
        activity: None,
    }
}

pub fn activity(group_name: &str) -> ActivityRecord {
    let description = "Launching a new EC2 instance".to_owned();
    activities::begin(&group(group_name), &place("z1", "s1"), description, String::new(), at(0))
}
