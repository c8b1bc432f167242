//! Why a command failed, and what it exits with.

use thiserror::Error;
use tidings::backup::BackupError;
use tidings::broker::StartError;
use tidings::config::ConfigError;
use tidings::store::OpenError;

/// Why a command failed; the text is for a person, the code for a script.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("log.filter is {filter:?}: {reason}; expected a level such as info, or target=level,…")]
    Filter { filter: String, reason: String },
    #[cfg(feature = "tls")]
    #[error(transparent)]
    Certificate(#[from] tidings::http::TlsError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Backup(#[from] BackupError),
    #[error("no broker at {host}: {reason}")]
    Unreachable { host: String, reason: String },
    #[error("no broker ran in {folder}: start one there, or name its folder with --data-dir")]
    NothingThere { folder: String },
    #[error("{0}")]
    Usage(String),
    /// All is said already.
    #[error("")]
    AlreadyReported(u8),
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

impl Failure {
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) | Self::Filter { .. } | Self::Start(StartError::Config(_) | StartError::Cluster(_)) => 78,
            #[cfg(feature = "tls")]
            Self::Certificate(_) => 78,
            Self::Start(StartError::Store(error)) | Self::Open(error) | Self::Backup(BackupError::Open(error)) => store_exit_code(error),
            Self::Backup(BackupError::Damaged { .. } | BackupError::Unfinished(_) | BackupError::Newer { .. }) => 65,
            Self::Backup(BackupError::Exists(_) | BackupError::NotEmpty(_)) => 73,
            Self::NothingThere { .. } => 66,
            Self::Unreachable { .. } => 69,
            Self::Usage(_) | Self::Backup(BackupError::Name(_)) => 2,
            Self::AlreadyReported(code) => *code,
            Self::Start(_) | Self::Backup(_) | Self::Other(_) => 1,
        }
    }
}

fn store_exit_code(error: &OpenError) -> u8 {
    match error {
        OpenError::Damaged { .. } | OpenError::NewerFormat { .. } => 65,
        OpenError::NoRoom { .. } => 71,
        OpenError::NotEmpty { .. } => 73,
        OpenError::InUse { .. } => 75,
        OpenError::Foreign { .. } => 76,
        _ => 1,
    }
}
