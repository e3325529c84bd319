//! What Callboard promises, one file a promise; the first line of each file is the promise.

mod absurd_requests;
mod all_at_once;
mod asleep;
mod bad_bytes;
mod bad_credentials;
mod bad_network;
mod bad_order;
mod bad_requests;
mod byte_by_byte;
mod chaos;
mod fan_out;
mod full_disk;
mod gap;
mod half_open;
mod limits;
mod migration;
mod order;
mod reconnection;
mod replay;
mod sent_away;
mod shutdown;
mod simulation;
mod slow_reader;
mod stored_once;
mod supervision;
mod too_much;
