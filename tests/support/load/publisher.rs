//! A client's publisher: it publishes with receipts, at a pace, and notes each publish with its answer; nothing is sent unnoted.

use std::time::Duration;

use bytes::Bytes;
use callboard_client::{Client, Payload, PublishError};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::notes::Notes;
use crate::checker::Fact;
use crate::proxy::Dice;

/// A publisher that nobody else's log is kept by.
#[derive(Debug)]
pub(super) struct Publisher {
    /// Through whom.
    pub(super) client: Client,
    /// Where it is noted.
    pub(super) notes: Notes,
    /// What the payloads begin with, so that no two of a trial are alike.
    pub(super) name: String,
    /// Where to: each goes to one of these.
    pub(super) channels: Vec<String>,
    /// From one publish to the next.
    pub(super) every: Duration,
    /// Who decides on channels and sizes.
    pub(super) dice: Dice,
}

/// Of a thousand payloads so many have up to so many bytes: most are small, and a few take many datagrams.
const SIZES: [(usize, usize); 3] = [(900, 300), (95, 8 << 10), (5, 60 << 10)];

impl Publisher {
    /// Publishes until it is told to stop, and waits until everything is answered.
    ///
    /// # Errors
    ///
    /// A sentence, if a publish was neither taken nor refused by the broker.
    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) -> Result<(), String> {
        let (mut answers, mut number) = (JoinSet::new(), 0);
        let mut ticks = interval(self.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = async { drop(stop.wait_for(|stop| *stop).await) } => break,
                _ = ticks.tick() => {
                    let answer = self.publish(number).await;
                    answers.spawn(answer?);
                    number += 1;
                }
                Some(answered) = answers.join_next() => answered.map_err(|error| error.to_string())??,
            }
        }
        while let Some(answered) = answers.join_next().await {
            answered.map_err(|error| error.to_string())??;
        }
        Ok(())
    }

    /// Publishes one message. Gives what waits for its answer.
    async fn publish(&mut self, publish: u64) -> Result<impl Future<Output = Result<(), String>> + use<>, String> {
        let channel = self.dice.one_of(&self.channels).clone();
        let payload = self.payload(publish);
        let notes = self.notes.clone();
        notes.note(Fact::Published { publish, channel: channel.clone(), payload: payload.clone() });
        let receipt = self.client.publish_receipt(&channel, payload).await;
        let receipt = receipt.map_err(|error| format!("{} could not publish: {error}", self.name))?;
        let name = self.name.clone();
        Ok(async move {
            match receipt.await {
                Ok(position) => notes.note(Fact::Acknowledged { publish, position }),
                Err(PublishError::Refused(_)) => notes.note(Fact::Refused { publish }),
                Err(error) => return Err(format!("{name} has no answer: {error}")),
            }
            Ok(())
        })
    }

    fn payload(&mut self, number: u64) -> Payload {
        let mut one = self.dice.below(1000);
        let sizes = SIZES.into_iter().find(|(part, _)| {
            let is_this = one < *part;
            one = one.saturating_sub(*part);
            is_this
        });
        let filler = self.dice.below(sizes.map_or(0, |(_, bytes)| bytes));
        let mut payload = format!("{} {number} ", self.name).into_bytes();
        let end = payload.len() + filler;
        payload.resize_with(end, || b'.');
        Payload::binary(Bytes::from(payload))
    }
}
