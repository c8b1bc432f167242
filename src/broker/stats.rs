//! The figures of the moment.

use std::sync::atomic::Ordering;

use super::handle::Broker;
use crate::metrics::{DatabaseSample, Metrics, Samples};
use crate::model::{MessageClass, Priority, Refusal};
use crate::rate::{DropReason, Pressure};
use crate::store::{DatabaseStats, PlaceCounts, StoreStats};

/// A moment's figures. Counters run from the start of the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BrokerStats {
    /// Open WebSocket connections.
    pub connections: u64,
    /// Of these, logged in.
    pub sessions: u64,
    /// Users with at least one session.
    pub users_online: u64,
    /// Actors of peer conversations alive now.
    pub peers: u64,
    /// Actors of rooms alive now.
    pub rooms: u64,
    /// Actors of groups alive now.
    pub groups: u64,
    /// Messages accepted: storable, command, barrage.
    pub accepted: [u64; 3],
    /// Messages put into outboxes, once per receiving session.
    pub delivered: u64,
    /// Every drop, by class, priority and reason; only what is above zero.
    pub dropped: Vec<Drops>,
    /// What is shed because the broker itself is behind.
    pub pressure: Pressure,
    /// What the store counted.
    pub store: StoreStats,
    /// Whether stuck sockets can be freed from outside; see [`Broker::on_connect`](crate::Broker::on_connect).
    pub eviction: Eviction,
}

/// One counter of dropped messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drops {
    /// Barrage or command.
    pub class: MessageClass,
    /// The sender's wish.
    pub priority: Priority,
    /// Why.
    pub reason: DropReason,
    /// How many.
    pub messages: u64,
}

/// Whether the broker can free a socket whose client does not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Eviction {
    /// Every connection so far came with a handle on its socket.
    Full,
    /// Some connection came without one: its memory is freed, its socket only when the system gives up.
    Degraded,
}

impl Broker {
    /// Returns the figures of this moment.
    #[must_use]
    pub fn stats(&self) -> BrokerStats {
        let context = &self.context;
        let metrics: &Metrics = &context.metrics;
        let mut dropped = Vec::new();
        for class in [MessageClass::Command, MessageClass::Barrage] {
            for priority in Priority::ALL {
                for reason in DropReason::ALL {
                    let messages = metrics.dropped_total(class, priority, reason.label());
                    if messages > 0 {
                        dropped.push(Drops { class, priority, reason, messages });
                    }
                }
            }
        }
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        BrokerStats {
            connections: count(context.connections.count()),
            sessions: u64::try_from(metrics.sessions()).unwrap_or(0),
            users_online: count(context.presence.users_online()),
            peers: count(self.actors.peers.len()),
            rooms: count(self.actors.rooms.len()),
            groups: count(self.actors.groups.len()),
            accepted: [MessageClass::Storable, MessageClass::Command, MessageClass::Barrage].map(|class| metrics.accepted_total(class)),
            delivered: metrics.delivered_total(),
            dropped,
            pressure: context.load.level(),
            store: context.store.stats(),
            eviction: if context.eviction_degraded.load(Ordering::Relaxed) { Eviction::Degraded } else { Eviction::Full },
        }
    }

    /// Returns how many rooms and groups there are in the store, of all brokers that share it: as of a moment ago, the longer ago the
    /// longer counting takes.
    ///
    /// # Errors
    /// [`Refusal::StoreUnavailable`], [`Refusal::Busy`].
    pub async fn place_counts(&self) -> Result<PlaceCounts, Refusal> {
        self.server_api.places.counts(&*self.context.clock, self.read(|store| store.place_counts())).await
    }

    /// Returns the same figures and more, as a Prometheus scrape reads them.
    #[must_use]
    pub fn metrics_text(&self) -> String {
        let (context, store) = (&self.context, self.context.store.stats());
        let (media_bytes, uploads) = context.media.figures();
        context.metrics.sample_database(context.store.database().map(sampled));
        context.metrics.sample_cluster(context.nodes.as_ref().map(|nodes| nodes.sample()));
        context.metrics.encode(&Samples {
            store_waiting: store.waiting,
            store_flushes: store.flushes,
            store_appended: store.appended,
            pressure: context.load.level().number(),
            media_bytes,
            uploads,
            users_online: context.presence.users_online(),
            unauthenticated: context.connections.unauthenticated(),
            appends_in_flight: context.archive.in_flight(),
            outbox_bytes: context.connections.all().iter().map(|link| link.outbox.waiting_bytes()).sum(),
            turn_late_seconds: context.load.turn_late().as_secs_f64(),
            write_late_seconds: context.load.write_late().as_secs_f64(),
            store_bytes: context.disk.store_bytes(),
            disk_free_bytes: context.disk.free(),
            disk_full: context.disk.is_full(),
            clock_doubted: self.clock_doubt().is_some(),
            ready: self.ready().is_ok(),
        })
    }
}

fn sampled(stats: DatabaseStats) -> DatabaseSample {
    DatabaseSample {
        connections: stats.connections,
        connections_busy: stats.connections_busy,
        reads_waiting: stats.reads_waiting,
        reads: stats.reads,
        read_seconds: stats.read_time.as_secs_f64(),
        commits: stats.commits,
        commit_seconds: stats.commit_time.as_secs_f64(),
        reconnects: stats.reconnects,
        errors: stats.errors,
    }
}
