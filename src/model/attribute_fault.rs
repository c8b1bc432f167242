//! Which limit of an application's key-value pairs was exceeded, and whose pairs they are.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Whose pairs they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AttributeOwner {
    /// A group's.
    Group,
    /// A room's.
    Room,
    /// Those of one member of a room.
    RoomMember,
}

impl fmt::Display for AttributeOwner {
    /// As the protocol calls the argument.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Group => "groupAttributes",
            Self::Room => "roomAttributes",
            Self::RoomMember => "attributes",
        })
    }
}

/// Which limit was exceeded. Reads on from the name of the argument.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, Deserialize)]
pub enum AttributeFault {
    /// Too many pairs.
    #[error(" would be {count} pairs, the limit is {count_max}")]
    Count {
        /// How many there would be.
        count: usize,
        /// The limit.
        count_max: usize,
    },
    /// A key that is empty or too long.
    #[error(" have a key of {bytes} bytes, the range is 1 to {bytes_max}")]
    Key {
        /// How long it is.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// A value that is too long.
    #[error(".{key} is {bytes} bytes, the limit is {bytes_max}")]
    Value {
        /// Whose value.
        key: String,
        /// How long it is.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// All together are too long.
    #[error(" would be {bytes} bytes together, the limit is {bytes_max}")]
    Total {
        /// Keys and values.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
}
