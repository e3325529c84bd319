//! What Callboard promises, one file a promise; the first line of each file is the promise.

mod asleep;
mod fan_out;
mod gap;
mod limits;
mod migration;
mod order;
mod reconnection;
mod replay;
mod shutdown;
mod slow_reader;
mod stored_once;
mod supervision;
