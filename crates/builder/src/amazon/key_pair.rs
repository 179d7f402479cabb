//! The key pair that opens the instance.

use std::path::Path;

use async_trait::async_trait;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::KeyType;
use packer_template::config::{Communicator, SshConfig, TemporaryKey, TemporaryKeyType};

use super::error::Error;
use super::polling::settled;
use super::state::{Key, State};
use crate::aws::ApiError;
use crate::steps::{Leftover, Outcome, Scope, Step};
use crate::ui::Ui;

/// Makes a temporary key pair, if the template names no other way to log in.
pub(super) struct KeyPair<'a> {
    communicator: &'a Communicator,
    /// Where the private key is written while it is needed: with `-debug` only.
    debug_file: Option<String>,
    /// The name of the key pair to delete.
    made: Option<String>,
    written: bool,
}

impl<'a> KeyPair<'a> {
    pub fn new(communicator: &'a Communicator, debug_file: Option<String>) -> Self {
        Self { communicator, debug_file, made: None, written: false }
    }
}

#[async_trait]
impl<'a> Step<State<'a>, Error> for KeyPair<'a> {
    fn name(&self) -> &'static str {
        "StepKeyPair"
    }

    async fn run(&mut self, state: &mut State<'a>, scope: Scope<'_>) -> Result<(), Error> {
        let ui = scope.ui;
        let Communicator::Ssh(ssh) = self.communicator else {
            ui.say("Not using temporary keypair");
            return Ok(());
        };
        if let Some(existing) = existing(ssh, ui) {
            state.key = existing;
            return Ok(());
        }
        let name = name(&ssh.temporary_key);
        let key_type = key_type(&ssh.temporary_key)?;
        ui.say(&format!("Creating temporary keypair: {name}"));
        let ec2 = &state.session.ec2;
        let answer = settled(scope.cancel, is_passing, || async {
            let request = ec2.create_key_pair().key_name(&name).set_key_type(key_type.clone());
            request.send().await.map_err(|error| ApiError::of("CreateKeyPair", error))
        });
        let answer = answer.await?.map_err(Error::api("Error creating temporary keypair"))?;
        self.made = Some(name.clone());
        let private = answer.key_material.ok_or(Error::OutOfOrder("the new key pair's private key"))?;
        if let Some(path) = &self.debug_file {
            ui.message(&format!("Saving key for debug purposes: {path}"));
            write_private(Path::new(path), &private).map_err(|source| Error::File {
                attempt: format!("Error saving debug key {path}"),
                source,
            })?;
            self.written = true;
        }
        state.key = Key { name: Some(name), temporary: true, private: Some(private) };
        Ok(())
    }

    async fn cleanup(&mut self, state: &mut State<'a>, ui: &dyn Ui, _outcome: Outcome) -> Vec<Leftover> {
        let Some(name) = self.made.take() else { return Vec::new() };
        ui.say("Deleting temporary keypair...");
        let mut leftovers = delete(&state.session.ec2, &state.session.region, &name).await;
        if let Some(path) = self.debug_file.as_ref().filter(|_| std::mem::take(&mut self.written))
            && let Err(error) = std::fs::remove_file(path)
        {
            leftovers.push(Leftover {
                what: format!("debug key {path}"),
                why: error.to_string(),
                remove: format!("rm {path}"),
            });
        }
        leftovers
    }
}

async fn delete(ec2: &Client, region: &str, name: &str) -> Vec<Leftover> {
    let answer = ec2.delete_key_pair().key_name(name).send().await;
    let Err(error) = answer.map_err(|error| ApiError::of("DeleteKeyPair", error)) else { return Vec::new() };
    vec![Leftover {
        what: format!("key pair {name}"),
        why: error.to_string(),
        remove: format!("aws ec2 delete-key-pair --region {region} --key-name {name}"),
    }]
}

/// The key that the template has already; none if one has to be made.
fn existing(ssh: &SshConfig, ui: &dyn Ui) -> Option<Key> {
    if ssh.wants_temporary_key_pair() {
        return None;
    }
    let key = Key { name: ssh.ssh_keypair_name.clone(), temporary: false, private: None };
    match (&ssh.ssh_private_key_file, ssh.ssh_agent_auth, &key.name) {
        (Some(_), _, _) => ui.say("Using existing SSH private key"),
        (None, true, Some(name)) => {
            ui.say(&format!("Using SSH Agent for existing key pair {name}"));
        }
        (None, true, None) => ui.say("Using SSH Agent with key pair in Source AMI"),
        (None, false, _) => ui.say("Not using temporary keypair"),
    }
    Some(key)
}

fn name(key: &TemporaryKey) -> String {
    let generated = || format!("packer_{}", uuid::Uuid::new_v4());
    key.temporary_key_pair_name.clone().unwrap_or_else(generated)
}

/// EC2 makes RSA keys of 2048 bits and Ed25519 keys.
fn key_type(key: &TemporaryKey) -> Result<Option<KeyType>, Error> {
    let (kind, bits) = match key.temporary_key_pair_type {
        None => (None, 2048),
        Some(TemporaryKeyType::Rsa) => (Some(KeyType::Rsa), 2048),
        Some(TemporaryKeyType::Ed25519) => (Some(KeyType::Ed25519), 256),
        Some(TemporaryKeyType::Ecdsa) => {
            return Err(Error::Unfit(
                "`temporary_key_pair_type`: EC2 makes no ecdsa keys; use rsa or ed25519".to_owned(),
            ));
        }
    };
    match key.temporary_key_pair_bits {
        Some(other) if other != bits && other != 0 => Err(Error::Unfit(format!(
            "`temporary_key_pair_bits`: EC2 makes such keys of {bits} bits, not of {other}; make one yourself and \
             give it by `ssh_keypair_name` and `ssh_private_key_file`"
        ))),
        _ => Ok(kind),
    }
}

/// Whether trying again may help. A refusal stays one.
fn is_passing(error: &ApiError) -> bool {
    error.code().is_some_and(|code| matches!(code, "RequestLimitExceeded" | "InternalError" | "Unavailable"))
}

/// Writes a file that only its owner may read, from its first byte on.
fn write_private(path: &Path, content: &str) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    // A file that was there before keeps its mode.
    file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    file.write_all(content.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(kind: Option<TemporaryKeyType>, bits: Option<u32>) -> TemporaryKey {
        TemporaryKey {
            temporary_key_pair_name: None,
            temporary_key_pair_type: kind,
            temporary_key_pair_bits: bits,
        }
    }

    #[test]
    fn keys_that_ec2_cannot_make_are_refused() {
        use TemporaryKeyType::{Ecdsa, Ed25519, Rsa};
        assert_eq!(key_type(&key(None, None)).ok(), Some(None));
        assert_eq!(key_type(&key(Some(Rsa), Some(2048))).ok(), Some(Some(KeyType::Rsa)));
        assert_eq!(key_type(&key(Some(Ed25519), None)).ok(), Some(Some(KeyType::Ed25519)));
        for (refused, option) in [
            (key(Some(Ecdsa), None), "temporary_key_pair_type"),
            (key(Some(Rsa), Some(4096)), "temporary_key_pair_bits"),
            (key(None, Some(1024)), "temporary_key_pair_bits"),
        ] {
            let error = key_type(&refused).unwrap_err().to_string();
            assert!(error.contains(option), "{error}");
        }
    }

    #[test]
    fn names_are_packers_unless_the_template_has_one() {
        assert!(name(&key(None, None)).starts_with("packer_"));
        let named = TemporaryKey { temporary_key_pair_name: Some("mine".to_owned()), ..key(None, None) };
        assert_eq!(name(&named), "mine");
    }

    #[test]
    fn the_debug_key_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ec2_x.pem");
        std::fs::write(&path, "older and longer than the key").expect("a file");
        write_private(&path, "key").expect("a key file");
        assert_eq!(std::fs::read_to_string(&path).expect("the key"), "key");
        let mode = std::fs::metadata(&path).expect("the file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
