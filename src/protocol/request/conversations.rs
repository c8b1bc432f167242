//! Operations on a user's list of conversations, and on messages for that user alone.

use serde::{Deserialize, Serialize};

use super::args::{count, read};
use super::handle::{HandleArgs, MessageHandle, handles};
use crate::model::{ConversationKind, Invalid, Limits, Refusal, Target};

/// What a user may do with its list of conversations. Rooms are never in it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ListRequest {
    Query { target: Target },
    List { count: usize, after: Option<EntryAnchor>, filter: EntryFilter },
    Pin { target: Target, pinned: bool },
    Mute { target: Target, muted: bool },
    Hide { target: Target },
    HideAll,
    Read { target: Target },
    ReadAll,
    Total { filter: EntryFilter },
    Mark { mark: u32, set: bool, targets: Vec<Target> },
    Delete { target: Target, messages: Vec<MessageHandle> },
    Clear { target: Target },
    ClearAll,
    ReceiptUpToNow { target: Target },
}

/// Which conversations are asked for; an empty field passes all. Source: ZIM API reference,
/// `ZIMConversationFilterOption`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EntryFilter {
    /// The `conversationType` numbers that pass.
    pub(crate) kinds: Vec<u8>,
    /// The marks of which one is enough.
    pub(crate) marks: Vec<u32>,
    pub(crate) unread_only: bool,
    pub(crate) pinned: Option<bool>,
}

/// The last entry a client has: found by its name, or else by its position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EntryAnchor {
    pub(crate) target: Option<Target>,
    pub(crate) pinned: bool,
    pub(crate) order_key: Option<u64>,
}

#[derive(Deserialize)]
struct EntryArgs {
    #[serde(rename = "conversationID")]
    conversation_id: String,
    #[serde(rename = "conversationType")]
    conversation_type: i64,
    #[serde(rename = "isPinned")]
    is_pinned: Option<bool>,
    status: Option<i64>,
    config: Option<DeleteConfigArgs>,
    #[serde(rename = "messageList", default)]
    message_list: Vec<HandleArgs>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct DeleteConfigArgs {
    is_also_delete_server_message: Option<bool>,
    is_also_delete_server_conversation: Option<bool>,
}

#[derive(Deserialize)]
struct ListArgs {
    config: ListConfigArgs,
    option: Option<FilterArgs>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct FilterArgs {
    conversation_types: Vec<i64>,
    marks: Vec<u32>,
    is_only_unread_conversation: bool,
    pinned_filter: i64,
}

#[derive(Deserialize)]
struct TotalArgs {
    config: Option<FilterArgs>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MarkArgs {
    mark_type: u32,
    enable: bool,
    conversation_infos: Vec<BaseArgs>,
}

#[derive(Deserialize)]
struct BaseArgs {
    #[serde(rename = "conversationID")]
    conversation_id: String,
    #[serde(rename = "conversationType")]
    conversation_type: i64,
}

impl FilterArgs {
    fn check(self) -> Result<EntryFilter, Invalid> {
        let kind = |kind: i64| ConversationKind::from_number("conversationTypes", kind).map(ConversationKind::number);
        let pinned = match self.pinned_filter {
            0 => None,
            1 => Some(true),
            2 => Some(false),
            other => return Err(Invalid::out_of_range("option.pinnedFilter", other, 0, 2)),
        };
        let kinds = self.conversation_types.into_iter().map(kind).collect::<Result<_, _>>()?;
        Ok(EntryFilter { kinds, marks: self.marks, unread_only: self.is_only_unread_conversation, pinned })
    }
}

impl MarkArgs {
    fn check(self, limits: &Limits) -> Result<ListRequest, Refusal> {
        let (count, max) = (self.conversation_infos.len(), limits.conversation_page_max);
        if count == 0 {
            return Err(Invalid::new("conversationInfos", "is empty").into());
        }
        if count > max {
            return Err(Invalid::too_many("conversationInfos", count, max).into());
        }
        let targets = self.conversation_infos.iter().map(|one| listed_target(&one.conversation_id, one.conversation_type, limits));
        Ok(ListRequest::Mark { mark: self.mark_type, set: self.enable, targets: targets.collect::<Result<_, _>>()? })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListConfigArgs {
    count: i64,
    next_conversation: Option<EntryAnchorArgs>,
}

/// The last entry a client has, as it holds it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EntryAnchorArgs {
    #[serde(rename = "conversationID", default)]
    conversation_id: String,
    #[serde(rename = "type")]
    kind: Option<i64>,
    order_key: Option<u64>,
    is_pinned: Option<bool>,
}

#[derive(Deserialize, Default)]
struct OptionalConfig {
    #[serde(default)]
    config: Option<DeleteConfigArgs>,
}

/// Reads a peer or a group; refuses a room, which is in no list.
pub(crate) fn listed_target(id: &str, kind: i64, limits: &Limits) -> Result<Target, Invalid> {
    match ConversationKind::from_number("conversationType", kind)? {
        ConversationKind::Room => Err(Invalid::new("conversationType", "is 1: a room has no entry, no unread count and no deletion")),
        kind => Target::parse("conversationID", kind, id, limits),
    }
}

impl EntryAnchorArgs {
    /// # Errors
    /// [`Invalid`] naming the argument of `queryConversationList`.
    pub(crate) fn check(self, limits: &Limits) -> Result<EntryAnchor, Invalid> {
        let target = self.kind.filter(|_| !self.conversation_id.is_empty());
        let target = target.map(|kind| listed_target(&self.conversation_id, kind, limits)).transpose()?;
        if target.is_none() && self.order_key.is_none() {
            return Err(Invalid::new("config.nextConversation", "has neither conversationID and type nor orderKey"));
        }
        Ok(EntryAnchor { target, pinned: self.is_pinned.unwrap_or(false), order_key: self.order_key })
    }
}

fn on_the_server(said: Option<bool>, field: &str) -> Result<(), Invalid> {
    match said {
        Some(false) => Err(Invalid::new(field, "is false: what is deleted on one device only is that device's own business")),
        _ => Ok(()),
    }
}

impl ListRequest {
    /// Reads an operation on the list; returns `None` for other operations.
    pub(super) fn decode(op: &str, args: &str, limits: &Limits) -> Result<Option<Self>, Refusal> {
        let list = |pinned_only: bool| -> Result<Self, Refusal> {
            let ListArgs { config, option } = read(args)?;
            let after = config.next_conversation.map(|anchor| anchor.check(limits)).transpose()?;
            let mut filter = option.unwrap_or_default().check()?;
            filter.pinned = if pinned_only { Some(true) } else { filter.pinned };
            Ok(Self::List { count: count("config.count", config.count, limits.conversation_page_max)?, after, filter })
        };
        let everything = |make: Self| -> Result<Self, Refusal> {
            let config = read::<OptionalConfig>(args)?.config.unwrap_or_default();
            on_the_server(config.is_also_delete_server_message, "config.isAlsoDeleteServerMessage")?;
            on_the_server(config.is_also_delete_server_conversation, "config.isAlsoDeleteServerConversation")?;
            Ok(make)
        };
        Ok(Some(match op {
            "queryConversationList" => list(false)?,
            "queryConversationPinnedList" => list(true)?,
            "deleteAllConversations" => everything(Self::HideAll)?,
            "deleteAllConversationMessages" => everything(Self::ClearAll)?,
            "clearConversationTotalUnreadMessageCount" => Self::ReadAll,
            "queryConversationTotalUnreadMessageCount" => {
                Self::Total { filter: read::<TotalArgs>(args)?.config.unwrap_or_default().check()? }
            }
            "setConversationMark" => read::<MarkArgs>(args)?.check(limits)?,
            "queryConversation"
            | "updateConversationPinnedState"
            | "setConversationNotificationStatus"
            | "deleteConversation"
            | "clearConversationUnreadMessageCount"
            | "deleteMessages"
            | "deleteAllMessage"
            | "sendConversationMessageReceiptRead" => Self::of_one(op, read(args)?, limits)?,
            _ => return Ok(None),
        }))
    }

    /// Deletes messages for one user.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] naming the argument of `deleteMessages`.
    pub(crate) fn delete(target: Target, messages: &[HandleArgs], limits: &Limits) -> Result<Self, Refusal> {
        let (count, max) = (messages.len(), limits.delete_messages_max);
        if count > max {
            return Err(Invalid::too_many("messageList", count, max).into());
        }
        Ok(Self::Delete { target, messages: handles("messageList", messages)? })
    }

    fn of_one(op: &str, args: EntryArgs, limits: &Limits) -> Result<Self, Refusal> {
        let target = listed_target(&args.conversation_id, args.conversation_type, limits)?;
        let config = args.config.unwrap_or_default();
        on_the_server(config.is_also_delete_server_message, "config.isAlsoDeleteServerMessage")?;
        on_the_server(config.is_also_delete_server_conversation, "config.isAlsoDeleteServerConversation")?;
        Ok(match op {
            "queryConversation" => Self::Query { target },
            "updateConversationPinnedState" => {
                let pinned = args.is_pinned.ok_or_else(|| Invalid::new("isPinned", "is missing"))?;
                Self::Pin { target, pinned }
            }
            "setConversationNotificationStatus" => match args.status {
                Some(1) => Self::Mute { target, muted: false },
                Some(2) => Self::Mute { target, muted: true },
                other => return Err(Invalid::out_of_range("status", other.unwrap_or(0), 1, 2).into()),
            },
            "deleteConversation" => Self::Hide { target },
            "clearConversationUnreadMessageCount" => Self::Read { target },
            "deleteMessages" => Self::delete(target, &args.message_list, limits)?,
            "deleteAllMessage" => Self::Clear { target },
            _ => match target {
                Target::Peer(_) => Self::ReceiptUpToNow { target },
                _ => return Err(Invalid::new("conversationType", "is 2: of a group, name the messages that were read").into()),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::protocol::code_of;

    fn decode(op: &str, args: serde_json::Value) -> Result<ListRequest, Refusal> {
        ListRequest::decode(op, &args.to_string(), &Limits::default()).map(|request| request.expect("an operation on the list"))
    }

    #[test]
    fn rooms_are_in_no_list_and_pages_and_lists_end_at_their_limits() {
        for op in ["queryConversation", "deleteAllMessage", "clearConversationUnreadMessageCount"] {
            let refusal = decode(op, json!({"conversationID": "r", "conversationType": 1})).unwrap_err();
            assert!(refusal.to_string().contains("a room has no entry"), "{op}: {refusal}");
        }
        let list = |count: i64| decode("queryConversationList", json!({"config": {"count": count}}));
        assert!(list(100).is_ok() && list(101).is_err() && list(0).is_err());
        let delete = |count: usize| {
            let messages: Vec<_> = (1..=count).map(|seq| json!({"messageSeq": seq})).collect();
            decode("deleteMessages", json!({"messageList": messages, "conversationID": "b", "conversationType": 0}))
        };
        assert!(delete(100).is_ok());
        assert_eq!(code_of(&delete(101).unwrap_err()), 6_000_001);
        assert!(delete(0).is_err());
    }

    #[test]
    fn an_anchor_may_be_a_part_of_a_conversation() {
        let anchor = |next: serde_json::Value| decode("queryConversationList", json!({"config": {"count": 1, "nextConversation": next}}));
        assert!(anchor(json!({"conversationID": "b", "type": 0})).is_ok());
        assert!(anchor(json!({"orderKey": 7, "unreadMessageCount": 3})).is_ok());
        assert!(anchor(json!({"conversationID": "b"})).is_err());
        assert!(matches!(anchor(json!(null)), Ok(ListRequest::List { after: None, .. })));
    }
}
