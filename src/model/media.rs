//! Files that messages carry: kept here under a name of the broker's making, or elsewhere under a URL of the sender's.
//! Source: ZIM guide "Send and receive messages", rich media.

use serde::{Deserialize, Serialize};

use super::{FileUid, Invalid, Limits, MessageKind, Refusal};

/// The longest URL that is passed on. Our choice: 2048, what browsers and servers agree on.
const URL_BYTES_MAX: usize = 2048;

/// What a file is sent as. Source: ZIM guide "Send and receive messages".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MediaKind {
    /// JPG, PNG, BMP, TIFF, GIF, WebP, HEIC, HEIF.
    Image,
    /// Anything.
    File,
    /// MP3, M4A.
    Audio,
    /// MP4, MOV.
    Video,
}

impl MediaKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Image, Self::File, Self::Audio, Self::Video];

    /// Reads `image`, `file`, `audio`, `video`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.label() == text)
    }

    /// As it is spelled in requests.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::File => "file",
            Self::Audio => "audio",
            Self::Video => "video",
        }
    }

    /// Returns the kind of message that carries it.
    #[must_use]
    pub fn message_kind(self) -> MessageKind {
        match self {
            Self::Image => MessageKind::Image,
            Self::File => MessageKind::File,
            Self::Audio => MessageKind::Audio,
            Self::Video => MessageKind::Video,
        }
    }

    /// Returns what a message of a kind carries; none: nothing.
    #[must_use]
    pub fn of_message(kind: MessageKind) -> Option<Self> {
        Self::ALL.into_iter().find(|media| media.message_kind() == kind)
    }

    /// Returns the most bytes of one file.
    #[must_use]
    pub fn bytes_max(self, limits: &Limits) -> u64 {
        match self {
            Self::Image => limits.image_bytes_max,
            Self::File => limits.file_bytes_max,
            Self::Audio => limits.audio_bytes_max,
            Self::Video => limits.video_bytes_max,
        }
    }
}

/// Width and height of a picture as it is shown, pixels; 0 where they are not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pixels {
    /// From left to right.
    pub width: u32,
    /// From top to bottom.
    pub height: u32,
}

impl Pixels {
    /// Of a width and a height.
    #[must_use]
    pub fn new(width: u32, height: u32) -> Self {
        Self { width, height }
    }

    /// Turned by a quarter.
    #[must_use]
    pub fn turned(self) -> Self {
        Self { width: self.height, height: self.width }
    }

    /// Returns how many there are.
    #[must_use]
    pub fn count(self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    pub(super) fn is_unknown(&self) -> bool {
        *self == Self::default()
    }
}

/// Where a file lies that this broker does not keep: passed on byte for byte, never fetched.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MediaUrls {
    /// The file.
    pub original: String,
    /// Of an image: for the screen.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub large: String,
    /// Of an image: for a list.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub thumbnail: String,
    /// Of a video: its first picture.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub frame: String,
}

impl MediaUrls {
    fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// A file as a message carries it. Of a draft only `kind`, `file` or `urls`, and the duration are the sender's; what the
/// broker knows of a kept file takes the place of the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    /// What it is sent as.
    pub kind: MediaKind,
    /// The kept file; none: it lies elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FileUid>,
    /// Where it lies elsewhere.
    #[serde(default, skip_serializing_if = "MediaUrls::is_none")]
    pub urls: MediaUrls,
    /// What its sender calls it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its length.
    #[serde(default)]
    pub bytes: u64,
    /// How long its sender says it plays, milliseconds: of audio and video.
    #[serde(default)]
    pub duration_ms: u64,
    /// Of an image.
    #[serde(default, skip_serializing_if = "Pixels::is_unknown")]
    pub original: Pixels,
    /// Of an image for the screen.
    #[serde(default, skip_serializing_if = "Pixels::is_unknown")]
    pub large: Pixels,
    /// Of an image for a list.
    #[serde(default, skip_serializing_if = "Pixels::is_unknown")]
    pub thumbnail: Pixels,
    /// Of a video's first picture: H.264 and H.265 only. Source: ZIM guide "Send and receive messages".
    #[serde(default, skip_serializing_if = "Pixels::is_unknown")]
    pub frame: Pixels,
    /// That picture is kept, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_frame: bool,
}

impl Media {
    /// Returns a kept file, for a draft. `duration_ms` is asked for with audio and video.
    #[must_use]
    pub fn kept(kind: MediaKind, file: FileUid, duration_ms: u64) -> Self {
        Self { file: Some(file), duration_ms, ..Self::elsewhere(kind, MediaUrls::default(), 0) }
    }

    /// Returns a file elsewhere, for a draft.
    #[must_use]
    pub fn elsewhere(kind: MediaKind, urls: MediaUrls, duration_ms: u64) -> Self {
        let none = Pixels::default();
        Self {
            kind,
            file: None,
            urls,
            name: String::new(),
            bytes: 0,
            duration_ms,
            original: none,
            large: none,
            thumbnail: none,
            frame: none,
            has_frame: false,
        }
    }

    /// Returns about how many bytes it holds here.
    #[must_use]
    pub fn weight(&self) -> usize {
        160 + self.name.len() + self.urls.original.len() + self.urls.large.len() + self.urls.thumbnail.len() + self.urls.frame.len()
    }

    /// Checks what the sender says.
    ///
    /// # Errors
    /// [`Invalid`] naming the field: a URL that is not passed on, a name that is too long.
    pub fn validate(&self, limits: &Limits) -> Result<(), Invalid> {
        if self.name.len() > limits.file_name_bytes_max {
            return Err(Invalid::too_long("message.fileName", self.name.len(), limits.file_name_bytes_max));
        }
        for (field, url) in [
            ("message.fileDownloadUrl", &self.urls.original),
            ("message.largeImageDownloadUrl", &self.urls.large),
            ("message.thumbnailDownloadUrl", &self.urls.thumbnail),
            ("message.videoFirstFrameDownloadUrl", &self.urls.frame),
        ] {
            check_url(field, url)?;
        }
        Ok(())
    }

    /// Takes what its sender says of its length as milliseconds, if that is what the file measures, within 5 %: a thousand times
    /// what it should say. Source: ZIM guide "Send and receive messages", whose text says seconds and whose recording sample passes
    /// milliseconds.
    pub(crate) fn take_milliseconds(&mut self, measured_ms: Option<u64>) {
        let said_ms = self.duration_ms / 1000;
        if measured_ms.is_some_and(|measured| measured > 0 && said_ms.abs_diff(measured).saturating_mul(20) <= measured) {
            self.duration_ms = said_ms;
        }
    }

    /// Checks how long its sender says it plays, in seconds.
    ///
    /// # Errors
    /// [`Refusal::FileDuration`].
    pub fn check_duration(&self, limits: &Limits) -> Result<(), Refusal> {
        let ms_max = match self.kind {
            MediaKind::Audio => limits.audio_seconds_max * 1000,
            MediaKind::Video => u64::MAX,
            MediaKind::Image | MediaKind::File => return Ok(()),
        };
        if self.duration_ms == 0 || self.duration_ms > ms_max {
            return Err(Refusal::FileDuration { ms: self.duration_ms, seconds_max: ms_max / 1000 });
        }
        Ok(())
    }
}

/// Our choice: only plain web addresses without a user part, because a receiver's client opens what it is given: other
/// schemes run code or read its disk, and a user part hides the host.
fn check_url(field: &str, url: &str) -> Result<(), Invalid> {
    if url.is_empty() {
        return Ok(());
    }
    if url.len() > URL_BYTES_MAX {
        return Err(Invalid::too_long(field, url.len(), URL_BYTES_MAX));
    }
    if url.chars().any(|c| c.is_control() || c == ' ') {
        return Err(Invalid::new(field, "holds a space or a control character"));
    }
    let scheme = |name: &str| url.get(..name.len()).is_some_and(|head| head.eq_ignore_ascii_case(name));
    let authority = match () {
        () if scheme("https://") => &url["https://".len()..],
        () if scheme("http://") => &url["http://".len()..],
        // A broker's own, which names no host.
        () if FileUid::in_url(url).is_some() && url.starts_with('/') && !url.starts_with("//") => return Ok(()),
        () => return Err(Invalid::new(field, "is no http or https URL")),
    };
    let authority = authority.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    if authority.is_empty() || authority.contains('@') {
        return Err(Invalid::new(field, "has no host, or a user before it"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const UID: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn a_length_in_milliseconds_is_taken_within_a_twentieth_of_what_is_measured() {
        let taken = |said_seconds: u64, measured: Option<u64>| {
            let file = FileUid::parse(UID).unwrap();
            let mut media = Media::kept(MediaKind::Audio, file, said_seconds * 1000);
            media.take_milliseconds(measured);
            media.duration_ms
        };
        assert_eq!((taken(2100, Some(2000)), taken(1900, Some(2000)), taken(2000, Some(2000))), (2100, 1900, 2000));
        assert_eq!((taken(2101, Some(2000)), taken(1899, Some(2000)), taken(2000, None)), (2_101_000, 1_899_000, 2_000_000));
        assert_eq!((taken(2, Some(2000)), taken(0, Some(0)), taken(0, Some(10))), (2000, 0, 0), "seconds stay seconds");
    }

    #[test]
    fn only_plain_web_addresses_are_passed_on() {
        for good in ["https://a.example/x.png?a=1&b=%20#f", "http://10.0.0.1:8080/字.png", "HTTPS://A/", &format!("/media/{UID}/original")]
        {
            assert_eq!(check_url("f", good), Ok(()), "{good}");
        }
        for bad in [
            "ftp://a/x",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "//a/x",
            "/x.png",
            "https://user:pw@a/x",
            "https://a/\n",
            "https://a/ b",
            "https://",
            "http:a",
        ] {
            assert!(check_url("f", bad).is_err(), "{bad}");
        }
        let long = |bytes: usize| format!("https://a/{}", "x".repeat(bytes - 10));
        assert!(check_url("f", &long(2048)).is_ok());
        assert!(check_url("f", &long(2049)).is_err());
    }

    #[test]
    fn audio_plays_for_300_seconds_and_not_a_moment_more() {
        let limits = Limits::default();
        let playing = |kind, ms| Media::kept(kind, FileUid::from_bits(1), ms).check_duration(&limits);
        assert!(playing(MediaKind::Audio, 300_000).is_ok() && playing(MediaKind::Audio, 1).is_ok());
        assert_eq!(playing(MediaKind::Audio, 300_001), Err(Refusal::FileDuration { ms: 300_001, seconds_max: 300 }));
        assert!(playing(MediaKind::Audio, 0).is_err() && playing(MediaKind::Video, 0).is_err());
        assert!(playing(MediaKind::Video, 36_000_000).is_ok() && playing(MediaKind::Image, 0).is_ok());
    }
}
