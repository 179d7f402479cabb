//! Keys: making them, reading them, and EC2's fingerprints of them. No IO.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::Md5;
use rsa::pkcs1::EncodeRsaPrivateKey;
use rsa::pkcs8::{EncodePrivateKey, EncodePublicKey};
use rsa::rand_core::OsRng;
use rsa::{BigUint, RsaPrivateKey, RsaPublicKey};
use sha1::{Digest, Sha1};
use sha2::Sha256;
use ssh_key::public::{KeyData, RsaPublicKey as SshRsaPublicKey};
use ssh_key::{Algorithm, LineEnding, PrivateKey, PublicKey};

/// The size of RSA keys that EC2 makes, in bits.
const RSA_BITS: usize = 2048;

/// What keys EC2 knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyType {
    /// RSA.
    Rsa,
    /// Ed25519.
    Ed25519,
}

impl KeyType {
    /// EC2's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rsa => "rsa",
            Self::Ed25519 => "ed25519",
        }
    }
}

/// Why a key could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Not a key in OpenSSH's form.
    #[error("Key is not in valid OpenSSH public key format")]
    Format,
    /// A key of a type that EC2 does not take.
    #[error("keys of type {0} are not supported; import an RSA or ED25519 key")]
    Type(String),
    /// RSA keys of other sizes are refused by EC2.
    #[error("RSA keys must have 1024, 2048 or 4096 bits; this one has {0}")]
    Bits(usize),
    /// The key cannot be put into the form that is wanted.
    #[error("the key cannot be encoded: {0}")]
    Encoding(String),
}

fn encoding(error: impl std::fmt::Display) -> KeyError {
    KeyError::Encoding(error.to_string())
}

/// A new key.
pub struct NewKey {
    /// The private half, as EC2 hands it out: PKCS#1 for RSA, OpenSSH's form for Ed25519.
    pub private_pem: String,
    /// The public half in OpenSSH's form, with the key pair's name as comment.
    pub public: String,
    /// EC2's fingerprint of keys that it made: of an RSA key the SHA-1 of its PKCS#8 private half.
    pub fingerprint: String,
}

/// Makes a key.
///
/// # Errors
/// When the new key cannot be encoded.
pub fn generate(kind: KeyType, name: &str) -> Result<NewKey, KeyError> {
    match kind {
        KeyType::Rsa => generate_rsa(name),
        KeyType::Ed25519 => generate_ed25519(name),
    }
}

fn generate_rsa(name: &str) -> Result<NewKey, KeyError> {
    let key = RsaPrivateKey::new(&mut OsRng, RSA_BITS).map_err(encoding)?;
    let pkcs8 = key.to_pkcs8_der().map_err(encoding)?;
    let public = SshRsaPublicKey::try_from(&key.to_public_key()).map_err(encoding)?;
    let mut public = PublicKey::from(KeyData::Rsa(public));
    public.set_comment(name);
    Ok(NewKey {
        private_pem: key.to_pkcs1_pem(LineEnding::LF).map_err(encoding)?.to_string(),
        public: public.to_openssh().map_err(encoding)?,
        fingerprint: colons(&Sha1::digest(pkcs8.as_bytes())),
    })
}

fn generate_ed25519(name: &str) -> Result<NewKey, KeyError> {
    let mut key = PrivateKey::random(&mut OsRng, Algorithm::Ed25519).map_err(encoding)?;
    key.set_comment(name);
    Ok(NewKey {
        private_pem: key.to_openssh(LineEnding::LF).map_err(encoding)?.to_string(),
        public: key.public_key().to_openssh().map_err(encoding)?,
        fingerprint: sha256_fingerprint(key.public_key())?,
    })
}

/// The public half of a private key in OpenSSH's or PKCS#1's form.
///
/// # Errors
/// When it is neither.
pub fn public_of(private_pem: &str, name: &str) -> Result<String, KeyError> {
    use rsa::pkcs1::DecodeRsaPrivateKey;
    let mut public = match PrivateKey::from_openssh(private_pem) {
        Ok(key) => key.public_key().clone(),
        Err(_) => {
            let key = RsaPrivateKey::from_pkcs1_pem(private_pem).map_err(|_| KeyError::Format)?;
            PublicKey::from(KeyData::Rsa(SshRsaPublicKey::try_from(&key.to_public_key()).map_err(encoding)?))
        }
    };
    public.set_comment(name);
    public.to_openssh().map_err(encoding)
}

/// A public key that a user imports.
#[derive(Debug)]
pub struct ImportedKey {
    /// Its type.
    pub kind: KeyType,
    /// In OpenSSH's form, with the user's comment.
    pub public: String,
    /// EC2's fingerprint of imported keys: of an RSA key the MD5 of its DER form.
    pub fingerprint: String,
}

/// Reads a public key in OpenSSH's form.
///
/// # Errors
/// When it is none, or one that EC2 does not take.
pub fn import(text: &str) -> Result<ImportedKey, KeyError> {
    let key = PublicKey::from_openssh(text.trim()).map_err(|_| KeyError::Format)?;
    let (kind, fingerprint) = match key.key_data() {
        KeyData::Rsa(rsa) => (KeyType::Rsa, md5_fingerprint(rsa)?),
        KeyData::Ed25519(_) => (KeyType::Ed25519, sha256_fingerprint(&key)?),
        other => return Err(KeyError::Type(other.algorithm().to_string())),
    };
    Ok(ImportedKey { kind, public: key.to_openssh().map_err(encoding)?, fingerprint })
}

fn md5_fingerprint(key: &SshRsaPublicKey) -> Result<String, KeyError> {
    let number = |mpint: &ssh_key::Mpint| {
        mpint.as_positive_bytes().map(BigUint::from_bytes_be).ok_or(KeyError::Format)
    };
    let modulus = number(&key.n)?;
    let bits = modulus.bits();
    if ![1024, 2048, 4096].contains(&bits) {
        return Err(KeyError::Bits(bits));
    }
    let key = RsaPublicKey::new(modulus, number(&key.e)?).map_err(|_| KeyError::Format)?;
    let der = key.to_public_key_der().map_err(encoding)?;
    Ok(colons(&Md5::digest(der.as_bytes())))
}

/// EC2's fingerprint of Ed25519 keys: OpenSSH's, but padded and without the digest's name.
fn sha256_fingerprint(key: &PublicKey) -> Result<String, KeyError> {
    Ok(STANDARD.encode(Sha256::digest(key.to_bytes().map_err(encoding)?)))
}

fn colons(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_keys_can_be_used_and_imported() {
        for (kind, begins, length) in [
            (KeyType::Rsa, "-----BEGIN RSA PRIVATE KEY-----", 59),
            (KeyType::Ed25519, "-----BEGIN OPENSSH PRIVATE KEY-----", 44),
        ] {
            let key = generate(kind, "admin").unwrap();
            assert!(key.private_pem.starts_with(begins), "{}", key.private_pem);
            assert_eq!(key.fingerprint.len(), length, "{}", key.fingerprint);
            assert!(key.public.ends_with(" admin"), "{}", key.public);
            assert_eq!(public_of(&key.private_pem, "admin").unwrap(), key.public);
            assert_eq!(import(&key.public).unwrap().kind, kind);
        }
    }

    #[test]
    fn fingerprints_of_imported_keys_are_openssls_and_ssh_keygens() {
        // From `ssh-keygen -t ed25519` and `ssh-keygen -lf`; the RSA one from
        // `ssh-keygen -ef KEY -m PKCS8 | openssl pkey -pubin -outform DER | md5sum`.
        let ed25519 = include_str!("../../../tests/keys/ed25519.pub");
        assert_eq!(
            import(ed25519).unwrap().fingerprint,
            include_str!("../../../tests/keys/ed25519.fingerprint").trim()
        );
        let rsa = include_str!("../../../tests/keys/rsa.pub");
        assert_eq!(
            import(rsa).unwrap().fingerprint,
            include_str!("../../../tests/keys/rsa.fingerprint").trim()
        );
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in ["", "ssh-rsa", "ssh-rsa AAAA", "-----BEGIN PUBLIC KEY-----"] {
            assert!(matches!(import(text), Err(KeyError::Format)), "{text:?}");
        }
    }
}
