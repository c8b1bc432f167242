//! Which changes of a sent message are allowed, and what results from them. Pure.

use std::sync::Arc;

use crate::model::{
    ActorAt, Body, Content, Invalid, Limits, Mentions, Message, MessageKind, MessageState, Refusal, Revoked, RevokedAs, SendOptions, UserId,
};
use crate::protocol::Change;
use crate::store::{ChangeKind, Note, NoteRecord, Pin, Revision};

/// Who wants a change, and with which rights.
#[derive(Debug, Clone)]
pub(super) struct Actor<'a> {
    pub(super) user: &'a UserId,
    pub(super) moderates: &'a Moderates,
}

/// Whose messages, besides its own, a user may revoke. Source: ZIM guide "Recall messages".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Moderates {
    /// Those of nobody.
    #[default]
    Nobody,
    /// All: the user owns the group.
    Everyone,
    /// All but those of the group's managers: the user is an admin.
    AllBut(Vec<UserId>),
}

/// What the store knows of the message besides the message itself.
#[derive(Debug, Clone, Default)]
pub(super) struct MessageFacts {
    pub(super) notes: Vec<Note>,
    pub(super) pins: Vec<Pin>,
}

fn only_if<T>(holds: bool, refusal: impl FnOnce() -> T) -> Result<(), T> {
    if holds { Ok(()) } else { Err(refusal()) }
}

/// Decides one change.
///
/// # Errors
/// Why it may not be done: by whom, when, or to this message.
pub(super) fn decide(
    message: &Message,
    facts: &MessageFacts,
    change: Change,
    actor: &Actor<'_>,
    now_ms: u64,
    limits: &Limits,
) -> Result<Revision, Refusal> {
    match &message.content.body {
        Body::Revoke(_) => return Err(Refusal::RevokedAlready),
        Body::Tips(_) => return Err(Invalid::new("message.type", "is 32: what the broker says is not changed").into()),
        _ => {}
    }
    let case = Case {
        message,
        facts,
        actor,
        limits,
        now_ms,
        age_seconds: now_ms.saturating_sub(message.timestamp_ms) / 1000,
        is_own: message.sender == *actor.user,
    };
    match change {
        Change::Revoke { extended_data } => case.revoke(extended_data),
        Change::Edit { body, extended_data, mentions } => case.edit(body, extended_data, mentions),
        Change::React { reaction, add } => case.react(reaction, add),
        Change::Pin { pinned, may_replace } => case.pin(pinned, may_replace),
    }
}

/// One change of one message, as far as it is the same for all of them.
struct Case<'a> {
    message: &'a Message,
    facts: &'a MessageFacts,
    actor: &'a Actor<'a>,
    limits: &'a Limits,
    now_ms: u64,
    age_seconds: u64,
    is_own: bool,
}

impl Case<'_> {
    fn stamp(&self) -> ActorAt {
        ActorAt { by: self.actor.user.clone(), at_ms: self.now_ms }
    }

    fn unchanged(&self, logged: ChangeKind) -> Revision {
        let (conversation, seq) = (self.message.conversation.clone(), self.message.seq);
        Revision { conversation, seq, message: None, notes: Vec::new(), pins: None, logged: Some(logged) }
    }

    fn revoke(&self, extended_data: String) -> Result<Revision, Refusal> {
        let (message, pins) = (self.message, &self.facts.pins);
        // Our choice: who manages a group may do so at any time, because that is what moderating takes.
        let revoked_as = match self.actor.moderates {
            _ if self.is_own => RevokedAs::Sender,
            Moderates::Everyone => RevokedAs::Owner,
            Moderates::AllBut(managers) if !managers.contains(&message.sender) => RevokedAs::Admin,
            Moderates::AllBut(_) | Moderates::Nobody => return Err(Refusal::NoAuthority),
        };
        let seconds = self.limits.revoke_seconds;
        only_if(!self.is_own || self.age_seconds <= seconds, || Refusal::RevokeTooLate { seconds })?;
        let stamp = self.stamp();
        let in_its_place = revoked(message, Revoked { stamp, revoked_as, extended_data, kind: 0, text: String::new() });
        let pins = pins.iter().any(|pin| pin.seq == message.seq).then(|| without(pins, message.seq));
        Ok(Revision { message: Some(Arc::new(in_its_place)), pins, ..self.unchanged(ChangeKind::Revoked) })
    }

    fn edit(&self, body: Body, extended_data: String, mentions: Mentions) -> Result<Revision, Refusal> {
        let (message, limits) = (self.message, self.limits);
        only_if(self.is_own, || Refusal::NotTheSender)?;
        let seconds = limits.edit_seconds;
        only_if(self.age_seconds <= seconds, || Refusal::EditTooLate { seconds })?;
        let (was, is) = (message.content.body.kind(), body.kind());
        let editable = was == is && matches!(was, MessageKind::Text | MessageKind::Custom);
        only_if(editable, || Invalid::new("message.type", format!("is {}, of a message of kind {}", is.number(), was.number())))?;
        body.validate(limits)?;
        mentions.validate(limits)?;
        let (bytes, bytes_max) = (extended_data.len(), limits.extended_data_bytes_max);
        only_if(bytes <= bytes_max, || Invalid::too_long("message.extendedData", bytes, bytes_max))?;
        let state = MessageState { edited: Some(self.stamp()), ..message.state.clone() };
        let content = Content { extended_data, mentions, body, options: message.content.options.clone() };
        let edited = Message { content, state, ..message.clone() };
        Ok(Revision { message: Some(Arc::new(edited)), ..self.unchanged(ChangeKind::Edited) })
    }

    fn react(&self, reaction: String, add: bool) -> Result<Revision, Refusal> {
        let (message, age, age_max) = (self.message, self.age_seconds, self.limits.reaction_seconds);
        only_if(age <= age_max, || Invalid::new("message", format!("is {age} s old, the limit is {age_max}")))?;
        let note = Note::Reaction(reaction.clone(), self.actor.user.clone());
        let is_there = self.facts.notes.contains(&note);
        let mut kinds: Vec<&str> = self.facts.notes.iter().filter_map(reaction_of).collect();
        kinds.dedup();
        let (count, max, is_new) = (kinds.len(), self.limits.reactions_max, !kinds.contains(&reaction.as_str()));
        only_if(!add || !is_there, || Refusal::ReactionExists(reaction.clone()))?;
        only_if(!add || !is_new || count < max, || Invalid::new("reactionType", format!("would be kind {} of {max}", count + 1)))?;
        let state = MessageState { reacted: true, ..message.state.clone() };
        let marked = (add && !message.state.reacted).then(|| Arc::new(Message { state, ..message.clone() }));
        let notes = vec![(note, add.then_some(NoteRecord { at_ms: self.now_ms }))];
        Ok(Revision { message: marked, notes, ..self.unchanged(ChangeKind::Reacted) })
    }

    fn pin(&self, pinned: bool, may_replace: bool) -> Result<Revision, Refusal> {
        let mut pins = without(&self.facts.pins, self.message.seq);
        if pinned {
            let pinned_max = self.limits.pinned_messages_max;
            if pins.len() >= pinned_max {
                only_if(may_replace, || Refusal::TooManyPinnedMessages { pinned_max })?;
                pins.drain(..=pins.len() - pinned_max);
            }
            pins.push(Pin { seq: self.message.seq, stamp: self.stamp() });
        }
        Ok(Revision { pins: Some(pins), ..self.unchanged(ChangeKind::Pinned) })
    }
}

fn reaction_of(note: &Note) -> Option<&str> {
    match note {
        Note::Reaction(reaction, _) => Some(reaction),
        Note::Receipt(_) => None,
    }
}

fn without(pins: &[Pin], seq: u64) -> Vec<Pin> {
    pins.iter().filter(|pin| pin.seq != seq).cloned().collect()
}

/// Returns what is kept in the place of a revoked message: nothing but what its sender may want back.
fn revoked(message: &Message, revoked: Revoked) -> Message {
    let text = match &message.content.body {
        Body::Text(text) => text.clone(),
        _ => String::new(),
    };
    let reply = message.content.options.reply;
    Message {
        content: Content {
            options: SendOptions { reply, ..SendOptions::default() },
            ..Content::of(Body::Revoke(Revoked { kind: message.content.body.kind().number(), text, ..revoked }))
        },
        state: MessageState { replied: message.state.replied, ..MessageState::default() },
        ..message.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Conversation, Draft, GroupId};

    fn user(id: &str) -> UserId {
        UserId::trusted(id)
    }

    fn message() -> Message {
        let mentions = Mentions { users: vec![user("bob")], all: false };
        let draft = Draft::from(Content { extended_data: "x".into(), mentions, ..Content::of(Body::Text("hi".into())) });
        Message { seq: 3, ..draft.into_message(9, user("alice"), Conversation::Group(GroupId::trusted("g")), 3, 1_000_000) }
    }

    fn try_it(
        message: &Message,
        known: &MessageFacts,
        change: Change,
        by: &str,
        moderates: &Moderates,
        seconds: u64,
    ) -> Result<Revision, Refusal> {
        let actor = Actor { user: &user(by), moderates };
        decide(message, known, change, &actor, message.timestamp_ms + seconds * 1000, &Limits::default())
    }

    #[test]
    fn a_message_is_taken_back_by_its_sender_in_time_or_by_the_owner() {
        let revoke = || Change::Revoke { extended_data: "why".into() };
        let at =
            |by: &str, moderates: &Moderates, seconds: u64| try_it(&message(), &MessageFacts::default(), revoke(), by, moderates, seconds);
        let (nobody, managers) = (&Moderates::Nobody, |all: &[&str]| Moderates::AllBut(all.iter().map(|id| user(id)).collect()));
        let revision = at("alice", nobody, 120).unwrap();
        let taken = revision.message.unwrap();
        let Body::Revoke(revoked) = &taken.content.body else { panic!("{taken:?}") };
        assert_eq!((revoked.kind, revoked.text.as_str(), revoked.revoked_as.number()), (1, "hi", 0));
        assert!(taken.content.mentions.is_none() && taken.content.extended_data.is_empty());
        assert_eq!((taken.id, taken.seq, taken.order_key), (9, 3, 3));
        assert_eq!(at("alice", nobody, 121).unwrap_err(), Refusal::RevokeTooLate { seconds: 120 });
        assert_eq!(at("bob", nobody, 1).unwrap_err(), Refusal::NoAuthority);
        let as_of = |revision: Revision| match &revision.message.unwrap().content.body {
            Body::Revoke(revoked) => revoked.revoked_as.number(),
            other => panic!("{other:?}"),
        };
        assert_eq!(as_of(at("bob", &Moderates::Everyone, 100_000).unwrap()), 4);
        assert_eq!(as_of(at("bob", &managers(&["bob", "carol"]), 100_000).unwrap()), 3);
        assert_eq!(at("bob", &managers(&["bob", "alice"]), 1).unwrap_err(), Refusal::NoAuthority);
        assert_eq!(
            try_it(&taken, &MessageFacts::default(), revoke(), "alice", &Moderates::Nobody, 1).unwrap_err(),
            Refusal::RevokedAlready
        );
    }

    #[test]
    fn only_the_sender_edits_for_a_day_and_the_kind_stays() {
        let edit = |body: Body| Change::Edit { body, extended_data: String::new(), mentions: Mentions::default() };
        let at = |by: &str, body: Body, seconds: u64| {
            try_it(&message(), &MessageFacts::default(), edit(body), by, &Moderates::Everyone, seconds)
        };
        let edited = at("alice", Body::Text("new".into()), 86_400).unwrap().message.unwrap();
        assert_eq!((edited.content.body.clone(), edited.state.edited.clone().unwrap().by), (Body::Text("new".into()), user("alice")));
        assert_eq!(at("alice", Body::Text("new".into()), 86_401).unwrap_err(), Refusal::EditTooLate { seconds: 86_400 });
        assert_eq!(at("bob", Body::Text("new".into()), 1).unwrap_err(), Refusal::NotTheSender);
        let custom = Body::Custom { message: "{}".into(), sub_type: 1, searched_content: String::new() };
        assert!(matches!(at("alice", custom, 1), Err(Refusal::Invalid(_))));
        assert!(matches!(at("alice", Body::Text(" ".into()), 1), Err(Refusal::Invalid(_))));
    }

    #[test]
    fn a_user_reacts_once_in_each_way_and_kinds_are_bounded() {
        let react = |reaction: &str, add: bool| Change::React { reaction: reaction.into(), add };
        let kinds = |count: usize| {
            let notes = (0..count).map(|n| Note::Reaction(format!("{n:03}"), user("bob"))).collect();
            MessageFacts { notes, pins: Vec::new() }
        };
        assert!(try_it(&message(), &kinds(99), react("new", true), "alice", &Moderates::Nobody, 604_800).is_ok());
        assert!(try_it(&message(), &kinds(100), react("new", true), "alice", &Moderates::Nobody, 1).is_err());
        assert!(try_it(&message(), &kinds(100), react("007", true), "alice", &Moderates::Nobody, 1).is_ok());
        assert_eq!(
            try_it(&message(), &kinds(9), react("007", true), "bob", &Moderates::Nobody, 1).unwrap_err(),
            Refusal::ReactionExists("007".into())
        );
        assert!(try_it(&message(), &kinds(9), react("007", false), "bob", &Moderates::Nobody, 1).is_ok());
        assert!(try_it(&message(), &kinds(0), react("new", true), "alice", &Moderates::Nobody, 604_801).is_err());
    }

    #[test]
    fn the_eleventh_pin_takes_the_place_of_the_first_unless_it_may_not() {
        let pin = |may_replace: bool| Change::Pin { pinned: true, may_replace };
        let pins = |count: u64| MessageFacts {
            notes: Vec::new(),
            pins: (10..10 + count).map(|seq| Pin { seq, stamp: ActorAt { by: user("bob"), at_ms: 1 } }).collect(),
        };
        let seqs = |revision: Revision| revision.pins.unwrap().iter().map(|pin| pin.seq).collect::<Vec<_>>();
        assert_eq!(seqs(try_it(&message(), &pins(2), pin(true), "bob", &Moderates::Nobody, 1).unwrap()), [10, 11, 3]);
        let full = seqs(try_it(&message(), &pins(10), pin(true), "bob", &Moderates::Nobody, 1).unwrap());
        assert_eq!((full.len(), full[0], full[9]), (10, 11, 3));
        assert_eq!(
            try_it(&message(), &pins(10), pin(false), "bob", &Moderates::Nobody, 1).unwrap_err(),
            Refusal::TooManyPinnedMessages { pinned_max: 10 }
        );
        let unpin = Change::Pin { pinned: false, may_replace: true };
        let one = MessageFacts { pins: vec![Pin { seq: 3, stamp: ActorAt { by: user("bob"), at_ms: 1 } }], ..MessageFacts::default() };
        assert_eq!(seqs(try_it(&message(), &one, unpin, "bob", &Moderates::Nobody, 1).unwrap()), [0_u64; 0]);
    }
}
