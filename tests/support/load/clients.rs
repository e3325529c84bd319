//! All clients of a trial: who publishes, who reads, and whether everybody is there; it harms nobody and judges nothing.

use std::time::Duration;

use callboard_client::{Builder, Client, Payload, Position, State, SubscribeOptions};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::notes::{Clock, Notes};
use super::presence::follow;
use super::publisher::Publisher;
use super::subscriber::{Habit, Mood, Subscriber};
use crate::checker::{Fact, Log};
use crate::proxy::Dice;

/// The clients of a trial, and their logs.
#[derive(Debug)]
pub struct Clients {
    clock: Clock,
    seed: u64,
    members: Vec<(String, Client)>,
    notes: Vec<Notes>,
    readers: Vec<Reader>,
    reading: JoinSet<Result<(), String>>,
    publishing: JoinSet<Result<(), String>>,
    following: JoinSet<()>,
    stop: watch::Sender<bool>,
    mood: watch::Sender<Mood>,
    /// Who calls the roll: its log, and how many marks it has set.
    herald: Option<(Client, Notes, u64)>,
}

/// How far somebody is in a channel.
#[derive(Debug)]
struct Reader {
    name: String,
    channel: String,
    stand: watch::Receiver<Option<Position>>,
}

impl Clients {
    /// None yet. What they leave to chance is decided by the seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            clock: Clock::start(),
            seed,
            members: Vec::new(),
            notes: Vec::new(),
            readers: Vec::new(),
            reading: JoinSet::new(),
            publishing: JoinSet::new(),
            following: JoinSet::new(),
            stop: watch::Sender::default(),
            mood: watch::Sender::default(),
            herald: None,
        }
    }

    /// The time on the clock of the logs.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    /// A client joins. The first one calls the roll.
    ///
    /// # Errors
    ///
    /// A sentence, if it has no session.
    pub async fn enter(&mut self, name: &str, builder: Builder) -> Result<Client, String> {
        let client = builder.connect().await.map_err(|error| format!("{name} did not connect: {error}"))?;
        let notes = self.notes(format!("{name}'s sessions"), name);
        let states = client.states();
        self.following.spawn(async { drop(follow(states, notes).await) });
        if self.herald.is_none() {
            let notes = self.notes(format!("{name}'s roll calls"), name);
            self.herald = Some((client.clone(), notes, 0));
        }
        self.members.push((name.to_owned(), client.clone()));
        Ok(client)
    }

    /// A member publishes to these channels from now on.
    pub fn publishes(&mut self, name: &str, client: &Client, channels: &[&str], every: Duration) {
        let notes = self.notes(format!("{name}'s publishes"), name);
        let channels = channels.iter().map(|channel| (*channel).to_owned()).collect();
        let (client, name, dice) = (client.clone(), name.to_owned(), self.dice());
        let publisher = Publisher { client, notes, name, channels, every, dice };
        self.publishing.spawn(publisher.run(self.stop.subscribe()));
    }

    /// A member reads a channel from now on.
    pub fn reads(&mut self, name: &str, client: &Client, channel: &str, options: SubscribeOptions, habit: Habit) {
        let notes = self.notes(format!("{name} on {channel}"), name);
        let (stand, view) = watch::channel(None);
        let (client, channel, dice) = (client.clone(), channel.to_owned(), self.dice());
        self.readers.push(Reader { name: name.to_owned(), channel: channel.clone(), stand: view });
        let subscriber = Subscriber { client, notes, channel, options, habit, dice, stand, told: None };
        self.reading.spawn(subscriber.run(self.mood.subscribe()));
    }

    /// How many things were noted so far.
    #[must_use]
    pub fn facts(&self) -> usize {
        self.notes.iter().map(Notes::facts).sum()
    }

    /// The clients.
    pub fn each(&self) -> impl Iterator<Item = &Client> {
        self.members.iter().map(|(_, client)| client)
    }

    /// Waits until everybody has a session, publishes a mark to each channel, and waits until every reader has come to
    /// it. They stay and hurry meanwhile.
    ///
    /// # Errors
    ///
    /// A sentence, if that does not happen within the limit, or somebody gave up before.
    pub async fn roll_call(&mut self, limit: Duration) -> Result<(), String> {
        let until = Instant::now() + limit;
        self.mood.send_replace(Mood::Attentive);
        for (name, client) in &self.members {
            let mut states = client.states();
            let online = timeout_at(until, states.wait_for(|state| matches!(state, State::Online(_)))).await;
            if !matches!(online, Ok(Some(_))) {
                return Err(format!("{name} had no session {limit:?} after the last fault: {:?}", client.state()));
            }
        }
        let mut channels: Vec<String> = self.readers.iter().map(|reader| reader.channel.clone()).collect();
        channels.sort_unstable();
        channels.dedup();
        for channel in channels {
            let mark = self.mark(&channel, until, limit).await?;
            for reader in self.readers.iter_mut().filter(|reader| reader.channel == channel) {
                reader.come_to(mark, until, limit).await?;
            }
        }
        self.check()
    }

    /// Lets them read as they like again.
    pub fn carry_on(&self) {
        self.mood.send_replace(Mood::AsTheyLike);
    }

    /// Ends the trial: nobody publishes any more, everything is answered and read. Gives the logs.
    ///
    /// # Errors
    ///
    /// A sentence, if that does not happen within the limit, or somebody gave up before.
    pub async fn part(&mut self, limit: Duration) -> Result<Vec<Log>, String> {
        let until = Instant::now() + limit;
        self.stop.send_replace(true);
        let late = |_| format!("not every publish was answered {limit:?} after the last fault");
        while let Some(ended) = timeout_at(until, self.publishing.join_next()).await.map_err(late)? {
            ended.map_err(|error| error.to_string())??;
        }
        self.roll_call(limit).await?;
        let logs = self.logs();
        self.mood.send_replace(Mood::Over);
        while let Some(ended) = self.reading.join_next().await {
            ended.map_err(|error| error.to_string())??;
        }
        Ok(logs)
    }

    /// What was noted so far.
    #[must_use]
    pub fn logs(&self) -> Vec<Log> {
        self.notes.iter().map(Notes::log).collect()
    }

    /// Whether somebody gave up.
    fn check(&mut self) -> Result<(), String> {
        for tasks in [&mut self.publishing, &mut self.reading] {
            while let Some(ended) = tasks.try_join_next() {
                ended.map_err(|error| error.to_string())??;
            }
        }
        Ok(())
    }

    async fn mark(&mut self, channel: &str, until: Instant, limit: Duration) -> Result<Position, String> {
        let (client, notes, number) = self.herald.as_mut().ok_or("nobody is there to call the roll")?;
        let (publish, payload) = (*number, Payload::text(format!("mark {number}")));
        *number += 1;
        notes.note(Fact::Published { publish, channel: channel.to_owned(), payload: payload.clone() });
        let taken = timeout_at(until, client.publish_acked(channel, payload)).await;
        let taken = taken.map_err(|_| format!("no mark was taken on {channel} {limit:?} after the last fault"))?;
        let position = taken.map_err(|error| format!("no mark was taken on {channel}: {error}"))?;
        notes.note(Fact::Acknowledged { publish, position });
        Ok(position)
    }

    fn notes(&mut self, log: String, client: &str) -> Notes {
        let notes = Notes::new(self.clock, Log::new(log).by(client));
        self.notes.push(notes.clone());
        notes
    }

    fn dice(&self) -> Dice {
        Dice::of(self.seed, self.notes.len() as u64)
    }
}

impl Reader {
    async fn come_to(&mut self, mark: Position, until: Instant, limit: Duration) -> Result<(), String> {
        let has_come =
            |stand: &Option<Position>| stand.is_some_and(|at| at.epoch == mark.epoch && at.offset >= mark.offset);
        let come = timeout_at(until, self.stand.wait_for(has_come)).await.map(|come| come.is_ok());
        match come {
            Ok(true) => Ok(()),
            Ok(false) => Err(format!("{} reads {} no more", self.name, self.channel)),
            Err(_) => {
                let stand = self.stand.borrow().map_or("nowhere".to_owned(), |stand| stand.to_string());
                Err(format!(
                    "{} was not at {mark} of {} {limit:?} after the last fault, but at {stand}",
                    self.name, self.channel
                ))
            }
        }
    }
}
