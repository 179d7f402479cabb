//! Images. The image store is their source of truth; EC2 shows it.

use std::collections::BTreeSet;

use aws_wire::Error;
use aws_wire::ec2::{
    AttributeValue, BlockDeviceMapping, DeregisterImageRequest, DeregisterImageResult,
    DescribeImageAttributeRequest, DescribeImagesRequest, DescribeImagesResult, EbsBlockDevice,
    Image as WireImage, ImageAttribute, LaunchPermission, Tag,
};
use machine::images::{AMAZON, BlockDevice, Image, ImageError, ImageState};

use super::errors;
use super::request::{PAGE, page, required, select, stop_dry_run, truth};
use super::state::InstanceRecord;
use crate::api::filters::Field;
use crate::api::tags::Tags;
use crate::context::Ctx;

/// The account number under which AWS's own images are listed (that of the ECS-optimised AMIs).
const AMAZON_ACCOUNT: &str = "591542846629";

/// The images that a region sees, in the order of their ids.
///
/// # Errors
/// When the image store cannot be read.
pub fn visible(ctx: &Ctx) -> Result<Vec<Image>, Error> {
    let mut images = ctx.cloud.images.list().map_err(internal)?;
    images.retain(|image| is_visible(image, &ctx.region));
    images.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(images)
}

fn is_visible(image: &Image, region: &str) -> bool {
    image.region.as_deref().is_none_or(|own| own == region)
}

/// The image with this id.
///
/// # Errors
/// When the region does not see such an image, or the image store cannot be read.
pub fn need(ctx: &Ctx, id: &str) -> Result<Image, Error> {
    let image = ctx.cloud.images.get(id).map_err(internal)?;
    image.filter(|image| is_visible(image, &ctx.region)).ok_or_else(|| errors::image_not_found(&[id]))
}

fn internal(error: ImageError) -> Error {
    Error::internal(format!("the image store: {error}"))
}

/// An image and its tags as EC2's filters see them.
struct Row {
    image: Image,
    tags: Tags,
    owner: String,
}

fn row(ctx: &Ctx, image: Image) -> Row {
    let tags = image.tags.clone().into_iter().collect();
    let owner = match image.owner.as_str() {
        AMAZON => AMAZON_ACCOUNT.to_owned(),
        // Images made before the cloud had an account belong to whoever runs it.
        "self" | "" => ctx.account.to_string(),
        account => account.to_owned(),
    };
    Row { image, tags, owner }
}

impl Row {
    fn is_amazons(&self) -> bool {
        self.image.owner == AMAZON
    }

    fn belongs_to(&self, owner: &str, account: &str) -> bool {
        match owner {
            "self" => self.owner == account,
            AMAZON => self.is_amazons(),
            "aws-marketplace" | "aws-backup-vault" => false,
            number => self.owner == number,
        }
    }

    fn is_launchable_by(&self, user: &str, account: &str) -> bool {
        match user {
            "all" => self.is_amazons(),
            "self" => self.owner == account,
            // Nothing is ever shared with one particular account.
            _ => false,
        }
    }
}

const FIELDS: &[Field<Row>] = &[
    ("image-id", |row, is| is(&row.image.id)),
    ("name", |row, is| is(&row.image.name)),
    ("description", |row, is| is(&row.image.description)),
    ("architecture", |row, is| is(&row.image.architecture)),
    ("state", |row, is| is(state(row.image.state))),
    ("owner-id", |row, is| is(&row.owner)),
    ("owner-alias", |row, is| row.is_amazons() && is(AMAZON)),
    ("is-public", |row, is| is(truth(row.is_amazons()))),
    ("root-device-name", |row, is| is(&row.image.root_device)),
    ("root-device-type", |_, is| is("ebs")),
    ("virtualization-type", |_, is| is("hvm")),
    ("hypervisor", |_, is| is("xen")),
    ("image-type", |_, is| is("machine")),
    ("ena-support", |_, is| is("true")),
    ("creation-date", |row, is| is(&date(&row.image))),
    ("block-device-mapping.device-name", |row, is| row.image.block_devices.iter().any(|d| is(&d.device))),
    ("block-device-mapping.volume-size", |row, is| {
        row.image.block_devices.iter().any(|d| is(&d.size_gib.to_string()))
    }),
    ("block-device-mapping.volume-type", |row, is| {
        row.image.block_devices.iter().any(|d| is(&d.volume_type))
    }),
    ("block-device-mapping.delete-on-termination", |row, is| {
        row.image.block_devices.iter().any(|d| is(truth(d.delete_on_termination)))
    }),
    ("block-device-mapping.encrypted", |_, is| is("false")),
];

/// `DescribeImages`
pub fn describe_images(ctx: &Ctx, input: DescribeImagesRequest) -> Result<DescribeImagesResult, Error> {
    stop_dry_run(input.dry_run)?;
    let selection = select(FIELDS, Some(|row: &Row| &row.tags), &input.filters)?;
    let mut rows: Vec<Row> = visible(ctx)?.into_iter().map(|image| row(ctx, image)).collect();
    let unknown: Vec<&str> = input
        .image_ids
        .iter()
        .map(String::as_str)
        .filter(|id| rows.iter().all(|row| row.image.id != *id))
        .collect();
    if !unknown.is_empty() {
        return Err(errors::image_not_found(&unknown));
    }
    rows.retain(|row| {
        (input.image_ids.is_empty() || input.image_ids.contains(&row.image.id))
            && (input.owners.is_empty()
                || input.owners.iter().any(|owner| row.belongs_to(owner, &ctx.account)))
            && (input.executable_users.is_empty()
                || input.executable_users.iter().any(|user| row.is_launchable_by(user, &ctx.account)))
            && selection.accepts(row)
    });
    let page = page(rows, input.max_results, input.next_token.as_deref(), PAGE, |row| &row.image.id)?;
    Ok(DescribeImagesResult { images: page.items.into_iter().map(to_wire).collect(), next_token: page.next })
}

fn state(state: ImageState) -> &'static str {
    match state {
        ImageState::Pending => "pending",
        ImageState::Available => "available",
        ImageState::Failed => "failed",
    }
}

/// The date in the form that EC2 gives it, which is a text: `2026-01-02T03:04:05.000Z`.
fn date(image: &Image) -> String {
    image.created.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}

fn to_wire(row: Row) -> WireImage {
    let creation_date = Some(date(&row.image));
    let is_amazons = row.is_amazons();
    let location = format!("{}/{}", if is_amazons { AMAZON } else { &row.owner }, row.image.name);
    let image = row.image;
    WireImage {
        image_id: Some(image.id),
        image_location: Some(location),
        name: Some(image.name),
        description: Some(image.description).filter(|text| !text.is_empty()),
        owner_id: Some(row.owner),
        image_owner_alias: is_amazons.then(|| AMAZON.to_owned()),
        public: Some(is_amazons),
        state: Some(state(image.state).to_owned()),
        creation_date,
        architecture: Some(image.architecture),
        image_type: Some("machine".to_owned()),
        hypervisor: Some("xen".to_owned()),
        virtualization_type: Some("hvm".to_owned()),
        ena_support: Some(true),
        root_device_type: Some("ebs".to_owned()),
        root_device_name: Some(image.root_device),
        block_device_mappings: image.block_devices.iter().map(mapping).collect(),
        platform_details: Some("Linux/UNIX".to_owned()),
        usage_operation: Some("RunInstances".to_owned()),
        source_image_id: image.alias_of,
        tags: row
            .tags
            .iter()
            .map(|(k, v)| Tag { key: Some(k.to_owned()), value: Some(v.to_owned()) })
            .collect(),
        ..WireImage::default()
    }
}

fn mapping(device: &BlockDevice) -> BlockDeviceMapping {
    BlockDeviceMapping {
        device_name: Some(device.device.clone()),
        ebs: Some(EbsBlockDevice {
            delete_on_termination: Some(device.delete_on_termination),
            volume_size: i32::try_from(device.size_gib).ok(),
            volume_type: Some(device.volume_type.clone()),
            encrypted: Some(false),
            ..EbsBlockDevice::default()
        }),
        ..BlockDeviceMapping::default()
    }
}

/// `DescribeImageAttribute`
pub fn describe_image_attribute(
    ctx: &Ctx,
    input: DescribeImageAttributeRequest,
) -> Result<ImageAttribute, Error> {
    let image = need(ctx, required(&input.image_id, "imageId")?)?;
    stop_dry_run(input.dry_run)?;
    let mut answer = ImageAttribute { image_id: Some(image.id.clone()), ..ImageAttribute::default() };
    match required(&input.attribute, "attribute")? {
        "description" => answer.description = Some(AttributeValue { value: Some(image.description) }),
        "blockDeviceMapping" => {
            answer.block_device_mappings = image.block_devices.iter().map(mapping).collect()
        }
        "launchPermission" if image.owner == AMAZON => {
            answer
                .launch_permissions
                .push(LaunchPermission { group: Some("all".to_owned()), ..Default::default() });
        }
        "launchPermission" => {}
        other => return Err(errors::unsupported(&format!("The image attribute {other}"))),
    }
    Ok(answer)
}

/// `DeregisterImage`. Unlike EC2 it refuses while an instance runs from the image, whose files they share.
pub fn deregister_image(ctx: &Ctx, input: DeregisterImageRequest) -> Result<DeregisterImageResult, Error> {
    let image = need(ctx, required(&input.image_id, "imageId")?)?;
    if image.owner == AMAZON && image.alias_of.is_none() {
        let message = format!("Not authorized for images:[{}]", image.id);
        return Err(Error::with_status("AuthFailure", message, 403));
    }
    stop_dry_run(input.dry_run)?;
    let in_use: BTreeSet<String> = ctx
        .cloud
        .store
        .all::<InstanceRecord>()
        .iter()
        .filter(|instance| instance.state.lives())
        .map(|instance| instance.image_id.clone())
        .collect();
    ctx.cloud.images.remove(&image.id, &in_use).map_err(|error| match error {
        ImageError::InUse { .. } => Error::client("DependencyViolation", error.to_string()),
        other => internal(other),
    })?;
    Ok(DeregisterImageResult { return_: Some(true), ..Default::default() })
}
