//! The real side: a broker, users with two devices each, and the comparison with the model.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tidings::clock::{Clock as _, ManualClock};

use super::oracle::{Line, Oracle, pair};
use crate::support::{Client, HeldStore, Login, PATIENCE, T0, To, WireError, World};

const USERS: [&str; 3] = ["ann", "ben", "cat"];

/// One device: connected or not, and what it remembers.
#[derive(Default)]
struct Device {
    client: Option<Client>,
    cursor: String,
    /// Messages it has received, as a client remembers them.
    seen: BTreeSet<String>,
    sends: u64,
}

pub(super) struct Town {
    name: String,
    pub(super) step: usize,
    world: Option<World>,
    clock: Arc<ManualClock>,
    store: HeldStore,
    devices: BTreeMap<String, Device>,
    pub(super) oracle: Oracle,
}

fn user_of(device: &str) -> &str {
    &device[..3]
}

fn world(store: &HeldStore, clock: &Arc<ManualClock>) -> World {
    let store = store.clone();
    let builder = World::builder().no_rates().clock(clock.clone()).part(move |broker| broker.store(store));
    builder
        .config(|config| {
            config.users.devices_per_user_max = 2;
            config.limits.revoke_seconds = 86_400;
            (config.batch.tick_ms, config.batch.list_tick_ms) = (1, 1);
            config.server.http_workers = 1;
        })
        .start()
}

impl Town {
    pub(super) async fn found(name: &str) -> Self {
        let (clock, store) = (Arc::new(ManualClock::at(T0)), HeldStore::kept());
        let world = world(&store, &clock);
        let devices = USERS.iter().flat_map(|user| [format!("{user}-1"), format!("{user}-2")]).map(|name| (name, Device::default()));
        let (devices, oracle) = (devices.collect(), Oracle::default());
        let mut town = Self { name: name.into(), step: 0, world: Some(world), clock, store, devices, oracle };
        for n in 0..town.devices.len() {
            town.connect(n).await;
        }
        for group in super::GROUPS {
            let args = json!({"groupInfo": {"groupID": group}, "userIDs": ["ben"]});
            town.call("ann-1", "createGroup", args).await.unwrap();
            town.oracle.join("ann", group);
            town.oracle.join("ben", group);
        }
        town
    }

    pub(super) fn at(&self) -> String {
        format!("{}, step {}", self.name, self.step)
    }

    pub(super) fn users(&self) -> Vec<String> {
        USERS.map(str::to_owned).to_vec()
    }

    pub(super) fn devices(&self) -> BTreeMap<String, String> {
        self.devices.keys().map(|device| (device.clone(), user_of(device).to_owned())).collect()
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.clock.wall_ms()
    }

    /// Returns a connected device of a user.
    pub(super) fn device_of(&self, user: &str) -> Option<String> {
        let mut connected = self.devices.iter().filter(|(name, device)| user_of(name) == user && device.client.is_some());
        connected.next().map(|(name, _)| name.clone())
    }

    pub(super) fn local_id(&mut self, device: &str) -> String {
        let sender = self.devices.get_mut(device).unwrap();
        sender.sends += 1;
        format!("{device}-{}", sender.sends)
    }

    pub(super) async fn call(&mut self, device: &str, op: &str, args: Value) -> Result<Value, WireError> {
        let what = format!("{}: {op} of {device} {args}", self.at());
        let client = self.devices.get_mut(device).unwrap().client.as_mut().unwrap();
        client.call_as(&what, op, args).await
    }

    /// Asks from a device of the user, if one is connected; returns whether the operation was carried out.
    pub(super) async fn ask(&mut self, user: &str, op: &str, args: Value) -> bool {
        let Some(device) = self.device_of(user) else { return false };
        self.call(&device, op, args).await.unwrap_or_else(|error| panic!("{}: {op}: {error:?}", self.at()));
        true
    }

    /// Returns a conversation as a user names it.
    pub(super) fn place(&self, user: &str, conv: &str) -> Value {
        match conv.split_once('+') {
            Some((one, other)) => json!({"conversationID": if one == user { other } else { one }, "conversationType": 0}),
            None => json!({"conversationID": conv, "conversationType": 2}),
        }
    }

    pub(super) fn send_args(&self, user: &str, conv: &str, message: &Value) -> Value {
        let place = self.place(user, conv);
        let id = place["conversationID"].as_str().unwrap();
        if place["conversationType"] == 0 { To::Peer(id).args(message) } else { To::Group(id).args(message) }
    }

    /// Does something to an entry of a user's list, in the broker and in the model.
    pub(super) async fn user_op(&mut self, user: &str, conv: &str, op: &str, more: Value, there: impl FnOnce(&mut Oracle, &str, &str)) {
        if !self.oracle.is_listed(user, conv) {
            return;
        }
        let mut args = self.place(user, conv);
        more.as_object().unwrap().iter().for_each(|(field, value)| args[field] = value.clone());
        if self.ask(user, op, args).await {
            there(&mut self.oracle, user, conv);
        }
    }

    async fn connect(&mut self, n: usize) {
        let name = self.devices.keys().nth(n % self.devices.len()).unwrap().clone();
        let device = self.devices.get_mut(&name).unwrap();
        if device.client.is_some() {
            return;
        }
        let login = Login { user: user_of(&name), device: &name, resume: &device.cursor, ..Login::default() };
        let mut client = self.world.as_ref().unwrap().login(login).await;
        assert_eq!(client.hello.get("resync"), None, "{name}");
        if device.cursor.is_empty() {
            device.cursor = client.hello["cursor"].as_str().unwrap().to_owned();
        }
        client.forget_log();
        device.client = Some(client);
        self.oracle.back(&name, user_of(&name));
    }

    pub(super) async fn reconnect(&mut self, n: usize) {
        self.connect(n).await;
    }

    /// Cuts a connection without a close frame.
    pub(super) fn disconnect(&mut self, n: usize) {
        let name = self.devices.keys().nth(n % self.devices.len()).unwrap().clone();
        self.devices.get_mut(&name).unwrap().client = None;
    }

    pub(super) fn step_clock(&mut self, back: bool, by: Duration) {
        // Only the wall clock moves: elapsed time would end sessions that fall silent.
        let by = u64::try_from(by.as_millis()).unwrap();
        self.clock.set_wall_ms(if back { self.now_ms() - by } else { self.now_ms() + by });
    }

    /// Stops the broker, which loses everything but its store, and starts another on that store.
    pub(super) async fn crash(&mut self) {
        for device in self.devices.values_mut() {
            device.client = None;
        }
        self.world.take().unwrap().stop().await;
        self.world = Some(world(&self.store, &self.clock));
        for n in 0..self.devices.len() {
            self.connect(n).await;
        }
    }

    pub(super) async fn close(mut self) {
        self.devices.clear();
        self.world.take().unwrap().stop().await;
    }

    /// Checks that everything agrees, at once or within the ticks in which it is told.
    pub(super) async fn check(&mut self) {
        let names: Vec<String> = self.devices.keys().cloned().collect();
        for name in &names {
            self.check_received(name).await;
        }
        for user in USERS {
            if let Some(device) = self.device_of(user) {
                self.check_list(user, &device).await;
                self.check_history(user, &device).await;
            }
        }
    }

    /// Checks that everything a device must receive arrives once, in the order of each conversation, and nothing else.
    async fn check_received(&mut self, name: &str) {
        let at = self.at();
        let device = self.devices.get_mut(name).unwrap();
        let Some(client) = &mut device.client else { return };
        let mut owed = self.oracle.owed.remove(name).unwrap_or_default();
        loop {
            let unread = |frame: &Value| frame["event"].as_str().is_some_and(|event| event.starts_with("receive"));
            let frame = match client.take_unread(unread) {
                Some(frame) => frame,
                None if owed.is_empty() => break,
                None => client.frame(&format!("{at}: {owed:?} at {name}"), unread).await,
            };
            for message in frame["data"]["messageList"].as_array().unwrap() {
                let own = message["localMessageID"].as_str().is_some_and(|id| id.starts_with(&format!("{name}-")));
                if own || !device.seen.insert(message["messageID"].as_str().unwrap().to_owned()) {
                    continue;
                }
                let conv = match message["toUserID"].as_str() {
                    Some(to) => pair(message["senderUserID"].as_str().unwrap(), to),
                    None => frame["data"]["fromConversationID"].as_str().unwrap().to_owned(),
                };
                let due = owed.iter().position(|(of, _)| *of == conv);
                let due = due.map(|n| owed.remove(n).1);
                assert_eq!(message["messageSeq"].as_u64(), due, "{at}: {name} received {message} of {conv}");
            }
            if let Some(cursor) = frame["data"]["cursor"].as_str() {
                cursor.clone_into(&mut device.cursor);
            }
        }
        client.forget_unread();
    }

    async fn check_list(&mut self, user: &str, device: &str) {
        let (lines, total) = self.oracle.list(user);
        let began = tokio::time::Instant::now();
        loop {
            let list = self.call(device, "queryConversationList", json!({"config": {"count": 100}})).await.unwrap();
            let found: Vec<Line> = list["conversationList"].as_array().unwrap().iter().map(|entry| line(user, entry)).collect();
            let told = self.call(device, "queryConversationTotalUnreadMessageCount", json!({})).await.unwrap();
            if found == lines && told["unreadMessageCount"] == total {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "{}: {user} sees {found:#?} and {told}, not {lines:#?} and {total}", self.at());
            // Only a message sent while its conversation was busy is still on its way, for a tick.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn check_history(&mut self, user: &str, device: &str) {
        let convs: BTreeSet<String> = self.oracle.said.keys().cloned().collect();
        let conv = convs.iter().nth(self.step % convs.len().max(1));
        let Some(conv) = conv.filter(|conv| self.oracle.is_inside(user, conv)) else { return };
        let mut args = self.place(user, conv);
        args["config"] = json!({"count": 100, "reverse": true});
        let page = self.call(device, "queryHistoryMessage", args).await.unwrap();
        let found: Vec<(String, bool)> =
            page["messageList"].as_array().unwrap().iter().map(|message| (text(&message["messageID"]), message["type"] == 31)).collect();
        let seen = self.oracle.visible(user, conv);
        let seen: Vec<(String, bool)> = seen.iter().rev().take(100).rev().map(|(_, said)| (said.id.clone(), said.revoked)).collect();
        assert_eq!(found, seen, "{}: history of {conv} for {user}", self.at());
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn line(user: &str, entry: &Value) -> Line {
    let id = text(&entry["conversationID"]);
    let last = &entry["lastMessage"];
    let mentions = entry["mentionedInfoList"].as_array().into_iter().flatten();
    Line {
        conv: if entry["type"] == 0 { pair(user, &id) } else { id },
        order_key: entry["orderKey"].as_u64().unwrap(),
        unread: entry["unreadMessageCount"].as_u64().unwrap_or(0),
        pinned: entry["isPinned"] == true,
        muted: entry["notificationStatus"] == 2,
        disabled: entry["isDisabled"] == true,
        last: last["messageID"].as_str().map(|id| (id.to_owned(), last["type"] == 31)),
        mentions: mentions.map(|one| (one["type"].as_u64().unwrap(), text(&one["fromUserID"]), text(&one["messageID"]))).collect(),
    }
}
