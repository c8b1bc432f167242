//! Who may have a file: whoever sees a message that carries it, at this moment.

use std::sync::Arc;

use crate::actors::context::BrokerContext;
use crate::actors::room::Authorize;
use crate::actors::runtime::reply::answered;
use crate::actors::session::dispatch::ask;
use crate::actors::user::list::load;
use crate::actors::user::list::load::visibility;
use crate::model::{Body, Child, Conversation, FileUid, MediaRecord, Message, Refusal, UserId};
use crate::store::{Store, StoreError};

/// Messages looked at to find one that shows the file to someone. One forwarded more often is found through the newest.
const USES_MAX: usize = 10_000;

/// What the message store knows of the question.
enum Known {
    No,
    Yes(MediaRecord),
    /// Only to those inside one of these.
    Rooms(MediaRecord, Vec<Conversation>),
}

/// The file, if this user may have it now.
///
/// # Errors
/// [`Refusal::FileMissing`] whether it is not there or not for this user.
pub(crate) async fn readable(context: &Arc<BrokerContext>, user: &UserId, file: FileUid) -> Result<MediaRecord, Refusal> {
    let (now_ms, unsent_ms, me) = (context.clock.wall_ms(), context.config().media.unsent_seconds * 1000, user.clone());
    let known = context.archive.read(move |store| look_up(store, &me, file, now_ms, unsent_ms)).await?;
    match known {
        Known::No => Err(Refusal::FileMissing),
        Known::Yes(record) => Ok(record),
        Known::Rooms(record, rooms) => {
            for conversation in rooms {
                let Conversation::Room(room, _) = &conversation else { continue };
                let asked = ask(|reply| context.rooms.tell(context, room, Authorize { user: user.clone(), reply }))?;
                if answered(asked).await.is_ok_and(|(inside, _)| inside == conversation) {
                    return Ok(record);
                }
            }
            Err(Refusal::FileMissing)
        }
    }
}

/// The file, if this user may send it on, by what the store knows: whoever knows of a room may enter it.
pub(in crate::actors) fn sendable(
    store: &dyn Store,
    user: &UserId,
    file: FileUid,
    now_ms: u64,
    unsent_ms: u64,
) -> Result<Option<MediaRecord>, StoreError> {
    Ok(match look_up(store, user, file, now_ms, unsent_ms)? {
        Known::No => None,
        Known::Yes(record) | Known::Rooms(record, _) => Some(record),
    })
}

fn look_up(store: &dyn Store, me: &UserId, file: FileUid, now_ms: u64, unsent_ms: u64) -> Result<Known, StoreError> {
    let Some(record) = store.media(file)? else { return Ok(Known::No) };
    let uses = store.media_uses(file, USES_MAX)?;
    if uses.is_empty() {
        return Ok(if record.owner == *me && record.may_wait(now_ms, unsent_ms) { Known::Yes(record) } else { Known::No });
    }
    let mut rooms: Vec<Conversation> = Vec::new();
    for (conversation, seq) in uses {
        let first_seq = match &conversation {
            Conversation::Peer(one, other) if one == me || other == me => 1,
            Conversation::Peer(..) => continue,
            // Who left keeps no access, though its list shows the group.
            Conversation::Group(group) => match store.group_member(group, me)? {
                Some(member) => member.first_seq,
                None => continue,
            },
            Conversation::Room(..) if rooms.contains(&conversation) => continue,
            Conversation::Room(..) if load::may_read(store, me, &conversation, seq)? => 1,
            Conversation::Room(..) => continue,
        };
        let visibility = visibility(store, me, &conversation, first_seq)?;
        let Some(message) = visibility.message(store, me, &conversation, seq)? else { continue };
        if !carries(store, &message, file)? {
            continue;
        }
        match &conversation {
            Conversation::Room(..) => rooms.push(conversation),
            _ => return Ok(Known::Yes(record)),
        }
    }
    Ok(if rooms.is_empty() { Known::No } else { Known::Rooms(record, rooms) })
}

/// Whether a message shows this file, by itself or inside.
pub(super) fn carries(store: &dyn Store, message: &Message, file: FileUid) -> Result<bool, StoreError> {
    Ok(match &message.body {
        Body::Media(media) => media.file == Some(file),
        Body::Combine(_) => {
            let inside = |child: &Child| child.body.files().contains(&file);
            store.children(&message.conversation, message.seq)?.iter().any(inside)
        }
        _ => false,
    })
}
