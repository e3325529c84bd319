//! Who gets room, who waits for it, and who has it for too long.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::budget::{Share, WaitingBudget};
use super::outward_room::OutwardRoom;
use super::transcode::transcoded_bytes_max;
use crate::dialect::Dialect;

fn room(budget: &Arc<WaitingBudget>) -> OutwardRoom {
    OutwardRoom::new(Share::of(budget))
}

fn has(room: &mut OutwardRoom, bytes: usize) -> bool {
    room.poll(&mut Context::from_waker(Waker::noop()), bytes) == Poll::Ready(())
}

#[test]
fn who_waits_holds_nothing_and_gets_room_in_its_turn() {
    let budget = WaitingBudget::new(100, 10);
    let (mut one, mut two, mut three) = (room(&budget), room(&budget), room(&budget));
    assert!(has(&mut one, 70) && has(&mut two, 40), "60 and 30 beyond what is free");
    assert!(!has(&mut two, 60), "it would be more than there is");
    assert!(!has(&mut three, 30), "it comes behind the one that needs more");
    assert!(!three.fits(10) && three.is_awaited());
    one.settle(50);
    assert!(has(&mut two, 60) && !has(&mut three, 30), "in their turn");
    two.settle(0);
    assert!(has(&mut three, 30));
    assert_eq!(budget.held(), 40 + 20);
}

#[test]
fn who_is_gone_or_busy_stands_in_nobodys_way() {
    let budget = WaitingBudget::new(100, 10);
    let (mut one, mut busy, mut gone, mut last) = (room(&budget), room(&budget), room(&budget), room(&budget));
    assert!(has(&mut one, 110) && !has(&mut busy, 110) && !has(&mut gone, 110) && !has(&mut last, 110));
    busy.note_busy();
    drop(gone);
    one.settle(0);
    assert!(has(&mut last, 110));
    drop((one, busy, last));
    assert_eq!(budget.held(), 0);
}

#[test]
fn all_the_room_there_is_is_enough_for_any_body() {
    let mut room = room(&WaitingBudget::new(100, 10));
    let wanted = room.wanted(Dialect::Json, 1 << 20);
    assert!(has(&mut room, wanted));
    assert!(!room.fits(transcoded_bytes_max(Dialect::Json, 1 << 20)));
}

#[test]
fn only_who_writes_nothing_for_a_whole_turn_and_has_what_others_wait_for_has_it_for_too_long() {
    let budget = WaitingBudget::new(100, 10);
    let (mut slow, mut deaf, mut other) = (room(&budget), room(&budget), room(&budget));
    assert!(has(&mut slow, 60) && has(&mut deaf, 50));
    assert!(!deaf.tick(false) && !deaf.tick(false), "it reads, and has nothing to write");
    deaf.note_busy();
    slow.note_busy();
    assert!(!deaf.tick(false) && !deaf.tick(false), "nobody waits");
    assert!(!has(&mut other, 110));
    assert!(!slow.tick(true) && !slow.tick(false) && !slow.tick(true), "it wrote something in each turn but one");
    assert!(!slow.tick(false) && slow.tick(false));
    assert!(deaf.tick(false));
    drop((slow, deaf));
    assert!(has(&mut other, 110));
}
