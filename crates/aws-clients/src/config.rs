//! The SDK's configuration, as all of Drydock's clients have it.

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_smithy_http_client::Builder as HttpClient;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::SharedHttpClient;

use crate::target::Target;

/// How long an answer may take to begin. No call of ours works for longer than a few seconds; without a limit a
/// server that hangs would hold up even the cleanup after a failure.
pub const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// Neither the command line nor the user's AWS configuration names a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no region: give --region, set AWS_REGION, or `aws configure set region`")]
pub struct NoRegion;

/// A new HTTP client. Clients of one configuration share it, and with it the connections.
pub fn http_client() -> SharedHttpClient {
    HttpClient::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https()
}

/// A configuration that still needs region, credentials and endpoint; what is not given comes from the user's own.
pub fn loader(http: SharedHttpClient) -> ConfigLoader {
    let loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .timeout_config(TimeoutConfig::builder().read_timeout(READ_TIMEOUT).build());
    match AppName::new("drydock") {
        Ok(name) => loader.app_name(name),
        Err(_) => loader,
    }
}

/// The configuration of a target, whose clients are then made of it. Makes no request to the target; the region of an
/// AWS profile may have to be looked up.
///
/// # Errors
/// When neither the target nor the user's AWS configuration names a region.
pub async fn of_target(target: &Target) -> Result<SdkConfig, NoRegion> {
    let mut loader = loader(http_client());
    if let Some(endpoint) = target.endpoint() {
        loader = loader.endpoint_url(endpoint);
    }
    if let Some(key) = target.key() {
        loader = loader.credentials_provider(key.provider("drydock-local"));
    }
    if let Some(profile) = target.profile() {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = target.region() {
        loader = loader.region(Region::new(region.to_owned()));
    }
    let config = loader.load().await;
    if config.region().is_none() { Err(NoRegion) } else { Ok(config) }
}

/// The region of a configuration; empty when it has none.
pub fn region(config: &SdkConfig) -> String {
    config.region().map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use aws_credential_types::provider::ProvideCredentials;

    use super::*;
    use crate::target::AccessKey;

    #[tokio::test]
    async fn a_local_cloud_is_reached_by_its_own_endpoint_region_and_key() {
        let target = Target::Local {
            endpoint: "http://127.0.0.1:9".to_owned(),
            region: "eu-west-1".to_owned(),
            key: AccessKey { id: "LOCAL".to_owned(), secret: "secret".to_owned() },
        };
        let config = of_target(&target).await.expect("a configuration");
        let provider = config.credentials_provider().expect("a provider");
        let credentials = provider.provide_credentials().await.expect("credentials");
        assert_eq!(credentials.access_key_id(), "LOCAL");
        assert_eq!(config.endpoint_url(), Some("http://127.0.0.1:9"));
        assert_eq!(region(&config), "eu-west-1");
        let timeouts = config.timeout_config().expect("timeouts");
        assert_eq!(timeouts.read_timeout(), Some(READ_TIMEOUT));
        assert_eq!(config.app_name().map(AsRef::as_ref), Some("drydock"));
    }

    #[tokio::test]
    async fn aws_has_its_own_endpoint() {
        let target = Target::Aws { profile: None, region: Some("us-west-2".to_owned()) };
        let config = of_target(&target).await.expect("a configuration");
        assert_eq!(config.endpoint_url(), None);
        assert_eq!(region(&config), "us-west-2");
    }
}
