//! A key has one rate over all that it publishes by HTTP, at whichever door, and each door refuses in the same words.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};

use callboard::config::{Limits, Rate};
use callboard::identity::KeyStore;
use callboard_protocol::close::Code;
use callboard_protocol::frame::{ClientFrame, Credential, Introduce};
use callboard_tests::http::{self, Answer};
use callboard_tests::raw::{Bridge, introduction};
use callboard_tests::{Broker, Edge};
use tokio::task::JoinSet;
use tokio::time::Instant;

const CHANNEL: &str = "news";

/// A broker with its own door and two edges.
struct House {
    broker: Broker,
    edges: [Edge; 2],
}

impl House {
    /// Whose keys may publish so many messages at once, and one more a second.
    async fn with_burst(burst: u64) -> Self {
        let limits = Limits { publishes: Rate { per_second: 1, burst }, ..Limits::default() };
        let broker = Broker::start_for_browsers(|config| config.limits = limits).await;
        let edges = [Edge::of(&broker).await, Edge::of(&broker).await];
        Self { broker, edges }
    }

    fn doors(&self) -> [SocketAddr; 3] {
        [self.broker.ws_addr(), self.edges[0].addr(), self.edges[1].addr()]
    }

    fn key(&self, name: &str) -> String {
        KeyStore::open(self.broker.data_dir()).expect("a store").create(name).expect("a key").reveal()
    }

    /// How many messages the channel has had.
    async fn stored(&self) -> u64 {
        let mut reader = self.broker.peer().await;
        reader.hello().await;
        reader.subscribe(CHANNEL).await.position.offset.value()
    }
}

/// Publishes so many messages in one request.
async fn publish(door: SocketAddr, key: &str, messages: usize) -> Answer {
    let body = format!(r#"{{"messages":[{}]}}"#, vec![r#"{"channel":"news","payload":"x"}"#; messages].join(","));
    http::post(door, "/v1/publish", &format!("Authorization: Bearer {key}\r\n"), &body).await
}

/// Whether the head has a field of this name.
fn has_field(answer: &Answer, name: &str) -> bool {
    answer.head.lines().any(|line| line.split(':').next().is_some_and(|field| field.eq_ignore_ascii_case(name)))
}

/// What the answer says, but for the numbers, which depend on the moment.
fn words(answer: &Answer) -> String {
    let mut fields: Vec<_> = answer.head.lines().skip(1).filter_map(|line| line.split(':').next()).collect();
    fields.sort_unstable();
    format!("{} {fields:?} {}", answer.status, answer.body).replace(|c: char| c.is_ascii_digit(), "")
}

#[tokio::test]
async fn what_a_key_publishes_by_all_doors_together_is_counted() {
    let house = House::with_burst(1000).await;
    let key = house.key("backend");
    for door in house.doors() {
        assert_eq!(publish(door, &key, 300).await.status, 200);
    }
    let mut refusals = BTreeSet::new();
    for door in house.doors() {
        // A hundred are left: too few for a request, which is refused as a whole.
        let refused = publish(door, &key, 300).await;
        assert_eq!(refused.status, 429, "{}", refused.head);
        assert_eq!(refused.json()["class"], "too-many-requests", "{refused:?}");
        let wait_ms = refused.json()["retry_after_ms"].as_u64().expect("how long to wait");
        assert!((100_000..=200_000).contains(&wait_ms), "for the two hundred that lack: {refused:?}");
        assert!(has_field(&refused, "retry-after"), "{refused:?}");
        refusals.insert(words(&refused));
    }
    assert_eq!(refusals.len(), 1, "{refusals:?}");
    assert_eq!(house.stored().await, 900);
    let another = house.key("another");
    assert_eq!(publish(house.edges[0].addr(), &another, 300).await.status, 200, "another key has its own");
    for door in house.doors() {
        assert_eq!(publish(door, &key, 20).await.status, 200, "what was refused took nothing");
    }
}

#[tokio::test]
async fn what_comes_by_all_doors_at_once_is_never_more() {
    const BURST: u64 = 100;
    const EACH: usize = 5;
    let house = House::with_burst(BURST).await;
    let (key, began) = (house.key("backend"), Instant::now());
    let mut requests = JoinSet::new();
    for door in house.doors().into_iter().cycle().take(60) {
        let key = key.clone();
        requests.spawn(async move { publish(door, &key, EACH).await.status });
    }
    let statuses = requests.join_all().await;
    assert!(statuses.iter().all(|status| [200, 429].contains(status)), "{statuses:?}");
    let taken = (statuses.iter().filter(|status| **status == 200).count() * EACH) as u64;
    assert!((BURST..=BURST + began.elapsed().as_secs()).contains(&taken), "{taken} messages");
    assert_eq!(house.stored().await, taken);
}

#[tokio::test]
async fn what_no_door_ever_takes_is_told_in_the_same_words() {
    let house = House::with_burst(5).await;
    let key = house.key("backend");
    let (mut too_many, mut unknown) = (BTreeSet::new(), BTreeSet::new());
    for door in house.doors() {
        let refused = publish(door, &key, 6).await;
        assert_eq!(refused.status, 429, "{refused:?}");
        assert!(refused.body.contains("at most 5 messages") && !has_field(&refused, "retry-after"), "{refused:?}");
        too_many.insert(words(&refused));
        let refused = publish(door, "cb_nobody_nothing", 1).await;
        assert_eq!(refused.status, 401, "{refused:?}");
        unknown.insert(refused.body);
    }
    assert_eq!((too_many.len(), unknown.len()), (1, 1), "{too_many:?} {unknown:?}");
    assert_eq!(house.stored().await, 0);
}

#[tokio::test]
async fn a_visitor_that_is_a_request_publishes_under_a_key_and_no_more_than_was_taken_for_it() {
    let house = House::with_burst(1000).await;
    let key = house.key("backend");
    let bridge = Bridge::of(&house.broker).await;
    let credential = Some(Credential { strategy: "apikey", secret: &key });
    let home = introduction(Ipv4Addr::new(192, 0, 2, 7));

    let mut nobody = bridge.stream().await;
    nobody.send(&ClientFrame::Introduce(Introduce { publishes: 1, ..home })).await;
    nobody.send_hello().await;
    assert_eq!(nobody.parting().await.code, Code::BadCredential.number());

    let mut request = bridge.stream().await;
    request.send(&ClientFrame::Introduce(Introduce { credential, publishes: 2, ..home })).await;
    request.hello().await;
    for _ in 0..2 {
        request.publish(CHANNEL, "x").await;
    }
    request.cast(CHANNEL, "one more").await;
    assert_eq!(request.parting().await.code, Code::OutOfOrder.number());

    let many = ClientFrame::Introduce(Introduce { credential, publishes: 600, ..home });
    let mut first = bridge.stream().await;
    first.send(&many).await;
    first.hello().await;
    let mut late = bridge.stream().await;
    late.send(&many).await;
    late.send_hello().await;
    let parting = late.parting().await;
    assert_eq!(parting.code, Code::RateExceeded.number());
    assert!(parting.sentence.contains("this key publishes over HTTP faster than it may"), "{parting:?}");

    let mut browser = bridge.stream().await;
    browser.send(&ClientFrame::Introduce(Introduce { credential, ..home })).await;
    browser.hello().await;
    for _ in 0..5 {
        browser.publish(CHANNEL, "a session has a rate of its own").await;
    }
    assert_eq!(house.stored().await, 7);
}
