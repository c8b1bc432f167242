//! A large store, as the benches fill and read it: who talks where, and how long a read takes.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::time::Duration;

use tidings::UserId;
use tidings::clock::{Clock, SystemClock};
use tidings::model::{Conversation, GroupId, Limits, LocalMessageId};

pub(crate) const CONVERSATIONS: u64 = 20_000;
/// Appends under way at a time.
pub(crate) const IN_FLIGHT: u64 = 4096;

pub(crate) fn user(n: u64) -> UserId {
    UserId::parse("userID", &format!("user-{n}"), &Limits::default()).unwrap()
}

/// A quarter are conversations of `user-0` with others, the rest groups.
pub(crate) fn conversation(n: u64) -> Conversation {
    if n.is_multiple_of(4) {
        return Conversation::peer(&user(0), &user(n + 1));
    }
    Conversation::Group(GroupId::parse("groupID", &format!("group-{n}"), &Limits::default()).unwrap())
}

pub(crate) fn local_id(n: u64) -> LocalMessageId {
    LocalMessageId::parse("localMessageID", &format!("1732270000000-{n}")).unwrap()
}

/// Conversations are busy in turn, a few at a time, as in life: neighbours in time are not neighbours in the store.
pub(crate) fn conversation_of_message(n: u64, conversations: u64) -> u64 {
    n.wrapping_mul(7_919) % conversations
}

/// Reads so often, and says how long it took.
pub(crate) fn time(clock: &SystemClock, name: &str, count: u64, read: &mut dyn FnMut(u64)) {
    let mut took: Vec<Duration> = (0..count)
        .map(|n| {
            let began = clock.elapsed();
            read(n);
            clock.elapsed() - began
        })
        .collect();
    took.sort_unstable();
    println!("{name}: p50 {:.2?} p99 {:.2?}", took[took.len() / 2], took[(took.len() - 1) * 99 / 100]);
}
