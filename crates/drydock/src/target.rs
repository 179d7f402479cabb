//! Which cloud a command talks to: the local one by default, AWS when asked.

use aws_clients::{AccessKey, Identity, Target};
use deployer::Clients;

use crate::exit::Failure;
use crate::prompt;
use crate::state::{StateArgs, local_cloud};

/// Where the other end of the API is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Where {
    /// The local cloud.
    #[default]
    Local,
    /// AWS, with your own configuration.
    Aws,
}

/// The endpoint settings of commands that use the API.
#[derive(Debug, Clone, clap::Args)]
pub struct TargetArgs {
    /// Talk to the local cloud or to AWS with your own configuration
    #[arg(long, value_enum, default_value_t)]
    pub target: Where,
    #[command(flatten)]
    pub state: StateArgs,
    /// The local cloud's address, if it is not the one that AWS_ENDPOINT_URL or the state directory tells
    #[arg(long, value_name = "URL")]
    pub endpoint_url: Option<String>,
    /// Whether the state directory decides and AWS_ENDPOINT_URL does not: `up` and `down` are about a local cloud
    /// that they start themselves, also from a shell set up for another one.
    #[arg(skip)]
    pub of_state: bool,
    /// The region
    #[arg(long, env = "AWS_REGION")]
    pub region: Option<String>,
    /// A profile of your AWS configuration (with --target aws)
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// Do not ask before changing anything on AWS
    #[arg(long, short = 'y')]
    pub yes: bool,
}

impl TargetArgs {
    /// Clients for a command that only looks.
    ///
    /// # Errors
    /// When the target cannot be reached.
    pub async fn clients(&self) -> Result<Clients, Failure> {
        Ok(Clients::new(&self.resolve().await?).await?)
    }

    /// Clients for a command that changes something: on AWS shows account and region and asks first.
    ///
    /// # Errors
    /// When the target cannot be reached or the user says no.
    pub async fn clients_to_change(&self, what: &str) -> Result<Clients, Failure> {
        let clients = self.clients().await?;
        if self.target == Where::Aws {
            self.confirm_in(&[clients.identity().await?], what)?;
        }
        Ok(clients)
    }

    /// Shows whose accounts are about to be changed and asks once.
    ///
    /// # Errors
    /// When the user says no, or cannot be asked.
    pub fn confirm_in(&self, accounts: &[Identity], what: &str) -> Result<(), Failure> {
        for identity in accounts {
            eprintln!("AWS account {} in {} as {}", identity.account, identity.region, identity.arn);
        }
        if self.yes {
            return Ok(());
        }
        prompt::confirm(
            &format!("Really {what} there?"),
            &format!("refusing to {what} on AWS unasked"),
            "nothing was changed",
        )
    }

    /// The other end of the API, as the options and the environment say.
    ///
    /// # Errors
    /// When the local cloud does not run.
    pub async fn resolve(&self) -> Result<Target, Failure> {
        if self.target == Where::Aws {
            return Ok(Target::Aws { profile: self.profile.clone(), region: self.region.clone() });
        }
        if self.profile.is_some() {
            return Err(Failure::config(
                "--profile is for --target aws; the local cloud has an account of its own",
            ));
        }
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let elsewhere = || if self.of_state { None } else { variable("AWS_ENDPOINT_URL") };
        let Some(endpoint) = self.endpoint_url.clone().or_else(elsewhere) else {
            let local = local_cloud(&self.state.dir()?).await?;
            return Ok(Target::Local {
                endpoint: local.endpoint,
                region: self.region.clone().unwrap_or(local.region),
                key: AccessKey { id: local.access_key_id, secret: local.secret_access_key },
            });
        };
        Ok(Target::Local {
            endpoint,
            region: self
                .region
                .clone()
                .or_else(|| variable("AWS_DEFAULT_REGION"))
                .unwrap_or_else(|| "us-east-1".to_owned()),
            key: AccessKey {
                id: variable("AWS_ACCESS_KEY_ID").unwrap_or_else(|| "drydock".to_owned()),
                secret: variable("AWS_SECRET_ACCESS_KEY").unwrap_or_else(|| "drydock".to_owned()),
            },
        })
    }
}
