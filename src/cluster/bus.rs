//! What carries bytes from node to node: subjects, at most once, nothing more.
//!
//! Nothing above relies on a bus: whatever it loses, doubles or brings late is noticed by the numbers of [`link`](super::link).
//! [`nats`](super::nats) is the one for a cluster, and the loopback one for tests.

use std::fmt;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use thiserror::Error;

/// A bus did not do what was asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub(crate) enum BusError {
    /// Its settings cannot work: a file that is missing, an address that is none. Trying again does not help.
    #[error("{0}")]
    Settings(String),
    /// It is not open, or was closed.
    #[error("the bus is closed")]
    Closed,
    /// It refused what was published.
    #[error("the bus refused {bytes} bytes: {reason}")]
    Refused {
        /// How much it was.
        bytes: usize,
        /// Its own words.
        reason: String,
    },
}

/// A connection to a bus. Everything is called on the runtime that called [`open`](Self::open).
pub(crate) trait Bus: fmt::Debug + Send + Sync + 'static {
    /// Begins. It does not wait for servers: a bus that nobody serves yet is open and not connected.
    fn open(&self) -> BoxFuture<'_, Result<(), BusError>>;

    /// Hands over a payload; waits while the bus takes no more. Handed over does not mean that it arrives.
    fn publish<'a>(&'a self, subject: &'a str, payload: Bytes) -> BoxFuture<'a, Result<(), BusError>>;

    /// Returns what is published to a subject from now on, by this connection, too.
    fn subscribe<'a>(&'a self, subject: &'a str) -> BoxFuture<'a, Result<BoxStream<'static, Bytes>, BusError>>;

    /// Whether it believes to be connected. It may be wrong for as long as its own watching takes.
    fn is_connected(&self) -> bool;

    /// How many payloads it threw away on this side because nobody took them in time.
    fn overruns(&self) -> u64 {
        0
    }
}
