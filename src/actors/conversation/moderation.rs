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

use actix::prelude::*;

use super::publish::{Owner, Publish};
use super::resolve;
use crate::actors::delivery::batch::offer;
use crate::actors::runtime::reply::answer;
use crate::hooks::{ReviewRequest, Verdict};
use crate::model::{Conversation, Draft, LocalMessageId, MessageClass, Refusal, UserId};
use crate::store::Asked;

/// Messages and edits of one conversation that a moderator looks at at a time. Our choice: what a mailbox holds (`actors`).
const REVIEWS_MAX: usize = 1_024;

const FULL: Refusal = Refusal::Busy("too many messages of this conversation are being reviewed");

struct Reviewed {
    ticket: u64,
    publish: Publish,
    verdict: Option<Verdict>,
}

/// Messages of one conversation that a moderator looks at, in the order of arrival.
#[derive(Default)]
pub(crate) struct Reviews {
    queue: VecDeque<Reviewed>,
    next_ticket: u64,
    edits: usize,
}

impl Reviews {
    /// Whether there is none.
    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.edits == 0
    }

    /// Whether this message is being looked at: what comes under its id is a retry.
    pub(super) fn holds(&self, sender: &UserId, local_id: &LocalMessageId) -> bool {
        self.queue.iter().any(|one| one.publish.sender == *sender && one.publish.draft.local_id.as_ref() == Some(local_id))
    }

    fn is_full(&self) -> bool {
        self.queue.len() + self.edits >= REVIEWS_MAX
    }

    fn judged(&mut self, ticket: u64, verdict: Verdict) {
        if let Some(reviewed) = self.queue.iter_mut().find(|reviewed| reviewed.ticket == ticket) {
            reviewed.verdict = Some(verdict);
        }
    }

    fn next(&mut self) -> Option<(Publish, Verdict)> {
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

/// Carries a message that is within its quota, after the moderator has looked at it.
pub(super) fn review<A: Owner>(owner: &mut A, publish: Publish, conversation: Conversation, ctx: &mut Context<A>) {
    let pipeline = owner.pipeline();
    let moderator = pipeline.context.moderator.clone().filter(|_| publish.draft.body.class() != MessageClass::Barrage);
    let Some(moderator) = moderator else { return carry(owner, publish, conversation, false, ctx) };
    if pipeline.reviews.is_full() {
        return answer(publish.reply, Err(FULL));
    }
    let request = ReviewRequest {
        sender: publish.sender.clone(),
        target: publish.target.clone(),
        draft: publish.draft.clone(),
        origin: publish.came_from(),
        edit: false,
    };
    let ticket = pipeline.reviews.next_ticket;
    pipeline.reviews.next_ticket += 1;
    pipeline.reviews.queue.push_back(Reviewed { ticket, publish, verdict: None });
    let review = async move { moderator.review(request).await };
    ctx.spawn(review.into_actor(owner).map(move |verdict, owner, ctx| {
        owner.pipeline().reviews.judged(ticket, verdict);
        go_on(owner, ctx);
    }));
}

/// Carries what stands first and has its verdict, until the owner has to wait for the store.
fn go_on<A: Owner>(owner: &mut A, ctx: &mut Context<A>) {
    while !ctx.waiting() {
        let Some((publish, verdict)) = owner.pipeline().reviews.next() else { return };
        obey(owner, publish, verdict, ctx);
    }
}

fn obey<A: Owner>(owner: &mut A, mut publish: Publish, verdict: Verdict, ctx: &mut Context<A>) {
    // Whoever was put out meanwhile says nothing more.
    let conversation = match owner.may_write(&publish) {
        Ok(conversation) => conversation,
        Err(refusal) => return answer(publish.reply, Err(refusal)),
    };
    let is_silent = matches!(verdict, Verdict::Silent);
    match verdict {
        Verdict::Accept | Verdict::Silent => {}
        Verdict::Reject(refusal) => return answer(publish.reply, Err(refusal)),
        Verdict::Replace(draft) if draft.body.class() != publish.draft.body.class() => {
            tracing::warn!(sender = %publish.sender, "moderator replaced a message by one of another class, refused");
            return answer(publish.reply, Err(Refusal::Unsupported("a replacement of another class".into())));
        }
        Verdict::Replace(draft) => {
            // The local id stays the sender's: it is how a retry finds this message again.
            let asked = std::mem::replace(&mut publish.draft, draft);
            publish.draft.local_id.clone_from(&asked.local_id);
            publish.asked = Some(asked_of(asked));
            let limits = &owner.pipeline().context.config().limits;
            if let Err(invalid) = publish.draft.validate(&publish.sender, &publish.target, limits) {
                return answer(publish.reply, Err(invalid.into()));
            }
        }
    }
    carry(owner, publish, conversation, is_silent, ctx);
}

pub(super) fn carry<A: Owner>(owner: &mut A, publish: Publish, conversation: Conversation, is_silent: bool, ctx: &mut Context<A>) {
    match publish.draft.body.class() {
        MessageClass::Storable if resolve::is_needed(&publish.draft) => complete(owner, publish, conversation, is_silent, ctx),
        _ if is_silent => owner.pipeline().pretend(publish, None, &conversation),
        MessageClass::Storable => owner.pipeline().append(publish, None, &conversation),
        MessageClass::Command | MessageClass::Barrage => {
            let item = owner.pipeline().pass_on(publish, &conversation);
            offer(owner, item, ctx);
        }
    }
}

/// Finds what the message answers, and what it passes on.
fn complete<A: Owner>(owner: &mut A, publish: Publish, conversation: Conversation, is_silent: bool, ctx: &mut Context<A>) {
    let pipeline = owner.pipeline();
    let (archive, files) = (pipeline.context.archive.clone(), resolve::Files::of(&pipeline.context));
    let (sender, draft, place) = (publish.sender.clone(), publish.draft.clone(), conversation.clone());
    let look_up = async move { archive.read(move |store| resolve::complete(store, &sender, &place, draft, &files)).await };
    ctx.wait(look_up.into_actor(owner).map(move |found, owner, ctx| {
        match found.and_then(|completed| completed) {
            Ok((draft, quoted)) => {
                let mut publish = publish;
                let asked = std::mem::replace(&mut publish.draft, draft);
                publish.asked.get_or_insert(asked_of(asked));
                if is_silent {
                    owner.pipeline().pretend(publish, quoted, &conversation);
                } else {
                    owner.pipeline().append(publish, quoted, &conversation);
                }
            }
            Err(refusal) => answer(publish.reply, Err(refusal)),
        }
        go_on(owner, ctx);
    }));
}

fn asked_of(draft: Draft) -> Asked {
    Asked { body: draft.body, extended_data: draft.extended_data, mentions: draft.mentions, terms: draft.terms }
}

/// Shows a moderator what a message is to say from now on, and goes on with what it may: beside the queue, because an edit
/// has its place already.
pub(super) fn review_edit<A: Owner>(
    owner: &mut A,
    request: ReviewRequest,
    ctx: &mut Context<A>,
    then: impl FnOnce(&mut A, Result<Option<Draft>, Refusal>, &mut Context<A>) + 'static,
) {
    let pipeline = owner.pipeline();
    let Some(moderator) = pipeline.context.moderator.clone() else { return then(owner, Ok(None), ctx) };
    if pipeline.reviews.is_full() {
        return then(owner, Err(FULL), ctx);
    }
    pipeline.reviews.edits += 1;
    let review = async move { moderator.review(request).await };
    ctx.spawn(review.into_actor(owner).map(move |verdict, owner, ctx| {
        owner.pipeline().reviews.edits -= 1;
        let may = match verdict {
            Verdict::Accept => Ok(None),
            Verdict::Replace(draft) => Ok(Some(draft)),
            Verdict::Reject(refusal) => Err(refusal),
            // An edit that did not happen is seen by whoever looks.
            Verdict::Silent => Err(Refusal::Rejected(String::new())),
        };
        then(owner, may, ctx);
    }));
}
