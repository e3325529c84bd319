//! Finds the bodies in a stream of `length ‖ body` without taking them out: what a load of millions a second can afford.

use callboard_protocol::limits::{BODY_BYTES_MAX, LENGTH_BYTES_MAX};

/// The stream is no stream of frames (PROTOCOL.md, "Stream").
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the broker sent what is no frame, or closed the session")]
pub(super) struct BadLength;

/// Cuts what comes into bodies: the bytes of the head at the beginning and of the body behind it; `None` while the head has
/// not come whole.
type Cut = fn(&[u8]) -> Result<Option<(usize, usize)>, BadLength>;

/// Keeps what a chunk left unfinished.
#[derive(Debug)]
pub(super) struct Scanner {
    cut: Cut,
    partial: Vec<u8>,
}

impl Scanner {
    /// A scanner of what is cut so.
    pub(super) fn new(cut: Cut) -> Self {
        Self { cut, partial: Vec::new() }
    }

    /// Hands every body that `chunk` completes to `sink`, in order.
    pub(super) fn scan(&mut self, mut chunk: &[u8], mut sink: impl FnMut(&[u8])) -> Result<(), BadLength> {
        // A body over the border of two chunks is put together first; there is one at most.
        while !self.partial.is_empty() {
            let missing = match (self.cut)(&self.partial)? {
                Some((prefix, body)) => (prefix + body).saturating_sub(self.partial.len()),
                None => 1,
            };
            if missing == 0 {
                let prefix = self.partial.len() - (self.cut)(&self.partial)?.map_or(0, |(_, body)| body);
                sink(&self.partial[prefix..]);
                self.partial.clear();
                break;
            }
            if chunk.is_empty() {
                return Ok(());
            }
            let (taken, rest) = chunk.split_at(missing.min(chunk.len()));
            self.partial.extend_from_slice(taken);
            chunk = rest;
        }
        while let Some((prefix, body)) = (self.cut)(chunk)? {
            let Some(whole) = chunk.get(prefix..prefix + body) else { break };
            sink(whole);
            chunk = &chunk[prefix + body..];
        }
        self.partial.extend_from_slice(chunk);
        Ok(())
    }
}

/// Cuts a stream: a length and a body.
pub(super) fn stream(bytes: &[u8]) -> Result<Option<(usize, usize)>, BadLength> {
    let mut length = 0;
    for (index, byte) in bytes.iter().take(LENGTH_BYTES_MAX).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return if length == 0 || length > BODY_BYTES_MAX { Err(BadLength) } else { Ok(Some((index + 1, length))) };
        }
    }
    if bytes.len() >= LENGTH_BYTES_MAX { Err(BadLength) } else { Ok(None) }
}

/// Cuts the messages of a WebSocket's server, each one whole frame without a mask (RFC 6455, section 5.2).
pub(super) fn message(bytes: &[u8]) -> Result<Option<(usize, usize)>, BadLength> {
    let Some((first, rest)) = bytes.split_first() else { return Ok(None) };
    if !matches!(first, 0x81 | 0x82) {
        return Err(BadLength);
    }
    let sizes = match rest.first() {
        None => return Ok(None),
        Some(126) => rest.get(1..3).map(|two| (4, usize::from(u16::from_be_bytes([two[0], two[1]])))),
        Some(127) => rest
            .get(1..9)
            .and_then(|eight| Some((10, usize::try_from(u64::from_be_bytes(eight.try_into().ok()?)).ok()?))),
        Some(short) => Some((2, usize::from(*short))),
    };
    match sizes {
        Some((_, bytes)) if bytes > 8 * BODY_BYTES_MAX => Err(BadLength),
        sizes => Ok(sizes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed() -> (Vec<u8>, Vec<Vec<u8>>) {
        let bodies = vec![vec![1], vec![2; 127], vec![3; 128], vec![4; 300], vec![5]];
        let mut bytes = Vec::new();
        for body in &bodies {
            if body.len() < 128 {
                bytes.push(body.len() as u8);
            } else {
                bytes.extend([(body.len() & 0x7f) as u8 | 0x80, (body.len() >> 7) as u8]);
            }
            bytes.extend(body);
        }
        (bytes, bodies)
    }

    #[test]
    fn bodies_do_not_depend_on_chunks() {
        let (bytes, bodies) = framed();
        for size in 1..=bytes.len() {
            let (mut scanner, mut found) = (Scanner::new(stream), Vec::new());
            for chunk in bytes.chunks(size) {
                scanner.scan(chunk, |body| found.push(body.to_vec())).expect("a stream");
            }
            assert_eq!(found, bodies, "chunks of {size}");
            assert!(scanner.partial.is_empty());
        }
    }

    #[test]
    fn messages_do_not_depend_on_chunks() {
        let bodies = vec![vec![1], vec![2; 125], vec![3; 126], vec![4; 70_000]];
        let mut bytes = Vec::new();
        for body in &bodies {
            bytes.push(0x82);
            match body.len() {
                short @ 0..=125 => bytes.push(short as u8),
                middle @ 126..=0xffff => {
                    bytes.push(126);
                    bytes.extend((middle as u16).to_be_bytes());
                }
                long => {
                    bytes.push(127);
                    bytes.extend((long as u64).to_be_bytes());
                }
            }
            bytes.extend(body);
        }
        for size in [1, 2, 3, 7, 100, 1000, bytes.len()] {
            let (mut scanner, mut found) = (Scanner::new(message), Vec::new());
            for chunk in bytes.chunks(size) {
                scanner.scan(chunk, |body| found.push(body.to_vec())).expect("messages");
            }
            assert_eq!(found, bodies, "chunks of {size}");
        }
        assert_eq!(message(&[0x88, 2, 16, 0]), Err(BadLength), "a close is no body");
    }

    #[test]
    fn lengths_that_no_frame_has_end_it() {
        for bytes in [[0, 0, 0], [0x80, 0x80, 0x80], [0xff, 0xff, 0x7f]] {
            assert_eq!(Scanner::new(stream).scan(&bytes, |_| ()), Err(BadLength));
        }
    }
}
