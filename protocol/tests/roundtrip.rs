//! Every frame comes back as it was written, whatever its fields hold; what is not a frame never becomes one.

mod golden;

use bytes::BytesMut;
use callboard_protocol::codec::{DecodeError, Frame, decode_client, decode_server, encode, encode_stream};
use callboard_protocol::deframe::Deframer;
use callboard_protocol::limits::{BODY_BYTES_MAX, INTEGER_MAX};
use proptest::prelude::*;

use golden::{Fields, Speaker, any_fields, named_vectors};

fn body_of<F: Frame>(frame: &F) -> Vec<u8> {
    let mut body = BytesMut::new();
    encode(frame, &mut body).expect("a frame within the limit");
    body.to_vec()
}

/// Every frame of either side, encoded.
fn bodies(fields: &Fields) -> Vec<(Speaker, Vec<u8>)> {
    let client = fields.client_frames().into_iter().map(|frame| (Speaker::Client, body_of(&frame)));
    client.chain(fields.server_frames().into_iter().map(|frame| (Speaker::Server, body_of(&frame)))).collect()
}

/// What becomes of a body that is decoded and encoded again.
fn again(speaker: Speaker, body: &[u8]) -> Result<Vec<u8>, DecodeError> {
    match speaker {
        Speaker::Client => decode_client(body).map(|frame| body_of(&frame)),
        Speaker::Server => decode_server(body).map(|frame| body_of(&frame)),
    }
}

proptest! {
    #[test]
    fn every_frame_comes_back_as_it_was(fields in any_fields()) {
        for frame in fields.client_frames() {
            let body = body_of(&frame);
            prop_assert_eq!(decode_client(&body), Ok(frame));
        }
        for frame in fields.server_frames() {
            let body = body_of(&frame);
            prop_assert_eq!(decode_server(&body), Ok(frame));
        }
    }

    #[test]
    fn a_stream_gives_its_frames_back_however_it_is_chunked(
        fields in prop::collection::vec(any_fields(), 1..3),
        chunks in prop::collection::vec(1..2000_usize, 1..20),
    ) {
        let mut stream = BytesMut::new();
        let mut bodies = Vec::new();
        for frame in fields.iter().flat_map(Fields::client_frames) {
            encode_stream(&frame, &mut stream).expect("a frame within the limit");
            bodies.push(body_of(&frame));
        }
        let mut deframer = Deframer::new(BODY_BYTES_MAX);
        let mut cut = Vec::new();
        for chunk_bytes in chunks.iter().cycle() {
            if stream.is_empty() {
                break;
            }
            let chunk = stream.split_to(stream.len().min(*chunk_bytes)).freeze();
            deframer.handle_bytes(chunk);
            while let Some(body) = deframer.poll_body().expect("a good stream") {
                cut.push(body.to_vec());
            }
        }
        prop_assert_eq!(cut, bodies);
        prop_assert!(!deframer.is_mid_frame());
    }

    #[test]
    fn bytes_at_random_are_refused_or_come_back_as_they_were(body in prop::collection::vec(any::<u8>(), 0..64)) {
        for speaker in [Speaker::Client, Speaker::Server] {
            if let Ok(again) = again(speaker, &body) {
                prop_assert_eq!(&again, &body);
            }
        }
    }
}

#[test]
fn no_beginning_of_a_frame_is_a_frame() {
    for vector in named_vectors() {
        for end in 0..vector.body.len() {
            let found = again(vector.speaker, &vector.body[..end]);
            assert_eq!(found, Err(DecodeError::Truncated), "the first {end} bytes of {}", vector.name);
        }
    }
}

#[test]
fn a_frame_with_any_byte_changed_is_refused_or_is_another_frame() {
    for vector in named_vectors() {
        for at in 0..vector.body.len() {
            for value in (0..=u8::MAX).filter(|value| *value != vector.body[at]) {
                let mut body = vector.body.clone();
                body[at] = value;
                if let Ok(again) = again(vector.speaker, &body) {
                    assert_eq!(again, body, "{} with {value:02x} at {at}", vector.name);
                }
            }
        }
    }
}

#[test]
fn a_frame_with_any_byte_behind_it_is_refused() {
    for vector in named_vectors() {
        for byte in 0..=u8::MAX {
            let body = [&vector.body[..], &[byte]].concat();
            assert_eq!(again(vector.speaker, &body), Err(DecodeError::Trailing { bytes: 1 }), "{}", vector.name);
        }
    }
}

/// Puts each of `edges` in the place of every `largest` in every frame, one at a time.
fn at_every_place(fields: &Fields, largest: u64, edges: &[(u64, bool)]) -> usize {
    let largest = varint(largest);
    let mut places = 0;
    for (speaker, body) in bodies(fields) {
        for at in (0..body.len()).filter(|at| body[*at..].starts_with(&largest)) {
            places += 1;
            let replaced = |by: &[u8]| [&body[..at], by, &body[at + largest.len()..]].concat();
            for (edge, legal) in edges {
                let body = replaced(&varint(*edge));
                let expected = if *legal { Ok(body.clone()) } else { Err(DecodeError::Invalid) };
                assert_eq!(again(speaker, &body), expected, "{edge} at {at} of {body:02x?}");
            }
            let mut overlong = varint(5);
            overlong[0] |= 0x80;
            overlong.push(0);
            assert_eq!(again(speaker, &replaced(&overlong)), Err(DecodeError::Overlong), "at {at} of {body:02x?}");
        }
    }
    places
}

fn varint(mut rest: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while rest >= 0x80 {
        bytes.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
    bytes
}

#[test]
fn every_integer_field_ends_at_two_to_the_fifty_three_minus_one() {
    let legal =
        [0, 1, 127, 128, (1 << 31) - 1, 1 << 31, 1 << 32, INTEGER_MAX - 1, INTEGER_MAX].map(|edge| (edge, true));
    let illegal = [INTEGER_MAX + 1, 1 << 54, 1 << 63, u64::MAX].map(|edge| (edge, false));
    let places = at_every_place(&Fields::bare(INTEGER_MAX, 1, 1), INTEGER_MAX, &[&legal[..], &illegal[..]].concat());
    assert_eq!(places, 79, "every integer of every frame was tried");
}

#[test]
fn every_narrow_integer_field_ends_at_its_width() {
    let legal = [0, 1, (1 << 31) - 1, 1 << 31, u64::from(u32::MAX) - 1].map(|edge| (edge, true));
    let illegal = [1 << 32, 1 << 33, INTEGER_MAX, u64::MAX].map(|edge| (edge, false));
    let edges = [&legal[..], &illegal[..]].concat();
    assert_eq!(at_every_place(&Fields::bare(1, u32::MAX, 1), u64::from(u32::MAX), &edges), 9);
    let edges = [(0, true), (4000, true), (1 << 15, true), (1 << 16, false), (1 << 32, false), (u64::MAX, false)];
    assert_eq!(at_every_place(&Fields::bare(1, 1, u16::MAX), u64::from(u16::MAX), &edges), 4);
}
