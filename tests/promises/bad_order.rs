//! A frame where none may stand ends its session as out of order; what stood before it is answered.

use callboard_protocol::close::Code;
use callboard_protocol::frame::{Answer, ClientFrame, Logout, Publish, ServerFrame};
use callboard_protocol::{PayloadRef, RequestId, Sequence};
use callboard_tests::raw::Dialer;
use callboard_tests::vectors::{Speaker, Wrong, framed, golden, malformed};
use callboard_tests::{Broker, Neighbour, Peer};

const CHANNEL: &str = "news";

#[tokio::test]
async fn every_vector_of_a_session_gone_wrong_is_told_so() {
    let broker = Broker::start().await;
    let mut neighbour = Neighbour::of(broker.addr()).await;
    let dialer = Dialer::new();
    for vector in malformed() {
        let Wrong::Session(lines) = vector.what else { continue };
        // The others end with what a broker may not say.
        let Some((Speaker::Client, _)) = lines.last() else { continue };
        let mut peer = dialer.connect(broker.addr()).await;
        let mut bytes = Vec::new();
        for (speaker, body) in lines {
            match speaker {
                Speaker::Client => bytes.extend(framed(&body)),
                Speaker::Server => {
                    peer.send_bytes(&bytes).await;
                    bytes.clear();
                    assert!(matches!(peer.receive().await.frame(), ServerFrame::Welcome(_)), "{}", vector.name);
                }
            }
        }
        peer.send_bytes(&bytes).await;
        let (code, sentence) = peer.sent_away().await;
        // Nothing is read behind a goodbye, so that nothing there can be wrong.
        let expected = if vector.error == "AfterGoodbye" { Code::Finished } else { Code::OutOfOrder };
        assert_eq!(code, expected.number(), "{}: {sentence}", vector.name);
        assert!(!sentence.is_empty(), "{}", vector.name);
    }
    neighbour.carries_on().await;
}

#[tokio::test]
async fn every_frame_but_hello_and_goodbye_is_out_of_order_before_hello() {
    let broker = Broker::start().await;
    let mut neighbour = Neighbour::of(broker.addr()).await;
    let dialer = Dialer::new();
    for vector in golden().into_iter().filter(|vector| vector.speaker == Speaker::Client) {
        let expected = match vector.body[0] {
            0 => continue,
            1 => Code::Finished,
            _ => Code::OutOfOrder,
        };
        let mut peer = dialer.connect(broker.addr()).await;
        peer.send_bytes(&framed(&vector.body)).await;
        assert_eq!(peer.sent_away().await.0, expected.number(), "{}", vector.name);
    }
    neighbour.carries_on().await;
}

#[tokio::test]
async fn hello_a_second_time_and_a_return_to_nobody_are_out_of_order_at_any_time() {
    let broker = Broker::start().await;
    let mut neighbour = Neighbour::of(broker.addr()).await;
    let dialer = Dialer::new();
    for vector in golden().into_iter().filter(|vector| vector.speaker == Speaker::Client) {
        if ![0, 11].contains(&vector.body[0]) {
            continue;
        }
        let mut peer = guest(&dialer, &broker).await;
        peer.publish(CHANNEL, "long after hello").await;
        peer.send_bytes(&framed(&vector.body)).await;
        let (code, sentence) = peer.sent_away().await;
        assert_eq!(code, Code::OutOfOrder.number(), "{}: {sentence}", vector.name);
    }
    neighbour.carries_on().await;
}

/// Each of these is what a client may have counted wrong; the numbers are those of all its requests in order.
#[tokio::test]
async fn a_request_is_numbered_above_all_before_it() {
    let broker = Broker::start().await;
    let mut neighbour = Neighbour::of(broker.addr()).await;
    let dialer = Dialer::new();
    for numbers in [&[0][..], &[1, 1], &[2, 1], &[7, 9, 8], &[(1 << 53) - 1, 1], &[1, 0]] {
        let mut peer = guest(&dialer, &broker).await;
        let requests: Vec<RequestId> = numbers.iter().copied().map(RequestId::saturating).collect();
        let frames: Vec<ClientFrame<'_>> =
            requests.iter().map(|&request| ClientFrame::Logout(Logout { request })).collect();
        for frame in &frames {
            peer.send(frame).await;
        }
        // What was right is answered before what was wrong is told.
        for &request in &requests[..requests.len() - 1] {
            let answer = peer.answer(request, |answer| matches!(answer, Answer::Identity(None)).then_some(())).await;
            answer.unwrap_or_else(|failure| panic!("{numbers:?}: {failure:?}"));
        }
        let (code, sentence) = peer.sent_away().await;
        assert_eq!(code, Code::OutOfOrder.number(), "{numbers:?}: {sentence}");
        assert!(sentence.contains(&numbers[numbers.len() - 1].to_string()), "{numbers:?}: {sentence}");
    }
    neighbour.carries_on().await;
}

#[tokio::test]
async fn what_stands_before_a_fault_is_taken_and_what_stands_behind_it_is_not() {
    let broker = Broker::start().await;
    let mut witness = broker.peer().await;
    witness.hello().await;
    witness.subscribe(CHANNEL).await;
    let mut peer = broker.peer().await;
    peer.hello().await;
    let again = RequestId::saturating(1);
    for text in ["before", "the fault", "behind it"] {
        peer.send(&publish(again, text)).await;
    }
    assert_eq!(peer.sent_away().await.0, Code::OutOfOrder.number());
    let mut parting = broker.peer().await;
    parting.hello().await;
    parting.cast(CHANNEL, "before goodbye").await;
    parting.say_goodbye(Code::Finished.number()).await;
    parting.cast(CHANNEL, "behind goodbye").await;
    assert_eq!(parting.sent_away().await.0, Code::Finished.number());
    witness.publish(CHANNEL, "at last").await;
    for expected in ["before", "before goodbye", "at last"] {
        assert_eq!(witness.message().await.payload.as_str(), Some(expected));
    }
    Neighbour::of(broker.addr()).await.carries_on().await;
}

fn publish(request: RequestId, text: &str) -> ClientFrame<'_> {
    let payload = PayloadRef::text(text);
    ClientFrame::Publish(Publish { request, sequence: Sequence::ZERO, channel: CHANNEL, key: None, payload })
}

async fn guest(dialer: &Dialer, broker: &Broker) -> Peer {
    let mut peer = dialer.connect(broker.addr()).await;
    peer.hello().await;
    peer
}
