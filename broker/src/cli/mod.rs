//! The command line: the door to its commands, one file each. It holds no logic.

mod args;
mod belief;
mod bench;
mod bridge;
mod check;
mod completions;
mod escape;
mod exit;
mod key;
mod link;
mod logging;
mod output;
mod place;
mod program;
mod publish;
mod render;
mod run;
mod secret;
mod serve;
mod settings;
mod stage;
mod status;
mod subscribe;
mod summary;
mod token;

pub(crate) use run::run;
