//! A job that takes its time and tells how far it is. It does nothing else: what it stands in for would.

use std::time::Duration;

use callboard_client::{ChannelName, Client, Payload, PublishError};
use tokio::time::sleep;

/// What can be asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) name: &'static str,
    /// What is done, in order; each takes as long as the others.
    steps: &'static [&'static str],
}

const JOBS: &[Job] = &[
    Job {
        name: "set",
        steps: &["measuring the stage", "sawing", "hanging the flats", "painting", "waiting for it to dry"],
    },
    Job {
        name: "lights",
        steps: &["climbing the bridge", "hanging lamps", "patching", "focusing", "plotting the cues"],
    },
    Job { name: "costumes", steps: &["sorting", "mending", "steaming", "labelling the rail"] },
];

/// Points of a hundred between two pieces of news.
const STRIDE: usize = 2;

impl Job {
    /// Every job.
    pub(super) fn all() -> &'static [Self] {
        JOBS
    }

    /// The job of this name.
    pub(super) fn of(name: &str) -> Option<&'static Self> {
        JOBS.iter().find(|job| job.name == name)
    }

    /// What is being done at `percent`.
    fn step(&self, percent: usize) -> &'static str {
        self.steps.get(percent * self.steps.len() / 100).copied().unwrap_or("done")
    }

    /// Does it, with a pause of `tick` before each piece of news.
    ///
    /// # Errors
    ///
    /// What keeps news from being told, as a bus that was away for too long; nobody waits for the job then.
    pub(super) async fn perform(
        &self,
        client: &Client,
        answer_to: &ChannelName,
        tick: Duration,
    ) -> Result<(), PublishError> {
        for percent in (0..100).step_by(STRIDE) {
            // Each piece of news is worth little by itself, so nobody waits for the broker.
            client.publish(answer_to, news(percent, self.step(percent))).await?;
            sleep(tick).await;
        }
        // The last one is worth all the others: it is sent until the broker has it.
        client.publish_acked(answer_to, news(100, self.step(100))).await?;
        Ok(())
    }
}

fn news(percent: usize, doing: &str) -> Payload {
    Payload::json(serde_json::json!({ "percent": percent, "doing": doing }).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_goes_through_its_steps_and_is_done_at_a_hundred() {
        for job in Job::all() {
            let mut told: Vec<&str> = (0..=100).step_by(STRIDE).map(|percent| job.step(percent)).collect();
            told.dedup();
            assert_eq!(told, [job.steps, &["done"]].concat());
        }
    }
}
