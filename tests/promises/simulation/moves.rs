//! What each move of a simulated run does; whether it was right is judged elsewhere.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use callboard_protocol::Payload;
use callboard_protocol::codec::encode_stream;
use callboard_protocol::frame::{ClientFrame, Goodbye, Start};

use super::client::{Client, Pace};
use super::run::Run;
use super::temper::Move;

/// Publishes that a client leaves unanswered before it waits; PROTOCOL.md allows 128.
const UNANSWERED_MAX: usize = 60;

/// Connections that came and say nothing.
const LOITERERS_MAX: usize = 3;

impl Run {
    pub(super) fn make(&mut self, what: Move) {
        let client = self.dice.below(self.clients.len());
        let channel = self.dice.one_of(&self.temper.channels).clone();
        match what {
            Move::Connect => self.clients[client].connect(&mut self.world),
            Move::HangUp => self.with_wire(client, |run, wire| run.world.hang_up(wire)),
            Move::HalfClose => self.half_close(client),
            Move::Loiter => self.loiter(),
            Move::Subscribe => {
                let (start, exclude_own) = (self.start(), self.dice.happens(0.3));
                self.speak(client, |client, now_ms, bytes| {
                    client.subscribe(&channel, start, exclude_own, now_ms, bytes)
                });
            }
            Move::Unsubscribe => {
                self.speak(client, |client, now_ms, bytes| client.unsubscribe(&channel, now_ms, bytes))
            }
            Move::Resubscribe => {
                let (start, rounds) = (self.start(), 1 + self.dice.below(3));
                self.speak(client, |client, now_ms, bytes| {
                    for _ in 0..rounds {
                        client.unsubscribe(&channel, now_ms, bytes);
                        client.subscribe(&channel, start, false, now_ms, bytes);
                    }
                });
            }
            Move::Publish => self.publish(client, &[channel], 1, false),
            Move::Large => self.publish(client, &[channel], 1, true),
            Move::Burst => {
                let channels: Vec<String> = (0..3).map(|_| self.dice.one_of(&self.temper.channels).clone()).collect();
                let count = 2 + self.dice.below(50);
                self.publish(client, &channels, count, false);
            }
            Move::Cast => {
                let (payload, answered) = (self.payload(false), self.dice.happens(0.5));
                self.speak(client, |client, now_ms, bytes| client.cast(&channel, &payload, answered, now_ms, bytes));
            }
            Move::Churn => self.churn(client, &channel),
            Move::Refused => self.ask_in_vain(client, &channel),
            Move::Identity => self.change_identity(client),
            Move::Pace => self.clients[client].pace = self.pace(),
            Move::Moment => self.world.pass(Duration::from_millis(1 + self.dice.number() % 50)),
            Move::Seconds => self.world.pass(Duration::from_millis(self.dice.number() % 12_000)),
            Move::Minutes => self.world.pass(Duration::from_secs(30 + self.dice.number() % 150)),
            Move::Panic => {
                let channel = "faults/channel/one";
                let payload = Payload::text("panic");
                self.speak(client, |client, now_ms, bytes| client.cast(channel, &payload, false, now_ms, bytes));
            }
            Move::Restart => self.world.restart(),
            Move::Drain => self.world.drain(),
        }
        if what == Move::Pace {
            self.clients[client].make_room(&mut self.world);
        }
    }

    fn with_wire(&mut self, client: usize, act: impl FnOnce(&mut Self, callboard::simulation::Wire)) {
        if let Some(session) = &self.clients[client].session {
            let wire = session.wire;
            act(self, wire);
        }
    }

    /// Has a client that has a session say something, in one piece or cut somewhere.
    fn speak(&mut self, client: usize, write: impl FnOnce(&mut Client, u64, &mut BytesMut)) {
        let now_ms = self.world.now_ms();
        let Some(session) = &self.clients[client].session else { return };
        if session.goodbye.is_some() {
            return;
        }
        let wire = session.wire;
        let mut bytes = BytesMut::new();
        write(&mut self.clients[client], now_ms, &mut bytes);
        let mut bytes = bytes.freeze();
        if self.dice.happens(0.1) && !bytes.is_empty() {
            let cut = self.dice.below(bytes.len());
            self.world.say(wire, bytes.split_to(cut));
            self.world.turn(self.dice.below(3));
        }
        self.world.say(wire, bytes);
    }

    fn publish(&mut self, client: usize, channels: &[String], count: usize, large: bool) {
        let count = count.min(UNANSWERED_MAX.saturating_sub(self.clients[client].unanswered.len()));
        let payloads: Vec<Payload> = (0..count).map(|_| self.payload(large)).collect();
        self.speak(client, |client, now_ms, bytes| {
            for (payload, channel) in payloads.into_iter().zip(channels.iter().cycle()) {
                client.publish(channel, payload, now_ms, bytes);
            }
        });
    }

    /// Much for one channel in one read, in as many batches: more than its mailbox takes.
    fn churn(&mut self, client: usize, channel: &str) {
        let payloads: Vec<Payload> = (0..290).map(|_| self.payload(false)).collect();
        let with_joins = self.dice.happens(0.3);
        self.speak(client, |client, now_ms, bytes| {
            for payload in &payloads {
                client.cast(channel, payload, false, now_ms, bytes);
                if with_joins {
                    client.unsubscribe(channel, now_ms, bytes);
                    client.subscribe(channel, Start::Rewind(2), false, now_ms, bytes);
                } else {
                    // Whoever becomes somebody else begins another batch.
                    client.logout(bytes);
                }
            }
            client.credential = None;
        });
    }

    fn ask_in_vain(&mut self, client: usize, channel: &str) {
        let (too_large, tag) = (Payload::binary(vec![0; 40_001]), self.dice.number());
        self.speak(client, |client, now_ms, bytes| match tag % 4 {
            0 => client.publish("no//name", Payload::text(format!("nameless {tag}")), now_ms, bytes),
            1 => client.subscribe("user/1", Start::Live, false, now_ms, bytes),
            2 => {
                // More new channels than some seeds allow, and each is left again before that is known.
                for place in 0..4 {
                    let channel = format!("passing/{tag}/{place}");
                    client.subscribe(&channel, Start::Live, false, now_ms, bytes);
                    client.unsubscribe(&channel, now_ms, bytes);
                    client.subscribe(&channel, Start::Rewind(1), false, now_ms, bytes);
                    client.unsubscribe(&channel, now_ms, bytes);
                }
            }
            _ => client.cast(channel, &too_large, true, now_ms, bytes),
        });
    }

    fn change_identity(&mut self, client: usize) {
        let (how, key) = (self.dice.below(3), self.key.clone());
        self.speak(client, |client, _, bytes| match how {
            0 => {
                client.credential = Some(key);
                client.authenticate(&client.credential.clone().unwrap_or_default(), bytes);
            }
            1 => client.authenticate("no key", bytes),
            _ => {
                client.credential = None;
                client.logout(bytes);
            }
        });
    }

    fn half_close(&mut self, client: usize) {
        let politely = self.dice.happens(0.5);
        self.with_wire(client, |run, wire| {
            if politely {
                let mut bytes = BytesMut::new();
                let goodbye = Goodbye { code: 4100, sentence: "until later", retry_after: None };
                encode_stream(&ClientFrame::Goodbye(goodbye), &mut bytes).expect("a goodbye fits a body");
                run.world.say(wire, bytes.freeze());
            }
            run.world.end_saying(wire);
        });
    }

    fn loiter(&mut self) {
        self.loiterers.retain(|wire| self.world.over(*wire).is_none());
        if self.loiterers.len() < LOITERERS_MAX
            && let Ok(wire) = self.world.open(1)
        {
            if self.dice.happens(0.3) {
                self.world.say(wire, Bytes::from_static(b"\x05hello"));
            }
            self.loiterers.push(wire);
        }
    }

    fn start(&mut self) -> Start {
        match self.dice.below(3) {
            0 => Start::Live,
            1 => Start::Rewind(1),
            _ => Start::Rewind(u32::try_from(self.dice.below(200)).unwrap_or_default()),
        }
    }

    fn pace(&mut self) -> Pace {
        *self.dice.one_of(&[Pace::Fast, Pace::Fast, Pace::Slow(0), Pace::Slow(20), Pace::Slow(700), Pace::Slow(20_000)])
    }

    /// What nobody else says.
    fn payload(&mut self, large: bool) -> Payload {
        let tag = self.dice.number();
        let bytes = if large { 5_000 + self.dice.below(30_000) } else { self.dice.below(self.temper.payload_bytes) };
        Payload::text(format!("{tag:016x}{}", ".".repeat(bytes)))
    }
}
