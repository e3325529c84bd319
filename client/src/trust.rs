//! Which broker is believed to be the right one. Nothing here trusts everyone unless a caller writes `insecure`.

mod verifier;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use callboard_protocol::version::ALPN;
use quinn::crypto::rustls::QuicClientConfig;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

pub(crate) use self::verifier::Verdict;
use self::verifier::Verifier;

/// Which broker is believed to be the right one.
#[derive(Debug, Clone, Default)]
pub struct Trust(Inner);

#[derive(Debug, Clone, Default)]
enum Inner {
    #[default]
    Platform,
    PemFile(PathBuf),
    Pinned(Fingerprint),
    Insecure,
}

/// What is to be trusted cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// The file of roots cannot be read, or is no PEM file.
    #[error("the roots in {} cannot be read: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: rustls::pki_types::pem::Error,
    },
    /// The file has no certificate that can be a root.
    #[error("{} has no certificate that can be a root", path.display())]
    NoRoots {
        /// The file.
        path: PathBuf,
    },
    /// The platform has no roots that can be read.
    #[error("this system has no trusted roots: install them, or name a file of roots or a fingerprint{hint}")]
    NoPlatformRoots {
        /// The first thing that went wrong while they were read, with a colon before it.
        hint: String,
    },
    /// TLS itself cannot be set up. The fault is the library's.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[source] rustls::Error),
}

impl Trust {
    /// Believes whom the system believes. This is the default.
    #[must_use]
    pub fn platform() -> Self {
        Self(Inner::Platform)
    }

    /// Believes a broker whose certificate follows from a root in this PEM file, and nobody else.
    #[must_use]
    pub fn pem_file(path: impl Into<PathBuf>) -> Self {
        Self(Inner::PemFile(path.into()))
    }

    /// Believes the one broker whose own certificate has this fingerprint. Its name and its dates are not looked at:
    /// whoever wrote the fingerprint down has vouched for exactly this certificate.
    #[must_use]
    pub fn pinned(fingerprint: Fingerprint) -> Self {
        Self(Inner::Pinned(fingerprint))
    }

    /// Believes whoever answers.
    ///
    /// What is given up: anyone on the way can pose as the broker, read and change every message, and take the
    /// credential that this client shows. What stays: those who only listen see nothing. Use
    /// [`pinned`](Self::pinned) for development certificates instead; it costs one line.
    #[must_use]
    pub fn insecure() -> Self {
        Self(Inner::Insecure)
    }

    /// The TLS half of a connection, for programs that speak the protocol themselves over a QUIC of their own.
    ///
    /// # Errors
    ///
    /// What is to be trusted cannot be read.
    pub fn tls(&self) -> Result<QuicClientConfig, TrustError> {
        self.judging().map(|(tls, _)| tls)
    }

    /// The TLS half of a connection, and where it says why it did not believe a certificate.
    pub(crate) fn judging(&self) -> Result<(QuicClientConfig, Verdict), TrustError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(TrustError::Tls)?;
        let verifier = match &self.0 {
            Inner::Platform => Verifier::roots(platform_roots()?, provider)?,
            Inner::PemFile(path) => Verifier::roots(file_roots(path)?, provider)?,
            Inner::Pinned(fingerprint) => Verifier::pinned(*fingerprint, provider),
            Inner::Insecure => Verifier::anyone(provider),
        };
        let verdict = verifier.verdict();
        let mut tls = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth();
        tls.alpn_protocols = vec![ALPN.to_vec()];
        let no_suite = |_| TrustError::Tls(rustls::Error::General("no QUIC suite".to_owned()));
        Ok((QuicClientConfig::try_from(tls).map_err(no_suite)?, verdict))
    }
}

fn platform_roots() -> Result<RootCertStore, TrustError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let hint = found.errors.first().map(|error| format!(": {error}")).unwrap_or_default();
        return Err(TrustError::NoPlatformRoots { hint });
    }
    Ok(roots)
}

fn file_roots(path: &PathBuf) -> Result<RootCertStore, TrustError> {
    let unread = |source| TrustError::File { path: path.clone(), source };
    let certificates = CertificateDer::pem_file_iter(path).map_err(unread)?.collect::<Result<Vec<_>, _>>();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates.map_err(unread)?);
    if roots.is_empty() { Err(TrustError::NoRoots { path: path.clone() }) } else { Ok(roots) }
}

/// The SHA-256 digest of a certificate in DER. Written `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

/// A text is no fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint is `sha256:` and 64 hexadecimal digits, with or without colons between them")]
pub struct FingerprintError;

impl Fingerprint {
    /// The fingerprint of a certificate in DER.
    #[must_use]
    pub fn of(certificate: &[u8]) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, certificate);
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest.as_ref());
        Self(bytes)
    }

    /// The digest's bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Compares in a time that does not depend on where the difference lies.
    fn is(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    fn from_str(text: &str) -> Result<Self, FingerprintError> {
        let text = text.trim();
        let prefixed = text.get(..7).is_some_and(|prefix| prefix.eq_ignore_ascii_case("sha256:"));
        let digits = text[if prefixed { 7 } else { 0 }..].bytes().filter(|byte| *byte != b':');
        let mut bytes = [0; 32];
        let mut count = 0;
        for digit in digits {
            let value = char::from(digit).to_digit(16).ok_or(FingerprintError)?;
            let byte = bytes.get_mut(count / 2).ok_or(FingerprintError)?;
            *byte = *byte << 4 | u8::try_from(value).map_err(|_| FingerprintError)?;
            count += 1;
        }
        if count == 64 { Ok(Self(bytes)) } else { Err(FingerprintError) }
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn fingerprints_are_read_as_people_write_them() {
        let nothing = Fingerprint::of(b"");
        assert_eq!(nothing.to_string(), format!("sha256:{HEX}"));
        let colons = HEX.to_uppercase().as_bytes().chunks(2).map(String::from_utf8_lossy).collect::<Vec<_>>().join(":");
        for text in [HEX, &format!("sha256:{HEX}"), &format!("SHA256:{colons}"), &colons, &format!(" {HEX}\n")] {
            assert_eq!(text.parse(), Ok(nothing), "{text}");
        }
    }

    #[test]
    fn what_is_no_fingerprint_is_refused() {
        for text in ["", "sha256:", "sha1:00", &HEX[1..], &format!("{HEX}0"), &format!("{HEX}00"), "ü", "sha256\u{fc}"]
        {
            assert_eq!(text.parse::<Fingerprint>(), Err(FingerprintError), "{text}");
        }
    }

    #[test]
    fn a_pin_takes_its_own_certificate_only() {
        let own = Fingerprint::of(b"own");
        assert!(own.is(&Fingerprint::of(b"own")));
        assert!(!own.is(&Fingerprint::of(b"other")));
    }
}
