//! The golden vectors are what this crate reads and writes, byte by byte; every codec is held against the same files.

mod golden;

use std::collections::BTreeSet;

use bytes::{Bytes, BytesMut};
use callboard_protocol::ChannelName;
use callboard_protocol::codec::{DecodeError, Frame, decode_client, decode_server, encode, encode_stream};
use callboard_protocol::deframe::Deframer;
use callboard_protocol::limits::{BODY_BYTES_MAX, LENGTH_BYTES_MAX};
use callboard_protocol::session::{FromClient, FromServer, Violation, request_of};
use serde_json::Value;

use golden::{
    Malformed, Speaker, client_frames, describe_client, describe_server, hex_of, line_of, malformed_vectors,
    named_vectors, names_file, server_frames,
};

fn encoded<F: Frame>(frame: &F) -> BytesMut {
    let mut body = BytesMut::new();
    encode(frame, &mut body).expect("a golden frame is short");
    body
}

#[test]
fn every_frame_of_the_table_encodes_to_its_vector_and_back() {
    let file = named_vectors();
    let mut missing = Vec::new();
    let mut compare = |name: &str, speaker: Speaker, body: &[u8], frame: &Value| {
        let line = file.iter().find(|line| line.name == name);
        if !line.is_some_and(|line| line.speaker == speaker && line.body == body && line.frame == *frame) {
            missing.push(line_of(name, speaker, body, frame));
        }
    };
    for (name, frame) in client_frames() {
        let body = encoded(&frame);
        assert_eq!(decode_client(&body), Ok(frame), "{name}");
        compare(name, Speaker::Client, &body, &describe_client(&frame));
    }
    for (name, frame) in server_frames() {
        let body = encoded(&frame);
        assert_eq!(decode_server(&body), Ok(frame), "{name}");
        compare(name, Speaker::Server, &body, &describe_server(&frame));
    }
    assert!(missing.is_empty(), "vectors/frames.json should have these lines:\n{}", missing.join(",\n"));
}

#[test]
fn every_vector_stands_in_the_table_once() {
    let file: Vec<String> = named_vectors().into_iter().map(|line| line.name).collect();
    let mut table: Vec<String> = client_frames().iter().map(|(name, _)| (*name).to_owned()).collect();
    table.extend(server_frames().iter().map(|(name, _)| (*name).to_owned()));
    assert_eq!(file, table, "the same names in the same order");
    assert_eq!(file.iter().collect::<BTreeSet<_>>().len(), file.len(), "no name twice");
}

#[test]
fn every_frame_and_every_choice_has_a_vector() {
    let lines = named_vectors();
    let kinds = |speaker| lines.iter().filter(|l| l.speaker == speaker).map(|l| l.body[0]).collect::<BTreeSet<_>>();
    assert_eq!(kinds(Speaker::Client), (0..14).collect());
    assert_eq!(kinds(Speaker::Server), (0..14).collect());
    assert_eq!(decode_client(&[14]), Err(DecodeError::Invalid), "there are no more kinds");
    assert_eq!(decode_server(&[14]), Err(DecodeError::Invalid), "there are no more kinds");
    let choices = |pointer: &str| {
        let kinds = lines.iter().filter_map(|line| line.frame.pointer(pointer)?.as_str());
        kinds.map(ToOwned::to_owned).collect::<BTreeSet<_>>()
    };
    assert_eq!(choices("/start/kind").len(), 3);
    assert_eq!(choices("/answer/kind").len(), 5);
    assert_eq!(choices("/outcome/kind").len(), 2);
    assert_eq!(choices("/payload/kind").len(), 3);
    for option in ["credential", "origin", "retry_after", "key", "publisher", "identity", "data", "caller"] {
        let values: Vec<&Value> = lines.iter().filter_map(|line| line.frame.get(option)).collect();
        assert!(values.iter().any(|value| value.is_null()), "{option} is absent somewhere");
        assert!(values.iter().any(|value| !value.is_null()), "{option} is present somewhere");
    }
}

#[test]
fn every_malformed_body_is_refused_as_the_file_says() {
    for vector in malformed_vectors() {
        let Malformed::Body { name, speaker, body, error } = vector else { continue };
        let found = match speaker {
            Speaker::Client => decode_client(&body).map(|frame| format!("{frame:?}")),
            Speaker::Server => decode_server(&body).map(|frame| format!("{frame:?}")),
        };
        assert_eq!(found.map_err(|error| variant(&error)), Err(error), "{name}: {}", hex_of(&body));
    }
}

#[test]
fn every_malformed_stream_is_refused_as_the_file_says() {
    for vector in malformed_vectors() {
        let Malformed::Stream { name, bytes, error } = vector else { continue };
        let mut deframer = Deframer::new(BODY_BYTES_MAX);
        deframer.handle_bytes(Bytes::from(bytes));
        let found = loop {
            match deframer.poll_body() {
                Ok(Some(_)) => {}
                Ok(None) => break "Truncated".to_owned(),
                Err(error) => break variant(&error),
            }
        };
        assert_eq!(found, error, "{name}");
    }
}

#[test]
fn every_malformed_dialogue_fails_at_its_last_line_as_the_file_says() {
    for vector in malformed_vectors() {
        let Malformed::Session { name, lines, error } = vector else { continue };
        let (mut from_client, mut from_server) = (FromClient::default(), FromServer::default());
        let mut verdicts: Vec<Result<(), Violation>> = Vec::new();
        for (speaker, body) in &lines {
            verdicts.push(match speaker {
                Speaker::Client => {
                    let frame = decode_client(body).expect("a good frame in a bad place");
                    request_of(&frame).into_iter().for_each(|request| from_server.asked(request));
                    from_client.handle(&frame)
                }
                Speaker::Server => from_server.handle(&decode_server(body).expect("a good frame in a bad place")),
            });
        }
        let last = verdicts.pop().expect("a dialogue has lines");
        assert!(verdicts.iter().all(Result::is_ok), "{name}: {verdicts:?}");
        assert_eq!(last.map_err(|violation| variant(&violation)), Err(error), "{name}");
    }
}

/// The name of an error's variant.
fn variant(error: &impl std::fmt::Debug) -> String {
    let debug = format!("{error:?}");
    debug.split([' ', '{', '(']).next().expect("a name").to_owned()
}

#[test]
fn every_channel_name_of_the_file_is_judged_as_it_says() {
    let (legal, illegal) = names_file();
    for name in legal {
        assert!(ChannelName::parse(&name).is_ok(), "{name:?}");
    }
    for (name, error) in illegal {
        assert_eq!(ChannelName::parse(&name).map_err(|error| variant(&error)), Err(error), "{name:?}");
    }
}

#[test]
fn every_vector_dressed_for_a_stream_is_its_length_and_itself() {
    for (name, frame) in server_frames() {
        let body = encoded(&frame);
        let mut stream = BytesMut::new();
        encode_stream(&frame, &mut stream).expect("a golden frame is short");
        assert!(stream.len() - body.len() <= LENGTH_BYTES_MAX);
        assert!(stream.ends_with(&body), "{name}");
        let mut deframer = Deframer::new(BODY_BYTES_MAX);
        deframer.handle_bytes(stream.freeze());
        assert_eq!(deframer.poll_body(), Ok(Some(body.freeze())), "{name}");
    }
}
