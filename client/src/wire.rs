//! One session's socket: the stream it is on, in two halves. It knows nothing of what is said on it but where frames end.

use bytes::{Bytes, BytesMut};
use callboard_protocol::close;
use callboard_protocol::deframe::Deframer;
use callboard_protocol::limits::BODY_BYTES_MAX;
use quinn::{Connection, ReadError, RecvStream, SendStream, VarInt, WriteError};

use crate::defaults::READ_CHUNKS;
use crate::dialogue::Dialogue;
use crate::end::End;

/// A session that is being opened or is open.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) connection: Connection,
    pub(crate) inward: Inward,
    pub(crate) outward: Outward,
    pub(crate) dialogue: Dialogue,
}

impl Session {
    pub(crate) fn new(connection: Connection, send: SendStream, recv: RecvStream) -> Self {
        let outward = Outward { send, writing: Bytes::new() };
        Self { connection, inward: Inward::new(recv), outward, dialogue: Dialogue::default() }
    }

    /// Whether everything that was said is with the transport.
    pub(crate) fn is_written(&self) -> bool {
        self.outward.is_empty() && self.dialogue.gathering.is_empty()
    }

    /// Writes some of what gathered.
    ///
    /// Cancel-safe.
    pub(crate) async fn write(&mut self) -> Result<(), WriteError> {
        self.outward.write(&mut self.dialogue.gathering).await
    }

    /// Writes everything, ends the stream and waits until the broker has it all or ends the connection.
    pub(crate) async fn finish(&mut self) -> Result<(), WriteError> {
        while !self.is_written() {
            self.write().await?;
        }
        self.outward.finish().await;
        Ok(())
    }

    /// Tells the broker why and ends the connection.
    pub(crate) fn close(&self, code: close::Code) {
        self.connection.close(VarInt::from_u32(code.number().into()), code.sentence().as_bytes());
    }
}

/// The stream's inward half.
#[derive(Debug)]
pub(crate) struct Inward {
    recv: RecvStream,
    deframer: Deframer,
    chunks: Box<[Bytes; READ_CHUNKS]>,
}

impl Inward {
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

/// The stream's outward half: what is being written, while more gathers.
#[derive(Debug)]
pub(crate) struct Outward {
    send: SendStream,
    writing: Bytes,
}

impl Outward {
    pub(crate) fn is_empty(&self) -> bool {
        self.writing.is_empty()
    }

    /// Writes some of what it has, and when it has nothing, of what gathered.
    ///
    /// Cancel-safe.
    pub(crate) async fn write(&mut self, gathering: &mut BytesMut) -> Result<(), WriteError> {
        if self.writing.is_empty() {
            self.writing = gathering.split().freeze();
        }
        self.send.write_chunks(std::slice::from_mut(&mut self.writing)).await?;
        Ok(())
    }

    /// Ends the stream and waits until the broker has it all or ends the connection.
    async fn finish(&mut self) {
        if self.send.finish().is_ok() {
            let _ = self.send.stopped().await;
        }
    }
}
