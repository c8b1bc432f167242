//! Where log lines go: text for a terminal, JSON for a collector; always standard error. With the feature `otlp`, spans of
//! requests go to a collector besides.

use std::io::IsTerminal as _;

use tidings::config::{Loader, Log, LogFormat};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry, reload};

use super::failure::Failure;

/// The log of this process.
pub(super) struct Logs {
    filter: reload::Handle<EnvFilter, Registry>,
    #[cfg(feature = "otlp")]
    spans: Option<opentelemetry_sdk::trace::SdkTracerProvider>,
}

/// Starts logging.
///
/// # Errors
/// [`Failure::Filter`]; spans are wanted and cannot be sent.
pub(super) fn start(log: &Log) -> Result<Logs, Failure> {
    let filter = read(&log.filter)?;
    let json = match log.format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !std::io::stderr().is_terminal(),
    };
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(colours);
    let lines = if json { lines.json().flatten_event(true).boxed() } else { lines.compact().boxed() };
    let (filter, handle) = reload::Layer::new(filter);
    let registry = tracing_subscriber::registry().with(lines.with_filter(filter));
    #[cfg(feature = "otlp")]
    {
        let (layer, spans) = super::otlp::start(log)?.unzip();
        registry.with(layer).init();
        Ok(Logs { filter: handle, spans })
    }
    #[cfg(not(feature = "otlp"))]
    {
        if !log.otlp_endpoint.is_empty() {
            return Err(Failure::Usage("log.otlp_endpoint is set, but this program was built without the feature `otlp`".to_owned()));
        }
        registry.init();
        Ok(Logs { filter: handle })
    }
}

/// Reads a filter.
///
/// # Errors
/// [`Failure::Filter`] with what is wrong with it.
pub(super) fn read(filter: &str) -> Result<EnvFilter, Failure> {
    EnvFilter::try_new(filter).map_err(|error| Failure::Filter { filter: filter.to_owned(), reason: error.to_string() })
}

/// Warns of variables of the environment that look like settings and are none.
pub(super) fn warn_of_variables(loader: &Loader) {
    for (variable, meant) in loader.misspelled_variables() {
        tracing::warn!(variable, "is no setting and does nothing: {meant} is one");
    }
}

impl Logs {
    /// Logs by another filter from now on.
    pub(super) fn set(&self, filter: EnvFilter) {
        if let Err(error) = self.filter.reload(filter) {
            tracing::error!(%error, "the log's filter could not be changed");
        }
    }

    /// Sends the spans that wait. Blocks.
    pub(super) fn end(self) {
        #[cfg(feature = "otlp")]
        if let Some(Err(error)) = self.spans.map(|spans| spans.shutdown()) {
            eprintln!("tidings: the last spans were not sent: {error}");
        }
    }
}
