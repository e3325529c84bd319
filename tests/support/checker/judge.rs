//! The judgement: goes through all logs once, and then through what they say together.

use super::end::{self, Presence};
use super::faults::{Faults, Rule};
use super::log::Fact;
use super::places::Places;
use super::publishes::{Asker, Publishes};
use super::roll::Roll;
use super::subscriptions::{News, Phase, Subscriptions};
use super::trial::{End, Trial};

/// Judges a trial.
#[must_use]
pub fn judge(trial: &Trial<'_>) -> Faults {
    let mut court = Court {
        roll: Roll::of(trial.logs),
        places: Places::default(),
        publishes: Publishes::default(),
        subscriptions: Subscriptions::default(),
        end: trial.end,
    };
    let presences: Vec<Presence> = (0..trial.logs.len()).map(|log| court.hear(log)).collect();
    let Court { mut roll, mut places, mut publishes, subscriptions, end } = court;
    publishes.judge_stored(&mut roll, &mut places, trial.strangers);
    publishes.judge_real_time(&mut roll);
    places.sort();
    subscriptions.judge_own(&mut roll, &places, &publishes);
    match end {
        End::Cut => {}
        End::Drained => end::judge_drained(&mut roll, &places, &publishes, &subscriptions),
        End::Quiet { .. } => end::judge_quiet(&mut roll, &places, &publishes, &subscriptions, &presences),
    }
    let mut faults = roll.faults;
    for sample in trial.memory.iter().filter(|sample| sample.measured_bytes > sample.allowed_bytes) {
        let sentence = format!(
            "{} KiB were needed at {} ms, and {} KiB are allowed",
            sample.measured_bytes >> 10,
            sample.at_ms,
            sample.allowed_bytes >> 10
        );
        let client = "the broker".to_owned();
        faults.push(super::Fault { rule: Rule::Memory, client, channel: None, position: None, sentence });
    }
    faults
}

/// What is known so far.
struct Court<'a> {
    roll: Roll<'a>,
    places: Places<'a>,
    publishes: Publishes<'a>,
    subscriptions: Subscriptions,
    end: End,
}

impl<'a> Court<'a> {
    fn hear(&mut self, log: usize) -> Presence {
        let mut presence = Presence::default();
        for (at_ms, fact) in self.roll.logs[log].facts() {
            self.take(log, *at_ms, fact, &mut presence);
        }
        presence
    }

    fn take(&mut self, log: usize, at_ms: u64, fact: &'a Fact, presence: &mut Presence) {
        let Self { roll, places, publishes, subscriptions, end } = self;
        let asker = Asker { log, at_ms, session: presence.ended };
        let (subscription, news) = match fact {
            Fact::Connected => return presence.connected(roll, log, at_ms, *end),
            Fact::Disconnected { code } => return presence.disconnected(roll, log, at_ms, *code),
            Fact::Closed => return presence.closed(),
            Fact::Published { publish, channel, payload } => {
                return publishes.ask(roll, asker, Some(*publish), channel, payload);
            }
            Fact::Cast { channel, payload } => return publishes.ask(roll, asker, None, channel, payload),
            Fact::Resent { publish } => return publishes.ask_again(roll, asker, *publish),
            Fact::Acknowledged { publish, position } => {
                return publishes.acknowledge(roll, places, asker, *publish, *position);
            }
            Fact::Refused { publish } => return publishes.refuse(roll, asker, *publish),
            Fact::Subscribing { subscription, channel, start, exclude_own } => {
                return subscriptions.ask(roll, log, *subscription, channel, (*start, *exclude_own));
            }
            Fact::Leaving { subscription } => return subscriptions.leave(roll, log, *subscription, Phase::Leaving),
            Fact::Denied { subscription } | Fact::Left { subscription } => {
                return subscriptions.leave(roll, log, *subscription, Phase::Over);
            }
            Fact::Began { subscription, at, recovered } => {
                (subscription, News::Began { at: *at, recovered: *recovered })
            }
            Fact::Message { subscription, position, payload } => {
                (subscription, News::Message { position: *position, payload })
            }
            Fact::Skipped { subscription, through } => (subscription, News::Skipped { through: *through }),
            Fact::Gap { subscription, at } => (subscription, News::Gap { at: *at }),
        };
        subscriptions.hear(roll, places, (log, at_ms), *subscription, news);
    }
}
