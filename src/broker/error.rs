//! Why a broker does not start.

use thiserror::Error;

use crate::auth::SecretError;
use crate::config::ConfigError;
use crate::store::{OpenError, StoreError};

/// Why a broker does not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// A value of the configuration is out of its range, or two do not fit each other.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The secret that signs tokens cannot be read or kept.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The store opened and cannot be read.
    #[error("store cannot be read: {0}")]
    Read(#[from] StoreError),
    /// Files cannot be kept where the configuration says.
    #[error("{0}")]
    Media(String),
    /// Webhooks cannot be called, or their queue cannot be opened, as the configuration says.
    #[error("{0}")]
    Webhooks(String),
    /// It cannot work together with others as the configuration says.
    #[error("{0}")]
    Cluster(String),
    /// The system gives no thread.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
}
