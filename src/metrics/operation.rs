//! What an operator looks at besides messages: requests, logins, certificates, reloads, disk, the process.

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, PoisonError, RwLock};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::labels::{OutcomeLabel, register};
use super::process::Process;

/// How a request or a login ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// As asked.
    Done,
    /// Refused for good.
    Refused,
    /// Refused for now.
    Busy,
}

impl Outcome {
    const ALL: [Self; 3] = [Self::Done, Self::Refused, Self::Busy];

    fn label(self) -> &'static str {
        match self {
            Self::Done => "ok",
            Self::Refused => "refused",
            Self::Busy => "busy",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OpLabel {
    op: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OpOutcomeLabel {
    op: String,
    outcome: &'static str,
}

/// The counters of one operation.
#[derive(Debug)]
pub(crate) struct OpMetrics {
    outcomes: [Counter; 3],
    seconds: Histogram,
}

impl OpMetrics {
    /// A request was answered so many seconds after it was read.
    pub(crate) fn answered(&self, outcome: Outcome, seconds: f64) {
        self.outcomes[outcome as usize].inc();
        self.seconds.observe(seconds);
    }
}

/// Figures that are read when a scrape asks for them.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Samples {
    pub(crate) store_waiting: u64,
    pub(crate) store_flushes: u64,
    /// Messages made durable since the start.
    pub(crate) store_appended: u64,
    pub(crate) pressure: u8,
    pub(crate) media_bytes: u64,
    pub(crate) uploads: usize,
    pub(crate) users_online: usize,
    pub(crate) unauthenticated: usize,
    pub(crate) appends_in_flight: usize,
    /// What waits in the outboxes of all sessions.
    pub(crate) outbox_bytes: usize,
    pub(crate) turn_late_seconds: f64,
    pub(crate) write_late_seconds: f64,
    pub(crate) store_bytes: u64,
    /// `None`: cannot be read.
    pub(crate) disk_free_bytes: Option<u64>,
    pub(crate) disk_full: bool,
    pub(crate) clock_doubted: bool,
    pub(crate) ready: bool,
}

fn whole(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

/// Requests and logins.
#[derive(Debug)]
struct RequestMetrics {
    by_op: RwLock<HashMap<String, Arc<OpMetrics>>>,
    requests: Family<OpOutcomeLabel, Counter>,
    seconds: Family<OpLabel, Histogram, fn() -> Histogram>,
    logins: Family<OutcomeLabel, Counter>,
}

/// 0.25 ms to 4 s: from a look into memory to a queue of disk flushes.
fn request_seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.000_25, 4.0, 8))
}

impl RequestMetrics {
    fn register(registry: &mut Registry) -> Self {
        let its = Self {
            by_op: RwLock::default(),
            requests: register(
                registry,
                "requests",
                "Requests of sessions by operation and outcome: ok, refused, busy (to be tried again)",
                Family::default(),
            ),
            seconds: register(
                registry,
                "request_seconds",
                "From reading a request until its answer is in the outbox, by operation",
                Family::new_with_constructor(request_seconds as fn() -> Histogram),
            ),
            logins: register(registry, "logins", "Logins by outcome: ok, refused, busy (to be tried again)", Family::default()),
        };
        // From the start on, so that a rate has something to begin at.
        for outcome in Outcome::ALL {
            drop(its.logins.get_or_create(&OutcomeLabel { outcome: outcome.label() }));
        }
        its
    }
}

/// Certificates and handshakes.
#[derive(Debug)]
pub(super) struct TlsMetrics {
    pub(super) certificate_until: Gauge,
    pub(super) certificate_loads: Family<OutcomeLabel, Counter>,
    pub(super) handshakes: Family<OutcomeLabel, Counter>,
}

impl TlsMetrics {
    fn register(registry: &mut Registry) -> Self {
        let its = Self {
            certificate_until: register(
                registry,
                "tls_certificate_expiry_timestamp_seconds",
                "Until when the certificate in use is good, Unix time; 0 without TLS",
                Gauge::default(),
            ),
            certificate_loads: register(
                registry,
                "tls_certificate_loads",
                "New certificates by outcome: ok, refused (the one before stays)",
                Family::default(),
            ),
            handshakes: register(registry, "tls_handshakes", "TLS handshakes by outcome: done, failed, timeout", Family::default()),
        };
        for outcome in ["done", "failed", "timeout"] {
            drop(its.handshakes.get_or_create(&OutcomeLabel { outcome }));
        }
        for outcome in ["ok", "refused"] {
            drop(its.certificate_loads.get_or_create(&OutcomeLabel { outcome }));
        }
        its
    }
}

/// What is looked at when a scrape asks: see [`Samples`].
#[derive(Debug)]
struct SampleMetrics {
    ready: Gauge,
    pressure: Gauge,
    store_waiting: Gauge,
    store_flushes: Counter,
    store_appended: Counter,
    store_bytes: Gauge,
    media_bytes: Gauge,
    uploads_unfinished: Gauge,
    users_online: Gauge,
    unauthenticated: Gauge,
    appends_in_flight: Gauge,
    outbox_bytes: Gauge,
    turn_late: Gauge<f64, AtomicU64>,
    write_late: Gauge<f64, AtomicU64>,
    disk_free: Gauge,
    disk_full: Gauge,
    clock_doubted: Gauge,
    process: Process,
}

impl SampleMetrics {
    fn register(registry: &mut Registry) -> Self {
        let mut gauge = |name, help| register(registry, name, help, Gauge::default());
        let ready = gauge("ready", "Whether new work is taken and can be kept: 1 or 0");
        let pressure = gauge("pressure", "What is shed because the broker is behind, 0 nothing to 4 commands");
        let store_waiting = gauge("store_waiting", "Writes waiting for the store");
        let mut counter = |name, help| register(registry, name, help, Counter::default());
        let store_flushes = counter("store_flushes", "Flushes to disk since the start");
        let store_appended = counter("store_appended", "Messages made durable since the start");
        let mut gauge = |name, help| register(registry, name, help, Gauge::default());
        let store_bytes = gauge("store_bytes", "Size of the message store's folder, looked at once a minute");
        let media_bytes = gauge("media_bytes", "Bytes of files kept, and promised to uploads under way");
        let uploads_unfinished = gauge("uploads_unfinished", "Uploads that are not complete");
        let users_online = gauge("users_online", "Users with at least one session");
        let unauthenticated = gauge("connections_unauthenticated", "Open connections that have not logged in");
        let appends_in_flight = gauge("appends_in_flight", "Writes given to the store that have no outcome yet");
        let outbox_bytes = gauge("outbox_bytes", "Bytes waiting in the outboxes of all sessions");
        let mut seconds = |name, help| register(registry, name, help, Gauge::default());
        let turn_late = seconds("turn_late_seconds", "How long an actor waited for its turn at the last look");
        let write_late = seconds("write_late_seconds", "How long a socket waited for its writer lately, at most");
        let mut gauge = |name, help| register(registry, name, help, Gauge::default());
        let disk_free = gauge("disk_free_bytes", "Free bytes of the data directory's disk; -1 when that cannot be read");
        let clock_doubted = gauge("clock_doubted", "Whether nothing is deleted for its age because the clock may be wrong: 1 or 0");
        let disk_full = gauge("disk_full", "Whether nothing more is kept because the disk is nearly full: 1 or 0");
        let process = Process::default();
        process.register(registry);
        Self {
            ready,
            pressure,
            store_waiting,
            store_flushes,
            store_appended,
            store_bytes,
            media_bytes,
            uploads_unfinished,
            users_online,
            unauthenticated,
            appends_in_flight,
            outbox_bytes,
            turn_late,
            write_late,
            disk_free,
            disk_full,
            clock_doubted,
            process,
        }
    }

    fn update(&self, samples: &Samples) {
        self.ready.set(i64::from(samples.ready));
        self.pressure.set(i64::from(samples.pressure));
        self.store_waiting.set(whole(samples.store_waiting));
        self.store_flushes.inc_by(samples.store_flushes.saturating_sub(self.store_flushes.get()));
        self.store_appended.inc_by(samples.store_appended.saturating_sub(self.store_appended.get()));
        self.store_bytes.set(whole(samples.store_bytes));
        self.media_bytes.set(whole(samples.media_bytes));
        self.uploads_unfinished.set(whole(samples.uploads));
        self.users_online.set(whole(samples.users_online));
        self.unauthenticated.set(whole(samples.unauthenticated));
        self.appends_in_flight.set(whole(samples.appends_in_flight));
        self.outbox_bytes.set(whole(samples.outbox_bytes));
        self.turn_late.set(samples.turn_late_seconds);
        self.write_late.set(samples.write_late_seconds);
        self.disk_free.set(samples.disk_free_bytes.map_or(-1, whole));
        self.disk_full.set(i64::from(samples.disk_full));
        self.clock_doubted.set(i64::from(samples.clock_doubted));
        self.process.sample();
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Operation {
    requests: RequestMetrics,
    pub(super) tls: TlsMetrics,
    pub(super) reloads: Family<OutcomeLabel, Counter>,
    pub(super) reloaded_at: Gauge<f64, AtomicU64>,
    samples: SampleMetrics,
}

impl Operation {
    pub(super) fn register(registry: &mut Registry) -> Self {
        registry.register("build", "What runs", Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]));
        let its = Self {
            requests: RequestMetrics::register(registry),
            tls: TlsMetrics::register(registry),
            reloads: register(
                registry,
                "config_reloads",
                "Times the configuration was read again by outcome: ok, refused (nothing changed)",
                Family::default(),
            ),
            reloaded_at: register(
                registry,
                "config_last_reload_timestamp_seconds",
                "When the configuration was last reloaded, Unix time; 0 never",
                Gauge::default(),
            ),
            samples: SampleMetrics::register(registry),
        };
        for outcome in ["ok", "refused"] {
            drop(its.reloads.get_or_create(&OutcomeLabel { outcome }));
        }
        its
    }

    /// Returns the counters of an operation. The caller knows it is one: names a client makes up must not get this far.
    pub(super) fn op(&self, name: &str) -> Arc<OpMetrics> {
        if let Some(known) = self.requests.by_op.read().unwrap_or_else(PoisonError::into_inner).get(name) {
            return known.clone();
        }
        let outcomes = Outcome::ALL
            .map(|outcome| self.requests.requests.get_or_create_owned(&OpOutcomeLabel { op: name.to_owned(), outcome: outcome.label() }));
        let new = Arc::new(OpMetrics { outcomes, seconds: self.requests.seconds.get_or_create_owned(&OpLabel { op: name.to_owned() }) });
        self.requests.by_op.write().unwrap_or_else(PoisonError::into_inner).entry(name.to_owned()).or_insert(new).clone()
    }

    pub(super) fn login(&self, outcome: Outcome) {
        self.requests.logins.get_or_create(&OutcomeLabel { outcome: outcome.label() }).inc();
    }

    pub(super) fn sample(&self, samples: &Samples) {
        self.samples.update(samples);
    }
}
