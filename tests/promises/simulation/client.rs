//! A client as PROTOCOL.md wants it, over a simulated socket: it keeps a log and comes back; it judges only what comes to it.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hasher};

use bytes::{Bytes, BytesMut};
use callboard::simulation::{Over, Wire, World};
use callboard_protocol::close::Code;
use callboard_protocol::codec::encode_stream;
use callboard_protocol::deframe::Deframer;
use callboard_protocol::frame::{ClientFrame, Start};
use callboard_protocol::limits::BODY_BYTES_MAX;
use callboard_protocol::session::{FromServer, request_of};
use callboard_protocol::{ChannelId, ConnectionId, Payload, Position, RequestId, Sequence};
use callboard_tests::checker::{Fact, Log};

/// How fast a client's socket takes what is sent to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    Fast,
    /// So many bytes a step; none is a reader that stopped.
    Slow(usize),
}

/// A subscription.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) channel: String,
    pub(super) start: Start,
    pub(super) exclude_own: bool,
    /// Where it stands; `None` before it began.
    pub(super) stand: Option<Position>,
    /// Whether this session began it with the next message, and no history before it.
    pub(super) live: bool,
    /// Whether this session has it.
    pub(super) began: bool,
    pub(super) leaving: bool,
}

/// A publish that wants to be stored once and was not answered yet.
#[derive(Debug)]
pub(super) struct Unanswered {
    pub(super) publish: u64,
    pub(super) channel: String,
    pub(super) payload: Payload,
}

/// What a request asked for.
#[derive(Debug)]
pub(super) enum Asked {
    Subscribe(u64),
    Unsubscribe(u64),
    Publish(Sequence),
    /// A publish that is not sent again, or something about the identity: any answer is right.
    Other,
}

/// One session.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) wire: Wire,
    pub(super) open: bool,
    pub(super) deframer: Deframer,
    pub(super) frame_order: FromServer,
    pub(super) last_request: u64,
    pub(super) asked: BTreeMap<RequestId, Asked>,
    /// Which subscription has a channel's number.
    pub(super) channels: HashMap<ChannelId, u64>,
    /// The code in the goodbye, once it came.
    pub(super) goodbye: Option<u16>,
}

/// A client over all its sessions.
pub(super) struct Client {
    pub(super) log: Log,
    pub(super) instance: [u8; 16],
    pub(super) host: u8,
    pub(super) pace: Pace,
    pub(super) session: Option<Session>,
    pub(super) subscriptions: BTreeMap<u64, Subscription>,
    pub(super) unanswered: BTreeMap<Sequence, Unanswered>,
    /// Subscriptions whose end was refused for now: it is asked for again.
    pub(super) to_leave: Vec<u64>,
    /// Whether one of its sessions ended by a fault of the broker.
    pub(super) broke: bool,
    /// The connection's number at the broker.
    pub(super) connection: Option<ConnectionId>,
    /// The API key that it shows.
    pub(super) credential: Option<String>,
    pub(super) last_number: u64,
    /// Everything that was heard.
    pub(super) heard: DefaultHasher,
    pub(super) heard_bytes: u64,
}

impl Client {
    pub(super) fn new(place: u8) -> Self {
        Self {
            log: Log::new(format!("client {place}")),
            instance: [place + 1; 16],
            host: 1 + place % 3,
            pace: Pace::Fast,
            session: None,
            subscriptions: BTreeMap::new(),
            unanswered: BTreeMap::new(),
            to_leave: Vec::new(),
            broke: false,
            connection: None,
            credential: None,
            last_number: 0,
            heard: DefaultHasher::new(),
            heard_bytes: 0,
        }
    }

    pub(super) fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// Whether nothing is on its way that would change what it holds.
    pub(super) fn is_calm(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.open && session.asked.is_empty())
            && self.to_leave.is_empty()
    }

    pub(super) fn holds(&self, channel: &str) -> bool {
        self.subscriptions.values().any(|subscription| !subscription.leaving && subscription.channel == channel)
    }

    /// Opens a session unless there is one, or no place for one.
    pub(super) fn connect(&mut self, world: &mut World) {
        if self.session.is_some() {
            return;
        }
        let Ok(wire) = world.open(self.host) else { return };
        self.connection = Some(world.connection(wire));
        self.session = Some(Session {
            wire,
            open: false,
            deframer: Deframer::new(BODY_BYTES_MAX),
            frame_order: FromServer::default(),
            last_request: 0,
            asked: BTreeMap::new(),
            channels: HashMap::new(),
            goodbye: None,
        });
        self.make_room(world);
        let mut bytes = BytesMut::new();
        self.greet(world.now_ms(), &mut bytes);
        world.say(wire, bytes.freeze());
    }

    /// Lets the socket take what its pace allows.
    pub(super) fn make_room(&mut self, world: &mut World) {
        let Some(session) = &self.session else { return };
        world.stall(session.wire);
        world.make_room(
            session.wire,
            match self.pace {
                Pace::Fast => usize::MAX,
                Pace::Slow(bytes) => bytes,
            },
        );
    }

    /// Appends a frame to `bytes` and remembers what it asks.
    pub(super) fn write(&mut self, frame: &ClientFrame<'_>, asked: Option<Asked>, bytes: &mut BytesMut) {
        encode_stream(frame, bytes).expect("a client's frame fits a body");
        let session = self.session.as_mut().expect("only who has a session says something");
        if let Some(request) = request_of(frame) {
            session.frame_order.asked(request);
            session.asked.insert(request, asked.expect("what asks is remembered"));
        }
    }

    pub(super) fn next_request(&mut self) -> RequestId {
        let session = self.session.as_mut().expect("only who has a session asks");
        session.last_request += 1;
        RequestId::saturating(session.last_request)
    }

    /// Takes what came, and notes whether the session is over.
    pub(super) fn hear(&mut self, world: &mut World) {
        let Some(session) = &mut self.session else { return };
        let wire = session.wire;
        let (bytes, over, now_ms) = (world.hear(wire), world.over(wire), world.now_ms());
        if !bytes.is_empty() {
            self.heard.write_u64(now_ms);
            self.heard.write(&bytes);
            self.heard_bytes += bytes.len() as u64;
            session.deframer.handle_bytes(Bytes::from(bytes));
            self.take_frames(now_ms);
        }
        if let Some(over) = over {
            self.end(over, now_ms);
        }
    }

    fn end(&mut self, over: Over, now_ms: u64) {
        let session = self.session.take().expect("a session is over once");
        self.connection = None;
        self.to_leave.clear();
        let code = match over {
            Over::Closed(code) => Some(code),
            Over::Dropped | Over::HungUp => None,
        };
        if let (Some(said), Some(code)) = (session.goodbye, code) {
            assert_eq!(said, code, "the goodbye and the close say the same");
        }
        assert!(session.goodbye.is_none() || !session.deframer.is_mid_frame(), "nothing follows a goodbye");
        self.heard.write_u16(code.unwrap_or_default());
        self.broke |= code == Some(Code::Internal.number());
        self.log.note(now_ms, Fact::Disconnected { code });
        let gone: Vec<u64> =
            self.subscriptions.iter().filter(|(_, known)| known.leaving).map(|(number, _)| *number).collect();
        for number in gone {
            self.subscriptions.remove(&number);
            self.log.note(now_ms, Fact::Left { subscription: number });
        }
        for subscription in self.subscriptions.values_mut() {
            subscription.began = false;
        }
    }
}
