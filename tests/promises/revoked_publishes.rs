//! A publish over HTTP that is under way ends with its key, at whichever door, and its answer says what was stored.

use std::sync::mpsc as blocking;
use std::sync::{Arc, Mutex};

use callboard::identity::KeyStore;
use callboard_protocol::close::Code;
use callboard_protocol::frame::{Credential, Start};
use callboard_tests::http::{self, Answer};
use callboard_tests::{Broker, Edge, Peer, SOON, soon};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::{block_in_place, spawn};

const CHANNEL: &str = "news";

const MESSAGES: usize = 20;

/// Of a payload: a few of them are as much as a door hands over at once.
const BYTES: usize = 40 << 10;

/// A broker that stops at one message until it is told to go on.
struct Stopping {
    broker: Broker,
    stopped: mpsc::Receiver<()>,
    go_on: blocking::Sender<()>,
}

impl Stopping {
    async fn at(message: usize) -> Self {
        let ((stop, stopped), (go_on, told)) = (mpsc::channel(1), blocking::channel());
        let told = Arc::new(Mutex::new(told));
        let there = format!("{message} ");
        let broker = Broker::start_hooked(
            |_| (),
            |hooks| {
                hooks.incoming(move |incoming| {
                    if incoming.payload.as_str().is_some_and(|text| text.starts_with(&there)) {
                        stop.try_send(()).expect("it comes once");
                        // The tasks that this thread has woken go on elsewhere.
                        let told = told.lock().expect("nobody else waits");
                        block_in_place(|| told.recv_timeout(SOON)).expect("the test goes on");
                    }
                    Ok(())
                });
            },
        )
        .await;
        Self { broker, stopped, go_on }
    }
}

/// The texts that the channel remembers.
async fn stored(broker: &Broker) -> Vec<String> {
    let mut reader = broker.peer().await;
    reader.hello().await;
    let subscribed = reader.subscribe_from(CHANNEL, Start::Rewind(u32::MAX)).await;
    let mut texts = Vec::new();
    for _ in 0..subscribed.position.offset.value() {
        texts.push(reader.message().await.payload.as_str().expect("a text").to_owned());
    }
    texts
}

/// Publishes numbered messages in one request, revokes its key when one of them is on its way, and gives the answer and what
/// the channel then has.
async fn revoked_at(message: usize, is_far: bool) -> (Answer, Vec<String>) {
    let Stopping { broker, mut stopped, go_on } = Stopping::at(message).await;
    let edge = Edge::of(&broker).await;
    let door = if is_far { edge.addr() } else { broker.ws_addr() };
    let keys = KeyStore::open(broker.data_dir()).expect("the keys are readable");
    let key = keys.create("leaver").expect("a key can be made");
    let fields = format!("Authorization: Bearer {}\r\n", key.reveal());
    let text = |number| format!(r#"{{"channel":"{CHANNEL}","payload":"{number} {}"}}"#, "x".repeat(BYTES));
    let body = format!(r#"{{"messages":[{}]}}"#, (0..MESSAGES).map(text).collect::<Vec<_>>().join(","));
    let answer = spawn(async move { http::post(door, "/v1/publish", &fields, &body).await });
    soon("the message", stopped.recv()).await.expect("the broker stops at it");

    // Sessions are ended in the order of their age: where this one has ended, so has that of the request.
    let mut witness: Peer = broker.peer().await;
    let secret = key.reveal();
    witness.hello_as(Some(Credential { strategy: "apikey", secret: &secret })).await;
    keys.revoke(key.id()).expect("the keys are writable").expect("the key was there");
    assert_eq!(witness.goodbye().await.0, Code::BadCredential.number());
    go_on.send(()).expect("the broker waits for this");
    (soon("the answer", answer).await.expect("it is no panic"), stored(&broker).await)
}

/// Each result is true of what is stored; gives how many positions there are.
fn assert_true(answer: &Answer, stored: &[String]) -> usize {
    let told = answer.json();
    let results = told["results"].as_array().unwrap_or_else(|| panic!("no results: {answer:?}"));
    assert_eq!(results.len(), MESSAGES);
    for (number, text) in stored.iter().enumerate() {
        assert!(text.starts_with(&format!("{number} ")), "message {number} is in its place");
    }
    let published = results.iter().take_while(|result| !result["position"].is_null()).count();
    for (number, result) in results.iter().enumerate() {
        if number < published {
            assert_eq!(result["position"]["offset"], Value::from(number + 1));
            continue;
        }
        assert_eq!((&result["failed"]["code"], &result["failed"]["class"]), (&401.into(), &"not-authenticated".into()));
        let sentence = result["failed"]["sentence"].as_str().expect("a sentence");
        assert!(sentence.contains("its key was revoked"), "{sentence}");
        let is_in_doubt = sentence.ends_with("this may have been published before that");
        assert!(is_in_doubt || number >= stored.len(), "message {number} was stored, and is told not to be");
    }
    assert!(published <= stored.len(), "{published} are told to be stored, and {} are", stored.len());
    published
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_not_stored_when_the_key_was_revoked_never_is() {
    for is_far in [false, true] {
        let (answer, stored) = revoked_at(10, is_far).await;
        assert_eq!(answer.status, 200, "some of it was published: {answer:?}");
        let published = assert_true(&answer, &stored);
        assert!(published > 0 && stored.len() < MESSAGES, "{published} of {} stored, far: {is_far}", stored.len());
        // In the broker's process nothing is on its way that is not answered.
        assert!(is_far || published == 10 && stored.len() == 10, "{published} of {} stored", stored.len());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_request_of_which_nothing_was_stored_is_refused_as_one_without_a_key_is() {
    for is_far in [false, true] {
        let (answer, stored) = revoked_at(0, is_far).await;
        assert_eq!(answer.status, 401, "{}", answer.head);
        assert!(answer.head.to_ascii_lowercase().contains("www-authenticate: bearer"), "{}", answer.head);
        assert_eq!(assert_true(&answer, &stored), 0, "far: {is_far}");
        assert!(is_far || stored.is_empty(), "{} stored", stored.len());
    }
}
