//! The directory's entry for a channel: the only way to it, and what remains of it while it sleeps.

use std::sync::Arc;

use callboard_protocol::{ChannelId, ChannelName, Epoch, Millis};
use kameo::actor::ActorRef;
use kameo::error::SendError;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

use super::actor::Actor;
use super::in_place;
use super::messages::Input;
use super::state::State;
use crate::directory::Directory;
#[cfg(feature = "simulation")]
use crate::simulation::Asleep;

/// A channel's place in the directory.
///
/// Every input passes its lock, so that none can reach an actor that has just fallen asleep.
#[derive(Debug)]
pub(crate) struct Slot {
    name: ChannelName,
    phase: Mutex<Phase>,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all channels sleep: a box would cost each of them more")]
enum Phase {
    Asleep(State),
    Awake(Run),
    /// Out of the directory; whoever still holds this slot must ask there again.
    Retired,
}

/// One run of the channel's actor.
#[derive(Debug)]
struct Run {
    actor: ActorRef<Box<Actor>>,
    room: Arc<Notify>,
}

/// What became of an input.
#[derive(Debug)]
pub(crate) enum Sent {
    /// The channel has it.
    Taken,
    /// The channel's mailbox is full. Try again when `room` notifies.
    Full {
        /// The input.
        input: Input,
        /// Notified when there is room.
        room: Arc<Notify>,
    },
    /// The slot is out of the directory.
    Retired(Input),
}

impl Slot {
    /// A channel that was just born, asleep.
    pub(crate) fn new(id: ChannelId, name: ChannelName, epoch: Epoch, directory: &Directory) -> Arc<Self> {
        let state =
            State::new(id, name.clone(), epoch, directory.budgets(), directory.metrics()).under(directory.orders());
        Arc::new(Self { name, phase: Mutex::new(Phase::Asleep(state)) })
    }

    /// The channel's name.
    pub(crate) fn name(&self) -> &ChannelName {
        &self.name
    }

    /// Gives the channel something to do. A sleeping channel does small things where it lies; a publish wakes it unless
    /// the channel is quiet and nobody else is at it in this moment.
    pub(crate) fn send(self: &Arc<Self>, input: Input, directory: &Arc<Directory>) -> Sent {
        match self.phase.try_lock() {
            Some(phase) => self.take(phase, input, !directory.pretends_contention(), directory),
            None => self.take(self.phase.lock(), input, false, directory),
        }
    }

    fn take(
        self: &Arc<Self>,
        mut phase: MutexGuard<'_, Phase>,
        input: Input,
        is_alone: bool,
        directory: &Arc<Directory>,
    ) -> Sent {
        let publish = match &mut *phase {
            Phase::Retired => return Sent::Retired(input),
            Phase::Awake(run) => {
                let sent = run.send(input);
                if matches!(sent, Sent::Retired(_)) {
                    *phase = Phase::Retired;
                }
                return sent;
            }
            Phase::Asleep(state) => match self.handle_asleep(state, input, is_alone, directory) {
                Some(publish) => publish,
                None => return Sent::Taken,
            },
        };
        let Phase::Asleep(state) = std::mem::replace(&mut *phase, Phase::Retired) else {
            unreachable!("the channel was seen asleep under the lock that is still held");
        };
        let run = Run::start(self, state, directory);
        let sent = run.send(publish);
        *phase = Phase::Awake(run);
        sent
    }

    /// Does what needs no actor. Gives back what does.
    fn handle_asleep(&self, state: &mut State, input: Input, is_alone: bool, directory: &Directory) -> Option<Input> {
        let bounds = || directory.history_of(&self.name);
        match input {
            Input::Publish(batch) => {
                let bounds = bounds();
                // Where publishers meet, an actor spares them the waiting for each other.
                if !is_alone || !in_place::is_quiet(state, &batch, &bounds) {
                    return Some(Input::Publish(batch));
                }
                in_place::publish(state, batch, &bounds, directory);
            }
            Input::Join(join) => state.join(join, directory.now(), &bounds()),
            Input::Leave(leave) => state.leave(leave, directory.now()),
            Input::Pull(pull) => state.pull(pull),
            Input::Quiesce(done) => {
                state.flush_replays();
                drop(done);
            }
        }
        None
    }

    /// Puts the channel to sleep unless `is_idle` says that something came in the meantime; asked under the lock that
    /// every input passes.
    pub(super) fn put_to_sleep(&self, state: &mut Option<State>, now: Millis, is_idle: impl FnOnce() -> bool) -> bool {
        let mut phase = self.phase.lock();
        if !is_idle() {
            return false;
        }
        match state.take() {
            Some(mut state) => {
                state.remove_ended_members(now);
                *phase = Phase::Asleep(state);
            }
            None => return false,
        }
        true
    }

    /// Forgets what is too old if the channel sleeps and is `swept` or has no members, and retires it if nothing is left.
    /// Asked by the directory under the lock of its entry.
    pub(crate) fn retire_if_empty(&self, directory: &Directory, swept: bool) -> bool {
        let mut phase = match self.phase.try_lock() {
            Some(phase) => phase,
            // Somebody is at it: the next sweep is soon enough.
            None if swept => return false,
            None => self.phase.lock(),
        };
        match &mut *phase {
            Phase::Retired => true,
            Phase::Awake(_) => false,
            Phase::Asleep(state) => {
                let now = directory.now();
                if swept || !state.has_members() {
                    state.expire(now, &directory.history_of(&self.name));
                }
                let is_over = state.is_over(now, directory.grace());
                if is_over {
                    *phase = Phase::Retired;
                }
                is_over
            }
        }
    }

    /// What the channel holds, while it sleeps.
    #[cfg(feature = "simulation")]
    pub(crate) fn look(&self) -> Option<Asleep> {
        match &*self.phase.lock() {
            Phase::Asleep(state) => Some(state.look()),
            Phase::Awake(_) | Phase::Retired => None,
        }
    }

    /// Ends the channel's actor, if there is one, where it stands: for a broker that is going away.
    pub(crate) fn kill(&self) {
        if let Phase::Awake(run) = std::mem::replace(&mut *self.phase.lock(), Phase::Retired) {
            run.actor.kill();
        }
    }
}

impl Run {
    fn start(slot: &Arc<Slot>, state: State, directory: &Arc<Directory>) -> Self {
        let room = Arc::new(Notify::new());
        let actor = Actor::wake(Arc::clone(slot), state, Arc::clone(directory), Arc::clone(&room));
        Self { actor, room }
    }

    fn send(&self, input: Input) -> Sent {
        match self.actor.tell(input).try_send() {
            Ok(()) => Sent::Taken,
            Err(SendError::MailboxFull(input)) => Sent::Full { input, room: Arc::clone(&self.room) },
            // An actor that ends puts its channel to sleep first; one that could not is given up with its slot.
            Err(SendError::ActorNotRunning(input) | SendError::ActorRestarting(input)) => Sent::Retired(input),
            Err(SendError::HandlerError(never)) => match never {},
            Err(SendError::ActorStopped | SendError::Timeout(_)) => {
                unreachable!("a tell that does not wait gives its message back or takes it")
            }
        }
    }
}

#[cfg(test)]
#[path = "slot_tests.rs"]
#[expect(clippy::wildcard_enum_match_arm, reason = "any other frame fails the test")]
mod tests;
