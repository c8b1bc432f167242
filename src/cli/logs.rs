//! Where log lines go: text for a terminal, JSON for a collector; always standard error.

use std::io::IsTerminal as _;

use tidings::config::{Log, LogFormat};
use tracing_subscriber::EnvFilter;

/// Starts logging. A filter that is not understood is reported and replaced by `info`.
pub(super) fn start(log: &Log) {
    let filter = EnvFilter::try_new(&log.filter).unwrap_or_else(|error| {
        eprintln!("tidings: log.filter is {:?}: {error}; using info", log.filter);
        EnvFilter::new("info")
    });
    let json = match log.format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !std::io::stderr().is_terminal(),
    };
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours);
    if json {
        lines.json().flatten_event(true).init();
    } else {
        lines.compact().init();
    }
}
