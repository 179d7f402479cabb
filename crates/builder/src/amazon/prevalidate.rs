//! Looks whether the build can end well before it costs anything.

use async_trait::async_trait;
use aws_sdk_ec2::Client;
use packer_template::config::AmazonEbs;

use super::api::filters;
use super::error::Error;
use super::state::State;
use crate::aws::ApiError;
use crate::steps::{Scope, Step};

/// The regions are real, the VPC can be used, the image's name is free.
pub(super) struct PreValidate<'a> {
    pub config: &'a AmazonEbs,
    /// An image of the same name is replaced.
    pub replace: bool,
}

#[async_trait]
impl<'a> Step<State<'a>, Error> for PreValidate<'a> {
    fn name(&self) -> &'static str {
        "StepPreValidate"
    }

    async fn run(&mut self, state: &mut State<'a>, scope: Scope<'_>) -> Result<(), Error> {
        let (session, ui) = (state.session, scope.ui);
        if !self.config.access.skip_region_validation {
            self.check_regions(&session.ec2, &session.region).await?;
        }
        if self.replace {
            ui.say("Force Deregister flag found, skipping prevalidating AMI Name");
            return Ok(());
        }
        if self.config.ami.skip_save_build_region {
            ui.say("skip_build_region was set; not prevalidating AMI name");
            return Ok(());
        }
        if self.config.ami.skip_create_ami {
            ui.say("skip_create_ami was set; not prevalidating AMI name");
            return Ok(());
        }
        ui.say("Prevalidating any provided VPC information");
        self.check_vpc(&session.ec2).await?;
        let name = &self.config.ami.ami_name;
        ui.say(&format!("Prevalidating AMI Name: {name}"));
        self.check_name(&session.ec2, name).await
    }
}

impl PreValidate<'_> {
    async fn check_regions(&self, ec2: &Client, own: &str) -> Result<(), Error> {
        let answer = ec2.describe_regions().all_regions(false).send().await;
        let answer = answer
            .map_err(|error| ApiError::of("DescribeRegions", error))
            .map_err(Error::api("error validating regions"))?;
        let known: Vec<&str> =
            answer.regions().iter().filter_map(|region| region.region_name.as_deref()).collect();
        let wanted = self.config.ami.ami_regions.iter().map(String::as_str).chain([own]);
        let unknown: Vec<&str> = wanted.filter(|region| !known.contains(region)).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        Err(Error::Unfit(format!(
            "error validating regions: Invalid region(s): {}; the account can use {}\n\
             Set `skip_region_validation` to go there all the same.",
            unknown.join(", "),
            known.join(", ")
        )))
    }

    async fn check_vpc(&self, ec2: &Client) -> Result<(), Error> {
        let run = &self.config.run;
        let Some(id) = &run.vpc_id else { return Ok(()) };
        if run.subnet_id.is_some() || run.subnet_filter.is_some() {
            return Ok(());
        }
        let answer = ec2.describe_vpcs().vpc_ids(id).send().await;
        let answer = answer
            .map_err(|error| ApiError::of("DescribeVpcs", error))
            .map_err(Error::api(format!("Error retrieving VPC information for vpc_id {id}")))?;
        if answer.vpcs().first().is_some_and(|vpc| vpc.is_default != Some(true)) {
            return Err(Error::Unfit(format!(
                "Error: subnet_id or subnet_filter must be provided for non-default VPCs ({id})"
            )));
        }
        Ok(())
    }

    async fn check_name(&self, ec2: &Client, name: &str) -> Result<(), Error> {
        let answer =
            ec2.describe_images().owners("self").set_filters(Some(filters([("name", name)]))).send().await;
        let answer = answer
            .map_err(|error| ApiError::of("DescribeImages", error))
            .map_err(Error::api("Error querying AMI"))?;
        // A filter's value may hold wildcards and commas; only this very name is taken.
        let taken = answer.images().iter().find(|image| image.name.as_deref() == Some(name));
        let Some(image) = taken else { return Ok(()) };
        Err(Error::Unfit(format!(
            "Error: AMI Name: '{name}' is used by an existing AMI: {}\n\
             Use another `ami_name` (such as one with {{{{timestamp}}}}), or replace it with -force.",
            image.image_id.as_deref().unwrap_or_default()
        )))
    }
}
