//! The program: takes requests for jobs, sells seats, and says when data has changed. It holds no more work than its
//! options allow, and answers whom it turns away, up to so many a second.

use std::sync::Arc;
use std::time::Duration;

use callboard_client::{Client, Event, Message, Payload, PublishError, SubscribeError, Subscription};
use callboard_protocol::Millis;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::config::Rate;
use crate::limit::Bucket;

use super::box_office::BoxOffice;
use super::request::{self, Request, Unfit};

/// Where jobs are asked for: `{ "job": NAME, "answerTo": CHANNEL }`, the channel being a one-off one.
pub const JOBS: &str = "demo/jobs";

/// Where a seat is asked for. What the message says does not matter.
pub const SALES: &str = "demo/box-office/sales";

/// Where it is told that the box office has news. The message is a hint and not the data.
pub const SOLD: &str = "demo/box-office";

/// Where people talk: `{ "from": …, "text": … }`.
pub const TALK: &str = "demo/talk";

/// What whoever comes first finds there.
const GREETING: &str = "The board is open. Say something, and open a second tab to hear it.";

/// Seconds from one visitor of the box office to the next; uneven, as visitors are.
const PAUSES_S: &[u64] = &[5, 9, 3, 8, 6, 11];

/// How busy the program may be, and how quick it is.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Jobs at once; who asks for another one is told to come back.
    pub jobs: usize,
    /// Between two pieces of news of a job.
    pub tick: Duration,
    /// How many are told that they are turned away. Each may name a channel that is not there yet, and the program is
    /// made to pay for it.
    pub refusals: Rate,
}

impl Default for Options {
    /// Jobs that several people on one machine can try, each long enough to be watched.
    fn default() -> Self {
        Self { jobs: 4, tick: Duration::from_millis(120), refusals: Rate { per_second: 10, burst: 100 } }
    }
}

/// The program as it runs. Dropping it ends it, and whatever it is at.
#[derive(Debug)]
pub struct Program {
    client: Client,
    _task: JoinSet<()>,
}

impl Program {
    /// Starts it on the bus of `client`, which may still be on its way there. Must be called inside a tokio runtime.
    #[must_use]
    pub fn start(client: Client, office: Arc<BoxOffice>, options: Options) -> Self {
        let mut task = JoinSet::new();
        let began = Instant::now();
        let refusals = Bucket::full(options.refusals, Millis::ZERO);
        let crew = Crew { client: client.clone(), office, options, began, refusals, jobs: JoinSet::new() };
        task.spawn(async move {
            if let Err(error) = crew.work().await {
                tracing::warn!(%error, "the demo program cannot listen, and has ended");
            }
        });
        Self { client, _task: task }
    }

    /// Ends it, and says goodbye to the broker.
    pub async fn end(self) {
        // What it did not tell any more was of no lasting worth.
        let _ = self.client.close().await;
    }
}

/// Who does the work.
struct Crew {
    client: Client,
    office: Arc<BoxOffice>,
    options: Options,
    began: Instant,
    /// Refusals that it may still tell.
    refusals: Bucket,
    /// At most as many as the options say.
    jobs: JoinSet<()>,
}

impl Crew {
    async fn work(mut self) -> Result<(), SubscribeError> {
        let mut requests = self.client.subscribe(JOBS).await?;
        let mut sales = self.client.subscribe(SALES).await?;
        // A channel that nobody is in and nothing is left of begins anew, and who comes back to it is told of a gap. Who
        // stays in the room keeps it as it is.
        let mut room = self.client.subscribe(TALK).await?;
        let mut pauses = PAUSES_S.iter().copied().map(Duration::from_secs).cycle();
        let mut pause = || pauses.next().expect("a cycle of something does not end");
        let mut next_visitor = Instant::now() + pause();
        self.greet().await;
        // Whoever waits for it may ask now.
        self.tell().await;
        loop {
            tokio::select! {
                request = message(&mut requests) => match request {
                    Some(request) => self.take(&request).await,
                    None => return Ok(()),
                },
                sale = message(&mut sales) => match sale {
                    Some(_) => self.sell().await,
                    None => return Ok(()),
                },
                talk = message(&mut room) => if talk.is_none() { return Ok(()) },
                () = sleep_until(next_visitor) => {
                    self.sell().await;
                    next_visitor = Instant::now() + pause();
                }
            }
        }
    }

    async fn greet(&self) {
        let greeting = serde_json::json!({ "from": "Stage door", "text": GREETING });
        note(self.client.publish(TALK, Payload::json(greeting.to_string())).await, TALK);
    }

    /// Begins what is asked for, or says why not.
    async fn take(&mut self, message: &Message) {
        while self.jobs.try_join_next().is_some() {}
        let (answer_to, sentence) = match request::read(&message.payload) {
            Ok(request) if self.jobs.len() < self.options.jobs => return self.begin(request),
            Ok(request) => (request.answer_to, "All hands are busy; ask again in a few seconds.".to_owned()),
            Err(Unfit::Refused { answer_to, sentence }) => (answer_to, sentence),
            Err(Unfit::Unanswerable) => {
                tracing::debug!(position = %message.position, "a request for a job names no channel for the answer");
                return;
            }
        };
        let now = Millis::saturating(u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX));
        self.refusals.fill(self.options.refusals, now);
        if self.refusals.take(self.options.refusals).is_err() {
            tracing::debug!(position = %message.position, "too many requests for jobs are refused to answer this one");
            return;
        }
        let answer = serde_json::json!({ "refused": sentence });
        note(self.client.publish(&answer_to, Payload::json(answer.to_string())).await, answer_to.as_str());
    }

    fn begin(&mut self, Request { job, answer_to }: Request) {
        let (client, tick) = (self.client.clone(), self.options.tick);
        self.jobs.spawn(async move { note(job.perform(&client, &answer_to, tick).await, answer_to.as_str()) });
    }

    async fn sell(&self) {
        self.office.sell();
        self.tell().await;
    }

    async fn tell(&self) {
        note(self.client.publish(SOLD, "changed").await, SOLD);
    }
}

/// The next message; `None` when there will be none. What was asked for while nobody could hear it is lost, and who
/// asked sees that nobody answers.
async fn message(subscription: &mut Subscription) -> Option<Message> {
    loop {
        match subscription.next().await? {
            Event::Message(message) => return Some(message),
            Event::Gap(gap) => tracing::debug!(channel = %subscription.channel(), why = %gap.why, "requests were lost"),
            Event::Closed(_) | _ => return None,
        }
    }
}

fn note(told: Result<(), PublishError>, channel: &str) {
    if let Err(error) = told {
        tracing::debug!(channel, %error, "the demo program could not publish its news");
    }
}
