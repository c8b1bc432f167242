//! The folder of a broker, which only a broker makes: a command that made one would answer for a broker that does not know it.

use tidings::auth::Secret;
use tidings::config::{Config, StoreEngine};

use super::failure::Failure;

/// Makes sure that a broker has run with these settings.
///
/// # Errors
/// [`Failure::NothingThere`] names the folder.
pub(super) fn require(config: &Config) -> Result<(), Failure> {
    let folder = &config.server.data_dir;
    // With a database everything is there, whatever is on this machine.
    let is_there =
        config.store.engine == StoreEngine::Postgres || Secret::is_kept_in(folder) || (!config.auth.secret.is_empty() && folder.is_dir());
    if is_there { Ok(()) } else { Err(nothing_in(config)) }
}

/// Makes the failure that no broker ran with these settings.
pub(super) fn nothing_in(config: &Config) -> Failure {
    Failure::NothingThere { folder: config.server.data_dir.display().to_string() }
}
