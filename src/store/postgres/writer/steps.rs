//! What changes of messages and of rows become: statements, in order.

use tokio_postgres::types::ToSql;

use super::heads::Heads;
use super::sql::Sql;
use crate::model::{Body, Conversation, UserId};
use crate::store::format::rows::{EntryRecord, Note, Revision};
use crate::store::postgres::message_row::{Written, change_number, json};
use crate::store::postgres::place::{number, without_nul};
use crate::store::types::RowWrite;

/// A value of a statement.
pub(super) type Param = Box<dyn ToSql + Sync + Send>;

/// A prepared statement with its values.
pub(super) struct Step {
    pub sql: Sql,
    pub params: Vec<Param>,
}

/// Makes a step; each value is boxed.
macro_rules! step {
    ($sql:expr $(, $param:expr)* $(,)?) => {
        $crate::store::postgres::writer::steps::Step { sql: $sql, params: vec![$(Box::new($param) as $crate::store::postgres::writer::steps::Param),*] }
    };
}
pub(super) use step;

/// Returns what a change of a message becomes, which is there.
pub(super) fn revision_steps(revision: &Revision, conv: i64, stamp: u64) -> Vec<Step> {
    let seq = number(revision.seq);
    let mut steps = Vec::new();
    if let Some(message) = &revision.message {
        let Written { kind, flags, words, mentions, mentions_all, content, state } = Written::of(message);
        steps.push(step!(Sql::Revise, conv, seq, content, state, words, flags, kind, mentions_all, mentions));
        if matches!(message.content.body, Body::Revoke(_)) {
            steps.push(step!(Sql::LockLists, conv, seq));
            steps.push(step!(Sql::LetGo, conv, seq));
        }
    }
    for (note, value) in &revision.notes {
        steps.push(match (note, value) {
            (Note::Reaction(reaction, user), Some(record)) => {
                step!(Sql::PutReaction, conv, seq, without_nul(reaction), user.to_string(), number(record.at_ms))
            }
            (Note::Reaction(reaction, user), None) => step!(Sql::DeleteReaction, conv, seq, without_nul(reaction), user.to_string()),
            (Note::Receipt(user), Some(record)) => step!(Sql::PutReceipt, conv, seq, user.to_string(), number(record.at_ms)),
            (Note::Receipt(user), None) => step!(Sql::DeleteReceipt, conv, seq, user.to_string()),
        });
    }
    if let Some(kind) = revision.logged {
        steps.push(step!(Sql::Changed, conv, seq, number(stamp), change_number(kind)));
    }
    if let Some(pins) = &revision.pins {
        steps.push(step!(Sql::Pins, conv, json(pins)));
    }
    steps
}

/// Returns what a change of a row becomes. Heads are as the jobs before it left them.
pub(super) fn row_steps(write: &RowWrite, heads: &Heads) -> Vec<Step> {
    match write {
        RowWrite::PutUser(user) => {
            let [name, avatar_url, extended_data] = [&user.name, &user.avatar_url, &user.extended_data].map(|text| without_nul(text));
            vec![step!(Sql::PutUser, user.id.to_string(), name, avatar_url, extended_data, user.ban.is_some(), json(user))]
        }
        RowWrite::PutFollowing(user, list) => vec![step!(Sql::PutFollowing, user.to_string(), json(list))],
        RowWrite::PutRoom(room) => {
            vec![step!(Sql::PutRoom, room.id.to_string(), number(room.incarnation), without_nul(&room.name), json(room))]
        }
        RowWrite::DeleteRoom(room) => vec![step!(Sql::DeleteRoom, room.to_string())],
        RowWrite::PutGroup(group) => {
            vec![step!(Sql::PutGroup, group.info.id.to_string(), without_nul(&group.info.name), group.dismissed, json(group))]
        }
        RowWrite::PutMember(group, member) => {
            let role = i16::try_from(member.role.number()).unwrap_or(i16::MAX);
            let (group, user, joined) = (group.to_string(), member.user.to_string(), number(member.joined));
            vec![
                step!(Sql::DeleteFormer, user.clone(), group.clone()),
                step!(Sql::PutMember, group, user, role, joined, without_nul(&member.nickname), json(member)),
            ]
        }
        RowWrite::DeleteMember(group, user) => vec![
            step!(Sql::DeleteMember, group.to_string(), user.to_string()),
            step!(Sql::DeleteFormer, user.to_string(), group.to_string()),
        ],
        RowWrite::PutFormer(group, user, first_seq, left_ms) => {
            let last_seq = heads.get(&Conversation::Group(group.clone())).map_or(0, |head| head.seq);
            let (group, user) = (group.to_string(), user.to_string());
            let leave = step!(Sql::DeleteMember, group.clone(), user.clone());
            let former = if last_seq >= *first_seq {
                step!(Sql::PutFormer, user, group, number(*first_seq), number(last_seq), number(*left_ms))
            } else {
                step!(Sql::DeleteFormer, user, group)
            };
            vec![leave, former]
        }
        RowWrite::PutEntry(user, conversation, entry) => entry_step(user, conversation, entry, heads).into_iter().collect(),
        RowWrite::PutMedia(media) => {
            let (file, at_ms) = (media.file.to_string(), number(media.created_ms));
            vec![step!(Sql::PutMedia, file, media.owner.to_string(), number(media.bytes), at_ms, json(media))]
        }
        RowWrite::DeleteMedia(file) => vec![step!(Sql::DeleteMedia, file.to_string())],
        RowWrite::Delete(user, conversation, seqs) => {
            let seqs: Vec<i64> = seqs.iter().copied().map(number).collect();
            let head = heads.get(conversation);
            head.map(|head| step!(Sql::Delete, user.to_string(), head.conv, seqs)).into_iter().collect()
        }
    }
}

fn entry_step(user: &UserId, conversation: &Conversation, entry: &EntryRecord, heads: &Heads) -> Option<Step> {
    let head = heads.get(conversation)?;
    let (kind, other) = conversation.named_by(user);
    let kind = i16::from(kind.number());
    let (read_seq, pinned_ms) = (number(entry.read_seq), number(entry.pinned_ms));
    let read_stamp = if entry.read_seq >= head.seq { number(head.stamp) } else { 0 };
    Some(step!(Sql::PutEntry, user.to_string(), head.conv, kind, other.to_owned(), read_seq, read_stamp, pinned_ms, json(entry)))
}
