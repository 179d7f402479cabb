//! Where a command goes: the local cloud or the user's own AWS, through the same clients.

use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_smithy_http_client::Builder as HttpClient;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

use crate::error::{Error, sdk};

/// The endpoint that a command talks to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A local cloud's listener and its account's key.
    Local {
        /// E.g. `http://127.0.0.1:4566`.
        endpoint: String,
        /// The region to work in.
        region: String,
        /// The access key's id.
        access_key_id: String,
        /// The access key's secret.
        secret_access_key: String,
    },
    /// AWS as the user's own configuration has it (profile, SSO, environment).
    Aws {
        /// A profile other than the configuration's own choice.
        profile: Option<String>,
        /// A region other than the configuration's own choice.
        region: Option<String>,
    },
}

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
    sts: aws_sdk_sts::Client,
    /// The region that the clients work in.
    pub region: String,
    /// How long to wait between two looks at something that is changing.
    pub poll: Duration,
    /// What the target is called in messages: `the local cloud at …` or `AWS`.
    pub name: String,
}

/// Who the target takes us for.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Identity {
    /// The account's number.
    pub account: String,
    /// The caller's ARN.
    pub arn: String,
    /// The region.
    pub region: String,
}

impl Clients {
    /// Clients for a target. No request is made yet.
    ///
    /// # Errors
    /// When the user's AWS configuration names no region.
    pub async fn new(target: &Target) -> Result<Self, Error> {
        let http = HttpClient::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
        let loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http);
        match target {
            Target::Local { endpoint, region, access_key_id, secret_access_key } => {
                let credentials = aws_sdk_sts::config::Credentials::new(
                    access_key_id,
                    secret_access_key,
                    None,
                    None,
                    "drydock-local",
                );
                let config = loader
                    .region(Region::new(region.clone()))
                    .credentials_provider(credentials)
                    .endpoint_url(endpoint)
                    .load()
                    .await;
                let name = format!("the local cloud at {endpoint}");
                Ok(Self::over(&config, region.clone(), Duration::from_millis(200), name))
            }
            Target::Aws { profile, region } => {
                let mut loader = loader;
                if let Some(profile) = profile {
                    loader = loader.profile_name(profile);
                }
                if let Some(region) = region {
                    loader = loader.region(Region::new(region.clone()));
                }
                let config = loader.load().await;
                let region = config.region().ok_or(Error::NoRegion)?.to_string();
                Ok(Self::over(&config, region, Duration::from_secs(3), "AWS".to_owned()))
            }
        }
    }

    fn over(config: &SdkConfig, region: String, poll: Duration, name: String) -> Self {
        Self {
            cloudformation: aws_sdk_cloudformation::Client::new(config),
            ec2: aws_sdk_ec2::Client::new(config),
            ecs: aws_sdk_ecs::Client::new(config),
            autoscaling: aws_sdk_autoscaling::Client::new(config),
            sts: aws_sdk_sts::Client::new(config),
            region,
            poll,
            name,
        }
    }

    /// Asks the target who we are: the first request of a command, so that a wrong account or a cloud that
    /// does not run is told before anything else.
    ///
    /// # Errors
    /// When the target does not answer or refuses us.
    pub async fn identity(&self) -> Result<Identity, Error> {
        let identity =
            self.sts.get_caller_identity().send().await.map_err(|error| sdk("GetCallerIdentity", error))?;
        Ok(Identity {
            account: identity.account.unwrap_or_default(),
            arn: identity.arn.unwrap_or_default(),
            region: self.region.clone(),
        })
    }
}
