//! What the broker tells clients by itself: one struct per event of the wire, with its name.

pub(crate) mod conversation;
pub(crate) mod message;

use bytestring::ByteString;
use serde::Serialize;

/// An event as the wire knows it: `{"event":NAME,"data":{…}}`.
pub(crate) trait Event: Serialize {
    const NAME: &'static str;
}

/// Encodes an event as a frame.
pub(crate) fn encode<E: Event>(event: &E) -> ByteString {
    super::result::encode_event(E::NAME, event)
}
