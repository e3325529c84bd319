//! A UDP proxy between clients and a broker: datagrams pass it as its faults allow, and it moves to other ports; it never reads them.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::late::Late;
use super::{Counts, Dice, Faults, Way};

/// The largest datagram.
const DATAGRAM_BYTES: usize = 65_535;

/// Clients that a proxy tells apart; one more, and it forgets the one that was silent longest, as a NAT does.
const FLOWS_MAX: usize = 256;

/// A proxy that clients take for the broker. Dropping it ends it.
#[derive(Debug)]
pub struct Proxy {
    addr: SocketAddr,
    shared: Arc<Shared>,
    _clients: JoinSet<()>,
}

/// What all ways through a proxy share.
#[derive(Debug)]
struct Shared {
    broker: SocketAddr,
    seed: u64,
    faults: watch::Sender<[Faults; 2]>,
    counts: Counts,
    flows: Mutex<Flows>,
}

/// Each client's way to the broker.
#[derive(Debug, Default)]
struct Flows {
    of: HashMap<SocketAddr, Flow>,
    opened: u64,
}

/// The port that a client has towards the broker, and the task that brings back what comes there.
#[derive(Debug)]
struct Flow {
    socket: Arc<UdpSocket>,
    dice: Dice,
    used: Instant,
    _back: JoinSet<()>,
}

impl Proxy {
    /// Starts one in front of a broker, on a port of its own.
    pub async fn before(broker: SocketAddr) -> Self {
        Self::seeded(broker, 0).await
    }

    /// The same, with the seed that decides about every datagram: those of a client on one way have the same fate in the
    /// same order each time.
    pub async fn seeded(broker: SocketAddr, seed: u64) -> Self {
        let front = Arc::new(socket().await);
        let addr = front.local_addr().expect("a bound socket has an address");
        let (faults, flows) = (watch::Sender::default(), Mutex::default());
        let shared = Arc::new(Shared { broker, seed, faults, counts: Counts::default(), flows });
        let mut clients = JoinSet::new();
        clients.spawn(forward(front, Arc::clone(&shared)));
        Self { addr, shared, _clients: clients }
    }

    /// Where clients are to connect.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Does this to everything that goes this way, from now on.
    pub fn set(&self, way: Way, faults: Faults) {
        self.shared.faults.send_modify(|now| now[way as usize] = faults);
    }

    /// Loses everything that goes this way, from now on.
    pub fn lose(&self, way: Way) {
        self.set(way, Faults::DEAD);
    }

    /// Loses everything, from now on.
    pub fn cut(&self) {
        Way::BOTH.into_iter().for_each(|way| self.lose(way));
    }

    /// Does no more harm. What is late comes yet.
    pub fn heal(&self) {
        self.shared.faults.send_replace([Faults::default(); 2]);
    }

    /// Gives every client another port towards the broker, as a NAT does that has forgotten its clients. What comes
    /// to the old ports is lost.
    pub fn rebind(&self) {
        self.shared.flows().of.clear();
    }

    /// What happened so far.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.shared.counts
    }
}

impl Shared {
    fn flows(&self) -> std::sync::MutexGuard<'_, Flows> {
        self.flows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn faults(&self, way: Way) -> Faults {
        self.faults.borrow()[way as usize]
    }

    /// Decides about a datagram: what is to go now is given back, what is late is kept.
    fn take<T: Clone>(&self, way: Way, datagram: &[u8], dice: &mut Dice, to: &T, late: &mut Late<Sent<T>>) {
        let fate = self.faults(way).decide(datagram.len(), dice, &self.counts);
        let now = Instant::now();
        for copy in fate.copies.into_iter().flatten() {
            let mut bytes = datagram.to_vec();
            if let Some(bit) = copy.flipped {
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
            let kept = late.push(now + copy.after, Sent { bytes, to: to.clone() });
            self.counts.overflowed.add_if(!kept);
        }
    }

    /// A client's port towards the broker; who comes for the first time gets one. With it the client's dice decide.
    async fn flow(
        self: &Arc<Self>,
        front: &Arc<UdpSocket>,
        client: SocketAddr,
        decide: impl FnOnce(&mut Dice, &Arc<UdpSocket>),
    ) {
        if !self.flows().of.contains_key(&client) {
            self.open(front, client).await;
        }
        // A test may rebind in between; that datagram is lost then.
        if let Some(flow) = self.flows().of.get_mut(&client) {
            flow.used = Instant::now();
            decide(&mut flow.dice, &flow.socket);
        }
    }

    async fn open(self: &Arc<Self>, front: &Arc<UdpSocket>, client: SocketAddr) {
        let upstream = Arc::new(socket().await);
        let mut flows = self.flows();
        let number = flows.opened * 2;
        flows.opened += 1;
        let mut back = JoinSet::new();
        let dice = Dice::of(self.seed, number + 1);
        back.spawn(bring_back(Arc::clone(self), Arc::clone(&upstream), Arc::clone(front), client, dice));
        let dice = Dice::of(self.seed, number);
        let flow = Flow { socket: upstream, dice, used: Instant::now(), _back: back };
        if flows.of.len() >= FLOWS_MAX
            && let Some(silent) = flows.of.iter().min_by_key(|(_, flow)| flow.used).map(|(client, _)| *client)
        {
            flows.of.remove(&silent);
        }
        flows.of.insert(client, flow);
    }
}

/// A datagram on its way.
#[derive(Debug)]
struct Sent<T> {
    bytes: Vec<u8>,
    to: T,
}

async fn forward(front: Arc<UdpSocket>, shared: Arc<Shared>) {
    let mut datagram = vec![0; DATAGRAM_BYTES];
    let mut late: Late<Sent<Arc<UdpSocket>>> = Late::default();
    loop {
        tokio::select! {
            received = front.recv_from(&mut datagram) => {
                // The system tells here that an earlier datagram found nobody, which is as good as lost.
                let Ok((length, client)) = received else { continue };
                let decide = |dice: &mut Dice, upstream: &Arc<UdpSocket>| {
                    shared.take(Way::ToBroker, &datagram[..length], dice, upstream, &mut late);
                };
                shared.flow(&front, client, decide).await;
            }
            () = until(late.due()) => {}
        }
        while let Some(sent) = late.pop(Instant::now()) {
            drop(sent.to.send_to(&sent.bytes, shared.broker).await);
            shared.counts.passed.add();
        }
    }
}

async fn bring_back(
    shared: Arc<Shared>,
    upstream: Arc<UdpSocket>,
    front: Arc<UdpSocket>,
    client: SocketAddr,
    mut dice: Dice,
) {
    let mut datagram = vec![0; DATAGRAM_BYTES];
    let mut late: Late<Sent<()>> = Late::default();
    loop {
        tokio::select! {
            received = upstream.recv_from(&mut datagram) => {
                let Ok((length, _)) = received else { continue };
                shared.take(Way::ToClient, &datagram[..length], &mut dice, &(), &mut late);
            }
            () = until(late.due()) => {}
        }
        while let Some(sent) = late.pop(Instant::now()) {
            drop(front.send_to(&sent.bytes, client).await);
            shared.counts.passed.add();
        }
    }
}

/// Waits until something is due, or for ever.
async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

async fn socket() -> UdpSocket {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a UDP socket can be bound on loopback")
}
