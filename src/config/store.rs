//! The sections about where messages are kept, and about brokers that share it.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What keeps messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreEngine {
    /// On disk, in the folder `store` of the data directory.
    Sled,
    /// In memory, gone at the end.
    Memory,
    /// In a PostgreSQL database, which several brokers may share (feature `postgres`).
    Postgres,
}

impl StoreEngine {
    /// All engines.
    pub const ALL: [Self; 3] = [Self::Sled, Self::Memory, Self::Postgres];

    /// Returns its name in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sled => "sled",
            Self::Memory => "memory",
            Self::Postgres => "postgres",
        }
    }
}

/// `[store]`: the message store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// What keeps messages.
    pub engine: StoreEngine,
    /// Page cache of each open database, bytes, 1 MiB to 16 GiB.
    pub cache_bytes: u64,
    /// Memory of recent message ids, bytes, 0 to 1 GiB.
    pub seen_bytes: usize,
    /// Folder of backups; empty: `backups` in the data directory.
    pub backup_dir: String,
    /// How fast a backup of a running broker copies, bytes per second, 0 to 16 GiB; 0: as fast as it goes.
    pub backup_bytes_per_second: u64,
    /// Free bytes of the data directory's disk below which nothing more is kept, 0 to 1 PiB.
    pub disk_free_bytes_min: u64,
    /// How long a commit may wait for company, microseconds, 0 to 10,000; 0: never.
    pub gather_us: u64,
    /// Bytes of a file that is given up when the disk is too full to open the store, 0 to 1 GiB; 0: none.
    pub ballast_bytes: u64,
    /// The database, with [`StoreEngine::Postgres`].
    pub postgres: Postgres,
}

/// `[store.postgres]`: the database. `Debug` masks the address, which may hold a password, and `Serialize` leaves it out.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Postgres {
    /// Its address.
    #[serde(skip_serializing)]
    pub url: String,
    /// Connections for reading, 1 to 1000; three more write, beat and keep house.
    pub connections_max: usize,
    /// A file of certificate authorities in PEM that sign the server's certificate; empty: the system's.
    pub tls_ca: PathBuf,
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = if self.url.is_empty() { "unset" } else { "***" };
        f.debug_struct("Postgres").field("url", &url).field("connections_max", &self.connections_max).field("tls_ca", &self.tls_ca).finish()
    }
}

/// `[cluster]`: brokers that share a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// The NATS servers by which all brokers work at the same time; empty: one is active at a time.
    pub nats: Vec<String>,
    /// What this cluster is called on the bus.
    pub name: String,
    /// A file with a user's token and key; empty: none.
    pub nats_credentials: PathBuf,
    /// A file of certificate authorities in PEM; empty: the system's.
    pub nats_tls_ca: PathBuf,
    /// What this broker is called among them; empty: the machine's name and the port.
    pub node: String,
    /// Where clients reach this broker; empty: not said.
    pub address: String,
    /// How long the active one may be silent before another takes over, milliseconds, 1,000 to 60,000.
    pub lease_ms: u64,
    /// Into how many parts a store is divided that is made now, 1 to 1,024.
    pub shards: u16,
}
