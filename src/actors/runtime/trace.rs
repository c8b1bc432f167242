//! Spans that show where the time of a request goes: one for the request, and below it one for each step a message
//! takes.
//!
//! ```text
//! request ─ from the frame to its answer: op, session, id, the code of a refusal
//!   ├─ conversation ─ its actor decides: rate, retry, moderator's turn
//!   ├─ archive ─ waits for the archive's turn
//!   ├─ commit ─ until the message is on disk
//!   └─ fan_out ─ until it is in the outboxes of all it is for
//! ```
//! All are of level debug under one target, so that a filter turns them on and off together. They carry no text and no
//! token; the session's id alone says whose they are.

use tracing::{Level, Span, span};

use crate::actors::connection::Connection;
use crate::model::Conversation;
use crate::store::Done;

/// The target that a filter names: `tidings::trace=debug`.
const TARGET: &str = "tidings::trace";

/// Opens the span of one request of a session.
pub(crate) fn request(op: &str, connection: &Connection, id: u64) -> Span {
    span!(target: TARGET, parent: None, Level::DEBUG, "request", op, session.id = %connection.session, request.id = id, code = tracing::field::Empty)
}

/// Opens the span of an operation of the host, or of the server API.
pub(crate) fn host() -> Span {
    span!(target: TARGET, Level::DEBUG, "request", op = "host", code = tracing::field::Empty)
}

/// Opens the span of the conversation's own part.
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

/// Opens the span of waiting for the archive.
pub(crate) fn archive(request: &Span) -> Span {
    if request.is_disabled() {
        return Span::none();
    }
    span!(target: TARGET, parent: request, Level::DEBUG, "archive")
}

/// Opens the span from the archive until the outcome is known, and ends it with `done`.
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

/// Opens the span from the commit until the message is in every outbox.
pub(crate) fn fan_out(request: &Span) -> Span {
    if request.is_disabled() {
        return Span::none();
    }
    span!(target: TARGET, parent: request, Level::DEBUG, "fan_out")
}
