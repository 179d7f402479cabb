//! The way to the instance.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::Instance;
use packer_template::config::{self, Communicator, SshInterface};

use super::api;
use super::error::Error;
use super::polling::Seen;
use super::state::State;
use crate::ssh::{self, ConnectError, SshConfig};
use crate::steps::{Scope, Step};

/// How long EC2 may take to give an instance that runs its address.
const FOR_AN_ADDRESS: Duration = Duration::from_secs(60);

/// How often to look, while connecting, whether the instance is still there.
const LOOK: Duration = Duration::from_secs(3);

/// Connects by SSH, unless the template wants no connection.
pub(super) struct Connect<'a> {
    pub communicator: &'a Communicator,
    pub env: &'a HashMap<String, String>,
}

#[async_trait]
impl<'a> Step<State<'a>, Error> for Connect<'a> {
    fn name(&self) -> &'static str {
        "StepConnect"
    }

    async fn run(&mut self, state: &mut State<'a>, scope: Scope<'_>) -> Result<(), Error> {
        let Communicator::Ssh(options) = self.communicator else { return Ok(()) };
        let agent = self.env.get("SSH_AUTH_SOCK").filter(|path| !path.is_empty()).map(PathBuf::from);
        let config = SshConfig::from_options(options, agent)
            .map_err(|error| Error::Unfit(format!("ssh tunnels: {error}")))?;
        let address = self.address(state, options, scope).await?;
        scope.ui.say(&format!("Using ssh communicator to connect: {address}"));
        scope.ui.say("Waiting for SSH to become available...");
        let mut communicator = connect(state, &config, &address, scope).await?;
        if !options.pause_before_connecting.is_zero() {
            let pause = options.pause_before_connecting;
            scope.ui.say(&format!("Pausing {} s before connecting...", pause.as_secs_f64()));
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = scope.cancel.cancelled() => return Err(Error::Cancelled),
            }
            // What answered before the pause may have been restarted meanwhile: that is what the pause is for.
            communicator = connect(state, &config, &address, scope).await?;
        }
        scope.ui.say("Connected to SSH!");
        let known = [
            ("Host", address),
            ("Port", options.ssh_port.to_string()),
            ("User", options.ssh_username.clone()),
            ("Password", options.ssh_password.clone().unwrap_or_default()),
            ("ConnType", "ssh".to_owned()),
            ("SSHPrivateKey", state.key.private.clone().unwrap_or_default()),
        ];
        state.data.values.extend(known.map(|(key, value)| (key.to_owned(), value)));
        state.communicator = Some(communicator);
        Ok(())
    }
}

impl<'a> Connect<'a> {
    /// Where to connect to. An address may come some time after the instance runs.
    async fn address(
        &self,
        state: &mut State<'a>,
        options: &config::SshConfig,
        scope: Scope<'_>,
    ) -> Result<String, Error> {
        if let Some(host) = &options.ssh_host {
            return Ok(host.clone());
        }
        let interface = options.ssh_interface;
        if let Some(address) = address(state.instance()?, interface) {
            return Ok(address);
        }
        let id = state.instance_id()?;
        let ec2 = &state.session.ec2;
        let look = || async {
            let instance =
                api::instance(ec2, &id).await.map_err(Error::api("Error finding source instance"))?;
            let address = instance.as_ref().and_then(|instance| address(instance, interface));
            Ok(address.map_or_else(|| Seen::NotYet("no address".to_owned()), Seen::There))
        };
        let what = format!("instance {id} to have the address that `ssh_interface` wants");
        state.polling.until(FOR_AN_ADDRESS, &what, scope.cancel, look).await
    }
}

/// Connects, and gives up as soon as the instance has ended.
async fn connect(
    state: &State<'_>,
    config: &SshConfig,
    address: &str,
    scope: Scope<'_>,
) -> Result<std::sync::Arc<dyn crate::communicator::Communicator>, Error> {
    let id = state.instance_id()?;
    let ec2 = &state.session.ec2;
    let connection = ssh::connect(config, address, state.key.private.as_deref(), scope.cancel.clone());
    let source = tokio::select! {
        connection = connection => match connection {
            Ok(communicator) => return Ok(communicator),
            Err(ConnectError::Cancelled) => return Err(Error::Cancelled),
            Err(error) => error,
        },
        ended = ended(ec2, &id) => return Err(api::died(ec2, &ended).await),
    };
    let console = match &source {
        ConnectError::Timeout { .. } | ConnectError::Refused { .. } => api::console(ec2, &id).await,
        _ => String::new(),
    };
    Err(Error::Connect { source, console })
}

/// Answers when the instance has ended, otherwise never.
async fn ended(ec2: &Client, id: &str) -> Instance {
    loop {
        tokio::time::sleep(LOOK).await;
        // An answer that does not come says nothing about the instance; the connection has a time limit of its own.
        if let Ok(Some(instance)) = api::instance(ec2, id).await
            && !matches!(api::state_of(&instance), "pending" | "running")
        {
            return instance;
        }
    }
}

/// The address of an instance that `ssh_interface` names. By default, in a VPC (where all instances are today) the
/// public one if there is one, otherwise the private one.
fn address(instance: &Instance, interface: SshInterface) -> Option<String> {
    let public_ip = instance.public_ip_address.clone();
    let address = match interface {
        SshInterface::PublicIp => public_ip,
        SshInterface::PrivateIp => instance.private_ip_address.clone(),
        SshInterface::PublicDns => instance.public_dns_name.clone(),
        SshInterface::PrivateDns => instance.private_dns_name.clone(),
        SshInterface::Default if instance.vpc_id.as_deref().is_some_and(|id| !id.is_empty()) => {
            public_ip.filter(|address| !address.is_empty()).or_else(|| instance.private_ip_address.clone())
        }
        SshInterface::Default => instance.public_dns_name.clone(),
    };
    address.filter(|address| !address.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interface_decides_the_address() {
        let instance = Instance::builder()
            .vpc_id("vpc-1")
            .public_ip_address("127.1.2.3")
            .private_ip_address("10.0.0.4")
            .public_dns_name("")
            .private_dns_name("ip-10-0-0-4.ec2.internal")
            .build();
        for (interface, expected) in [
            (SshInterface::Default, Some("127.1.2.3")),
            (SshInterface::PublicIp, Some("127.1.2.3")),
            (SshInterface::PrivateIp, Some("10.0.0.4")),
            (SshInterface::PublicDns, None),
            (SshInterface::PrivateDns, Some("ip-10-0-0-4.ec2.internal")),
        ] {
            assert_eq!(address(&instance, interface).as_deref(), expected, "{interface:?}");
        }
    }

    #[test]
    fn without_a_public_address_the_private_one_is_taken() {
        let private = Instance::builder().vpc_id("vpc-1").private_ip_address("10.0.0.4").build();
        assert_eq!(address(&private, SshInterface::Default).as_deref(), Some("10.0.0.4"));
        let classic =
            Instance::builder().public_dns_name("ec2-1.example").private_ip_address("10.0.0.4").build();
        assert_eq!(address(&classic, SshInterface::Default).as_deref(), Some("ec2-1.example"));
    }
}
