//! Kinds, classes and priorities of messages, and the numbers the vendor gave them.

use serde::{Deserialize, Serialize};

use super::Invalid;

/// What a message is, by the vendor's number. Source: ZIM API reference, `ZIMMessageType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MessageKind {
    /// 1
    Text,
    /// 2
    Command,
    /// 10
    Multiple,
    /// 11
    Image,
    /// 12
    File,
    /// 13
    Audio,
    /// 14
    Video,
    /// 20
    Barrage,
    /// 30, deprecated by the vendor
    System,
    /// 31
    Revoke,
    /// 32
    Tips,
    /// 100
    Combine,
    /// 200
    Custom,
}

impl MessageKind {
    /// Returns the kind of a number, if there is one.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Self> {
        Some(match number {
            1 => Self::Text,
            2 => Self::Command,
            10 => Self::Multiple,
            11 => Self::Image,
            12 => Self::File,
            13 => Self::Audio,
            14 => Self::Video,
            20 => Self::Barrage,
            30 => Self::System,
            31 => Self::Revoke,
            32 => Self::Tips,
            100 => Self::Combine,
            200 => Self::Custom,
            _ => return None,
        })
    }

    /// Returns the number on the wire and in the store.
    #[must_use]
    pub fn number(self) -> u16 {
        match self {
            Self::Text => 1,
            Self::Command => 2,
            Self::Multiple => 10,
            Self::Image => 11,
            Self::File => 12,
            Self::Audio => 13,
            Self::Video => 14,
            Self::Barrage => 20,
            Self::System => 30,
            Self::Revoke => 31,
            Self::Tips => 32,
            Self::Combine => 100,
            Self::Custom => 200,
        }
    }
}

/// How a message is carried: what may be dropped, what must be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageClass {
    /// Ordered, kept, acknowledged only when on disk, never dropped.
    Storable,
    /// At most once, to who is online; dropped after barrage. Our choice: a signal
    /// that comes late is worth less than the next one, so it is not kept.
    Command,
    /// May be dropped under load, oldest and lowest priority first. Source: ZIM guide "Send and receive messages".
    Barrage,
}

/// The sender's wish under load. Source: ZIM API reference, `ZIMMessagePriority`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Priority {
    /// 1, the default
    #[default]
    Low,
    /// 2
    Medium,
    /// 3
    High,
}

impl Priority {
    /// All of them, lowest first: the order in which they are shed.
    pub const ALL: [Self; 3] = [Self::Low, Self::Medium, Self::High];

    /// Returns the priority of a number.
    ///
    /// # Errors
    /// [`Invalid`] outside 1 to 3.
    pub fn from_number(field: &str, number: i64) -> Result<Self, Invalid> {
        match number {
            1 => Ok(Self::Low),
            2 => Ok(Self::Medium),
            3 => Ok(Self::High),
            other => Err(Invalid::out_of_range(field, other, 1, 3)),
        }
    }

    /// Returns its position in [`Priority::ALL`].
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.number()) - 1
    }

    /// Returns the number on the wire.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Low => 1,
            Self::Medium => 2,
            Self::High => 3,
        }
    }
}

impl Serialize for Priority {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(self.number())
    }
}

impl<'de> Deserialize<'de> for Priority {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u8::deserialize(deserializer)?;
        Self::from_number("priority", i64::from(number)).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kind_numbers_round_trip_and_are_the_vendors() {
        for number in [1, 2, 10, 11, 12, 13, 14, 20, 30, 31, 32, 100, 200] {
            assert_eq!(i64::from(MessageKind::from_number(number).unwrap().number()), number);
        }
        assert_eq!(MessageKind::from_number(0), None);
        assert_eq!(MessageKind::from_number(99), None);
    }
}
