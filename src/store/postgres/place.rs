//! How conversations are named in the database.

use tokio_postgres::Row;

use crate::model::{Conversation, ConversationKind, GroupId, RoomId, UserId};
use crate::store::error::StoreError;
use crate::store::format::key;

/// The four columns that name a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Named<'a> {
    pub kind: i16,
    pub one: &'a str,
    pub other: &'a str,
    pub incarnation: i64,
}

impl<'a> From<&'a Conversation> for Named<'a> {
    fn from(conversation: &'a Conversation) -> Self {
        let (kind, one, other, incarnation) = match conversation {
            Conversation::Peer(one, other) => (ConversationKind::Peer, one.as_str(), other.as_str(), 0),
            Conversation::Room(room, incarnation) => (ConversationKind::Room, room.as_str(), "", number(*incarnation)),
            Conversation::Group(group) => (ConversationKind::Group, group.as_str(), "", 0),
        };
        Self { kind: kind.number().into(), one, other, incarnation }
    }
}

/// What names many conversations, by column.
#[derive(Debug, Default)]
pub(super) struct Columns<'a> {
    pub kinds: Vec<i16>,
    pub ones: Vec<&'a str>,
    pub others: Vec<&'a str>,
    pub incarnations: Vec<i64>,
}

impl<'a> Columns<'a> {
    pub(super) fn of(conversations: impl Iterator<Item = &'a Conversation>) -> Self {
        let mut columns = Self::default();
        for Named { kind, one, other, incarnation } in conversations.map(Named::from) {
            columns.kinds.push(kind);
            columns.ones.push(one);
            columns.others.push(other);
            columns.incarnations.push(incarnation);
        }
        columns
    }
}

/// Reads the columns `kind, one, other, incarnation` from a position on.
pub(super) fn conversation_at(row: &Row, at: usize) -> Result<Conversation, StoreError> {
    let (kind, one, other) = (row.get::<_, i16>(at), row.get::<_, &str>(at + 1), row.get::<_, &str>(at + 2));
    match kind {
        0 => Ok(Conversation::Peer(UserId::trusted(one), UserId::trusted(other))),
        1 => Ok(Conversation::Room(RoomId::trusted(one), unsigned(row.get(at + 3)))),
        2 => Ok(Conversation::Group(GroupId::trusted(one))),
        other => Err(StoreError::Damaged(format!("a conversation has the kind {other}"))),
    }
}

/// Returns the shard of a conversation: the same in every process and version. Of a room it hangs on the id alone, so that each of
/// its lives has the same owner.
pub(super) fn shard_of(conversation: &Conversation, shards: i16) -> i16 {
    let hash = match conversation {
        Conversation::Room(room, _) => crc32fast::hash(&key::head(&Conversation::Room(room.clone(), 0))),
        _ => crc32fast::hash(&key::head(conversation)),
    };
    let shard = i64::from(hash) % i64::from(shards.max(1));
    i16::try_from(shard).unwrap_or(0)
}

/// Returns a number as the database has it. Ours stay far below 2^63.
pub(super) fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Returns a number of the database, none of which is negative.
pub(super) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// Returns text without the character that the database cannot hold in text.
pub(super) fn without_nul(text: &str) -> String {
    text.replace('\0', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_the_same_for_ever() {
        let peer = Conversation::peer(&UserId::trusted("bob"), &UserId::trusted("alice"));
        let of = |conversation: &Conversation| shard_of(conversation, 64);
        assert_eq!([of(&peer), of(&Conversation::Group(GroupId::trusted("g")))], [25, 32]);
        assert!((0..1000).map(|n| of(&Conversation::Room(RoomId::trusted("r"), n))).all(|shard| (0..64).contains(&shard)));
        assert!((0..1000).all(|n| of(&Conversation::Room(RoomId::trusted("r"), n)) == of(&Conversation::Room(RoomId::trusted("r"), 0))));
    }
}
