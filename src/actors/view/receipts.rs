//! Which users have read a message. Reads the store.

use crate::model::{Conversation, GroupId, Message, UserId};
use crate::protocol::message::receipt::{ReceiptInfo, ReceiptStatus};
use crate::store::{Note, Store, StoreError};

/// The users a message was for, besides its sender.
#[derive(Debug)]
pub(crate) struct Readers {
    pub(crate) read: Vec<UserId>,
    pub(crate) unread: Vec<UserId>,
    /// When the last of them read it, Unix milliseconds; 0 when nobody did.
    last_ms: u64,
}

impl Readers {
    fn status(&self) -> ReceiptStatus {
        if self.unread.is_empty() && !self.read.is_empty() { ReceiptStatus::Done } else { ReceiptStatus::Processing }
    }

    /// Returns what the sender is told: how many have read it, and since when all have.
    pub(crate) fn counts(&self, sender: &UserId, message: &Message) -> ReceiptInfo {
        ReceiptInfo {
            status: self.status(),
            read_member_count: self.read.len(),
            unread_member_count: self.unread.len(),
            read_time: self.all_read_ms(),
            ..ReceiptInfo::unread(sender, &message.conversation, message.id)
        }
    }

    /// Returns what a reader's other devices are told: that it has read the message.
    pub(crate) fn own(&self, reader: &UserId, message: &Message) -> ReceiptInfo {
        ReceiptInfo {
            status: ReceiptStatus::Done,
            is_self_operated: true,
            read_time: self.all_read_ms(),
            ..ReceiptInfo::unread(reader, &message.conversation, message.id)
        }
    }

    fn all_read_ms(&self) -> u64 {
        if self.unread.is_empty() { self.last_ms } else { 0 }
    }
}

/// Returns the users a message was for and which of them confirmed it. In a group: the present members that were
/// members then.
///
/// # Errors
/// Every error of the store.
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

/// Returns whether a message was read: for its sender, whether all have; for another user, whether it said that it has.
///
/// # Errors
/// Every error of the store.
pub(super) fn receipt_status(store: &dyn Store, reader: &UserId, message: &Message) -> Result<ReceiptStatus, StoreError> {
    if message.sender == *reader {
        return Ok(readers(store, message)?.status());
    }
    let notes = store.notes(&message.conversation, message.seq)?;
    let confirmed = notes.iter().any(|(note, _)| matches!(note, Note::Receipt(user) if user == reader));
    Ok(if confirmed || has_read_up_to(store, reader, message)? { ReceiptStatus::Done } else { ReceiptStatus::Processing })
}

/// Returns how far a message was read: to its sender the counts, to another user its own status.
///
/// # Errors
/// Every error of the store.
pub(crate) fn receipt_info(store: &dyn Store, user: &UserId, message: &Message) -> Result<ReceiptInfo, StoreError> {
    if message.sender == *user {
        return Ok(readers(store, message)?.counts(user, message));
    }
    let status = receipt_status(store, user, message)?;
    Ok(ReceiptInfo { status, ..ReceiptInfo::unread(user, &message.conversation, message.id) })
}
