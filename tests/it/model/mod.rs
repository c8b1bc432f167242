//! Random users with two devices each against the plain model in `oracle`: sends, retries, mentions, reads, deletes,
//! revocations, joins, kicks, lost connections, restarts and clock steps. After every step lists, counts, mentions,
//! history and what each device received agree.
//!
//! `TIDINGS_SEEDS=1000 cargo test --test it model -- --nocapture` for many; a failure names its seed, and
//! `TIDINGS_SEED=<seed>` repeats it.

#![allow(clippy::print_stdout, reason = "a failure must name its seed")]

mod devices;
mod oracle;

use std::env;
use std::time::Duration;

use serde_json::{Value, json};

use self::devices::Town;
use self::oracle::{Said, pair};
use crate::support::order_key_at;

const STEPS: usize = 200;
const SEEDS_DEFAULT: u64 = 12;
const GROUPS: [&str; 2] = ["g0", "g1"];

/// xorshift64*: enough to choose by, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33).unwrap() % below
    }

    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.roll(of.len())]
    }
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().unwrap())
}

/// Two halves, because test threads share two cores.
#[tokio::test]
async fn lists_counts_mentions_history_and_receptions_agree_with_the_model_after_every_step_first_half() {
    run_half(0).await;
}

#[tokio::test]
async fn lists_counts_mentions_history_and_receptions_agree_with_the_model_after_every_step_second_half() {
    run_half(1).await;
}

async fn run_half(half: u64) {
    if let Some(seed) = number("TIDINGS_SEED") {
        return run(seed).await;
    }
    for seed in (1..=number("TIDINGS_SEEDS").unwrap_or(SEEDS_DEFAULT)).filter(|seed| seed % 2 == half) {
        run(seed).await;
    }
}

async fn run(seed: u64) {
    println!("seed {seed}");
    let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let mut town = Town::found(&format!("seed {seed}")).await;
    for step in 0..STEPS {
        town.step = step;
        take_step(&mut town, &mut dice).await;
        town.check().await;
    }
    town.close().await;
}

async fn take_step(town: &mut Town, dice: &mut Dice) {
    let users = town.users();
    let user = dice.one(&users).clone();
    let conv = match dice.roll(3) {
        0 => (*dice.one(&GROUPS)).to_owned(),
        _ => {
            let other = dice.one(&users).clone();
            if other == user { (*dice.one(&GROUPS)).to_owned() } else { pair(&user, &other) }
        }
    };
    match dice.roll(40) {
        0..14 => say(town, dice, &user, &conv).await,
        14..18 => {
            town.user_op(&user, &conv, "clearConversationUnreadMessageCount", json!({}), |oracle, user, conv| oracle.read(user, conv)).await
        }
        18 => {
            if town.ask(&user, "clearConversationTotalUnreadMessageCount", json!({})).await {
                let convs: Vec<String> = town.oracle.list(&user).0.into_iter().map(|line| line.conv).collect();
                convs.iter().for_each(|conv| town.oracle.read(&user, conv));
            }
        }
        19 => town.user_op(&user, &conv, "deleteConversation", json!({}), |oracle, user, conv| oracle.hide(user, conv)).await,
        20 => town.user_op(&user, &conv, "deleteAllMessage", json!({}), |oracle, user, conv| oracle.clear(user, conv)).await,
        21..24 => delete(town, dice, &user, &conv).await,
        24 | 25 => {
            let muted = dice.roll(2) == 1;
            let more = json!({"status": if muted { 2 } else { 1 }});
            town.user_op(&user, &conv, "setConversationNotificationStatus", more, move |oracle, user, conv| oracle.mute(user, conv, muted))
                .await;
        }
        26 | 27 => {
            let (pinned, key_now) = (dice.roll(2) == 1, order_key_at(town.now_ms()));
            let more = json!({"isPinned": pinned});
            town.user_op(&user, &conv, "updateConversationPinnedState", more, move |oracle, user, conv| {
                oracle.pin(user, conv, pinned, key_now)
            })
            .await;
        }
        28 | 29 => revoke(town, dice, &user, &conv).await,
        30 | 31 => change_members(town, dice, &user).await,
        32..35 => town.disconnect(dice.roll(100)),
        35..38 => town.reconnect(dice.roll(100)).await,
        38 => town.step_clock(dice.roll(2) == 0, Duration::from_secs(dice.roll(100) as u64)),
        _ if dice.roll(8) == 0 => town.crash().await,
        _ => town.reconnect(dice.roll(100)).await,
    }
}

async fn say(town: &mut Town, dice: &mut Dice, user: &str, conv: &str) {
    let users = town.users();
    let names: Vec<String> = if dice.roll(3) == 0 { (0..1 + dice.roll(2)).map(|_| dice.one(&users).clone()).collect() } else { Vec::new() };
    let all = dice.roll(8) == 0;
    let Some(device) = town.device_of(user) else { return };
    if !conv.contains('+') && !town.oracle.is_inside(user, conv) {
        return;
    }
    let local_id = town.local_id(&device);
    let message = json!({"type": 1, "message": "x", "localMessageID": local_id, "mentionedUserIDs": names, "isMentionAll": all});
    let args = town.send_args(user, conv, &message);
    let sent = town.call(&device, "sendMessage", args.clone()).await.unwrap()["message"].take();
    let said = Said {
        id: sent["messageID"].as_str().unwrap().into(),
        order_key: sent["orderKey"].as_u64().unwrap(),
        from: user.into(),
        device: device.clone(),
        names,
        all,
        revoked: false,
    };
    let devices = town.devices();
    town.oracle.say(conv, said, &devices);
    assert_eq!(sent["messageSeq"], town.oracle.head(conv), "{}", town.at());
    if dice.roll(5) == 0 {
        // A retry is answered with the first result, and nobody hears of it.
        let again = town.call(&device, "sendMessage", args).await.unwrap();
        assert_eq!(again["message"]["messageID"], sent["messageID"], "{}", town.at());
    }
}

async fn delete(town: &mut Town, dice: &mut Dice, user: &str, conv: &str) {
    let seen: Vec<(u64, String)> = town.oracle.visible(user, conv).into_iter().map(|(seq, said)| (seq, said.id.clone())).collect();
    if seen.is_empty() {
        return;
    }
    let (seq, id) = dice.one(&seen).clone();
    let more = json!({"messageList": [{"messageID": id}]});
    town.user_op(user, conv, "deleteMessages", more, move |oracle, user, conv| oracle.delete(user, conv, seq)).await;
}

async fn revoke(town: &mut Town, dice: &mut Dice, user: &str, conv: &str) {
    let Some(device) = town.device_of(user) else { return };
    let own = |said: &Said| said.from == user && !said.revoked;
    let mine: Vec<(u64, String)> =
        town.oracle.visible(user, conv).into_iter().filter(|(_, said)| own(said)).map(|(seq, said)| (seq, said.id.clone())).collect();
    if mine.is_empty() || !town.oracle.is_inside(user, conv) {
        return;
    }
    let (seq, id) = dice.one(&mine).clone();
    let mut message = town.place(user, conv);
    message["messageID"] = json!(id);
    town.call(&device, "revokeMessage", json!({"message": message})).await.unwrap();
    town.oracle.revoke(conv, seq);
}

async fn change_members(town: &mut Town, dice: &mut Dice, user: &str) {
    let group = *dice.one(&GROUPS);
    let owner = town.users()[0].clone();
    let inside = town.oracle.is_inside(user, group);
    // The first user made the groups and stays in them.
    if user == owner {
        return;
    }
    let (by, op, args): (&str, &str, Value) = match (inside, dice.roll(2)) {
        (false, _) => (user, "joinGroup", json!({"groupID": group})),
        (true, 0) => (user, "leaveGroup", json!({"groupID": group})),
        (true, _) => (&owner, "kickGroupMembers", json!({"groupID": group, "userIDs": [user]})),
    };
    if town.ask(by, op, args).await {
        if inside { town.oracle.leave(user, group) } else { town.oracle.join(user, group) }
    }
}
