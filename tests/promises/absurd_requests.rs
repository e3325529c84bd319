//! An absurd request costs the broker little, is answered in a short sentence, and is nobody else's concern.

use callboard::defaults::HISTORY_MESSAGES;
use callboard_protocol::close::Code;
use callboard_protocol::error::Class;
use callboard_protocol::frame::{
    Answer, Authenticate, ClientFrame, Credential, Start, Subscribe, SubscribeOptions, Unsubscribe,
};
use callboard_protocol::limits::{BODY_BYTES_MAX, HELLO_BYTES_MAX, LENGTH_BYTES_MAX, SENTENCE_BYTES_MAX};
use callboard_tests::raw::{Dialer, Ending, Failure};
use callboard_tests::{Broker, Listener, Peer, Process};

const CHANNEL: &str = "news";

/// What a body has beside the text that fills it.
const OTHER_FIELDS_BYTES: usize = 32;

/// So many subscriptions come and go unread that a replay for each of them would be hundreds of mebibytes.
const TURNS: usize = 6_000;

/// Messages that are published while nothing is read.
const MEANWHILE: usize = 200;

/// What the broker may need for them: its buffers, and the few replays that one session has under way.
const GROWTH_BYTES_MAX: usize = 64 << 20;

#[tokio::test]
async fn a_name_of_a_mebibyte_is_refused_in_a_short_sentence_and_the_session_goes_on() {
    let broker = Broker::start().await;
    let mut neighbour = Listener::of("the neighbour", broker.peer().await).await;
    let subscribed = neighbour.subscribe(CHANNEL, Start::Live).await;
    let mut peer = broker.peer().await;
    peer.hello().await;
    let characters = ["x", "ü", "\u{0}", "/", "€"];
    for character in characters {
        let name = character.repeat((BODY_BYTES_MAX - OTHER_FIELDS_BYTES) / character.len());
        for failure in [
            unsubscribe(&mut peer, &name).await,
            peer.try_subscribe(&name, Start::Live, SubscribeOptions::NONE).await.expect_err("it is no name"),
            peer.try_publish(&name, "nothing").await.expect_err("it is no name"),
        ] {
            assert_eq!((failure.code, failure.class.as_str()), (400, Class::BadChannelName.name()));
            assert_short(&failure);
        }
        let failure = authenticate(&mut peer, &name).await;
        assert_eq!(failure.class, Class::BadRequest.name());
        assert_short(&failure);
        peer.publish(CHANNEL, character).await;
    }
    neighbour.hear(&subscribed, characters.len()).await;
    neighbour.seen.assert_whole(CHANNEL, characters);
}

async fn unsubscribe(peer: &mut Peer, channel: &str) -> Failure {
    let request = peer.next_request();
    peer.send(&ClientFrame::Unsubscribe(Unsubscribe { request, channel })).await;
    peer.answer(request, |_| None::<()>).await.expect_err("nothing is subscribed")
}

async fn authenticate(peer: &mut Peer, strategy: &str) -> Failure {
    let request = peer.next_request();
    let credential = Credential { strategy, secret: "" };
    peer.send(&ClientFrame::Authenticate(Authenticate { request, credential })).await;
    peer.answer(request, |_| None::<()>).await.expect_err("there is no such strategy")
}

#[track_caller]
fn assert_short(failure: &Failure) {
    assert!(failure.sentence.len() <= SENTENCE_BYTES_MAX, "a sentence has {} bytes", failure.sentence.len());
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused_before_it_came() {
    let broker = Broker::start().await;
    for (says_hello, bytes) in [(false, HELLO_BYTES_MAX + 1), (false, BODY_BYTES_MAX), (true, BODY_BYTES_MAX + 1)] {
        let mut peer = broker.peer().await;
        if says_hello {
            peer.hello().await;
        }
        peer.send_bytes(&length(bytes)).await;
        let (code, sentence) = peer.goodbye().await;
        assert_eq!(code, Code::FrameTooLong.number(), "{bytes} bytes were announced");
        assert_eq!(peer.closed().await, Ending::Closed { code: code.into(), reason: sentence });
    }
}

/// The length of a body, as a stream announces it.
fn length(bytes: usize) -> [u8; LENGTH_BYTES_MAX] {
    let septet = |shift: u32| u8::try_from(bytes >> shift & 0x7f).expect("seven bits");
    [septet(0) | 0x80, septet(7) | 0x80, septet(14)]
}

#[tokio::test]
async fn history_that_is_asked_for_again_and_again_and_never_read_takes_no_memory() {
    let broker = Process::start().await;
    let mut publisher = broker.peer().await;
    publisher.hello().await;
    for number in 0..HISTORY_MESSAGES {
        // Each is acknowledged before the next, so that each is a piece of the history by itself.
        publisher.publish(CHANNEL, number.to_string()).await;
    }
    let mut greedy = Dialer::with(|options| options.stream_window_bytes = 1 << 10).connect(broker.addr()).await;
    greedy.hello().await;
    let before = broker.memory_bytes_peak();

    let (start, options) = (Start::Rewind(u32::MAX), SubscribeOptions::NONE);
    let (mut turns, mut frames) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        let (one, two) = (greedy.next_request(), greedy.next_request());
        frames.push(ClientFrame::Subscribe(Subscribe { request: one, channel: CHANNEL, start, options }));
        frames.push(ClientFrame::Unsubscribe(Unsubscribe { request: two, channel: CHANNEL }));
        turns.push((one, two));
    }
    greedy.send_all(&frames).await;
    // The others go on; by the end of this the broker has taken as much as it ever takes unread.
    for number in 0..MEANWHILE {
        publisher.publish(CHANNEL, format!("meanwhile {number}")).await;
    }

    for (subscribed, unsubscribed) in turns {
        let answered = greedy.answer(subscribed, |answer| matches!(answer, Answer::Subscribed(_)).then_some(())).await;
        answered.expect("a peer that reads is served");
        let answered = greedy.answer(unsubscribed, |answer| matches!(answer, Answer::Done).then_some(())).await;
        answered.expect("a peer that reads is served");
    }
    if let (Some(before), Some(after)) = (before, broker.memory_bytes_peak()) {
        let growth = after - before;
        assert!(growth < GROWTH_BYTES_MAX, "the broker needed {} MiB more", growth >> 20);
    }
    greedy.subscribe_from(CHANNEL, start).await;
    let last = publisher.publish(CHANNEL, "at last").await;
    while greedy.message().await.offset < last.offset {}
    broker.terminate().await;
}
