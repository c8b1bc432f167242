//! What others may know of a user.

use serde::{Deserialize, Serialize};

use super::{Invalid, Limits, UserId};

/// Source: spec 2.7, `UserFullInfo`.
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
}

impl UserProfile {
    /// A user of whom only the id and a name are known.
    #[must_use]
    pub fn new(id: UserId, name: String) -> Self {
        Self { id, name, avatar_url: String::new(), extended_data: String::new() }
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
