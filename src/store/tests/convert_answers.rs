//! A store with everything in it, and all that can be asked of one. Commits are told by their rank: how many messages that are kept have
//! a lesser one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;

use super::backup::{PEOPLE, write};
use super::support::*;
use crate::clock::Clock as _;
use crate::model::*;
use crate::store::*;

fn person(n: u64) -> UserId {
    user(&format!("u-{}", n % PEOPLE))
}

fn pair(n: u64) -> Conversation {
    Conversation::peer(&person(n), &person(n + 1))
}

fn crowd(n: u64) -> GroupId {
    GroupId::trusted(&format!("g-{n}"))
}

pub(super) fn conversations() -> Vec<Conversation> {
    let crowds = (0..3).map(|n| Conversation::Group(crowd(n)));
    crowds.chain((0..PEOPLE).map(pair)).chain([room("r", 1), group("ended"), group("empty")]).collect()
}

fn send(world: &World, conversation: &Conversation, local_id: &str, body: Body) -> Arc<Message> {
    let mut append = text_of(conversation, "u-1", Some(local_id), "", world.clock.wall_ms());
    append.draft.content.body = body;
    world.append(append).unwrap().message
}

fn record(bits: u128) -> MediaRecord {
    MediaRecord { name: "n\0".into(), bytes: 77, ..kept_file(bits, person(1)) }
}

/// Rows of users, groups, rooms and files.
fn fill_rows(world: &World) {
    let mut rows = vec![
        RowWrite::PutRoom(RoomRecord {
            id: RoomId::trusted("r"),
            incarnation: 1,
            name: "a\0room".into(),
            destroy_delay_seconds: 7,
            attributes: BTreeMap::new(),
            made_by: Some(person(1)),
            members_attributes: BTreeMap::from([(person(1), MemberAttributes { attributes: Attributes::new(), until_left: true })]),
        }),
        RowWrite::PutMedia(record(1)),
        RowWrite::PutMedia(record(2)),
        RowWrite::PutFollowing(person(4), vec![(person(1), 5), (person(2), 6)]),
        RowWrite::PutEntry(person(3), group("empty"), EntryRecord { muted: true, marks: vec![3, 9], ..EntryRecord::default() }),
    ];
    for n in 0..3 {
        let info = GroupInfo::parse(crowd(n), format!("group {n}"), String::new(), GroupAdvanced::default(), &Limits::default());
        rows.push(RowWrite::PutGroup(GroupRecord { info: info.unwrap(), dismissed: n == 2 }));
    }
    world.apply(rows).unwrap();
}

/// Everything that messages can be and have.
fn fill_messages(world: &World) {
    let (crowds, two) = ([0, 1].map(|n| Conversation::Group(crowd(n))), pair(1));
    let child = Child { id: 1, sender: person(2), timestamp_ms: 1, extended_data: String::new(), body: Body::Text("in".into()) };
    let combine = Combine { children: vec![child], ..Combine::copy_of("t".into(), "s".into(), String::new()) };
    let first = send(world, &crowds[0], "combined", Body::Combine(combine));
    let passed_on = send(world, &two, "passed on", first.content.body.clone());
    send(world, &crowds[1], "once more", passed_on.content.body.clone());
    let stamp = ActorAt { by: person(1), at_ms: 1 };
    let revoked =
        Revoked { stamp: stamp.clone(), revoked_as: RevokedAs::Sender, extended_data: String::new(), kind: 100, text: String::new() };
    let taken = Message { content: Content::of(Body::Revoke(revoked)), ..(*first).clone() };
    let none = Revision { conversation: crowds[0].clone(), seq: first.seq, message: None, notes: vec![], pins: None, logged: None };
    let revision = Revision { message: Some(Arc::new(taken)), logged: Some(ChangeKind::Revoked), ..none.clone() };
    wait(|done| world.store.revise(revision, done)).unwrap();
    let revision =
        Revision { conversation: two.clone(), pins: Some(vec![Pin { seq: 1, stamp }]), logged: Some(ChangeKind::Pinned), ..none };
    wait(|done| world.store.revise(Revision { seq: passed_on.seq, ..revision }, done)).unwrap();
    send(world, &two, "a file", Body::Media(Box::new(Media::kept(MediaKind::File, FileUid::from_bits(1), 0))));
    let mut answer = text_of(&crowds[0], "u-2", None, "an answer \0 with a NUL", world.clock.wall_ms());
    answer.draft.content.options.reply = Some(ReplyTo { seq: first.seq, id: first.id, root_seq: first.seq });
    answer.draft.content.mentions = Mentions { users: vec![person(1)], all: true };
    answer.draft.priority = Priority::High;
    // What the sender asked for is not what is stored.
    answer.draft.local_id = Some(LocalMessageId::trusted("asked"));
    answer.asked = Some(Content::of(Body::Text("asked".into())));
    world.append(answer).unwrap();
    let seqs = vec![1, first.seq, first.seq + 1];
    let entry = EntryRecord { read_seq: first.seq, deletes: true, pinned_ms: 9, cleared_seq: 1, ..EntryRecord::default() };
    let rows = vec![RowWrite::PutEntry(person(3), crowds[0].clone(), entry), RowWrite::Delete(person(3), crowds[0].clone(), seqs)];
    world.apply(rows).unwrap();
}

/// Makes it over five weeks, of which three are deleted again.
pub(super) fn fill(world: &World) {
    world.say(&group("ended"), "nothing of this is kept");
    for n in 0..20 {
        write(world, n);
        if n.is_multiple_of(5) {
            world.clock.advance(WEEK);
        }
    }
    fill_rows(world);
    fill_messages(world);
    world.sweep(world.clock.wall_ms() + 20 * 86_400_000);
}

/// Asks one store.
pub(super) struct Asked<'a> {
    store: &'a dyn Store,
    /// The commits of messages that are kept, ascending.
    pub(super) commits: Vec<u64>,
    said: Vec<String>,
}

fn all() -> Since {
    Since { commit: 0, first_seq: 0, count_max: 10_000, bytes_max: usize::MAX, viewer: None }
}

fn sorted<T: Debug>(rows: impl IntoIterator<Item = T>) -> BTreeSet<String> {
    rows.into_iter().map(|row| format!("{row:?}")).collect()
}

impl<'a> Asked<'a> {
    pub(super) fn of(store: &'a dyn Store) -> Self {
        let messages = conversations().into_iter().flat_map(|conversation| store.since(&conversation, all()).unwrap().messages);
        let commits: BTreeSet<u64> = messages.map(|(commit, _)| commit).collect();
        Self { store, commits: commits.into_iter().collect(), said: Vec::new() }
    }

    fn rank(&self, commit: u64) -> u64 {
        self.commits.partition_point(|one| *one < commit) as u64
    }

    fn say(&mut self, what: &str, of: &impl Debug, answer: &impl Debug) {
        self.said.push(format!("{what} {of:?}: {answer:?}"));
    }

    /// Returns all that it says.
    pub(super) fn everything(mut self) -> Vec<String> {
        for conversation in conversations() {
            self.conversation(&conversation);
        }
        (0..PEOPLE).map(person).for_each(|user| {
            self.user(&user);
            self.overview(&user);
        });
        self.rows();
        self.said
    }

    fn conversation(&mut self, conversation: &Conversation) {
        let store = self.store;
        let tail = store.tail(conversation).unwrap().map(|tail| Tail { commit: self.rank(tail.commit), ..tail });
        self.say("tail", conversation, &(tail, store.head(conversation), store.pins(conversation), store.changes(conversation, 0, 999)));
        let messages = store.since(conversation, all()).unwrap().messages;
        let ranked: Vec<_> = messages.iter().map(|(commit, message)| (self.rank(*commit), message.clone())).collect();
        self.say("since", conversation, &ranked);
        for anchor in [Anchor::End, Anchor::Seq(3), Anchor::OrderKey(messages.first().map_or(0, |(_, message)| message.order_key))] {
            for backwards in [false, true] {
                let page = Page { viewer: Some(person(3)), ..page(anchor, backwards, 4) };
                self.say("page", conversation, &store.read(conversation, page).unwrap().messages);
            }
        }
        for (_, message) in messages {
            let seq = message.seq;
            self.say("message", &seq, &(store.message(conversation, seq), store.seq_of(conversation, message.id)));
            self.say(
                "beside",
                &seq,
                &(store.notes(conversation, seq), store.replies(conversation, seq), store.children(conversation, seq)),
            );
            if let Some(local_id) = &message.local_id {
                // Which retries are found is told by those who send again.
                assert!(store.may_know(conversation, &message.sender, local_id));
            }
        }
    }

    fn user(&mut self, user: &UserId) {
        let store = self.store;
        self.say("user", user, &(store.user(user), store.following(user)));
        self.say("peers", user, &sorted(store.peers_of(user).unwrap()));
        self.say("entries", user, &sorted(store.entries_of(user).unwrap()));
        let groups = (sorted(store.groups_of(user).unwrap()), sorted(store.former_groups_of(user).unwrap()));
        self.say("groups", user, &groups);
        for conversation in conversations() {
            self.say("entry", &(user, &conversation), &store.entry(user, &conversation));
        }
    }

    fn overview(&mut self, user: &UserId) {
        let store = self.store;
        let mut list = store.list(user, 100, 99).unwrap();
        let part = |one: &Listed| {
            let (first_seq, end_seq) = (one.first_seq.max(one.record.cleared_seq + 1), one.end_seq);
            VisiblePart { conversation: one.conversation.clone(), first_seq, end_seq, deletes: one.record.deletes }
        };
        let parts: Vec<VisiblePart> = list.iter().map(part).collect();
        for tail in list.iter_mut().filter_map(|one| one.tail.as_mut()) {
            tail.commit = self.rank(tail.commit);
        }
        self.say("list", user, &list);
        self.say("last messages", user, &store.last_messages(user, &parts));
        self.say("groups with entries", user, &store.groups(user));
        self.say("changed", user, &sorted(store.changed(user, 0, 999).unwrap()));
        for after in [0, self.commits[self.commits.len() / 2]] {
            let mut missed = self.missed(user, after);
            for (commit, _) in missed.iter_mut().flat_map(|part| &mut part.messages) {
                *commit = self.rank(*commit);
            }
            self.say("missed", user, &sorted(missed));
        }
    }

    /// What a user whose cursor is this commit is sent.
    pub(super) fn missed(&self, user: &UserId, after: u64) -> Vec<MissedPart> {
        let (rooms, up_to) = (vec![RoomId::trusted("r")], self.store.last_commit());
        let query = MissedQuery { rooms, after, up_to, since_ms: 0, count_max: 9_999, bytes_max: usize::MAX };
        let missed = self.store.missed(user, &query).unwrap();
        assert!(!missed.cut);
        missed.parts
    }

    fn rows(&mut self) {
        let store = self.store;
        self.say("rooms", &(), &(store.rooms(), store.room(&RoomId::trusted("r"))));
        self.say("users", &(), &(store.users_after(None, 99), Overview::users(store, &[person(1), user("nobody")])));
        self.say("groups", &(), &(store.groups_after(None, 99), store.group(&crowd(1))));
        let groups: Vec<GroupId> = (0..3).map(crowd).collect();
        self.say("member counts", &(), &store.member_counts(&groups));
        for group in &groups {
            self.say("members", group, &(sorted(store.group_members(group).unwrap()), store.members(group, None, 99)));
            self.say("member", group, &store.group_member(group, &person(1)));
        }
        self.say("media", &(), &(store.media_after(None, 9), store.media(FileUid::from_bits(1))));
        self.say("media uses", &(), &store.media_uses(FileUid::from_bits(1), 9));
        let middle = self.commits[self.commits.len() / 2];
        self.say("written", &(), &(sorted(store.written_after(0).unwrap()), sorted(store.written_after(middle).unwrap())));
        self.say("last id", &(), &store.last_message_id());
    }
}

/// Returns whom the stores are asked about.
pub(super) fn people() -> Vec<UserId> {
    (0..PEOPLE).map(person).collect()
}
