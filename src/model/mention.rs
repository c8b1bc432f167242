//! Whom a message names: a mention is no kind of message, any message may carry one.
//! Source: ZIM guide "Send and receive messages", mentions.

use serde::{Deserialize, Serialize};

use super::{Invalid, Limits, UserId};

/// The users a message reminds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Mentions {
    /// Exactly as the sender gave them; some may be outside the conversation or not exist.
    pub users: Vec<UserId>,
    /// Every other user of the conversation.
    pub all: bool,
}

/// How a user is named. The numbers are the vendor's. Source: ZIM API reference, `ZIMMessageMentionedType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MentionKind {
    /// By name.
    Me,
    /// With everyone.
    All,
    /// Both.
    AllAndMe,
}

impl MentionKind {
    /// As on the wire: 1, 2, 3.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Me => 1,
            Self::All => 2,
            Self::AllAndMe => 3,
        }
    }
}

impl Mentions {
    /// Returns whether nobody is named.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.users.is_empty() && !self.all
    }

    /// Returns how a receiver is named; a sender never names itself. Our choice: nobody is
    /// reminded of its own words.
    #[must_use]
    pub fn kind_for(&self, receiver: &UserId, sender: &UserId) -> Option<MentionKind> {
        if receiver == sender {
            return None;
        }
        match (self.users.contains(receiver), self.all) {
            (true, true) => Some(MentionKind::AllAndMe),
            (true, false) => Some(MentionKind::Me),
            (false, true) => Some(MentionKind::All),
            (false, false) => None,
        }
    }

    /// Checks the number of names.
    ///
    /// # Errors
    /// See [`Mentions::check_count`].
    pub fn validate(&self, limits: &Limits) -> Result<(), Invalid> {
        Self::check_count(self.users.len(), limits)
    }

    /// Checks a number of names.
    ///
    /// # Errors
    /// [`Invalid`] for more than `limits.mentions_max`.
    pub fn check_count(count: usize, limits: &Limits) -> Result<(), Invalid> {
        let max = limits.mentions_max;
        if count > max {
            return Err(Invalid::new("message.mentionedUserIDs", format!("names {count} users, the limit is {max}")));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: &str) -> UserId {
        UserId::trusted(id)
    }

    #[test]
    fn a_receiver_is_named_alone_with_all_or_both_and_a_sender_never() {
        let bob = Mentions { users: vec![user("bob"), user("alice")], all: false };
        assert_eq!(bob.kind_for(&user("bob"), &user("alice")), Some(MentionKind::Me));
        assert_eq!(bob.kind_for(&user("carol"), &user("alice")), None);
        assert_eq!(bob.kind_for(&user("alice"), &user("alice")), None);
        let both = Mentions { all: true, ..bob };
        assert_eq!(both.kind_for(&user("bob"), &user("alice")), Some(MentionKind::AllAndMe));
        assert_eq!(both.kind_for(&user("carol"), &user("alice")), Some(MentionKind::All));
        assert_eq!([MentionKind::Me, MentionKind::All, MentionKind::AllAndMe].map(MentionKind::number), [1, 2, 3]);
    }

    #[test]
    fn fifty_names_and_not_fifty_one() {
        let limits = Limits::default();
        let named = |count: usize| Mentions { users: (0..count).map(|n| user(&n.to_string())).collect(), all: false };
        assert!(named(50).validate(&limits).is_ok());
        assert!(named(51).validate(&limits).unwrap_err().to_string().contains("51 users, the limit is 50"));
    }
}
