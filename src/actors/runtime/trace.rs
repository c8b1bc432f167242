//! Where the time of a request goes: its span, and below it those of the ways a message takes.
//!
//! ```text
//! request ─ from the frame to its answer: op, session, id, the code of a refusal
//!   ├─ conversation ─ the owner decides: rate, retry, moderator's turn
//!   ├─ archive ─ waits for the archive's turn
//!   ├─ commit ─ until the message is on disk
//!   └─ fan_out ─ until it is in the outboxes of all it is for
//! ```
//! All of the level debug under one target, so that a filter turns them on and off together. No text, no token; whose they
//! are is said by the session's id alone.

use tracing::{Level, Span, span};

use crate::model::{Conversation, SessionId};
use crate::store::Done;

/// What a filter names: `tidings::trace=debug`.
const TARGET: &str = "tidings::trace";

/// One request of a session.
pub(crate) fn request(op: &str, session: &SessionId, id: u64) -> Span {
    span!(target: TARGET, parent: None, Level::DEBUG, "request", op, session.id = %session, request.id = id, code = tracing::field::Empty)
}

/// What the host asks for, a backend's call among it.
pub(crate) fn host() -> Span {
    span!(target: TARGET, Level::DEBUG, "request", op = "host", code = tracing::field::Empty)
}

/// The owner's own part.
pub(crate) fn conversation(request: &Span, conversation: &Conversation) -> Span {
    if request.is_disabled() {
        return Span::none();
    }
    let kind = match conversation {
        Conversation::Peer(..) => "peer",
        Conversation::Room(..) => "room",
        Conversation::Group(..) => "group",
    };
    span!(target: TARGET, parent: request, Level::DEBUG, "conversation", kind)
}

/// Waiting for the archive.
pub(crate) fn archive(request: &Span) -> Span {
    if request.is_disabled() {
        return Span::none();
    }
    span!(target: TARGET, parent: request, Level::DEBUG, "archive")
}

/// From the archive until the outcome is known.
pub(crate) fn commit<T: 'static>(request: &Span, done: Done<T>) -> Done<T> {
    if request.is_disabled() {
        return done;
    }
    let span = span!(target: TARGET, parent: request, Level::DEBUG, "commit");
    Box::new(move |outcome| {
        drop(span);
        done(outcome);
    })
}

/// From the commit until all have it.
pub(crate) fn fan_out(request: &Span) -> Span {
    if request.is_disabled() {
        return Span::none();
    }
    span!(target: TARGET, parent: request, Level::DEBUG, "fan_out")
}
