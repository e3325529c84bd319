//! What Callboard promises, one file a promise; the first line of each file is the promise.

mod asleep;
mod migration;
mod shutdown;
mod slow_reader;
mod stored_once;
