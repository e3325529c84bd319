//! The witness finds what it is there to find, and nothing else.

use callboard_protocol::frame::{Message, Reset, ServerFrame, Skipped, Subscribed};
use callboard_protocol::{ChannelId, Epoch, Millis, Offset, PayloadRef, Position};

use super::{Event, Faults, Seen, disagreements};

fn at(epoch: u64, offset: u64) -> Position {
    Position { epoch: Epoch::saturating(epoch), offset: Offset::saturating(offset) }
}

fn message(offset: u64, text: &str) -> Event {
    Event::Message(at(7, offset), text.into())
}

fn seen(events: impl IntoIterator<Item = Event>) -> Seen {
    let mut seen = Seen::new("alice");
    events.into_iter().for_each(|event| seen.note("c", event));
    seen
}

#[test]
fn what_was_told_is_no_fault() {
    let whole = seen([
        Event::Began(at(7, 4)),
        message(5, "a"),
        Event::Skipped(Offset::saturating(8)),
        message(9, "b"),
        Event::Began(at(7, 9)),
        Event::Gap(at(7, 20)),
        message(21, "c"),
        Event::Gap(at(8, 0)),
        Event::Message(at(8, 1), "d".into()),
    ]);
    assert_eq!(whole.faults(), Faults::default());
    assert_eq!((whole.messages("c").len(), whole.gaps("c")), (4, 2));
    seen([Event::Began(at(7, 0)), message(1, "a"), message(2, "b")]).assert_whole("c", ["a", "b"]);
}

#[test]
fn holes_repeats_and_reorderings_are_faults() {
    for (events, fault) in [
        (vec![message(1, "a")], "before the subscription began"),
        (vec![Event::Began(at(7, 0)), message(2, "a")], "message 2@7 came after 0@7"),
        (vec![Event::Began(at(7, 0)), message(1, "a"), message(1, "a")], "message 1@7 came after 1@7"),
        (vec![Event::Began(at(8, 0)), message(1, "a")], "message 1@7 came after 0@8"),
        (vec![Event::Began(at(7, 5)), message(6, "a"), Event::Began(at(7, 9))], "no gap was told"),
        (vec![Event::Began(at(7, 5)), Event::Began(at(8, 5))], "no gap was told"),
        (vec![Event::Began(at(7, 5)), Event::Skipped(Offset::saturating(5))], "5 was skipped after 5@7"),
        (vec![Event::Began(at(7, 5)), Event::Gap(at(7, 5))], "a gap to 5@7 was told after 5@7"),
    ] {
        let faults = seen(events).faults();
        assert_eq!(faults.0.len(), 1, "{fault}: {faults}");
        assert!(faults.0[0].contains(fault), "{fault}: {faults}");
    }
}

#[test]
#[should_panic(expected = "the first 1 agree")]
fn a_message_that_is_another_one_is_a_fault() {
    seen([Event::Began(at(7, 0)), message(1, "a"), message(2, "c")]).assert_whole("c", ["a", "b"]);
}

#[test]
fn two_witnesses_of_one_place_saw_the_same() {
    let (a, b) = (seen([Event::Began(at(7, 0)), message(1, "a")]), seen([Event::Began(at(7, 0)), message(1, "b")]));
    let reborn = seen([Event::Began(at(8, 0)), Event::Message(at(8, 1), "b".into())]);
    assert_eq!(disagreements([&a, &a, &reborn]), Faults::default());
    assert_eq!(disagreements([&a, &b]).0.len(), 1);
}

#[test]
fn what_a_raw_peer_hears_is_put_in_its_place() {
    let (channel, mut seen) = (ChannelId::saturating(3), Seen::new("alice"));
    let said = |offset, text| {
        let (offset, payload) = (Offset::saturating(offset), PayloadRef::text(text));
        ServerFrame::Message(Message { channel, offset, published: Millis::ZERO, publisher: None, key: None, payload })
    };
    seen.subscribed("c", &Subscribed { channel, position: at(7, 4), next: Offset::saturating(4), recovered: false });
    seen.hear(&said(4, "rewound"));
    seen.hear(&said(5, "live"));
    seen.hear(&ServerFrame::Skipped(Skipped { channel, through: Offset::saturating(6) }));
    seen.hear(&said(7, "live"));
    seen.hear(&ServerFrame::Reset(Reset { channel, position: at(8, 1) }));
    seen.hear(&said(2, "reborn"));
    assert_eq!(seen.faults(), Faults::default());
    assert_eq!(seen.events("c").last(), Some(&Event::Message(at(8, 2), "reborn".into())));
    seen.hear(&said(2, "reborn"));
    assert_eq!(seen.faults().0.len(), 1);
}
