//! The parameters that a launch template holds, and how a launch takes them over. Pure.

use aws_wire::Error;
use aws_wire::ec2::{
    RequestLaunchTemplateData, ResponseLaunchTemplateData, RunInstancesRequest, TagSpecification,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ec2::request::only_supported;

/// What a launch template may hold: what a launch may be asked for.
const SUPPORTED: &[&str] = &[
    "BlockDeviceMappings",
    "DisableApiStop",
    "DisableApiTermination",
    "EbsOptimized",
    "IamInstanceProfile",
    "ImageId",
    "InstanceInitiatedShutdownBehavior",
    "InstanceType",
    "KeyName",
    "MetadataOptions",
    "Monitoring",
    "NetworkInterfaces",
    "Placement",
    "SecurityGroupIds",
    "SecurityGroups",
    "TagSpecifications",
    "UserData",
];

/// Refuses by name what no launch could be asked for.
///
/// # Errors
/// `UnsupportedOperation` for the first such parameter.
pub fn check(data: &RequestLaunchTemplateData) -> Result<(), Error> {
    only_supported(data, "LaunchTemplateData", SUPPORTED)
}

/// One structure as another whose members have the same names; the model has each of a template's structures
/// three times (in a template's request, in its answer, in a launch).
fn convert<A: Serialize, B: DeserializeOwned>(from: &A) -> Result<B, Error> {
    serde_json::to_value(from)
        .and_then(serde_json::from_value)
        .map_err(|error| Error::internal(format!("launch template data: {error}")))
}

/// The data as answers hold them.
///
/// # Errors
/// None that a request could cause.
pub fn to_response(data: &RequestLaunchTemplateData) -> Result<ResponseLaunchTemplateData, Error> {
    convert(data)
}

/// A new version's data: a source version's, and over them what is given.
///
/// # Errors
/// None that a request could cause.
pub fn over(
    source: &RequestLaunchTemplateData,
    given: &RequestLaunchTemplateData,
) -> Result<RequestLaunchTemplateData, Error> {
    lay_over(source, given)
}

/// A launch with the template's parameters in all places where it says nothing itself. Tags are united; those
/// of the launch win.
///
/// # Errors
/// None that a request could cause.
pub fn fill(
    launch: &RunInstancesRequest,
    data: &RequestLaunchTemplateData,
) -> Result<RunInstancesRequest, Error> {
    let template: RunInstancesRequest = convert(data)?;
    let mut filled: RunInstancesRequest = lay_over(&template, launch)?;
    filled.tag_specifications = unite_tags(&template.tag_specifications, &launch.tag_specifications);
    if launch.network_interfaces.is_empty() {
        take_into_interface(launch, &mut filled);
    }
    Ok(filled)
}

/// A subnet given for the launch is that of the template's one interface, which names none, as Auto Scaling
/// does it.
fn take_into_interface(launch: &RunInstancesRequest, filled: &mut RunInstancesRequest) {
    if let Some(subnet) = &launch.subnet_id
        && let [interface] = filled.network_interfaces.as_mut_slice()
        && interface.subnet_id.is_none()
    {
        interface.subnet_id = Some(subnet.clone());
        filled.subnet_id = None;
    }
}

fn lay_over<A: Serialize, B: Serialize, R: DeserializeOwned>(lower: &A, upper: &B) -> Result<R, Error> {
    let failed = |error| Error::internal(format!("launch template data: {error}"));
    let mut result = serde_json::to_value(lower).map_err(failed)?;
    let upper = serde_json::to_value(upper).map_err(failed)?;
    if let (Some(result), serde_json::Value::Object(upper)) = (result.as_object_mut(), upper) {
        result.extend(upper);
    }
    serde_json::from_value(result).map_err(failed)
}

fn unite_tags(lower: &[TagSpecification], upper: &[TagSpecification]) -> Vec<TagSpecification> {
    let mut united = upper.to_vec();
    for specification in lower {
        match united.iter_mut().find(|other| other.resource_type == specification.resource_type) {
            None => united.push(specification.clone()),
            Some(other) => {
                for tag in &specification.tags {
                    if other.tags.iter().all(|own| own.key != tag.key) {
                        other.tags.push(tag.clone());
                    }
                }
            }
        }
    }
    united
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_wire::ec2::{
        InstanceRequirementsRequest, LaunchTemplateInstanceNetworkInterfaceSpecificationRequest,
        LaunchTemplateTagSpecificationRequest, LaunchTemplatesMonitoringRequest, Tag,
    };

    fn tag(key: &str, value: &str) -> Tag {
        Tag { key: Some(key.into()), value: Some(value.into()) }
    }

    #[test]
    fn a_launch_fills_its_gaps_from_the_template() {
        let data = RequestLaunchTemplateData {
            image_id: Some("ami-1".into()),
            instance_type: Some("t2.micro".into()),
            security_group_ids: vec!["sg-1".into()],
            monitoring: Some(LaunchTemplatesMonitoringRequest { enabled: Some(true) }),
            tag_specifications: vec![LaunchTemplateTagSpecificationRequest {
                resource_type: Some("instance".into()),
                tags: vec![tag("Name", "template"), tag("Env", "dev")],
            }],
            ..RequestLaunchTemplateData::default()
        };
        let launch = RunInstancesRequest {
            instance_type: Some("t2.small".into()),
            min_count: Some(1),
            tag_specifications: vec![TagSpecification {
                resource_type: Some("instance".into()),
                tags: vec![tag("Name", "launch")],
            }],
            ..RunInstancesRequest::default()
        };
        let filled = fill(&launch, &data).unwrap();
        assert_eq!(filled.image_id.as_deref(), Some("ami-1"));
        assert_eq!(filled.instance_type.as_deref(), Some("t2.small"));
        assert_eq!(filled.security_group_ids, ["sg-1"]);
        assert_eq!(filled.min_count, Some(1));
        assert_eq!(filled.monitoring.unwrap().enabled, Some(true));
        assert_eq!(filled.tag_specifications[0].tags, [tag("Name", "launch"), tag("Env", "dev")]);
    }

    #[test]
    fn a_launchs_subnet_goes_into_the_templates_interface() {
        let interface = LaunchTemplateInstanceNetworkInterfaceSpecificationRequest {
            associate_public_ip_address: Some(true),
            ..Default::default()
        };
        let data = RequestLaunchTemplateData { network_interfaces: vec![interface], ..Default::default() };
        let launch = RunInstancesRequest { subnet_id: Some("subnet-1".into()), ..Default::default() };
        let filled = fill(&launch, &data).unwrap();
        assert_eq!(filled.subnet_id, None);
        assert_eq!(filled.network_interfaces[0].subnet_id.as_deref(), Some("subnet-1"));
    }

    #[test]
    fn what_no_launch_can_do_is_refused() {
        let data = RequestLaunchTemplateData {
            instance_requirements: Some(InstanceRequirementsRequest {
                burstable_performance: Some("included".into()),
                ..Default::default()
            }),
            ..Default::default()
        };
        assert!(check(&data).unwrap_err().message.contains("InstanceRequirements"));
    }
}
