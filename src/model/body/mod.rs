//! What a message says: the content of each kind and its limits.
//!
//! A combined message holds others, so a body holds bodies: both are in this file.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{FileUid, Invalid, Limits, Media, MessageClass, MessageKind, Revoked, Tips, UserId};

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Body {
    /// Words a person reads.
    Text(String),
    /// Bytes only the application understands.
    Command(Bytes),
    /// Words in a room that may be dropped under load.
    Barrage(String),
    /// Content only the application understands.
    Custom {
        /// The content.
        message: String,
        /// The application's own kind, 0 to 200.
        sub_type: u16,
        /// The only part of a custom message that search sees.
        searched_content: String,
    },
    /// An image, a file, audio or video.
    Media(Box<Media>),
    /// Several messages as one. Source: ZIM guide "Forward messages".
    Combine(Combine),
    /// What the broker says in a group. Source: ZIM guide "Receive tip messages".
    Tips(Box<Tips>),
    /// Stands in the place of a message that was taken back.
    Revoke(Revoked),
}

impl Body {
    /// Returns the kind this body belongs to.
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

    /// Returns whether a user may send it; the rest only the broker makes.
    #[must_use]
    pub fn is_sendable(&self) -> bool {
        !matches!(self, Self::Tips(_) | Self::Revoke(_))
    }

    /// Returns the kept files it carries, each once, also inside a combine.
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
            Self::Combine(combine) => {
                files.extend(combine.held.iter().flat_map(|held| &held.files));
                combine.children.iter().for_each(|child| child.body.collect_files(files));
            }
            _ => {}
        }
    }

    /// Returns about how many bytes it holds.
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

    /// Returns how it is carried.
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

/// Text a person reads: blank is refused. Source: ZIM guide "Send and receive messages": a blank one answers 6000001.
fn check_content(text: &str, bytes_max: usize) -> Result<(), Invalid> {
    if text.trim().is_empty() {
        return Err(Invalid::new("message.message", "is empty"));
    }
    check_length("message.message", text.len(), bytes_max)
}

fn check_length(field: &str, bytes: usize, bytes_max: usize) -> Result<(), Invalid> {
    if bytes > bytes_max { Err(Invalid::too_long(field, bytes, bytes_max)) } else { Ok(()) }
}

/// A combined message. Kept in two parts: title and summary with the message, the children beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Combine {
    /// Shown as its head.
    pub title: String,
    /// Shown below it.
    pub summary: String,
    /// What it holds: only of a draft and of a combine inside another; a stored message's are read on demand.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Child>,
    /// Of a draft that passes a received one on: its `combineID`, in whose place the children come.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub copied_from: String,
    /// Of a draft too large for a frame: the upload that holds its children.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uploaded: Option<FileUid>,
    /// Of a stored message, and of a draft that passes one on: where what it holds is kept. None of one that was stored before
    /// several could share it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Box<Held>>,
}

/// What a stored combined message holds: a list that is kept once for all who pass it on, or a part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Names the list.
    pub list: FileUid,
    /// The way from the list to the part that is held: the position of the nested message in each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<usize>,
    /// About how many bytes are held.
    pub bytes: usize,
    /// How many messages, nested ones counted.
    pub messages: usize,
    /// How deep they are nested; 1: not at all.
    pub depth: usize,
    /// The kept files they carry, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileUid>,
}

impl Held {
    /// Makes one of what is at the end of a path from a list.
    #[must_use]
    pub fn of(list: FileUid, path: Vec<usize>, children: &[Child]) -> Self {
        let mut files = Vec::new();
        children.iter().for_each(|child| child.body.collect_files(&mut files));
        files.sort_unstable();
        files.dedup();
        let (messages, depth) = counted(children);
        Self { list, path, bytes: weight_of(children), messages, depth, files }
    }
}

/// Returns how many messages these are, nested ones counted, and how deep they are nested.
fn counted(children: &[Child]) -> (usize, usize) {
    let nested = children.iter().filter_map(|child| match &child.body {
        Body::Combine(combine) => Some(counted(&combine.children)),
        _ => None,
    });
    let (messages, depth) = nested.fold((0, 0), |(messages, depth), (more, deeper)| (messages + more, depth.max(deeper)));
    (children.len() + messages, depth + 1)
}

fn weight_of(children: &[Child]) -> usize {
    children.iter().map(|child| child.extended_data.len() + 64 + child.body.weight()).sum()
}

/// Returns the children at the end of a path; none when it leads nowhere.
#[must_use]
pub fn child_at(mut children: Vec<Child>, path: &[usize]) -> Option<Vec<Child>> {
    for n in path {
        if *n >= children.len() {
            return None;
        }
        match children.swap_remove(*n).body {
            Body::Combine(nested) => children = nested.children,
            _ => return None,
        }
    }
    Some(children)
}

/// One message inside a combined one: a copy that nothing changes any more. Our choice: who
/// forwards a message shows what it said then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Child {
    /// The id of the message it is a copy of.
    pub id: u64,
    /// Who sent that.
    pub sender: UserId,
    /// When, Unix milliseconds.
    pub timestamp_ms: u64,
    /// What travelled with it.
    pub extended_data: String,
    /// What it said.
    pub body: Body,
}

impl Combine {
    /// One that is to hold what another holds.
    #[must_use]
    pub fn copy_of(title: String, summary: String, combine_id: String) -> Self {
        Self { title, summary, children: Vec::new(), copied_from: combine_id, uploaded: None, held: None }
    }

    /// Checks title, summary and everything inside.
    ///
    /// # Errors
    /// [`Invalid`] naming the field, its value and the limit.
    pub fn validate(&self, limits: &Limits) -> Result<(), Invalid> {
        let mut left = limits.combine_children_max;
        self.check("message", limits, &mut left, 1)?;
        let bytes = self.weight() + self.held.as_ref().map_or(0, |held| held.bytes);
        if bytes > limits.combine_bytes_max {
            return Err(Invalid::too_long("message.messageList", bytes, limits.combine_bytes_max));
        }
        Ok(())
    }

    fn check(&self, field: &str, limits: &Limits, left: &mut usize, depth: usize) -> Result<(), Invalid> {
        let lengths = [
            ("title", self.title.len(), limits.combine_title_bytes_max),
            ("summary", self.summary.len(), limits.combine_summary_bytes_max),
        ];
        for (name, bytes, bytes_max) in lengths {
            if bytes > bytes_max {
                return Err(Invalid::too_long(format!("{field}.{name}"), bytes, bytes_max));
            }
        }
        let list = format!("{field}.messageList");
        let (held_messages, held_depth) = self.held.as_ref().map_or((0, 1), |held| (held.messages, held.depth.max(1)));
        if self.children.is_empty() && self.copied_from.is_empty() && self.uploaded.is_none() && self.held.is_none() {
            return Err(Invalid::new(list, "is empty"));
        }
        if depth + held_depth - 1 > limits.combine_depth_max {
            return Err(Invalid::new(list, format!("is nested more than {} deep, the limit", limits.combine_depth_max)));
        }
        if self.children.len() + held_messages > *left {
            return Err(Invalid::new(list, format!("makes more than {} messages in all, the limit", limits.combine_children_max)));
        }
        *left -= self.children.len() + held_messages;
        for (n, child) in self.children.iter().enumerate() {
            let field = format!("{list}[{n}]");
            if child.extended_data.len() > limits.extended_data_bytes_max {
                return Err(Invalid::too_long(format!("{field}.extendedData"), child.extended_data.len(), limits.extended_data_bytes_max));
            }
            match &child.body {
                Body::Combine(combine) => combine.check(&field, limits, left, depth + 1)?,
                body if body.class() == MessageClass::Storable && body.is_sendable() => body.validate(limits)?,
                body => return Err(Invalid::new(format!("{field}.type"), format!("is {}, which is not combined", body.kind().number()))),
            }
        }
        Ok(())
    }

    /// Returns about how many bytes it holds by itself: what it only refers to is not counted.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.title.len() + self.summary.len() + weight_of(&self.children)
    }
}

#[cfg(test)]
mod tests;
