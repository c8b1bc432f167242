//! Where the settings of a command come from.

use std::path::PathBuf;

use clap::Args;
use tidings::config::{Config, Loader};

use super::failure::Failure;

/// Where settings come from. Precedence: defaults < file < `TIDINGS_SECTION__KEY` < flags.
#[derive(Debug, Args)]
pub(super) struct Settings {
    /// Settings file; default: `TIDINGS_CONFIG`, else ./tidings.toml if there is one.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where store and secrets live; default: `server.data_dir` (./data).
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

impl Settings {
    /// Loads the configuration from file, environment and flags.
    pub(super) fn load(&self, flags: Vec<(String, String)>) -> Result<Config, Failure> {
        Ok(self.loader(flags)?.load()?)
    }

    /// Makes the loader that reads it.
    pub(super) fn loader(&self, flags: Vec<(String, String)>) -> Result<Loader, Failure> {
        let mut overrides = flags;
        if let Some(dir) = &self.data_dir {
            overrides.push(("server.data_dir".into(), dir.display().to_string()));
        }
        let cwd = std::env::current_dir().map_err(anyhow::Error::from)?;
        let env = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Ok(Loader { file: self.config.clone(), env: env.collect(), overrides, cwd })
    }
}
