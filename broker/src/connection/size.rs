//! What is asked of the size of a publish, as it came and as it is after hooks; pure, and it knows no session.

use callboard_protocol::Refusal;
use callboard_protocol::error::Class;
use callboard_protocol::limits::KEY_BYTES_MAX;

/// Whether a payload and a key of so many bytes may be published where a payload has at most `max`.
pub(super) fn check(payload_bytes: usize, key: Option<&str>, max: usize) -> Result<(), Refusal> {
    if payload_bytes > max {
        let sentence =
            format!("a payload has at most {max} bytes, this one has {payload_bytes}; send a reference to it instead");
        return Err(Refusal::new(Class::PayloadTooLarge, sentence));
    }
    if key.is_some_and(|key| key.len() > KEY_BYTES_MAX) {
        return Err(Refusal::new(Class::BadRequest, format!("a message key has at most {KEY_BYTES_MAX} bytes")));
    }
    Ok(())
}
