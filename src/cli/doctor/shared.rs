//! What brokers share: the database, and the bus between those that work at the same time.

use tidings::config::Config;

use super::{Check, fail};
#[cfg(feature = "postgres")]
use super::{ok, warn};

/// What a NATS server takes at once by default.
#[cfg(feature = "cluster")]
const PAYLOAD_BYTES_MIN: u64 = 1 << 20;
/// A stored message to someone at another node waits for two of these.
#[cfg(feature = "cluster")]
const ROUND_TRIP_WARN_US: u64 = 20_000;

#[cfg(not(feature = "postgres"))]
pub(super) fn database(_: &Config, checks: &mut Vec<Check>) {
    let built = "this program was built without the feature `postgres`";
    checks.push(fail("database", built, "build it with --features postgres, or set store.engine to \"sled\""));
}

/// Looks at the database and what is set in it.
#[cfg(feature = "postgres")]
pub(super) fn database(config: &Config, checks: &mut Vec<Check>) {
    use tidings::broker::postgres_options;
    use tidings::store::database_report;
    let report = match database_report(&postgres_options(config)) {
        Ok(report) => report,
        Err(error) => return checks.push(fail("database", error.to_string(), "see store.postgres.url")),
    };
    let detail = format!("PostgreSQL {} at {}, a commit takes {} µs", report.version, report.place, report.commit_us);
    checks.push(if report.version_number < 150_000 {
        fail("database", detail, "15 or later is needed")
    } else if report.commit_us > 20_000 {
        warn("database", detail, "each send waits for one: is the database far away, or its disk slow?")
    } else {
        ok("database", detail)
    });
    let unsafe_settings: Vec<String> = [("fsync", &report.fsync), ("full_page_writes", &report.full_page_writes)]
        .into_iter()
        .filter(|(_, value)| *value != "on")
        .map(|(name, value)| format!("{name} = {value}"))
        .collect();
    checks.push(if !unsafe_settings.is_empty() {
        fail("durability", unsafe_settings.join(", "), "set it on: what was acknowledged may be lost when the machine loses power")
    } else if report.replicas > 0 && report.synchronous_standby_names.is_empty() {
        let replicas = format!("{} asynchronous replica(s)", report.replicas);
        warn("durability", replicas, "set synchronous_standby_names: a failover to one of them loses what was acknowledged last")
    } else {
        ok("durability", "fsync and full_page_writes are on")
    });
    let distance = report.clock_ahead_ms.unsigned_abs();
    let clocks = format!("the database's clock is {} ms from this one", report.clock_ahead_ms);
    checks.push(if distance > 1_000 { warn("clocks", clocks, "run a time service such as chrony on both") } else { ok("clocks", clocks) });
}

#[cfg(not(feature = "cluster"))]
pub(super) fn bus(_: &Config, checks: &mut Vec<Check>) {
    let built = "this program was built without the feature `cluster`";
    checks.push(fail("nats", built, "build it with --features cluster, or leave cluster.nats empty"));
}

/// Looks at each server of the bus, and at whether the rest of the settings suits several brokers.
#[cfg(feature = "cluster")]
pub(super) fn bus(config: &Config, checks: &mut Vec<Check>) {
    use tidings::broker::{BusServer, bus_report};
    let name = "nats";
    let servers = match bus_report(config) {
        Ok(servers) => servers,
        Err(error) => return checks.push(fail("cluster", error.to_string(), "`/docs/cluster` says what goes together")),
    };
    checks.push(ok("cluster", format!("{} as {:?}", config.cluster.name, config.cluster.node)));
    for BusServer { number, state } in &servers {
        checks.push(match state {
            // Which one is enough to find it, and shows no password.
            Err(error) => fail(name, format!("address {number}: {error}"), "see cluster.nats"),
            Ok(server) => {
                let detail = format!("NATS {} at address {number}, answers in {} µs", server.version, server.round_trip_us);
                if server.payload_bytes_max < PAYLOAD_BYTES_MIN {
                    let few = format!("{detail}, takes {} bytes at once", server.payload_bytes_max);
                    fail(name, few, format!("set max_payload to {PAYLOAD_BYTES_MIN} at least, as is its default"))
                } else if server.round_trip_us > ROUND_TRIP_WARN_US {
                    warn(name, detail, "brokers, database and NATS belong beside each other")
                } else {
                    ok(name, detail)
                }
            }
        });
    }
    if servers.len() == 1 {
        let one = "one server: while it is away, nobody hears anything from other brokers";
        checks.push(warn(name, one, "run three of them, and name them all in cluster.nats"));
    }
}
