//! Prints a channel for as long as there is one: `tail [URL] CHANNEL`, with the last ten messages first.

#![expect(clippy::print_stdout, reason = "an example prints")]

#[path = "common/broker.rs"]
mod broker;

use callboard_client::{Event, State, SubscribeOptions};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let (client, arguments) = broker::connect().await?;
    let channel = arguments.first().map_or("demo/hello", String::as_str);
    let mut states = client.states();
    tokio::spawn(async move {
        while let Some(state) = states.next().await {
            match state {
                State::Waiting { why, .. } => eprintln!("offline: {why}"),
                State::Online(online) => eprintln!("online as {:?} with {}", online.identity, online.agent),
                State::Connecting | State::Closed { .. } | _ => {}
            }
        }
    });
    let options = SubscribeOptions { rewind: Some(10), ..SubscribeOptions::default() };
    let mut tail = client.subscribe_with(channel, options).await?;
    while let Some(event) = tail.next().await {
        match event {
            Event::Message(message) => {
                let publisher = message.publisher.as_deref().unwrap_or("somebody");
                let text = message.payload.as_str().unwrap_or("(binary)");
                println!("{} {publisher}: {text}", message.position);
            }
            Event::Gap(gap) => println!("messages up to {} are missing: {}", gap.to, gap.why),
            Event::Closed(why) => println!("the end: {why}"),
            _ => {}
        }
    }
    Ok(())
}
