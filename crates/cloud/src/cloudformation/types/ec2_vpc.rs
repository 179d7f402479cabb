//! `AWS::EC2::VPC`.

use aws_wire::ec2::{
    AttributeBooleanValue, CreateVpcRequest, DeleteVpcRequest, DescribeSecurityGroupsRequest,
    DescribeVpcsRequest, Filter, ModifyVpcAttributeRequest,
};
use cfn_template::schema::{Kind, Property, ResourceSchema};
use serde_json::Value;

use super::api::Api;
use super::{Change, Existing, Failure, Made, Progress, ResourceType, Wanted, ec2_tags, props};

/// The type.
pub struct Vpc;

const SCHEMA: ResourceSchema = ResourceSchema {
    type_name: "AWS::EC2::VPC",
    properties: &[
        Property::new("CidrBlock", Kind::String).required().replaces(),
        Property::new("EnableDnsHostnames", Kind::Boolean),
        Property::new("EnableDnsSupport", Kind::Boolean),
        Property::new("InstanceTenancy", Kind::Enum(&["default"])).replaces(),
        Property::new("Tags", Kind::Tags),
    ],
    attributes: &["CidrBlock", "DefaultSecurityGroup", "VpcId"],
};

impl ResourceType<Api> for Vpc {
    fn schema(&self) -> &'static ResourceSchema {
        &SCHEMA
    }

    fn create(&self, api: &Api, wanted: &Wanted<'_>) -> Result<Made, Failure> {
        let tags = props::tags(wanted.owner, wanted.tags, wanted.properties);
        let input = CreateVpcRequest {
            cidr_block: props::text(wanted.properties, "CidrBlock"),
            tag_specifications: ec2_tags::specifications("vpc", &tags),
            ..Default::default()
        };
        let created = api.services.ec2.create_vpc(&api.ctx, input)?.vpc;
        Ok(Made::new(created.and_then(|vpc| vpc.vpc_id).unwrap_or_default()))
    }

    fn complete(&self, api: &Api, physical_id: &str, wanted: &Wanted<'_>) -> Result<(), Failure> {
        set_dns(api, physical_id, wanted.properties)
    }

    fn find(&self, api: &Api, wanted: &Wanted<'_>) -> Result<Option<Made>, Failure> {
        let filters = ec2_tags::owner_filters(wanted.owner).to_vec();
        let found = api
            .services
            .ec2
            .describe_vpcs(&api.ctx, DescribeVpcsRequest { filters, ..Default::default() })?;
        Ok(found.vpcs.into_iter().find_map(|vpc| vpc.vpc_id).map(Made::new))
    }

    fn stabilize(&self, api: &Api, existing: &Existing<'_>) -> Result<Progress, Failure> {
        let filter =
            |name: &str, value: &str| Filter { name: Some(name.to_owned()), values: vec![value.to_owned()] };
        let filters = vec![filter("vpc-id", existing.physical_id), filter("group-name", "default")];
        let input = DescribeSecurityGroupsRequest { filters, ..Default::default() };
        let groups = api.services.ec2.describe_security_groups(&api.ctx, input)?.security_groups;
        let group = groups.into_iter().find_map(|group| group.group_id).unwrap_or_default();
        let made = Made::new(existing.physical_id)
            .with("VpcId", existing.physical_id)
            .with("CidrBlock", existing.properties.get("CidrBlock").cloned().unwrap_or_default())
            .with("DefaultSecurityGroup", group);
        Ok(Progress::Ready(made.attributes))
    }

    fn update(&self, api: &Api, change: &Change<'_>) -> Result<(), Failure> {
        set_dns(api, change.physical_id, change.after)?;
        ec2_tags::update(api, change)
    }

    fn delete(&self, api: &Api, existing: &Existing<'_>) -> Result<(), Failure> {
        let input = DeleteVpcRequest { vpc_id: Some(existing.physical_id.to_owned()), ..Default::default() };
        props::absent(api.services.ec2.delete_vpc(&api.ctx, input), &["InvalidVpcID.NotFound"]).map(drop)
    }
}

/// One attribute a call, as EC2 wants it. EC2's defaults are support without host names.
fn set_dns(api: &Api, id: &str, properties: &Value) -> Result<(), Failure> {
    let value = |name, default| {
        Some(AttributeBooleanValue { value: Some(props::boolean(properties, name).unwrap_or(default)) })
    };
    let vpc_id = Some(id.to_owned());
    let support = ModifyVpcAttributeRequest {
        vpc_id: vpc_id.clone(),
        enable_dns_support: value("EnableDnsSupport", true),
        ..Default::default()
    };
    let host_names = ModifyVpcAttributeRequest {
        vpc_id,
        enable_dns_hostnames: value("EnableDnsHostnames", false),
        ..Default::default()
    };
    // Host names take support, so support comes first when it is switched on.
    api.services.ec2.modify_vpc_attribute(&api.ctx, support)?;
    Ok(api.services.ec2.modify_vpc_attribute(&api.ctx, host_names)?)
}
