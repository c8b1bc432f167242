//! What was done to messages while a user was away, as the events it missed. Each says how the message is now, so
//! that hearing of it twice, or after a later change, does no harm.

use bytestring::ByteString;
use serde_json::json;

use super::message::{ViewBuilder, reaction_alone, reaction_users, readers};
use super::replay::{Wanted, conversations};
use crate::actors::conversation::revise::{list_event, receipt_wire};
use crate::model::{Conversation, Message};
use crate::protocol::{ClientLevel, MessageView, encode_event, encode_view};
use crate::store::{ChangeKind, Store, StoreError};

/// Changes told per conversation; whoever missed more sees them in history.
const CHANGES_MAX: usize = 100;

/// The frames, by conversation, in the order of the changes.
pub(crate) fn frames(store: &dyn Store, wanted: &Wanted, level: ClientLevel) -> Result<Vec<ByteString>, StoreError> {
    let mut frames = Vec::new();
    for (conversation, first_seq) in conversations(store, wanted)? {
        if matches!(conversation, Conversation::Room(..)) {
            continue;
        }
        let changes = store.changes(&conversation, wanted.after, CHANGES_MAX)?;
        if changes.is_empty() {
            continue;
        }
        let builder = ViewBuilder::new(store, &wanted.user, &conversation, first_seq)?;
        for (seq, kind) in changes.into_iter().filter(|(seq, _)| *seq >= first_seq) {
            if let Some(message) = store.message(&conversation, seq)? {
                let view = MessageView { alone: true, ..builder.view(&message)? };
                frames.extend(frame(store, wanted, &message, &view, kind, level)?);
            }
        }
    }
    Ok(frames)
}

fn frame(
    store: &dyn Store,
    wanted: &Wanted,
    message: &Message,
    view: &MessageView,
    kind: ChangeKind,
    level: ClientLevel,
) -> Result<Option<ByteString>, StoreError> {
    let Some(wire) = encode_view(message, view, level) else { return Ok(None) };
    Ok(match kind {
        ChangeKind::Revoked => Some(list_event("messageRevokeReceived", &[wire])),
        ChangeKind::Edited => Some(list_event("messageEdited", &[wire])),
        ChangeKind::Reacted => {
            let notes = store.notes(&message.conversation, message.seq)?;
            let users = reaction_users(notes.into_iter().map(|(note, _)| note));
            let reactions: Vec<_> = users.iter().map(|(reaction, users)| reaction_alone(message, reaction, users, &wanted.user)).collect();
            Some(encode_event("messageReactionsChanged", &json!({"reactions": reactions, "changeInfoList": []})))
        }
        ChangeKind::Pinned => {
            let status = u8::from(view.pinned.is_some());
            let info = format!("{{\"pinStatus\":{status},\"message\":{wire}}}");
            Some(format!("{{\"event\":\"messagePinStatusChanged\",\"data\":{{\"infos\":[{info}]}}}}").into())
        }
        ChangeKind::Confirmed if message.sender == wanted.user => {
            let info = receipt_wire(message, &readers(store, message)?, &wanted.user, false);
            Some(encode_event("messageReceiptChanged", &json!({"infos": [info]})))
        }
        ChangeKind::Confirmed => None,
    })
}
