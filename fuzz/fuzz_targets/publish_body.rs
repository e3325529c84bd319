//! Any bytes as the body of a publish over HTTP, against `callboard_bridge_ws::fuzzing::publish_body`, where the laws stand; never a law of its own.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| callboard_bridge_ws::fuzzing::publish_body(input));
