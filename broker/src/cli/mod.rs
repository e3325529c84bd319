//! The command line: the door to its commands, one file each. It holds no logic.

mod args;
mod bench;
mod bridge;
mod check;
mod completions;
mod data_dir;
mod demo;
mod escape;
mod exit;
mod key;
mod link;
mod logging;
mod output;
mod program;
mod publish;
mod render;
mod run;
mod secret;
mod serve;
mod settings;
mod status;
mod subscribe;
mod summary;
mod token;
mod trust;

pub(crate) use run::run;
