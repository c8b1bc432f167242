//! Combined messages that are passed on by their `combineID`: as a whole they share what is kept, inside another one they are
//! copied. Our choice: what is passed on stays as it was, whatever happens to the original.

use std::sync::Arc;

use super::carried::Files;
use crate::actors::memory::MemoryShare;
use crate::actors::places::Onlooker;
use crate::actors::runtime::reply::ReadError;
use crate::actors::view::visibility::seen_by;
use crate::model::{Body, Child, Combine, Held, Invalid, Message, Refusal, child_at};
use crate::protocol::CombineRef;
use crate::store::Store;

/// Finds what a combined draft refers to and takes its place: other combined messages, and files.
///
/// # Errors
/// [`Refusal::MessageMissing`], [`Refusal::FileMissing`], [`Refusal::Invalid`] for what is too large; [`Refusal::Busy`] where too
/// much is in memory already.
pub(super) fn resolve(
    store: &dyn Store,
    sender: &Onlooker,
    combine: &mut Combine,
    files: &Files,
    memory: &mut MemoryShare,
) -> Result<(), ReadError> {
    if combine.copied_from.is_empty() {
        let bytes_max = files.limits.combine_bytes_max;
        let bytes = bytes_to_copy(store, sender, combine, bytes_max)?;
        if bytes > bytes_max {
            return Err(Invalid::too_long("message.messageList", bytes, bytes_max).into());
        }
        memory.add(bytes)?;
        copy(store, sender, combine)?;
        resolve_files(store, sender, combine, files)?;
    } else {
        pass_on(store, sender, combine, files, memory)?;
    }
    Ok(combine.validate(&files.limits)?)
}

/// The combined message that a `combineID` names, as its reader may see it.
struct Original {
    message: Arc<Message>,
    place: CombineRef,
}

impl Original {
    fn find(store: &dyn Store, sender: &Onlooker, combine_id: &str) -> Result<Self, ReadError> {
        let place = CombineRef::parse(combine_id)?;
        let message = seen_by(store, sender, &place.conversation, place.seq)?.ok_or(Refusal::MessageMissing)?;
        Ok(Self { message, place })
    }

    fn held(&self) -> Option<&Held> {
        match &self.message.content.body {
            Body::Combine(combine) => combine.held.as_deref(),
            _ => None,
        }
    }

    /// Returns about how many bytes its list has, of which it may be a part.
    fn bytes(&self, store: &dyn Store) -> Result<usize, ReadError> {
        Ok(store.children_bytes(&self.place.conversation, self.place.seq)?)
    }

    fn children(&self, store: &dyn Store) -> Result<Vec<Child>, ReadError> {
        let kept = store.children(&self.place.conversation, self.place.seq)?;
        let found = child_at(kept, &self.place.path).filter(|children| !children.is_empty());
        Ok(found.ok_or(Refusal::MessageMissing)?)
    }
}

/// Makes the draft hold what the named message holds. Only a part of it has to be looked at, and only what was stored before
/// lists could be shared is copied.
fn pass_on(store: &dyn Store, sender: &Onlooker, combine: &mut Combine, files: &Files, memory: &mut MemoryShare) -> Result<(), ReadError> {
    let original = Original::find(store, sender, &combine.copied_from)?;
    combine.copied_from.clear();
    match original.held() {
        Some(held) if original.place.path.is_empty() => combine.held = Some(Box::new(held.clone())),
        held => {
            memory.add(original.bytes(store)?)?;
            let children = original.children(store)?;
            match held {
                Some(held) => {
                    let path = held.path.iter().chain(&original.place.path).copied().collect();
                    combine.held = Some(Box::new(Held::of(held.list, path, &children)));
                }
                None => combine.children = children,
            }
        }
    }
    match &combine.held {
        Some(held) => files.pin_all(store, &held.files),
        None => resolve_files(store, sender, combine, files),
    }
}

/// Returns how many bytes the messages have that are named inside a draft; it looks no further once there are too many.
fn bytes_to_copy(store: &dyn Store, sender: &Onlooker, combine: &Combine, bytes_max: usize) -> Result<usize, ReadError> {
    let mut bytes: usize = 0;
    for child in &combine.children {
        let Body::Combine(nested) = &child.body else { continue };
        if nested.uploaded.is_some() {
            return Err(Invalid::new("message.messageList", "names an upload, which only the outermost message may").into());
        }
        bytes = bytes.saturating_add(if nested.copied_from.is_empty() {
            bytes_to_copy(store, sender, nested, bytes_max)?
        } else {
            Original::find(store, sender, &nested.copied_from)?.bytes(store)?
        });
        if bytes > bytes_max {
            break;
        }
    }
    Ok(bytes)
}

/// Puts copies in the place of the messages that are named inside a draft.
fn copy(store: &dyn Store, sender: &Onlooker, combine: &mut Combine) -> Result<(), ReadError> {
    for child in &mut combine.children {
        let Body::Combine(nested) = &mut child.body else { continue };
        if nested.copied_from.is_empty() {
            copy(store, sender, nested)?;
        } else {
            nested.children = Original::find(store, sender, &nested.copied_from)?.children(store)?;
            nested.copied_from.clear();
        }
    }
    Ok(())
}

/// Replaces what the sender says of files by what is known of them.
fn resolve_files(store: &dyn Store, sender: &Onlooker, combine: &mut Combine, files: &Files) -> Result<(), ReadError> {
    for child in &mut combine.children {
        match &mut child.body {
            Body::Combine(nested) => resolve_files(store, sender, nested, files)?,
            Body::Media(media) => files.resolve(store, sender, media)?,
            _ => {}
        }
    }
    Ok(())
}
