//! Publishes that a raw peer sends ahead of their answers; it keeps no account of what was answered.

use callboard_protocol::frame::{Answer, ClientFrame, Publish, ServerFrame};
use callboard_protocol::{Payload, Position, RequestId, Sequence};

use super::body::Ending;
use super::peer::Peer;

impl Peer {
    /// Sends a publish under a number of its publisher's (0 is none), and gives the request that its answer will have.
    pub async fn send_publish(&mut self, sequence: u64, channel: &str, payload: impl Into<Payload>) -> RequestId {
        let (request, payload) = (self.next_request(), payload.into());
        let (sequence, payload) = (Sequence::saturating(sequence), payload.borrowed());
        self.send(&ClientFrame::Publish(Publish { request, sequence, channel, key: None, payload })).await;
        request
    }

    /// Hears the next frame, which must answer a publish; or how the session ended, with a goodbye or without.
    ///
    /// # Errors
    ///
    /// The ending. A goodbye is [`Ending::Closed`], as the connection's close that follows it.
    ///
    /// # Panics
    ///
    /// If it is any other frame.
    pub async fn published(&mut self) -> Result<(RequestId, Position), Ending> {
        let body = self.next().await?;
        let frame = body.frame();
        if let ServerFrame::Ok { request, answer: Answer::Published(position) } = frame {
            return Ok((request, position));
        }
        let ServerFrame::Goodbye(goodbye) = frame else {
            panic!("a publish was to be answered, and the broker said {frame:?}");
        };
        Err(Ending::Closed { code: goodbye.code.into(), reason: goodbye.sentence.to_owned() })
    }
}
