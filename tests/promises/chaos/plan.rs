//! What happens in a trial of chaos, and in which order: decided by the seed alone, before anything happens.

use std::fmt;
use std::time::Duration;

use callboard_tests::Way;
use callboard_tests::process::Disk;
use callboard_tests::proxy::{Dice, Faults};

/// How many rounds a trial has: its logs stay small enough to be judged at once.
pub(super) const ROUNDS: usize = 8;

/// Faults of a round at most; those of the network go on while others come.
const FAULTS_MAX: usize = 3;

/// Something that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Blow {
    /// The broker is killed, and started again on the same data directory.
    Kill { disk: Disk },
    /// The broker is asked to shut down, and started again.
    Drain { disk: Disk },
    /// The broker's process stands still.
    Pause(Duration),
    /// The network turns bad, on one way or both.
    Network { way: Option<Way>, faults: Faults },
    /// Nothing comes through, on one way or both.
    Cut(Option<Way>),
    /// A router forgets its clients.
    Rebind,
    /// Every client's socket moves to another port.
    Move,
    /// So many clients come at once, and go without a word.
    Storm(usize),
}

/// A fault, and how long it is until the next one or the end of the round.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Step {
    pub(super) blow: Blow,
    pub(super) then: Duration,
}

/// The rounds of a trial.
pub(super) fn rounds(seed: u64) -> Vec<Vec<Step>> {
    let mut dice = Dice::new(seed);
    let round = |_| (0..=dice.below(FAULTS_MAX)).map(|_| step(&mut dice)).collect();
    (0..ROUNDS).map(round).collect()
}

fn step(dice: &mut Dice) -> Step {
    let ms = Duration::from_millis;
    let blow = match dice.below(10) {
        0 | 1 => Blow::Kill { disk: disk(dice) },
        2 => Blow::Drain { disk: disk(dice) },
        // Mostly short: what is longer than every timeout takes a trial's time.
        3 if dice.happens(0.25) => Blow::Pause(dice.between(ms(3000), ms(15_000))),
        3 => Blow::Pause(dice.between(ms(100), ms(3000))),
        4 | 5 => Blow::Network { way: way(dice), faults: faults(dice) },
        6 | 7 => Blow::Cut(way(dice)),
        8 if dice.happens(0.5) => Blow::Rebind,
        8 => Blow::Move,
        _ => Blow::Storm(10 + dice.below(50)),
    };
    let longest = if matches!(blow, Blow::Network { .. } | Blow::Cut(_)) { ms(5000) } else { ms(1500) };
    Step { blow, then: dice.up_to(longest) }
}

fn disk(dice: &mut Dice) -> Disk {
    if dice.happens(0.25) { Disk::Full } else { Disk::Roomy }
}

fn way(dice: &mut Dice) -> Option<Way> {
    // What loses answers alone leaves the most in doubt.
    *dice.one_of(&[None, Some(Way::ToBroker), Some(Way::ToClient), Some(Way::ToClient)])
}

/// One or several of a network's faults; the worst of delays is rarer than the others.
fn faults(dice: &mut Dice) -> Faults {
    let mut faults = Faults::default();
    for _ in 0..=dice.below(3) {
        match dice.below(8) {
            0 | 1 => faults.drop = dice.up_to(Duration::from_millis(300)).as_secs_f64(),
            2 => faults.duplicate = 0.2,
            3 => faults.reorder = 0.3,
            4 => faults.flip = 0.1,
            5 => faults.bytes_max = Some(1200),
            6 => faults.delay = dice.up_to(Duration::from_millis(300)),
            _ => {
                let longest = if dice.happens(0.3) { Duration::from_secs(2) } else { Duration::from_millis(100) };
                faults.jitter = dice.up_to(longest);
            }
        }
    }
    faults
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.blow {
            Blow::Kill { disk } => write!(f, "kill -9, restart on a {disk:?} disk"),
            Blow::Drain { disk } => write!(f, "SIGTERM, restart on a {disk:?} disk"),
            Blow::Pause(pause) => write!(f, "SIGSTOP for {pause:.1?}"),
            Blow::Network { way, faults } => {
                let Faults { dead: _, drop, duplicate, reorder, flip, delay, jitter, bytes_max } = faults;
                let max = bytes_max.map_or("any size".to_owned(), |bytes| format!("{bytes} bytes at most"));
                write!(f, "network {}: drop {drop:.2} duplicate {duplicate} reorder {reorder} ", ways(*way))?;
                write!(f, "flip {flip} delay {delay:.0?} jitter {jitter:.0?} {max}")
            }
            Blow::Cut(way) => write!(f, "cut {}", ways(*way)),
            Blow::Rebind => f.write_str("router forgets its clients"),
            Blow::Move => f.write_str("clients move"),
            Blow::Storm(clients) => write!(f, "storm of {clients} clients"),
        }?;
        write!(f, ", then {:.1?}", self.then)
    }
}

fn ways(way: Option<Way>) -> &'static str {
    match way {
        None => "both ways",
        Some(Way::ToBroker) => "to the broker",
        Some(Way::ToClient) => "to the clients",
    }
}

#[test]
fn a_seed_decides_everything() {
    assert_eq!(rounds(7), rounds(7));
    assert_ne!(rounds(7), rounds(8));
}

#[test]
fn every_fault_comes_in_some_seed() {
    let all: Vec<Blow> = (0..50).flat_map(rounds).flatten().map(|step| step.blow).collect();
    let comes = |is_it: &dyn Fn(&Blow) -> bool| assert!(all.iter().any(is_it));
    for disk in [Disk::Roomy, Disk::Full] {
        comes(&|blow| *blow == Blow::Kill { disk });
        comes(&|blow| *blow == Blow::Drain { disk });
    }
    for way in [None, Some(Way::ToBroker), Some(Way::ToClient)] {
        comes(&|blow| *blow == Blow::Cut(way));
        comes(&|blow| matches!(blow, Blow::Network { way: on, .. } if *on == way));
    }
    comes(&|blow| matches!(blow, Blow::Pause(pause) if pause.as_secs() < 1));
    comes(&|blow| matches!(blow, Blow::Pause(pause) if pause.as_secs() > 10));
    comes(&|blow| matches!(blow, Blow::Rebind));
    comes(&|blow| matches!(blow, Blow::Move));
    comes(&|blow| matches!(blow, Blow::Storm(_)));
    let of_network = |is_it: &dyn Fn(&Faults) -> bool| {
        comes(&|blow| matches!(blow, Blow::Network { faults, .. } if is_it(faults)));
    };
    of_network(&|faults| faults.drop > 0.2);
    of_network(&|faults| faults.duplicate > 0.0);
    of_network(&|faults| faults.reorder > 0.0);
    of_network(&|faults| faults.flip > 0.0);
    of_network(&|faults| faults.bytes_max.is_some());
    of_network(&|faults| faults.delay.as_millis() > 200);
    of_network(&|faults| faults.jitter.as_millis() > 1500);
}
