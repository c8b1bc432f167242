//! The actions there are, and how often each may be called. Source: ZIM server API reference, each action's page, for rates.
//!
//! Certain, from the vendor's public pages (2025): every action's name, parameters, lists of the answer and numbers, but:
//! - `QueryPeerMessages`, `QueryGroupMessages` and `AddGroupMembers` are other names in use for `QueryPeerMsg`,
//!   `QueryGroupMsg` and `InviteUsersIntoGroup`; they are taken, too.
//! - `MentionedUserIds` and `IsMentionAll` are our choice, as are the number of a nonce that was used before and of an
//!   `ErrorList` of `KickoutRoomUser`, whose page has none.

use super::call::{Call, Outcome};
use super::codes::{Fault, code};
use super::{conversations, group_members, groups, history, messages, rooms, sent, users};
use crate::config::VendorApi;

macro_rules! actions {
    ($($action:ident $(| $other:literal)* => $module:ident::$handler:ident),* $(,)?) => {
        /// What can be asked for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Action {
            $($action),*
        }

        impl Action {
            #[cfg(test)]
            const NAMES: &[&str] = &[$(stringify!($action)),*];

            pub(super) fn named(name: &str) -> Option<Self> {
                $(if name == stringify!($action) $(|| name == $other)* {
                    return Some(Self::$action);
                })*
                None
            }

            pub(super) async fn run(self, call: &Call<'_>) -> Outcome {
                match self {
                    $(Self::$action => Box::pin($module::$handler(call)).await),*
                }
            }
        }
    };
}

actions! {
    SendMessageToAllUsers => messages::send_to_all,
    SendPeerMessage => messages::send_peer,
    SendGroupMessage => messages::send_group,
    SendRoomMessage => messages::send_room,
    RevokePeerMessage => messages::revoke_peer,
    RevokeGroupMessage => messages::revoke_group,
    QueryPeerMsg | "QueryPeerMessages" => history::peer,
    QueryGroupMsg | "QueryGroupMessages" => history::group,
    CreateRoom => rooms::create,
    DestroyRoom => rooms::destroy,
    QueryRoomUserList => rooms::list,
    QueryRoomMembers => rooms::members,
    QueryRoomAttribute => rooms::attributes,
    ModifyRoomAttribute => rooms::change_attributes,
    KickoutRoomUser => rooms::kick,
    CreateGroup => groups::create,
    DismissGroup => groups::dismiss,
    UpdateGroupData => groups::update,
    QueryGroupInfo => groups::info,
    ModifyGroupAttribute => groups::change_attributes,
    QueryAppGroupList => groups::list,
    TransferGroupOwner => groups::transfer,
    MuteGroup => groups::mute,
    QueryGroupMemberList => group_members::list,
    InviteUsersIntoGroup | "AddGroupMembers" => group_members::add,
    KickoutGroupUser => group_members::kick,
    SetGroupMembersNickname => group_members::nicknames,
    MuteGroupMembers => group_members::mute,
    RevokeRoomMessage => sent::revoke_room,
    EditC2cMsgBody => sent::edit_peer,
    EditGroupMsgBody => sent::edit_group,
    C2cReadReceipt => sent::confirm_peer,
    GroupReadReceipt => sent::confirm_group,
    QueryMessagesByMsgSeq => sent::by_seq,
    QueryConversationList => conversations::list,
    SilenceConvNotification => conversations::silence,
    ConvPinned => conversations::pin,
    SetConvMark => conversations::mark,
    DeleteConv => conversations::delete,
    ClearConversationUnread => conversations::clear_unread,
    ClearPeerMessage => conversations::clear_peer,
    ClearMemberGroupMessage => conversations::clear_group,
    ModifyGroupLimit => groups::limit,
    FetchForbidGroupList => groups::muted,
    QueryGroupsInfoOfUser => groups::of_user,
    SetGroupMemberRole => group_members::role,
    UserRegister => users::register,
    ModifyUserInfo => users::modify,
    QueryUserInfos => users::infos,
    QueryUserOnlineState => users::online,
}

/// How often.
struct Quota {
    per_second: usize,
    /// The parameter that names what has a quota of its own.
    of: Option<&'static str>,
    /// What one more is refused with.
    code: u32,
}

impl Action {
    fn quota(self, config: &VendorApi) -> Quota {
        let (per_second, of, code) = match self {
            Self::SendGroupMessage | Self::SendRoomMessage => (config.group_and_room_messages_per_second, None, code::APP_RATE),
            Self::InviteUsersIntoGroup | Self::TransferGroupOwner | Self::DismissGroup | Self::SetGroupMembersNickname => {
                (config.changes_of_one_group_per_second, Some("GroupId"), code::PLACE_RATE)
            }
            Self::QueryRoomMembers => (config.looks_into_one_room_per_second, Some("RoomId"), code::PLACE_RATE),
            Self::QueryAppGroupList => (config.group_lists_per_second, None, code::GROUPS_RATE),
            Self::QueryRoomUserList => (config.calls_per_second, None, code::PLACE_RATE),
            Self::QueryGroupMemberList => (config.calls_per_second, None, code::MEMBERS_RATE),
            Self::KickoutGroupUser => (config.calls_per_second, None, code::KICK_RATE),
            Self::CreateGroup => (config.calls_per_second, None, code::CREATE_RATE),
            Self::UserRegister => (config.calls_per_second, None, code::REGISTER_RATE),
            _ => (config.calls_per_second, None, code::APP_RATE),
        };
        Quota { per_second, of, code }
    }

    /// Takes one call from the action's quota. Broadcasts have a quota besides, shared with the server API.
    pub(super) fn charge(self, call: &Call<'_>) -> Result<(), Fault> {
        let quota = self.quota(&call.broker.config().vendor_api);
        let of = quota.of.map_or(Ok(""), |field| call.input.text_or_empty(field))?;
        let name = format!("{self:?} {}", of.chars().take(128).collect::<String>());
        let context = &call.broker.context;
        // Each node has its part of it.
        let per_second = context.share_of(quota.per_second);
        call.broker.vendor_api.calls.check(&name, context.clock.elapsed(), per_second).map_err(|retry| {
            Fault::new(quota.code, format!("{self:?} may be called {} times a second, retry after {} ms", quota.per_second, retry.ms))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The document is complete.
    #[test]
    fn each_action_is_described() {
        let text = include_str!("VENDOR_API.md");
        for name in Action::NAMES {
            assert!(text.contains(&format!("| `{name}`")), "{name}");
            assert_eq!(Action::named(name).map(|action| format!("{action:?}")).as_deref(), Some(*name));
        }
        assert_eq!(Action::named("QueryPeerMessages"), Some(Action::QueryPeerMsg));
        assert_eq!(Action::named("sendpeermessage"), None);
    }
}
