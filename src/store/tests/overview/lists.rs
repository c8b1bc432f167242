use std::cmp::Reverse;
use std::sync::Arc;

use super::town::Town;
use crate::model::*;
use crate::store::tests::support::*;
use crate::store::*;

/// A conversation of a list as single reads have it.
fn listed(town: &Town, user: &UserId, conversation: &Conversation, unread_max: u64) -> Option<Listed> {
    let store = town.store();
    let entry = store.entry(user, conversation).unwrap();
    let (first_seq, joined_seq, end_seq, left_ms, name, avatar_url) = match conversation {
        Conversation::Peer(one, other) => {
            let profile = store.user(if one == user { other } else { one }).unwrap();
            let (name, avatar_url) = profile.map(|profile| (profile.name, profile.avatar_url)).unwrap_or_default();
            (1, 0, None, 0, name, avatar_url)
        }
        Conversation::Group(group) => {
            let record = store.group(group).unwrap();
            let (name, avatar_url) = record.map(|record| (record.info.name, record.info.avatar_url)).unwrap_or_default();
            match store.group_member(group, user).unwrap() {
                Some(member) => (member.first_seq, member.joined_seq, None, 0, name, avatar_url),
                None => {
                    let former = store.former_groups_of(user).unwrap().into_iter().find(|(left, _)| left == group)?.1;
                    (former.first_seq, 0, Some(former.last_seq), former.left_ms, name, avatar_url)
                }
            }
        }
        Conversation::Room(..) => return None,
    };
    let record = EntryRecord { read_seq: entry.read_seq.max(joined_seq), ..entry };
    let all = town.world.all(conversation);
    let tail = store.tail(conversation).unwrap().map(|tail| {
        let last = end_seq.map_or(tail.seq, |end: u64| end.min(tail.seq));
        let order_key = all.iter().find(|message| message.seq == last).map_or(0, |message| message.order_key);
        Tail { seq: last, order_key, commit: tail.commit }
    });
    let (mut unread, mut mentions) = (0, Vec::new());
    if let (Some(tail), None) = (tail, end_seq) {
        let read = record.read_seq.max(record.cleared_seq).max(first_seq - 1).max(tail.seq.saturating_sub(unread_max));
        for message in town.seen(user, conversation, read + 1, record.deletes) {
            unread = unread_max.min(unread + u64::from(message.counts_for(user)));
            mentions.extend(Mentioned::of(&message, user));
        }
        mentions.drain(..mentions.len().saturating_sub(MENTIONS_MAX));
    }
    let conversation = conversation.clone();
    Some(Listed { conversation, record, name, avatar_url, first_seq, end_seq, left_ms, tail, unread, mentions })
}

pub(super) fn list(town: &Town, user: &UserId, choice: usize) {
    let (store, unread_max) = (town.store(), [2, 5, 100][choice % 3]);
    let mut conversations: Vec<_> = town.places(user).into_iter().map(|place| place.conversation).collect();
    conversations.extend(store.former_groups_of(user).unwrap().into_iter().map(|(group, _)| Conversation::Group(group)));
    let mut wanted: Vec<Listed> = conversations.iter().map(|one| listed(town, user, one, unread_max).unwrap()).collect();
    wanted.sort_by_key(|one| {
        let tail = store.tail(&one.conversation).unwrap();
        let order_key = tail.map_or(0, |tail| tail.order_key.max(one.record.order_key_min));
        (Reverse((one.record.pinned_ms > 0, order_key)), one.conversation.clone())
    });
    for count in [usize::MAX, 3, 1, 0] {
        let read = store.list(user, count, unread_max).unwrap();
        assert_eq!(read, wanted[..wanted.len().min(count)], "{user} {count}");
    }
    conversations.extend([group("nowhere"), room("r", 1)]);
    conversations.reverse();
    // Whoever asks twice is answered twice.
    conversations.extend_from_within(..conversations.len().min(3));
    let some: Vec<_> = conversations.iter().map(|one| listed(town, user, one, unread_max)).collect();
    assert_eq!(store.listed(user, &conversations, unread_max).unwrap(), some, "{user}");
}

pub(super) fn last_messages(town: &Town, user: &UserId) {
    let store = town.store();
    let mut parts: Vec<VisiblePart> = Vec::new();
    for place in town.places(user) {
        let head = store.head(&place.conversation).unwrap();
        for end_seq in [None, Some(head), Some(head / 2), Some(head + 9)] {
            let conversation = place.conversation.clone();
            parts.push(VisiblePart { conversation, first_seq: place.first_seq, end_seq, deletes: place.deletes });
        }
    }
    parts.push(VisiblePart { conversation: group("nowhere"), first_seq: 1, end_seq: None, deletes: false });
    parts.reverse();
    let last = |part: &VisiblePart| {
        let mut seen = town.seen(user, &part.conversation, part.first_seq, part.deletes);
        seen.retain(|message| part.end_seq.is_none_or(|end| message.seq <= end));
        Some(LastMessage { message: seen.pop()?, pins: store.pins(&part.conversation).unwrap() })
    };
    let wanted: Vec<_> = parts.iter().map(last).collect();
    assert_eq!(store.last_messages(user, &parts).unwrap(), wanted, "{user}");
}

pub(super) fn missed(town: &Town, user: &UserId, choice: usize) {
    let store = town.store();
    let last = store.last_commit();
    let after = choice as u64 % (last + 2);
    let query = MissedQuery {
        rooms: vec![RoomId::trusted("r"), RoomId::trusted("nowhere")],
        after,
        up_to: u64::MAX,
        since_ms: 0,
        count_max: usize::MAX,
        bytes_max: usize::MAX,
    };
    let mut places: Vec<_> = town.places(user).into_iter().map(|one| (one.conversation, one.first_seq, one.deletes)).collect();
    places.push((room("r", 1), 1, false));
    let mut wanted: Vec<MissedPart> = Vec::new();
    for (conversation, first_seq, deletes) in places {
        let viewer = deletes.then(|| user.clone());
        let since = Since { commit: after, first_seq, count_max: usize::MAX, bytes_max: usize::MAX, viewer };
        let messages = store.since(&conversation, since).unwrap().messages;
        wanted.push(MissedPart { conversation, first_seq, messages });
    }
    let those = |keep: &dyn Fn(u64, &Message) -> bool| {
        let mut parts = wanted.clone();
        parts.iter_mut().for_each(|part| part.messages.retain(|(commit, message)| keep(*commit, message)));
        parts.retain(|part| !part.messages.is_empty());
        parts.sort_by(|one, other| one.conversation.cmp(&other.conversation));
        parts
    };
    let read = |query: &MissedQuery| {
        let Missed { mut parts, cut } = store.missed(user, query).unwrap();
        parts.sort_by(|one, other| one.conversation.cmp(&other.conversation));
        (!cut).then_some(parts)
    };
    let all = those(&|_, _| true);
    let count = all.iter().map(|part| part.messages.len()).sum();
    assert_eq!(read(&query), Some(all.clone()), "{user} after {after}");
    assert_eq!(read(&MissedQuery { count_max: count, ..query.clone() }), Some(all), "{user}: as many as there are");
    if count > 0 {
        assert_eq!(read(&MissedQuery { count_max: count - 1, ..query.clone() }), None, "{user}: one too many");
        assert_eq!(read(&MissedQuery { bytes_max: 10, ..query.clone() }), None, "{user}: too long");
    }
    let (up_to, since_ms) = (after + (last.saturating_sub(after)) / 2, NOW_MS + 1);
    let narrow = MissedQuery { up_to, since_ms, ..query };
    assert_eq!(read(&narrow), Some(those(&|commit, message| commit <= up_to && message.timestamp_ms >= since_ms)), "{user}");
}

pub(super) fn changed(town: &Town, user: &UserId, choice: usize) {
    let store = town.store();
    let after = choice as u64 % (store.last_commit() + 2);
    for count_max in [100, 2] {
        let mut wanted: Vec<ChangedPart> = Vec::new();
        for place in town.places(user) {
            let changes = store.changes(&place.conversation, after, count_max).unwrap();
            let seen = changes.into_iter().filter(|(seq, _)| *seq >= place.member_from);
            let changes: Vec<(ChangeKind, Arc<Message>)> =
                seen.filter_map(|(seq, kind)| Some((kind, store.message(&place.conversation, seq).unwrap()?))).collect();
            if !changes.is_empty() {
                wanted.push(ChangedPart { conversation: place.conversation, first_seq: place.member_from, changes });
            }
        }
        let mut read = store.changed(user, after, count_max).unwrap();
        read.sort_by(|one, other| one.conversation.cmp(&other.conversation));
        wanted.sort_by(|one, other| one.conversation.cmp(&other.conversation));
        assert_eq!(read, wanted, "{user} after {after}");
    }
}

/// The groups of a user that are not dismissed.
pub(super) fn groups(town: &Town, user: &UserId) {
    let store = town.store();
    let mut ids = store.groups_of(user).unwrap();
    ids.sort();
    let named = ids.into_iter().filter_map(|id| {
        let entry = store.entry(user, &Conversation::Group(id.clone())).unwrap();
        store.group(&id).unwrap().map(|record| (record, entry))
    });
    let wanted: Vec<_> = named.filter(|(record, _)| !record.dismissed).collect();
    assert_eq!(store.groups(user).unwrap(), wanted, "{user}");
}

pub(super) fn rows(town: &Town, choice: usize) {
    let store = town.store();
    let mut users = town.users();
    users.insert(choice % users.len(), user("unknown"));
    users.push(users[0].clone());
    let wanted: Vec<_> = users.iter().map(|user| store.user(user).unwrap()).collect();
    assert_eq!(store.users(&users).unwrap(), wanted);
    let counts = town.groups().iter().map(|group| store.group_members(group).unwrap().len()).collect();
    assert_eq!(store.member_counts(&town.groups()), Ok(counts));
    for group in town.groups() {
        let mut members = store.group_members(&group).unwrap();
        members.sort_by(|one, other| one.user.cmp(&other.user));
        let named: Vec<_> = members.into_iter().map(|member| (store.user(&member.user).unwrap(), member)).collect();
        let named: Vec<_> = named.into_iter().map(|(profile, member)| (member, profile)).collect();
        assert_eq!(store.members(&group, None, usize::MAX).unwrap(), named);
        let (mut pages, mut after) = (Vec::new(), None);
        loop {
            let page = store.members(&group, after.as_ref(), 2).unwrap();
            let Some((last, _)) = page.last() else { break };
            assert!(page.len() <= 2);
            after = Some(last.user.clone());
            pages.extend(page);
        }
        assert_eq!(pages, named);
    }
}
