//! Tables of what the decoder takes and refuses, however the bytes are cut.

use super::*;

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A masked frame whose first byte is `first`.
fn frame(first: u8, content: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match content.len() {
        0..=125 => frame.push(0x80 | content.len() as u8),
        126..=0xffff => {
            frame.push(0x80 | 126);
            frame.extend((content.len() as u16).to_be_bytes());
        }
        _ => {
            frame.push(0x80 | 127);
            frame.extend((content.len() as u64).to_be_bytes());
        }
    }
    frame.extend(MASK);
    frame.extend(content.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

fn read(bytes: &[u8], step: usize) -> (Vec<Message>, Option<Fault>, Reader) {
    let (mut reader, mut all) = (Reader::new(1000), Vec::new());
    for piece in bytes.chunks(step) {
        reader.handle_bytes(piece);
        loop {
            match reader.poll() {
                Ok(Some(message)) => all.push(message),
                Ok(None) => break,
                Err(fault) => return (all, Some(fault), reader),
            }
        }
    }
    (all, None, reader)
}

fn text(text: &'static str) -> Message {
    Message::Text(Utf8Bytes::from_static(text))
}

#[test]
fn messages_do_not_depend_on_how_they_were_cut() {
    let bytes = [
        frame(0x81, "Grüße".as_bytes()),
        frame(0x02, b"a"),
        frame(0x89, b"are you there"),
        frame(0x00, b""),
        frame(0x80, &[b'b'; 300]),
        frame(0x8a, b""),
        frame(0x88, b"\x03\xe8bye"),
        frame(0x81, b"behind the close"),
    ]
    .concat();
    for step in [1, 2, 7, 100, 10_000] {
        let (messages, fault, reader) = read(&bytes, step);
        let expected = [
            text("Grüße"),
            Message::Ping(Bytes::from_static(b"are you there")),
            Message::Binary([&b"a"[..], &[b'b'; 300]].concat().into()),
            Message::Pong,
            Message::Close(Some(1000)),
        ];
        assert_eq!((messages.as_slice(), fault), (&expected[..], None), "{step}");
        assert_eq!(reader.buffer.capacity(), 0, "nothing is read behind a close, and nothing is kept");
    }
}

#[test]
fn between_two_messages_nothing_is_kept() {
    let (_, _, mut reader) = read(&[frame(0x82, &[7; 900]), frame(0x01, &[b'x'; 50]), frame(0x80, b"")].concat(), 500);
    assert_eq!(reader.buffer.capacity(), 0);
    assert!(reader.message.is_none());
    reader.handle_bytes(&frame(0x82, &[7; 900])[..5]);
    assert_eq!(reader.poll(), Ok(None));
    assert!(reader.buffer.capacity() < 64, "nothing is taken for what was only announced");
}

#[test]
fn a_header_is_judged_before_its_content() {
    use Fault::{Framing, TooLong};
    for (bytes, is_framing) in [
        (&[0x82, 0x05][..], true),
        (&[0xc2, 0x80, 0, 0, 0, 0], true),
        (&[0x92, 0x80, 0, 0, 0, 0], true),
        (&[0x83, 0x80, 0, 0, 0, 0], true),
        (&[0x8b, 0x80, 0, 0, 0, 0], true),
        (&[0x80, 0x80, 0, 0, 0, 0], true),
        (&[0x09, 0x80, 0, 0, 0, 0], true),
        (&[0x89, 0xfe, 0, 126, 0, 0, 0, 0], true),
        (&[0x82, 0xfe, 0, 125, 0, 0, 0, 0], true),
        (&[0x82, 0xff, 0, 0, 0, 0, 0, 0, 255, 255, 0, 0, 0, 0], true),
        (&[0x82, 0xff, 128, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], true),
        (&[0x82, 0xff, 127, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0], false),
        (&[0x82, 0xfe, 3, 233, 0, 0, 0, 0], false),
    ] {
        let (messages, fault, _) = read(bytes, bytes.len());
        assert!(messages.is_empty());
        assert!(
            matches!((fault, is_framing), (Some(Framing(_)), true) | (Some(TooLong { max: 1000 }), false)),
            "{bytes:x?}"
        );
    }
}

#[test]
fn the_limit_is_of_the_message_and_not_of_the_frame() {
    let whole = [frame(0x02, &[0; 600]), frame(0x80, &[0; 400])].concat();
    assert_eq!(read(&whole, 300).0.len(), 1);
    let above = [frame(0x02, &[0; 600]), frame(0x80, &[0; 401])].concat();
    assert_eq!(read(&above, 300).1, Some(Fault::TooLong { max: 1000 }));
}

#[test]
fn empty_fragments_are_counted() {
    let mut bytes = frame(0x01, b"");
    bytes.extend(frame(0x00, b"").repeat(FRAGMENTS_MAX as usize - 1));
    assert_eq!(read(&bytes, 16 << 10).1, None);
    bytes.extend(frame(0x80, b""));
    assert_eq!(read(&bytes, 16 << 10).1, Some(Fault::TooManyFragments));
}

#[test]
fn a_text_that_is_no_utf_8_is_refused_with_the_frame_that_shows_it() {
    for bytes in [
        frame(0x81, b"\xce\xba\xe1\xbd\xb9\xed\xa0\x80edited"),
        frame(0x01, b"\xf4\x90\x80\x80"),
        frame(0x81, b"\xc3"),
        [frame(0x01, b"\xc3"), frame(0x00, b"\x28")].concat(),
        [frame(0x01, b"\xc3"), frame(0x80, b"")].concat(),
        frame(0x88, b"\x03\xe8\xff"),
    ] {
        assert_eq!(read(&bytes, 3).1, Some(Fault::Text), "{bytes:x?}");
    }
    let (messages, fault, _) = read(&[frame(0x01, b"\xc3"), frame(0x80, b"\xa4")].concat(), 3);
    assert_eq!((messages.as_slice(), fault), (&[text("ä")][..], None), "a character may be cut between frames");
}

#[test]
fn close_codes_that_nobody_may_send_are_refused() {
    for (code, is_legal) in [
        (0, false),
        (999, false),
        (1000, true),
        (1004, false),
        (1005, false),
        (1006, false),
        (1011, true),
        (1015, false),
        (1016, false),
        (2999, false),
        (3000, true),
        (4999, true),
        (5000, false),
        (65535, false),
    ] {
        let (_, fault, _) = read(&frame(0x88, &u16::to_be_bytes(code)), 100);
        assert_eq!(fault.is_none(), is_legal, "{code}");
    }
    assert!(matches!(read(&frame(0x88, b"\x03"), 100).1, Some(Fault::Framing(_))));
    assert_eq!(read(&frame(0x88, b""), 100).0, [Message::Close(None)]);
}
