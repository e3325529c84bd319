//! The seeds that are run, and how one that fails is replayed; the runs themselves know nothing of each other.

use std::cell::Cell;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use callboard::Sabotage;
use callboard::identity::KeyStore;
use tempfile::TempDir;

use super::run::{Met, Outcome, Run};

/// Seeds of a usual run of the tests.
const SEEDS: u64 = 1_000;

/// Keys for all runs.
struct Keys {
    folder: TempDir,
    key: String,
}

impl Keys {
    fn new() -> Self {
        hush();
        let folder = TempDir::new().expect("a folder for keys");
        let store = KeyStore::open(folder.path()).expect("a store without keys");
        let key = store.create("the client with a key").expect("a key");
        Self { key: key.reveal(), folder }
    }

    fn run_of(&self, seed: u64, sabotage: Option<Sabotage>, verbose: bool) -> Run {
        Run::new(seed, (self.folder.path(), &self.key), sabotage, verbose)
    }

    fn run(&self, seed: u64, verbose: bool) -> Outcome {
        let named = Named(seed);
        let outcome = self.run_of(seed, None, verbose).go();
        let faults: Vec<String> = outcome.faults.iter().map(ToString::to_string).collect();
        assert!(faults.is_empty(), "the checker found:\n{}", faults.join("\n"));
        std::mem::forget(named);
        outcome
    }
}

thread_local! {
    /// Whether this thread expects to fail.
    static EXPECTED: Cell<bool> = const { Cell::new(false) };
}

/// Faults on purpose say nothing: there are thousands.
fn hush() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let told = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |fault| {
            let text = fault.payload().downcast_ref::<String>();
            let on_purpose = text.is_some_and(|text| text.starts_with("a fault on purpose"));
            if !on_purpose && !EXPECTED.get() {
                told(fault);
            }
        }));
    });
}

/// Names its seed when that fails.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        eprintln!(
            "\nseed {0} failed; what it does: CALLBOARD_SEED={0} cargo test -p callboard-tests --test promises simulation -- --nocapture\n",
            self.0
        );
    }
}

/// The seed that is to be replayed, if one is, and those that are to be run.
fn asked() -> (Option<u64>, Range<u64>) {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().expect("a number of a seed"));
    let first = number("CALLBOARD_FIRST_SEED").unwrap_or(0);
    (number("CALLBOARD_SEED"), first..first + number("CALLBOARD_SEEDS").unwrap_or(SEEDS))
}

#[test]
fn whatever_happens_nothing_is_lost_untold_and_nothing_is_left_behind() {
    let keys = Keys::new();
    let (one, seeds) = asked();
    if let Some(seed) = one {
        eprintln!("{:?}", keys.run(seed, true));
        return;
    }
    let (mut steps, mut heard, mut met) = (0, 0, Met::default());
    for seed in seeds.clone() {
        let outcome = keys.run(seed, false);
        steps += outcome.steps;
        heard += outcome.heard_bytes;
        met.panics += outcome.met.panics;
        met.held += outcome.met.held;
        met.replays += outcome.met.replays;
        met.ended += outcome.met.ended;
        met.gaps += outcome.met.gaps;
        met.refused += outcome.met.refused;
        met.recovered += outcome.met.recovered;
    }
    eprintln!("{} seeds, {steps} steps, {heard} bytes heard, {met:?}", seeds.end - seeds.start);
    if seeds.end - seeds.start >= 200 {
        let Met { panics, held, replays, ended, gaps, refused, recovered } = met;
        for (what, count) in [
            ("panics", panics),
            ("held reads", held),
            ("replays", replays),
            ("ended sessions", ended),
            ("gaps", gaps),
            ("refusals", refused),
            ("recoveries", recovered),
        ] {
            assert!(count > 0, "no seed met {what}");
        }
    }
}

#[test]
fn the_same_seed_does_the_same() {
    let keys = Keys::new();
    for seed in 0..40 {
        assert_eq!(keys.run(seed, false), keys.run(seed, false), "seed {seed}");
    }
}

/// Seeds after which a bug must have been found.
const FOUND_WITHIN: u64 = 300;

#[test]
fn a_broker_that_does_wrong_is_found_out() {
    let keys = Keys::new();
    EXPECTED.set(true);
    let mut missed = Vec::new();
    for sabotage in [
        Sabotage::LostChunk,
        Sabotage::SwappedPair,
        Sabotage::RepeatedReplay,
        Sabotage::LateLeave,
        Sabotage::DuplicateAnswer,
        Sabotage::SilentGap,
        Sabotage::StoredAgain,
        Sabotage::UntoldReset,
        Sabotage::OwnDelivered,
    ] {
        let fails = |seed| {
            let run = keys.run_of(seed, Some(sabotage), false);
            catch_unwind(AssertUnwindSafe(|| run.go())).map_or(true, |outcome| !outcome.faults.is_empty())
        };
        match (0..FOUND_WITHIN).find(|seed| fails(*seed)) {
            Some(seed) => eprintln!("{sabotage:?} is found by seed {seed}"),
            None => missed.push(sabotage),
        }
    }
    EXPECTED.set(false);
    assert!(missed.is_empty(), "{missed:?} went unnoticed");
}
