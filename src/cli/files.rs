//! How many files a process may have open: each connection is one.

/// Descriptors a broker needs besides those of its connections: databases, files going up and down.
const BESIDE: u64 = 512;

/// Returns how many a broker with so many connections needs at most.
pub(super) fn needed(connections_max: usize) -> u64 {
    connections_max as u64 + BESIDE
}

/// Takes as many as the system allows, and warns when that is too few.
pub(super) fn raise(connections_max: usize) {
    let needed = needed(connections_max);
    match rlimit::increase_nofile_limit(needed) {
        Ok(allowed) if allowed < needed => tracing::warn!(
            allowed,
            needed,
            "fewer files may be open than server.connections_max needs: connections will be refused; raise LimitNOFILE or `ulimit -Hn`"
        ),
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, needed, "how many files may be open cannot be asked"),
    }
}
