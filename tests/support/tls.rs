//! TLS over TCP as a browser speaks it, with trust in the certificates of one file and in no others.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::soon;

/// Shakes hands with the door at `addr`, which must be `name` by a certificate of the PEM file `trusted`.
///
/// # Errors
///
/// What TLS or the network says.
///
/// # Panics
///
/// If `trusted` has no certificates, or nothing comes in time.
pub async fn connect(addr: SocketAddr, name: &'static str, trusted: &Path) -> io::Result<TlsStream<TcpStream>> {
    over(soon("a TCP connection", TcpStream::connect(addr)).await?, name, trusted).await
}

/// The same over a connection that is open already.
///
/// # Errors
///
/// What TLS or the network says.
///
/// # Panics
///
/// As [`connect`].
pub async fn over(stream: TcpStream, name: &'static str, trusted: &Path) -> io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(trusted).expect("a file that can be read") {
        roots.add(certificate.expect("a certificate")).expect("a certificate that can sign itself");
    }
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    // What a browser offers; the door takes the second.
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let name = name.try_into().expect("a name that a certificate can have");
    soon("a TLS handshake", TlsConnector::from(Arc::new(config)).connect(name, stream)).await
}
