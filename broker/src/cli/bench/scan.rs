//! Finds the bodies in a stream of `length ‖ body` without taking them out: what a load of millions a second can afford.

use callboard_protocol::limits::{BODY_BYTES_MAX, LENGTH_BYTES_MAX};

/// The stream is no stream of frames (PROTOCOL.md, "Stream").
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the broker sent a length that no frame has")]
pub(super) struct BadLength;

/// Keeps what a chunk left unfinished.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    partial: Vec<u8>,
}

impl Scanner {
    /// Hands every body that `chunk` completes to `sink`, in order.
    pub(super) fn scan(&mut self, mut chunk: &[u8], mut sink: impl FnMut(&[u8])) -> Result<(), BadLength> {
        // A body over the border of two chunks is put together first; there is one at most.
        while !self.partial.is_empty() {
            let missing = match frame(&self.partial)? {
                Some((prefix, body)) => (prefix + body).saturating_sub(self.partial.len()),
                None => 1,
            };
            if missing == 0 {
                let prefix = self.partial.len() - frame(&self.partial)?.map_or(0, |(_, body)| body);
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
        while let Some((prefix, body)) = frame(chunk)? {
            let Some(whole) = chunk.get(prefix..prefix + body) else { break };
            sink(whole);
            chunk = &chunk[prefix + body..];
        }
        self.partial.extend_from_slice(chunk);
        Ok(())
    }
}

/// The bytes of the length at the beginning and what it says; `None` while its last byte has not come.
fn frame(bytes: &[u8]) -> Result<Option<(usize, usize)>, BadLength> {
    let mut length = 0;
    for (index, byte) in bytes.iter().take(LENGTH_BYTES_MAX).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return if length == 0 || length > BODY_BYTES_MAX { Err(BadLength) } else { Ok(Some((index + 1, length))) };
        }
    }
    if bytes.len() >= LENGTH_BYTES_MAX { Err(BadLength) } else { Ok(None) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> (Vec<u8>, Vec<Vec<u8>>) {
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
        let (bytes, bodies) = stream();
        for size in 1..=bytes.len() {
            let (mut scanner, mut found) = (Scanner::default(), Vec::new());
            for chunk in bytes.chunks(size) {
                scanner.scan(chunk, |body| found.push(body.to_vec())).expect("a stream");
            }
            assert_eq!(found, bodies, "chunks of {size}");
            assert!(scanner.partial.is_empty());
        }
    }

    #[test]
    fn lengths_that_no_frame_has_end_it() {
        for bytes in [[0, 0, 0], [0x80, 0x80, 0x80], [0xff, 0xff, 0x7f]] {
            assert_eq!(Scanner::default().scan(&bytes, |_| ()), Err(BadLength));
        }
    }
}
