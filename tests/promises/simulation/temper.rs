//! What a seed draws before it begins: which moves it likes, and how narrow its broker's bounds are; never what happens.

use std::path::Path;
use std::time::Duration;

use callboard::Config;
use callboard::config::{Drain, History, Limits, Outbox, Pattern, Rate};
use callboard_tests::proxy::Dice;

/// Something that can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Move {
    Connect,
    HangUp,
    HalfClose,
    Loiter,
    Subscribe,
    Unsubscribe,
    Resubscribe,
    Publish,
    Burst,
    Cast,
    Large,
    Churn,
    Refused,
    Identity,
    Pace,
    Moment,
    Seconds,
    Minutes,
    Panic,
    Restart,
    Drain,
}

/// How often each happens where a seed likes it, before chance.
const MOVES: &[(Move, usize)] = &[
    (Move::Connect, 60),
    (Move::HangUp, 12),
    (Move::HalfClose, 4),
    (Move::Loiter, 3),
    (Move::Subscribe, 60),
    (Move::Unsubscribe, 20),
    (Move::Resubscribe, 10),
    (Move::Publish, 80),
    (Move::Burst, 25),
    (Move::Cast, 30),
    (Move::Large, 12),
    (Move::Churn, 3),
    (Move::Refused, 6),
    (Move::Identity, 8),
    (Move::Pace, 30),
    (Move::Moment, 30),
    (Move::Seconds, 20),
    (Move::Minutes, 3),
    (Move::Panic, 4),
    (Move::Restart, 2),
    (Move::Drain, 2),
];

/// What a seed is like.
#[derive(Debug)]
pub(super) struct Temper {
    pub(super) clients: u8,
    pub(super) channels: Vec<String>,
    pub(super) steps: usize,
    /// Payload bytes of a usual publish, at most.
    pub(super) payload_bytes: usize,
    /// Whether no publish is refused that a later one may pass.
    pub(super) generous: bool,
    moves: Vec<(Move, usize)>,
}

impl Temper {
    pub(super) fn draw(dice: &mut Dice) -> Self {
        // What a seed never does leaves more room for the rest: some mistakes show only where others do not interfere.
        let mut moves = Vec::new();
        for (what, weight) in MOVES {
            let liking = *dice.one_of(&[0, 1, 1, 2, 8]);
            let least = usize::from(matches!(what, Move::Connect | Move::Subscribe | Move::Publish));
            moves.push((*what, weight * liking.max(least)));
        }
        let mut channels: Vec<String> = (0..=dice.below(4)).map(|place| format!("channel/{place}")).collect();
        channels.push("faults/channel/one".to_owned());
        Self {
            clients: 1 + u8::try_from(dice.below(5)).expect("few clients"),
            channels,
            steps: 40 + dice.below(120),
            payload_bytes: *dice.one_of(&[10, 100, 3000]),
            generous: dice.happens(0.5),
            moves,
        }
    }

    pub(super) fn next(&self, dice: &mut Dice) -> Move {
        let mut chosen = dice.below(self.moves.iter().map(|(_, weight)| weight).sum());
        for (what, weight) in &self.moves {
            match chosen.checked_sub(*weight) {
                Some(rest) => chosen = rest,
                None => return *what,
            }
        }
        Move::Moment
    }
}

/// A broker with some bounds so narrow that they are met.
pub(super) fn config(dice: &mut Dice, generous: bool, data_dir: &Path) -> Config {
    let often = |dice: &mut Dice, narrow: usize, wide: usize| if dice.happens(0.3) { narrow } else { wide };
    let unless_generous =
        |dice: &mut Dice, narrow: usize, wide: usize| if generous { wide } else { often(dice, narrow, wide) };
    let rate = |burst: usize| Rate { per_second: burst as u64, burst: burst as u64 };
    let mut config = Config::new(data_dir);
    let history = History {
        messages: *dice.one_of(&[0, 1, 5, 40, 1024]),
        bytes: *dice.one_of(&[0, 300, 5_000, 1 << 20]),
        age: Duration::from_secs(*dice.one_of(&[1, 20, 300])),
    };
    config.history = vec![(Pattern::parse("**").expect("a pattern"), history)];
    config.outbox =
        Outbox { messages: *dice.one_of(&[100, 300, 16 << 10]), bytes: *dice.one_of(&[10_000, 80_000, 1 << 20]) };
    config.anonymous_publish = Some(generous || !dice.happens(0.15));
    config.payload_bytes_max = 40_000;
    config.subscriptions_max = often(dice, 2, 100);
    config.channel_idle = Duration::from_millis(*dice.one_of(&[3, 500, 5_000]));
    config.channel_grace = Duration::from_secs(*dice.one_of(&[0, 2, 60]));
    config.drain = Drain { deadline: Duration::from_secs(4), spread: Duration::from_secs(1) };
    config.limits = Limits {
        connections_per_address: often(dice, 3, 100),
        channels: unless_generous(dice, 3, 100),
        births: rate(unless_generous(dice, 2, 1000)),
        births_per_address: rate(unless_generous(dice, 3, 1000)),
        publishes: rate(unless_generous(dice, 30, 100_000)),
        frames: rate(unless_generous(dice, 200, 100_000)),
        history_bytes: often(dice, 2_000, 1 << 20),
        outbox_bytes: often(dice, 200_000, 16 << 20),
        ..Limits::default()
    };
    config
}
