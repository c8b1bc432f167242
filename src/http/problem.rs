//! Errors over HTTP: `application/problem+json` with the vendor's number. Source: RFC 9457.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde_json::json;

/// Makes a problem of a status, a number and words.
pub(super) fn problem(status: StatusCode, code: u32, detail: &str) -> HttpResponse {
    let body = json!({
        "type": "about:blank", "title": status.canonical_reason().unwrap_or("error"), "status": status.as_u16(), "detail": detail, "code": code,
    });
    HttpResponse::build(status).content_type("application/problem+json").body(body.to_string())
}
