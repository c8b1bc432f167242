//! Message kinds, their numbers, and what each may contain.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Combine, FileUid, Invalid, Limits, Media, Revoked, Tips};

/// What a message is, by the vendor's number. Source: spec 2.8, `MessageType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MessageKind {
    /// 1
    Text,
    /// 2
    Command,
    /// 10
    Multiple,
    /// 11
    Image,
    /// 12
    File,
    /// 13
    Audio,
    /// 14
    Video,
    /// 20
    Barrage,
    /// 30, deprecated by the vendor
    System,
    /// 31
    Revoke,
    /// 32
    Tips,
    /// 100
    Combine,
    /// 200
    Custom,
}

impl MessageKind {
    /// The kind of a number, if there is one.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Self> {
        Some(match number {
            1 => Self::Text,
            2 => Self::Command,
            10 => Self::Multiple,
            11 => Self::Image,
            12 => Self::File,
            13 => Self::Audio,
            14 => Self::Video,
            20 => Self::Barrage,
            30 => Self::System,
            31 => Self::Revoke,
            32 => Self::Tips,
            100 => Self::Combine,
            200 => Self::Custom,
            _ => return None,
        })
    }

    /// The number on the wire and in the store.
    #[must_use]
    pub fn number(self) -> u16 {
        match self {
            Self::Text => 1,
            Self::Command => 2,
            Self::Multiple => 10,
            Self::Image => 11,
            Self::File => 12,
            Self::Audio => 13,
            Self::Video => 14,
            Self::Barrage => 20,
            Self::System => 30,
            Self::Revoke => 31,
            Self::Tips => 32,
            Self::Combine => 100,
            Self::Custom => 200,
        }
    }
}

/// How a message is carried: what may be dropped, what must be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageClass {
    /// Ordered, kept, acknowledged only when on disk, never dropped.
    Storable,
    /// At most once, to who is online; dropped after barrage. Source: spec Q1.
    Command,
    /// May be dropped under load, oldest and lowest priority first. Source: spec S5.
    Barrage,
}

/// The sender's wish under load. Source: spec S23.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Priority {
    /// 1, the default
    #[default]
    Low,
    /// 2
    Medium,
    /// 3
    High,
}

impl Priority {
    /// All of them, lowest first: the order in which they are shed.
    pub const ALL: [Self; 3] = [Self::Low, Self::Medium, Self::High];

    /// The priority of a number.
    ///
    /// # Errors
    /// [`Invalid`] outside 1 to 3.
    pub fn from_number(field: &str, number: i64) -> Result<Self, Invalid> {
        match number {
            1 => Ok(Self::Low),
            2 => Ok(Self::Medium),
            3 => Ok(Self::High),
            other => Err(Invalid::out_of_range(field, other, 1, 3)),
        }
    }

    /// Its position in [`Priority::ALL`].
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.number()) - 1
    }

    /// The number on the wire.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Low => 1,
            Self::Medium => 2,
            Self::High => 3,
        }
    }
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Body {
    /// Source: spec S1.
    Text(String),
    /// Bytes only the application understands. Source: spec S38.
    Command(Bytes),
    /// Source: spec S5.
    Barrage(String),
    /// Content only the application understands. Source: spec S40.
    Custom {
        /// The content.
        message: String,
        /// The application's own kind, 0 to 200.
        sub_type: u16,
        /// The only part of a custom message that search sees.
        searched_content: String,
    },
    /// An image, a file, audio or video. Source: spec S6–S9.
    Media(Box<Media>),
    /// Several messages as one. Source: spec S10.
    Combine(Combine),
    /// What the broker says in a group. Source: spec S63.
    Tips(Box<Tips>),
    /// Stands in the place of a message that was taken back.
    Revoke(Revoked),
}

impl Body {
    /// The kind this body belongs to.
    #[must_use]
    pub fn kind(&self) -> MessageKind {
        match self {
            Self::Text(_) => MessageKind::Text,
            Self::Command(_) => MessageKind::Command,
            Self::Barrage(_) => MessageKind::Barrage,
            Self::Custom { .. } => MessageKind::Custom,
            Self::Media(media) => media.kind.message_kind(),
            Self::Combine(_) => MessageKind::Combine,
            Self::Tips(_) => MessageKind::Tips,
            Self::Revoke(_) => MessageKind::Revoke,
        }
    }

    /// Whether a user may send it; the rest only the broker makes.
    #[must_use]
    pub fn is_sendable(&self) -> bool {
        !matches!(self, Self::Tips(_) | Self::Revoke(_))
    }

    /// The kept files it carries, each once, also inside a combine.
    #[must_use]
    pub fn files(&self) -> Vec<FileUid> {
        let mut files = Vec::new();
        self.collect_files(&mut files);
        files.sort_unstable();
        files.dedup();
        files
    }

    fn collect_files(&self, files: &mut Vec<FileUid>) {
        match self {
            Self::Media(media) => files.extend(media.file),
            Self::Combine(combine) => combine.children.iter().for_each(|child| child.body.collect_files(files)),
            _ => {}
        }
    }

    /// About how many bytes it holds.
    #[must_use]
    pub fn weight(&self) -> usize {
        match self {
            Self::Text(text) | Self::Barrage(text) => text.len(),
            Self::Command(bytes) => bytes.len(),
            Self::Custom { message, searched_content, .. } => message.len() + searched_content.len(),
            Self::Media(media) => media.weight(),
            Self::Combine(combine) => combine.weight(),
            Self::Tips(tips) => 64 + 64 * tips.targets.len(),
            Self::Revoke(revoked) => 64 + revoked.text.len() + revoked.extended_data.len(),
        }
    }

    /// How it is carried.
    #[must_use]
    pub fn class(&self) -> MessageClass {
        match self {
            Self::Text(_) | Self::Custom { .. } | Self::Media(_) | Self::Combine(_) | Self::Tips(_) | Self::Revoke(_) => {
                MessageClass::Storable
            }
            Self::Command(_) => MessageClass::Command,
            Self::Barrage(_) => MessageClass::Barrage,
        }
    }

    /// Checks the content against the limits of its kind.
    ///
    /// # Errors
    /// [`Invalid`] naming the field, its value and the limit.
    pub fn validate(&self, limits: &Limits) -> Result<(), Invalid> {
        match self {
            Self::Text(text) => check_content(text, limits.text_bytes_max),
            Self::Barrage(text) => check_content(text, limits.barrage_bytes_max),
            Self::Command(bytes) if bytes.is_empty() => Err(Invalid::new("message.message", "is empty")),
            Self::Command(bytes) => check_length("message.message", bytes.len(), limits.command_bytes_max),
            Self::Custom { message, sub_type, searched_content } => {
                // The vendor's own sample sends a custom message with an empty `message`; its content may be all in subType.
                check_length("message.message", message.len(), limits.custom_bytes_max)?;
                if *sub_type > limits.custom_sub_type_max {
                    return Err(Invalid::out_of_range("message.subType", i64::from(*sub_type), 0, i64::from(limits.custom_sub_type_max)));
                }
                check_length("message.searchedContent", searched_content.len(), limits.searched_content_bytes_max)
            }
            Self::Media(media) => media.validate(limits),
            Self::Combine(combine) => combine.validate(limits),
            Self::Tips(_) | Self::Revoke(_) => {
                Err(Invalid::new("message.type", format!("is {}, which only the broker makes", self.kind().number())))
            }
        }
    }
}

/// Text a person reads: blank is refused. Source: spec 2.1, "non-empty; blank → 6000001".
fn check_content(text: &str, bytes_max: usize) -> Result<(), Invalid> {
    if text.trim().is_empty() {
        return Err(Invalid::new("message.message", "is empty"));
    }
    check_length("message.message", text.len(), bytes_max)
}

fn check_length(field: &str, bytes: usize, bytes_max: usize) -> Result<(), Invalid> {
    if bytes > bytes_max { Err(Invalid::too_long(field, bytes, bytes_max)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn custom(message: usize, sub_type: u16, searched: usize) -> Body {
        Body::Custom { message: "m".repeat(message), sub_type, searched_content: "s".repeat(searched) }
    }

    /// For each limit L: L is accepted, L + 1 refused.
    #[test]
    fn every_body_limit_holds_at_its_edge() {
        let limits = Limits::default();
        let accepted = [
            Body::Text("t".repeat(32_768)),
            Body::Barrage("b".repeat(5_120)),
            Body::Command(Bytes::from(vec![0; 5_120])),
            custom(32_768, 200, 64),
            custom(0, 0, 0),
        ];
        for body in accepted {
            assert_eq!(body.validate(&limits), Ok(()), "{:?}", body.kind());
        }
        let refused = [
            (Body::Text("t".repeat(32_769)), "message.message is 32769 bytes, the limit is 32768"),
            (Body::Barrage("b".repeat(5_121)), "message.message is 5121 bytes, the limit is 5120"),
            (Body::Command(Bytes::from(vec![0; 5_121])), "message.message is 5121 bytes, the limit is 5120"),
            (custom(32_769, 0, 0), "message.message is 32769 bytes, the limit is 32768"),
            (custom(1, 201, 0), "message.subType is 201, the range is 0 to 200"),
            (custom(1, 0, 65), "message.searchedContent is 65 bytes, the limit is 64"),
            (Body::Text(String::new()), "message.message is empty"),
            (Body::Text(" \n".into()), "message.message is empty"),
            (Body::Command(Bytes::new()), "message.message is empty"),
        ];
        for (body, reason) in refused {
            assert_eq!(body.validate(&limits).unwrap_err().to_string(), reason);
        }
    }

    #[test]
    fn limits_count_utf8_bytes_not_characters() {
        let limits = Limits::default();
        // 10,922 three-byte characters are 32,766 bytes.
        assert!(Body::Text("字".repeat(10_922)).validate(&limits).is_ok());
        assert!(Body::Text("字".repeat(10_923)).validate(&limits).is_err());
    }

    #[test]
    fn kind_numbers_round_trip_and_are_the_vendors() {
        for number in [1, 2, 10, 11, 12, 13, 14, 20, 30, 31, 32, 100, 200] {
            assert_eq!(i64::from(MessageKind::from_number(number).unwrap().number()), number);
        }
        assert_eq!(MessageKind::from_number(0), None);
        assert_eq!(MessageKind::from_number(99), None);
    }
}
