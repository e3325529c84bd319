//! A door and the small bus behind it; closed when it is dropped.

use std::sync::Arc;

use callboard_bridge_ws::{Config, Door};

use crate::fake::{Fake, Outlet};

/// An open door on loopback.
pub(crate) struct House {
    pub(crate) door: Door<Fake>,
    pub(crate) bus: Arc<Fake>,
}

impl House {
    /// A door as it is configured by default.
    pub(crate) async fn open() -> Self {
        Self::with(|_| {}).await
    }

    /// A door that is configured otherwise.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::new("127.0.0.1:0".parse().unwrap());
        change(&mut config);
        let bus = Arc::new(Fake::default());
        Self { door: Door::open(config, Arc::clone(&bus)).await.unwrap(), bus }
    }

    /// The session that was opened last.
    pub(crate) fn session(&self) -> Arc<Outlet> {
        Arc::clone(self.bus.sessions.lock().unwrap().last().expect("a session was opened"))
    }
}
