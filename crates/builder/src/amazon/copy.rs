//! The image in other regions, and encrypted.

use std::collections::BTreeSet;

use async_trait::async_trait;
use aws_sdk_ec2::Client;
use futures_util::future::join_all;
use packer_template::config::AmiConfig;

use super::api;
use super::error::Error;
use super::state::{Made, State};
use crate::aws::ApiError;
use crate::steps::{Leftover, Outcome, Scope, Step};
use crate::ui::Ui;

/// Copies the image to `ami_regions`, all at the same time; with `encrypt_boot` to its own region, too.
pub(super) struct CopyToRegions<'a> {
    pub ami: &'a AmiConfig,
}

/// A copy to make.
#[derive(Debug, PartialEq, Eq)]
struct Copy {
    region: String,
    /// The key that it is encrypted with; none for the region's default key.
    key: Option<String>,
}

#[async_trait]
impl<'a> Step<State<'a>, Error> for CopyToRegions<'a> {
    fn name(&self) -> &'static str {
        "StepAMIRegionCopy"
    }

    async fn run(&mut self, state: &mut State<'a>, scope: Scope<'_>) -> Result<(), Error> {
        let session = state.session;
        let copies = copies(self.ami, &session.region);
        if copies.is_empty() {
            return Ok(());
        }
        let source = state.intermediary.as_ref().or_else(|| state.images.get(&session.region));
        let source = source.ok_or(Error::OutOfOrder("an image to copy"))?.ami.clone();
        scope.ui.say(&format!("Copying/Encrypting AMI ({source}) to other regions..."));
        let mut begun = Vec::new();
        let mut result = Ok(());
        for copy in &copies {
            scope.ui.message(&format!("Copying to: {}", copy.region));
            let ec2 = session.ec2_in(&copy.region);
            // Noted one by one, so that each copy that was begun is known when a later one is refused.
            match self.begin(&ec2, copy, &source, &session.region).await {
                Ok(ami) => {
                    let made = Made { ami: ami.clone(), snapshots: Vec::new() };
                    state.images.insert(copy.region.clone(), made);
                    begun.push((ec2, copy.region.clone(), ami));
                }
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
        }
        result?;
        scope.ui.message("Waiting for all copies to complete...");
        let polling = state.polling;
        let waits =
            begun.iter().map(|(ec2, region, ami)| api::available(ec2, region, ami, polling, scope.cancel));
        for ((_, region, _), image) in begun.iter().zip(join_all(waits).await) {
            if let Some(made) = state.images.get_mut(region) {
                made.snapshots = api::snapshots(&image?);
            }
        }
        Ok(())
    }

    async fn cleanup(&mut self, state: &mut State<'a>, ui: &dyn Ui, _outcome: Outcome) -> Vec<Leftover> {
        let Some(intermediary) = state.intermediary.take() else { return Vec::new() };
        ui.say("Deregistering the AMI and deleting unencrypted temporary AMIs and snapshots");
        api::destroy(&state.session.ec2, &state.session.region, &intermediary.ami, ui).await
    }
}

impl CopyToRegions<'_> {
    async fn begin(&self, ec2: &Client, copy: &Copy, source: &str, from: &str) -> Result<String, Error> {
        let answer = ec2
            .copy_image()
            .source_region(from)
            .source_image_id(source)
            .name(&self.ami.ami_name)
            .set_encrypted(self.ami.encrypt_boot)
            .set_kms_key_id(copy.key.clone())
            .send()
            .await;
        let answer = answer
            .map_err(|error| ApiError::of("CopyImage", error))
            .map_err(Error::api(format!("Error Copying AMI ({source}) to region ({})", copy.region)))?;
        answer.image_id.ok_or(Error::OutOfOrder("the copy's id"))
    }
}

/// The copies that the options ask for.
fn copies(ami: &AmiConfig, own: &str) -> Vec<Copy> {
    let encrypted = ami.encrypt_boot == Some(true);
    let mut regions: BTreeSet<&str> = ami.ami_regions.iter().map(String::as_str).collect();
    // The build's own region has its image already, unless that is to be encrypted by a copy.
    if encrypted && !ami.skip_save_build_region {
        regions.insert(own);
    } else {
        regions.remove(own);
    }
    let key = |region: &str| {
        let given = ami.region_kms_key_ids.get(region).filter(|key| !key.is_empty()).cloned();
        let here = || if region == own { ami.kms_key_id.clone() } else { None };
        given.or_else(here).filter(|_| encrypted)
    };
    regions.into_iter().map(|region| Copy { region: region.to_owned(), key: key(region) }).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::config;
    use super::*;

    fn made(options: &str) -> Vec<(String, Option<String>)> {
        let copies = copies(&config(options).ami, "us-east-1");
        copies.into_iter().map(|copy| (copy.region, copy.key)).collect()
    }

    fn to(region: &str, key: Option<&str>) -> (String, Option<String>) {
        (region.to_owned(), key.map(str::to_owned))
    }

    #[test]
    fn an_image_is_copied_to_other_regions_only() {
        assert_eq!(made(""), []);
        let regions = r#""ami_regions": ["us-east-1", "eu-west-1"]"#;
        assert_eq!(made(regions), [to("eu-west-1", None)]);
    }

    #[test]
    fn encryption_copies_to_the_own_region_too_with_its_key() {
        let own = r#""encrypt_boot": true, "kms_key_id": "alias/mine""#;
        assert_eq!(made(own), [to("us-east-1", Some("alias/mine"))]);
        let both = r#""encrypt_boot": true, "kms_key_id": "alias/mine", "ami_regions": ["eu-west-1"],
            "region_kms_key_ids": {"eu-west-1": "alias/theirs"}"#;
        assert_eq!(made(both), [to("eu-west-1", Some("alias/theirs")), to("us-east-1", Some("alias/mine"))]);
        let default_key =
            r#""encrypt_boot": true, "ami_regions": ["eu-west-1"], "region_kms_key_ids": {"eu-west-1": ""}"#;
        assert_eq!(made(default_key), [to("eu-west-1", None), to("us-east-1", None)]);
    }

    #[test]
    fn an_image_that_is_not_to_be_encrypted_is_only_copied() {
        let options = r#""encrypt_boot": false, "ami_regions": ["us-east-1", "eu-west-1"]"#;
        assert_eq!(made(options), [to("eu-west-1", None)]);
    }

    #[test]
    fn the_builds_own_region_may_be_left_out() {
        let options = r#""skip_save_build_region": true, "encrypt_boot": true, "ami_regions": ["eu-west-1"]"#;
        assert_eq!(made(options), [to("eu-west-1", None)]);
    }
}
