//! `AWS::EC2::VPCGatewayAttachment`.

use aws_wire::ec2::{
    AttachInternetGatewayRequest, DescribeInternetGatewaysRequest, DetachInternetGatewayRequest,
};
use cfn_template::schema::{Kind, Property, ResourceSchema};
use serde_json::Value;

use super::api::Api;
use super::{Change, Existing, Failure, Made, ResourceType, Wanted, props};

/// The type.
pub struct VpcGatewayAttachment;

const SCHEMA: ResourceSchema = ResourceSchema {
    type_name: "AWS::EC2::VPCGatewayAttachment",
    properties: &[
        Property::new("InternetGatewayId", Kind::String).required().replaces(),
        Property::new("VpcId", Kind::String).required().replaces(),
    ],
    attributes: &["AttachmentType"],
};

impl ResourceType<Api> for VpcGatewayAttachment {
    fn schema(&self) -> &'static ResourceSchema {
        &SCHEMA
    }

    fn create(&self, api: &Api, wanted: &Wanted<'_>) -> Result<Made, Failure> {
        let input = AttachInternetGatewayRequest {
            internet_gateway_id: props::text(wanted.properties, "InternetGatewayId"),
            vpc_id: props::text(wanted.properties, "VpcId"),
            ..Default::default()
        };
        api.services.ec2.attach_internet_gateway(&api.ctx, input)?;
        Ok(made(wanted.properties))
    }

    /// A gateway has one attachment at most, so one to this VPC is this one.
    fn find(&self, api: &Api, wanted: &Wanted<'_>) -> Result<Option<Made>, Failure> {
        let ids = props::text(wanted.properties, "InternetGatewayId").into_iter().collect();
        let input = DescribeInternetGatewaysRequest { internet_gateway_ids: ids, ..Default::default() };
        let found = api.services.ec2.describe_internet_gateways(&api.ctx, input)?;
        let vpc = props::text(wanted.properties, "VpcId");
        let mut attachments = found.internet_gateways.iter().flat_map(|gateway| &gateway.attachments);
        Ok(attachments.any(|attachment| attachment.vpc_id == vpc).then(|| made(wanted.properties)))
    }

    fn update(&self, _api: &Api, _change: &Change<'_>) -> Result<(), Failure> {
        Ok(())
    }

    fn delete(&self, api: &Api, existing: &Existing<'_>) -> Result<(), Failure> {
        let input = DetachInternetGatewayRequest {
            internet_gateway_id: props::text(existing.properties, "InternetGatewayId"),
            vpc_id: props::text(existing.properties, "VpcId"),
            ..Default::default()
        };
        let gone = ["Gateway.NotAttached", "InvalidInternetGatewayID.NotFound", "InvalidVpcID.NotFound"];
        props::absent(api.services.ec2.detach_internet_gateway(&api.ctx, input), &gone).map(drop)
    }
}

fn made(properties: &Value) -> Made {
    let vpc = props::text(properties, "VpcId").unwrap_or_default();
    Made::new(format!("IGW|{vpc}")).with("AttachmentType", "IGW")
}
