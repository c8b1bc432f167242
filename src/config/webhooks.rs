//! `[webhooks]`: what is told to, and asked of, a backend over HTTP.

use std::fmt;

use serde::{Deserialize, Serialize};

/// By which signature a backend knows that a call is the broker's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Signature {
    /// Standard Webhooks: HMAC-SHA256 in the header `webhook-signature`.
    Standard,
    /// The vendor's: SHA-1 over secret, timestamp and nonce, in the body.
    Vendor,
    /// Both.
    Both,
}

impl Signature {
    /// Returns whether [`Webhooks::secret`] is used.
    #[must_use]
    pub fn is_standard(self) -> bool {
        matches!(self, Self::Standard | Self::Both)
    }

    /// Returns whether [`Webhooks::vendor_secret`] is used.
    #[must_use]
    pub fn is_vendor(self) -> bool {
        matches!(self, Self::Vendor | Self::Both)
    }
}

/// What becomes of a message when nobody answers `before_send`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// It goes out.
    Open,
    /// Its sender is refused, temporarily.
    Closed,
}

/// What happens when the queue on disk is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WhenFull {
    /// New events are dropped, counted and logged.
    Drop,
    /// Storable messages and commands are refused, temporarily, until there is room.
    Refuse,
}

/// `[webhooks]`. `Debug` masks the secrets and `Serialize` leaves them out.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhooks {
    /// Where events go; empty: nowhere.
    pub url: String,
    /// Which events go there.
    pub events: Vec<String>,
    /// Key of Standard Webhooks signatures.
    #[serde(skip_serializing)]
    pub secret: String,
    /// Key of the vendor's signatures.
    #[serde(skip_serializing)]
    pub vendor_secret: String,
    /// Which of the two are made.
    pub signature: Signature,
    /// Who is asked before a message goes out; empty: nobody.
    pub before_send_url: String,
    /// How long a sender waits for it, milliseconds, 100 to 60000.
    pub before_send_deadline_ms: u64,
    /// What happens without an answer.
    pub before_send_fail: OnFailure,
    /// Questions under way at a time, 1 to 10000.
    pub before_send_in_flight_max: usize,
    /// Who is asked for the first picture of a video that was uploaded without one; empty: nobody.
    pub first_frame_url: String,
    /// Whether addresses of private networks may be called.
    pub allow_private_addresses: bool,
    /// A file of certificates to trust; empty: the system's.
    pub ca_file: String,
    /// How long connecting may take, milliseconds, 100 to 60000.
    pub connect_timeout_ms: u64,
    /// How long one delivery may take, milliseconds, 100 to 120000.
    pub timeout_ms: u64,
    /// Deliveries under way at a time, 1 to 256.
    pub deliveries_max: usize,
    /// Attempts of one event, 1 to 100.
    pub attempts_max: u32,
    /// Longest pause after the first attempt, milliseconds, 10 to 3600000.
    pub retry_first_ms: u64,
    /// Longest pause of all, milliseconds, 10 to 86400000.
    pub retry_most_ms: u64,
    /// Bytes of the queue on disk, 1 MiB to 64 GiB.
    pub queue_bytes_max: u64,
    /// Events in it, 100 to 10000000.
    pub queue_events_max: usize,
    /// What happens when it is full.
    pub when_full: WhenFull,
    /// How long an event may wait for the disk, milliseconds, 0 to 60000.
    pub sync_ms: u64,
    /// Dead letters kept, 0 to 1000000.
    pub dead_letters_max: usize,
    /// How long, days, 1 to 3650.
    pub dead_letters_days: u64,
}

impl Webhooks {
    /// Names of events that [`Webhooks::events`] may hold.
    pub const EVENTS: [&'static str; 17] = [
        "message.sent",
        "command.sent",
        "barrage.sent",
        "message.refused",
        "message.revoked",
        "message.edited",
        "room.created",
        "room.entered",
        "room.left",
        "room.destroyed",
        "group.created",
        "group.joined",
        "group.left",
        "group.kicked",
        "group.dismissed",
        "user.login",
        "user.logout",
    ];

    /// Returns whether anything is called at all.
    #[must_use]
    pub fn is_on(&self) -> bool {
        [&self.url, &self.before_send_url, &self.first_frame_url].iter().any(|url| !url.is_empty())
    }
}

impl fmt::Debug for Webhooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mask = |value: &str| if value.is_empty() { "unset" } else { "***" };
        f.debug_struct("Webhooks")
            .field("url", &self.url)
            .field("events", &self.events)
            .field("secret", &mask(&self.secret))
            .field("vendor_secret", &mask(&self.vendor_secret))
            .field("signature", &self.signature)
            .field("before_send_url", &self.before_send_url)
            .field("first_frame_url", &self.first_frame_url)
            .field("allow_private_addresses", &self.allow_private_addresses)
            .finish_non_exhaustive()
    }
}

/// Returns whether a text may be an address to call: `http` or `https`, a host, nothing that hides who is meant.
pub(super) fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let host = rest.map(|rest| rest.split(['/', '?']).next().unwrap_or_default());
    text.len() <= 2048
        && text.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '#' | '"' | '<' | '>' | '\\'))
        && host.is_some_and(|host| !host.is_empty() && !host.contains('@'))
}

/// Returns whether a text may be a key: `whsec_` and base64 of 24 to 64 bytes (source: Standard Webhooks), or 16 to 1024 bytes of
/// text.
pub(super) fn is_secret(text: &str) -> bool {
    use base64::Engine as _;
    match text.strip_prefix("whsec_") {
        Some(encoded) => base64::engine::general_purpose::STANDARD.decode(encoded).is_ok_and(|key| (24..=64).contains(&key.len())),
        None => (16..=1024).contains(&text.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_its_host_and_nothing_else() {
        for good in ["http://localhost:8080/hook", "https://example.com", "https://[::1]:9/x?y=z"] {
            assert!(is_url(good), "{good}");
        }
        for bad in ["", "example.com", "ftp://example.com", "https://", "https://u:p@example.com/", "http://a b/", "http://a/#x"] {
            assert!(!is_url(bad), "{bad}");
        }
        assert!(!is_url(&format!("http://a/{}", "x".repeat(2048))));
    }

    #[test]
    fn a_secret_is_a_text_or_the_standards() {
        assert!(is_secret("sixteen bytes ok"));
        assert!(!is_secret("fifteen bytes.."));
        assert!(is_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
        assert!(!is_secret("whsec_c2hvcnQ="), "a key of 5 bytes");
        assert!(!is_secret("whsec_not base64 at all, but long"));
    }

    #[test]
    fn no_output_holds_a_secret() {
        let mut webhooks = crate::config::Config::default().webhooks;
        webhooks.secret = "a very secret text".into();
        webhooks.vendor_secret = "another very secret text".into();
        let printed = format!("{webhooks:?} {}", serde_json::to_string(&webhooks).unwrap());
        assert!(!printed.contains("very secret") && printed.contains("***"), "{printed}");
    }
}
