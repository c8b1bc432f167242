//! Makes a user's list of conversations, or entries of it, of what the store says.

use std::collections::HashMap;

use super::{ConversationList, DisplayInfo, Entry};
use crate::model::{Conversation, Limits, UserId};
use crate::store::{Listed, Store, StoreError, VisiblePart};

/// Reads the whole list: the newest `limits.conversations_max` conversations and those that are pinned.
pub(crate) fn load(store: &dyn Store, me: &UserId, limits: &Limits) -> Result<ConversationList, StoreError> {
    let mut entries = HashMap::new();
    for listed in store.list(me, limits.conversations_max, limits.unread_max)? {
        let (conversation, mut entry) = entry_of(listed);
        entry.known_to_clients = entry.is_listed();
        entries.insert(conversation, entry);
    }
    Ok(ConversationList::new(entries))
}

/// Reads some conversations; none for one in which the user has no part.
pub(crate) fn load_entries(
    store: &dyn Store,
    me: &UserId,
    conversations: Vec<Conversation>,
    limits: &Limits,
) -> Result<Vec<(Conversation, Option<Entry>)>, StoreError> {
    let listed = store.listed(me, &conversations, limits.unread_max)?;
    let entries = listed.into_iter().map(|listed| listed.map(|listed| entry_of(listed).1));
    Ok(conversations.into_iter().zip(entries).collect())
}

fn entry_of(listed: Listed) -> (Conversation, Entry) {
    let Listed { conversation, record, name, avatar_url, first_seq, end_seq, left_ms, tail, unread, mentions } = listed;
    let entry = Entry {
        title: DisplayInfo { name, avatar_url },
        record,
        first_seq,
        end_seq,
        left_ms,
        tail_seq: tail.map_or(0, |tail| tail.seq),
        tail_order_key: tail.map_or(0, |tail| tail.order_key),
        tail_commit: tail.map_or(0, |tail| tail.commit),
        unread,
        mentions: mentions.into(),
        known_to_clients: false,
    };
    (conversation, entry)
}

/// Returns the part of a conversation that a user sees, as its entry says.
pub(crate) fn visible_part(conversation: &Conversation, entry: &Entry) -> VisiblePart {
    VisiblePart {
        conversation: conversation.clone(),
        first_seq: entry.visible_from(),
        end_seq: entry.end_seq,
        deletes: entry.record.deletes,
    }
}
