//! Clients come back by themselves and are subscribed again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use callboard::identity::{ApiKey, KeyStore};
use callboard_client::{Builder, Client, Credential, Ended, Event, Online, Reason, State, States};
use callboard_protocol::close::Code;
use callboard_tests::process::Process;
use callboard_tests::{Broker, Proxy, Reader, Way, soon};
use tokio::sync::watch;

const CHANNELS: [&str; 3] = ["wings/left", "wings/right", "wings/above"];

/// Silence after which a client gives its connection up: the shortest that it can be told.
const IDLE_TIMEOUT: Duration = Duration::from_secs(1);

/// A broker that asks nobody to stay away for a while after it shut down.
const NO_SPREAD: &str = "[drain]\nspread_ms = 0\n";

/// A client that notices soon that its broker is gone, though nobody says so.
fn alert(builder: Builder) -> Builder {
    builder.idle_timeout(IDLE_TIMEOUT).attempt_timeout(IDLE_TIMEOUT)
}

async fn waiting(states: &mut States) -> Reason {
    let waiting = states.wait_for(|state| matches!(state, State::Waiting { .. } | State::Closed { .. }));
    match soon("the end of the session", waiting).await {
        Some(State::Waiting { why, .. }) => why,
        state => panic!("the client was to come back, and its state is {state:?}"),
    }
}

async fn online(states: &mut States) -> Arc<Online> {
    soon("the next session", states.online()).await.expect("the client does not close")
}

async fn closed(states: &mut States) -> Reason {
    match soon("the end of the client", states.wait_for(|state| matches!(state, State::Closed { .. }))).await {
        Some(State::Closed { why }) => why,
        state => panic!("the client was to close, and its state is {state:?}"),
    }
}

/// Reads what comes after the broker's return: it has forgotten the channels, so a gap, and then a message to each.
async fn hear_again(client: &Client, readers: &mut [Reader]) {
    for reader in &mut *readers {
        reader.gap().await;
    }
    for channel in CHANNELS {
        soon("the acknowledgement", client.publish_acked(channel, "again")).await.expect("a message is published");
    }
    for reader in readers {
        let event = reader.next().await;
        assert!(matches!(&event, Event::Message(message) if message.payload == "again".into()), "{event:?}");
        reader.seen.assert_in_order();
    }
}

/// Two readers of the first channel and one of each other.
async fn readers(client: &Client) -> Vec<Reader> {
    let mut readers = vec![Reader::live("a second reader", client, CHANNELS[0]).await];
    for channel in CHANNELS {
        readers.push(Reader::live("a reader", client, channel).await);
    }
    readers
}

#[tokio::test]
async fn after_a_kill_every_reader_of_every_channel_hears_again() {
    let broker = Process::start().await;
    let client = alert(broker.client_builder()).connect().await.expect("the broker is there");
    let mut readers = readers(&client).await;
    let mut states = client.states();
    let killed = broker.kill().await;
    assert!(matches!(waiting(&mut states).await, Reason::Lost(_)), "nobody said anything");
    let broker = killed.restart().await;
    online(&mut states).await;
    hear_again(&client, &mut readers).await;
    broker.terminate().await;
}

#[tokio::test]
async fn after_a_shutdown_every_reader_of_every_channel_hears_again() {
    let broker = Process::start_configured(NO_SPREAD).await;
    let client = broker.client().await;
    let mut readers = readers(&client).await;
    let mut states = client.states();
    // It may be back at once, and find nobody for a while: each pause tells why.
    let told = async {
        let Reason::Ended { code, .. } = waiting(&mut states).await else { return };
        assert_eq!(code, Code::ShuttingDown.number());
    };
    let (ended, ()) = tokio::join!(broker.terminate(), told);
    assert!(ended.status.success(), "{}", ended.printed);
    let broker = ended.restart().await;
    online(&mut client.states()).await;
    hear_again(&client, &mut readers).await;
    broker.terminate().await;
}

#[tokio::test]
async fn a_channel_that_was_left_is_not_subscribed_again() {
    // There is room for exactly the channels that are still read.
    let broker = Process::start_configured(&format!("subscriptions_max = 3\n{NO_SPREAD}")).await;
    let client = broker.client().await;
    drop(Reader::live("who leaves", &client, "wings/below").await);
    let mut readers = readers(&client).await;
    for _ in 0..2 {
        readers.push(Reader::live("who leaves one of several", &client, CHANNELS[1]).await);
        drop(readers.pop());
    }
    let ended = broker.terminate().await;
    // One more goes while there is no session.
    let late = readers.pop().expect("there are several readers");
    drop(late);
    let broker = ended.restart().await;
    let mut fresh = Reader::live("who comes meanwhile", &client, "wings/behind").await;
    for reader in &mut readers {
        reader.gap().await;
    }
    soon("the acknowledgement", client.publish_acked("wings/behind", "new")).await.expect("a message is published");
    fresh.read(1).await;
    fresh.seen.assert_whole("wings/behind", ["new"]);
    broker.terminate().await;
}

#[tokio::test]
async fn a_channel_that_was_being_left_when_the_connection_broke_is_not_subscribed_again() {
    let broker = Broker::start_with(|config| config.subscriptions_max = 1).await;
    let proxy = Proxy::before(broker.addr()).await;
    let client = alert(broker.client_builder_by(proxy.addr())).connect().await.expect("the broker is there");
    let mut states = client.states();
    let leaving = Reader::live("who leaves", &client, CHANNELS[0]).await;
    proxy.lose(Way::ToBroker);
    proxy.lose(Way::ToClient);
    drop(leaving);
    waiting(&mut states).await;
    proxy.heal();
    online(&mut states).await;
    // There is room for one channel, and nobody has taken it.
    let mut reader = Reader::live("who comes", &client, CHANNELS[1]).await;
    soon("the acknowledgement", client.publish_acked(CHANNELS[1], "new")).await.expect("a message is published");
    reader.read(1).await;
    reader.seen.assert_whole(CHANNELS[1], ["new"]);
}

#[tokio::test]
async fn the_state_tells_of_the_way_back() {
    let broker = Process::start_configured(NO_SPREAD).await;
    // Each attempt waits for the test before it goes on, so that no state passes unseen.
    let (gate, gated) = watch::channel(true);
    let key = key(&broker, "porter");
    let secret = key.reveal();
    let provide = move || {
        let (mut gated, secret) = (gated.clone(), secret.clone());
        async move {
            gated.wait_for(|open| *open).await?;
            Ok(Credential::api_key(secret))
        }
    };
    let client = broker.client_builder().token_provider(provide).connect().await.expect("the broker is there");
    let mut states = client.states();
    assert!(matches!(states.current(), State::Online(_)));
    gate.send_replace(false);
    let ended = broker.terminate().await;
    let is_connecting = |state: &State| matches!(state, State::Connecting);
    soon("an attempt to come back", states.wait_for(is_connecting)).await.expect("the client does not close");
    let broker = ended.restart().await;
    assert!(matches!(client.state(), State::Connecting), "an attempt waits for its token");
    gate.send_replace(true);
    let online = online(&mut states).await;
    assert_eq!(online.identity.as_ref().map(|identity| identity.key.as_str()), Some("porter"));
    broker.terminate().await;
}

fn key(broker: &Process, name: &str) -> ApiKey {
    KeyStore::open(broker.data_dir()).expect("the keys are readable").create(name).expect("a key can be made")
}

fn revoke(broker: &Process, key: &ApiKey) {
    let keys = KeyStore::open(broker.data_dir()).expect("the keys are readable");
    keys.revoke(key.id()).expect("the keys are writable").expect("the key was there");
}

#[tokio::test]
async fn the_token_provider_is_asked_before_each_attempt() {
    let broker = Process::start_configured(NO_SPREAD).await;
    let (first, second) = (key(&broker, "first"), key(&broker, "second"));
    let secrets = [first.reveal(), second.reveal()];
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let provide = move || {
        let secret = secrets[counted.fetch_add(1, Ordering::SeqCst).min(1)].clone();
        async move { Ok(Credential::api_key(secret)) }
    };
    let client = broker.client_builder().token_provider(provide).connect().await.expect("the broker is there");
    let mut reader = Reader::live("the reader", &client, CHANNELS[0]).await;
    let mut states = client.states();
    let identity = |online: &Online| online.identity.as_ref().map(|identity| identity.key.clone());
    assert_eq!(identity(&*online(&mut states).await).as_deref(), Some("first"));

    let ended = broker.terminate().await;
    waiting(&mut states).await;
    let broker = ended.restart().await;
    assert_eq!(identity(&*online(&mut states).await).as_deref(), Some("second"));
    assert!(asked.load(Ordering::SeqCst) >= 2);
    reader.gap().await;
    broker.terminate().await;
}

#[tokio::test]
async fn a_client_whose_key_was_revoked_closes_when_it_comes_back() {
    let broker = Process::start_configured(NO_SPREAD).await;
    let key = key(&broker, "reporter");
    let client = broker.client_builder().api_key(key.reveal()).connect().await.expect("the broker is there");
    let mut subscription = soon("the subscription", client.subscribe(CHANNELS[0])).await.expect("anyone may subscribe");
    let mut states = client.states();
    revoke(&broker, &key);
    let broker = broker.terminate().await.restart().await;
    let why = closed(&mut states).await;
    assert!(matches!(&why, Reason::Ended { code, .. } if *code == Code::BadCredential.number()), "{why:?}");
    let last = soon("the subscription's end", subscription.next()).await;
    assert_eq!(last, Some(Event::Closed(Ended::Closed(why))));
    assert_eq!(soon("nothing", subscription.next()).await, None);
    assert!(client.publish_acked(CHANNELS[0], "too late").await.is_err());
    broker.terminate().await;
}

#[tokio::test]
async fn a_provider_that_has_a_new_key_brings_the_client_back() {
    let broker = Process::start_configured(NO_SPREAD).await;
    let (old, new) = (key(&broker, "reporter"), key(&broker, "reporter"));
    let (hand, held) = watch::channel(old.reveal());
    let provide = move || {
        let secret = held.borrow().clone();
        async move { Ok(Credential::api_key(secret)) }
    };
    let client = broker.client_builder().token_provider(provide).connect().await.expect("the broker is there");
    let mut reader = Reader::live("the reader", &client, CHANNELS[0]).await;
    let mut states = client.states();
    revoke(&broker, &old);
    let broker = broker.terminate().await.restart().await;
    let refused = |state: &State| {
        let State::Waiting { why: Reason::Ended { code, .. }, .. } = state else { return false };
        *code == Code::BadCredential.number()
    };
    soon("the refusal of the old key", states.wait_for(refused)).await.expect("the client does not close");
    hand.send_replace(new.reveal());
    online(&mut states).await;
    reader.gap().await;
    soon("the acknowledgement", client.publish_acked(CHANNELS[0], "again")).await.expect("a message is published");
    reader.read(1).await;
    broker.terminate().await;
}

#[tokio::test]
async fn a_provider_that_fails_is_asked_again() {
    let broker = Process::start().await;
    let key = key(&broker, "reporter");
    let failures = Arc::new(AtomicU64::new(3));
    let left = Arc::clone(&failures);
    let provide = move || {
        let fails = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        let secret = key.reveal();
        async move { if fails { Err("the vault is closed".into()) } else { Ok(Credential::api_key(secret)) } }
    };
    let client = broker.client_builder().token_provider(provide).connect_lazy().expect("the options hold");
    let mut states = client.states();
    let online = online(&mut states).await;
    assert_eq!(online.identity.as_ref().map(|identity| identity.key.as_str()), Some("reporter"));
    assert_eq!(failures.load(Ordering::SeqCst), 0);
    broker.terminate().await;
}

#[tokio::test]
async fn a_client_that_was_there_first_finds_its_broker() {
    let broker = Process::start().await;
    let builder = alert(broker.client_builder());
    let ended = broker.terminate().await;
    let client = builder.connect_lazy().expect("the options hold");
    assert!(matches!(waiting(&mut client.states()).await, Reason::Unreachable(_)));
    let subscribing = Reader::live("the reader", &client, CHANNELS[0]);
    let (broker, mut reader) = tokio::join!(ended.restart(), subscribing);
    soon("the acknowledgement", client.publish_acked(CHANNELS[0], "first")).await.expect("a message is published");
    reader.read(1).await;
    reader.seen.assert_whole(CHANNELS[0], ["first"]);
    broker.terminate().await;
}
