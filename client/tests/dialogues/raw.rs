//! Sessions for others: many on one connection, none in the way of another, and all told what became of them.

use std::future::poll_fn;
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use callboard_client::defaults::SESSIONS_A_CONNECTION;
use callboard_client::raw::{End, Session, Trunk};
use callboard_client::{Reason, State};
use callboard_protocol::Nonce;
use callboard_protocol::close::Code;
use callboard_protocol::codec::{self, decode_server};
use callboard_protocol::frame::{ClientFrame, Hello, Ping, Pong, ServerFrame};
use quinn::VarInt;

use crate::broker::{Broker, Heard, Peer, patiently};

/// A trunk that is up, and the broker's end of its own session.
async fn trunk(broker: &Broker) -> (Trunk, Peer) {
    let trunk = broker.builder().api_key("bridge").trunk().expect("a trunk");
    let peer = broker.welcome().await;
    up(&trunk).await;
    (trunk, peer)
}

async fn up(trunk: &Trunk) {
    patiently(trunk.states().online()).await.expect("it is up");
}

async fn open(trunk: &Trunk) -> Session {
    patiently(trunk.open().expect("it is up")).await.expect("a session")
}

fn hello(agent: u8) -> Bytes {
    let hello = Hello { agent: "", instance: [agent; 16], capabilities: 0, credential: None };
    let mut body = BytesMut::new();
    codec::encode(&ClientFrame::Hello(hello), &mut body).expect("it fits");
    body.freeze()
}

/// A visitor's session that has said hello, and the broker's end of it.
async fn visitor(trunk: &Trunk, own: &Peer, number: u8) -> (Session, Peer) {
    let mut session = open(trunk).await;
    session.send_body(&hello(number)).expect("it fits");
    write(&mut session).await;
    let peer = Peer::accept(own.connection.clone()).await;
    assert_eq!(peer.hello().instance, [number; 16]);
    (session, peer)
}

async fn write(session: &mut Session) {
    patiently(poll_fn(|cx| session.poll_write(cx))).await.expect("it is written");
}

async fn next(session: &mut Session) -> Result<Bytes, End> {
    loop {
        if let Some(body) = session.next_body()? {
            return Ok(body);
        }
        patiently(poll_fn(|cx| session.poll_read(cx))).await?;
    }
}

fn ping(nonce: u64) -> ServerFrame<'static> {
    ServerFrame::Ping(Ping { nonce: Nonce::saturating(nonce) })
}

#[tokio::test]
async fn the_first_stream_is_the_trunks_own_and_is_kept_alive() {
    let broker = Broker::start();
    let (_trunk, mut own) = trunk(&broker).await;
    assert_eq!(own.hello().secret.as_deref(), Some("bridge"));
    own.say(ping(7)).await;
    assert_eq!(own.hear().await, Heard::Pong(Nonce::saturating(7)));
}

#[tokio::test]
async fn bodies_go_in_and_out_and_visitors_do_not_hear_each_other() {
    let broker = Broker::start();
    let (trunk, own) = trunk(&broker).await;
    let (mut one, mut of_one) = visitor(&trunk, &own, 1).await;
    let (mut other, mut of_other) = visitor(&trunk, &own, 2).await;
    of_other.say(ping(2)).await;
    of_one.say(ping(1)).await;
    assert_eq!(decode_server(&next(&mut one).await.expect("a body")), Ok(ping(1)));
    assert_eq!(decode_server(&next(&mut other).await.expect("a body")), Ok(ping(2)));
    one.send(&ClientFrame::Pong(Pong { nonce: Nonce::saturating(1) })).expect("it fits");
    assert!(one.unwritten_bytes() > 0);
    write(&mut one).await;
    assert_eq!(one.unwritten_bytes(), 0);
    assert_eq!(of_one.hear().await, Heard::Pong(Nonce::saturating(1)));
}

#[tokio::test]
async fn one_that_is_not_read_is_stopped_by_itself_and_the_others_go_on() {
    let broker = Broker::start();
    let (trunk, own) = trunk(&broker).await;
    let (mut stuck, mut of_stuck) = visitor(&trunk, &own, 1).await;
    // More than its window, and more than a small window for all would be.
    let flood = tokio::spawn(async move {
        of_stuck.say_bytes(&vec![1; 4 << 20]).await;
        of_stuck
    });
    let (mut other, mut of_other) = visitor(&trunk, &own, 2).await;
    let text = "x".repeat(32 << 10);
    for offset in 1..=100 {
        patiently(of_other.say_message(1, offset, &text)).await;
        next(&mut other).await.expect("it is not held up");
    }
    assert!(!flood.is_finished(), "what nobody reads is not taken");
    // The flood is no frames, which is found once it is read.
    patiently(poll_fn(|cx| stuck.poll_read(cx))).await.expect("something was read");
    assert!(matches!(stuck.next_body(), Ok(Some(_)) | Err(End::Fault(_))));
    drop(stuck);
    patiently(flood).await.expect("it is over once nobody wants it");
}

#[tokio::test]
async fn an_end_is_found_by_who_reads_and_by_who_does_not() {
    let broker = Broker::start();
    let (trunk, own) = trunk(&broker).await;
    let (mut reads, mut of_reads) = visitor(&trunk, &own, 1).await;
    of_reads.say(ping(1)).await;
    let _ = of_reads.send.finish();
    assert!(next(&mut reads).await.is_ok());
    assert_eq!(next(&mut reads).await, Err(End::Finished));

    let (mut does_not, mut of_does_not) = visitor(&trunk, &own, 2).await;
    of_does_not.say(ping(1)).await;
    let _ = of_does_not.send.reset(VarInt::from_u32(Code::TooSlow.number().into()));
    let broken = patiently(poll_fn(|cx| does_not.poll_broken(cx))).await;
    assert_eq!(broken, End::Code(Code::TooSlow.number().into()));

    let (mut waits, _of_waits) = visitor(&trunk, &own, 3).await;
    own.connection.close(VarInt::from_u32(Code::ShuttingDown.number().into()), b"");
    assert!(matches!(patiently(poll_fn(|cx| waits.poll_broken(cx))).await, End::Lost(_)));
}

#[tokio::test]
async fn a_trunk_comes_back_whatever_it_was_told() {
    let broker = Broker::start();
    let (trunk, mut own) = trunk(&broker).await;
    for code in [Code::ShuttingDown, Code::BadCredential, Code::Kicked] {
        let mut states = trunk.states();
        own.say_goodbye(code.number(), None).await;
        let why = patiently(states.wait_for(|state| matches!(state, State::Waiting { .. }))).await;
        let Some(State::Waiting { why: Reason::Ended { code: told, .. }, .. }) = why else { panic!("not {why:?}") };
        assert_eq!(told, code.number());
        assert!(trunk.open().is_none(), "there is nothing to open a session on");
        own = broker.welcome().await;
        up(&trunk).await;
    }
    visitor(&trunk, &own, 1).await;
}

#[tokio::test]
async fn visitors_hear_the_end_of_what_they_are_told_though_the_trunk_was_told_goodbye() {
    let broker = Broker::start();
    let (trunk, mut own) = trunk(&broker).await;
    let (mut session, mut of_session) = visitor(&trunk, &own, 1).await;
    let mut states = trunk.states();
    own.say_goodbye(Code::ShuttingDown.number(), None).await;
    patiently(states.wait_for(|state| matches!(state, State::Waiting { .. }))).await.expect("it is down");
    of_session.say(ping(9)).await;
    assert_eq!(decode_server(&next(&mut session).await.expect("it is heard")), Ok(ping(9)));
}

#[tokio::test]
async fn a_broker_that_gives_one_stream_only_has_not_given_the_right() {
    let broker = Broker::start_with_streams(1);
    let trunk = broker.builder().trunk().expect("a trunk");
    let mut states = trunk.states();
    let _own = broker.welcome().await;
    let state = patiently(states.wait_for(|state| matches!(state, State::Waiting { .. }))).await;
    let Some(State::Waiting { why: Reason::Ended { code, sentence }, .. }) = state else { panic!("not {state:?}") };
    assert_eq!(code, Code::Forbidden.number());
    assert!(sentence.contains("token new"), "{sentence}");
}

#[tokio::test]
async fn who_leaves_is_heard_to_the_end() {
    let broker = Broker::start();
    let (trunk, mut own) = trunk(&broker).await;
    let (mut session, mut of_session) = visitor(&trunk, &own, 1).await;
    session.send(&ClientFrame::Pong(Pong { nonce: Nonce::saturating(5) })).expect("it fits");
    session.close(Code::Idle);
    let closing = tokio::spawn(async move { trunk.close().await });
    assert_eq!(of_session.hear().await, Heard::Pong(Nonce::saturating(5)));
    assert_eq!(of_session.hear().await, Heard::Goodbye(Code::Idle.number()));
    let _ = of_session.send.finish();
    assert_eq!(own.hear().await, Heard::Goodbye(Code::Finished.number()));
    let _ = own.send.finish();
    assert_eq!(own.closed_with().await, u64::from(Code::Finished.number()));
    patiently(closing).await.expect("it is closed");
}

#[tokio::test]
async fn what_comes_to_who_leaves_is_thrown_away_and_makes_no_bodies() {
    let broker = Broker::start();
    let (trunk, own) = trunk(&broker).await;
    let mut all_taken = false;
    // It closes for a second, which a busy machine may need for something else.
    for number in 1..=5 {
        let (session, mut of_session) = visitor(&trunk, &own, number).await;
        session.close(Code::Idle);
        assert_eq!(of_session.hear().await, Heard::Goodbye(Code::Idle.number()));
        // No frames, and more than a window: who looked for frames in it would not take it.
        all_taken |= of_session.send.write_all(&[0; 256 << 10]).await.is_ok();
        let _ = of_session.send.finish();
    }
    assert!(all_taken);
}

#[tokio::test]
async fn who_was_busy_when_the_broker_said_goodbye_hears_it_and_leaves_nothing_behind() {
    let broker = Broker::start();
    let (trunk, own) = trunk(&broker).await;
    let (mut busy, mut of_busy) = visitor(&trunk, &own, 1).await;
    let (mut other, mut of_other) = visitor(&trunk, &own, 2).await;
    of_busy.say(ping(1)).await;
    of_busy.say_goodbye(Code::Kicked.number(), None).await;
    let _ = of_busy.send.finish();
    // What is said on another stream afterwards comes afterwards, on a line that loses nothing.
    of_other.say(ping(2)).await;
    next(&mut other).await.expect("it is heard");
    poll_fn(|cx| {
        assert!(busy.poll_broken(cx).is_pending(), "what is unread is worth reading");
        Poll::Ready(())
    })
    .await;
    assert_eq!(decode_server(&next(&mut busy).await.expect("a body")), Ok(ping(1)));
    let goodbye = next(&mut busy).await.expect("the goodbye");
    assert!(
        matches!(decode_server(&goodbye), Ok(ServerFrame::Goodbye(goodbye)) if goodbye.code == Code::Kicked.number())
    );
    assert_eq!(next(&mut busy).await, Err(End::Finished));
    // The transport checks by itself that nobody waits for a stream that is over.
    drop(busy);
}

#[tokio::test]
async fn why_a_session_was_broken_off_is_told_as_often_as_it_is_asked() {
    let broker = Broker::start();
    let (trunk, own) = trunk(&broker).await;
    let (mut session, mut of_session) = visitor(&trunk, &own, 1).await;
    let _ = of_session.send.reset(VarInt::from_u32(Code::TooSlow.number().into()));
    let code = End::Code(Code::TooSlow.number().into());
    for _ in 0..2 {
        assert_eq!(patiently(poll_fn(|cx| session.poll_broken(cx))).await, code);
        assert_eq!(patiently(poll_fn(|cx| session.poll_read(cx))).await, Err(code.clone()));
    }
}

#[tokio::test]
async fn a_connection_carries_no_more_sessions_than_its_window_is_made_for() {
    let broker = Broker::start_with_streams(2000);
    let (trunk, _own) = trunk(&broker).await;
    let now = || trunk.open().expect("it is up").now();
    let mut open: Vec<_> = (0..SESSIONS_A_CONNECTION).map(|_| now().expect("there is room")).collect();
    assert!(now().is_none());
    let further = trunk.open().expect("it is up");
    open.pop();
    patiently(further).await.expect("a session");
}

#[tokio::test]
async fn who_parts_is_heard_to_the_end_and_says_no_goodbye() {
    let broker = Broker::start();
    let (trunk, own) = trunk(&broker).await;
    let (mut session, mut of_session) = visitor(&trunk, &own, 1).await;
    session.send(&ClientFrame::Pong(Pong { nonce: Nonce::saturating(5) })).expect("it fits");
    session.close_silently();
    assert_eq!(of_session.hear().await, Heard::Pong(Nonce::saturating(5)));
    of_session.falls_silent().await;
}
