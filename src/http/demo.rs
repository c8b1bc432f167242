//! Tokens for the demo page: anyone may be anyone, so only where nobody else can ask.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::json;

use super::origin;
use super::problem::problem;
use crate::auth::SecretSource;
use crate::broker::Broker;
use crate::model::UserId;
use crate::protocol::code_of;

#[derive(Deserialize)]
pub(super) struct TokenRequest {
    #[serde(rename = "userID")]
    user_id: String,
}

/// Says whether demo tokens are given out to this request: a generated secret, a loopback peer, and a page of this very
/// host, which must be loopback by name (so that no DNS name can be pointed here from outside).
fn is_open_to(broker: &Broker, request: &HttpRequest) -> bool {
    let text = |name| request.headers().get(name).and_then(|value: &header::HeaderValue| value.to_str().ok()).unwrap_or_default();
    let host = text(header::HOST);
    broker.secret == SecretSource::Generated
        && request.peer_addr().is_some_and(|address| address.ip().is_loopback())
        && origin::is_loopback(host)
        && origin::of_host(text(header::ORIGIN), host)
}

/// Answers with a token for the named user, valid for a day by default.
pub(super) async fn token(broker: web::Data<Broker>, request: HttpRequest, call: web::Bytes) -> HttpResponse {
    let Some(tokens) = broker.tokens.as_ref().filter(|_| is_open_to(&broker, &request)) else {
        return problem(StatusCode::NOT_FOUND, 1, "demo tokens are not given out here; use `tidings token --user ID`");
    };
    let invalid = |detail: &str| problem(StatusCode::BAD_REQUEST, 6_000_001, detail);
    let call: TokenRequest = match serde_json::from_slice(&call) {
        Ok(call) => call,
        Err(error) => return invalid(&format!("body is not {{\"userID\": …}}: {error}")),
    };
    match UserId::parse("userID", &call.user_id, &broker.config().limits) {
        Ok(user) => HttpResponse::Ok().json(json!({"token": tokens.issue_jwt(&user, broker.config().auth.token_ttl_seconds_default)})),
        Err(refused) => {
            let refusal = refused.into();
            problem(StatusCode::BAD_REQUEST, code_of(&refusal), &refusal.to_string())
        }
    }
}
