//! Before every call: who asks, may it, how often, and was it answered before.
//!
//! What a route needs stands in the OpenAPI document and nowhere else: a route that is not in it, or names no scope, is
//! denied.

use std::collections::HashMap;
use std::time::Duration;

use actix_web::body::{BoxBody, to_bytes};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::{Method, StatusCode, header};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, HttpResponse, ResponseError as _, web};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use sha2::{Digest as _, Sha256};

use super::{PREFIX, document};
use crate::auth::Scope;
use crate::broker::Broker;
use crate::broker::server_api::{CachedResponse, Earlier, IdempotencyKey};
use crate::http::audit::note;
use crate::http::bearer;
use crate::http::socket::connection::Connection;
use crate::http::console;
use crate::http::problem::problem;

pub(super) const IDEMPOTENCY_KEY: &str = "Idempotency-Key";
pub(super) const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;

/// What each route needs, by its path below the prefix and its method.
#[derive(Debug, Clone, Default)]
pub(super) struct RouteScopes(HashMap<String, HashMap<Method, Option<Scope>>>);

impl RouteScopes {
    /// As the document says. Nobody may use an operation with a security that is not understood.
    pub(super) fn of_document() -> Self {
        let document = serde_json::to_value(document()).unwrap_or_default();
        let mut scopes: HashMap<String, HashMap<Method, Option<Scope>>> = HashMap::new();
        for (path, operations) in document["paths"].as_object().into_iter().flatten() {
            for (method, operation) in operations.as_object().into_iter().flatten() {
                let Ok(method) = Method::from_bytes(method.to_uppercase().as_bytes()) else { continue };
                let scope = operation["security"][0]["key"][0].as_str();
                let rule = match scope {
                    Some(name) => match Scope::parse(name) {
                        Some(scope) => Some(scope),
                        None => continue,
                    },
                    None if operation["security"][0].as_object().is_some_and(serde_json::Map::is_empty) => None,
                    None => continue,
                };
                scopes.entry(path.trim_start_matches(PREFIX).to_owned()).or_default().insert(method, rule);
            }
        }
        Self(scopes)
    }
}

fn refuse(request: ServiceRequest, response: HttpResponse) -> ServiceResponse<BoxBody> {
    request.into_response(response)
}

fn unauthorized(detail: &str) -> HttpResponse {
    let mut response = problem(StatusCode::UNAUTHORIZED, 6_000_103, detail);
    response.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
    response
}

/// What all consoles share in quotas and Idempotency-Keys; no key can be named so.
const CONSOLE: &str = "#console";

/// Who asks.
struct ApiCaller {
    /// In quotas and Idempotency-Keys.
    name: String,
    /// In the audit log.
    who: String,
    may: bool,
}

/// Who asks, by a key or, without one, by a session of the console, which may do everything.
fn authenticate(broker: &Broker, request: &ServiceRequest, scope: Scope) -> Result<ApiCaller, Box<HttpResponse>> {
    let (ring, clock) = (&broker.server_api.keys, &broker.core.clock);
    let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if given.is_none()
        && let Some(outcome) = console::authenticate(broker, request.request())
    {
        let caller = outcome?;
        let who = caller.who.clone();
        request.extensions_mut().insert(caller);
        return Ok(ApiCaller { name: CONSOLE.to_owned(), who, may: true });
    }
    let key = given.and_then(bearer).and_then(|key| ring.check(key, clock.elapsed(), clock.wall_ms()));
    let caller = key.map(|key| ApiCaller { may: key.may(scope), who: key.name.clone(), name: key.name });
    caller.ok_or_else(|| {
        Box::new(match given {
            _ if ring.is_empty(clock.elapsed()) => {
                unauthorized("the server API is off: there is no key yet; make one with `tidings key new`")
            }
            None => unauthorized("no key: send `Authorization: Bearer KEY`"),
            Some(_) => unauthorized("the key is none of this broker's, or was revoked"),
        })
    })
}

/// What a call was done to: the ids in its path.
fn target_of(request: &ServiceRequest, pattern: &str) -> String {
    let path = request.path().split_once(PREFIX).map_or("", |(_, path)| path);
    let pairs = pattern.split('/').zip(path.split('/'));
    let ids: Vec<&str> = pairs.filter(|(part, _)| part.starts_with('{')).map(|(_, id)| id).collect();
    ids.join(" ")
}

/// Lets a call through, or answers in its place.
pub(super) async fn authorize(
    scopes: web::Data<RouteScopes>,
    broker: web::Data<Broker>,
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let pattern = request.match_pattern().and_then(|pattern| Some(pattern.split_once(PREFIX)?.1.to_owned()));
    let Some((pattern, methods)) = pattern.and_then(|pattern| scopes.0.get_key_value(&pattern)) else {
        return Ok(refuse(request, problem(StatusCode::NOT_FOUND, 6_000_001, "the server API has no such path; see openapi.json")));
    };
    let Some(rule) = methods.get(request.method()) else {
        let mut allowed: Vec<&str> = methods.keys().map(Method::as_str).collect();
        allowed.sort_unstable();
        let mut response = problem(StatusCode::METHOD_NOT_ALLOWED, 6_000_001, "the path takes other methods");
        if let Ok(value) = header::HeaderValue::from_str(&allowed.join(", ")) {
            response.headers_mut().insert(header::ALLOW, value);
        }
        return Ok(refuse(request, response));
    };
    let Some(scope) = rule else { return next.call(request).await };
    let caller = match authenticate(&broker, &request, *scope) {
        Ok(caller) => caller,
        Err(response) => return Ok(refuse(request, *response)),
    };
    if let Some(connection) = request.conn_data::<Connection>() {
        connection.mark_authenticated();
    }
    if !caller.may {
        let detail = format!("the key {} lacks the scope {scope}", caller.name);
        return Ok(refuse(request, problem(StatusCode::FORBIDDEN, 6_000_541, &detail)));
    }
    if let Err(retry) = broker.server_api.calls.check(&caller.name) {
        let detail = format!("{} calls more often than api.requests_per_second, retry after {} ms", caller.name, retry.ms);
        let mut response = problem(StatusCode::TOO_MANY_REQUESTS, 6_000_005, &detail);
        response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from(retry.ms.div_ceil(1000)));
        return Ok(refuse(request, response));
    }
    if request.method() == Method::GET {
        return next.call(request).await;
    }
    let action = format!("{} {}", request.method(), pattern);
    let target = target_of(&request, pattern);
    let response = call_once(&broker, caller.name, request, next).await?;
    note(&broker, &caller.who, &action, &target, response.status());
    Ok(response)
}

/// A call that changes something: its body is read here, so that a repetition can be recognised.
async fn call_once(broker: &Broker, name: String, request: ServiceRequest, next: Next<BoxBody>) -> Result<ServiceResponse<BoxBody>, Error> {
    let (request, mut payload) = request.into_parts();
    let mut body = BytesMut::new();
    let bytes_max = broker.config().api.body_bytes_max;
    while let Some(part) = payload.next().await {
        let part = match part {
            Ok(part) => part,
            Err(error) => return Ok(ServiceResponse::new(request, error.error_response())),
        };
        if body.len() + part.len() > bytes_max {
            let detail = format!("body is longer than {bytes_max} bytes");
            return Ok(ServiceResponse::new(request, problem(StatusCode::PAYLOAD_TOO_LARGE, 6_000_001, &detail)));
        }
        body.extend_from_slice(&part);
    }
    let body = body.freeze();
    let is_json = request.content_type().eq_ignore_ascii_case("application/json");
    if !body.is_empty() && !is_json {
        let response = problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, 6_000_001, "the body is not application/json");
        return Ok(ServiceResponse::new(request, response));
    }
    let Some(given) = request.headers().get(IDEMPOTENCY_KEY).cloned() else {
        return next.call(ServiceRequest::from_parts(request, Payload::from(body))).await;
    };
    let is_visible = |given: &&str| given.bytes().all(|byte| byte.is_ascii_graphic());
    let fits = |given: &&str| (1..=IDEMPOTENCY_KEY_BYTES_MAX).contains(&given.len());
    let given = given.to_str().ok().filter(is_visible).filter(fits).map(ToOwned::to_owned);
    let Some(given) = given else {
        let detail = format!("{IDEMPOTENCY_KEY} is not 1 to {IDEMPOTENCY_KEY_BYTES_MAX} visible characters");
        return Ok(ServiceResponse::new(request, problem(StatusCode::BAD_REQUEST, 6_000_001, &detail)));
    };
    let call: IdempotencyKey = (name, given);
    let fingerprint = fingerprint(&request, &body);
    let api = &broker.config().api;
    let bounds = (api.idempotency_keys_max, Duration::from_secs(api.idempotency_seconds));
    match broker.server_api.idempotency.begin(&call, fingerprint, broker.core.clock.elapsed(), bounds) {
        Earlier::None => {}
        Earlier::Answered(answer) => return Ok(ServiceResponse::new(request, replay(answer))),
        Earlier::InProgress => {
            let mut response = problem(StatusCode::CONFLICT, 6_000_007, "a call of this Idempotency-Key is under way");
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
            return Ok(ServiceResponse::new(request, response));
        }
        Earlier::Mismatch => {
            let response = problem(StatusCode::UNPROCESSABLE_ENTITY, 6_000_001, "this Idempotency-Key came with another call before");
            return Ok(ServiceResponse::new(request, response));
        }
    }
    request.extensions_mut().insert(call.clone());
    // Dropped with the connection, the call may have been carried out or not: the next of its kind finds out.
    let pending = PendingCall { broker, call: Some(call) };
    let response = next.call(ServiceRequest::from_parts(request, Payload::from(body))).await?;
    let (request, response) = response.into_parts();
    let (response, body) = response.into_parts();
    let bytes = to_bytes(body).await.map_err(actix_web::error::ErrorInternalServerError)?;
    pending.end(&response, &bytes);
    Ok(ServiceResponse::new(request, response.set_body(BoxBody::new(bytes))))
}

struct PendingCall<'a> {
    broker: &'a Broker,
    call: Option<IdempotencyKey>,
}

impl PendingCall<'_> {
    fn end(mut self, response: &HttpResponse<()>, body: &Bytes) {
        let Some(call) = self.call.take() else { return };
        let status = response.status();
        let is_final = !status.is_server_error() && status != StatusCode::TOO_MANY_REQUESTS;
        let content_type = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let answer = is_final.then(|| CachedResponse {
            status: status.as_u16(),
            content_type: content_type.unwrap_or("application/json").to_owned(),
            body: body.to_vec(),
        });
        self.broker.server_api.idempotency.end(&call, answer);
    }
}

impl Drop for PendingCall<'_> {
    fn drop(&mut self) {
        if let Some(call) = self.call.take() {
            self.broker.server_api.idempotency.end(&call, None);
        }
    }
}

fn replay(answer: CachedResponse) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    HttpResponse::build(status).insert_header(("Idempotent-Replayed", "true")).content_type(answer.content_type).body(answer.body)
}

fn fingerprint(request: &actix_web::HttpRequest, body: &[u8]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in [request.method().as_str().as_bytes(), request.uri().to_string().as_bytes(), body] {
        hasher.update(part.len().to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}
