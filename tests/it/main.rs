#![allow(clippy::unwrap_used, missing_docs)]
//! The guarantees of the broker, tested over a real WebSocket: one binary, so that it is linked once.
//!
//! Each test starts a [`support::World`] of its own: a broker in this process with its own store, clock and port.
//! No test sleeps to see an effect; it waits for the reply or the event, and a wait that fails prints what did arrive.

mod api;
mod api_care;
mod api_keys;
mod api_notes;
mod api_rights;
mod attack;
mod attack_table;
mod backup;
#[cfg(feature = "bench")]
mod bench;
mod broadcast;
mod changes;
mod cli;
mod clock;
#[cfg(feature = "postgres")]
#[path = "../support/postgres.rs"]
// It says loudly what it skips.
#[allow(clippy::print_stderr)]
mod cluster;
mod combine;
mod console;
mod crash;
mod developing;
mod disk;
mod group;
mod group_manage;
mod history;
mod hooks;
mod hosted;
mod hostile;
mod hostile_misery;
mod http;
mod limits;
mod list;
#[cfg(feature = "cluster")]
mod many;
mod media;
mod mention;
mod model;
#[cfg(feature = "cluster")]
#[path = "../support/nats.rs"]
// It says loudly what it skips.
#[allow(clippy::print_stderr)]
mod nats;
mod operate;
#[cfg(feature = "otlp")]
mod otlp;
mod overload;
mod peer;
#[cfg(feature = "postgres")]
mod postgres;
mod pressure;
mod rate;
mod reload;
mod restart;
mod resume;
mod room;
mod room_attributes;
mod search;
mod session;
mod shutdown;
mod starting;
mod support;
mod tidy;
#[cfg(feature = "tls")]
mod tls;
mod tokens;
mod upgrade;
mod users;
mod vendor;
mod vendor_actions;
mod vendor_more;
mod versions;
mod visibility;
mod webhooks;
mod webhooks_contract;
mod webhooks_crash;
mod webhooks_review;
