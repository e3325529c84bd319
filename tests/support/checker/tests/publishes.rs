//! The rules about what becomes of a publish, each kept and broken.

use super::{acked, asked, at, cast, caught, clean, log, message, subscriber, timed};
use crate::checker::{Fact, Rule, Trial, judge};

fn refused(publish: u64) -> Fact {
    Fact::Refused { publish }
}

#[test]
fn a_publish_that_is_stored_twice_in_an_epoch_is_caught() {
    let bob = || log("bob", [asked(1, "a")]);
    clean(&[bob(), subscriber("alice", [message(at(7, 1), "a")])]);
    let logs = [bob(), subscriber("alice", [message(at(7, 1), "a"), message(at(7, 2), "a")])];
    caught(&Trial::cut(&logs), Rule::StoredTwice, "bob on c at 2@7: \"a\" is stored at [1, 2], and was published 1×");
    // The answer's place counts as well.
    let answered = log("bob", [asked(1, "a"), acked(1, at(7, 2))]);
    let logs = [answered, subscriber("alice", [message(at(7, 1), "a")])];
    caught(&Trial::cut(&logs), Rule::StoredTwice, "bob on c at 2@7: \"a\" is stored at [1, 2]");
}

#[test]
fn what_is_sent_again_to_another_epoch_is_stored_again() {
    let bob = log("bob", [asked(1, "a"), acked(1, at(8, 1))]);
    let alice = [message(at(7, 1), "a"), super::lost(at(8, 0)), message(at(8, 1), "a")];
    clean(&[bob, subscriber("alice", alice)]);
}

#[test]
fn what_is_published_twice_may_be_stored_twice() {
    let bob = || log("bob", [cast("a"), asked(1, "a"), acked(1, at(7, 2))]);
    let twice = [message(at(7, 1), "a"), message(at(7, 2), "a")];
    clean(&[bob(), subscriber("alice", twice.clone())]);
    let logs = [bob(), subscriber("alice", twice.into_iter().chain([message(at(7, 3), "a")]))];
    caught(
        &Trial::cut(&logs),
        Rule::StoredTwice,
        "bob on c at 3@7: \"a\" is stored at [1, 2, 3], and was published 2×",
    );
}

#[test]
fn an_id_may_be_forgotten_after_two_minutes_and_not_before() {
    let alice = || subscriber("alice", [message(at(7, 1), "a"), message(at(7, 2), "a")]);
    let bob = |answered_ms| timed("bob", [(1_000, asked(1, "a")), (answered_ms, acked(1, at(7, 2)))]);
    clean(&[bob(121_000), alice()]);
    caught(&Trial::cut(&[bob(120_999), alice()]), Rule::StoredTwice, "bob on c at 2@7");
    let open = |until_ms| timed("bob", [(1_000, asked(1, "a")), (until_ms, Fact::Connected)]);
    clean(&[open(121_000), alice()]);
    caught(&Trial::cut(&[open(120_999), alice()]), Rule::StoredTwice, "bob on c at 2@7");
}

#[test]
fn two_publishes_with_one_place_are_caught() {
    let bob = |place| log("bob", [asked(1, "a"), acked(1, at(7, 1)), cast("b"), asked(2, "a"), acked(2, at(7, place))]);
    clean(&[bob(2)]);
    caught(
        &Trial::cut(&[bob(1)]),
        Rule::SharedPlace,
        "bob on c at 1@7: \"a\" was answered with the place of \"a\" of bob",
    );
}

#[test]
fn an_answer_with_the_place_of_another_message_is_caught() {
    let bob = log("bob", [asked(1, "a"), acked(1, at(7, 1)), cast("b")]);
    let logs = [bob, subscriber("alice", [message(at(7, 1), "b")])];
    caught(
        &Trial::cut(&logs),
        Rule::Disagreement,
        "alice on c at 1@7: it is \"b\" here, and \"a\" by the account of bob",
    );
}

#[test]
fn publishes_that_are_stored_in_another_order_are_caught() {
    let bob = || log("bob", [cast("a"), asked(1, "b")]);
    clean(&[bob(), subscriber("alice", [message(at(7, 1), "a"), message(at(7, 2), "b")])]);
    // Two hands of one client have no order between them.
    let hands = [log("bob's left", [cast("a")]).by("bob"), log("bob's right", [cast("b")]).by("bob")];
    let swapped = || subscriber("alice", [message(at(7, 1), "b"), message(at(7, 2), "a")]);
    clean(&[hands[0].clone(), hands[1].clone(), swapped()]);
    let logs = [bob(), swapped()];
    let account = "bob on c at 1@7: \"b\" was published behind \"a\", which is stored at 2";
    caught(&Trial::cut(&logs), Rule::OwnOrder, account);
    // Offsets of two lives are not compared.
    let reborn = subscriber("alice", [message(at(7, 1), "b"), super::lost(at(8, 4)), message(at(8, 5), "a")]);
    clean(&[bob(), reborn]);
}

#[test]
fn what_is_published_after_an_answer_is_stored_behind_it() {
    let bob = || timed("bob", [(10, asked(1, "b")), (20, acked(1, at(7, 2)))]);
    let alice = |asked_ms| timed("alice", [(asked_ms, asked(1, "a")), (40, acked(1, at(7, 1)))]);
    clean(&[alice(19), bob()]);
    clean(&[alice(20), bob()]);
    let logs = [alice(21), bob()];
    let account = "alice on c at 1@7: \"a\" was published after 2 was answered, and is stored before it";
    caught(&Trial::cut(&logs), Rule::RealTime, account);
}

#[test]
fn a_second_answer_is_caught() {
    let account = "bob on c: \"a\" was answered again";
    let twice = [log("bob", [asked(1, "a"), acked(1, at(7, 1)), acked(1, at(7, 1))])];
    caught(&Trial::cut(&twice), Rule::AnsweredTwice, account);
    let both = [log("bob", [asked(1, "a"), refused(1), refused(1)])];
    caught(&Trial::cut(&both), Rule::AnsweredTwice, account);
}

#[test]
fn what_is_sent_again_is_answered_once_more_by_the_same_session_and_stored_once() {
    let again = || Fact::Resent { publish: 1 };
    let bob = |answers: &[u64]| {
        let answers = answers.iter().map(|place| acked(1, at(7, *place)));
        log("bob", [asked(1, "a"), again()].into_iter().chain(answers))
    };
    judge(&Trial::quiet(&[bob(&[1, 1])], None, 0)).assert_none();
    caught(&Trial::cut(&[bob(&[1, 1, 1])]), Rule::AnsweredTwice, "bob on c: \"a\" was answered again");
    caught(&Trial::cut(&[bob(&[1, 2])]), Rule::StoredTwice, "bob on c at 2@7: \"a\" is stored at [1, 2]");
    caught(&Trial::quiet(&[bob(&[1])], None, 0), Rule::Unanswered, "bob on c: \"a\" was never answered");
    let session = [Fact::Disconnected { code: None }, Fact::Connected];
    let other = [asked(1, "a")].into_iter().chain(session).chain([again(), acked(1, at(7, 1))]);
    judge(&Trial::quiet(&[log("bob", other.clone())], None, 10)).assert_none();
    let logs = [log("bob", other.chain([acked(1, at(7, 1))]))];
    caught(&Trial::cut(&logs), Rule::AnsweredTwice, "bob on c: \"a\" was answered again");
    caught(&Trial::cut(&[log("bob", [again()])]), Rule::Account, "bob: a sending again of publish 1");
}

#[test]
fn what_was_refused_and_is_stored_is_caught_unless_an_earlier_session_may_have_done_it() {
    let alice = || subscriber("alice", [message(at(7, 1), "a")]);
    clean(&[log("bob", [asked(1, "a"), refused(1)])]);
    let again = [asked(1, "a"), Fact::Disconnected { code: None }, Fact::Connected, refused(1)];
    clean(&[log("bob", again), alice()]);
    let logs = [log("bob", [asked(1, "a"), refused(1)]), alice()];
    caught(&Trial::cut(&logs), Rule::RefusedStored, "bob on c at 1@7: \"a\" was refused, and stored all the same");
}
