//! Says hello on a channel and hears it: `hello [URL]`, with `--pin FINGERPRINT` for a development certificate.

#![expect(clippy::print_stdout, reason = "an example prints")]

#[path = "common/broker.rs"]
mod broker;

use callboard_client::Event;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let (client, _) = broker::connect().await?;
    let mut hello = client.subscribe("demo/hello").await?;
    let position = client.publish_acked("demo/hello", "Hello, world").await?;
    println!("the broker has it at {position}");
    if let Some(Event::Message(message)) = hello.next().await {
        println!("{}: {}", message.channel, message.payload.as_str().unwrap_or("(binary)"));
    }
    client.close().await?;
    Ok(())
}
