//! What a moderator says of messages and edits, without holding up the conversation.
//!
//! ```text
//! message 1 ─► moderator ─┐  verdicts come in any order
//! message 2 ─► moderator ─┤
//! message 3 ─► moderator ─┴─► the queue's head goes on as soon as its verdict is there: 1, 2, 3
//! ```
//! A moderator that needs a second for each of a hundred messages costs each of them a second and not a hundred. Barrage
//! is not reviewed and does not wait. The queue is bounded; beyond that a send is refused temporarily. What is in it when
//! the owner ends is answered as if the owner had gone: send again.

use std::collections::VecDeque;

use super::messages::Publish;
use crate::hooks::{ReviewRequest, Verdict};
use crate::model::{Limits, LocalMessageId, Refusal, UserId};

/// Messages and edits of one conversation that a moderator looks at at a time. Our choice: what a mailbox holds (`actors`).
const REVIEWS_MAX: usize = 1_024;

pub(super) const FULL: Refusal = Refusal::Busy("too many messages of this conversation are being reviewed");

struct Reviewed {
    ticket: u64,
    publish: Publish,
    verdict: Option<Verdict>,
}

/// A message on its way to the moderator.
pub(super) struct Review {
    pub(super) ticket: u64,
    pub(super) request: ReviewRequest,
}

/// Messages of one conversation that a moderator looks at, in the order of arrival.
#[derive(Default)]
pub(crate) struct Reviews {
    queue: VecDeque<Reviewed>,
    next_ticket: u64,
    pub(super) edits: usize,
}

impl Reviews {
    /// Returns whether there is none.
    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.edits == 0
    }

    /// Returns whether this message is being looked at: what comes under its id is a retry.
    pub(super) fn holds(&self, sender: &UserId, local_id: &LocalMessageId) -> bool {
        self.queue.iter().any(|one| one.publish.sender == *sender && one.publish.draft.local_id.as_ref() == Some(local_id))
    }

    pub(super) fn is_full(&self) -> bool {
        self.queue.len() + self.edits >= REVIEWS_MAX
    }

    /// Queues a message; gives what the moderator is shown.
    pub(super) fn enqueue(&mut self, publish: Publish) -> Review {
        let request = ReviewRequest {
            sender: publish.sender.clone(),
            target: publish.target.clone(),
            draft: publish.draft.clone(),
            origin: publish.source.origin(),
            edit: false,
        };
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.queue.push_back(Reviewed { ticket, publish, verdict: None });
        Review { ticket, request }
    }

    pub(super) fn record_verdict(&mut self, ticket: u64, verdict: Verdict) {
        if let Some(reviewed) = self.queue.iter_mut().find(|reviewed| reviewed.ticket == ticket) {
            reviewed.verdict = Some(verdict);
        }
    }

    /// Takes out what stands first, if its verdict is there.
    pub(super) fn next(&mut self) -> Option<(Publish, Verdict)> {
        let reviewed = self.queue.pop_front()?;
        match reviewed.verdict {
            Some(verdict) => Some((reviewed.publish, verdict)),
            None => {
                self.queue.push_front(reviewed);
                None
            }
        }
    }
}

/// Makes of a message what the moderator left of it.
///
/// # Errors
/// The moderator's refusal; [`Refusal::Unsupported`] and [`Refusal::Invalid`] for a replacement that cannot take its place.
pub(super) fn apply_verdict(publish: &mut Publish, verdict: Verdict, limits: &Limits) -> Result<(), Refusal> {
    match verdict {
        Verdict::Accept | Verdict::Silent => Ok(()),
        Verdict::Reject(refusal) => Err(refusal),
        Verdict::Replace(draft) if draft.content.body.class() != publish.draft.content.body.class() => {
            tracing::warn!(sender = %publish.sender, "moderator replaced a message by one of another class, refused");
            Err(Refusal::Unsupported("a replacement of another class".into()))
        }
        Verdict::Replace(draft) => {
            // The local id stays the sender's: it is how a retry finds this message again.
            let asked = std::mem::replace(&mut publish.draft, draft);
            publish.draft.local_id.clone_from(&asked.local_id);
            publish.asked = Some(asked.content);
            publish.draft.validate(&publish.sender, &publish.target, limits)?;
            Ok(())
        }
    }
}
