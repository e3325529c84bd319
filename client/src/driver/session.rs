//! One open session from its first frame to its last: what is read goes to its readers, what waits is written.

use std::collections::VecDeque;

use bytes::Bytes;
use callboard_protocol::frame::{Answer, ClientFrame, Failed, Goodbye, Pong, ServerFrame};
use callboard_protocol::{Nonce, RequestId, close};
use tokio::time::{Instant, timeout};

use super::retries::Retries;
use super::{Driver, at};
use crate::backoff::Backoff;
use crate::defaults::{FAREWELL, PONGS_MAX};
use crate::error::{Failure, PublishError};
use crate::publish::Run;
use crate::random;
use crate::table::Delivery;
use crate::wire::{End, Session, end_of_write};

/// A session that is open.
pub(super) struct Open<'a> {
    driver: &'a mut Driver,
    session: Session,
    /// A message that a reader had no room for. Nothing is read until it has.
    held: Option<Bytes>,
    /// The broker's questions whose answers are not yet among what is written.
    pongs: VecDeque<Nonce>,
    /// What can no longer be written to may still say why, for so long.
    broken: Option<(End, Instant)>,
    retries: Retries,
}

impl<'a> Open<'a> {
    pub(super) fn new(driver: &'a mut Driver, session: Session) -> Self {
        let retries = Retries::new(Backoff::new(driver.options.backoff_base, driver.options.backoff_cap));
        Self { driver, session, held: None, pongs: VecDeque::new(), broken: None, retries }
    }

    /// Keeps the session going to its end, and ends it properly.
    pub(super) async fn run(mut self) -> End {
        let end = loop {
            if let Err(end) = self.turn().await {
                break end;
            }
        };
        self.driver.tell_offline();
        if end == End::Asked {
            self.say_goodbye().await;
        }
        self.session.close(end.parting_code());
        end
    }

    async fn turn(&mut self) -> Result<(), End> {
        self.driver.see_off();
        self.look_at_the_clock()?;
        self.fill();
        if self.is_finished() {
            return Err(End::Asked);
        }
        let deadline = self.deadline();
        let (stalled, is_closing) = (self.is_stalled(), self.driver.closing.is_some());
        let Session { connection, reader, writer, .. } = &mut self.session;
        let writes = self.broken.is_none() && !writer.is_empty();
        tokio::select! {
            command = self.driver.commands.recv(), if !is_closing => self.driver.handle(command),
            () = self.driver.shared.wake.notified() => {}
            written = writer.write(), if writes => if let Err(error) = written {
                self.broken = Some((end_of_write(error), Instant::now() + FAREWELL));
            },
            read = reader.read(), if !stalled => read?,
            lost = connection.closed(), if stalled => return Err(lost.into()),
            () = at(deadline) => {}
        }
        let taken = self.take_bodies();
        self.driver.table.wake();
        taken
    }

    fn deadline(&self) -> Option<Instant> {
        let closing = self.driver.closing.as_ref().map(|closing| closing.deadline);
        let broken = self.broken.as_ref().map(|(_, deadline)| *deadline);
        [closing, broken, self.retries.at()].into_iter().flatten().min()
    }

    fn look_at_the_clock(&mut self) -> Result<(), End> {
        if self.retries.is_due(Instant::now()) {
            self.driver.table.retry();
        }
        match &self.broken {
            Some((end, deadline)) if *deadline <= Instant::now() => Err(end.clone()),
            Some(_) | None => Ok(()),
        }
    }

    /// Whether a client that is to close has done what it had to.
    fn is_finished(&self) -> bool {
        let Some(closing) = &self.driver.closing else { return false };
        let acknowledged = closing.reply.is_none() || self.driver.unacknowledged.is_empty();
        let written = self.session.writer.is_empty() && self.driver.shared.queue.lock().is_empty();
        (acknowledged && written) || closing.deadline <= Instant::now()
    }

    /// Gathers what waits, up to a full write: first what was not acknowledged in the session before, then publishes
    /// in the order of their calls. Questions have room of their own, so that no flood of publishes holds them up.
    fn fill(&mut self) {
        if self.broken.is_some() {
            return;
        }
        let Self { driver, session, .. } = self;
        // "`Pong` is sent for each `Ping`, at once" (PROTOCOL.md, "Session"): before the others, in room of their own.
        while session.writer.has_room(3)
            && let Some(nonce) = self.pongs.pop_front()
        {
            session.writer.push(&ClientFrame::Pong(Pong { nonce }));
        }
        let mut took = false;
        while session.writer.has_room(1) {
            if session.append(|ask, out| driver.unacknowledged.write_next(ask, out)) {
                continue;
            }
            let run = driver.shared.queue.lock().take();
            match run {
                Some(Run::Forgotten { frames, .. }) => session.writer.push_frames(frames),
                Some(Run::Acked { sequence, acked }) => driver.unacknowledged.push(sequence, acked),
                None => break,
            }
            took = true;
        }
        if took {
            driver.shared.call_next();
        }
        while session.writer.has_room(2) && session.append(|ask, out| driver.table.write_next(ask, out)) {}
    }

    /// Handles the bodies that were read, until there is no room for one.
    fn take_bodies(&mut self) -> Result<(), End> {
        while self.pongs.len() < PONGS_MAX {
            let body = match self.held.take() {
                Some(body) => body,
                None => match self.session.reader.poll_body()? {
                    Some(body) => body,
                    None => return Ok(()),
                },
            };
            match self.take_body(&body)? {
                Delivery::Done => {}
                Delivery::Blocked => {
                    self.held = Some(body);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Whether what was read waits, so that nothing more is read. A reader, or a write, makes room again.
    fn is_stalled(&self) -> bool {
        self.held.is_some() || self.pongs.len() >= PONGS_MAX
    }

    fn take_body(&mut self, body: &Bytes) -> Result<Delivery, End> {
        let table = &mut self.driver.table;
        match self.session.decode(body)? {
            ServerFrame::Message(message) => return table.deliver(&message, body),
            ServerFrame::Skipped(skipped) => table.skip(&skipped)?,
            ServerFrame::Reset(reset) => table.reset(&reset)?,
            // An event of a service takes an offset of its channel; services have no readers here yet.
            ServerFrame::Event(event) => table.pass(event.channel, event.offset)?,
            ServerFrame::Ok { request, answer } => self.take_answer(request, &answer)?,
            ServerFrame::Failed(failed) => self.take_failure(&failed)?,
            ServerFrame::Ping(ping) => self.pongs.push_back(ping.nonce),
            ServerFrame::Goodbye(goodbye) => return Err(End::goodbye(&goodbye)),
            ServerFrame::Welcome(_) => return Err(End::out_of_order("a session is opened once")),
            // Channels that the broker gives, and calls for a provider, have no readers here yet.
            ServerFrame::Named(named) => table.name(&named)?,
            ServerFrame::Membership(membership) => table.member(&membership),
            ServerFrame::Invoke(_) => {}
        }
        Ok(Delivery::Done)
    }

    fn take_answer(&mut self, request: RequestId, answer: &Answer<'_>) -> Result<(), End> {
        if self.driver.table.handle_ok(request, answer)? {
            return Ok(());
        }
        match answer {
            Answer::Published(position) if self.driver.answer(request, Ok(*position)) => Ok(()),
            Answer::Published(_) | Answer::Done | Answer::Subscribed(_) | Answer::Identity(_) | Answer::Returned(_) => {
                Err(End::out_of_order(format!("request {request} was answered with what it did not ask for, or twice")))
            }
        }
    }

    fn take_failure(&mut self, failed: &Failed<'_>) -> Result<(), End> {
        let failure = Failure::new(failed);
        if failed.request == RequestId::ZERO {
            self.driver.shared.refused(&failure);
            return Ok(());
        }
        let was_well = self.driver.table.is_well();
        if self.driver.table.handle_failed(failed.request, &failure) {
            if self.driver.table.has_retries() {
                self.retries.refused(was_well, Instant::now(), random::jitter());
            }
            return Ok(());
        }
        if self.driver.answer(failed.request, Err(PublishError::Refused(failure))) {
            return Ok(());
        }
        Err(End::out_of_order(format!("request {} was answered twice", failed.request)))
    }

    async fn say_goodbye(&mut self) {
        let (code, sentence) = (close::Code::Finished.number(), close::Code::Finished.sentence());
        self.session.writer.push(&ClientFrame::Goodbye(Goodbye { code, sentence, retry_after: None }));
        let _ = timeout(FAREWELL, self.session.writer.finish()).await;
        self.session.close(close::Code::Finished);
        // A program that ends right after this has told the broker.
        let _ = timeout(FAREWELL, self.driver.dialer.idle()).await;
    }
}
