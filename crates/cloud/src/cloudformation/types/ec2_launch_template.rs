//! `AWS::EC2::LaunchTemplate`.

use aws_wire::ec2::{
    CreateLaunchTemplateRequest, CreateLaunchTemplateVersionRequest, DeleteLaunchTemplateRequest,
    DescribeLaunchTemplatesRequest, Filter, LaunchTemplate as Described, RequestLaunchTemplateData,
};
use cfn_template::schema::{Kind, Property, ResourceSchema};
use serde_json::Value;

use super::api::Api;
use super::{
    Attributes, Change, Existing, Failure, Made, Problem, Progress, ResourceType, Wanted, ec2_checks,
    ec2_tags, iam_checks, known, props,
};

/// The type.
pub struct LaunchTemplate;

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
    Property::new("DeviceName", Kind::String),
    Property::new("Ebs", Kind::Object(EBS)),
    Property::new("NoDevice", Kind::String),
];
const PROFILE: &[Property] = &[Property::new("Arn", Kind::String), Property::new("Name", Kind::String)];
const METADATA: &[Property] = &[
    Property::new("HttpEndpoint", Kind::Enum(&["enabled", "disabled"])),
    Property::new("HttpPutResponseHopLimit", Kind::Integer),
    Property::new("HttpTokens", Kind::Enum(&["optional", "required"])),
    Property::new("InstanceMetadataTags", Kind::Enum(&["enabled", "disabled"])),
];
const MONITORING: &[Property] = &[Property::new("Enabled", Kind::Boolean)];
const INTERFACE: &[Property] = &[
    Property::new("AssociatePublicIpAddress", Kind::Boolean),
    Property::new("DeleteOnTermination", Kind::Boolean),
    Property::new("Description", Kind::String),
    Property::new("DeviceIndex", Kind::Integer),
    Property::new("Groups", Kind::List(&Kind::String)),
    Property::new("PrivateIpAddress", Kind::String),
    Property::new("SubnetId", Kind::String),
];
const PLACEMENT: &[Property] =
    &[Property::new("AvailabilityZone", Kind::String), Property::new("Tenancy", Kind::Enum(&["default"]))];
const TAGGED: &[Property] = &[Property::new("ResourceType", Kind::String), Property::new("Tags", Kind::Tags)];
const DATA: &[Property] = &[
    Property::new("BlockDeviceMappings", Kind::List(&Kind::Object(DEVICE))),
    Property::new("DisableApiStop", Kind::Boolean),
    Property::new("DisableApiTermination", Kind::Boolean),
    Property::new("EbsOptimized", Kind::Boolean),
    Property::new("IamInstanceProfile", Kind::Object(PROFILE)),
    Property::new("ImageId", Kind::String),
    Property::new("InstanceInitiatedShutdownBehavior", Kind::Enum(&["stop", "terminate"])),
    Property::new("InstanceType", Kind::String),
    Property::new("KeyName", Kind::String),
    Property::new("MetadataOptions", Kind::Object(METADATA)),
    Property::new("Monitoring", Kind::Object(MONITORING)),
    Property::new("NetworkInterfaces", Kind::List(&Kind::Object(INTERFACE))),
    Property::new("Placement", Kind::Object(PLACEMENT)),
    Property::new("SecurityGroupIds", Kind::List(&Kind::String)),
    Property::new("SecurityGroups", Kind::List(&Kind::String)),
    Property::new("TagSpecifications", Kind::List(&Kind::Object(TAGGED))),
    Property::new("UserData", Kind::String),
];
const SCHEMA: ResourceSchema = ResourceSchema {
    type_name: "AWS::EC2::LaunchTemplate",
    properties: &[
        Property::new("LaunchTemplateData", Kind::Object(DATA)).required(),
        Property::new("LaunchTemplateName", Kind::String).replaces(),
        Property::new("TagSpecifications", Kind::List(&Kind::Object(TAGGED))).replaces(),
        Property::new("VersionDescription", Kind::String),
    ],
    attributes: &["DefaultVersionNumber", "LatestVersionNumber", "LaunchTemplateId"],
};

impl ResourceType<Api> for LaunchTemplate {
    fn schema(&self) -> &'static ResourceSchema {
        &SCHEMA
    }

    fn name_property(&self) -> Option<&'static str> {
        Some("LaunchTemplateName")
    }

    fn preflight(&self, api: &Api, properties: &Value) -> Vec<Problem> {
        let Some(data) = properties.get("LaunchTemplateData") else { return Vec::new() };
        let mut problems = Vec::new();
        // An image may also be named by an SSM parameter, which is looked up at launch.
        props::ask(data, "ImageId", &mut problems, |id| match id.starts_with("resolve:") {
            true => Ok(()),
            false => ec2_checks::image(api, id),
        });
        props::ask(data, "KeyName", &mut problems, |name| ec2_checks::key_pair(api, name));
        props::ask_each(data, "SecurityGroupIds", &mut problems, |id| ec2_checks::security_group(api, id));
        for problem in &mut problems {
            problem.path.insert(0, "LaunchTemplateData".to_owned());
        }
        for member in ["Name", "Arn"] {
            let profile =
                data.get("IamInstanceProfile").and_then(|profile| profile.get(member)).and_then(known);
            if let Some(Err(error)) = profile.map(|name| iam_checks::instance_profile(api, name)) {
                problems
                    .push(Problem::new(&["LaunchTemplateData", "IamInstanceProfile", member], error.message));
            }
        }
        problems
    }

    fn create(&self, api: &Api, wanted: &Wanted<'_>) -> Result<Made, Failure> {
        let mut tags = wanted.owner.tags(wanted.tags);
        for tagged in props::list(wanted.properties, "TagSpecifications") {
            for tag in props::list(tagged, "Tags") {
                if let (Some(key), Some(value)) = (props::text(tag, "Key"), props::text(tag, "Value")) {
                    tags.insert(key, value);
                }
            }
        }
        let input = CreateLaunchTemplateRequest {
            launch_template_name: Some(wanted.name.to_owned()),
            version_description: props::text(wanted.properties, "VersionDescription"),
            launch_template_data: Some(data(wanted.properties)?),
            tag_specifications: ec2_tags::specifications("launch-template", &tags),
            ..Default::default()
        };
        let created = api.services.ec2.create_launch_template(&api.ctx, input)?.launch_template;
        Ok(created.map(made).unwrap_or_default())
    }

    fn find(&self, api: &Api, wanted: &Wanted<'_>) -> Result<Option<Made>, Failure> {
        let filters = ec2_tags::owner_filters(wanted.owner)
            .into_iter()
            .chain([Filter {
                name: Some("launch-template-name".to_owned()),
                values: vec![wanted.name.to_owned()],
            }])
            .collect();
        let input = DescribeLaunchTemplatesRequest { filters, ..Default::default() };
        let found = api.services.ec2.describe_launch_templates(&api.ctx, input)?;
        Ok(found.launch_templates.into_iter().next().map(made))
    }

    /// Attributes change with every version.
    fn stabilize(&self, api: &Api, existing: &Existing<'_>) -> Result<Progress, Failure> {
        let ids = vec![existing.physical_id.to_owned()];
        let input = DescribeLaunchTemplatesRequest { launch_template_ids: ids, ..Default::default() };
        let found = api.services.ec2.describe_launch_templates(&api.ctx, input)?;
        let attributes = found.launch_templates.into_iter().next().map(|template| made(template).attributes);
        Ok(Progress::Ready(attributes.unwrap_or_else(Attributes::new)))
    }

    /// A changed template gets another version; the default one stays, as on AWS.
    fn update(&self, api: &Api, change: &Change<'_>) -> Result<(), Failure> {
        if change.touches("LaunchTemplateData") || change.touches("VersionDescription") {
            let input = CreateLaunchTemplateVersionRequest {
                launch_template_id: Some(change.physical_id.to_owned()),
                version_description: props::text(change.after, "VersionDescription"),
                launch_template_data: Some(data(change.after)?),
                ..Default::default()
            };
            api.services.ec2.create_launch_template_version(&api.ctx, input)?;
        }
        ec2_tags::update(api, change)
    }

    fn delete(&self, api: &Api, existing: &Existing<'_>) -> Result<(), Failure> {
        let input = DeleteLaunchTemplateRequest {
            launch_template_id: Some(existing.physical_id.to_owned()),
            ..Default::default()
        };
        let gone = ["InvalidLaunchTemplateId.NotFound", "InvalidLaunchTemplateName.NotFoundException"];
        props::absent(api.services.ec2.delete_launch_template(&api.ctx, input), &gone).map(drop)
    }
}

fn data(properties: &Value) -> Result<RequestLaunchTemplateData, Failure> {
    props::request(properties.get("LaunchTemplateData").cloned().unwrap_or_default())
}

fn made(template: Described) -> Made {
    let number = |number: Option<i64>| number.unwrap_or_default().to_string();
    let id = template.launch_template_id.unwrap_or_default();
    Made::new(id.clone())
        .with("LaunchTemplateId", id)
        .with("DefaultVersionNumber", number(template.default_version_number))
        .with("LatestVersionNumber", number(template.latest_version_number))
}
