//! What outlives a client's sessions. It knows no frames and never waits.

use std::sync::Arc;

use callboard_protocol::{Position, RequestId};

use crate::error::PublishError;
use crate::link::Shared;
use crate::publish::{Queue, Unacknowledged};
use crate::table::Table;

/// What outlives a session: what is wanted of the broker, and what is on its way to it.
#[derive(Debug)]
pub(crate) struct Wants {
    pub(crate) shared: Arc<Shared>,
    pub(crate) table: Table,
    pub(crate) unacknowledged: Unacknowledged,
}

impl Wants {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, table: Table::default(), unacknowledged: Unacknowledged::default() }
    }

    /// A session is open: everything is to be asked for, and payloads up to this size may be published.
    pub(crate) fn connected(&mut self, payload_bytes_max: usize) {
        self.shared.change_queue(|queue| queue.open(payload_bytes_max));
        self.table.connected();
    }

    /// The session is over: what was on its way is on its way again.
    pub(crate) fn disconnected(&mut self) {
        // Those who wait for room in an open queue must not wait for the next session unasked.
        self.shared.change_gate(Queue::pause);
        self.unacknowledged.rewind();
        self.table.disconnected();
        self.table.wake();
    }

    /// Removes the readers that were dropped.
    pub(crate) fn drop_departed(&mut self) {
        for (channel, reader) in self.shared.take_departed() {
            self.table.remove_reader(&channel, &reader);
        }
    }

    /// Takes the answer to a publish to the one who waits. `false` if nobody waits for this one.
    pub(crate) fn answer(&mut self, request: RequestId, answer: Result<Position, PublishError>) -> bool {
        let was_due = self.unacknowledged.answer(request, answer);
        if was_due {
            self.shared.change_queue(Queue::answered);
        }
        was_due
    }
}
