//! What holds of a simulated broker at every moment, and what holds of it at rest.

use std::collections::HashMap;

use callboard::Config;
use callboard::config::OUTBOX_BYTES_FREE;
use callboard::simulation::{Asleep, Census};
use callboard_protocol::ConnectionId;

use super::client::{Client, Pace};

/// Bounds are kept and sums are right; of a broker at rest also, that members are who holds the channel.
pub(super) fn check(census: &Census, config: &Config, clients: &[Client], settled: bool) {
    for queue in &census.queues {
        assert!(queue.messages <= config.outbox.messages, "{queue:?}");
        assert!(queue.bytes <= config.outbox.bytes, "{queue:?}");
        assert!(queue.bytes <= queue.share_bytes + OUTBOX_BYTES_FREE, "{queue:?}");
    }
    let shares: usize = census.queues.iter().map(|queue| queue.share_bytes).sum();
    assert!(census.outbox_bytes_held >= shares, "what outboxes have is held, and so are lists of replays");
    assert!(census.outbox_bytes_held <= config.limits.outbox_bytes);
    assert!(census.history_bytes_held <= config.limits.history_bytes);
    assert_eq!(census.channels_counted, census.channels.len(), "the directory knows how many channels it has");
    // Sessions that leave may give birth to a channel again; they do not ask for leave.
    assert!(census.places <= config.limits.connections);
    let asleep: Vec<&Asleep> = census.channels.iter().filter_map(|channel| channel.asleep.as_ref()).collect();
    let remembered: usize = asleep.iter().map(|channel| channel.history_share_bytes).sum();
    assert!(census.history_bytes_held >= remembered, "what is remembered is held, and so is what replays still read");
    for channel in &asleep {
        let bounds = config.history.first().map(|(_, bounds)| *bounds).unwrap_or_default();
        assert!(channel.history_bytes <= channel.history_share_bytes, "{channel:?}");
        assert!(channel.history_bytes <= bounds.bytes && channel.history_messages <= bounds.messages, "{channel:?}");
    }
    if settled {
        check_members(census, clients);
    }
}

fn check_members(census: &Census, clients: &[Client]) {
    let open: Vec<ConnectionId> = census.queues.iter().map(|queue| queue.connection).collect();
    let calm: HashMap<ConnectionId, &Client> = clients
        .iter()
        .filter(|client| client.is_calm() && client.pace == Pace::Fast)
        .filter_map(|client| Some((client.connection?, client)))
        .collect();
    for channel in &census.channels {
        let Some(asleep) = &channel.asleep else { continue };
        for member in &asleep.members {
            assert!(open.contains(member), "connection {member} is over, and a member of `{}`", channel.name);
            if let Some(client) = calm.get(member) {
                let name = client.log.name();
                assert!(client.holds(channel.name.as_str()), "{name} is a member of `{}` and left it", channel.name);
            }
        }
    }
    for (connection, client) in &calm {
        for subscription in client.subscriptions.values().filter(|known| known.began) {
            let channel = census.channels.iter().find(|channel| channel.name.as_str() == subscription.channel);
            let (name, wanted) = (client.log.name(), &subscription.channel);
            let channel = channel.unwrap_or_else(|| panic!("{name} holds `{wanted}`, which the broker forgot"));
            if let Some(asleep) = &channel.asleep {
                assert!(asleep.members.contains(connection), "{name} holds `{wanted}`, and is no member");
            }
        }
    }
}

/// Nobody is connected: nothing is held for anybody.
pub(super) fn check_nobody(census: &Census) {
    assert_eq!(census.queues, [], "queues of nobody");
    assert_eq!((census.places, census.outbox_bytes_held), (0, 0), "places and bytes of nobody");
    for channel in &census.channels {
        let members = channel.asleep.as_ref().map_or(0, |asleep| asleep.members.len());
        assert_eq!(members, 0, "`{}` has members who are gone", channel.name);
    }
}

/// And long enough: no channel is left, and no history.
pub(super) fn check_nothing(census: &Census) {
    assert_eq!(census.channels, [], "channels without members and history");
    assert_eq!((census.channels_counted, census.history_bytes_held), (0, 0));
}
