//! The changes of messages that a user missed, as events. Each says how the message is now, so that hearing it twice,
//! or after a later change, does no harm.

use std::sync::Arc;

use bytestring::ByteString;

use super::message::{View, reaction_users};
use super::reader::Reader;
use super::receipts::readers;
use super::replay::Wanted;
use crate::model::Message;
use crate::protocol::ClientLevel;
use crate::protocol::event::encode;
use crate::protocol::event::message::{
    MessageEdited, MessagePinStatusChanged, MessageReactionsChanged, MessageReceiptChanged, MessageRevokeReceived, PinChange, PinStatus,
};
use crate::protocol::message::reaction::Reaction;
use crate::store::{ChangeKind, ChangedPart, Store, StoreError};

/// The most changes told per conversation; a user who missed more sees them in history.
const CHANGES_MAX: usize = 100;

/// Returns the frames, by conversation, in the order of the changes.
///
/// # Errors
/// Every error of the store.
pub(crate) fn frames(store: &dyn Store, wanted: &Wanted, level: ClientLevel) -> Result<Vec<ByteString>, StoreError> {
    let mut frames = Vec::new();
    for ChangedPart { conversation, first_seq, changes } in store.changed(&wanted.user, wanted.after, CHANGES_MAX)? {
        let reader = Reader::new(store, &wanted.user, &conversation, first_seq)?;
        for (kind, message) in changes {
            frames.extend(frame(&reader, &message, kind, level)?);
        }
    }
    Ok(frames)
}

fn frame(reader: &Reader<'_>, message: &Arc<Message>, kind: ChangeKind, level: ClientLevel) -> Result<Option<ByteString>, StoreError> {
    let view = reader.view_alone(message)?;
    let Some(encoded) = view.encode(level) else { return Ok(None) };
    Ok(match kind {
        ChangeKind::Revoked => Some(encode(&MessageRevokeReceived { message_list: vec![encoded] })),
        ChangeKind::Edited => Some(encode(&MessageEdited { message_list: vec![encoded] })),
        ChangeKind::Reacted => Some(encode(&reactions_now(reader, message)?)),
        ChangeKind::Pinned => {
            Some(encode(&MessagePinStatusChanged { infos: vec![PinChange { pin_status: pin_status(&view), message: encoded }] }))
        }
        ChangeKind::Confirmed if message.sender == *reader.user => {
            let info = readers(reader.store, message)?.counts(reader.user, message);
            Some(encode(&MessageReceiptChanged { infos: vec![info] }))
        }
        ChangeKind::Confirmed => None,
    })
}

fn pin_status(view: &View) -> PinStatus {
    if view.pinned().is_some() { PinStatus::Pinned } else { PinStatus::Removed }
}

fn reactions_now(reader: &Reader<'_>, message: &Arc<Message>) -> Result<MessageReactionsChanged, StoreError> {
    let notes = reader.store.notes(&message.conversation, message.seq)?;
    let users = reaction_users(notes.into_iter().map(|(note, _)| note));
    let reactions = users.iter().map(|(reaction, users)| Reaction::new(reaction, users, reader.user).of(message, reader.user));
    Ok(MessageReactionsChanged { reactions: reactions.collect(), change_info_list: Vec::new() })
}
