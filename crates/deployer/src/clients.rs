//! The API clients of one target: the local cloud or the user's own AWS.

use std::time::Duration;

use aws_clients::{Identity, SdkConfig, Target, config};

use crate::error::Error;

/// The API clients of one target.
#[derive(Clone)]
pub struct Clients {
    /// CloudFormation.
    pub cloudformation: aws_sdk_cloudformation::Client,
    /// EC2.
    pub ec2: aws_sdk_ec2::Client,
    /// ECS.
    pub ecs: aws_sdk_ecs::Client,
    /// EC2 Auto Scaling.
    pub autoscaling: aws_sdk_autoscaling::Client,
    config: SdkConfig,
    /// The region that the clients work in.
    pub region: String,
    /// How long to wait between two looks at something that is changing.
    pub poll: Duration,
    /// What the target is called in messages: `the local cloud at …` or `AWS`.
    pub name: String,
}

impl Clients {
    /// Clients for a target. No request is made yet.
    ///
    /// # Errors
    /// When the user's AWS configuration names no region.
    pub async fn new(target: &Target) -> Result<Self, Error> {
        let config = config::of_target(target).await?;
        Ok(Self {
            cloudformation: aws_sdk_cloudformation::Client::new(&config),
            ec2: aws_sdk_ec2::Client::new(&config),
            ecs: aws_sdk_ecs::Client::new(&config),
            autoscaling: aws_sdk_autoscaling::Client::new(&config),
            region: config::region(&config),
            poll: match target {
                Target::Local { .. } => Duration::from_millis(200),
                Target::Aws { .. } => Duration::from_secs(3),
            },
            name: target.to_string(),
            config,
        })
    }

    /// Asks the target who we are: the first request of a command, so that a wrong account or a cloud that
    /// does not run is told before anything else.
    ///
    /// # Errors
    /// When the target does not answer or refuses us.
    pub async fn identity(&self) -> Result<Identity, Error> {
        Ok(Identity::of(&self.config).await?)
    }
}
