//! How far long work is: a bar on a terminal, nothing elsewhere.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar that is gone when dropped.
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// Shows a bar named `what`; `bytes` is how many there will be, if that is known.
    pub(super) fn of(what: &'static str, bytes: Option<u64>) -> Self {
        let bar = bytes.map_or_else(ProgressBar::no_length, ProgressBar::new);
        let colours = std::env::var_os("NO_COLOR").is_none();
        let template = match (bytes.is_some(), colours) {
            (true, true) => "{msg} {bar:32.cyan} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
            (true, false) => "{msg} {bar:32} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
            (false, _) => "{msg} {spinner} {bytes} {bytes_per_sec}",
        };
        // A template that is not understood leaves the plain style.
        bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_draw_target(if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() });
        bar.set_message(what);
        Self(bar)
    }

    pub(super) fn add(&self, bytes: u64) {
        self.0.inc(bytes);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
