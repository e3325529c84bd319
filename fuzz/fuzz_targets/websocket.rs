//! Any bytes against `callboard_bridge_ws::fuzzing::websocket`, where the laws stand; never a law of its own.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| callboard_bridge_ws::fuzzing::websocket(input));
