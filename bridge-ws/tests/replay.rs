//! What the fuzzers found, and every vector, is replayed against the same laws by each `cargo test`.

#[path = "../../protocol/tests/golden/mod.rs"]
mod golden;

use std::fs;
use std::path::Path;

use callboard_bridge_ws::fuzzing;

use golden::{Malformed, json_file, malformed_vectors, named_vectors};

/// A fuzz body.
type Law = fn(&[u8]);

const LAWS: [(&str, Law); 4] = [
    ("json_client", fuzzing::json_client),
    ("json_server", fuzzing::json_server),
    ("publish_body", fuzzing::publish_body),
    ("websocket", fuzzing::websocket),
];

#[test]
fn the_corpus_keeps_every_law() {
    for (target, law) in LAWS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
        let seeds = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let seeds: Vec<_> = seeds.map(|seed| fs::read(seed.expect("a seed").path()).expect("readable")).collect();
        assert!(seeds.len() > 20, "{target} has its seeds");
        seeds.iter().for_each(|seed| law(seed));
    }
}

#[test]
fn every_vector_keeps_every_law_on_both_sides() {
    let lists = ["frames", "short", "refused"].map(json_file).concat();
    let texts = lists.iter().map(|line| line.text("text").into_bytes());
    let bodies = named_vectors().into_iter().map(|vector| vector.body);
    let malformed = malformed_vectors().into_iter().filter_map(|vector| match vector {
        Malformed::Body { body, .. } => Some(body),
        Malformed::Stream { bytes, .. } => Some(bytes),
        Malformed::Session { .. } => None,
    });
    for input in texts.chain(bodies).chain(malformed) {
        LAWS.iter().for_each(|(_, law)| law(&input));
    }
}
