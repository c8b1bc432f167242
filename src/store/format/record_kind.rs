//! The kinds of records, by the first byte of their keys.

/// What a record is. Its value is the first byte of the record's key.
///
/// Two pairs are neighbours on purpose, so that one scan finds what outlives a period: entries and followings, heads and
/// pins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum RecordKind {
    /// The counters of a space, one record; sorts before all else.
    Meta = 0,
    /// A kept file.
    Media = b'a',
    /// The children of a combined message that was stored before several could share them.
    Children = b'b',
    /// Someone a user has written to or heard from.
    Peer = b'c',
    /// What a sender's local id led to, stored before each conversation had its own.
    SenderDedup = b'd',
    /// What a user made of a conversation.
    Entry = b'e',
    /// Whose presence a user follows.
    Following = b'f',
    /// A group.
    Group = b'g',
    /// Where a conversation ends.
    Head = b'h',
    /// The pinned messages of a conversation.
    Pins = b'i',
    /// What a sender's local id led to in a conversation.
    Dedup = b'j',
    /// A receipt or a reaction.
    Note = b'k',
    /// That a message was changed, by the commit that did it.
    Change = b'l',
    /// A message.
    Message = b'm',
    /// A member in its group's list.
    Member = b'n',
    /// What combined messages hold, kept once a period for all that carry it.
    HeldList = b'o',
    /// A period that exists.
    Period = b'p',
    /// An answer, below the first message of its tree.
    Reply = b'q',
    /// A room.
    Room = b'r',
    /// A user.
    User = b'u',
    /// A group in its member's list.
    Membership = b'w',
    /// A removal that has begun.
    Removal = b'x',
    /// That a message carries a kept file, or holds a list.
    MediaUse = b'y',
    /// That a user deleted a message for itself.
    Deleted = b'z',
}

/// The kind of each first byte.
const BY_BYTE: [Option<RecordKind>; 256] = {
    let mut kinds = [None; 256];
    let mut n = 0;
    while n < RecordKind::ALL.len() {
        kinds[RecordKind::ALL[n] as usize] = Some(RecordKind::ALL[n]);
        n += 1;
    }
    kinds
};

impl RecordKind {
    /// Every kind, in the order of keys.
    pub(crate) const ALL: [Self; 24] = [
        Self::Meta,
        Self::Media,
        Self::Children,
        Self::Peer,
        Self::SenderDedup,
        Self::Entry,
        Self::Following,
        Self::Group,
        Self::Head,
        Self::Pins,
        Self::Dedup,
        Self::Note,
        Self::Change,
        Self::Message,
        Self::Member,
        Self::HeldList,
        Self::Period,
        Self::Reply,
        Self::Room,
        Self::User,
        Self::Membership,
        Self::Removal,
        Self::MediaUse,
        Self::Deleted,
    ];

    /// Returns the first byte of its keys.
    pub(crate) const fn byte(self) -> u8 {
        self as u8
    }

    /// Returns the kind of a key, if it is one of ours.
    pub(crate) fn of(key: &[u8]) -> Option<Self> {
        BY_BYTE[usize::from(*key.first()?)]
    }

    /// Returns whether its records lie in the permanent space.
    pub(crate) fn is_permanent(self) -> bool {
        match self {
            Self::Meta | Self::Entry | Self::Following | Self::Head | Self::Pins => true,
            Self::Media | Self::Peer | Self::Group | Self::Member | Self::Period => true,
            Self::Room | Self::User | Self::Membership | Self::Removal => true,
            Self::Children | Self::SenderDedup | Self::Dedup | Self::Note | Self::Change => false,
            Self::Message | Self::HeldList | Self::Reply | Self::MediaUse | Self::Deleted => false,
        }
    }

    /// Returns whether its records lie in periods. Some lie in both: the newest period's counts.
    pub(crate) fn is_periodic(self) -> bool {
        matches!(self, Self::Meta | Self::Entry | Self::Following | Self::Head | Self::Pins) || !self.is_permanent()
    }

    /// Returns its name in exported lines.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Meta => "counters",
            Self::Media => "file",
            Self::Children => "combined",
            Self::Peer => "peer",
            Self::SenderDedup => "localID",
            Self::Entry => "entry",
            Self::Following => "following",
            Self::Group => "group",
            Self::Head => "head",
            Self::Pins => "pins",
            Self::Dedup => "retryKey",
            Self::Note => "note",
            Self::Change => "change",
            Self::Message => "message",
            Self::Member => "member",
            Self::HeldList => "held",
            Self::Period => "week",
            Self::Reply => "reply",
            Self::Room => "room",
            Self::User => "user",
            Self::Membership => "membership",
            Self::Removal => "removal",
            Self::MediaUse => "fileUse",
            Self::Deleted => "deletion",
        }
    }

    /// Returns the kind of that name.
    pub(crate) fn of_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.label() == label)
    }

    /// Returns what people call its records, in reports.
    pub(crate) fn plural(self) -> &'static str {
        match self {
            Self::Meta => "counters",
            Self::Media => "files",
            Self::Children => "combinedContents",
            Self::Peer => "peers",
            Self::SenderDedup => "localIDs",
            Self::Entry => "conversationEntries",
            Self::Following => "statusSubscriptions",
            Self::Group => "groups",
            Self::Head => "conversationHeads",
            Self::Pins => "pins",
            Self::Dedup => "retryKeys",
            Self::Note => "notes",
            Self::Change => "changes",
            Self::Message => "messages",
            Self::Member => "groupMembers",
            Self::HeldList => "heldLists",
            Self::Period => "weeks",
            Self::Reply => "replies",
            Self::Room => "rooms",
            Self::User => "users",
            Self::Membership => "memberships",
            Self::Removal => "removals",
            Self::MediaUse => "fileUses",
            Self::Deleted => "deletions",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_has_a_byte_a_label_and_a_place_of_its_own() {
        let labels: BTreeSet<_> = RecordKind::ALL.into_iter().map(RecordKind::label).collect();
        let plurals: BTreeSet<_> = RecordKind::ALL.into_iter().map(RecordKind::plural).collect();
        assert_eq!((labels.len(), plurals.len()), (RecordKind::ALL.len(), RecordKind::ALL.len()));
        assert!(RecordKind::ALL.is_sorted_by(|one, other| one.byte() < other.byte()));
        for kind in RecordKind::ALL {
            assert_eq!(RecordKind::of(&[kind.byte(), 9]), Some(kind));
            assert_eq!(RecordKind::of_label(kind.label()), Some(kind));
            assert!(kind.is_permanent() || kind.is_periodic(), "{kind:?}");
        }
        assert_eq!(RecordKind::Following.byte(), RecordKind::Entry.byte() + 1);
        assert_eq!(RecordKind::Pins.byte(), RecordKind::Head.byte() + 1);
    }
}
