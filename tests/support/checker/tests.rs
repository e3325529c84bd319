//! Each rule of the checker passes a log that keeps it and catches one that breaks it; nothing else is tested here.

mod end;
mod publishes;
mod subscriptions;
mod witness;

use callboard_protocol::frame::Start;
use callboard_protocol::{Epoch, Offset, Position};

use super::{Fact, Faults, Log, Rule, Trial, judge};

pub(super) fn at(epoch: u64, offset: u64) -> Position {
    Position { epoch: Epoch::saturating(epoch), offset: Offset::saturating(offset) }
}

/// A log whose facts are ten milliseconds apart.
pub(super) fn log(name: &str, facts: impl IntoIterator<Item = Fact>) -> Log {
    timed(name, (1..).map(|number| number * 10).zip(facts))
}

pub(super) fn timed(name: &str, facts: impl IntoIterator<Item = (u64, Fact)>) -> Log {
    let mut log = Log::new(name);
    facts.into_iter().for_each(|(at_ms, fact)| log.note(at_ms, fact));
    log
}

pub(super) fn asked(publish: u64, text: &str) -> Fact {
    Fact::Published { publish, channel: "c".to_owned(), payload: text.into() }
}

pub(super) fn cast(text: &str) -> Fact {
    Fact::Cast { channel: "c".to_owned(), payload: text.into() }
}

pub(super) fn acked(publish: u64, position: Position) -> Fact {
    Fact::Acknowledged { publish, position }
}

pub(super) fn subscribing() -> Fact {
    from(Start::Live, false)
}

pub(super) fn from(start: Start, exclude_own: bool) -> Fact {
    Fact::Subscribing { subscription: 1, channel: "c".to_owned(), start, exclude_own }
}

pub(super) fn began(at: Position) -> Fact {
    Fact::Began { subscription: 1, at, recovered: true }
}

pub(super) fn lost(at: Position) -> Fact {
    Fact::Began { subscription: 1, at, recovered: false }
}

pub(super) fn message(position: Position, text: &str) -> Fact {
    Fact::Message { subscription: 1, position, payload: text.into() }
}

pub(super) fn skipped(through: u64) -> Fact {
    Fact::Skipped { subscription: 1, through: Offset::saturating(through) }
}

pub(super) fn gap(at: Position) -> Fact {
    Fact::Gap { subscription: 1, at }
}

/// A subscriber's log: it asked, it began before the first message of epoch 7, and then this.
pub(super) fn subscriber(name: &str, facts: impl IntoIterator<Item = Fact>) -> Log {
    log(name, [subscribing(), began(at(7, 0))].into_iter().chain(facts))
}

#[track_caller]
pub(super) fn clean(logs: &[Log]) {
    judge(&Trial::cut(logs)).assert_none();
}

/// Holds that exactly one fault is found, of this rule, with this account of it.
#[track_caller]
pub(super) fn caught(trial: &Trial<'_>, rule: Rule, account: &str) {
    let faults = judge(trial);
    let [fault] = faults.all() else { panic!("one fault was to be found, {rule:?}, and these were:\n{faults}") };
    assert_eq!(fault.rule, rule, "{fault}");
    assert!(fault.to_string().starts_with(account), "{fault}\nis not\n{account}");
}

#[test]
fn a_trial_in_which_all_went_well_is_clean() {
    let texts: Vec<String> = (1..=20).map(|number| number.to_string()).collect();
    let publisher = (1..).zip(&texts).flat_map(|(number, text)| [asked(number, text), acked(number, at(7, number))]);
    let heard = (1..).zip(&texts).map(|(number, text)| message(at(7, number), text));
    let logs = [log("publisher", publisher), subscriber("one", heard.clone()), subscriber("another", heard)];
    judge(&Trial::quiet(&logs, None, 0)).assert_none();
    assert_eq!(judge(&Trial::cut(&[])), Faults::default());
}

#[test]
fn a_hundred_thousand_facts_are_judged() {
    let texts: Vec<String> = (1..=10_000).map(|number| format!("message {number}")).collect();
    let publisher = (1..).zip(&texts).flat_map(|(number, text)| [asked(number, text), acked(number, at(7, number))]);
    let heard = (1..).zip(&texts).map(|(number, text)| message(at(7, number), text));
    let mut logs = vec![log("publisher", publisher)];
    logs.extend((0..8).map(|number| subscriber(&number.to_string(), heard.clone())));
    let began = tokio::time::Instant::now();
    judge(&Trial::quiet(&logs, None, 0)).assert_none();
    println!("judged {} facts in {:?}", logs.iter().map(|log| log.facts().len()).sum::<usize>(), began.elapsed());
}

#[test]
fn many_faults_are_told_shortly() {
    let logs = [subscriber("alice", (1..=30).map(|number| message(at(7, number), "x")))];
    let faults = judge(&Trial::cut(&logs));
    assert_eq!((faults.all().len(), faults.rules()), (30, vec![Rule::Invented]));
    assert!(faults.to_string().ends_with("and 10 more\n"), "{faults}");
}
