//! Any broker against `callboard_client::fuzzing::client`, where the laws stand; never a law of its own.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| callboard_client::fuzzing::client(input));
