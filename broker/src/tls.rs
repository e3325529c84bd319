//! The certificate that the doors show, and the one TLS set-up behind it: TLS 1.3 alone, never early data.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use callboard_client::Fingerprint;
use callboard_protocol::version;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::clock::Clock;
use crate::config::{Config, Tls};
use crate::data_dir;

mod development;
mod pem;

/// Who the broker is to those who connect.
#[derive(Debug)]
pub struct ServerIdentity {
    /// The certificates, the broker's own first.
    pub chain: Vec<CertificateDer<'static>>,
    /// The private key of the first.
    pub key: PrivateKeyDer<'static>,
    /// The SHA-256 of the first, which clients can pin.
    pub fingerprint: Fingerprint,
    /// Whether it is the self-signed one of the data directory.
    pub development: bool,
}

/// Why there is no certificate to show. All but the last are the operator's to mend.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{} cannot be read: {source}; check the path and its permissions", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file has no PEM section of the kind that is looked for.
    #[error("{} has no {wanted} in PEM form (a section that begins with `{begin}`)", path.display())]
    NothingFound {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        wanted: &'static str,
        /// How such a section begins.
        begin: &'static str,
    },
    /// A file has a section that cannot be understood.
    #[error("{} is damaged or of an unknown kind: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The key belongs to another certificate.
    #[error(
        "the key {} does not fit the first certificate of {}; the broker's own certificate comes first, then those \
         that signed it",
        key.display(),
        chain.display()
    )]
    KeyMismatch {
        /// The file of the chain.
        chain: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
    /// The certificate's time is over.
    #[error("the certificate {} expired on {expired}; renew it, since clients refuse it", path.display())]
    Expired {
        /// The file.
        path: PathBuf,
        /// When, as a date.
        expired: String,
    },
    /// The development certificate cannot be saved.
    #[error("the development certificate cannot be saved in {}: {source}; make room there, or choose another directory with --data-dir", path.display())]
    Unwritable {
        /// The data directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Somebody else is changing the data directory, and does not end.
    #[error("the development certificate cannot be saved: {}", data_dir::busy(directory))]
    Busy {
        /// The data directory.
        directory: PathBuf,
    },
    /// The TLS library refused. The fault is ours.
    #[error("TLS could not be set up: {0}")]
    Setup(String),
}

/// The identity that the configuration asks for. A development certificate is made, and saved in the data directory,
/// if there is none that lasts another month.
///
/// # Errors
///
/// [`TlsError`], which says what mends it.
pub fn identity(config: &Config) -> Result<ServerIdentity, TlsError> {
    let now_s = Clock::start().now().value() / 1000;
    match &config.tls {
        Tls::Development => development::load_or_make(&config.data_dir, now_s),
        Tls::Pem { chain, key } => {
            let identity = pem::load(chain, key, false)?;
            let expiry_s = pem::expiry_s(&identity.chain, chain)?;
            if expiry_s <= now_s {
                return Err(TlsError::Expired { path: chain.clone(), expired: pem::date(expiry_s) });
            }
            Ok(identity)
        }
    }
}

/// The TLS side of the QUIC door.
///
/// # Errors
///
/// [`TlsError::Setup`].
pub fn server_config(identity: &ServerIdentity) -> Result<rustls::ServerConfig, TlsError> {
    let setup = |error: rustls::Error| TlsError::Setup(error.to_string());
    let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(setup)?
        .with_no_client_auth()
        .with_single_cert(identity.chain.clone(), identity.key.clone_key())
        .map_err(setup)?;
    config.alpn_protocols = vec![version::ALPN.to_vec()];
    // What travels as early data can be sent again by anyone who saw it, and a publish must not.
    config.max_early_data_size = 0;
    Ok(config)
}

/// The fingerprint of the development certificate in this data directory, for clients on the same machine to pin;
/// `None` if no broker has made one there. Reads the public part only.
///
/// # Errors
///
/// [`TlsError`] if there is one that cannot be read.
pub fn development_fingerprint(data_dir: &Path) -> Result<Option<Fingerprint>, TlsError> {
    development::fingerprint(data_dir)
}

/// The file of the development certificate in this data directory: the public part.
#[must_use]
pub fn development_certificate(data_dir: &Path) -> PathBuf {
    data_dir.join(development::CERTIFICATE)
}
