//! Whom the API takes us for.

use aws_config::SdkConfig;

use crate::config;
use crate::error::ApiError;

/// Account, caller and region of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Identity {
    /// The account's number.
    pub account: String,
    /// The user's or role's ARN.
    pub arn: String,
    /// The region.
    pub region: String,
}

impl Identity {
    /// Asks STS.
    ///
    /// # Errors
    /// When it refuses the credentials or does not answer.
    pub async fn of(config: &SdkConfig) -> Result<Self, ApiError> {
        let answer = aws_sdk_sts::Client::new(config).get_caller_identity().send().await;
        let answer = answer.map_err(|error| ApiError::of("GetCallerIdentity", error))?;
        Ok(Self {
            account: answer.account.unwrap_or_default(),
            arn: answer.arn.unwrap_or_default(),
            region: config::region(config),
        })
    }
}
