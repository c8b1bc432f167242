//! Who has not proved who it is: sockets that hold places, bodies that hold memory, readers that do not read, and addresses that a
//! proxy names.
// It measures, and says what it measured.
#![allow(clippy::cast_possible_truncation, clippy::disallowed_methods, clippy::print_stdout)]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::json;
use tidings::config::Config;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use super::attackers::press;
use super::{Line, MIB, Program, Running, Watch, alone, soon};
use crate::support::{Client, Login, World, fetch};

/// What any attack may cost, beside what was there before.
const GROWTH_MAX: u64 = 32 * MIB;

const JSON: (&str, &str) = ("Content-Type", "application/json");

async fn program(settings: &[(&str, &str)]) -> (Program, Running) {
    let program = Program::with(&[&[("store.engine", "memory")], settings].concat());
    let running = program.run().await;
    // Whatever the first connections make the program load is not the attackers' doing.
    for n in 0..8 {
        Line::login(&program, running.address, &format!("early{n}")).await;
    }
    (program, running)
}

/// Returns how many sockets were cut for a reason.
async fn cut(running: &Running, reason: &str) -> u64 {
    running.metrics().await.sum("tidings_sockets_cut_total", &[&format!("reason=\"{reason}\"")])
}

/// Makes the head of a request with a body of so many bytes.
fn head(address: SocketAddr, request: &str, bytes: usize) -> String {
    format!("{request} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {bytes}\r\n\r\n")
}

/// 1,256 is what the places of all sockets without a login are by default.
#[tokio::test]
async fn sockets_whose_bodies_never_come_lock_nobody_out_and_end() {
    let _alone = alone().await;
    let (program, running) = program(&[]).await;
    let mut attackers = JoinSet::new();
    for n in 0..1_256 {
        let request = ["POST /demo/token", "POST /console/session", "POST /no/such/path", "GET /docs/"][n % 4];
        attackers.spawn(press(running.address, head(running.address, request, 100).into_bytes(), Vec::new(), 0));
    }
    let began = Instant::now();
    for n in 0..10 {
        let name = format!("honest{n}");
        let login = Line::login(&program, running.address, &name);
        soon("a login beside the sockets", login).await.ok("ping", json!({})).await;
    }
    println!("ten logins in {:.1?}", began.elapsed());
    let gave_way = cut(&running, "gave_way").await;
    assert!(gave_way > 0, "places were needed");
    soon("the end of every socket without a body", async { while attackers.join_next().await.is_some() {} }).await;
    println!("all sockets ended after {:.1?}", began.elapsed());
    let others = [cut(&running, "no_request").await, cut(&running, "slow_body").await];
    assert!(others.iter().sum::<u64>() > 0, "those that were left are told by what they did: {others:?}");
}

#[tokio::test]
async fn two_thousand_sessions_that_come_back_at_once_from_one_address_all_get_in() {
    let _alone = alone().await;
    let (program, running) = program(&[]).await;
    let tokens: Vec<String> = (0..2_000).map(|n| program.token(&format!("back{n}"))).collect();
    let began = Instant::now();
    let mut crowd = JoinSet::new();
    for (n, token) in tokens.into_iter().enumerate() {
        let address = running.address;
        crowd.spawn(async move {
            let mut client = Client::try_connect(address, &[]).await.unwrap_or_else(|refused| panic!("back{n}: {refused:?}"));
            client.login(&token, Login { user: &format!("back{n}"), device: "only", ..Login::default() }).await;
            client
        });
    }
    let clients = soon("every login", crowd.join_all()).await;
    assert_eq!(running.metrics().await.sum("tidings_sessions", &[]), clients.len() as u64);
    println!("2,000 logins in {:.1?}", began.elapsed());
}

#[tokio::test]
async fn an_oldest_websocket_without_a_login_gives_way_after_a_second_and_not_before() {
    let world = World::builder().frozen().config(|config| config.server.connections_unauthenticated_max = 1).start();
    let mut first = world.connect().await;
    let (status, body) = Client::try_connect(world.address(), &[]).await.err().expect("one too many");
    assert!(status == 503 && body.contains("server.connections_unauthenticated_max"), "{status} {body}");
    world.advance(Duration::from_secs(1));
    let mut alice = world.client("alice").await;
    first.ended().await;
    world.advance(Duration::from_secs(1));
    let _bob = world.client("bob").await;
    alice.ok("ping", json!({})).await;
}

/// A body that stops, one that drips, and one of chunks that nobody asked for and that never ends.
#[tokio::test]
async fn a_body_has_a_deadline_and_a_pace_on_every_route() {
    let world = World::with(|config| {
        config.server.request_head_seconds = 1;
        config.server.request_body_seconds = 1;
    });
    let address = world.address();
    let answer = |request: String| async move {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ended = soon("the end of a socket", stream.read_to_end(&mut answer)).await;
        String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
    };
    let chunked = |request: &str| format!("{request} HTTP/1.1\r\nHost: {address}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    let (stops, for_page, for_nothing) = tokio::join!(
        answer(head(address, "POST /console/session", 100)),
        answer(chunked("GET /docs/")),
        answer(chunked("POST /no/such/path")),
    );
    assert!(stops.starts_with("HTTP/1.1 408"), "{stops}");
    assert!(for_page.starts_with("HTTP/1.1 200"), "{for_page}");
    assert!(for_nothing.starts_with("HTTP/1.1 404"), "{for_nothing}");
    assert!(world.broker.metrics_text().contains("tidings_sockets_cut_total{reason=\"slow_body\"} 1"), "the one whose body was read");
}

#[tokio::test]
async fn a_socket_for_which_no_place_is_left_in_time_is_cut_and_counted() {
    let world = World::builder().frozen().config(|config| {
        config.server.connections_unauthenticated_per_address_max = 1;
        config.server.login_timeout_seconds = 1;
    });
    let world = world.start();
    assert!(world.broker.metrics_text().contains("tidings_sockets_cut_total{reason=\"no_place\"} 0"), "counted from the start on");
    let _first = world.connect().await;
    let mut second = TcpStream::connect(world.address()).await.unwrap();
    let ended = soon("the end of the second", second.read(&mut [0; 16])).await;
    assert!(!matches!(ended, Ok(1..)), "{ended:?}");
    assert!(world.broker.metrics_text().contains("tidings_sockets_cut_total{reason=\"no_place\"} 1"));
}

#[tokio::test]
async fn what_strangers_send_is_short_and_shares_one_budget() {
    let world = World::with(|config| {
        config.server.unauthenticated_body_bytes_max = 65_536;
        config.server.request_body_seconds = 600;
    });
    let address = world.address();
    assert_eq!(fetch(address, "POST /console/session", &[JSON], &"x".repeat(8_193)).await.status, 413);
    // Nine of these are more than there is; the tenth byte of each never comes.
    let mut held = Vec::new();
    for _ in 0..9 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let body = "x".repeat(7_900);
        stream.write_all(format!("{}{body}", head(address, "POST /console/session", 8_000)).as_bytes()).await.unwrap();
        held.push(stream);
    }
    let mut full = 0;
    for stream in &mut held {
        let mut line = [0; 12];
        // Those that got their part wait for the rest of the body.
        if tokio::time::timeout(Duration::from_secs(1), stream.read_exact(&mut line)).await.is_ok() {
            assert_eq!(&line, b"HTTP/1.1 503");
            full += 1;
        }
    }
    assert_eq!(full, 1);
    drop(held);
}

#[tokio::test]
async fn unfinished_bodies_of_strangers_cost_little_memory() {
    let _alone = alone().await;
    let secret = "0123456789abcdef0123456789abcdef";
    let vendor =
        [("vendor_api.enabled", "true"), ("vendor_api.server_secret", secret), ("vendor_api.signature", "both"), ("auth.app_id", "7")];
    let (program, running) = program(&vendor).await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let call = |n: usize, digits: usize| {
        let signature = "0".repeat(digits);
        format!("POST /?Action=SendPeerMessage&AppId=7&Timestamp={now}&SignatureNonce=n{n}&SignatureVersion=2.0&Signature={signature}")
    };
    let watch = Watch::on(running.pid());
    let mut attackers = JoinSet::new();
    for n in 0..1_200 {
        let request = match n % 5 {
            0 => "POST /demo/token".to_owned(),
            1 => "POST /console/session".to_owned(),
            2 => call(n, 32),
            3 => call(n, 64),
            _ => "POST /api/v1/users".to_owned(),
        };
        // All but the last bytes.
        attackers.spawn(press(running.address, head(running.address, &request, 256 * 1024).into_bytes(), vec![b'x'; 10_240], 25));
    }
    let mut honest = soon("a login", Line::login(&program, running.address, "honest")).await;
    soon("the end of the bodies", async { while attackers.join_next().await.is_some() {} }).await;
    honest.ok("ping", json!({})).await;
    println!("memory +{} KiB", watch.growth() / 1024);
    assert!(watch.growth() <= GROWTH_MAX, "memory grew by {} bytes", watch.growth());
}

#[tokio::test]
async fn readers_that_do_not_read_cost_little_memory_and_are_cut() {
    let _alone = alone().await;
    let (program, running) = program(&[("shed.stalled_seconds", "3")]).await;
    let address = running.address;
    let watch = Watch::on(running.pid());
    let mut readers = JoinSet::new();
    for _ in 0..900 {
        readers.spawn(async move {
            let socket = TcpSocket::new_v4().unwrap();
            socket.set_recv_buffer_size(4_096).unwrap();
            let mut stream = socket.connect(address).await.unwrap();
            // More than the kernel keeps.
            let request = format!("GET /sdk/tidings.js HTTP/1.1\r\nHost: {address}\r\n\r\n").repeat(100);
            let _written_or_cut = stream.write_all(request.as_bytes()).await.is_ok();
            // Looks whether it was cut without reading what came.
            while stream.write_all(b"\r\n").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        });
    }
    let mut honest = soon("a login", Line::login(&program, address, "honest")).await;
    soon("the end of the readers", async { while readers.join_next().await.is_some() {} }).await;
    honest.ok("ping", json!({})).await;
    println!("memory +{} KiB", watch.growth() / 1024);
    assert!(watch.growth() <= GROWTH_MAX, "memory grew by {} bytes", watch.growth());
    assert!(cut(&running, "slow_reader").await > 0);
}

fn trusting(config: &mut Config) {
    config.server.trusted_proxies = vec!["127.0.0.0/8".to_owned()];
}

async fn from(world: &World, client: &str) -> Result<Client, (u16, String)> {
    Client::try_connect(world.address(), &[("x-forwarded-for", client)]).await
}

#[tokio::test]
async fn a_proxys_clients_are_counted_by_their_own_addresses() {
    for is_trusted in [true, false] {
        let world = World::with(|config| {
            config.server.connections_per_address_max = 2;
            if is_trusted {
                trusting(config);
            }
        });
        let _first = from(&world, "203.0.113.1").await.ok().unwrap();
        let _second = from(&world, "9.9.9.9, 203.0.113.1").await.ok().unwrap();
        let third = from(&world, "203.0.113.1, 127.0.0.3").await;
        let other = from(&world, "203.0.113.2").await;
        let refused = third.err().expect("one too many of an address");
        assert!(refused.0 == 429 && refused.1.contains("server.connections_per_address_max"), "{refused:?}");
        assert_eq!(other.is_ok(), is_trusted, "without trust all are the proxy's");
    }
}

#[tokio::test]
async fn a_proxys_clients_without_a_login_are_counted_by_their_own_addresses() {
    let world = World::builder().frozen().config(trusting).config(|config| config.server.connections_unauthenticated_per_address_max = 2);
    let world = world.start();
    let mut first = from(&world, "203.0.113.1").await.ok().unwrap();
    let mut second = from(&world, "203.0.113.1").await.ok().unwrap();
    let refused = from(&world, "203.0.113.1").await.err().expect("one too many without a login");
    assert!(refused.0 == 429 && refused.1.contains("server.connections_unauthenticated_per_address_max"), "{refused:?}");
    let _other = from(&world, "203.0.113.2").await.ok().unwrap();
    second.login(&world.token("bob"), Login { user: "bob", ..Login::default() }).await;
    let _third = from(&world, "203.0.113.1").await.expect("whoever logged in needs no place");
    world.advance(Duration::from_secs(1));
    let _fourth = from(&world, "203.0.113.1").await.ok().unwrap();
    first.ended().await;
    second.ok("ping", json!({})).await;
}

#[tokio::test]
async fn attempts_at_the_consoles_password_and_its_audit_log_are_of_the_proxys_client() {
    let world = World::builder().frozen().config(trusting).config(|config| config.console.attempts_per_minute = 2).start();
    let set_up = json!({"token": world.broker.console_link().unwrap().unwrap(), "password": "correct horse battery"});
    assert_eq!(fetch(world.address(), "POST /console/setup", &[JSON], &set_up.to_string()).await.status, 200);
    let attempt = async |client: &str, password: &str| {
        let body = json!({"password": password}).to_string();
        fetch(world.address(), "POST /console/session", &[JSON, ("Forwarded", &format!("for=\"{client}\""))], &body).await
    };
    for status in [401, 401, 429] {
        assert_eq!(attempt("[2001:db8::1]:4711", "wrong").await.status, status);
    }
    let let_in = attempt("203.0.113.2", "correct horse battery").await;
    assert_eq!(let_in.status, 200, "{let_in:?}");
    let cookie = let_in.header("set-cookie").split(';').next().unwrap().to_owned();
    let log = fetch(world.address(), "GET /api/v1/audit", &[("Cookie", &cookie)], "").await;
    for who in ["console@2001:db8::1", "console@203.0.113.2", "console@127.0.0.1"] {
        assert!(log.body.contains(&format!("\"{who}\"")), "{who}: {log:?}");
    }
}

const PRIVATE: [&str; 4] = ["/metrics", "/metrics/dashboard.json", "/metrics/alerts.yml", "/api/v1/openapi.json"];

#[tokio::test]
async fn metrics_and_the_apis_description_are_for_the_operator() {
    let statuses = async |address: SocketAddr, base: &str, headers: &[(&str, &str)]| {
        let mut statuses = Vec::new();
        for path in PRIVATE {
            statuses.push(fetch(address, &format!("GET {base}{path}"), headers, "").await.status);
        }
        statuses
    };
    let open = World::start();
    assert_eq!(statuses(open.address(), "", &[]).await, [200; 4], "metrics_public");
    let closed = World::with(|config| config.server.metrics_public = false);
    assert_eq!(statuses(closed.address(), "", &[("X-Forwarded-For", "127.0.0.1")]).await, [404; 4]);
    let refused = fetch(closed.address(), "GET /metrics", &[], "").await;
    assert!(refused.header("content-type") == "application/problem+json" && refused.body.contains("server.private_listen"), "{refused:?}");
    for path in ["/healthz", "/readyz", "/sdk/tidings.js"] {
        assert_eq!(fetch(closed.address(), &format!("GET {path}"), &[], "").await.status, 200, "{path}");
    }
    let mounted = World::builder().mounted().config(|config| config.server.metrics_public = false).start();
    assert_eq!(statuses(mounted.address(), "/im", &[]).await, [404; 4]);
    let demo = World::with(|config| {
        config.server.metrics_public = false;
        config.auth.secret.clear();
    });
    assert_eq!(statuses(demo.address(), "", &[]).await, [200; 4], "loopback and a generated secret");
}

#[tokio::test]
async fn the_private_address_shows_what_the_other_does_not() {
    let program =
        Program::with(&[("store.engine", "memory"), ("server.metrics_public", "false"), ("server.private_listen", "127.0.0.1:0")]);
    let running = program.run().await;
    let started = program.logged("started").await;
    let private = started["private"].as_str().and_then(|url| url.strip_prefix("http://")?.strip_suffix("/metrics"));
    let (private, public) = (private.expect("a private address").parse::<SocketAddr>().unwrap(), running.address);
    for path in PRIVATE {
        let request = format!("GET {path}");
        assert_eq!((fetch(private, &request, &[], "").await.status, fetch(public, &request, &[], "").await.status), (200, 404), "{path}");
    }
    assert!(fetch(private, "GET /metrics", &[], "").await.body.contains("tidings_sessions"));
    assert_eq!(fetch(private, "GET /readyz", &[], "").await.status, 200);
    for request in ["GET /ws", "GET /", "POST /demo/token", "GET /api/v1/users", "GET /console"] {
        assert_eq!(fetch(private, request, &[], "").await.status, 404, "{request}");
    }
}

#[tokio::test]
async fn the_port_that_a_scheme_has_anyway_makes_no_other_origin() {
    let world = World::start();
    let connect =
        async |host: &'static str, origin: &'static str| Client::try_connect(world.address(), &[("host", host), ("origin", origin)]).await;
    for (host, origin) in [("x:443", "https://x"), ("x", "https://x:443"), ("x:80", "http://x"), ("x", "https://x"), ("x", "http://x")] {
        assert!(connect(host, origin).await.is_ok(), "{origin} at {host}");
    }
    for (host, origin) in [("x:443", "https://y"), ("x:443", "http://x"), ("x:7080", "https://x"), ("x:80", "https://x")] {
        let refused: (u16, String) = connect(host, origin).await.err().expect("a foreign origin");
        assert_eq!(refused.0, 403, "{origin} at {host}");
    }
}
