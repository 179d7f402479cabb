//! What a request sets of a group, checked: the same for creating and for changing one.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_wire::Error;
use aws_wire::autoscaling::{
    CreateAutoScalingGroupType, LaunchTemplateSpecification, UpdateAutoScalingGroupType,
};

use super::errors::{self, validation};
use super::state::{GroupRecord, LaunchConfigurationRecord, LaunchSource, Placement};
use super::termination::TerminationPolicy;
use crate::api::support::first_unsupported;
use crate::ec2;
use crate::ec2::state::{LaunchTemplateRecord, SubnetRecord};
use crate::store::Tx;

/// The members of both requests that are supported; [`Settings::parse`] reads them.
const SUPPORTED: &[&str] = &[
    "AutoScalingGroupName",
    "AvailabilityZoneIds",
    "AvailabilityZones",
    "DefaultCooldown",
    "DesiredCapacity",
    "HealthCheckGracePeriod",
    "LaunchConfigurationName",
    "LaunchTemplate",
    "MaxSize",
    "MinSize",
    "NewInstancesProtectedFromScaleIn",
    "TerminationPolicies",
    "VPCZoneIdentifier",
    // Creating only.
    "Tags",
    // Supported with one value, which is checked.
    "DeletionProtection",
    "DesiredCapacityType",
    "HealthCheckType",
];

/// The settings that a request names; those left out stay as they are.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settings {
    /// What instances are launched from.
    pub source: Option<LaunchSource>,
    /// Where instances are launched, and whether the subnets were named.
    pub placements: Option<(Vec<Placement>, bool)>,
    /// The fewest instances.
    pub min: Option<i32>,
    /// The most instances.
    pub max: Option<i32>,
    /// The instances wanted.
    pub desired: Option<i32>,
    /// The cooldown in seconds.
    pub default_cooldown: Option<i32>,
    /// The grace period in seconds.
    pub grace_period: Option<i32>,
    /// How instances to terminate are chosen.
    pub termination_policies: Option<Vec<TerminationPolicy>>,
    /// Whether new instances are protected.
    pub protect_new: Option<bool>,
}

impl Settings {
    /// Reads a request to create a group.
    ///
    /// # Errors
    /// When something is not valid, not there or not supported.
    pub fn of_new(tx: &Tx<'_>, region: &str, input: &CreateAutoScalingGroupType) -> Result<Self, Error> {
        if let Some(member) = first_unsupported(input, SUPPORTED) {
            return Err(errors::unsupported(&format!("CreateAutoScalingGroup with {member}")));
        }
        let input = input.clone();
        Self::parse(
            tx,
            region,
            &UpdateAutoScalingGroupType {
                launch_configuration_name: input.launch_configuration_name,
                launch_template: input.launch_template,
                min_size: input.min_size,
                max_size: input.max_size,
                desired_capacity: input.desired_capacity,
                default_cooldown: input.default_cooldown,
                availability_zones: input.availability_zones,
                availability_zone_ids: input.availability_zone_ids,
                vpc_zone_identifier: input.vpc_zone_identifier,
                health_check_type: input.health_check_type,
                health_check_grace_period: input.health_check_grace_period,
                termination_policies: input.termination_policies,
                new_instances_protected_from_scale_in: input.new_instances_protected_from_scale_in,
                desired_capacity_type: input.desired_capacity_type,
                deletion_protection: input.deletion_protection,
                ..UpdateAutoScalingGroupType::default()
            },
        )
    }

    /// Reads a request to change a group.
    ///
    /// # Errors
    /// When something is not valid, not there or not supported.
    pub fn parse(tx: &Tx<'_>, region: &str, input: &UpdateAutoScalingGroupType) -> Result<Self, Error> {
        if let Some(member) = first_unsupported(input, SUPPORTED) {
            return Err(errors::unsupported(&format!("UpdateAutoScalingGroup with {member}")));
        }
        only("HealthCheckType", input.health_check_type.as_deref(), "EC2")?;
        only("DesiredCapacityType", input.desired_capacity_type.as_deref(), "units")?;
        only("DeletionProtection", input.deletion_protection.as_deref(), "none")?;
        for (name, value) in [
            ("MinSize", input.min_size),
            ("MaxSize", input.max_size),
            ("DesiredCapacity", input.desired_capacity),
            ("DefaultCooldown", input.default_cooldown),
            ("HealthCheckGracePeriod", input.health_check_grace_period),
        ] {
            if let Some(value) = value.filter(|value| *value < 0) {
                return Err(validation(format!("{name} must not be negative, and is {value}")));
            }
        }
        let policies = &input.termination_policies;
        Ok(Self {
            source: source(tx, region, input)?,
            placements: placements(tx, region, input)?,
            min: input.min_size,
            max: input.max_size,
            desired: input.desired_capacity,
            default_cooldown: input.default_cooldown,
            grace_period: input.health_check_grace_period,
            termination_policies: (!policies.is_empty())
                .then(|| TerminationPolicy::parse(policies))
                .transpose()?,
            protect_new: input.new_instances_protected_from_scale_in,
        })
    }

    /// Changes a group. A desired capacity that is not named follows the bounds.
    ///
    /// # Errors
    /// When the capacities do not go together; then the group is left half changed and must be dropped.
    pub fn lay_over(self, group: &mut GroupRecord) -> Result<(), Error> {
        set(&mut group.source, self.source);
        if let Some((placements, names_subnets)) = self.placements {
            group.placements = placements;
            group.names_subnets = names_subnets;
        }
        set(&mut group.default_cooldown, self.default_cooldown);
        set(&mut group.grace_period, self.grace_period);
        set(&mut group.termination_policies, self.termination_policies);
        set(&mut group.protect_new, self.protect_new);
        set(&mut group.min, self.min);
        set(&mut group.max, self.max);
        if group.max < group.min {
            return Err(validation(format!(
                "Max bound, {}, must be greater than or equal to min bound, {}",
                group.max, group.min
            )));
        }
        match self.desired {
            None => group.desired = group.desired.clamp(group.min, group.max),
            Some(desired) if (group.min..=group.max).contains(&desired) => group.desired = desired,
            Some(desired) => {
                return Err(validation(format!(
                    "Desired capacity:{desired} must be between the specified min size:{} and max size:{}",
                    group.min, group.max
                )));
            }
        }
        Ok(())
    }
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

fn only(member: &str, value: Option<&str>, supported: &str) -> Result<(), Error> {
    match value.filter(|value| *value != supported) {
        Some(other) => Err(errors::unsupported(&format!("{member} {other}"))),
        None => Ok(()),
    }
}

fn source(
    tx: &Tx<'_>,
    region: &str,
    input: &UpdateAutoScalingGroupType,
) -> Result<Option<LaunchSource>, Error> {
    match (&input.launch_configuration_name, &input.launch_template) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(validation(ONE_SOURCE)),
        (Some(name), None) => match tx.get::<LaunchConfigurationRecord>(region, name) {
            Some(_) => Ok(Some(LaunchSource::Configuration { name: name.clone() })),
            None => Err(errors::no_configuration(name)),
        },
        (None, Some(template)) => self::template(tx, region, template).map(Some),
    }
}

/// What a request says that names no source or two.
pub const ONE_SOURCE: &str = "Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or MixedInstancesPolicy parameter.";

fn template(tx: &Tx<'_>, region: &str, asked: &LaunchTemplateSpecification) -> Result<LaunchSource, Error> {
    let invalid =
        |why: String| validation(format!("You must use a valid fully-formed launch template. {why}"));
    let found: Option<Arc<LaunchTemplateRecord>> =
        match (&asked.launch_template_id, &asked.launch_template_name) {
            (Some(id), None) => tx.get(region, id),
            (None, Some(name)) => {
                tx.list(region).into_iter().find(|t: &Arc<LaunchTemplateRecord>| t.name == *name)
            }
            (Some(_), Some(_)) | (None, None) => {
                let message = "Valid requests must contain either launchTemplateId or LaunchTemplateName";
                return Err(validation(message));
            }
        };
    let what = match (&asked.launch_template_id, &asked.launch_template_name) {
        (Some(id), _) => format!("ID {id}"),
        (None, name) => format!("name {}", name.as_deref().unwrap_or_default()),
    };
    let Some(template) = found else {
        return Err(invalid(format!("The specified launch template, with template {what}, does not exist.")));
    };
    let version = asked.version.clone().unwrap_or_else(|| "$Default".to_owned());
    match template.version(&version) {
        None => Err(invalid(format!(
            "Could not find the specified version {version} for the launch template with ID {}.",
            template.id
        ))),
        Some(found) if found.data.image_id.is_none() => {
            Err(invalid("The request must contain the parameter ImageId".to_owned()))
        }
        Some(_) => {
            Ok(LaunchSource::Template { id: template.id.clone(), name: template.name.clone(), version })
        }
    }
}

fn placements(
    tx: &Tx<'_>,
    region: &str,
    input: &UpdateAutoScalingGroupType,
) -> Result<Option<(Vec<Placement>, bool)>, Error> {
    let named = input.vpc_zone_identifier.as_deref().unwrap_or_default();
    let subnets: Vec<&str> = named.split(',').map(str::trim).filter(|id| !id.is_empty()).collect();
    let zones = zones(region, input)?;
    if subnets.is_empty() {
        let placements: Result<Vec<_>, _> =
            zones.iter().map(|zone| default_subnet(tx, region, zone)).collect();
        return Ok((!zones.is_empty()).then_some((placements?, false)));
    }
    let mut placements: Vec<Placement> = Vec::new();
    for id in subnets {
        let subnet = tx.get::<SubnetRecord>(region, id);
        let subnet = subnet.ok_or_else(|| validation(format!("The subnet ID '{id}' does not exist")))?;
        let placement = Placement { zone: subnet.zone.clone(), subnet: subnet.id.clone() };
        if !placements.contains(&placement) {
            placements.push(placement);
        }
    }
    let named: BTreeSet<&str> = zones.iter().map(String::as_str).collect();
    let covered: BTreeSet<&str> = placements.iter().map(|placement| placement.zone.as_str()).collect();
    if !named.is_empty() && named != covered {
        let message = "The availability zones of the specified subnets and the AutoScalingGroup do not match";
        return Err(validation(message));
    }
    Ok(Some((placements, true)))
}

/// The zones that a request names, by name or by id.
fn zones(region: &str, input: &UpdateAutoScalingGroupType) -> Result<Vec<String>, Error> {
    let all = ec2::zones(region);
    let named = |id: &String| {
        let found = all.iter().find(|zone| ec2::zone_id(zone).as_ref() == Some(id));
        found.cloned().ok_or_else(|| validation(format!("There is no availability zone with the ID '{id}'")))
    };
    let by_id: Result<Vec<_>, _> = input.availability_zone_ids.iter().map(named).collect();
    Ok([input.availability_zones.clone(), by_id?].concat())
}

/// Without subnets named, instances go to the default subnet of each zone.
fn default_subnet(tx: &Tx<'_>, region: &str, zone: &str) -> Result<Placement, Error> {
    let subnets: Vec<Arc<SubnetRecord>> = tx.list(region);
    let found = subnets.iter().find(|subnet| subnet.default_for_az && subnet.zone == zone);
    found
        .map(|subnet| Placement { zone: zone.to_owned(), subnet: subnet.id.clone() })
        .ok_or_else(|| validation(format!("There is no default subnet in the availability zone '{zone}'")))
}

#[cfg(test)]
mod tests {
    use super::super::testing::group;
    use super::*;

    #[test]
    fn capacities_go_together() {
        let desired = |now: (i32, i32, i32), min, max, desired| {
            let mut group = GroupRecord { min: now.0, max: now.1, desired: now.2, ..group("g") };
            let settings = Settings { min, max, desired, ..Settings::default() };
            settings.lay_over(&mut group).map(|()| group.desired).map_err(|error| error.message)
        };
        for (now, min, max, wanted, expected) in [
            ((0, 4, 2), None, None, None, Ok(2)),
            ((0, 4, 2), None, None, Some(4), Ok(4)),
            ((0, 4, 2), Some(3), None, None, Ok(3)),
            ((0, 4, 2), None, Some(1), None, Ok(1)),
            ((0, 4, 2), Some(0), Some(0), Some(0), Ok(0)),
            (
                (0, 4, 2),
                Some(5),
                None,
                None,
                Err("Max bound, 4, must be greater than or equal to min bound, 5"),
            ),
            (
                (0, 4, 2),
                None,
                None,
                Some(5),
                Err("Desired capacity:5 must be between the specified min size:0 and max size:4"),
            ),
        ] {
            assert_eq!(
                desired(now, min, max, wanted),
                expected.map_err(str::to_owned),
                "{min:?} {max:?} {wanted:?}"
            );
        }
    }
}
