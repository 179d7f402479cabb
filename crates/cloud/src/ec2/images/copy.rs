//! `CopyImage`: the same image in another region, or again in this one, with snapshots of its own.

use aws_wire::Error;
use aws_wire::ec2::{CopyImageRequest, CopyImageResult};
use jiff::Timestamp;
use machine::images::{Image, ImageState, Snapshot, SourceImage};

use super::create::{check_name, check_name_is_free};
use super::internal;
use crate::api::tags::Tags;
use crate::context::Ctx;
use crate::ec2::request::{change, only_supported, required, stop_dry_run, tags_for};
use crate::ec2::snapshots::{self, description};
use crate::ec2::{errors, regions};
use crate::ids;

/// `CopyImage`: asked for in the region that the copy is to be in. A client token used again gives the same copy.
pub fn copy_image(ctx: &Ctx, input: CopyImageRequest) -> Result<CopyImageResult, Error> {
    const SUPPORTED: &[&str] = &[
        "ClientToken",
        "CopyImageTags",
        "Description",
        "DryRun",
        "Name",
        "SourceImageId",
        "SourceRegion",
        "TagSpecifications",
    ];
    only_supported(&input, "CopyImage", SUPPORTED)?;
    let name = required(&input.name, "name")?;
    let region = required(&input.source_region, "sourceRegion")?;
    let id = required(&input.source_image_id, "sourceImageId")?;
    check_name(name)?;
    if regions::zones(region).is_empty() {
        return Err(errors::invalid_parameter(region, "sourceRegion", "There is no such region."));
    }
    let image_id = change(ctx, input.dry_run, |_| {
        let source = ctx.cloud.images.get(id).map_err(internal)?;
        let source = source.filter(|image| super::is_visible(image, region));
        let source = source.ok_or_else(|| errors::image_not_found(&[id]))?;
        if let Some(earlier) = by_token(ctx, input.client_token.as_deref())? {
            let is_same = earlier.name == name && earlier.source_image.is_some_and(|from| from.id == id);
            return if is_same { Ok(earlier.id) } else { Err(errors::token_mismatch()) };
        }
        check_name_is_free(ctx, name)?;
        if source.state != ImageState::Available {
            let message = format!("Image '{id}' is not available");
            return Err(Error::client("InvalidAMIID.Unavailable", message));
        }
        let (copy, snapshots) = copy_of(ctx, &source, region, &input)?;
        stop_dry_run(input.dry_run)?;
        ctx.cloud.images.put_with_snapshots(&copy, &snapshots).map_err(internal)?;
        Ok(copy.id)
    })?;
    ctx.cloud.store.touch();
    Ok(CopyImageResult { image_id: Some(image_id) })
}

fn by_token(ctx: &Ctx, token: Option<&str>) -> Result<Option<Image>, Error> {
    let Some(token) = token else { return Ok(None) };
    let images = super::visible(ctx)?;
    Ok(images.into_iter().find(|image| image.client_token.as_deref() == Some(token)))
}

fn copy_of(
    ctx: &Ctx,
    source: &Image,
    region: &str,
    input: &CopyImageRequest,
) -> Result<(Image, Vec<Snapshot>), Error> {
    const TAGGED: [&str; 2] = ["image", "snapshot"];
    let mut image_tags = Tags::new();
    if input.copy_image_tags == Some(true) {
        let users = source.tags.iter().filter(|(key, _)| !key.starts_with("aws:"));
        users.for_each(|(key, value)| image_tags.set(key, value));
    }
    let given = tags_for(ctx, &input.tag_specifications, "image", &TAGGED)?;
    given.iter().for_each(|(key, value)| image_tags.set(key, value));
    let snapshot_tags = tags_for(ctx, &input.tag_specifications, "snapshot", &TAGGED)?;
    let id = ids::ec2("ami");
    let mut snapshots = Vec::new();
    let mut devices = source.block_devices.clone();
    for device in &mut devices {
        let Some(of) = &device.snapshot else { continue };
        let of = ctx.cloud.images.snapshot(of).map_err(internal)?;
        let of = of.ok_or_else(|| Error::internal(format!("a snapshot of {} is gone", source.id)))?;
        let text = format!(
            "Copied for DestinationAmi {id} from SourceAmi {} for SourceSnapshot {}. Task created on {}.",
            source.id,
            of.id,
            Timestamp::now().as_millisecond()
        );
        let copy = Snapshot { batch: id.clone(), ..snapshots::copy_of(ctx, &of, text, &snapshot_tags) };
        device.snapshot = Some(copy.id.clone());
        snapshots.push(copy);
    }
    let copy = Image {
        id,
        name: input.name.clone().unwrap_or_default(),
        description: match &input.description {
            None => source.description.clone(),
            given => description(given.as_deref())?,
        },
        created: Timestamp::now(),
        owner: ctx.account.to_string(),
        region: Some(ctx.region.to_string()),
        state: ImageState::Pending,
        block_devices: devices,
        tags: image_tags.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
        source_image: Some(SourceImage { id: source.id.clone(), region: region.to_owned() }),
        client_token: input.client_token.clone(),
        layers: source.layers.clone(),
        architecture: source.architecture.clone(),
        root_device: source.root_device.clone(),
        imds_v2: source.imds_v2,
        drivers: source.drivers.clone(),
        ..Image::default()
    };
    Ok((copy, snapshots))
}
