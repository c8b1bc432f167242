//! A draft is what a user wants to send; a message is what the broker accepted.

use serde::{Deserialize, Serialize};

use super::{Body, Content, Conversation, Invalid, Limits, LocalMessageId, Mentions, MessageState, Priority, SendOptions, Target, UserId};

/// Not accepted yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// The key under which a retry is recognised; without one, every send is a new message.
    pub local_id: Option<LocalMessageId>,
    /// The sender's wish under load.
    pub priority: Priority,
    /// What it says, and with what.
    pub content: Content,
}

impl Draft {
    /// Returns a text of low priority.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::of(Body::Text(text.into()))
    }

    /// Returns a draft of any body, with low priority and no local id.
    #[must_use]
    pub fn of(body: Body) -> Self {
        Content::of(body).into()
    }

    /// Returns the message that this draft becomes where nothing is stored: seq 0, nothing done to it yet.
    pub(crate) fn into_message(self, id: u64, sender: UserId, conversation: Conversation, order_key: u64, timestamp_ms: u64) -> Message {
        Message {
            id,
            local_id: self.local_id,
            sender,
            conversation,
            seq: 0,
            order_key,
            timestamp_ms,
            priority: self.priority,
            content: self.content,
            state: MessageState::default(),
        }
    }

    /// Checks everything that can be judged without knowing who is where.
    ///
    /// # Errors
    /// [`Invalid`]: content over its limit, a message to oneself (6000001, as the ZIM guide
    /// "Send and receive messages" says), a barrage outside a room.
    pub fn validate(&self, sender: &UserId, target: &Target, limits: &Limits) -> Result<(), Invalid> {
        if matches!(target, Target::Peer(to) if to == sender) {
            return Err(Invalid::new("toConversationID", "is the sender's own userID"));
        }
        if matches!(self.content.body, Body::Barrage(_)) && !matches!(target, Target::Room(_)) {
            return Err(Invalid::new("message.type", "is 20 (barrage), which goes to rooms only"));
        }
        self.check_options(target)?;
        self.content.validate(limits)
    }

    fn check_options(&self, target: &Target) -> Result<(), Invalid> {
        if self.content.options.reply.is_some()
            && (matches!(target, Target::Room(_)) || self.content.body.class() != super::MessageClass::Storable)
        {
            return Err(Invalid::new(
                "toOriginalMessage",
                "is answered by a message that is kept, in a peer conversation or a group, only",
            ));
        }
        Ok(())
    }

    /// Checks a message to everyone.
    ///
    /// # Errors
    /// [`Invalid`]: a kind that is not broadcast, names, content over its limit.
    pub fn validate_broadcast(&self, limits: &Limits) -> Result<(), Invalid> {
        match &self.content.body {
            Body::Text(_) | Body::Custom { .. } => {}
            // Who may read a kept file follows from the messages that carry it, and a broadcast is kept nowhere.
            Body::Media(media) if media.file.is_some() => {
                return Err(Invalid::new("message.fileUID", "names a kept file; a broadcast carries a fileDownloadUrl"));
            }
            Body::Media(_) => {}
            other => return Err(Invalid::new("message.type", format!("is {}, which is not broadcast", other.kind().number()))),
        }
        if !self.content.mentions.is_none() {
            return Err(Invalid::new("message.mentionedUserIDs", "names users, but a broadcast is for everyone"));
        }
        self.content.validate(limits)
    }
}

impl From<Content> for Draft {
    /// Returns a draft of low priority, without a local id.
    fn from(content: Content) -> Self {
        Self { local_id: None, priority: Priority::Low, content }
    }
}

/// Accepted, in its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredMessage")]
pub struct Message {
    /// Unique in this broker: decimal digits of an increasing 64-bit number.
    pub id: u64,
    /// The sender's own key, if it gave one.
    pub local_id: Option<LocalMessageId>,
    /// Who sent it.
    pub sender: UserId,
    /// Where it belongs.
    pub conversation: Conversation,
    /// Gapless position in the conversation from 1; 0 for what is not stored.
    pub seq: u64,
    /// Strictly increasing in the conversation, below 2^53. Larger is newer. Source: ZIM guide "Send and receive messages".
    pub order_key: u64,
    /// When the broker accepted it, Unix milliseconds. For display; order is `order_key`'s.
    pub timestamp_ms: u64,
    /// The sender's wish under load.
    pub priority: Priority,
    /// What it says, and with what.
    #[serde(flatten)]
    pub content: Content,
    /// What became of it since.
    #[serde(rename = "fate", skip_serializing_if = "MessageState::is_none")]
    pub state: MessageState,
}

/// A message as its JSON has it: with its content beside the rest. It is read through this, because serde reads a flattened
/// field by way of a buffer.
#[derive(Deserialize)]
struct StoredMessage {
    id: u64,
    local_id: Option<LocalMessageId>,
    sender: UserId,
    conversation: Conversation,
    seq: u64,
    order_key: u64,
    timestamp_ms: u64,
    priority: Priority,
    extended_data: String,
    #[serde(default)]
    mentions: Mentions,
    body: Body,
    #[serde(default)]
    terms: SendOptions,
    #[serde(default)]
    fate: MessageState,
}

impl From<StoredMessage> for Message {
    fn from(stored: StoredMessage) -> Self {
        Self {
            id: stored.id,
            local_id: stored.local_id,
            sender: stored.sender,
            conversation: stored.conversation,
            seq: stored.seq,
            order_key: stored.order_key,
            timestamp_ms: stored.timestamp_ms,
            priority: stored.priority,
            content: Content { extended_data: stored.extended_data, mentions: stored.mentions, body: stored.body, options: stored.terms },
            state: stored.fate,
        }
    }
}

impl Message {
    /// Returns whether this message counts as unread for a user: not its own, not what the broker
    /// says, not what was taken back.
    #[must_use]
    pub fn counts_for(&self, user: &UserId) -> bool {
        self.sender != *user && !self.content.options.uncounted && !matches!(self.content.body, Body::Tips(_) | Body::Revoke(_))
    }
}

/// A message to every user online: in no conversation, not kept, never unread.
/// Source: ZIM guide "Send and receive messages".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broadcast {
    /// Unique among messages.
    pub id: u64,
    /// In whose name.
    pub sender: UserId,
    /// When the broker accepted it, Unix milliseconds.
    pub timestamp_ms: u64,
    /// Made from the time like that of a message.
    pub order_key: u64,
    /// Travels with it.
    pub extended_data: String,
    /// What it says: text, custom, or a file that lies elsewhere.
    pub body: Body,
    /// How many sessions it was delivered to.
    pub sessions: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ActorAt;

    #[test]
    fn a_message_to_oneself_is_refused() {
        let limits = Limits::default();
        let alice = UserId::trusted("alice");
        let refused = Draft::text("hi").validate(&alice, &Target::Peer(alice.clone()), &limits).unwrap_err();
        assert_eq!(refused.field, "toConversationID");
        assert!(Draft::text("hi").validate(&alice, &Target::Peer(UserId::trusted("bob")), &limits).is_ok());
    }

    #[test]
    fn a_stored_message_keeps_the_names_of_its_fields() {
        let alice = UserId::trusted("alice");
        let stamp = ActorAt { by: alice.clone(), at_ms: 5 };
        let message = Message {
            id: 1,
            local_id: None,
            sender: alice.clone(),
            conversation: Conversation::peer(&alice, &UserId::trusted("bob")),
            seq: 1,
            order_key: 2,
            timestamp_ms: 3,
            priority: Priority::Low,
            content: Content { options: SendOptions { receipt: true, ..SendOptions::default() }, ..Content::of(Body::Text("hi".into())) },
            state: MessageState { edited: Some(stamp), ..MessageState::default() },
        };
        let json = serde_json::to_string(&message).unwrap();
        assert_eq!(
            json,
            r#"{"id":1,"local_id":null,"sender":"alice","conversation":{"Peer":["alice","bob"]},"seq":1,"order_key":2,"timestamp_ms":3,"priority":1,"extended_data":"","body":{"Text":"hi"},"terms":{"receipt":true,"uncounted":false},"fate":{"edited":{"by":"alice","at_ms":5}}}"#
        );
        assert_eq!(serde_json::from_str::<Message>(&json).unwrap(), message);
    }

    #[test]
    fn barrage_goes_to_rooms_only() {
        let limits = Limits::default();
        let alice = UserId::trusted("alice");
        let barrage = Draft::of(Body::Barrage("wow".into()));
        assert!(barrage.validate(&alice, &Target::Room(super::super::RoomId::trusted("r")), &limits).is_ok());
        assert!(barrage.validate(&alice, &Target::Peer(UserId::trusted("bob")), &limits).is_err());
        assert!(barrage.validate(&alice, &Target::Group(super::super::GroupId::trusted("g")), &limits).is_err());
    }

    #[test]
    fn extended_data_holds_1024_bytes_and_not_one_more() {
        let limits = Limits::default();
        let (alice, bob) = (UserId::trusted("alice"), Target::Peer(UserId::trusted("bob")));
        let with = |bytes: usize| {
            let body = Body::Text("hi".into());
            Draft::from(Content { extended_data: "e".repeat(bytes), ..Content::of(body) })
        };
        assert!(with(1024).validate(&alice, &bob, &limits).is_ok());
        assert!(with(1025).validate(&alice, &bob, &limits).is_err());
    }
}
