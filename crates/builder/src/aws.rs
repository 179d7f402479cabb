//! The way to the AWS API: region, credentials and endpoint, as the template and the caller have them.

use std::time::Duration;

use aws_config::ecs::EcsCredentialsProvider;
use aws_config::environment::{EnvironmentVariableCredentialsProvider, EnvironmentVariableRegionProvider};
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::web_identity_token::WebIdentityTokenCredentialsProvider;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_smithy_http_client::Builder as HttpClient;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use packer_template::config::{AccessConfig, AssumeRole};

/// How long an answer may take. No call that a build makes works for longer than a few seconds; without a limit a
/// server that hangs would hold up even the cleanup.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// Where the caller wants to go, for what the template leaves open.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Target {
    /// The endpoint of all services; none for AWS's own.
    pub endpoint: Option<String>,
    /// An access key's id and secret; none for the user's AWS configuration.
    pub access_key: Option<(String, String)>,
    /// The region; none for that of the user's AWS configuration.
    pub region: Option<String>,
    /// A profile of the user's AWS configuration.
    pub profile: Option<String>,
}

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

/// Why the API did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// The service refused.
    #[error("{code}: {message} ({operation})")]
    Refused {
        /// The API's operation.
        operation: &'static str,
        /// AWS's error code.
        code: String,
        /// The service's own words.
        message: String,
    },
    /// No answer came, or none that could be read.
    #[error("{operation} got no answer: {reason}")]
    Unreachable {
        /// The API's operation.
        operation: &'static str,
        /// What happened on the way.
        reason: String,
    },
}

impl ApiError {
    /// What an SDK's error says: the service's own code and words if it answered, the chain of causes if not.
    pub fn of<E>(operation: &'static str, error: E) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error,
    {
        match error.code() {
            Some(code) => Self::Refused {
                operation,
                code: code.to_owned(),
                message: error.message().unwrap_or("the service gave no reason").to_owned(),
            },
            None => Self::Unreachable { operation, reason: causes(&error) },
        }
    }

    /// AWS's error code, if the service answered.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            Self::Unreachable { .. } => None,
        }
    }

    /// Whether the service says that the thing is not there (any more, or not yet).
    pub fn is_not_found(&self) -> bool {
        self.code().is_some_and(|code| {
            code.ends_with(".NotFound") || code.ends_with(".Unavailable") || code == "NoSuchEntity"
        })
    }
}

/// The causes of an error, outermost first. Wrappers quote what they wrap: what was said before is not repeated.
fn causes(error: &dyn std::error::Error) -> String {
    let mut told: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(cause) = next {
        let text = cause.to_string();
        next = cause.source();
        if !text.is_empty() && !told.iter().any(|before| before.contains(&text)) {
            told.push(text);
        }
    }
    told.join(": ")
}

/// Whom the API takes a session's credentials for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The account's number.
    pub account: String,
    /// The user or role.
    pub arn: String,
}

/// A session with the API: clients of one region, and of others with the same credentials.
#[derive(Clone)]
pub struct Session {
    /// EC2 in the session's region.
    pub ec2: aws_sdk_ec2::Client,
    /// IAM.
    pub iam: aws_sdk_iam::Client,
    /// STS.
    pub sts: aws_sdk_sts::Client,
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
        let http = HttpClient::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
        let region = region(access, target).await.ok_or(SessionError::NoRegion)?;
        let retry = match access.max_retries {
            Some(retries) => RetryConfig::standard().with_max_attempts(retries + 1),
            None => RetryConfig::standard(),
        };
        let provider = ProviderConfig::default()
            .with_http_client(http.clone())
            .with_region(Some(Region::new(region.clone())));
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http)
            .region(Region::new(region.clone()))
            .retry_config(retry)
            .timeout_config(TimeoutConfig::builder().read_timeout(READ_TIMEOUT).build())
            .credentials_provider(credentials(access, target, &provider)?);
        if let Ok(name) = AppName::new("drydock") {
            loader = loader.app_name(name);
        }
        if let Some(endpoint) = access.custom_endpoint_ec2.as_ref().or(target.endpoint.as_ref()) {
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
            sts: aws_sdk_sts::Client::new(&config),
            region,
            config,
        }
    }

    /// Asks whom the API takes the session's credentials for.
    ///
    /// # Errors
    /// When the API refuses them or does not answer.
    pub async fn caller(&self) -> Result<Caller, ApiError> {
        let caller = self.sts.get_caller_identity().send().await;
        let caller = caller.map_err(|error| ApiError::of("GetCallerIdentity", error))?;
        Ok(Caller { account: caller.account.unwrap_or_default(), arn: caller.arn.unwrap_or_default() })
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
    if let Some(region) = access.region.as_ref().or(target.region.as_ref()) {
        return Some(region.clone());
    }
    let mut profile = ProfileFileRegionProvider::builder();
    if let Some(name) = access.profile.as_ref().or(target.profile.as_ref()) {
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
    if let Some((id, secret)) = &target.access_key {
        return Ok(SharedCredentialsProvider::new(Credentials::new(id, secret, None, None, "target")));
    }
    let mut profile = ProfileFileCredentialsProvider::builder().configure(provider);
    if let Some(path) = &access.shared_credentials_file {
        let files = EnvConfigFiles::builder()
            .include_default_config_file(true)
            .with_file(EnvConfigFileKind::Credentials, path);
        profile = profile.profile_files(files.build());
    }
    if let Some(name) = access.profile.as_ref().or(target.profile.as_ref()) {
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
    use super::*;

    fn local() -> Target {
        Target {
            endpoint: Some("http://127.0.0.1:9".to_owned()),
            access_key: Some(("LOCAL".to_owned(), "secret".to_owned())),
            region: Some("eu-west-1".to_owned()),
            profile: None,
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

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Layer {
        text: &'static str,
        source: Option<Box<Layer>>,
    }

    #[test]
    fn causes_are_told_once_each() {
        let inner = Layer { text: "Connection refused", source: None };
        let middle = Layer { text: "connect error: Connection refused", source: Some(inner.into()) };
        let outer = Layer { text: "dispatch failure", source: Some(middle.into()) };
        assert_eq!(causes(&outer), "dispatch failure: connect error: Connection refused");
    }
}
