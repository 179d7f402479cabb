//! Images. The image store is their source of truth; EC2 shows it.

mod attributes;
mod copy;
mod create;
mod deregister;
pub mod mappings;
mod register;

use aws_wire::Error;
use aws_wire::ec2::{DescribeImagesRequest, DescribeImagesResult, Image as WireImage, StateReason, Tag};
use jiff::Timestamp;
use machine::images::{AMAZON, Image, ImageError};

pub use attributes::{
    describe_image_attribute, disable_image_deprecation, disable_image_deregistration_protection,
    enable_image_deprecation, enable_image_deregistration_protection, modify_image_attribute,
    reset_image_attribute,
};
pub use copy::copy_image;
pub use create::create_image;
pub use deregister::deregister_image;
pub use register::{register_image, sriov};

use super::errors;
use super::request::{PAGE, page, select, stop_dry_run, truth};
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

pub(super) fn is_visible(image: &Image, region: &str) -> bool {
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

/// The image with this id, which has to be the account's own.
///
/// # Errors
/// As [`need`]; `AuthFailure` when it is Amazon's.
fn need_own(ctx: &Ctx, id: &str) -> Result<Image, Error> {
    let image = need(ctx, id)?;
    if image.owner == AMAZON && image.alias_of.is_none() {
        let message = format!("Not authorized for image:{}", image.id);
        return Err(Error::with_status("AuthFailure", message, 403));
    }
    Ok(image)
}

pub(super) fn internal(error: ImageError) -> Error {
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

    fn is_public(&self) -> bool {
        self.is_amazons() || self.image.shared.all
    }

    fn is_launchable_by(&self, user: &str, account: &str) -> bool {
        match user {
            "all" => self.is_public(),
            "self" => self.owner == account || self.image.shared.users.contains(account),
            other => self.owner == other || self.image.shared.users.contains(other),
        }
    }
}

const FIELDS: &[Field<Row>] = &[
    ("image-id", |row, is| is(&row.image.id)),
    ("name", |row, is| is(&row.image.name)),
    ("description", |row, is| is(&row.image.description)),
    ("architecture", |row, is| is(&row.image.architecture)),
    ("state", |row, is| is(row.image.state.name())),
    ("owner-id", |row, is| is(&row.owner)),
    ("owner-alias", |row, is| row.is_amazons() && is(AMAZON)),
    ("is-public", |row, is| is(truth(row.is_public()))),
    ("root-device-name", |row, is| is(&row.image.root_device)),
    ("root-device-type", |_, is| is("ebs")),
    ("virtualization-type", |_, is| is("hvm")),
    ("hypervisor", |_, is| is("xen")),
    ("image-type", |_, is| is("machine")),
    ("ena-support", |row, is| is(truth(row.image.drivers.ena))),
    ("sriov-net-support", |row, is| row.image.drivers.sriov.as_deref().is_some_and(is)),
    ("platform-details", |_, is| is("Linux/UNIX")),
    ("source-instance-id", |row, is| row.image.source_instance.as_deref().is_some_and(is)),
    ("source-image-id", |row, is| source(&row.image).0.is_some_and(|id| is(&id))),
    ("source-image-region", |row, is| source(&row.image).1.is_some_and(|region| is(&region))),
    ("imds-support", |row, is| row.image.imds_v2 && is("v2.0")),
    ("state-reason-message", |row, is| row.image.reason.as_deref().is_some_and(is)),
    ("block-device-mapping.snapshot-id", |row, is| {
        row.image.block_devices.iter().any(|d| d.snapshot.as_deref().is_some_and(is))
    }),
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
            && (is_owners(row, &ctx.account)
                || input.include_deprecated == Some(true)
                || !is_deprecated(&row.image, Timestamp::now()))
            && selection.accepts(row)
    });
    let page = page(rows, input.max_results, input.next_token.as_deref(), PAGE, |row| &row.image.id)?;
    Ok(DescribeImagesResult { images: page.items.into_iter().map(to_wire).collect(), next_token: page.next })
}

/// Deprecated images are hidden from all but their owner.
fn is_owners(row: &Row, account: &str) -> bool {
    row.owner == account
}

fn is_deprecated(image: &Image, now: Timestamp) -> bool {
    image.deprecation.is_some_and(|at| at <= now)
}

/// The image (and its region) that an image is a copy, or another id, of.
fn source(image: &Image) -> (Option<String>, Option<String>) {
    match &image.source_image {
        Some(from) => (Some(from.id.clone()), Some(from.region.clone())),
        None => (image.alias_of.clone(), None),
    }
}

/// The date in the form that EC2 gives it, which is a text: `2026-01-02T03:04:05.000Z`.
fn date(image: &Image) -> String {
    wire_date(image.created)
}

fn wire_date(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}

fn to_wire(row: Row) -> WireImage {
    let creation_date = Some(date(&row.image));
    let (is_amazons, is_public) = (row.is_amazons(), row.is_public());
    let location = format!("{}/{}", if is_amazons { AMAZON } else { &row.owner }, row.image.name);
    let image = row.image;
    let (source_image_id, source_image_region) = source(&image);
    let protection = if image.deregistration_protection { "enabled-without-cooldown" } else { "disabled" };
    WireImage {
        image_id: Some(image.id),
        image_location: Some(location),
        name: Some(image.name),
        description: Some(image.description).filter(|text| !text.is_empty()),
        owner_id: Some(row.owner),
        image_owner_alias: is_amazons.then(|| AMAZON.to_owned()),
        public: Some(is_public),
        state: Some(image.state.name().to_owned()),
        creation_date,
        architecture: Some(image.architecture),
        image_type: Some("machine".to_owned()),
        hypervisor: Some("xen".to_owned()),
        virtualization_type: Some("hvm".to_owned()),
        ena_support: Some(image.drivers.ena),
        sriov_net_support: image.drivers.sriov,
        imds_support: image.imds_v2.then(|| "v2.0".to_owned()),
        deprecation_time: image.deprecation.map(wire_date),
        deregistration_protection: Some(protection.to_owned()),
        source_instance_id: image.source_instance,
        state_reason: image.reason.map(|message| StateReason {
            code: Some("Server.InternalError".to_owned()),
            message: Some(message),
        }),
        root_device_type: Some("ebs".to_owned()),
        root_device_name: Some(image.root_device),
        block_device_mappings: image.block_devices.iter().map(mappings::to_wire).collect(),
        platform_details: Some("Linux/UNIX".to_owned()),
        usage_operation: Some("RunInstances".to_owned()),
        source_image_id,
        source_image_region,
        tags: row
            .tags
            .iter()
            .map(|(k, v)| Tag { key: Some(k.to_owned()), value: Some(v.to_owned()) })
            .collect(),
        ..WireImage::default()
    }
}
