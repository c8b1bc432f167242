//! Headers in, refusals out.

use actix_web::http::header::{AsHeaderName, HeaderValue};
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse};

use crate::actors::context::BrokerContext;
use crate::http::problem::problem;
use crate::model::Refusal;
use crate::protocol::code_of;

/// Returns a header's text, if it is one.
pub(super) fn text(request: &HttpRequest, name: impl AsHeaderName) -> Option<&str> {
    request.headers().get(name)?.to_str().ok()
}

/// Makes the answer to a refused request and counts it.
pub(super) fn refusal_response(context: &BrokerContext, refusal: &Refusal) -> HttpResponse {
    context.metrics.refused(code_of(refusal));
    let status = match refusal {
        Refusal::Invalid(_) => StatusCode::BAD_REQUEST,
        Refusal::TokenInvalid | Refusal::TokenTooLong { .. } | Refusal::TokenExpired | Refusal::NotLoggedIn => StatusCode::UNAUTHORIZED,
        Refusal::Banned(_) => StatusCode::FORBIDDEN,
        Refusal::FileMissing => StatusCode::NOT_FOUND,
        Refusal::FileSize { .. } | Refusal::FilePixels { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        Refusal::FileType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Refusal::FileDuration { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        Refusal::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
        Refusal::FileServer(_) => StatusCode::INSUFFICIENT_STORAGE,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    let mut response = problem(status, code_of(refusal), &refusal.to_string());
    let mut add = |name, value| drop(response.headers_mut().insert(name, HeaderValue::from_static(value)));
    match status {
        StatusCode::UNAUTHORIZED => add(header::WWW_AUTHENTICATE, "Bearer"),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => add(header::RETRY_AFTER, "1"),
        _ => {}
    }
    response
}
