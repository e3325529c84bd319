//! One session's state, frame by frame: what it commands, what it answers, how it ends.

use bytes::BytesMut;
use callboard_protocol::codec::{decode_client, decode_server, encode};
use callboard_protocol::frame::{
    Authenticate, Credential, Hello, Introduce, Logout, Pong, Return, Start, SubscribeOptions,
};
use callboard_protocol::{CallId, Millis, Nonce, PayloadRef, Sequence};
use tempfile::TempDir;

use super::*;
use crate::config;
use crate::connection::Shown;
use crate::connection::Writer;
use crate::format::Format;
use crate::format::tests::{ALL, Reading};
use crate::limit::{Budget, KeyRates};

struct Talk {
    state: State,
    commands: Vec<Command>,
    outbox: Arc<Outbox>,
    requests: u64,
    _data_dir: TempDir,
}

impl Talk {
    fn new(anonymous_publish: bool) -> Self {
        Self::arrived(anonymous_publish, Format::Stream, Arrival::default())
    }

    fn arrived(anonymous_publish: bool, format: Format, arrival: Arrival) -> Self {
        let data_dir = tempfile::tempdir().unwrap();
        let keys = KeyStore::open(data_dir.path()).unwrap();
        let rules = Rules {
            keys,
            anonymous_publish: if anonymous_publish { Anonymous::Everywhere } else { Anonymous::Nowhere },
            payload_bytes_max: 100,
            subscriptions_max: 2,
            subscriptions: Budget::new(100),
            limits: Limits::default(),
            key_rates: KeyRates::new(Limits::default().publishes),
            hooks: Hooks::default(),
        };
        let bounds = config::Outbox { messages: 1000, bytes: 1 << 20 };
        let outbox = Arc::new(Outbox::new(bounds, &Budget::new(1 << 30), format));
        let id = ConnectionId::saturating(7);
        let state = State::new(Arc::new(rules), id, Arc::clone(&outbox), arrival, Millis::ZERO);
        Self { state, commands: Vec::new(), outbox, requests: 0, _data_dir: data_dir }
    }

    /// One that was let in.
    fn open(anonymous_publish: bool) -> Self {
        let mut talk = Self::new(anonymous_publish);
        talk.say(&ClientFrame::Hello(hello())).unwrap();
        assert_eq!(talk.heard(), ["Welcome"]);
        talk
    }

    fn say(&mut self, frame: &ClientFrame<'_>) -> Result<(), Ending> {
        let mut body = BytesMut::new();
        encode(frame, &mut body).unwrap();
        let body = body.freeze();
        self.state.handle(&decode_client(&body).unwrap(), &body, &mut self.commands)
    }

    fn request(&mut self) -> RequestId {
        self.requests += 1;
        RequestId::saturating(self.requests)
    }

    fn subscribe(&mut self, channel: &str) {
        let request = self.request();
        let options = SubscribeOptions::NONE;
        self.say(&ClientFrame::Subscribe(Subscribe { request, channel, start: Start::Live, options })).unwrap();
    }

    fn unsubscribe(&mut self, channel: &str) {
        let request = self.request();
        self.say(&ClientFrame::Unsubscribe(Unsubscribe { request, channel })).unwrap();
    }

    fn publish(&mut self, channel: &str, payload: &[u8]) {
        let request = self.request();
        let payload = PayloadRef::binary(payload);
        let publish = Publish { request, sequence: Sequence::ZERO, channel, key: None, payload };
        self.say(&ClientFrame::Publish(publish)).unwrap();
    }

    /// The kinds of the frames that were answered; a failure by its class.
    fn heard(&mut self) -> Vec<String> {
        let (mut writer, mut reading) = (Writer::default(), Reading::of(self.outbox.format()));
        writer.fill(&self.outbox);
        writer.chunks().drain(..).for_each(|chunk| reading.handle_bytes(chunk));
        let mut heard = Vec::new();
        while let Some(body) = reading.next_body() {
            heard.push(match decode_server(&body).unwrap() {
                ServerFrame::Failed(failed) => failed.class.to_owned(),
                other => format!("{other:?}").split(['(', ' ']).next().unwrap_or_default().to_owned(),
            });
        }
        heard
    }

    /// What channels were told to do: the channel, and how many publications, or the kind of the input.
    fn commanded(&mut self) -> Vec<String> {
        let name = |command: Command| match command.input {
            Input::Publish(batch) => format!("{} {}", command.channel, batch.publications.len()),
            Input::Join(_) => format!("{} join", command.channel),
            Input::Leave(_) => format!("{} leave", command.channel),
            Input::Pull(_) | Input::Quiesce(_) => panic!("no frame makes these"),
        };
        self.commands.drain(..).map(name).collect()
    }
}

fn hello() -> Hello<'static> {
    Hello { agent: "test", instance: [9; 16], capabilities: 0, credential: None }
}

#[test]
fn publishes_of_one_read_are_handed_over_by_channel() {
    let mut talk = Talk::open(true);
    for channel in ["a", "b", "a", "a", "b"] {
        talk.publish(channel, b"x");
    }
    talk.subscribe("a");
    talk.publish("a", b"x");
    assert_eq!(talk.commanded(), ["a 3", "b 2", "a join", "a 1"], "nothing moves over a subscribe");
    assert!(talk.heard().is_empty(), "channels answer");
}

#[test]
fn each_refusal_has_its_class_and_commands_nothing() {
    let mut talk = Talk::open(true);
    talk.subscribe("a//b");
    talk.subscribe("news/**");
    talk.subscribe("user/42");
    talk.publish("everyone", b"x");
    talk.publish("a", &[0; 101]);
    talk.unsubscribe("a");
    let classes = [
        "bad-channel-name",
        "bad-channel-name",
        "reserved-channel",
        "reserved-channel",
        "payload-too-large",
        "not-subscribed",
    ];
    assert_eq!(talk.heard(), classes);
    assert!(talk.commanded().is_empty());
}

#[test]
fn subscriptions_are_counted_and_never_doubled() {
    let mut talk = Talk::open(true);
    for channel in ["a", "a", "b", "c"] {
        talk.subscribe(channel);
    }
    assert_eq!(talk.commanded(), ["a join", "b join"]);
    assert_eq!(talk.heard(), ["already-subscribed", "too-many-subscriptions"]);
    talk.unsubscribe("a");
    talk.subscribe("c");
    assert_eq!(talk.commanded(), ["a leave", "c join"]);
    let mut left: Vec<String> = talk.state.leave_all(true).map(|command| command.channel.to_string()).collect();
    left.sort();
    assert_eq!(left, ["b", "c"]);
}

#[test]
fn an_anonymous_peer_publishes_only_where_that_is_allowed() {
    let mut talk = Talk::open(false);
    talk.publish("a", b"x");
    assert_eq!(talk.heard().len(), 1);
    assert!(talk.commanded().is_empty());
}

#[test]
fn a_refused_credential_ends_the_session_at_hello_and_only_fails_later() {
    let credential = Credential { strategy: "apikey", secret: "cb_nobody_nothing" };
    let mut talk = Talk::new(true);
    let ending = talk.say(&ClientFrame::Hello(Hello { credential: Some(credential), ..hello() })).unwrap_err();
    assert_eq!(ending.code, Code::BadCredential);
    assert!(!ending.sentence.contains(credential.secret), "a secret is never repeated");

    let mut talk = Talk::open(true);
    let request = talk.request();
    talk.say(&ClientFrame::Authenticate(Authenticate { request, credential })).unwrap();
    let request = talk.request();
    talk.say(&ClientFrame::Logout(Logout { request })).unwrap();
    assert_eq!(talk.heard(), ["not-authenticated", "Ok"]);
}

#[test]
fn frames_out_of_order_end_the_session() {
    let pong = ClientFrame::Pong(Pong { nonce: Nonce::ZERO });
    assert_eq!(Talk::new(true).say(&pong).unwrap_err().code, Code::OutOfOrder, "before hello");
    assert_eq!(Talk::open(true).say(&pong), Ok(()), "a pong that nobody asked for is let pass");
    let again = ClientFrame::Hello(hello());
    assert_eq!(Talk::open(true).say(&again).unwrap_err().code, Code::OutOfOrder);
    let outcome = callboard_protocol::frame::Outcome::Returned(PayloadRef::text("x"));
    let nobodys = ClientFrame::Return(Return { call: CallId::saturating(1), outcome });
    assert_eq!(Talk::open(true).say(&nobodys).unwrap_err().code, Code::OutOfOrder);
    let forged = ClientFrame::Introduce(Introduce {
        address: [0; 16],
        origin: None,
        credential: None,
        private: true,
        ping_interval: Millis::ZERO,
        publishes: 0,
    });
    assert_eq!(Talk::new(true).say(&forged).unwrap_err().code, Code::OutOfOrder, "instead of hello");
    assert_eq!(Talk::open(true).say(&forged).unwrap_err().code, Code::OutOfOrder, "an identity is not forged");
}

#[test]
fn a_session_is_answered_in_its_format() {
    for format in ALL {
        let mut talk = Talk::arrived(true, format, Arrival::default());
        talk.say(&ClientFrame::Hello(hello())).unwrap();
        talk.subscribe("a//b");
        let request = talk.request();
        talk.say(&ClientFrame::Logout(Logout { request })).unwrap();
        assert_eq!(talk.heard(), ["Welcome", "bad-channel-name", "Ok"], "{format:?}");
    }
}

#[test]
fn what_was_shown_at_the_door_counts_where_hello_shows_nothing() {
    let arrive = |shown: &str| {
        let arrival = Arrival { shown: Some(Shown::new("apikey", shown)), ..Arrival::default() };
        Talk::arrived(false, Format::Stream, arrival)
    };
    let mut talk = arrive("cb_nobody_nothing");
    assert_eq!(talk.say(&ClientFrame::Hello(hello())).unwrap_err().code, Code::BadCredential);

    let mut talk = arrive("");
    let key = talk.state.rules.keys.create("reporter").unwrap().reveal();
    talk.state.arrival.shown = Some(Shown::new("apikey", &*key));
    talk.say(&ClientFrame::Hello(hello())).unwrap();
    talk.publish("a", b"x");
    assert_eq!((talk.heard(), talk.commanded()), (vec!["Welcome".to_owned()], vec!["a 1".to_owned()]));

    let mut talk = arrive(&key);
    let credential = Some(Credential { strategy: "apikey", secret: "cb_other_key" });
    let ending = talk.say(&ClientFrame::Hello(Hello { credential, ..hello() })).unwrap_err();
    assert_eq!(ending.code, Code::BadCredential, "what Hello shows comes first");
    assert!(!format!("{:?}", arrive(&key).state).contains(&*key), "nothing shows it by accident");
}

#[test]
fn where_others_could_read_along_no_credential_is_taken() {
    let arrive = |shown| Arrival { shown, is_private: false, ..Arrival::default() };
    let mut talk = Talk::arrived(true, Format::Stream, arrive(Some(Shown::new("apikey", "cb_key"))));
    assert_eq!(talk.say(&ClientFrame::Hello(hello())).unwrap_err().code, Code::Forbidden);

    let credential = Credential { strategy: "apikey", secret: "cb_key" };
    let mut talk = Talk::arrived(true, Format::Stream, arrive(None));
    let shown = ClientFrame::Hello(Hello { credential: Some(credential), ..hello() });
    assert_eq!(talk.say(&shown).unwrap_err().code, Code::Forbidden);

    let mut talk = Talk::arrived(true, Format::Stream, arrive(None));
    talk.say(&ClientFrame::Hello(hello())).unwrap();
    let request = talk.request();
    talk.say(&ClientFrame::Authenticate(Authenticate { request, credential })).unwrap();
    assert_eq!(talk.heard(), ["Welcome", "forbidden"], "who shows nothing may come");
}
