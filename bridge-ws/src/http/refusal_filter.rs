//! A stream that keeps back what hyper says by itself of a request that it cannot read: that has no body, and ours have one.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream under hyper.
#[derive(Debug)]
pub(super) struct RefusalFilter<T> {
    inner: T,
    /// With what hyper refuses what it read.
    refusal: Option<StatusCode>,
    /// Whether the stream took only a part of what it was last given.
    is_torn: bool,
}

impl<T> RefusalFilter<T> {
    /// Nothing was kept back.
    pub(super) fn new(inner: T) -> Self {
        Self { inner, refusal: None, is_torn: false }
    }

    /// The stream.
    pub(super) fn into_inner(self) -> T {
        self.inner
    }

    /// The status of the answer that was kept back.
    pub(super) fn refusal(&self) -> Option<StatusCode> {
        self.refusal
    }

    /// Whether an answer may follow what was written so far.
    pub(super) fn is_between_answers(&self) -> bool {
        !self.is_torn
    }

    /// Keeps `bytes` back if they are an answer of hyper's own.
    fn keeps(&mut self, bytes: &[u8]) -> bool {
        let status = own_answer(bytes);
        self.refusal = self.refusal.or(status);
        status.is_some()
    }
}

/// The status of an answer that hyper makes by itself: a refusal without a body. None of ours lacks one.
fn own_answer(bytes: &[u8]) -> Option<StatusCode> {
    let refusal =
        bytes.strip_prefix(b"HTTP/1.1 ").filter(|rest| rest.starts_with(b"4") && rest.ends_with(b"\r\n\r\n"))?;
    let has_no_body = |line: &[u8]| line.eq_ignore_ascii_case(b"content-length: 0\r");
    if !refusal.split(|byte| *byte == b'\n').any(has_no_body) {
        return None;
    }
    StatusCode::from_bytes(refusal.get(..3)?).ok()
}

impl<T: AsyncRead + Unpin> AsyncRead for RefusalFilter<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_read(cx, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for RefusalFilter<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.keeps(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = ready!(Pin::new(&mut this.inner).poll_write(cx, bytes));
        this.is_torn = !written.as_ref().is_ok_and(|written| *written == bytes.len());
        Poll::Ready(written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if let [bytes] = slices
            && this.keeps(bytes)
        {
            return Poll::Ready(Ok(bytes.len()));
        }
        let all: usize = slices.iter().map(|slice| slice.len()).sum();
        let written = ready!(Pin::new(&mut this.inner).poll_write_vectored(cx, slices));
        this.is_torn = !written.as_ref().is_ok_and(|written| *written == all);
        Poll::Ready(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn only_what_hyper_says_by_itself_is_kept_back() {
        let (near, mut far) = duplex(1000);
        let mut filter = RefusalFilter::new(near);
        let own = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\ndate: x\r\n\r\n";
        let ours: [&[u8]; 4] = [
            b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.1 404 Not Found\r\ncontent-length: 80\r\n\r\n",
            b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n{",
            b"HTTP/1.1 100 Continue\r\n\r\n",
        ];
        for bytes in ours {
            filter.write_all(bytes).await.unwrap();
        }
        assert_eq!(filter.refusal(), None);
        filter.write_all(own).await.unwrap();
        assert_eq!(filter.refusal(), Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));
        drop(filter);
        let mut heard = Vec::new();
        far.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, ours.concat());
    }

    #[tokio::test]
    async fn an_answer_that_is_not_taken_whole_is_known_to_be_torn() {
        let (near, _far) = duplex(10);
        let mut filter = RefusalFilter::new(near);
        assert_eq!((filter.write(b"an answer").await.unwrap(), filter.is_between_answers()), (9, true));
        assert_eq!((filter.write(b"another").await.unwrap(), filter.is_between_answers()), (1, false));
    }
}
