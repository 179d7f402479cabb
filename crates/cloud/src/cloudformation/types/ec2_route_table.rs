//! `AWS::EC2::RouteTable`.

use aws_wire::ec2::{CreateRouteTableRequest, DeleteRouteTableRequest, DescribeRouteTablesRequest};
use cfn_template::schema::{Kind, Property, ResourceSchema};
use serde_json::Value;

use super::api::Api;
use super::{Change, Existing, Failure, Made, Problem, ResourceType, Wanted, ec2_checks, ec2_tags, props};

/// The type.
pub struct RouteTable;

const SCHEMA: ResourceSchema = ResourceSchema {
    type_name: "AWS::EC2::RouteTable",
    properties: &[
        Property::new("Tags", Kind::Tags),
        Property::new("VpcId", Kind::String).required().replaces(),
    ],
    attributes: &["RouteTableId"],
};

impl ResourceType<Api> for RouteTable {
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
        let input = CreateRouteTableRequest {
            vpc_id: props::text(wanted.properties, "VpcId"),
            tag_specifications: ec2_tags::specifications("route-table", &tags),
            ..Default::default()
        };
        let created = api.services.ec2.create_route_table(&api.ctx, input)?.route_table;
        Ok(made(created.and_then(|table| table.route_table_id).unwrap_or_default()))
    }

    fn find(&self, api: &Api, wanted: &Wanted<'_>) -> Result<Option<Made>, Failure> {
        let filters = ec2_tags::owner_filters(wanted.owner).to_vec();
        let input = DescribeRouteTablesRequest { filters, ..Default::default() };
        let found = api.services.ec2.describe_route_tables(&api.ctx, input)?;
        Ok(found.route_tables.into_iter().find_map(|table| table.route_table_id).map(made))
    }

    fn update(&self, api: &Api, change: &Change<'_>) -> Result<(), Failure> {
        ec2_tags::update(api, change)
    }

    fn delete(&self, api: &Api, existing: &Existing<'_>) -> Result<(), Failure> {
        let input = DeleteRouteTableRequest {
            route_table_id: Some(existing.physical_id.to_owned()),
            ..Default::default()
        };
        let answer = api.services.ec2.delete_route_table(&api.ctx, input);
        props::absent(answer, &["InvalidRouteTableID.NotFound"]).map(drop)
    }
}

fn made(id: String) -> Made {
    Made::new(id.clone()).with("RouteTableId", id)
}
