//! A store in files becomes one in a database and comes back, and says the same all the while.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::backup::exported;
use super::cluster::Cluster;
use super::convert_answers::{Asked, conversations, fill, people};
use super::convert_lines::comparable;
use super::support::*;
use crate::clock::{Clock as _, SystemClock};
use crate::model::*;
use crate::store::backend::store_dir::FORMAT;
use crate::store::*;

fn exported_from(url: &str) -> String {
    let mut out = Vec::new();
    let lines = export_database(&postgres_options(url), &mut out, &mut |_| {}).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert_eq!(lines.records, text.lines().count() as u64 - 1);
    text
}

fn import_into(url: &str, lines: &str) -> Result<DatabaseCheck, OpenError> {
    import_database(&postgres_options(url), &mut lines.as_bytes(), &mut |_| {})
}

/// All but what is counted on from the time of the export.
fn sorted(lines: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = lines.lines().skip(1).filter(|line| !line.contains("\"kind\":\"counters\"")).collect();
    lines.sort_unstable();
    lines
}

/// What was sent under local ids a week ago or later.
fn sent_lately(store: &dyn Store, world: &World) -> Vec<Arc<Message>> {
    let since = Since { commit: 0, first_seq: 0, count_max: 9_999, bytes_max: usize::MAX, viewer: None };
    let all = conversations().into_iter().flat_map(|conversation| store.since(&conversation, since.clone()).unwrap().messages);
    let from_ms = world.clock.wall_ms() - 7 * 86_400_000;
    all.map(|(_, message)| message).filter(|message| message.local_id.is_some() && message.timestamp_ms >= from_ms).collect()
}

/// What `backup::write` and `fill` said under local ids that were edited or replaced afterwards.
fn asked_for(message: &Message) -> Option<Content> {
    let local_id = message.local_id.as_ref()?.as_str();
    match &message.content.body {
        Body::Text(text) if text.contains("edited") => {
            let n: u64 = text.split(' ').next()?.parse().ok()?;
            Some(Content::of(Body::Text(format!("{n} {}", "x".repeat(if n.is_multiple_of(7) { 9_000 } else { 20 })))))
        }
        _ if local_id == "asked" => Some(Content::of(Body::Text("asked".into()))),
        Body::Text(_) => Some(message.content.clone()),
        _ => None,
    }
}

/// Sends everything again, and goes on where it stood.
fn goes_on(store: &dyn Store, world: &World) {
    let (before, id_before) = (store.last_commit(), store.last_message_id());
    let again = sent_lately(store, world);
    assert!(again.len() > 20, "{}", again.len());
    for message in again {
        let Some(content) = asked_for(&message) else { continue };
        let local_id = message.local_id.as_ref().unwrap().as_str();
        let mut append = text_of(&message.conversation, message.sender.as_str(), Some(local_id), "", world.clock.wall_ms());
        append.draft.content = content;
        let first = wait(|done| store.append(append.clone(), done)).unwrap();
        assert_eq!((first.duplicate, first.message.seq), (true, message.seq), "{message:?}");
        append.draft.content = Content::of(Body::Text("something else".into()));
        assert_eq!(wait(|done| store.append(append, done)).unwrap_err(), StoreError::OtherContent);
    }
    assert_eq!(store.last_message_id(), id_before);
    for conversation in conversations() {
        let tail = store.tail(&conversation).unwrap();
        let append = text_of(&conversation, "u-1", None, "next", NOW_MS);
        let next = wait(|done| store.append(append, done)).unwrap();
        assert_eq!(next.message.seq, tail.map_or(0, |tail| tail.seq) + 1);
        assert!(next.message.order_key > tail.map_or(0, |tail| tail.order_key));
        assert!(next.commit > before && store.last_message_id() > id_before);
    }
}

/// Whoever comes with a cursor of before is sent what it was sent there, and perhaps more.
fn nothing_is_missed(before: &Asked<'_>, after: &Asked<'_>) {
    let ids = |asked: &Asked<'_>, user: &UserId, cursor| -> BTreeSet<u64> {
        let parts = asked.missed(user, cursor);
        parts.iter().flat_map(|part| part.messages.iter().map(|(_, message)| message.id)).collect()
    };
    for cursor in before.commits.iter().step_by(5).chain(before.commits.last()) {
        for user in people() {
            assert!(ids(after, &user, *cursor).is_superset(&ids(before, &user, *cursor)), "{user} {cursor}");
        }
    }
}

fn says_the_same(one: &[String], other: &[String]) {
    one.iter().zip(other).for_each(|(one, other)| assert_eq!(one, other));
    assert_eq!(one.len(), other.len());
}

#[test]
fn a_store_becomes_one_in_a_database_and_comes_back() {
    let Some(cluster) = Cluster::shared() else { return };
    let world = World::sled();
    fill(&world);
    let lines = {
        drop(world.store.close());
        exported(&world.options())
    };
    let reopened = world.open().unwrap();
    let (asked, said) = (Asked::of(&reopened), Asked::of(&reopened).everything());

    let url = cluster.database();
    let report = import_into(&url, &lines).unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
    let messages = lines.lines().filter(|line| line.contains("\"kind\":\"message\"")).count() as u64;
    assert!(report.counts.contains(&("messages".into(), messages)), "{report:?}");
    let database = PostgresStore::open(postgres_options(&url), world.clock.clone()).unwrap();
    let there = Asked::of(&database);
    says_the_same(&said, &Asked::of(&database).everything());
    nothing_is_missed(&asked, &there);

    // It is served while it is read.
    let again = exported_from(&url);
    let options = SledOptions { path: world.folder.path().join("again"), ..world.options() };
    let report = import(&options, &mut again.as_bytes(), &mut |_| {}).unwrap();
    assert_eq!(report.counts["messages"], messages);
    let (first, second) = (comparable(&lines), comparable(&exported(&options)));
    assert_eq!(first.difference(&second).collect::<Vec<_>>(), Vec::<&String>::new(), "lost");
    assert_eq!(second.difference(&first).collect::<Vec<_>>(), Vec::<&String>::new(), "new");
    let back = SledStore::open(options.clone(), world.clock.clone()).unwrap();
    says_the_same(&said, &Asked::of(&back).everything());
    let returned = Asked::of(&back);
    assert_eq!(returned.commits, there.commits, "cursors of a database stay what they are");
    nothing_is_missed(&there, &returned);

    // Once more into a database: every stamp is as it was.
    let second_url = cluster.database();
    import_into(&second_url, &again).unwrap();
    assert_eq!(sorted(&exported_from(&second_url)), sorted(&again));
    goes_on(&database, &world);
    goes_on(&back, &world);
    for store in [&database as &dyn Store, &back, &reopened] {
        store.close().unwrap();
    }
    // And what both went on with is found whole.
    assert_eq!(check_database(&postgres_options(&url)).unwrap().problems, Vec::<String>::new());
    check(&options).unwrap();
    let third_url = cluster.database();
    import_into(&third_url, &exported(&options)).unwrap();
}

#[test]
fn an_empty_store_keeps_what_was_handed_out() {
    let Some(cluster) = Cluster::shared() else { return };
    let (world, url) = (World::sled(), cluster.database());
    drop(world.store.close());
    import_into(&url, &exported(&world.options())).unwrap();
    assert_eq!(exported_from(&url).lines().count(), 4, "the first line, a week, and counters");
    let store = PostgresStore::open(postgres_options(&url), world.clock.clone()).unwrap();
    let gone = wait(|done| store.append(text_of(&room("r", 1), "alice", None, "hi", NOW_MS), done)).unwrap();
    wait(|done| store.remove(room("r", 1), done)).unwrap();
    store.close().unwrap();
    let options = SledOptions { path: world.folder.path().join("again"), ..world.options() };
    let report = import(&options, &mut exported_from(&url).as_bytes(), &mut |_| {}).unwrap();
    assert!(report.commit >= gone.commit, "a cursor may be as great");
    let second_url = cluster.database();
    import_into(&second_url, &exported(&options)).unwrap();
    let store = PostgresStore::open(postgres_options(&second_url), world.clock.clone()).unwrap();
    assert!(store.last_commit() >= gone.commit);
}

/// Returns lines with one text instead of another, which is there.
fn changed(lines: &str, from: &str, to: &str) -> String {
    assert!(lines.contains(from), "{from}");
    lines.replacen(from, to, 1)
}

fn small() -> (World, String) {
    let world = World::sled();
    for n in 1..=5 {
        world.append(text_of(&group("g"), "alice", None, &format!("text {n}"), NOW_MS)).unwrap();
    }
    drop(world.store.close());
    let lines = exported(&world.options());
    (world, lines)
}

#[test]
fn what_is_no_whole_store_leaves_nothing() {
    let Some(cluster) = Cluster::shared() else { return };
    let ((_world, lines), url) = (small(), cluster.database());
    let refused = |lines: &str| import_into(&url, lines).unwrap_err();
    let count = lines.lines().count();
    let message = |n: u64| lines.lines().find(|line| line.contains(&format!("text {n}"))).unwrap();
    for (text, words) in [
        ("", "line 1".to_owned()),
        (&changed(&lines, "\"version\":1", "\"version\":2"), "line 1".to_owned()),
        (&format!("{lines}{{\n"), format!("line {}", count + 1)),
        (lines.trim_end().strip_suffix('}').unwrap(), format!("line {count}")),
        (&changed(&lines, "\"kind\":\"head\"", "\"kind\":\"hat\""), "there is no such".to_owned()),
        (&changed(&lines, "\"seq\":2,", "\"seq\":7,"), "another conversation or seq".to_owned()),
        (&changed(&lines, &format!("{}\n", message(3)), ""), "a gap".to_owned()),
        (&changed(&lines, &format!("{}\n", message(5)), ""), "not the last message".to_owned()),
        (&format!("{lines}{}\n", message(5)), "twice".to_owned()),
    ] {
        let error = refused(text);
        assert!(matches!(&error, OpenError::Damaged { reason, .. } if reason.contains(&words)), "{words}: {error}");
    }
    let newer = refused(&changed(&lines, &format!("\"format\":{FORMAT}"), "\"format\":99"));
    assert!(matches!(newer, OpenError::NewerFormat { found: 99, known: FORMAT, .. }), "{newer}");
    // Whatever failed before, there is nothing.
    assert!(import_into(&url, &lines).is_ok());
    assert!(matches!(refused(&lines), OpenError::NotEmpty { .. }));
    assert_eq!(exported_from(&url).lines().filter(|line| line.contains("text ")).count(), 5);
}

#[test]
fn a_store_that_is_served_is_not_made_anew_and_not_converted() {
    let Some(cluster) = Cluster::shared() else { return };
    let ((_world, lines), url) = (small(), cluster.database());
    let options = PostgresOptions { time: StampTime::Database, ..postgres_options(&url) };
    let missing = require_unserved(&options).unwrap_err();
    assert!(missing.to_string().contains("there is no store"), "{missing}");
    let served = PostgresStore::open(options.clone(), Arc::new(SystemClock::new())).unwrap();
    let refused = import_into(&url, &lines).unwrap_err();
    assert!(matches!(&refused, OpenError::InUse { path } if path.contains("by tidings")), "{refused}");
    assert!(matches!(require_unserved(&options), Err(OpenError::InUse { .. })));
    served.close().unwrap();
    require_unserved(&options).unwrap();
    import_into(&url, &lines).unwrap();
    PostgresStore::open(options, Arc::new(SystemClock::new())).unwrap().close().unwrap();
}

#[test]
fn accepted_losses_are_carried_over() {
    let Some(cluster) = Cluster::shared() else { return };
    let (world, lines) = small();
    let without = |n: u64, lines: &str| {
        let line = lines.lines().find(|line| line.contains(&format!("text {n}"))).unwrap();
        changed(lines, &format!("{line}\n"), "")
    };
    let in_the_middle = changed(&without(3, &lines), "\"whole_from\":0", "\"whole_from\":3");
    let at_the_end = changed(&without(5, &without(3, &lines)), "\"whole_from\":0", "\"whole_from\":5");
    for (n, lines) in [in_the_middle, at_the_end].iter().enumerate() {
        let url = cluster.database();
        import_into(&url, lines).unwrap();
        let options = SledOptions { path: world.folder.path().join(n.to_string()), ..world.options() };
        import(&options, &mut exported_from(&url).as_bytes(), &mut |_| {}).unwrap();
        let store = PostgresStore::open(postgres_options(&url), world.clock.clone()).unwrap();
        let next = wait(|done| store.append(text_of(&group("g"), "alice", None, "next", NOW_MS), done)).unwrap();
        assert_eq!(next.message.seq, 6);
    }
}

#[test]
fn lines_of_older_formats_are_brought_to_this_one() {
    let Some(cluster) = Cluster::shared() else { return };
    let world = World::sled();
    let child = Child { id: 1, sender: user("bob"), timestamp_ms: 1, extended_data: String::new(), body: Body::Text("in".into()) };
    let combine = Combine { children: vec![child.clone()], ..Combine::copy_of("t".into(), "s".into(), String::new()) };
    let append = Append {
        draft: Draft { local_id: Some(LocalMessageId::trusted("l")), ..Draft::of(Body::Combine(combine)) },
        ..text_of(&group("g"), "alice", None, "", NOW_MS)
    };
    world.append(append.clone()).unwrap();
    drop(world.store.close());
    let older = |line: &str| -> Option<String> {
        let mut line: Value = serde_json::from_str(line).unwrap();
        match line["kind"].as_str() {
            Some("message") => drop(line["value"]["body"]["Combine"].as_object_mut().unwrap().remove("held")),
            Some("held") => line = json!({"week": line["week"], "kind": "combined", "group": "g", "seq": 1, "value": line["value"]}),
            Some("retryKey") => {
                line["value"]["conversation"] = json!({"Group": "g"});
                line = json!({"week": line["week"], "kind": "localID", "sender": "alice", "localID": "l", "value": line["value"]});
            }
            Some("fileUse") => return None,
            _ => {}
        }
        Some(line.to_string())
    };
    let lines: Vec<String> = exported(&world.options()).lines().filter_map(older).collect();
    let url = cluster.database();
    import_into(&url, &changed(&lines.join("\n"), &format!("\"format\":{FORMAT}"), "\"format\":4")).unwrap();
    let store = PostgresStore::open(postgres_options(&url), world.clock.clone()).unwrap();
    assert_eq!(store.children(&group("g"), 1), Ok(vec![child]));
    assert!(wait(|done| store.append(append, done)).unwrap().duplicate);
    store.close().unwrap();
    let options = SledOptions { path: world.folder.path().join("again"), ..world.options() };
    import(&options, &mut exported_from(&url).as_bytes(), &mut |_| {}).unwrap();
}
