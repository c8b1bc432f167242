//! The vendor's callbacks, one by one: each is made to happen, received over HTTP, and held against the vendor's table of names,
//! fields and types.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};
use tidings::config::{Config, Signature};

use crate::support::vendor::{APP, Vendor, switched_on};
use crate::support::{Call, Client, Login, Reply, Sink, To, World, WorldBuilder, text};

const SECRET: &str = "the callback secret";

/// Fields that each callback has.
const COMMON: &str = "appid:s event:s nonce:s signature:s timestamp:n";

/// The vendor's table: text `s`, whole number `n`, list of texts `S`, list of objects `O`; `?` marks what need not be there.
const TABLE: [(&str, &str); 11] = [
    (
        "send_msg",
        "from_user_id:s conv_type:n conv_id:s msg_type:n sub_msg_type:n? source:n? msg_body:s payload:s msg_id:s msg_seq:n msg_time:n \
         send_result:n user_list:O?",
    ),
    ("user_action", "user_id:s user_name:s os:s action:n session_id:s login_time:n relogin:s logout_time:n logout_reason:s"),
    ("room_create", "room_id:s operator_account:s room_name:s attributes:O"),
    ("room_enter", "room_id:s operator_account:s"),
    ("room_exit", "room_id:s exit_type:s operator_account:s exit_user_ids:S"),
    ("room_destroy", "room_id:s user_ids:S operator_account:s"),
    ("group_create", "group_id:s operator_account:s owner_account:s group_name:s attributes:O user_ids:S"),
    ("group_join", "group_id:s operator_account:s join_type:s new_user_ids:S"),
    ("group_exit", "group_id:s exit_type:s operator_account:s exit_user_ids:S"),
    ("group_destroy", "group_id:s operator_account:s owner_account:s user_ids:S"),
    ("before_send_msg", "request_id:s from_user_id:s conv_id:s conv_type:n msg_id:s msg_type:n sub_msg_type:n msg_body:s payload:s"),
];

fn world(sink: &Sink, signature: Signature) -> WorldBuilder {
    let (url, ask) = (sink.url("/hook"), sink.url("/ask"));
    Vendor::builder().no_rates().config(move |config: &mut Config| {
        switched_on(config);
        config.users.must_exist = false;
        let hooks = &mut config.webhooks;
        (hooks.url, hooks.before_send_url, hooks.signature) = (url, ask, signature);
        (hooks.secret, hooks.vendor_secret) = (crate::support::HOOK_SECRET.into(), SECRET.into());
        hooks.allow_private_addresses = true;
    })
}

fn is_of(value: &Value, kind: &str) -> bool {
    let all = |is: fn(&Value) -> bool| value.as_array().is_some_and(|list| list.iter().all(is));
    match kind {
        "s" => value.is_string(),
        "n" => value.is_u64(),
        "S" => all(Value::is_string),
        "O" => all(Value::is_object),
        other => panic!("no kind of field: {other}"),
    }
}

/// Fails when a call is not as the table has it. What a Standard Webhooks call says besides stands under names the vendor has not.
fn hold_against_the_table(call: &Call) {
    let body = call.body.as_object().unwrap();
    let event = body["event"].as_str().unwrap_or_else(|| panic!("no event: {body:?}"));
    let (_, wanted) = TABLE.iter().find(|(name, _)| *name == event).unwrap_or_else(|| panic!("the vendor has no {event}"));
    let mut rest: BTreeMap<&str, &Value> = body.iter().map(|(name, value)| (name.as_str(), value)).collect();
    for field in COMMON.split_whitespace().chain(wanted.split_whitespace()) {
        let (name, kind) = field.split_once(':').unwrap();
        match (rest.remove(name), kind.strip_suffix('?')) {
            (None, None) => panic!("{event} lacks {name}: {body:?}"),
            (None, Some(_)) => {}
            (Some(value), optional) => assert!(is_of(value, optional.unwrap_or(kind)), "{event}.{name} is {value}"),
        }
    }
    let ours: Vec<&str> = rest.keys().copied().collect();
    assert!(ours.iter().all(|name| ["type", "data", "request_id"].contains(name)), "{event} has {ours:?}");
    assert_eq!(body["appid"], APP.to_string());
    let (nonce, timestamp) = (body["nonce"].as_str().unwrap(), body["timestamp"].to_string());
    let mut parts = [SECRET, nonce, &timestamp];
    parts.sort_unstable();
    let digest: String = Sha1::digest(parts.concat().as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(body["signature"], digest, "{event}");
    assert!(timestamp.len() == 10, "{event}: {timestamp} are not seconds");
}

fn hooked(sink: &Sink) -> Vec<Call> {
    sink.calls().into_iter().filter(|call| call.path == "/hook").collect()
}

/// Waits for a call with these fields among those of an event, and returns its body.
async fn told(sink: &Sink, event: &str, fields: Value) -> Value {
    let fits = |call: &Call| {
        let wanted = fields.as_object().unwrap();
        call.body["event"] == event && wanted.iter().all(|(name, value)| call.body[name] == *value)
    };
    crate::support::until(&format!("{event} with {fields}"), || hooked(sink).iter().any(fits)).await;
    hooked(sink).into_iter().find(fits).unwrap().body
}

async fn named(world: &World, id: &str) -> Client {
    world.login(Login { user: id, name: &id.to_uppercase(), device: "only", ..Login::default() }).await
}

#[tokio::test]
async fn each_callback_has_the_vendors_name_and_fields() {
    let sink = Sink::start().await;
    sink.behave(|_| Reply::result(0));
    let world = world(&sink, Signature::Vendor).start();
    let vendor = Vendor::of(&world);
    let (mut alice, mut bob) = (named(&world, "alice").await, named(&world, "bob").await);
    let carol = named(&world, "carol").await;
    told(&sink, "user_action", json!({"user_id": "alice", "user_name": "ALICE", "action": 0, "relogin": "0", "logout_time": 0})).await;

    let room = json!({"roomInfo": {"roomID": "r", "roomName": "R"}, "config": {"roomAttributes": {"k": "v"}}});
    alice.ok("createRoom", room).await;
    let attributes = json!([{"key": "k", "value": "v", "auto_delete": 0}]);
    told(&sink, "room_create", json!({"room_id": "r", "operator_account": "alice", "room_name": "R", "attributes": attributes})).await;
    bob.ok("joinRoom", json!({"roomID": "r"})).await;
    told(&sink, "room_enter", json!({"room_id": "r", "operator_account": "bob"})).await;
    bob.ok("leaveRoom", json!({"roomID": "r"})).await;
    told(&sink, "room_exit", json!({"exit_type": "Quit", "operator_account": "bob", "exit_user_ids": ["bob"]})).await;
    bob.ok("joinRoom", json!({"roomID": "r"})).await;
    vendor.ok("KickoutRoomUser", json!({"RoomId": "r", "UserId": ["bob"]})).await;
    let system = &world.broker.config().users.system;
    told(&sink, "room_exit", json!({"exit_type": "Kickout", "operator_account": system, "exit_user_ids": ["bob"]})).await;
    vendor.ok("DestroyRoom", json!({"RoomId": "r"})).await;
    told(&sink, "room_destroy", json!({"room_id": "r", "operator_account": system, "user_ids": ["alice"]})).await;
    let made = json!({"FromUserId": "alice", "RoomId": "r2", "Attributes": [{"Key": "a", "Value": "b", "AutoDelete": 1}]});
    vendor.ok("CreateRoom", made).await;
    let attributes = json!([{"key": "a", "value": "b", "auto_delete": 1}]);
    told(&sink, "room_create", json!({"room_id": "r2", "operator_account": "alice", "attributes": attributes})).await;

    let group = json!({"groupInfo": {"groupID": "g", "groupName": "G"}, "userIDs": ["bob"], "config": {"groupAttributes": {"k": "v"}}});
    alice.ok("createGroup", group).await;
    let made = json!({"group_id": "g", "operator_account": "alice", "owner_account": "alice", "group_name": "G",
                      "attributes": [{"key": "k", "value": "v"}], "user_ids": ["alice", "bob"]});
    told(&sink, "group_create", made).await;
    bob.ok("inviteUsersIntoGroup", json!({"groupID": "g", "userIDs": ["carol"]})).await;
    told(&sink, "group_join", json!({"operator_account": "bob", "join_type": "Invited", "new_user_ids": ["carol"]})).await;
    alice.ok("kickGroupMembers", json!({"groupID": "g", "userIDs": ["carol"]})).await;
    told(&sink, "group_exit", json!({"exit_type": "Kickout", "operator_account": "alice", "exit_user_ids": ["carol"]})).await;
    bob.ok("leaveGroup", json!({"groupID": "g"})).await;
    told(&sink, "group_exit", json!({"exit_type": "Quit", "operator_account": "bob", "exit_user_ids": ["bob"]})).await;
    bob.ok("joinGroup", json!({"groupID": "g"})).await;
    told(&sink, "group_join", json!({"operator_account": "bob", "join_type": "Apply", "new_user_ids": ["bob"]})).await;

    let sent = alice.send(To::Peer("bob"), json!({"type": 1, "message": "hi", "extendedData": "e"})).await.unwrap();
    let hi = json!({"from_user_id": "alice", "conv_type": 0, "conv_id": "bob", "msg_type": 1, "msg_body": "hi", "payload": "e",
                    "msg_id": sent["messageID"], "msg_seq": 1, "send_result": 0, "source": null, "sub_msg_type": null, "user_list": null});
    told(&sink, "send_msg", hi).await;
    alice.send(To::Group("g"), json!({"type": 200, "message": "c", "subType": 7})).await.unwrap();
    told(&sink, "send_msg", json!({"conv_type": 2, "conv_id": "g", "msg_type": 200, "sub_msg_type": 7, "msg_body": "c"})).await;
    let file = json!({"type": 12, "fileName": "a b", "fileSize": 3, "fileDownloadUrl": "https://x.example/a"});
    alice.send(To::Peer("bob"), file).await.unwrap();
    let sent = told(&sink, "send_msg", json!({"msg_type": 12})).await;
    let body = sent["msg_body"].as_str().unwrap();
    assert!(body.starts_with("%7B") && body.contains("%22file_name%22%3A%22a%20b%22"), "{body}");
    let batch =
        json!({"FromUserId": "alice", "ToUserId": ["bob", "carol"], "MessageType": 1, "Priority": 1, "MessageBody": {"Message": "all"}});
    let done = vendor.ok("SendPeerMessage", batch).await;
    for one in done["SuccList"].as_array().unwrap() {
        let fields = json!({"source": 1, "conv_type": 0, "conv_id": "", "msg_body": "all", "user_list": [one]});
        told(&sink, "send_msg", fields).await;
    }
    let outside = json!({"FromUserId": "carol", "GroupId": "g", "MessageType": 1, "Priority": 1, "MessageBody": {"Message": "server"}});
    vendor.ok("SendGroupMessage", outside).await;
    told(&sink, "send_msg", json!({"source": 1, "conv_type": 2, "conv_id": "g", "msg_body": "server", "user_list": null})).await;
    // What is refused, and what the vendor never tells.
    let refused = bob.send(To::Group("nowhere"), text("lost")).await.unwrap_err();
    let failed =
        json!({"from_user_id": "bob", "conv_id": "nowhere", "conv_type": 2, "msg_body": "lost", "send_result": refused.code, "msg_seq": 0});
    told(&sink, "send_msg", failed).await;
    alice.send(To::Peer("bob"), json!({"type": 2, "message": "eA=="})).await.unwrap();

    alice.ok("dismissGroup", json!({"groupID": "g"})).await;
    let ended = json!({"group_id": "g", "operator_account": "alice", "owner_account": "alice", "user_ids": ["alice", "bob"]});
    told(&sink, "group_destroy", ended).await;
    drop(carol);
    told(&sink, "user_action", json!({"user_id": "carol", "action": 2, "logout_reason": "lost"})).await;
    bob.request("logout", json!({})).await;
    told(&sink, "user_action", json!({"user_id": "bob", "user_name": "BOB", "action": 1, "logout_reason": "logout"})).await;

    let calls = sink.calls();
    calls.iter().for_each(hold_against_the_table);
    let events: std::collections::BTreeSet<&str> = calls.iter().filter_map(|call| call.body["event"].as_str()).collect();
    assert_eq!(events.into_iter().collect::<Vec<_>>(), {
        let mut all: Vec<&str> = TABLE.iter().map(|(name, _)| *name).collect();
        all.sort_unstable();
        all
    });
    let kinds: Vec<&Value> = calls.iter().filter(|call| call.body["event"] == "send_msg").map(|call| &call.body["msg_type"]).collect();
    assert!(kinds.iter().all(|kind| [1, 12, 200].iter().any(|told| **kind == *told)), "{kinds:?}");
}

#[tokio::test]
async fn a_standard_webhook_keeps_its_own_names_beside_the_vendors() {
    let sink = Sink::start().await;
    sink.behave(|_| Reply::result(0));
    let world = world(&sink, Signature::Both).start();
    let (mut alice, _bob) = (named(&world, "alice").await, named(&world, "bob").await);
    alice.send(To::Peer("bob"), text("hi")).await.unwrap();
    alice.send(To::Peer("bob"), json!({"type": 2, "message": "eA=="})).await.unwrap();
    let refused = alice.send(To::Room("nowhere"), text("lost")).await.unwrap_err();
    let sent = told(&sink, "send_msg", json!({"msg_body": "hi"})).await;
    assert_eq!(sent["type"], "message.sent");
    let lost = told(&sink, "send_msg", json!({"msg_body": "lost"})).await;
    assert_eq!((&lost["type"], &lost["data"]["code"]), (&json!("message.refused"), &json!(refused.code)));
    crate::support::until("the command", || hooked(&sink).iter().any(|call| call.event() == "command.sent")).await;
    let command = hooked(&sink).into_iter().find(|call| call.event() == "command.sent").unwrap();
    assert_eq!(command.body["event"], Value::Null);
    hooked(&sink).iter().filter(|call| !call.body["event"].is_null()).for_each(hold_against_the_table);
}

#[tokio::test]
async fn the_vendors_answers_change_what_goes_out() {
    let sink = Sink::start().await;
    sink.behave(|call| match call.body["msg_body"].as_str() {
        Some("soften") => Reply::json(&json!({"result": 1, "new_payload": "checked", "new_msg_body": "soft"})),
        Some("five") => Reply::result(5),
        _ => Reply::result(0),
    });
    let world = world(&sink, Signature::Vendor).start();
    let (mut alice, mut bob) = (named(&world, "alice").await, named(&world, "bob").await);
    let soft = alice.send(To::Peer("bob"), json!({"type": 1, "message": "soften", "extendedData": "e"})).await.unwrap();
    assert_eq!((&soft["message"], &soft["extendedData"]), (&json!("soft"), &json!("checked")));
    alice.say(To::Peer("bob"), "five").await;
    assert_eq!(bob.texts(2).await, ["soft", "five"]);
}
