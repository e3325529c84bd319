//! One browser's way through the edge, told as bodies in and effects out.

use bytes::BytesMut;
use callboard_protocol::close::{Code, Ending};
use callboard_protocol::codec::encode;
use callboard_protocol::frame::{ClientFrame, Goodbye, Hello, Introduce, Logout, Ping, Pong, ServerFrame, Welcome};
use callboard_protocol::{ConnectionId, Millis, Nonce, RequestId};

use super::state::{Away, Beat, Effect, Patience, State};

const PATIENCE: Patience = Patience { hello: 1, answer: 3 };

const HELLO: ClientFrame<'static> =
    ClientFrame::Hello(Hello { agent: "", instance: [0; 16], capabilities: 0, credential: None });

const LOGOUT: ClientFrame<'static> = ClientFrame::Logout(Logout { request: RequestId::ZERO });

fn pong(nonce: Nonce) -> ClientFrame<'static> {
    ClientFrame::Pong(Pong { nonce })
}

fn goodbye(code: u16) -> ServerFrame<'static> {
    ServerFrame::Goodbye(Goodbye { code, sentence: "that was it", retry_after: Some(Millis::saturating(7)) })
}

fn body(frame: &ServerFrame<'_>) -> Vec<u8> {
    let mut body = BytesMut::new();
    encode(frame, &mut body).unwrap();
    body.to_vec()
}

fn welcome() -> Vec<u8> {
    body(&ServerFrame::Welcome(Welcome {
        agent: "",
        connection: ConnectionId::ZERO,
        capabilities: 0,
        payload_bytes_max: 0,
        subscriptions_max: 0,
        ping_interval: Millis::ZERO,
        identity: None,
    }))
}

fn new() -> State {
    State::new(PATIENCE)
}

/// One that the broker has let in.
fn open() -> State {
    let mut state = new();
    assert_eq!(state.handle_client(&HELLO, true), Effect::Open);
    assert_eq!(state.handle_broker(&welcome()), Effect::Pass);
    state
}

/// One that was told that the broker is away, and the nonce that it was told with.
fn suspended(mut state: State) -> (State, Nonce) {
    let Effect::Suspend(Away { nonce, .. }) = state.handle_lost() else { panic!("it is to be told") };
    (state, nonce)
}

/// One that knows that it waits.
fn waiting() -> (State, Nonce) {
    let (mut state, nonce) = suspended(open());
    assert_eq!(state.handle_client(&pong(nonce), false), Effect::Await);
    (state, nonce)
}

#[test]
fn hello_opens_a_session_and_everything_passes_from_there_on() {
    let mut state = new();
    assert!(!state.is_open() && state.awaits_hello());
    assert_eq!(state.handle_client(&HELLO, true), Effect::Open);
    assert!(state.is_open() && !state.awaits_hello());
    assert_eq!(state.handle_client(&LOGOUT, true), Effect::Pass, "it need not wait for the answer");
    assert_eq!(state.handle_broker(&welcome()), Effect::Pass);
    assert_eq!(state.handle_client(&HELLO, true), Effect::Pass, "the broker judges what follows, a second hello too");
    assert_eq!(state.handle_client(&pong(Nonce::saturating(1)), true), Effect::Pass, "that answers the broker");
}

#[test]
fn what_is_no_hello_opens_nothing() {
    for frame in [LOGOUT, pong(Nonce::saturating(1)), pong(Nonce::saturating(1 << 52 | 1))] {
        let Effect::End(ending) = new().handle_client(&frame, true) else { panic!("{frame:?} was taken") };
        assert_eq!(ending.code, Code::OutOfOrder);
    }
    let introduce = Introduce {
        address: [1; 16],
        origin: None,
        credential: None,
        private: true,
        ping_interval: Millis::ZERO,
        publishes: 0,
    };
    let Effect::End(ending) = new().handle_client(&ClientFrame::Introduce(introduce), true) else {
        panic!("it was taken")
    };
    assert_eq!(ending.code, Code::OutOfOrder);
}

#[test]
fn hello_while_the_broker_is_away_is_kept_waiting_and_never_passed_on() {
    let mut state = new();
    let Effect::Suspend(Away { nonce, .. }) = state.handle_client(&HELLO, false) else { panic!("it is to be told") };
    assert!(state.is_open(), "it is no stranger any more");
    assert_eq!(state.handle_client(&LOGOUT, true), Effect::Drop);
    assert_eq!(state.resume(), None, "it does not know yet");
    assert_eq!(state.handle_client(&pong(nonce), false), Effect::Await);
    assert_eq!(state.resume(), Some(nonce));
    assert!(state.awaits_hello());
    assert_eq!(state.handle_client(&HELLO, true), Effect::Open);
}

#[test]
fn nothing_of_the_session_before_is_taken_for_the_next() {
    let (mut state, nonce) = suspended(open());
    for frame in [LOGOUT, HELLO, pong(Nonce::saturating(9))] {
        assert_eq!(state.handle_client(&frame, true), Effect::Drop, "{frame:?}");
        assert_eq!(state.resume(), None, "{frame:?}");
    }
    assert_eq!(state.handle_broker(&welcome()), Effect::Drop, "what the old stream still has");
    assert_eq!(state.handle_client(&pong(nonce), true), Effect::Await);
    assert_eq!(state.handle_client(&pong(nonce), true), Effect::Drop, "once is enough");
    assert_eq!(state.handle_client(&LOGOUT, true), Effect::Drop, "it says nothing until it is resumed");
    assert_eq!(state.resume(), Some(nonce));
    assert_eq!(state.resume(), None, "once is enough");
}

#[test]
fn pongs_to_the_edge_stay_at_the_edge_also_when_they_come_late() {
    let mut state = open();
    let Beat::Ping(nonce) = state.tick() else { panic!("an open session is asked") };
    assert_eq!(state.handle_client(&pong(nonce), true), Effect::Drop);
    let beyond = Nonce::saturating(nonce.value() + 1);
    assert_eq!(state.handle_client(&pong(beyond), true), Effect::Pass, "that was not asked here: the broker judges it");
    let (mut state, nonce) = waiting();
    let Beat::Ping(asked) = state.tick() else { panic!("a suspended session is asked") };
    assert_eq!(state.resume(), Some(nonce));
    assert_eq!(state.handle_client(&pong(asked), true), Effect::Drop, "the answer was on its way");
    assert_eq!(state.handle_client(&HELLO, true), Effect::Open);
}

#[test]
fn each_suspension_has_a_nonce_of_its_own() {
    let (mut state, first) = waiting();
    assert_eq!(state.resume(), Some(first));
    assert_eq!(state.handle_client(&HELLO, true), Effect::Open);
    let (mut state, second) = suspended(state);
    assert_ne!(first, second);
    assert_eq!(state.handle_client(&pong(first), true), Effect::Drop);
    assert_eq!(state.resume(), None, "that was an answer of long ago");
    assert_eq!(state.handle_client(&pong(second), true), Effect::Await);
}

#[test]
fn a_broker_that_shuts_down_suspends_and_any_other_goodbye_ends_with_its_own_words() {
    let Effect::Suspend(Away { retry_after, .. }) = open().handle_broker(&body(&goodbye(4100))) else {
        panic!("it is kept")
    };
    assert_eq!(retry_after, Some(Millis::saturating(7)));
    for code in Code::ALL.iter().filter(|code| **code != Code::ShuttingDown) {
        let ending = Ending { code: *code, sentence: "that was it".into(), retry_after: Some(Millis::saturating(7)) };
        assert_eq!(open().handle_broker(&body(&goodbye(code.number()))), Effect::End(ending));
    }
    let Effect::End(unknown) = open().handle_broker(&body(&goodbye(4999))) else { panic!("it is over") };
    assert_eq!(unknown.code, Code::Internal);
}

#[test]
fn a_stream_that_is_broken_off_ends_with_its_code() {
    assert_eq!(open().handle_reset(4101), Effect::End(Ending::plain(Code::TooSlow)));
    assert!(matches!(open().handle_reset(4100), Effect::Suspend(_)));
    for number in [0, 4999, u64::MAX] {
        let Effect::End(ending) = open().handle_reset(number) else { panic!("it is over") };
        assert_eq!(ending.code, Code::Internal);
    }
}

#[test]
fn goodbye_is_taken_at_any_time_and_nothing_follows() {
    let bye = ClientFrame::Goodbye(Goodbye { code: 4000, sentence: "", retry_after: None });
    for mut state in [new(), open(), suspended(open()).0, waiting().0] {
        assert_eq!(state.handle_client(&bye, true), Effect::End(Ending::plain(Code::Finished)));
        assert_eq!(state.handle_client(&HELLO, true), Effect::Drop);
        assert_eq!(state.handle_broker(&welcome()), Effect::Drop);
        assert_eq!(state.handle_lost(), Effect::Drop);
        assert_eq!(state.tick(), Beat::Nothing);
    }
}

#[test]
fn nothing_is_said_before_welcome() {
    let mut state = new();
    state.handle_client(&HELLO, true);
    assert_eq!(state.tick(), Beat::Nothing);
    state.handle_broker(&body(&ServerFrame::Ping(Ping { nonce: Nonce::ZERO })));
    assert!(matches!(state.tick(), Beat::Ping(_)));
    let (mut state, _) = waiting();
    state.resume();
    assert_eq!(state.tick(), Beat::Nothing);
}

#[test]
fn who_lets_the_edge_wait_is_given_up() {
    let outcome = |mut state: State| (0..10).map(move |_| state.tick()).find(|beat| matches!(beat, Beat::End(_)));
    let ended = |code| Some(Beat::End(Ending::plain(code)));
    let mut opening = new();
    opening.handle_client(&HELLO, true);
    assert_eq!(outcome(opening), ended(Code::Overloaded), "the broker does not answer");
    assert_eq!(outcome(suspended(open()).0), ended(Code::Idle), "it does not know that it waits");
    let (mut resumed, _) = waiting();
    resumed.resume();
    assert_eq!(outcome(resumed), ended(Code::HandshakeTimeout), "it does not come back");
    assert_eq!(outcome(waiting().0), None, "who waits may wait for long");
    assert_eq!(outcome(open()), None);
}
