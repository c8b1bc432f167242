//! One attempt to tell an event.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::client::{CallError, Client};
use super::sign;
use super::spool::Envelope;
use crate::clock::Clock;

/// How long the body of an answer is waited for, so that the connection can be used again. What it says is not looked at.
const BODY_WAIT: Duration = Duration::from_secs(2);

/// How an attempt went.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum DeliveryOutcome {
    /// A status of 200 to 299.
    Accepted,
    /// Anything else.
    Failed {
        /// In words.
        error: String,
        /// What the backend asked for, milliseconds from now.
        retry_after_ms: Option<u64>,
        /// It asked to be left alone, whatever the event (429, 503).
        is_busy: bool,
    },
}

/// Tells events to one URL.
pub(super) struct Deliverer {
    pub(super) client: Client,
    /// The key of Standard Webhooks, if they are signed so.
    pub(super) key: Option<Vec<u8>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) timeout: Duration,
}

/// Returns the headers of Standard Webhooks.
pub(super) fn headers(key: Option<&[u8]>, id: &str, timestamp: u64, body: &[u8]) -> Vec<(&'static str, String)> {
    let mut headers = vec![("webhook-id", id.to_owned()), ("webhook-timestamp", timestamp.to_string())];
    headers.extend(key.map(|key| ("webhook-signature", sign::standard(key, id, timestamp, body))));
    headers
}

impl Deliverer {
    /// Tries once.
    pub(super) async fn deliver(&self, envelope: &Envelope) -> DeliveryOutcome {
        let now_ms = self.clock.wall_ms();
        let headers = headers(self.key.as_deref(), &envelope.id, now_ms / 1000, &envelope.body);
        let answer = match timeout(self.timeout, self.client.post(&headers, &envelope.body)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return failed(error.to_string()),
            Err(_) => return failed(CallError::TimedOut("the delivery".into()).to_string()),
        };
        let outcome = outcome_of(answer.status, answer.retry_after.as_deref(), self.clock.wall_ms());
        // The head has decided; what the backend says besides is not looked at, and takes nothing back.
        if let Err(error) = answer.read(BODY_WAIT).await {
            tracing::debug!(%error, "the body of a webhook's answer is left unread");
        }
        outcome
    }
}

fn failed(error: String) -> DeliveryOutcome {
    DeliveryOutcome::Failed { error, retry_after_ms: None, is_busy: false }
}

fn outcome_of(status: u16, retry_after: Option<&str>, now_ms: u64) -> DeliveryOutcome {
    match status {
        200..=299 => DeliveryOutcome::Accepted,
        300..=399 => failed("a redirect, which is not followed".into()),
        _ => DeliveryOutcome::Failed {
            error: format!("status {status}"),
            retry_after_ms: retry_after.and_then(|text| retry_after_ms(text, now_ms)),
            is_busy: matches!(status, 429 | 503),
        },
    }
}

/// Seconds, or a date. Source: RFC 9110, 10.2.3.
fn retry_after_ms(text: &str, now_ms: u64) -> Option<u64> {
    if let Ok(seconds) = text.trim().parse::<u64>() {
        return Some(seconds.saturating_mul(1000));
    }
    let at = httpdate::parse_http_date(text.trim()).ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(u64::try_from(at.as_millis()).unwrap_or(u64::MAX).saturating_sub(now_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, retry_after: Option<&str>) -> DeliveryOutcome {
        outcome_of(status, retry_after, 784_111_777_000)
    }

    #[test]
    fn only_2xx_is_an_acceptance_and_a_redirect_is_none() {
        assert_eq!(
            (answer(200, None), answer(204, None), answer(299, None)),
            (DeliveryOutcome::Accepted, DeliveryOutcome::Accepted, DeliveryOutcome::Accepted)
        );
        for status in [301, 302, 307, 308] {
            assert_eq!(
                answer(status, None),
                DeliveryOutcome::Failed { error: "a redirect, which is not followed".into(), retry_after_ms: None, is_busy: false }
            );
        }
        for (status, is_busy) in [(400, false), (410, false), (429, true), (500, false), (503, true)] {
            assert_eq!(answer(status, None), DeliveryOutcome::Failed { error: format!("status {status}"), retry_after_ms: None, is_busy });
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let asked = |text: &str| match answer(503, Some(text)) {
            DeliveryOutcome::Failed { retry_after_ms, .. } => retry_after_ms,
            DeliveryOutcome::Accepted => panic!("accepted"),
        };
        assert_eq!(asked("120"), Some(120_000));
        assert_eq!(asked("Sun, 06 Nov 1994 08:49:47 GMT"), Some(10_000));
        assert_eq!(asked("Sun, 06 Nov 1994 08:49:27 GMT"), Some(0), "in the past");
        assert_eq!((asked("soon"), asked("-1"), asked("99999999999999999999")), (None, None, None));
    }
}
