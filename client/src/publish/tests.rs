//! The queue and the unacknowledged by themselves: nothing is lost, doubled or out of order, and bounds hold.

use bytes::{Bytes, BytesMut};
use callboard_protocol::deframe::Deframer;
use callboard_protocol::frame::ClientFrame;
use callboard_protocol::limits::BODY_BYTES_MAX;
use callboard_protocol::{ChannelName, Epoch, Offset, Payload, Position, RequestId, codec};
use proptest::prelude::*;
use tokio::sync::oneshot;

use super::{Acked, Draft, Queue, Refusal, Run, Unacknowledged};
use crate::error::PublishError;
use crate::options::{Bounds, Offline};
use crate::state::Reason;

fn draft(text: String) -> Draft {
    Draft { channel: ChannelName::parse("a").expect("a is a name"), key: None, payload: Payload::text(text) }
}

type Answer = oneshot::Receiver<Result<Position, PublishError>>;

fn acked(text: String) -> (Acked, Answer) {
    let (reply, answer) = oneshot::channel();
    (Acked { draft: draft(text), reply }, answer)
}

fn queue(messages: usize, bytes: usize) -> Queue {
    Queue::new(Offline::Queue(Bounds { messages, bytes }), 1000)
}

/// What a broker reads: request, sequence and text of each publish.
fn read(frames: Bytes) -> Vec<(u64, u64, String)> {
    let mut deframer = Deframer::new(BODY_BYTES_MAX);
    deframer.handle_bytes(frames);
    let mut read = Vec::new();
    while let Some(body) = deframer.poll_body().expect("frames are whole") {
        let Ok(ClientFrame::Publish(publish)) = codec::decode_client(&body) else { panic!("a publish was due") };
        let text = String::from_utf8_lossy(publish.payload.bytes()).into_owned();
        read.push((publish.request.value(), publish.sequence.value(), text));
    }
    read
}

#[test]
fn the_gate_decides_what_a_full_queue_means() {
    let mut queue = queue(1, 1000);
    assert_eq!(queue.offer(&draft("one".to_owned()), None), Ok(true));
    assert_eq!(queue.offer(&draft("two".to_owned()), None), Err(Refusal::Error(PublishError::QueueFull)));
    queue.open(1000);
    assert_eq!(queue.offer(&draft("two".to_owned()), None), Err(Refusal::Full));
    queue.close(Reason::Asked);
    queue.open(1000);
    let closed = Refusal::Error(PublishError::Closed(Reason::Asked));
    assert_eq!(queue.offer(&draft("two".to_owned()), None), Err(closed));
    assert!(queue.take().is_some() && queue.is_empty() && queue.bytes == 0);
}

#[test]
fn one_publish_of_any_legal_size_always_goes() {
    let mut queue = queue(10, 10);
    assert_eq!(queue.offer(&draft("x".repeat(1000)), None), Ok(true));
    assert_eq!(queue.offer(&draft("x".to_owned()), None), Err(Refusal::Error(PublishError::QueueFull)));
}

#[test]
fn what_is_given_up_is_told() {
    let (mut queue, mut unacknowledged) = (queue(10, 1000), Unacknowledged::default());
    let (first, mut first_answer) = acked("first".to_owned());
    let (second, mut second_answer) = acked("second".to_owned());
    assert!(queue.offer_acked(&mut Some(first), None).is_ok());
    if let Some(Run::Acked { sequence, acked }) = queue.take() {
        unacknowledged.push(sequence, acked);
    }
    assert!(queue.offer_acked(&mut Some(second), None).is_ok());
    queue.clear(&Reason::Stopped);
    unacknowledged.clear(&Reason::Stopped);
    for answer in [&mut first_answer, &mut second_answer] {
        assert_eq!(answer.try_recv(), Ok(Err(PublishError::Closed(Reason::Stopped))));
    }
}

#[derive(Debug, Clone)]
enum Step {
    Forgotten,
    Acked,
    Write,
    Answer(usize),
    Reconnect,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => Just(Step::Forgotten),
        3 => Just(Step::Acked),
        3 => Just(Step::Write),
        2 => (0..8_usize).prop_map(Step::Answer),
        1 => Just(Step::Reconnect),
    ];
    prop::collection::vec(step, 0..150)
}

/// One session's frames, as the driver gathers them.
fn write(queue: &mut Queue, unacknowledged: &mut Unacknowledged, last: &mut u64, out: &mut BytesMut) {
    let mut ask = || {
        *last += 1;
        RequestId::saturating(*last)
    };
    loop {
        if unacknowledged.write_next(&mut ask, out) {
            continue;
        }
        match queue.take() {
            Some(Run::Forgotten { frames, .. }) => out.extend_from_slice(&frames),
            Some(Run::Acked { sequence, acked }) => unacknowledged.push(sequence, acked),
            None => return,
        }
    }
}

proptest! {
    /// Each session hears its publishes in the order of their calls, first those that an earlier one did not
    /// acknowledge; and each is answered with its own position.
    #[test]
    fn publishes_keep_their_order_and_their_ids(steps in steps()) {
        let (mut queue, mut unacknowledged) = (queue(1000, 1 << 20), Unacknowledged::default());
        queue.open(1000);
        let (mut calls, mut last, mut session) = (0_u64, 0, Vec::new());
        let mut answers: Vec<Answer> = Vec::new();
        for step in steps.into_iter().chain([Step::Reconnect, Step::Write]) {
            match step {
                Step::Forgotten => {
                    calls += 1;
                    prop_assert!(queue.offer(&draft(calls.to_string()), None).is_ok());
                }
                Step::Acked => {
                    calls += 1;
                    let (acked, answer) = acked(calls.to_string());
                    prop_assert!(queue.offer_acked(&mut Some(acked), None).is_ok());
                    answers.push(answer);
                }
                Step::Write => {
                    let mut out = BytesMut::new();
                    write(&mut queue, &mut unacknowledged, &mut last, &mut out);
                    session.extend(read(out.freeze()));
                    prop_assert!(session.windows(2).all(|pair| number(&pair[0].2) < number(&pair[1].2)));
                }
                Step::Answer(index) => {
                    let waiting: Vec<_> = session.iter().filter(|(request, ..)| *request > 0).cloned().collect();
                    if let Some((request, sequence, _)) = waiting.get(index) {
                        let request = RequestId::saturating(*request);
                        let position = Position { epoch: Epoch::ZERO, offset: Offset::saturating(*sequence) };
                        let mine = &mut answers[usize::try_from(*sequence - 1).expect("it is small")];
                        let first_time = unacknowledged.answer(request, Ok(position));
                        prop_assert_eq!(mine.try_recv().ok(), first_time.then_some(Ok(position)));
                    }
                }
                Step::Reconnect => {
                    unacknowledged.rewind();
                    session.clear();
                    last = 0;
                }
            }
            prop_assert!(queue.messages() > 0 || queue.bytes == 0);
        }
        let again = session.iter().filter(|(request, ..)| *request > 0).count();
        prop_assert_eq!(again, unacknowledged.len());
    }
}

fn number(text: &str) -> u64 {
    text.parse().expect("each says its number")
}
