//! `AWS::EC2::InternetGateway`.

use aws_wire::ec2::{
    CreateInternetGatewayRequest, DeleteInternetGatewayRequest, DescribeInternetGatewaysRequest,
};
use cfn_template::schema::{Kind, Property, ResourceSchema};

use super::api::Api;
use super::{Change, Existing, Failure, Made, ResourceType, Wanted, ec2_tags, props};

/// The type.
pub struct InternetGateway;

const SCHEMA: ResourceSchema = ResourceSchema {
    type_name: "AWS::EC2::InternetGateway",
    properties: &[Property::new("Tags", Kind::Tags)],
    attributes: &["InternetGatewayId"],
};

impl ResourceType<Api> for InternetGateway {
    fn schema(&self) -> &'static ResourceSchema {
        &SCHEMA
    }

    fn create(&self, api: &Api, wanted: &Wanted<'_>) -> Result<Made, Failure> {
        let tags = props::tags(wanted.owner, wanted.tags, wanted.properties);
        let input = CreateInternetGatewayRequest {
            tag_specifications: ec2_tags::specifications("internet-gateway", &tags),
            ..Default::default()
        };
        let created = api.services.ec2.create_internet_gateway(&api.ctx, input)?.internet_gateway;
        Ok(made(created.and_then(|gateway| gateway.internet_gateway_id).unwrap_or_default()))
    }

    fn find(&self, api: &Api, wanted: &Wanted<'_>) -> Result<Option<Made>, Failure> {
        let filters = ec2_tags::owner_filters(wanted.owner).to_vec();
        let input = DescribeInternetGatewaysRequest { filters, ..Default::default() };
        let found = api.services.ec2.describe_internet_gateways(&api.ctx, input)?;
        Ok(found.internet_gateways.into_iter().find_map(|gateway| gateway.internet_gateway_id).map(made))
    }

    fn update(&self, api: &Api, change: &Change<'_>) -> Result<(), Failure> {
        ec2_tags::update(api, change)
    }

    fn delete(&self, api: &Api, existing: &Existing<'_>) -> Result<(), Failure> {
        let input = DeleteInternetGatewayRequest {
            internet_gateway_id: Some(existing.physical_id.to_owned()),
            ..Default::default()
        };
        let answer = api.services.ec2.delete_internet_gateway(&api.ctx, input);
        props::absent(answer, &["InvalidInternetGatewayID.NotFound"]).map(drop)
    }
}

fn made(id: String) -> Made {
    Made::new(id.clone()).with("InternetGatewayId", id)
}
