//! What could not be read of a damaged store.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use crate::model::Conversation;
use crate::store::error::StoreError;
use crate::store::format::key;
use crate::store::format::record::{self, DedupEntry, Head, SenderDedupEntry};
use crate::store::format::record_kind::RecordKind;

/// So many conversations are named; of the rest only the sums are told.
const CONVERSATIONS_MAX: usize = 50;

/// What was lost when a damaged store was opened all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedLosses {
    /// Where the damaged store was copied to.
    pub copy: PathBuf,
    /// Messages that are there.
    pub messages_kept: u64,
    /// Messages that were stored and could not be read.
    pub messages_lost: u64,
    /// How many of the newest messages, and changes of messages, were acknowledged of which nothing was found. Which
    /// conversations they belong to is not known.
    pub newest_lost: u64,
    /// The conversations that lost most, the worst first.
    pub conversations: Vec<ConversationLoss>,
    /// How many more conversations lost messages.
    pub more_conversations: u64,
}

/// What one conversation lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationLoss {
    /// Which one.
    pub conversation: Conversation,
    /// How many messages.
    pub lost: u64,
    /// The first seq that is missing.
    pub first_seq: u64,
    /// The last seq that is missing.
    pub last_seq: u64,
}

impl fmt::Display for AcceptedLosses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { copy, messages_kept, messages_lost, newest_lost, conversations, more_conversations } = self;
        write!(f, "{messages_lost} messages could not be read, {messages_kept} are kept; ")?;
        if *newest_lost > 0 {
            write!(f, "of the last {newest_lost} messages and changes nothing was found; ")?;
        }
        write!(f, "the store as it was found is in {}", copy.display())?;
        for loss in conversations {
            write!(f, "\n{loss}")?;
        }
        if *more_conversations > 0 { write!(f, "\nand some of {more_conversations} more conversations") } else { Ok(()) }
    }
}

impl fmt::Display for ConversationLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { conversation, lost, first_seq, last_seq } = self;
        match conversation {
            Conversation::Peer(one, other) => write!(f, "{one} and {other}")?,
            Conversation::Room(room, _) => write!(f, "room {room}")?,
            Conversation::Group(group) => write!(f, "group {group}")?,
        }
        write!(f, ": {lost} of the messages from {first_seq} to {last_seq}")
    }
}

/// Compares what is known to have been stored with what is there.
///
/// That a message was stored is known of its conversation's head, of its dedup entry, and of later messages. Where the last
/// message of a conversation was lost together with both, nothing tells of it once a later commit is there. Below the head
/// in the permanent space messages went with their period, and up to a head's `whole_from` losses were accepted before:
/// these are not counted.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// By the keys of their heads.
    conversations: BTreeMap<Vec<u8>, Known>,
    messages: u64,
    /// The greatest commit of a message or a change that is known.
    commit: u64,
}

#[derive(Debug, Default)]
struct Known {
    /// Up to here nothing is missed.
    floor: u64,
    /// The last seq that was given.
    last: u64,
    /// First and last seqs of messages that are there, ascending.
    runs: Vec<(u64, u64)>,
}

impl Survey {
    fn of(&mut self, head_key: Vec<u8>) -> &mut Known {
        self.conversations.entry(head_key).or_default()
    }

    /// Sees a head in the permanent space.
    pub(crate) fn permanent_head(&mut self, head_key: &[u8], head: Head) {
        let known = self.of(head_key.to_vec());
        known.floor = known.floor.max(head.seq);
    }

    /// Sees that a message was stored under a local id.
    fn local_id(&mut self, conversation: Option<Conversation>, seq: u64) -> Result<(), StoreError> {
        let conversation = conversation.ok_or_else(|| StoreError::Damaged("a dedup entry's key".into()))?;
        let known = self.of(key::head(&conversation));
        known.last = known.last.max(seq);
        Ok(())
    }

    /// Sees a record of a period. Messages come in their order.
    pub(crate) fn record(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        match RecordKind::of(key) {
            Some(RecordKind::Head) => {
                let head: Head = record::decode(key, value)?;
                self.commit = self.commit.max(head.commit);
                let known = self.of(key.to_vec());
                known.last = known.last.max(head.seq);
                known.floor = known.floor.max(head.whole_from);
            }
            Some(RecordKind::Dedup) => {
                let DedupEntry { seq, .. } = record::decode(key, value)?;
                self.local_id(key::conversation_in(key), seq)?;
            }
            Some(RecordKind::SenderDedup) => {
                let SenderDedupEntry { conversation, seq, .. } = record::decode(key, value)?;
                self.local_id(Some(conversation), seq)?;
            }
            Some(RecordKind::Message) => {
                let (prefix, seq) = key::split_message(key).ok_or_else(|| StoreError::Damaged("a message's key".into()))?;
                self.messages += 1;
                self.commit = self.commit.max(record::peek_message(key, value)?.commit);
                let known = self.of(key::head_of_prefix(prefix));
                known.last = known.last.max(seq);
                match known.runs.last_mut() {
                    Some((_, last)) if *last + 1 == seq => *last = seq,
                    _ => known.runs.push((seq, seq)),
                }
            }
            Some(RecordKind::Change) => self.commit = self.commit.max(key::last_number(key).unwrap_or(0)),
            _ => {}
        }
        Ok(())
    }

    /// Returns what is missing of what was acknowledged up to a commit.
    pub(crate) fn finish(self, copy: PathBuf, acknowledged: u64) -> AcceptedLosses {
        let losses = self.conversations.into_iter().filter_map(|(key, known)| {
            let (lost, first_seq, last_seq) = known.missing()?;
            Some(ConversationLoss { conversation: key::conversation_of(&key)?, lost, first_seq, last_seq })
        });
        let mut conversations: Vec<ConversationLoss> = losses.collect();
        conversations.sort_by_key(|loss| std::cmp::Reverse(loss.lost));
        let messages_lost = conversations.iter().map(|loss| loss.lost).sum();
        let more_conversations = conversations.len().saturating_sub(CONVERSATIONS_MAX) as u64;
        conversations.truncate(CONVERSATIONS_MAX);
        let newest_lost = acknowledged.saturating_sub(self.commit);
        AcceptedLosses { copy, messages_kept: self.messages, messages_lost, newest_lost, conversations, more_conversations }
    }
}

impl Known {
    /// Returns how many are missing, and the first and the last of them.
    fn missing(mut self) -> Option<(u64, u64, u64)> {
        self.runs.sort_unstable();
        let (mut reached, mut found) = (self.floor, None);
        for (from, to) in self.runs.into_iter().chain([(self.last + 1, self.last + 1)]) {
            if from > reached + 1 {
                let (lost, first, _) = found.unwrap_or((0, reached + 1, 0));
                found = Some((lost + from - reached - 1, first, from - 1));
            }
            reached = reached.max(to);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_between_and_behind_is_missing_and_what_is_below_is_not() {
        let missing = |floor, last, runs: &[(u64, u64)]| Known { floor, last, runs: runs.to_vec() }.missing();
        assert_eq!(missing(0, 5, &[(1, 5)]), None);
        assert_eq!(missing(0, 9, &[(1, 2), (5, 6)]), Some((5, 3, 9)));
        assert_eq!(missing(4, 9, &[(5, 6), (9, 9)]), Some((2, 7, 8)));
        assert_eq!(missing(4, 6, &[(2, 2), (5, 6)]), None);
        assert_eq!(missing(0, 3, &[]), Some((3, 1, 3)));
        assert_eq!(missing(7, 3, &[]), None);
    }
}
