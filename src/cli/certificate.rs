//! Until when the certificate that the settings name is good, for a person.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tidings::config::Config;

use super::failure::Failure;

/// Sooner than that before its end a certificate should have been replaced.
const SOON: Duration = Duration::from_secs(14 * 24 * 3600);

/// How a certificate stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// Good for long, or its end cannot be read of it.
    Good(String),
    /// It ends within two weeks.
    Ending(String),
    /// It ended.
    Ended(String),
}

impl Standing {
    /// Returns it in words, such as `good until Thu, 17 Oct 2024 00:00:00 GMT, 14 days yet`.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Good(text) | Self::Ending(text) | Self::Ended(text) => text,
        }
    }
}

/// Reads the certificate and its key; none where the settings name none.
///
/// # Errors
/// They cannot be used: a broker with these settings does not start.
pub(super) fn standing(config: &Config, now_ms: u64) -> Result<Option<Standing>, Failure> {
    if config.tls.certificate.as_os_str().is_empty() {
        return Ok(None);
    }
    let now = UNIX_EPOCH + Duration::from_millis(now_ms);
    Ok(Some(end(config)?.map_or_else(|| Standing::Good("until when it is good cannot be read".to_owned()), |end| at(end, now))))
}

#[cfg(feature = "tls")]
fn end(config: &Config) -> Result<Option<SystemTime>, Failure> {
    Ok(tidings::http::certificate_end(&config.tls)?.map(|end| UNIX_EPOCH + Duration::from_secs(end)))
}

#[cfg(not(feature = "tls"))]
fn end(_: &Config) -> Result<Option<SystemTime>, Failure> {
    Err(Failure::Usage("tls.certificate is set, but this program was built without the feature `tls`".to_owned()))
}

fn at(end: SystemTime, now: SystemTime) -> Standing {
    let date = httpdate::fmt_http_date(end);
    match end.duration_since(now) {
        Err(_) => Standing::Ended(format!("ended at {date}")),
        Ok(left) if left < SOON => Standing::Ending(format!("good until {date}, {} days yet", left.as_secs() / 86_400)),
        Ok(left) => Standing::Good(format!("good until {date}, {} days yet", left.as_secs() / 86_400)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_good_ending_or_ended() {
        let day = Duration::from_secs(86_400);
        let now = UNIX_EPOCH + 20_000 * day;
        assert_eq!(at(now + 14 * day, now), Standing::Good("good until Fri, 18 Oct 2024 00:00:00 GMT, 14 days yet".to_owned()));
        assert!(matches!(at(now + 14 * day - Duration::from_secs(1), now), Standing::Ending(text) if text.contains("13 days")));
        assert!(matches!(at(now - Duration::from_secs(1), now), Standing::Ended(text) if text.starts_with("ended at Thu, 03 Oct 2024")));
    }
}
