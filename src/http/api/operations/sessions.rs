//! Sessions of all users.

use actix_web::http::StatusCode;
use actix_web::{get, post, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::http::api::input::{BrokerHandle, PageQuery, encode_cursor, number_cursor};
use crate::http::api::response::{ApiResult, Problems, done, json};
use crate::http::api::schemas::Session;
use crate::http::problem::problem;

/// A page of sessions.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sessions {
    session_list: Vec<Session>,
    /// Where the next page begins; not there at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next_cursor: Option<String>,
}

/// Every session that is logged in, in the order of their beginning.
#[utoipa::path(tag = "operations", security(("key" = ["ops:read"])), params(PageQuery),
    responses((status = 200, description = "A page.", body = Sessions), Problems))]
#[get("/sessions")]
pub(in crate::http::api) async fn list_sessions(BrokerHandle(broker): BrokerHandle, page: web::Query<PageQuery>) -> ApiResult {
    let (limit, now_ms) = (page.limit(&broker, usize::MAX)?, broker.context.clock.wall_ms());
    let skip = usize::try_from(number_cursor(page.cursor()?)?.unwrap_or(0)).unwrap_or(usize::MAX);
    let all = broker.users().sessions(None);
    let some: Vec<Session> = all.iter().skip(skip).take(limit).map(|session| Session::of(session, now_ms)).collect();
    let reached = skip.saturating_add(some.len());
    let next_cursor = (reached < all.len()).then(|| encode_cursor(&reached.to_string()));
    json(&Sessions { session_list: some, next_cursor })
}

/// `{sessionID}`
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct SessionPath {
    /// The session.
    #[serde(rename = "sessionID")]
    #[param(min_length = 1)]
    session_id: String,
}

/// Ends one session; it does not come back by itself.
#[utoipa::path(tag = "operations", security(("key" = ["ops:write"])), params(SessionPath),
    responses((status = 200, description = "It is ending.", body = std::collections::BTreeMap<String, serde_json::Value>), Problems))]
#[post("/sessions/{sessionID}/kick")]
pub(in crate::http::api) async fn kick_session(BrokerHandle(broker): BrokerHandle, path: web::Path<SessionPath>) -> ApiResult {
    let users = broker.users();
    let session = users.sessions(None).into_iter().find(|session| session.session.as_str() == path.session_id);
    let Some(session) = session else {
        return Ok(problem(StatusCode::NOT_FOUND, 6_000_001, &format!("there is no session {}", path.session_id)));
    };
    users.kick(&session.user, Some(&session.session)).await?;
    done()
}
