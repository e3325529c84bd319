//! One seed: its moves, what is checked after each, its healing, and the judgement at the end.

use std::hash::{DefaultHasher, Hasher};
use std::path::Path;
use std::time::Duration;

use bytes::BytesMut;
use callboard::Sabotage;
use callboard::simulation::{Wire, World};
use callboard_protocol::Payload;
use callboard_tests::checker::{Fact, Fault, Log, Rule, Trial, judge};
use callboard_tests::proxy::Dice;

use super::census;
use super::client::{Client, Pace};
use super::temper::{self, Move, Temper};

/// Rounds in which everybody must be served once nothing goes wrong any more.
const HEALING_ROUNDS: usize = 40;

/// After all of it nothing of a channel is remembered: 120 seconds for the ids of publishes, and a sweep of all shards.
const FORGOTTEN: Duration = Duration::from_secs(310);

/// A run under way.
pub(super) struct Run {
    pub(super) seed: u64,
    pub(super) dice: Dice,
    pub(super) temper: Temper,
    pub(super) world: World,
    pub(super) clients: Vec<Client>,
    pub(super) loiterers: Vec<Wire>,
    /// The text of an API key that is good.
    pub(super) key: String,
    pub(super) verbose: bool,
    /// Whether a channel was made to panic.
    panicked: bool,
}

/// What a run came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) steps: u64,
    /// Everything that every client heard, and when.
    pub(super) hash: u64,
    pub(super) heard_bytes: u64,
    pub(super) faults: Vec<Fault>,
    /// What was met: panics, held reads, parts of histories, sessions that were too slow, gaps told.
    pub(super) met: Met,
}

/// What runs met, so that nobody believes in moves that do nothing.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Met {
    pub(super) panics: u64,
    pub(super) held: u64,
    pub(super) replays: u64,
    pub(super) ended: u64,
    pub(super) gaps: u64,
    pub(super) refused: u64,
    pub(super) recovered: u64,
}

impl Run {
    pub(super) fn new(seed: u64, keys: (&Path, &str), sabotage: Option<Sabotage>, verbose: bool) -> Self {
        let (data_dir, key) = keys;
        let mut dice = Dice::new(seed);
        let temper = Temper::draw(&mut dice);
        let mut config = temper::config(&mut dice, temper.generous, data_dir);
        config.sabotage = sabotage;
        if verbose {
            eprintln!("{temper:?}\n{config:?}");
        }
        let clients = (0..temper.clients).map(Client::new).collect();
        let world = World::new(seed, config);
        Self {
            seed,
            dice,
            temper,
            world,
            clients,
            loiterers: Vec::new(),
            key: key.to_owned(),
            verbose,
            panicked: false,
        }
    }

    /// Goes through all of it.
    ///
    /// # Panics
    ///
    /// At the first step after which something is not as it must be.
    pub(super) fn go(mut self) -> Outcome {
        let steps = self.temper.steps;
        let mut met = Met::default();
        for step in 0..steps {
            let what = self.temper.next(&mut self.dice);
            if self.verbose {
                eprintln!("{:>8} ms, step {step}: {what:?}", self.world.now_ms());
            }
            self.note_run(&mut met, what);
            self.make(what);
            let settled = self.let_run();
            self.hear_all();
            self.panicked |= what == Move::Panic;
            self.check_endings();
            census::check(&self.world.census(), self.world.config(), &self.clients, settled);
        }
        let last_fault_ms = self.heal();
        let faults = self.judge(last_fault_ms);
        self.note_run(&mut met, Move::Restart);
        let (hash, heard_bytes) = self.sum();
        for (_, fact) in self.clients.iter().flat_map(|client| client.log.facts()) {
            note(&mut met, fact);
        }
        if faults.is_empty() {
            self.rest();
        }
        Outcome { steps: steps as u64, hash, heard_bytes, faults, met }
    }

    /// Where nothing broke, no session ends as if something had.
    fn check_endings(&self) {
        for client in &self.clients {
            assert!(
                self.panicked || !client.broke,
                "{}: its session ended, and nothing in the broker had broken",
                client.log.name()
            );
        }
    }

    /// Adds up what a run of the broker met, before it is over.
    fn note_run(&self, met: &mut Met, what: Move) {
        if matches!(what, Move::Restart | Move::Drain) {
            let census = self.world.census();
            met.panics += census.panics;
            met.held += census.held;
            met.replays += census.replays;
        }
    }

    /// Lets the broker run: to rest, for a few turns, or not at all. Whether it is at rest.
    fn let_run(&mut self) -> bool {
        for client in &mut self.clients {
            if client.pace != Pace::Fast {
                client.make_room(&mut self.world);
            }
        }
        match self.dice.below(10) {
            0..5 => self.world.settle(),
            5..9 => {
                let turns = 1 + self.dice.below(6);
                self.world.turn(turns);
                return false;
            }
            _ => return false,
        }
        true
    }

    pub(super) fn hear_all(&mut self) {
        for client in &mut self.clients {
            client.hear(&mut self.world);
        }
    }

    /// Nothing goes wrong any more: everybody reads, comes back, and is told everything. When that began.
    fn heal(&mut self) -> u64 {
        for wire in std::mem::take(&mut self.loiterers) {
            self.world.hang_up(wire);
        }
        for client in &mut self.clients {
            client.pace = Pace::Fast;
            client.credential = Some(self.key.clone());
            client.make_room(&mut self.world);
        }
        let healed_ms = self.world.now_ms();
        self.wait_until_calm();
        // What nobody would miss otherwise: the last message of each channel is followed by another one.
        let now_ms = self.world.now_ms();
        for (place, channel) in self.temper.channels.clone().iter().enumerate() {
            let mut bytes = BytesMut::new();
            let client = place % self.clients.len();
            let client = &mut self.clients[client];
            client.publish(channel, Payload::text(format!("the last of {channel}")), now_ms, &mut bytes);
            let wire = client.session.as_ref().expect("everybody is calm").wire;
            self.world.say(wire, bytes.freeze());
        }
        self.wait_until_calm();
        healed_ms
    }

    fn wait_until_calm(&mut self) {
        for _ in 0..HEALING_ROUNDS {
            for client in &mut self.clients {
                client.connect(&mut self.world);
                if let Some(wire) = client.session.as_ref().map(|session| session.wire) {
                    let mut bytes = BytesMut::new();
                    client.leave_again(&mut bytes);
                    self.world.say(wire, bytes.freeze());
                }
            }
            self.world.pass(Duration::from_millis(200));
            self.hear_all();
            if self.clients.iter().all(Client::is_calm) {
                self.world.settle();
                self.hear_all();
                return;
            }
        }
        let restless: Vec<_> = self.clients.iter().filter(|client| !client.is_calm()).collect();
        let states: Vec<_> =
            restless.iter().map(|client| (client.log.name(), &client.session, client.log.facts().last())).collect();
        panic!("seed {}: not everybody came to rest: {states:?}", self.seed);
    }

    fn judge(&self, last_fault_ms: u64) -> Vec<Fault> {
        let logs: Vec<Log> = self.clients.iter().map(|client| client.log.clone()).collect();
        if self.verbose {
            for log in &logs {
                for (at_ms, fact) in log.facts() {
                    eprintln!("{:>8} ms {}: {fact:?}", at_ms, log.name());
                }
            }
        }
        let faults = judge(&Trial::quiet(&logs, Some(last_fault_ms), 10_000));
        // What was refused, or stored in an epoch that a fault ended, and the answer lost on the way, is sent again and
        // may be stored then: behind what came meanwhile.
        let is_excused = self.panicked || !self.temper.generous;
        let excused = |fault: &Fault| fault.rule == Rule::OwnOrder && is_excused;
        faults.all().iter().filter(|fault| !excused(fault)).cloned().collect()
    }

    fn sum(&self) -> (u64, u64) {
        let mut hash = DefaultHasher::new();
        for client in &self.clients {
            hash.write_u64(client.heard.finish());
        }
        (hash.finish(), self.clients.iter().map(|client| client.heard_bytes).sum())
    }

    /// Everybody leaves, and time passes: nothing is left.
    fn rest(&mut self) {
        for client in &mut self.clients {
            if let Some(session) = &client.session {
                self.world.hang_up(session.wire);
            }
        }
        self.world.settle();
        self.hear_all();
        census::check_nobody(&self.world.census());
        if self.seed.is_multiple_of(4) {
            self.world.pass(FORGOTTEN);
            census::check_nothing(&self.world.census());
        }
    }
}

fn note(met: &mut Met, fact: &Fact) {
    match fact {
        Fact::Disconnected { code: Some(_) } => met.ended += 1,
        Fact::Gap { .. } | Fact::Began { recovered: false, .. } => met.gaps += 1,
        Fact::Began { recovered: true, .. } => met.recovered += 1,
        Fact::Refused { .. } | Fact::Denied { .. } => met.refused += 1,
        Fact::Connected
        | Fact::Disconnected { code: None }
        | Fact::Closed
        | Fact::Published { .. }
        | Fact::Resent { .. }
        | Fact::Cast { .. }
        | Fact::Acknowledged { .. }
        | Fact::Subscribing { .. }
        | Fact::Message { .. }
        | Fact::Skipped { .. }
        | Fact::Leaving { .. }
        | Fact::Left { .. } => {}
    }
}
