//! What keys of the server API may be used for.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a key may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Scope {
    /// Everything.
    #[serde(rename = "*")]
    All,
    /// Messages to everyone online.
    #[serde(rename = "broadcast")]
    Broadcast,
    /// History, lists of conversations, search.
    #[serde(rename = "messages:read")]
    MessagesRead,
    /// Sending, revoking, editing, deleting.
    #[serde(rename = "messages:write")]
    MessagesWrite,
    /// Who there is and who is online.
    #[serde(rename = "users:read")]
    UsersRead,
    /// Registering, renaming, kicking, banning.
    #[serde(rename = "users:write")]
    UsersWrite,
    /// Tokens with which clients log in as any user.
    #[serde(rename = "tokens:write")]
    TokensWrite,
    /// Which keys there are.
    #[serde(rename = "keys:read")]
    KeysRead,
    /// Making keys, with no scopes but the maker's own, and ending them.
    #[serde(rename = "keys:write")]
    KeysWrite,
    /// Rooms, their members and attributes.
    #[serde(rename = "rooms:read")]
    RoomsRead,
    /// Making, changing, ending rooms.
    #[serde(rename = "rooms:write")]
    RoomsWrite,
    /// Groups, their members and attributes.
    #[serde(rename = "groups:read")]
    GroupsRead,
    /// Making, changing, ending groups.
    #[serde(rename = "groups:write")]
    GroupsWrite,
    /// Figures, sessions, events as they happen, the configuration.
    #[serde(rename = "ops:read")]
    OpsRead,
    /// Ending sessions, dead letters, backups.
    #[serde(rename = "ops:write")]
    OpsWrite,
}

impl Scope {
    /// Every one.
    pub const ALL: [Self; 15] = [
        Self::All,
        Self::Broadcast,
        Self::MessagesRead,
        Self::MessagesWrite,
        Self::UsersRead,
        Self::UsersWrite,
        Self::TokensWrite,
        Self::KeysRead,
        Self::KeysWrite,
        Self::RoomsRead,
        Self::RoomsWrite,
        Self::GroupsRead,
        Self::GroupsWrite,
        Self::OpsRead,
        Self::OpsWrite,
    ];

    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "*",
            Self::Broadcast => "broadcast",
            Self::MessagesRead => "messages:read",
            Self::MessagesWrite => "messages:write",
            Self::UsersRead => "users:read",
            Self::UsersWrite => "users:write",
            Self::TokensWrite => "tokens:write",
            Self::KeysRead => "keys:read",
            Self::KeysWrite => "keys:write",
            Self::RoomsRead => "rooms:read",
            Self::RoomsWrite => "rooms:write",
            Self::GroupsRead => "groups:read",
            Self::GroupsWrite => "groups:write",
            Self::OpsRead => "ops:read",
            Self::OpsWrite => "ops:write",
        }
    }

    /// Says whether what is read by it is noted in the audit log like what is changed: what people wrote to each other, and who holds
    /// keys.
    #[must_use]
    pub fn is_noted(self) -> bool {
        matches!(self, Self::MessagesRead | Self::KeysRead)
    }

    /// Returns the scope of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
