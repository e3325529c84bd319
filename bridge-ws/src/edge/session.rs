//! One browser's session, as its bridge sees it: a shell around [`Browser`]. It decides nothing.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use callboard_protocol::close::{Code, Ending};
use callboard_protocol::frame::ClientFrame;
use parking_lot::Mutex;
use tokio::sync::OwnedSemaphorePermit;

use super::browser::Browser;
use super::metrics::Metrics;
use super::registry::Registry;
use crate::address_limit::AddressPermit;
use crate::upstream::{self, Interest};

/// A browser's place at the edge.
#[derive(Debug)]
pub struct Ticket {
    _seat: OwnedSemaphorePermit,
    _address: AddressPermit,
}

impl Ticket {
    pub(super) fn new(seat: OwnedSemaphorePermit, address: AddressPermit) -> Self {
        Self { _seat: seat, _address: address }
    }
}

/// One browser's session at the edge.
#[derive(Debug)]
pub struct Session {
    number: u64,
    browser: Arc<Mutex<Browser>>,
    registry: Arc<Registry>,
    metrics: Arc<Metrics>,
    /// Whether its socket took something since the last turn of the heartbeat.
    has_written: bool,
    _ticket: Ticket,
}

/// Wakes a browser's bridge. It reads the broker's stream only where the browser's socket has taken what came before, so
/// that a slow browser stops its own stream and no other.
#[derive(Debug)]
pub struct News(Arc<Mutex<Browser>>);

impl Session {
    pub(super) fn new(browser: Browser, registry: Arc<Registry>, metrics: Arc<Metrics>, ticket: Ticket) -> Self {
        let browser = Arc::new(Mutex::new(browser));
        Self { number: registry.enter(&browser), browser, registry, metrics, has_written: false, _ticket: ticket }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.browser.lock().end(Ending::plain(Code::Finished));
        self.registry.leave(self.number);
    }
}

impl upstream::News for News {
    fn poll(&self, cx: &mut Context<'_>, interest: Interest) -> Poll<()> {
        self.0.lock().poll_news(cx, interest)
    }
}

impl upstream::Session for Session {
    type News = News;

    fn news(&self) -> News {
        News(Arc::clone(&self.browser))
    }

    fn begin_read(&mut self, bytes: usize) {
        self.metrics.bytes_read.add(bytes as u64);
    }

    fn handle(&mut self, frame: &ClientFrame<'_>, body: &Bytes) -> Result<(), Ending> {
        self.browser.lock().handle_client(frame, body)
    }

    fn hold_begun(&mut self, bytes: usize) -> Result<(), Ending> {
        self.browser.lock().hold(bytes)
    }

    fn hand_over(&mut self) {
        self.browser.lock().hand_over();
    }

    fn is_clear(&self) -> bool {
        self.browser.lock().is_clear()
    }

    async fn room(&mut self) {
        poll_fn(|cx| self.browser.lock().poll_clear(cx)).await;
    }

    fn is_open(&self) -> bool {
        self.browser.lock().state().is_open()
    }

    fn awaits_hello(&self) -> bool {
        self.browser.lock().state().awaits_hello()
    }

    fn fill(&mut self, out: &mut VecDeque<Bytes>) {
        self.browser.lock().fill(out);
    }

    fn has_more(&self) -> bool {
        self.browser.lock().has_more()
    }

    fn note_written(&mut self, bytes: usize) {
        self.metrics.bytes_written.add(bytes as u64);
        self.has_written |= bytes > 0;
    }

    fn ping(&mut self) {
        self.browser.lock().tick(std::mem::take(&mut self.has_written));
    }

    fn ending(&self) -> Option<(Ending, bool)> {
        self.browser.lock().ending()
    }

    fn end(&mut self, ending: Ending) {
        self.browser.lock().end(ending);
    }

    fn abandon(&mut self, ending: Ending) {
        let mut browser = self.browser.lock();
        browser.clear();
        browser.end(ending);
    }

    fn note_closed(&mut self, code: Code) {
        self.metrics.closes.note(code);
    }

    fn note_panic(&mut self) {
        self.metrics.panics.add(1);
    }
}
