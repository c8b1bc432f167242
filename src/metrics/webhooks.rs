//! What is counted of the webhooks.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::labels::{OutcomeLabel, register};

/// What became of an event for the webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WebhookOutcome {
    /// It waits on disk.
    Queued,
    /// A backend accepted it.
    Delivered,
    /// An attempt failed.
    Failed,
    /// The last attempt failed.
    Dead,
    /// The queue was full.
    Dropped,
    /// A dead letter was queued again.
    Resent,
    /// A dead letter was given up by hand.
    Discarded,
}

impl WebhookOutcome {
    pub(super) fn label(self) -> OutcomeLabel {
        let outcome = match self {
            Self::Queued => "queued",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Dead => "dead",
            Self::Dropped => "dropped",
            Self::Resent => "resent",
            Self::Discarded => "discarded",
        };
        OutcomeLabel { outcome }
    }
}

/// What `before_send` came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Review {
    /// The message goes out.
    Accepted,
    /// Its sender alone sees it.
    Silenced,
    /// Its sender was told.
    Rejected,
    /// Another goes out.
    Replaced,
    /// No answer: it goes out.
    FailedOpen,
    /// No answer: it does not.
    FailedClosed,
}

impl Review {
    pub(super) fn label(self) -> OutcomeLabel {
        let outcome = match self {
            Self::Accepted => "accepted",
            Self::Silenced => "silenced",
            Self::Rejected => "rejected",
            Self::Replaced => "replaced",
            Self::FailedOpen => "failed_open",
            Self::FailedClosed => "failed_closed",
        };
        OutcomeLabel { outcome }
    }
}

/// The metrics of the webhooks.
#[derive(Debug)]
pub(super) struct WebhookMetrics {
    pub(super) events: Family<OutcomeLabel, Counter>,
    pub(super) queued: Gauge,
    pub(super) queue_bytes: Gauge,
    pub(super) dead: Gauge,
    pub(super) oldest: Gauge,
    pub(super) reviews: Family<OutcomeLabel, Counter>,
    pub(super) review_seconds: Histogram,
}

impl WebhookMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        // 1 ms to 16 s: a backend beside the broker at best, the longest sensible deadline at worst.
        let review_seconds = Histogram::new(exponential_buckets(0.001, 2.0, 15));
        Self {
            events: register(registry, "webhook_events", "Events for the webhooks by outcome", Family::default()),
            queued: register(registry, "webhook_queue_events", "Events that wait to be told", Gauge::default()),
            queue_bytes: register(registry, "webhook_queue_bytes", "Bytes of the webhook queue on disk", Gauge::default()),
            dead: register(registry, "webhook_dead_letters", "Events whose last attempt failed", Gauge::default()),
            oldest: register(
                registry,
                "webhook_oldest_timestamp_seconds",
                "When the oldest event that waits happened, Unix seconds; 0 for none",
                Gauge::default(),
            ),
            reviews: register(registry, "webhook_reviews", "Messages asked about before they were sent, by outcome", Family::default()),
            review_seconds: register(registry, "webhook_review_seconds", "How long senders waited for that", review_seconds),
        }
    }
}
