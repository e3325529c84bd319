//! A broker and its peers' sockets in one thread, moved step by step: the same moves under the same seed do the same.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use bytes::Bytes;
use callboard_protocol::ConnectionId;
use callboard_protocol::deframe::Deframer;
use callboard_protocol::limits::HELLO_BYTES_MAX;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

use super::census::Census;
use super::pipe::Pipe;
use crate::chance::Chance;
use crate::clock::Clock;
use crate::config::Config;
use crate::connection::{Actor, Arrival, Opening, Patience, Socket};
use crate::door;
use crate::format::Format;
use crate::hooks::Hooks;
use crate::identity::KeyStore;
use crate::interior::Interior;
use crate::limit::Refused;

/// The wall clock's first reading: any, as long as it is always the same.
const DAWN_MS: u64 = 1_750_000_000_000;

/// Long enough for a paused clock to see that everybody waits, too short to matter to anybody.
const A_MOMENT: Duration = Duration::from_millis(1);

/// A connection's number among all of a world's life, over restarts of its broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wire(usize);

/// How a connection is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// The broker closed it with this number of the close registry.
    Closed(u16),
    /// The broker went away without a word.
    Dropped,
    /// The client hung up.
    HungUp,
}

/// A broker, its peers' sockets, and time.
#[derive(Debug)]
pub struct World {
    seed: u64,
    config: Config,
    /// Runs of the broker so far.
    runs: u64,
    broker: Option<Broker>,
    wires: Vec<(ConnectionId, Pipe)>,
    born: Instant,
    runtime: Runtime,
}

#[derive(Debug)]
struct Broker {
    interior: Interior,
    /// The sweep; ends with the broker.
    _sweep: JoinSet<()>,
}

impl World {
    /// A world with a broker that was just started. Chance comes from `seed`, and time stands still between moves.
    ///
    /// # Panics
    ///
    /// If there is a file of keys in the data directory that cannot be read.
    #[must_use]
    pub fn new(seed: u64, config: Config) -> Self {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime without sockets needs nothing but memory");
        let born = runtime.block_on(async { Instant::now() });
        let mut world = Self { seed, config, runs: 0, broker: None, wires: Vec::new(), born, runtime };
        world.restart();
        world
    }

    /// Ends the broker where it stands and starts another one, which knows nothing.
    pub fn restart(&mut self) {
        let _context = self.runtime.enter();
        self.broker = None;
        self.runs += 1;
        let keys = KeyStore::open(&self.config.data_dir).expect("the keys of a simulation are readable");
        let clock = Clock::simulated(DAWN_MS + self.now_ms());
        let chance = Chance::of_seed(self.seed.wrapping_add(self.runs << 32));
        let interior = Interior::new(self.config.clone(), keys, Hooks::default(), clock, chance);
        let mut sweep = JoinSet::new();
        sweep.spawn(interior.sweep());
        self.broker = Some(Broker { interior, _sweep: sweep });
        self.settle();
    }

    /// Ends the broker well, within its drain deadline, and starts another one.
    pub fn drain(&mut self) {
        let config = self.config.drain;
        let interior = &self.broker().interior;
        self.runtime.block_on(async {
            let deadline = Instant::now() + config.deadline;
            let _ = timeout_at(deadline - config.deadline / 2, interior.settle(std::future::ready(()))).await;
            let _ = timeout_at(deadline, interior.say_goodbye(config.spread)).await;
        });
        self.restart();
    }

    /// Opens a connection from an address with this last part. Its socket takes nothing until [`World::make_room`].
    ///
    /// # Errors
    ///
    /// A sentence, if there is no place for it.
    pub fn open(&mut self, host: u8) -> Result<Wire, String> {
        self.open_for(IpAddr::V4(Ipv4Addr::new(127, 0, 0, host)), Arrival::default())
    }

    /// Opens a session for a visitor whom a bridge introduces with this body.
    ///
    /// # Errors
    ///
    /// A sentence, if that is no introduction or there is no place for it.
    pub fn visit(&mut self, introduction: &Bytes) -> Result<Wire, String> {
        let introduced = door::introduced(introduction).map_err(|ending| ending.sentence.into_owned())?;
        self.open_for(introduced.address, introduced.arrival)
    }

    fn open_for(&mut self, address: IpAddr, arrival: Arrival) -> Result<Wire, String> {
        let _context = self.runtime.enter();
        let local = self.broker().interior.local();
        let ticket = local.admit(address).map_err(|refused: Refused| refused.to_string())?;
        let patience =
            Patience { hello: Instant::now() + self.config.hello_timeout, drain: self.config.drain.deadline };
        let pipe = Pipe::default();
        let (id, session) = local.open(ticket, Format::Stream, arrival);
        Actor::start(Opening {
            id,
            session,
            socket: Socket::pipe(&pipe),
            deframer: Deframer::new(HELLO_BYTES_MAX),
            registry: std::sync::Arc::clone(&local.registry),
            patience,
            upgrade: None,
        });
        self.wires.push((id, pipe));
        Ok(Wire(self.wires.len() - 1))
    }

    /// The connection's number at the broker that it is to.
    #[must_use]
    pub fn connection(&self, wire: Wire) -> ConnectionId {
        self.wires[wire.0].0
    }

    /// Says `bytes` to the broker.
    pub fn say(&mut self, wire: Wire, bytes: impl Into<Bytes>) {
        self.pipe(wire).say(bytes.into());
    }

    /// Ends the client's half of the stream.
    pub fn end_saying(&mut self, wire: Wire) {
        self.pipe(wire).end_saying();
    }

    /// Breaks the connection.
    pub fn hang_up(&mut self, wire: Wire) {
        self.pipe(wire).hang_up();
    }

    /// Lets the socket take `bytes` more.
    pub fn make_room(&mut self, wire: Wire, bytes: usize) {
        self.pipe(wire).make_room(bytes);
    }

    /// Lets the socket take nothing more until there is room again.
    pub fn stall(&mut self, wire: Wire) {
        self.pipe(wire).stall();
    }

    /// What the socket took since the last time.
    #[must_use]
    pub fn hear(&mut self, wire: Wire) -> Vec<u8> {
        self.pipe(wire).hear()
    }

    /// How the connection is over, if it is.
    #[must_use]
    pub fn over(&self, wire: Wire) -> Option<Over> {
        self.pipe(wire).over()
    }

    /// Lets everybody do what there is to do, until all wait. A moment passes.
    pub fn settle(&mut self) {
        self.pass(A_MOMENT);
    }

    /// Lets time pass, and everybody do what there is to do meanwhile.
    pub fn pass(&mut self, time: Duration) {
        // A paused clock jumps to the next timer only when every task waits.
        self.runtime.block_on(async { sleep(time).await });
    }

    /// Lets everybody have some turns without waiting until all is done: what comes next, comes in the midst of it.
    pub fn turn(&mut self, turns: usize) {
        self.runtime.block_on(async {
            for _ in 0..turns {
                tokio::task::yield_now().await;
            }
        });
    }

    /// Milliseconds since the world began.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        let now = self.runtime.block_on(async { Instant::now() });
        u64::try_from(now.duration_since(self.born).as_millis()).unwrap_or(u64::MAX)
    }

    /// What the broker holds.
    #[must_use]
    pub fn census(&self) -> Census {
        Census::of(&self.broker().interior)
    }

    /// What the broker was told.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    fn pipe(&self, wire: Wire) -> &Pipe {
        &self.wires[wire.0].1
    }

    fn broker(&self) -> &Broker {
        self.broker.as_ref().expect("a world has a broker, except while that is started again")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _context = self.runtime.enter();
        // Its actors are told to end while there is still a runtime that they can end in.
        self.broker = None;
    }
}
