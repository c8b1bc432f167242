//! What a kept file and its renditions are called.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The name of a kept file: 128 random bits as 32 hexadecimal digits. Nobody can guess it, and it says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FileUid([u8; 16]);

impl FileUid {
    /// Of random bits.
    #[must_use]
    pub fn from_bits(bits: u128) -> Self {
        Self(bits.to_be_bytes())
    }

    /// Returns the bits, most significant first.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// Reads a `fileUID`; none: it is not one of this broker's.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        digits.then(|| u128::from_str_radix(text, 16).ok()).flatten().map(Self::from_bits)
    }

    /// Returns the file that a URL of a broker names: `…/media/{fileUID}/{rendition}`, whatever
    /// comes before, whatever query behind.
    #[must_use]
    pub fn in_url(url: &str) -> Option<Self> {
        let path = url.split(['?', '#']).next().unwrap_or_default();
        let (rest, rendition) = path.rsplit_once('/')?;
        let (base, file) = rest.rsplit_once('/')?;
        Rendition::parse(rendition)?;
        (base == "/media" || base.ends_with("/media")).then(|| Self::parse(file)).flatten()
    }
}

impl fmt::Display for FileUid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl TryFrom<String> for FileUid {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("{text} is no fileUID"))
    }
}

impl From<FileUid> for String {
    fn from(file: FileUid) -> Self {
        file.to_string()
    }
}

/// A form in which a file is served. Source: ZIM API reference, `ZIMMediaFileType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rendition {
    /// Byte for byte what was uploaded.
    Original,
    /// An image for the screen.
    Large,
    /// An image for a list.
    Thumbnail,
    /// The first picture of a video.
    Frame,
}

impl Rendition {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Original, Self::Large, Self::Thumbnail, Self::Frame];

    /// Returns the last part of its URL.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Original => "original",
            Self::Large => "large",
            Self::Thumbnail => "thumbnail",
            Self::Frame => "frame",
        }
    }

    /// Reads the last part of a URL.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rendition| rendition.label() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UID: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn a_uid_is_32_lowercase_hex_digits_and_nothing_else() {
        let file = FileUid::parse(UID).unwrap();
        assert_eq!(file.to_string(), UID);
        assert_eq!(FileUid::from_bits(1).to_string(), "00000000000000000000000000000001");
        for bad in [
            "",
            &UID[1..],
            &format!("{UID}0"),
            &UID.to_uppercase(),
            "+123456789abcdef0123456789abcdef",
            "../../../../../../../../etc/passwd",
        ] {
            assert_eq!(FileUid::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_own_url_is_known_by_its_path_whatever_stands_around_it() {
        let file = FileUid::parse(UID);
        for url in [
            format!("/media/{UID}/original"),
            format!("http://chat.example:7080/media/{UID}/thumbnail?token=a.b.c"),
            format!("https://x/im/media/{UID}/large#x"),
        ] {
            assert_eq!(FileUid::in_url(&url), file, "{url}");
        }
        for url in
            [format!("https://x/{UID}/original"), format!("/media/{UID}"), format!("/media/{UID}/x"), format!("/nomedia/{UID}/large")]
        {
            assert_eq!(FileUid::in_url(&url), None, "{url}");
        }
    }
}
