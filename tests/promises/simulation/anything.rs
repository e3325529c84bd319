//! Whatever peers send, in whatever order: the laws of the broker's fuzz target, over its seeds and over chance; no law stands here.

use std::fs;
use std::path::Path;

use callboard::fuzzing::broker;
use callboard_tests::proxy::Dice;

/// Inputs of chance, after the seeds.
const INPUTS: u64 = 150;

#[test]
fn the_corpus_keeps_every_law_of_the_broker() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/broker");
    let mut seeds = 0;
    for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        broker(&fs::read(entry.expect("a seed").path()).expect("a seed is readable"));
        seeds += 1;
    }
    assert!(seeds > 20, "the broker has its seeds");
}

#[test]
fn moves_of_chance_keep_every_law_of_the_broker() {
    let inputs = std::env::var("CALLBOARD_INPUTS").map_or(INPUTS, |text| text.parse().expect("a number of inputs"));
    for seed in 0..inputs {
        let mut dice = Dice::new(seed);
        let bytes: Vec<u8> = (0..dice.below(400)).map(|_| dice.number() as u8).collect();
        println!("input {seed}");
        broker(&bytes);
    }
}
