//! Certificates and keys as PEM files; reads them, checks that they belong together, and never changes one.

use std::path::Path;

use callboard_client::Fingerprint;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::{ServerIdentity, TlsError};

/// Reads a chain and its key, and checks that the key is that of the first certificate.
pub(super) fn load(chain_path: &Path, key_path: &Path, development: bool) -> Result<ServerIdentity, TlsError> {
    let chain = chain(chain_path)?;
    let key = key(key_path)?;
    let fingerprint = fingerprint(&chain, chain_path)?;
    let provider = rustls::crypto::ring::default_provider();
    match rustls::sign::CertifiedKey::from_der(chain.clone(), key.clone_key(), &provider) {
        Ok(_) => Ok(ServerIdentity { chain, key, fingerprint, development }),
        Err(rustls::Error::InconsistentKeys(_)) => {
            Err(TlsError::KeyMismatch { chain: chain_path.to_owned(), key: key_path.to_owned() })
        }
        Err(rustls::Error::InvalidCertificate(error)) => {
            Err(TlsError::Malformed { path: chain_path.to_owned(), reason: format!("{error:?}") })
        }
        Err(error) => Err(TlsError::Malformed { path: key_path.to_owned(), reason: error.to_string() }),
    }
}

/// The certificates of a file, in its order; at least one.
pub(super) fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(path)?;
    let chain = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| TlsError::Malformed { path: path.to_owned(), reason: error.to_string() })?;
    if chain.is_empty() {
        let begin = "-----BEGIN CERTIFICATE-----";
        return Err(TlsError::NothingFound { path: path.to_owned(), wanted: "certificate", begin });
    }
    Ok(chain)
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(&read(path)?).map_err(|error| {
        let path = path.to_owned();
        if matches!(error, pem::Error::NoItemsFound) {
            let begin = "-----BEGIN PRIVATE KEY-----";
            return TlsError::NothingFound { path, wanted: "private key", begin };
        }
        TlsError::Malformed { path, reason: error.to_string() }
    })
}

/// The SHA-256 of the first certificate.
pub(super) fn fingerprint(chain: &[CertificateDer<'static>], path: &Path) -> Result<Fingerprint, TlsError> {
    Ok(Fingerprint::of(leaf(chain, path)?))
}

/// When the first certificate's time is over, in seconds since 1970.
pub(super) fn expiry_s(chain: &[CertificateDer<'static>], path: &Path) -> Result<u64, TlsError> {
    let (_, certificate) = x509_parser::parse_x509_certificate(leaf(chain, path)?)
        .map_err(|error| TlsError::Malformed { path: path.to_owned(), reason: error.to_string() })?;
    Ok(u64::try_from(certificate.validity().not_after.timestamp()).unwrap_or(0))
}

/// A point in time as a date in UTC.
pub(super) fn date(at_s: u64) -> String {
    i64::try_from(at_s)
        .ok()
        .and_then(|at_s| jiff::Timestamp::from_second(at_s).ok())
        .map_or_else(|| "a date beyond the calendar".to_owned(), |at| at.strftime("%Y-%m-%d").to_string())
}

fn leaf<'a>(chain: &'a [CertificateDer<'static>], path: &Path) -> Result<&'a CertificateDer<'static>, TlsError> {
    let reason = || "it has no certificate".to_owned();
    chain.first().ok_or_else(|| TlsError::Malformed { path: path.to_owned(), reason: reason() })
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Unreadable { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(directory: &Path, name: &str, text: &str) -> std::path::PathBuf {
        let path = directory.join(name);
        std::fs::write(&path, text).expect("written");
        path
    }

    fn pair() -> (String, String) {
        let rcgen::CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        (cert.pem(), signing_key.serialize_pem())
    }

    #[test]
    fn a_chain_and_its_key_are_taken() {
        let home = tempfile::tempdir().expect("a directory");
        let (cert, key) = pair();
        let (other, _) = pair();
        let chain = write(home.path(), "chain.pem", &format!("{cert}{other}"));
        let key = write(home.path(), "key.pem", &key);
        let identity = load(&chain, &key, false).expect("an identity");
        assert_eq!(identity.chain.len(), 2);
        assert!(!identity.development);
        assert!(expiry_s(&identity.chain, &chain).expect("a date") > 1_700_000_000);
    }

    #[test]
    fn each_way_to_be_wrong_names_its_file() {
        let home = tempfile::tempdir().expect("a directory");
        let (cert_text, key_text) = pair();
        let (_, other_key_text) = pair();
        let cert = write(home.path(), "cert.pem", &cert_text);
        let key = write(home.path(), "key.pem", &key_text);
        let other_key = write(home.path(), "other.pem", &other_key_text);
        let torn = write(home.path(), "torn.pem", &cert_text[..cert_text.len() / 2]);
        let missing = home.path().join("missing.pem");

        assert!(matches!(load(&missing, &key, false), Err(TlsError::Unreadable { path, .. }) if path == missing));
        assert!(matches!(load(&key, &key, false), Err(TlsError::NothingFound { path, .. }) if path == key));
        assert!(matches!(load(&cert, &cert, false), Err(TlsError::NothingFound { path, .. }) if path == cert));
        assert!(matches!(load(&torn, &key, false), Err(TlsError::Malformed { path, .. }) if path == torn));
        assert!(matches!(load(&cert, &other_key, false), Err(TlsError::KeyMismatch { .. })));
    }

    #[test]
    fn dates_are_read_by_people() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(1_800_000_000), "2027-01-15");
        assert_eq!(date(u64::MAX), "a date beyond the calendar");
    }
}
