//! Which users may read a file: those who see a message that carries it, at this moment.

use crate::actors::context::BrokerContext;
use crate::actors::places::Onlooker;
use crate::actors::view::visibility::Visibility;
use crate::model::{Body, Child, Combine, Conversation, FileUid, MediaRecord, Message, Refusal, UserId};
use crate::store::{Store, StoreError};

/// Messages looked at to find one that shows the file to someone. One forwarded more often is found through the newest.
const USES_MAX: usize = 10_000;

/// Returns the record of a file, if a user may read it now.
///
/// # Errors
/// [`Refusal::FileMissing`] whether it is not there or not for this user; [`Refusal::StoreUnavailable`], [`Refusal::Busy`].
pub(crate) async fn file_of(context: &BrokerContext, user: &UserId, file: FileUid) -> Result<MediaRecord, Refusal> {
    let (now_ms, unsent_ms, me) = (context.clock.wall_ms(), context.config().media.unsent_seconds * 1000, context.onlooker(user));
    let found = context.archive.read(move |store| readable(store, &me, file, now_ms, unsent_ms)).await?;
    found.ok_or(Refusal::FileMissing)
}

/// Returns the record of a file, if a user may read it at this time, and so may send it on.
///
/// # Errors
/// Every error of the store.
pub(in crate::actors) fn readable(
    store: &dyn Store,
    onlooker: &Onlooker,
    file: FileUid,
    now_ms: u64,
    unsent_ms: u64,
) -> Result<Option<MediaRecord>, StoreError> {
    let me = &onlooker.user;
    let Some(record) = store.media(file)? else { return Ok(None) };
    let uses = store.media_uses(file, USES_MAX)?;
    if uses.is_empty() {
        return Ok(Some(record).filter(|record| record.owner == *me && record.may_wait(now_ms, unsent_ms)));
    }
    for (conversation, seq) in uses {
        let first_seq = match &conversation {
            Conversation::Peer(one, other) if one == me || other == me => 1,
            // A user who left keeps no access, though its list shows the group.
            Conversation::Group(group) => match store.group_member(group, me)? {
                Some(member) => member.first_seq,
                None => continue,
            },
            Conversation::Room(..) if onlooker.is_inside(&conversation) => 1,
            Conversation::Peer(..) | Conversation::Room(..) => continue,
        };
        let visibility = Visibility::of(store, me, &conversation, first_seq)?;
        let Some(message) = visibility.message(store, me, &conversation, seq)? else { continue };
        if carries(store, &message, file)? {
            return Ok(Some(record));
        }
    }
    Ok(None)
}

/// Returns whether a message shows this file, by itself or inside a combined message.
pub(super) fn carries(store: &dyn Store, message: &Message, file: FileUid) -> Result<bool, StoreError> {
    Ok(match &message.content.body {
        Body::Media(media) => media.file == Some(file),
        Body::Combine(Combine { held: Some(held), .. }) => held.files.contains(&file),
        Body::Combine(_) => {
            let inside = |child: &Child| child.body.files().contains(&file);
            store.children(&message.conversation, message.seq)?.iter().any(inside)
        }
        _ => false,
    })
}
