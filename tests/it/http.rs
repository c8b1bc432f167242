//! The routes beside the WebSocket, and who is let in.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Answer, Client, Login, To, World, fetch, soon};

/// A world without a configured secret: the demo's.
fn demo() -> World {
    World::with(|config| config.auth.secret = String::new())
}

#[tokio::test]
async fn the_page_and_its_files_are_served_with_a_policy_and_a_tag() {
    let world = World::start();
    for (path, kind) in [
        ("/", "text/html"),
        ("/page/page.css", "text/css"),
        ("/page/page.js", "text/javascript"),
        ("/sdk/tidings.js", "text/javascript"),
        ("/sdk/tidings.global.js", "text/javascript"),
        ("/sdk/tidings.d.ts", "text/plain"),
    ] {
        let response = fetch(world.address(), &format!("GET {path}"), &[], "").await;
        assert_eq!(response.status, 200, "{path}");
        assert!(response.header("content-type").starts_with(kind), "{path}: {response:?}");
        assert_eq!(response.header("x-content-type-options"), "nosniff");
        assert!(response.header("content-security-policy").contains("default-src 'none'"), "{path}");
        let tag = response.header("etag").to_owned();
        let again = fetch(world.address(), &format!("GET {path}"), &[("If-None-Match", &tag)], "").await;
        assert_eq!((again.status, again.body.as_str()), (304, ""), "{path}");
    }
    assert_eq!(fetch(world.address(), "GET /nothing", &[], "").await.status, 404);
}

#[tokio::test]
async fn every_file_the_page_names_is_there() {
    let world = World::start();
    let page = fetch(world.address(), "GET /", &[], "").await.body;
    let named = page.split(['"', '\'']).filter(|text| text.starts_with("page/") || text.starts_with("sdk/"));
    let mut count = 0;
    for path in named {
        assert_eq!(fetch(world.address(), &format!("GET /{path}"), &[], "").await.status, 200, "{path}");
        count += 1;
    }
    assert!(count >= 2, "the page names its script and style");
}

#[tokio::test]
async fn health_readiness_and_figures_are_told() {
    let world = World::builder().by_itself().start();
    let alive = fetch(world.address(), "GET /healthz", &[], "").await;
    assert_eq!((alive.status, alive.json()["status"].as_str()), (200, Some("alive")));
    let ready = fetch(world.address(), "GET /readyz", &[], "").await;
    assert_eq!((ready.status, ready.json()), (200, json!({"status": "ready"})));

    let _bob = world.client("bob-in-metrics").await;
    let mut alice = world.client("alice-in-metrics").await;
    alice.say(To::Peer("bob-in-metrics"), "x").await;
    let metrics = fetch(world.address(), "GET /metrics", &[("Accept", "application/openmetrics-text;version=1.0.0,*/*;q=0.1")], "").await;
    assert_eq!(metrics.status, 200);
    assert!(metrics.header("content-type").starts_with("application/openmetrics-text"), "{metrics:?}");
    assert!(metrics.body.ends_with("# EOF\n"));
    assert!(metrics.body.contains("tidings_sessions 2"), "{}", metrics.body);
    assert!(!metrics.body.contains("in-metrics"), "no user's name is in the figures");
    let stats = world.broker.stats();
    assert_eq!((stats.sessions, stats.users_online, stats.accepted, stats.delivered), (2, 2, [1, 0, 0], 1));
}

#[tokio::test]
async fn who_does_not_ask_for_open_metrics_gets_the_older_text() {
    let world = World::start();
    for accept in [&[][..], &[("Accept", "*/*")], &[("Accept", "text/plain; version=0.0.4")]] {
        let metrics = fetch(world.address(), "GET /metrics", accept, "").await;
        assert_eq!(metrics.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
        assert!(metrics.body.contains("# TYPE tidings_logins_total counter\n"), "{}", metrics.body);
        assert!(!metrics.body.contains("# EOF") && !metrics.body.contains(" info\n"), "{}", metrics.body);
        check_with_promtool(&metrics.body);
    }
}

/// Lets Prometheus's own tool read metrics, where it is installed.
fn check_with_promtool(text: &str) {
    let checking = std::process::Command::new("promtool").args(["check", "metrics"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let Ok(mut checking) = checking else {
        assert!(std::env::var_os("CI").is_none(), "promtool is missing");
        return;
    };
    checking.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let checked = checking.wait_with_output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

#[tokio::test]
async fn head_is_answered_as_get_is_and_has_no_body() {
    let world = World::start();
    let backend = world.any_backend();
    for path in
        ["/", "/healthz", "/readyz", "/metrics/alerts.yml", "/sdk/tidings.js", "/docs/", "/console", "/api/v1/users", "/api/v1/nothing"]
    {
        let (get, head) = match path.strip_prefix("/api/v1") {
            Some(rest) => (backend.call(&format!("GET {rest}"), &[], "").await, backend.call(&format!("HEAD {rest}"), &[], "").await),
            None => (
                fetch(world.address(), &format!("GET {path}"), &[], "").await,
                fetch(world.address(), &format!("HEAD {path}"), &[], "").await,
            ),
        };
        let about = |answer: &Answer| (answer.status, ["Content-Type", "Content-Length"].map(|name| answer.header(name).to_owned()));
        assert_eq!(about(&head), about(&get), "{path}");
        assert_eq!((head.body.as_str(), get.body.is_empty()), ("", false), "{path}");
    }
    // What never ends has no length, and its head is answered at once.
    let events = backend.call("HEAD /events", &[], "").await;
    assert_eq!((events.status, events.body.as_str()), (200, ""));
}

#[tokio::test]
async fn a_demo_token_logs_in_on_loopback_with_a_generated_secret() {
    let world = demo();
    let origin = format!("http://{}", world.address());
    let named = |user: &str| json!({"userID": user, "demoKey": world.broker.demo_key().unwrap()}).to_string();
    let response = fetch(world.address(), "POST /demo/token", &[("Origin", &origin)], &named("alice")).await;
    assert_eq!(response.status, 200, "{response:?}");
    let token = response.json()["token"].as_str().unwrap().to_owned();
    let mut alice = world.connect().await;
    alice.login(&token, Login { user: "alice", ..Login::default() }).await;

    for body in ["", "{}", "[]", "{\"userID\":7}", &named(""), &named("a b")] {
        let refused = fetch(world.address(), "POST /demo/token", &[("Origin", &origin)], body).await;
        assert_eq!((refused.status, refused.header("content-type")), (400, "application/problem+json"), "{body}");
        assert_eq!((&refused.json()["code"], &refused.json()["status"]), (&json!(6_000_001), &json!(400)), "{body}");
    }
}

#[tokio::test]
async fn demo_tokens_are_kept_from_foreign_pages_and_from_configured_brokers() {
    let world = demo();
    let own = world.address().to_string();
    let (origin, port) = (format!("http://{own}"), world.address().port());
    let named = format!("localhost:{port}");
    let rebound = format!("evil.example:{port}");
    let body = &*json!({"userID": "alice", "demoKey": world.broker.demo_key().unwrap()}).to_string();
    for (headers, status) in [
        (vec![("Origin", origin.as_str())], 200),
        (vec![("Host", named.as_str()), ("Origin", &*format!("http://{named}"))], 200),
        (vec![], 404),
        (vec![("Origin", "http://evil.example")], 404),
        (vec![("Origin", "null")], 404),
        (vec![("Origin", &*format!("http://{named}"))], 404),
        // A name that was pointed at this machine from outside.
        (vec![("Host", rebound.as_str()), ("Origin", &*format!("http://{rebound}"))], 404),
    ] {
        let response = fetch(world.address(), "POST /demo/token", &headers, body).await;
        assert_eq!(response.status, status, "{headers:?}: {response:?}");
    }
    for mark in ["Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP"] {
        let through = fetch(world.address(), "POST /demo/token", &[("Origin", &origin), (mark, "for=1")], body).await;
        assert_eq!(through.status, 404, "{mark}");
    }
    // A proxy on this machine that writes its own address into Host and adds nothing.
    for (key, kind) in [(None, "none"), (Some(""), "an empty one"), (Some(&world.broker.demo_key().unwrap()[1..]), "a part")] {
        let stranger = json!({"userID": "alice", "demoKey": key.unwrap_or_default()}).to_string();
        let body = if key.is_none() { "{\"userID\":\"alice\"}" } else { &*stranger };
        let refused = fetch(world.address(), "POST /demo/token", &[("Origin", &origin)], body).await;
        assert_eq!((refused.status, refused.header("content-type")), (403, "application/problem+json"), "{kind}");
        assert!(refused.body.contains("demo-key"), "{refused:?}");
    }
    let configured = World::start();
    let origin = format!("http://{}", configured.address());
    let refused = fetch(configured.address(), "POST /demo/token", &[("Origin", &origin)], body).await;
    assert_eq!((refused.status, refused.header("content-type")), (404, "application/problem+json"));
}

/// Sends a body whose length is told in the head, and the same again in chunks; returns status and code of both answers.
async fn told_and_chunked(world: &World, path: &str, body: &str) -> [(u16, serde_json::Value); 2] {
    let origin = format!("http://{}", world.address());
    let headers = [("Origin", origin.as_str()), ("Content-Type", "application/json")];
    let told = fetch(world.address(), &format!("POST {path}"), &headers, body).await;
    let half = body.len() / 2;
    let chunks = [&body[..half], &body[half..], ""].map(|chunk| format!("{:x}\r\n{chunk}\r\n", chunk.len())).concat();
    let host = world.address();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\
         Connection: close\r\n\r\n{chunks}"
    );
    let mut stream = TcpStream::connect(host).await.unwrap();
    // Whoever is refused early may be cut off while it still sends.
    let _sent_or_refused = stream.write_all(head.as_bytes()).await.is_ok();
    let mut answer = String::new();
    let _read = soon("an answer to chunks", stream.read_to_string(&mut answer)).await.is_ok();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("no answer: {answer:?}"));
    let problem = answer.find('{').and_then(|at| serde_json::from_str::<serde_json::Value>(&answer[at..=answer.rfind('}')?]).ok());
    [(told.status, told.json()["code"].clone()), (status, problem.unwrap_or_default()["code"].clone())]
}

#[tokio::test]
async fn who_asks_for_a_token_says_so_in_4_kib_and_a_password_in_8() {
    let world = World::builder()
        .by_itself()
        .config(|config| {
            config.auth.secret = String::new();
            config.console.attempts_per_minute = 1_000;
        })
        .start();
    let set_up = json!({"token": world.broker.console_link().unwrap().unwrap(), "password": "correct horse battery"}).to_string();
    assert_eq!(told_and_chunked(&world, "/console/setup", &set_up).await[0].0, 200);
    let token = json!({"userID": "alice", "demoKey": world.broker.demo_key().unwrap()}).to_string();
    let password = json!({"password": "wrong horse battery"}).to_string();
    let (good, wrong, long) = ((200, json!(null)), (401, json!(6_000_103)), (413, json!(6_000_001)));
    for (path, body, bytes_max, understood) in [("/demo/token", token, 4_096, good), ("/console/session", password, 8_192, wrong)] {
        // Space behind the object is no part of it.
        let of = |bytes: usize| format!("{body}{}", " ".repeat(bytes - body.len()));
        assert_eq!(told_and_chunked(&world, path, &of(bytes_max)).await, [understood.clone(), understood], "{path}");
        assert_eq!(told_and_chunked(&world, path, &of(bytes_max + 1)).await, [long.clone(), long.clone()], "{path}");
    }
}

#[tokio::test]
async fn a_websocket_is_for_pages_of_this_host_and_for_configured_ones() {
    let world = World::with(|config| config.server.origins = vec!["https://app.example".to_owned()]);
    let own = format!("http://{}", world.address());
    for origin in [own.as_str(), "https://app.example"] {
        assert!(Client::try_connect(world.address(), &[("origin", origin)]).await.is_ok(), "{origin}");
    }
    for origin in ["http://evil.example", "http://app.example", "null", "http://127.0.0.1"] {
        let (status, body) = Client::try_connect(world.address(), &[("origin", origin)]).await.err().unwrap();
        assert_eq!(status, 403, "{origin}");
        assert!(body.contains("server.origins"), "{body}");
    }
    let any = World::with(|config| config.server.origins = vec!["*".to_owned()]);
    assert!(Client::try_connect(any.address(), &[("origin", "http://evil.example")]).await.is_ok());
}

#[tokio::test]
async fn a_plain_request_for_the_websocket_is_refused() {
    let world = World::start();
    assert_eq!(fetch(world.address(), "GET /ws", &[], "").await.status, 400);
    assert_eq!(world.broker.stats().connections, 0);
}

async fn refused_with(world: &World, status: u16, key: &str) {
    let (got, body) = Client::try_connect(world.address(), &[]).await.err().expect("one connection too many");
    assert_eq!(got, status, "{body}");
    assert!(body.contains(key), "{body}");
}

#[tokio::test]
async fn one_connection_more_than_allowed_is_503() {
    let world = World::builder().by_itself().config(|config| config.server.connections_max = 2).start();
    let _alice = world.client("alice").await;
    let _bob = world.client("bob").await;
    refused_with(&world, 503, "server.connections_max").await;
}

#[tokio::test]
async fn one_connection_more_than_allowed_without_a_login_is_503() {
    let world = World::builder().frozen().config(|config| config.server.connections_unauthenticated_max = 1).start();
    let mut alice = world.connect().await;
    refused_with(&world, 503, "server.connections_unauthenticated_max").await;
    alice.login(&world.token("alice"), Login { user: "alice", ..Login::default() }).await;
    let _bob = world.client("bob").await;
}

#[tokio::test]
async fn one_connection_more_than_an_address_may_have_is_429() {
    let world = World::builder().by_itself().config(|config| config.server.connections_per_address_max = 2).start();
    let _alice = world.client("alice").await;
    let _bob = world.client("bob").await;
    refused_with(&world, 429, "server.connections_per_address_max").await;
}
