//! Checks of a whole [`Config`]: every range once more for one changed by hand, and the relations between keys.

use toml::Value;

use super::{Config, ConfigError, MediaEngine, StoreEngine, paths, ranges};
use crate::model::UserId;

impl Config {
    /// Checks every range and relation.
    ///
    /// [`Loader::load`](super::Loader::load) has done so already; a host that fills the fields itself calls it.
    ///
    /// # Errors
    /// [`ConfigError`] naming the first key that is wrong, its value and its range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.check_ranges()?;
        self.check_frames()?;
        self.check_outbox()?;
        self.check_invites()?;
        self.check_combines()?;
        if self.media.store == MediaEngine::S3 && self.media.s3_bucket.is_empty() {
            return Err(ConfigError::Conflict("media.store is \"s3\", but media.s3_bucket is empty: set the bucket's name".into()));
        }
        if self.store.engine == StoreEngine::Postgres && self.store.postgres.url.is_empty() {
            let missing = "store.engine is \"postgres\", but store.postgres.url is empty: set the database's address";
            return Err(ConfigError::Conflict(missing.into()));
        }
        self.check_webhooks()?;
        if self.vendor_api.enabled && self.vendor_api.server_secret.is_empty() {
            let missing = "vendor_api.enabled is true, but vendor_api.server_secret is empty: set the secret that calls are signed with";
            return Err(ConfigError::Conflict(missing.into()));
        }
        self.check_system_user()?;
        let (longest, default) = (self.auth.token_lifetime_max_seconds, self.auth.token_ttl_seconds_default);
        if longest > 0 && default > longest {
            return Err(ConfigError::Conflict(format!(
                "auth.token_ttl_seconds_default is {default}, which is above auth.token_lifetime_max_seconds ({longest}): the broker would refuse its own tokens"
            )));
        }
        let tls = &self.tls;
        if tls.certificate.as_os_str().is_empty() != tls.key.as_os_str().is_empty() {
            return Err(ConfigError::Conflict(
                "of tls.certificate and tls.key one is empty: set both for HTTPS, or none for plain HTTP".into(),
            ));
        }
        self.check_address()
    }

    fn check_system_user(&self) -> Result<(), ConfigError> {
        let checked = UserId::parse("users.system", &self.users.system, &self.limits);
        checked.map(|_| ()).map_err(|invalid| ConfigError::Conflict(invalid.to_string()))
    }

    fn check_ranges(&self) -> Result<(), ConfigError> {
        let sections = serde_json::to_value(self).map_err(|error| ConfigError::Conflict(error.to_string()))?;
        let fields = paths::flattened(&sections).into_iter().map(|(key, value)| (key, plain(&value)));
        // Serialising leaves the secrets out.
        let secrets = self.secrets().map(|(key, text)| (key.to_owned(), Value::String(text.clone())));
        for (key, value) in fields.chain(secrets) {
            if !ranges::is_allowed(&key, &value) {
                return Err(ConfigError::Value {
                    value: ranges::shown(&key, &value),
                    expected: ranges::expected(&key, &value),
                    origin: "set by the program".to_owned(),
                    key,
                });
            }
        }
        Ok(())
    }

    /// Returns every key that serialising leaves out.
    pub(crate) fn secrets(&self) -> [(&'static str, &String); 6] {
        [
            ("auth.secret", &self.auth.secret),
            ("auth.token04_secret", &self.auth.token04_secret),
            ("webhooks.secret", &self.webhooks.secret),
            ("webhooks.vendor_secret", &self.webhooks.vendor_secret),
            ("vendor_api.server_secret", &self.vendor_api.server_secret),
            ("store.postgres.url", &self.store.postgres.url),
        ]
    }

    fn check_frames(&self) -> Result<(), ConfigError> {
        let frame = self.server.frame_bytes_max;
        let texts = [
            ("limits.text_bytes_max", self.limits.text_bytes_max),
            ("limits.custom_bytes_max", self.limits.custom_bytes_max),
            ("limits.barrage_bytes_max", self.limits.barrage_bytes_max),
        ];
        for (key, bytes) in texts {
            // A control character is `\u0001` in JSON, six bytes for one; the rest of the frame is below 8 KiB.
            let needed = bytes * 6 + 8192;
            if frame < needed {
                return Err(ConfigError::Conflict(format!(
                    "server.frame_bytes_max is {frame}, but {key} of {bytes} needs at least {needed} (6 times its value plus 8192)"
                )));
            }
        }
        let before = self.server.frame_bytes_before_login_max;
        if before > frame {
            return Err(ConfigError::Conflict(format!(
                "server.frame_bytes_before_login_max is {before}, more than server.frame_bytes_max of {frame}"
            )));
        }
        Ok(())
    }

    /// The largest combined message must fit into what all together may hold.
    fn check_combines(&self) -> Result<(), ConfigError> {
        let (all, one) = (self.actors.combine_bytes_in_flight_max, self.limits.combine_bytes_max);
        if all < one {
            return Err(ConfigError::Conflict(format!(
                "actors.combine_bytes_in_flight_max is {all}, but limits.combine_bytes_max of {one} needs at least as many"
            )));
        }
        Ok(())
    }

    /// The largest invitation must fit, or it would pass at no time.
    fn check_invites(&self) -> Result<(), ConfigError> {
        let (per_minute, at_once) = (self.rate.invites_per_minute, self.limits.group_invite_max);
        if usize::try_from(per_minute).is_ok_and(|per_minute| per_minute < at_once) {
            return Err(ConfigError::Conflict(format!(
                "rate.invites_per_minute is {per_minute}, but limits.group_invite_max of {at_once} needs at least as many"
            )));
        }
        Ok(())
    }

    /// The largest frame must fit, or that frame alone closes its session, each time it comes back.
    fn check_outbox(&self) -> Result<(), ConfigError> {
        let (outbox, frame, batch) = (self.shed.outbox_reliable_bytes, self.server.frame_bytes_max, self.batch.bytes_max);
        let needed = 2 * frame.max(batch);
        if outbox < needed {
            return Err(ConfigError::Conflict(format!(
                "shed.outbox_reliable_bytes is {outbox}, but server.frame_bytes_max of {frame} and batch.bytes_max of {batch} need at least {needed}"
            )));
        }
        Ok(())
    }

    /// A call that nobody can tell from a stranger's is worth nothing to a backend.
    fn check_webhooks(&self) -> Result<(), ConfigError> {
        let webhooks = &self.webhooks;
        let used = [
            (webhooks.signature.is_standard(), "secret", &webhooks.secret),
            (webhooks.signature.is_vendor(), "vendor_secret", &webhooks.vendor_secret),
        ];
        for (is_used, key, secret) in used {
            if webhooks.is_on() && is_used && secret.is_empty() {
                return Err(ConfigError::Conflict(format!(
                    "webhooks.url, webhooks.before_send_url or webhooks.first_frame_url is set, but webhooks.{key} is empty: set it, calls are signed with it"
                )));
            }
        }
        Ok(())
    }

    /// Whoever can read the data directory knows a generated secret, and nobody chose it: not for the network.
    fn check_address(&self) -> Result<(), ConfigError> {
        if self.auth.secret.is_empty() && !self.is_loopback() {
            return Err(ConfigError::Conflict(format!(
                "server.listen is {}, but auth.secret is empty: set auth.secret (16 to 1024 bytes) to serve an address other than loopback",
                self.server.listen
            )));
        }
        Ok(())
    }
}

/// JSON to TOML; a number too large for it becomes the largest, which no range holds.
fn plain(value: &serde_json::Value) -> Value {
    match value {
        serde_json::Value::Number(number) => Value::Integer(number.as_i64().unwrap_or(i64::MAX)),
        serde_json::Value::String(text) => Value::String(text.clone()),
        serde_json::Value::Array(list) => Value::Array(list.iter().map(plain).collect()),
        serde_json::Value::Bool(switch) => Value::Boolean(*switch),
        other => Value::String(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Limits;

    fn refused(change: impl FnOnce(&mut Config)) -> String {
        let mut config = Config::default();
        change(&mut config);
        config.validate().unwrap_err().to_string()
    }

    #[test]
    fn the_defaults_are_valid_and_their_limits_are_the_models() {
        let config = Config::default();
        config.validate().unwrap();
        assert_eq!(config.limits, Limits::default());
        assert!(config.is_loopback());
    }

    #[test]
    fn a_field_set_by_hand_is_checked_too() {
        assert_eq!(
            refused(|c| c.server.heartbeat_seconds = 4),
            "server.heartbeat_seconds is 4, expected an integer in the range 5 to 300 (set by the program)"
        );
        assert!(refused(|c| c.store.cache_bytes = u64::MAX).starts_with("store.cache_bytes is 9223372036854775807,"));
        assert!(refused(|c| c.server.origins = vec!["nonsense".into()]).starts_with("server.origins is [\"nonsense\"]"));
    }

    #[test]
    fn a_short_secret_is_refused_without_being_shown() {
        let text = refused(|c| c.auth.secret = "hunter2".into());
        assert!(text.starts_with("auth.secret is a text of 7 bytes, expected a text of 16 to 1024 bytes"), "{text}");
        let text = refused(|c| c.auth.token04_secret = "x".repeat(31));
        assert!(text.starts_with("auth.token04_secret is a text of 31 bytes, expected a text of exactly 32"), "{text}");
    }

    #[test]
    fn an_outbox_must_hold_the_largest_frame_twice() {
        let mut config = Config::default();
        config.shed.outbox_reliable_bytes = 2 * config.server.frame_bytes_max;
        config.validate().unwrap();
        assert_eq!(
            refused(|c| c.shed.outbox_reliable_bytes = 2 * c.server.frame_bytes_max - 1),
            "shed.outbox_reliable_bytes is 524287, but server.frame_bytes_max of 262144 and batch.bytes_max of 65536 need at least 524288"
        );
    }

    #[test]
    fn a_frame_must_hold_the_longest_text_escaped() {
        let mut config = Config::default();
        config.server.frame_bytes_max = config.limits.text_bytes_max * 6 + 8192;
        config.validate().unwrap();
        let text = refused(|c| c.server.frame_bytes_max = c.limits.text_bytes_max * 6 + 8191);
        assert_eq!(
            text,
            "server.frame_bytes_max is 204799, but limits.text_bytes_max of 32768 needs at least 204800 (6 times its value plus 8192)"
        );
        assert!(refused(|c| c.limits.custom_bytes_max = 65_536).contains("limits.custom_bytes_max of 65536"));
        let text = refused(|c| {
            (c.limits.text_bytes_max, c.limits.custom_bytes_max, c.limits.barrage_bytes_max) = (1, 1, 1);
            (c.server.frame_bytes_max, c.server.frame_bytes_before_login_max) = (9000, 9001);
        });
        assert!(text.starts_with("server.frame_bytes_before_login_max is 9001"), "{text}");
    }

    #[test]
    fn without_a_secret_only_loopback_is_served() {
        for listen in ["0.0.0.0:7080", "[::]:7080", "192.168.1.2:80"] {
            let text = refused(|c| c.server.listen = listen.parse().unwrap());
            assert!(text.contains("auth.secret") && text.contains(listen), "{text}");
        }
        for listen in ["127.0.0.1:0", "127.9.9.9:7080", "[::1]:7080", "[::ffff:127.0.0.1]:7080"] {
            let mut config = Config::default();
            config.server.listen = listen.parse().unwrap();
            config.validate().unwrap();
        }
        let mut config = Config::default();
        config.server.listen = "0.0.0.0:7080".parse().unwrap();
        config.auth.secret = "sixteen bytes ok".into();
        config.validate().unwrap();
        assert!(!config.is_loopback());
    }

    #[test]
    fn webhooks_are_signed() {
        let hooked = |c: &mut Config| c.webhooks.url = "https://example.com/hook".into();
        assert!(refused(hooked).contains("webhooks.secret is empty"));
        let text = refused(|c| {
            hooked(c);
            c.webhooks.secret = "sixteen bytes ok".into();
            c.webhooks.signature = super::super::Signature::Both;
        });
        assert!(text.contains("webhooks.vendor_secret is empty"), "{text}");
        assert!(refused(|c| c.webhooks.url = "example.com".into()).starts_with("webhooks.url is \"example.com\""));
        assert!(refused(|c| c.webhooks.events = vec!["message.send".into()]).starts_with("webhooks.events is"));
        assert!(refused(|c| c.webhooks.secret = "short".into()).starts_with("webhooks.secret is a text of 5 bytes"));
    }

    #[test]
    fn no_output_holds_a_secret() {
        let mut config = Config::default();
        config.auth.secret = "a very secret text".into();
        config.auth.token04_secret = "12345678901234567890123456789012".into();
        config.vendor_api.server_secret = "another very secret text".into();
        let printed = format!("{config:?} {config:#?} {}", serde_json::to_string(&config).unwrap());
        assert!(!printed.contains("very secret") && !printed.contains("1234567890"), "{printed}");
        assert!(printed.contains("***"));
    }
}
