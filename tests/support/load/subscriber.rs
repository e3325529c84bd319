//! A client's reader of one channel: steady, slow, or restless; it notes whatever it is given and leaves nothing out.

use std::time::Duration;

use callboard_client::{Client, Event, SubscribeOptions, Subscription};
use callboard_protocol::Position;
use callboard_protocol::frame::Start;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

use super::notes::Notes;
use crate::checker::Fact;
use crate::proxy::Dice;

/// A reader.
#[derive(Debug)]
pub(super) struct Subscriber {
    /// Through whom.
    pub(super) client: Client,
    /// Where it is noted.
    pub(super) notes: Notes,
    /// What is read.
    pub(super) channel: String,
    /// How it is subscribed; where to begin is the reader's own choice if it is restless.
    pub(super) options: SubscribeOptions,
    /// How it reads.
    pub(super) habit: Habit,
    /// Who decides when it goes and where it begins.
    pub(super) dice: Dice,
    /// Tells how far it is.
    pub(super) stand: watch::Sender<Option<Position>>,
    /// The place up to which the answer said that something is missing; `None` at first.
    pub(super) told: Option<Position>,
}

/// How somebody reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Habit {
    /// Whatever comes, at once.
    Steady,
    /// One after the other, with a pause behind each.
    Slow(Duration),
    /// Goes after a while, comes back at once, and begins live, from a history, or where it was.
    Restless,
}

/// What is asked of all readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Mood {
    /// To read as they like.
    #[default]
    AsTheyLike,
    /// To stay, and read as fast as they can.
    Attentive,
    /// To stop.
    Over,
}

/// How long a restless reader stays at most.
const STAYS: Duration = Duration::from_millis(1500);

/// How often in a hundred it goes before it had an answer.
const HASTE: f64 = 0.1;

/// How much it asks of a history.
const REWIND: usize = 100;

impl Subscriber {
    /// Reads until it is told to stop.
    ///
    /// # Errors
    ///
    /// A sentence, if a subscription was refused or ended.
    pub(super) async fn run(mut self, mut mood: watch::Receiver<Mood>) -> Result<(), String> {
        for number in 0.. {
            let options = self.options();
            let start = match (options.recover_from, options.rewind) {
                (Some(position), _) => Start::Recover(position),
                (None, Some(messages)) => Start::Rewind(messages),
                (None, None) => Start::Live,
            };
            let (channel, exclude_own) = (self.channel.clone(), options.exclude_own);
            self.notes.note(Fact::Subscribing { subscription: number, channel, start, exclude_own });
            let stays = Instant::now() + self.dice.up_to(STAYS);
            if self.habit == Habit::Restless && self.dice.happens(HASTE) {
                // Dropped before its answer came, or behind it: both leave nothing.
                let asking = self.client.subscribe_with(&self.channel, options);
                let _ = timeout_at(Instant::now() + self.dice.up_to(STAYS / 100), asking).await;
                self.notes.note(Fact::Leaving { subscription: number });
                self.notes.note(Fact::Left { subscription: number });
                continue;
            }
            let asked = tokio::select! {
                asked = self.client.subscribe_with(&self.channel, options) => asked,
                () = async { drop(mood.wait_for(|mood| *mood == Mood::Over).await) } => return Ok(()),
            };
            let subscription = asked.map_err(|error| format!("{} was refused: {error}", self.channel))?;
            let (at, recovered) = (subscription.position(), subscription.recovered());
            self.notes.note(Fact::Began { subscription: number, at, recovered });
            self.stand.send_replace(Some(at));
            // What is missing before the beginning is told twice: there, and by a gap that ends where it begins.
            self.told = (!recovered).then_some(at);
            if self.read(number, subscription, stays, &mut mood).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Where the next subscription begins.
    fn options(&mut self) -> SubscribeOptions {
        let stand = *self.stand.borrow();
        match (self.habit, stand) {
            (Habit::Restless, Some(stand)) => match self.dice.below(4) {
                0 => self.options,
                1 => SubscribeOptions { rewind: u32::try_from(1 + self.dice.below(REWIND)).ok(), ..self.options },
                _ => SubscribeOptions { recover_from: Some(stand), ..self.options },
            },
            (Habit::Steady | Habit::Slow(_) | Habit::Restless, _) => self.options,
        }
    }

    /// Reads until it is time to go. Says whether that is for good.
    async fn read(
        &mut self,
        number: u64,
        mut subscription: Subscription,
        stays: Instant,
        mood: &mut watch::Receiver<Mood>,
    ) -> Result<bool, String> {
        loop {
            let now = *mood.borrow_and_update();
            let leaves = self.habit == Habit::Restless && now == Mood::AsTheyLike;
            tokio::select! {
                event = subscription.next() => self.take(number, event)?,
                changed = mood.changed() => drop(changed),
                () = sleep(stays.saturating_duration_since(Instant::now())), if leaves => {
                    self.notes.note(Fact::Leaving { subscription: number });
                    drop(subscription);
                    self.notes.note(Fact::Left { subscription: number });
                    return Ok(false);
                }
            }
            let now = *mood.borrow();
            match (self.habit, now) {
                (_, Mood::Over) => return Ok(true),
                (Habit::Slow(pause), Mood::AsTheyLike) => sleep(pause).await,
                (Habit::Steady | Habit::Slow(_) | Habit::Restless, _) => {}
            }
        }
    }

    fn take(&mut self, subscription: u64, event: Option<Event>) -> Result<(), String> {
        match event {
            Some(Event::Message(message)) => {
                self.told = None;
                // A copy, since a payload holds on to all that was read together with it.
                let (position, payload) = (message.position, message.payload.borrowed().to_owned());
                self.notes.note(Fact::Message { subscription, position, payload });
                self.stand.send_replace(Some(position));
            }
            Some(Event::Gap(gap)) => {
                if self.told.take() != Some(gap.to) {
                    self.notes.note(Fact::Gap { subscription, at: gap.to });
                }
                self.stand.send_replace(Some(gap.to));
            }
            ended => return Err(format!("the subscription of {} ended: {ended:?}", self.channel)),
        }
        Ok(())
    }
}
