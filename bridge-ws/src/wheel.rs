//! The heartbeat of all sockets: one timer that sends each a tick once an interval; it knows them and never looks inside.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use kameo::Actor;
use kameo::actor::{ActorId, ActorRef};
use kameo::message::Message;
use parking_lot::Mutex;
use tokio::time::{MissedTickBehavior, interval};

use crate::defaults::SPOKES;
use crate::messages::Tick;

/// All sockets, spread over the interval, so that they do not tick at once.
#[derive(Debug)]
pub(crate) struct Wheel<A: Actor> {
    spokes: Vec<Mutex<Spoke<A>>>,
    /// The spoke that ticked last.
    at: AtomicUsize,
}

type Spoke<A> = HashMap<ActorId, ActorRef<A>>;

/// A socket's place on the wheel. With it the wheel forgets the socket: what is left of an actor that is over is no small
/// thing, and browsers may come and go faster than the wheel turns.
#[derive(Debug)]
pub(crate) struct Seat<A: Actor> {
    wheel: Weak<Wheel<A>>,
    spoke: usize,
    id: ActorId,
}

impl<A: Actor> Drop for Seat<A> {
    fn drop(&mut self) {
        let Some(wheel) = self.wheel.upgrade() else { return };
        let mut spoke = wheel.spokes[self.spoke].lock();
        let actor = spoke.remove(&self.id);
        if spoke.is_empty() {
            *spoke = HashMap::new();
        }
        drop(spoke);
        drop(actor);
    }
}

impl<A: Actor + Message<Tick, Reply = ()>> Wheel<A> {
    /// A wheel without sockets.
    pub(crate) fn new() -> Self {
        Self { spokes: (0..SPOKES).map(|_| Mutex::default()).collect(), at: AtomicUsize::new(0) }
    }

    /// Adds a socket, for as long as it has its seat. Its first tick comes a whole turn from now.
    pub(crate) fn join(self: &Arc<Self>, actor: ActorRef<A>) -> Seat<A> {
        let (spoke, id) = (self.at.load(Ordering::Relaxed), actor.id());
        self.spokes[spoke].lock().insert(id, actor);
        Seat { wheel: Arc::downgrade(self), spoke, id }
    }

    /// The sockets.
    pub(crate) fn all(&self) -> Vec<ActorRef<A>> {
        self.spokes.iter().flat_map(|spoke| spoke.lock().values().cloned().collect::<Vec<_>>()).collect()
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

    /// Sends a tick to the next spoke.
    fn step(&self) {
        let next = (self.at.load(Ordering::Relaxed) + 1) % SPOKES;
        self.at.store(next, Ordering::Relaxed);
        for actor in self.spokes[next].lock().values() {
            // One that has signals to handle counts silence from the next tick on; one that is over leaves by itself.
            let _ = actor.tell(Tick).try_send();
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

    struct Ticker {
        ticks: mpsc::Sender<()>,
        _seat: Seat<Self>,
    }

    impl Actor for Ticker {
        type Args = Self;
        type Error = Infallible;

        async fn on_start(args: Self, _: ActorRef<Self>) -> Result<Self, Infallible> {
            Ok(args)
        }
    }

    impl Message<Tick> for Ticker {
        type Reply = ();

        async fn handle(&mut self, _: Tick, _: &mut Context<Self, ()>) {
            self.ticks.send(()).await.unwrap();
        }
    }

    #[tokio::test]
    async fn everyone_ticks_once_a_turn_and_the_dead_are_forgotten_at_once() {
        let (ticked, mut ticks) = mpsc::channel(10);
        let wheel = Arc::new(Wheel::new());
        wheel.step();
        let prepared = Ticker::prepare_with_mailbox(mailbox::bounded(4));
        let actor = prepared.actor_ref().clone();
        let seat = wheel.join(actor.clone());
        prepared.spawn(Ticker { ticks: ticked, _seat: seat });
        (1..SPOKES).for_each(|_| wheel.step());
        assert!(ticks.try_recv().is_err(), "not before a whole turn");
        wheel.step();
        ticks.recv().await.unwrap();
        assert_eq!(wheel.all().len(), 1);
        actor.kill();
        actor.wait_for_shutdown().await;
        assert!(wheel.spokes.iter().all(|spoke| spoke.lock().capacity() == 0));
    }
}
