//! The tags of the images and their snapshots.

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws_sdk_ec2::Client;
use packer_template::config::AmiConfig;
use tokio_util::sync::CancellationToken;

use super::api;
use super::error::Error;
use super::polling::settled;
use super::state::State;
use crate::aws::ApiError;
use crate::steps::{Scope, Step};

/// Gives `tags` to images and snapshots, and `snapshot_tags` to snapshots on top, in every region.
pub(super) struct CreateTags<'a> {
    pub ami: &'a AmiConfig,
}

#[async_trait]
impl<'a> Step<State<'a>, Error> for CreateTags<'a> {
    fn name(&self) -> &'static str {
        "StepCreateTags"
    }

    async fn run(&mut self, state: &mut State<'a>, scope: Scope<'_>) -> Result<(), Error> {
        if self.ami.tags.is_empty() && self.ami.snapshot_tags.is_empty() {
            return Ok(());
        }
        let ui = scope.ui;
        let tags = self.ami.tags.render(&state.data).map_err(Error::template)?;
        let snapshot_tags = self.ami.snapshot_tags.render(&state.data).map_err(Error::template)?;
        for (region, made) in &state.images {
            ui.say(&format!("Adding tags to AMI ({})...", made.ami));
            for snapshot in &made.snapshots {
                ui.say(&format!("Tagging snapshot: {snapshot}"));
            }
            ui.say("Creating AMI tags");
            api::report_tags(ui, &tags);
            ui.say("Creating snapshot tags");
            api::report_tags(ui, &snapshot_tags);
            let ec2 = state.session.ec2_in(region);
            let all: Vec<String> = [made.ami.clone()].into_iter().chain(made.snapshots.clone()).collect();
            tag(&ec2, &all, &tags, scope.cancel).await?;
            tag(&ec2, &made.snapshots, &snapshot_tags, scope.cancel).await?;
        }
        Ok(())
    }
}

async fn tag(
    ec2: &Client,
    resources: &[String],
    tags: &BTreeMap<String, String>,
    cancel: &CancellationToken,
) -> Result<(), Error> {
    if resources.is_empty() || tags.is_empty() {
        return Ok(());
    }
    let answer = settled(cancel, ApiError::is_not_found, || async {
        let request = ec2.create_tags().set_resources(Some(resources.to_vec()));
        let answer = request.set_tags(Some(api::tags(tags))).send().await;
        answer.map_err(|error| ApiError::of("CreateTags", error))
    });
    let attempt = format!("Error adding tags to Resources ({})", resources.join(", "));
    answer.await?.map_err(Error::api(attempt))?;
    Ok(())
}
