//! What a bridge does with what it read: messages to bodies, bodies to frames, frames to the session. It writes nothing.

use bytes::Bytes;
use callboard_protocol::close::{Code, Ending};
use callboard_protocol::codec::decode_client;
use callboard_protocol::limits::BODY_BYTES_MAX;
use callboard_protocol::sentence::capped;

use super::Bridge;
use crate::defaults::CONTROLS_MAX;
use crate::dialect::{Dialect, Incoming, Refused};
use crate::farewell::Farewell;
use crate::reader::{Fault, Message};
use crate::upstream::Session;

impl<S: Session> Bridge<S> {
    /// Takes the messages out of what was read and hands them over.
    pub(super) fn take_messages(&mut self, bytes: usize) {
        self.silence = 0;
        self.session.begin_read(bytes);
        let verdict = self.handle_messages().and_then(|()| self.session.hold_begun(self.reader.begun_bytes()));
        self.session.hand_over();
        if let Err(ending) = verdict {
            self.reading = false;
            self.session.end(ending);
        }
        if self.session.is_open() && !self.ending {
            self.timer = None;
        }
    }

    fn handle_messages(&mut self) -> Result<(), Ending> {
        while let Some(message) = self.reader.poll().map_err(|fault| self.stumble(fault))? {
            let body = match message {
                Message::Text(text) => self.decode(Incoming::Text(text.as_str()))?,
                Message::Binary(body) => self.decode(Incoming::Binary(body))?,
                Message::Ping(content) => {
                    self.count_control()?;
                    self.out.pong(&content);
                    continue;
                }
                Message::Pong => {
                    self.count_control()?;
                    continue;
                }
                Message::Close(code) => {
                    self.farewell = Some(Box::new(Farewell::Reply(code)));
                    return Err(Ending::plain(Code::Finished));
                }
            };
            let frame = decode_client(&body).map_err(|error| Ending::because(Code::Malformed, error))?;
            self.session.handle(&frame, &body)?;
            // PROTOCOL.md, "Stream": the first body has a limit of its own, before the peer is known.
            self.reader.set_message_bytes_max(BODY_BYTES_MAX);
        }
        Ok(())
    }

    #[inline]
    fn decode(&self, incoming: Incoming<'_>) -> Result<Bytes, Ending> {
        // What the dialect says is the whole sentence: a browser reads no more of it than fits a close.
        let refused = |Refused { code, sentence }| Ending { sentence: capped(sentence).into(), ..Ending::plain(code) };
        self.dialect.decode(incoming, self.instance()).map_err(refused)
    }

    /// The publisher's instance of a browser that names none. Only a `Hello` needs one.
    fn instance(&self) -> [u8; 16] {
        let mut instance = [0; 16];
        if self.dialect == Dialect::Json && self.session.awaits_hello() {
            getrandom::fill(&mut instance).expect("the system has randomness");
        }
        instance
    }

    fn count_control(&mut self) -> Result<(), Ending> {
        self.controls += 1;
        if self.controls > CONTROLS_MAX {
            return Err(Ending::because(Code::RateExceeded, "too many pings and pongs"));
        }
        Ok(())
    }

    /// PROTOCOL.md, "WebSocket": what RFC 6455 itself forbids closes with its own codes, and everything else with ours.
    fn stumble(&mut self, fault: Fault) -> Ending {
        let code = match fault {
            Fault::Framing(_) => Some(1002),
            Fault::Text => Some(1007),
            Fault::TooLong { .. } | Fault::TooManyFragments => None,
        };
        let Some(code) = code else { return Ending::because(Code::FrameTooLong, fault) };
        self.farewell = Some(Box::new(Farewell::Fault(code, fault.to_string())));
        Ending::because(Code::Malformed, fault)
    }
}
