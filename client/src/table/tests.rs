//! The table by itself: whatever readers and the broker do, in whatever order, questions and answers stay in step.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::BytesMut;
use callboard_protocol::deframe::Deframer;
use callboard_protocol::frame::{Answer, ClientFrame, Failed, Start, Subscribed};
use callboard_protocol::limits::BODY_BYTES_MAX;
use callboard_protocol::{ChannelId, ChannelName, Epoch, Offset, Position, RequestId, codec};
use parking_lot::Mutex;
use proptest::prelude::*;
use tokio::sync::oneshot;

use super::Table;
use crate::error::{Failure, SubscribeError};
use crate::inbox::Inbox;
use crate::options::{Bounds, Overflow};
use crate::subscription::{Beginning, Reader, Subscribing};

type Answered = oneshot::Receiver<Result<Beginning, SubscribeError>>;

fn name(number: usize) -> ChannelName {
    ChannelName::parse(&format!("channel/{number}")).expect("it is a name")
}

fn subscribe(table: &mut Table, channel: usize) -> (Arc<Reader>, Answered) {
    let bounds = Bounds { messages: 4, bytes: 100 };
    let reader = Arc::new(Reader { inbox: Mutex::new(Inbox::new(bounds)), overflow: Overflow::Gap });
    let (reply, answer) = oneshot::channel();
    table.add_reader(Subscribing {
        channel: name(channel),
        start: Start::Live,
        exclude_own: false,
        reader: Arc::clone(&reader),
        reply,
    });
    (reader, answer)
}

/// A broker that answers in order, and minds that nothing is asked twice.
struct Script {
    last: RequestId,
    /// What it says where it refuses.
    refusal: (u16, &'static str),
    questions: Vec<(RequestId, String, bool)>,
    subscribed: HashSet<String>,
}

impl Default for Script {
    fn default() -> Self {
        Self { last: RequestId::ZERO, refusal: (403, "forbidden"), questions: Vec::new(), subscribed: HashSet::new() }
    }
}

impl Script {
    /// Takes everything that the table asks.
    fn listen(&mut self, table: &mut Table) {
        let mut out = BytesMut::new();
        let last = &mut self.last;
        let mut ask = || {
            *last = last.next();
            *last
        };
        while table.write_next(&mut ask, &mut out) {}
        let mut deframer = Deframer::new(BODY_BYTES_MAX);
        deframer.handle_bytes(out.freeze());
        while let Some(body) = deframer.poll_body().expect("the table frames well") {
            let frame = codec::decode_client(&body).expect("the table encodes well");
            if let ClientFrame::Subscribe(frame) = &frame {
                let own = |(_, channel, _): &(RequestId, String, bool)| channel == frame.channel;
                assert!(!self.subscribed.contains(frame.channel), "{} is subscribed already", frame.channel);
                assert!(!self.questions.iter().any(own), "{} is asked about already", frame.channel);
                self.questions.push((frame.request, frame.channel.to_owned(), true));
            } else if let ClientFrame::Unsubscribe(frame) = &frame {
                assert!(self.subscribed.contains(frame.channel), "{} is not subscribed", frame.channel);
                self.questions.push((frame.request, frame.channel.to_owned(), false));
            } else {
                panic!("a table asks for nothing else");
            }
        }
    }

    /// Answers the oldest question, if there is one.
    fn answer(&mut self, table: &mut Table, goes_well: bool) {
        if self.questions.is_empty() {
            return;
        }
        let (request, channel, subscribe) = self.questions.remove(0);
        if !goes_well {
            let (code, class) = self.refusal;
            let failed = Failed { request, code, class, sentence: "no", data: None };
            self.subscribed.remove(&channel);
            assert!(table.handle_failed(request, &Failure::new(&failed)));
            return;
        }
        let number = channel.rsplit('/').next().and_then(|number| number.parse().ok()).expect("names end in a number");
        let position = Position { epoch: Epoch::ZERO, offset: Offset::saturating(5) };
        let answer = Subscribed {
            channel: ChannelId::saturating(number),
            position,
            next: Offset::saturating(6),
            recovered: true,
        };
        let answer = if subscribe {
            self.subscribed.insert(channel);
            Answer::Subscribed(answer)
        } else {
            self.subscribed.remove(&channel);
            Answer::Done
        };
        assert_eq!(table.handle_ok(request, &answer), Ok(true));
    }
}

#[derive(Debug, Clone)]
enum Step {
    Subscribe(usize),
    Drop(usize),
    Listen,
    Answer(bool),
    Reconnect,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0..3_usize).prop_map(Step::Subscribe),
        3 => (0..20_usize).prop_map(Step::Drop),
        3 => Just(Step::Listen),
        3 => (0..4_u8).prop_map(|dice| Step::Answer(dice > 0)),
        1 => Just(Step::Reconnect),
    ];
    prop::collection::vec(step, 0..120)
}

proptest! {
    #[test]
    fn what_is_read_is_what_is_subscribed(steps in steps()) {
        let (mut table, mut script) = (Table::default(), Script::default());
        let mut readers: Vec<(usize, Arc<Reader>, Answered)> = Vec::new();
        for step in steps {
            match step {
                Step::Subscribe(channel) => {
                    let (reader, answer) = subscribe(&mut table, channel);
                    readers.push((channel, reader, answer));
                }
                Step::Drop(index) if index < readers.len() => {
                    let (channel, reader, answer) = readers.swap_remove(index);
                    drop(answer);
                    table.remove_reader(&name(channel), &reader);
                }
                Step::Drop(_) => {}
                Step::Listen => script.listen(&mut table),
                Step::Answer(goes_well) => script.answer(&mut table, goes_well),
                Step::Reconnect => {
                    table.disconnected();
                    table.connected();
                    script = Script::default();
                }
            }
        }
        while { script.listen(&mut table); !script.questions.is_empty() } {
            script.answer(&mut table, true);
        }
        // Who was refused or answered knows it; whoever was not refused reads a channel that is subscribed.
        let mut wanted = HashMap::new();
        for (channel, reader, answer) in &mut readers {
            match answer.try_recv() {
                Ok(Err(_)) => {}
                Ok(Ok(_)) => {
                    let ended = matches!(
                        reader.inbox.lock().take(&mut Default::default(), std::task::Waker::noop()),
                        crate::inbox::Taken::Some { .. }
                    );
                    if !ended {
                        wanted.insert(name(*channel).to_string(), ());
                    }
                }
                Err(_) => prop_assert!(false, "a reader was left without an answer"),
            }
        }
        prop_assert_eq!(wanted.into_keys().collect::<HashSet<_>>(), script.subscribed);
    }
}

#[test]
fn churn_takes_no_memory_while_nobody_listens() {
    let mut table = Table::default();
    table.connected();
    for round in 0..1000 {
        let (reader, _answer) = subscribe(&mut table, round % 7);
        table.remove_reader(&name(round % 7), &reader);
    }
    assert!(table.slots.len() <= 7 && table.to_ask.len() <= 7);
    assert!(table.by_name.is_empty());
}

#[test]
fn all_is_well_again_when_what_was_refused_has_begun_or_is_left() {
    let (mut table, mut script) = (Table::default(), Script::default());
    table.connected();
    let readers: Vec<_> = (0..2).map(|channel| subscribe(&mut table, channel)).collect();
    script.listen(&mut table);
    (0..2).for_each(|_| script.answer(&mut table, true));
    table.disconnected();
    table.connected();
    script = Script { refusal: (503, "unavailable"), ..Script::default() };
    script.listen(&mut table);
    assert!(table.is_well());
    (0..2).for_each(|_| script.answer(&mut table, false));
    assert!(!table.is_well() && table.has_retries());
    table.retry();
    script.listen(&mut table);
    assert!(!table.is_well() && !table.has_retries(), "they are being asked for again");
    script.answer(&mut table, true);
    assert!(!table.is_well());
    script.answer(&mut table, false);
    table.remove_reader(&name(1), &readers[1].0);
    assert!(table.is_well());
}
