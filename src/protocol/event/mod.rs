//! What the broker tells clients without being asked, but for messages: one struct per event, and its frame.

pub(crate) mod conversation;
pub(crate) mod group;
pub(crate) mod message;
pub(crate) mod room;
pub(crate) mod session;
pub(crate) mod user;

use bytestring::ByteString;
use serde::Serialize;

/// The `data` of an event; serializes as a JSON object.
pub(crate) trait Event: Serialize {
    /// Returns the name that clients know the event by.
    fn name(&self) -> &'static str;
}

/// Encodes an event as its frame, `{"event":…,"data":{…}}`.
pub(crate) fn encode(event: &impl Event) -> ByteString {
    super::result::encode_event(event.name(), event)
}

/// Writes an enum of numbers as its number.
macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident { $($(#[$case_doc:meta])* $case:ident = $number:literal,)+ })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum $name {
            $($(#[$case_doc])* $case = $number,)+
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_u8(*self as u8)
            }
        }
    )+};
}

use numbers;
