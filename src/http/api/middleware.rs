//! Before every call: who asks, may it, and how often. Calls that change something go on through
//! [`idempotency`](super::idempotency).
//!
//! What a route needs stands in the OpenAPI document and nowhere else: a route that is not in it, or names no scope, is
//! denied.

use std::collections::HashMap;

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{Method, StatusCode, header};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, HttpResponse, web};
use serde_json::Value;

use super::caller::{AuditTarget, CallerRights};
use super::document::{PREFIX, document};
use super::idempotency::call_once;
use crate::auth::Scope;
use crate::broker::Broker;
use crate::http::audit::note;
use crate::http::bearer::bearer;
use crate::http::console;
use crate::http::head::without_content;
use crate::http::private;
use crate::http::problem::problem;
use crate::http::socket::tracked::TrackedSocket;

/// The scope that each method of a path needs; `None`: open to everyone to whom it is shown.
type Methods = HashMap<Method, Option<Scope>>;

/// What each route needs, by its path below the prefix and its method.
#[derive(Debug, Clone, Default)]
pub(super) struct RouteScopes(HashMap<String, Methods>);

impl RouteScopes {
    /// Reads the scopes from the document. Nobody may use an operation with a security that is not understood.
    pub(super) fn of_document() -> Self {
        let document = serde_json::to_value(document()).unwrap_or_default();
        let mut scopes: HashMap<String, Methods> = HashMap::new();
        for (path, operations) in document["paths"].as_object().into_iter().flatten() {
            let path = path.trim_start_matches(PREFIX);
            for (method, operation) in operations.as_object().into_iter().flatten() {
                let method = Method::from_bytes(method.to_uppercase().as_bytes()).ok();
                if let (Some(method), Some(scope)) = (method, scope_of(&operation["security"][0])) {
                    scopes.entry(path.to_owned()).or_default().insert(method, scope);
                }
            }
        }
        Self(scopes)
    }

    /// Returns the pattern of the request's path and the scope it needs.
    ///
    /// # Errors
    /// The answer to a path or method that is not in the document.
    fn find(&self, request: &ServiceRequest) -> Result<(&str, Option<Scope>), Box<HttpResponse>> {
        let pattern = request.match_pattern().and_then(|pattern| Some(pattern.split_once(PREFIX)?.1.to_owned()));
        let Some((pattern, methods)) = pattern.and_then(|pattern| self.0.get_key_value(&pattern)) else {
            return Err(Box::new(problem(StatusCode::NOT_FOUND, 6_000_001, "the server API has no such path; see openapi.json")));
        };
        match methods.get(request.method()) {
            Some(scope) => Ok((pattern, *scope)),
            None => Err(Box::new(other_methods(methods))),
        }
    }
}

/// Returns the scope that a security requirement names, `Some(None)` for one that asks for nothing.
fn scope_of(security: &Value) -> Option<Option<Scope>> {
    match security["key"][0].as_str() {
        Some(name) => Scope::parse(name).map(Some),
        None => security.as_object().is_some_and(serde_json::Map::is_empty).then_some(None),
    }
}

fn other_methods(methods: &Methods) -> HttpResponse {
    let mut allowed: Vec<&str> = methods.keys().map(Method::as_str).collect();
    allowed.sort_unstable();
    let mut response = problem(StatusCode::METHOD_NOT_ALLOWED, 6_000_001, "the path takes other methods");
    if let Ok(value) = header::HeaderValue::from_str(&allowed.join(", ")) {
        response.headers_mut().insert(header::ALLOW, value);
    }
    response
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
    /// Its name in quotas and Idempotency-Keys.
    name: String,
    /// Its name in the audit log.
    who: String,
    rights: CallerRights,
}

/// Finds out who asks: by a key or, without one, by a session of the console, which has every scope.
///
/// # Errors
/// The answer to a caller who is not known, or may not write.
fn authenticate(broker: &Broker, request: &ServiceRequest) -> Result<ApiCaller, Box<HttpResponse>> {
    let (ring, clock) = (&broker.server_api.keys, &broker.context.clock);
    let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if given.is_none()
        && let Some(outcome) = console::authenticate(broker, request.request())
    {
        let caller = outcome?;
        let who = caller.who.clone();
        request.extensions_mut().insert(caller);
        return Ok(ApiCaller { name: CONSOLE.to_owned(), who, rights: CallerRights::of_operator() });
    }
    let key = given.and_then(bearer).and_then(|key| ring.check(key, clock.elapsed(), clock.wall_ms()));
    let caller = key.map(|key| ApiCaller { rights: CallerRights::of_key(&key), who: key.name.clone(), name: key.name });
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

/// Lets a caller make this call now.
///
/// # Errors
/// The answer to one that may not.
fn admit(broker: &Broker, request: &ServiceRequest, caller: &ApiCaller, scope: Scope) -> Result<(), Box<HttpResponse>> {
    if let Some(connection) = request.conn_data::<TrackedSocket>() {
        connection.mark_authenticated();
    }
    if !caller.rights.may(scope) {
        let detail = format!("the key {} lacks the scope {scope}", caller.name);
        return Err(Box::new(problem(StatusCode::FORBIDDEN, 6_000_541, &detail)));
    }
    if let Err(retry) = broker.server_api.charge_call(&broker.context, &caller.name) {
        let detail = format!("{} calls more often than api.requests_per_second, retry after {} ms", caller.name, retry.ms);
        let mut response = problem(StatusCode::TOO_MANY_REQUESTS, 6_000_005, &detail);
        response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from(retry.ms.div_ceil(1000)));
        return Err(Box::new(response));
    }
    Ok(())
}

/// Returns what a call was done to: the ids in its path, with spaces between.
fn target_of(request: &ServiceRequest, pattern: &str) -> String {
    let path = request.path().split_once(PREFIX).map_or("", |(_, path)| path);
    let pairs = pattern.split('/').zip(path.split('/'));
    let ids: Vec<&str> = pairs.filter(|(part, _)| part.starts_with('{')).map(|(_, id)| id).collect();
    ids.join(" ")
}

/// Lets a call through, or answers in its place. Notes in the audit log what changes something, and who reads what is not for everyone.
pub(super) async fn authorize(
    scopes: web::Data<RouteScopes>,
    broker: web::Data<Broker>,
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let is_head = request.method() == Method::HEAD;
    if is_head {
        request.head_mut().method = Method::GET;
    }
    let response = carry_out(&scopes, &broker, request, next).await?;
    Ok(if is_head { response.map_body(|_, body| without_content(&body)) } else { response })
}

/// Admits a call and carries it out.
async fn carry_out(
    scopes: &RouteScopes,
    broker: &web::Data<Broker>,
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let (pattern, scope) = match scopes.find(&request) {
        Ok((pattern, Some(scope))) => (pattern, scope),
        Ok((_, None)) if private::is_shown(broker, request.request()) => return next.call(request).await,
        Ok((_, None)) => return Ok(request.into_response(private::not_here())),
        Err(response) => return Ok(request.into_response(*response)),
    };
    let caller = match authenticate(broker, &request) {
        Ok(caller) => caller,
        Err(response) => return Ok(request.into_response(*response)),
    };
    let action = format!("{} {}", request.method(), pattern);
    let target = target_of(&request, pattern);
    let is_read = request.method() == Method::GET;
    if let Err(response) = admit(broker, &request, &caller, scope) {
        // Whoever calls too often must not fill the log.
        if (!is_read || scope.is_noted()) && response.status() == StatusCode::FORBIDDEN {
            note(broker, &caller.who, &action, &target, response.status());
        }
        return Ok(request.into_response(*response));
    }
    request.extensions_mut().insert(caller.rights);
    let response = if is_read { next.call(request).await? } else { call_once(broker, caller.name, request, next).await? };
    let named = response.request().extensions_mut().remove::<AuditTarget>();
    if !is_read || scope.is_noted() || named.is_some() {
        let target = named.map_or(target, |AuditTarget(named)| named);
        note(broker, &caller.who, &action, &target, response.status());
    }
    Ok(response)
}
