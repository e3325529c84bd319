//! Rust client for the Callboard bus: publish, subscribe, and reconnect. A lost message is always reported.
//!
//! ```no_run
//! # async fn hello() -> Result<(), Box<dyn std::error::Error>> {
//! use callboard_client::{Client, Event};
//!
//! let client = Client::builder("callboard://localhost").connect().await?;
//! let mut hello = client.subscribe("demo/hello").await?;
//! client.publish("demo/hello", "Hello, world").await?;
//! while let Some(event) = hello.next().await {
//!     match event {
//!         Event::Message(message) => println!("{:?}", message.payload.as_str()),
//!         Event::Gap(gap) => println!("something is missing: {}", gap.why),
//!         _ => break,
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod address;
mod backoff;
mod client;
mod connect;
mod credential;
pub mod defaults;
mod dialogue;
mod driver;
mod end;
mod error;
mod event;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod inbox;
mod link;
mod options;
mod publish;
mod random;
pub mod raw;
mod receipt;
mod recovery;
mod state;
mod states;
mod subscription;
mod table;
mod trust;
mod wants;
mod wire;

pub use address::AddressError;
pub use callboard_protocol::error::Class;
pub use callboard_protocol::{ChannelName, ConnectionId, Epoch, Kind, Millis, NameError, Offset, Payload, Position};
pub use client::{Client, IntoChannel};
pub use credential::{BoxError, Credential};
pub use error::{BuildError, CloseError, ConnectError, Failure, PublishError, RebindError, SubscribeError};
pub use event::{Ended, Event, Gap, GapWhy, Message, Text};
pub use options::{Bounds, Builder, Offline, Overflow, PublishOptions, SubscribeOptions};
pub use receipt::Receipt;
pub use state::{Identity, Online, Reason, State};
pub use states::States;
pub use subscription::Subscription;
pub use trust::{Fingerprint, FingerprintError, Trust, TrustError};
