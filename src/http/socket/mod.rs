//! The WebSocket `GET /ws`: from the open connection to whole messages for a session, and back to the socket.
//!
//! ```text
//! the broker's own server: places ─ connection ─ admission ─ upgrade ─ stream (raw socket) ─ wire ─ shard (one writer per thread)
//! a host's server:         connection ─ admission ─ hosted (request body in, response body out)
//! reading, in both:        guard ─ codec ─ reassemble ─ inbound ─ session
//! writing, in both:        outbox ─ encoder ─ socket
//! ```

pub(super) mod activity;
mod admission;
#[cfg(feature = "bench")]
mod echo;
mod encoder;
mod guard;
mod handover;
pub(super) mod hosted;
mod inbound;
mod places;
mod reassemble;
mod shard;
pub(super) mod stream;
pub(super) mod tracked;
pub(super) mod upgrade;
mod wire;
