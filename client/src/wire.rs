//! One session on its stream: frames out, bodies in. It knows the order of a session and nothing of channels.

use bytes::{Bytes, BytesMut};
use callboard_protocol::codec::{self, DecodeError};
use callboard_protocol::deframe::{DeframeError, Deframer};
use callboard_protocol::frame::{ClientFrame, Goodbye, ServerFrame};
use callboard_protocol::limits::BODY_BYTES_MAX;
use callboard_protocol::session::{FromServer, Violation};
use callboard_protocol::{Millis, RequestId, close};
use quinn::{Connection, ConnectionError, ReadError, RecvStream, SendStream, VarInt, WriteError};

use crate::defaults::{READ_CHUNKS, WRITE_BYTES};
use crate::state::Reason;

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// The broker ended it, with a frame or with a code alone.
    Goodbye { code: u16, sentence: String, retry_after: Option<Millis> },
    /// It broke.
    Lost(String),
    /// The broker broke a rule; this is what it is told.
    Fault { code: close::Code, detail: String },
    /// This program asked for it.
    Asked,
}

impl End {
    /// The broker sent a frame that may not stand where it stood.
    pub(crate) fn out_of_order(detail: impl ToString) -> Self {
        Self::Fault { code: close::Code::OutOfOrder, detail: detail.to_string() }
    }

    fn malformed(detail: impl ToString) -> Self {
        Self::Fault { code: close::Code::Malformed, detail: detail.to_string() }
    }

    /// A code that came without a `Goodbye`.
    fn of_code(code: VarInt, sentence: &str) -> Self {
        match u16::try_from(code.into_inner()) {
            Ok(code) if (4000..5000).contains(&code) => {
                let known = close::Code::from_number(code).map_or("no sentence came with it", close::Code::sentence);
                let sentence = if sentence.is_empty() { known } else { sentence };
                Self::Goodbye { code, sentence: sentence.to_owned(), retry_after: None }
            }
            Ok(_) | Err(_) => Self::Lost(format!("the broker closed with code {code}")),
        }
    }

    pub(crate) fn goodbye(frame: &Goodbye<'_>) -> Self {
        Self::Goodbye { code: frame.code, sentence: frame.sentence.to_owned(), retry_after: frame.retry_after }
    }

    /// The same for those who look at the client's state.
    pub(crate) fn reason(&self) -> Reason {
        match self {
            Self::Goodbye { code, sentence, .. } => Reason::Ended { code: *code, sentence: sentence.as_str().into() },
            Self::Lost(why) => Reason::Lost(why.as_str().into()),
            Self::Fault { detail, .. } => Reason::BrokerAtFault(detail.as_str().into()),
            Self::Asked => Reason::Asked,
        }
    }

    /// What the broker is told when the connection is closed behind it.
    pub(crate) fn parting_code(&self) -> close::Code {
        match self {
            Self::Fault { code, .. } => *code,
            Self::Goodbye { .. } | Self::Lost(_) | Self::Asked => close::Code::Finished,
        }
    }

    /// What coming back depends on.
    pub(crate) fn advice(&self) -> close::Return {
        match self {
            Self::Goodbye { code, .. } => close::Return::of(*code),
            // A broker that breaks the protocol may be replaced by one that does not: come back, and never fast.
            Self::Lost(_) | Self::Fault { .. } => close::Return::Later,
            Self::Asked => close::Return::Unasked,
        }
    }
}

impl From<ConnectionError> for End {
    fn from(error: ConnectionError) -> Self {
        if let ConnectionError::ApplicationClosed(close) = &error {
            return Self::of_code(close.error_code, &String::from_utf8_lossy(&close.reason));
        }
        Self::Lost(error.to_string())
    }
}

impl From<DeframeError> for End {
    fn from(error: DeframeError) -> Self {
        // "One of more than 3 bytes and one above the limit close with `FrameTooLong`" (PROTOCOL.md, "Stream").
        if matches!(error, DeframeError::TooLong { .. } | DeframeError::LengthTooLong) {
            return Self::Fault { code: close::Code::FrameTooLong, detail: error.to_string() };
        }
        Self::malformed(error)
    }
}

impl From<DecodeError> for End {
    fn from(error: DecodeError) -> Self {
        Self::malformed(error)
    }
}

impl From<Violation> for End {
    fn from(violation: Violation) -> Self {
        Self::out_of_order(violation)
    }
}

/// A session that is being opened or is open.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) connection: Connection,
    pub(crate) reader: Reader,
    pub(crate) writer: Writer,
    judge: FromServer,
    last: RequestId,
}

impl Session {
    pub(crate) fn new(connection: Connection, send: SendStream, recv: RecvStream) -> Self {
        Self {
            connection,
            reader: Reader::new(recv),
            writer: Writer { send, gathering: BytesMut::new(), writing: Bytes::new() },
            judge: FromServer::default(),
            last: RequestId::ZERO,
        }
    }

    /// Appends what `write` writes, with a source of request numbers. Whoever takes a number sends it, in this order.
    pub(crate) fn append<T>(&mut self, write: impl FnOnce(&mut dyn FnMut() -> RequestId, &mut BytesMut) -> T) -> T {
        let Self { writer, judge, last, .. } = self;
        write(&mut || next_request(last, judge), &mut writer.gathering)
    }

    /// Decodes a body and judges its place.
    pub(crate) fn decode<'a>(&mut self, body: &'a [u8]) -> Result<ServerFrame<'a>, End> {
        let frame = codec::decode_server(body)?;
        self.judge.handle(&frame)?;
        Ok(frame)
    }

    /// Tells the broker why and ends the connection.
    pub(crate) fn close(&self, code: close::Code) {
        self.connection.close(VarInt::from_u32(code.number().into()), code.sentence().as_bytes());
    }
}

fn next_request(last: &mut RequestId, judge: &mut FromServer) -> RequestId {
    *last = last.next();
    judge.asked(*last);
    *last
}

/// The stream's inward half.
#[derive(Debug)]
pub(crate) struct Reader {
    recv: RecvStream,
    deframer: Deframer,
    chunks: Box<[Bytes; READ_CHUNKS]>,
}

impl Reader {
    fn new(recv: RecvStream) -> Self {
        Self { recv, deframer: Deframer::new(BODY_BYTES_MAX), chunks: Box::new([const { Bytes::new() }; READ_CHUNKS]) }
    }

    /// Waits for bytes and takes them.
    ///
    /// Cancel-safe.
    pub(crate) async fn read(&mut self) -> Result<(), End> {
        match self.recv.read_chunks(&mut self.chunks[..]).await {
            Ok(Some(count)) => {
                self.chunks[..count].iter_mut().for_each(|chunk| self.deframer.handle_bytes(std::mem::take(chunk)));
                Ok(())
            }
            Ok(None) => Err(End::Lost("the broker ended the stream without a goodbye".to_owned())),
            Err(ReadError::Reset(code)) => Err(End::of_code(code, "")),
            Err(ReadError::ConnectionLost(error)) => Err(error.into()),
            Err(other) => Err(End::Lost(other.to_string())),
        }
    }

    /// The next whole body of what was read.
    pub(crate) fn poll_body(&mut self) -> Result<Option<Bytes>, End> {
        Ok(self.deframer.poll_body()?)
    }
}

/// The stream's outward half: frames gather while a write is on its way.
#[derive(Debug)]
pub(crate) struct Writer {
    send: SendStream,
    gathering: BytesMut,
    writing: Bytes,
}

impl Writer {
    /// Appends a frame that makes no request.
    pub(crate) fn push(&mut self, frame: &ClientFrame<'_>) {
        codec::encode_stream(frame, &mut self.gathering).expect("the client's own frames are shorter than the limit");
    }

    /// Appends whole frames.
    pub(crate) fn push_frames(&mut self, frames: BytesMut) {
        if self.gathering.is_empty() {
            self.gathering = frames;
        } else {
            self.gathering.extend_from_slice(&frames);
        }
    }

    /// Whether another frame should be appended, up to `writes` full writes.
    pub(crate) fn has_room(&self, writes: usize) -> bool {
        self.gathering.len() < writes * WRITE_BYTES
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.writing.is_empty() && self.gathering.is_empty()
    }

    /// Writes some of what gathered.
    ///
    /// Cancel-safe.
    pub(crate) async fn write(&mut self) -> Result<(), WriteError> {
        if self.writing.is_empty() {
            self.writing = self.gathering.split().freeze();
        }
        self.send.write_chunks(std::slice::from_mut(&mut self.writing)).await?;
        Ok(())
    }

    /// Writes everything, ends the stream and waits until the broker has it all or ends the connection.
    pub(crate) async fn finish(&mut self) -> Result<(), WriteError> {
        while !self.is_empty() {
            self.write().await?;
        }
        if self.send.finish().is_ok() {
            let _ = self.send.stopped().await;
        }
        Ok(())
    }
}

/// What a failed write says about the session's end.
pub(crate) fn end_of_write(error: WriteError) -> End {
    match error {
        WriteError::Stopped(code) => End::of_code(code, ""),
        WriteError::ConnectionLost(error) => error.into(),
        WriteError::ClosedStream | WriteError::ZeroRttRejected => End::Lost(error.to_string()),
    }
}
