//! The rules about how a trial ends, each kept and broken.

use callboard_protocol::frame::Start;

use super::{acked, asked, at, began, caught, clean, from, gap, log, lost, message, subscriber, subscribing, timed};
use crate::checker::{Fact, Log, Rule, Sample, Trial, judge};

#[track_caller]
fn quiet(logs: &[Log]) {
    judge(&Trial::quiet(logs, None, 10_000)).assert_none();
}

#[track_caller]
fn caught_quiet(logs: &[Log], rule: Rule, account: &str) {
    caught(&Trial::quiet(logs, None, 10_000), rule, account);
    clean(logs);
}

fn bob() -> Log {
    log("bob", [asked(1, "a"), acked(1, at(7, 1)), asked(2, "b"), acked(2, at(7, 2))])
}

fn down(code: impl Into<Option<u16>>) -> Fact {
    Fact::Disconnected { code: code.into() }
}

#[test]
fn who_lacks_something_at_the_end_is_caught() {
    quiet(&[bob(), subscriber("alice", [message(at(7, 1), "a"), message(at(7, 2), "b")])]);
    quiet(&[bob(), subscriber("alice", [message(at(7, 1), "a"), gap(at(7, 2))])]);
    let short = [message(at(7, 1), "a")];
    let account =
        "alice on c at 2@7: stands at 1@7 and never got \"b\", nor was it told; it was there by the account of bob";
    caught_quiet(&[bob(), subscriber("alice", short.clone())], Rule::Behind, account);
    for end in [Fact::Left { subscription: 1 }, Fact::Closed, down(4000)] {
        quiet(&[bob(), subscriber("alice", short.clone().into_iter().chain([end]))]);
    }
    // What another subscriber saw was there as well.
    let logs = [
        log("bob", [super::cast("a"), super::cast("b")]),
        subscriber("alice", short),
        subscriber("carol", [message(at(7, 1), "a"), message(at(7, 2), "b")]),
    ];
    caught_quiet(&logs, Rule::Behind, "alice on c at 2@7: stands at 1@7 and never got \"b\"");
}

#[test]
fn own_messages_are_not_missed_by_who_did_not_want_them() {
    let own = |facts| log("alice", [from(Start::Live, true), began(at(7, 0))].into_iter().chain(facts));
    let said = || [asked(1, "own"), acked(1, at(7, 2))];
    quiet(&[
        log("bob", [asked(1, "a"), acked(1, at(7, 1))]),
        own(vec![message(at(7, 1), "a")].into_iter().chain(said())),
    ]);
    let deaf = own(Vec::new().into_iter().chain(said()));
    let logs = [log("bob", [asked(1, "a"), acked(1, at(7, 1))]), deaf];
    caught_quiet(&logs, Rule::Behind, "alice on c at 1@7: stands at 0@7 and never got \"a\"");
}

#[test]
fn what_died_with_its_epoch_is_told_to_everybody() {
    let told = || subscriber("alice", [lost(at(8, 0))]);
    quiet(&[bob(), told()]);
    let logs = [bob(), told(), subscriber("carol", [message(at(7, 1), "a"), message(at(7, 2), "b")])];
    let account = "carol on c at 2@7: the epoch it stands in is over, and it was not told";
    caught_quiet(&logs, Rule::Behind, account);
    // Somebody who knew the epoch from before may be told of its end as well.
    let newcomer = log("dave", [from(Start::Recover(at(7, 2)), false), lost(at(8, 0))]);
    let logs = [newcomer, subscriber("carol", [])];
    caught_quiet(&logs, Rule::Behind, "carol on c at 0@7: the epoch it stands in is over");
    // What was asked after a subscriber began, and stored in another epoch, shows that its own is over.
    let later = |asked_ms| timed("bob", [(asked_ms, asked(1, "new")), (90, acked(1, at(8, 1)))]);
    quiet(&[later(20), subscriber("alice", [])]);
    caught_quiet(&[later(21), subscriber("alice", [])], Rule::Behind, "alice on c at 0@7: the epoch");
    let gone_on = log("alice", [subscribing(), began(at(8, 1)), lost(at(9, 0))]);
    quiet(&[later(21), gone_on]);
}

#[test]
fn what_was_acknowledged_before_a_drain_has_reached_everybody() {
    let away = |facts: &[Fact]| subscriber("alice", facts.iter().cloned().chain([down(4100)]));
    let unanswered = || log("carol", [asked(1, "c"), down(4100)]);
    let both = away(&[message(at(7, 1), "a"), message(at(7, 2), "b")]);
    let all = subscriber("dave", [message(at(7, 1), "a"), message(at(7, 2), "b"), message(at(7, 3), "c")]);
    judge(&Trial::drained(&[bob(), unanswered(), both, all])).assert_none();
    let logs = [bob(), away(&[message(at(7, 1), "a")])];
    caught(&Trial::drained(&logs), Rule::Behind, "alice on c at 2@7: stands at 1@7 and never got \"b\"");
}

#[test]
fn what_was_never_answered_is_caught() {
    caught_quiet(&[log("bob", [asked(1, "a")])], Rule::Unanswered, "bob on c: \"a\" was never answered");
    caught_quiet(&[log("bob", [subscribing()])], Rule::Unanswered, "bob on c: asked for a subscription");
    let leaving = Fact::Leaving { subscription: 1 };
    caught_quiet(&[subscriber("bob", [leaving])], Rule::Unanswered, "bob on c: asked to end it");
    quiet(&[log("bob", [asked(1, "a"), subscribing(), Fact::Closed])]);
}

#[test]
fn who_stays_away_is_caught() {
    for code in [None, Some(4101), Some(4301)] {
        quiet(&[log("alice", [Fact::Connected, down(code), Fact::Connected])]);
        caught_quiet(&[log("alice", [Fact::Connected, down(code)])], Rule::Away, "alice: is away since 20 ms");
    }
    quiet(&[log("alice", [Fact::Connected, down(4001)])]);
    quiet(&[log("alice", [Fact::Connected, down(None), Fact::Closed])]);
}

#[test]
fn who_is_back_late_is_caught() {
    let away = |until_ms| [timed("alice", [(5_000, down(None)), (until_ms, Fact::Connected)])];
    quiet(&away(15_000));
    caught_quiet(&away(15_001), Rule::Away, "alice: was away from 5000 to 15001 ms, and was due back at 15000");
    // The last fault counts where it is the later one.
    judge(&Trial::quiet(&away(18_000), Some(8_000), 10_000)).assert_none();
    caught(&Trial::quiet(&away(18_001), Some(8_000), 10_000), Rule::Away, "alice: was away from 5000 to 18001 ms");
}

#[test]
fn a_session_that_ends_for_a_broken_protocol_is_caught() {
    clean(&[log("alice", [down(4101), Fact::Connected])]);
    for code in [4400, 4401, 4402] {
        let logs = [log("alice", [down(code), Fact::Connected])];
        caught(&Trial::cut(&logs), Rule::Protocol, "alice: its session ended with ");
    }
}

#[test]
fn memory_over_its_bound_is_caught() {
    let sample = |measured_bytes| [Sample { at_ms: 70, measured_bytes, allowed_bytes: 4096 }];
    judge(&Trial::cut(&[]).with_memory(&sample(4096))).assert_none();
    caught(&Trial::cut(&[]).with_memory(&sample(8192)), Rule::Memory, "the broker: 8 KiB were needed at 70 ms");
}
