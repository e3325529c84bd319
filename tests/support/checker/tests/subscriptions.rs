//! The rules about what one subscription sees, each kept and broken.

use callboard_protocol::frame::Start;
use callboard_protocol::{Offset, Payload};

use super::{asked, at, began, cast, caught, clean, from, gap, log, lost, message, skipped, subscriber, subscribing};
use crate::checker::{Fact, Log, Rule, Trial};

/// Publishes these, and asks for no answer.
fn casts(texts: &[&str]) -> Log {
    log("bob", texts.iter().map(|text| cast(text)))
}

#[track_caller]
fn alice_caught(facts: impl IntoIterator<Item = Fact>, rule: Rule, account: &str) {
    let logs = [casts(&["a", "b", "c", "d"]), log("alice", facts)];
    caught(&Trial::cut(&logs), rule, account);
}

#[test]
fn what_was_told_is_no_fault() {
    let alice = [
        message(at(7, 1), "a"),
        gap(at(7, 5)),
        message(at(7, 6), "b"),
        Fact::Disconnected { code: Some(4101) },
        Fact::Connected,
        began(at(7, 6)),
        message(at(7, 7), "c"),
        lost(at(7, 9)),
        lost(at(8, 3)),
        message(at(8, 4), "d"),
        gap(at(9, 0)),
        Fact::Leaving { subscription: 1 },
        message(at(9, 1), "e"),
        Fact::Left { subscription: 1 },
    ];
    clean(&[casts(&["a", "b", "c", "d", "e"]), subscriber("alice", alice)]);
}

#[test]
fn a_hole_is_caught() {
    let facts = [subscribing(), began(at(7, 0)), message(at(7, 1), "a"), message(at(7, 3), "c")];
    alice_caught(facts, Rule::Hole, "alice on c at 3@7: \"c\" came after 1@7");
}

#[test]
fn a_repeat_is_caught_and_counts_once() {
    let facts =
        [subscribing(), began(at(7, 0)), message(at(7, 1), "a"), message(at(7, 1), "a"), message(at(7, 2), "b")];
    alice_caught(facts, Rule::Repeated, "alice on c at 1@7: \"a\" came after 1@7");
}

#[test]
fn a_swapped_pair_is_a_hole_and_a_step_back() {
    let swapped = [message(at(7, 2), "b"), message(at(7, 1), "a"), message(at(7, 3), "c")];
    let logs = [casts(&["a", "b", "c"]), subscriber("alice", swapped)];
    let faults = crate::checker::judge(&Trial::cut(&logs));
    assert_eq!(faults.rules(), [Rule::Hole, Rule::Repeated, Rule::OwnOrder][..2], "{faults}");
}

#[test]
fn a_message_of_an_epoch_that_was_not_told_is_caught() {
    let facts = [subscribing(), began(at(7, 0)), message(at(8, 1), "a"), message(at(8, 2), "b")];
    alice_caught(facts, Rule::Epoch, "alice on c at 1@8: \"a\" came after 0@7");
}

#[test]
fn a_way_back_to_an_epoch_that_is_over_is_caught() {
    let facts = [subscribing(), began(at(7, 4)), lost(at(8, 0)), gap(at(7, 4))];
    alice_caught(facts, Rule::Epoch, "alice on c at 4@7: went back from 0@8");
}

#[test]
fn a_recovery_that_hides_something_is_caught() {
    let facts = [subscribing(), began(at(7, 4)), began(at(7, 6))];
    alice_caught(facts, Rule::Recovery, "alice on c at 6@7: was told that nothing is missing since 4@7");
    let facts = [subscribing(), began(at(7, 4)), began(at(8, 4))];
    alice_caught(facts, Rule::Recovery, "alice on c at 4@8: was told that nothing is missing since 4@7");
    let facts = [subscribing(), began(at(7, 4)), began(at(7, 3))];
    alice_caught(facts, Rule::Recovery, "alice on c at 3@7: was told that nothing is missing since 4@7");
}

#[test]
fn a_first_recovery_begins_where_it_was_asked_to() {
    let recover = || from(Start::Recover(at(7, 4)), false);
    clean(&[log("alice", [recover(), began(at(7, 4))])]);
    clean(&[log("alice", [recover(), lost(at(7, 9))])]);
    clean(&[log("alice", [from(Start::Rewind(3), false), began(at(7, 9))])]);
    alice_caught([recover(), began(at(7, 5))], Rule::Recovery, "alice on c at 5@7: was told that nothing");
}

#[test]
fn a_gap_of_nothing_is_caught() {
    let facts = [subscribing(), began(at(7, 4)), gap(at(7, 4))];
    alice_caught(facts, Rule::EmptyGap, "alice on c at 4@7: was told of a gap up to here, and stands at 4@7");
    let facts = [subscribing(), began(at(7, 4)), lost(at(7, 2))];
    alice_caught(facts, Rule::EmptyGap, "alice on c at 2@7: was told of a gap up to here, and stands at 4@7");
}

#[test]
fn what_comes_before_the_beginning_is_caught() {
    alice_caught([subscribing(), message(at(7, 1), "a")], Rule::Early, "alice on c at 1@7: \"a\" came before");
}

#[test]
fn what_comes_after_the_end_is_caught() {
    let (leaving, left) = (Fact::Leaving { subscription: 1 }, Fact::Left { subscription: 1 });
    let end = [subscribing(), began(at(7, 0)), leaving, left];
    let account = "alice on c at 1@7: \"a\" came after the subscription had ended";
    alice_caught(end.clone().into_iter().chain([message(at(7, 1), "a")]), Rule::AfterLeft, account);
    let again = "alice on c at 0@7: the beginning came after the subscription had ended";
    alice_caught(end.into_iter().chain([began(at(7, 0))]), Rule::AfterLeft, again);
    let denied = [subscribing(), Fact::Denied { subscription: 1 }, message(at(7, 1), "a")];
    alice_caught(denied, Rule::AfterLeft, account);
}

#[test]
fn own_messages_may_be_skipped_for_who_asked_so_and_no_others() {
    let alice = |exclude_own| {
        let facts = [from(Start::Live, exclude_own), began(at(7, 0)), cast("own"), skipped(1), message(at(7, 2), "b")];
        log("alice", facts)
    };
    let everything = || subscriber("carol", [message(at(7, 1), "own"), message(at(7, 2), "b")]);
    clean(&[alice(true), casts(&["b"]), everything()]);
    let logs = [alice(false), casts(&["b"]), everything()];
    caught(&Trial::cut(&logs), Rule::Withheld, "alice on c at 1@7: messages were left out, and none were to be");

    let facts = [from(Start::Live, true), began(at(7, 0)), skipped(2)];
    let other = subscriber("carol", [message(at(7, 1), "a"), message(at(7, 2), "b")]);
    let logs = [log("alice", facts.clone()), log("alice's hand", [cast("a")]).by("alice"), casts(&["b"]), other];
    caught(&Trial::cut(&logs), Rule::Withheld, "alice on c at 2@7: \"b\" of bob was left out, which is no own");
    let back = facts.into_iter().chain([skipped(2)]);
    let logs = [log("alice", back)];
    caught(&Trial::cut(&logs), Rule::Repeated, "alice on c at 2@7: was told of messages that are left out");
}

#[test]
fn an_own_message_that_was_not_wanted_is_caught() {
    let facts = |exclude_own| [from(Start::Live, exclude_own), began(at(7, 0)), cast("own"), message(at(7, 1), "own")];
    clean(&[log("alice", facts(false))]);
    let logs = [log("alice", facts(true))];
    caught(&Trial::cut(&logs), Rule::OwnDelivered, "alice on c at 1@7: \"own\" came, an own message");
}

#[test]
fn two_messages_at_one_place_are_caught() {
    let carol = || subscriber("carol", [message(at(7, 1), "b")]);
    clean(&[casts(&["a", "b"]), subscriber("alice", [message(at(7, 1), "b")]), carol()]);
    let reborn = log("alice", [subscribing(), began(at(8, 0)), message(at(8, 1), "a")]);
    clean(&[casts(&["a", "b"]), reborn, carol()]);
    let logs = [casts(&["a", "b"]), subscriber("alice", [message(at(7, 1), "a")]), carol()];
    let account = "carol on c at 1@7: it is \"b\" here, and \"a\" by the account of alice";
    caught(&Trial::cut(&logs), Rule::Disagreement, account);
    // The same bytes as something else are something else.
    let json = Fact::Message { subscription: 1, position: at(7, 1), payload: Payload::json("b") };
    let logs = [subscriber("alice", [json]), carol()];
    caught(&Trial::cut(&logs).with_strangers(), Rule::Disagreement, "carol on c at 1@7: it is \"b\" here");
}

#[test]
fn what_nobody_published_to_the_channel_is_caught() {
    let elsewhere = Fact::Cast { channel: "elsewhere".to_owned(), payload: "a".into() };
    let logs = [log("bob", [elsewhere]), subscriber("alice", [message(at(7, 1), "a")])];
    caught(&Trial::cut(&logs), Rule::Invented, "alice on c at 1@7: \"a\" came, which nobody published");
    crate::checker::judge(&Trial::cut(&logs).with_strangers()).assert_none();
}

#[test]
fn a_log_that_does_not_add_up_is_caught() {
    let twice = [subscribing(), subscribing()];
    alice_caught(twice, Rule::Account, "alice on c: subscription 1 was noted twice");
    alice_caught([began(at(7, 0))], Rule::Account, "alice: subscription 1 was never asked for");
    let left = || Fact::Left { subscription: 1 };
    alice_caught([subscribing(), left(), left()], Rule::Account, "alice on c: subscription 1 ended twice");
    alice_caught([asked(1, "x"), asked(1, "y")], Rule::Account, "alice on c: publish 1 was noted twice");
    let answer = Fact::Refused { publish: 1 };
    alice_caught([answer], Rule::Account, "alice: an answer to publish 1, which was not asked");
}

#[test]
fn a_skip_of_all_there_can_be_costs_nothing() {
    let facts = [from(Start::Live, true), began(at(7, 0)), skipped(Offset::saturating(u64::MAX).value())];
    clean(&[log("alice", facts)]);
}
