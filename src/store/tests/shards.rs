//! Several processes own shards of one store.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::cluster::Cluster;
use super::support::*;
use crate::clock::{Clock as _, SystemClock};
use crate::model::{Conversation, UserProfile};
use crate::store::*;

fn options(url: &str, node: &str) -> PostgresOptions {
    let time = StampTime::Database;
    PostgresOptions { patience: Duration::from_secs(8), node: node.into(), time, gather: Duration::ZERO, ..postgres_options(url) }
}

/// A process that shares the store.
pub(super) struct Node {
    pub store: PostgresStore,
    pub shards: Arc<dyn SharedShards>,
}

impl Node {
    pub(super) fn open(url: &str, name: &str) -> Self {
        let store = PostgresStore::open_shared(options(url, name), Arc::new(SystemClock::new())).unwrap();
        let shards = store.shards().expect("it is shared");
        Self { store, shards }
    }

    pub(super) fn claim(&self, shards: impl IntoIterator<Item = u16>, dead: &[i64]) -> Vec<Claimed> {
        self.shards.claim(&shards.into_iter().collect::<Vec<_>>(), dead).unwrap()
    }

    pub(super) fn say(&self, conversation: &Conversation, local_id: &str, text: &str) -> Result<Appended, StoreError> {
        wait(|done| self.store.append(text_of(conversation, "alice", Some(local_id), text, NOW_MS), done))
    }

    /// A group of a shard.
    pub(super) fn group_in(&self, shard: u16) -> Conversation {
        (0..).map(|n| group(&format!("g{n}"))).find(|group| self.shards.shard_of(group) == shard).unwrap()
    }

    fn texts(&self, conversation: &Conversation) -> Vec<(u64, String)> {
        let messages = self.store.read(conversation, page(Anchor::Seq(0), false, usize::MAX)).unwrap().messages;
        messages.iter().map(|message| (message.seq, message.local_id.clone().unwrap().to_string())).collect()
    }
}

fn seqs_and_ids(ids: &[&str]) -> Vec<(u64, String)> {
    (1..).zip(ids.iter().map(ToString::to_string)).collect()
}

pub(super) fn database_of(url: &str) -> &str {
    url.rsplit_once("dbname=").unwrap().1
}

#[test]
fn each_writes_what_it_owns_and_reads_all() {
    let Some(cluster) = Cluster::shared() else { return };
    let url = cluster.database();
    let (a, b) = (Node::open(&url, "a"), Node::open(&url, "b"));
    assert_eq!((a.shards.slot(), b.shards.slot(), a.shards.count()), (0, 1, 8));
    let (mine, its) = (a.group_in(1), a.group_in(5));
    assert_eq!(a.say(&mine, "1", "hi").unwrap_err(), StoreError::Fenced, "it owns nothing yet");
    assert_eq!(a.claim(0..4, &[]).len(), 4);
    let taken: Vec<u16> = b.claim(0..8, &[]).iter().map(|claimed| claimed.shard).collect();
    assert_eq!(taken, [4, 5, 6, 7], "what somebody owns who lives is left");
    assert_eq!((a.shards.owned(), b.shards.owned()), (vec![0, 1, 2, 3], vec![4, 5, 6, 7]));
    a.say(&mine, "2", "hi").unwrap();
    assert_eq!(a.say(&its, "3", "hi").unwrap_err(), StoreError::Fenced);
    b.say(&its, "4", "hi").unwrap();
    // What belongs to no conversation anyone may write; what belongs to a group, its owner.
    let user = RowWrite::PutUser(UserProfile::new(user("alice"), "Alice".into()));
    for node in [&a, &b] {
        wait(|done| node.store.apply(vec![user.clone()], done)).unwrap();
    }
    let Conversation::Group(id) = &its else { unreachable!() };
    let leave = RowWrite::DeleteMember(id.clone(), super::support::user("alice"));
    assert_eq!(wait(|done| a.store.apply(vec![leave.clone()], done)).unwrap_err(), StoreError::Fenced);
    wait(|done| b.store.apply(vec![leave], done)).unwrap();
    // What another wrote is read at once.
    assert_eq!((a.texts(&its), b.texts(&mine)), (seqs_and_ids(&["4"]), seqs_and_ids(&["2"])));
    assert_eq!(a.store.tail(&its).unwrap().unwrap().seq, 1);
    assert!(a.store.writable().is_ok() && !*a.store.losing().borrow(), "what was refused was refused by itself");
    let view = a.shards.view().unwrap();
    assert_eq!(view.owners[3..5], [Some(a.shards.boot()), Some(b.shards.boot())]);
    assert_eq!((view.epochs.clone(), view.nodes.len()), (vec![1; 8], 2));
    assert_eq!((view.nodes[1].name.as_str(), view.nodes[1].slot, view.nodes[1].draining), ("b", Some(1), false));
    b.shards.set_draining(true).unwrap();
    assert!(a.shards.view().unwrap().nodes[1].draining);
    b.shards.set_alone(true).unwrap();
    assert_eq!(a.shards.view().unwrap().nodes.iter().map(|node| node.alone).collect::<Vec<_>>(), [false, true]);
    let status = cluster_status(&options(&url, "c")).unwrap();
    let of_b = status.nodes.iter().find(|node| node.node == "b").unwrap();
    assert_eq!((of_b.slot, of_b.draining, &*of_b.shards, of_b.owns_shards), (Some(1), true, &[4, 5, 6, 7][..], 4));
    // The way out: shards and slot are free.
    b.store.close().unwrap();
    assert_eq!(a.claim(4..8, &[]).len(), 4);
    assert_eq!(a.say(&its, "4", "hi").unwrap().message.seq, 1);
    let c = Node::open(&url, "c");
    assert_eq!(c.shards.slot(), 1);
}

#[test]
fn an_heir_goes_on_where_the_dead_one_ended() {
    let Some(cluster) = Cluster::shared() else { return };
    let url = cluster.database();
    let (a, b) = (Node::open(&url, "a"), Node::open(&url, "b"));
    let claimed = a.claim(0..8, &[]);
    assert!(claimed.iter().all(|one| one.delivered > 0), "nobody ever waited for anything: {claimed:?}");
    let [one, other] = [a.group_in(2), a.group_in(6)];
    let first = a.say(&one, "1", "hi").unwrap();
    // The next beats say that this was delivered.
    a.shards.note_delivered(first.commit);
    let delivered = format!("SELECT safe_stamp FROM tidings.nodes WHERE boot = {}", a.shards.boot());
    while cluster.sql(database_of(&url), &delivered) != first.commit.to_string() {}
    let second = a.say(&one, "2", "hi").unwrap();
    let third = a.say(&other, "3", "hi").unwrap();
    let vouched = a.shards.safe_stamp();
    a.store.kill();
    assert!(b.claim(0..8, &[]).is_empty(), "it is not said to be dead");
    let claimed = b.claim(0..8, &[a.shards.boot()]);
    assert_eq!(claimed.len(), 8);
    assert!(claimed.iter().all(|claimed| claimed.delivered == first.commit), "{claimed:?}");
    // What may not have been delivered.
    let (written, more) = b.shards.written_since(&b.shards.owned(), first.commit, 1).unwrap();
    assert_eq!((written.len(), written[0].0, more), (1, second.commit, true));
    let (written, more) = b.shards.written_since(&[6, 2], first.commit, 10).unwrap();
    let stamps: Vec<u64> = written.iter().map(|(stamp, _)| *stamp).collect();
    assert_eq!((stamps, more), (vec![second.commit, third.commit], false));
    assert_eq!(*written[1].1, *third.message);
    assert!(b.shards.written_since(&[2], second.commit, 10).unwrap().0.is_empty());
    // Retries are known, what is new comes behind everything that was vouched for.
    let again = b.say(&one, "2", "hi").unwrap();
    assert_eq!((again.duplicate, again.commit, again.message.seq), (true, second.commit, 2));
    assert_eq!(b.say(&one, "1", "something else").unwrap_err(), StoreError::OtherContent);
    let next = b.say(&one, "4", "hi").unwrap();
    assert!(next.message.seq == 3 && next.commit > vouched && next.commit > third.commit);
    assert_eq!(b.texts(&one), seqs_and_ids(&["1", "2", "4"]));
    // Whoever inherits from the heir before it noted anything begins where it had to begin.
    let c = Node::open(&url, "c");
    b.store.kill();
    let claimed = c.claim([2], &[b.shards.boot()]);
    assert_eq!(claimed, [Claimed { shard: 2, delivered: first.commit }]);
    assert_eq!(c.say(&one, "4", "hi").unwrap().commit, next.commit);
    assert_eq!(c.claim(0..8, &[b.shards.boot()]).len(), 7);
}

#[test]
fn whoever_was_declared_dead_is_refused_at_its_next_write() {
    let Some(cluster) = Cluster::shared() else { return };
    let url = cluster.database();
    let (a, b) = (Node::open(&url, "a"), Node::open(&url, "b"));
    a.claim(0..8, &[]);
    let [one, other] = [a.group_in(2), a.group_in(6)];
    a.say(&one, "1", "hi").unwrap();
    a.store.stop_beating();
    // One shard is enough: it loses its slot, too, and with it the right to write what it still owns.
    assert_eq!(b.claim([2], &[a.shards.boot()]).len(), 1);
    let losing = a.store.losing();
    assert!(!*losing.borrow());
    assert_eq!(a.say(&other, "2", "late").unwrap_err(), StoreError::Fenced);
    assert!(*losing.borrow());
    assert_eq!(a.store.writable(), Err(StoreError::Fenced));
    assert_eq!(a.shards.claim(&[2], &[b.shards.boot()]), Err(StoreError::Fenced));
    assert_eq!(a.shards.view().unwrap_err(), StoreError::Fenced);
    assert_eq!(a.store.close(), Err(StoreError::Fenced));
    assert_eq!(b.claim(0..8, &[]).len(), 7, "what it let go of at its end, or what is of no process any more");
    assert_eq!((b.texts(&one), b.texts(&other)), (seqs_and_ids(&["1"]), vec![]));

    // Who writes nothing hears of it by its heartbeat; what belongs to no conversation is refused as well.
    let (c, d) = (Node::open(&url, "c"), Node::open(&url, "d"));
    let shared = c.store.shared_state().unwrap();
    shared.write_journal("queue", JournalChanges::default(), JournalMark::default()).unwrap();
    c.store.stop_beating();
    b.claim([], &[c.shards.boot(), d.shards.boot()]);
    shared.write_journal("queue", JournalChanges::default(), JournalMark::default()).unwrap_err();
    let user = RowWrite::PutUser(UserProfile::new(user("alice"), "Alice".into()));
    assert_eq!(wait(|done| c.store.apply(vec![user], done)).unwrap_err(), StoreError::Fenced);
    let mut losing = d.store.losing();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(PATIENCE, losing.wait_for(|lost| *lost)).await.unwrap().unwrap() });
}

#[test]
fn safe_stamps_rise_while_nothing_is_written_and_never_fall() {
    let Some(cluster) = Cluster::shared() else { return };
    let node = Node::open(&cluster.database(), "a");
    node.claim(0..8, &[]);
    let mut before = node.shards.safe_stamp();
    let until_above = |stamp: u64| std::iter::repeat_with(|| node.shards.safe_stamp()).find(|safe| *safe > stamp).unwrap();
    for n in 0..20 {
        let appended = node.say(&group("g"), &n.to_string(), "hi").unwrap();
        assert!(appended.commit > before, "what is safe is not made any more");
        before = until_above(appended.commit);
    }
    assert!(until_above(before) > before);
}

#[test]
fn one_at_a_time_leads_until_its_connection_ends() {
    let Some(cluster) = Cluster::shared() else { return };
    let url = cluster.database();
    let (a, b) = (Node::open(&url, "a"), Node::open(&url, "b"));
    assert_eq!([a.shards.leads("sweep"), a.shards.leads("sweep"), b.shards.leads("sweep")], [Ok(true), Ok(true), Ok(false)]);
    assert_eq!(b.shards.leads("other"), Ok(true));
    // It may stand still for ever: whoever declares it dead ends its connections.
    b.claim([], &[a.shards.boot()]);
    let leads = std::iter::repeat_with(|| b.shards.leads("sweep")).take(10_000).any(|leads| leads == Ok(true));
    assert!(leads);
}

#[test]
fn one_that_has_the_store_to_itself_and_those_who_share_it_exclude_each_other() {
    let Some(cluster) = Cluster::shared() else { return };
    let url = cluster.database();
    let single = PostgresStore::open(options(&url, "single"), Arc::new(SystemClock::new())).unwrap();
    let stored = wait(|done| single.append(text_of(&group("g"), "alice", Some("1"), "hi", NOW_MS), done)).unwrap();
    let impatient = PostgresOptions { patience: Duration::from_secs(2), ..options(&url, "a") };
    let refused = PostgresStore::open_shared(impatient, Arc::new(SystemClock::new())).err().unwrap();
    assert!(matches!(&refused, OpenError::InUse { path } if path.contains("by single")), "{refused}");
    single.kill();
    // By the rule of the dead: it is watched first.
    let node = Node::open(&url, "a");
    let claimed = node.claim(0..8, &[]);
    assert_eq!(claimed.len(), 8);
    assert!(claimed.iter().all(|one| one.delivered >= stored.commit), "nobody waits for it: {claimed:?}");
    assert!(node.say(&group("g"), "1", "hi").unwrap().duplicate);
    let clock = SystemClock::new();
    let refused = PostgresStore::open(options(&url, "single"), Arc::new(SystemClock::new())).err().unwrap();
    assert!(matches!(&refused, OpenError::InUse { path } if path.contains("shared by a")), "{refused}");
    assert!(clock.elapsed() < Duration::from_secs(4), "it would wait for ever");
    let refused = require_unserved(&options(&url, "x")).unwrap_err();
    assert!(matches!(refused, OpenError::InUse { .. }), "{refused}");
    node.store.kill();
    let single = PostgresStore::open(options(&url, "single"), Arc::new(SystemClock::new())).unwrap();
    assert!(wait(|done| single.append(text_of(&group("g"), "alice", Some("1"), "hi", NOW_MS), done)).unwrap().duplicate);
    single.close().unwrap();
}

#[test]
fn who_speaks_nothing_that_another_speaks_does_not_join_it_while_it_lives() {
    let Some(cluster) = Cluster::shared() else { return };
    let url = cluster.database();
    let open = |name: &str, from: u8, to: u8| {
        let options = PostgresOptions { speaks: Speaks { from, to }, ..options(&url, name) };
        PostgresStore::open_shared(options, Arc::new(SystemClock::new()))
    };
    let old = open("old", 1, 2).unwrap();
    let both = open("both", 2, 3).unwrap();
    let view = both.shards().unwrap().view().unwrap();
    let of_old = view.nodes.iter().find(|node| node.name == "old").unwrap();
    assert_eq!((of_old.speaks, of_old.version.as_str()), (Speaks { from: 1, to: 2 }, env!("CARGO_PKG_VERSION")));
    let refused = open("new", 3, 4).err().unwrap();
    assert!(refused.to_string().contains("is shared by old of version 0."), "{refused}");
    assert!(refused.to_string().contains("speaks versions 1 to 2 of what nodes say to each other, and this program 3 to 4"), "{refused}");
    // One that is dead holds its slot until somebody takes it, and says nothing any more.
    old.kill();
    let new = open("new", 3, 4).unwrap();
    new.close().unwrap();
    both.close().unwrap();
}

/// Sends a conversation's messages one after the other, to whoever owns it, again with the same local id where it is not known what
/// became of one.
fn send_all(nodes: &[Node; 3], conversation: &Conversation, count: usize, stop: &AtomicBool) -> u64 {
    let mut last = 0;
    for n in 0..count {
        let sent = std::iter::repeat_with(|| nodes.iter().find_map(|node| node.say(conversation, &n.to_string(), "hi").ok()));
        let appended = sent.flatten().next().unwrap();
        assert_eq!(appended.message.seq, n as u64 + 1);
        assert!(appended.commit > last);
        last = appended.commit;
        if stop.load(Ordering::SeqCst) {
            return n as u64 + 1;
        }
    }
    count as u64
}

#[test]
fn shards_that_go_round_under_load_lose_nothing() {
    let Some(cluster) = Cluster::shared() else { return };
    let url = cluster.database();
    let nodes = ["a", "b", "c"].map(|name| Node::open(&url, name));
    nodes[0].claim(0..8, &[]);
    let groups: Vec<Conversation> = (0..8).map(|shard| nodes[0].group_in(shard)).collect();
    let stop = AtomicBool::new(false);
    let counts: BTreeMap<u16, u64> = std::thread::scope(|scope| {
        let senders: Vec<_> = groups.iter().map(|group| scope.spawn(|| send_all(&nodes, group, 100_000, &stop))).collect();
        for round in 0..24 {
            let (from, to) = (&nodes[round % 3], &nodes[(round + 1) % 3]);
            let moved: Vec<u16> = from.shards.owned().into_iter().filter(|shard| (usize::from(*shard) + round) % 3 != 0).collect();
            let before = from.shards.safe_stamp();
            from.shards.release(&moved, before).unwrap();
            let claimed = to.claim(moved.clone(), &[]);
            assert_eq!(claimed.iter().map(|one| one.shard).collect::<Vec<_>>(), moved);
            assert!(claimed.iter().all(|one| one.delivered == before));
            for (stamp, message) in to.shards.written_since(&moved, before, 1000).unwrap().0 {
                assert!(stamp > before && moved.contains(&to.shards.shard_of(&message.conversation)));
            }
        }
        stop.store(true, Ordering::SeqCst);
        (0..8).zip(senders.into_iter().map(|sender| sender.join().unwrap())).collect()
    });
    for (shard, count) in counts {
        let ids: Vec<(u64, String)> = (1..=count).map(|seq| (seq, (seq - 1).to_string())).collect();
        assert_eq!(nodes[1].texts(&groups[usize::from(shard)]), ids);
    }
    assert!(nodes.iter().all(|node| node.store.writable().is_ok()));
}

#[test]
fn rooms_of_older_tables_move_to_the_shards_of_their_ids() {
    let Some(cluster) = Cluster::shared() else { return };
    let url = cluster.database();
    let single = PostgresStore::open(options(&url, "single"), Arc::new(SystemClock::new())).unwrap();
    for conversation in [room("r", 7), group("g")] {
        wait(|done| single.append(text_of(&conversation, "alice", None, "hi", NOW_MS), done)).unwrap();
    }
    single.close().unwrap();
    cluster.sql(
        database_of(&url),
        "SET search_path = tidings; DELETE FROM migrations WHERE version > 1; DROP TABLE slots; DROP FUNCTION drop_lists();
         ALTER TABLE owners DROP delivered; ALTER TABLE nodes DROP draining, DROP mark_max, DROP control, DROP speaks_from, DROP speaks_to, DROP alone;
         UPDATE conversations SET shard = (shard + 3) % 8 WHERE kind = 1",
    );
    let node = Node::open(&url, "a");
    let shards = cluster.sql(database_of(&url), "SELECT shard FROM tidings.conversations ORDER BY kind");
    let expected = [room("r", 0), group("g")].map(|conversation| node.shards.shard_of(&conversation).to_string());
    assert_eq!(shards, expected.join("\n"));
    let claimed = node.claim([node.shards.shard_of(&room("r", 9))], &[]);
    assert!(node.shards.written_since(&[claimed[0].shard], claimed[0].delivered, 10).unwrap().0.is_empty());
    assert_eq!(node.shards.written_since(&[claimed[0].shard], 0, 10).unwrap().0.len(), 1);
}
