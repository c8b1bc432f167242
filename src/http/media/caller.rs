//! Who asks, by the token that comes with the request.

use actix_web::HttpRequest;
use actix_web::http::header;

use crate::broker::Broker;
use crate::http::bearer::bearer;
use crate::http::socket::tracked::TrackedSocket;
use crate::model::{Refusal, UserId};

/// Returns the user of `Authorization: Bearer`: a user's token, or the one that the session was given for files.
///
/// # Errors
/// [`Refusal::NotLoggedIn`] without one, [`Refusal::TokenInvalid`], [`Refusal::TokenExpired`].
pub(super) fn of_header(broker: &Broker, request: &HttpRequest) -> Result<UserId, Refusal> {
    let given = request.headers().get(header::AUTHORIZATION).ok_or(Refusal::NotLoggedIn)?;
    let token = given.to_str().ok().and_then(bearer).ok_or(Refusal::TokenInvalid)?;
    let limits = &broker.config().limits;
    let of_files = broker.context.media.tokens.identify(token, limits);
    let claims = match (of_files, &broker.tokens) {
        // Not one of ours for files: perhaps one of the user's.
        (Err(Refusal::TokenInvalid), Some(tokens)) => tokens.identify(token, limits)?,
        (outcome, _) => outcome?,
    };
    mark_authenticated(request);
    Ok(claims.user)
}

/// Returns the user of the URL's `token`, or of the header where there is none.
///
/// # Errors
/// As [`of_header`].
pub(super) fn of_url(broker: &Broker, request: &HttpRequest, token: Option<&str>) -> Result<UserId, Refusal> {
    let Some(token) = token else { return of_header(broker, request) };
    let claims = broker.context.media.tokens.identify(token, &broker.config().limits)?;
    mark_authenticated(request);
    Ok(claims.user)
}

fn mark_authenticated(request: &HttpRequest) {
    if let Some(connection) = request.conn_data::<TrackedSocket>() {
        connection.mark_authenticated();
    }
}
