//! Where the examples' broker is: `[URL] [--pin FINGERPRINT]`, or `CALLBOARD_URL`, `CALLBOARD_PIN`, `CALLBOARD_API_KEY`.

use anyhow::Context;
use callboard_client::{Client, Trust};

/// A client, and the arguments that are left.
pub(crate) async fn connect() -> anyhow::Result<(Client, Vec<String>)> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let mut url = std::env::var("CALLBOARD_URL").unwrap_or_else(|_| "callboard://localhost".to_owned());
    let mut pin = std::env::var("CALLBOARD_PIN").ok();
    let mut rest = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--pin" {
            pin = Some(arguments.next().context("--pin needs a fingerprint")?);
        } else if argument.contains("://") {
            url = argument;
        } else {
            rest.push(argument);
        }
    }
    let mut builder = Client::builder(url);
    if let Some(pin) = pin {
        builder = builder.trust(Trust::pinned(pin.parse()?));
    }
    if let Ok(key) = std::env::var("CALLBOARD_API_KEY") {
        builder = builder.api_key(key);
    }
    Ok((builder.connect().await?, rest))
}
