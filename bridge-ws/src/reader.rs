//! What a browser sends, cut into messages by RFC 6455; bytes in, messages out, and it waits for nothing.
//!
//! tungstenite knows the opcodes and judges close codes. Its whole context is not used: it takes memory for a length that
//! was only announced, judges a header when the content has come, cannot be asked whether its buffers are needed, and
//! does not count fragments.

use bytes::{Buf, Bytes, BytesMut};
use tungstenite::Utf8Bytes;
use tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};

use crate::defaults::FRAGMENTS_MAX;
use crate::framing::{CONTROL_BYTES_MAX, Header};

/// What a browser said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// A whole text message.
    Text(Utf8Bytes),
    /// A whole binary message.
    Binary(Bytes),
    /// A ping, to be answered with the same content.
    Ping(Bytes),
    /// A pong, asked for or not.
    Pong,
    /// The last message; with the code, if it has one.
    Close(Option<u16>),
}

/// Why nothing more can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// RFC 6455 forbids it: close code 1002.
    #[error("{0}")]
    Framing(&'static str),
    /// A text, or the reason of a close, is not UTF-8: close code 1007.
    #[error("a text is not UTF-8")]
    Text,
    /// PROTOCOL.md, "Stream": a message is under the limit of a body.
    #[error("a message has at most {max} bytes, and this one has more")]
    TooLong {
        /// The limit.
        max: usize,
    },
    /// PROTOCOL.md, "WebSocket".
    #[error("a message has at most {FRAGMENTS_MAX} fragments, and this one has more")]
    TooManyFragments,
}

const NO_OPCODE: &str = "this opcode has no meaning";

/// The decoder of one socket. Between two messages it holds no memory beyond itself.
#[derive(Debug)]
pub(crate) struct Reader {
    /// What was read and not decoded.
    buffer: BytesMut,
    /// The frame whose content has not come whole.
    frame: Option<Frame>,
    /// The message whose last frame has not come.
    message: Option<Box<Fragments>>,
    message_bytes_max: usize,
    is_over: bool,
}

#[derive(Debug, Clone, Copy)]
struct Frame {
    opcode: OpCode,
    is_final: bool,
    mask: [u8; 4],
    bytes: usize,
}

#[derive(Debug)]
struct Fragments {
    is_text: bool,
    content: BytesMut,
    /// How much of a text is known to be UTF-8.
    checked: usize,
    count: u32,
}

impl Reader {
    /// A reader behind an upgrade.
    pub(crate) fn new(message_bytes_max: usize) -> Self {
        Self { buffer: BytesMut::new(), frame: None, message: None, message_bytes_max, is_over: false }
    }

    /// Sets the limit of the messages that begin from here on.
    pub(crate) fn set_message_bytes_max(&mut self, bytes: usize) {
        self.message_bytes_max = bytes;
    }

    /// Takes what was read.
    pub(crate) fn handle_bytes(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// How many bytes it holds of a message that has not come whole.
    pub(crate) fn begun_bytes(&self) -> usize {
        self.buffer.len() + self.message.as_ref().map_or(0, |message| message.content.len())
    }

    /// The next message; `None` until more is read, and after a close.
    ///
    /// # Errors
    ///
    /// What cannot be read; nothing that follows can be.
    pub(crate) fn poll(&mut self) -> Result<Option<Message>, Fault> {
        while !self.is_over {
            let Some(frame) = self.header()? else { break };
            if self.buffer.len() < frame.bytes {
                break;
            }
            self.frame = None;
            let mut content = self.buffer.split_to(frame.bytes);
            unmask(&mut content, frame.mask);
            let message = match frame.opcode {
                OpCode::Control(control) => self.control(control, content.freeze())?,
                OpCode::Data(data) => self.data(data, frame.is_final, content)?,
            };
            if message.is_some() {
                return Ok(message);
            }
        }
        self.release();
        Ok(None)
    }

    /// Gives memory back that messages shared, or that nothing needs.
    fn release(&mut self) {
        // What is left behind messages is less than a read, and is moved at most once; an unfinished frame stays.
        if self.frame.is_none() || self.is_over {
            let rest = if self.is_over { &[] } else { &self.buffer[..] };
            self.buffer = BytesMut::from(rest);
        }
    }

    /// The header of the frame that comes next, judged before any of its content has come.
    fn header(&mut self) -> Result<Option<Frame>, Fault> {
        if self.frame.is_none() {
            let Some(header) = Header::parse(&self.buffer) else { return Ok(None) };
            self.frame = Some(self.judge(&header)?);
            self.buffer.advance(header.bytes);
        }
        Ok(self.frame)
    }

    fn judge(&self, header: &Header) -> Result<Frame, Fault> {
        let (opcode, bytes) = (header.opcode, header.content_bytes);
        if matches!(opcode, OpCode::Data(Data::Reserved(_)) | OpCode::Control(Control::Reserved(_))) {
            return Err(Fault::Framing(NO_OPCODE));
        }
        if header.is_extended {
            return Err(Fault::Framing("a reserved bit is set, and no extension was agreed on"));
        }
        let Some(mask) = header.mask else { return Err(Fault::Framing("a client must mask its frames")) };
        // RFC 6455, section 5.2: the shortest form, and the topmost bit is 0.
        let length_bytes = match bytes {
            0..=125 => 0,
            126..=0xffff => 2,
            _ => 8,
        };
        if header.bytes != 2 + length_bytes + mask.len() || bytes >= 1 << 63 {
            return Err(Fault::Framing("a length is not in its shortest form, or its topmost bit is set"));
        }
        let within = match (opcode, &self.message) {
            (OpCode::Control(_), _) => {
                if !header.is_final {
                    return Err(Fault::Framing("a control frame must not be fragmented"));
                }
                if bytes > CONTROL_BYTES_MAX as u64 {
                    return Err(Fault::Framing("a control frame has at most 125 bytes"));
                }
                0
            }
            (OpCode::Data(Data::Continue), Some(message)) => {
                if message.count >= FRAGMENTS_MAX {
                    return Err(Fault::TooManyFragments);
                }
                message.content.len()
            }
            (OpCode::Data(Data::Continue), None) => return Err(Fault::Framing("there is no message to continue")),
            (OpCode::Data(_), Some(_)) => {
                return Err(Fault::Framing("a message begins before the last frame of another"));
            }
            (OpCode::Data(_), None) => 0,
        };
        match usize::try_from(bytes) {
            Ok(bytes) if bytes <= self.message_bytes_max.saturating_sub(within) => {
                Ok(Frame { opcode, is_final: header.is_final, mask, bytes })
            }
            Ok(_) | Err(_) => Err(Fault::TooLong { max: self.message_bytes_max }),
        }
    }

    fn control(&mut self, control: Control, content: Bytes) -> Result<Option<Message>, Fault> {
        match control {
            Control::Ping => Ok(Some(Message::Ping(content))),
            Control::Pong => Ok(Some(Message::Pong)),
            Control::Close => {
                self.is_over = true;
                close(&content).map(|code| Some(Message::Close(code)))
            }
            Control::Reserved(_) => Err(Fault::Framing(NO_OPCODE)),
        }
    }

    fn data(&mut self, data: Data, is_final: bool, content: BytesMut) -> Result<Option<Message>, Fault> {
        let Some(message) = &mut self.message else {
            let is_text = data == Data::Text;
            if is_final {
                return whole(is_text, content).map(Some);
            }
            let mut message = Box::new(Fragments { is_text, content: BytesMut::new(), checked: 0, count: 0 });
            message.extend(&content)?;
            self.message = Some(message);
            return Ok(None);
        };
        message.extend(&content)?;
        if !is_final {
            return Ok(None);
        }
        let message = self.message.take().expect("it was just extended");
        whole(message.is_text, message.content).map(Some)
    }
}

impl Fragments {
    fn extend(&mut self, content: &[u8]) -> Result<(), Fault> {
        self.count += 1;
        self.content.extend_from_slice(content);
        if self.is_text {
            // A character may be cut by the end of a frame, and only there.
            match str::from_utf8(&self.content[self.checked..]) {
                Ok(_) => self.checked = self.content.len(),
                Err(error) if error.error_len().is_none() => self.checked += error.valid_up_to(),
                Err(_) => return Err(Fault::Text),
            }
        }
        Ok(())
    }
}

fn whole(is_text: bool, content: BytesMut) -> Result<Message, Fault> {
    let content = content.freeze();
    match is_text {
        true => Utf8Bytes::try_from(content).map(Message::Text).map_err(|_| Fault::Text),
        false => Ok(Message::Binary(content)),
    }
}

/// RFC 6455, section 5.5.1: nothing, or a code and a reason.
fn close(content: &[u8]) -> Result<Option<u16>, Fault> {
    match content {
        [] => Ok(None),
        [_] => Err(Fault::Framing("a close has no content, or a code of two bytes and a reason")),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            if !CloseCode::from(code).is_allowed() {
                return Err(Fault::Framing("this close code may not be sent"));
            }
            str::from_utf8(reason).map_err(|_| Fault::Text)?;
            Ok(Some(code))
        }
    }
}

/// RFC 6455, section 5.3, sixteen bytes at a time, and what is left four at a time.
fn unmask(content: &mut [u8], mask: [u8; 4]) {
    const FOUR_TIMES: u128 = 0x0000_0001_0000_0001_0000_0001_0000_0001;
    let word = u32::from_ne_bytes(mask);
    let wide = FOUR_TIMES * u128::from(word);
    let (pieces, rest) = content.as_chunks_mut();
    for piece in pieces {
        *piece = (u128::from_ne_bytes(*piece) ^ wide).to_ne_bytes();
    }
    let (pieces, rest) = rest.as_chunks_mut();
    for piece in pieces {
        *piece = (u32::from_ne_bytes(*piece) ^ word).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask) {
        *byte ^= mask;
    }
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
