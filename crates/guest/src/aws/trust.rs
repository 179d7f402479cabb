//! The certificate authorities the instance trusts, and TLS built on them.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where distributions keep their bundle of trusted authorities: Debian's, then Red Hat's.
const BUNDLES: [&str; 2] = ["etc/ssl/certs/ca-certificates.crt", "etc/pki/tls/certs/ca-bundle.crt"];

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// There is no bundle, or it cannot be read.
    #[error("cannot read the trusted certificate authorities in {path}: {reason}")]
    Unreadable {
        /// The bundle tried.
        path: String,
        /// What went wrong.
        reason: String,
    },
    /// The TLS library refused its configuration.
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] rustls::Error),
}

/// The certificates in the system's bundle under `root`, or in the file named by `SSL_CERT_FILE` or `AWS_CA_BUNDLE`.
pub fn authorities(root: &Path) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let path = bundle_path(root);
    let unreadable = |reason: String| TrustError::Unreadable { path: path.display().to_string(), reason };
    CertificateDer::pem_file_iter(&path)
        .map_err(|err| unreadable(err.to_string()))?
        .collect::<Result<Vec<_>, _>>()
        .map_err(|err| unreadable(err.to_string()))
}

fn bundle_path(root: &Path) -> PathBuf {
    let named = ["SSL_CERT_FILE", "AWS_CA_BUNDLE"].iter().find_map(std::env::var_os);
    if let Some(path) = named.filter(|path| !path.is_empty()) {
        return PathBuf::from(path);
    }
    let candidates = BUNDLES.map(|path| root.join(path));
    candidates.iter().find(|path| path.exists()).unwrap_or(&candidates[0]).clone()
}

/// A TLS client configuration that trusts [`authorities`]. A malformed certificate in the bundle is passed over:
/// bundles of whole distributions contain some that a strict parser refuses.
pub fn client_config(root: &Path) -> Result<Arc<rustls::ClientConfig>, TrustError> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(authorities(root)?);
    let config =
        rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
    Ok(Arc::new(config))
}
