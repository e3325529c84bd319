//! The heartbeat of all sockets: one timer that rings each once an interval; it knows them and never looks inside.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use kameo::Actor;
use kameo::actor::ActorRef;
use kameo::error::SendError;
use kameo::message::Message;
use parking_lot::Mutex;
use tokio::time::{MissedTickBehavior, interval};

use crate::config::SPOKES;
use crate::messages::Ring;

/// All sockets, spread over the interval, so that they do not ring at once.
#[derive(Debug)]
pub(crate) struct Wheel<A: Actor> {
    spokes: Vec<Mutex<Vec<ActorRef<A>>>>,
    /// The spoke that rang last.
    at: AtomicUsize,
}

impl<A: Actor + Message<Ring, Reply = ()>> Wheel<A> {
    /// A wheel without sockets.
    pub(crate) fn new() -> Self {
        Self { spokes: (0..SPOKES).map(|_| Mutex::default()).collect(), at: AtomicUsize::new(0) }
    }

    /// Adds a socket. It rings once a whole turn from now on.
    pub(crate) fn join(&self, actor: ActorRef<A>) {
        self.spokes[self.at.load(Ordering::Relaxed)].lock().push(actor);
    }

    /// The sockets that live.
    pub(crate) fn all(&self) -> Vec<ActorRef<A>> {
        let spokes = self.spokes.iter().map(|spoke| spoke.lock());
        spokes.flat_map(|spoke| spoke.iter().filter(|actor| actor.is_alive()).cloned().collect::<Vec<_>>()).collect()
    }

    /// Turns for ever, once around in `turn`.
    pub(crate) async fn run(self: Arc<Self>, turn: Duration) {
        let step = turn / u32::try_from(SPOKES).expect("there are few spokes");
        let mut steps = interval(step.max(Duration::from_millis(1)));
        // A machine that slept wakes everybody in order, and not all at once.
        steps.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            steps.tick().await;
            self.step();
        }
    }

    /// Rings the next spoke and forgets whom nobody can reach any more.
    fn step(&self) {
        let next = (self.at.load(Ordering::Relaxed) + 1) % SPOKES;
        self.at.store(next, Ordering::Relaxed);
        let mut spoke = self.spokes[next].lock();
        spoke.retain(|actor| match actor.tell(Ring).try_send() {
            Ok(()) => true,
            // It has signals to handle; silence is counted from the next ring on.
            Err(SendError::MailboxFull(_)) => true,
            Err(_) => false,
        });
        if spoke.is_empty() {
            *spoke = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use kameo::actor::Spawn;
    use kameo::mailbox;
    use kameo::message::Context;
    use tokio::sync::mpsc;

    use super::*;

    struct Bell(mpsc::Sender<()>);

    impl Actor for Bell {
        type Args = Self;
        type Error = Infallible;

        async fn on_start(args: Self, _: ActorRef<Self>) -> Result<Self, Infallible> {
            Ok(args)
        }
    }

    impl Message<Ring> for Bell {
        type Reply = ();

        async fn handle(&mut self, _: Ring, _: &mut Context<Self, ()>) {
            self.0.send(()).await.unwrap();
        }
    }

    #[tokio::test]
    async fn everyone_rings_once_a_turn_and_the_dead_are_forgotten() {
        let (bell, mut rung) = mpsc::channel(10);
        let wheel = Wheel::new();
        wheel.step();
        let actor = Bell::spawn_with_mailbox(Bell(bell), mailbox::bounded(4));
        wheel.join(actor.clone());
        (1..SPOKES).for_each(|_| wheel.step());
        assert!(rung.try_recv().is_err(), "not before a whole turn");
        wheel.step();
        rung.recv().await.unwrap();
        assert_eq!(wheel.all().len(), 1);
        actor.kill();
        actor.wait_for_shutdown().await;
        assert_eq!(wheel.all().len(), 0);
        (0..SPOKES).for_each(|_| wheel.step());
        assert!(wheel.spokes.iter().all(|spoke| spoke.lock().is_empty()));
    }
}
