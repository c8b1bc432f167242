//! What is kept of a file beside its bytes.

use serde::{Deserialize, Serialize};

use super::{FileUid, Media, MediaKind, Pixels, Rendition, UserId};

/// A kept file: complete, checked, durable. Written once, after its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaRecord {
    /// Its name here.
    pub file: FileUid,
    /// Who uploaded it.
    pub owner: UserId,
    /// What it was checked as.
    pub kind: MediaKind,
    /// What its owner calls it.
    pub name: String,
    /// Its length, without renditions.
    pub bytes: u64,
    /// Its length as it was uploaded, where less of it is kept; 0: all of it is.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub bytes_uploaded: u64,
    /// SHA-256 of its bytes, hexadecimal.
    pub sha256: String,
    /// Its type by content: `image/png`. `application/octet-stream` where it is not known.
    pub mime: String,
    /// The codec of a video's pictures or of an audio's sound: `avc1`, `mp3`. Empty: none, or not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub codec: String,
    /// When it was complete, Unix milliseconds.
    pub created_ms: u64,
    /// How long it plays, as measured, milliseconds; none: not known, or it does not play.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// Of an image.
    #[serde(default, skip_serializing_if = "Pixels::is_unknown")]
    pub original: Pixels,
    /// Of an image for the screen.
    #[serde(default, skip_serializing_if = "Pixels::is_unknown")]
    pub large: Pixels,
    /// Of an image for a list.
    #[serde(default, skip_serializing_if = "Pixels::is_unknown")]
    pub thumbnail: Pixels,
    /// Of a video's first picture.
    #[serde(default, skip_serializing_if = "Pixels::is_unknown")]
    pub frame: Pixels,
    /// Length of the image for the screen that is kept beside it; 0: none is.
    #[serde(default)]
    pub large_bytes: u64,
    /// Length of the image for a list that is kept beside it; 0: none is.
    #[serde(default)]
    pub thumbnail_bytes: u64,
    /// Length of the video's first picture that is kept beside it; 0: none is.
    #[serde(default)]
    pub frame_bytes: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "for serde")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl MediaRecord {
    /// Returns how long it was when it was uploaded, bytes.
    #[must_use]
    pub fn uploaded(&self) -> u64 {
        if self.bytes_uploaded > 0 { self.bytes_uploaded } else { self.bytes }
    }

    /// Returns what is kept of what is asked for, and its length: an image that could not be made smaller is served
    /// as it came. None:
    /// there is no such thing of this kind.
    #[must_use]
    pub fn kept_as(&self, asked: Rendition) -> Option<(Rendition, u64)> {
        let original = (Rendition::Original, self.bytes);
        let made = match asked {
            Rendition::Original => return Some(original),
            Rendition::Frame => return (self.frame_bytes > 0).then_some((asked, self.frame_bytes)),
            Rendition::Large => self.large_bytes,
            Rendition::Thumbnail => self.thumbnail_bytes,
        };
        (self.kind == MediaKind::Image).then_some(if made > 0 { (asked, made) } else { original })
    }

    /// Its length with all renditions: what counts against quotas.
    #[must_use]
    pub fn bytes_kept(&self) -> u64 {
        self.bytes + self.large_bytes + self.thumbnail_bytes + self.frame_bytes
    }

    /// Returns whether it may still wait for the message that carries it.
    #[must_use]
    pub fn may_wait(&self, now_ms: u64, unsent_ms: u64) -> bool {
        now_ms < self.created_ms.saturating_add(unsent_ms)
    }

    /// Returns whether it may be sent as this: what it was checked as, or a file, which may be of any format.
    #[must_use]
    pub fn fits(&self, kind: MediaKind) -> bool {
        self.kind == kind || kind == MediaKind::File
    }
}

impl Media {
    /// As it is kept. Its name and its duration stay the sender's, where it gives them.
    #[must_use]
    pub fn of_record(kind: MediaKind, record: &MediaRecord, duration_ms: u64) -> Self {
        let shown = |pixels| if kind == MediaKind::Image { pixels } else { Pixels::default() };
        Self {
            name: record.name.clone(),
            bytes: record.bytes,
            original: shown(record.original),
            large: shown(record.large),
            thumbnail: shown(record.thumbnail),
            frame: if kind == MediaKind::Video { record.frame } else { Pixels::default() },
            has_frame: kind == MediaKind::Video && record.frame_bytes > 0,
            ..Self::kept(kind, record.file, duration_ms)
        }
    }
}
