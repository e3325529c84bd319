//! A UDP proxy between clients and a broker: it loses what it is told to lose and moves to other ports; it never reads.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The largest datagram.
const DATAGRAM_BYTES: usize = 65_535;

/// A proxy that clients take for the broker. Dropping it ends it.
#[derive(Debug)]
pub struct Proxy {
    addr: SocketAddr,
    lost: watch::Sender<Lost>,
    flows: Flows,
    _clients: JoinSet<()>,
}

/// Where a datagram goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From a client to the broker.
    ToBroker,
    /// From the broker to a client.
    ToClient,
}

/// The ways on which everything is lost.
#[derive(Debug, Clone, Copy, Default)]
struct Lost {
    to_broker: bool,
    to_client: bool,
}

/// Each client's way to the broker.
type Flows = Arc<Mutex<HashMap<SocketAddr, Flow>>>;

/// The port that a client has towards the broker, and the task that brings back what comes there.
#[derive(Debug)]
struct Flow {
    socket: Arc<UdpSocket>,
    _back: JoinSet<()>,
}

impl Proxy {
    /// Starts one in front of a broker, on a port of its own.
    pub async fn before(broker: SocketAddr) -> Self {
        let front = Arc::new(socket().await);
        let addr = front.local_addr().expect("a bound socket has an address");
        let (lost, flows) = (watch::Sender::default(), Flows::default());
        let mut clients = JoinSet::new();
        clients.spawn(forward(front, broker, Arc::clone(&flows), lost.subscribe()));
        Self { addr, lost, flows, _clients: clients }
    }

    /// Where clients are to connect.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Loses everything that goes this way, from now on.
    pub fn lose(&self, way: Way) {
        self.lost.send_modify(|lost| match way {
            Way::ToBroker => lost.to_broker = true,
            Way::ToClient => lost.to_client = true,
        });
    }

    /// Loses nothing more.
    pub fn heal(&self) {
        self.lost.send_replace(Lost::default());
    }

    /// Gives every client another port towards the broker, as a NAT does that has forgotten its clients. What comes
    /// to the old ports is lost.
    pub fn rebind(&self) {
        self.flows.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

async fn forward(front: Arc<UdpSocket>, broker: SocketAddr, flows: Flows, lost: watch::Receiver<Lost>) {
    let mut datagram = vec![0; DATAGRAM_BYTES];
    loop {
        // The system tells here that an earlier datagram found nobody, which is as good as lost.
        let Ok((length, client)) = front.recv_from(&mut datagram).await else { continue };
        if lost.borrow().to_broker {
            continue;
        }
        let known =
            flows.lock().unwrap_or_else(PoisonError::into_inner).get(&client).map(|flow| Arc::clone(&flow.socket));
        let upstream = match known {
            Some(upstream) => upstream,
            None => open(&front, client, &flows, lost.clone()).await,
        };
        drop(upstream.send_to(&datagram[..length], broker).await);
    }
}

async fn open(
    front: &Arc<UdpSocket>,
    client: SocketAddr,
    flows: &Flows,
    lost: watch::Receiver<Lost>,
) -> Arc<UdpSocket> {
    let upstream = Arc::new(socket().await);
    let mut back = JoinSet::new();
    back.spawn(bring_back(Arc::clone(&upstream), Arc::clone(front), client, lost));
    let flow = Flow { socket: Arc::clone(&upstream), _back: back };
    flows.lock().unwrap_or_else(PoisonError::into_inner).insert(client, flow);
    upstream
}

async fn bring_back(upstream: Arc<UdpSocket>, front: Arc<UdpSocket>, client: SocketAddr, lost: watch::Receiver<Lost>) {
    let mut datagram = vec![0; DATAGRAM_BYTES];
    loop {
        let Ok((length, _)) = upstream.recv_from(&mut datagram).await else { continue };
        if !lost.borrow().to_client {
            drop(front.send_to(&datagram[..length], client).await);
        }
    }
}

async fn socket() -> UdpSocket {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a UDP socket can be bound on loopback")
}
