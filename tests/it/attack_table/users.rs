//! Attacks by users who are logged in, each as fast as it is answered.

use std::time::Duration;

use serde_json::{Value, json};

use super::Row;
use crate::hostile::attackers::{self, Attack, Target, hold};
use crate::hostile::{Line, message_to};
use crate::support::fetch;

/// Of whatever is asked for by users.
const USERS: usize = 16;

pub(super) static ROWS: &[Row] = &[
    Row::new("50 members of a room that do not read, and 4 that flood it", |attack, at| Box::pin(attackers::stalled_readers(attack, at))),
    // actors.combine_bytes_in_flight_max, and three times as much while it is read.
    Row {
        growth_max: 256,
        is_short: true,
        ..Row::new("combined messages of 9 MiB, read, copied, and named 300 times in a frame", |attack, at| Box::pin(combines(attack, at)))
    },
    // Once for making it.
    Row { growth_max: 96, ..Row::new("a combined message of 9 MiB, passed on", |attack, at| Box::pin(forwards(attack, at))) },
    Row { is_short: true, ..Row::new("rooms made to stand for 3 h, and left", |attack, at| Box::pin(rooms(attack, at))) },
    Row::new("groups made, and a stranger brought into them", |attack, at| Box::pin(invitations(attack, at))),
    Row::new("searches", |attack, at| Box::pin(attackers::searches(attack, at, USERS))),
    Row::new("resumable uploads of 1 MB without a byte, of 64 users", |attack, at| {
        Box::pin(async { attackers::empty_uploads(attack, at, 64) })
    }),
    Row { is_short: true, ..Row::new("64 forms of five bytes at a time, held back", |attack, at| Box::pin(async { forms(attack, at) })) },
];

/// Makes a combined message of 9 MiB; returns what passes it on.
async fn large(at: &Target, crafter: &mut Line) -> Value {
    let token = format!("Bearer {}", at.program.token("crafter"));
    let child = json!({"type": 1, "message": "x".repeat(32_000), "senderUserID": "crafter"});
    let list = json!(vec![child; 290]).to_string();
    let answer = fetch(at.address, "POST /media/uploads?kind=file&name=list.json", &[("Authorization", &token)], &list).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let message = json!({"type": 100, "title": "", "summary": "", "fileUID": answer.json()["fileUID"]});
    let sent = crafter.ok("sendMessage", message_to("left-0", 0, &message)).await;
    json!({"type": 100, "title": "", "summary": "", "combineID": sent["message"]["combineID"]})
}

/// Logs attackers in, each of whom was sent a combined message of 9 MiB.
async fn receivers(at: &Target, users: usize) -> (Value, Vec<Line>) {
    let mut crafter = at.login("crafter").await;
    let message = large(at, &mut crafter).await;
    let mut lines = Vec::new();
    for n in 0..users {
        let user = format!("receiver-{n}");
        lines.push(at.login(&user).await);
        while crafter.ask("sendMessage", message_to(&user, 0, &message)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    (message, lines)
}

async fn combines(attack: &mut Attack, at: &Target) {
    let (message, lines) = receivers(at, USERS).await;
    let mut child = message.clone();
    child["senderUserID"] = json!("crafter");
    let nested = move |times: usize| {
        let outer = json!({"type": 100, "title": "", "summary": "", "messageList": vec![child.clone(); times]});
        message_to("crafter", 0, &outer)
    };
    for (n, line) in lines.into_iter().enumerate() {
        let (message, nested) = (message.clone(), nested.clone());
        attack.ask(line, move |turn| match (turn + n as u64) % 3 {
            0 => ("sendMessage", nested(300)),
            // Each of these is written: two do it.
            1 if n < 2 => ("sendMessage", nested(1)),
            _ => ("queryCombineMessageDetail", json!({"message": {"combineID": message["combineID"]}})),
        });
    }
}

async fn forwards(attack: &mut Attack, at: &Target) {
    let (message, lines) = receivers(at, USERS).await;
    for line in lines {
        let message = message.clone();
        attack.ask(line, move |_| ("sendMessage", message_to("crafter", 0, &message)));
    }
}

async fn rooms(attack: &mut Attack, at: &Target) {
    for user in 0..USERS {
        let line = at.login(&format!("host-{user}")).await;
        let mut made = 0u64;
        attack.ask(line, move |_| {
            made += 1;
            let id = format!("room-{user}-{}", made / 2);
            match made % 2 {
                0 => ("createRoom", json!({"roomInfo": {"roomID": id}, "config": {"roomDestroyDelayTime": 10_800}})),
                _ => ("leaveRoom", json!({"roomID": id})),
            }
        });
    }
}

async fn invitations(attack: &mut Attack, at: &Target) {
    for user in 0..USERS {
        let line = at.login(&format!("stranger-{user}")).await;
        let mut made = 0u64;
        attack.ask(line, move |_| {
            made += 1;
            let group = json!({"groupID": format!("group-{user}-{made}"), "groupName": "come in"});
            ("createGroup", json!({"groupInfo": group, "userIDs": ["left-0"]}))
        });
    }
}

fn forms(attack: &mut Attack, at: &Target) {
    let form = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n12345\r\n--b--\r\n";
    for n in 0..64 {
        let length = ["Transfer-Encoding: chunked".to_owned(), format!("Content-Length: {}", form.len())][n % 2].clone();
        let lines = format!("Content-Type: multipart/form-data; boundary=b\r\n{length}");
        let head = at.head_of(&format!("form-{}", n % USERS), "POST /media/uploads?kind=file", &lines);
        // All but the end.
        let part = &form[..form.len() - 12];
        let begun = if n % 2 == 0 { format!("{:x}\r\n{part}\r\n", part.len()) } else { part.to_owned() };
        let (address, begun) = (at.address, [head, begun.into_bytes()].concat());
        attack.repeat(move |_| hold(address, begun.clone(), Duration::from_secs(2)));
    }
}
