//! What others may know of a user.

use serde::{Deserialize, Serialize};

use super::{Invalid, Limits, UserId};

/// A user's row. Source: ZIM API reference, `ZIMUserFullInfo`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserProfile {
    /// Who.
    pub id: UserId,
    /// Shown to others; may be empty.
    pub name: String,
    /// Passed through, never fetched.
    pub avatar_url: String,
    /// The application's own.
    pub extended_data: String,
    /// May not log in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ban: Option<Ban>,
}

/// That a user may not log in. Our choice: the vendor has no such thing, operators do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ban {
    /// Since when, Unix milliseconds.
    pub since_ms: u64,
    /// Until when, Unix milliseconds; 0: for good.
    pub until_ms: u64,
    /// For operators; the user is not told.
    pub reason: String,
}

impl Ban {
    /// Returns whether it holds at that moment.
    #[must_use]
    pub fn holds(&self, now_ms: u64) -> bool {
        self.until_ms == 0 || now_ms < self.until_ms
    }
}

/// Whether a user is online. Source: ZIM API reference, `ZIMUserOnlineStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnlineStatus {
    Online,
    /// Its last connection was lost.
    Offline,
    /// It said goodbye.
    Logout,
}

impl OnlineStatus {
    /// The number on the wire.
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Online => 0,
            Self::Offline => 1,
            Self::Logout => 2,
        }
    }
}

impl UserProfile {
    /// Returns a user of whom only the id and a name are known.
    #[must_use]
    pub fn new(id: UserId, name: String) -> Self {
        Self { id, name, avatar_url: String::new(), extended_data: String::new(), ban: None }
    }

    /// Checks a name.
    ///
    /// # Errors
    /// [`Invalid`] naming `userName`.
    pub fn check_name(name: &str, limits: &Limits) -> Result<(), Invalid> {
        if name.len() > limits.user_name_bytes_max {
            return Err(Invalid::too_long("userName", name.len(), limits.user_name_bytes_max));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_256_bytes_is_accepted_and_one_of_257_refused() {
        let limits = Limits::default();
        assert!(UserProfile::check_name(&"n".repeat(256), &limits).is_ok());
        assert!(UserProfile::check_name(&"n".repeat(257), &limits).is_err());
    }
}
