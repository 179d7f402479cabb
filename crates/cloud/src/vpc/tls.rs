//! The local certificate authority, and the certificates with which the API shows itself as AWS inside a VPC.
//!
//! The authority is made once per state directory. It signs only names of AWS, and only instances of the same
//! cloud trust it; the host never does.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use machine::network::API_ADDRESS;
use parking_lot::Mutex;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::names::{API_DOMAINS, is_api_name};

/// The authority's folder in the state directory.
const DIR: &str = "ca";
/// Certificates kept at hand; an instance that asks for ever new names must not fill the memory.
const MAX_KEPT: usize = 512;

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file of the authority cannot be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was attempted.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A key or certificate cannot be made or understood.
    #[error("cannot {action}: {source}")]
    Certificate {
        /// What was attempted.
        action: String,
        /// Why it failed.
        source: rcgen::Error,
    },
    /// The TLS library refused.
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] rustls::Error),
}

/// The authority of one cloud.
#[derive(Debug)]
pub struct LocalCa {
    pem: String,
    path: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl LocalCa {
    /// Opens the authority of a state directory, making it the first time.
    ///
    /// # Errors
    /// A file that cannot be read, written or understood.
    pub fn open(state_dir: &Path) -> Result<Self, TlsError> {
        let dir = state_dir.join(DIR);
        let (cert_path, key_path) = (dir.join("ca.pem"), dir.join("ca.key"));
        if !cert_path.exists() {
            make(&dir, &cert_path, &key_path)?;
        }
        let pem = fs::read_to_string(&cert_path).map_err(file("read", &cert_path))?;
        let key = fs::read_to_string(&key_path).map_err(file("read", &key_path))?;
        let key = KeyPair::from_pem(&key)
            .map_err(certificate(|| format!("read the key {}", key_path.display())))?;
        // Signing needs the authority's name and key, and `ca_params` is where its name comes from.
        let issuer = Issuer::new(ca_params(), key);
        Ok(Self { pem, path: cert_path, issuer })
    }

    /// The authority's certificate, for the trust stores of instances.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The file with the authority's certificate.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Signs a certificate for these names (or addresses) and a key.
    fn sign(&self, names: &[String], key: &KeyPair) -> Result<Vec<u8>, TlsError> {
        let failed = || format!("make a certificate for {}", names.join(", "));
        let mut params = CertificateParams::new(names).map_err(certificate(failed))?;
        params.distinguished_name = DistinguishedName::new();
        // A common name has at most 64 characters (RFC 5280); the alternative names are what counts.
        params.distinguished_name.push(DnType::CommonName, "drydock local AWS endpoint");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2099, 1, 1));
        let signed = params.signed_by(key, &self.issuer).map_err(certificate(failed))?;
        Ok(signed.der().to_vec())
    }
}

fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> TlsError {
    move |source| TlsError::File { action, path: path.to_owned(), source }
}

fn certificate(action: impl FnOnce() -> String) -> impl FnOnce(rcgen::Error) -> TlsError {
    move |source| TlsError::Certificate { action: action(), source }
}

/// Who the authority is and what it may do: sign servers' certificates, but no further authority.
fn ca_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "Drydock");
    params.distinguished_name.push(DnType::CommonName, "Drydock local cloud");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2099, 1, 1));
    params
}

/// Makes a new authority. The certificate appears last: where it is, the key is too.
fn make(dir: &Path, cert_path: &Path, key_path: &Path) -> Result<(), TlsError> {
    let failed = || "make the local certificate authority".to_owned();
    let key = KeyPair::generate().map_err(certificate(failed))?;
    let cert = ca_params().self_signed(&key).map_err(certificate(failed))?;
    fs::create_dir_all(dir).map_err(file("make", dir))?;
    write_whole(key_path, &key.serialize_pem(), 0o600)?;
    write_whole(cert_path, &cert.pem(), 0o644)
}

/// Writes a file beside its place and moves it there, so that nobody ever reads half of it.
fn write_whole(path: &Path, content: &str, mode: u32) -> Result<(), TlsError> {
    let beside = path.with_extension("new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(mode);
    let written = options.open(&beside).and_then(|mut file| {
        file.write_all(content.as_bytes())?;
        file.sync_all()
    });
    written.map_err(file("write", &beside))?;
    fs::rename(&beside, path).map_err(file("put in place", path))
}

/// The TLS settings of the API's listeners inside VPCs: a certificate for whichever name of AWS a client asks.
///
/// # Errors
/// A key or the first certificate that cannot be made.
pub fn server_config(ca: Arc<LocalCa>, region: &str) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let resolver = Certificates::new(ca, region)?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(resolver));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Makes certificates on demand, all with one key.
#[derive(Debug)]
struct Certificates {
    ca: Arc<LocalCa>,
    key: KeyPair,
    /// For clients that name no host, and for the names that nearly all ask for.
    default: Arc<CertifiedKey>,
    made: Mutex<HashMap<String, Arc<CertifiedKey>>>,
}

impl Certificates {
    fn new(ca: Arc<LocalCa>, region: &str) -> Result<Self, TlsError> {
        let key = KeyPair::generate().map_err(certificate(|| "make the API's key".to_owned()))?;
        let mut names: Vec<String> = API_DOMAINS
            .iter()
            .flat_map(|domain| [format!("*.{domain}"), format!("*.{region}.{domain}")])
            .collect();
        names.push(API_ADDRESS.to_string());
        let default = certified(&ca, &names, &key)?;
        Ok(Self { ca, key, default, made: Mutex::default() })
    }

    fn for_name(&self, name: &str) -> Result<Arc<CertifiedKey>, TlsError> {
        if let Some(made) = self.made.lock().get(name) {
            return Ok(Arc::clone(made));
        }
        let certified = certified(&self.ca, &[name.to_owned()], &self.key)?;
        let mut made = self.made.lock();
        if made.len() >= MAX_KEPT {
            made.clear();
        }
        made.insert(name.to_owned(), Arc::clone(&certified));
        Ok(certified)
    }
}

fn certified(ca: &LocalCa, names: &[String], key: &KeyPair) -> Result<Arc<CertifiedKey>, TlsError> {
    let cert = ca.sign(names, key)?;
    let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let signer = rustls::crypto::ring::sign::any_supported_type(&der)?;
    Ok(Arc::new(CertifiedKey::new(vec![cert.into()], signer)))
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let Some(name) = hello.server_name() else { return Some(Arc::clone(&self.default)) };
        let name = name.to_ascii_lowercase();
        if !is_api_name(&name) {
            return None;
        }
        match self.for_name(&name) {
            Ok(certified) => Some(certified),
            Err(error) => {
                tracing::warn!(%name, %error, "no certificate");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
    use rustls::{ClientConfig, RootCertStore};
    use tokio_rustls::{TlsAcceptor, TlsConnector};

    use super::*;

    #[test]
    fn the_authority_is_made_once_and_its_key_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let first = LocalCa::open(dir.path()).unwrap();
        let second = LocalCa::open(dir.path()).unwrap();
        assert_eq!(first.pem(), second.pem());
        let mode = fs::metadata(dir.path().join("ca/ca.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    /// What a client that trusts the authority says to a server asked for a name.
    async fn shake_hands(ca: &Arc<LocalCa>, name: &str) -> Result<(), String> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(ca.pem().as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let acceptor = TlsAcceptor::from(server_config(Arc::clone(ca), "us-east-1").unwrap());
        let (ours, theirs) = tokio::io::duplex(16 * 1024);
        let server = tokio::spawn(async move { acceptor.accept(theirs).await.map(drop) });
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let connected = TlsConnector::from(Arc::new(client)).connect(name, ours).await;
        drop(server.await.unwrap());
        connected.map(drop).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn a_client_that_trusts_it_finds_aws() {
        let dir = tempfile::tempdir().unwrap();
        let ca = Arc::new(LocalCa::open(dir.path()).unwrap());
        let deep = "123456789012.dkr.ecr.eu-central-1.amazonaws.com";
        for name in
            ["ecs.us-east-1.amazonaws.com", "STS.amazonaws.com", deep, "ecs.us-east-1.api.aws", "198.18.0.1"]
        {
            assert_eq!(shake_hands(&ca, name).await, Ok(()), "{name}");
        }
        assert!(shake_hands(&ca, "example.com").await.is_err(), "it signs for nobody else");
    }
}
