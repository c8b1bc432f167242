//! What a message says. Drafts and messages share it, and a retry is compared by it.

use serde::{Deserialize, Serialize};

use super::{Body, Invalid, Limits, Mentions, PushConfig, SendOptions};

/// The part of a message that its sender writes and its receivers read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// Travels with the message to its receivers.
    pub extended_data: String,
    /// Whom it mentions.
    #[serde(default, skip_serializing_if = "Mentions::is_none")]
    pub mentions: Mentions,
    /// What it says.
    pub body: Body,
    /// What its sender asks for besides.
    #[serde(default, rename = "terms", skip_serializing_if = "SendOptions::is_none")]
    pub options: SendOptions,
}

impl Content {
    /// Returns about how many bytes are written for it; what it only refers to is not.
    #[must_use]
    pub fn weight(&self) -> usize {
        256 + self.body.weight() + self.extended_data.len() + self.options.push.as_deref().map_or(0, PushConfig::weight)
    }

    /// Returns content that has a body and nothing besides.
    #[must_use]
    pub fn of(body: Body) -> Self {
        Self { extended_data: String::new(), mentions: Mentions::default(), body, options: SendOptions::default() }
    }

    /// Checks what has a limit of its own: extended data, mentions, body.
    ///
    /// # Errors
    /// [`Invalid`]: one of them is over its limit.
    pub(super) fn validate(&self, limits: &Limits) -> Result<(), Invalid> {
        if self.extended_data.len() > limits.extended_data_bytes_max {
            return Err(Invalid::too_long("message.extendedData", self.extended_data.len(), limits.extended_data_bytes_max));
        }
        self.mentions.validate(limits)?;
        if let Some(push) = &self.options.push {
            push.validate(limits)?;
        }
        self.body.validate(limits)
    }
}
