//! What witnesses note of raw peers is what the checker judges, and what they tell of it is what was noted.

use callboard_protocol::frame::{Answer, Message, Reset, ServerFrame, Skipped, Start, SubscribeOptions, Subscribed};
use callboard_protocol::{ChannelId, Millis, Offset, PayloadRef, RequestId};

use super::at;
use crate::Seen;
use crate::checker::{Ear, Fact, Rule, Trial, judge, settle};

const CHANNEL: ChannelId = ChannelId::saturating(3);

fn said(offset: u64, text: &str) -> ServerFrame<'_> {
    let (channel, offset, payload) = (CHANNEL, Offset::saturating(offset), PayloadRef::text(text));
    ServerFrame::Message(Message { channel, offset, published: Millis::ZERO, publisher: None, key: None, payload })
}

fn answer(position: (u64, u64), next: u64, recovered: bool) -> Subscribed {
    let next = Offset::saturating(next);
    Subscribed { channel: CHANNEL, position: at(position.0, position.1), next, recovered }
}

fn subscribed(start: Start, options: SubscribeOptions, answer: &Subscribed) -> (Seen, Ear) {
    let seen = Seen::new("alice");
    let mut ear = Ear::of(&seen);
    ear.welcomed();
    let subscription = ear.subscribing("c", start, options);
    ear.subscribed(subscription, answer);
    (seen, ear)
}

#[test]
fn what_a_raw_peer_hears_is_put_in_its_place() {
    let (seen, mut ear) = subscribed(Start::Rewind(1), SubscribeOptions::EXCLUDE_OWN, &answer((7, 4), 4, true));
    ear.hear(&said(4, "rewound"));
    ear.hear(&said(5, "live"));
    ear.hear(&ServerFrame::Skipped(Skipped { channel: CHANNEL, through: Offset::saturating(6) }));
    ear.hear(&said(7, "after own ones"));
    ear.hear(&ServerFrame::Reset(Reset { channel: CHANNEL, position: at(8, 1) }));
    ear.hear(&said(2, "reborn"));
    seen.assert_in_order();
    assert_eq!((seen.messages("c").len(), seen.gaps("c"), seen.messages("d").len()), (4, 1, 0));
    assert_eq!(seen.places("c").last(), Some(&(at(8, 2), "reborn".into())));
    ear.hear(&said(2, "reborn"));
    assert_eq!(judge(&Trial::cut(&[seen.log()]).with_strangers()).rules(), [Rule::Repeated]);
}

#[test]
fn a_peer_that_comes_back_to_where_it_was_goes_on_with_its_subscription() {
    let back = |start, answer: &Subscribed| {
        let (seen, mut ear) = subscribed(Start::Live, SubscribeOptions::NONE, &self::answer((7, 0), 1, true));
        ear.hear(&said(1, "a"));
        ear.cut_off();
        ear.welcomed();
        let subscription = ear.subscribing("c", start, SubscribeOptions::NONE);
        ear.subscribed(subscription, answer);
        seen
    };
    let recover = Start::Recover(at(7, 1));
    let seen = back(recover, &answer((7, 9), 2, true));
    assert_eq!((judge(&Trial::cut(&[seen.log()]).with_strangers()).rules(), seen.gaps("c")), (vec![], 0));
    let seen = back(recover, &answer((7, 9), 10, false));
    assert_eq!((judge(&Trial::cut(&[seen.log()]).with_strangers()).rules(), seen.gaps("c")), (vec![], 1));
    let seen = back(recover, &answer((7, 9), 3, true));
    assert_eq!(judge(&Trial::cut(&[seen.log()]).with_strangers()).rules(), [Rule::Recovery]);
    // Asking for anything else is another subscription.
    for (start, answer) in
        [(Start::Live, answer((7, 9), 10, true)), (Start::Recover(at(7, 0)), answer((7, 9), 1, true))]
    {
        back(start, &answer).assert_in_order();
    }
}

#[test]
fn what_a_raw_peer_publishes_is_noted_with_its_answers() {
    let seen = Seen::new("bob");
    let mut ear = Ear::of(&seen);
    ear.welcomed();
    let (first, again, other) = (RequestId::saturating(1), RequestId::saturating(2), RequestId::saturating(3));
    let place = |request, offset| ServerFrame::Ok { request, answer: Answer::Published(at(7, offset)) };
    ear.publishing(first, 1, "c", &"a".into());
    ear.publishing(again, 1, "c", &"a".into());
    ear.publishing(other, 0, "c", &"b".into());
    [place(first, 1), place(again, 1), place(other, 2)].iter().for_each(|answer| ear.hear(answer));
    judge(&Trial::quiet(&[seen.log()], None, 0)).assert_none();
    ear.hear(&place(again, 1));
    assert_eq!(judge(&Trial::cut(&[seen.log()])).rules(), [Rule::AnsweredTwice]);
}

#[test]
#[should_panic(expected = "the first 1 agree")]
fn a_message_that_is_another_one_is_a_fault() {
    let (seen, mut ear) = subscribed(Start::Live, SubscribeOptions::NONE, &answer((7, 0), 1, true));
    ear.hear(&said(1, "a"));
    ear.hear(&said(2, "c"));
    seen.assert_whole("c", ["a", "b"]);
}

#[test]
#[should_panic(expected = "by the account of")]
fn witnesses_are_settled_together() {
    let witness = |text| {
        let (seen, mut ear) = subscribed(Start::Live, SubscribeOptions::NONE, &answer((7, 0), 1, true));
        ear.hear(&said(1, text));
        seen
    };
    settle(&[witness("a"), witness("b")]);
}

#[test]
fn clones_keep_one_log() {
    let seen = Seen::of("alice", "alice's left hand");
    let other = seen.clone();
    seen.note(Fact::Connected);
    let log = other.log();
    assert_eq!((log.name(), log.client(), log.facts().len()), ("alice's left hand", "alice", 1));
}
