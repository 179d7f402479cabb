//! `DescribeInstances`

use std::sync::Arc;

use aws_wire::Error;
use aws_wire::ec2::{
    DescribeInstancesRequest, DescribeInstancesResult, EbsInstanceBlockDevice, GroupIdentifier,
    IamInstanceProfile, Instance, InstanceBlockDeviceMapping, InstanceMetadataOptionsResponse,
    InstanceNetworkInterface, InstanceNetworkInterfaceAssociation, InstanceNetworkInterfaceAttachment,
    InstancePrivateIpAddress, InstanceState as WireState, Monitoring, Placement, Reservation, StateReason,
};

use crate::api::filters::Field;
use crate::api::paging::Limits;
use crate::context::Ctx;
use crate::ec2::request::{by_ids, page, select, stop_dry_run, tag_set, truth};
use crate::ec2::state::{
    InstanceRecord, InstanceState, MetadataOptions, NetworkInterfaceRecord, SecurityGroupRecord,
    VolumeRecord, VpcRecord,
};
use crate::ec2::{errors, regions};
use crate::store::Record;

/// An instance and what belongs to it, as filters see it.
pub(super) struct Row {
    pub instance: Arc<InstanceRecord>,
    pub interface: Option<Arc<NetworkInterfaceRecord>>,
    pub volumes: Vec<Arc<VolumeRecord>>,
    pub group_names: Vec<String>,
}

impl Row {
    fn public_address(&self) -> Option<String> {
        self.interface.as_ref()?.public_address.map(|address| address.to_string())
    }

    fn has_group(&self, is: &dyn Fn(&str) -> bool) -> bool {
        self.interface.as_ref().is_some_and(|interface| interface.groups.iter().any(|group| is(group)))
    }

    fn any_volume(&self, test: impl Fn(&VolumeRecord) -> bool) -> bool {
        self.volumes.iter().any(|volume| test(volume))
    }
}

/// The filters of `DescribeInstances`.
pub(super) const FIELDS: &[Field<Row>] = &[
    ("instance-id", |row, is| is(&row.instance.id)),
    ("instance-state-name", |row, is| is(row.instance.state.name())),
    ("instance-state-code", |row, is| is(&row.instance.state.code().to_string())),
    ("instance-type", |row, is| is(&row.instance.instance_type)),
    ("image-id", |row, is| is(&row.instance.image_id)),
    ("key-name", |row, is| row.instance.key_name.as_deref().is_some_and(is)),
    ("vpc-id", |row, is| is(&row.instance.vpc_id)),
    ("subnet-id", |row, is| is(&row.instance.subnet_id)),
    ("availability-zone", |row, is| is(&row.instance.zone)),
    ("placement-availability-zone", |row, is| is(&row.instance.zone)),
    ("availability-zone-id", |row, is| regions::zone_id(&row.instance.zone).is_some_and(|id| is(&id))),
    ("architecture", |row, is| is(&row.instance.architecture)),
    ("private-ip-address", |row, is| is(&row.instance.private_address.to_string())),
    ("private-dns-name", |row, is| is(&row.instance.private_dns_name())),
    ("ip-address", |row, is| row.public_address().is_some_and(|address| is(&address))),
    ("dns-name", |row, is| row.public_address().is_some_and(|address| is(&address))),
    ("reservation-id", |row, is| is(&row.instance.reservation_id)),
    ("requester-id", |row, is| row.instance.requester_id.as_deref().is_some_and(is)),
    ("client-token", |row, is| row.instance.client_token.as_deref().is_some_and(is)),
    ("launch-index", |row, is| is(&row.instance.launch_index.to_string())),
    ("launch-time", |row, is| is(&row.instance.launch_time.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string())),
    ("iam-instance-profile.arn", |row, is| row.instance.profile.as_ref().is_some_and(|p| is(&p.arn))),
    ("iam-instance-profile.id", |row, is| row.instance.profile.as_ref().is_some_and(|p| is(&p.profile_id))),
    ("iam-instance-profile.name", |row, is| row.instance.profile.as_ref().is_some_and(|p| is(&p.name))),
    ("instance.group-id", |row, is| row.has_group(is)),
    ("group-id", |row, is| row.has_group(is)),
    ("instance.group-name", |row, is| row.group_names.iter().any(|name| is(name))),
    ("group-name", |row, is| row.group_names.iter().any(|name| is(name))),
    ("network-interface.network-interface-id", |row, is| is(&row.instance.network_interface_id)),
    ("network-interface.subnet-id", |row, is| is(&row.instance.subnet_id)),
    ("network-interface.vpc-id", |row, is| is(&row.instance.vpc_id)),
    ("network-interface.group-id", |row, is| row.has_group(is)),
    ("network-interface.addresses.private-ip-address", |row, is| {
        is(&row.instance.private_address.to_string())
    }),
    ("network-interface.private-dns-name", |row, is| is(&row.instance.private_dns_name())),
    ("network-interface.addresses.association.public-ip", |row, is| {
        row.public_address().is_some_and(|address| is(&address))
    }),
    ("network-interface.association.public-ip", |row, is| row.public_address().is_some_and(|a| is(&a))),
    ("block-device-mapping.device-name", |row, is| {
        row.any_volume(|volume| volume.attachment.as_ref().is_some_and(|a| is(&a.device)))
    }),
    ("block-device-mapping.volume-id", |row, is| row.any_volume(|volume| is(&volume.id))),
    ("block-device-mapping.status", |row, is| {
        row.any_volume(|volume| volume.attachment.as_ref().is_some_and(|a| is(a.state.name())))
    }),
    ("block-device-mapping.delete-on-termination", |row, is| {
        row.any_volume(|volume| {
            volume.attachment.as_ref().is_some_and(|a| is(truth(a.delete_on_termination)))
        })
    }),
    ("monitoring-state", |row, is| is(monitoring(row.instance.monitoring))),
    ("metadata-options.http-tokens", |row, is| is(tokens(&row.instance.metadata))),
    ("metadata-options.http-endpoint", |row, is| is(enabled(row.instance.metadata.enabled))),
    ("state-reason-code", |row, is| row.instance.state_reason.as_ref().is_some_and(|r| is(&r.code))),
    ("reason", |row, is| is(&row.instance.transition_reason)),
    ("root-device-name", |row, is| is(&row.instance.root_device)),
    ("root-device-type", |_, is| is("ebs")),
    ("virtualization-type", |_, is| is("hvm")),
    ("hypervisor", |_, is| is("xen")),
    ("tenancy", |_, is| is("default")),
];

/// The records that answers about instances are made of, read once per request.
pub struct View {
    interfaces: Vec<Arc<NetworkInterfaceRecord>>,
    volumes: Vec<Arc<VolumeRecord>>,
    groups: Vec<Arc<SecurityGroupRecord>>,
    vpcs: Vec<Arc<VpcRecord>>,
    account: Arc<str>,
}

/// The record with an id in a list that lies in the order of ids.
fn find<'a, T: Record>(records: &'a [Arc<T>], id: &str) -> Option<&'a Arc<T>> {
    records.binary_search_by(|record| record.id().cmp(id)).ok().map(|index| &records[index])
}

impl View {
    /// Reads the region's records.
    pub fn of(ctx: &Ctx) -> Self {
        let store = &ctx.cloud.store;
        Self {
            interfaces: store.list(&ctx.region),
            volumes: store.list(&ctx.region),
            groups: store.list(&ctx.region),
            vpcs: store.list(&ctx.region),
            account: Arc::clone(&ctx.account),
        }
    }

    pub(super) fn row(&self, instance: Arc<InstanceRecord>) -> Row {
        let interface = find(&self.interfaces, &instance.network_interface_id).map(Arc::clone);
        let group_names = interface
            .iter()
            .flat_map(|interface| &interface.groups)
            .filter_map(|id| Some(find(&self.groups, id)?.name.clone()))
            .collect();
        let volumes =
            instance.volumes.iter().filter_map(|id| find(&self.volumes, id).map(Arc::clone)).collect();
        Row { instance, interface, volumes, group_names }
    }

    fn groups(&self, interface: Option<&Arc<NetworkInterfaceRecord>>) -> Vec<GroupIdentifier> {
        let ids = interface.into_iter().flat_map(|interface| &interface.groups);
        ids.map(|id| GroupIdentifier {
            group_id: Some(id.clone()),
            group_name: find(&self.groups, id).map(|group| group.name.clone()),
        })
        .collect()
    }

    /// An instance as answers hold it.
    pub fn instance(&self, instance: &InstanceRecord) -> Instance {
        let interface = find(&self.interfaces, &instance.network_interface_id);
        let groups = self.groups(interface);
        // A terminated instance has lost its place in the network.
        let lives = instance.state != InstanceState::Terminated;
        let public_address = interface.and_then(|interface| interface.public_address).map(|a| a.to_string());
        let has_names = find(&self.vpcs, &instance.vpc_id).is_some_and(|vpc| vpc.enable_dns_hostnames);
        let private_dns_name = if lives { instance.private_dns_name() } else { String::new() };
        let public_dns_name = public_address.clone().filter(|_| has_names).unwrap_or_default();
        Instance {
            instance_id: Some(instance.id.clone()),
            image_id: Some(instance.image_id.clone()),
            state: Some(state(instance.state)),
            state_reason: instance.state_reason.as_ref().map(|reason| StateReason {
                code: Some(reason.code.clone()),
                message: Some(reason.message.clone()),
            }),
            state_transition_reason: Some(instance.transition_reason.clone()),
            private_dns_name: Some(private_dns_name),
            public_dns_name: Some(public_dns_name),
            private_ip_address: lives.then(|| instance.private_address.to_string()),
            public_ip_address: public_address,
            key_name: instance.key_name.clone(),
            ami_launch_index: Some(instance.launch_index),
            instance_type: Some(instance.instance_type.clone()),
            launch_time: Some(instance.launch_time),
            placement: Some(Placement {
                availability_zone: Some(instance.zone.clone()),
                availability_zone_id: regions::zone_id(&instance.zone),
                group_name: Some(String::new()),
                tenancy: Some("default".to_owned()),
                ..Placement::default()
            }),
            monitoring: Some(Monitoring { state: Some(monitoring(instance.monitoring).to_owned()) }),
            subnet_id: lives.then(|| instance.subnet_id.clone()),
            vpc_id: lives.then(|| instance.vpc_id.clone()),
            architecture: Some(instance.architecture.clone()),
            block_device_mappings: self.mappings(instance),
            client_token: Some(instance.client_token.clone().unwrap_or_default()),
            ebs_optimized: Some(instance.ebs_optimized),
            ena_support: Some(true),
            hypervisor: Some("xen".to_owned()),
            iam_instance_profile: instance.profile.as_ref().map(|profile| IamInstanceProfile {
                arn: Some(profile.arn.clone()),
                id: Some(profile.profile_id.clone()),
            }),
            network_interfaces: interface.map(|i| self.interface(instance, i, &groups)).into_iter().collect(),
            root_device_name: Some(instance.root_device.clone()),
            root_device_type: Some("ebs".to_owned()),
            security_groups: groups,
            source_dest_check: interface.map(|interface| interface.source_dest_check),
            tags: tag_set(&instance.tags),
            virtualization_type: Some("hvm".to_owned()),
            metadata_options: Some(metadata_options(&instance.metadata)),
            platform_details: Some("Linux/UNIX".to_owned()),
            usage_operation: Some("RunInstances".to_owned()),
            ..Instance::default()
        }
    }

    fn mappings(&self, instance: &InstanceRecord) -> Vec<InstanceBlockDeviceMapping> {
        let volumes = instance.volumes.iter().filter_map(|id| find(&self.volumes, id));
        volumes
            .filter_map(|volume| {
                let attachment = volume.attachment.as_ref()?;
                Some(InstanceBlockDeviceMapping {
                    device_name: Some(attachment.device.clone()),
                    ebs: Some(EbsInstanceBlockDevice {
                        volume_id: Some(volume.id.clone()),
                        status: Some(attachment.state.name().to_owned()),
                        attach_time: Some(attachment.attach_time),
                        delete_on_termination: Some(attachment.delete_on_termination),
                        ..EbsInstanceBlockDevice::default()
                    }),
                })
            })
            .collect()
    }

    fn interface(
        &self,
        instance: &InstanceRecord,
        interface: &NetworkInterfaceRecord,
        groups: &[GroupIdentifier],
    ) -> InstanceNetworkInterface {
        let association = interface.public_address.map(|address| InstanceNetworkInterfaceAssociation {
            ip_owner_id: Some("amazon".to_owned()),
            public_dns_name: Some(address.to_string()),
            public_ip: Some(address.to_string()),
            ..InstanceNetworkInterfaceAssociation::default()
        });
        let private_ip_address = Some(interface.private_address.to_string());
        let private_dns_name = Some(instance.private_dns_name());
        InstanceNetworkInterface {
            network_interface_id: Some(interface.id.clone()),
            owner_id: Some(self.account.to_string()),
            description: Some(interface.description.clone()),
            attachment: interface.attachment.as_ref().map(|attachment| InstanceNetworkInterfaceAttachment {
                attachment_id: Some(attachment.id.clone()),
                attach_time: Some(attachment.attach_time),
                delete_on_termination: Some(attachment.delete_on_termination),
                device_index: Some(0),
                network_card_index: Some(0),
                status: Some("attached".to_owned()),
                ..InstanceNetworkInterfaceAttachment::default()
            }),
            groups: groups.to_vec(),
            mac_address: Some(interface.mac.clone()),
            private_ip_addresses: vec![InstancePrivateIpAddress {
                association: association.clone(),
                primary: Some(true),
                private_dns_name: private_dns_name.clone(),
                private_ip_address: private_ip_address.clone(),
            }],
            association,
            private_dns_name,
            private_ip_address,
            source_dest_check: Some(interface.source_dest_check),
            status: Some("in-use".to_owned()),
            subnet_id: Some(interface.subnet_id.clone()),
            vpc_id: Some(interface.vpc_id.clone()),
            interface_type: Some("interface".to_owned()),
            ..InstanceNetworkInterface::default()
        }
    }
}

/// A state as answers hold it.
pub(super) fn state(state: InstanceState) -> WireState {
    WireState { code: Some(state.code()), name: Some(state.name().to_owned()) }
}

/// Metadata options as answers hold them.
pub(super) fn metadata_options(options: &MetadataOptions) -> InstanceMetadataOptionsResponse {
    InstanceMetadataOptionsResponse {
        state: Some("applied".to_owned()),
        http_tokens: Some(tokens(options).to_owned()),
        http_put_response_hop_limit: Some(options.hop_limit),
        http_endpoint: Some(enabled(options.enabled).to_owned()),
        http_protocol_ipv6: Some("disabled".to_owned()),
        instance_metadata_tags: Some(enabled(options.tags_enabled).to_owned()),
    }
}

fn tokens(options: &MetadataOptions) -> &'static str {
    if options.tokens_required { "required" } else { "optional" }
}

fn enabled(value: bool) -> &'static str {
    if value { "enabled" } else { "disabled" }
}

fn monitoring(detailed: bool) -> &'static str {
    if detailed { "enabled" } else { "disabled" }
}

/// The groups of a reservation: only instances outside of VPCs had any.
pub(super) fn groups_of_reservation() -> Vec<GroupIdentifier> {
    Vec::new()
}

/// `DescribeInstances`
pub fn describe_instances(
    ctx: &Ctx,
    input: DescribeInstancesRequest,
) -> Result<DescribeInstancesResult, Error> {
    stop_dry_run(input.dry_run)?;
    if !input.instance_ids.is_empty() && input.max_results.is_some() {
        let message = "The parameter instancesSet cannot be used with the parameter maxResults";
        return Err(Error::client("InvalidParameterCombination", message));
    }
    let selection = select(FIELDS, Some(|row: &Row| &row.instance.tags), &input.filters)?;
    let records = by_ids(ctx.cloud.store.list(&ctx.region), &input.instance_ids, errors::INSTANCE)?;
    let view = View::of(ctx);
    let instances: Vec<Arc<InstanceRecord>> = if input.filters.is_empty() {
        records
    } else {
        let rows = records.into_iter().map(|instance| view.row(instance));
        rows.filter(|row| selection.accepts(row)).map(|row| row.instance).collect()
    };
    let limits = Limits { min: 5, max: 1000, default: Some(1000) };
    let page = page(instances, input.max_results, input.next_token.as_deref(), limits, |i| &i.id)?;
    Ok(DescribeInstancesResult { reservations: reservations(&view, &page.items), next_token: page.next })
}

/// Instances by reservation, both in the order in which they come.
fn reservations(view: &View, instances: &[Arc<InstanceRecord>]) -> Vec<Reservation> {
    let mut places: std::collections::HashMap<&str, usize> = std::collections::HashMap::new();
    let mut reservations: Vec<Reservation> = Vec::new();
    for instance in instances {
        let place = *places.entry(&instance.reservation_id).or_insert_with(|| {
            reservations.push(Reservation {
                reservation_id: Some(instance.reservation_id.clone()),
                owner_id: Some(view.account.to_string()),
                requester_id: instance.requester_id.clone(),
                groups: groups_of_reservation(),
                instances: Vec::new(),
            });
            reservations.len() - 1
        });
        reservations[place].instances.push(view.instance(instance));
    }
    reservations
}
