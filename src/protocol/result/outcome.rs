//! What an operation answers with: one type for the session, which frames it, and for the host and the server API, which do not.

use bytestring::ByteString;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::conversation::{Conversations, Marked, OneConversation, TotalUnread};
use super::group::{
    GroupAttributes, GroupCreated, GroupDescribed, GroupInvited, GroupKicked, GroupLeft, GroupList, GroupMemberCount, GroupMemberDescribed,
    GroupMembers, GroupUpdated, GroupsFound,
};
use super::message::{
    CombinedMessage, ConversationRef, FoundConversations, FoundMessages, Messages, OneMessage, ReactionChanged, ReactionUsers,
    ReceiptMembers, ReceiptsInfo, ReceiptsSent, Replies,
};
use super::room::{
    RoomAttributes, RoomAttributesChanged, RoomEntered, RoomLeft, RoomMemberCount, RoomMembers, RoomMembersAttributesSet, RoomMembersFound,
    RoomsLeft,
};
use super::session::{MediaToken, Pong, TokenRenewed};
use super::user::{ProfileChanged, SubscriptionChanged, Subscriptions, UserStatuses, UsersInfo};
use crate::model::Refusal;

/// JSON that was encoded before and is shared: it goes into other JSON as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RawJson(pub(crate) ByteString);

impl<'de> Deserialize<'de> for RawJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Self(raw.get().into()))
    }
}

impl Serialize for RawJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

/// The result object of one operation.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Outcome {
    /// `{}`.
    Nothing {},
    OneMessage(OneMessage),
    Messages(Messages),
    ReceiptsSent(ReceiptsSent),
    ReactionChanged(ReactionChanged),
    ReactionUsers(ReactionUsers),
    Replies(Box<Replies>),
    ReceiptMembers(ReceiptMembers),
    ReceiptsInfo(ReceiptsInfo),
    CombinedMessage(CombinedMessage),
    FoundMessages(FoundMessages),
    FoundConversations(FoundConversations),
    ConversationRef(ConversationRef),
    OneConversation(OneConversation),
    Conversations(Conversations),
    TotalUnread(TotalUnread),
    Marked(Marked),
    Pong(Pong),
    TokenRenewed(TokenRenewed),
    MediaToken(MediaToken),
    RoomEntered(RoomEntered),
    RoomLeft(RoomLeft),
    RoomsLeft(RoomsLeft),
    RoomMembers(RoomMembers),
    RoomMembersFound(RoomMembersFound),
    RoomMemberCount(RoomMemberCount),
    RoomAttributes(RoomAttributes),
    RoomAttributesChanged(RoomAttributesChanged),
    RoomMembersAttributesSet(RoomMembersAttributesSet),
    GroupCreated(Box<GroupCreated>),
    GroupDescribed(Box<GroupDescribed>),
    GroupLeft(GroupLeft),
    GroupInvited(GroupInvited),
    GroupKicked(GroupKicked),
    GroupUpdated(Box<GroupUpdated>),
    GroupList(GroupList),
    GroupAttributes(GroupAttributes),
    GroupMembers(GroupMembers),
    GroupMemberDescribed(Box<GroupMemberDescribed>),
    GroupMemberCount(GroupMemberCount),
    GroupsFound(GroupsFound),
    UsersInfo(UsersInfo),
    ProfileChanged(ProfileChanged),
    UserStatuses(UserStatuses),
    SubscriptionChanged(SubscriptionChanged),
    Subscriptions(Subscriptions),
    /// The result of an operation that another node carried out, as it encoded it.
    Encoded(RawJson),
}

impl<'de> Deserialize<'de> for Outcome {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        RawJson::deserialize(deserializer).map(Self::Encoded)
    }
}

/// Takes the result of one kind out of an outcome.
macro_rules! results {
    ($($kind:ident($result:ty) $(| $encoded:ident)?),* $(,)?) => {
        $(impl TryFrom<Outcome> for $result {
            type Error = Refusal;

            fn try_from(outcome: Outcome) -> Result<Self, Refusal> {
                match outcome {
                    Outcome::$kind(result) => Ok(result),
                    $(Outcome::$encoded(json) => json.read().ok_or(Refusal::Busy("a result could not be read")),)?
                    _ => Err(Refusal::Busy("an operation ended with the result of another")),
                }
            }
        })*
    };
}

results! {
    OneMessage(OneMessage) | Encoded,
    Messages(Messages),
    FoundMessages(FoundMessages),
    ReceiptsSent(ReceiptsSent),
    GroupList(GroupList),
    Conversations(Conversations) | Encoded,
    RoomMembers(RoomMembers),
    RoomMembersFound(RoomMembersFound),
    RoomMemberCount(RoomMemberCount),
    GroupCreated(Box<GroupCreated>),
    GroupDescribed(Box<GroupDescribed>),
    GroupInvited(GroupInvited),
    GroupKicked(GroupKicked),
    GroupUpdated(Box<GroupUpdated>),
    GroupMembers(GroupMembers),
    GroupMemberCount(GroupMemberCount),
}

impl RawJson {
    /// Encodes a value that always serializes.
    pub(crate) fn of(value: &impl Serialize) -> Self {
        Self(serde_json::to_string(value).expect("wire objects have string keys and finite numbers").into())
    }

    /// Reads some of its fields; `None`: it does not have them.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(&self.0).ok()
    }

    /// Returns how many bytes it takes.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}
