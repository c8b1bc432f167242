//! What the broker counts, and how Prometheus reads it.
//!
//! Each broker has a registry of its own, so that two in one process do not mix. Names begin with `tidings_`,
//! units are base units, and no label ever holds a user's, room's or group's id.

mod cluster;
mod database;
mod labels;
mod operation;
mod plain_text;
mod process;
mod sampled;
mod webhooks;

use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use self::cluster::ClusterCollector;
pub(crate) use self::cluster::ClusterSample;
use self::database::DatabaseCollector;
pub(crate) use self::database::DatabaseSample;
use self::labels::{ClassLabel, CodeLabel, DropLabel, KindLabel, OutcomeLabel, ReasonLabel, priority_label, register};
pub(crate) use self::labels::{SocketCut, class_label};
use self::operation::Operation;
pub(crate) use self::operation::{OpMetrics, Outcome, Samples};
pub(crate) use self::plain_text::plain_text;
use self::webhooks::WebhookMetrics;
pub(crate) use self::webhooks::{Review, WebhookOutcome};
use crate::model::{MessageClass, Priority};

/// The counters, updated where things happen.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    /// None: the store has no database.
    database: Arc<Mutex<Option<DatabaseSample>>>,
    /// None: the broker works alone.
    cluster: Arc<Mutex<Option<ClusterSample>>>,
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
    sockets_cut: Family<ReasonLabel, Counter>,
    append_seconds: Histogram,
    uploads: Family<OutcomeLabel, Counter>,
    media_read_bytes: Counter,
    webhooks: WebhookMetrics,
}

impl Metrics {
    /// Returns a registry with every counter at zero.
    #[must_use]
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("tidings");
        let all = &mut registry;
        // 0.2 ms to 1.6 s: an append is one disk flush at best and a queue of them at worst.
        let append_seconds = Histogram::new(exponential_buckets(0.0002, 2.0, 14));
        let database = Arc::new(Mutex::new(None));
        all.register_collector(Box::new(DatabaseCollector(database.clone())));
        let cluster = Arc::new(Mutex::new(None));
        all.register_collector(Box::new(ClusterCollector(cluster.clone())));
        let metrics = Self {
            database,
            cluster,
            operation: Operation::register(all),
            connections: register(all, "connections", "Open WebSocket connections", Gauge::default()),
            sessions: register(all, "sessions", "Sessions that are logged in", Gauge::default()),
            actors: register(all, "actors", "Living actors by kind", Family::default()),
            accepted: register(all, "messages_accepted", "Messages accepted by class", Family::default()),
            retries: register(all, "messages_retried", "Sends recognised as retries of a stored message", Counter::default()),
            delivered: register(all, "messages_delivered", "Messages put into sessions' outboxes", Counter::default()),
            dropped: register(all, "messages_dropped", "Messages shed by class, priority and reason", Family::default()),
            refused: register(all, "operations_refused", "Operations refused by error code", Family::default()),
            closed: register(all, "sessions_closed", "Sessions the broker closed by reason", Family::default()),
            sockets_cut: register(all, "sockets_cut", "Sockets without a session that the broker cut by reason", Family::default()),
            append_seconds: register(all, "append_seconds", "From handing a message to the store until it is durable", append_seconds),
            uploads: register(all, "uploads", "Uploads by outcome", Family::default()),
            media_read_bytes: register(all, "media_read_bytes", "Bytes of files handed out", Counter::default()),
            webhooks: WebhookMetrics::register(all),
            registry: Registry::default(),
        };
        // From the start on, so that a rate has something to begin at.
        for outcome in ["begun", "kept", "refused"] {
            drop(metrics.uploads.get_or_create(&OutcomeLabel { outcome }));
        }
        for why in SocketCut::ALL {
            drop(metrics.sockets_cut.get_or_create(&ReasonLabel { reason: why.reason() }));
        }
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
    pub(crate) fn count_webhook(&self, outcome: WebhookOutcome) {
        self.webhooks.events.get_or_create(&outcome.label()).inc();
    }

    /// Returns how often that became of one.
    #[must_use]
    pub(crate) fn webhook_total(&self, outcome: WebhookOutcome) -> u64 {
        self.webhooks.events.get_or_create(&outcome.label()).get()
    }

    /// How the webhooks' queue stands. `oldest_ms`: Unix milliseconds, 0 for none.
    pub(crate) fn webhook_queue(&self, events: usize, bytes: u64, dead: usize, oldest_ms: u64) {
        self.webhooks.queued.set(i64::try_from(events).unwrap_or(i64::MAX));
        self.webhooks.queue_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        self.webhooks.dead.set(i64::try_from(dead).unwrap_or(i64::MAX));
        self.webhooks.oldest.set(i64::try_from(oldest_ms / 1000).unwrap_or(i64::MAX));
    }

    /// `before_send` came to something.
    pub(crate) fn reviewed(&self, review: Review) {
        self.webhooks.reviews.get_or_create(&review.label()).inc();
    }

    /// A sender waited so long for it.
    pub(crate) fn review_took(&self, seconds: f64) {
        self.webhooks.review_seconds.observe(seconds);
    }

    /// One connection opened (`+1`) or ended (`-1`).
    pub(crate) fn connections_changed(&self, by: i64) {
        self.connections.inc_by(by);
    }

    /// One session logged in (`+1`) or ended (`-1`).
    pub(crate) fn sessions_changed(&self, by: i64) {
        self.sessions.inc_by(by);
    }

    /// Returns how many sessions are logged in.
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

    /// Returns how many messages of a class were accepted.
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

    /// Returns how many messages were put into outboxes.
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

    /// Returns how many messages of a class and priority were shed for a reason.
    #[must_use]
    pub(crate) fn dropped_total(&self, class: MessageClass, priority: Priority, reason: &'static str) -> u64 {
        self.dropped.get_or_create(&DropLabel { class: class_label(class), priority: priority_label(priority), reason }).get()
    }

    /// An operation was refused.
    pub(crate) fn refused(&self, code: u32) {
        self.refused.get_or_create(&CodeLabel { code }).inc();
    }

    /// The broker cut a socket without a session.
    pub(crate) fn socket_cut(&self, why: SocketCut) {
        self.sockets_cut.get_or_create(&ReasonLabel { reason: why.reason() }).inc();
    }

    /// Returns how many sockets were cut for a reason.
    #[cfg(test)]
    pub(crate) fn sockets_cut_total(&self, why: SocketCut) -> u64 {
        self.sockets_cut.get_or_create(&ReasonLabel { reason: why.reason() }).get()
    }

    /// The broker closed a session.
    pub(crate) fn closed(&self, reason: &'static str) {
        self.closed.get_or_create(&ReasonLabel { reason }).inc();
    }

    /// A message became durable.
    pub(crate) fn append_took(&self, seconds: f64) {
        self.append_seconds.observe(seconds);
    }

    /// Returns the counters of an operation: one that exists, or `invalid`.
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
        self.operation.tls.certificate_loads.get_or_create(&OutcomeLabel { outcome: if good { "ok" } else { "refused" } }).inc();
    }

    /// Until when the certificate in use is good, Unix seconds.
    #[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "without TLS there is no certificate"))]
    pub(crate) fn tls_good_until(&self, seconds: u64) {
        self.operation.tls.certificate_until.set(i64::try_from(seconds).unwrap_or(i64::MAX));
    }

    /// A TLS handshake ended.
    #[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "without TLS there is no handshake"))]
    pub(crate) fn tls_handshake(&self, outcome: &'static str) {
        self.operation.tls.handshakes.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// The configuration was read again, at this Unix time in seconds if it is used.
    pub(crate) fn reloaded(&self, at: Option<f64>) {
        self.operation.reloads.get_or_create(&OutcomeLabel { outcome: if at.is_some() { "ok" } else { "refused" } }).inc();
        if let Some(seconds) = at {
            self.operation.reloaded_at.set(seconds);
        }
    }

    /// Takes the figures of working with other brokers, if it does.
    pub(crate) fn sample_cluster(&self, sample: Option<ClusterSample>) {
        *self.cluster.lock().unwrap_or_else(PoisonError::into_inner) = sample;
    }

    /// Takes the figures of the store's database, if it has one.
    pub(crate) fn sample_database(&self, sample: Option<DatabaseSample>) {
        *self.database.lock().unwrap_or_else(PoisonError::into_inner) = sample;
    }

    /// Returns the text a Prometheus scrape reads.
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
