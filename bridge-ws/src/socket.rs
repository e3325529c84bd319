//! A browser's socket, inside TLS or not; it keeps no buffer of its own.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::defaults::{READ_BYTES, SLICES_A_WRITE};
use crate::outgoing::Outgoing;

/// A socket that was accepted.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: Stream,
    /// Whether TLS may hold what was written.
    is_unflushed: bool,
}

#[derive(Debug)]
enum Stream {
    /// In the open.
    Plain(TcpStream),
    /// Inside TLS.
    Tls(Box<TlsStream<TcpStream>>),
}

impl From<TcpStream> for Socket {
    fn from(stream: TcpStream) -> Self {
        Self { stream: Stream::Plain(stream), is_unflushed: false }
    }
}

impl From<TlsStream<TcpStream>> for Socket {
    fn from(stream: TlsStream<TcpStream>) -> Self {
        Self { stream: Stream::Tls(Box::new(stream)), is_unflushed: false }
    }
}

impl Socket {
    /// Hands what was read to `sink` and says how many bytes that is; 0 is the end. Pending, it has read nothing.
    pub(crate) fn poll_read_to(&mut self, cx: &mut Context<'_>, sink: impl FnOnce(&[u8])) -> Poll<io::Result<usize>> {
        // On the stack for the length of this call, so that ten thousand sockets that wait have no buffer at all.
        let mut memory = [const { MaybeUninit::uninit() }; READ_BYTES];
        let mut buffer = ReadBuf::uninit(&mut memory);
        ready!(Pin::new(self).poll_read(cx, &mut buffer))?;
        let read = buffer.filled();
        sink(read);
        Poll::Ready(Ok(read.len()))
    }

    /// Whether [`Socket::poll_write_from`] has something to do although nothing is left to be written.
    pub(crate) fn is_unflushed(&self) -> bool {
        self.is_unflushed
    }

    /// Writes some of `out`, takes that away from it and says how many bytes it was. Pending, it has written nothing.
    pub(crate) fn poll_write_from(&mut self, cx: &mut Context<'_>, out: &mut Outgoing) -> Poll<io::Result<usize>> {
        if !out.is_pending() {
            ready!(Pin::new(&mut *self).poll_flush(cx))?;
            self.is_unflushed = false;
            return Poll::Ready(Ok(0));
        }
        let mut slices = [IoSlice::new(&[]); SLICES_A_WRITE];
        let count = out.slices(&mut slices);
        let written = ready!(Pin::new(&mut *self).poll_write_vectored(cx, &slices[..count]))?;
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        out.advance(written);
        self.is_unflushed = matches!(self.stream, Stream::Tls(_));
        Poll::Ready(Ok(written))
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Stream::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
