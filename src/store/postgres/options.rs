//! How a store in PostgreSQL is reached and how it behaves.

use std::time::Duration;

use crate::store::speaks::{SPEAKS, Speaks};

/// How a store in PostgreSQL is reached and how it behaves.
#[derive(Clone)]
pub struct PostgresOptions {
    /// Where the database is: `postgres://user:password@host:port/database?sslmode=…`, or `key=value` pairs.
    /// Source: PostgreSQL manual, 34.1.1 "Connection Strings".
    pub url: String,
    /// Connections for reading, 1 to 1,000. Three more write, beat and keep house.
    pub connections_max: usize,
    /// A file of certificate authorities in PEM that sign the server's certificate; none: the system's.
    pub tls_ca: Option<std::path::PathBuf>,
    /// How long a commit may wait for company; zero: never.
    pub gather: Duration,
    /// Into how many parts a store is divided that is made now, 1 to 1,024; one that exists keeps its own.
    pub shards: u16,
    /// How long an owner may be silent before another takes over.
    pub lease: Duration,
    /// What this process is called among those that share the store.
    pub node: String,
    /// Where clients reach this process; for those who are told who is active.
    pub address: String,
    /// What this process speaks with others that share the store at the same time.
    pub speaks: Speaks,
    /// Messages that lie wholly before this many days are deleted when swept.
    pub retention_days: u64,
    /// Bytes of each of the two filters of local ids.
    pub seen_bytes: usize,
    /// How long opening waits for another process to let go of the store.
    pub patience: Duration,
    /// Whose clock gives stamps.
    pub time: StampTime,
}

/// Whose clock gives stamps, which decide what is told to whoever was away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StampTime {
    /// The database's: all processes that share the store agree.
    Database,
    /// This process's own; for tests.
    Own,
}

impl PostgresOptions {
    /// Returns the options of a database with what `config.toml` has for the rest.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            connections_max: 8,
            tls_ca: None,
            gather: Duration::from_millis(2),
            shards: 64,
            lease: Duration::from_secs(3),
            node: "tidings".into(),
            address: String::new(),
            speaks: SPEAKS,
            retention_days: 30,
            seen_bytes: 4 << 20,
            patience: Duration::from_secs(10),
            time: StampTime::Database,
        }
    }
}

impl std::fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresOptions").field("node", &self.node).finish_non_exhaustive()
    }
}
