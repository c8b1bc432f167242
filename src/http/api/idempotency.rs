//! Calls that change something: carried out once per `Idempotency-Key`, and answered again as the first time.

use std::time::Duration;

use actix_web::body::{BoxBody, to_bytes};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::{StatusCode, header};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, HttpRequest, HttpResponse, ResponseError as _};
use bytes::Bytes;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::response::ApiError;
use crate::broker::Broker;
use crate::broker::idempotency::{AnswerBounds, CachedResponse, Earlier, IdempotencyKey, PendingCall};
use crate::http::body::{self, Sender};
use crate::http::problem::problem;

pub(super) const IDEMPOTENCY_KEY: &str = "Idempotency-Key";
pub(super) const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;

/// Reads the body of a call that changes something, and carries the call out unless it was carried out before. `caller`:
/// whose keys are meant.
pub(super) async fn call_once(
    broker: &Broker,
    caller: String,
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let (request, payload) = request.into_parts();
    let body = match read_body(broker, &request, payload).await {
        Ok(body) => body,
        Err(response) => return Ok(ServiceResponse::new(request, *response)),
    };
    let key = match key_of(&request) {
        Ok(Some(key)) => (caller, key),
        Ok(None) => return next.call(ServiceRequest::from_parts(request, Payload::from(body))).await,
        Err(response) => return Ok(ServiceResponse::new(request, *response)),
    };
    let pending = match begin(broker, key.clone(), fingerprint(&request, &body)).await {
        Ok(pending) => pending,
        Err(response) => return Ok(ServiceResponse::new(request, *response)),
    };
    request.extensions_mut().insert(key);
    let response = next.call(ServiceRequest::from_parts(request, Payload::from(body))).await?;
    let (request, response) = response.into_parts();
    let (response, body) = response.into_parts();
    let bytes = to_bytes(body).await.map_err(actix_web::error::ErrorInternalServerError)?;
    keep(broker, pending, &response, &bytes).await;
    Ok(ServiceResponse::new(request, response.set_body(BoxBody::new(bytes))))
}

/// Reads a body of JSON, or an empty one.
///
/// # Errors
/// The answer to one that is too long, not JSON by its type, or does not come to its end.
async fn read_body(broker: &Broker, request: &HttpRequest, payload: Payload) -> Result<Bytes, Box<HttpResponse>> {
    let bytes_max = broker.config().api.body_bytes_max;
    let body = body::read(broker, request, payload, Sender::Known, bytes_max).await.map_err(|refused| Box::new(refused.answer()))?.bytes;
    let is_json = request.content_type().eq_ignore_ascii_case("application/json");
    if !body.is_empty() && !is_json {
        return Err(Box::new(problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, 6_000_001, "the body is not application/json")));
    }
    Ok(body)
}

/// Returns the request's `Idempotency-Key`.
///
/// # Errors
/// The answer to one that is not 1 to 255 visible characters.
fn key_of(request: &HttpRequest) -> Result<Option<String>, Box<HttpResponse>> {
    let Some(given) = request.headers().get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let is_visible = |given: &&str| given.bytes().all(|byte| byte.is_ascii_graphic());
    let fits = |given: &&str| (1..=IDEMPOTENCY_KEY_BYTES_MAX).contains(&given.len());
    match given.to_str().ok().filter(is_visible).filter(fits) {
        Some(key) => Ok(Some(key.to_owned())),
        None => {
            let detail = format!("{IDEMPOTENCY_KEY} is not 1 to {IDEMPOTENCY_KEY_BYTES_MAX} visible characters");
            Err(Box::new(problem(StatusCode::BAD_REQUEST, 6_000_001, &detail)))
        }
    }
}

/// Begins a call.
///
/// # Errors
/// The answer in its place: as the first time, or that it is under way, or that the key belongs to another call.
async fn begin(broker: &Broker, key: IdempotencyKey, fingerprint: [u8; 32]) -> Result<PendingCall<'_>, Box<HttpResponse>> {
    let earlier = match broker.server_api.answers.begin(key, fingerprint, &*broker.context.clock, bounds(broker)).await {
        Ok(Ok(pending)) => return Ok(pending),
        Ok(Err(earlier)) => earlier,
        Err(refusal) => return Err(Box::new(ApiError::from(refusal).error_response())),
    };
    Err(Box::new(match earlier {
        Earlier::Answered(response) => replay(response),
        Earlier::InProgress => {
            let mut response = problem(StatusCode::CONFLICT, 6_000_007, "a call of this Idempotency-Key is under way");
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
            response
        }
        Earlier::Mismatch => problem(StatusCode::UNPROCESSABLE_ENTITY, 6_000_001, "this Idempotency-Key came with another call before"),
    }))
}

/// Returns how many answers are kept, and for how long.
fn bounds(broker: &Broker) -> AnswerBounds {
    let api = &broker.config().api;
    (api.idempotency_keys_max, Duration::from_secs(api.idempotency_seconds))
}

/// Returns whether a call of this key would always end like that: not who is missing today, nor which scopes a key has.
fn stays_true(status: StatusCode) -> bool {
    status.is_success() || matches!(status, StatusCode::BAD_REQUEST | StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY)
}

/// Keeps the response to a call, unless another attempt may end differently.
async fn keep(broker: &Broker, pending: PendingCall<'_>, response: &HttpResponse<()>, body: &Bytes) {
    let status = response.status();
    if !stays_true(status) {
        return;
    }
    let content_type = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if is_secret(response) {
        return pending.keep(not_kept(), &*broker.context.clock, bounds(broker)).await;
    }
    let kept = CachedResponse {
        status: status.as_u16(),
        content_type: content_type.unwrap_or("application/json").to_owned(),
        body: body.to_vec(),
    };
    pending.keep(kept, &*broker.context.clock, bounds(broker)).await;
}

/// Says whether a response holds what nobody but its receiver may have, as a key or a token.
fn is_secret(response: &HttpResponse<()>) -> bool {
    response.headers().get(header::CACHE_CONTROL).is_some_and(|value| value == "no-store")
}

/// Makes what is said in place of a secret that was given once.
fn not_kept() -> CachedResponse {
    let detail = "the call of this Idempotency-Key was carried out; its answer held a secret and is not kept";
    let body = json!({"type": "about:blank", "title": "Conflict", "status": 409, "detail": detail, "code": 6_000_001});
    CachedResponse { status: 409, content_type: "application/problem+json".to_owned(), body: body.to_string().into_bytes() }
}

fn replay(response: CachedResponse) -> HttpResponse {
    let status = StatusCode::from_u16(response.status).unwrap_or(StatusCode::OK);
    HttpResponse::build(status).insert_header(("Idempotent-Replayed", "true")).content_type(response.content_type).body(response.body)
}

/// Returns a hash of everything the call says.
fn fingerprint(request: &HttpRequest, body: &[u8]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in [request.method().as_str().as_bytes(), request.uri().to_string().as_bytes(), body] {
        hasher.update(part.len().to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}
