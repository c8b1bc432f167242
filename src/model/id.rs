//! Checked identifiers. A value of one of these types is within its length and character set.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Invalid, Limits};

/// Characters a user, room or group id may consist of besides letters and digits.
/// Source: ZIM API reference, `ZIMUserInfo`.
const ID_PUNCTUATION: &[u8] = b"!#$%&()+-:;<=.>?@[]^_{}|~";

fn check_id(field: &str, value: &str, bytes_max: usize) -> Result<(), Invalid> {
    if value.is_empty() {
        return Err(Invalid::new(field, "is empty"));
    }
    if value.len() > bytes_max {
        return Err(Invalid::too_long(field, value.len(), bytes_max));
    }
    match value.chars().find(|c| !(c.is_ascii_alphanumeric() || c.is_ascii() && ID_PUNCTUATION.contains(&(*c as u8)))) {
        Some(c) => Err(Invalid::new(field, format!("contains {c:?}, allowed are letters, digits and !#$%&()+-:;<=.>?@[]^_{{}}|~"))),
        None => Ok(()),
    }
}

/// Tokens that travel between machines: no punctuation that a URL or a log would have to escape.
fn check_token(field: &str, value: &str, bytes_max: usize) -> Result<(), Invalid> {
    if value.is_empty() {
        return Err(Invalid::new(field, "is empty"));
    }
    if value.len() > bytes_max {
        return Err(Invalid::too_long(field, value.len(), bytes_max));
    }
    match value.chars().find(|c| !(c.is_ascii_alphanumeric() || *c == '_' || *c == '-')) {
        Some(c) => Err(Invalid::new(field, format!("contains {c:?}, allowed are letters, digits, _ and -"))),
        None => Ok(()),
    }
}

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes a value that was checked before, from the store for one.
            pub(crate) fn trusted(value: &str) -> Self {
                Self(value.into())
            }

            /// Returns the id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id_type!(
    /// An account. At most `limits.user_id_bytes_max` bytes.
    UserId
);
id_type!(
    /// A room. At most `limits.room_id_bytes_max` bytes.
    RoomId
);
id_type!(
    /// A group. At most `limits.group_id_bytes_max` bytes; ids that begin with `#` are made by the broker.
    /// Source: ZIM API reference, `createGroup`.
    GroupId
);
id_type!(
    /// Made by the client, unique among its user's sends: the key under which a retry is recognised.
    ///
    /// 1 to 64 of `[A-Za-z0-9_-]`. Our choice: that set, because the vendor's own ids fit it and logs need no escaping.
    LocalMessageId
);
id_type!(
    /// One device of a user, made and kept by the client. 1 to 64 of `[A-Za-z0-9_-]`.
    ///
    /// Our choice: the vendor's SDK keeps such an id to itself; here it is what tells a reconnect from another device.
    DeviceId
);
id_type!(
    /// One connection of a user, made by the broker.
    SessionId
);

impl UserId {
    /// Checks length and characters.
    ///
    /// # Errors
    /// [`Invalid`] naming `field`.
    pub fn parse(field: &str, value: &str, limits: &Limits) -> Result<Self, Invalid> {
        check_id(field, value, limits.user_id_bytes_max)?;
        Ok(Self::trusted(value))
    }
}

impl RoomId {
    /// Checks length and characters.
    ///
    /// # Errors
    /// [`Invalid`] naming `field`.
    pub fn parse(field: &str, value: &str, limits: &Limits) -> Result<Self, Invalid> {
        check_id(field, value, limits.room_id_bytes_max)?;
        Ok(Self::trusted(value))
    }
}

impl GroupId {
    /// Checks length and characters of an id that may have been made by the broker.
    ///
    /// # Errors
    /// [`Invalid`] naming `field`.
    pub fn parse(field: &str, value: &str, limits: &Limits) -> Result<Self, Invalid> {
        check_id(field, value, limits.group_id_bytes_max)?;
        Ok(Self::trusted(value))
    }

    /// Checks an id that a client chose for a new group.
    ///
    /// # Errors
    /// [`Invalid`] naming `field`; also for a leading `#`, which marks the broker's own.
    pub fn parse_chosen(field: &str, value: &str, limits: &Limits) -> Result<Self, Invalid> {
        if value.starts_with('#') {
            return Err(Invalid::new(field, "begins with #, which is kept for ids made by the broker"));
        }
        Self::parse(field, value, limits)
    }
}

impl LocalMessageId {
    /// Longest accepted value, bytes.
    pub const BYTES_MAX: usize = 64;

    /// Checks length and characters.
    ///
    /// # Errors
    /// [`Invalid`] naming `field`.
    pub fn parse(field: &str, value: &str) -> Result<Self, Invalid> {
        check_token(field, value, Self::BYTES_MAX)?;
        Ok(Self::trusted(value))
    }
}

impl DeviceId {
    /// Longest accepted value, bytes.
    pub const BYTES_MAX: usize = 64;

    /// Checks length and characters.
    ///
    /// # Errors
    /// [`Invalid`] naming `field`.
    pub fn parse(field: &str, value: &str) -> Result<Self, Invalid> {
        check_token(field, value, Self::BYTES_MAX)?;
        Ok(Self::trusted(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_the_longest_length_is_accepted_and_one_byte_more_is_refused() {
        let limits = Limits::default();
        assert!(UserId::parse("userID", &"u".repeat(limits.user_id_bytes_max), &limits).is_ok());
        let refused = UserId::parse("userID", &"u".repeat(limits.user_id_bytes_max + 1), &limits).unwrap_err();
        assert_eq!(refused.to_string(), "userID is 33 bytes, the limit is 32");
        assert!(RoomId::parse("roomID", &"r".repeat(limits.room_id_bytes_max), &limits).is_ok());
        assert!(RoomId::parse("roomID", &"r".repeat(limits.room_id_bytes_max + 1), &limits).is_err());
        assert!(GroupId::parse("groupID", &"g".repeat(limits.group_id_bytes_max), &limits).is_ok());
        assert!(GroupId::parse("groupID", &"g".repeat(limits.group_id_bytes_max + 1), &limits).is_err());
    }

    #[test]
    fn every_character_of_the_vendors_set_is_accepted_and_others_are_named() {
        let limits = Limits::default();
        let punctuation = std::str::from_utf8(ID_PUNCTUATION).unwrap();
        assert!(UserId::parse("userID", punctuation, &limits).is_ok());
        for bad in ["a b", "a/b", "用户", "a\"b", "a\u{0}", "a,b", "a'b", "a*b"] {
            let refused = UserId::parse("userID", bad, &limits).unwrap_err();
            assert!(refused.reason.starts_with("contains"), "{bad}: {refused}");
        }
        assert!(UserId::parse("userID", "", &limits).is_err());
    }

    #[test]
    fn a_leading_hash_is_for_the_brokers_own_group_ids() {
        let limits = Limits::default();
        assert!(GroupId::parse_chosen("groupID", "#x", &limits).is_err());
        assert!(GroupId::parse("groupID", "#x", &limits).is_ok());
    }
}
