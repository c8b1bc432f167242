//! The SDK version a client says it speaks, which decides what it may be shown.

use std::fmt;

use super::Invalid;

/// `major.minor.patch`; compared in that order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SdkVersion(pub u16, pub u16, pub u16);

impl SdkVersion {
    /// What a client is taken for that does not say. Our choice: the newest, because it was written against this broker.
    pub const NEWEST: Self = Self(u16::MAX, 0, 0);
    /// From here custom messages are seen with content. Source: ZIM guide "Send and receive messages".
    pub const CUSTOM: Self = Self(2, 8, 0);
    /// From here a broadcast is received. Source: ZIM guide "Send and receive messages".
    pub const BROADCAST: Self = Self(2, 10, 0);
    /// From here mentions are sent and seen. Source: ZIM guide "Send and receive messages".
    pub const MENTIONS: Self = Self(2, 14, 0);
    /// From here the tips of a group are seen. Source: ZIM guide "Receive tip messages".
    pub const TIPS: Self = Self(2, 15, 0);
    /// From here kinds that are not understood are shown as Unknown. Source: ZIM guide "Send and receive messages".
    pub const UNKNOWN_KINDS: Self = Self(2, 0, 0);

    /// Reads `2`, `2.14` or `2.14.0`.
    ///
    /// # Errors
    /// [`Invalid`] naming `sdkVersion`.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let mut parts = [0u16; 3];
        let mut count = 0;
        for (n, part) in text.split('.').enumerate() {
            let slot = parts.get_mut(n).ok_or_else(|| not_a_version(text))?;
            *slot = part.parse().map_err(|_| not_a_version(text))?;
            count = n + 1;
        }
        if count == 0 {
            return Err(not_a_version(text));
        }
        Ok(Self(parts[0], parts[1], parts[2]))
    }
}

fn not_a_version(text: &str) -> Invalid {
    let shown: String = text.chars().take(32).collect();
    Invalid::new("sdkVersion", format!("is {shown:?}, expected major.minor.patch"))
}

impl fmt::Display for SdkVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number_not_by_text() {
        assert!(SdkVersion::parse("2.14.0").unwrap() > SdkVersion::CUSTOM);
        assert!(SdkVersion::parse("2.8").unwrap() >= SdkVersion::CUSTOM);
        assert!(SdkVersion::parse("2.7.9").unwrap() < SdkVersion::CUSTOM);
        assert!(SdkVersion::NEWEST > SdkVersion::parse("99.0.0").unwrap());
        for bad in ["", "x", "2.x", "2.1.0.0", "-1", "2..1"] {
            assert!(SdkVersion::parse(bad).is_err(), "{bad}");
        }
    }
}
