//! A channel that was left hears of it, even when the session ends while that waits behind something; found by a seed.

use bytes::BytesMut;
use callboard::Config;
use callboard::simulation::World;
use callboard_protocol::Payload;
use callboard_protocol::frame::Start;

use super::client::{Client, Pace};

/// More replays than a session may have under way.
const REPLAYS: usize = 40;

fn say(world: &mut World, client: &mut Client, write: impl FnOnce(&mut Client, &mut BytesMut)) {
    let mut bytes = BytesMut::new();
    write(client, &mut bytes);
    world.say(client.session.as_ref().expect("a session").wire, bytes.freeze());
    world.settle();
    client.hear(world);
}

#[test]
fn a_leave_that_is_held_reaches_its_channel_when_the_session_ends() {
    let mut config = Config::new("/nowhere");
    config.outbox.bytes = 20_000;
    let mut world = World::new(1, config);
    let (mut publisher, mut reader) = (Client::new(0), Client::new(1));
    publisher.connect(&mut world);
    reader.connect(&mut world);
    say(&mut world, &mut publisher, |client, bytes| {
        for place in 0..REPLAYS {
            client.publish(&format!("busy/{place}"), Payload::text(".".repeat(100)), 0, bytes);
        }
    });
    say(&mut world, &mut reader, |client, bytes| {
        client.subscribe("quiet", Start::Live, false, 0, bytes);
        client.subscribe("loud", Start::Live, false, 0, bytes);
    });
    reader.pace = Pace::Slow(0);
    reader.make_room(&mut world);
    // It reads nothing, so no replay ends, and what comes behind the last one waits.
    say(&mut world, &mut reader, |client, bytes| {
        for place in 0..REPLAYS {
            client.subscribe(&format!("busy/{place}"), Start::Rewind(1), false, 0, bytes);
        }
        client.unsubscribe("quiet", 0, bytes);
    });
    let is_there = |world: &World| world.census().channels.iter().any(|channel| channel.name.as_str() == "quiet");
    assert!(is_there(&world), "the end of the subscription is held");
    say(&mut world, &mut publisher, |client, bytes| {
        client.publish("loud", Payload::text(".".repeat(30_000)), 0, bytes)
    });
    reader.hear(&mut world);
    assert!(reader.session.is_none(), "it was too slow");
    assert!(!is_there(&world), "nobody is left in the channel");
}
