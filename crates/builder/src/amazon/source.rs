//! The image that the build starts from.

use async_trait::async_trait;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::Image;
use packer_template::config::{AmiConfig, RunConfig, SourceAmiFilter};

use super::api::{self, filters, shown};
use super::error::Error;
use super::state::State;
use crate::aws::ApiError;
use crate::steps::{Scope, Step};

/// Finds the source image.
pub(super) struct SourceAmi<'a> {
    pub run: &'a RunConfig,
    /// An image to launch instead.
    pub start_from: Option<&'a str>,
    pub enhanced: Enhanced,
}

/// Whether enhanced networking is asked for, which only HVM images can have.
#[derive(Clone, Copy, Default)]
pub(super) struct Enhanced {
    wanted: bool,
    /// `ami_virtualization_type` says it will be HVM.
    hvm: bool,
}

impl Enhanced {
    pub fn of(ami: &AmiConfig) -> Self {
        Self {
            wanted: ami.sriov_support || ami.ena_support == Some(true),
            hvm: ami.ami_virtualization_type.as_deref() == Some("hvm"),
        }
    }

    fn check(self, image: &Image) -> Result<(), Error> {
        let hvm = self.hvm || image.virtualization_type.as_ref().is_none_or(|kind| kind.as_str() == "hvm");
        if hvm || !self.wanted {
            return Ok(());
        }
        let id = image.image_id.as_deref().unwrap_or_default();
        Err(Error::Unfit(format!("Cannot enable enhanced networking, source AMI '{id}' is not HVM")))
    }
}

#[async_trait]
impl<'a> Step<State<'a>, Error> for SourceAmi<'a> {
    fn name(&self) -> &'static str {
        "StepSourceAMIInfo"
    }

    async fn run(&mut self, state: &mut State<'a>, scope: Scope<'_>) -> Result<(), Error> {
        let ec2 = &state.session.ec2;
        let source = find(ec2, self.run).await?;
        scope.ui.message(&format!("Found Image ID: {}", source.image_id.as_deref().unwrap_or_default()));
        check_root(&source)?;
        self.enhanced.check(&source)?;
        let launched = match self.start_from {
            Some(ami) => {
                let image = api::image(ec2, ami).await.map_err(Error::api("Error querying AMI"))?;
                let image = image.ok_or_else(|| Error::Unfit(format!("the checkpoint {ami} is gone")))?;
                scope.ui.message(&format!("Starting from its checkpoint: {ami}"));
                image
            }
            None => source.clone(),
        };
        state.know_source(&source);
        state.launched = Some(launched);
        state.resumed = self.start_from.is_some();
        Ok(())
    }
}

/// The image that the options mean.
pub(super) async fn find(ec2: &Client, run: &RunConfig) -> Result<Image, Error> {
    let none = SourceAmiFilter::default();
    let filter = run.source_ami_filter.as_ref().unwrap_or(&none);
    let wanted = filters(filter.filters.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let request = ec2
        .describe_images()
        .set_image_ids(run.source_ami.clone().map(|id| vec![id]))
        .set_filters((!wanted.is_empty()).then(|| wanted.clone()))
        .set_owners((!filter.owners.is_empty()).then(|| filter.owners.clone()));
    let images = request
        .send()
        .await
        .map_err(|error| ApiError::of("DescribeImages", error))
        .map_err(Error::api("Error querying AMI"))?
        .images
        .unwrap_or_default();
    choose(images, filter, run.source_ami.as_deref())
}

fn choose(images: Vec<Image>, filter: &SourceAmiFilter, id: Option<&str>) -> Result<Image, Error> {
    if images.len() > 1 && !filter.most_recent {
        return Err(Error::Unfit(format!(
            "Your query returned {} images. Please try a more specific search, or set most_recent to true.",
            images.len()
        )));
    }
    // Dates are ISO 8601 in UTC: their order is that of their letters.
    images.into_iter().max_by(|a, b| a.creation_date.cmp(&b.creation_date)).ok_or_else(|| {
        let all = filters(filter.filters.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let mut said = shown(&all);
        for (name, value) in [("id", id.unwrap_or_default()), ("owners", &filter.owners.join(","))] {
            if !value.is_empty() {
                said = format!("{said}{}{name}={value}", if said.is_empty() { "" } else { ", " });
            }
        }
        Error::Unfit(format!("No AMI was found matching filters: {said}"))
    })
}

/// The builder makes EBS snapshots: an image whose root is on an instance store has none.
fn check_root(image: &Image) -> Result<(), Error> {
    match image.root_device_type.as_ref().map(|kind| kind.as_str()) {
        None | Some("ebs") => Ok(()),
        Some(other) => Err(Error::Unfit(format!(
            "The provided source AMI has an invalid root device type.\nExpected 'ebs', got '{other}'."
        ))),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::{DeviceType, VirtualizationType};

    use super::*;

    fn image(id: &str, created: &str) -> Image {
        Image::builder().image_id(id).creation_date(created).build()
    }

    #[test]
    fn the_newest_is_taken_only_when_asked_for() {
        let images =
            || vec![image("new", "2026-02-01T00:00:00.000Z"), image("old", "2025-12-01T00:00:00.000Z")];
        let filter = |most_recent| SourceAmiFilter { most_recent, ..SourceAmiFilter::default() };
        let chosen = choose(images(), &filter(true), None).expect("an image");
        assert_eq!(chosen.image_id.as_deref(), Some("new"));
        let error = choose(images(), &filter(false), None).unwrap_err().to_string();
        assert!(error.contains("2 images") && error.contains("most_recent"), "{error}");
    }

    #[test]
    fn what_was_looked_for_is_told_when_nothing_is_found() {
        let filter = SourceAmiFilter {
            filters: [("name".to_owned(), "amzn*".to_owned())].into(),
            owners: vec!["amazon".to_owned()],
            most_recent: true,
        };
        let error = choose(Vec::new(), &filter, None).unwrap_err().to_string();
        assert_eq!(error, "No AMI was found matching filters: name=amzn*, owners=amazon");
        let error = choose(Vec::new(), &SourceAmiFilter::default(), Some("ami-1")).unwrap_err().to_string();
        assert_eq!(error, "No AMI was found matching filters: id=ami-1");
    }

    #[test]
    fn an_instance_store_root_is_refused() {
        let store = Image::builder().root_device_type(DeviceType::InstanceStore).build();
        assert!(check_root(&store).unwrap_err().to_string().contains("got 'instance-store'"));
        assert!(check_root(&Image::builder().root_device_type(DeviceType::Ebs).build()).is_ok());
    }

    #[test]
    fn enhanced_networking_needs_hvm() {
        let paravirtual =
            Image::builder().image_id("ami-1").virtualization_type(VirtualizationType::Paravirtual).build();
        assert!(Enhanced { wanted: true, hvm: false }.check(&paravirtual).is_err());
        assert!(Enhanced { wanted: true, hvm: true }.check(&paravirtual).is_ok());
        assert!(Enhanced { wanted: false, hvm: false }.check(&paravirtual).is_ok());
    }
}
