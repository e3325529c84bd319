//! One browser's session, as its bridge sees it: the shell around a visit. It decides nothing.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use callboard_protocol::close::Code;
use callboard_protocol::frame::ClientFrame;
use parking_lot::Mutex;

use super::remote::{Guests, Ticket};
use super::tally::Tally;
use super::visit::Visit;
use crate::upstream::{self, Ending};

/// One browser's session at the edge.
#[derive(Debug)]
pub struct Session {
    number: u64,
    visit: Arc<Mutex<Visit>>,
    guests: Arc<Guests>,
    tally: Arc<Tally>,
    /// Whether its socket took something since the last turn of the heartbeat.
    has_written: bool,
    _ticket: Ticket,
}

/// Wakes a browser's bridge. It reads the broker's stream only where the browser's socket has taken what came before, so
/// that a slow browser stops its own stream and no other.
#[derive(Debug)]
pub struct News(Arc<Mutex<Visit>>);

impl Session {
    pub(super) fn new(visit: Visit, guests: Arc<Guests>, tally: Arc<Tally>, ticket: Ticket) -> Self {
        let visit = Arc::new(Mutex::new(visit));
        Self { number: guests.enter(&visit), visit, guests, tally, has_written: false, _ticket: ticket }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.visit.lock().end(Ending::plain(Code::Finished));
        self.guests.leave(self.number);
    }
}

impl upstream::News for News {
    fn poll(&self, cx: &mut Context<'_>, hungry: bool, unaware: bool) -> Poll<()> {
        self.0.lock().poll_news(cx, hungry, unaware)
    }
}

impl upstream::Session for Session {
    type News = News;

    fn news(&self) -> News {
        News(Arc::clone(&self.visit))
    }

    fn begin_read(&mut self, bytes: usize) {
        self.tally.bytes_read.add(bytes as u64);
    }

    fn handle(&mut self, frame: &ClientFrame<'_>, body: &Bytes) -> Result<(), Ending> {
        self.visit.lock().hear(frame, body)
    }

    fn hold_begun(&mut self, bytes: usize) -> Result<(), Ending> {
        self.visit.lock().hold(bytes)
    }

    fn hand_over(&mut self) {
        self.visit.lock().hand_over();
    }

    fn is_clear(&self) -> bool {
        self.visit.lock().is_clear()
    }

    async fn room(&mut self) {
        poll_fn(|cx| self.visit.lock().poll_clear(cx)).await;
    }

    fn is_open(&self) -> bool {
        self.visit.lock().state().is_open()
    }

    fn awaits_hello(&self) -> bool {
        self.visit.lock().state().awaits_hello()
    }

    fn fill(&mut self, out: &mut VecDeque<Bytes>) {
        self.visit.lock().fill(out);
    }

    fn has_more(&self) -> bool {
        self.visit.lock().has_more()
    }

    fn note_written(&mut self, bytes: usize) {
        self.tally.bytes_written.add(bytes as u64);
        self.has_written |= bytes > 0;
    }

    fn ping(&mut self) {
        self.visit.lock().ring(std::mem::take(&mut self.has_written));
    }

    fn ending(&self) -> Option<(Ending, bool)> {
        self.visit.lock().ending()
    }

    fn end(&mut self, ending: Ending) {
        self.visit.lock().end(ending);
    }

    fn abandon(&mut self, ending: Ending) {
        let mut visit = self.visit.lock();
        visit.clear();
        visit.end(ending);
    }

    fn note_closed(&mut self, code: Code) {
        self.tally.closes.note(code);
    }

    fn note_panic(&mut self) {
        self.tally.panics.add(1);
    }
}
