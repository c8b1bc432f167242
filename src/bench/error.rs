//! Why a bench run ends early.

use std::io;

use thiserror::Error;

/// Why a bench run ends early.
#[derive(Debug, Error)]
pub enum BenchError {
    /// The system refuses something.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// The server under test does not do what it should.
    #[error("{0}")]
    Subject(String),
    /// No answer within a minute.
    #[error("no answer to {0} within a minute")]
    Silent(&'static str),
    /// What was asked for may not or cannot be loaded.
    #[error("{0}")]
    Target(String),
    /// This program cannot do it, for it was built without a feature.
    #[error("this program was built without the feature `{0}`, which several brokers need: cargo build --release --features {0}")]
    NotBuilt(&'static str),
    /// A program that is needed is not there.
    #[error("{0}")]
    NotInstalled(String),
    /// A number of brokers that is not possible.
    #[error("--nodes {asked} is not possible: {min} to {max} brokers work together on one machine")]
    Nodes {
        /// What was asked for.
        asked: usize,
        /// The least.
        min: usize,
        /// The most.
        max: usize,
    },
    /// Whoever started it does not want to wait for the end.
    #[error("interrupted")]
    Interrupted,
}

impl BenchError {
    pub(super) fn io(what: impl Into<String>, source: io::Error) -> Self {
        Self::Io { what: what.into(), source }
    }
}
