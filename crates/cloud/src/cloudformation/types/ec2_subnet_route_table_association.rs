//! `AWS::EC2::SubnetRouteTableAssociation`.

use aws_wire::ec2::{
    AssociateRouteTableRequest, DescribeRouteTablesRequest, DisassociateRouteTableRequest,
    RouteTableAssociation,
};
use cfn_template::schema::{Kind, Property, ResourceSchema};

use super::api::Api;
use super::{Change, Existing, Failure, Made, ResourceType, Wanted, props};

/// The type.
pub struct SubnetRouteTableAssociation;

const SCHEMA: ResourceSchema = ResourceSchema {
    type_name: "AWS::EC2::SubnetRouteTableAssociation",
    properties: &[
        Property::new("RouteTableId", Kind::String).required().replaces(),
        Property::new("SubnetId", Kind::String).required().replaces(),
    ],
    attributes: &["Id"],
};

impl ResourceType<Api> for SubnetRouteTableAssociation {
    fn schema(&self) -> &'static ResourceSchema {
        &SCHEMA
    }

    fn create(&self, api: &Api, wanted: &Wanted<'_>) -> Result<Made, Failure> {
        let input: AssociateRouteTableRequest = props::request(wanted.properties.clone())?;
        let created = api.services.ec2.associate_route_table(&api.ctx, input)?;
        Ok(made(created.association_id.unwrap_or_default()))
    }

    fn find(&self, api: &Api, wanted: &Wanted<'_>) -> Result<Option<Made>, Failure> {
        let ids = props::text(wanted.properties, "RouteTableId").into_iter().collect();
        let input = DescribeRouteTablesRequest { route_table_ids: ids, ..Default::default() };
        let found = api.services.ec2.describe_route_tables(&api.ctx, input)?;
        let subnet = props::text(wanted.properties, "SubnetId");
        let of_subnet = |association: &&RouteTableAssociation| association.subnet_id == subnet;
        let association = found.route_tables.iter().flat_map(|table| &table.associations).find(of_subnet);
        Ok(association.and_then(|association| association.route_table_association_id.clone()).map(made))
    }

    fn update(&self, _api: &Api, _change: &Change<'_>) -> Result<(), Failure> {
        Ok(())
    }

    fn delete(&self, api: &Api, existing: &Existing<'_>) -> Result<(), Failure> {
        let input = DisassociateRouteTableRequest {
            association_id: Some(existing.physical_id.to_owned()),
            ..Default::default()
        };
        let answer = api.services.ec2.disassociate_route_table(&api.ctx, input);
        props::absent(answer, &["InvalidAssociationID.NotFound"]).map(drop)
    }
}

fn made(id: String) -> Made {
    Made::new(id.clone()).with("Id", id)
}
