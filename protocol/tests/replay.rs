//! What the fuzzers found, and every vector, is replayed against the same laws by each `cargo test`.

mod golden;

use std::fs;
use std::path::Path;

use callboard_protocol::fuzzing;

use golden::{Malformed, Speaker, malformed_vectors, named_vectors};

/// A fuzz body.
type Law = fn(&[u8]);

/// Runs `law` over the seeds of a target; how many there were.
fn replay(target: &str, law: Law) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let mut seeds = 0;
    for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        law(&fs::read(entry.expect("a seed").path()).expect("a seed is readable"));
        seeds += 1;
    }
    seeds
}

#[test]
fn the_corpus_keeps_every_law() {
    let targets: [(&str, Law); 4] = [
        ("client_frame", fuzzing::client_frame),
        ("server_frame", fuzzing::server_frame),
        ("deframer", fuzzing::deframer),
        ("session", fuzzing::session),
    ];
    for (target, law) in targets {
        assert!(replay(target, law) > 20, "{target} has its seeds");
    }
}

#[test]
fn every_vector_keeps_every_law_on_both_sides() {
    for vector in named_vectors() {
        fuzzing::client_frame(&vector.body);
        fuzzing::server_frame(&vector.body);
    }
    for vector in malformed_vectors() {
        match vector {
            Malformed::Body { body, .. } => {
                fuzzing::client_frame(&body);
                fuzzing::server_frame(&body);
            }
            Malformed::Stream { bytes, .. } => {
                for seed in [0, 1, 3, 255] {
                    fuzzing::deframer(&[&[seed], &bytes[..]].concat());
                }
            }
            Malformed::Session { lines, .. } => fuzzing::session(&dialogue(&lines)),
        }
    }
}

#[test]
fn every_vector_keeps_the_laws_of_a_session_behind_every_other() {
    let vectors = named_vectors();
    for first in &vectors {
        for second in &vectors {
            let lines = [first, second, first].map(|vector| (vector.speaker, vector.body.clone()));
            fuzzing::session(&dialogue(&lines));
        }
    }
}

/// A dialogue as the session's law reads it.
fn dialogue(lines: &[(Speaker, Vec<u8>)]) -> Vec<u8> {
    let mut stream = Vec::new();
    for (speaker, body) in lines {
        let length = 1 + body.len();
        if length < 0x80 {
            stream.push(length as u8);
        } else {
            stream.extend([(length & 0x7f) as u8 | 0x80, (length >> 7) as u8]);
        }
        stream.push(u8::from(*speaker == Speaker::Server));
        stream.extend(body);
    }
    stream
}
