//! What is on the disk, what goes up now, and the settings in use.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use actix_web::{get, web};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::broker::Broker;
use crate::config::{Reload, paths};
use crate::http::api::input::BrokerHandle;
use crate::http::api::response::{ApiResult, Problems, json};
use crate::model::Refusal;

/// What goes up now.
#[utoipa::path(tag = "operations", security(("key" = ["ops:read"])),
    responses((status = 200, description = "Uploads that are not complete.", body = std::collections::BTreeMap<String, serde_json::Value>), Problems))]
#[get("/uploads")]
pub(in crate::http::api) async fn list_uploads(BrokerHandle(broker): BrokerHandle) -> ApiResult {
    let mut list = Vec::new();
    for upload in broker.context.media.under_way() {
        list.push(json!({
                "fileUID": upload.file.to_string(), "userID": upload.owner, "kind": upload.kind.message_kind().number(),
                "fileName": upload.name, "bytesPromised": upload.reserved(), "bytes": upload.offset(),
        }));
    }
    json(&json!({"uploadList": list}))
}

/// What is on the disk.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Storage {
    /// Where.
    data_dir: String,
    /// Messages and all that belongs to them, bytes.
    store_bytes: u64,
    /// Files, bytes; of a bucket, what the broker put there.
    media_bytes: u64,
    /// The store's parts, each with its bytes.
    partitions: Vec<Partition>,
}

/// One part of the store.
#[derive(Serialize, ToSchema)]
pub(super) struct Partition {
    name: String,
    bytes: u64,
}

fn bytes_below(path: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(path) else { return std::fs::metadata(path).map_or(0, |about| about.len()) };
    entries
        .flatten()
        .map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => bytes_below(&entry.path()),
            // What goes away while it is looked at counts nothing.
            _ => entry.metadata().map_or(0, |about| about.len()),
        })
        .sum()
}

fn partitions(store: &Path) -> Vec<Partition> {
    let names = std::fs::read_dir(store).into_iter().flatten().flatten();
    let mut parts: Vec<Partition> = names
        .map(|entry| Partition { name: entry.file_name().to_string_lossy().into_owned(), bytes: bytes_below(&entry.path()) })
        .collect();
    parts.sort_by(|one, other| one.name.cmp(&other.name));
    parts
}

/// What is on the disk.
#[utoipa::path(tag = "operations", security(("key" = ["ops:read"])),
    responses((status = 200, description = "Bytes.", body = Storage), Problems))]
#[get("/storage")]
pub(in crate::http::api) async fn get_storage(BrokerHandle(broker): BrokerHandle) -> ApiResult {
    let config = broker.config();
    let store: PathBuf = config.store_dir();
    let partitions = web::block(move || partitions(&store)).await.map_err(|_| Refusal::Busy("the broker is shutting down"))?;
    let (media_bytes, _) = broker.context.media.figures();
    json(&Storage {
        data_dir: config.server.data_dir.display().to_string(),
        store_bytes: partitions.iter().map(|part| part.bytes).sum(),
        media_bytes,
        partitions,
    })
}

/// The settings that the broker runs with.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Settings {
    /// By section and key.
    #[schema(value_type = BTreeMap<String, BTreeMap<String, serde_json::Value>>)]
    config: Value,
    /// Each setting by `section.key`.
    settings: BTreeMap<String, AboutSetting>,
}

/// Where a setting comes from, and when a change of it takes effect.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AboutSetting {
    /// `now`: with the next reload. `later`: with the next reload, for what begins after it. `restart`: with the next start.
    #[schema(value_type = String)]
    reload: Reload,
    /// `default`, a file, an environment variable, or `command line`; not there where the program around the broker did not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    origin: Option<String>,
}

/// Every setting the broker runs with, where it comes from, and when a change takes effect; secrets are masked.
#[utoipa::path(tag = "operations", security(("key" = ["ops:read"])),
    responses((status = 200, description = "All of them.", body = Settings), Problems))]
#[get("/config")]
pub(in crate::http::api) async fn get_config(BrokerHandle(broker): BrokerHandle) -> ApiResult {
    let (config, origins) = (shown(&broker), broker.origins());
    let about = |key: String| {
        // A key that is not listed is one that nothing changes while the broker runs.
        let reload = Reload::of(&key).unwrap_or(Reload::Restart);
        let origin = origins.get(&key).cloned();
        (key, AboutSetting { reload, origin })
    };
    let settings = paths::flattened(&config).into_iter().map(|(key, _)| about(key)).collect();
    json(&Settings { config, settings })
}

/// Secrets are left out by their own rule; that one is set is all that is said of it.
fn shown(broker: &Broker) -> Value {
    let config = broker.config();
    let mask = |secret: &str| Value::from(if secret.is_empty() { "" } else { "***" });
    let mut shown = match serde_json::to_value(&*config) {
        Ok(Value::Object(sections)) => sections,
        _ => Map::new(),
    };
    for (key, secret) in config.secrets() {
        paths::put(&mut shown, key, mask(secret));
    }
    paths::put(&mut shown, "vendor_api.server_secret", mask(&config.vendor_api.server_secret));
    Value::Object(shown)
}
