//! Other settings, while sessions go on.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::handle::Broker;
use super::open::quotas;
use crate::config::{Config, ConfigError, ReloadReport};

impl Broker {
    /// Takes what of `new` can change while a broker runs: limits, rates, budgets, origins, deadlines. No session ends for
    /// it. Which keys can is told by [`Reload::of`](crate::config::Reload::of) and, key by key, in `config.toml`; those
    /// that need a restart are named in the report and stay as they are. Who was near a quota that changed begins with
    /// a full one.
    ///
    /// `log.filter` is the program's own: a host that wants it to follow looks at [`Broker::config`] afterwards.
    ///
    /// # Errors
    /// [`ConfigError`] when `new` is not valid, or what can change of it does not go together with what cannot. Nothing
    /// is changed then.
    pub fn reconfigure(&self, new: &Config) -> Result<ReloadReport, ConfigError> {
        let context = &self.context;
        // Two at once would each overwrite what the other changed.
        let _one_at_a_time = context.reloading.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let merged = context.config().reloaded(new);
        let (config, report) = match merged {
            Ok(merged) => merged,
            Err(error) => {
                context.metrics.reloaded(None);
                return Err(error);
            }
        };
        context.gate.set(quotas(&config));
        context.settings.store(Arc::new(config));
        context.metrics.reloaded(Some(std::time::Duration::from_millis(context.clock.wall_ms()).as_secs_f64()));
        Ok(report)
    }

    /// Notes where settings come from, by `section.name`: `default`, a file, a variable, the command line. Whoever looks at the
    /// settings of the running broker is told; nothing else depends on it. After a reload, those that it left as they are keep the
    /// origin they had: `left`.
    pub fn note_origins(&self, mut origins: BTreeMap<String, String>, left: &[String]) {
        let mut noted = self.server_api.origins.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        for key in left {
            match noted.get(key) {
                Some(before) => drop(origins.insert(key.clone(), before.clone())),
                None => drop(origins.remove(key)),
            }
        }
        *noted = Arc::new(origins);
    }

    /// Returns where settings come from, as far as [`Broker::note_origins`] was told.
    #[must_use]
    pub fn origins(&self) -> Arc<BTreeMap<String, String>> {
        self.server_api.origins.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Counts a configuration that could not even be read like one that [`Broker::reconfigure`] refused.
    pub fn reload_failed(&self) {
        self.context.metrics.reloaded(None);
    }
}
