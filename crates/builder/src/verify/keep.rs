//! An instance that is left running, to look at.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use packer_template::BuildData;

use crate::aws::{ApiError, Session};

/// An instance that was left running.
#[derive(Debug, Clone)]
pub struct Kept {
    /// How to get in.
    pub login: String,
    /// The commands that remove what is left, in order.
    pub remove: Vec<String>,
}

/// Why an instance cannot be kept in a useful way.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// The private key cannot be written.
    #[error("the instance's private key cannot be written to {}: {source}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// What belongs to the instance cannot be found out.
    #[error(transparent)]
    Api(#[from] ApiError),
}

impl Kept {
    /// Writes the key of an instance, as `data` has it, into `INSTANCE.pem`, and finds out what belongs to it.
    pub(super) async fn new(
        session: &Session,
        instance: &str,
        data: &BuildData,
        directory: &Path,
    ) -> Result<Self, KeepError> {
        let value = |name: &str| data.values.get(name).map(String::as_str).unwrap_or_default();
        let answer = session.ec2.describe_instances().instance_ids(instance).send().await;
        let answer = answer.map_err(|error| ApiError::of("DescribeInstances", error))?;
        let reservations = answer.reservations.unwrap_or_default();
        let found = reservations.iter().flat_map(|reservation| reservation.instances()).next();
        let path = directory.join(format!("{instance}.pem"));
        write_private(&path, value("SSHPrivateKey"))
            .map_err(|source| KeepError::Key { path: path.clone(), source })?;
        let aws = |rest: String| format!("aws ec2 {rest} --region {}", session.region);
        let mut remove = vec![
            aws(format!("terminate-instances --instance-ids {instance}")),
            aws(format!("wait instance-terminated --instance-ids {instance}")),
        ];
        if let Some(found) = found {
            remove.extend(found.key_name().map(|name| aws(format!("delete-key-pair --key-name {name}"))));
            let groups = found.security_groups().iter().filter_map(|group| group.group_id());
            remove.extend(groups.map(|id| aws(format!("delete-security-group --group-id {id}"))));
        }
        remove.push(format!("rm {}", path.display()));
        let login = format!("ssh -i {} {}@{}", path.display(), value("User"), value("Host"));
        Ok(Self { login, remove })
    }
}

/// Writes a new file that only its owner can read.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?
        .write_all(text.as_bytes())
}
