//! What EC2 is asked for when a group launches an instance.

use std::sync::Arc;

use aws_wire::autoscaling as wire;
use aws_wire::ec2::{
    BlockDeviceMapping, EbsBlockDevice, IamInstanceProfileSpecification, InstanceMetadataOptionsRequest,
    InstanceNetworkInterfaceSpecification, LaunchTemplateSpecification, Placement as Ec2Placement,
    RunInstancesMonitoringEnabled, RunInstancesRequest, Tag, TagSpecification,
};
use jiff::Timestamp;

use super::state::{GroupRecord, LaunchConfigurationRecord, LaunchSource, Placement};
use crate::ec2::state::{LaunchTemplateRecord, SecurityGroupRecord, SubnetRecord};
use crate::ids;
use crate::store::Tx;

/// A launch as it was resolved.
pub struct Plan {
    /// What EC2 is asked; its client token is new.
    pub request: RunInstancesRequest,
    /// The source, with the template's version resolved.
    pub source: LaunchSource,
    /// When the source was made.
    pub source_created: Timestamp,
}

/// Why a launch cannot even be asked for: what it needs has gone since the group was made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The launch configuration is gone.
    #[error("The launch configuration '{0}' does not exist.")]
    Configuration(String),
    /// The launch template or its version is gone.
    #[error("The launch template '{name}' with version {version} does not exist.")]
    Template {
        /// Its name.
        name: String,
        /// The version asked for.
        version: String,
    },
    /// The subnet is gone.
    #[error("The subnet ID '{0}' does not exist.")]
    Subnet(String),
    /// There is no security group of that name in the subnet's VPC.
    #[error("The security group '{name}' does not exist in VPC '{vpc_id}'.")]
    SecurityGroup {
        /// The name.
        name: String,
        /// The VPC.
        vpc_id: String,
    },
}

/// Resolves a launch in a place.
///
/// # Errors
/// When something that the launch needs is gone.
pub fn plan(tx: &Tx<'_>, group: &GroupRecord, placement: &Placement) -> Result<Plan, PlanError> {
    let mut plan = match &group.source {
        LaunchSource::Configuration { name } => {
            let found = tx.get::<LaunchConfigurationRecord>(&group.region, name);
            let configuration = found.ok_or_else(|| PlanError::Configuration(name.clone()))?;
            let groups = security_groups(tx, &group.region, &configuration.given.security_groups, placement)?;
            Plan {
                request: from_configuration(&configuration.given, groups, placement),
                source: group.source.clone(),
                source_created: configuration.created,
            }
        }
        LaunchSource::Template { id, name, version } => {
            from_template(tx, group, (id, name, version), placement)?
        }
    };
    plan.request.min_count = Some(1);
    plan.request.max_count = Some(1);
    plan.request.client_token = Some(ids::uuid());
    plan.request.tag_specifications = vec![TagSpecification {
        resource_type: Some("instance".to_owned()),
        tags: group
            .instance_tags()
            .into_iter()
            .map(|(key, value)| Tag { key: Some(key), value: Some(value) })
            .collect(),
    }];
    Ok(plan)
}

fn from_template(
    tx: &Tx<'_>,
    group: &GroupRecord,
    (id, name, version): (&String, &String, &String),
    placement: &Placement,
) -> Result<Plan, PlanError> {
    let found = tx.get::<LaunchTemplateRecord>(&group.region, id);
    let found = found.as_ref().and_then(|template| template.version(version));
    let found = found.ok_or_else(|| PlanError::Template { name: name.clone(), version: version.clone() })?;
    let number = found.number.to_string();
    Ok(Plan {
        request: RunInstancesRequest {
            launch_template: Some(LaunchTemplateSpecification {
                launch_template_id: Some(id.clone()),
                launch_template_name: None,
                version: Some(number.clone()),
            }),
            subnet_id: Some(placement.subnet.clone()),
            ..RunInstancesRequest::default()
        },
        source: LaunchSource::Template { id: id.clone(), name: name.clone(), version: number },
        source_created: found.create_time,
    })
}

/// The ids of security groups that are named by id, or by name in the VPC of the place.
fn security_groups(
    tx: &Tx<'_>,
    region: &str,
    named: &[String],
    placement: &Placement,
) -> Result<Vec<String>, PlanError> {
    let no_subnet = || PlanError::Subnet(placement.subnet.clone());
    let subnet = tx.get::<SubnetRecord>(region, &placement.subnet).ok_or_else(no_subnet)?;
    let groups: Vec<Arc<SecurityGroupRecord>> = tx.list(region);
    let resolve = |name: &String| {
        if name.starts_with("sg-") {
            return Ok(name.clone());
        }
        let found = groups.iter().find(|group| group.vpc_id == subnet.vpc_id && group.name == *name);
        found
            .map(|group| group.id.clone())
            .ok_or_else(|| PlanError::SecurityGroup { name: name.clone(), vpc_id: subnet.vpc_id.clone() })
    };
    named.iter().map(resolve).collect()
}

/// A launch configuration as a launch in a subnet.
fn from_configuration(
    given: &wire::CreateLaunchConfigurationType,
    groups: Vec<String>,
    placement: &Placement,
) -> RunInstancesRequest {
    let mut request = RunInstancesRequest {
        image_id: given.image_id.clone(),
        instance_type: given.instance_type.clone(),
        key_name: given.key_name.clone(),
        user_data: given.user_data.clone(),
        iam_instance_profile: given.iam_instance_profile.as_deref().map(profile),
        block_device_mappings: given.block_device_mappings.iter().map(device).collect(),
        ebs_optimized: given.ebs_optimized,
        // A launch configuration has detailed monitoring unless it says otherwise.
        monitoring: Some(RunInstancesMonitoringEnabled {
            enabled: Some(given.instance_monitoring.as_ref().and_then(|asked| asked.enabled).unwrap_or(true)),
        }),
        metadata_options: given.metadata_options.as_ref().map(metadata),
        placement: given
            .placement_tenancy
            .as_ref()
            .map(|tenancy| Ec2Placement { tenancy: Some(tenancy.clone()), ..Ec2Placement::default() }),
        ..RunInstancesRequest::default()
    };
    match given.associate_public_ip_address {
        None => {
            request.subnet_id = Some(placement.subnet.clone());
            request.security_group_ids = groups;
        }
        Some(public) => {
            request.network_interfaces = vec![InstanceNetworkInterfaceSpecification {
                device_index: Some(0),
                associate_public_ip_address: Some(public),
                delete_on_termination: Some(true),
                subnet_id: Some(placement.subnet.clone()),
                groups,
                ..InstanceNetworkInterfaceSpecification::default()
            }];
        }
    }
    request
}

fn profile(name_or_arn: &str) -> IamInstanceProfileSpecification {
    let is_arn = name_or_arn.starts_with("arn:");
    IamInstanceProfileSpecification {
        arn: is_arn.then(|| name_or_arn.to_owned()),
        name: (!is_arn).then(|| name_or_arn.to_owned()),
    }
}

fn device(mapping: &wire::BlockDeviceMapping) -> BlockDeviceMapping {
    BlockDeviceMapping {
        device_name: mapping.device_name.clone(),
        virtual_name: mapping.virtual_name.clone(),
        // EC2 leaves a device out when the member is there, whatever it holds.
        no_device: (mapping.no_device == Some(true)).then(String::new),
        ebs: mapping.ebs.as_ref().map(|ebs| EbsBlockDevice {
            snapshot_id: ebs.snapshot_id.clone(),
            volume_size: ebs.volume_size,
            volume_type: ebs.volume_type.clone(),
            delete_on_termination: ebs.delete_on_termination,
            iops: ebs.iops,
            encrypted: ebs.encrypted,
            throughput: ebs.throughput,
            ..EbsBlockDevice::default()
        }),
    }
}

fn metadata(options: &wire::InstanceMetadataOptions) -> InstanceMetadataOptionsRequest {
    InstanceMetadataOptionsRequest {
        http_tokens: options.http_tokens.clone(),
        http_put_response_hop_limit: options.http_put_response_hop_limit,
        http_endpoint: options.http_endpoint.clone(),
        ..InstanceMetadataOptionsRequest::default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::place;
    use super::*;

    fn request(given: wire::CreateLaunchConfigurationType) -> RunInstancesRequest {
        from_configuration(&given, vec!["sg-1".into()], &place("z1", "subnet-1"))
    }

    #[test]
    fn a_public_address_asked_for_needs_an_interface() {
        let plain = request(wire::CreateLaunchConfigurationType::default());
        assert_eq!(plain.subnet_id.as_deref(), Some("subnet-1"));
        assert_eq!(plain.security_group_ids, ["sg-1"]);
        assert!(plain.network_interfaces.is_empty());

        let public = request(wire::CreateLaunchConfigurationType {
            associate_public_ip_address: Some(true),
            ..Default::default()
        });
        let [interface] = public.network_interfaces.as_slice() else { panic!("one interface") };
        assert_eq!(interface.subnet_id.as_deref(), Some("subnet-1"));
        assert_eq!(interface.groups, ["sg-1"]);
        assert_eq!((public.subnet_id, public.security_group_ids), (None, vec![]));
    }

    #[test]
    fn members_have_other_forms_for_ec2() {
        let request = request(wire::CreateLaunchConfigurationType {
            iam_instance_profile: Some("arn:aws:iam::1:instance-profile/p".into()),
            block_device_mappings: vec![
                wire::BlockDeviceMapping {
                    device_name: Some("/dev/xvdcy".into()),
                    ebs: Some(wire::Ebs { volume_size: Some(20), ..Default::default() }),
                    ..Default::default()
                },
                wire::BlockDeviceMapping {
                    device_name: Some("/dev/xvdcz".into()),
                    no_device: Some(true),
                    ..Default::default()
                },
            ],
            ..Default::default()
        });
        let profile = request.iam_instance_profile.unwrap();
        assert_eq!((profile.arn.is_some(), profile.name), (true, None));
        assert_eq!(request.block_device_mappings[0].ebs.as_ref().unwrap().volume_size, Some(20));
        assert_eq!(request.block_device_mappings[1].no_device.as_deref(), Some(""));
        assert_eq!(request.monitoring.unwrap().enabled, Some(true));
    }
}
