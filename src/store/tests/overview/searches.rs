use std::cmp::Reverse;

use super::town::Town;
use crate::model::*;
use crate::store::tests::support::*;
use crate::store::*;

fn search(choice: usize) -> Search {
    let words: [&[&str]; 5] = [&[], &["tea"], &["TEA", "milk"], &["\u{e9}cole"], &["absent"]];
    let words: Vec<String> = words[choice % 5].iter().map(ToString::to_string).collect();
    let mut search = Search::for_keywords(&words, &Limits::default()).unwrap();
    match choice / 5 % 5 {
        0 => search.senders = vec![user("u1"), user("u2")],
        1 => search.kinds = vec![200],
        2 => (search.kinds, search.sub_kinds) = (vec![200], vec![1]),
        3 => (search.from_ms, search.to_ms) = (NOW_MS + 1, NOW_MS + 5_000_000),
        _ => {}
    }
    search
}

/// All that a user sees, by order key and id.
fn all_seen(town: &Town, user: &UserId, only: Option<&Conversation>) -> Vec<FoundMessage> {
    let mut all = Vec::new();
    for place in town.places(user).into_iter().filter(|place| only.is_none_or(|only| place.conversation == *only)) {
        let seen = town.seen(user, &place.conversation, place.first_seq, place.deletes);
        all.extend(seen.into_iter().map(|message| FoundMessage { message, first_seq: place.first_seq }));
    }
    all.sort_by_key(|one| (one.message.order_key, one.message.id));
    all
}

fn weight(message: &Message) -> usize {
    message.content.body.weight() + 512
}

/// What a search finds among all that a user sees.
fn found(mut all: Vec<FoundMessage>, query: &SearchQuery<'_>) -> Found {
    if !query.ascending {
        all.reverse();
    }
    let place = |one: &FoundMessage| (one.message.order_key, one.message.id);
    all.retain(|one| query.after.is_none_or(|after| if query.ascending { place(one) > after } else { place(one) < after }));
    let (mut found, mut bytes, count) = (Found::default(), 0, all.len());
    for (n, one) in all.into_iter().enumerate() {
        if query.search.finds(&one.message) {
            bytes += weight(&one.message);
            found.messages.push(one.clone());
        }
        let is_enough = found.messages.len() == query.count_max || n + 1 == query.looked_at_max || bytes > query.bytes_max;
        if is_enough && n + 1 < count {
            found.next = Some(one);
            break;
        }
    }
    found
}

pub(super) fn messages(town: &Town, user: &UserId, choice: usize) {
    let (store, search) = (town.store(), search(choice));
    let somewhere: Vec<Conversation> = town.places(user).into_iter().map(|place| place.conversation).collect();
    let one = (!somewhere.is_empty()).then(|| &somewhere[choice % somewhere.len()]);
    for (conversation, ascending) in [(None, false), (None, true), (one, false), (one, true)] {
        let all = all_seen(town, user, conversation);
        for (count_max, looked_at_max, bytes_max) in
            [(100, 10_000, usize::MAX), (2, 10_000, usize::MAX), (100, 5, usize::MAX), (100, 99, 600)]
        {
            let query = SearchQuery { search: &search, conversation, ascending, after: None, count_max, bytes_max, looked_at_max };
            let mut after = None;
            // Page by page, to the end.
            for page in 0..200 {
                let query = SearchQuery { after, ..query };
                let read = store.search(user, &query).unwrap();
                assert_eq!(read, Some(found(all.clone(), &query)), "{user} page {page} of {query:?}");
                let Some(next) = read.and_then(|read| read.next) else { break };
                after = Some((next.message.order_key, next.message.id));
            }
        }
    }
    let outside = [group("nowhere"), room("r", 1), Conversation::peer(&UserId::trusted("x"), &UserId::trusted("y"))];
    for conversation in &outside {
        let query = SearchQuery {
            search: &search,
            conversation: Some(conversation),
            ascending: false,
            after: None,
            count_max: 9,
            bytes_max: usize::MAX,
            looked_at_max: 99,
        };
        assert_eq!(store.search(user, &query), Ok(None), "{conversation:?}");
    }
}

pub(super) fn conversations(town: &Town, user: &UserId, choice: usize) {
    let (store, search) = (town.store(), search(choice));
    let mut places = town.places(user);
    places.sort_by_key(|place| {
        let newest = town.seen(user, &place.conversation, place.first_seq, place.deletes).pop().map_or(0, |message| message.order_key);
        (Reverse(newest), place.conversation.clone())
    });
    for (count_max, messages_max, looked_at_max, bytes_max) in
        [(100, 3, 10_000, usize::MAX), (1, 1, 10_000, usize::MAX), (100, 2, 7, usize::MAX), (100, 9, 10_000, 600)]
    {
        let mut skip = 0;
        loop {
            let query = ConversationQuery { search: &search, skip, count_max, messages_max, bytes_max, looked_at_max };
            let (mut wanted, mut left, mut bytes, mut reached) = (FoundConversations::default(), looked_at_max, 0, skip);
            for place in places.iter().skip(skip) {
                if wanted.parts.len() == count_max || left == 0 || bytes > bytes_max {
                    break;
                }
                reached += 1;
                let seen = town.seen(user, &place.conversation, place.first_seq, place.deletes);
                let looked_at = seen.iter().rev().take(left).count();
                let matching: Vec<_> = seen.iter().rev().take(left).filter(|message| search.finds(message)).cloned().collect();
                left -= looked_at;
                let (total, mut messages) = (matching.len(), Vec::new());
                for message in matching {
                    if messages.len() < messages_max && bytes <= bytes_max {
                        bytes += weight(&message);
                        messages.push(message);
                    }
                }
                if total > 0 {
                    let conversation = place.conversation.clone();
                    wanted.parts.push(FoundPart { conversation, first_seq: place.first_seq, total, messages });
                }
            }
            wanted.next = if reached < places.len() { reached } else { 0 };
            let read = store.search_conversations(user, &query).unwrap();
            assert_eq!(read, wanted, "{user} {query:?}");
            if read.next == 0 {
                break;
            }
            skip = read.next;
        }
    }
}

/// Nothing is found for one who is nowhere.
pub(super) fn nothing(world: &World, nobody: &UserId) {
    let search = search(4);
    let query = SearchQuery {
        search: &search,
        conversation: None,
        ascending: true,
        after: Some((1, 1)),
        count_max: 9,
        bytes_max: usize::MAX,
        looked_at_max: 99,
    };
    assert_eq!(world.store.search(nobody, &query), Ok(Some(Found::default())));
    let query = ConversationQuery { search: &search, skip: 0, count_max: 9, messages_max: 9, bytes_max: usize::MAX, looked_at_max: 99 };
    assert_eq!(world.store.search_conversations(nobody, &query), Ok(FoundConversations::default()));
}
