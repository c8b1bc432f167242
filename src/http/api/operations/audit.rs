//! The audit log, from outside.

use actix_web::{get, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::audit::Entry;
use crate::http::api::input::{BrokerHandle, PageQuery, encode_cursor, number_cursor};
use crate::http::api::response::{ApiResult, Problems, json};
use crate::model::Refusal;

/// One thing that was done or tried.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AuditEntry {
    /// Unix milliseconds.
    time: u64,
    /// The key's name, or `console@` and the address it was used from.
    who: String,
    /// `console.login`, `console.setup`, `console.logout`, or method and path of a call.
    action: String,
    /// What it was done to; may be empty.
    target: String,
    /// The HTTP status it was answered with.
    #[schema(minimum = 100, maximum = 599)]
    status: u16,
}

impl From<Entry> for AuditEntry {
    fn from(entry: Entry) -> Self {
        let Entry { time, who, action, target, status, .. } = entry;
        Self { time, who, action, target, status }
    }
}

/// A page of the audit log.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AuditPage {
    audit_list: Vec<AuditEntry>,
    /// Where the next page begins; not there at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next_cursor: Option<String>,
}

/// Who came in to the console, every call that changed something or tried to, and who read messages or keys; the newest first.
#[utoipa::path(tag = "operations", security(("key" = ["ops:read"])), params(PageQuery),
    responses((status = 200, description = "A page.", body = AuditPage), Problems))]
#[get("/audit")]
pub(in crate::http::api) async fn list_audit(BrokerHandle(broker): BrokerHandle, page: web::Query<PageQuery>) -> ApiResult {
    let (limit, before) = (page.limit(&broker, usize::MAX)?, number_cursor(page.cursor()?)?);
    let audit = broker.audit.clone();
    let entries = web::block(move || audit.page(before, limit)).await.map_err(|_| Refusal::Busy("the broker is shutting down"))?;
    let entries = entries.map_err(|error| {
        tracing::error!(%error, "the audit log could not be read");
        Refusal::Busy("the audit log cannot be read")
    })?;
    let next_cursor = entries.last().filter(|last| entries.len() == limit && last.id > 1).map(|last| encode_cursor(&last.id.to_string()));
    json(&AuditPage { audit_list: entries.into_iter().map(AuditEntry::from).collect(), next_cursor })
}
