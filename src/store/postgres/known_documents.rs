//! The documents of operators, known by heart: a broker that works learns of changes with each heartbeat, so that checking a key asks
//! nobody.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio_postgres::{Client, Error, Row};

use super::place::unsigned;
use crate::documents::DocumentVersion;

/// All documents: they are few and small.
pub(super) const ALL: &str = "SELECT name, version, content FROM documents";

/// Documents as they were when the database was asked last.
#[derive(Debug, Default)]
pub(super) struct KnownDocuments(Mutex<BTreeMap<String, (u64, Vec<u8>)>>);

impl KnownDocuments {
    fn known(&self) -> MutexGuard<'_, BTreeMap<String, (u64, Vec<u8>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn content(&self, name: &str) -> Option<Vec<u8>> {
        self.known().get(name).map(|(_, content)| content.clone())
    }

    pub(super) fn version(&self, name: &str) -> Option<DocumentVersion> {
        self.known().get(name).map(|(version, _)| (*version, 0))
    }

    /// Learns what the database has.
    pub(super) async fn refresh(&self, client: &Client) -> Result<(), Error> {
        self.learn(client.query(ALL, &[]).await?);
        Ok(())
    }

    /// Versions rise: of two answers that overtook each other the later one counts.
    pub(super) fn learn(&self, rows: Vec<Row>) {
        let mut known = self.known();
        for row in rows {
            let (name, version, content): (String, i64, Vec<u8>) = (row.get(0), row.get(1), row.get(2));
            let version = unsigned(version);
            if known.get(&name).is_none_or(|(before, _)| *before < version) {
                known.insert(name, (version, content));
            }
        }
    }
}
