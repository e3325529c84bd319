//! Who is sent away is told why, and up to there reads nothing but whole frames.

use std::time::Duration;

use callboard::config::{History, Pattern};
use callboard_protocol::close::Code;
use callboard_protocol::frame::Start;
use callboard_tests::raw::{Dialer, Ending};
use callboard_tests::{Broker, Listener, Peer, soon};

const CHANNEL: &str = "news";

/// Another channel, whose messages wait while the history of the first is read.
const OTHER: &str = "other";

/// Messages that the first channel remembers.
const HISTORY: usize = 16;

const PAYLOAD_BYTES: usize = 4 << 10;

/// What a broker may send to a reader who does not read: much less than the history.
const WINDOW_BYTES: u32 = 16 << 10;

/// Long enough for a guest to say hello on a busy machine.
const HELLO_TIMEOUT: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_reader_whom_the_history_overtakes_reads_whole_frames_to_its_end() {
    let broker = Broker::start_with(|config| {
        let pattern = Pattern::parse(CHANNEL).expect("it is a pattern");
        config.history.push((pattern, History { messages: HISTORY, ..History::default() }));
    })
    .await;
    let mut publisher = broker.peer().await;
    publisher.hello().await;
    let text = |number: usize| format!("{number:0PAYLOAD_BYTES$}");
    for number in 0..HISTORY {
        publisher.publish(CHANNEL, text(number)).await;
    }
    let narrow = Dialer::with(|options| options.stream_window_bytes = WINDOW_BYTES).connect(broker.addr()).await;
    let mut slow = Listener::of("the slow one", narrow).await;
    slow.subscribe(OTHER, Start::Live).await;
    slow.subscribe(CHANNEL, Start::Rewind(u32::MAX)).await;
    for number in HISTORY..4 * HISTORY {
        publisher.publish(CHANNEL, text(number)).await;
    }
    // More than a window, so that one of these is out in part when the end comes, and less than an outbox.
    let beside: Vec<String> = (0..100).map(|number| format!("{number:03000}")).collect();
    for message in &beside {
        publisher.publish(OTHER, message.as_str()).await;
    }
    let ending = loop {
        match slow.peer.next().await {
            Ok(body) => assert_eq!(slow.note(&body.frame()), None, "there is no room for a goodbye"),
            Err(ending) => break ending,
        }
        // Whatever the broker has to do about that frame is done when this is answered.
        publisher.publish(CHANNEL, "more").await;
    };
    assert_eq!(ending, closed(Code::TooSlow));
    let heard = [CHANNEL, OTHER].map(|channel| slow.seen.messages(channel).len());
    assert!(
        heard[0] > HISTORY / 2 && heard[1] < beside.len(),
        "its end came when it had read much, not all: {heard:?}"
    );
    slow.seen.assert_whole(CHANNEL, (0..heard[0]).map(text));
    slow.seen.assert_whole(OTHER, beside.into_iter().take(heard[1]));
}

#[tokio::test]
async fn who_does_not_open_a_session_in_time_is_told_so() {
    let broker = Broker::start_with(|config| config.hello_timeout = HELLO_TIMEOUT).await;
    let (mut silent, mut halfway) = strangers(&broker).await;
    let mut guest = broker.peer().await;
    guest.hello().await;
    assert_eq!(silent.closed().await, closed(Code::HandshakeTimeout));
    assert_eq!(halfway.goodbye().await.0, Code::HandshakeTimeout.number());
    assert_eq!(halfway.closed().await, closed(Code::HandshakeTimeout));
    guest.publish(CHANNEL, "who said hello may take its time").await;
}

#[tokio::test]
async fn a_drain_does_not_forget_those_who_have_said_nothing() {
    let broker = Broker::start().await;
    let (mut silent, mut halfway) = strangers(&broker).await;
    // What came from the strangers came before what this guest said, and that was answered.
    let mut guest = broker.peer().await;
    guest.hello().await;
    let drain = tokio::spawn(broker.drain());
    for peer in [&mut silent, &mut halfway, &mut guest] {
        assert_eq!(peer.closed().await, closed(Code::ShuttingDown));
    }
    soon("the end of the drain", drain).await.expect("the drain ends well");
}

/// Two who have no session: one says nothing at all, so that the broker hears of no stream; one says the length of a
/// frame.
async fn strangers(broker: &Broker) -> (Peer, Peer) {
    let silent = broker.peer().await;
    let mut halfway = broker.peer().await;
    halfway.send_bytes(&[40]).await;
    (silent, halfway)
}

fn closed(code: Code) -> Ending {
    Ending::Closed { code: code.number().into(), reason: code.sentence().to_owned() }
}
