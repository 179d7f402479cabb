//! `AWS::AutoScaling::LaunchConfiguration`. It cannot be changed: every change makes another.

use aws_wire::autoscaling::{
    CreateLaunchConfigurationType, InstanceMonitoring, LaunchConfigurationNameType,
    LaunchConfigurationNamesType,
};
use cfn_template::schema::{Kind, Property, ResourceSchema};
use serde_json::Value;

use super::api::Api;
use super::{Change, Existing, Failure, Made, Problem, ResourceType, Wanted, ec2_checks, iam_checks, props};

/// The type.
pub struct LaunchConfiguration;

const EBS: &[Property] = &[
    Property::new("DeleteOnTermination", Kind::Boolean),
    Property::new("Encrypted", Kind::Boolean),
    Property::new("Iops", Kind::Integer),
    Property::new("SnapshotId", Kind::String),
    Property::new("Throughput", Kind::Integer),
    Property::new("VolumeSize", Kind::Integer),
    Property::new("VolumeType", Kind::String),
];
const DEVICE: &[Property] = &[
    Property::new("DeviceName", Kind::String).required(),
    Property::new("Ebs", Kind::Object(EBS)),
    Property::new("NoDevice", Kind::Boolean),
];
const METADATA: &[Property] = &[
    Property::new("HttpEndpoint", Kind::Enum(&["enabled", "disabled"])),
    Property::new("HttpPutResponseHopLimit", Kind::Integer),
    Property::new("HttpTokens", Kind::Enum(&["optional", "required"])),
];
const SCHEMA: ResourceSchema = ResourceSchema {
    type_name: "AWS::AutoScaling::LaunchConfiguration",
    properties: &[
        Property::new("AssociatePublicIpAddress", Kind::Boolean).replaces(),
        Property::new("BlockDeviceMappings", Kind::List(&Kind::Object(DEVICE))).replaces(),
        Property::new("EbsOptimized", Kind::Boolean).replaces(),
        Property::new("IamInstanceProfile", Kind::String).replaces(),
        Property::new("ImageId", Kind::String).required().replaces(),
        Property::new("InstanceMonitoring", Kind::Boolean).replaces(),
        Property::new("InstanceType", Kind::String).required().replaces(),
        Property::new("KeyName", Kind::String).replaces(),
        Property::new("LaunchConfigurationName", Kind::String).replaces(),
        Property::new("MetadataOptions", Kind::Object(METADATA)).replaces(),
        Property::new("SecurityGroups", Kind::List(&Kind::String)).replaces(),
        Property::new("UserData", Kind::String).replaces(),
    ],
    attributes: &[],
};

impl ResourceType<Api> for LaunchConfiguration {
    fn schema(&self) -> &'static ResourceSchema {
        &SCHEMA
    }

    fn name_property(&self) -> Option<&'static str> {
        Some("LaunchConfigurationName")
    }

    fn name_limit(&self) -> usize {
        255
    }

    fn preflight(&self, api: &Api, properties: &Value) -> Vec<Problem> {
        let mut problems = Vec::new();
        props::ask(properties, "ImageId", &mut problems, |id| ec2_checks::image(api, id));
        props::ask(properties, "KeyName", &mut problems, |name| ec2_checks::key_pair(api, name));
        props::ask(properties, "IamInstanceProfile", &mut problems, |name| {
            iam_checks::instance_profile(api, name)
        });
        props::ask_each(properties, "SecurityGroups", &mut problems, |id| {
            ec2_checks::security_group(api, id)
        });
        problems
    }

    fn create(&self, api: &Api, wanted: &Wanted<'_>) -> Result<Made, Failure> {
        let properties = props::without(wanted.properties, &["InstanceMonitoring"]);
        let mut input: CreateLaunchConfigurationType = props::request(properties)?;
        input.launch_configuration_name = Some(wanted.name.to_owned());
        input.instance_monitoring = props::boolean(wanted.properties, "InstanceMonitoring")
            .map(|enabled| InstanceMonitoring { enabled: Some(enabled) });
        api.services.autoscaling.create_launch_configuration(&api.ctx, input)?;
        Ok(Made::new(wanted.name))
    }

    /// Launch configurations have no tags that tell whose they are; the name was chosen for this one.
    fn find(&self, api: &Api, wanted: &Wanted<'_>) -> Result<Option<Made>, Failure> {
        let names = vec![wanted.name.to_owned()];
        let input = LaunchConfigurationNamesType { launch_configuration_names: names, ..Default::default() };
        let found = api.services.autoscaling.describe_launch_configurations(&api.ctx, input)?;
        Ok((!found.launch_configurations.is_empty()).then(|| Made::new(wanted.name)))
    }

    /// Only the stack's tags can have changed, and a launch configuration has none.
    fn update(&self, _api: &Api, _change: &Change<'_>) -> Result<(), Failure> {
        Ok(())
    }

    fn delete(&self, api: &Api, existing: &Existing<'_>) -> Result<(), Failure> {
        let input =
            LaunchConfigurationNameType { launch_configuration_name: Some(existing.physical_id.to_owned()) };
        match api.services.autoscaling.delete_launch_configuration(&api.ctx, input) {
            Ok(()) => Ok(()),
            Err(error) if error.code == "ValidationError" && error.message.contains("not found") => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
