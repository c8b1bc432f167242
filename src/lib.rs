//! Tidings: an instant-messaging broker to embed, to run as one binary, and to load-test.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let broker = tidings::Broker::builder().start()?;
//! // In a host's actix-web application:
//! //   HttpServer::new(move || App::new().service(web::scope("/im").configure(|app| broker.configure(app))))
//! //       .on_connect(broker.on_connect())
//! # Ok(())
//! # }
//! ```
//!
//! [`model`] says what a message is and may be; [`store`] what a store must do; [`hooks`] what a host may decide;
//! [`config`] lists every setting. `src/web/docs/inside.md` shows how it works inside, and the module `actors` begins with the map
//! of its actors.

mod actors;
mod audit;
pub mod auth;
pub mod backup;
#[cfg(feature = "bench")]
pub mod bench;
#[cfg(feature = "bench")]
#[doc(hidden)]
pub mod bench_support;
pub mod broker;
pub mod clock;
#[cfg(feature = "cluster")]
mod cluster;
pub mod config;
pub mod console;
pub mod documents;
pub mod hooks;
pub mod http;
pub mod media;
mod metrics;
pub mod model;
mod private_files;
mod protocol;
mod rate;
pub mod store;
pub mod webhooks;

pub use broker::{Broker, BrokerBuilder, BrokerStats, Drops, Eviction, ShutdownReport, StartError, Subscription};
pub use config::Config;
pub use hooks::Event;
pub use model::{Draft, Message, Refusal, RoomId, Target, UserId};
pub use protocol::{CloseCode, code_of};
pub use rate::{DropReason, Pressure};
