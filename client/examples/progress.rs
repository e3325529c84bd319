//! A long job that tells how far it is on a channel made for this one purpose: `progress [URL]`.
//!
//! The one who watches makes a name that nobody can guess, subscribes to it, and only then hands it to the job. The job
//! needs to know nothing but the name.

#![expect(clippy::print_stdout, reason = "an example prints")]

#[path = "common/broker.rs"]
mod broker;

use std::time::Duration;

use callboard_client::{ChannelName, Client, Event, Payload, PublishError};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let (client, _) = broker::connect().await?;
    let channel = client.one_off_channel();
    let mut progress = client.subscribe(&channel).await?;
    let job = tokio::spawn(job(client.clone(), channel));
    while let Some(event) = progress.next().await {
        match event {
            Event::Message(message) => {
                let text = message.payload.as_str().unwrap_or_default();
                println!("{text}");
                if text.contains("\"done\":true") {
                    break;
                }
            }
            Event::Gap(gap) => println!("(some news was lost: {})", gap.why),
            Event::Closed(_) | _ => break,
        }
    }
    job.await??;
    client.close().await?;
    Ok(())
}

/// The job; in earnest it runs in another program, with a client of its own.
async fn job(client: Client, channel: ChannelName) -> Result<(), PublishError> {
    for percent in (0..100).step_by(20) {
        // Each piece of news is worth little by itself, so nobody waits for the broker.
        client.publish(&channel, Payload::json(format!("{{\"percent\":{percent}}}"))).await?;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    client.publish_acked(&channel, Payload::json("{\"percent\":100,\"done\":true}")).await?;
    Ok(())
}
