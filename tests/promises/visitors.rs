//! A bridge opens many sessions on one connection, and each is as its visitor would have it at a door of its own.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use callboard::config::Limits;
use callboard_protocol::close::Code;
use callboard_protocol::frame::{ClientFrame, ServerFrame};
use callboard_protocol::limits::HELLO_BYTES_MAX;
use callboard_tests::raw::{Bridge, Ending, introduction};
use callboard_tests::{Broker, Neighbour, Peer, Process, eventually, soon};
use quinn::VarInt;

const CHANNEL: &str = "news";

/// More than a connection has streams unless they are raised, and than the broker accepts in one breath.
const VISITORS: usize = 200;

#[tokio::test]
async fn many_sessions_on_one_connection_hear_everything() {
    let broker = Broker::start().await;
    let bridge = Bridge::of(&broker).await;
    let mut visitors = Vec::new();
    for number in 0..VISITORS {
        let mut visitor = bridge.visitor_from(Ipv4Addr::new(192, 0, 2, u8::try_from(number).unwrap())).await;
        visitor.hello().await;
        visitor.subscribe(CHANNEL).await;
        visitors.push(visitor);
    }
    let mut published = Vec::new();
    for (number, visitor) in visitors.iter_mut().enumerate().step_by(20) {
        published.push(format!("from {number}"));
        visitor.publish(CHANNEL, published.last().unwrap().as_str()).await;
    }
    for visitor in &mut visitors {
        for expected in &published {
            assert_eq!(visitor.message().await.payload.as_str(), Some(&**expected));
        }
    }
    Neighbour::of(broker.addr()).await.carries_on().await;
}

#[tokio::test]
async fn what_a_visitor_says_with_its_introduction_is_taken_in_order() {
    let broker = Broker::start().await;
    let bridge = Bridge::of(&broker).await;
    let mut visitor = bridge.stream().await;
    let mut whole = Vec::new();
    let introduce = ClientFrame::Introduce(introduction(Ipv4Addr::new(192, 0, 2, 7)));
    for frame in [introduce, hello()] {
        let mut bytes = bytes::BytesMut::new();
        callboard_protocol::codec::encode_stream(&frame, &mut bytes).unwrap();
        whole.extend_from_slice(&bytes);
    }
    let (first, second) = whole.split_at(7);
    visitor.send_bytes(first).await;
    visitor.send_bytes(second).await;
    let interval = visitor
        .expect("Welcome", |frame| {
            let ServerFrame::Welcome(welcome) = frame else { return None };
            Some(welcome.ping_interval)
        })
        .await;
    assert_eq!(interval, introduction(Ipv4Addr::LOCALHOST).ping_interval, "as the bridge promises its visitor");
    visitor.publish(CHANNEL, "taken").await;
}

fn hello() -> ClientFrame<'static> {
    let hello = callboard_protocol::frame::Hello { agent: "", instance: [7; 16], capabilities: 0, credential: None };
    ClientFrame::Hello(hello)
}

#[tokio::test]
async fn one_visitor_leaves_and_its_place_is_another_ones() {
    let broker = Broker::start_with(|config| config.limits.bridge_sessions = 2).await;
    let bridge = Bridge::of(&broker).await;
    let mut staying = bridge.visitor().await;
    for _ in 0..5 {
        let mut leaving = bridge.visitor().await;
        leaving.say_goodbye(Code::Finished.number()).await;
        let parting = leaving.parting().await;
        assert_eq!((parting.code, parting.was_said), (Code::Finished.number(), true));
        drop(leaving);
    }
    staying.publish(CHANNEL, "still here").await;
}

#[tokio::test]
async fn a_bridge_has_as_many_visitors_as_it_may() {
    let broker = Broker::start_with(|config| config.limits.bridge_sessions = 3).await;
    let mut bridge = Bridge::of(&broker).await;
    let visitors = [bridge.visitor().await, bridge.visitor().await, bridge.visitor().await];
    assert!(bridge.own.has_no_second_stream().await, "no fourth");
    drop(visitors);
    bridge.visitor().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_visitors_leave_their_places_come_back() {
    // Nine come and one stays; the place more is the eighth that may be held back.
    let limits = Limits { connections: 25, bridge_sessions: 11, ..Limits::default() };
    let broker = Broker::start_with(|config| config.limits = limits).await;
    let bridge = Bridge::of(&broker).await;
    let mut staying = bridge.visitor().await;
    for round in 0..20 {
        let mut leaving = Vec::new();
        for how in 0..9 {
            let mut visitor = bridge.stream().await;
            let introduce = ClientFrame::Introduce(introduction(Ipv4Addr::new(192, 0, 2, how)));
            match how {
                0 => {}
                1 => visitor.send_bytes(&[40, 13, 0, 0]).await,
                2 => visitor.send_bytes(&[1, 200]).await,
                3 => visitor.send_all(&[introduce, hello(), hello()]).await,
                _ => visitor.send(&introduce).await,
            }
            if how > 4 {
                visitor.hello().await;
            }
            match how {
                5 => visitor.say_goodbye(Code::Finished.number()).await,
                6 => visitor.finish(),
                7 => drop(visitor.subscribe(CHANNEL).await),
                8 => visitor.send_bytes(&[1, 200]).await,
                _ => {}
            }
            leaving.push(visitor);
        }
        staying.publish(CHANNEL, format!("round {round}")).await;
        drop(leaving);
    }
    // All at once have a place again.
    let mut last = Vec::new();
    for _ in 0..9 {
        last.push(bridge.visitor().await);
    }
    staying.publish(CHANNEL, "still here").await;
}

#[tokio::test]
async fn with_the_bridges_own_session_all_of_them_end() {
    let broker = Broker::start_with(|config| {
        config.metrics_listen = Some((Ipv4Addr::LOCALHOST, 0).into());
    })
    .await;
    let visitors = async || {
        let metrics = callboard_tests::Metrics::read(broker.inner().metrics_addr().unwrap()).await.unwrap();
        (metrics.value("callboard_bridges"), metrics.value("callboard_visitors"))
    };
    let gone = async || (visitors().await == (0, 0)).then_some(());
    let mut bridge = Bridge::of(&broker).await;
    let mut others = [bridge.visitor().await, bridge.visitor().await];
    assert_eq!(visitors().await, (1, 2));
    bridge.own.say_goodbye(Code::Finished.number()).await;
    for visitor in &mut others {
        let Ending::Closed { code, .. } = visitor.closed().await else { panic!("a close with a code") };
        assert_eq!(code, u64::from(Code::Finished.number()));
    }
    eventually("the visitors' end", gone).await;

    let bridge = Bridge::of(&broker).await;
    let visitor = bridge.visitor().await;
    assert_eq!(visitors().await, (1, 1));
    bridge.own.connection().close(VarInt::from_u32(0), b"");
    eventually("the visitor's end", gone).await;
    drop(visitor);
}

#[tokio::test]
async fn who_is_not_introduced_in_time_is_sent_away_alone() {
    let broker = Broker::start_with(|config| config.hello_timeout = Duration::from_secs(2)).await;
    let bridge = Bridge::of(&broker).await;
    let mut visitor = bridge.visitor().await;
    // A stream is there from its first byte on; and who is introduced still has to say hello.
    let mut silent = bridge.stream().await;
    silent.send_bytes(&[40]).await;
    let mut speechless = bridge.visitor_from(Ipv4Addr::new(192, 0, 2, 9)).await;
    for late in [&mut silent, &mut speechless] {
        assert_eq!(late.parting().await.code, Code::HandshakeTimeout.number());
    }
    visitor.publish(CHANNEL, "still here").await;
}

#[tokio::test]
async fn an_introduction_is_no_longer_than_a_hello() {
    let broker = Broker::start().await;
    let bridge = Bridge::of(&broker).await;
    let mut visitor = bridge.visitor().await;
    let mut long = bridge.stream().await;
    long.send_body(&vec![13; HELLO_BYTES_MAX + 1]).await;
    assert_eq!(long.parting().await.code, Code::FrameTooLong.number());
    let mut origin = bridge.stream().await;
    let text = "a".repeat(callboard_protocol::limits::ORIGIN_BYTES_MAX + 1);
    let introduce = introduction(Ipv4Addr::new(192, 0, 2, 7));
    origin
        .send(&ClientFrame::Introduce(callboard_protocol::frame::Introduce { origin: Some(&text), ..introduce }))
        .await;
    assert_eq!(origin.parting().await.code, Code::Malformed.number());
    visitor.publish(CHANNEL, "still here").await;
}

#[tokio::test]
async fn who_reads_late_has_everything_before_the_bridges_connection_is_closed() {
    let broker = Broker::start().await;
    let mut bridge = Bridge::at(broker.addr(), broker.data_dir(), |options| options.stream_window_bytes = 4096).await;
    let mut late = bridge.visitor().await;
    late.subscribe(CHANNEL).await;
    let mut publisher = broker.peer().await;
    publisher.hello().await;
    let published: Vec<String> = (0..20).map(|number| format!("{number:02000}")).collect();
    for message in &published {
        publisher.publish(CHANNEL, message.as_str()).await;
    }
    let drain = tokio::spawn(broker.drain());
    // The bridge's own session has nothing left to hear.
    assert_eq!(bridge.own.goodbye().await.0, Code::ShuttingDown.number());
    assert_eq!(bridge.own.next().await, Err(Ending::Finished));
    for message in &published {
        assert_eq!(late.message().await.payload.as_str(), Some(&**message));
    }
    assert_eq!(late.goodbye().await.0, Code::ShuttingDown.number());
    soon("the end of the drain", drain).await.expect("the drain ends well");
}

#[tokio::test]
async fn a_process_that_is_asked_to_end_says_goodbye_to_every_visitor() {
    let broker = Process::start().await;
    let mut bridge = Bridge::at(broker.addr(), broker.data_dir(), |_| ()).await;
    let mut visitors: Vec<Peer> = Vec::new();
    for host in 0..20 {
        let mut visitor = bridge.visitor_from(IpAddr::from([192, 0, 2, host])).await;
        visitor.hello().await;
        visitor.subscribe(CHANNEL).await;
        visitors.push(visitor);
    }
    bridge.own.publish(CHANNEL, "acknowledged").await;
    let ended = tokio::spawn(broker.terminate());
    for visitor in &mut visitors {
        assert_eq!(visitor.message().await.payload.as_str(), Some("acknowledged"));
        assert_eq!(visitor.goodbye().await.0, Code::ShuttingDown.number());
    }
    assert_eq!(bridge.own.goodbye().await.0, Code::ShuttingDown.number());
    let ended = soon("the process's end", ended).await.unwrap();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.printed);
}
