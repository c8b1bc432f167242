//! What one reader sees of messages beside the messages: quotes, answers, reactions, receipts. Reads the store.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::actors::user::list::named;
use crate::model::{Conversation, GroupId, Message, UserId};
use crate::protocol::MessageView;
use crate::store::{Note, Pin, Store, StoreError};

/// Users a reaction names; the rest is asked for. Source: spec 3.12, Reactions.
const REACTION_USERS_SHOWN: usize = 5;

/// `MessageReceiptStatus`: it waits for readers, all have read.
const PROCESSING: u8 = 1;
const DONE: u8 = 2;

/// Puts together what one user sees of messages of one conversation.
pub(crate) struct ViewBuilder<'a> {
    store: &'a dyn Store,
    me: &'a UserId,
    first_seq: u64,
    pins: Vec<Pin>,
}

impl<'a> ViewBuilder<'a> {
    /// `first_seq`: what came before it, this user does not see.
    pub(crate) fn new(store: &'a dyn Store, me: &'a UserId, conversation: &Conversation, first_seq: u64) -> Result<Self, StoreError> {
        let pins = if matches!(conversation, Conversation::Room(..)) { Vec::new() } else { store.pins(conversation)? };
        Ok(Self { store, me, first_seq, pins })
    }

    /// A message nobody did anything to costs no read.
    pub(crate) fn view(&self, message: &Message) -> Result<MessageView, StoreError> {
        let pin = self.pins.iter().find(|pin| pin.seq == message.seq);
        Ok(MessageView { pinned: pin.map(|pin| pin.stamp.clone()), ..view(self.store, self.me, message, self.first_seq)? })
    }
}

fn view(store: &dyn Store, me: &UserId, message: &Message, first_seq: u64) -> Result<MessageView, StoreError> {
    let conversation = &message.conversation;
    let mut view = MessageView::default();
    if let Some(reply) = &message.terms.reply {
        view.quoted = if reply.seq >= first_seq { store.message(conversation, reply.seq)? } else { None };
        view.quote_lost = view.quoted.is_none();
    }
    if message.fate.replied {
        view.replied_count = store.replies(conversation, message.seq)?.len() as u64;
    }
    if message.fate.reacted {
        let notes = store.notes(conversation, message.seq)?;
        view.reactions = reactions(&reaction_users(notes.into_iter().map(|(note, _)| note)), me);
    }
    if message.terms.receipt {
        view.receipt_status = Some(receipt_status(store, me, message)?);
    }
    Ok(view)
}

/// Who reacted how, by the name of the reaction.
pub(crate) fn reaction_users(notes: impl Iterator<Item = Note>) -> BTreeMap<String, Vec<UserId>> {
    let mut users: BTreeMap<String, Vec<UserId>> = BTreeMap::new();
    for note in notes {
        if let Note::Reaction(reaction, user) = note {
            users.entry(reaction).or_default().push(user);
        }
    }
    users
}

/// `MessageReaction` objects without what the message says itself.
pub(crate) fn reactions(users: &BTreeMap<String, Vec<UserId>>, me: &UserId) -> Vec<Value> {
    users.iter().map(|(reaction, users)| reaction_wire(reaction, users, users.contains(me))).collect()
}

/// One reaction. Source: spec 2.9, `MessageReaction`.
pub(crate) fn reaction_wire(reaction: &str, users: &[UserId], is_self_included: bool) -> Value {
    let shown: Vec<Value> = users.iter().take(REACTION_USERS_SHOWN).map(|user| json!({"userID": user})).collect();
    json!({
        "reactionType": reaction, "isSelfIncluded": is_self_included, "totalCount": users.len(), "sumCount": users.len(), "userList": shown,
    })
}

/// The same as an object of its own, as `me` names the conversation.
pub(crate) fn reaction_alone(message: &Message, reaction: &str, users: &[UserId], me: &UserId) -> Value {
    let mut wire = reaction_wire(reaction, users, users.contains(me));
    let (kind, id) = named(me, &message.conversation);
    wire["conversationID"] = id.into();
    wire["conversationType"] = kind.into();
    wire["messageID"] = message.id.to_string().into();
    wire
}

/// Who has read a message, besides its sender.
pub(crate) struct Readers {
    pub(crate) read: Vec<UserId>,
    pub(crate) unread: Vec<UserId>,
    /// When the last of them did, Unix milliseconds; 0: nobody did.
    pub(crate) last_ms: u64,
}

impl Readers {
    pub(crate) fn status(&self) -> u8 {
        if self.unread.is_empty() && !self.read.is_empty() { DONE } else { PROCESSING }
    }
}

/// Those a message was for and who confirmed it. In a group: the members of now that were members then.
pub(crate) fn readers(store: &dyn Store, message: &Message) -> Result<Readers, StoreError> {
    let notes = store.notes(&message.conversation, message.seq)?;
    let last_ms = notes.iter().filter(|(note, _)| matches!(note, Note::Receipt(_))).map(|(_, record)| record.at_ms).max().unwrap_or(0);
    let confirmed: Vec<UserId> =
        notes.into_iter().filter_map(|(note, _)| if let Note::Receipt(user) = note { Some(user) } else { None }).collect();
    let (mut read, mut unread) = (Vec::new(), Vec::new());
    for user in audience(store, message)? {
        let has =
            confirmed.contains(&user) || matches!(message.conversation, Conversation::Peer(..)) && has_read_up_to(store, &user, message)?;
        if has { read.push(user) } else { unread.push(user) }
    }
    Ok(Readers { read, unread, last_ms })
}

fn audience(store: &dyn Store, message: &Message) -> Result<Vec<UserId>, StoreError> {
    Ok(match &message.conversation {
        Conversation::Peer(one, other) => vec![if *one == message.sender { other.clone() } else { one.clone() }],
        Conversation::Group(group) => members_of_then(store, group, message)?,
        Conversation::Room(..) => Vec::new(),
    })
}

fn members_of_then(store: &dyn Store, group: &GroupId, message: &Message) -> Result<Vec<UserId>, StoreError> {
    let members = store.group_members(group)?.into_iter();
    let then = members.filter(|member| member.first_seq <= message.seq && member.user != message.sender);
    Ok(then.map(|member| member.user).collect())
}

fn has_read_up_to(store: &dyn Store, user: &UserId, message: &Message) -> Result<bool, StoreError> {
    Ok(store.entry(user, &message.conversation)?.receipt_seq >= message.seq)
}

/// To its sender: whether all have read it. To others: whether they said that they have.
fn receipt_status(store: &dyn Store, me: &UserId, message: &Message) -> Result<u8, StoreError> {
    if message.sender == *me {
        return Ok(readers(store, message)?.status());
    }
    let notes = store.notes(&message.conversation, message.seq)?;
    let confirmed = notes.iter().any(|(note, _)| matches!(note, Note::Receipt(user) if user == me));
    Ok(if confirmed || has_read_up_to(store, me, message)? { DONE } else { PROCESSING })
}
