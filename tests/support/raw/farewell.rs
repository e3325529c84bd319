//! How a session that misbehaved is told so: a goodbye and a close that agree; whatever comes before them is passed over.

use callboard_protocol::frame::ServerFrame;

use super::body::Ending;
use super::peer::Peer;

impl Peer {
    /// Hears the broker out: the code and the sentence with which it ends the session.
    ///
    /// # Panics
    ///
    /// If it does not end it in time, or ends it without a code, or its goodbye and its close differ.
    pub async fn sent_away(&mut self) -> (u16, String) {
        let (mut code, mut sentence) = (None, String::new());
        let ending = loop {
            match self.next().await {
                Ok(body) => {
                    if let ServerFrame::Goodbye(goodbye) = body.frame() {
                        (code, sentence) = (Some(goodbye.code), goodbye.sentence.to_owned());
                    }
                }
                Err(Ending::Finished) => break self.closed().await,
                Err(ending) => break ending,
            }
        };
        let Ending::Closed { code: closed, reason } = ending else {
            panic!("the session ended without a code: {ending:?}, after {code:?} {sentence:?}");
        };
        if let Some(code) = code {
            // A WebSocket's close has room for 123 bytes of the sentence.
            assert_eq!(
                (u64::from(code), sentence.starts_with(&reason)),
                (closed, true),
                "a goodbye and its close agree"
            );
            assert!(reason == sentence || reason.len() > 100, "{reason:?} is not all of {sentence:?}");
        }
        (u16::try_from(closed).expect("a code of the registry"), reason)
    }
}
