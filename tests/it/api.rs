//! What a backend does, and what clients see of it.

use std::time::Duration;

use serde_json::{Value, json};
use tidings::auth::Scope;

use crate::support::{T0, To, World, pluck, problem, room_destroyed, text};

fn send(from: &str, to: &str, kind: u8, words: &str) -> Value {
    json!({"fromUserID": from, "toConversationID": to, "conversationType": kind, "message": text(words)})
}

#[tokio::test]
async fn a_backend_sends_edits_revokes_and_deletes_in_a_users_name() {
    let world = World::start();
    let backend = world.any_backend();
    backend.ok("POST /users", json!({"users": [{"userID": "shop", "userName": "Shop"}, {"userID": "alice"}]})).await;
    let mut bob = world.client("bob").await;
    let sent = backend.ok("POST /messages", send("shop", "bob", 0, "your order")).await["message"].take();
    assert_eq!((&sent["senderUserID"], &sent["messageSeq"]), (&json!("shop"), &json!(1)));
    assert_eq!(bob.event("receivePeerMessage").await["messageList"][0]["message"], "your order");
    let of = |user: &str, id: &Value| json!({"userID": user, "conversationID": if user == "bob" { "shop" } else { "bob" }, "conversationType": 0, "messageID": id});
    let mut edit = of("shop", &sent["messageID"]);
    edit["message"] = json!({"type": 1, "message": "your parcel"});
    let edited = backend.ok("POST /messages/edit", edit.clone()).await;
    assert_eq!(edited["message"]["message"], "your parcel");
    assert_eq!(bob.event("messageEdited").await["messageList"][0]["message"], "your parcel");
    edit["userID"] = "bob".into();
    edit["conversationID"] = "shop".into();
    assert_eq!(backend.refused("POST /messages/edit", edit).await, (403, 6_000_285), "only its sender");
    assert_eq!(
        backend.ok("POST /messages/revoke", of("bob", &sent["messageID"])).await["message"]["type"],
        31,
        "the host may, whoever sent it"
    );
    assert_eq!(backend.refused("POST /messages/revoke", of("bob", &sent["messageID"])).await, (409, 6_000_279));
    backend.ok("POST /messages/delete", json!({"userID": "bob", "conversationID": "shop", "conversationType": 0})).await;
    let history = async |user: &str, other: &str| {
        backend.ok(&format!("GET /messages?userID={user}&conversationID={other}&conversationType=0"), Value::Null).await["messageList"]
            .take()
    };
    assert_eq!((history("bob", "shop").await, history("shop", "bob").await.as_array().unwrap().len()), (json!([]), 1));
    let unknown = backend.refused("POST /messages", send("nobody", "bob", 0, "x")).await;
    assert_eq!(unknown, (404, 6_000_204));
    assert_eq!(backend.refused("POST /messages", send("shop", "nobody", 0, "x")).await, (404, 6_000_204));
    assert_eq!(backend.refused("GET /messages?conversationID=bob&conversationType=0", Value::Null).await, (400, 6_000_001));
}

#[tokio::test]
async fn a_backend_is_held_by_limits_and_membership_but_by_no_users_quota() {
    let world = World::start();
    let backend = world.any_backend();
    let _bob = world.client("bob").await;
    backend.ok("POST /users", json!({"users": [{"userID": "shop"}]})).await;
    for n in 0..25 {
        backend.ok("POST /messages", send("shop", "bob", 0, &n.to_string())).await;
    }
    assert_eq!(backend.refused("POST /messages", send("shop", "bob", 0, &"x".repeat(32_769))).await, (400, 6_000_001));
    assert_eq!(backend.refused("POST /messages", send("shop", "bob", 3, "x")).await, (400, 6_000_001));
    backend.ok("POST /groups", json!({"ownerUserID": "bob", "groupID": "g"})).await;
    assert_eq!(backend.refused("POST /messages", send("shop", "g", 2, "x")).await, (404, 6_000_521));
    backend.ok("POST /messages", json!({"toConversationID": "g", "conversationType": 2, "message": text("from the server")})).await;
}

#[tokio::test]
async fn nobody_logs_in_as_the_servers_own_user() {
    let world = World::start();
    let mut client = world.connect().await;
    let refused = client.refused("login", json!({"userID": "system", "token": world.token("system")})).await;
    assert_eq!(refused.code, 6_000_103);
    let ban = world.any_backend().refused("PUT /users/system/ban", json!({})).await;
    assert_eq!(ban, (400, 6_000_001), "there is nobody to keep out");
}

#[tokio::test]
async fn an_idempotency_key_makes_a_call_once() {
    let folder = tempfile::tempdir().unwrap();
    let call = send("shop", "bob", 0, "once").to_string();
    let key = [("Idempotency-Key", "order-17")];
    let first = {
        let world = World::builder().folder(folder.path()).start();
        let backend = world.any_backend();
        backend.ok("POST /users", json!({"users": [{"userID": "shop"}, {"userID": "bob"}]})).await;
        let first = backend.call("POST /messages", &key, &call).await;
        let again = backend.call("POST /messages", &key, &call).await;
        assert_eq!((first.status, again.status, &first.body), (200, 200, &again.body));
        assert_eq!((first.header("Idempotent-Replayed"), again.header("Idempotent-Replayed")), ("", "true"));
        let other = backend.call("POST /messages", &key, &send("shop", "bob", 0, "other").to_string()).await;
        assert_eq!(problem(&other).0, 422);
        let refused = backend.call("POST /rooms", &[("Idempotency-Key", "r")], r#"{"roomID":""}"#).await;
        let again = backend.call("POST /rooms", &[("Idempotency-Key", "r")], r#"{"roomID":""}"#).await;
        assert_eq!((problem(&refused).0, again.header("Idempotent-Replayed")), (400, "true"), "a refusal is an answer, too");
        // Who is missing today may be there tomorrow.
        let late = send("shop", "carol", 0, "late").to_string();
        let missing = backend.call("POST /messages", &[("Idempotency-Key", "late")], &late).await;
        assert_eq!(problem(&missing).0, 404);
        backend.ok("POST /users", json!({"users": [{"userID": "carol"}]})).await;
        let there = backend.call("POST /messages", &[("Idempotency-Key", "late")], &late).await;
        assert_eq!((there.status, there.header("Idempotent-Replayed")), (200, ""), "{there:?}");
        let narrow = world.backend("narrow", &[Scope::UsersRead]);
        assert_eq!(problem(&narrow.call("POST /rooms", &[("Idempotency-Key", "scope")], r#"{"roomID":"x"}"#).await).0, 403);
        let long = "k".repeat(256);
        assert_eq!(problem(&backend.call("POST /messages", &[("Idempotency-Key", &long)], &call).await).0, 400);
        world.stop().await;
        first.json()
    };
    // Another process: its memory is gone, the store's is not.
    let world = World::builder().folder(folder.path()).start();
    tidings::auth::ApiKeyFile::of(folder.path()).revoke("backend").unwrap();
    let backend = world.any_backend();
    let again = backend.call("POST /messages", &key, &call).await;
    assert_eq!((again.status, again.json()["message"]["messageID"].clone()), (200, first["message"]["messageID"].clone()));
}

#[tokio::test]
async fn lists_are_read_page_by_page_to_their_end() {
    let world = World::start();
    let backend = world.any_backend();
    let users: Vec<Value> = (0..25).map(|n| json!({"userID": format!("u{n:02}")})).collect();
    backend.ok("POST /users", json!({"users": users})).await;
    for n in 0..25 {
        backend.ok("POST /rooms", json!({"roomID": format!("r{n:02}")})).await;
        backend.ok("POST /groups", json!({"ownerUserID": "u00", "groupID": format!("g{n:02}")})).await;
        backend.ok("POST /messages", send("u00", "u01", 0, &format!("m{n:02}"))).await;
        if n > 0 {
            backend.ok("POST /messages", send(&format!("u{n:02}"), "u00", 0, "hello")).await;
        }
    }
    let ban = |n: usize| format!("PUT /users/u{n:02}/ban");
    for n in 0..25 {
        backend.ok(&ban(n), json!({})).await;
    }
    let members: Vec<Value> = (1..25).map(|n| json!(format!("u{n:02}"))).collect();
    backend.ok("POST /groups/g00/members", json!({"userIDs": members})).await;
    for (path, list, id, count) in [
        ("/users?", "userList", "userID", 25),
        ("/rooms?", "roomList", "roomID", 25),
        ("/groups?", "groupList", "groupID", 25),
        ("/bans?", "banList", "userID", 25),
        ("/groups/g00/members?", "memberList", "userID", 25),
        ("/users/u00/conversations?", "conversationList", "conversationID", 24),
        ("/messages?userID=u01&conversationID=u00&conversationType=0&", "messageList", "message", 26),
    ] {
        let (mut seen, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let page = backend.ok(&format!("GET {path}limit=10{cursor}"), Value::Null).await;
            seen.extend(pluck(&page[list], id));
            pages += 1;
            assert!(pages < 10, "{path}");
            match page["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        let total = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!((total, seen.len()), (count, count), "{path}: each once");
    }
    let found = backend.ok("POST /messages/search", json!({"userID": "u01", "keywords": ["m0"], "limit": 6})).await;
    let next = found["nextCursor"].as_str().unwrap();
    let rest = backend.ok("POST /messages/search", json!({"userID": "u01", "keywords": ["m0"], "limit": 6, "cursor": next})).await;
    let mut words = pluck(&found["messageList"], "message");
    words.extend(pluck(&rest["messageList"], "message"));
    assert_eq!(words, ["m09", "m08", "m07", "m06", "m05", "m04", "m03", "m02", "m01", "m00"]);
}

#[tokio::test]
async fn who_is_kicked_may_come_again_and_who_is_banned_may_not() {
    let world = World::builder().frozen().start();
    let backend = world.any_backend();
    let mut bob = world.client("bob").await;
    assert_eq!(backend.ok("GET /users/bob", Value::Null).await["onlineStatus"], 0);
    let sessions = backend.ok("GET /sessions", Value::Null).await["sessionList"].take();
    assert_eq!(pluck(&sessions, "userID"), ["bob"]);
    assert_eq!(backend.ok("POST /users/bob/kick", Value::Null).await["sessionCount"], 1);
    assert_eq!(bob.closed().await.0, 4_500);
    let mut bob = world.client("bob").await;
    let session = backend.ok("GET /users/bob/sessions", Value::Null).await["sessionList"][0]["sessionID"].as_str().unwrap().to_owned();
    backend.ok(&format!("POST /sessions/{session}/kick"), Value::Null).await;
    assert_eq!(bob.closed().await.0, 4_500);
    let mut bob = world.client("bob").await;
    let ban = backend.ok("PUT /users/bob/ban", json!({"reason": "spam", "durationSeconds": 60})).await["ban"].take();
    assert_eq!(ban["endTime"].as_u64().unwrap() - ban["createTime"].as_u64().unwrap(), 60_000);
    assert_eq!(bob.closed().await.0, 4_500);
    let mut stranger = world.connect().await;
    let login = json!({"userID": "bob", "token": world.token("bob")});
    assert_eq!(stranger.refused("login", login.clone()).await.code, 6_000_124);
    assert_eq!(backend.ok("GET /users/bob", Value::Null).await["ban"]["reason"], "spam");
    world.advance(Duration::from_secs(60));
    stranger.ok("login", login.clone()).await;
    assert_eq!(backend.ok("GET /bans", Value::Null).await["banList"], json!([]));
    backend.ok("PUT /users/bob/ban", json!({})).await;
    assert_eq!(stranger.closed().await.0, 4_500);
    backend.ok("DELETE /users/bob/ban", Value::Null).await;
    world.connect().await.ok("login", login).await;
    assert_eq!(backend.refused("DELETE /users/nobody/ban", Value::Null).await, (404, 6_000_204));
}

#[tokio::test]
async fn a_ban_outlives_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::builder().folder(folder.path()).start();
    world.any_backend().ok("PUT /users/mallory/ban", json!({"reason": "spam"})).await;
    world.stop().await;
    let world = World::builder().folder(folder.path()).start();
    let mut mallory = world.connect().await;
    let refused = mallory.refused("login", json!({"userID": "mallory", "token": world.token("mallory")})).await;
    assert_eq!(refused.code, 6_000_124);
}

#[tokio::test]
async fn rooms_are_made_looked_after_and_ended_from_outside() {
    let world = World::builder().frozen().config(|config| config.room.grace_seconds = 30).start();
    let backend = world.any_backend();
    let room = backend.ok("POST /rooms", json!({"roomID": "lobby", "roomName": "Lobby", "roomAttributes": {"a": "1"}})).await;
    assert_eq!((&room["roomName"], &room["onlineMemberCount"], &room["createTime"]), (&json!("Lobby"), &json!(0), &json!(T0)));
    assert_eq!(backend.refused("POST /rooms", json!({"roomID": "lobby"})).await, (409, 6_000_323));
    let (mut alice, mut bob) = (world.client("alice").await, world.client("bob").await);
    alice.ok("joinRoom", json!({"roomID": "lobby"})).await;
    bob.ok("joinRoom", json!({"roomID": "lobby"})).await;
    assert_eq!(pluck(&backend.ok("GET /rooms/lobby/members", Value::Null).await["memberList"], "userID"), ["alice", "bob"]);
    backend
        .ok("POST /messages", json!({"toConversationID": "lobby", "conversationType": 1, "message": {"type": 20, "message": "fly"}}))
        .await;
    assert_eq!(alice.event("receiveRoomMessage").await["messageList"][0]["senderUserID"], "system");
    alice.ok("setRoomAttributes", json!({"roomID": "lobby", "roomAttributes": {"mine": "1"}})).await;
    let now = backend.ok("PATCH /rooms/lobby/attributes", json!({"set": {"b": "2"}, "delete": ["mine"]})).await;
    assert_eq!(now["roomAttributes"], json!({"a": "1", "b": "2"}), "whoever owns them");
    assert_eq!(backend.refused("POST /rooms/lobby/kick", json!({"userIDs": ["zoe"]})).await, (404, 6_000_311));
    let kicked = backend.ok("POST /rooms/lobby/kick", json!({"userIDs": ["bob", "zoe"], "reason": "late"})).await;
    assert_eq!(pluck(&kicked["errorUserList"], "userID"), ["zoe"]);
    let told = bob.event("roomStateChanged").await;
    assert_eq!((&told["state"], &told["event"], &told["extendedData"]), (&json!(0), &json!(8), &json!("late")));
    assert_eq!(pluck(&alice.event("roomMemberLeft").await["memberList"], "userID"), ["bob"]);
    bob.ok("joinRoom", json!({"roomID": "lobby"})).await;
    backend.ok("DELETE /rooms/lobby", Value::Null).await;
    assert_eq!(alice.event("roomStateChanged").await["event"], 3);
    assert_eq!(backend.refused("GET /rooms/lobby", Value::Null).await, (404, 6_000_322));
    assert_eq!(alice.refused("joinRoom", json!({"roomID": "lobby"})).await.code, 6_000_322);
    alice.ok("createRoom", json!({"roomInfo": {"roomID": "lobby"}})).await;
    // One that nobody comes to ends by itself.
    backend.ok("POST /rooms", json!({"roomID": "empty"})).await;
    let mut events = world.broker.subscribe();
    world.advance(Duration::from_secs(30));
    room_destroyed(&mut events, "empty").await;
}

#[tokio::test]
async fn groups_are_managed_in_their_owners_name() {
    let world = World::start();
    let backend = world.any_backend();
    let (mut alice, mut bob) = (world.client("alice").await, world.client("bob").await);
    backend.ok("POST /users", json!({"users": [{"userID": "carol"}]})).await;
    let made = backend
        .ok("POST /groups", json!({"ownerUserID": "alice", "groupID": "crew", "groupName": "Crew", "userIDs": ["bob", "nobody"], "config": {"groupNotice": "hi"}}))
        .await;
    assert_eq!(
        (pluck(&made["userList"], "userID"), pluck(&made["errorUserList"], "userID")),
        (vec!["alice".to_owned(), "bob".into()], vec!["nobody".into()])
    );
    assert_eq!(bob.event("groupStateChanged").await["event"], 4);
    let now = backend.ok("PATCH /groups/crew", json!({"groupName": "Team", "groupNotice": "ho", "joinMode": 2})).await;
    let info = &now["groupInfo"];
    assert_eq!(
        (&info["baseInfo"]["groupName"], &info["groupNotice"], &info["verifyInfo"]["joinMode"]),
        (&json!("Team"), &json!("ho"), &json!(2))
    );
    assert_eq!((&now["memberCount"], &now["ownerUserID"]), (&json!(2), &json!("alice")));
    backend.ok("POST /groups/crew/members", json!({"userIDs": ["carol"]})).await;
    let changed = backend.ok("PATCH /groups/crew/members/carol", json!({"role": 2, "nickname": "Caz"})).await;
    assert_eq!((&changed["userInfo"]["memberRole"], &changed["userInfo"]["memberNickname"]), (&json!(2), &json!("Caz")));
    backend.ok("POST /groups/crew/mute-members", json!({"userIDs": ["bob"], "isMute": true, "duration": 60})).await;
    assert_eq!(pluck(&backend.ok("GET /groups/crew/muted-members", Value::Null).await["memberList"], "userID"), ["bob"]);
    assert_eq!(backend.refused("POST /messages", send("bob", "crew", 2, "x")).await, (403, 6_000_231));
    backend.ok("PUT /groups/crew/mute", json!({"mode": 2, "duration": -1})).await;
    backend.ok("DELETE /groups/crew/mute", Value::Null).await;
    let attributes = backend.ok("PATCH /groups/crew/attributes", json!({"set": {"a": "1", "b": "2"}, "delete": ["b"]})).await;
    assert_eq!(attributes["groupAttributes"], json!({"a": "1"}));
    assert_eq!(backend.ok("PUT /groups/crew/owner", json!({"userID": "carol"})).await["ownerUserID"], "carol");
    let kicked = backend.ok("POST /groups/crew/kick", json!({"userIDs": ["alice", "nobody"]})).await;
    assert_eq!((&kicked["kickedUserIDs"], &kicked["errorUserList"][0]["reason"]), (&json!(["alice"]), &json!(6_000_521)));
    loop {
        if alice.event("groupStateChanged").await["event"] == 6 {
            break;
        }
    }
    backend.ok("DELETE /groups/crew", Value::Null).await;
    assert_eq!(backend.refused("GET /groups/crew", Value::Null).await, (404, 6_000_523));
    assert_eq!(backend.refused("POST /groups", json!({"ownerUserID": "alice", "groupID": "crew"})).await, (409, 6_000_527));
    assert_eq!(backend.refused("POST /groups", json!({"ownerUserID": "nobody"})).await, (404, 6_000_204));
}

#[tokio::test]
async fn broadcasts_reach_everyone_and_have_a_rate_and_a_days_share() {
    let world = World::builder().frozen().config(|config| config.api.broadcasts_per_day = 3).start();
    let backend = world.any_backend();
    let mut alice = world.client("alice").await;
    let say = |message: Value| json!({"fromUserID": "alice", "message": message});
    let told = backend.ok("POST /broadcasts", say(json!({"type": 1, "message": "to all", "extendedData": "{}"}))).await;
    assert_eq!((&told["sessionCount"], &told["message"]["isBroadcastMessage"]), (&json!(1), &json!(true)));
    let heard = alice.event("broadcastMessageReceived").await["message"].take();
    assert_eq!((heard["message"].clone(), heard["extendedData"].clone()), (json!("to all"), json!("{}")));
    let too_soon = backend.call("POST /broadcasts", &[], &say(text("x")).to_string()).await;
    assert_eq!((problem(&too_soon), too_soon.header("Retry-After")), ((429, 6_000_005), "1"));
    for message in [
        json!({"type": 2, "message": "eA=="}),
        json!({"type": 20, "message": "x"}),
        json!({"type": 100, "title": "t", "summary": "s"}),
        json!({"type": 1, "message": ""}),
        json!({"type": 11, "fileUID": "00000000000000000000000000000000"}),
        json!({"type": 1, "message": "x", "mentionedUserIDs": ["bob"]}),
    ] {
        assert_eq!(backend.refused("POST /broadcasts", say(message.clone())).await.0, 400, "{message}");
    }
    for kind in [11, 12] {
        world.advance(Duration::from_secs(1));
        backend.ok("POST /broadcasts", say(json!({"type": kind, "fileDownloadUrl": "https://files.example/a.jpg"}))).await;
        let heard = alice.event("broadcastMessageReceived").await["message"].take();
        assert_eq!((heard["type"].clone(), heard["fileDownloadUrl"].clone()), (json!(kind), json!("https://files.example/a.jpg")));
    }
    world.advance(Duration::from_secs(1));
    let spent = backend.call("POST /broadcasts", &[], &say(text("x")).to_string()).await;
    assert_eq!(problem(&spent).0, 429);
    let seconds: u64 = spent.header("Retry-After").parse().unwrap();
    assert_eq!(seconds, 24 * 60 * 60 - 3, "when the first of the day leaves the window");
    world.advance(Duration::from_secs(seconds));
    backend.ok("POST /broadcasts", say(json!({"type": 200, "message": "{}", "subType": 3}))).await;
    assert_eq!(backend.refused("POST /broadcasts", json!({"fromUserID": "nobody", "message": text("x")})).await, (404, 6_000_204));
}

#[tokio::test]
async fn figures_settings_and_events_are_shown_and_no_secret() {
    let world = World::builder().no_rates().start();
    let backend = world.any_backend();
    let mut alice = world.client("alice").await;
    let _bob = world.client("bob").await;
    alice.say(To::Peer("bob"), "hi").await;
    let stats = backend.ok("GET /stats", Value::Null).await;
    assert_eq!((&stats["sessions"], &stats["accepted"]["storable"], &stats["store"]["appended"]), (&json!(2), &json!(1), &json!(1)));
    let buckets = stats["appendSeconds"].as_array().unwrap();
    assert_eq!(buckets.last().unwrap(), &json!({"le": null, "count": 1}));
    let config = backend.call("GET /config", &[], "").await;
    assert!(!config.body.contains(&world.broker.config().auth.secret), "{config:?}");
    assert_eq!(config.json()["config"]["auth"]["secret"], "***");
    assert_eq!(config.json()["config"]["limits"]["text_bytes_max"], 32_768);
    backend.ok("GET /storage", Value::Null).await;
    assert_eq!(backend.ok("GET /uploads", Value::Null).await["uploadList"], json!([]));
    let listen = backend.call("GET /events?type=1&seconds=1", &[], "");
    let say = async {
        // Until the listener is there, nothing it could hear is said: go on until it ends.
        for n in 0.. {
            alice.say(To::Peer("bob"), &format!("n{n}")).await;
        }
    };
    let answer = tokio::select! {
        answer = listen => answer,
        () = say => unreachable!(),
    };
    assert_eq!(answer.header("Content-Type"), "text/event-stream");
    assert!(answer.body.contains("data: {\"event\":\"message\",\"message\":{"), "{answer:?}");
}

#[tokio::test]
async fn what_is_asked_of_a_user_who_is_away_is_answered_whatever_else_happens_to_it() {
    let world = World::start();
    let backend = world.any_backend();
    backend.ok("POST /users", json!({"users": [{"userID": "away"}]})).await;
    for n in 0..30 {
        let name = json!({"userName": format!("n{n}"), "userAvatarUrl": "https://x.example/", "userExtendedData": "e"});
        let (changed, _, _, listed) = tokio::join!(
            backend.ok("PATCH /users/away", name.clone()),
            backend.ok("POST /users/away/kick", Value::Null),
            backend.ok("DELETE /users/away/ban", Value::Null),
            backend.ok("GET /users/away/conversations", Value::Null),
        );
        assert_eq!((&changed["userName"], &listed["conversationList"]), (&name["userName"], &json!([])));
    }
}
