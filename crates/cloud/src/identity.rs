//! The key that the cloud signs instance identity documents with.
//!
//! An instance proves who it is by the document and its signature ("Instance identity documents" in the EC2
//! user guide): `cfn-init` and `cfn-signal` authenticate with them, the ECS agent registers with them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rsa::pkcs1v15::{Signature, SigningKey, VerifyingKey};
use rsa::pkcs8::{DecodePrivateKey, EncodePrivateKey, LineEnding};
use rsa::sha2::Sha256;
use rsa::signature::{Keypair, SignatureEncoding, Signer, Verifier};
use rsa::{RsaPrivateKey, rand_core::OsRng};

use crate::credentials::write_secret;

/// The key could not be made, kept or read.
#[derive(Debug, thiserror::Error)]
#[error("the key of instance identity documents, {path}: {reason}")]
pub struct IdentityError {
    path: PathBuf,
    reason: String,
}

/// Signs and verifies identity documents with the state directory's RSA key.
pub struct IdentityKey {
    path: PathBuf,
    key: OnceLock<SigningKey<Sha256>>,
}

impl IdentityKey {
    /// The key of a state directory. It is made when it is first needed: that takes a moment which the
    /// daemon's start should not wait for.
    pub fn new(state_dir: &Path) -> Self {
        Self { path: state_dir.join("keys/identity.pem"), key: OnceLock::new() }
    }

    /// The document's signature (RSA, SHA-256) in base64, as `instance-identity/signature` answers.
    ///
    /// # Errors
    /// When the key can be neither read nor made.
    pub fn sign(&self, document: &str) -> Result<String, IdentityError> {
        Ok(STANDARD.encode(self.key()?.sign(document.as_bytes()).to_bytes()))
    }

    /// Whether the base64 signature is this key's for the document. White space in it is ignored: the
    /// metadata service of AWS breaks its lines.
    ///
    /// # Errors
    /// When the key can be neither read nor made.
    pub fn verify(&self, document: &[u8], signature: &str) -> Result<bool, IdentityError> {
        let compact: String = signature.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        let Ok(bytes) = STANDARD.decode(compact) else { return Ok(false) };
        let Ok(signature) = Signature::try_from(bytes.as_slice()) else { return Ok(false) };
        let key: VerifyingKey<Sha256> = self.key()?.verifying_key();
        Ok(key.verify(document, &signature).is_ok())
    }

    fn key(&self) -> Result<&SigningKey<Sha256>, IdentityError> {
        if let Some(key) = self.key.get() {
            return Ok(key);
        }
        let key = SigningKey::new(self.load_or_make()?);
        Ok(self.key.get_or_init(|| key))
    }

    fn load_or_make(&self) -> Result<RsaPrivateKey, IdentityError> {
        let failed = |reason: String| IdentityError { path: self.path.clone(), reason };
        match fs::read_to_string(&self.path) {
            Ok(pem) => RsaPrivateKey::from_pkcs8_pem(&pem).map_err(|error| failed(error.to_string())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let key = RsaPrivateKey::new(&mut OsRng, 2048).map_err(|error| failed(error.to_string()))?;
                let pem = key.to_pkcs8_pem(LineEnding::LF).map_err(|error| failed(error.to_string()))?;
                write_secret(&self.path, pem.as_bytes()).map_err(|error| failed(error.to_string()))?;
                Ok(key)
            }
            Err(error) => Err(failed(error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_its_document_and_outlives_the_daemon() {
        let dir = tempfile::tempdir().unwrap();
        let signature = IdentityKey::new(dir.path()).sign("{}").unwrap();
        let again = IdentityKey::new(dir.path());
        assert!(again.verify(b"{}", &signature).unwrap());
        let broken_lines = format!("{}\n{}", &signature[..64], &signature[64..]);
        assert!(again.verify(b"{}", &broken_lines).unwrap());
        assert!(!again.verify(b"{ }", &signature).unwrap());
        assert!(!again.verify(b"{}", "bm90IGE=").unwrap());
        assert!(!again.verify(b"{}", "***").unwrap());
    }
}
