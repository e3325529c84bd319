//! A TCP proxy between clients and a broker: it delays, throttles, stalls, closes half and resets connections; it never reads.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::pipe::{Flow, Orders, Pipe, Reset};
use super::{Dice, Way};

/// Connections at once; who comes beyond waits until another is over.
const CONNECTIONS_MAX: usize = 256;

/// A proxy that clients take for the broker. Dropping it ends it.
#[derive(Debug)]
pub struct TcpProxy {
    addr: SocketAddr,
    orders: watch::Sender<Orders>,
    _accepting: JoinSet<()>,
}

impl TcpProxy {
    /// Starts one in front of a broker, on a port of its own. What is left to chance is decided by the seed.
    pub async fn before(broker: SocketAddr, seed: u64) -> Self {
        let front = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a TCP socket can be bound on loopback");
        let addr = front.local_addr().expect("a bound socket has an address");
        let orders = watch::Sender::default();
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(front, broker, seed, orders.subscribe()));
        Self { addr, orders, _accepting: accepting }
    }

    /// Where clients are to connect.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Does this to what goes this way on every connection, from now on.
    pub fn set(&self, way: Way, pipe: Pipe) {
        self.orders.send_modify(|orders| orders.ways[way as usize] = pipe);
    }

    /// Stops both ways of every connection and closes nothing, from now on.
    pub fn stall(&self) {
        Way::BOTH.into_iter().for_each(|way| self.set(way, Pipe { stalled: true, ..Pipe::default() }));
    }

    /// Lets those in who come from now on, and leads them nowhere: half-open.
    pub fn go_deaf(&self) {
        self.orders.send_modify(|orders| orders.deaf = true);
    }

    /// Resets every connection, as a host does that has forgotten them.
    pub fn cut(&self) {
        self.orders.send_modify(|orders| orders.cuts += 1);
    }

    /// Tells the receiving ends of this way that nothing more comes; what is sent yet is lost. The other way goes on.
    pub fn half_close(&self, way: Way) {
        self.orders.send_modify(|orders| orders.half_closed[way as usize] += 1);
    }

    /// Does no more harm. What was closed stays so, and who was led nowhere is reset.
    pub fn heal(&self) {
        self.orders.send_modify(|orders| {
            orders.ways = [Pipe::default(); 2];
            orders.deaf = false;
        });
    }
}

async fn accept(front: TcpListener, broker: SocketAddr, seed: u64, orders: watch::Receiver<Orders>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let (mut connections, mut number) = (JoinSet::new(), 0);
    loop {
        let place = Arc::clone(&places).acquire_owned().await.expect("nobody closes the places");
        // What the system could not accept has reset itself.
        let Ok((client, _)) = front.accept().await else { continue };
        let dice = [number, number + 1].map(|number| Dice::of(seed, number));
        number += 2;
        let orders = orders.clone();
        connections.spawn(async move {
            connect(client, broker, dice, orders).await;
            drop(place);
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn connect(client: TcpStream, broker: SocketAddr, dice: [Dice; 2], mut orders: watch::Receiver<Orders>) {
    let cuts = orders.borrow().cuts;
    if orders.borrow().deaf {
        // It goes nowhere for as long as the proxy is deaf, and nobody tells the client.
        let _ = orders.wait_for(|orders| !orders.deaf || orders.cuts > cuts).await;
        return reset(client);
    }
    let Ok(upstream) = TcpStream::connect(broker).await else { return reset(client) };
    // A segment a write: what is to come in small pieces does.
    let _ = (client.set_nodelay(true), upstream.set_nodelay(true));
    let (mut client, mut upstream) = (client, upstream);
    let ended = {
        let ((from_client, to_client), (from_broker, to_broker)) = (client.split(), upstream.split());
        let [one, other] = dice;
        let (there, back) = (orders.clone(), orders.clone());
        let there = Flow { way: Way::ToBroker, from: from_client, to: to_broker, orders: there, dice: one };
        let back = Flow { way: Way::ToClient, from: from_broker, to: to_client, orders: back, dice: other };
        tokio::select! {
            ended = async { tokio::try_join!(there.run(), back.run()) } => ended.map(drop),
            _ = orders.wait_for(|orders| orders.cuts > cuts) => Err(Reset),
        }
    };
    if ended.is_err() {
        reset(client);
        reset(upstream);
    }
}

/// Ends a connection by RST: what is not yet read at either end is gone.
fn reset(stream: TcpStream) {
    // Where the system does not take the option the connection ends in order, which a test then sees.
    let _ = stream.set_zero_linger();
}
