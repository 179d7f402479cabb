//! `RunInstances`

use std::collections::HashSet;
use std::sync::Arc;

use aws_wire::Error;
use aws_wire::ec2::{Reservation, RunInstancesRequest};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::describe::{View, groups_of_reservation};
use super::launch::Launch;
use crate::context::{Caller, Ctx};
use crate::ec2::launch_templates;
use crate::ec2::request::{Read, change};
use crate::ec2::state::{
    Attachment, AttachmentState, InstanceRecord, InstanceState, NetworkInterfaceRecord, VolumeAttachment,
    VolumeRecord, VolumeState,
};
use crate::ec2::{addresses, errors};
use crate::ids;
use crate::store::Tx;

/// `RunInstances`: stores instances, interfaces and volumes, which the reconciler then makes. The same
/// client token gives the same instances again.
pub fn run_instances(ctx: &Ctx, input: RunInstancesRequest) -> Result<Reservation, Error> {
    let input = without_empty_names(input);
    let digest = digest(&input)?;
    let instances = change(ctx, input.dry_run, |tx| {
        if let Some(token) = &input.client_token {
            let earlier = by_token(tx, ctx, token);
            if let Some(first) = earlier.first() {
                return if first.request_digest == digest {
                    Ok(earlier)
                } else {
                    Err(errors::token_mismatch())
                };
            }
        }
        let filled = filled(tx, ctx, &input)?;
        let launch = Launch::resolve(ctx, tx, &filled)?;
        let reservation_id = ids::ec2("r");
        let mut instances = Vec::new();
        for index in 0..launch.max {
            match launch_one(tx, ctx, &filled, &launch, &reservation_id, index, &digest) {
                Ok(instance) => instances.push(Arc::new(instance)),
                // Fewer than asked for will do, if they are enough.
                Err(error) if error.code == "InsufficientFreeAddressesInSubnet" && index >= launch.min => {
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(instances)
    })?;
    let view = View::of(ctx);
    let first = instances.first();
    Ok(Reservation {
        reservation_id: first.map(|instance| instance.reservation_id.clone()),
        owner_id: Some(ctx.account.to_string()),
        requester_id: first.and_then(|instance| instance.requester_id.clone()),
        groups: groups_of_reservation(),
        instances: instances.iter().map(|instance| view.instance(instance)).collect(),
    })
}

/// The digest of what a launch asks for, whatever its token and whether it is only tried.
fn digest(input: &RunInstancesRequest) -> Result<String, Error> {
    let asked = RunInstancesRequest { client_token: None, dry_run: None, ..input.clone() };
    let body = serde_json::to_vec(&asked).map_err(|error| Error::internal(error.to_string()))?;
    Ok(hex::encode(Sha256::digest(body)))
}

fn by_token(tx: &Tx<'_>, ctx: &Ctx, token: &str) -> Vec<Arc<InstanceRecord>> {
    let mut instances = tx.list::<InstanceRecord>(&ctx.region);
    instances.retain(|instance| instance.client_token.as_deref() == Some(token));
    instances.sort_by_key(|instance| instance.launch_index);
    instances
}

/// The request with its launch template's parameters, and tags that name the template.
fn filled(tx: &Tx<'_>, ctx: &Ctx, input: &RunInstancesRequest) -> Result<RunInstancesRequest, Error> {
    let Some(asked) = &input.launch_template else { return Ok(input.clone()) };
    let (_, version) = launch_templates::resolve(tx, &ctx.region, asked)?;
    launch_templates::data::fill(input, &version.data)
}

fn launch_one(
    tx: &mut Tx<'_>,
    ctx: &Ctx,
    input: &RunInstancesRequest,
    launch: &Launch,
    reservation_id: &str,
    index: i32,
    digest: &str,
) -> Result<InstanceRecord, Error> {
    let id = ids::ec2("i");
    let now = Timestamp::now();
    let interface = make_interface(tx, ctx, launch, &id, now)?;
    let volumes = make_volumes(tx, launch, &id, now)?;
    let mut tags = launch.instance_tags.clone();
    if let Some(asked) = &input.launch_template {
        let (template, version) = launch_templates::resolve(tx, &ctx.region, asked)?;
        tags.set("aws:ec2launchtemplate:id", &template.id);
        tags.set("aws:ec2launchtemplate:version", version.number.to_string());
    }
    let requester_id = match &ctx.caller {
        Caller::Service { principal } => Some((*principal).to_owned()),
        Caller::Root | Caller::Role { .. } | Caller::Instance { .. } => None,
    };
    let instance = InstanceRecord {
        region: ctx.region.to_string(),
        id,
        reservation_id: reservation_id.to_owned(),
        requester_id,
        launch_index: index,
        launch_time: now,
        client_token: input.client_token.clone(),
        request_digest: digest.to_owned(),
        state: InstanceState::Pending,
        state_reason: None,
        transition_reason: String::new(),
        terminated_at: None,
        stop_by_force: false,
        resumes: false,
        reboot_requested: false,
        imaging: false,
        image_id: launch.image.id.clone(),
        architecture: launch.image.architecture.clone(),
        root_device: launch.image.root_device.clone(),
        drivers: launch.image.drivers.clone(),
        instance_type: launch.instance_type.name.to_owned(),
        key_name: launch.key.as_ref().map(|key| key.id.clone()),
        public_key: launch.key.as_ref().map(|key| key.public_key.clone()),
        user_data: launch.user_data.clone(),
        profile: launch.profile.clone().map(|profile| profile.associate()),
        zone: launch.network.subnet.zone.clone(),
        vpc_id: launch.network.subnet.vpc_id.clone(),
        subnet_id: launch.network.subnet.id.clone(),
        private_address: interface.private_address,
        network_interface_id: interface.id.clone(),
        wants_public_address: launch.network.public_address,
        volumes,
        metadata: launch.metadata.clone(),
        shutdown_behavior: launch.shutdown_behavior,
        disable_api_termination: input.disable_api_termination == Some(true),
        disable_api_stop: input.disable_api_stop == Some(true),
        monitoring: input.monitoring.as_ref().is_some_and(|monitoring| monitoring.enabled == Some(true)),
        ebs_optimized: input.ebs_optimized == Some(true),
        tags,
    };
    tx.put(interface)?;
    tx.put(instance.clone())?;
    Ok(instance)
}

fn make_interface(
    tx: &Tx<'_>,
    ctx: &Ctx,
    launch: &Launch,
    instance_id: &str,
    now: Timestamp,
) -> Result<NetworkInterfaceRecord, Error> {
    let network = &launch.network;
    let interfaces = tx.list::<NetworkInterfaceRecord>(&ctx.region);
    let used: HashSet<_> = interfaces
        .iter()
        .filter(|interface| interface.subnet_id == network.subnet.id)
        .map(|interface| interface.private_address)
        .collect();
    let private_address = addresses::next_private(&network.subnet, &used, network.private_address)?;
    let public_address = network.public_address.then(|| free_public_address(tx, ctx)).transpose()?;
    Ok(NetworkInterfaceRecord {
        region: ctx.region.to_string(),
        id: ids::ec2("eni"),
        vpc_id: network.subnet.vpc_id.clone(),
        subnet_id: network.subnet.id.clone(),
        zone: network.subnet.zone.clone(),
        description: network.description.clone(),
        private_address,
        public_address,
        mac: addresses::mac(private_address),
        groups: network.groups.clone(),
        source_dest_check: true,
        attachment: Some(Attachment {
            id: ids::ec2("eni-attach"),
            instance_id: instance_id.to_owned(),
            attach_time: now,
            delete_on_termination: network.delete_on_termination,
        }),
        tags: launch.interface_tags.clone(),
    })
}

/// A request without names that are given and empty. Packer gives each name always; EC2 takes an empty one for none.
fn without_empty_names(mut input: RunInstancesRequest) -> RunInstancesRequest {
    let is_named = |name: &String| !name.is_empty();
    input.key_name = input.key_name.filter(is_named);
    input.subnet_id = input.subnet_id.filter(is_named);
    if let Some(placement) = &mut input.placement {
        placement.availability_zone = placement.availability_zone.take().filter(is_named);
    }
    input.iam_instance_profile = input
        .iam_instance_profile
        .filter(|profile| profile.name.iter().chain(&profile.arn).any(|name| !name.is_empty()));
    input
}

/// A public address that no interface of any region has, for they are all on one host.
///
/// # Errors
/// When all are in use.
pub(super) fn free_public_address(read: &impl Read, ctx: &Ctx) -> Result<std::net::Ipv4Addr, Error> {
    let elsewhere = ctx.cloud.store.all::<NetworkInterfaceRecord>();
    let here = read.list::<NetworkInterfaceRecord>(&ctx.region);
    let used = elsewhere.iter().chain(&here).filter_map(|interface| interface.public_address).collect();
    addresses::next_public(ctx.cloud.vpcs.public_network(), &used)
}

fn make_volumes(
    tx: &mut Tx<'_>,
    launch: &Launch,
    instance_id: &str,
    now: Timestamp,
) -> Result<Vec<String>, Error> {
    let mut volumes = Vec::new();
    for device in &launch.devices {
        let volume = VolumeRecord {
            region: launch.network.subnet.region.clone(),
            id: ids::ec2("vol"),
            zone: launch.network.subnet.zone.clone(),
            size_gib: device.size_gib,
            volume_type: device.performance.volume_type.clone(),
            iops: device.performance.iops,
            throughput: device.performance.throughput,
            source: device.source.clone(),
            layers: (device.name == launch.image.root_device).then(|| launch.image.layers.clone()),
            create_time: now,
            state: VolumeState::Creating,
            attachment: Some(VolumeAttachment {
                instance_id: instance_id.to_owned(),
                device: device.name.clone(),
                state: AttachmentState::Attaching,
                attach_time: now,
                delete_on_termination: device.delete_on_termination,
            }),
            client_token: None,
            modification: None,
            tags: launch.volume_tags.clone(),
        };
        volumes.push(volume.id.clone());
        tx.put(volume)?;
    }
    Ok(volumes)
}
