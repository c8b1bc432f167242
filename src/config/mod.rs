//! Settings: `config.toml` compiled in, a file over it, the environment over that, flags on top.
//!
//! The documented file and the defaults cannot drift apart, because they are one file. Ranges are held by one table
//! (`ranges.rs`), relations between keys by [`Config::validate`]. Nothing here reads the environment or writes a
//! file: [`Loader`] is given both, so a test needs no global state.

mod check;
mod error;
mod loader;
mod networks;
pub(crate) mod paths;
mod ranges;
mod reload;
mod sections;
mod store;
mod suggest;
mod webhooks;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::model::Limits;

pub use error::ConfigError;
pub use loader::{Loader, Setting};
pub use networks::is_in_networks;
pub use reload::{Reload, ReloadReport};
pub use sections::{
    Actors, Api, Auth, Batch, Console, Group, History, Log, LogFormat, Media, MediaEngine, Rate, Room, Server, Shed, Tls, TlsVersion,
    Users, VendorApi, VendorSignature,
};
pub use store::{Cluster, Postgres, Store, StoreEngine};
pub use webhooks::{OnFailure, Signature, Webhooks, WhenFull};

/// The defaults, each key with its documentation: what `tidings` can print for a start.
pub const DEFAULTS_TOML: &str = include_str!("../../config.toml");

/// Every setting. `Debug` masks secrets, `Serialize` leaves them out.
///
/// A `Config` from [`Loader::load`] or [`Config::default`] is valid; one changed by hand is checked by
/// [`Config::validate`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Sockets, HTTP and the data directory.
    pub server: Server,
    /// HTTPS and WSS.
    pub tls: Tls,
    /// Keys of user tokens.
    pub auth: Auth,
    /// Accounts and devices.
    pub users: Users,
    /// What backends may ask, and how often.
    pub api: Api,
    /// The operator's page.
    pub console: Console,
    /// The same in the vendor's shape.
    pub vendor_api: VendorApi,
    /// What a room keeps.
    pub room: Room,
    /// What is said in a group.
    pub group: Group,
    /// Quotas of one user.
    pub rate: Rate,
    /// What may be dropped, and when a session is too slow.
    pub shed: Shed,
    /// How messages share a frame.
    pub batch: Batch,
    /// Mailboxes and idle times.
    pub actors: Actors,
    /// The message store.
    pub store: Store,
    /// Brokers that share the store.
    pub cluster: Cluster,
    /// How long messages live.
    pub history: History,
    /// Files that messages carry.
    pub media: Media,
    /// What is told to, and asked of, a backend.
    pub webhooks: Webhooks,
    /// What a client may send.
    pub limits: Limits,
    /// The log.
    pub log: Log,
}

impl Default for Config {
    /// Returns what the compiled-in `config.toml` says.
    fn default() -> Self {
        match toml::from_str(DEFAULTS_TOML) {
            Ok(config) => config,
            // The text is part of the program, and a test parses it.
            Err(error) => unreachable!("the compiled-in config.toml: {error}"),
        }
    }
}

impl Config {
    /// Returns whether [`Server::listen`] can be reached from this machine only.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.server.listen.ip().to_canonical().is_loopback()
    }

    /// Returns the folder of the message store, `<server.data_dir>/store`.
    #[must_use]
    pub fn store_dir(&self) -> PathBuf {
        self.server.data_dir.join("store")
    }

    /// Returns the folder of backups: `store.backup_dir`, else `<server.data_dir>/backups`.
    #[must_use]
    pub fn backup_dir(&self) -> PathBuf {
        if self.store.backup_dir.is_empty() { self.server.data_dir.join("backups") } else { PathBuf::from(&self.store.backup_dir) }
    }

    /// Returns the folder of files, `<server.data_dir>/media`.
    #[must_use]
    pub fn media_dir(&self) -> PathBuf {
        self.server.data_dir.join("media")
    }

    /// Returns the folder of events on their way to a backend, `<server.data_dir>/webhooks`.
    #[must_use]
    pub fn webhooks_dir(&self) -> PathBuf {
        self.server.data_dir.join("webhooks")
    }

    /// Returns the folder of uploads under way, `<server.data_dir>/incoming`.
    #[must_use]
    pub fn incoming_dir(&self) -> PathBuf {
        self.server.data_dir.join("incoming")
    }
}
