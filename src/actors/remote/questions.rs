//! What was asked of other nodes and is not answered yet.
//!
//! A node that is cut off and lives answers nothing, and what it owned is another's soon. So whoever asked it hears after a while that
//! there is no answer: whether it was done is not known then, and who asks again by the same local id has it done once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use crate::actors::runtime::route::{Carried, NodeId};
use crate::model::Refusal;

/// Questions that may be under way. Our choice: some mailboxes' worth.
const ASKED_MAX: usize = 262_144;
/// How long an order waits for the answer of a node that does not own its shard any more and does not say so.
const ASTRAY_PATIENCE: Duration = Duration::from_secs(1);
/// How long anything asked waits for its answer: as long as clients do.
const ANSWER_PATIENCE: Duration = Duration::from_secs(30);
/// What is answered for a node that ended, or is cut off.
pub(super) const GONE: Refusal = Refusal::Busy("the node that was asked does not answer any more");

struct Asked {
    node: NodeId,
    /// What it is about, if it is about a conversation.
    shard: Option<u16>,
    done: Carried,
    at: Duration,
    /// Since when another node than the one that was asked owns the shard.
    astray_since: Option<Duration>,
}

/// See the module's documentation.
#[derive(Default)]
pub(super) struct Questions {
    asked: Mutex<HashMap<u64, Asked>>,
    last: AtomicU64,
}

impl Questions {
    fn asked(&self) -> MutexGuard<'_, HashMap<u64, Asked>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a question to a node, which may be about a shard; returns its number.
    ///
    /// # Errors
    /// [`Refusal::Busy`]: too many are under way; `done` is dropped.
    pub(super) fn put(&self, node: NodeId, shard: Option<u16>, done: Carried, now: Duration) -> Result<u64, Refusal> {
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let mut asked = self.asked();
        if asked.len() >= ASKED_MAX {
            return Err(Refusal::Busy("too much is asked of other nodes"));
        }
        asked.insert(number, Asked { node, shard, done, at: now, astray_since: None });
        Ok(number)
    }

    /// Gives an answer to who asked.
    pub(super) fn answered(&self, number: u64, outcome: Result<Bytes, Refusal>) {
        let answered = self.asked().remove(&number);
        if let Some(Asked { done, .. }) = answered {
            done(outcome);
        }
    }

    /// Answers whoever asked a node that ended, or says that it hears nothing.
    pub(super) fn nobody_answers(&self, node: NodeId) {
        self.gone(|asked| asked.node == node);
    }

    /// Answers whoever asked any node: this one is cut off.
    pub(super) fn nobody_answers_anything(&self) {
        self.gone(|_| true);
    }

    /// Answers whoever waits in vain: too long, or for a node that does not own any more what was asked about.
    pub(super) fn give_up(&self, now: Duration, owner_of: impl Fn(u16) -> Option<NodeId>) {
        self.gone(|asked| match asked.shard.and_then(&owner_of) {
            Some(owner) if owner != asked.node => {
                let since = *asked.astray_since.get_or_insert(now);
                now.saturating_sub(since) >= ASTRAY_PATIENCE
            }
            _ => {
                asked.astray_since = None;
                now.saturating_sub(asked.at) >= ANSWER_PATIENCE
            }
        });
    }

    fn gone(&self, mut is_gone: impl FnMut(&mut Asked) -> bool) {
        // Whoever hears of it may ask again at once.
        let gone: Vec<Carried> = self.asked().extract_if(|_, asked| is_gone(asked)).map(|(_, asked)| asked.done).collect();
        gone.into_iter().for_each(|done| done(Err(GONE)));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    const A: NodeId = NodeId(1);
    const B: NodeId = NodeId(2);

    fn ask(questions: &Questions, node: NodeId, shard: Option<u16>, at_ms: u64) -> (u64, Receiver<Result<Bytes, Refusal>>) {
        let (told, heard) = channel();
        let number =
            questions.put(node, shard, Box::new(move |outcome| told.send(outcome).unwrap()), Duration::from_millis(at_ms)).unwrap();
        (number, heard)
    }

    #[test]
    fn an_answer_comes_once_and_none_after_it() {
        let questions = Questions::default();
        let (number, heard) = ask(&questions, A, Some(1), 0);
        questions.answered(number, Ok(Bytes::from_static(b"x")));
        questions.answered(number, Err(GONE));
        questions.nobody_answers(A);
        assert_eq!(heard.try_iter().collect::<Vec<_>>(), [Ok(Bytes::from_static(b"x"))]);
    }

    #[test]
    fn who_asked_a_node_that_is_cut_off_hears_so_a_second_after_another_owns_the_shard() {
        let questions = Questions::default();
        let (_, moved) = ask(&questions, A, Some(1), 0);
        let (_, stays) = ask(&questions, A, Some(2), 0);
        let (_, of_no_shard) = ask(&questions, A, None, 0);
        let look = |ms: u64, owner: Option<NodeId>| {
            questions.give_up(Duration::from_millis(ms), |shard| if shard == 1 { owner } else { Some(A) });
        };
        look(5_000, None);
        look(5_500, Some(B));
        look(5_750, Some(A));
        // It came back and went again.
        look(6_000, Some(B));
        look(6_999, Some(B));
        assert!(moved.try_recv().is_err());
        look(7_000, Some(B));
        assert_eq!(moved.try_recv(), Ok(Err(GONE)));
        look(29_999, Some(B));
        assert!(stays.try_recv().is_err() && of_no_shard.try_recv().is_err());
        look(30_000, Some(B));
        assert_eq!([stays.try_recv(), of_no_shard.try_recv()], [Ok(Err(GONE)), Ok(Err(GONE))]);
    }

    #[test]
    fn who_asked_anything_at_a_node_that_is_cut_off_hears_so_at_once() {
        let questions = Questions::default();
        let ((_, of_a), (_, of_b)) = (ask(&questions, A, Some(1), 0), ask(&questions, B, None, 0));
        questions.nobody_answers_anything();
        assert_eq!([of_a.try_recv(), of_b.try_recv()], [Ok(Err(GONE)), Ok(Err(GONE))]);
    }

    #[test]
    fn who_asked_a_node_that_ended_hears_so_at_once_and_the_others_go_on() {
        let questions = Questions::default();
        let ((_, of_a), (_, of_b)) = (ask(&questions, A, None, 0), ask(&questions, B, None, 0));
        questions.nobody_answers(A);
        assert_eq!((of_a.try_recv(), of_b.try_recv().is_err()), (Ok(Err(GONE)), true));
    }

    #[test]
    fn so_many_are_under_way_and_no_more() {
        let questions = Questions::default();
        for _ in 0..ASKED_MAX {
            questions.put(A, None, Box::new(|_| {}), Duration::ZERO).unwrap();
        }
        assert!(questions.put(A, None, Box::new(|_| {}), Duration::ZERO).is_err());
    }
}
