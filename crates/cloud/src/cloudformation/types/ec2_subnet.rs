//! `AWS::EC2::Subnet`.

use aws_wire::ec2::{
    AttributeBooleanValue, CreateSubnetRequest, DeleteSubnetRequest, DescribeSubnetsRequest,
    ModifySubnetAttributeRequest,
};
use cfn_template::schema::{Kind, Property, ResourceSchema};
use serde_json::Value;

use super::api::Api;
use super::{
    Change, Existing, Failure, Made, Problem, Progress, ResourceType, Wanted, ec2_checks, ec2_tags, props,
};

/// The type.
pub struct Subnet;

const SCHEMA: ResourceSchema = ResourceSchema {
    type_name: "AWS::EC2::Subnet",
    properties: &[
        Property::new("AvailabilityZone", Kind::String).replaces(),
        Property::new("CidrBlock", Kind::String).required().replaces(),
        Property::new("MapPublicIpOnLaunch", Kind::Boolean),
        Property::new("Tags", Kind::Tags),
        Property::new("VpcId", Kind::String).required().replaces(),
    ],
    attributes: &["AvailabilityZone", "CidrBlock", "SubnetId", "VpcId"],
};

impl ResourceType<Api> for Subnet {
    fn schema(&self) -> &'static ResourceSchema {
        &SCHEMA
    }

    fn preflight(&self, api: &Api, properties: &Value) -> Vec<Problem> {
        let mut problems = Vec::new();
        props::ask(properties, "VpcId", &mut problems, |id| ec2_checks::vpc(api, id));
        problems
    }

    fn create(&self, api: &Api, wanted: &Wanted<'_>) -> Result<Made, Failure> {
        let tags = props::tags(wanted.owner, wanted.tags, wanted.properties);
        let input = CreateSubnetRequest {
            vpc_id: props::text(wanted.properties, "VpcId"),
            cidr_block: props::text(wanted.properties, "CidrBlock"),
            availability_zone: props::text(wanted.properties, "AvailabilityZone"),
            tag_specifications: ec2_tags::specifications("subnet", &tags),
            ..Default::default()
        };
        let created = api.services.ec2.create_subnet(&api.ctx, input)?.subnet;
        Ok(Made::new(created.and_then(|subnet| subnet.subnet_id).unwrap_or_default()))
    }

    fn complete(&self, api: &Api, physical_id: &str, wanted: &Wanted<'_>) -> Result<(), Failure> {
        set_public(api, physical_id, wanted.properties)
    }

    fn find(&self, api: &Api, wanted: &Wanted<'_>) -> Result<Option<Made>, Failure> {
        let filters = ec2_tags::owner_filters(wanted.owner).to_vec();
        let input = DescribeSubnetsRequest { filters, ..Default::default() };
        let found = api.services.ec2.describe_subnets(&api.ctx, input)?;
        Ok(found.subnets.into_iter().find_map(|subnet| subnet.subnet_id).map(Made::new))
    }

    fn stabilize(&self, api: &Api, existing: &Existing<'_>) -> Result<Progress, Failure> {
        let ids = vec![existing.physical_id.to_owned()];
        let input = DescribeSubnetsRequest { subnet_ids: ids, ..Default::default() };
        let found = api.services.ec2.describe_subnets(&api.ctx, input)?;
        let subnet = found.subnets.into_iter().next().unwrap_or_default();
        let made = Made::new(existing.physical_id)
            .with("SubnetId", existing.physical_id)
            .with("AvailabilityZone", subnet.availability_zone.unwrap_or_default())
            .with("CidrBlock", subnet.cidr_block.unwrap_or_default())
            .with("VpcId", subnet.vpc_id.unwrap_or_default());
        Ok(Progress::Ready(made.attributes))
    }

    fn update(&self, api: &Api, change: &Change<'_>) -> Result<(), Failure> {
        set_public(api, change.physical_id, change.after)?;
        ec2_tags::update(api, change)
    }

    fn delete(&self, api: &Api, existing: &Existing<'_>) -> Result<(), Failure> {
        let input =
            DeleteSubnetRequest { subnet_id: Some(existing.physical_id.to_owned()), ..Default::default() };
        props::absent(api.services.ec2.delete_subnet(&api.ctx, input), &["InvalidSubnetID.NotFound"])
            .map(drop)
    }
}

fn set_public(api: &Api, id: &str, properties: &Value) -> Result<(), Failure> {
    let value = props::boolean(properties, "MapPublicIpOnLaunch").unwrap_or_default();
    let input = ModifySubnetAttributeRequest {
        subnet_id: Some(id.to_owned()),
        map_public_ip_on_launch: Some(AttributeBooleanValue { value: Some(value) }),
        ..Default::default()
    };
    Ok(api.services.ec2.modify_subnet_attribute(&api.ctx, input)?)
}
