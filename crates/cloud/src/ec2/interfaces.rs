//! Network interfaces. They come and go with instances.

use std::sync::Arc;

use aws_wire::Error;
use aws_wire::ec2::{
    DescribeNetworkInterfacesRequest, DescribeNetworkInterfacesResult, GroupIdentifier, NetworkInterface,
    NetworkInterfaceAssociation, NetworkInterfaceAttachment, NetworkInterfacePrivateIpAddress,
};

use super::request::{Query, tag_set, truth};
use super::state::{NetworkInterfaceRecord, SecurityGroupRecord, private_dns_name};
use super::{errors, regions};
use crate::api::filters::Field;
use crate::context::Ctx;

const FIELDS: &[Field<NetworkInterfaceRecord>] = &[
    ("network-interface-id", |i, is| is(&i.id)),
    ("vpc-id", |i, is| is(&i.vpc_id)),
    ("subnet-id", |i, is| is(&i.subnet_id)),
    ("availability-zone", |i, is| is(&i.zone)),
    ("description", |i, is| is(&i.description)),
    ("group-id", |i, is| i.groups.iter().any(|group| is(group))),
    ("mac-address", |i, is| is(&i.mac)),
    ("private-ip-address", |i, is| is(&i.private_address.to_string())),
    ("addresses.private-ip-address", |i, is| is(&i.private_address.to_string())),
    ("private-dns-name", |i, is| is(&private_dns_name(i.private_address, &i.region))),
    ("association.public-ip", |i, is| i.public_address.is_some_and(|address| is(&address.to_string()))),
    ("addresses.association.public-ip", |i, is| i.public_address.is_some_and(|a| is(&a.to_string()))),
    ("attachment.instance-id", |i, is| i.attachment.as_ref().is_some_and(|a| is(&a.instance_id))),
    ("attachment.attachment-id", |i, is| i.attachment.as_ref().is_some_and(|a| is(&a.id))),
    ("attachment.device-index", |i, is| i.attachment.is_some() && is("0")),
    ("attachment.status", |i, is| i.attachment.is_some() && is("attached")),
    ("attachment.delete-on-termination", |i, is| {
        i.attachment.as_ref().is_some_and(|a| is(truth(a.delete_on_termination)))
    }),
    ("source-dest-check", |i, is| is(truth(i.source_dest_check))),
    ("status", |i, is| is(status(i))),
    ("interface-type", |_, is| is("interface")),
    ("requester-managed", |_, is| is("false")),
];

fn status(interface: &NetworkInterfaceRecord) -> &'static str {
    if interface.attachment.is_some() { "in-use" } else { "available" }
}

/// `DescribeNetworkInterfaces`
pub fn describe_network_interfaces(
    ctx: &Ctx,
    input: DescribeNetworkInterfacesRequest,
) -> Result<DescribeNetworkInterfacesResult, Error> {
    let query = Query {
        ids: &input.network_interface_ids,
        filters: &input.filters,
        fields: FIELDS,
        tags: |interface: &NetworkInterfaceRecord| &interface.tags,
        kind: errors::NETWORK_INTERFACE,
        dry_run: input.dry_run,
        max: input.max_results,
        token: input.next_token.as_deref(),
    };
    let page = query.of(ctx.cloud.store.list(&ctx.region))?;
    Ok(DescribeNetworkInterfacesResult {
        network_interfaces: page.items.iter().map(|interface| to_wire(ctx, interface)).collect(),
        next_token: page.next,
    })
}

fn to_wire(ctx: &Ctx, interface: &Arc<NetworkInterfaceRecord>) -> NetworkInterface {
    let association = interface.public_address.map(|address| NetworkInterfaceAssociation {
        ip_owner_id: Some("amazon".to_owned()),
        public_dns_name: Some(address.to_string()),
        public_ip: Some(address.to_string()),
        ..NetworkInterfaceAssociation::default()
    });
    let attachment = interface.attachment.as_ref().map(|attachment| NetworkInterfaceAttachment {
        attachment_id: Some(attachment.id.clone()),
        attach_time: Some(attachment.attach_time),
        delete_on_termination: Some(attachment.delete_on_termination),
        device_index: Some(0),
        network_card_index: Some(0),
        instance_id: Some(attachment.instance_id.clone()),
        instance_owner_id: Some(ctx.account.to_string()),
        status: Some("attached".to_owned()),
        ..NetworkInterfaceAttachment::default()
    });
    let group = |id: &String| GroupIdentifier {
        group_id: Some(id.clone()),
        group_name: ctx
            .cloud
            .store
            .get::<SecurityGroupRecord>(&ctx.region, id)
            .map(|group| group.name.clone()),
    };
    let private_ip_address = Some(interface.private_address.to_string());
    let private_dns_name = Some(private_dns_name(interface.private_address, &interface.region));
    NetworkInterface {
        network_interface_id: Some(interface.id.clone()),
        owner_id: Some(ctx.account.to_string()),
        vpc_id: Some(interface.vpc_id.clone()),
        subnet_id: Some(interface.subnet_id.clone()),
        availability_zone: Some(interface.zone.clone()),
        availability_zone_id: regions::zone_id(&interface.zone),
        description: Some(interface.description.clone()),
        groups: interface.groups.iter().map(group).collect(),
        interface_type: Some("interface".to_owned()),
        mac_address: Some(interface.mac.clone()),
        private_ip_addresses: vec![NetworkInterfacePrivateIpAddress {
            association: association.clone(),
            primary: Some(true),
            private_dns_name: private_dns_name.clone(),
            private_ip_address: private_ip_address.clone(),
        }],
        association,
        attachment,
        private_dns_name,
        private_ip_address,
        requester_managed: Some(false),
        source_dest_check: Some(interface.source_dest_check),
        status: Some(status(interface).to_owned()),
        tag_set: tag_set(&interface.tags),
        ..NetworkInterface::default()
    }
}
