//! Copies of everything.

use actix_web::http::StatusCode;
use actix_web::post;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::backup::{BackupError, BackupReport};
use crate::http::api::input::{Body, BrokerHandle};
use crate::http::api::response::{ApiResult, Problems, json};
use crate::http::problem::problem;
use crate::model::{Invalid, Refusal};

/// What the backup is called.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewBackup {
    /// 1 to 64 of letters, digits, `_`, `-` and `.`, not beginning with `.`; left out: the time.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_-][A-Za-z0-9_.-]*$")]
    name: Option<String>,
}

/// A backup that was taken.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code, reason = "describes the report")]
pub(super) struct Backup {
    /// Its folder below `store.backup_dir`.
    name: String,
    /// All its files together.
    bytes: u64,
    /// Messages in it.
    messages: u64,
    /// Every message acknowledged with this commit or before it is in it.
    commit: u64,
    /// Files of media in it.
    media_files: u64,
    /// What was copied of the data directory beside the store.
    kept: Vec<String>,
}

/// Copies everything into a folder below `store.backup_dir` while the broker goes on, and answers when it is done: minutes, for a
/// large store.
#[utoipa::path(tag = "operations", request_body = NewBackup, security(("key" = ["ops:write"])),
    responses((status = 200, description = "What is in it.", body = Backup), Problems))]
#[post("/backups")]
pub(in crate::http::api) async fn take_backup(BrokerHandle(broker): BrokerHandle, Body(call): Body<NewBackup>) -> ApiResult {
    let report: Result<BackupReport, BackupError> = broker.backup_as(call.name.as_deref()).await;
    match report {
        Ok(report) => json(&report),
        Err(BackupError::Name(name)) => {
            let reason = format!("is {name:?}, expected 1 to 64 of letters, digits, _, - and ., not beginning with .");
            Err(Invalid::new("name", reason).into())
        }
        Err(BackupError::Exists(_)) => Ok(problem(StatusCode::CONFLICT, 6_000_001, "there is a backup of that name")),
        Err(error) => {
            tracing::warn!(%error, "a backup could not be taken");
            Err(Refusal::StoreUnavailable("the backup could not be taken; the log says why".into()).into())
        }
    }
}
