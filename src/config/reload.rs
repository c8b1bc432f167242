//! Which settings can change while the broker runs: the one list, held against the comments of `config.toml` by a test.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::{Config, ConfigError, paths};

/// When a changed setting takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reload {
    /// At once.
    Now,
    /// For what begins later: connections, or actors of conversations and users. What lives keeps what it began with.
    Later,
    /// With the next start.
    Restart,
}

use Reload::{Later, Now, Restart};

/// Each section, and each key that differs from its section.
const RELOADS: &[(&str, Reload)] = &[
    ("server", Now),
    ("server.listen", Restart),
    ("server.data_dir", Restart),
    ("server.private_listen", Restart),
    // What a client was told at its login, it goes by.
    ("server.heartbeat_seconds", Later),
    // The outboxes of those who are connected were made for it.
    ("server.frame_bytes_max", Restart),
    ("server.frame_bytes_before_login_max", Later),
    ("server.fragments_max", Later),
    ("server.control_frames_per_second_max", Later),
    ("server.requests_in_flight_max", Later),
    // The accept loops have a cap of their own made of it.
    ("server.connections_max", Restart),
    ("server.shutdown_seconds", Restart),
    ("server.http_workers", Restart),
    ("server.request_head_seconds", Restart),
    ("tls", Now),
    ("tls.certificate", Restart),
    ("tls.key", Restart),
    ("tls.min_version", Restart),
    ("auth", Restart),
    ("auth.token_ttl_seconds_default", Now),
    ("users", Now),
    // Whoever is logged in under the new name would speak as the server.
    ("users.system", Restart),
    ("api", Now),
    // The routes are there or not.
    ("api.enabled", Restart),
    ("console", Now),
    ("console.enabled", Restart),
    ("console.audit_bytes_max", Restart),
    ("room", Now),
    ("group", Now),
    ("rate", Now),
    ("shed", Now),
    ("shed.outbox_lossy_bytes", Later),
    ("shed.outbox_reliable_bytes", Later),
    ("shed.outbox_reliable_frames", Later),
    ("batch", Later),
    ("batch.list_tick_ms", Now),
    ("batch.bytes_max", Restart),
    ("actors", Later),
    ("actors.combine_bytes_in_flight_max", Now),
    ("actors.archive_mailbox", Restart),
    ("actors.appends_in_flight_max", Restart),
    ("actors.reads_in_flight_max", Restart),
    ("store", Restart),
    ("store.disk_free_bytes_min", Now),
    ("store.gather_us", Restart),
    ("store.ballast_bytes", Restart),
    ("store.backup_dir", Now),
    ("store.backup_bytes_per_second", Now),
    ("cluster", Restart),
    ("history", Now),
    ("history.retention_days", Restart),
    ("history.clock_jump_max_hours", Restart),
    ("media", Now),
    ("media.store", Restart),
    ("media.s3_bucket", Restart),
    ("media.s3_endpoint", Restart),
    ("media.s3_prefix", Restart),
    ("media.probes_max", Restart),
    ("webhooks", Restart),
    ("vendor_api", Restart),
    ("limits", Now),
    ("log", Restart),
    ("log.filter", Now),
];

/// What a reload found changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReloadReport {
    /// Keys that changed and took effect.
    pub applied: Vec<String>,
    /// Keys that changed and take effect for connections and actors that begin from now on.
    pub later: Vec<String>,
    /// Keys that changed and were left as they are: they need a restart.
    pub restart: Vec<String>,
}

impl ReloadReport {
    /// Returns whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Reload {
    /// Returns when a change of this key (`section.name`) takes effect; `None` for a key there is not.
    #[must_use]
    pub fn of(key: &str) -> Option<Self> {
        let listed = |name: &str| RELOADS.iter().find(|(listed, _)| *listed == name).map(|(_, reload)| *reload);
        listed(key).or_else(|| listed(key.split_once('.')?.0))
    }
}

impl Config {
    /// This configuration with what of `new` can change while a broker runs.
    ///
    /// # Errors
    /// [`ConfigError`] when `new` is not valid, or what can change of it does not go together with what cannot.
    pub(crate) fn reloaded(&self, new: &Self) -> Result<(Self, ReloadReport), ConfigError> {
        new.validate()?;
        let (old, mut merged) = (self.flat()?, new.flat()?);
        let mut report = ReloadReport::default();
        for (key, value) in &mut merged {
            let Some(before) = old.get(key).filter(|before| *before != value) else { continue };
            match Reload::of(key) {
                Some(Now) => report.applied.push(key.clone()),
                Some(Later) => report.later.push(key.clone()),
                Some(Restart) | None => {
                    report.restart.push(key.clone());
                    value.clone_from(before);
                }
            }
        }
        let config = Self::of_flat(merged)?;
        config.validate()?;
        Ok((config, report))
    }

    /// Each setting under `section.name`, secrets too.
    fn flat(&self) -> Result<BTreeMap<String, Value>, ConfigError> {
        let sections = serde_json::to_value(self).map_err(|error| ConfigError::Conflict(error.to_string()))?;
        let secrets = self.secrets().into_iter().map(|(key, text)| (key.to_owned(), Value::String(text.clone())));
        Ok(paths::flattened(&sections).into_iter().chain(secrets).collect())
    }

    fn of_flat(flat: BTreeMap<String, Value>) -> Result<Self, ConfigError> {
        let mut sections = serde_json::Map::new();
        for (key, value) in flat {
            paths::put(&mut sections, &key, value);
        }
        serde_json::from_value(Value::Object(sections)).map_err(|error| ConfigError::Conflict(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::DEFAULTS_TOML;

    /// Returns the sentence of a comment that says it.
    fn said(comment: &str) -> Option<Reload> {
        let sentences = [("Reloadable: yes.", Now), ("Reloadable: for what begins later.", Later), ("Reloadable: no.", Restart)];
        let said: Vec<Reload> = sentences.into_iter().filter(|(words, _)| comment.contains(words)).map(|(_, reload)| reload).collect();
        assert!(said.len() <= 1, "two things are said at once: {comment}");
        said.first().copied()
    }

    /// Before a section's name stands what holds for all of it, before a key what holds for that key.
    #[test]
    fn the_file_says_of_each_key_what_the_list_says() {
        let (mut section, mut of_section, mut comment, mut seen) = ("", None, String::new(), Vec::new());
        for line in DEFAULTS_TOML.lines() {
            if let Some(text) = line.strip_prefix('#') {
                comment.push_str(text);
            } else if let Some(name) = line.strip_prefix('[') {
                section = name.trim_end_matches(']');
                of_section = said(&comment);
                comment.clear();
                seen.push(section.to_owned());
            } else if let Some((name, _)) = line.split_once(" = ") {
                let key = format!("{section}.{name}");
                let reload = Reload::of(&key);
                assert!(reload.is_some(), "{key} is neither reloadable nor not: add it to the list");
                assert_eq!(said(&comment).or(of_section), reload, "{key}: what its comment, or else its section's, says");
                comment.clear();
                seen.push(key);
            } else if line.is_empty() {
                comment.clear();
            }
        }
        for (key, _) in RELOADS {
            assert!(seen.iter().any(|known| known == key), "the list names {key}, which is no setting");
        }
    }

    #[test]
    fn what_needs_a_restart_is_left_and_named() {
        let old = Config::default();
        let mut new = old.clone();
        new.limits.text_bytes_max = 100;
        new.server.heartbeat_seconds = 60;
        new.server.http_workers = 7;
        new.auth.secret = "another secret, long enough".to_owned();
        let (merged, report) = old.reloaded(&new).unwrap();
        assert_eq!(report.applied, ["limits.text_bytes_max"]);
        assert_eq!(report.later, ["server.heartbeat_seconds"]);
        assert_eq!(report.restart, ["auth.secret", "server.http_workers"]);
        let mut wanted = old.clone();
        wanted.limits.text_bytes_max = 100;
        wanted.server.heartbeat_seconds = 60;
        assert_eq!(merged, wanted);
        assert!(merged.reloaded(&merged).unwrap().1.is_empty());
    }

    #[test]
    fn what_does_not_go_together_with_what_stays_is_refused() {
        let old = Config::default();
        let mut new = old.clone();
        // Valid by itself; but the frame stays as small as it is.
        new.server.frame_bytes_max = 1 << 20;
        new.limits.text_bytes_max = 100_000;
        new.validate().unwrap();
        let error = old.reloaded(&new).unwrap_err().to_string();
        assert!(error.starts_with("server.frame_bytes_max is 262144, but limits.text_bytes_max of 100000"), "{error}");
        new.limits.text_bytes_max = 0;
        assert!(old.reloaded(&new).unwrap_err().to_string().contains("limits.text_bytes_max is 0"));
    }
}
