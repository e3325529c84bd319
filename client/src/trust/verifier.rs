//! Judges the certificate that a broker shows, and remembers in a sentence why it did not believe the last one: TLS
//! passes on no more than a number.

use std::sync::Arc;

use parking_lot::Mutex;
use quinn::TransportErrorCode;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{AlertDescription, CertificateError, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme};

use super::{Fingerprint, TrustError};

/// Why the last certificate was not believed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Verdict(Arc<Mutex<Option<Arc<str>>>>);

impl Verdict {
    /// The sentence for a handshake that this side ended: `None` if that was not for the certificate.
    pub(crate) fn of(&self, ended: TransportErrorCode) -> Option<Arc<str>> {
        let unbelieved = TransportErrorCode::crypto(AlertDescription::CertificateUnknown.into());
        if ended == unbelieved { self.0.lock().clone() } else { None }
    }
}

/// Believes as it was told to. That the peer holds its certificate's key is verified whatever that is.
#[derive(Debug)]
pub(super) struct Verifier {
    belief: Belief,
    verdict: Verdict,
    provider: Arc<CryptoProvider>,
}

#[derive(Debug)]
enum Belief {
    /// Who has a certificate for the host that follows from a root.
    Roots(Arc<WebPkiServerVerifier>),
    /// Who has this certificate.
    Pinned(Fingerprint),
    Anyone,
}

impl Verifier {
    pub(super) fn roots(roots: RootCertStore, provider: Arc<CryptoProvider>) -> Result<Self, TrustError> {
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .map_err(|error| TrustError::Tls(rustls::Error::General(error.to_string())))?;
        Ok(Self::new(Belief::Roots(verifier), provider))
    }

    pub(super) fn pinned(pin: Fingerprint, provider: Arc<CryptoProvider>) -> Self {
        Self::new(Belief::Pinned(pin), provider)
    }

    pub(super) fn anyone(provider: Arc<CryptoProvider>) -> Self {
        Self::new(Belief::Anyone, provider)
    }

    fn new(belief: Belief, provider: Arc<CryptoProvider>) -> Self {
        Self { belief, verdict: Verdict::default(), provider }
    }

    pub(super) fn verdict(&self) -> Verdict {
        self.verdict.clone()
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let shown = Fingerprint::of(end_entity);
        let judged = match &self.belief {
            Belief::Roots(roots) => roots
                .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
                .map_err(|error| format!("its certificate {shown} {}", fault(&error, server_name))),
            Belief::Pinned(pin) if !pin.is(&shown) => Err(format!("its certificate is {shown}, and {pin} is pinned")),
            Belief::Pinned(_) | Belief::Anyone => Ok(ServerCertVerified::assertion()),
        };
        judged.map_err(|sentence| {
            *self.verdict.0.lock() = Some(sentence.as_str().into());
            CertificateError::Other(OtherError(Arc::new(Unbelieved(sentence)))).into()
        })
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("QUIC is TLS 1.3 or nothing".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Unbelieved(String);

/// What is wrong with a certificate, as the rest of a sentence about it.
#[expect(clippy::wildcard_enum_match_arm, reason = "the list is another crate's and grows; most people meet these")]
fn fault(error: &rustls::Error, server_name: &ServerName<'_>) -> String {
    let rustls::Error::InvalidCertificate(error) = error else { return format!("cannot be judged: {error}") };
    match error {
        // Another root of the same name is found first by its name and then by its key.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "is not signed by anyone this client trusts".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "has expired".to_owned(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "is not valid yet, by this machine's clock".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("is not for the name {}", server_name.to_str())
        }
        other => format!("is not valid: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_told_as_people_say_them() {
        let name = ServerName::try_from("bus.example.org").expect("a name");
        for (error, wanted) in [
            (CertificateError::UnknownIssuer, "is not signed by anyone this client trusts"),
            (CertificateError::BadSignature, "is not signed by anyone this client trusts"),
            (CertificateError::Expired, "has expired"),
            (CertificateError::NotValidYet, "is not valid yet, by this machine's clock"),
            (CertificateError::NotValidForName, "is not for the name bus.example.org"),
        ] {
            assert_eq!(fault(&error.into(), &name), wanted);
        }
        assert!(fault(&CertificateError::Revoked.into(), &name).starts_with("is not valid: "));
    }

    #[test]
    fn only_a_handshake_that_ended_for_the_certificate_has_a_verdict() {
        let verdict = Verdict(Arc::new(Mutex::new(Some("it has expired".into()))));
        assert!(verdict.of(TransportErrorCode::crypto(46)).is_some());
        assert!(verdict.of(TransportErrorCode::crypto(40)).is_none());
        assert!(verdict.of(TransportErrorCode::PROTOCOL_VIOLATION).is_none());
    }
}
