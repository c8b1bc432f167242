//! What a line becomes: rows.

use super::staging::{Batch, Table, row};
use crate::model::order_key::order_key_at;
use crate::model::{Conversation, GroupMember, MediaRecord, Message, UserId, UserProfile};
use crate::store::copy::lines::Line;
use crate::store::format::key_parts::{conversation_of, file_of, note_of, number_of, text_of};
use crate::store::format::record::{DedupEntry, Head, PeriodMeta, SenderDedupEntry};
use crate::store::format::record_kind::RecordKind;
use crate::store::format::rows::{ChangeKind, EntryRecord, FormerMember, GroupRecord, Note, NoteRecord, Pin, RoomRecord};
use crate::store::postgres::message_row::{Written, change_number, json, numbers, priority};
use crate::store::postgres::place::{number, without_nul};
use crate::store::postgres::stamp::week_begins;
use crate::store::postgres::writer::digest_bytes;

/// The greatest numbers that lines speak of.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Greatest {
    pub commit: u64,
    pub message_id: u64,
}

/// Adds what a line says to a batch; `Err` says what is wrong with it.
pub(super) fn take(line: &Line, batch: &mut Batch, greatest: &mut Greatest) -> Result<(), String> {
    match line.kind {
        RecordKind::Meta | RecordKind::Peer | RecordKind::Period => counters(line, greatest),
        RecordKind::Media | RecordKind::User | RecordKind::Following | RecordKind::Room => person(line, batch),
        RecordKind::Group | RecordKind::Member | RecordKind::Membership => group(line, batch),
        RecordKind::Message => message(line, batch, greatest),
        RecordKind::Dedup | RecordKind::SenderDedup => retry(line, batch),
        RecordKind::Head | RecordKind::Pins | RecordKind::Entry | RecordKind::Removal => conversation(line, batch, greatest),
        RecordKind::Children | RecordKind::HeldList => list(line, batch),
        RecordKind::Note | RecordKind::Change | RecordKind::Reply => beside(line, batch, greatest),
        RecordKind::MediaUse | RecordKind::Deleted => of_message(line, batch),
    }
}

/// Reads what a store counts of itself. Weeks, and who talks to whom, follow from the messages here.
fn counters(line: &Line, greatest: &mut Greatest) -> Result<(), String> {
    if line.kind == RecordKind::Meta && line.week.is_some() {
        let counters: PeriodMeta = line.read()?;
        greatest.commit = greatest.commit.max(counters.commit);
        greatest.message_id = greatest.message_id.max(counters.message_id);
    }
    Ok(())
}

fn person(line: &Line, batch: &mut Batch) -> Result<(), String> {
    match line.kind {
        RecordKind::Media => {
            let media: MediaRecord = line.read()?;
            let (file, owner) = (media.file.to_string(), media.owner.as_str());
            batch.add(Table::Media, row![file, owner, media.bytes, media.created_ms, json(&media)]);
        }
        RecordKind::User => {
            let user: UserProfile = line.read()?;
            let [name, avatar_url, extended_data] = [&user.name, &user.avatar_url, &user.extended_data].map(|text| without_nul(text));
            batch.add(Table::Users, row![user.id.as_str(), name, avatar_url, extended_data, user.ban.is_some(), json(&user)]);
        }
        RecordKind::Room => {
            let room: RoomRecord = line.read()?;
            batch.add(Table::Rooms, row![room.id.as_str(), room.incarnation, without_nul(&room.name), json(&room)]);
        }
        _ => {
            let list: Vec<(UserId, u64)> = line.read()?;
            batch.add(Table::Followings, row![week(line), text_of(&line.parts, "user")?, json(&list)]);
        }
    }
    Ok(())
}

fn group(line: &Line, batch: &mut Batch) -> Result<(), String> {
    match line.kind {
        RecordKind::Group => {
            let group: GroupRecord = line.read()?;
            batch.add(Table::Groups, row![group.info.id.as_str(), without_nul(&group.info.name), group.dismissed, json(&group)]);
        }
        RecordKind::Member => {
            let member: GroupMember = line.read()?;
            let (group, role) = (text_of(&line.parts, "group")?, i64::from(i16::try_from(member.role.number()).unwrap_or(i16::MAX)));
            let nickname = without_nul(&member.nickname);
            batch.add(Table::Members, row![group, member.user.as_str(), role, member.joined, nickname, json(&member)]);
        }
        _ => {
            // Of those who are members their group's list says it.
            if let Some(FormerMember { first_seq, last_seq, left_ms }) = line.read::<Option<FormerMember>>()? {
                let (user, group) = (text_of(&line.parts, "user")?, text_of(&line.parts, "group")?);
                batch.add(Table::Former, row![user, group, first_seq, last_seq, left_ms]);
            }
        }
    }
    Ok(())
}

fn message(line: &Line, batch: &mut Batch, greatest: &mut Greatest) -> Result<(), String> {
    let message: Message = line.read()?;
    let (commit, week) = (line.commit.ok_or("commit is missing")?, line.week.ok_or("week is missing")?);
    if message.conversation != conversation_of(&line.parts)? || message.seq != number_of(&line.parts, "seq")? {
        return Err("value says another conversation or seq than its line".to_owned());
    }
    greatest.commit = greatest.commit.max(commit);
    greatest.message_id = greatest.message_id.max(message.id);
    let Written { kind, flags, words, mentions, mentions_all, content, state } = Written::of(&message);
    let [seq, id, order_key, at_ms] = numbers(&message);
    let local_id = message.local_id.as_ref().map(ToString::to_string);
    let base = base_of(week, commit, Some(message.timestamp_ms));
    batch.add(
        Table::Messages,
        row![
            &message.conversation,
            seq,
            commit,
            base,
            id,
            order_key,
            at_ms,
            i64::from(priority(&message)),
            i64::from(kind),
            i64::from(flags),
            mentions_all,
            message.sender.as_str(),
            local_id,
            mentions,
            words,
            content,
            state,
        ],
    );
    Ok(())
}

/// Returns what a stamp may not be below: see [`copy`](super).
fn base_of(week: u64, commit: u64, at_ms: Option<u64>) -> u64 {
    let begins = week_begins(week).max(1);
    if commit >= begins {
        return commit;
    }
    let ends = week_begins(week + 1).max(begins + 1) - 1;
    at_ms.map_or(begins, |at_ms| order_key_at(at_ms).clamp(begins, ends))
}

fn retry(line: &Line, batch: &mut Batch) -> Result<(), String> {
    let (conversation, DedupEntry { seq, digest }) = if line.kind == RecordKind::Dedup {
        (conversation_of(&line.parts)?, line.read()?)
    } else {
        let SenderDedupEntry { conversation, seq, digest } = line.read()?;
        (conversation, DedupEntry { seq, digest })
    };
    let (sender, local_id) = (text_of(&line.parts, "sender")?, text_of(&line.parts, "localID")?);
    batch.add(Table::Retries, row![&conversation, seq, sender, local_id, crate::model::hex(&digest_bytes(digest))]);
    Ok(())
}

fn conversation(line: &Line, batch: &mut Batch, greatest: &mut Greatest) -> Result<(), String> {
    let conversation = conversation_of(&line.parts)?;
    match line.kind {
        RecordKind::Head => {
            let Head { seq, order_key, commit, whole_from, epoch: _ } = line.read()?;
            greatest.commit = greatest.commit.max(commit);
            batch.add(Table::Heads, row![&conversation, week(line), seq, order_key, commit, whole_from]);
        }
        RecordKind::Pins => {
            let pins: Vec<Pin> = line.read()?;
            batch.add(Table::Pins, row![&conversation, week(line), json(&pins)]);
        }
        RecordKind::Removal => batch.add(Table::Removals, row![&conversation]),
        _ => {
            let (entry, user): (EntryRecord, _) = (line.read()?, UserId::trusted(text_of(&line.parts, "user")?));
            let (kind, other) = conversation.named_by(&user);
            let (kind, read_seq, pinned_ms) = (i64::from(kind.number()), entry.read_seq, entry.pinned_ms);
            let values = row![&conversation, week(line), user.as_str(), kind, other, read_seq, pinned_ms, json(&entry)];
            batch.add(Table::Entries, values);
        }
    }
    Ok(())
}

fn list(line: &Line, batch: &mut Batch) -> Result<(), String> {
    let children: Vec<crate::model::Child> = line.read()?;
    if line.kind == RecordKind::HeldList {
        batch.add(Table::Lists, row![file_of(&line.parts)?.to_string(), json(&children)]);
    } else {
        let (conversation, seq) = place(line)?;
        batch.add(Table::Children, row![&conversation, seq, json(&children)]);
    }
    Ok(())
}

fn beside(line: &Line, batch: &mut Batch, greatest: &mut Greatest) -> Result<(), String> {
    match line.kind {
        RecordKind::Note => {
            let ((conversation, seq), NoteRecord { at_ms }) = (place(line)?, line.read()?);
            let (reaction, user) = match note_of(&line.parts)? {
                Note::Receipt(user) => (None, user),
                Note::Reaction(reaction, user) => (Some(without_nul(&reaction)), user),
            };
            batch.add(Table::Notes, row![&conversation, seq, at_ms, reaction, user.as_str()]);
        }
        RecordKind::Change => {
            let (commit, conversation) = (number_of(&line.parts, "commit")?, conversation_of(&line.parts)?);
            let (seq, kind): (u64, ChangeKind) = line.read()?;
            greatest.commit = greatest.commit.max(commit);
            let base = base_of(line.week.ok_or("week is missing")?, commit, None);
            batch.add(Table::Changes, row![&conversation, seq, commit, base, i64::from(change_number(kind))]);
        }
        _ => {
            let (conversation, seq) = place(line)?;
            batch.add(Table::Replies, row![&conversation, number_of(&line.parts, "rootSeq")?, seq]);
        }
    }
    Ok(())
}

fn of_message(line: &Line, batch: &mut Batch) -> Result<(), String> {
    let (conversation, seq) = place(line)?;
    match line.kind {
        RecordKind::MediaUse => batch.add(Table::Uses, row![&conversation, seq, file_of(&line.parts)?.to_string()]),
        _ => batch.add(Table::Deletions, row![&conversation, seq, text_of(&line.parts, "user")?]),
    }
    Ok(())
}

fn place(line: &Line) -> Result<(Conversation, u64), String> {
    Ok((conversation_of(&line.parts)?, number_of(&line.parts, "seq")?))
}

/// Returns in which week a record lies of which the newest counts; -1: in none.
fn week(line: &Line) -> i64 {
    line.week.map_or(-1, number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::order_key::EPOCH_MS;

    #[test]
    fn a_stamp_lies_in_its_week_and_is_never_less_than_the_commit_was() {
        const WEEK_MS: u64 = 7 * 24 * 60 * 60 * 1000;
        let (week, begins_ms) = (2922, 2922 * WEEK_MS);
        let stamp = |ms: u64| (ms - EPOCH_MS) << 11;
        assert_eq!(base_of(week, 17, Some(begins_ms + 5)), stamp(begins_ms + 5), "a commit that was counted");
        assert_eq!(base_of(week, 17, Some(begins_ms - 9)), stamp(begins_ms), "the clock stood behind");
        assert_eq!(base_of(week, 17, Some(begins_ms + WEEK_MS)), stamp(begins_ms + WEEK_MS) - 1, "the clock stood ahead");
        assert_eq!(base_of(week, 17, None), stamp(begins_ms), "a change");
        let commit = stamp(begins_ms + 77) + 3;
        assert_eq!(base_of(week, commit, Some(begins_ms + 5)), commit, "a stamp");
        assert_eq!(base_of(week + 1, commit, Some(begins_ms + WEEK_MS)), stamp(begins_ms + WEEK_MS), "counted on from a stamp");
        assert_eq!(base_of(0, 17, Some(5)), 17, "before there were stamps");
        assert_eq!(base_of(0, 0, Some(5)), 1);
    }
}
