//! Images of the instance between two provisioners, to start from the next time.
//!
//! They are taken while the instance runs, without a reboot: what it has not written to disk is not in them. A caller
//! who wants it all runs `sync` there first.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::ResourceType;
use tokio_util::sync::CancellationToken;

use super::api::{self, tag_specification};
use super::error::Error;
use super::image::created;
use super::polling::Polling;
use crate::aws::{ApiError, Session};
use crate::steps::Leftover;
use crate::ui::Ui;

/// Takes an image of a running instance and waits until it can be launched; answers with its id. Tags are given to
/// image and snapshots from their first moment, so that even one whose making is interrupted can be found.
///
/// # Errors
/// When EC2 refuses or the image fails; [`Error::Cancelled`]. What was begun is taken back.
pub async fn take(
    session: &Session,
    instance_id: &str,
    name: &str,
    tags: &BTreeMap<String, String>,
    polling: Polling,
    ui: &dyn Ui,
    cancel: &CancellationToken,
) -> Result<String, Error> {
    let specifications: Vec<_> = [ResourceType::Image, ResourceType::Snapshot]
        .into_iter()
        .filter_map(|kind| tag_specification(kind, tags))
        .collect();
    let request = || async {
        let request = session.ec2.create_image().instance_id(instance_id).name(name).no_reboot(true);
        let request =
            request.set_tag_specifications((!specifications.is_empty()).then(|| specifications.clone()));
        request.send().await.map_err(|error| ApiError::of("CreateImage", error))
    };
    let ami = created(cancel, request).await?;
    match api::available(&session.ec2, &session.region, &ami, polling, cancel).await {
        Ok(_) => Ok(ami),
        Err(error) => {
            for leftover in remove(session, &ami, ui).await {
                ui.error(&leftover.to_string());
            }
            Err(error)
        }
    }
}

/// Whether a checkpoint is still there to start from.
///
/// # Errors
/// When EC2 does not say.
pub async fn exists(session: &Session, ami: &str) -> Result<bool, ApiError> {
    let image = api::image(&session.ec2, ami).await?;
    Ok(image.and_then(|image| image.state).is_some_and(|state| state.as_str() == "available"))
}

/// Deregisters a checkpoint and deletes its snapshots. Answers with what could not be removed.
pub async fn remove(session: &Session, ami: &str, ui: &dyn Ui) -> Vec<Leftover> {
    api::destroy(&session.ec2, &session.region, ami, ui).await
}
