//! Cuts bodies out of a stream of `length ‖ body`, however the stream was chunked; never reserves for an announced length.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};

use crate::limits::LENGTH_BYTES_MAX;

/// Why a stream cannot be cut further. The peer is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeframeError {
    /// A body is announced that is longer than this side accepts.
    #[error("a frame of {bytes} bytes is announced, the limit is {max}")]
    TooLong {
        /// The announced length.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// A length is written with more bytes than it needs.
    #[error("a length is written with more bytes than it needs")]
    Overlong,
    /// A length has more bytes than the longest legal one.
    #[error("a length has more than {LENGTH_BYTES_MAX} bytes")]
    LengthTooLong,
    /// A body of no bytes is announced: no frame is that short.
    #[error("a frame of no bytes is announced")]
    Empty,
}

/// Chunks shorter than this are copied together while they wait: a peer that trickles its stream would otherwise cost a
/// buffer's bookkeeping for each of its bytes.
const CHUNK_BYTES_KEPT: usize = 512;

/// The bytes of a stream that are not yet cut.
///
/// Bodies that lie within one chunk share its memory; only a body that spans chunks is copied together. What waits
/// takes little more memory than its bytes, however small the chunks were.
#[derive(Debug)]
pub struct Deframer {
    chunks: VecDeque<Bytes>,
    /// Short chunks that came after `chunks`.
    tail: BytesMut,
    buffered: usize,
    body_bytes_max: usize,
    failed: Option<DeframeError>,
}

impl Deframer {
    /// Cuts a stream whose bodies may have `body_bytes_max` bytes.
    #[must_use]
    pub fn new(body_bytes_max: usize) -> Self {
        Self { chunks: VecDeque::new(), tail: BytesMut::new(), buffered: 0, body_bytes_max, failed: None }
    }

    /// Takes the stream's next bytes.
    pub fn handle_bytes(&mut self, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        let first = self.buffered == 0;
        self.buffered += bytes.len();
        if first || bytes.len() >= CHUNK_BYTES_KEPT {
            self.end_tail();
            self.chunks.push_back(bytes);
        } else {
            self.tail.extend_from_slice(&bytes);
        }
    }

    fn end_tail(&mut self) {
        if !self.tail.is_empty() {
            self.chunks.push_back(std::mem::take(&mut self.tail).freeze());
        }
    }

    /// The next whole body; `None` when more bytes are needed.
    ///
    /// # Errors
    ///
    /// What is wrong with the stream. It stays wrong: every later call answers the same.
    pub fn poll_body(&mut self) -> Result<Option<Bytes>, DeframeError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        match self.peek_length() {
            Err(error) => {
                self.failed = Some(error);
                self.chunks = VecDeque::new();
                self.tail = BytesMut::new();
                self.buffered = 0;
                Err(error)
            }
            Ok(Some((prefix, length))) if self.buffered >= prefix + length => {
                self.end_tail();
                self.skip(prefix);
                let body = self.take(length);
                if self.chunks.is_empty() {
                    // Connections at rest keep no buffers.
                    self.chunks = VecDeque::new();
                }
                Ok(Some(body))
            }
            Ok(_) => Ok(None),
        }
    }

    /// Whether part of a frame waits for the rest of it.
    #[must_use]
    pub fn is_mid_frame(&self) -> bool {
        self.buffered > 0
    }

    /// How many bytes wait.
    #[must_use]
    pub fn buffered_bytes(&self) -> usize {
        self.buffered
    }

    fn peek_length(&self) -> Result<Option<(usize, usize)>, DeframeError> {
        let mut length = 0_usize;
        for (index, byte) in self.chunks.iter().flatten().chain(&self.tail).copied().take(LENGTH_BYTES_MAX).enumerate()
        {
            length |= usize::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                return if byte == 0 && index > 0 {
                    Err(DeframeError::Overlong)
                } else if length == 0 {
                    Err(DeframeError::Empty)
                } else if length > self.body_bytes_max {
                    Err(DeframeError::TooLong { bytes: length, max: self.body_bytes_max })
                } else {
                    Ok(Some((index + 1, length)))
                };
            }
        }
        if self.buffered >= LENGTH_BYTES_MAX { Err(DeframeError::LengthTooLong) } else { Ok(None) }
    }

    fn skip(&mut self, mut bytes: usize) {
        self.buffered -= bytes;
        while bytes > 0 {
            let front = self.chunks.front_mut().expect("as many bytes are buffered as are skipped");
            let step = bytes.min(front.len());
            front.advance(step);
            bytes -= step;
            if front.is_empty() {
                self.chunks.pop_front();
            }
        }
    }

    fn take(&mut self, bytes: usize) -> Bytes {
        let front = self.chunks.front_mut().expect("a body is taken only when all of it is buffered");
        if front.len() > bytes {
            self.buffered -= bytes;
            return front.split_to(bytes);
        }
        if front.len() == bytes {
            self.buffered -= bytes;
            return self.chunks.pop_front().expect("the front was just seen");
        }
        let mut body = BytesMut::with_capacity(bytes);
        while body.len() < bytes {
            let front = self.chunks.front_mut().expect("a body is taken only when all of it is buffered");
            let step = (bytes - body.len()).min(front.len());
            body.extend_from_slice(&front.split_to(step));
            self.buffered -= step;
            if front.is_empty() {
                self.chunks.pop_front();
            }
        }
        body.freeze()
    }
}
