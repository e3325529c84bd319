//! Any peers against `callboard::fuzzing::broker`, where the laws stand; never a law of its own.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| callboard::fuzzing::broker(input));
