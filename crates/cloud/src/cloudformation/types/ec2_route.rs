//! `AWS::EC2::Route`.

use aws_wire::ec2::{
    CreateRouteRequest, DeleteRouteRequest, DescribeRouteTablesRequest, ReplaceRouteRequest,
};
use cfn_template::schema::{Kind, Property, ResourceSchema};
use serde_json::Value;

use super::api::Api;
use super::{Change, Existing, Failure, Made, ResourceType, Wanted, props};

/// The type.
pub struct Route;

const SCHEMA: ResourceSchema = ResourceSchema {
    type_name: "AWS::EC2::Route",
    properties: &[
        Property::new("DestinationCidrBlock", Kind::String).required().replaces(),
        Property::new("GatewayId", Kind::String).required(),
        Property::new("RouteTableId", Kind::String).required().replaces(),
    ],
    attributes: &["CidrBlock"],
};

impl ResourceType<Api> for Route {
    fn schema(&self) -> &'static ResourceSchema {
        &SCHEMA
    }

    fn create(&self, api: &Api, wanted: &Wanted<'_>) -> Result<Made, Failure> {
        let input: CreateRouteRequest = props::request(wanted.properties.clone())?;
        api.services.ec2.create_route(&api.ctx, input)?;
        Ok(made(wanted.properties))
    }

    fn find(&self, api: &Api, wanted: &Wanted<'_>) -> Result<Option<Made>, Failure> {
        let ids = props::text(wanted.properties, "RouteTableId").into_iter().collect();
        let input = DescribeRouteTablesRequest { route_table_ids: ids, ..Default::default() };
        let found = api.services.ec2.describe_route_tables(&api.ctx, input)?;
        let (destination, gateway) = (
            props::text(wanted.properties, "DestinationCidrBlock"),
            props::text(wanted.properties, "GatewayId"),
        );
        let mut routes = found.route_tables.iter().flat_map(|table| &table.routes);
        let same =
            routes.any(|route| route.destination_cidr_block == destination && route.gateway_id == gateway);
        Ok(same.then(|| made(wanted.properties)))
    }

    fn update(&self, api: &Api, change: &Change<'_>) -> Result<(), Failure> {
        if !change.touches("GatewayId") {
            return Ok(());
        }
        let input: ReplaceRouteRequest = props::request(change.after.clone())?;
        Ok(api.services.ec2.replace_route(&api.ctx, input)?)
    }

    fn delete(&self, api: &Api, existing: &Existing<'_>) -> Result<(), Failure> {
        let input = DeleteRouteRequest {
            route_table_id: props::text(existing.properties, "RouteTableId"),
            destination_cidr_block: props::text(existing.properties, "DestinationCidrBlock"),
            ..Default::default()
        };
        let gone = ["InvalidRoute.NotFound", "InvalidRouteTableID.NotFound"];
        props::absent(api.services.ec2.delete_route(&api.ctx, input), &gone).map(drop)
    }
}

fn made(properties: &Value) -> Made {
    let table = props::text(properties, "RouteTableId").unwrap_or_default();
    let destination = props::text(properties, "DestinationCidrBlock").unwrap_or_default();
    Made::new(format!("{table}|{destination}")).with("CidrBlock", destination)
}
