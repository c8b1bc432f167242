//! What is measured: one server, or several brokers that work together, added up.

use std::net::SocketAddr;
use std::sync::Arc;

use super::error::BenchError;
use super::process::{Counters, Server};
use super::site::Site;
use super::subjects::tidings_on;
use crate::config::StoreEngine;

/// One server, or several that are one system.
#[derive(Debug)]
pub(super) struct Servers {
    all: Vec<Server>,
    /// What they stand on; it goes after them.
    site: Option<Arc<Site>>,
}

impl From<Server> for Servers {
    fn from(server: Server) -> Self {
        Self { all: vec![server], site: None }
    }
}

impl Servers {
    /// Returns brokers on a site of the bench's own.
    pub(super) fn on(site: Arc<Site>, all: Vec<Server>) -> Self {
        Self { all, site: Some(site) }
    }

    /// Returns where each of them is.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        self.all.iter().map(|server| server.address).collect()
    }

    /// Kills one of them at once.
    pub(super) fn kill(&mut self, node: usize) -> Result<(), BenchError> {
        self.all[node].kill()
    }

    /// Processor seconds of all of them.
    pub(super) fn cpu_seconds(&self) -> Option<f64> {
        self.all.iter().map(Server::cpu_seconds).sum()
    }

    /// Resident memory of all of them, KiB. What several processes share of the program's file counts for each.
    pub(super) fn resident_kib(&self) -> Option<u64> {
        self.all.iter().map(Server::resident_kib).sum()
    }

    /// Returns what all of them have caused to be written to disks, bytes; unknown where a database writes for them.
    pub(super) fn disk_bytes(&self) -> Option<u64> {
        if self.site.is_some() {
            return None;
        }
        self.all.iter().map(Server::disk_bytes).sum()
    }

    /// Processor seconds of the database: the bench's own, or of every PostgreSQL process here when `subject` keeps messages in one.
    pub(super) fn database_cpu_seconds(&self, subject: &str) -> Option<f64> {
        match &self.site {
            Some(site) => site.database.cpu_seconds(),
            None => (subject == tidings_on(StoreEngine::Postgres)).then(Server::database_cpu_seconds),
        }
    }

    /// Processor seconds of the NATS server between several brokers.
    pub(super) fn bus_cpu_seconds(&self) -> Option<f64> {
        self.site.as_ref().filter(|_| self.all.len() > 1).and_then(|site| site.bus.cpu_seconds())
    }

    /// Returns the counters of all of them; blocks.
    pub(super) fn counters(&self) -> Result<Counters, BenchError> {
        let mut sum = Counters::default();
        for server in &self.all {
            sum.add(server.counters()?);
        }
        Ok(sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_of_several_brokers_are_added_up() {
        let mut sum = Counters::read("tidings_sessions 4\ntidings_a 1\n");
        sum.add(Counters::read("tidings_sessions 3\ntidings_b 2\n"));
        assert_eq!(
            ["tidings_sessions", "tidings_a", "tidings_b", "tidings_c"].map(|name| sum.one(name)),
            [Some(7), Some(1), Some(2), None]
        );
    }

    #[test]
    fn the_cost_of_several_servers_is_their_sum() {
        let here = || Server::running(([127, 0, 0, 1], 1).into(), Some(std::process::id()));
        let (one, two) = (Servers::from(here()), Servers { all: vec![here(), here()], site: None });
        assert!(two.resident_kib() > one.resident_kib());
        assert_eq!((two.addresses().len(), two.bus_cpu_seconds()), (2, None));
        let unknown = Servers { all: vec![here(), Server::running(([127, 0, 0, 1], 1).into(), None)], site: None };
        assert_eq!(unknown.cpu_seconds(), None);
    }
}
