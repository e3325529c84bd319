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

/// The bytes of a stream that are not yet cut.
///
/// Bodies that lie within one chunk share its memory. A body that spans chunks is copied together, once, and so is what
/// waits when [`poll_body`](Self::poll_body) answers `None`: a peer that never ends its frame holds its own bytes here,
/// at most twice over, and none of the larger buffer that they were read into.
#[derive(Debug)]
pub struct Deframer {
    /// The beginning of a frame whose rest had not come; always less than one frame.
    partial: BytesMut,
    /// What came after `partial`.
    chunks: VecDeque<Bytes>,
    buffered: usize,
    body_bytes_max: usize,
    failed: Option<DeframeError>,
}

impl Deframer {
    /// Cuts a stream whose bodies may have `body_bytes_max` bytes.
    #[must_use]
    pub fn new(body_bytes_max: usize) -> Self {
        Self { partial: BytesMut::new(), chunks: VecDeque::new(), buffered: 0, body_bytes_max, failed: None }
    }

    /// Lets bodies have `body_bytes_max` bytes from the next one on: a session's first frame has a smaller limit
    /// ([`HELLO_BYTES_MAX`](crate::limits::HELLO_BYTES_MAX)).
    pub fn set_body_bytes_max(&mut self, body_bytes_max: usize) {
        self.body_bytes_max = body_bytes_max;
    }

    /// Takes the stream's next bytes; a stream that failed takes no more.
    pub fn handle_bytes(&mut self, bytes: Bytes) {
        if bytes.is_empty() || self.failed.is_some() {
            return;
        }
        self.buffered += bytes.len();
        self.chunks.push_back(bytes);
    }

    /// The next whole body; `None` when more bytes are needed.
    ///
    /// # Errors
    ///
    /// What is wrong with the stream. It stays wrong: every later call answers the same.
    pub fn poll_body(&mut self) -> Result<Option<Bytes>, DeframeError> {
        self.lend_body(|body, memory| memory.slice_ref(body))
    }

    /// Lends the next whole body to `take`, and the memory that it lies in to whoever keeps a part of it; gives what
    /// `take` made of it, or `None` when more bytes are needed.
    ///
    /// # Errors
    ///
    /// What is wrong with the stream, as from [`poll_body`](Self::poll_body).
    pub fn lend_body<T>(&mut self, take: impl FnOnce(&[u8], &Bytes) -> T) -> Result<Option<T>, DeframeError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        match self.peek_length() {
            Err(error) => {
                *self = Self { failed: Some(error), ..Self::new(self.body_bytes_max) };
                Err(error)
            }
            Ok(Some((prefix, length))) if self.buffered >= prefix + length => {
                self.buffered -= prefix + length;
                Ok(Some(self.lend(prefix, length, take)))
            }
            Ok(_) => {
                self.keep();
                Ok(None)
            }
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

    /// How long the next body is, as far as that is known; 0 without one.
    #[must_use]
    pub fn announced_bytes(&self) -> usize {
        match self.peek_length() {
            Ok(Some((_, length))) => length,
            Ok(None) | Err(_) => 0,
        }
    }

    /// The bytes of the next length and what it says; `None` when its last byte has not come.
    fn peek_length(&self) -> Result<Option<(usize, usize)>, DeframeError> {
        let mut few = [0; LENGTH_BYTES_MAX];
        let waiting = match self.chunks.front() {
            Some(front) if self.partial.is_empty() && front.len() >= few.len() => &front[..few.len()],
            Some(_) | None => {
                let all = self.partial.iter().chain(self.chunks.iter().flatten());
                let count = few.iter_mut().zip(all).map(|(place, byte)| *place = *byte).count();
                &few[..count]
            }
        };
        let mut length = 0_usize;
        for (index, byte) in waiting.iter().copied().enumerate() {
            length |= usize::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                // PROTOCOL.md, "Stream": the shortest form only, and 1 up to the limit.
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

    /// Copies what waits out of the chunks that it came in.
    fn keep(&mut self) {
        for chunk in self.chunks.drain(..) {
            self.partial.extend_from_slice(&chunk);
        }
        // Connections at rest keep no buffers.
        self.chunks.shrink_to_fit();
    }

    /// Lends a body of `length` bytes that stands behind `prefix` bytes, all of which wait.
    fn lend<T>(&mut self, prefix: usize, length: usize, take: impl FnOnce(&[u8], &Bytes) -> T) -> T {
        if self.partial.is_empty()
            && let Some(front) = self.chunks.front_mut()
            && let Some(body) = front.get(prefix..prefix + length)
        {
            let taken = take(body, front);
            front.advance(prefix + length);
            if front.is_empty() {
                self.chunks.pop_front();
            }
            return taken;
        }
        let body = self.join(prefix, length);
        take(&body, &body)
    }

    /// Puts a body together that lies in several chunks.
    fn join(&mut self, prefix: usize, length: usize) -> Bytes {
        let mut frame = std::mem::take(&mut self.partial);
        frame.reserve(prefix + length - frame.len());
        while frame.len() < prefix + length {
            let front = self.chunks.front_mut().expect("a body is cut only when all of it waits");
            let step = (prefix + length - frame.len()).min(front.len());
            frame.extend_from_slice(&front.split_to(step));
            if front.is_empty() {
                self.chunks.pop_front();
            }
        }
        frame.advance(prefix);
        frame.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fed(max: usize, stream: &[u8]) -> Deframer {
        let mut deframer = Deframer::new(max);
        deframer.handle_bytes(Bytes::copy_from_slice(stream));
        deframer
    }

    #[test]
    fn bodies_within_a_chunk_share_its_memory() {
        let chunk = Bytes::from_static(&[2, 7, 8, 1, 9]);
        let mut deframer = Deframer::new(10);
        deframer.handle_bytes(chunk.clone());
        let body = deframer.poll_body().unwrap().unwrap();
        assert_eq!(body.as_ptr(), chunk[1..].as_ptr());
        assert_eq!(deframer.poll_body().unwrap().unwrap(), [9][..]);
        assert_eq!(deframer.poll_body(), Ok(None));
        assert!(!deframer.is_mid_frame());
    }

    #[test]
    fn a_body_is_lent_with_the_memory_that_it_lies_in() {
        let mut deframer = Deframer::new(10);
        deframer.handle_bytes(Bytes::from_static(&[2, 7, 8, 3, 9]));
        deframer.handle_bytes(Bytes::from_static(&[9, 9, 1, 6]));
        let mut lent = || deframer.lend_body(|body, memory| (memory.slice_ref(body), memory.len())).unwrap();
        assert_eq!(lent(), Some((Bytes::from_static(&[7, 8]), 5)), "that of the first chunk");
        assert_eq!(lent(), Some((Bytes::from_static(&[9, 9, 9]), 3)), "its own, put together");
        assert_eq!(lent(), Some((Bytes::from_static(&[6]), 2)));
        assert_eq!(lent(), None);
    }

    #[test]
    fn what_waits_lets_go_of_the_buffer_it_was_read_into() {
        let read = Bytes::from(vec![200; 64 << 10]);
        let mut deframer = Deframer::new(1 << 20);
        deframer.handle_bytes(Bytes::from_static(&[0xff, 0x7f]));
        deframer.handle_bytes(read.slice(..600));
        assert_eq!(deframer.poll_body(), Ok(None));
        assert!(read.is_unique(), "600 bytes must not keep 65536");
        assert_eq!(deframer.buffered_bytes(), 602);
    }

    #[test]
    fn an_announced_length_reserves_nothing() {
        for announced in [&[0x80, 0x80, 0x40][..], &[0xff, 0xff, 0x3f], &[0xff, 0x7f]] {
            let mut deframer = fed(1 << 20, announced);
            assert_eq!(deframer.poll_body(), Ok(None));
            assert!(deframer.announced_bytes() >= 0x3fff, "it is known all the same");
            assert!(deframer.partial.capacity() <= 16, "{} bytes for {announced:?}", deframer.partial.capacity());
            assert_eq!(deframer.chunks.capacity(), 0);
        }
    }

    #[test]
    fn a_trickle_costs_at_most_twice_its_bytes() {
        let length = 300_000_usize;
        let mut stream = vec![(length & 0x7f) as u8 | 0x80, (length >> 7 & 0x7f) as u8 | 0x80, (length >> 14) as u8];
        stream.resize(3 + length, 1);
        let mut deframer = Deframer::new(length);
        for (index, byte) in stream.iter().enumerate() {
            deframer.handle_bytes(Bytes::copy_from_slice(&[*byte]));
            let body = deframer.poll_body().unwrap();
            assert_eq!(body.is_some(), index + 1 == stream.len());
            let held = deframer.partial.capacity() + deframer.chunks.capacity() * size_of::<Bytes>();
            assert!(held <= 2 * (index + 1) + 256, "{held} bytes are held for {}", index + 1);
        }
        assert_eq!(deframer.partial.capacity(), 0, "a stream at rest keeps no buffer");
    }

    #[test]
    fn each_wrong_length_has_its_own_refusal_and_stays_refused() {
        for (stream, error) in [
            (&[0][..], DeframeError::Empty),
            (&[0x80, 0], DeframeError::Overlong),
            (&[0x81, 0x80, 0], DeframeError::Overlong),
            (&[0x80, 0x80, 0x80], DeframeError::LengthTooLong),
            (&[0xff, 0xff, 0xff, 0x00], DeframeError::LengthTooLong),
            (&[101], DeframeError::TooLong { bytes: 101, max: 100 }),
            (&[0xff, 0xff, 0x7f], DeframeError::TooLong { bytes: 2_097_151, max: 100 }),
        ] {
            let mut deframer = fed(100, stream);
            assert_eq!(deframer.poll_body(), Err(error), "{stream:?}");
            deframer.handle_bytes(Bytes::from_static(&[1, 1]));
            assert_eq!(deframer.poll_body(), Err(error));
            assert_eq!(deframer.buffered_bytes(), 0, "a stream that failed holds nothing");
        }
    }

    #[test]
    fn the_bodies_before_a_wrong_length_are_cut() {
        let mut deframer = fed(100, &[1, 5, 0]);
        assert_eq!(deframer.announced_bytes(), 1);
        assert_eq!(deframer.poll_body().unwrap().unwrap(), [5][..]);
        assert_eq!(deframer.poll_body(), Err(DeframeError::Empty));
    }

    #[test]
    fn a_limit_that_is_raised_between_two_bodies_holds_for_the_second() {
        let mut deframer = fed(2, &[2, 7, 7, 3, 8, 8, 8, 4]);
        assert_eq!(deframer.poll_body().unwrap().unwrap(), [7, 7][..]);
        deframer.set_body_bytes_max(3);
        assert_eq!(deframer.poll_body().unwrap().unwrap(), [8, 8, 8][..]);
        assert_eq!(deframer.poll_body(), Err(DeframeError::TooLong { bytes: 4, max: 3 }));
    }

    #[test]
    fn a_frame_may_span_any_number_of_chunks_and_be_followed_in_the_last() {
        let mut deframer = Deframer::new(1 << 20);
        for chunk in [&[0x83][..], &[0x01, 1], &[2; 129], &[3, 2, 8], &[9, 1]] {
            deframer.handle_bytes(Bytes::copy_from_slice(chunk));
        }
        let body = deframer.poll_body().unwrap().unwrap();
        assert_eq!((body.len(), body[0], body[130]), (131, 1, 3));
        assert!(body.try_into_mut().unwrap().capacity() <= 2 * 131, "nothing is reserved beyond the frame");
        assert_eq!(deframer.poll_body().unwrap().unwrap(), [8, 9][..]);
        assert_eq!(deframer.poll_body(), Ok(None));
        assert_eq!(deframer.buffered_bytes(), 1);
    }
}
