//! How a call of the server API ends: with JSON, or with a problem.

use std::collections::BTreeMap;
use std::fmt;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use utoipa::openapi::{ContentBuilder, HeaderBuilder, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder, Schema, Type};
use utoipa::{IntoResponses, PartialSchema, ToSchema};

use crate::http::problem::problem;
use crate::model::Refusal;
use crate::protocol::code_of;

/// What every handler returns.
pub(super) type ApiResult = Result<HttpResponse, ApiError>;

/// A call that was not carried out.
#[derive(Debug)]
pub(super) struct ApiError(pub(super) Refusal);

impl<R: Into<Refusal>> From<R> for ApiError {
    fn from(refusal: R) -> Self {
        Self(refusal.into())
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        status_of(&self.0)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = problem(self.status_code(), code_of(&self.0), &self.0.to_string());
        let seconds = match &self.0 {
            Refusal::RateLimited { retry_after_ms } => Some(retry_after_ms.div_ceil(1000)),
            refusal if refusal.is_temporary() => Some(1),
            _ => None,
        };
        if let Some(seconds) = seconds {
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from(seconds));
        }
        response
    }
}

/// Returns the status of a refusal: 400 for what can never be right, 404 for what is not there, 403 for what may not be, 409 for what
/// does not fit the state of things, 429 and 503 for what may pass later.
fn status_of(refusal: &Refusal) -> StatusCode {
    use Refusal as R;
    match refusal {
        R::Invalid(_) | R::Unsupported(_) | R::Attributes { .. } | R::TooManyReceipts { .. } => StatusCode::BAD_REQUEST,
        R::RateLimited { .. } | R::UserQueryLimit(_) => StatusCode::TOO_MANY_REQUESTS,
        R::Busy(_) | R::StoreUnavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        R::UserMissing(_)
        | R::RoomMissing(_)
        | R::GroupMissing(_)
        | R::MessageMissing
        | R::ConversationMissing(_)
        | R::FileMissing
        | R::GroupAttributeMissing(_)
        | R::NotInRoom(_)
        | R::NotInGroup(_)
        | R::NoneInRoom => StatusCode::NOT_FOUND,
        R::Banned(_)
        | R::Muted(_)
        | R::NoAuthority
        | R::Stranger(_)
        | R::NotTheSender
        | R::JoinForbidden(_)
        | R::JoinNeedsApplication(_)
        | R::InviteNeedsConsent(_)
        | R::NoAttributeChanged
        | R::NotLoggedIn => StatusCode::FORBIDDEN,
        R::FileServer(_) => StatusCode::INSUFFICIENT_STORAGE,
        R::FileType(_) | R::FileSize { .. } | R::FilePixels { .. } | R::FileDuration { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        R::TokenInvalid | R::TokenExpired | R::TokenTooShort { .. } | R::TokenTooLong { .. } => StatusCode::UNAUTHORIZED,
        _ => StatusCode::CONFLICT,
    }
}

/// Answers with an object.
pub(super) fn json(value: &impl Serialize) -> ApiResult {
    Ok(HttpResponse::Ok().json(value))
}

/// Answers with what only the caller may have: it is kept nowhere on the way, and not given again.
pub(super) fn secret(value: &impl Serialize) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(value)
}

/// Answers with an empty object.
pub(super) fn done() -> ApiResult {
    json(&serde_json::json!({}))
}

/// Why a call was not carried out. Source: RFC 9457, with the number that clients get, too.
#[derive(Serialize, ToSchema)]
#[allow(dead_code, reason = "describes what `problem` writes")]
pub(super) struct Problem {
    /// Always `about:blank`: the code says more.
    r#type: String,
    /// The status in words.
    title: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What is wrong, with field, value and limit where there are such.
    detail: String,
    /// The number of the reason, as in the wire protocol.
    #[schema(example = 6_000_001)]
    code: u32,
}

/// The problems that any call may end with.
pub(super) struct Problems;

const PROBLEMS: [(&str, &str); 12] = [
    ("400", "Something in the call can never be right; `detail` names it."),
    ("401", "No key, or none of this broker."),
    ("403", "The key lacks the scope, or the user may not do this."),
    ("404", "What is named does not exist, is not kept any more, or is not this user's."),
    ("405", "The path takes other methods; `Allow` names them."),
    ("409", "It does not fit the state of things, or a call of the same Idempotency-Key is under way."),
    ("413", "The body is longer than `api.body_bytes_max`."),
    ("415", "The body is not application/json."),
    ("422", "A file is not what it should be, or the Idempotency-Key came with another call."),
    ("429", "Too many calls; `Retry-After` says when to come again, in seconds."),
    ("503", "Not now; `Retry-After` says when to come again, in seconds."),
    ("507", "There is no room for files."),
];

fn problem_name(status: &str) -> String {
    format!("Problem{status}")
}

impl IntoResponses for Problems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let named = PROBLEMS.iter().map(|(status, _)| ((*status).to_owned(), Ref::from_response_name(problem_name(status)).into()));
        named.collect()
    }
}

/// Makes the problems that [`Problems`] names, for the components.
pub(super) fn problem_responses() -> BTreeMap<String, RefOr<Response>> {
    let header =
        |kind: Type, text: &str| HeaderBuilder::new().schema(Some(ObjectBuilder::new().schema_type(kind))).description(Some(text)).build();
    let responses = PROBLEMS.iter().map(|(status, description)| {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        let response = ResponseBuilder::new().description(*description).content("application/problem+json", content);
        let response = match *status {
            "401" => response.header("WWW-Authenticate", header(Type::String, "Bearer")),
            "405" => response.header("Allow", header(Type::String, "The methods that the path takes.")),
            "429" | "503" => response.header("Retry-After", header(Type::Integer, "Seconds.")),
            _ => response,
        };
        (problem_name(status), RefOr::T(response.build()))
    });
    responses.collect()
}

/// Returns the schema of [`Problem`], for the components.
pub(super) fn problem_schema() -> RefOr<Schema> {
    Problem::schema()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Invalid;

    #[test]
    fn what_may_pass_later_says_when() {
        let refused = ApiError(Refusal::RateLimited { retry_after_ms: 1_001 }).error_response();
        assert_eq!((refused.status().as_u16(), refused.headers().get(header::RETRY_AFTER).unwrap().as_bytes()), (429, b"2".as_slice()));
        let busy = ApiError(Refusal::Busy("busy")).error_response();
        assert_eq!((busy.status().as_u16(), busy.headers().get(header::RETRY_AFTER).unwrap().as_bytes()), (503, b"1".as_slice()));
        let wrong = ApiError(Invalid::new("a", "is b").into()).error_response();
        assert!(wrong.status() == 400 && !wrong.headers().contains_key(header::RETRY_AFTER));
    }
}
