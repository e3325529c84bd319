//! Any bytes against `callboard_protocol::fuzzing::deframer`, where the laws stand; never a law of its own.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| callboard_protocol::fuzzing::deframer(input));
