//! `callboard bench`: the door to the cases, the load behind them and what they tell. It holds no logic.

mod args;
mod bare;
mod bare_socket;
mod case;
mod child;
mod crowd;
mod dialer;
mod figures;
mod json;
mod line;
mod machine;
mod pacer;
mod progress;
mod run;
mod scan;
mod stamp;
mod table;
mod target;
mod verify;

pub(super) use args::Bench;
pub(super) use run::run;
