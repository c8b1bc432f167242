//! A small town of users, groups and a room, in which everything happens that a reader can see.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::*;
use crate::store::tests::support::*;
use crate::store::*;

/// What happens, by numbers.
pub(super) type Step = (u8, u8, u8, u8);

const USERS: u8 = 4;
const GROUPS: u8 = 3;
const WORDS: [&str; 5] = ["tea", "Milk", "milk with TEA", "\u{c9}cole", "nothing"];

pub(super) struct Town {
    pub(super) world: World,
    joined: u64,
}

/// A part of a conversation that a user is in.
pub(super) struct Place {
    pub(super) conversation: Conversation,
    /// The first message it may see, by membership.
    pub(super) member_from: u64,
    /// The first one that it did not clear either.
    pub(super) first_seq: u64,
    pub(super) deletes: bool,
}

fn resident(n: u8) -> UserId {
    user(&format!("u{}", n % USERS))
}

fn club(n: u8) -> GroupId {
    GroupId::trusted(&format!("g{}", n % GROUPS))
}

fn street(n: u8, m: u8) -> Conversation {
    match n % 8 {
        0..3 => Conversation::Group(club(n)),
        3 => room("r", 1),
        _ => Conversation::peer(&resident(n), &resident(m)),
    }
}

impl Town {
    pub(super) fn of(world: World, steps: &[Step]) -> Self {
        let mut town = Self { world, joined: 0 };
        town.apply(RowWrite::PutRoom(RoomRecord {
            id: RoomId::trusted("r"),
            incarnation: 1,
            name: "r".into(),
            destroy_delay_seconds: 0,
            attributes: BTreeMap::new(),
            made_by: None,
            members_attributes: BTreeMap::new(),
        }));
        steps.iter().for_each(|step| town.step(*step));
        town
    }

    pub(super) fn store(&self) -> &dyn Store {
        &*self.world.store
    }

    pub(super) fn users(&self) -> Vec<UserId> {
        (0..USERS).map(resident).collect()
    }

    pub(super) fn groups(&self) -> Vec<GroupId> {
        (0..GROUPS).map(club).collect()
    }

    fn apply(&self, row: RowWrite) {
        self.world.apply(vec![row]).unwrap();
    }

    fn step(&mut self, (what, b, c, d): Step) {
        let (place, someone) = (street(b, c), resident(c));
        match what % 14 {
            0..6 => self.say(&place, &someone, d),
            6 => self.revise(&place, d),
            7 => self.enter(&place, &someone, d),
            8 => self.delete(&place, &someone, d),
            9 | 10 => self.join(&club(b), &someone, d),
            11 => self.apply(RowWrite::PutFormer(club(b), someone, 1 + u64::from(d % 3), u64::from(d))),
            12 if d.is_multiple_of(2) => self.apply(RowWrite::PutUser(UserProfile::new(someone, format!("name {d}")))),
            12 => {
                let info = GroupInfo::parse(club(b), format!("group {d}"), String::new(), GroupAdvanced::default(), &Limits::default());
                self.apply(RowWrite::PutGroup(GroupRecord { info: info.unwrap(), dismissed: d % 5 == 1 }));
            }
            _ => self.world.clock.advance(std::time::Duration::from_secs(u64::from(d) * 3_600)),
        }
    }

    fn say(&self, place: &Conversation, sender: &UserId, d: u8) {
        let (clock, word) = (crate::clock::Clock::wall_ms(&*self.world.clock), WORDS[usize::from(d) % WORDS.len()]);
        // Half of them at one moment: order keys of several conversations are equal.
        let mut append = text_of(place, sender.as_str(), None, word, if d.is_multiple_of(2) { clock } else { NOW_MS });
        let content = &mut append.draft.content;
        if d.is_multiple_of(7) {
            content.mentions.users = vec![resident(d / 7)];
        }
        content.mentions.all = d.is_multiple_of(11);
        content.options.uncounted = d.is_multiple_of(13);
        if d.is_multiple_of(17) {
            content.body = Body::Custom { message: "tea".into(), sub_type: u16::from(d % 3), searched_content: word.into() };
        }
        self.world.append(append).unwrap();
    }

    /// Edits a message, takes it back, lets someone react, or pins it.
    fn revise(&self, place: &Conversation, d: u8) {
        let all = self.world.all(place);
        let Some(message) = all.get(usize::from(d) % all.len().max(1)) else { return };
        let stamp = ActorAt { by: message.sender.clone(), at_ms: u64::from(d) };
        let with = |body| Arc::new(Message { content: Content { body, ..message.content.clone() }, ..(**message).clone() });
        let none = Revision { conversation: place.clone(), seq: message.seq, message: None, notes: Vec::new(), pins: None, logged: None };
        let revision = match d % 4 {
            0 => Revision { message: Some(with(Body::Text("more tea".into()))), logged: Some(ChangeKind::Edited), ..none },
            1 => {
                let revoked = Revoked { stamp, revoked_as: RevokedAs::Sender, extended_data: String::new(), kind: 1, text: String::new() };
                Revision { message: Some(with(Body::Revoke(revoked))), logged: Some(ChangeKind::Revoked), ..none }
            }
            2 => {
                let note = (Note::Reaction("+1".into(), resident(d)), Some(NoteRecord { at_ms: 1 }));
                Revision { notes: vec![note], logged: Some(ChangeKind::Reacted), ..none }
            }
            _ if matches!(place, Conversation::Room(..)) => return,
            _ => Revision { pins: Some(vec![Pin { seq: message.seq, stamp }]), logged: Some(ChangeKind::Pinned), ..none },
        };
        wait(|done| self.world.store.revise(revision, done)).unwrap();
    }

    /// Reads, clears, pins or hides a conversation.
    fn enter(&self, place: &Conversation, someone: &UserId, d: u8) {
        if matches!(place, Conversation::Room(..)) {
            return;
        }
        let head = self.store().head(place).unwrap();
        let mut entry = self.store().entry(someone, place).unwrap();
        match d % 4 {
            0 => entry.read_seq = head.min(u64::from(d)),
            1 => entry.cleared_seq = head.saturating_sub(u64::from(d % 3)),
            2 => entry.hidden_seq = head,
            _ => (entry.pinned_ms, entry.order_key_min) = (u64::from(d % 8), u64::from(d) << 45),
        }
        self.apply(RowWrite::PutEntry(someone.clone(), place.clone(), entry));
    }

    fn delete(&self, place: &Conversation, someone: &UserId, d: u8) {
        let head = self.store().head(place).unwrap();
        if head == 0 || matches!(place, Conversation::Room(..)) {
            return;
        }
        let entry = EntryRecord { deletes: true, ..self.store().entry(someone, place).unwrap() };
        let seqs = vec![head, 1 + u64::from(d) % head];
        let rows = vec![RowWrite::PutEntry(someone.clone(), place.clone(), entry), RowWrite::Delete(someone.clone(), place.clone(), seqs)];
        self.world.apply(rows).unwrap();
    }

    fn join(&mut self, group: &GroupId, someone: &UserId, d: u8) {
        let head = self.store().head(&Conversation::Group(group.clone())).unwrap();
        let first_seq = if d.is_multiple_of(2) { 1 } else { head + 1 };
        self.joined += 1;
        self.apply(RowWrite::PutMember(group.clone(), GroupMember::new(someone.clone(), GroupRole::Member, self.joined, first_seq, head)));
    }

    /// Where a user is.
    pub(super) fn places(&self, user: &UserId) -> Vec<Place> {
        let store = self.store();
        let mut places: Vec<_> = store.peers_of(user).unwrap().iter().map(|peer| (Conversation::peer(user, peer), 1)).collect();
        for group in store.groups_of(user).unwrap() {
            let member = store.group_member(&group, user).unwrap().unwrap();
            places.push((Conversation::Group(group), member.first_seq));
        }
        let place = |(conversation, member_from): (Conversation, u64)| {
            let entry = store.entry(user, &conversation).unwrap();
            let first_seq = member_from.max(entry.cleared_seq + 1);
            Place { conversation, member_from, first_seq, deletes: entry.deletes }
        };
        places.into_iter().map(place).collect()
    }

    /// What a user sees of a conversation from a seq on, the oldest first.
    pub(super) fn seen(&self, user: &UserId, conversation: &Conversation, first_seq: u64, deletes: bool) -> Vec<Arc<Message>> {
        let whole = Page { first_seq, viewer: deletes.then(|| user.clone()), ..page(Anchor::End, false, usize::MAX) };
        self.store().read(conversation, whole).unwrap().messages
    }
}
