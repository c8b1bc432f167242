//! Several processes own shards of one store, and something goes wrong.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

use super::cluster::Cluster;
use super::shards::{Node, database_of};
use super::support::*;
use crate::model::{ActorAt, Body, Content, Conversation, Message, Revoked, RevokedAs};
use crate::store::*;

/// Sends a message, to whoever may own it; none: nobody took it, or it is not known whether somebody did.
fn try_to_say(nodes: &[Node], conversation: &Conversation, local_id: &str) -> Option<Appended> {
    nodes.iter().find_map(|node| {
        let (sender, outcome) = mpsc::channel();
        let append = text_of(conversation, "alice", Some(local_id), "hi", NOW_MS);
        node.store.append(append, Box::new(move |outcome| drop(sender.send(outcome))));
        // One that is killed says nothing.
        outcome.recv_timeout(PATIENCE).ok()?.ok()
    })
}

/// Sends one message after the other until it is told to stop; returns how many there are.
fn send(nodes: &[Node], conversation: &Conversation, stop: &AtomicBool) -> u64 {
    let (mut count, mut last) = (0, 0);
    while !stop.load(Ordering::SeqCst) {
        let sent = std::iter::repeat_with(|| try_to_say(nodes, conversation, &count.to_string())).flatten().next();
        let appended = sent.unwrap();
        count += 1;
        assert_eq!(appended.message.seq, count, "{conversation:?}");
        assert!(appended.commit > last);
        last = appended.commit;
    }
    count
}

/// Claims all of what the dead one had; returns from where on it is to be delivered again.
fn inherit(heir: &Node, dead: &Node) -> u64 {
    let mut delivered = u64::MAX;
    while !heir.shards.view().unwrap().owners.iter().all(|owner| *owner == Some(heir.shards.boot())) {
        // Whoever is declared dead while it writes may hold its rows for a moment.
        let claimed = heir.shards.claim(&(0..8).collect::<Vec<_>>(), &[dead.shards.boot()]).unwrap_or_default();
        delivered = claimed.iter().map(|one| one.delivered).fold(delivered, u64::min);
    }
    delivered
}

#[test]
fn kills_and_false_deaths_under_load_lose_nothing() {
    let Some(cluster) = Cluster::shared() else { return };
    let url = cluster.database();
    let nodes = ["a", "b", "c", "d"].map(|name| Node::open(&url, name));
    nodes[0].claim(0..8, &[]);
    let groups: Vec<Conversation> = (0..8).map(|shard| nodes[0].group_in(shard)).collect();
    let stop = AtomicBool::new(false);
    let enough = |before: u64| while nodes.iter().map(|node| node.store.stats().appended).sum::<u64>() < before + 400 {};
    let counts: Vec<u64> = std::thread::scope(|scope| {
        let senders: Vec<_> = groups.iter().map(|group| scope.spawn(|| send(&nodes, group, &stop))).collect();
        for (at, pair) in nodes.windows(2).enumerate() {
            enough(nodes.iter().map(|node| node.store.stats().appended).sum());
            let [old, heir] = pair else { unreachable!() };
            if at % 2 == 1 {
                old.store.kill();
            }
            let delivered = inherit(heir, old);
            let (again, _) = heir.shards.written_since(&heir.shards.owned(), delivered, 100_000).unwrap();
            assert!(again.is_sorted_by_key(|(stamp, _)| *stamp) && again.first().is_none_or(|(stamp, _)| *stamp > delivered));
        }
        enough(0);
        stop.store(true, Ordering::SeqCst);
        senders.into_iter().map(|sender| sender.join().unwrap()).collect()
    });
    for (group, count) in groups.iter().zip(counts) {
        let messages = nodes[3].store.read(group, page(Anchor::Seq(0), false, usize::MAX)).unwrap().messages;
        let there: Vec<(u64, u64)> =
            messages.iter().map(|one| (one.seq, one.local_id.clone().unwrap().as_str().parse().unwrap())).collect();
        assert_eq!(there, (1..=count).map(|seq| (seq, seq - 1)).collect::<Vec<_>>());
        assert!(messages.windows(2).all(|pair| pair[0].order_key < pair[1].order_key));
    }
    assert_eq!(nodes.each_ref().map(|node| *node.store.losing().borrow()), [true, false, true, false]);
}

#[test]
fn a_claim_that_was_not_heard_of_is_made_again() {
    let Some(cluster) = Cluster::shared() else { return };
    let url = cluster.database();
    let (a, b) = (Node::open(&url, "a"), Node::open(&url, "b"));
    let delivered = a.claim([3], &[])[0].delivered;
    a.shards.release(&[3], delivered).unwrap();
    // As if the answer to the claim's commit had been lost.
    cluster.sql(database_of(&url), &format!("UPDATE tidings.owners SET boot = {} WHERE shard = 3", a.shards.boot()));
    assert!(a.shards.owned().is_empty() && b.claim([3], &[]).is_empty());
    assert_eq!(a.claim([3], &[]), [Claimed { shard: 3, delivered }]);
    assert!(a.claim([3], &[]).is_empty(), "it has it");
    a.say(&a.group_in(3), "1", "hi").unwrap();
}

#[test]
fn what_was_being_removed_is_removed_by_the_heir() {
    let Some(cluster) = Cluster::shared() else { return };
    let url = cluster.database();
    let (a, b) = (Node::open(&url, "a"), Node::open(&url, "b"));
    a.claim(0..8, &[]);
    let gone = room("r", 1);
    a.say(&gone, "1", "hi").unwrap();
    a.say(&group("g"), "2", "hi").unwrap();
    a.store.kill();
    cluster.sql(database_of(&url), "INSERT INTO tidings.removals SELECT conv FROM tidings.conversations WHERE kind = 1");
    b.claim(0..8, &[a.shards.boot()]);
    while b.store.head(&gone).unwrap() > 0 {}
    assert_eq!(b.store.head(&group("g")).unwrap(), 1);
    assert_eq!(wait(|done| a.store.remove(group("g"), done)).unwrap_err(), StoreError::closed());
    wait(|done| b.store.remove(group("g"), done)).unwrap();
    assert_eq!(b.store.head(&group("g")).unwrap(), 0);
}

#[test]
fn a_list_that_another_process_is_about_to_use_stays() {
    let Some(cluster) = Cluster::shared() else { return };
    let url = cluster.database();
    let a = Node::open(&url, "a");
    a.claim(0..8, &[]);
    let first = a.say(&group("g"), "1", "hi").unwrap().message;
    let second = a.say(&group("h"), "2", "hi").unwrap().message;
    let revoke = |message: &Arc<Message>| {
        let stamp = ActorAt { by: user("alice"), at_ms: 1 };
        let revoked = Revoked { stamp, revoked_as: RevokedAs::Sender, extended_data: String::new(), kind: 1, text: String::new() };
        let message = Message { content: Content::of(Body::Revoke(revoked)), ..(**message).clone() };
        let (conversation, seq) = (message.conversation.clone(), message.seq);
        let logged = Some(ChangeKind::Revoked);
        let revision = Revision { conversation, seq, message: Some(Arc::new(message)), notes: Vec::new(), pins: None, logged };
        wait(|done| a.store.revise(revision, done)).unwrap();
    };
    let database = database_of(&url);
    let list = "SELECT '00000000-0000-0000-0000-00000000000a'::uuid";
    let uses = |name: &str| {
        format!(
            "INSERT INTO tidings.media_uses (file, conv, seq, stamp) SELECT ({list}), c.conv, c.seq, c.stamp FROM tidings.conversations c
             WHERE c.one = '{name}'"
        )
    };
    cluster.sql(database, &format!("INSERT INTO tidings.lists SELECT ({list}), 1, '[]'; {}", uses("g")));
    std::thread::scope(|scope| {
        // As a batch of another process does that passes the list on.
        let other = format!("BEGIN; SELECT FROM tidings.lists FOR KEY SHARE; SELECT pg_sleep(1); {}; COMMIT", uses("h"));
        scope.spawn(move || cluster.sql(database, &other));
        let sleeps = format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}' AND wait_event = 'PgSleep'");
        while cluster.sql(database, &sleeps) == "0" {}
        revoke(&first);
    });
    let lists = || cluster.sql(database, "SELECT count(*) FROM tidings.lists");
    assert_eq!(lists(), "1");
    revoke(&second);
    assert_eq!(lists(), "0");
}
