//! Keys of the server API, made and revoked from outside.
//!
//! A key hands on what it has and no more: whom it makes may not do what it may not, and not for longer.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, delete, get, post, web};
use serde::{Deserialize, Serialize};
use utoipa::openapi::{Array, ArrayBuilder, ObjectBuilder, Type};
use utoipa::{IntoParams, ToSchema};

use crate::auth::{ApiKey, ApiKeyError, ApiKeyFile, ROTATION_GRACE_SECONDS, Scope};
use crate::broker::Broker;
use crate::http::api::caller::{AuditTarget, CallerRights};
use crate::http::api::input::{Body, BrokerHandle};
use crate::http::api::response::{ApiResult, Problems, json, secret};
use crate::http::problem::problem;
use crate::model::{Invalid, Refusal};

/// The longest time a key may be made for, seconds: ten years.
const TTL_SECONDS_MAX: u64 = 315_360_000;

/// For how long a key that was renewed goes on to work at most, seconds: a year.
const GRACE_SECONDS_MAX: u64 = 31_536_000;

/// `{name}`
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(in crate::http::api) struct KeyPath {
    /// What the key is called: 1 to 64 of letters, digits, `_`, `-` and `.`.
    #[param(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_.-]+$")]
    name: String,
}

/// A key to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::http::api) struct NewKey {
    /// What it is called: 1 to 64 of letters, digits, `_`, `-` and `.`.
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_.-]+$", example = "shop")]
    name: String,
    /// What it may be used for; `*` is everything. None that the caller lacks.
    #[schema(schema_with = scopes_schema)]
    scopes: Vec<Scope>,
    /// For how long it works, seconds; left out: until it is revoked, or as long as the caller's own key.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 315_360_000)]
    ttl_seconds: Option<u64>,
}

/// What is known of a key; the key itself is kept by nobody here.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http::api) struct KeyInfo {
    /// What it is called. While a key is rotated, two have one name.
    name: String,
    /// What it may be used for.
    #[schema(schema_with = scopes_schema)]
    scopes: Vec<Scope>,
    /// When it was made, Unix milliseconds.
    create_time: u64,
    /// Until when it works, Unix milliseconds; 0: until it is revoked.
    expire_time: u64,
}

impl From<ApiKey> for KeyInfo {
    fn from(key: ApiKey) -> Self {
        Self { name: key.name, scopes: key.scopes, create_time: key.created_ms, expire_time: key.expires_ms }
    }
}

/// The keys.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http::api) struct Keys {
    key_list: Vec<KeyInfo>,
}

/// A key that was made.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http::api) struct MadeKey {
    /// The key: shown this once, and kept as a hash.
    #[schema(pattern = "^tdk_[A-Za-z0-9_-]+$")]
    key: String,
    /// Until when it works, Unix milliseconds; 0: until it is revoked.
    expire_time: u64,
}

/// How a key is renewed.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::http::api) struct Rotation {
    /// For how long the key before goes on to work, seconds; left out: an hour.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 31_536_000)]
    grace_seconds: Option<u64>,
}

/// How many keys ended.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http::api) struct KeysRevoked {
    /// Keys of that name there were.
    key_count: usize,
}

fn scopes_schema() -> Array {
    let names = Scope::ALL.map(Scope::as_str);
    let scope = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names));
    ArrayBuilder::new().items(scope).min_items(Some(1)).max_items(Some(names.len())).build()
}

/// Every key there is, in the order of their names; those that ended too, until their name is taken again.
#[utoipa::path(tag = "operations", security(("key" = ["keys:read"])),
    responses((status = 200, description = "All of them.", body = Keys), Problems))]
#[get("/keys")]
pub(in crate::http::api) async fn list_keys(BrokerHandle(broker): BrokerHandle) -> ApiResult {
    let mut keys = match on_file(&broker, ApiKeyFile::list).await? {
        Ok(keys) => keys,
        Err(error) => return Ok(not_done(&error)),
    };
    keys.sort_by(|one, other| (&one.name, one.created_ms).cmp(&(&other.name, other.created_ms)));
    json(&Keys { key_list: keys.into_iter().map(KeyInfo::from).collect() })
}

/// Makes a key. It is shown this once: an Idempotency-Key does not bring it back.
#[utoipa::path(tag = "operations", request_body = NewKey, security(("key" = ["keys:write"])),
    responses((status = 200, description = "The key.", body = MadeKey), Problems))]
#[post("/keys")]
pub(in crate::http::api) async fn make_key(
    request: HttpRequest,
    rights: web::ReqData<CallerRights>,
    BrokerHandle(broker): BrokerHandle,
    Body(call): Body<NewKey>,
) -> ApiResult {
    let NewKey { name, mut scopes, ttl_seconds } = call;
    request
        .extensions_mut()
        .insert(AuditTarget(format!("{name} {}", scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(","))));
    if scopes.is_empty() || scopes.len() > Scope::ALL.len() {
        return Err(Invalid::new("scopes", format!("has {} entries, the range is 1 to {}", scopes.len(), Scope::ALL.len())).into());
    }
    scopes.sort_unstable();
    scopes.dedup();
    ttl_seconds.map_or(Ok(()), |seconds| check_seconds("ttlSeconds", seconds, 1, TTL_SECONDS_MAX))?;
    if let Some(scope) = scopes.iter().find(|scope| !rights.may(**scope)) {
        return Ok(not_allowed(&format!("scopes has {scope}, which the caller's own key lacks")));
    }
    let now_ms = broker.context.clock.wall_ms();
    let expires_ms = match (ttl_seconds.map(|seconds| now_ms.saturating_add(seconds.saturating_mul(1_000))), rights.expires_ms) {
        (None, callers) => callers,
        (Some(ends), callers) if callers != 0 && ends > callers => {
            return Ok(not_allowed(&format!(
                "ttlSeconds ends after the caller's own key, which ends in {} s",
                callers.saturating_sub(now_ms) / 1_000
            )));
        }
        (Some(ends), _) => ends,
    };
    match on_file(&broker, move |file| file.make(&name, scopes.clone(), now_ms, expires_ms)).await? {
        Ok(key) => Ok(secret(&MadeKey { key, expire_time: expires_ms })),
        Err(error) => Ok(not_done(&error)),
    }
}

/// Makes a new key of the same name, with the same scopes and the same end. The one before goes on to work for a while. None that has a
/// scope which the caller lacks, or that ends after the caller's own.
#[utoipa::path(tag = "operations", request_body = Rotation, security(("key" = ["keys:write"])), params(KeyPath),
    responses((status = 200, description = "The new key.", body = MadeKey), Problems))]
#[post("/keys/{name}/rotate")]
pub(in crate::http::api) async fn rotate_key(
    rights: web::ReqData<CallerRights>,
    BrokerHandle(broker): BrokerHandle,
    path: web::Path<KeyPath>,
    Body(call): Body<Rotation>,
) -> ApiResult {
    let (name, rights) = (path.into_inner().name, rights.into_inner());
    let grace = call.grace_seconds.unwrap_or(ROTATION_GRACE_SECONDS);
    check_seconds("graceSeconds", grace, 0, GRACE_SECONDS_MAX)?;
    let now_ms = broker.context.clock.wall_ms();
    let may_renew = move |key: &ApiKey| {
        let ends_in_time = rights.expires_ms == 0 || (key.expires_ms != 0 && key.expires_ms <= rights.expires_ms);
        ends_in_time && rights.may_all_of(key)
    };
    match on_file(&broker, move |file| file.rotate_if(&name, now_ms, Duration::from_secs(grace), may_renew)).await? {
        Ok(Some((key, expire_time))) => {
            broker.server_api.keys.forget();
            Ok(secret(&MadeKey { key, expire_time }))
        }
        Ok(None) => Ok(not_allowed("the key has scopes that the caller's own key lacks, or ends after it")),
        Err(error) => Ok(not_done(&error)),
    }
}

/// Ends every key of a name: at once for this broker, within a second for those that share its store. None that has a scope
/// which the caller lacks.
#[utoipa::path(tag = "operations", security(("key" = ["keys:write"])), params(KeyPath),
    responses((status = 200, description = "How many there were.", body = KeysRevoked), Problems))]
#[delete("/keys/{name}")]
pub(in crate::http::api) async fn revoke_key(
    rights: web::ReqData<CallerRights>,
    BrokerHandle(broker): BrokerHandle,
    path: web::Path<KeyPath>,
) -> ApiResult {
    let (name, rights) = (path.into_inner().name, rights.into_inner());
    let revoked = on_file(&broker, move |file| file.revoke_if(&name, |key| rights.may_all_of(key))).await?;
    match revoked {
        Ok(Some(key_count)) => {
            broker.server_api.keys.forget();
            json(&KeysRevoked { key_count })
        }
        Ok(None) => Ok(not_allowed("the key has scopes that the caller's own key lacks")),
        Err(error) => Ok(not_done(&error)),
    }
}

fn check_seconds(field: &str, seconds: u64, min: u64, max: u64) -> Result<(), Invalid> {
    let shown = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX);
    if (min..=max).contains(&seconds) { Ok(()) } else { Err(Invalid::out_of_range(field, shown(seconds), shown(min), shown(max))) }
}

/// Reads or changes the document of the keys, on a thread that may wait.
async fn on_file<T: Send + 'static>(
    broker: &Broker,
    work: impl FnOnce(&ApiKeyFile) -> Result<T, ApiKeyError> + Send + 'static,
) -> Result<Result<T, ApiKeyError>, Refusal> {
    let file = broker.server_api.keys.file().clone();
    web::block(move || work(&file)).await.map_err(|_| Refusal::Busy("the broker is shutting down"))
}

fn not_allowed(detail: &str) -> HttpResponse {
    problem(StatusCode::FORBIDDEN, 6_000_541, detail)
}

/// Answers to a change that was not made.
fn not_done(error: &ApiKeyError) -> HttpResponse {
    let status = match error {
        ApiKeyError::Name(_) => StatusCode::BAD_REQUEST,
        ApiKeyError::Exists(_) => StatusCode::CONFLICT,
        ApiKeyError::Missing(_) => StatusCode::NOT_FOUND,
        // Where the document lies is for the log, not for who asks.
        ApiKeyError::Io { .. } | ApiKeyError::Damaged { .. } | ApiKeyError::Random(_) => {
            tracing::error!(%error, "the keys of the server API could not be read or changed");
            return problem(StatusCode::SERVICE_UNAVAILABLE, 6_000_007, "the keys cannot be read or changed now; the log says why");
        }
    };
    problem(status, 6_000_001, &error.to_string())
}
