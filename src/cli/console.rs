//! `tidings console`: the way back in when the password is lost.

use clap::Subcommand;
use tidings::broker::documents;
use tidings::clock::{Clock as _, SystemClock};
use tidings::console::ConsoleFile;

use super::failure::Failure;
use super::settings::Settings;

#[derive(Debug, Subcommand)]
pub(super) enum ConsoleCommand {
    /// Forget the console's password and print a link that lets one set a new one, within 30 minutes, once. Whoever is signed
    /// in is signed out; a running broker need not be restarted.
    Reset(Settings),
}

pub(super) fn run(command: &ConsoleCommand) -> Result<(), Failure> {
    let ConsoleCommand::Reset(settings) = command;
    let config = settings.load(Vec::new())?;
    super::folder::require(&config)?;
    let (server, is_secure) = (&config.server, !config.tls.certificate.as_os_str().is_empty());
    let now_ms = SystemClock::new().wall_ms();
    let token = ConsoleFile::among(documents(&config)?).reset(now_ms).map_err(anyhow::Error::from)?;
    let scheme = if is_secure { "https" } else { "http" };
    println!("{scheme}://{}/console#setup={token}", server.listen);
    Ok(())
}
