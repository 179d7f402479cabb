//! Attributes of images: permissions, description, deprecation, protection.

use aws_wire::Error;
use aws_wire::ec2::{
    AttributeValue, DescribeImageAttributeRequest, DisableImageDeprecationRequest,
    DisableImageDeprecationResult, DisableImageDeregistrationProtectionRequest,
    DisableImageDeregistrationProtectionResult, EnableImageDeprecationRequest, EnableImageDeprecationResult,
    EnableImageDeregistrationProtectionRequest, EnableImageDeregistrationProtectionResult, ImageAttribute,
    LaunchPermission, ModifyImageAttributeRequest, ResetImageAttributeRequest,
};
use jiff::Timestamp;
use machine::images::{AMAZON, Image, Shared};

use super::register::imds_v2;
use super::{internal, mappings, need, need_own};
use crate::context::Ctx;
use crate::ec2::errors;
use crate::ec2::request::{only_supported, required, stop_dry_run};
use crate::ec2::sharing::{Changes, launch_permissions, shared};
use crate::ec2::snapshots::description;

/// `DescribeImageAttribute`
pub fn describe_image_attribute(
    ctx: &Ctx,
    input: DescribeImageAttributeRequest,
) -> Result<ImageAttribute, Error> {
    let image = need(ctx, required(&input.image_id, "imageId")?)?;
    stop_dry_run(input.dry_run)?;
    let value = |value: Option<String>| Some(AttributeValue { value });
    let mut answer = ImageAttribute { image_id: Some(image.id.clone()), ..ImageAttribute::default() };
    match required(&input.attribute, "attribute")? {
        "description" => answer.description = value(Some(image.description)),
        "blockDeviceMapping" => {
            answer.block_device_mappings = image.block_devices.iter().map(mappings::to_wire).collect();
        }
        "launchPermission" => {
            let everybody = image.owner == AMAZON || image.shared.all;
            answer.launch_permissions = launch_permissions(&Shared { all: everybody, ..image.shared });
        }
        "sriovNetSupport" => answer.sriov_net_support = value(image.drivers.sriov),
        "imdsSupport" => answer.imds_support = value(image.imds_v2.then(|| "v2.0".to_owned())),
        "kernel" | "ramdisk" | "productCodes" | "bootMode" | "tpmSupport" => {}
        other => return Err(errors::invalid_parameter(other, "attribute", "Unknown attribute.")),
    }
    Ok(answer)
}

/// A change of an image.
#[derive(Debug, PartialEq, Eq)]
enum Change {
    Description(String),
    Permissions(Changes),
    ImdsV2(bool),
}

impl Change {
    fn apply(self, image: &mut Image) {
        match self {
            Self::Description(text) => image.description = text,
            Self::Permissions(changes) => changes.apply(&mut image.shared),
            Self::ImdsV2(required) => image.imds_v2 = required,
        }
    }
}

/// `ModifyImageAttribute`: one attribute at a time, as on EC2.
pub fn modify_image_attribute(ctx: &Ctx, input: ModifyImageAttributeRequest) -> Result<(), Error> {
    const SUPPORTED: &[&str] = &[
        "Attribute",
        "Description",
        "DryRun",
        "ImageId",
        "ImdsSupport",
        "LaunchPermission",
        "OperationType",
        "UserGroups",
        "UserIds",
        "Value",
    ];
    only_supported(&input, "ModifyImageAttribute", SUPPORTED)?;
    let id = required(&input.image_id, "imageId")?;
    need_own(ctx, id)?;
    let asked = asked(&input)?;
    stop_dry_run(input.dry_run)?;
    update(ctx, id, |image| asked.apply(image))
}

fn asked(input: &ModifyImageAttributeRequest) -> Result<Change, Error> {
    let mut changes = Vec::new();
    if let Some(text) = &input.description {
        changes.push(Change::Description(description(text.value.as_deref())?));
    }
    if let Some(permissions) = &input.launch_permission {
        let asked = Changes { add: who(&permissions.add)?, remove: who(&permissions.remove)? };
        if !asked.is_empty() {
            changes.push(Change::Permissions(asked));
        }
    }
    if let Some(asked) = &input.imds_support {
        changes.push(Change::ImdsV2(imds_v2(asked.value.as_deref())?));
    }
    match (input.attribute.as_deref(), input.operation_type.as_deref()) {
        (None | Some("launchPermission"), Some(operation)) => {
            let asked = Changes::by_operation(operation, &input.user_ids, &input.user_groups)?;
            changes.push(Change::Permissions(asked));
        }
        (Some("description"), None) if input.value.is_some() => {
            changes.push(Change::Description(description(input.value.as_deref())?));
        }
        // The other parameters say what is to be changed.
        (None | Some("description" | "launchPermission" | "imdsSupport"), None) => {}
        (Some(other), _) => return Err(errors::unsupported(&format!("ModifyImageAttribute of {other}"))),
    }
    match (changes.pop(), changes.is_empty()) {
        (Some(change), true) => Ok(change),
        (None, _) => Err(errors::bad_combination("No attributes specified.")),
        (Some(_), false) => Err(errors::bad_combination("Fields for multiple attribute types specified")),
    }
}

fn who(permissions: &[LaunchPermission]) -> Result<Shared, Error> {
    for permission in permissions {
        const SUPPORTED: &[&str] = &["Group", "UserId"];
        only_supported(permission, "LaunchPermission", SUPPORTED)?;
    }
    shared(permissions.iter().map(|p| (p.user_id.as_deref(), p.group.as_deref())))
}

fn update(ctx: &Ctx, id: &str, change: impl FnOnce(&mut Image)) -> Result<(), Error> {
    let changed = ctx.cloud.images.update(id, change).map_err(internal)?;
    changed.map(drop).ok_or_else(|| errors::image_not_found(&[id]))
}

/// `ResetImageAttribute`: nobody else may launch the image any more.
pub fn reset_image_attribute(ctx: &Ctx, input: ResetImageAttributeRequest) -> Result<(), Error> {
    let id = required(&input.image_id, "imageId")?;
    need_own(ctx, id)?;
    let attribute = required(&input.attribute, "attribute")?;
    if attribute != "launchPermission" {
        return Err(errors::invalid_parameter(attribute, "attribute", "Only launchPermission is reset."));
    }
    stop_dry_run(input.dry_run)?;
    update(ctx, id, |image| image.shared = Shared::default())
}

/// `EnableImageDeprecation`
pub fn enable_image_deprecation(
    ctx: &Ctx,
    input: EnableImageDeprecationRequest,
) -> Result<EnableImageDeprecationResult, Error> {
    let id = required(&input.image_id, "imageId")?;
    need_own(ctx, id)?;
    let at = input.deprecate_at.ok_or_else(|| errors::missing("deprecateAt"))?;
    if at <= Timestamp::now() {
        return Err(errors::invalid_value("The deprecation date and time must be in the future"));
    }
    stop_dry_run(input.dry_run)?;
    update(ctx, id, |image| image.deprecation = Some(at))?;
    Ok(EnableImageDeprecationResult { return_: Some(true) })
}

/// `DisableImageDeprecation`
pub fn disable_image_deprecation(
    ctx: &Ctx,
    input: DisableImageDeprecationRequest,
) -> Result<DisableImageDeprecationResult, Error> {
    let id = required(&input.image_id, "imageId")?;
    need_own(ctx, id)?;
    stop_dry_run(input.dry_run)?;
    update(ctx, id, |image| image.deprecation = None)?;
    Ok(DisableImageDeprecationResult { return_: Some(true) })
}

/// `EnableImageDeregistrationProtection`
pub fn enable_image_deregistration_protection(
    ctx: &Ctx,
    input: EnableImageDeregistrationProtectionRequest,
) -> Result<EnableImageDeregistrationProtectionResult, Error> {
    if input.with_cooldown == Some(true) {
        return Err(errors::unsupported("EnableImageDeregistrationProtection with WithCooldown"));
    }
    let id = required(&input.image_id, "imageId")?;
    need_own(ctx, id)?;
    stop_dry_run(input.dry_run)?;
    update(ctx, id, |image| image.deregistration_protection = true)?;
    let answer = Some("enabled-without-cooldown".to_owned());
    Ok(EnableImageDeregistrationProtectionResult { return_: answer })
}

/// `DisableImageDeregistrationProtection`
pub fn disable_image_deregistration_protection(
    ctx: &Ctx,
    input: DisableImageDeregistrationProtectionRequest,
) -> Result<DisableImageDeregistrationProtectionResult, Error> {
    let id = required(&input.image_id, "imageId")?;
    need_own(ctx, id)?;
    stop_dry_run(input.dry_run)?;
    update(ctx, id, |image| image.deregistration_protection = false)?;
    Ok(DisableImageDeregistrationProtectionResult { return_: Some("disabled".to_owned()) })
}

#[cfg(test)]
mod tests {
    use aws_wire::ec2::LaunchPermissionModifications;

    use super::*;

    const USER: &str = "111122223333";

    fn permitted(users: &[&str], all: bool) -> Change {
        let users = users.iter().map(|user| (*user).to_owned()).collect();
        Change::Permissions(Changes { add: Shared { all, users }, ..Changes::default() })
    }

    fn asked_of(change: impl FnOnce(&mut ModifyImageAttributeRequest)) -> Result<Change, String> {
        let mut input = ModifyImageAttributeRequest::default();
        change(&mut input);
        asked(&input).map_err(|error| error.code.to_string())
    }

    fn adding(user: Option<&str>, group: Option<&str>) -> Option<LaunchPermissionModifications> {
        let permission = LaunchPermission {
            user_id: user.map(str::to_owned),
            group: group.map(str::to_owned),
            ..LaunchPermission::default()
        };
        Some(LaunchPermissionModifications { add: vec![permission], ..Default::default() })
    }

    #[test]
    fn one_attribute_in_each_of_its_forms() {
        let value = |text: &str| Some(AttributeValue { value: Some(text.to_owned()) });
        let old = asked_of(|i| {
            i.attribute = Some("launchPermission".into());
            i.operation_type = Some("add".into());
            i.user_ids = vec![USER.into()];
        });
        assert_eq!(old, Ok(permitted(&[USER], false)));
        // Packer names the users twice.
        let both = asked_of(|i| {
            i.user_ids = vec![USER.into()];
            i.launch_permission = adding(Some(USER), None);
        });
        assert_eq!(both, Ok(permitted(&[USER], false)));
        assert_eq!(asked_of(|i| i.launch_permission = adding(None, Some("all"))), Ok(permitted(&[], true)));
        assert_eq!(asked_of(|i| i.description = value("new")), Ok(Change::Description("new".into())));
        let by_name = asked_of(|i| (i.attribute, i.value) = (Some("description".into()), Some("new".into())));
        assert_eq!(by_name, Ok(Change::Description("new".into())));
        assert_eq!(asked_of(|i| i.imds_support = value("v2.0")), Ok(Change::ImdsV2(true)));
    }

    #[test]
    fn what_is_not_one_attribute_is_refused() {
        let value = |text: &str| Some(AttributeValue { value: Some(text.to_owned()) });
        assert_eq!(asked_of(|_| {}), Err("InvalidParameterCombination".into()));
        let two = asked_of(|i| (i.description, i.imds_support) = (value("new"), value("v2.0")));
        assert_eq!(two, Err("InvalidParameterCombination".into()));
        let codes = asked_of(|i| i.attribute = Some("productCodes".into()));
        assert_eq!(codes, Err("UnsupportedOperation".into()));
        assert_eq!(asked_of(|i| i.imds_support = value("v1.0")), Err("InvalidParameterValue".into()));
    }
}
