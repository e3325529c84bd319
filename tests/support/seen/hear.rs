//! What raw peers and clients hear, as a witness notes it: each frame or event put in its place; judged elsewhere.

use callboard_protocol::frame::{ServerFrame, Subscribed};
use callboard_protocol::{ChannelId, Offset, Payload, Position};

use super::{Event, Seen};

impl Seen {
    /// Notes the broker's answer to a raw peer's subscription: what [`Seen::hear`] hears is put in place from here on.
    ///
    /// A subscription that was to recover and did not (`recovered` is `false`) begins behind a gap.
    pub fn subscribed(&mut self, channel: &str, subscribed: &Subscribed) {
        let before = Offset::saturating(subscribed.next.value().saturating_sub(1));
        let began = Position { offset: before, ..subscribed.position };
        let again = !self.events(channel).is_empty();
        self.note(channel, if again && !subscribed.recovered { Event::Gap(began) } else { Event::Began(began) });
        self.numbers.insert(subscribed.channel, (channel.to_owned(), began));
    }

    /// Notes what a raw peer hears, if it is about a channel's messages.
    ///
    /// # Panics
    ///
    /// If the channel's number was never given a name: a broker names a channel before it delivers.
    pub fn hear(&mut self, frame: &ServerFrame<'_>) {
        match frame {
            ServerFrame::Named(named) => {
                self.note(named.name, Event::Began(named.position));
                self.numbers.insert(named.channel, (named.name.to_owned(), named.position));
            }
            ServerFrame::Message(message) => {
                let position = Position { offset: message.offset, ..self.last(message.channel) };
                self.note_at(message.channel, position, Event::Message(position, message.payload.to_owned()));
            }
            ServerFrame::Skipped(skipped) => {
                let position = Position { offset: skipped.through, ..self.last(skipped.channel) };
                self.note_at(skipped.channel, position, Event::Skipped(skipped.through));
            }
            ServerFrame::Reset(reset) => self.note_at(reset.channel, reset.position, Event::Gap(reset.position)),
            ServerFrame::Event(event) => {
                let position = Position { offset: event.offset, ..self.last(event.channel) };
                let payload: Payload = event.payload.to_owned();
                self.note_at(event.channel, position, Event::Message(position, payload));
            }
            ServerFrame::Welcome(_)
            | ServerFrame::Goodbye(_)
            | ServerFrame::Ping(_)
            | ServerFrame::Ok { .. }
            | ServerFrame::Failed(_)
            | ServerFrame::Membership(_)
            | ServerFrame::Invoke(_) => {}
        }
    }

    fn last(&self, channel: ChannelId) -> Position {
        let known = self.numbers.get(&channel);
        known.unwrap_or_else(|| panic!("{}: a delivery of channel {channel}, which has no name", self.witness)).1
    }

    fn note_at(&mut self, channel: ChannelId, position: Position, event: Event) {
        self.last(channel);
        if let Some((name, last)) = self.numbers.get_mut(&channel) {
            *last = position;
            let name = name.clone();
            self.note(&name, event);
        }
    }
}
