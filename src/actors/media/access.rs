//! Which users may read a file: those who see a message that carries it, at this moment.

use crate::actors::context::BrokerContext;
use crate::actors::view::visibility::{Visibility, may_read};
use crate::model::{Body, Child, Conversation, FileUid, MediaRecord, Message, Refusal, UserId};
use crate::store::{Store, StoreError};

/// Messages looked at to find one that shows the file to someone. One forwarded more often is found through the newest.
const USES_MAX: usize = 10_000;

/// Whether a user may read a file, by what the store knows.
pub(crate) enum Readable {
    No,
    Yes(MediaRecord),
    /// Only while it is inside one of these rooms.
    Inside(MediaRecord, Vec<Conversation>),
}

/// Returns whether a user may read a file now.
///
/// # Errors
/// [`Refusal::StoreUnavailable`], [`Refusal::Busy`].
pub(crate) async fn readable(context: &BrokerContext, user: &UserId, file: FileUid) -> Result<Readable, Refusal> {
    let (now_ms, unsent_ms, me) = (context.clock.wall_ms(), context.config().media.unsent_seconds * 1000, user.clone());
    context.archive.read(move |store| look_up(store, &me, file, now_ms, unsent_ms)).await
}

/// Returns the file, if this user may send it on, by what the store knows: a user who knows of a room may enter it.
pub(in crate::actors) fn sendable(
    store: &dyn Store,
    user: &UserId,
    file: FileUid,
    now_ms: u64,
    unsent_ms: u64,
) -> Result<Option<MediaRecord>, StoreError> {
    Ok(match look_up(store, user, file, now_ms, unsent_ms)? {
        Readable::No => None,
        Readable::Yes(record) | Readable::Inside(record, _) => Some(record),
    })
}

fn look_up(store: &dyn Store, me: &UserId, file: FileUid, now_ms: u64, unsent_ms: u64) -> Result<Readable, StoreError> {
    let Some(record) = store.media(file)? else { return Ok(Readable::No) };
    let uses = store.media_uses(file, USES_MAX)?;
    if uses.is_empty() {
        return Ok(if record.owner == *me && record.may_wait(now_ms, unsent_ms) { Readable::Yes(record) } else { Readable::No });
    }
    let mut rooms: Vec<Conversation> = Vec::new();
    for (conversation, seq) in uses {
        let first_seq = match &conversation {
            Conversation::Peer(one, other) if one == me || other == me => 1,
            Conversation::Peer(..) => continue,
            // A user who left keeps no access, though its list shows the group.
            Conversation::Group(group) => match store.group_member(group, me)? {
                Some(member) => member.first_seq,
                None => continue,
            },
            Conversation::Room(..) if rooms.contains(&conversation) => continue,
            Conversation::Room(..) if may_read(store, me, &conversation, seq)? => 1,
            Conversation::Room(..) => continue,
        };
        let visibility = Visibility::of(store, me, &conversation, first_seq)?;
        let Some(message) = visibility.message(store, me, &conversation, seq)? else { continue };
        if !carries(store, &message, file)? {
            continue;
        }
        match &conversation {
            Conversation::Room(..) => rooms.push(conversation),
            _ => return Ok(Readable::Yes(record)),
        }
    }
    Ok(if rooms.is_empty() { Readable::No } else { Readable::Inside(record, rooms) })
}

/// Returns whether a message shows this file, by itself or inside a combined message.
pub(super) fn carries(store: &dyn Store, message: &Message, file: FileUid) -> Result<bool, StoreError> {
    Ok(match &message.content.body {
        Body::Media(media) => media.file == Some(file),
        Body::Combine(_) => {
            let inside = |child: &Child| child.body.files().contains(&file);
            store.children(&message.conversation, message.seq)?.iter().any(inside)
        }
        _ => false,
    })
}
