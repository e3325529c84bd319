//! A session's socket that a simulation holds the other end of: it takes as much as it is allowed to, and loses nothing by itself.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes};
use callboard_protocol::close::Code;
use parking_lot::Mutex;

use super::world::Over;
use crate::connection::Gone;

/// One end of it, whichever.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pipe(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// What the client said and the broker has not read.
    inward: VecDeque<Bytes>,
    /// How the client's half ended, if it did.
    inward_end: Option<Result<(), Gone>>,
    reader: Option<Waker>,
    /// How many bytes the client's side may still take.
    room: usize,
    /// What it took.
    outward: Vec<u8>,
    /// Why it takes nothing more.
    over: Option<Over>,
    writer: Option<Waker>,
}

impl State {
    fn end(&mut self, over: Over) {
        if self.over.is_none() {
            self.over = Some(over);
            self.inward_end = Some(Err(Gone));
            self.inward.clear();
            wake([self.reader.take(), self.writer.take()]);
        }
    }

    fn poll_read(&mut self, chunks: &mut [Bytes], cx: &Context<'_>) -> Poll<Result<Option<usize>, Gone>> {
        if self.inward.is_empty() {
            return match self.inward_end {
                Some(Ok(())) => Poll::Ready(Ok(None)),
                Some(Err(Gone)) => Poll::Ready(Err(Gone)),
                None => {
                    self.reader = Some(cx.waker().clone());
                    Poll::Pending
                }
            };
        }
        let count = chunks.len().min(self.inward.len());
        for (place, chunk) in chunks.iter_mut().zip(self.inward.drain(..count)) {
            *place = chunk;
        }
        Poll::Ready(Ok(Some(count)))
    }

    /// Takes what there is room for. Gives how many chunks went whole, and how many bytes went.
    fn poll_write(&mut self, chunks: &mut [Bytes], cx: &Context<'_>) -> Poll<Result<(usize, usize), Gone>> {
        if self.over.is_some() {
            return Poll::Ready(Err(Gone));
        }
        if self.room == 0 {
            self.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let (mut whole, mut bytes) = (0, 0);
        for chunk in chunks {
            let taken = chunk.len().min(self.room);
            self.outward.extend_from_slice(&chunk[..taken]);
            self.room -= taken;
            bytes += taken;
            chunk.advance(taken);
            if !chunk.is_empty() {
                break;
            }
            whole += 1;
        }
        Poll::Ready(Ok((whole, bytes)))
    }
}

impl Pipe {
    /// The broker reads the next chunks.
    pub(crate) async fn read(&self, chunks: &mut [Bytes]) -> Result<Option<usize>, Gone> {
        poll_fn(|cx| self.0.lock().poll_read(chunks, cx)).await
    }

    /// The broker writes.
    pub(crate) async fn write(&self, chunks: &mut [Bytes]) -> Result<(usize, usize), Gone> {
        poll_fn(|cx| self.0.lock().poll_write(chunks, cx)).await
    }

    /// The broker writes its last word.
    pub(crate) async fn finish(&self, last: Bytes) -> Result<(), Gone> {
        let mut last = [last];
        while !last[0].is_empty() {
            self.write(&mut last).await?;
        }
        Ok(())
    }

    /// The broker closes.
    pub(crate) fn close(&self, code: Code) {
        self.0.lock().end(Over::Closed(code.number()));
    }

    /// The broker's end is gone, closed or not.
    pub(crate) fn drop_by_broker(&self) {
        self.0.lock().end(Over::Dropped);
    }

    /// The client says something.
    pub(super) fn say(&self, bytes: Bytes) {
        let mut state = self.0.lock();
        if state.inward_end.is_none() && !bytes.is_empty() {
            state.inward.push_back(bytes);
            wake([state.reader.take(), None]);
        }
    }

    /// The client says nothing more.
    pub(super) fn end_saying(&self) {
        let mut state = self.0.lock();
        state.inward_end.get_or_insert(Ok(()));
        wake([state.reader.take(), None]);
    }

    /// The client is gone.
    pub(super) fn hang_up(&self) {
        self.0.lock().end(Over::HungUp);
    }

    /// The client may take this much more.
    pub(super) fn make_room(&self, bytes: usize) {
        let mut state = self.0.lock();
        state.room = state.room.saturating_add(bytes);
        wake([None, state.writer.take()]);
    }

    /// The client may take no more for now.
    pub(super) fn stall(&self) {
        self.0.lock().room = 0;
    }

    /// What the client took since the last time.
    pub(super) fn hear(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().outward)
    }

    /// Whether it is over, and how.
    pub(super) fn over(&self) -> Option<Over> {
        self.0.lock().over
    }
}

fn wake(wakers: [Option<Waker>; 2]) {
    for waker in wakers.into_iter().flatten() {
        waker.wake();
    }
}
