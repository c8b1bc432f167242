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
}

impl BenchError {
    pub(super) fn io(what: impl Into<String>, source: io::Error) -> Self {
        Self::Io { what: what.into(), source }
    }
}
