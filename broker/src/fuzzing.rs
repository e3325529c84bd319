//! The body of the broker's fuzz target: any order of anything from several peers, over a simulated broker; never a harness.
//!
//! The laws: nothing panics, each request is answered once or its session ends, what the broker says is frames in their
//! one encoding that a client takes, bounds are kept, and nothing is left behind.

use std::time::Duration;

use callboard_protocol::codec::{encode, encode_stream};
use callboard_protocol::frame::{
    Authenticate, Call, ClientFrame, Credential, Goodbye, Hello, Introduce, Logout, Publish, Start, Subscribe,
    SubscribeOptions, Unsubscribe,
};
use callboard_protocol::{Epoch, Millis, Offset, PayloadRef, Position, RequestId, Sequence};

use crate::config::{Config, Drain, History, Limits, OUTBOX_BYTES_FREE, Outbox, Pattern, Rate};
use crate::simulation::{Census, World};

mod peer;

use peer::Peer;

/// Peers at once.
const PEERS: usize = 4;

/// Names that peers share, one that no peer may have, and one that is none. Most meet on the first.
const CHANNELS: [&str; 8] = ["a", "a", "a", "a", "b/c", "b/c", "user/1", "no//name"];

/// What ends much is chosen by one byte in eight of those that choose it, or an input comes to nothing.
const RARELY: u8 = 0xe0;

/// From which byte on a session is opened by a bridge, and from which on with any bytes in place of its introduction.
const VISITORS_FROM: u8 = 0x80;
const STRANGERS_FROM: u8 = 0xe0;

/// Moves of one input, so that each stays cheap.
const MOVES_MAX: usize = 300;

/// Any bytes as moves of several peers, of their sockets and of time.
///
/// # Panics
///
/// If a law is broken.
pub fn broker(input: &[u8]) {
    let mut bytes = Bytes(input);
    let temper = bytes.next();
    let mut stage = Stage { world: World::new(1, config(temper)), peers: Default::default() };
    for _ in 0..MOVES_MAX {
        let Some(choice) = bytes.next_if_any() else { break };
        stage.make(choice, &mut bytes);
        stage.hear();
    }
    stage.come_to_rest(temper >= 0xf0);
}

/// Narrow bounds of one kind or another.
fn config(temper: u8) -> Config {
    let narrow = |bit: u8, narrow: usize, wide: usize| if temper >> bit & 1 == 1 { narrow } else { wide };
    let rate = |burst: usize| Rate { per_second: 5, burst: burst as u64 };
    let mut config = Config::new("/nowhere");
    let history =
        History { messages: narrow(0, 3, 1024), bytes: narrow(0, 400, 1 << 20), age: Duration::from_secs(20) };
    config.history = vec![(Pattern::parse("**").expect("a pattern"), history)];
    config.outbox = Outbox { messages: narrow(1, 20, 16 << 10), bytes: narrow(1, 3_000, 1 << 20) };
    config.payload_bytes_max = 20_000;
    config.subscriptions_max = narrow(2, 1, 100);
    config.drain = Drain { deadline: Duration::from_secs(2), spread: Duration::from_secs(1) };
    config.limits = Limits {
        connections: narrow(2, 2, 100),
        channels: narrow(3, 1, 100),
        births: rate(narrow(3, 1, 100)),
        publishes: rate(narrow(3, 10, 10_000)),
        frames: rate(narrow(3, 40, 10_000)),
        history_bytes: narrow(0, 300, 1 << 20),
        outbox_bytes: narrow(1, OUTBOX_BYTES_FREE, 1 << 20),
        ..Limits::default()
    };
    config
}

/// The rest of the input; where it ends it goes on with zeros.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn next_if_any(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn next(&mut self) -> u8 {
        self.next_if_any().unwrap_or(0)
    }

    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

struct Stage {
    world: World,
    peers: [Option<Peer>; PEERS],
}

impl Stage {
    fn make(&mut self, choice: u8, bytes: &mut Bytes<'_>) {
        let place = usize::from(choice >> 4) % PEERS;
        let Self { world, peers } = self;
        match choice & 0xf {
            0 => match bytes.next() {
                how @ ..VISITORS_FROM => open(world, &mut peers[place], how),
                how @ VISITORS_FROM..STRANGERS_FROM => visit(world, &mut peers[place], &introduction(how)),
                how @ STRANGERS_FROM.. => visit(world, &mut peers[place], bytes.take(usize::from(how & 0x1f))),
            },
            1 if bytes.next() >= RARELY => with(&peers[place], |peer| world.hang_up(peer.wire)),
            2 if bytes.next() >= RARELY => with(&peers[place], |peer| world.end_saying(peer.wire)),
            3 => {
                let raw = bytes.take(usize::from(choice >> 6) * 20 + 1);
                say(world, &mut peers[place], |_, out| out.extend_from_slice(raw));
            }
            4 => {
                let count = usize::from(bytes.next() & 0x7f);
                let body = bytes.take(count);
                say(world, &mut peers[place], |_, out| {
                    out.push(u8::try_from(body.len()).unwrap_or_default());
                    out.extend_from_slice(body);
                });
            }
            5 => {
                let room = usize::from(bytes.next());
                let room = if room > 200 { usize::MAX } else { room * 16 };
                with(&peers[place], |peer| world.make_room(peer.wire, room));
            }
            6 => with(&peers[place], |peer| world.stall(peer.wire)),
            1 | 2 | 7 => {
                world.settle();
                check(&world.census(), world.config());
            }
            8 => world.turn(usize::from(bytes.next() % 8)),
            9 => world.pass(Duration::from_millis(u64::from(bytes.next()) * 50)),
            10 => match bytes.next() {
                0xff => world.restart(),
                0xfe => world.drain(),
                turns => world.turn(usize::from(turns)),
            },
            frame => {
                let (what, more) = (bytes.next(), bytes.next());
                open(world, &mut peers[place], 0xf);
                // Much at once fills mailboxes and outboxes; less is usual, or nothing else would happen.
                let rounds = match frame {
                    15 if more >= RARELY => 512,
                    15 => 1 + usize::from(more >> 3),
                    _ => 1,
                };
                say(world, &mut peers[place], |peer, out| {
                    for round in 0..rounds {
                        speak(peer, frame, what, more, round, out);
                    }
                });
            }
        }
    }

    fn hear(&mut self) {
        for place in &mut self.peers {
            if let Some(peer) = place
                && peer.hear(&mut self.world)
            {
                *place = None;
            }
        }
    }

    /// Everybody reads, and then leaves.
    fn come_to_rest(&mut self, with_patience: bool) {
        for peer in self.peers.iter().flatten() {
            self.world.make_room(peer.wire, usize::MAX);
        }
        // Past the deadlines of a Hello that never came and of a session that ends.
        self.world.pass(Duration::from_secs(15));
        self.hear();
        for peer in self.peers.iter().flatten() {
            peer.check_answered();
            self.world.hang_up(peer.wire);
        }
        self.world.settle();
        self.hear();
        let census = self.world.census();
        assert_eq!(census.panics, 0, "nothing panics");
        assert!(census.queues.is_empty(), "{census:?}");
        assert_eq!((census.places, census.outbox_bytes_held), (0, 0), "nobody holds anything");
        if with_patience {
            self.world.pass(Duration::from_secs(150));
            let census = self.world.census();
            assert!(census.channels.is_empty() && census.history_bytes_held == 0, "{census:?}");
        }
    }
}

fn check(census: &Census, config: &Config) {
    for queue in &census.queues {
        assert!(queue.messages <= config.outbox.messages && queue.bytes <= config.outbox.bytes, "{queue:?}");
    }
    let shares: usize = census.queues.iter().map(|queue| queue.share_bytes).sum();
    // Lists of replays are held as well.
    assert!(shares <= census.outbox_bytes_held);
    assert!(census.outbox_bytes_held <= config.limits.outbox_bytes);
    assert!(census.history_bytes_held <= config.limits.history_bytes);
    assert_eq!(census.channels_counted, census.channels.len());
}

/// Opens a session, greeting and reading as most do or not.
fn open(world: &mut World, peer: &mut Option<Peer>, how: u8) {
    if peer.is_some() {
        return;
    }
    *peer = world.open(1).ok().map(Peer::new);
    if how & 3 != 0 {
        say(world, peer, |peer, out| speak(peer, 13, 0, how, 0, out));
    }
    if how & 12 != 0 {
        with(peer, |peer| world.make_room(peer.wire, usize::MAX));
    }
}

/// Opens a session for a visitor, if this is an introduction. The visitor greets and reads.
fn visit(world: &mut World, peer: &mut Option<Peer>, introduction: &[u8]) {
    if peer.is_none() {
        *peer = world.visit(&bytes::Bytes::copy_from_slice(introduction)).ok().map(Peer::new);
        say(world, peer, |peer, out| speak(peer, 13, 0, 0, 0, out));
        with(peer, |peer| world.make_room(peer.wire, usize::MAX));
    }
}

/// What a bridge may say of a visitor; right or wrong.
fn introduction(how: u8) -> bytes::BytesMut {
    let mut body = bytes::BytesMut::new();
    let frame = ClientFrame::Introduce(Introduce {
        address: [how & 3; 16],
        origin: (how & 4 != 0).then_some("https://app.example.org"),
        credential: (how & 0x18 == 0x18).then_some(Credential { strategy: "apikey", secret: "cb_0_0" }),
        private: how & 0x20 != 0,
        ping_interval: Millis::saturating(u64::from(how)),
        publishes: u32::from(how >= 0xc0),
    });
    encode(&frame, &mut body).expect("an introduction is short");
    body
}

fn with(peer: &Option<Peer>, act: impl FnOnce(&Peer)) {
    if let Some(peer) = peer {
        act(peer);
    }
}

fn say(world: &mut World, peer: &mut Option<Peer>, write: impl FnOnce(&mut Peer, &mut Vec<u8>)) {
    let Some(peer) = peer else { return };
    let mut out = Vec::new();
    write(peer, &mut out);
    peer.note_said(&out);
    world.say(peer.wire, out);
}

/// Writes one well-formed frame, right or wrong in this place.
fn speak(peer: &mut Peer, frame: u8, what: u8, more: u8, round: usize, out: &mut Vec<u8>) {
    let is_absurd = what == 0xff && more >= RARELY;
    let request = RequestId::saturating(if is_absurd { u64::from(more) } else { peer.next_request() });
    let channel = CHANNELS[usize::from(what >> 5) % CHANNELS.len()];
    let payload = vec![b'.'; usize::from(more) * 90];
    let publish = |request, sequence: u64, length: usize| {
        let payload = PayloadRef::binary(&payload[..length.min(payload.len())]);
        ClientFrame::Publish(Publish { request, sequence: Sequence::saturating(sequence), channel, key: None, payload })
    };
    let frame = match (frame, what & 7) {
        (11, 0..=5) => {
            let position =
                Position { epoch: peer.epoch_of(channel), offset: Offset::saturating(u64::from(more & 0x1f)) };
            let start = match what & 3 {
                0 => Start::Live,
                1 => Start::Rewind(u32::from(more)),
                _ => Start::Recover(position),
            };
            let options = SubscribeOptions(u32::from(more >> 5 & 1) | u32::from(more == 0xff) << 7);
            ClientFrame::Subscribe(Subscribe { request, channel, start, options })
        }
        (11, 6) => {
            let position = Position { epoch: Epoch::saturating(u64::MAX), offset: Offset::saturating(u64::MAX) };
            let (start, options) = (Start::Recover(position), SubscribeOptions::NONE);
            ClientFrame::Subscribe(Subscribe { request, channel, start, options })
        }
        (11 | 12, 7) => ClientFrame::Unsubscribe(Unsubscribe { request, channel }),
        (12, 0..=4) => publish(request, u64::from(more), payload.len()),
        (12, 5) => publish(RequestId::ZERO, 0, payload.len()),
        (12, 6) => publish(request, u64::MAX, 3),
        (13, _) if more >= RARELY || !peer.has_greeted() => {
            let credential = (what & 1 == 1).then_some(Credential { strategy: "apikey", secret: "cb_0_0" });
            ClientFrame::Hello(Hello { agent: "fuzz", instance: [more & 3; 16], capabilities: 0, credential })
        }
        (14, 0) if more >= RARELY => {
            ClientFrame::Goodbye(Goodbye { code: u16::from(more) * 20, sentence: "", retry_after: None })
        }
        (14, 1) => ClientFrame::Authenticate(Authenticate {
            request,
            credential: Credential { strategy: channel, secret: "secret" },
        }),
        (14, 2) => {
            let arguments = PayloadRef::text("");
            ClientFrame::Call(Call { request, service: channel, method: "find", arguments })
        }
        (15, _) if round % 3 == 1 && what & 1 != 0 => ClientFrame::Unsubscribe(Unsubscribe { request, channel }),
        (15, _) if round % 3 == 2 && what & 1 != 0 => {
            let (start, options) = (Start::Rewind(2), SubscribeOptions::NONE);
            ClientFrame::Subscribe(Subscribe { request, channel, start, options })
        }
        (15, _) if round % 2 == 1 && what & 2 != 0 => ClientFrame::Logout(Logout { request }),
        (15, _) => publish(request, 0, 40),
        _ => ClientFrame::Logout(Logout { request }),
    };
    let mut bytes = bytes::BytesMut::new();
    encode_stream(&frame, &mut bytes).expect("these frames are short");
    out.extend_from_slice(&bytes);
}
