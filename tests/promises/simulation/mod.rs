//! Whatever clients, sockets, time and faults do in whatever order, no message is lost untold, repeated or out of order, and nothing is left behind.

mod anything;
mod asking;
mod census;
mod client;
mod hearing;
mod leaving;
mod moves;
mod run;
mod seeds;
mod temper;
mod waiting;
