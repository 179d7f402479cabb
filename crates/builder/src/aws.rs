//! The way to the AWS API: region, credentials and endpoint, as the template and the caller have them.

use std::time::Duration;

use aws_clients::config;
pub use aws_clients::{ApiError, Identity, Target};
use aws_config::ecs::EcsCredentialsProvider;
use aws_config::environment::{EnvironmentVariableCredentialsProvider, EnvironmentVariableRegionProvider};
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::web_identity_token::WebIdentityTokenCredentialsProvider;
use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use packer_template::config::{AccessConfig, AssumeRole};

/// Why there is no way to the API.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// Neither the template nor the user's configuration names a region.
    #[error("no region: set `region` in the template, give --region, or set AWS_REGION")]
    NoRegion,
    /// Half a key.
    #[error(
        "the template has an {given} but no {missing}: give both, or neither to use your AWS configuration"
    )]
    HalfAKey {
        /// The option that is there.
        given: &'static str,
        /// The option that is not.
        missing: &'static str,
    },
}

/// A session with the API: clients of one region, and of others with the same credentials.
#[derive(Clone)]
pub struct Session {
    /// EC2 in the session's region.
    pub ec2: aws_sdk_ec2::Client,
    /// IAM.
    pub iam: aws_sdk_iam::Client,
    /// The region.
    pub region: String,
    config: SdkConfig,
}

impl Session {
    /// Opens a session as the template's access options say; what they leave open is the target's. Makes no request.
    ///
    /// Credentials are the template's key, the target's key, a profile's, or those of the usual chain: environment,
    /// default profile, web identity, container. The metadata service of the host that the build runs on is not
    /// asked: a profile with `credential_source = Ec2InstanceMetadata` does that for those who want it.
    ///
    /// # Errors
    /// When there is no region, or half a key.
    pub async fn open(access: &AccessConfig, target: &Target) -> Result<Self, SessionError> {
        refuse_half_a_key(access)?;
        let http = config::http_client();
        let region = region(access, target).await.ok_or(SessionError::NoRegion)?;
        let retry = match access.max_retries {
            Some(retries) => RetryConfig::standard().with_max_attempts(retries + 1),
            None => RetryConfig::standard(),
        };
        let provider = ProviderConfig::default()
            .with_http_client(http.clone())
            .with_region(Some(Region::new(region.clone())));
        let mut loader = config::loader(http)
            .region(Region::new(region.clone()))
            .retry_config(retry)
            .credentials_provider(credentials(access, target, &provider)?);
        if let Some(endpoint) = access.custom_endpoint_ec2.as_deref().or(target.endpoint()) {
            loader = loader.endpoint_url(endpoint);
        }
        let mut config = loader.load().await;
        if let Some(role) = &access.assume_role {
            config = assume(role, config).await;
        }
        Ok(Self::over(config, region))
    }

    fn over(config: SdkConfig, region: String) -> Self {
        Self {
            ec2: aws_sdk_ec2::Client::new(&config),
            iam: aws_sdk_iam::Client::new(&config),
            region,
            config,
        }
    }

    /// Asks whom the API takes the session's credentials for.
    ///
    /// # Errors
    /// When the API refuses them or does not answer.
    pub async fn caller(&self) -> Result<Identity, ApiError> {
        Identity::of(&self.config).await
    }

    /// The same session in another region.
    pub fn ec2_in(&self, region: &str) -> aws_sdk_ec2::Client {
        if region == self.region {
            return self.ec2.clone();
        }
        let config = self.config.to_builder().region(Region::new(region.to_owned())).build();
        aws_sdk_ec2::Client::new(&config)
    }
}

fn refuse_half_a_key(access: &AccessConfig) -> Result<(), SessionError> {
    match (&access.access_key, &access.secret_key) {
        (Some(_), None) => Err(SessionError::HalfAKey { given: "access_key", missing: "secret_key" }),
        (None, Some(_)) => Err(SessionError::HalfAKey { given: "secret_key", missing: "access_key" }),
        _ => Ok(()),
    }
}

async fn region(access: &AccessConfig, target: &Target) -> Option<String> {
    if let Some(region) = access.region.as_deref().or(target.region()) {
        return Some(region.to_owned());
    }
    let mut profile = ProfileFileRegionProvider::builder();
    if let Some(name) = access.profile.as_deref().or(target.profile()) {
        profile = profile.profile_name(name);
    }
    let chain =
        RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new()).or_else(profile.build());
    Some(chain.region().await?.to_string())
}

fn credentials(
    access: &AccessConfig,
    target: &Target,
    provider: &ProviderConfig,
) -> Result<SharedCredentialsProvider, SessionError> {
    if let (Some(id), Some(secret)) = (&access.access_key, &access.secret_key) {
        let key = Credentials::new(id, secret, access.token.clone(), None, "template");
        return Ok(SharedCredentialsProvider::new(key));
    }
    if let Some(key) = target.key() {
        return Ok(key.provider("target"));
    }
    let mut profile = ProfileFileCredentialsProvider::builder().configure(provider);
    if let Some(path) = &access.shared_credentials_file {
        let files = EnvConfigFiles::builder()
            .include_default_config_file(true)
            .with_file(EnvConfigFileKind::Credentials, path);
        profile = profile.profile_files(files.build());
    }
    if let Some(name) = access.profile.as_deref().or(target.profile()) {
        return Ok(SharedCredentialsProvider::new(profile.profile_name(name).build()));
    }
    let chain =
        CredentialsProviderChain::first_try("Environment", EnvironmentVariableCredentialsProvider::new())
            .or_else("Profile", profile.build())
            .or_else(
                "WebIdentity",
                WebIdentityTokenCredentialsProvider::builder().configure(provider).build(),
            )
            .or_else("Container", EcsCredentialsProvider::builder().configure(provider).build());
    Ok(SharedCredentialsProvider::new(chain))
}

async fn assume(role: &AssumeRole, config: SdkConfig) -> SdkConfig {
    let mut builder = AssumeRoleProvider::builder(&role.role_arn)
        .configure(&config)
        .session_name(role.session_name.as_deref().unwrap_or("drydock-build"));
    if let Some(seconds) = role.duration_seconds {
        builder = builder.session_length(Duration::from_secs(seconds.into()));
    }
    if let Some(id) = &role.external_id {
        builder = builder.external_id(id);
    }
    if let Some(policy) = &role.policy {
        builder = builder.policy(policy);
    }
    if !role.policy_arns.is_empty() {
        builder = builder.policy_arns(role.policy_arns.clone());
    }
    if !role.tags.is_empty() {
        builder = builder.tags(role.tags.clone());
    }
    let provider = builder.build().await;
    config.into_builder().credentials_provider(SharedCredentialsProvider::new(provider)).build()
}

#[cfg(test)]
mod tests {
    use aws_clients::AccessKey;

    use super::*;

    fn local() -> Target {
        Target::Local {
            endpoint: "http://127.0.0.1:9".to_owned(),
            region: "eu-west-1".to_owned(),
            key: AccessKey { id: "LOCAL".to_owned(), secret: "secret".to_owned() },
        }
    }

    async fn identity(session: &Session) -> Credentials {
        use aws_credential_types::provider::ProvideCredentials;
        let provider = session.config.credentials_provider().expect("a provider");
        provider.provide_credentials().await.expect("credentials")
    }

    #[tokio::test]
    async fn the_template_wins_over_the_target() {
        let access = AccessConfig {
            access_key: Some("TEMPLATE".to_owned()),
            secret_key: Some("hidden".to_owned()),
            token: Some("session".to_owned()),
            region: Some("us-east-1".to_owned()),
            ..AccessConfig::default()
        };
        let session = Session::open(&access, &local()).await.expect("a session");
        let credentials = identity(&session).await;
        assert_eq!(session.region, "us-east-1");
        assert_eq!(credentials.access_key_id(), "TEMPLATE");
        assert_eq!(credentials.session_token(), Some("session"));
        assert_eq!(session.config.endpoint_url(), Some("http://127.0.0.1:9"));
    }

    #[tokio::test]
    async fn what_the_template_leaves_open_is_the_targets() {
        let session = Session::open(&AccessConfig::default(), &local()).await.expect("a session");
        assert_eq!(session.region, "eu-west-1");
        assert_eq!(identity(&session).await.access_key_id(), "LOCAL");
    }

    #[tokio::test]
    async fn half_a_key_is_refused() {
        let access = AccessConfig { access_key: Some("AKIA".to_owned()), ..AccessConfig::default() };
        let error = Session::open(&access, &local()).await.err().expect("an error");
        assert!(error.to_string().contains("no secret_key"), "{error}");
    }

    #[tokio::test]
    async fn another_region_has_the_same_endpoint_and_credentials() {
        let session = Session::open(&AccessConfig::default(), &local()).await.expect("a session");
        let other = session.ec2_in("ap-southeast-2");
        assert_eq!(other.config().region().map(AsRef::as_ref), Some("ap-southeast-2"));
    }
}
