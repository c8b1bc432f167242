//! The console: how an operator signs in, how long a session lasts, what it may ask, and what is logged of it.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use serde_json::{Value, json};
use tidings::clock::{Clock as _, ManualClock};
use tidings::config::Config;
use tidings::console::ConsoleFile;

use crate::support::{Answer, T0, World, fetch};

const PASSWORD: &str = "correct horse battery";
const JSON: (&str, &str) = ("Content-Type", "application/json");

/// What a browser keeps of a session.
#[derive(Debug, Clone)]
struct Signed {
    cookie: String,
    csrf: String,
}

impl Signed {
    fn of(answer: &Answer) -> Self {
        assert_eq!(answer.status, 200, "{answer:?}");
        let cookie = answer.header("set-cookie").split(';').next().unwrap().to_owned();
        Self { cookie, csrf: answer.json()["csrf"].as_str().unwrap().to_owned() }
    }
}

/// A console below a path; the broker's own server has it at the top.
struct Door<'a> {
    world: &'a World,
    at: &'static str,
}

impl Door<'_> {
    async fn ask(&self, request: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let (method, path) = request.split_once(' ').unwrap();
        let body = if body.is_null() { String::new() } else { body.to_string() };
        fetch(self.world.address(), &format!("{method} {}{path}", self.at), headers, &body).await
    }

    async fn set_up(&self, token: &str, password: &str) -> Answer {
        self.ask("POST /console/setup", &[JSON], &json!({"token": token, "password": password})).await
    }

    async fn log_in(&self, password: &str) -> Answer {
        self.ask("POST /console/session", &[JSON], &json!({"password": password})).await
    }

    async fn get(&self, path: &str, signed: &Signed) -> Answer {
        self.ask(&format!("GET {path}"), &[("Cookie", &signed.cookie)], &Value::Null).await
    }

    /// Sends a write as the page does.
    async fn write(&self, request: &str, signed: &Signed, body: &Value) -> Answer {
        self.ask(request, &[JSON, ("Cookie", &signed.cookie), ("X-Tidings-CSRF", &signed.csrf)], body).await
    }

    /// Sets the password and signs in.
    async fn open(&self) -> Signed {
        let token = self.world.broker.console_link().unwrap().expect("there is no password yet");
        Signed::of(&self.set_up(&token, PASSWORD).await)
    }

    async fn is_in(&self, signed: &Signed) -> bool {
        let state = self.get("/console/session", signed).await.json();
        let api = self.get("/api/v1/stats", signed).await.status;
        assert_eq!(state["isSignedIn"] == true, api == 200, "the page and the server API agree");
        api == 200
    }
}

fn door(world: &World) -> Door<'_> {
    Door { world, at: "" }
}

fn generous(config: &mut Config) {
    config.console.attempts_per_minute = 1_000;
    config.console.attempts_per_minute_in_all = 1_000;
}

#[tokio::test]
async fn the_link_sets_the_password_once_and_then_only_the_password_opens() {
    let world = World::with(generous);
    let door = door(&world);
    let before = door.ask("GET /console/session", &[], &Value::Null).await;
    assert_eq!((&before.json()["isSetUp"], &before.json()["isSignedIn"]), (&json!(false), &json!(false)));
    assert_eq!(before.header("cache-control"), "no-store");
    assert_eq!(door.log_in(PASSWORD).await.status, 409, "there is none to compare with");

    let first = world.broker.console_link().unwrap().unwrap();
    let token = world.broker.console_link().unwrap().unwrap();
    assert_eq!(door.set_up(&first, PASSWORD).await.status, 401, "a newer link was made");
    assert_eq!(door.set_up("nonsense", PASSWORD).await.status, 401);
    let short = door.set_up(&token, "eleven char").await;
    assert_eq!(short.status, 400);
    assert!(short.body.contains("11 characters") && short.body.contains("12"), "{}", short.body);
    let signed = Signed::of(&door.set_up(&token, PASSWORD).await);
    assert!(door.is_in(&signed).await);

    assert_eq!(door.set_up(&token, "another password").await.status, 401, "once");
    assert_eq!(world.broker.console_link().unwrap(), None, "there is a password");
    for wrong in ["", "wrong", "correct horse batterY", &"x".repeat(2_000)] {
        let refused = door.log_in(wrong).await;
        assert_eq!((refused.status, refused.header("set-cookie")), (401, ""), "{refused:?}");
        assert_eq!(refused.header("content-type"), "application/problem+json");
    }
    let again = Signed::of(&door.log_in(PASSWORD).await);
    assert_ne!((again.cookie, again.csrf), (signed.cookie, signed.csrf));
}

#[tokio::test]
async fn of_many_that_use_the_link_at_a_time_one_sets_the_password() {
    let world = World::with(generous);
    let door = door(&world);
    let token = world.broker.console_link().unwrap().unwrap();
    let passwords: Vec<String> = (0..6).map(|n| format!("the password of number {n}")).collect();
    let answers = futures_util::future::join_all(passwords.iter().map(|password| door.set_up(&token, password))).await;
    let mut winners = Vec::new();
    for (answer, password) in answers.iter().zip(&passwords) {
        assert!(matches!(answer.status, 200 | 401), "{answer:?}");
        if answer.status == 200 {
            winners.push(password);
        }
    }
    assert_eq!(winners.len(), 1, "{winners:?}");
    assert_eq!(door.log_in(winners[0]).await.status, 200);
}

#[tokio::test]
async fn a_link_is_good_for_half_an_hour() {
    let world = World::builder().frozen().config(generous).start();
    let door = door(&world);
    let token = world.broker.console_link().unwrap().unwrap();
    world.advance(Duration::from_secs(30 * 60));
    assert_eq!(door.set_up(&token, PASSWORD).await.status, 401);
    let token = world.broker.console_link().unwrap().unwrap();
    world.advance(Duration::from_secs(30 * 60 - 1));
    assert_eq!(door.set_up(&token, PASSWORD).await.status, 200);
}

#[tokio::test]
async fn only_the_hash_of_the_password_is_kept_and_for_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::builder().folder(folder.path()).config(generous).start();
    let signed = door(&world).open().await;
    world.stop().await;
    let path = folder.path().join("console.json");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("$argon2id$v=19$m=19456,t=2,p=1$") && !text.contains(PASSWORD), "{text}");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let log = std::fs::read_to_string(folder.path().join("audit.log")).unwrap();
    for secret in [PASSWORD, signed.csrf.as_str(), signed.cookie.split_once('=').unwrap().1] {
        assert!(!log.contains(secret) && !text.contains(secret));
    }

    let world = World::builder().folder(folder.path()).config(generous).start();
    let door = door(&world);
    assert_eq!(world.broker.console_link().unwrap(), None);
    assert!(!door.is_in(&signed).await, "sessions end with the process");
    assert_eq!(door.log_in(PASSWORD).await.status, 200);
}

#[tokio::test]
async fn a_reset_ends_every_session_and_its_link_sets_a_new_password() {
    let folder = tempfile::tempdir().unwrap();
    let clock = std::sync::Arc::new(ManualClock::at(T0));
    let world = World::builder().clock(clock.clone()).folder(folder.path()).config(generous).start();
    let door = door(&world);
    let signed = door.open().await;
    assert!(door.is_in(&signed).await);
    let token = ConsoleFile::of(folder.path()).reset(clock.wall_ms()).unwrap();
    world.advance(Duration::from_secs(1));
    assert!(!door.is_in(&signed).await);
    assert_eq!(door.log_in(PASSWORD).await.status, 409);
    assert_eq!(door.set_up(&token, "a new password").await.status, 200);
    assert_eq!(door.set_up(&token, "a third password").await.status, 401);
    assert_eq!((door.log_in(PASSWORD).await.status, door.log_in("a new password").await.status), (401, 200));

    let token = ConsoleFile::of(folder.path()).reset(clock.wall_ms()).unwrap();
    world.advance(Duration::from_secs(30 * 60));
    assert_eq!(door.set_up(&token, "a third password").await.status, 401, "too old");
}

#[tokio::test]
async fn sessions_end_when_they_are_not_used_and_at_last_in_any_case() {
    let short = |config: &mut Config| {
        generous(config);
        (config.console.session_idle_seconds, config.console.session_seconds) = (600, 1_500);
    };
    let world = World::builder().frozen().config(short).start();
    let door = door(&world);
    let used = door.open().await;
    let idle = Signed::of(&door.log_in(PASSWORD).await);
    for _ in 0..2 {
        world.advance(Duration::from_secs(599));
        assert!(door.is_in(&used).await);
    }
    assert!(!door.is_in(&idle).await);
    world.advance(Duration::from_secs(1_500 - 2 * 599));
    assert!(!door.is_in(&used).await, "12 hours by default, here 1500 s, however busy");
    let answer = door.get("/api/v1/stats", &used).await;
    assert_eq!((answer.status, answer.header("content-type")), (401, "application/problem+json"));
}

#[tokio::test]
async fn the_cookie_is_kept_from_scripts_and_other_sites() {
    let flags = |answer: &Answer| answer.header("set-cookie").split("; ").skip(1).map(str::to_owned).collect::<Vec<_>>();
    let name = |answer: &Answer| answer.header("set-cookie").split('=').next().unwrap().to_owned();
    let behind_a_proxy = |config: &mut Config| {
        generous(config);
        config.server.trusted_proxies = vec!["127.0.0.1".to_owned()];
    };
    let own = World::with(behind_a_proxy);
    let mounted = World::builder().mounted().config(behind_a_proxy).start();
    for (world, at, over_tls) in [(&own, "", "__Host-tidings-console"), (&mounted, "/im", "__Secure-tidings-console")] {
        let door = Door { world, at };
        let path = format!("Path={at}/");
        let signed = door.open().await;
        assert!(door.is_in(&signed).await);
        let plain = door.log_in(PASSWORD).await;
        assert_eq!(
            (name(&plain).as_str(), flags(&plain)),
            ("tidings-console", vec![path.clone(), "HttpOnly".into(), "SameSite=Strict".into()])
        );
        // A proxy that ends TLS says so.
        let tls = door.ask("POST /console/session", &[JSON, ("X-Forwarded-Proto", "https")], &json!({"password": PASSWORD})).await;
        let expected = vec![path, "HttpOnly".into(), "SameSite=Strict".into(), "Secure".into()];
        assert_eq!((name(&tls).as_str(), flags(&tls)), (over_tls, expected));
        assert!(door.is_in(&Signed::of(&tls)).await);
    }
}

#[tokio::test]
async fn a_write_needs_the_sessions_own_csrf_token_and_no_foreign_origin() {
    let world = World::with(generous);
    let door = door(&world);
    let (signed, other) = (door.open().await, Signed::of(&door.log_in(PASSWORD).await));
    let body = json!({"users": [{"userID": "carol"}]});
    let host = format!("http://{}", world.address());
    let cookie = ("Cookie", signed.cookie.as_str());
    let right = ("X-Tidings-CSRF", signed.csrf.as_str());
    let refused: &[&[(&str, &str)]] = &[
        &[JSON, cookie],
        &[JSON, cookie, ("X-Tidings-CSRF", "")],
        &[JSON, cookie, ("X-Tidings-CSRF", &other.csrf)],
        &[JSON, cookie, ("X-Tidings-CSRF", &signed.csrf[1..])],
        &[JSON, cookie, right, ("Origin", "https://evil.example")],
        &[JSON, cookie, right, ("Origin", "null")],
        &[JSON, cookie, right, ("Sec-Fetch-Site", "cross-site")],
        &[JSON, cookie, right, ("Sec-Fetch-Site", "same-site")],
    ];
    for headers in refused {
        let answer = door.ask("POST /api/v1/users", headers, &body).await;
        assert_eq!((answer.status, answer.json()["code"].as_u64()), (403, Some(6_000_541)), "{headers:?}: {answer:?}");
    }
    assert_eq!(door.get("/api/v1/users/carol", &signed).await.status, 404, "nothing was done");
    let own = door.ask("POST /api/v1/users", &[JSON, cookie, right, ("Origin", &host), ("Sec-Fetch-Site", "same-origin")], &body).await;
    assert_eq!(own.status, 200, "{own:?}");
    assert_eq!(door.get("/api/v1/users/carol", &signed).await.status, 200);

    for headers in [&[JSON, ("Origin", "https://evil.example")][..], &[("Content-Type", "text/plain")], &[]] {
        let answer = door.ask("POST /console/session", headers, &json!({"password": PASSWORD})).await;
        assert!(matches!(answer.status, 403 | 415), "{headers:?}: {answer:?}");
        assert_eq!(answer.header("set-cookie"), "");
    }
    let out = door.ask("DELETE /console/session", &[cookie], &Value::Null).await;
    assert_eq!(out.status, 403, "another site signs nobody out");
    assert!(door.is_in(&signed).await);
}

#[tokio::test]
async fn signing_out_ends_the_session_and_what_it_still_hears() {
    let world = World::builder().by_itself().config(generous).start();
    let door = door(&world);
    let signed = door.open().await;
    let other = Signed::of(&door.log_in(PASSWORD).await);
    let address = world.address();
    let cookie = signed.cookie.clone();
    // Without its session the stream ends; a valid session would keep it open for an hour.
    let hearing = tokio::spawn(async move { fetch(address, "GET /api/v1/events?seconds=3600", &[("Cookie", &cookie)], "").await });
    let mut events = world.broker.subscribe();
    let _alice = world.client("alice").await;
    crate::support::heard(&mut events, "alice", |event| matches!(event, tidings::Event::SessionStarted { .. })).await;
    let out = door.write("DELETE /console/session", &signed, &Value::Null).await;
    assert_eq!(out.status, 200);
    assert!(out.header("set-cookie").contains("tidings-console=;") && out.header("set-cookie").contains("Max-Age=0"), "{out:?}");
    assert!(!door.is_in(&signed).await && door.is_in(&other).await);
    // The next event is not told any more: the stream ends instead.
    let _bob = world.client("bob").await;
    let heard = hearing.await.unwrap();
    assert!(!heard.body.contains("\"bob\""), "{heard:?}");
    assert_eq!(door.write("POST /api/v1/users", &signed, &json!({"users": [{"userID": "carol"}]})).await.status, 401);
}

#[tokio::test]
async fn attempts_are_limited_and_come_back_with_time() {
    let world = World::builder().frozen().start();
    let door = door(&world);
    let signed = door.open().await;
    for _ in 0..4 {
        assert_eq!(door.log_in("wrong").await.status, 401);
    }
    let refused = door.log_in(PASSWORD).await;
    assert_eq!((refused.status, refused.json()["code"].as_u64()), (429, Some(6_000_005)), "the right one waits, too");
    assert_eq!(refused.header("retry-after"), "60");
    assert!(door.is_in(&signed).await, "who is in stays in");
    world.advance(Duration::from_secs(60));
    assert_eq!(door.log_in(PASSWORD).await.status, 200);
}

#[tokio::test]
async fn who_came_in_and_what_was_changed_is_in_the_audit_log() {
    let world = World::builder().frozen().start();
    let door = door(&world);
    let signed = door.open().await;
    door.log_in("wrong").await;
    world.advance(Duration::from_secs(1));
    door.write("POST /api/v1/users", &signed, &json!({"users": [{"userID": "carol"}]})).await;
    door.write("PUT /api/v1/users/carol/ban", &signed, &json!({"reason": "spam"})).await;
    door.write("POST /api/v1/sessions/none/kick", &signed, &Value::Null).await;
    door.get("/api/v1/users/carol", &signed).await;
    door.write("DELETE /console/session", &signed, &Value::Null).await;
    world.advance(Duration::from_secs(60));
    let again = Signed::of(&door.log_in(PASSWORD).await);

    let page = door.get("/api/v1/audit?limit=5", &again).await.json();
    let rest = door.get(&format!("/api/v1/audit?limit=5&cursor={}", page["nextCursor"].as_str().unwrap()), &again).await.json();
    assert_eq!(rest.get("nextCursor"), None);
    let both = [&page["auditList"], &rest["auditList"]].map(|list| list.as_array().unwrap().clone()).concat();
    let told: Vec<(u64, &str, &str, u64)> = both
        .iter()
        .map(|one| {
            assert_eq!(one["who"], "console@127.0.0.1");
            let text = |field: &str| one[field].as_str().unwrap();
            (one["time"].as_u64().unwrap() - T0, text("action"), text("target"), one["status"].as_u64().unwrap())
        })
        .collect();
    let expected = [
        (61_000, "console.login", "", 200),
        (1_000, "console.logout", "", 200),
        (1_000, "POST /sessions/{sessionID}/kick", "none", 404),
        (1_000, "PUT /users/{userID}/ban", "carol", 200),
        (1_000, "POST /users", "", 200),
        (0, "console.login", "", 401),
        (0, "console.setup", "", 200),
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn the_page_is_served_with_a_policy_that_lets_no_script_in() {
    let mounted = World::builder().mounted().config(generous).start();
    let get = async |path: &str| fetch(mounted.address(), &format!("GET {path}"), &[], "").await;
    let page = get("/im/console").await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    let policy = page.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("trusted-types 'none'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!((page.header("x-content-type-options"), page.header("referrer-policy")), ("nosniff", "no-referrer"));
    let slash = get("/im/console/").await;
    assert_eq!((slash.status, slash.header("location")), (308, "/im/console"));
    for file in page.body.split('"').filter(|text| text.starts_with("console/") || text.starts_with("page/")) {
        assert_eq!(get(&format!("/im/{file}")).await.status, 200, "{file}");
    }
}

#[tokio::test]
async fn switched_off_there_is_no_console() {
    let world = World::with(|config| config.console.enabled = false);
    assert_eq!(world.broker.console_link().unwrap(), None);
    let door = door(&world);
    for request in ["GET /console", "GET /console/console.js", "GET /console/session"] {
        assert_eq!(door.ask(request, &[], &Value::Null).await.status, 404, "{request}");
    }
    assert_eq!(door.set_up("token", PASSWORD).await.status, 404);
}
