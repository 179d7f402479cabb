//! Route tables, their routes and associations.

use aws_wire::Error;
use aws_wire::ec2::{
    AssociateRouteTableRequest, AssociateRouteTableResult, CreateRouteRequest, CreateRouteResult,
    CreateRouteTableRequest, CreateRouteTableResult, DeleteRouteRequest, DeleteRouteTableRequest,
    DescribeRouteTablesRequest, DescribeRouteTablesResult, DisassociateRouteTableRequest,
    ReplaceRouteRequest, ReplaceRouteTableAssociationRequest, ReplaceRouteTableAssociationResult,
    Route as WireRoute, RouteTable, RouteTableAssociation, RouteTableAssociationState,
};
use ipnet::Ipv4Net;

use super::request::{Query, Read, change, only_supported, required, tag_set, tags_for, truth};
use super::state::{
    InternetGatewayRecord, Route, RouteAssociation, RouteTableRecord, RouteTarget, SubnetRecord, VpcRecord,
};
use super::{errors, vpcs};
use crate::api::filters::Field;
use crate::context::Ctx;
use crate::ids;
use crate::store::Tx;

/// `CreateRouteTable`
pub fn create_route_table(
    ctx: &Ctx,
    input: CreateRouteTableRequest,
) -> Result<CreateRouteTableResult, Error> {
    let vpc_id = required(&input.vpc_id, "vpcId")?;
    let tags = tags_for(ctx, &input.tag_specifications, "route-table", &["route-table"])?;
    let table = change(ctx, input.dry_run, |tx| {
        let vpc = tx.need::<VpcRecord>(&ctx.region, vpc_id, errors::VPC)?;
        let table = RouteTableRecord {
            region: ctx.region.to_string(),
            id: ids::ec2("rtb"),
            vpc_id: vpc_id.to_owned(),
            routes: vec![Route { destination: vpc.cidr, target: RouteTarget::Local }],
            associations: Vec::new(),
            tags,
        };
        tx.put(table.clone())?;
        Ok(table)
    })?;
    Ok(CreateRouteTableResult { route_table: Some(to_wire(ctx, &table)), ..Default::default() })
}

/// `DeleteRouteTable`
pub fn delete_route_table(ctx: &Ctx, input: DeleteRouteTableRequest) -> Result<(), Error> {
    let id = required(&input.route_table_id, "routeTableId")?;
    change(ctx, input.dry_run, |tx| {
        let table = need(tx, ctx, id)?;
        if !table.associations.is_empty() {
            return Err(errors::ROUTE_TABLE.has_dependencies(id));
        }
        tx.remove::<RouteTableRecord>(&ctx.region, id);
        Ok(())
    })
}

/// `AssociateRouteTable`
pub fn associate_route_table(
    ctx: &Ctx,
    input: AssociateRouteTableRequest,
) -> Result<AssociateRouteTableResult, Error> {
    if input.gateway_id.is_some() {
        return Err(errors::unsupported("An association of a route table with a gateway"));
    }
    let id = required(&input.route_table_id, "routeTableId")?;
    let subnet_id = required(&input.subnet_id, "subnetId")?;
    let association_id = change(ctx, input.dry_run, |tx| {
        let table = need(tx, ctx, id)?;
        let subnet = tx.need::<SubnetRecord>(&ctx.region, subnet_id, errors::SUBNET)?;
        same_network(&table, &subnet)?;
        // Associating again with the same table is no error on EC2, with another it is.
        if let Some(existing) = association_of(&table, subnet_id) {
            return Ok(existing.id.clone());
        }
        if let Some(other) =
            tx.list::<RouteTableRecord>(&ctx.region).iter().find(|table| table.is_for(subnet_id))
        {
            let existing = association_of(other, subnet_id).map(|a| a.id.as_str()).unwrap_or_default();
            let message = format!(
                "the specified association for route table {id} conflicts with an existing association: {existing}"
            );
            return Err(Error::client("Resource.AlreadyAssociated", message));
        }
        let association =
            RouteAssociation { id: ids::ec2("rtbassoc"), subnet_id: Some(subnet_id.to_owned()) };
        let association_id = association.id.clone();
        tx.update::<RouteTableRecord>(&ctx.region, id, |table| table.associations.push(association))?;
        Ok(association_id)
    })?;
    Ok(AssociateRouteTableResult {
        association_id: Some(association_id),
        association_state: Some(associated()),
    })
}

fn association_of<'a>(table: &'a RouteTableRecord, subnet_id: &str) -> Option<&'a RouteAssociation> {
    table.associations.iter().find(|association| association.subnet_id.as_deref() == Some(subnet_id))
}

fn same_network(table: &RouteTableRecord, subnet: &SubnetRecord) -> Result<(), Error> {
    if table.vpc_id != subnet.vpc_id {
        let message =
            format!("Route table {} and subnet {} belong to different networks", table.id, subnet.id);
        return Err(errors::invalid_value(message));
    }
    Ok(())
}

fn need(tx: &Tx<'_>, ctx: &Ctx, id: &str) -> Result<std::sync::Arc<RouteTableRecord>, Error> {
    tx.need::<RouteTableRecord>(&ctx.region, id, errors::ROUTE_TABLE)
}

/// `DisassociateRouteTable`
pub fn disassociate_route_table(ctx: &Ctx, input: DisassociateRouteTableRequest) -> Result<(), Error> {
    let id = required(&input.association_id, "associationId")?;
    change(ctx, input.dry_run, |tx| {
        let (table, association) = find_association(tx, ctx, id)?;
        if association.subnet_id.is_none() {
            let message = format!("cannot disassociate the main route table association {id}");
            return Err(errors::invalid_value(message));
        }
        tx.update::<RouteTableRecord>(&ctx.region, &table, |table| {
            table.associations.retain(|a| a.id != id)
        })?;
        Ok(())
    })
}

fn find_association(tx: &Tx<'_>, ctx: &Ctx, id: &str) -> Result<(String, RouteAssociation), Error> {
    tx.list::<RouteTableRecord>(&ctx.region)
        .iter()
        .find_map(|table| {
            let association = table.associations.iter().find(|association| association.id == id)?;
            Some((table.id.clone(), association.clone()))
        })
        .ok_or_else(|| errors::ASSOCIATION.not_found(id))
}

/// `ReplaceRouteTableAssociation`: of a subnet, or of the VPC's main table.
pub fn replace_route_table_association(
    ctx: &Ctx,
    input: ReplaceRouteTableAssociationRequest,
) -> Result<ReplaceRouteTableAssociationResult, Error> {
    let id = required(&input.association_id, "associationId")?;
    let table_id = required(&input.route_table_id, "routeTableId")?;
    let new_id = change(ctx, input.dry_run, |tx| {
        let (old_table, association) = find_association(tx, ctx, id)?;
        let table = need(tx, ctx, table_id)?;
        if need(tx, ctx, &old_table)?.vpc_id != table.vpc_id {
            let message = format!("Route tables {old_table} and {table_id} belong to different networks");
            return Err(errors::invalid_value(message));
        }
        let moved = RouteAssociation { id: ids::ec2("rtbassoc"), ..association };
        let new_id = moved.id.clone();
        tx.update::<RouteTableRecord>(&ctx.region, &old_table, |table| {
            table.associations.retain(|a| a.id != id)
        })?;
        tx.update::<RouteTableRecord>(&ctx.region, table_id, |table| table.associations.push(moved))?;
        Ok(new_id)
    })?;
    Ok(ReplaceRouteTableAssociationResult {
        new_association_id: Some(new_id),
        association_state: Some(associated()),
    })
}

fn associated() -> RouteTableAssociationState {
    RouteTableAssociationState { state: Some("associated".to_owned()), ..Default::default() }
}

/// Where a route leads: what `CreateRoute` and `ReplaceRoute` have in common.
struct RouteSpecification<'a> {
    destination: Option<&'a str>,
    gateway_id: Option<&'a str>,
}

impl RouteSpecification<'_> {
    fn resolve(&self, tx: &Tx<'_>, ctx: &Ctx, table: &RouteTableRecord) -> Result<Route, Error> {
        let destination = vpcs::parse_cidr(
            self.destination.ok_or_else(|| errors::missing("destinationCidrBlock"))?,
            "destinationCidrBlock",
        )?;
        let target = match self.gateway_id.ok_or_else(|| errors::missing("gatewayId"))? {
            "local" => RouteTarget::Local,
            id if id.starts_with("igw-") => {
                let gateway = tx.get::<InternetGatewayRecord>(&ctx.region, id).ok_or_else(|| {
                    Error::client(
                        "InvalidGatewayID.NotFound",
                        format!("The gateway ID '{id}' does not exist"),
                    )
                })?;
                if gateway.vpc_id.as_deref() != Some(table.vpc_id.as_str()) {
                    let message = format!(
                        "route table {} and network gateway {id} belong to different networks",
                        table.id
                    );
                    return Err(errors::invalid_value(message));
                }
                RouteTarget::InternetGateway(id.to_owned())
            }
            other => return Err(errors::unsupported(&format!("A route through {other}"))),
        };
        Ok(Route { destination, target })
    }
}

/// `CreateRoute`
pub fn create_route(ctx: &Ctx, input: CreateRouteRequest) -> Result<CreateRouteResult, Error> {
    only_supported(&input, "CreateRoute", &["DryRun", "RouteTableId", "DestinationCidrBlock", "GatewayId"])?;
    let id = required(&input.route_table_id, "routeTableId")?;
    let specification = RouteSpecification {
        destination: input.destination_cidr_block.as_deref(),
        gateway_id: input.gateway_id.as_deref(),
    };
    change(ctx, input.dry_run, |tx| {
        let table = need(tx, ctx, id)?;
        let route = specification.resolve(tx, ctx, &table)?;
        if let Some(existing) = table.routes.iter().find(|r| r.destination == route.destination) {
            // EC2 takes the very same route again.
            if *existing == route {
                return Ok(());
            }
            let message = format!("The route identified by {} already exists.", route.destination);
            return Err(Error::client("RouteAlreadyExists", message));
        }
        tx.update::<RouteTableRecord>(&ctx.region, id, |table| table.routes.push(route))?;
        Ok(())
    })?;
    Ok(CreateRouteResult { return_: Some(true) })
}

/// `ReplaceRoute`
pub fn replace_route(ctx: &Ctx, input: ReplaceRouteRequest) -> Result<(), Error> {
    const SUPPORTED: &[&str] =
        &["DryRun", "RouteTableId", "DestinationCidrBlock", "GatewayId", "LocalTarget"];
    only_supported(&input, "ReplaceRoute", SUPPORTED)?;
    let id = required(&input.route_table_id, "routeTableId")?;
    let specification = RouteSpecification {
        destination: input.destination_cidr_block.as_deref(),
        gateway_id: if input.local_target == Some(true) {
            Some("local")
        } else {
            input.gateway_id.as_deref()
        },
    };
    change(ctx, input.dry_run, |tx| {
        let table = need(tx, ctx, id)?;
        let route = specification.resolve(tx, ctx, &table)?;
        if !table.routes.iter().any(|r| r.destination == route.destination) {
            return Err(route_not_found(route.destination, id));
        }
        tx.update::<RouteTableRecord>(&ctx.region, id, |table| {
            for existing in table.routes.iter_mut().filter(|r| r.destination == route.destination) {
                existing.target = route.target.clone();
            }
        })?;
        Ok(())
    })
}

/// `DeleteRoute`
pub fn delete_route(ctx: &Ctx, input: DeleteRouteRequest) -> Result<(), Error> {
    let id = required(&input.route_table_id, "routeTableId")?;
    let destination = vpcs::parse_cidr(
        required(&input.destination_cidr_block, "destinationCidrBlock")?,
        "destinationCidrBlock",
    )?;
    change(ctx, input.dry_run, |tx| {
        let table = need(tx, ctx, id)?;
        match table.routes.iter().find(|route| route.destination == destination) {
            None => return Err(route_not_found(destination, id)),
            Some(Route { target: RouteTarget::Local, .. }) => {
                let message = format!("cannot remove local route {destination} in route table {id}");
                return Err(errors::invalid_value(message));
            }
            Some(_) => {}
        }
        tx.update::<RouteTableRecord>(&ctx.region, id, |t| {
            t.routes.retain(|r| r.destination != destination)
        })?;
        Ok(())
    })
}

fn route_not_found(destination: Ipv4Net, table: &str) -> Error {
    let message = format!("no route with destination-cidr-block {destination} in route table {table}");
    Error::client("InvalidRoute.NotFound", message)
}

const FIELDS: &[Field<RouteTableRecord>] = &[
    ("route-table-id", |table, is| is(&table.id)),
    ("vpc-id", |table, is| is(&table.vpc_id)),
    ("association.main", |table, is| table.associations.iter().any(|a| is(truth(a.subnet_id.is_none())))),
    ("association.route-table-association-id", |table, is| table.associations.iter().any(|a| is(&a.id))),
    ("association.route-table-id", |table, is| !table.associations.is_empty() && is(&table.id)),
    ("association.subnet-id", |table, is| {
        table.associations.iter().any(|a| a.subnet_id.as_deref().is_some_and(is))
    }),
    ("route.destination-cidr-block", |table, is| table.routes.iter().any(|r| is(&r.destination.to_string()))),
    ("route.gateway-id", |table, is| table.routes.iter().any(|r| is(gateway_id(&r.target)))),
    ("route.origin", |table, is| table.routes.iter().any(|r| is(origin(&r.target)))),
];

fn gateway_id(target: &RouteTarget) -> &str {
    match target {
        RouteTarget::Local => "local",
        RouteTarget::InternetGateway(id) => id,
    }
}

fn origin(target: &RouteTarget) -> &'static str {
    match target {
        RouteTarget::Local => "CreateRouteTable",
        RouteTarget::InternetGateway(_) => "CreateRoute",
    }
}

/// `DescribeRouteTables`
pub fn describe_route_tables(
    ctx: &Ctx,
    input: DescribeRouteTablesRequest,
) -> Result<DescribeRouteTablesResult, Error> {
    let query = Query {
        ids: &input.route_table_ids,
        filters: &input.filters,
        fields: FIELDS,
        tags: |table: &RouteTableRecord| &table.tags,
        kind: errors::ROUTE_TABLE,
        dry_run: input.dry_run,
        max: input.max_results,
        token: input.next_token.as_deref(),
    };
    let page = query.of(ctx.cloud.store.list(&ctx.region))?;
    Ok(DescribeRouteTablesResult {
        route_tables: page.items.iter().map(|table| to_wire(ctx, table)).collect(),
        next_token: page.next,
    })
}

fn to_wire(ctx: &Ctx, table: &RouteTableRecord) -> RouteTable {
    let association = |association: &RouteAssociation| RouteTableAssociation {
        main: Some(association.subnet_id.is_none()),
        route_table_association_id: Some(association.id.clone()),
        route_table_id: Some(table.id.clone()),
        subnet_id: association.subnet_id.clone(),
        association_state: Some(associated()),
        ..RouteTableAssociation::default()
    };
    let route = |route: &Route| WireRoute {
        destination_cidr_block: Some(route.destination.to_string()),
        gateway_id: Some(gateway_id(&route.target).to_owned()),
        origin: Some(origin(&route.target).to_owned()),
        state: Some(if is_active(ctx, table, &route.target) { "active" } else { "blackhole" }.to_owned()),
        ..WireRoute::default()
    };
    RouteTable {
        route_table_id: Some(table.id.clone()),
        vpc_id: Some(table.vpc_id.clone()),
        owner_id: Some(ctx.account.to_string()),
        associations: table.associations.iter().map(association).collect(),
        routes: table.routes.iter().map(route).collect(),
        tags: tag_set(&table.tags),
        ..RouteTable::default()
    }
}

fn is_active(ctx: &Ctx, table: &RouteTableRecord, target: &RouteTarget) -> bool {
    match target {
        RouteTarget::Local => true,
        RouteTarget::InternetGateway(id) => ctx
            .cloud
            .store
            .get::<InternetGatewayRecord>(&ctx.region, id)
            .is_some_and(|gateway| gateway.vpc_id.as_deref() == Some(table.vpc_id.as_str())),
    }
}
