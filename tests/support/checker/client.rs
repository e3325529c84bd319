//! What a real client does, noted as it is done: publishes, answers, and the way its sessions come and go.

use callboard_client::{Client, ConnectionId, Payload, Position, PublishError, Reason, Receipt, State};
use callboard_protocol::close::Code;

use super::log::Fact;
use super::seen::Seen;

/// A receipt whose answer is noted when it comes.
#[derive(Debug)]
#[must_use = "the answer is noted only when it is waited for"]
pub struct Noted {
    seen: Seen,
    publish: u64,
    receipt: Receipt,
}

impl Noted {
    /// Waits for the answer.
    ///
    /// # Errors
    ///
    /// The client's.
    pub async fn place(self) -> Result<Position, PublishError> {
        let Self { seen, publish, receipt } = self;
        let answer = receipt.await;
        match &answer {
            Ok(position) => seen.note(Fact::Acknowledged { publish, position: *position }),
            // Whether it was stored is not known, and nobody hears of it any more.
            Err(PublishError::Closed(_)) => {}
            Err(_) => seen.note(Fact::Refused { publish }),
        }
        answer
    }
}

impl Seen {
    /// Publishes through the client and waits for the answer.
    ///
    /// # Errors
    ///
    /// The client's.
    pub async fn publish_acked(
        &self,
        client: &Client,
        channel: &str,
        payload: impl Into<Payload>,
    ) -> Result<Position, PublishError> {
        self.publish_receipt(client, channel, payload).await?.place().await
    }

    /// Publishes through the client, and gives what the answer comes by. Waits only for room.
    ///
    /// # Errors
    ///
    /// The client's.
    pub async fn publish_receipt(
        &self,
        client: &Client,
        channel: &str,
        payload: impl Into<Payload>,
    ) -> Result<Noted, PublishError> {
        let (publish, payload, seen) = (self.number(), payload.into(), self.clone());
        let _turn = self.turn.lock().await;
        self.note(Fact::Published { publish, channel: channel.to_owned(), payload: payload.clone() });
        match client.publish_receipt(channel, payload).await {
            Ok(receipt) => Ok(Noted { seen, publish, receipt }),
            Err(error) => {
                self.note(Fact::Refused { publish });
                Err(error)
            }
        }
    }

    /// Publishes through the client and asks for no answer.
    ///
    /// # Errors
    ///
    /// The client's.
    pub async fn publish(
        &self,
        client: &Client,
        channel: &str,
        payload: impl Into<Payload>,
    ) -> Result<(), PublishError> {
        let payload = payload.into();
        let _turn = self.turn.lock().await;
        self.note(Fact::Cast { channel: channel.to_owned(), payload: payload.clone() });
        client.publish(channel, payload).await
    }

    /// Notes from here on how the client's sessions come and go, until it closes.
    pub fn follow(&self, client: &Client) {
        let (seen, mut states) = (self.clone(), client.states());
        tokio::spawn(async move {
            let (mut session, mut state) = (None, Some(states.current()));
            while let Some(now) = state {
                seen.follow_to(&mut session, &now);
                state = states.next().await;
            }
        });
    }

    fn follow_to(&self, session: &mut Option<ConnectionId>, state: &State) {
        match state {
            // A view leaves out states that came and went: another session means that there was none in between.
            State::Online(online) => {
                if *session != Some(online.connection) {
                    self.down(session, None);
                    self.note(Fact::Connected);
                    *session = Some(online.connection);
                }
            }
            State::Waiting { why, .. } => self.down(session, Some(why)),
            State::Closed { why } => {
                self.down(session, Some(why));
                self.note(Fact::Closed);
            }
            State::Connecting | _ => self.down(session, None),
        }
    }

    fn down(&self, session: &mut Option<ConnectionId>, why: Option<&Reason>) {
        let code = match why {
            Some(Reason::Ended { code, .. }) => Some(*code),
            Some(Reason::BrokerAtFault(_)) => Some(Code::OutOfOrder.number()),
            _ => None,
        };
        // A broker that breaks the protocol before there is a session breaks it all the same.
        if session.take().is_some() || matches!(why, Some(Reason::BrokerAtFault(_))) {
            self.note(Fact::Disconnected { code });
        }
    }
}
