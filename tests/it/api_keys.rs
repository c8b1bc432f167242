//! Keys made over the server API, what of reading is noted, and figures and settings as an operator sees them.

use std::time::Duration;

use serde_json::{Value, json};
use tidings::auth::{ApiKeyFile, Scope};

use crate::support::{T0, To, World, call, pluck, problem};

/// Returns the audit log: who, action, target and status of each entry, the newest first.
async fn audit(world: &World) -> Vec<String> {
    let looker = ApiKeyFile::of(&world.broker.config().server.data_dir);
    let key = looker.make("looker", vec![Scope::OpsRead], 0, 0).unwrap();
    let page = call(world, Some(&key), "GET /audit", &[], "").await.json();
    looker.revoke("looker").unwrap();
    let line = |entry: &Value| {
        let text = |field: &str| entry[field].as_str().unwrap().to_owned();
        format!("{}: {} [{}] {}", text("who"), text("action"), text("target"), entry["status"])
    };
    page["auditList"].as_array().unwrap().iter().map(line).collect()
}

#[tokio::test]
async fn a_key_makes_keys_with_what_it_has_itself_and_no_more() {
    let world = World::start();
    let maker = world.backend("maker", &[Scope::KeysRead, Scope::KeysWrite, Scope::UsersRead]);
    let made = maker.ok("POST /keys", json!({"name": "reader", "scopes": ["users:read", "users:read"]})).await;
    let key = made["key"].as_str().unwrap().to_owned();
    assert_eq!(made["expireTime"], 0);
    assert_eq!(call(&world, Some(&key), "GET /users", &[], "").await.status, 200, "it works at once");
    assert_eq!(problem(&call(&world, Some(&key), "POST /keys", &[], "{}").await), (403, 6_000_541));
    for scopes in [json!(["users:read", "users:write"]), json!(["*"]), json!(["tokens:write"])] {
        assert_eq!(maker.refused("POST /keys", json!({"name": "more", "scopes": scopes})).await, (403, 6_000_541));
    }
    let listed = maker.ok("GET /keys", Value::Null).await;
    assert_eq!(pluck(&listed["keyList"], "name"), ["maker", "reader"]);
    let reader = &listed["keyList"][1];
    assert_eq!((&reader["scopes"], &reader["expireTime"]), (&json!(["users:read"]), &json!(0)));
    assert!(reader["createTime"].as_u64() >= Some(T0));
    assert!(!listed.to_string().contains("tdk_") && !listed.to_string().contains("sha256"), "{listed}");
    let kept = std::fs::read_to_string(world.broker.config().server.data_dir.join(ApiKeyFile::DOCUMENT)).unwrap();
    assert!(!kept.contains(key.trim_start_matches("tdk_")), "it is kept as a hash");
    // One that may do everything makes one that may do everything.
    let all = world.any_backend().ok("POST /keys", json!({"name": "all", "scopes": ["*"]})).await;
    assert_eq!(call(&world, all["key"].as_str(), "GET /stats", &[], "").await.status, 200);
}

#[tokio::test]
async fn a_key_that_ends_makes_none_that_outlives_it() {
    let world = World::builder().frozen().start();
    let file = ApiKeyFile::of(&world.broker.config().server.data_dir);
    let short = file.make("short", vec![Scope::KeysWrite], 0, T0 + 60_000).unwrap();
    let make = async |body: Value| call(&world, Some(&short), "POST /keys", &[], &body.to_string()).await;
    let scopes = json!(["keys:write"]);
    assert_eq!(make(json!({"name": "a", "scopes": scopes})).await.json()["expireTime"], T0 + 60_000);
    assert_eq!(make(json!({"name": "b", "scopes": scopes, "ttlSeconds": 59})).await.json()["expireTime"], T0 + 59_000);
    let longer = make(json!({"name": "c", "scopes": scopes, "ttlSeconds": 61})).await;
    assert_eq!(problem(&longer), (403, 6_000_541));
    assert!(longer.body.contains("ends in 60 s"), "{longer:?}");
    world.advance(Duration::from_secs(60));
    assert_eq!(problem(&make(json!({"name": "d", "scopes": scopes})).await), (401, 6_000_103));
}

#[tokio::test]
async fn a_key_is_renewed_with_the_scopes_and_the_end_that_it_has() {
    let world = World::builder().frozen().start();
    let maker = world.backend("maker", &[Scope::KeysWrite, Scope::UsersRead]);
    let made = maker.ok("POST /keys", json!({"name": "reader", "scopes": ["users:read"], "ttlSeconds": 7_200})).await;
    let status = async |key: &Value| call(&world, key.as_str(), "GET /users", &[], "").await.status;
    let renewed = maker.ok("POST /keys/reader/rotate", json!({"graceSeconds": 60})).await;
    assert_eq!(renewed["expireTime"], made["expireTime"]);
    assert_eq!((status(&made["key"]).await, status(&renewed["key"]).await), (200, 200), "for the grace both work");
    world.advance(Duration::from_secs(60));
    assert_eq!((status(&made["key"]).await, status(&renewed["key"]).await), (401, 200));
    assert_eq!(problem(&call(&world, renewed["key"].as_str(), "GET /rooms", &[], "").await), (403, 6_000_541));
    let at_once = maker.ok("POST /keys/reader/rotate", json!({"graceSeconds": 0})).await;
    assert_eq!((status(&renewed["key"]).await, status(&at_once["key"]).await), (401, 200));
    for wrong in [json!({"graceSeconds": 31_536_001}), json!({"graceSeconds": -1}), json!({"grace": 1})] {
        assert_eq!(maker.refused("POST /keys/reader/rotate", wrong).await, (400, 6_000_001));
    }
    assert_eq!(maker.refused("POST /keys/nobody/rotate", json!({})).await, (404, 6_000_001));
    // A key hands on what it has: not more, and not for longer.
    let root = world.any_backend();
    assert_eq!(maker.refused("POST /keys/backend/rotate", json!({})).await, (403, 6_000_541));
    let short = root.ok("POST /keys", json!({"name": "short", "scopes": ["keys:write", "users:read"], "ttlSeconds": 600})).await;
    let refused = call(&world, short["key"].as_str(), "POST /keys/reader/rotate", &[], "{}").await;
    assert_eq!(problem(&refused), (403, 6_000_541), "it ends after the caller's own");
}

#[tokio::test]
async fn a_key_is_revoked_by_its_name_and_refused_at_once() {
    let world = World::start();
    let maker = world.backend("maker", &[Scope::KeysWrite, Scope::UsersRead]);
    let made = maker.ok("POST /keys", json!({"name": "reader", "scopes": ["users:read"]})).await;
    assert_eq!(call(&world, made["key"].as_str(), "GET /users", &[], "").await.status, 200);
    assert_eq!(maker.ok("DELETE /keys/reader", Value::Null).await, json!({"keyCount": 1}));
    assert_eq!(problem(&call(&world, made["key"].as_str(), "GET /users", &[], "").await), (401, 6_000_103));
    assert_eq!(maker.refused("DELETE /keys/reader", Value::Null).await, (404, 6_000_001));
    // Whoever has less must not lock out who has more.
    let root = world.any_backend();
    assert_eq!(maker.refused("DELETE /keys/backend", Value::Null).await, (403, 6_000_541));
    root.ok("GET /stats", Value::Null).await;
    assert_eq!(root.ok("DELETE /keys/maker", Value::Null).await, json!({"keyCount": 1}));
}

#[tokio::test]
async fn a_key_that_cannot_be_made_is_refused_by_what_is_wrong() {
    let world = World::start();
    let backend = world.any_backend();
    let wrong = [
        (json!({"name": "a b", "scopes": ["*"]}), "a b"),
        (json!({"name": "n".repeat(65), "scopes": ["*"]}), "1 to 64"),
        (json!({"name": "a", "scopes": []}), "scopes has 0 entries, the range is 1 to 15"),
        (json!({"name": "a", "scopes": ["users:all"]}), "users:all"),
        (json!({"name": "a", "scopes": ["*"], "ttlSeconds": 0}), "ttlSeconds is 0, the range is 1 to 315360000"),
        (json!({"name": "a", "scopes": ["*"], "more": 1}), "more"),
    ];
    for (body, words) in wrong {
        let answer = backend.call("POST /keys", &[], &body.to_string()).await;
        assert_eq!(problem(&answer), (400, 6_000_001), "{body}");
        assert!(answer.body.contains(words), "{answer:?}");
    }
    assert_eq!(backend.refused("POST /keys", json!({"name": "backend", "scopes": ["*"]})).await, (409, 6_000_001));
}

#[tokio::test]
async fn what_is_shown_once_does_not_come_back_by_an_idempotency_key() {
    let world = World::start();
    let backend = world.any_backend();
    let key = [("Idempotency-Key", "once")];
    for (request, body, field) in
        [("POST /keys", json!({"name": "a", "scopes": ["users:read"]}), "key"), ("POST /users/alice/tokens", json!({}), "token")]
    {
        let headers = [(key[0].0, request.split('/').next_back().unwrap())];
        let first = backend.call(request, &headers, &body.to_string()).await;
        assert_eq!((first.status, first.header("Cache-Control")), (200, "no-store"));
        let secret = first.json()[field].as_str().unwrap().to_owned();
        let again = backend.call(request, &headers, &body.to_string()).await;
        assert_eq!((problem(&again).0, again.header("Idempotent-Replayed")), (409, "true"), "{request}");
        assert!(!again.body.contains(&secret) && again.body.contains("was carried out"), "{again:?}");
    }
    assert_eq!(pluck(&backend.ok("GET /keys", Value::Null).await["keyList"], "name"), ["a", "backend"], "it was made once");
}

#[tokio::test]
async fn who_made_keys_and_who_read_what_people_wrote_is_in_the_audit_log() {
    let world = World::builder().no_rates().start();
    let backend = world.any_backend();
    let mut alice = world.client("alice").await;
    alice.ok("createGroup", json!({"groupInfo": {"groupID": "g", "groupName": "G"}, "userIDs": []})).await;
    alice.say(To::Group("g"), "between us").await;
    let page = backend.ok("GET /messages?userID=alice&conversationID=g&conversationType=2", Value::Null).await;
    assert_eq!(page["messageList"][0]["message"], "between us");
    backend.ok("GET /messages?conversationID=g&conversationType=2", Value::Null).await;
    backend.ok("GET /users/alice/conversations", Value::Null).await;
    backend.ok("POST /messages/search", json!({"userID": "alice", "keywords": ["between"]})).await;
    backend.ok("GET /messages/pinned?userID=alice&conversationID=g&conversationType=2", Value::Null).await;
    assert_eq!(backend.call("GET /events?seconds=0&userID=alice", &[], "").await.status, 200);
    // What is about nobody's words is not noted.
    backend.ok("GET /users", Value::Null).await;
    backend.ok("GET /stats", Value::Null).await;
    backend.ok("GET /keys", Value::Null).await;
    backend.ok("POST /keys", json!({"name": "shop", "scopes": ["users:read", "rooms:read"]})).await;
    backend.ok("POST /users/alice/tokens", json!({})).await;
    let shop = world.backend("narrow", &[Scope::UsersRead]);
    assert_eq!(shop.refused("GET /messages?conversationID=g&conversationType=2", Value::Null).await.0, 403);
    assert_eq!(shop.refused("DELETE /keys/shop", Value::Null).await.0, 403);
    assert_eq!(shop.refused("GET /rooms", Value::Null).await.0, 403);
    backend.ok("DELETE /keys/shop", Value::Null).await;
    let noted = audit(&world).await;
    assert!(!noted.iter().any(|entry| entry.contains("tdk_") || entry.contains("between")), "{noted:?}");
    assert_eq!(
        noted,
        [
            "backend: DELETE /keys/{name} [shop] 200",
            "narrow: DELETE /keys/{name} [shop] 403",
            "narrow: GET /messages [] 403",
            "backend: POST /users/{userID}/tokens [alice] 200",
            "backend: POST /keys [shop users:read,rooms:read] 200",
            "backend: GET /keys [] 200",
            "backend: GET /events [as alice] 200",
            "backend: GET /messages/pinned [group g as alice] 200",
            "backend: POST /messages/search [as alice] 200",
            "backend: GET /users/{userID}/conversations [alice] 200",
            "backend: GET /messages [group g] 200",
            "backend: GET /messages [group g as alice] 200",
        ]
    );
}

/// Of those that are there after a restart no actor is awake.
#[tokio::test]
async fn rooms_and_groups_are_counted_as_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::builder().frozen().no_rates().folder(folder.path()).start();
    let mut alice = world.client("alice").await;
    for id in ["g1", "g2", "g3"] {
        alice.ok("createGroup", json!({"groupInfo": {"groupID": id, "groupName": "G"}, "userIDs": []})).await;
    }
    alice.ok("dismissGroup", json!({"groupID": "g2"})).await;
    alice.ok("createRoom", json!({"roomInfo": {"roomID": "r", "roomName": "R"}})).await;
    let figures = async |world: &World| {
        let stats = world.any_backend().ok("GET /stats", Value::Null).await;
        ApiKeyFile::of(&world.broker.config().server.data_dir).revoke("backend").unwrap();
        (stats["rooms"].clone(), stats["groups"].clone(), stats["atWork"].clone())
    };
    assert_eq!(figures(&world).await.0, 1);
    drop(alice);
    world.stop().await;

    let world = World::builder().frozen().no_rates().folder(folder.path()).start();
    let (rooms, groups, at_work) = figures(&world).await;
    assert_eq!((rooms, groups, &at_work["groups"]), (json!(1), json!(2), &json!(0)));
    let mut alice = world.client("alice").await;
    alice.ok("createGroup", json!({"groupInfo": {"groupID": "g4", "groupName": "G"}, "userIDs": []})).await;
    assert_eq!(figures(&world).await.1, 2, "not counted anew with every question");
    world.advance(Duration::from_secs(1));
    assert_eq!(figures(&world).await.1, 3);
}

#[tokio::test]
async fn each_setting_says_when_a_change_takes_effect_and_where_it_comes_from() {
    let world = World::start();
    let backend = world.any_backend();
    let told = backend.ok("GET /config", Value::Null).await;
    let of = |told: &Value, key: &str| told["settings"][key].clone();
    assert_eq!(of(&told, "limits.text_bytes_max"), json!({"reload": "now"}));
    assert_eq!(of(&told, "server.heartbeat_seconds"), json!({"reload": "later"}));
    assert_eq!(of(&told, "server.listen"), json!({"reload": "restart"}));
    assert_eq!(told["config"]["auth"]["secret"], "***");
    let settings = told["settings"].as_object().unwrap();
    for key in settings.keys() {
        assert!(key.split('.').try_fold(&told["config"], |part, name| part.get(name)).is_some(), "{key} has a value");
    }
    let origin = |from: &str| [("server.listen".to_owned(), from.to_owned()), ("auth.secret".to_owned(), "a file".to_owned())].into();
    world.broker.note_origins(origin("command line"), &[]);
    assert_eq!(of(&backend.ok("GET /config", Value::Null).await, "server.listen"), json!({"reload": "restart", "origin": "command line"}));
    // What a reload left as it was still comes from where it came from.
    world.broker.note_origins(origin("TIDINGS_SERVER__LISTEN"), &["server.listen".to_owned()]);
    let told = backend.ok("GET /config", Value::Null).await;
    assert_eq!(
        (of(&told, "server.listen")["origin"].clone(), of(&told, "auth.secret")["origin"].clone()),
        (json!("command line"), json!("a file"))
    );
}
