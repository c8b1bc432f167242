//! Who may call what: every route of the server API, with every kind of caller.

use serde_json::{Value, json};
use tidings::auth::{ApiKeyFile, Scope};

use crate::support::{World, call, fetch, problem};

/// Method, path and scope of every documented operation.
async fn operations(world: &World) -> Vec<(String, String, Option<Scope>)> {
    let document = fetch(world.address(), "GET /api/v1/openapi.json", &[], "").await.json();
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let scope = operation["security"][0]["key"][0].as_str().map(|name| Scope::parse(name).unwrap());
            operations.push((method.to_uppercase(), path.replace("{", "").replace("}", ""), scope));
        }
    }
    assert!(operations.len() > 45, "{operations:?}");
    operations
}

#[tokio::test]
async fn every_route_with_no_key_a_wrong_scope_a_users_token_and_the_right_key() {
    let world = World::with(|config| (config.api.requests_per_second, config.api.requests_burst) = (100_000, 100_000));
    let file = ApiKeyFile::of(&world.broker.config().server.data_dir);
    let right = file.make("right", vec![Scope::All], 0, 0).unwrap();
    let ended = file.make("ended", vec![Scope::All], 0, 1).unwrap();
    let user = world.token("alice");
    for (method, path, scope) in operations(&world).await {
        // The stream of events ends by itself.
        let query = if path == "/events" { "?seconds=0" } else { "" };
        let request = format!("{method} {path}{query}");
        let body = if method == "GET" || method == "DELETE" { "" } else { "{}" };
        let Some(scope) = scope else {
            assert_eq!(path, "/openapi.json", "the one call that needs no key, where it is shown");
            continue;
        };
        for (who, key) in [("nobody", None), ("nonsense", Some("tdk_x")), ("a user", Some(user.as_str())), ("an ended key", Some(&ended))] {
            let answer = call(&world, key, &request, &[], body).await;
            assert_eq!(problem(&answer), (401, 6_000_103), "{request} by {who}");
            assert_eq!(answer.header("WWW-Authenticate"), "Bearer", "{request} by {who}");
        }
        let others: Vec<Scope> = Scope::ALL.into_iter().filter(|other| *other != scope && *other != Scope::All).collect();
        let wrong = file.make("wrong", others, 0, 0).unwrap();
        assert_eq!(problem(&call(&world, Some(&wrong), &request, &[], body).await), (403, 6_000_541), "{request} with every other scope");
        let narrow = file.make("narrow", vec![scope], 0, 0).unwrap();
        for key in [&right, &narrow] {
            let answer = call(&world, Some(key), &request, &[], body).await;
            assert!(matches!(answer.status, 200 | 400 | 403 | 404 | 409), "{request}: {answer:?}");
            assert!(!answer.body.contains("lacks the scope"), "{request}: {answer:?}");
            if answer.status != 200 {
                problem(&answer);
            }
        }
        file.revoke("wrong").unwrap();
        file.revoke("narrow").unwrap();
    }
}

#[tokio::test]
async fn what_is_not_documented_is_not_served() {
    let world = World::start();
    let backend = world.any_backend();
    assert_eq!(backend.refused("GET /nothing", Value::Null).await.0, 404);
    assert_eq!(backend.refused("GET /", Value::Null).await.0, 404);
    let answer = backend.call("DELETE /users", &[], "").await;
    assert_eq!((problem(&answer).0, answer.header("Allow")), (405, "GET, POST"));
    let operations = operations(&world).await;
    for (_, path, _) in &operations {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "OPTIONS"] {
            if !operations.iter().any(|(allowed, other, _)| allowed == method && other == path) {
                assert_eq!(backend.call(&format!("{method} {path}"), &[], "").await.status, 405, "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn without_a_key_or_switched_off_there_is_no_server_api() {
    let world = World::start();
    let answer = call(&world, Some("tdk_x"), "GET /stats", &[], "").await;
    assert_eq!(problem(&answer).0, 401);
    assert!(answer.body.contains("tidings key new"), "{answer:?}");
    let off = World::with(|config| config.api.enabled = false);
    let backend = off.any_backend();
    assert_eq!(backend.call("GET /stats", &[], "").await.status, 404);
    assert_eq!(backend.call("GET /openapi.json", &[], "").await.status, 404);
}

#[tokio::test]
async fn bodies_are_json_bounded_and_understood() {
    let world = World::with(|config| config.api.body_bytes_max = 2_048);
    let backend = world.any_backend();
    let long = json!({"users": [{"userID": "a", "userName": "n".repeat(2_048)}]}).to_string();
    assert_eq!(problem(&backend.call("POST /users", &[], &long).await).0, 413);
    assert_eq!(problem(&backend.call("POST /users", &[("Content-Type", "text/plain")], "{}").await).0, 415);
    for (body, said) in [
        ("", "body is not an object"),
        ("[]", "body is not an object"),
        ("{", "body is not understood"),
        ("{} {}", "body is not understood"),
        (r#"{"users":[{"userID":7}]}"#, "users[0].userID is not understood"),
        (r#"{"users":[],"more":1}"#, "more is not understood: unknown field"),
        (r#"{"users":[]}"#, "users has 0 entries, the range is 1 to 100"),
    ] {
        let answer = backend.call("POST /users", &[("Content-Type", "application/json")], body).await;
        assert_eq!(problem(&answer), (400, 6_000_001), "{body}");
        assert!(answer.json()["detail"].as_str().unwrap().starts_with(said), "{body}: {answer:?}");
    }
    let array = json!({"fromUserID": "a", "message": [1, "x"]}).to_string();
    assert_eq!(backend.call("POST /broadcasts", &[], &array).await.status, 400, "a struct is no array");
    let query = backend.call("GET /users?limit=0", &[], "").await;
    assert!(query.status == 400 && query.body.contains("limit is 0, the range is 1 to 500"), "{query:?}");
    for query in ["limit=501", "limit=x", "cursor=%00", "more=1", "limit=1&limit=2", "limit=%ff", "%ff=1", "limit"] {
        assert_eq!(problem(&backend.call(&format!("GET /users?{query}"), &[], "").await).0, 400, "{query}");
    }
}

#[tokio::test]
async fn a_body_of_the_longest_length_passes_and_one_byte_more_does_not() {
    let world = World::with(|config| config.api.body_bytes_max = 1 << 20);
    let backend = world.any_backend();
    let call = r#"{"users":[{"userID":"alice"}]}"#;
    let padded = |bytes: usize| format!("{call}{}", " ".repeat(bytes - call.len()));
    assert_eq!(backend.call("POST /users", &[], &padded(1 << 20)).await.status, 200);
    let longer = backend.call("POST /users", &[], &padded((1 << 20) + 1)).await;
    assert_eq!(problem(&longer).0, 413);
    assert!(longer.body.contains("1048576"), "{longer:?}");
}

#[tokio::test]
async fn a_whole_number_is_one_however_it_is_written() {
    let world = World::start();
    let backend = world.any_backend();
    backend.ok("POST /users", json!({"users": [{"userID": "alice"}, {"userID": "bob"}]})).await;
    let call = r#"{"fromUserID":"alice","toConversationID":"bob","conversationType":0.0,"message":{"type":1e0,"message":"1.0"}}"#;
    let sent = backend.call("POST /messages", &[], call).await;
    assert_eq!((sent.status, &sent.json()["message"]["message"]), (200, &json!("1.0")), "{sent:?}");
    assert_eq!(problem(&backend.call("POST /messages", &[], &call.replace("0.0", "0.5")).await), (400, 6_000_001));
}

#[tokio::test]
async fn the_scheme_may_be_written_in_any_case() {
    let world = World::start();
    let key = ApiKeyFile::of(&world.broker.config().server.data_dir).make("any", vec![Scope::All], 0, 0).unwrap();
    for (authorization, status) in
        [(format!("bearer {key}"), 200), (format!("BEARER  {key}"), 200), (format!("Basic {key}"), 401), (key, 401)]
    {
        let answer = fetch(world.address(), "GET /api/v1/stats", &[("Authorization", &authorization)], "").await;
        assert_eq!(answer.status, status, "{authorization}");
    }
}

#[tokio::test]
async fn each_key_has_its_rate_and_is_told_when_to_come_again() {
    let world = World::builder().frozen().config(|config| (config.api.requests_per_second, config.api.requests_burst) = (2, 3)).start();
    let (one, two) = (world.backend("one", &[Scope::All]), world.backend("two", &[Scope::OpsRead]));
    for _ in 0..3 {
        one.ok("GET /stats", Value::Null).await;
    }
    let answer = one.call("GET /stats", &[], "").await;
    assert_eq!((problem(&answer), answer.header("Retry-After")), ((429, 6_000_005), "1"));
    two.ok("GET /stats", Value::Null).await;
    world.advance(std::time::Duration::from_millis(500));
    one.ok("GET /stats", Value::Null).await;
}
