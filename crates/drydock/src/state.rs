//! The state directory, and the local cloud that serves it.

use std::path::{Path, PathBuf};

use cloud::admin::client::AdminClient;
use cloud::credentials::RootKey;

use crate::exit::Failure;

/// Which local cloud a command is about.
#[derive(Debug, Clone, clap::Args)]
pub struct StateArgs {
    /// The state directory of the local cloud
    #[arg(long, value_name = "DIR", env = "DRYDOCK_STATE", default_value = "/var/lib/drydock")]
    pub state: PathBuf,
}

impl StateArgs {
    /// The directory, absolute, so that it means the same to a daemon that works elsewhere.
    pub fn dir(&self) -> Result<PathBuf, Failure> {
        std::path::absolute(&self.state)
            .map_err(|error| Failure::config(format!("--state {}: {error}", self.state.display())))
    }

    /// A client of the directory's daemon.
    pub fn admin(&self) -> Result<AdminClient, Failure> {
        Ok(AdminClient::new(&self.dir()?))
    }
}

/// How a running local cloud is reached.
#[derive(Debug, Clone, serde::Serialize)]
pub struct LocalCloud {
    /// E.g. `http://127.0.0.1:4566`.
    pub endpoint: String,
    /// The region that it begins with.
    pub region: String,
    /// The account's key.
    pub access_key_id: String,
    /// The key's secret.
    pub secret_access_key: String,
}

/// Asks the daemon of a state directory how it is reached.
///
/// # Errors
/// When none runs there.
pub async fn local_cloud(state_dir: &Path) -> Result<LocalCloud, Failure> {
    let status = AdminClient::new(state_dir).status().await?;
    let key = RootKey::open(state_dir).map_err(|error| Failure::failed(error.to_string()))?;
    Ok(LocalCloud {
        endpoint: status.endpoint,
        region: status.region,
        access_key_id: key.access_key_id,
        secret_access_key: key.secret_access_key,
    })
}
