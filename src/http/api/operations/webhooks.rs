//! How the webhooks stand, and the events that were not delivered.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, delete, get, post, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::http::api::input::{BrokerHandle, PageQuery, encode_cursor, number_cursor};
use crate::http::api::response::{ApiResult, Problems, done, json};
use crate::http::problem::problem;
use crate::model::{Invalid, Refusal};
use crate::webhooks::{DEAD_LETTERS_PAGE_MAX, DeadLetter, WebhookError};

/// How the webhooks stand. Counters run from the start of the broker.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct WebhooksNow {
    /// Where events go; empty: nowhere.
    url: String,
    /// Who is asked before a message goes out; empty: nobody.
    before_send_url: String,
    /// Events that wait on disk, those under way included.
    queued: usize,
    /// Bytes of the queue on disk.
    queue_bytes: u64,
    /// When the oldest of them happened, Unix milliseconds; 0: none waits.
    oldest_time: u64,
    /// Events that were accepted.
    delivered: u64,
    /// Attempts that failed.
    failed: u64,
    /// Dead letters.
    dead: usize,
    /// Events that found the queue full.
    dropped: u64,
    /// Dead letters beyond their bound or age.
    given_up: u64,
    /// How the last attempt that failed did; empty: none did.
    last_error: String,
    /// When, Unix milliseconds.
    last_error_time: u64,
}

fn no_webhooks() -> HttpResponse {
    problem(StatusCode::NOT_FOUND, 6_000_001, "there are no webhooks: neither webhooks.url nor webhooks.before_send_url is set")
}

fn no_such_letter() -> HttpResponse {
    problem(StatusCode::NOT_FOUND, 6_000_001, "there is no such dead letter")
}

/// Of a queue that cannot be asked: whoever asks is told in general, the log why.
fn unavailable(error: &WebhookError) -> Refusal {
    tracing::warn!(%error, "the webhook queue could not be asked");
    Refusal::Busy("the webhook queue cannot be asked")
}

/// How the webhooks stand.
#[utoipa::path(tag = "operations", security(("key" = ["ops:read"])),
    responses((status = 200, description = "Figures.", body = WebhooksNow), Problems))]
#[get("/webhooks")]
pub(in crate::http::api) async fn get_webhooks(BrokerHandle(broker): BrokerHandle) -> ApiResult {
    let Some(hooks) = broker.webhooks() else { return Ok(no_webhooks()) };
    let (state, config) = (hooks.state(), broker.config());
    let (last_error_time, last_error) = state.last_error.unwrap_or_default();
    json(&WebhooksNow {
        url: config.webhooks.url.clone(),
        before_send_url: config.webhooks.before_send_url.clone(),
        queued: state.queued,
        queue_bytes: state.queue_bytes,
        oldest_time: state.oldest_ms.unwrap_or(0),
        delivered: state.delivered,
        failed: state.failed,
        dead: state.dead,
        dropped: state.dropped,
        given_up: state.given_up,
        last_error,
        last_error_time,
    })
}

/// An event that was not accepted by its last attempt.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Letter {
    /// By which it is sent again or discarded.
    id: String,
    /// The `webhook-id`.
    #[serde(rename = "webhookID")]
    webhook_id: String,
    /// `message.sent` and the like.
    event: String,
    /// When it happened, Unix milliseconds.
    create_time: u64,
    /// When it was given up, Unix milliseconds.
    end_time: u64,
    /// How often it was tried.
    attempts: u32,
    /// How the last attempt failed.
    last_error: String,
    /// What was to be delivered, JSON.
    body: String,
}

impl From<DeadLetter> for Letter {
    fn from(letter: DeadLetter) -> Self {
        Self {
            id: letter.number.to_string(),
            webhook_id: letter.id,
            event: letter.event,
            create_time: letter.at_ms,
            end_time: letter.died_ms,
            attempts: letter.attempts,
            last_error: letter.error,
            body: letter.body,
        }
    }
}

/// A page of dead letters.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Letters {
    dead_letter_list: Vec<Letter>,
    /// Where the next page begins; not there at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next_cursor: Option<String>,
}

/// Events that were not accepted by their last attempt, the oldest first; at most 100 at a time.
#[utoipa::path(tag = "operations", security(("key" = ["ops:read"])), params(PageQuery),
    responses((status = 200, description = "A page.", body = Letters), Problems))]
#[get("/webhooks/dead-letters")]
pub(in crate::http::api) async fn list_dead_letters(BrokerHandle(broker): BrokerHandle, page: web::Query<PageQuery>) -> ApiResult {
    let Some(hooks) = broker.webhooks() else { return Ok(no_webhooks()) };
    let limit = page.limit(&broker, DEAD_LETTERS_PAGE_MAX)?;
    let after = number_cursor(page.cursor()?)?.unwrap_or(0);
    let letters = hooks.dead_letters(after, limit).await.map_err(|error| unavailable(&error))?;
    let next_cursor = letters.last().filter(|_| letters.len() == limit).map(|last| encode_cursor(&last.number.to_string()));
    json(&Letters { dead_letter_list: letters.into_iter().map(Letter::from).collect(), next_cursor })
}

/// `{letterID}`
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct LetterPath {
    /// Its `id`.
    #[serde(rename = "letterID")]
    #[param(min_length = 1, max_length = 20, pattern = "^[0-9]+$")]
    letter_id: String,
}

impl LetterPath {
    fn number(&self) -> Result<u64, Invalid> {
        let is_number = self.letter_id.bytes().all(|byte| byte.is_ascii_digit());
        let number = self.letter_id.parse().ok().filter(|_| is_number);
        number.ok_or_else(|| Invalid::new("letterID", format!("is {:?}, expected a number", self.letter_id)))
    }
}

/// Puts a dead letter at the end of the queue, with the same `webhook-id` and all its attempts before it.
#[utoipa::path(tag = "operations", security(("key" = ["ops:write"])), params(LetterPath),
    responses((status = 200, description = "It is in the queue.", body = Object), Problems))]
#[post("/webhooks/dead-letters/{letterID}/resend")]
pub(in crate::http::api) async fn resend_dead_letter(BrokerHandle(broker): BrokerHandle, path: web::Path<LetterPath>) -> ApiResult {
    let number = path.number()?;
    let Some(hooks) = broker.webhooks() else { return Ok(no_webhooks()) };
    if hooks.resend(number).await.map_err(|error| unavailable(&error))? { done() } else { Ok(no_such_letter()) }
}

/// Gives a dead letter up.
#[utoipa::path(tag = "operations", security(("key" = ["ops:write"])), params(LetterPath),
    responses((status = 200, description = "It is gone.", body = Object), Problems))]
#[delete("/webhooks/dead-letters/{letterID}")]
pub(in crate::http::api) async fn discard_dead_letter(BrokerHandle(broker): BrokerHandle, path: web::Path<LetterPath>) -> ApiResult {
    let number = path.number()?;
    let Some(hooks) = broker.webhooks() else { return Ok(no_webhooks()) };
    if hooks.discard(number).await.map_err(|error| unavailable(&error))? { done() } else { Ok(no_such_letter()) }
}
