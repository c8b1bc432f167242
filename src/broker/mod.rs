//! The handle a host holds: start a broker, send, listen, mount it, stop it.
//!
//! [`Broker`] is cheap to clone and may be used from any thread and any tokio runtime; the actors live on a thread
//! of the broker's own, so the host needs no actix system.

mod assembly;
mod backup;
mod broadcast;
mod builder;
#[cfg(feature = "cluster")]
mod cluster;
mod drain;
mod error;
mod groups;
mod handle;
pub(crate) mod idempotency;
mod on_behalf;
mod open;
mod places;
mod reconfigure;
mod rooms;
mod send;
pub(crate) mod server_api;
mod stats;
mod subscribe;
mod thread;
mod users;
pub(crate) mod vendor_api;

pub use self::builder::BrokerBuilder;
#[cfg(feature = "cluster")]
pub use self::cluster::bus_report;
pub use self::drain::ShutdownReport;
pub use self::error::StartError;
pub use self::groups::Groups;
pub use self::handle::Broker;
#[cfg(feature = "postgres")]
pub use self::open::postgres_options;
pub use self::open::{clock_jump_max, documents, sled_options};
pub use self::rooms::{RoomSummary, Rooms};
pub use self::stats::{BrokerStats, Drops, Eviction};
pub use self::subscribe::Subscription;
pub use self::users::{SessionSummary, Users};
#[cfg(feature = "cluster")]
pub use crate::cluster::nats::{BusServer, BusServerState};
