//! Whatever happens to processes and networks, in whatever order: nothing is lost untold, and soon after all are back.

mod plan;
mod run;
mod stage;
