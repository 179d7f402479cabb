//! What the records say about the instance at an address.

use std::net::Ipv4Addr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::tree::{Interface, Metadata, Profile};
use crate::ec2::state::{
    InstanceRecord, InstanceState, NetworkInterfaceRecord, SecurityGroupRecord, SubnetRecord, VolumeRecord,
    VpcRecord,
};
use crate::{Cloud, Origin, iam};

/// An instance as the metadata service sees it.
pub struct View {
    /// What it answers.
    pub metadata: Metadata,
    /// Whether it answers at all.
    pub endpoint_enabled: bool,
    /// Whether only with a token.
    pub token_required: bool,
}

/// The instance that a request comes from; none if it comes from nowhere known.
pub fn of(cloud: &Cloud, origin: &Origin) -> Option<View> {
    let Origin::Instance { vpc_id, address } = origin else { return None };
    let instance = instance_at(cloud, vpc_id, *address)?;
    Some(View {
        endpoint_enabled: instance.metadata.enabled,
        token_required: instance.metadata.tokens_required,
        metadata: metadata(cloud, &instance)?,
    })
}

/// The living instance that has this address in this VPC.
pub fn instance_at(cloud: &Cloud, vpc_id: &str, address: Ipv4Addr) -> Option<InstanceRecord> {
    let instances = cloud.store.all::<InstanceRecord>();
    let found = instances.into_iter().find(|instance| {
        instance.private_address == address
            && instance.vpc_id == vpc_id
            && instance.state != InstanceState::Terminated
    })?;
    Some((*found).clone())
}

fn metadata(cloud: &Cloud, instance: &InstanceRecord) -> Option<Metadata> {
    let region = instance.region.as_str();
    let interface = cloud.store.get::<NetworkInterfaceRecord>(region, &instance.network_interface_id)?;
    let public = interface.public_address.map(|address| (address.to_string(), address.to_string()));
    Some(Metadata {
        instance_id: instance.id.clone(),
        image_id: instance.image_id.clone(),
        instance_type: instance.instance_type.clone(),
        architecture: instance.architecture.clone(),
        account_id: cloud.config.account.clone(),
        region: region.to_owned(),
        availability_zone: instance.zone.clone(),
        reservation_id: instance.reservation_id.clone(),
        launch_index: instance.launch_index,
        launched: instance.launch_time,
        hostname: instance.private_dns_name(),
        local_ipv4: instance.private_address,
        public,
        interface: interface_of(cloud, &interface)?,
        public_key: instance.key_name.clone().zip(instance.public_key.clone()),
        profile: profile_of(cloud, instance),
        block_devices: block_devices(cloud, instance),
        tags: instance
            .metadata
            .tags_enabled
            .then(|| instance.tags.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()),
        user_data: instance.user_data.as_deref().and_then(|encoded| STANDARD.decode(encoded).ok()),
    })
}

fn interface_of(cloud: &Cloud, interface: &NetworkInterfaceRecord) -> Option<Interface> {
    let region = interface.region.as_str();
    let subnet = cloud.store.get::<SubnetRecord>(region, &interface.subnet_id)?;
    let vpc = cloud.store.get::<VpcRecord>(region, &interface.vpc_id)?;
    let groups = interface.groups.iter().filter_map(|id| {
        let group = cloud.store.get::<SecurityGroupRecord>(region, id)?;
        Some((id.clone(), group.name.clone()))
    });
    Some(Interface {
        id: interface.id.clone(),
        mac: interface.mac.clone(),
        subnet: (subnet.id.clone(), subnet.cidr.to_string()),
        vpc: (vpc.id.clone(), vpc.cidr.to_string()),
        security_groups: groups.collect(),
    })
}

fn profile_of(cloud: &Cloud, instance: &InstanceRecord) -> Option<Profile> {
    let association = instance.profile.as_ref()?;
    let profile = iam::instance_profile(&cloud.store, &association.arn)?;
    Some(Profile { arn: profile.arn.clone(), id: profile.profile_id.clone(), role: profile.role.clone() })
}

/// `ami` and `root` are the root device, further volumes `ebs1`, `ebs2`, … in the order of their devices.
fn block_devices(cloud: &Cloud, instance: &InstanceRecord) -> Vec<(String, String)> {
    let mut devices = vec![
        ("ami".to_owned(), instance.root_device.clone()),
        ("root".to_owned(), instance.root_device.clone()),
    ];
    let volumes =
        instance.volumes.iter().filter_map(|id| cloud.store.get::<VolumeRecord>(&instance.region, id));
    let mut others: Vec<String> = volumes
        .filter_map(|volume| volume.attachment.as_ref().map(|attachment| attachment.device.clone()))
        .filter(|device| *device != instance.root_device)
        .collect();
    others.sort();
    devices.extend(others.into_iter().enumerate().map(|(n, device)| (format!("ebs{}", n + 1), device)));
    devices
}
