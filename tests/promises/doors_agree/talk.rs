//! One peer at one door, and what it heard, in lines that are the same at every door; it judges nothing.

use callboard_protocol::frame::{
    Answer, ClientFrame, Credential, Hello, Publish, ServerFrame, Start, Subscribe, SubscribeOptions,
};
use callboard_protocol::{PayloadRef, RequestId, Sequence};
use callboard_tests::raw::{Door, Ending};
use callboard_tests::{Broker, Edge, Peer};

/// One peer at one door, and what it heard, without what differs between two runs of one broker.
pub(super) struct Talk {
    pub(super) peer: Peer,
    requests: u64,
    pub(super) heard: Vec<String>,
}

impl Talk {
    pub(super) async fn at(broker: &Broker, door: Door) -> Self {
        Self { peer: broker.peer_at(door).await, requests: 0, heard: Vec::new() }
    }

    pub(super) async fn at_edge(edge: &Edge, door: Door) -> Self {
        let peer = edge.peer(door.dialect().expect("an edge has a browser's door only")).await;
        Self { peer, requests: 0, heard: Vec::new() }
    }

    pub(super) async fn open(broker: &Broker, door: Door) -> Self {
        let mut talk = Self::at(broker, door).await;
        talk.hello(None).await;
        talk
    }

    pub(super) async fn hello(&mut self, credential: Option<Credential<'_>>) {
        let instance = self.peer.instance;
        self.peer.send(&ClientFrame::Hello(Hello { agent: "agrees", instance, capabilities: 0, credential })).await;
        self.hear(1).await;
    }

    pub(super) fn request(&mut self) -> RequestId {
        self.requests += 1;
        RequestId::saturating(self.requests)
    }

    pub(super) async fn subscribe(&mut self, channel: &str, start: Start, options: SubscribeOptions, frames: usize) {
        let request = self.request();
        self.peer.send(&ClientFrame::Subscribe(Subscribe { request, channel, start, options })).await;
        self.hear(frames).await;
    }

    pub(super) async fn publish(&mut self, channel: &str, key: Option<&str>, payload: PayloadRef<'_>, frames: usize) {
        let request = self.request();
        let publish = Publish { request, sequence: Sequence::ZERO, channel, key, payload };
        self.peer.send(&ClientFrame::Publish(publish)).await;
        self.hear(frames).await;
    }

    /// Hears so many frames, or the end.
    pub(super) async fn hear(&mut self, frames: usize) {
        for _ in 0..frames {
            let line = match self.peer.next().await {
                Ok(body) => line(body.frame()),
                Err(ending) => end(&ending),
            };
            self.heard.push(line);
        }
    }

    /// Hears everything up to the end.
    pub(super) async fn hear_out(mut self) -> Vec<String> {
        loop {
            match self.peer.next().await {
                Ok(body) => self.heard.push(line(body.frame())),
                Err(Ending::Finished) => {
                    let ending = self.peer.closed().await;
                    self.heard.push(end(&ending));
                    return self.heard;
                }
                Err(ending) => {
                    self.heard.push(end(&ending));
                    return self.heard;
                }
            }
        }
    }
}

/// A frame without connection, epoch, time and heartbeat.
fn line(frame: ServerFrame<'_>) -> String {
    if let ServerFrame::Message(message) = frame {
        let (publisher, key, payload) = (message.publisher, message.key, message.payload);
        return format!("message {} by {publisher:?} about {key:?}: {payload:?}", message.offset);
    }
    if let ServerFrame::Welcome(welcome) = frame {
        let (payload, subscriptions) = (welcome.payload_bytes_max, welcome.subscriptions_max);
        return format!("welcome {:?}: {payload}, {subscriptions}", welcome.identity);
    }
    if let ServerFrame::Ok { request, answer } = frame {
        return match answer {
            Answer::Subscribed(answer) => format!(
                "{request} subscribed at {}, next {}, recovered {}",
                answer.position.offset, answer.next, answer.recovered
            ),
            Answer::Published(position) => format!("{request} published {}", position.offset),
            Answer::Done | Answer::Identity(_) | Answer::Returned(_) => format!("{request} {answer:?}"),
        };
    }
    if let ServerFrame::Skipped(skipped) = frame {
        return format!("skipped through {}", skipped.through);
    }
    // A failure, a goodbye: word by word.
    format!("{frame:?}")
}

fn end(ending: &Ending) -> String {
    match ending {
        // The sentence stood in the goodbye, and a WebSocket's close has room for the beginning of it.
        Ending::Closed { code, .. } => format!("closed {code}"),
        Ending::Finished | Ending::Reset(_) | Ending::Lost(_) => format!("{ending:?}"),
    }
}
