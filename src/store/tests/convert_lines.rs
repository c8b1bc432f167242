//! Exported lines that two engines write of one store, made comparable: without what is documented to differ at `postgres::copy`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// Kinds of which the newest week's record counts.
const CARRIED_ON: [&str; 3] = ["entry", "following", "pins"];

type Line = Map<String, Value>;

fn text(line: &Line) -> String {
    Value::Object(line.clone()).to_string()
}

/// What names a record, without where it lies.
fn name(line: &Line) -> String {
    let mut line = line.clone();
    drop((line.remove("week"), line.remove("value")));
    text(&line)
}

fn week(line: &Line) -> u64 {
    line.get("week").and_then(Value::as_u64).unwrap_or(0)
}

/// Returns the lines, sorted.
pub(super) fn comparable(lines: &str) -> BTreeSet<String> {
    let mut all: Vec<Line> = lines.lines().skip(1).map(|line| serde_json::from_str(line).unwrap()).collect();
    rank_commits(&mut all);
    let newest = all.iter().map(week).max().unwrap();
    let mut carried: BTreeMap<String, Line> = BTreeMap::new();
    let mut kept = BTreeSet::new();
    let in_weeks: BTreeSet<String> = all.iter().filter(|line| line["kind"] == "head" && week(line) > 0).map(name).collect();
    let combined: BTreeSet<(String, String)> = all.iter().filter_map(held).collect();
    let lists: BTreeSet<String> = all.iter().filter(|line| line["kind"] == "held").map(|line| line["file"].to_string()).collect();
    for mut line in all {
        match line["kind"].as_str().unwrap() {
            kind if CARRIED_ON.contains(&kind) => {
                let before = carried.get(&name(&line)).map(week);
                if before.is_none_or(|before| week(&line) >= before) {
                    carried.insert(name(&line), line);
                }
                continue;
            }
            "head" if week(&line) == 0 && in_weeks.contains(&name(&line)) => continue,
            "counters" if week(&line) < newest => line.retain(|member, _| member != "value"),
            // A database counts on from its time.
            "counters" if week(&line) > 0 => line["value"].as_object_mut().unwrap().retain(|member, _| member == "message_id"),
            "week" => line.retain(|member, _| member != "value"),
            // What is not looked for any more is told by what the message says now.
            "retryKey" if week(&line) + 1 < newest => line.retain(|member, _| member != "value"),
            "fileUse" if lists.contains(&line["file"].to_string()) && !combined.contains(&(line["file"].to_string(), place(&line))) => {
                continue;
            }
            _ => {}
        }
        kept.insert(text(&line));
    }
    for mut line in carried.into_values() {
        line.remove("week");
        if line["value"] != Value::Array(vec![]) {
            kept.insert(text(&line));
        }
    }
    kept
}

fn place(line: &Line) -> String {
    let members = ["peer", "room", "incarnation", "group", "seq"];
    Value::Array(members.iter().map(|member| line.get(*member).cloned().unwrap_or_default()).collect()).to_string()
}

/// Returns the list that a message holds, and where the message is.
fn held(line: &Line) -> Option<(String, String)> {
    let list = line.get("value")?.pointer("/body/Combine/held/list")?;
    Some((list.to_string(), place(line)))
}

/// Commits become their ranks: those of one engine are counted, those of the other are times.
fn rank_commits(lines: &mut [Line]) {
    let committed = |line: &&Line| ["message", "change"].contains(&line["kind"].as_str().unwrap());
    let ranks: BTreeSet<u64> = lines.iter().filter(committed).map(|line| line["commit"].as_u64().unwrap()).collect();
    let rank = |commit: &mut Value| *commit = ranks.iter().take_while(|one| **one < commit.as_u64().unwrap()).count().into();
    for line in lines {
        let kind = line["kind"].as_str().unwrap().to_owned();
        match kind.as_str() {
            "message" | "change" => rank(&mut line["commit"]),
            "reply" => rank(&mut line["value"]),
            "head" => rank(&mut line["value"]["commit"]),
            "counters" if week(line) == 0 => drop(line.insert("value".into(), Value::Null)),
            _ => {}
        }
    }
}
