//! Who says or reads one byte at a time is served like anybody else, and holds nobody up.

use bytes::{Bytes, BytesMut};
use callboard_protocol::codec::{decode_server, encode_stream};
use callboard_protocol::deframe::Deframer;
use callboard_protocol::frame::{ClientFrame, Hello, Publish, ServerFrame, Start, Subscribe, SubscribeOptions};
use callboard_protocol::limits::BODY_BYTES_MAX;
use callboard_protocol::{PayloadRef, RequestId, Sequence};
use callboard_tests::raw::Dialer;
use callboard_tests::{Broker, Neighbour, soon};
use quinn::RecvStream;

const CHANNEL: &str = "news";

const MESSAGES: u64 = 4;

const PAYLOAD_BYTES: usize = 500;

#[tokio::test]
async fn a_reader_of_single_bytes_reads_everything_in_order() {
    let broker = Broker::start().await;
    let mut neighbour = Neighbour::of(broker.addr()).await;
    // The broker may send sixteen bytes ahead of the reader.
    let dialer = Dialer::with(|options| options.stream_window_bytes = 16);
    let connecting = dialer.endpoint().connect(broker.addr(), "localhost").expect("the options are legal");
    let connection = soon("the handshake", connecting).await.expect("the broker lets it in");
    let (mut send, mut recv) = connection.open_bi().await.expect("there is room for a stream");
    send.write_all(&everything()).await.expect("there is room for what is sent");

    let mut reader = Deframer::new(BODY_BYTES_MAX);
    let mut heard = 0;
    while heard < MESSAGES {
        let body = soon("the next frame, byte by byte", next(&mut recv, &mut reader)).await;
        if let ServerFrame::Message(message) = decode_server(&body).expect("the broker says whole frames") {
            heard += 1;
            assert_eq!(message.offset.value(), heard);
            assert_eq!(message.payload.bytes().len(), PAYLOAD_BYTES);
            neighbour.hears_itself().await;
        }
    }
    neighbour.carries_on().await;
}

/// The next body, read byte by byte.
async fn next(recv: &mut RecvStream, reader: &mut Deframer) -> Bytes {
    loop {
        if let Some(body) = reader.poll_body().expect("the broker's stream is one") {
            return body;
        }
        let mut byte = [0];
        let read = recv.read(&mut byte).await.expect("the session goes on");
        assert_eq!(read, Some(1), "the broker ended the stream");
        reader.handle_bytes(Bytes::copy_from_slice(&byte));
    }
}

#[tokio::test]
async fn a_speaker_of_single_bytes_is_understood() {
    let broker = Broker::start().await;
    let mut neighbour = Neighbour::of(broker.addr()).await;
    let mut peer = broker.peer().await;
    for (number, byte) in everything().into_iter().enumerate() {
        peer.send_bytes(&[byte]).await;
        // Each goes out before the next is said.
        tokio::task::yield_now().await;
        if number % 500 == 0 {
            neighbour.hears_itself().await;
        }
    }
    assert!(matches!(peer.receive().await.frame(), ServerFrame::Welcome(_)));
    assert!(matches!(peer.receive().await.frame(), ServerFrame::Ok { .. }));
    for offset in 1..=MESSAGES {
        assert_eq!(peer.message().await.offset.value(), offset);
    }
    neighbour.carries_on().await;
}

/// A session's first frames: it opens, subscribes, and publishes to itself.
fn everything() -> Vec<u8> {
    let text = "x".repeat(PAYLOAD_BYTES);
    let mut frames = vec![
        ClientFrame::Hello(Hello { agent: "byte by byte", instance: [3; 16], capabilities: 0, credential: None }),
        ClientFrame::Subscribe(Subscribe {
            request: RequestId::saturating(1),
            channel: CHANNEL,
            start: Start::Live,
            options: SubscribeOptions::NONE,
        }),
    ];
    frames.extend((0..MESSAGES).map(|_| {
        ClientFrame::Publish(Publish {
            request: RequestId::ZERO,
            sequence: Sequence::ZERO,
            channel: CHANNEL,
            key: None,
            payload: PayloadRef::text(&text),
        })
    }));
    let mut bytes = BytesMut::new();
    for frame in &frames {
        encode_stream(frame, &mut bytes).expect("these frames are short");
    }
    bytes.to_vec()
}
