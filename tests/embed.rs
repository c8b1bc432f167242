#![allow(clippy::unwrap_used, missing_docs)]
//! How to put a broker into a server of your own. Reads from top to bottom; both tests run.

use std::time::Duration;

use actix_web::{App, HttpServer, web};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tidings::config::{Config, StoreEngine};
use tidings::hooks::{Authenticator, LoginRequest, Recognised};
use tidings::model::Limits;
use tidings::{Broker, Draft, Event, Eviction, Refusal, Target, UserId};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

/// How long a stop may take: half of it for writes, half for connections.
const GRACE: Duration = Duration::from_secs(10);

/// Who your users are is yours to say: here the token is the name backwards, in yours perhaps a session's cookie.
struct MyUsers;

impl Authenticator for MyUsers {
    async fn authenticate(&self, request: LoginRequest) -> Result<Recognised, Refusal> {
        let is_right = request.token.chars().rev().eq(request.user.as_str().chars());
        if is_right { Ok(Recognised { expires_at_ms: u64::MAX }) } else { Err(Refusal::TokenInvalid) }
    }
}

/// Your own settings, over the documented defaults of `config.toml`.
fn config(folder: &std::path::Path) -> Config {
    let mut config = Config::default();
    config.server.data_dir = folder.to_owned();
    config.store.engine = StoreEngine::Sled;
    config
}

fn user(id: &str) -> UserId {
    UserId::parse("userID", id, &Limits::default()).unwrap()
}

/// In an actix-web server: its routes beside yours, its sockets on your port.
#[actix_web::test]
async fn a_host_mounts_the_broker_under_a_path_of_its_own() {
    let folder = tempfile::tempdir().unwrap();

    // 1. Start it. It brings a thread for its actors; yours stay free.
    let broker = Broker::builder().config(config(folder.path())).authenticator(MyUsers).start().unwrap();

    // 2. Mount it in your application, and let it see connections as they open, so that it can free the sockets of
    //    clients that do not read.
    let routes = broker.clone();
    let server = HttpServer::new(move || {
        let broker = routes.clone();
        App::new()
            .route("/mine", web::get().to(|| async { "my own route" }))
            .service(web::scope("/im").configure(move |app| broker.configure(app)))
    })
    .on_connect(broker.on_connect())
    .workers(1)
    .disable_signals()
    .bind("127.0.0.1:0")
    .unwrap();
    let address = server.addrs()[0];
    let server = server.run();
    let handle = server.handle();
    let serving = actix_web::rt::spawn(server);

    // A browser finds the demo page under the path, with its slash or without.
    assert_eq!(get(address, "/im/").await, 200);
    assert_eq!(get(address, "/im").await, 308);
    assert_eq!(get(address, "/im/sdk/tidings.js").await, 200);

    // A client logs in with what your authenticator knows.
    let mut alice = connect(address, "/im/ws").await;
    let hello = call(&mut alice, json!({"id": 1, "op": "login", "args": {"userID": "alice", "token": "ecila"}})).await;
    assert_eq!(hello["result"]["userID"], "alice");

    // 3. Send as one of your users, from any task: they need not be online, nor have a client at all.
    let from_task = broker.clone();
    let sending = tokio::spawn(async move {
        let (from, to) = (user("billing"), Target::Peer(user("alice")));
        from_task.send(&from, &to, Draft::text("your invoice is ready")).await
    });
    let sent = sending.await.unwrap().unwrap();
    assert_eq!(sent.seq, 1, "it is on disk, as the first of this conversation");
    let event = read(&mut alice).await;
    assert_eq!(event["event"], "receivePeerMessage");
    assert_eq!(event["data"]["fromConversationID"], "billing");
    assert_eq!(event["data"]["messageList"][0]["message"], "your invoice is ready");

    // 4. Look at it.
    let stats = broker.stats();
    assert_eq!((stats.connections, stats.sessions, stats.eviction), (1, 1, Eviction::Full));

    // 5. Stop it: clients are told to come back, the store is flushed and free, and your server goes on.
    let stopping = broker.clone();
    let stopped = tokio::spawn(async move { stopping.shutdown(GRACE).await });
    assert_eq!(closed(&mut alice).await, 4000);
    drop(alice);
    assert!(stopped.await.unwrap().is_clean());
    assert_eq!(get(address, "/mine").await, 200);
    assert_eq!(get(address, "/im/readyz").await, 503);

    handle.stop(true).await;
    serving.await.unwrap().unwrap();
}

/// In any other tokio program, such as one built on axum or tonic: no actix system is needed.
#[tokio::test]
async fn a_plain_tokio_program_starts_listens_sends_and_stops() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::builder().config(config(folder.path())).start().unwrap();

    // What happens comes as a stream of events, bounded: who is too slow is told how many were missed.
    let mut events = broker.subscribe();

    // A user exists after the first login, or when you say so.
    broker.register(&user("bob"), "Bob").await.unwrap();
    let to = Target::Peer(user("bob"));
    let sent = broker.send(&user("alice"), &to, Draft::text("hello")).await.unwrap();
    match events.next().await {
        Some(Event::MessageAccepted(message)) => assert_eq!(message, sent),
        other => panic!("not the message: {other:?}"),
    }

    // A refusal says whether the same call may succeed later.
    let refusal = broker.send(&user("alice"), &Target::Peer(user("nobody")), Draft::text("hello")).await.unwrap_err();
    assert_eq!((tidings::code_of(&refusal), refusal.is_temporary()), (6_000_204, false));
    match events.next().await {
        Some(Event::MessageRefused { refusal: told, .. }) => assert_eq!(told, refusal),
        other => panic!("not the refusal: {other:?}"),
    }

    assert!(broker.shutdown(GRACE).await.is_clean());
    drop(broker);
    assert!(events.next().await.is_none(), "a broker that is gone tells nothing more");
    // The folder is free for the next one at once.
    let next = Broker::builder().config(config(folder.path())).start().unwrap();
    assert!(next.shutdown(GRACE).await.is_clean());
}

type Socket = WebSocketStream<TcpStream>;

async fn connect(address: std::net::SocketAddr, path: &str) -> Socket {
    let stream = TcpStream::connect(address).await.unwrap();
    client_async(format!("ws://{address}{path}"), stream).await.unwrap().0
}

/// The next message, within ten seconds.
async fn message(socket: &mut Socket) -> Message {
    let next = tokio::time::timeout(Duration::from_secs(10), socket.next()).await;
    next.expect("a message in time").expect("an open connection").unwrap()
}

async fn read(socket: &mut Socket) -> Value {
    match message(socket).await {
        Message::Text(text) => serde_json::from_str(&text).unwrap(),
        other => panic!("not a text: {other:?}"),
    }
}

async fn call(socket: &mut Socket, request: Value) -> Value {
    socket.send(Message::text(request.to_string())).await.unwrap();
    read(socket).await
}

async fn closed(socket: &mut Socket) -> u16 {
    loop {
        match message(socket).await {
            Message::Close(Some(close)) => return close.code.into(),
            // How the list of conversations follows.
            Message::Text(_) => {}
            other => panic!("not a close: {other:?}"),
        }
    }
}

/// The status of a GET.
async fn get(address: std::net::SocketAddr, path: &str) -> u16 {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}
