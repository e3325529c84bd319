//! One open session from its first frame to its last: what is read goes to its readers, what waits is written.

use callboard_protocol::close;
use callboard_protocol::frame::{ClientFrame, Goodbye};
use tokio::time::{Instant, timeout};

use super::retries::Retries;
use super::{Driver, at};
use crate::backoff::Backoff;
use crate::defaults::FAREWELL;
use crate::end::{End, end_of_write};
use crate::random;
use crate::wire::Session;

/// A session that is open.
pub(super) struct Open<'a> {
    driver: &'a mut Driver,
    session: Session,
    /// What can no longer be written to may still say why, for so long.
    broken: Option<(End, Instant)>,
    retries: Retries,
}

impl<'a> Open<'a> {
    pub(super) fn new(driver: &'a mut Driver, session: Session) -> Self {
        let retries = Retries::new(Backoff::new(driver.options.backoff_base, driver.options.backoff_cap));
        Self { driver, session, broken: None, retries }
    }

    /// Keeps the session going to its end, and ends it properly.
    pub(super) async fn run(mut self) -> End {
        let end = loop {
            if let Err(end) = self.turn().await {
                break end;
            }
        };
        self.driver.wants.disconnected();
        if end == End::Asked {
            self.say_goodbye().await;
        }
        self.session.close(end.parting_code());
        end
    }

    async fn turn(&mut self) -> Result<(), End> {
        self.take_bodies()?;
        self.driver.wants.drop_departed();
        self.look_at_the_clock()?;
        if self.broken.is_none() {
            self.session.dialogue.fill(&mut self.driver.wants);
        }
        if self.is_finished() {
            return Err(End::Asked);
        }
        let deadline = self.deadline();
        let writes = self.broken.is_none() && !self.session.is_written();
        let (stalled, is_closing) = (self.session.dialogue.is_stalled(), self.driver.closing.is_some());
        let Session { connection, inward, outward, dialogue } = &mut self.session;
        tokio::select! {
            command = self.driver.commands.recv(), if !is_closing => self.driver.handle(command),
            () = self.driver.wants.shared.wake.notified() => {}
            written = outward.write(&mut dialogue.gathering), if writes => if let Err(error) = written {
                self.broken = Some((end_of_write(error), Instant::now() + FAREWELL));
            },
            read = inward.read(), if !stalled => read?,
            lost = connection.closed(), if stalled => return Err(lost.into()),
            () = at(deadline) => {}
        }
        Ok(())
    }

    /// Handles what was read. The first turn does so too: what follows Welcome may have come with it.
    fn take_bodies(&mut self) -> Result<(), End> {
        let Session { inward, dialogue, .. } = &mut self.session;
        let taken = dialogue.take_bodies(&mut self.driver.wants, || inward.poll_body());
        if let Some(was_well) = dialogue.take_setback() {
            self.retries.refused(was_well, Instant::now(), random::jitter());
        }
        self.driver.wants.table.wake();
        taken
    }

    fn deadline(&self) -> Option<Instant> {
        let closing = self.driver.closing.as_ref().map(|closing| closing.deadline);
        let broken = self.broken.as_ref().map(|(_, deadline)| *deadline);
        [closing, broken, self.retries.at()].into_iter().flatten().min()
    }

    fn look_at_the_clock(&mut self) -> Result<(), End> {
        if self.retries.is_due(Instant::now()) {
            self.driver.wants.table.retry();
        }
        match &self.broken {
            Some((end, deadline)) if *deadline <= Instant::now() => Err(end.clone()),
            Some(_) | None => Ok(()),
        }
    }

    /// Whether a client that is to close has done what it had to.
    fn is_finished(&self) -> bool {
        let Some(closing) = &self.driver.closing else { return false };
        let acknowledged = closing.reply.is_none() || self.driver.wants.unacknowledged.is_empty();
        let written = self.session.is_written() && self.driver.wants.shared.queue.lock().is_empty();
        (acknowledged && written) || closing.deadline <= Instant::now()
    }

    async fn say_goodbye(&mut self) {
        let (code, sentence) = (close::Code::Finished.number(), close::Code::Finished.sentence());
        self.session.dialogue.push(&ClientFrame::Goodbye(Goodbye { code, sentence, retry_after: None }));
        let _ = timeout(FAREWELL, self.session.finish()).await;
        self.session.close(close::Code::Finished);
        // A program that ends right after this has told the broker.
        let _ = timeout(FAREWELL, self.driver.dialer.idle()).await;
    }
}
