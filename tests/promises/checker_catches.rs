//! A broker that does wrong on purpose is found out by the checker, and the same broker without that is not.

use callboard::Sabotage;
use callboard::config::{History, Pattern};
use callboard_client::{Client, SubscribeOptions as ReaderOptions};
use callboard_protocol::Position;
use callboard_protocol::frame::{Start, SubscribeOptions};
use callboard_tests::checker::{BACK_WITHIN_MS, Fact, Log, Rule, Trial, judge};
use callboard_tests::{Broker, Listener, Reader, Seen};

const CHANNEL: &str = "stage";

/// A publish of `panic` to it panics in the channel.
const FRAGILE: &str = "faults/channel/stage";

/// What channels remember here.
const HISTORY_MESSAGES: usize = 16;

/// Plays the scenario with an honest broker, in whose logs nothing may be found, and with one that does this wrong: then
/// the checker must say that this rule was broken.
async fn catches(sabotage: Sabotage, rule: Rule, scenario: impl AsyncFn(&Broker) -> Vec<Seen>) {
    for ordered in [None, Some(sabotage)] {
        let broker = Broker::start_with(|config| {
            let bounds = History { messages: HISTORY_MESSAGES, ..History::default() };
            config.history.push((Pattern::parse("**").expect("it is a pattern"), bounds));
            config.sabotage = ordered;
        })
        .await;
        let logs: Vec<Log> = scenario(&broker).await.iter().map(Seen::log).collect();
        let faults = judge(&Trial::quiet(&logs, None, BACK_WITHIN_MS));
        match ordered {
            None => faults.assert_none(),
            Some(_) => assert!(faults.rules().contains(&rule), "{rule:?} was broken, and found was:\n{faults}"),
        }
    }
}

async fn listener(broker: &Broker, name: &str) -> Listener {
    Listener::of(name, broker.peer().await).await
}

/// Publishes these in one go, and waits for as many answers.
async fn publish(publisher: &mut Listener, messages: std::ops::RangeInclusive<u64>) -> Position {
    let count = messages.clone().count();
    for message in messages {
        publisher.send_publish(0, CHANNEL, message.to_string()).await;
    }
    let mut last = None;
    for _ in 0..count {
        last = Some(publisher.answered().await.1);
    }
    last.expect("there is something to publish")
}

/// Says and hears something elsewhere: what the session was told before that has been heard then.
async fn catch_up(listener: &mut Listener) {
    let text = format!("{} has caught up", listener.seen.name());
    listener.publish("elsewhere", text).await;
}

/// A client whose sessions are noted.
async fn followed(broker: &Broker, name: &str) -> (Client, Seen) {
    let (client, seen) = (broker.client().await, Seen::new(name));
    seen.follow(&client);
    (client, seen)
}

/// One listens and another publishes, first one by one, so that a chunk is one message, and then in one go.
async fn raw_peers_listen(broker: &Broker) -> Vec<Seen> {
    let (mut first, mut second) = (listener(broker, "the first").await, listener(broker, "the second").await);
    let mut publisher = listener(broker, "the publisher").await;
    for listener in [&mut first, &mut second] {
        listener.subscribe(CHANNEL, Start::Live).await;
    }
    for message in 1..=7 {
        publish(&mut publisher, message..=message).await;
    }
    publish(&mut publisher, 8..=40).await;
    for listener in [&mut first, &mut second, &mut publisher] {
        catch_up(listener).await;
    }
    vec![first.seen, second.seen, publisher.seen]
}

#[tokio::test]
async fn a_lost_chunk_is_caught() {
    catches(Sabotage::LostChunk, Rule::Hole, raw_peers_listen).await;
}

#[tokio::test]
async fn a_swapped_pair_is_caught() {
    catches(Sabotage::SwappedPair, Rule::Repeated, raw_peers_listen).await;
    catches(Sabotage::SwappedPair, Rule::Hole, raw_peers_listen).await;
}

#[tokio::test]
async fn an_answer_that_is_given_twice_is_caught() {
    catches(Sabotage::DuplicateAnswer, Rule::AnsweredTwice, raw_peers_listen).await;
}

/// A client reads what another publishes, message by message, and whatever it was told by then.
async fn a_client_reads_what_there_is(broker: &Broker, messages: &[&str]) -> Vec<Seen> {
    let (client, seen) = followed(broker, "the client").await;
    let mut reader = Reader::seen_by(&seen, &client, CHANNEL, ReaderOptions::default()).await;
    let mut elsewhere = Reader::seen_by(&seen, &client, "elsewhere", ReaderOptions::default()).await;
    let mut publisher = listener(broker, "the publisher").await;
    for message in messages {
        publisher.publish(CHANNEL, *message).await;
    }
    catch_up(&mut publisher).await;
    // What its session was told before this has come.
    elsewhere.read(1).await;
    reader.read_what_is_there().await;
    vec![seen, publisher.seen]
}

#[tokio::test]
async fn what_nothing_follows_is_missed_by_who_compares_the_logs_though_the_client_cannot_know() {
    let five = async |broker: &Broker| a_client_reads_what_there_is(broker, &["1", "2", "3", "4", "5"]).await;
    catches(Sabotage::LostChunk, Rule::Behind, five).await;
    let struck = async |broker: &Broker| a_client_reads_what_there_is(broker, &["before", "struck"]).await;
    catches(Sabotage::AckedNotStored, Rule::Behind, struck).await;
}

/// A client reads what another publishes, and comes back by itself when its broker breaks the protocol.
async fn a_client_reads(broker: &Broker) -> Vec<Seen> {
    let (client, seen) = followed(broker, "the client").await;
    let mut publisher = listener(broker, "the publisher").await;
    publish(&mut publisher, 1..=3).await;
    let options = ReaderOptions { rewind: Some(3), ..ReaderOptions::default() };
    let mut reader = Reader::seen_by(&seen, &client, CHANNEL, options).await;
    for message in 4..=7 {
        publish(&mut publisher, message..=message).await;
    }
    let last = seen.publish_acked(&client, CHANNEL, "the end").await.expect("the client comes back, and it is taken");
    reader.read_to(last).await;
    vec![seen, publisher.seen]
}

#[tokio::test]
async fn a_client_that_ends_its_session_for_a_broken_protocol_is_heard() {
    for sabotage in [Sabotage::LostChunk, Sabotage::RepeatedReplay, Sabotage::DuplicateAnswer] {
        catches(sabotage, Rule::Protocol, a_client_reads).await;
    }
}

#[tokio::test]
async fn a_replay_that_is_repeated_is_caught() {
    catches(Sabotage::RepeatedReplay, Rule::Repeated, async |broker: &Broker| {
        let (mut late, mut publisher) =
            (listener(broker, "who came late").await, listener(broker, "the publisher").await);
        publish(&mut publisher, 1..=5).await;
        let subscribed = late.subscribe(CHANNEL, Start::Rewind(5)).await;
        let last = publish(&mut publisher, 6..=6).await;
        late.hear_to(&subscribed, last.offset).await;
        vec![late.seen, publisher.seen]
    })
    .await;
}

#[tokio::test]
async fn a_late_leave_is_caught() {
    catches(Sabotage::LateLeave, Rule::AfterLeft, async |broker: &Broker| {
        let (mut leaver, mut publisher) =
            (listener(broker, "who leaves").await, listener(broker, "the publisher").await);
        leaver.subscribe(CHANNEL, Start::Live).await;
        leaver.unsubscribe(CHANNEL).await;
        publish(&mut publisher, 1..=3).await;
        catch_up(&mut leaver).await;
        vec![leaver.seen, publisher.seen]
    })
    .await;
}

#[tokio::test]
async fn a_client_that_left_and_is_not_let_go_is_heard() {
    catches(Sabotage::LateLeave, Rule::Protocol, async |broker: &Broker| {
        let (client, seen) = followed(broker, "the client").await;
        let reader = Reader::seen_by(&seen, &client, CHANNEL, ReaderOptions::default()).await;
        let mut elsewhere = Reader::seen_by(&seen, &client, "elsewhere", ReaderOptions::default()).await;
        reader.leave();
        // By the answer to this, the client was told that it has left.
        seen.publish_acked(&client, "elsewhere", "left").await.expect("it is taken");
        let mut publisher = listener(broker, "the publisher").await;
        publish(&mut publisher, 1..=3).await;
        let last = seen.publish_acked(&client, "elsewhere", "the end").await.expect("it is taken");
        elsewhere.read_to(last).await;
        vec![seen, publisher.seen]
    })
    .await;
}

#[tokio::test]
async fn an_answer_to_what_was_not_stored_is_caught() {
    catches(Sabotage::AckedNotStored, Rule::SharedPlace, async |broker: &Broker| {
        let mut publisher = listener(broker, "the publisher").await;
        publisher.publish(CHANNEL, "struck").await;
        publish(&mut publisher, 1..=1).await;
        vec![publisher.seen]
    })
    .await;
    catches(Sabotage::AckedNotStored, Rule::Disagreement, async |broker: &Broker| {
        let mut publisher = listener(broker, "the publisher").await;
        publisher.subscribe(CHANNEL, Start::Live).await;
        publisher.publish(CHANNEL, "struck").await;
        publisher.cast(CHANNEL, "not struck").await;
        catch_up(&mut publisher).await;
        vec![publisher.seen]
    })
    .await;
}

#[tokio::test]
async fn a_recovery_that_hides_a_gap_is_caught() {
    catches(Sabotage::SilentGap, Rule::Hole, async |broker: &Broker| {
        let (mut who, mut publisher) =
            (listener(broker, "who was away").await, listener(broker, "the publisher").await);
        let subscribed = who.subscribe(CHANNEL, Start::Live).await;
        publish(&mut publisher, 1..=1).await;
        who.hear(&subscribed, 1).await;
        let at = who.position(&subscribed);
        publish(&mut publisher, 2..=HISTORY_MESSAGES as u64 + 4).await;
        let mut who = who.again(broker.peer().await).await;
        let subscribed = who.subscribe(CHANNEL, Start::Recover(at)).await;
        let last = publish(&mut publisher, 100..=100).await;
        who.hear_to(&subscribed, last.offset).await;
        vec![who.seen, publisher.seen]
    })
    .await;
}

#[tokio::test]
async fn a_publish_that_is_stored_again_is_caught() {
    catches(Sabotage::StoredAgain, Rule::StoredTwice, async |broker: &Broker| {
        let mut publisher = listener(broker, "the publisher").await;
        publisher.send_publish(1, CHANNEL, "once").await;
        publisher.answered().await;
        let mut publisher = publisher.again(broker.peer().await).await;
        publisher.send_publish(1, CHANNEL, "once").await;
        publisher.answered().await;
        vec![publisher.seen]
    })
    .await;
}

#[tokio::test]
async fn another_epoch_that_is_not_told_is_caught() {
    catches(Sabotage::UntoldReset, Rule::Repeated, async |broker: &Broker| {
        let (mut member, mut publisher) = (listener(broker, "a member").await, listener(broker, "the publisher").await);
        member.subscribe(FRAGILE, Start::Live).await;
        for message in ["one", "two"] {
            publisher.publish(FRAGILE, message).await;
        }
        let mut unlucky = broker.peer().await;
        unlucky.hello().await;
        unlucky.send_publish(0, FRAGILE, "panic").await;
        unlucky.sent_away().await;
        publisher.publish(FRAGILE, "three").await;
        catch_up(&mut member).await;
        vec![member.seen, publisher.seen]
    })
    .await;
}

#[tokio::test]
async fn an_epoch_that_ends_without_a_word_to_who_hears_nothing_more_is_caught() {
    catches(Sabotage::UntoldReset, Rule::Behind, async |broker: &Broker| {
        let mut member = listener(broker, "a member").await;
        let before = member.subscribe(FRAGILE, Start::Live).await.position;
        let mut unlucky = broker.peer().await;
        unlucky.hello().await;
        unlucky.send_publish(0, FRAGILE, "panic").await;
        unlucky.sent_away().await;
        catch_up(&mut member).await;
        // Another one knows the old epoch from before, and is told what became of it.
        let mut other = listener(broker, "another").await;
        other.subscribe(FRAGILE, Start::Recover(before)).await;
        vec![member.seen, other.seen]
    })
    .await;
}

#[tokio::test]
async fn an_own_message_that_comes_all_the_same_is_caught() {
    catches(Sabotage::OwnDelivered, Rule::OwnDelivered, async |broker: &Broker| {
        let mut actor = listener(broker, "the actor").await;
        actor.subscribe_with(CHANNEL, Start::Live, SubscribeOptions::EXCLUDE_OWN).await;
        publish(&mut actor, 1..=3).await;
        vec![actor.seen]
    })
    .await;
}

#[tokio::test]
async fn what_is_found_says_who_found_it_and_where() {
    let broker = Broker::start_with(|config| config.sabotage = Some(Sabotage::LostChunk)).await;
    let mut seen = raw_peers_listen(&broker).await;
    let logs: Vec<Log> = seen.iter().map(Seen::log).collect();
    let faults = judge(&Trial::cut(&logs)).to_string();
    assert!(faults.starts_with("the first on stage at 6@"), "{faults}");
    // Only the member whose chunk was lost has something to tell.
    seen.remove(0);
    seen.iter().for_each(Seen::assert_in_order);
    assert!(seen.iter().all(|seen| seen.log().facts().iter().any(|(_, fact)| *fact == Fact::Connected)));
}
