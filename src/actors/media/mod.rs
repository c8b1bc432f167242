//! Files that messages carry: taken in, handed out, collected. What is done to bytes is `crate::media`'s; here it is decided
//! who may, how much, and for how long.
//!
//! | survives a crash | |
//! |---|---|
//! | a file whose record is in the message store | yes, whole: the record is written after its bytes are durable |
//! | an upload under way | no: its temporary file is deleted at the next start, and its client begins anew |
//! | bytes without a record | no: deleted at the next start |
//!
//! Which messages carry a file is written with each message, in its period, and goes with it. Nothing counts references:
//! who may read a file, and whether it is still needed, is looked up in those rows and in the messages themselves.

pub(crate) mod access;
mod first_frame;
mod sweep;
pub(crate) mod uploads;

pub(crate) use self::sweep::{collect, keep_tidy};
use crate::actors::connection::Connection;
use crate::actors::context::BrokerContext;
use crate::auth::MediaClaims;
use crate::model::UserId;

/// What a session is given for the URLs of files: the token, and for how many seconds it is good.
pub(crate) fn url_token(context: &BrokerContext, user: &UserId, connection: &Connection) -> (String, u64) {
    let now_ms = context.clock.wall_ms();
    let ends_ms = now_ms.saturating_add(context.config().media.token_seconds * 1000).min(connection.token_expires_at());
    let issued_ms = context.media.standing.issue_ms(user, now_ms);
    let claims = MediaClaims { user: user.clone(), session: connection.session.clone(), issued_ms, expires_at_ms: ends_ms };
    (context.media.tokens.issue(&claims), ends_ms.saturating_sub(now_ms) / 1000)
}
