//! What brokers of several nodes stand on, for the time of a bench run: a PostgreSQL and a NATS server of its own on loopback.
//!
//! ```text
//! Site ─► database (its shell ends with this process) ─► an empty database for each set of brokers
//!      └► bus (a child)                               ─► a name of its own for each set
//! ```

mod database;

use std::path::Path;
use std::time::Duration;

use self::database::Database;
use super::error::BenchError;
use super::peers::program::Program;
use super::peers::start::Installed;
use super::process::{Counters, Server, get};

/// How often, and at what distances, it is looked whether brokers are ready and have divided the shards: a minute.
const LOOKS: u32 = 300;
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// So many looks in a row that find the same division: shards go over a few at a time, with pauses of less than this.
const LOOKS_STILL: u32 = 10;

/// A database server and a bus.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) database: Database,
    pub(super) bus: Server,
}

impl Site {
    /// Finds both programs and starts them; also returns lines for the report.
    pub(super) async fn open(folder: &Path) -> Result<(Self, Vec<String>), BenchError> {
        let nats = Installed::find(Program::Nats).map_err(BenchError::NotInstalled)?;
        let (database, line) = Database::start(folder)?;
        let (bus, bus_line) = nats.start(false, folder).await?;
        Ok((Self { database, bus }, vec![line, bus_line]))
    }

    /// Makes an empty database for brokers that are to be started; returns its address.
    pub(super) fn empty_database(&self) -> Result<String, BenchError> {
        self.database.make()
    }

    /// Settings of one of `of` brokers on a database: by itself without NATS, or several under this name.
    pub(super) fn settings(&self, url: &str, name: &str, node: usize, of: usize) -> Vec<(&'static str, String)> {
        let mut settings = vec![
            ("STORE__ENGINE", "postgres".to_owned()),
            ("STORE__POSTGRES__URL", url.to_owned()),
            ("MEDIA__STORE", "none".to_owned()),
            ("CLUSTER__NODE", format!("node-{node}")),
        ];
        if of > 1 {
            settings.push(("CLUSTER__NATS", format!("nats://{}", self.bus.address)));
            settings.push(("CLUSTER__NAME", name.to_owned()));
        }
        settings
    }
}

/// Waits until all brokers are ready and, of several, each has its part of the shards.
pub(super) async fn settled(nodes: &[Server]) -> Result<(), BenchError> {
    let (mut division, mut still) = (Vec::new(), 0);
    for _ in 0..LOOKS {
        let mut now = Vec::new();
        for node in nodes {
            now.push(owned(node).await);
        }
        let is_divided = nodes.len() == 1 || now.iter().all(|owned| owned.is_some_and(|owned| owned > 0));
        let is_ready = now.iter().all(Option::is_some) && is_divided;
        if is_ready && nodes.len() == 1 {
            return Ok(());
        }
        still = if is_ready && now == division { still + 1 } else { 0 };
        division = now;
        if still == LOOKS_STILL {
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Err(BenchError::Subject(format!("the brokers did not become ready within a minute; shards of each: {division:?}")))
}

/// Returns how many shards a broker has that is ready.
async fn owned(node: &Server) -> Option<u64> {
    let address = node.address;
    let look = move || {
        let is_ready = get(address, "/readyz").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"));
        let counters = get(address, "/metrics").map(|text| Counters::read(&text)).ok().filter(|_| is_ready)?;
        Some(counters.one("tidings_cluster_owned_shards").unwrap_or(0))
    };
    tokio::task::spawn_blocking(look).await.ok().flatten()
}
