//! The bodies of the fuzz targets: laws about any bytes at all; never a harness (each target in `fuzz/` is one line).

use bytes::{Bytes, BytesMut};

use crate::codec::{decode_client, decode_server, encode};
use crate::deframe::Deframer;
use crate::session::{FromClient, FromServer};

/// A body that decodes as a client's frame encodes to the same bytes.
pub fn client_frame(body: &[u8]) {
    if let Ok(frame) = decode_client(body) {
        let mut again = BytesMut::new();
        encode(&frame, &mut again).expect("what was decoded is short enough to encode");
        assert_eq!(again, body, "one frame, one encoding");
    }
}

/// A body that decodes as a broker's frame encodes to the same bytes.
pub fn server_frame(body: &[u8]) {
    if let Ok(frame) = decode_server(body) {
        let mut again = BytesMut::new();
        encode(&frame, &mut again).expect("what was decoded is short enough to encode");
        assert_eq!(again, body, "one frame, one encoding");
    }
}

/// What is cut out of a stream does not depend on how the stream was chunked. The first byte chooses the chunking.
pub fn deframer(input: &[u8]) {
    let Some((step, stream)) = input.split_first() else { return };
    let step = usize::from(*step).max(1);
    let whole = cut(stream, stream.len().max(1));
    assert_eq!(cut(stream, step), whole, "chunks of {step}");
    assert_eq!(cut(stream, 1), whole, "chunks of one byte");
}

/// The largest body of the deframer's law: small, so that a fuzzer finds the edge.
const BODY_BYTES_MAX: usize = 1000;

fn cut(stream: &[u8], step: usize) -> (Vec<Bytes>, bool) {
    let mut deframer = Deframer::new(BODY_BYTES_MAX);
    let mut bodies = Vec::new();
    for chunk in stream.chunks(step) {
        deframer.handle_bytes(Bytes::copy_from_slice(chunk));
        loop {
            match deframer.poll_body() {
                Ok(Some(body)) => bodies.push(body),
                Ok(None) => break,
                Err(_) => return (bodies, true),
            }
        }
        assert!(deframer.buffered_bytes() <= BODY_BYTES_MAX + 3 + step, "what waits is less than one frame");
    }
    (bodies, false)
}

/// A session's judges neither panic nor come back to life, whatever stream of frames they are shown.
pub fn session(stream: &[u8]) {
    let mut deframer = Deframer::new(BODY_BYTES_MAX);
    deframer.handle_bytes(Bytes::copy_from_slice(stream));
    let (mut from_client, mut from_server) = (FromClient::default(), FromServer::default());
    let (mut client_over, mut server_over) = (false, false);
    while let Ok(Some(body)) = deframer.poll_body() {
        if let Ok(frame) = decode_client(&body) {
            let verdict = from_client.handle(&frame);
            assert!(!(client_over && verdict.is_ok()), "a session that is over stays over");
            client_over |= verdict.is_err();
        }
        if let Ok(frame) = decode_server(&body) {
            let verdict = from_server.handle(&frame);
            assert!(!(server_over && verdict.is_ok()), "a session that is over stays over");
            server_over |= verdict.is_err();
        }
    }
}
