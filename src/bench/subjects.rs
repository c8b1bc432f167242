//! What is measured beside what, and what each is called in reports.

use crate::config::StoreEngine;

/// Who is measured, in reports.
pub(super) const TIDINGS: &str = "tidings";
pub(super) const BASELINE_EACH: &str = "bare loop, one write each";
pub(super) const BASELINE_SHARED: &str = "bare loop, 2 ms batches";
/// The loads that are run on more than our broker.
pub(super) const BESIDE: [&str; 4] = ["room-flood", "room-paced", "peer-durable", "peer-durable-paced"];

/// Returns what our broker is called on this engine: by its name alone on the default one, on disk.
pub(super) fn tidings_on(engine: StoreEngine) -> String {
    match engine {
        StoreEngine::Sled => TIDINGS.to_owned(),
        other => format!("{TIDINGS}, {}", other.name()),
    }
}

/// Returns what so many of our brokers on one PostgreSQL are called.
pub(super) fn tidings_of(nodes: usize) -> String {
    if nodes == 1 { format!("{TIDINGS}, 1 node on PostgreSQL") } else { format!("{TIDINGS}, {nodes} nodes") }
}
