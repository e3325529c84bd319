//! A door and the small bus behind it; closed when it is dropped.

use std::sync::Arc;
use std::time::Duration;

use callboard_bridge_ws::{Config, Dialect, Door};
use callboard_protocol::PayloadRef;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::fake::{Fake, Outlet};
use crate::peer::Peer;

/// An open door on loopback.
pub(crate) struct House {
    pub(crate) door: Door<Fake>,
    pub(crate) bus: Arc<Fake>,
}

impl House {
    /// A door as it is configured by default.
    pub(crate) async fn open() -> Self {
        Self::with(|_| {}).await
    }

    /// A door that is configured otherwise.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::new("127.0.0.1:0".parse().unwrap());
        change(&mut config);
        let bus = Arc::new(Fake::default());
        Self { door: Door::open(config, Arc::clone(&bus)).await.unwrap(), bus }
    }

    /// A door inside TLS, and what a client needs to trust it.
    pub(crate) async fn inside_tls() -> (Self, Arc<rustls::ClientConfig>) {
        let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der()));
        let server = rustls::ServerConfig::builder().with_no_client_auth();
        let tls = server.with_single_cert(vec![certified.cert.der().clone()], key).unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(certified.cert.der().clone()).unwrap();
        let mut client = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        client.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let house = Self::with(|config| {
            config.tls = Some(Arc::new(tls));
            // No ping comes to the help of what waits.
            config.heartbeat.interval = Duration::from_secs(3600);
        });
        (house.await, Arc::new(client))
    }

    /// Lets the door do all that it can do now: a neighbour, on the same thread, talks with it for a while.
    pub(crate) async fn settle(&self) {
        *self.bus.holds.lock().unwrap() = false;
        let mut neighbour = Peer::open(self.door.address(), Dialect::Binary).await;
        for request in 1..=5 {
            neighbour.say(neighbour.publish(request, PayloadRef::text("settle"))).await;
            neighbour.expect_echo(PayloadRef::text("settle")).await;
        }
    }

    /// The session that was opened last.
    pub(crate) fn session(&self) -> Arc<Outlet> {
        Arc::clone(self.bus.sessions.lock().unwrap().last().expect("a session was opened"))
    }
}
