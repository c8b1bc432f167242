//! What a sender asks for besides its words.

use serde::{Deserialize, Serialize};

use super::{Invalid, Limits};

/// What a sender asks for besides its words. Source: ZIM API reference, `ZIMMessageSendConfig`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SendOptions {
    /// The sender wants to know who has read it: `hasReceipt`.
    pub receipt: bool,
    /// It counts nowhere as unread: `disableUnreadMessageCount`.
    pub uncounted: bool,
    /// It was sent by the server API: `isServerMessage`. The broker says so, not its sender.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub server: bool,
    /// Its sender's own devices are not told of it: `SenderUnaware` of the server API.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unaware: bool,
    /// Whoever it mentions is not told of that in particular: `isNotifyMentionedUsers` was false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub mentions_untold: bool,
    /// How receivers that are offline are to be told: `pushConfig`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub push: Option<Box<PushConfig>>,
    /// It answers another message of the same conversation: `replyMessage`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply: Option<ReplyTo>,
}

impl SendOptions {
    /// Returns whether nothing is asked for.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// How receivers that are offline are told of a message. Source: ZIM API reference, `ZIMPushConfig`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PushConfig {
    /// What stands above.
    pub title: String,
    /// What it says.
    pub content: String,
    /// Travels with it to the receiver's program.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub payload: String,
    /// Names a way of pushing that the operator set up.
    #[serde(rename = "resourcesID", skip_serializing_if = "String::is_empty")]
    pub resources_id: String,
    /// Whether the number at the program's picture grows.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub enable_badge: bool,
    /// By how much it grows, 0 to 99.
    #[serde(skip_serializing_if = "is_zero")]
    pub badge_increment: u8,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
fn is_zero(value: &u8) -> bool {
    *value == 0
}

impl PushConfig {
    /// The most by which the number at a program's picture grows at a time.
    pub const BADGE_INCREMENT_MAX: u8 = 99;

    /// Returns how many bytes of text it holds.
    pub(super) fn weight(&self) -> usize {
        self.title.len() + self.content.len() + self.payload.len() + self.resources_id.len()
    }

    /// Checks what has a limit.
    ///
    /// # Errors
    /// [`Invalid`] naming a field of `config.pushConfig`.
    pub(super) fn validate(&self, limits: &Limits) -> Result<(), Invalid> {
        // Our choice: as much as travels with a message, because the vendor names no limit.
        let max = limits.extended_data_bytes_max;
        let fields = [("title", &self.title), ("content", &self.content), ("payload", &self.payload), ("resourcesID", &self.resources_id)];
        for (name, text) in fields {
            if text.len() > max {
                return Err(Invalid::too_long(format!("config.pushConfig.{name}"), text.len(), max));
            }
        }
        if self.badge_increment > Self::BADGE_INCREMENT_MAX {
            let (value, max) = (self.badge_increment.into(), Self::BADGE_INCREMENT_MAX.into());
            return Err(Invalid::out_of_range("config.pushConfig.badgeIncrement", value, 0, max));
        }
        Ok(())
    }
}

/// The message that is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplyTo {
    /// Its seq.
    pub seq: u64,
    /// Its id.
    pub id: u64,
    /// The seq of the first message of the tree, found by the conversation's owner; 0 before that.
    #[serde(default)]
    pub root_seq: u64,
}
