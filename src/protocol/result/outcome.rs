//! What an operation answers with: one type for the session, which frames it, and for the host and the server API, which do not.

use bytestring::ByteString;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::group::{
    GroupAttributes, GroupCreated, GroupDescribed, GroupInvited, GroupKicked, GroupLeft, GroupList, GroupMemberCount, GroupMemberDescribed,
    GroupMembers, GroupUpdated, GroupsFound,
};
use super::room::{
    RoomAttributes, RoomAttributesChanged, RoomEntered, RoomLeft, RoomMemberCount, RoomMembers, RoomMembersAttributesSet, RoomMembersFound,
    RoomsLeft,
};
use super::session::{MediaToken, Pong, TokenRenewed};
use super::user::{ProfileChanged, SubscriptionChanged, Subscriptions, UserStatuses, UsersInfo};

/// JSON that was encoded before and is shared: it goes into other JSON as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RawJson(pub(crate) ByteString);

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
    /// Encoded where it was read.
    Raw(RawJson),
    /// A result object without a type of its own.
    Value(serde_json::Value),
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
}

impl Outcome {
    /// Wraps a text that is JSON.
    pub(crate) fn raw(json: impl Into<ByteString>) -> Self {
        Self::Raw(RawJson(json.into()))
    }
}
