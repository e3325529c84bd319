//! A fuzzed peer as a client would see its session: what it asked, what it was told, and whether that may be.

use std::collections::{BTreeMap, HashMap};

use bytes::{Bytes, BytesMut};
use callboard_protocol::codec::{decode_client, decode_server, encode};
use callboard_protocol::deframe::Deframer;
use callboard_protocol::frame::{Answer, ClientFrame, ServerFrame};
use callboard_protocol::limits::{BODY_BYTES_MAX, HELLO_BYTES_MAX};
use callboard_protocol::session::{FromClient, FromServer, request_of};
use callboard_protocol::{ChannelId, Epoch, Offset, Position, RequestId};

use crate::simulation::{Wire, World};

/// One session's peer.
pub(super) struct Peer {
    pub(super) wire: Wire,
    /// Cuts what it says, to know what was asked; `None` once it said what is no frame or may not stand there.
    said: Option<(Deframer, FromClient)>,
    heard: Deframer,
    frame_order: FromServer,
    asked: BTreeMap<RequestId, Asked>,
    channels: HashMap<ChannelId, (String, Position)>,
    epochs: HashMap<String, Epoch>,
    last_request: u64,
}

enum Asked {
    Subscribe(String),
    Unsubscribe(String),
    Other,
}

impl Peer {
    pub(super) fn new(wire: Wire) -> Self {
        Self {
            wire,
            said: Some((Deframer::new(HELLO_BYTES_MAX), FromClient::default())),
            heard: Deframer::new(BODY_BYTES_MAX),
            frame_order: FromServer::default(),
            asked: BTreeMap::new(),
            channels: HashMap::new(),
            epochs: HashMap::new(),
            last_request: 0,
        }
    }

    pub(super) fn next_request(&mut self) -> u64 {
        self.last_request += 1;
        self.last_request
    }

    /// Whether it has said something.
    pub(super) fn has_greeted(&self) -> bool {
        self.said.as_ref().is_none_or(|(_, order)| *order != FromClient::default())
    }

    /// The epoch that a channel was last known to be in.
    pub(super) fn epoch_of(&self, channel: &str) -> Epoch {
        self.epochs.get(channel).copied().unwrap_or_default()
    }

    /// Notes what the peer asks by saying this.
    pub(super) fn note_said(&mut self, bytes: &[u8]) {
        let Some((mut deframer, mut order)) = self.said.take() else { return };
        deframer.handle_bytes(Bytes::copy_from_slice(bytes));
        loop {
            match deframer.poll_body() {
                Ok(Some(body)) => {
                    let Ok(frame) = decode_client(&body) else { return };
                    if order.handle(&frame).is_err() {
                        return;
                    }
                    self.note_asked(&frame);
                    deframer.set_body_bytes_max(BODY_BYTES_MAX);
                }
                Ok(None) => break,
                Err(_) => return,
            }
        }
        self.said = Some((deframer, order));
    }

    fn note_asked(&mut self, frame: &ClientFrame<'_>) {
        let Some(request) = request_of(frame) else { return };
        self.last_request = self.last_request.max(request.value());
        self.frame_order.asked(request);
        let asked = if let ClientFrame::Subscribe(frame) = frame {
            Asked::Subscribe(frame.channel.to_owned())
        } else if let ClientFrame::Unsubscribe(frame) = frame {
            Asked::Unsubscribe(frame.channel.to_owned())
        } else {
            Asked::Other
        };
        self.asked.insert(request, asked);
    }

    /// Takes what came. Whether the session is over.
    pub(super) fn hear(&mut self, world: &mut World) -> bool {
        let bytes = world.hear(self.wire);
        self.heard.handle_bytes(bytes.into());
        while let Some(body) = self.heard.poll_body().expect("a broker's stream is cut into bodies") {
            let frame = decode_server(&body).expect("a broker says frames");
            let mut again = BytesMut::new();
            encode(&frame, &mut again).expect("what was decoded is short enough");
            assert_eq!(again, body, "one frame, one encoding");
            self.frame_order.handle(&frame).unwrap_or_else(|violation| panic!("{frame:?}: {violation}"));
            self.take(&frame);
        }
        world.over(self.wire).is_some()
    }

    fn take(&mut self, frame: &ServerFrame<'_>) {
        match frame {
            ServerFrame::Ok { request, answer } => self.answered(*request, answer),
            ServerFrame::Failed(failed) if failed.request == RequestId::ZERO => {}
            ServerFrame::Failed(failed) => drop(self.asked(failed.request)),
            ServerFrame::Message(message) => {
                let stand = self.standing(message.channel);
                assert_eq!(message.offset, stand.offset.next(), "{message:?}: dense");
                stand.offset = message.offset;
            }
            ServerFrame::Skipped(skipped) => {
                let stand = self.standing(skipped.channel);
                assert!(skipped.through > stand.offset, "{skipped:?} behind {stand:?}");
                stand.offset = skipped.through;
            }
            ServerFrame::Reset(reset) => *self.standing(reset.channel) = reset.position,
            ServerFrame::Welcome(_) | ServerFrame::Goodbye(_) => {}
            ServerFrame::Ping(_)
            | ServerFrame::Named(_)
            | ServerFrame::Membership(_)
            | ServerFrame::Event(_)
            | ServerFrame::Invoke(_)
            | ServerFrame::Suspended(_)
            | ServerFrame::Resumed(_) => panic!("{frame:?} was not to come"),
        }
    }

    fn standing(&mut self, channel: ChannelId) -> &mut Position {
        let known = self.channels.get_mut(&channel);
        &mut known.unwrap_or_else(|| panic!("channel {channel} was not given, or is given up")).1
    }

    fn asked(&mut self, request: RequestId) -> Asked {
        self.asked.remove(&request).unwrap_or_else(|| panic!("request {request} was answered twice"))
    }

    fn answered(&mut self, request: RequestId, answer: &Answer<'_>) {
        match (self.asked(request), answer) {
            (Asked::Subscribe(name), Answer::Subscribed(subscribed)) => {
                let offset = Offset::saturating(subscribed.next.value() - 1);
                assert!(offset <= subscribed.position.offset, "{subscribed:?}");
                self.epochs.insert(name.clone(), subscribed.position.epoch);
                let stand = Position { offset, ..subscribed.position };
                assert!(self.channels.insert(subscribed.channel, (name, stand)).is_none(), "subscribed once");
            }
            (Asked::Unsubscribe(name), Answer::Done) => self.channels.retain(|_, (known, _)| *known != name),
            (Asked::Other, Answer::Published(_) | Answer::Identity(_)) => {}
            _ => panic!("request {request} was answered with {answer:?}"),
        }
    }

    /// At rest, with everything read: a session that is not over owes no answer.
    pub(super) fn check_answered(&self) {
        if self.said.is_some() {
            assert!(self.asked.is_empty(), "{:?} had no answer", self.asked.keys());
        }
    }
}
