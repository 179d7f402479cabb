//! Internet gateways.

use aws_wire::Error;
use aws_wire::ec2::{
    AttachInternetGatewayRequest, CreateInternetGatewayRequest, CreateInternetGatewayResult,
    DeleteInternetGatewayRequest, DescribeInternetGatewaysRequest, DescribeInternetGatewaysResult,
    DetachInternetGatewayRequest, InternetGateway, InternetGatewayAttachment,
};

use super::errors;
use super::request::{Query, Read, change, required, tag_set, tags_for};
use super::state::{InternetGatewayRecord, NetworkInterfaceRecord, VpcRecord};
use crate::api::filters::Field;
use crate::context::Ctx;
use crate::ids;

/// `CreateInternetGateway`
pub fn create_internet_gateway(
    ctx: &Ctx,
    input: CreateInternetGatewayRequest,
) -> Result<CreateInternetGatewayResult, Error> {
    let tags = tags_for(ctx, &input.tag_specifications, "internet-gateway", &["internet-gateway"])?;
    let region = ctx.region.to_string();
    let gateway = InternetGatewayRecord { region, id: ids::ec2("igw"), vpc_id: None, tags };
    change(ctx, input.dry_run, |tx| Ok(tx.put(gateway.clone())?))?;
    Ok(CreateInternetGatewayResult { internet_gateway: Some(to_wire(ctx, &gateway)) })
}

/// `AttachInternetGateway`
pub fn attach_internet_gateway(ctx: &Ctx, input: AttachInternetGatewayRequest) -> Result<(), Error> {
    let id = required(&input.internet_gateway_id, "internetGatewayId")?;
    let vpc_id = required(&input.vpc_id, "vpcId")?;
    change(ctx, input.dry_run, |tx| {
        let gateway = tx.need::<InternetGatewayRecord>(&ctx.region, id, errors::INTERNET_GATEWAY)?;
        tx.need::<VpcRecord>(&ctx.region, vpc_id, errors::VPC)?;
        if let Some(other) = &gateway.vpc_id {
            let message = format!("resource {id} is already attached to network {other}");
            return Err(Error::client("Resource.AlreadyAssociated", message));
        }
        let gateways = tx.list::<InternetGatewayRecord>(&ctx.region);
        if let Some(other) = gateways.iter().find(|gateway| gateway.vpc_id.as_deref() == Some(vpc_id)) {
            let message = format!("Network {vpc_id} already has an internet gateway attached: {}", other.id);
            return Err(errors::invalid_value(message));
        }
        tx.update::<InternetGatewayRecord>(&ctx.region, id, |gateway| {
            gateway.vpc_id = Some(vpc_id.to_owned())
        })?;
        Ok(())
    })
}

/// `DetachInternetGateway`
pub fn detach_internet_gateway(ctx: &Ctx, input: DetachInternetGatewayRequest) -> Result<(), Error> {
    let id = required(&input.internet_gateway_id, "internetGatewayId")?;
    let vpc_id = required(&input.vpc_id, "vpcId")?;
    change(ctx, input.dry_run, |tx| {
        let gateway = tx.need::<InternetGatewayRecord>(&ctx.region, id, errors::INTERNET_GATEWAY)?;
        if gateway.vpc_id.as_deref() != Some(vpc_id) {
            let message = format!("resource {id} is not attached to network {vpc_id}");
            return Err(Error::client("Gateway.NotAttached", message));
        }
        let interfaces = tx.list::<NetworkInterfaceRecord>(&ctx.region);
        if interfaces.iter().any(|interface| interface.vpc_id == vpc_id && interface.public_address.is_some())
        {
            let message = format!(
                "Network {vpc_id} has some mapped public address(es). Please unmap those public address(es) before detaching the gateway."
            );
            return Err(Error::client("DependencyViolation", message));
        }
        tx.update::<InternetGatewayRecord>(&ctx.region, id, |gateway| gateway.vpc_id = None)?;
        Ok(())
    })
}

/// `DeleteInternetGateway`
pub fn delete_internet_gateway(ctx: &Ctx, input: DeleteInternetGatewayRequest) -> Result<(), Error> {
    let id = required(&input.internet_gateway_id, "internetGatewayId")?;
    change(ctx, input.dry_run, |tx| {
        let gateway = tx.need::<InternetGatewayRecord>(&ctx.region, id, errors::INTERNET_GATEWAY)?;
        if gateway.vpc_id.is_some() {
            return Err(errors::INTERNET_GATEWAY.has_dependencies(id));
        }
        tx.remove::<InternetGatewayRecord>(&ctx.region, id);
        Ok(())
    })
}

const FIELDS: &[Field<InternetGatewayRecord>] = &[
    ("internet-gateway-id", |gateway, is| is(&gateway.id)),
    ("attachment.vpc-id", |gateway, is| gateway.vpc_id.as_deref().is_some_and(is)),
    ("attachment.state", |gateway, is| gateway.vpc_id.is_some() && is("available")),
];

/// `DescribeInternetGateways`
pub fn describe_internet_gateways(
    ctx: &Ctx,
    input: DescribeInternetGatewaysRequest,
) -> Result<DescribeInternetGatewaysResult, Error> {
    let query = Query {
        ids: &input.internet_gateway_ids,
        filters: &input.filters,
        fields: FIELDS,
        tags: |gateway: &InternetGatewayRecord| &gateway.tags,
        kind: errors::INTERNET_GATEWAY,
        dry_run: input.dry_run,
        max: input.max_results,
        token: input.next_token.as_deref(),
    };
    let page = query.of(ctx.cloud.store.list(&ctx.region))?;
    Ok(DescribeInternetGatewaysResult {
        internet_gateways: page.items.iter().map(|gateway| to_wire(ctx, gateway)).collect(),
        next_token: page.next,
    })
}

fn to_wire(ctx: &Ctx, gateway: &InternetGatewayRecord) -> InternetGateway {
    let attachment = |vpc_id: &String| InternetGatewayAttachment {
        state: Some("available".to_owned()),
        vpc_id: Some(vpc_id.clone()),
    };
    InternetGateway {
        internet_gateway_id: Some(gateway.id.clone()),
        owner_id: Some(ctx.account.to_string()),
        attachments: gateway.vpc_id.iter().map(attachment).collect(),
        tags: tag_set(&gateway.tags),
    }
}
