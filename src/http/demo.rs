//! Tokens for the demo page: anyone may be anyone, so only for who holds the key of this start.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::json;

use super::body::{self, BEFORE_LOGIN_BYTES_MAX, Sender};
use super::origin;
use super::problem::problem;
use crate::broker::Broker;
use crate::model::UserId;
use crate::protocol::code_of;

#[derive(Deserialize)]
pub(super) struct TokenRequest {
    #[serde(rename = "userID")]
    user_id: String,
    #[serde(rename = "demoKey", default)]
    demo_key: String,
}

/// What a proxy adds to a request that it passes on. That none is there proves nothing.
const FORWARDED: [&str; 6] = ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"];

/// Says whether this request may ask for demo tokens at all: from a loopback peer without a proxy, and from a page of this very host,
/// which must be loopback by name (so that no DNS name can be pointed here from outside).
fn is_local(request: &HttpRequest) -> bool {
    let text = |name| request.headers().get(name).and_then(|value: &header::HeaderValue| value.to_str().ok()).unwrap_or_default();
    let host = text(header::HOST);
    FORWARDED.iter().all(|name| !request.headers().contains_key(*name))
        && request.peer_addr().is_some_and(|address| address.ip().is_loopback())
        && origin::is_loopback(host)
        && origin::of_host(text(header::ORIGIN), host)
}

/// Answers with a token for the named user, valid for a day by default, and with what the page shows a newcomer by: whether a session of
/// this user is there already, and how many barrages a room passes on. A proxy on this machine makes each of its clients look like
/// one, so the key decides.
pub(super) async fn token(broker: web::Data<Broker>, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let open = broker.tokens.as_ref().zip(broker.demo_key.as_ref()).filter(|_| is_local(&request));
    let Some((tokens, demo_key)) = open else {
        return problem(StatusCode::NOT_FOUND, 1, "demo tokens are not given out here; use `tidings token --user ID`");
    };
    let invalid = |detail: &str| problem(StatusCode::BAD_REQUEST, 6_000_001, detail);
    let call = match body::read(&broker, &request, payload, Sender::Stranger, BEFORE_LOGIN_BYTES_MAX).await {
        Ok(body) => body.bytes,
        Err(refused) => return refused.answer(),
    };
    let call: TokenRequest = match serde_json::from_slice(&call) {
        Ok(call) => call,
        Err(error) => return invalid(&format!("body is not {{\"userID\": …}}: {error}")),
    };
    if !demo_key.is(&call.demo_key) {
        let how = "demoKey is missing or not that of this start: open the link that `tidings serve` printed, or put the key in the file demo-key of \
                   its data directory behind /#demo=";
        return problem(StatusCode::FORBIDDEN, 1, how);
    }
    let user = match UserId::parse("userID", &call.user_id, &broker.config().limits) {
        Ok(user) => user,
        Err(refused) => {
            let refusal = refused.into();
            return problem(StatusCode::BAD_REQUEST, code_of(&refusal), &refusal.to_string());
        }
    };
    match tokens.issue_jwt(&user, broker.config().auth.token_ttl_seconds_default) {
        Ok(token) => HttpResponse::Ok().json(json!({
            "token": token,
            "isOnline": broker.users().online(&user).0,
            "roomBarragesPerSecond": broker.config().shed.room_barrages_per_second,
        })),
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, 1, &error.to_string()),
    }
}
