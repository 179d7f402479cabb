//! The calls that several steps make.

use std::collections::BTreeMap;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Filter, Image, Instance, ResourceType, Tag, TagSpecification};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio_util::sync::CancellationToken;

use super::error::Error;
use super::polling::{FOR_AN_IMAGE, Polling, Seen};
use crate::aws::ApiError;
use crate::steps::Leftover;
use crate::ui::Ui;

/// How many lines of a console an error shows.
const CONSOLE_LINES: usize = 20;

/// One image; none when there is no such image (yet, or any more).
pub(super) async fn image(ec2: &Client, ami: &str) -> Result<Option<Image>, ApiError> {
    let answer = ec2.describe_images().image_ids(ami).send().await;
    match answer.map_err(|error| ApiError::of("DescribeImages", error)) {
        Ok(answer) => Ok(answer.images.unwrap_or_default().into_iter().next()),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// One instance; none when there is no such instance (yet, or any more).
pub(super) async fn instance(ec2: &Client, id: &str) -> Result<Option<Instance>, ApiError> {
    let answer = ec2.describe_instances().instance_ids(id).send().await;
    match answer.map_err(|error| ApiError::of("DescribeInstances", error)) {
        Ok(answer) => {
            let mut reservations = answer.reservations.unwrap_or_default().into_iter();
            Ok(reservations.find_map(|reservation| reservation.instances?.into_iter().next()))
        }
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// The state that an instance is in, in EC2's word.
pub(super) fn state_of(instance: &Instance) -> &str {
    instance.state.as_ref().and_then(|state| state.name.as_ref()).map_or("pending", |name| name.as_str())
}

/// Why an instance is in its state, as far as EC2 says.
pub(super) fn reason_of(instance: &Instance) -> String {
    let why = instance.state_reason.as_ref().and_then(|reason| reason.message.as_deref());
    let transition = instance.state_transition_reason.as_deref().filter(|reason| !reason.is_empty());
    match (transition, why) {
        (Some(transition), Some(why)) if transition != why => format!("{transition}: {why}"),
        (Some(reason), _) | (None, Some(reason)) => reason.to_owned(),
        (None, None) => "EC2 gives no reason".to_owned(),
    }
}

/// The error of an instance that ended too early, with what EC2 and its console say.
pub(super) async fn died(ec2: &Client, instance: &Instance) -> Error {
    let id = instance.instance_id.clone().unwrap_or_default();
    Error::Died {
        state: state_of(instance).to_owned(),
        reason: reason_of(instance),
        console: console(ec2, &id).await,
        instance: id,
    }
}

/// The end of an instance's console; empty when there is nothing, or it cannot be had: it is only asked for to explain
/// another error, which matters more.
pub(super) async fn console(ec2: &Client, instance_id: &str) -> String {
    let answer = ec2.get_console_output().instance_id(instance_id).send().await;
    let encoded = answer.ok().and_then(|answer| answer.output).unwrap_or_default();
    let bytes = STANDARD.decode(encoded.trim()).unwrap_or_default();
    tail(&String::from_utf8_lossy(&bytes), CONSOLE_LINES)
}

fn tail(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// The snapshots under an image.
pub(super) fn snapshots(image: &Image) -> Vec<String> {
    let mappings = image.block_device_mappings().iter();
    mappings.filter_map(|mapping| mapping.ebs.as_ref()?.snapshot_id.clone()).collect()
}

/// Waits until an image is available, and answers with it.
pub(super) async fn available(
    ec2: &Client,
    region: &str,
    ami: &str,
    polling: Polling,
    cancel: &CancellationToken,
) -> Result<Image, Error> {
    let what = format!("AMI {ami} in {region} to become available");
    let look = || async {
        let Some(image) = image(ec2, ami).await.map_err(Error::api("Error waiting for AMI"))? else {
            return Ok(Seen::NotYet("not there yet".to_owned()));
        };
        let state = image.state.as_ref().map_or("pending", |state| state.as_str()).to_owned();
        match state.as_str() {
            "available" => Ok(Seen::There(image)),
            "failed" | "error" | "invalid" | "deregistered" => {
                let why = image.state_reason.and_then(|reason| reason.message);
                let reason = why.unwrap_or_else(|| format!("it is {state}, EC2 gives no reason"));
                Err(Error::ImageFailed { ami: ami.to_owned(), region: region.to_owned(), reason })
            }
            _ => Ok(Seen::NotYet(state)),
        }
    };
    polling.until(FOR_AN_IMAGE, &what, cancel, look).await
}

/// Deregisters an image and deletes its snapshots; answers with what could not be removed.
pub(super) async fn destroy(ec2: &Client, region: &str, ami: &str, ui: &dyn Ui) -> Vec<Leftover> {
    let left = |what: String, why: ApiError, remove: String| Leftover { what, why: why.to_string(), remove };
    let deregister = format!("aws ec2 deregister-image --region {region} --image-id {ami}");
    let snapshots = match image(ec2, ami).await {
        Ok(Some(image)) => snapshots(&image),
        Ok(None) => return Vec::new(),
        Err(error) => return vec![left(format!("image {ami}"), error, deregister)],
    };
    let answer = ec2.deregister_image().image_id(ami).send().await;
    if let Err(error) = answer.map_err(|error| ApiError::of("DeregisterImage", error)) {
        return vec![left(format!("image {ami}"), error, deregister)];
    }
    ui.say(&format!("Deregistered AMI id: {ami}"));
    let mut leftovers = Vec::new();
    for id in snapshots {
        let answer = ec2.delete_snapshot().snapshot_id(&id).send().await;
        match answer.map_err(|error| ApiError::of("DeleteSnapshot", error)) {
            Ok(_) => ui.say(&format!("Deleted snapshot: {id}")),
            Err(error) if error.is_not_found() => {}
            Err(error) => {
                let remove = format!("aws ec2 delete-snapshot --region {region} --snapshot-id {id}");
                leftovers.push(left(format!("snapshot {id}"), error, remove));
            }
        }
    }
    leftovers
}

/// Filters as EC2 wants them, in order of name. A value with commas is a list, as in Packer.
pub(super) fn filters<'a>(filters: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<Filter> {
    let filter = |(name, values): (&str, &str)| {
        Filter::builder().name(name).set_values(Some(values.split(',').map(str::to_owned).collect())).build()
    };
    filters.into_iter().map(filter).collect()
}

/// How filters are shown in an error: `name=amzn*, state=available`.
pub(super) fn shown(filters: &[Filter]) -> String {
    let shown = |filter: &Filter| {
        format!("{}={}", filter.name.as_deref().unwrap_or_default(), filter.values().join(","))
    };
    filters.iter().map(shown).collect::<Vec<_>>().join(", ")
}

/// Tags as EC2 wants them.
pub(super) fn tags(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// The tags of one kind of thing that a request makes; none when there are no tags.
pub(super) fn tag_specification(
    kind: ResourceType,
    all: &BTreeMap<String, String>,
) -> Option<TagSpecification> {
    let specification = TagSpecification::builder().resource_type(kind).set_tags(Some(tags(all)));
    (!all.is_empty()).then(|| specification.build())
}

/// Tells which tags are given, as Packer does.
pub(super) fn report_tags(ui: &dyn Ui, tags: &BTreeMap<String, String>) {
    for (key, value) in tags {
        ui.message(&format!("Adding tag: \"{key}\": \"{value}\""));
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::{InstanceState, InstanceStateName, StateReason};

    use super::*;

    #[test]
    fn a_filter_with_commas_is_a_list() {
        let filters = filters([("architecture", "x86_64"), ("state", "available,pending")]);
        assert_eq!(filters[1].values(), ["available", "pending"]);
        assert_eq!(shown(&filters), "architecture=x86_64, state=available,pending");
    }

    #[test]
    fn only_the_end_of_a_console_is_shown() {
        let text = (0..50).map(|n| format!("line {n}\r\n\n")).collect::<String>();
        assert_eq!(tail(&text, 2), "line 48\nline 49");
        assert_eq!(tail("", 2), "");
    }

    #[test]
    fn the_reason_of_a_state_is_told_once() {
        let reason = |transition: Option<&str>, message: Option<&str>| {
            let why = message.map(|message| StateReason::builder().message(message).build());
            let instance = Instance::builder()
                .set_state_transition_reason(transition.map(str::to_owned))
                .set_state_reason(why)
                .build();
            reason_of(&instance)
        };
        assert_eq!(reason(Some("Server.Error"), Some("Server.Error")), "Server.Error");
        assert_eq!(reason(Some("User initiated"), Some("Client.X")), "User initiated: Client.X");
        assert_eq!(reason(Some(""), Some("Client.X")), "Client.X");
        assert_eq!(reason(None, None), "EC2 gives no reason");
    }

    #[test]
    fn a_state_is_ec2s_word() {
        let stopped = InstanceState::builder().name(InstanceStateName::Stopped).build();
        assert_eq!(state_of(&Instance::builder().state(stopped).build()), "stopped");
        assert_eq!(state_of(&Instance::builder().build()), "pending");
    }
}
