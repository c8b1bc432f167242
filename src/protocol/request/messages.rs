//! Operations on messages that were sent: taken back, edited, answered, reacted to, confirmed, pinned, looked up.

use serde::{Deserialize, Serialize};

use super::args::{count, read};
use super::conversations::listed_target;
use super::handle::{HandleArgs, MessageHandle, handles};
use crate::model::{Body, Draft, GroupId, Invalid, Limits, Mentions, Refusal, ReplyTo, Target};
use crate::protocol::message::combined::CombineRef;
use crate::protocol::message::draft::DraftArgs;

/// A change that one user makes to one message.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Change {
    Revoke { extended_data: String },
    Edit { body: Body, extended_data: String, mentions: Mentions },
    React { reaction: String, add: bool },
    Pin { pinned: bool, may_replace: bool },
}

/// What is asked about one message.
#[derive(Debug, Clone)]
pub(crate) enum MessageQuery {
    Reactions { reaction: String, count: usize, next: u64 },
    Replies { count: usize, next: u64 },
    Readers { read: bool, count: usize, next: u64 },
}

#[derive(Debug)]
pub(crate) enum MessageRequest {
    Change { target: Target, message: MessageHandle, change: Change },
    Ask { target: Target, message: MessageHandle, query: MessageQuery },
    Reply { target: Target, draft: Draft },
    Receipts { target: Target, messages: Vec<MessageHandle> },
    ReceiptInfo { target: Target, messages: Vec<MessageHandle> },
    BySeq { target: Target, seqs: Vec<u64> },
    Pinned { target: Target },
    Combined { combine: CombineRef, next: usize },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ChangeArgs {
    message: HandleArgs,
    #[serde(default)]
    reaction_type: String,
    #[serde(default)]
    is_pinned: Option<bool>,
    #[serde(rename = "groupID", default)]
    group_id: String,
    #[serde(default)]
    config: Option<ConfigArgs>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ConfigArgs {
    revoke_extended_data: Option<String>,
    disable_auto_replace: bool,
    reaction_type: String,
    count: i64,
    next_flag: u64,
    next: usize,
}

#[derive(Deserialize)]
struct EditArgs {
    message: DraftArgs,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReplyArgs {
    message: DraftArgs,
    to_original_message: HandleArgs,
    #[serde(default)]
    config: Option<crate::protocol::message::draft::SendConfigArgs>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ManyArgs {
    #[serde(rename = "conversationID")]
    conversation_id: String,
    conversation_type: i64,
    #[serde(default)]
    message_list: Vec<HandleArgs>,
    #[serde(default)]
    message_seqs: Vec<u64>,
}

/// The conversation a message names; a room's messages are not changed by its members.
fn changeable(message: &HandleArgs, field: &str, limits: &Limits) -> Result<Target, Invalid> {
    match message.target(field, limits)? {
        Target::Room(_) => Err(Invalid::new(format!("{field}.conversationType"), "is 1: messages of rooms are not changed")),
        target => Ok(target),
    }
}

fn check_reaction(reaction: String, limits: &Limits) -> Result<String, Invalid> {
    match reaction.len() {
        0 => Err(Invalid::new("reactionType", "is empty")),
        bytes if bytes > limits.reaction_bytes_max => Err(Invalid::too_long("reactionType", bytes, limits.reaction_bytes_max)),
        _ => Ok(reaction),
    }
}

impl MessageRequest {
    /// `None`: no operation on a message.
    pub(super) fn decode(op: &str, args: &str, limits: &Limits) -> Result<Option<Self>, Refusal> {
        Ok(Some(match op {
            "revokeMessage" => {
                let ChangeArgs { message, config, .. } = read(args)?;
                Self::revoke(&message, config.unwrap_or_default().revoke_extended_data.unwrap_or_default(), limits)?
            }
            "addMessageReaction" | "deleteMessageReaction" | "pinMessage" => Self::change(op, read(args)?, limits)?,
            "editMessage" => {
                let ChangeArgs { message, .. } = read(args)?;
                Self::edit(&message, read::<EditArgs>(args)?.message, limits)?
            }
            "replyMessage" => Self::reply(read(args)?, limits)?,
            "queryMessageReactionUserList"
            | "queryMessageRepliedList"
            | "queryGroupMessageReceiptReadMemberList"
            | "queryGroupMessageReceiptUnreadMemberList" => Self::query(op, read(args)?, limits)?,
            "sendMessageReceiptsRead" | "queryMessageReceiptsInfo" => {
                let args: ManyArgs = read(args)?;
                let target = listed_target(&args.conversation_id, args.conversation_type, limits)?;
                let (count, count_max) = (args.message_list.len(), limits.receipts_max);
                if count > count_max {
                    return Err(Refusal::TooManyReceipts { count, count_max });
                }
                let messages = handles("messageList", &args.message_list)?;
                if op == "sendMessageReceiptsRead" { Self::Receipts { target, messages } } else { Self::ReceiptInfo { target, messages } }
            }
            "queryMessages" => {
                let args: ManyArgs = read(args)?;
                let (count, max) = (args.message_seqs.len(), limits.query_messages_max);
                if count == 0 || count > max {
                    return Err(Invalid::new("messageSeqs", format!("has {count} entries, the range is 1 to {max}")).into());
                }
                let target = listed_target(&args.conversation_id, args.conversation_type, limits)?;
                Self::BySeq { target, seqs: args.message_seqs }
            }
            "queryPinnedMessageList" => {
                let args: ManyArgs = read(args)?;
                Self::Pinned { target: listed_target(&args.conversation_id, args.conversation_type, limits)? }
            }
            "queryCombineMessageDetail" => {
                let args: ChangeArgs = read(args)?;
                let combine = CombineRef::parse(&args.message.combine_id)?;
                Self::Combined { combine, next: args.config.unwrap_or_default().next }
            }
            _ => return Ok(None),
        }))
    }

    /// Takes a message back; `extended_data` is told to those who saw it.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] naming the argument of `revokeMessage`.
    pub(crate) fn revoke(message: &HandleArgs, extended_data: String, limits: &Limits) -> Result<Self, Refusal> {
        let (target, message) = (changeable(message, "message", limits)?, message.handle("message")?);
        let (bytes, bytes_max) = (extended_data.len(), limits.revoke_extended_data_bytes_max);
        if bytes > bytes_max {
            return Err(Invalid::too_long("config.revokeExtendedData", bytes, bytes_max).into());
        }
        Ok(Self::Change { target, message, change: Change::Revoke { extended_data } })
    }

    /// Changes what a message says.
    ///
    /// # Errors
    /// As of a `sendMessage`, and [`Refusal::Invalid`] naming the argument of `editMessage`.
    pub(crate) fn edit(message: &HandleArgs, content: DraftArgs, limits: &Limits) -> Result<Self, Refusal> {
        let (extended_data, mentions) = (content.extended_data(), content.mentions(limits)?);
        let change = Change::Edit { body: content.body(limits)?, extended_data, mentions };
        Ok(Self::Change { target: changeable(message, "message", limits)?, message: message.handle("message")?, change })
    }

    fn change(op: &str, args: ChangeArgs, limits: &Limits) -> Result<Self, Refusal> {
        let target = changeable(&args.message, "message", limits)?;
        let message = args.message.handle("message")?;
        let config = args.config.unwrap_or_default();
        let change = match op {
            "pinMessage" => {
                let pinned = args.is_pinned.ok_or_else(|| Invalid::new("isPinned", "is missing"))?;
                Change::Pin { pinned, may_replace: !config.disable_auto_replace }
            }
            _ => Change::React { reaction: check_reaction(args.reaction_type, limits)?, add: op == "addMessageReaction" },
        };
        Ok(Self::Change { target, message, change })
    }

    fn query(op: &str, args: ChangeArgs, limits: &Limits) -> Result<Self, Refusal> {
        let target = match args.group_id.as_str() {
            "" => changeable(&args.message, "message", limits)?,
            group => Target::Group(GroupId::parse("groupID", group, limits)?),
        };
        let config = args.config.unwrap_or_default();
        let (count, next) = (count("config.count", config.count, limits.note_page_max)?, config.next_flag);
        let query = match op {
            "queryMessageReactionUserList" => {
                MessageQuery::Reactions { reaction: check_reaction(config.reaction_type, limits)?, count, next }
            }
            "queryMessageRepliedList" => MessageQuery::Replies { count, next },
            _ => MessageQuery::Readers { read: op == "queryGroupMessageReceiptReadMemberList", count, next },
        };
        Ok(Self::Ask { target, message: args.message.handle("message")?, query })
    }

    fn reply(args: ReplyArgs, limits: &Limits) -> Result<Self, Refusal> {
        let target = changeable(&args.to_original_message, "toOriginalMessage", limits)?;
        let handle = args.to_original_message.handle("toOriginalMessage")?;
        let mut draft = args.message.draft(args.config, limits)?;
        draft.content.options.reply = Some(ReplyTo { seq: handle.seq.unwrap_or(0), id: handle.id.unwrap_or(0), root_seq: 0 });
        Ok(Self::Reply { target, draft })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::protocol::code_of;

    fn decode(op: &str, args: serde_json::Value) -> Result<MessageRequest, Refusal> {
        MessageRequest::decode(op, &args.to_string(), &Limits::default()).map(|work| work.expect("an operation on messages"))
    }

    fn message() -> serde_json::Value {
        json!({"messageID": "5", "messageSeq": 2, "conversationID": "bob", "conversationType": 0, "type": 1, "message": "new"})
    }

    #[test]
    fn every_limit_holds_at_its_edge() {
        let revoke =
            |bytes: usize| decode("revokeMessage", json!({"message": message(), "config": {"revokeExtendedData": "x".repeat(bytes)}}));
        assert!(revoke(200).is_ok() && revoke(201).is_err());
        let react = |bytes: usize| decode("addMessageReaction", json!({"message": message(), "reactionType": "x".repeat(bytes)}));
        assert!(react(32).is_ok() && react(33).is_err() && react(0).is_err());
        let receipts = |count: usize| {
            let list = vec![message(); count];
            decode("sendMessageReceiptsRead", json!({"messageList": list, "conversationID": "bob", "conversationType": 0}))
        };
        assert!(receipts(10).is_ok());
        assert_eq!(code_of(&receipts(11).unwrap_err()), 6_000_282);
        let seqs = |count: u64| {
            let seqs: Vec<u64> = (1..=count).collect();
            decode("queryMessages", json!({"messageSeqs": seqs, "conversationID": "bob", "conversationType": 0}))
        };
        assert!(seqs(10).is_ok() && seqs(11).is_err() && seqs(0).is_err());
        let users = |count: u64| {
            decode("queryMessageReactionUserList", json!({"message": message(), "config": {"reactionType": "a", "count": count}}))
        };
        assert!(users(100).is_ok() && users(101).is_err());
    }

    #[test]
    fn messages_of_rooms_are_not_changed_and_an_edit_brings_its_words() {
        let in_room = json!({"messageID": "5", "conversationID": "r", "conversationType": 1});
        assert!(decode("revokeMessage", json!({"message": in_room})).unwrap_err().to_string().contains("rooms are not changed"));
        let edit = decode("editMessage", json!({"message": message()})).unwrap();
        assert!(matches!(edit, MessageRequest::Change { change: Change::Edit { body: Body::Text(text), .. }, .. } if text == "new"));
        let reply = decode("replyMessage", json!({"message": {"type": 1, "message": "yes"}, "toOriginalMessage": message()})).unwrap();
        let MessageRequest::Reply { draft, .. } = reply else { panic!("{reply:?}") };
        assert_eq!(draft.content.options.reply, Some(ReplyTo { seq: 2, id: 5, root_seq: 0 }));
    }
}
