//! Why settings were not accepted. Each text names the key, its value and what would be right; never a secret.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Settings that cannot be used. The program does not start with them.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The named file cannot be read.
    #[error("cannot read the settings file {}: {source}", path.display())]
    Read {
        /// As given, or as found.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file is not TOML.
    #[error("{} line {line}: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What the parser expected. Holds nothing of the line, which may be a secret.
        message: String,
    },
    /// There is no such key.
    #[error("unknown setting {key} ({origin}){}", suggestion.as_ref().map(|s| format!(", did you mean {s}?")).unwrap_or_default())]
    Unknown {
        /// The path as it was written, `server.liste`.
        key: String,
        /// The file, the environment variable or the command line.
        origin: String,
        /// The most similar key, if one is close.
        suggestion: Option<String>,
    },
    /// The value has the wrong type or is out of its range.
    #[error("{key} is {value}, expected {expected} ({origin})")]
    Value {
        /// The key's path, `server.heartbeat_seconds`.
        key: String,
        /// The value, shortened; of a secret its length alone.
        value: String,
        /// Type and range.
        expected: String,
        /// The file, the environment variable, the command line or the program.
        origin: String,
    },
    /// Two settings do not go together, or one is given twice.
    #[error("{0}")]
    Conflict(String),
}
