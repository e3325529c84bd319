//! The browsers that are at the edge, to be counted and sent away. It keeps none of them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::browser::Browser;

/// The browsers that are here.
#[derive(Debug, Default)]
pub(super) struct Registry {
    last: AtomicU64,
    browsers: Mutex<HashMap<u64, Weak<Mutex<Browser>>>>,
}

impl Registry {
    /// Notes one more; gives its number.
    pub(super) fn enter(&self, browser: &Arc<Mutex<Browser>>) -> u64 {
        let number = self.last.fetch_add(1, Ordering::Relaxed);
        self.browsers.lock().insert(number, Arc::downgrade(browser));
        number
    }

    /// Forgets one.
    pub(super) fn leave(&self, number: u64) {
        self.browsers.lock().remove(&number);
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<Arc<Mutex<Browser>>> {
        self.browsers.lock().values().filter_map(Weak::upgrade).collect()
    }
}
