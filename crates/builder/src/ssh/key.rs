//! Private keys and certificates, from memory or files.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use russh::keys::{Certificate, HashAlg, PrivateKey, decode_secret_key};

/// A key that a user can show.
#[derive(Clone)]
pub(super) struct Identity {
    /// The key.
    pub key: Arc<PrivateKey>,
    /// Its certificate, which is shown instead.
    pub certificate: Option<Certificate>,
}

impl Identity {
    /// How it is named in an error: algorithm and fingerprint, as `ssh-keygen -l` says them.
    pub fn name(&self) -> String {
        let kind = if self.certificate.is_some() { " certificate" } else { "" };
        format!("{}{kind} {}", self.key.algorithm(), self.key.fingerprint(HashAlg::Sha256))
    }
}

/// Why a private key or certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file could not be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The key has a passphrase. Packer takes no such key either.
    #[error(
        "{origin} is protected by a passphrase: take it off with `ssh-keygen -p`, or load it into an agent and set \
         ssh_agent_auth"
    )]
    Encrypted {
        /// Where the key is from.
        origin: String,
    },
    /// It is no private key of a known form.
    #[error(
        "{origin} is not a private key that can be used (OpenSSH, PKCS#1, PKCS#8 or SEC 1, in PEM): {reason}"
    )]
    Malformed {
        /// Where the key is from.
        origin: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It is no certificate, or one of another key.
    #[error("{path} is not an OpenSSH certificate of the private key: {reason}")]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A certificate without its key.
    #[error("ssh_certificate_file {path} needs ssh_private_key_file, the key that it certifies")]
    Alone {
        /// The certificate's file.
        path: PathBuf,
    },
}

/// Reads a private key from PEM text. `origin` names it in errors.
pub(super) fn parse(pem: &str, origin: &str) -> Result<Identity, KeyError> {
    // Old PEM keys say so in a header, and with most ciphers the decoder would find only odd DER.
    if pem.lines().any(|line| line.starts_with("Proc-Type:") && line.contains("ENCRYPTED"))
        || pem.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----")
    {
        return Err(KeyError::Encrypted { origin: origin.to_owned() });
    }
    // The decoder knows the frame lines only when nothing surrounds them.
    let trimmed: String = pem.lines().flat_map(|line| [line.trim(), "\n"]).collect();
    match decode_secret_key(&trimmed, None) {
        Ok(key) if key.is_encrypted() => Err(KeyError::Encrypted { origin: origin.to_owned() }),
        Ok(key) => Ok(Identity { key: Arc::new(key), certificate: None }),
        Err(russh::keys::Error::KeyIsEncrypted) => Err(KeyError::Encrypted { origin: origin.to_owned() }),
        Err(error) => Err(KeyError::Malformed { origin: origin.to_owned(), reason: error.to_string() }),
    }
}

/// Reads a private key from a file, and its certificate when there is one.
pub(super) fn load(key: &Path, certificate: Option<&Path>) -> Result<Identity, KeyError> {
    let path = expand_home(key);
    let mut identity = parse(&read(&path)?, &path.display().to_string())?;
    if let Some(certificate) = certificate {
        identity.certificate = Some(load_certificate(&expand_home(certificate), &identity.key)?);
    }
    Ok(identity)
}

fn load_certificate(path: &Path, key: &PrivateKey) -> Result<Certificate, KeyError> {
    let wrong = |reason: String| KeyError::Certificate { path: path.to_owned(), reason };
    let certificate =
        Certificate::from_openssh(read(path)?.trim()).map_err(|error| wrong(error.to_string()))?;
    if certificate.public_key() != key.public_key().key_data() {
        return Err(wrong("it certifies another key".to_owned()));
    }
    Ok(certificate)
}

fn read(path: &Path) -> Result<String, KeyError> {
    std::fs::read_to_string(path).map_err(|source| KeyError::Read { path: path.to_owned(), source })
}

/// `~` and `~/…` mean the home directory, as in Packer.
fn expand_home(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), std::env::home_dir()) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_key_is_told_with_its_origin() {
        for text in
            ["", "hello", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"]
        {
            let error =
                parse(text, "the key pair's key").err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.starts_with("the key pair's key is not a private key"), "{error}");
        }
    }

    #[test]
    fn an_encrypted_key_is_refused_with_a_way_out() {
        let old =
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: DES-EDE3-CBC,00\n\nAAAA\n";
        let new = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        for text in [old, new] {
            assert!(matches!(parse(text, "k"), Err(KeyError::Encrypted { .. })));
        }
    }
}
