//! What an instance boots from: its volumes' files, its network, and what is put into its root.

use std::path::PathBuf;

use machine::volumes::{Content, VolumeError};
use machine::{InjectedFile, InstanceSpec, VolumeAttachment};

use super::{StepError, Workshop};
use crate::ec2::instance_types;
use crate::ec2::state::{AttachmentState, InstanceRecord, VolumeRecord, VolumeSource, VolumeState};

/// Makes everything that the instance needs to boot.
pub(super) async fn prepare(shop: &Workshop, instance: &InstanceRecord) -> Result<InstanceSpec, StepError> {
    let image_layers = layers(shop, instance)?;
    let vpcs = &shop.cloud.vpcs;
    let network = async {
        let store = &shop.cloud.store;
        Ok(vpcs.ensure_attached(store, &instance.vpc_id, &instance.network_interface_id).await?)
    };
    let (mut volumes, netns) = tokio::try_join!(attachments(shop, instance), network)?;
    let root = volumes.iter().position(|volume| volume.device == instance.root_device);
    let root = volumes.remove(root.ok_or_else(|| StepError::NoRecord(instance.root_device.clone()))?);
    Ok(InstanceSpec {
        id: instance.id.clone(),
        hostname: instance.private_dns_name(),
        image_layers,
        root,
        volumes,
        netns,
        files: files(instance, vpcs.ca().pem()),
        memory_mib: instance_types::find(&instance.instance_type).map(|kind| kind.memory_mib),
        // The memory of a type is a limit as real as on EC2. Its processors are not: burstable types may use
        // more for a while there too, and a boot is such a while.
        cpus: None,
    })
}

/// The layers that the root volume lies over: those that it was made for, even if the image is gone or has others now.
fn layers(shop: &Workshop, instance: &InstanceRecord) -> Result<Vec<PathBuf>, StepError> {
    let root = instance.volumes.first();
    let root = root.and_then(|id| shop.cloud.store.get::<VolumeRecord>(&instance.region, id));
    if let Some(layers) = root.and_then(|root| root.layers.clone()) {
        return Ok(layers);
    }
    let image = shop.cloud.images.get(&instance.image_id)?;
    Ok(image.ok_or_else(|| StepError::NoImage(instance.image_id.clone()))?.layers)
}

/// The instance's volumes as the driver wants them.
async fn attachments(shop: &Workshop, instance: &InstanceRecord) -> Result<Vec<VolumeAttachment>, StepError> {
    let mut volumes = Vec::new();
    for id in &instance.volumes {
        let volume = shop.cloud.store.get::<VolumeRecord>(&instance.region, id);
        volumes.push(attachment(shop, &*volume.ok_or_else(|| StepError::NoRecord(id.clone()))?).await?);
    }
    Ok(volumes)
}

/// The volume as the driver wants it, its file made if it is not there yet.
async fn attachment(shop: &Workshop, volume: &VolumeRecord) -> Result<VolumeAttachment, StepError> {
    let file = make_file(shop, volume).await?;
    let device = volume.attachment.as_ref().map(|attachment| attachment.device.clone());
    Ok(VolumeAttachment {
        volume_id: volume.id.clone(),
        device: device.ok_or_else(|| StepError::NoRecord(volume.id.clone()))?,
        file,
        size_gib: volume.size_gib,
    })
}

/// Makes a volume's file, unless it was made before.
pub(super) async fn make_file(shop: &Workshop, volume: &VolumeRecord) -> Result<PathBuf, StepError> {
    if volume.state != VolumeState::Creating {
        return Ok(shop.volumes.path(&volume.id));
    }
    let content = match &volume.source {
        VolumeSource::Empty => Content::Empty,
        VolumeSource::Root => Content::Ext4 { label: None },
        // What holds a system fills its volume; what other volumes hold is their owners' business.
        VolumeSource::Snapshot(id) if volume.layers.is_some() => {
            Content::GrownCopyOf(shop.cloud.images.snapshot_file(id))
        }
        VolumeSource::Snapshot(id) => Content::CopyOf(shop.cloud.images.snapshot_file(id)),
    };
    match shop.volumes.create(&volume.id, volume.size_gib, &content).await {
        // Files appear whole, so one that is there was finished before a daemon was killed.
        Err(VolumeError::Exists { .. }) => Ok(shop.volumes.path(&volume.id)),
        made => Ok(made?),
    }
}

/// Marks an instance's volumes as attached.
pub(super) fn attached(tx: &mut crate::store::Tx<'_>, instance: &InstanceRecord) -> Result<(), StepError> {
    for id in &instance.volumes {
        tx.update::<VolumeRecord>(&instance.region, id, |volume| {
            volume.state = VolumeState::InUse;
            if let Some(attachment) = &mut volume.attachment {
                attachment.state = AttachmentState::Attached;
            }
        })?;
    }
    Ok(())
}

/// What every instance finds in its root at its first boot: its resolver, its own name, and the authority that
/// signs this cloud's certificates, among those that it trusts.
fn files(instance: &InstanceRecord, ca_pem: &str) -> Vec<InjectedFile> {
    let file = |path: &str, content: String, append| InjectedFile {
        path: PathBuf::from(path),
        mode: 0o644,
        content: content.into_bytes(),
        append,
    };
    let name = instance.private_dns_name();
    let (host, domain) = name.split_once('.').unwrap_or((&name, ""));
    vec![
        file("/etc/resolv.conf", format!("search {domain}\nnameserver 169.254.169.253\n"), false),
        file(
            "/etc/hosts",
            format!(
                "127.0.0.1 localhost localhost.localdomain\n{} {name} {host}\n",
                instance.private_address
            ),
            false,
        ),
        file("/usr/local/share/ca-certificates/drydock.crt", ca_pem.to_owned(), false),
        // The bundle as `update-ca-certificates` would leave it, without the time that it takes.
        file("/etc/ssl/certs/ca-certificates.crt", ca_pem.to_owned(), true),
    ]
}
