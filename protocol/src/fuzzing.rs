//! The bodies of the fuzz targets: laws about any bytes at all; never a harness (each target in `fuzz/` is one line).
//!
//! What the laws compare with is written a second time here, from PROTOCOL.md and over plain bytes, so that a mistake
//! in the types does not excuse itself.

mod part;

use bytes::{Bytes, BytesMut};

use crate::codec::{DecodeError, Frame, decode_client, decode_server, encode, encode_stream};
use crate::deframe::{DeframeError, Deframer};
use crate::frame::{
    Call, ClientFrame, Emit, Hello, Introduce, Named, Ping, Reset, Resumed, ServerFrame, Subscribe, Suspended,
    Unsubscribe,
};
use crate::integer::RequestId;
use crate::limits::{BODY_BYTES_MAX, INTEGER_MAX};
use crate::session::{FromClient, FromServer, request_of};

/// Any bytes as a client's frame: one frame has one encoding, no beginning of it is a frame, and neither is more.
pub fn client_frame(body: &[u8]) {
    if let Ok(frame) = decode_client(body) {
        one_encoding(&frame, body);
        alone(body, |bytes| decode_client(bytes).err());
        let request = request_of(&frame).map(RequestId::value);
        assert!(request.is_none_or(|request| request <= INTEGER_MAX));
        assert_eq!(request, plain_request(body), "the request's number is the first field");
        client_parts(&frame, body);
    }
}

fn client_parts(frame: &ClientFrame<'_>, body: &[u8]) {
    match frame {
        ClientFrame::Subscribe(Subscribe { channel, start, options, .. }) => {
            part::channel_name(channel);
            part::start(*start, *options);
        }
        ClientFrame::Unsubscribe(Unsubscribe { channel, .. }) => part::channel_name(channel),
        ClientFrame::Publish(publish) => {
            part::channel_name(publish.channel);
            part::payload(publish.payload, body);
        }
        ClientFrame::Goodbye(goodbye) => part::goodbye(goodbye),
        ClientFrame::Pong(pong) => part::integer(pong.nonce),
        ClientFrame::Hello(Hello { credential, .. }) | ClientFrame::Introduce(Introduce { credential, .. }) => {
            // A secret never comes into a log by way of the frame that carries it.
            let shown = format!("{credential:?}");
            assert!(credential.is_none_or(|credential| shown == shown_without_secret(credential.strategy)));
        }
        ClientFrame::Call(Call { arguments: payload, .. }) | ClientFrame::Emit(Emit { payload, .. }) => {
            part::payload(*payload, body);
        }
        ClientFrame::Authenticate(_)
        | ClientFrame::Logout(_)
        | ClientFrame::Provide(_)
        | ClientFrame::Withdraw(_)
        | ClientFrame::Return(_) => {}
    }
}

fn shown_without_secret(strategy: &str) -> String {
    format!("Some(Credential {{ strategy: {strategy:?}, .. }})")
}

/// Any bytes as a broker's frame, under the same laws.
pub fn server_frame(body: &[u8]) {
    if let Ok(frame) = decode_server(body) {
        one_encoding(&frame, body);
        alone(body, |bytes| decode_server(bytes).err());
        server_parts(&frame, body);
    }
}

fn server_parts(frame: &ServerFrame<'_>, body: &[u8]) {
    match frame {
        ServerFrame::Message(message) => {
            part::payload(message.payload, body);
            let shared = Bytes::copy_from_slice(body);
            let Ok(ServerFrame::Message(again)) = decode_server(&shared) else {
                panic!("the same bytes, another frame")
            };
            assert_eq!(again.payload.share(&shared), message.payload.to_owned());
        }
        ServerFrame::Goodbye(goodbye) => part::goodbye(goodbye),
        ServerFrame::Failed(failed) => part::failed(failed),
        ServerFrame::Ping(Ping { nonce })
        | ServerFrame::Suspended(Suspended { nonce, .. })
        | ServerFrame::Resumed(Resumed { nonce }) => part::integer(*nonce),
        ServerFrame::Named(Named { position, .. }) | ServerFrame::Reset(Reset { position, .. }) => {
            part::place(*position);
        }
        ServerFrame::Welcome(_)
        | ServerFrame::Ok { .. }
        | ServerFrame::Skipped(_)
        | ServerFrame::Membership(_)
        | ServerFrame::Event(_)
        | ServerFrame::Invoke(_) => {}
    }
}

/// `frame`, which was decoded from `body`, encodes to `body` and comes back out of a stream as it.
fn one_encoding<F: Frame>(frame: &F, body: &[u8]) {
    let mut again = BytesMut::new();
    encode(frame, &mut again).expect("what was decoded is short enough to encode");
    assert_eq!(again, body, "one frame, one encoding");
    let mut stream = BytesMut::new();
    encode_stream(frame, &mut stream).expect("what was decoded is short enough to encode");
    let mut deframer = Deframer::new(BODY_BYTES_MAX);
    deframer.handle_bytes(stream.freeze());
    assert_eq!(deframer.poll_body(), Ok(Some(again.freeze())));
    assert_eq!(deframer.poll_body(), Ok(None));
    assert_eq!(deframer.buffered_bytes(), 0);
}

/// How many beginnings of a long body are tried, so that one input stays cheap.
const PREFIXES_TRIED: usize = 64;

fn alone(body: &[u8], error_of: impl Fn(&[u8]) -> Option<DecodeError>) {
    let step = body.len().div_ceil(PREFIXES_TRIED).max(1);
    for end in (0..body.len()).rev().step_by(step) {
        assert_eq!(error_of(&body[..end]), Some(DecodeError::Truncated), "the first {end} bytes");
    }
    let mut longer = body.to_vec();
    longer.push(0);
    let expected = if longer.len() > BODY_BYTES_MAX {
        DecodeError::TooLong { bytes: longer.len() }
    } else {
        DecodeError::Trailing { bytes: 1 }
    };
    assert_eq!(error_of(&longer), Some(expected));
}

/// The largest body of the deframer's law: small, so that a fuzzer finds the edge, and long enough for two bytes of length.
const CUT_BYTES_MAX: usize = 200;

/// What is cut out of a stream is what a plain reader of the whole stream finds, however the stream was chunked. The
/// first byte chooses the chunking.
pub fn deframer(input: &[u8]) {
    let Some((seed, stream)) = input.split_first() else { return };
    let plain = plain_cut(stream);
    assert_eq!(cut(stream, || stream.len().max(1)), plain, "one chunk");
    assert_eq!(cut(stream, || 1), plain, "chunks of one byte");
    let mut state = u32::from(*seed);
    let ragged = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as usize % (usize::from(*seed) + 1) + 1
    };
    assert_eq!(cut(stream, ragged), plain, "ragged chunks from {seed}");
}

/// The bodies of a stream, what then was wrong with it, and how many bytes were left waiting.
type Cut = (Vec<Vec<u8>>, Option<DeframeError>, usize);

fn cut(stream: &[u8], mut chunk_bytes: impl FnMut() -> usize) -> Cut {
    let mut deframer = Deframer::new(CUT_BYTES_MAX);
    let (mut bodies, mut taken, mut rest) = (Vec::new(), 0, Bytes::copy_from_slice(stream));
    while !rest.is_empty() {
        deframer.handle_bytes(rest.split_to(chunk_bytes().min(rest.len())));
        loop {
            let announced = deframer.announced_bytes();
            match deframer.poll_body() {
                Ok(Some(body)) => {
                    assert_eq!(body.len(), announced, "a body is as long as it was announced");
                    taken += body.len() + if body.len() < 0x80 { 1 } else { 2 };
                    bodies.push(body.to_vec());
                }
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(announced, 0, "what is wrong announces nothing");
                    assert_eq!(deframer.poll_body(), Err(error), "a stream that failed stays so");
                    assert_eq!(deframer.buffered_bytes(), 0, "and holds nothing");
                    return (bodies, Some(error), 0);
                }
            }
        }
        assert_eq!(deframer.buffered_bytes(), stream.len() - rest.len() - taken, "no byte is lost or held twice");
        assert!(deframer.buffered_bytes() < CUT_BYTES_MAX + 2, "what waits is less than one frame");
        assert_eq!(deframer.is_mid_frame(), deframer.buffered_bytes() > 0);
    }
    (bodies, None, deframer.buffered_bytes())
}

/// PROTOCOL.md, "Stream", read without a thought for chunks.
fn plain_cut(mut stream: &[u8]) -> Cut {
    let mut bodies = Vec::new();
    loop {
        let (length, prefix) = match *stream {
            [] => return (bodies, None, 0),
            [a @ 0..=0x7f, ..] => (usize::from(a), 1),
            [_, 0, ..] => return (bodies, Some(DeframeError::Overlong), 0),
            [a, b @ 1..=0x7f, ..] => (usize::from(a & 0x7f) | usize::from(b) << 7, 2),
            [_, _, 0, ..] => return (bodies, Some(DeframeError::Overlong), 0),
            [a, b, c @ 1..=0x7f, ..] => (usize::from(a & 0x7f) | usize::from(b & 0x7f) << 7 | usize::from(c) << 14, 3),
            [_, _, _, ..] => return (bodies, Some(DeframeError::LengthTooLong), 0),
            [_] | [_, _] => return (bodies, None, stream.len()),
        };
        match stream.get(prefix..prefix + length) {
            _ if length == 0 => return (bodies, Some(DeframeError::Empty), 0),
            _ if length > CUT_BYTES_MAX => {
                return (bodies, Some(DeframeError::TooLong { bytes: length, max: CUT_BYTES_MAX }), 0);
            }
            Some(body) => bodies.push(body.to_vec()),
            None => return (bodies, None, stream.len()),
        }
        stream = &stream[prefix + length..];
    }
}

/// A dialogue against both judges of a session: they let through exactly what PROTOCOL.md, "Session", allows.
///
/// The input is a stream of bodies; the first byte of each says who speaks (even: the client), the rest is the frame.
pub fn session(input: &[u8]) {
    let mut deframer = Deframer::new(CUT_BYTES_MAX);
    deframer.handle_bytes(Bytes::copy_from_slice(input));
    let (mut from_client, mut from_server) = (FromClient::default(), FromServer::default());
    let (mut said_by_client, mut said_by_server) = (Said::default(), Said::default());
    let mut asked = 0;
    while let Ok(Some(line)) = deframer.poll_body() {
        let (speaker, body) = (line[0], &line[1..]);
        if speaker.is_multiple_of(2) {
            let Ok(frame) = decode_client(body) else { continue };
            let request = plain_request(body);
            let may_stand = body[0] != INTRODUCE && said_by_client.takes(body[0]);
            let legal = may_stand && request.is_none_or(|request| request > said_by_client.request);
            assert_eq!(from_client.handle(&frame).is_ok(), legal, "{frame:?} after {said_by_client:?}");
            said_by_client.note(body[0], legal);
            if let (true, Some(request)) = (legal, request) {
                said_by_client.request = request;
                asked = request;
                from_server.asked(request_of(&frame).expect("the plain reader saw a request"));
            }
        } else {
            let Ok(frame) = decode_server(body) else { continue };
            let legal = said_by_server.may_say(body) && answers_something(body, asked);
            assert_eq!(from_server.handle(&frame).is_ok(), legal, "{frame:?} after {said_by_server:?}");
            said_by_server.note(body[0], legal);
            if said_by_server.suspends(body) {
                asked = 0;
            }
        }
    }
    let goodbye = crate::frame::Goodbye { code: 4000, sentence: "", retry_after: None };
    assert_eq!(from_client.handle(&ClientFrame::Goodbye(goodbye)).is_ok(), !said_by_client.over);
    assert_eq!(from_server.handle(&ServerFrame::Goodbye(goodbye)).is_ok(), !said_by_server.over);
}

/// A client's frame that no session takes.
const INTRODUCE: u8 = 13;

/// A broker's frames that a bridge alone says.
const SUSPENDED: u8 = 12;
const RESUMED: u8 = 13;

/// What one peer has said so far, as far as the rules of order care. `Hello` and `Welcome` are 0, `Goodbye` is 1.
#[derive(Debug, Default)]
struct Said {
    opened: bool,
    over: bool,
    request: u64,
    /// The nonce of the `Suspended` that nothing ended yet.
    suspended: Option<u64>,
}

impl Said {
    fn takes(&self, kind: u8) -> bool {
        !self.over && (kind == 1 || (kind == 0) != self.opened)
    }

    fn note(&mut self, kind: u8, legal: bool) {
        self.opened |= kind == 0;
        self.over |= kind == 1 || !legal;
    }

    /// What [`takes`](Self::takes) says, for a broker or a bridge before it.
    fn may_say(&self, body: &[u8]) -> bool {
        const PING: u8 = 2;
        match (self.suspended, body[0]) {
            (Some(nonce), RESUMED) => !self.over && plain_integer(&body[1..]) == nonce,
            (None, RESUMED) => false,
            (_, SUSPENDED) | (Some(_), PING) => !self.over,
            (Some(_), kind) => !self.over && kind == 1,
            (None, kind) => self.takes(kind),
        }
    }

    /// Notes where a bridge begins and ends to wait. Whether the session before is over by that.
    fn suspends(&mut self, body: &[u8]) -> bool {
        match body[0] {
            SUSPENDED => self.suspended = Some(plain_integer(&body[1..])),
            RESUMED => (self.suspended, self.opened) = (None, false),
            _ => return false,
        }
        true
    }
}

/// The request that a client's body makes, read from its bytes: frames 3 to 10 and 12 begin with it.
fn plain_request(body: &[u8]) -> Option<u64> {
    const PUBLISH: u8 = 7;
    match body[0] {
        PUBLISH => Some(plain_integer(&body[1..])).filter(|request| *request != 0),
        3..=10 | 12 => Some(plain_integer(&body[1..])),
        _ => None,
    }
}

fn answers_something(body: &[u8], last_asked: u64) -> bool {
    const OK: u8 = 3;
    const FAILED: u8 = 4;
    match body[0] {
        OK => (1..=last_asked).contains(&plain_integer(&body[1..])),
        FAILED => plain_integer(&body[1..]) <= last_asked,
        _ => true,
    }
}

fn plain_integer(bytes: &[u8]) -> u64 {
    let end = bytes.iter().position(|byte| byte & 0x80 == 0).expect("the codec saw the end of this integer");
    bytes[..=end].iter().rev().fold(0, |integer, byte| integer << 7 | u64::from(byte & 0x7f))
}
