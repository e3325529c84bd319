//! A channel of which nothing is left waits for who was lost: as long as it is told to, for nobody else, and in nobody's way.

use std::time::Duration;

use bytes::BytesMut;
use callboard::Config;
use callboard::config::Rate;
use callboard::simulation::World;
use callboard_protocol::close::Code;
use callboard_protocol::codec::encode_stream;
use callboard_protocol::frame::{ClientFrame, Goodbye, Start};

use super::client::Client;

const CHANNEL: &str = "one-off";

/// After this long each channel was looked at once.
const SWEPT: Duration = Duration::from_secs(7);

/// Of the broker whose channels are few.
const CHANNELS: usize = 80;

/// How a reader goes.
#[derive(Debug, Clone, Copy)]
enum Way {
    Lost,
    HalfClosed,
    Goodbye(Code),
    Left,
}

fn world(change: impl FnOnce(&mut Config)) -> World {
    let mut config = Config::new("/nowhere");
    config.limits.births = Rate { per_second: 1_000_000, burst: 1_000_000 };
    config.limits.births_per_address = config.limits.births;
    change(&mut config);
    World::new(1, config)
}

fn reader(world: &mut World, place: u8, channel: &str) -> Client {
    let mut reader = Client::new(place);
    reader.connect(world);
    say(world, &mut reader, |client, bytes| client.subscribe(channel, Start::Live, false, 0, bytes));
    assert!(reader.subscriptions.values().all(|known| known.began), "{channel}: there is a place for it");
    reader
}

fn say(world: &mut World, client: &mut Client, write: impl FnOnce(&mut Client, &mut BytesMut)) {
    let mut bytes = BytesMut::new();
    write(client, &mut bytes);
    world.say(client.session.as_ref().expect("a session").wire, bytes.freeze());
    world.settle();
    client.hear(world);
}

fn go(world: &mut World, mut reader: Client, way: Way) {
    let wire = reader.session.as_ref().expect("a session").wire;
    match way {
        Way::Lost => world.hang_up(wire),
        Way::HalfClosed => world.end_saying(wire),
        Way::Goodbye(code) => {
            let goodbye = Goodbye { code: code.number(), sentence: "", retry_after: None };
            let mut bytes = BytesMut::new();
            encode_stream(&ClientFrame::Goodbye(goodbye), &mut bytes).expect("it fits a body");
            world.say(wire, bytes.freeze());
        }
        Way::Left => {
            say(world, &mut reader, |client, bytes| client.unsubscribe(CHANNEL, 0, bytes));
            world.hang_up(wire);
        }
    }
    world.settle();
}

fn is_there(world: &World) -> bool {
    world.census().channels.iter().any(|channel| channel.name.as_str() == CHANNEL)
}

#[test]
fn who_was_lost_is_waited_for_until_the_grace_is_over() {
    for grace in [1, 60, 3_600].map(Duration::from_secs) {
        let mut world = world(|config| config.channel_grace = grace);
        let reader = reader(&mut world, 0, CHANNEL);
        go(&mut world, reader, Way::Lost);
        world.pass(grace - Duration::from_millis(10));
        assert!(is_there(&world), "{grace:?} are not over");
        world.pass(SWEPT);
        assert!(!is_there(&world), "{grace:?} are over");
    }
    let mut world = world(|config| config.channel_grace = Duration::ZERO);
    let reader = reader(&mut world, 0, CHANNEL);
    go(&mut world, reader, Way::Lost);
    assert!(!is_there(&world), "nobody is to be waited for");
}

#[test]
fn only_who_may_come_back_is_waited_for() {
    for (way, waits) in [
        (Way::Lost, true),
        (Way::HalfClosed, true),
        (Way::Goodbye(Code::Idle), true),
        (Way::Goodbye(Code::Finished), false),
        (Way::Left, false),
    ] {
        let mut world = world(|_| ());
        let reader = reader(&mut world, 0, CHANNEL);
        assert!(is_there(&world));
        go(&mut world, reader, way);
        assert_eq!(is_there(&world), waits, "{way:?}");
    }
}

#[test]
fn who_was_lost_is_waited_for_though_another_leaves_later() {
    let mut world = world(|_| ());
    let (lost, leaves) = (reader(&mut world, 0, CHANNEL), reader(&mut world, 1, CHANNEL));
    go(&mut world, lost, Way::Lost);
    go(&mut world, leaves, Way::Left);
    assert!(is_there(&world));
}

#[test]
fn however_many_are_lost_there_is_a_place_for_new_channels() {
    let mut world = world(|config| config.limits.channels = CHANNELS);
    for number in 0..10 * CHANNELS {
        let reader = reader(&mut world, 0, &format!("one-off/{number}"));
        go(&mut world, reader, Way::Lost);
        assert!(world.census().channels_counted <= CHANNELS / 8 * 7, "channel {number}");
    }
    for place in 0..CHANNELS {
        reader(&mut world, 0, &format!("stays/{place}"));
        world.pass(SWEPT / 7);
    }
    assert_eq!(world.census().channels_counted, CHANNELS, "who waits gave way to who stays");
}
