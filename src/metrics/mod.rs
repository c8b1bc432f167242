//! What the broker counts, and how Prometheus reads it.
//!
//! Each broker has a registry of its own, so that two in one process do not mix. Names begin with `tidings_`,
//! units are base units, and no label ever holds a user's, room's or group's id.

mod operation;
mod process;

use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use self::operation::Operation;
pub(crate) use self::operation::{OpMetrics, Outcome, Samples};
use crate::model::{MessageClass, Priority};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClassLabel {
    class: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CodeLabel {
    code: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DropLabel {
    class: &'static str,
    priority: &'static str,
    reason: &'static str,
}

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
    fn label(self) -> OutcomeLabel {
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
    fn label(self) -> OutcomeLabel {
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

/// The counters, updated where things happen.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    operation: Operation,
    connections: Gauge,
    sessions: Gauge,
    actors: Family<KindLabel, Gauge>,
    accepted: Family<ClassLabel, Counter>,
    retries: Counter,
    delivered: Counter,
    dropped: Family<DropLabel, Counter>,
    refused: Family<CodeLabel, Counter>,
    closed: Family<ReasonLabel, Counter>,
    append_seconds: Histogram,
    uploads: Family<OutcomeLabel, Counter>,
    media_read_bytes: Counter,
    webhook_events: Family<OutcomeLabel, Counter>,
    webhook_queued: Gauge,
    webhook_queue_bytes: Gauge,
    webhook_dead: Gauge,
    webhook_oldest: Gauge,
    reviews: Family<OutcomeLabel, Counter>,
    review_seconds: Histogram,
}

/// What a class is called.
pub(crate) fn class_label(class: MessageClass) -> &'static str {
    match class {
        MessageClass::Storable => "storable",
        MessageClass::Command => "command",
        MessageClass::Barrage => "barrage",
    }
}

fn priority_label(priority: Priority) -> &'static str {
    match priority {
        Priority::Low => "low",
        Priority::Medium => "medium",
        Priority::High => "high",
    }
}

impl Metrics {
    /// A registry with every counter at zero.
    #[must_use]
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("tidings");
        // 0.2 ms to 1.6 s: an append is one disk flush at best and a queue of them at worst.
        let metrics = Self {
            operation: Operation::register(&mut registry),
            connections: Gauge::default(),
            sessions: Gauge::default(),
            actors: Family::default(),
            accepted: Family::default(),
            retries: Counter::default(),
            delivered: Counter::default(),
            dropped: Family::default(),
            refused: Family::default(),
            closed: Family::default(),
            append_seconds: Histogram::new(exponential_buckets(0.0002, 2.0, 14)),
            uploads: Family::default(),
            media_read_bytes: Counter::default(),
            webhook_events: Family::default(),
            webhook_queued: Gauge::default(),
            webhook_queue_bytes: Gauge::default(),
            webhook_dead: Gauge::default(),
            webhook_oldest: Gauge::default(),
            reviews: Family::default(),
            // 1 ms to 16 s: a backend beside the broker at best, the longest sensible deadline at worst.
            review_seconds: Histogram::new(exponential_buckets(0.001, 2.0, 15)),
            registry: Registry::default(),
        };
        // From the start on, so that a rate has something to begin at.
        for outcome in ["begun", "kept", "refused"] {
            drop(metrics.uploads.get_or_create(&OutcomeLabel { outcome }));
        }
        registry.register("connections", "Open WebSocket connections", metrics.connections.clone());
        registry.register("sessions", "Sessions that are logged in", metrics.sessions.clone());
        registry.register("actors", "Living actors by kind", metrics.actors.clone());
        registry.register("messages_accepted", "Messages accepted by class", metrics.accepted.clone());
        registry.register("messages_retried", "Sends recognised as retries of a stored message", metrics.retries.clone());
        registry.register("messages_delivered", "Messages put into sessions' outboxes", metrics.delivered.clone());
        registry.register("messages_dropped", "Messages shed by class, priority and reason", metrics.dropped.clone());
        registry.register("operations_refused", "Operations refused by error code", metrics.refused.clone());
        registry.register("sessions_closed", "Sessions the broker closed by reason", metrics.closed.clone());
        registry.register("append_seconds", "From handing a message to the store until it is durable", metrics.append_seconds.clone());
        registry.register("uploads", "Uploads by outcome", metrics.uploads.clone());
        registry.register("media_read_bytes", "Bytes of files handed out", metrics.media_read_bytes.clone());
        registry.register("webhook_events", "Events for the webhooks by outcome", metrics.webhook_events.clone());
        registry.register("webhook_queue_events", "Events that wait to be told", metrics.webhook_queued.clone());
        registry.register("webhook_queue_bytes", "Bytes of the webhook queue on disk", metrics.webhook_queue_bytes.clone());
        registry.register("webhook_dead_letters", "Events whose last attempt failed", metrics.webhook_dead.clone());
        registry.register(
            "webhook_oldest_timestamp_seconds",
            "When the oldest event that waits happened, Unix seconds; 0 for none",
            metrics.webhook_oldest.clone(),
        );
        registry.register("webhook_reviews", "Messages asked about before they were sent, by outcome", metrics.reviews.clone());
        registry.register("webhook_review_seconds", "How long senders waited for that", metrics.review_seconds.clone());
        Self { registry, ..metrics }
    }

    /// An upload began.
    pub(crate) fn upload_began(&self) {
        self.uploads.get_or_create(&OutcomeLabel { outcome: "begun" }).inc();
    }

    /// A complete upload was checked, and kept or refused.
    pub(crate) fn upload_ended(&self, kept: bool) {
        self.uploads.get_or_create(&OutcomeLabel { outcome: if kept { "kept" } else { "refused" } }).inc();
    }

    /// Bytes of a file were handed out.
    pub(crate) fn media_read(&self, bytes: u64) {
        self.media_read_bytes.inc_by(bytes);
    }

    /// Something became of an event for the webhooks.
    pub(crate) fn count_webhook(&self, told: WebhookOutcome) {
        self.webhook_events.get_or_create(&told.label()).inc();
    }

    /// How often it did.
    #[must_use]
    pub(crate) fn webhook_total(&self, told: WebhookOutcome) -> u64 {
        self.webhook_events.get_or_create(&told.label()).get()
    }

    /// How the webhooks' queue stands. `oldest_ms`: Unix milliseconds, 0 for none.
    pub(crate) fn webhook_queue(&self, events: usize, bytes: u64, dead: usize, oldest_ms: u64) {
        self.webhook_queued.set(i64::try_from(events).unwrap_or(i64::MAX));
        self.webhook_queue_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        self.webhook_dead.set(i64::try_from(dead).unwrap_or(i64::MAX));
        self.webhook_oldest.set(i64::try_from(oldest_ms / 1000).unwrap_or(i64::MAX));
    }

    /// `before_send` came to something.
    pub(crate) fn reviewed(&self, review: Review) {
        self.reviews.get_or_create(&review.label()).inc();
    }

    /// A sender waited so long for it.
    pub(crate) fn review_took(&self, seconds: f64) {
        self.review_seconds.observe(seconds);
    }

    /// One connection opened (`+1`) or ended (`-1`).
    pub(crate) fn connections_changed(&self, by: i64) {
        self.connections.inc_by(by);
    }

    /// One session logged in (`+1`) or ended (`-1`).
    pub(crate) fn sessions_changed(&self, by: i64) {
        self.sessions.inc_by(by);
    }

    /// How many sessions are logged in.
    #[must_use]
    pub(crate) fn sessions(&self) -> i64 {
        self.sessions.get()
    }

    /// One actor of a kind started (`+1`) or stopped (`-1`).
    pub(crate) fn actors_changed(&self, kind: &'static str, by: i64) {
        self.actors.get_or_create(&KindLabel { kind }).inc_by(by);
    }

    /// A message was accepted.
    pub(crate) fn accepted(&self, class: MessageClass) {
        self.accepted.get_or_create(&ClassLabel { class: class_label(class) }).inc();
    }

    /// How many messages of a class were accepted.
    #[must_use]
    pub(crate) fn accepted_total(&self, class: MessageClass) -> u64 {
        self.accepted.get_or_create(&ClassLabel { class: class_label(class) }).get()
    }

    /// A send was a retry.
    pub(crate) fn retried(&self) {
        self.retries.inc();
    }

    /// Messages were put into outboxes.
    pub(crate) fn delivered(&self, messages: u64) {
        self.delivered.inc_by(messages);
    }

    /// How many messages were put into outboxes.
    #[must_use]
    pub(crate) fn delivered_total(&self) -> u64 {
        self.delivered.get()
    }

    /// Messages were shed. `reason` is a `rate::DropReason`'s label.
    pub(crate) fn dropped(&self, class: MessageClass, priority: Priority, reason: &'static str, messages: u64) {
        if messages > 0 {
            let label = DropLabel { class: class_label(class), priority: priority_label(priority), reason };
            self.dropped.get_or_create(&label).inc_by(messages);
        }
    }

    /// How many messages of a class and priority were shed for a reason.
    #[must_use]
    pub(crate) fn dropped_total(&self, class: MessageClass, priority: Priority, reason: &'static str) -> u64 {
        self.dropped.get_or_create(&DropLabel { class: class_label(class), priority: priority_label(priority), reason }).get()
    }

    /// An operation was refused.
    pub(crate) fn refused(&self, code: u32) {
        self.refused.get_or_create(&CodeLabel { code }).inc();
    }

    /// The broker closed a session.
    pub(crate) fn closed(&self, reason: &'static str) {
        self.closed.get_or_create(&ReasonLabel { reason }).inc();
    }

    /// A message became durable.
    pub(crate) fn append_took(&self, seconds: f64) {
        self.append_seconds.observe(seconds);
    }

    /// The counters of an operation: one that exists, or `invalid`.
    #[must_use]
    pub(crate) fn op(&self, name: &str) -> Arc<OpMetrics> {
        self.operation.op(name)
    }

    /// A login ended.
    pub(crate) fn login(&self, outcome: Outcome) {
        self.operation.login(outcome);
    }

    /// A certificate was looked at that was not known before.
    #[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "without TLS there is no certificate"))]
    pub(crate) fn tls_loaded(&self, good: bool) {
        self.operation.certificate_loads.get_or_create(&OutcomeLabel { outcome: if good { "ok" } else { "refused" } }).inc();
    }

    /// Until when the certificate in use is good, Unix seconds.
    #[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "without TLS there is no certificate"))]
    pub(crate) fn tls_good_until(&self, seconds: u64) {
        self.operation.certificate_until.set(i64::try_from(seconds).unwrap_or(i64::MAX));
    }

    /// A TLS handshake ended.
    #[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "without TLS there is no handshake"))]
    pub(crate) fn tls_handshake(&self, outcome: &'static str) {
        self.operation.handshakes.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// The configuration was read again, at this Unix time in seconds if it is used.
    pub(crate) fn reloaded(&self, at: Option<f64>) {
        self.operation.reloads.get_or_create(&OutcomeLabel { outcome: if at.is_some() { "ok" } else { "refused" } }).inc();
        if let Some(seconds) = at {
            self.operation.reloaded_at.set(seconds);
        }
    }

    /// The text a Prometheus scrape reads.
    #[must_use]
    pub(crate) fn encode(&self, samples: &Samples) -> String {
        self.operation.sample(samples);
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to a String cannot fail");
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_can_be_scraped() {
        let metrics = Metrics::new();
        metrics.accepted(MessageClass::Storable);
        metrics.dropped(MessageClass::Barrage, Priority::Low, "outbox_full", 3);
        let text = metrics.encode(&Samples::default());
        assert!(text.contains(r#"tidings_messages_accepted_total{class="storable"} 1"#), "{text}");
        assert!(text.contains(r#"tidings_messages_dropped_total{class="barrage",priority="low",reason="outbox_full"} 3"#), "{text}");
    }
}
