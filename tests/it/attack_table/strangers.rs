//! Attacks by those who have not logged in, all from one address, which the healthy have, too.

use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpSocket;
use tokio::time::sleep;

use super::Row;
use crate::attack::{FIN, TEXT, frame};
use crate::hostile::attackers::{self, Attack, Target, hold, press};
use crate::hostile::request;

/// Whoever was cut comes back after this long.
const COMES_BACK: Duration = Duration::from_secs(5);

pub(super) static ROWS: &[Row] = &[
    Row::new("1,256 sockets that hold a body back", |attack, at| Box::pin(async { held_bodies(attack, at) })),
    Row {
        settings: &[("vendor_api.enabled", "true"), ("vendor_api.server_secret", "0123456789abcdef0123456789abcdef"), ("auth.app_id", "7")],
        ..Row::new("1,200 unfinished bodies of 250 KiB", |attack, at| Box::pin(async { unfinished_bodies(attack, at) }))
    },
    Row::new("900 readers that do not read", |attack, at| Box::pin(async { silent_readers(attack, at) })),
    Row::new("300 sockets that begin a request, again and again", |attack, at| Box::pin(async { attackers::idle_sockets(attack, at) })),
    Row {
        is_demo: true,
        ..Row::new("wrong demo keys, passwords and tokens, 64 at a time", |attack, at| Box::pin(async { wrong_tokens(attack, at) }))
    },
    Row::new("frames that RFC 6455 forbids, and frames without end", |attack, at| {
        Box::pin(async {
            attackers::broken_frames(attack, at);
            endless_frames(attack, at);
        })
    }),
];

fn held_bodies(attack: &mut Attack, at: &Target) {
    for n in 0..1_256 {
        let request = ["POST /demo/token", "POST /console/session", "POST /no/such/path", "GET /docs/"][n % 4];
        let (address, head) = (at.address, at.head(request, 100));
        attack.repeat(move |_| {
            let head = head.clone();
            async move {
                press(address, head, Vec::new(), 0).await;
                sleep(COMES_BACK).await;
            }
        });
    }
}

fn unfinished_bodies(attack: &mut Attack, at: &Target) {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    for n in 0..1_200 {
        let signature = "0".repeat([32, 64][n / 4 % 2]);
        let call =
            format!("POST /?Action=SendPeerMessage&AppId=7&Timestamp={now}&SignatureNonce=n{n}&SignatureVersion=2.0&Signature={signature}");
        let request = ["POST /demo/token", "POST /console/session", "POST /api/v1/users", &call][n % 4];
        let (address, head) = (at.address, at.head(request, 256 * 1024));
        attack.repeat(move |_| {
            let head = head.clone();
            async move {
                // All but the last bytes.
                press(address, head, vec![b'x'; 10_240], 25).await;
                sleep(COMES_BACK).await;
            }
        });
    }
}

fn silent_readers(attack: &mut Attack, at: &Target) {
    for _ in 0..900 {
        let address = at.address;
        attack.repeat(move |_| async move {
            let socket = TcpSocket::new_v4().unwrap();
            socket.set_recv_buffer_size(4_096).unwrap();
            if let Ok(mut stream) = socket.connect(address).await {
                // More than the kernel keeps.
                let request = format!("GET /sdk/tidings.js HTTP/1.1\r\nHost: {address}\r\n\r\n").repeat(100);
                let _written_or_cut = stream.write_all(request.as_bytes()).await.is_ok();
                // Looks whether it was cut without reading what came.
                while stream.write_all(b"\r\n").await.is_ok() {
                    sleep(Duration::from_millis(500)).await;
                }
            }
            sleep(COMES_BACK).await;
        });
    }
}

fn wrong_tokens(attack: &mut Attack, at: &Target) {
    let demo = json!({"userID": "left-0", "demoKey": "x".repeat(43)}).to_string();
    let password = json!({"password": "wrong horse battery"}).to_string();
    let login = json!({"userID": "left-0", "token": "x".repeat(400), "deviceID": "only"});
    let call = |path: &str, body: &str| {
        let host = at.address;
        let (origin, length) = (format!("Origin: http://{host}"), body.len());
        format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\n{origin}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
             Connection: close\r\n\r\n{body}"
        )
        .into_bytes()
    };
    let attempts = [
        call("/demo/token", &demo),
        call("/console/session", &password),
        [at.upgrade(), frame(FIN | TEXT, request(1, "login", &login).as_bytes())].concat(),
    ];
    let address = at.address;
    for n in 0..64 {
        let bytes = attempts[n % attempts.len()].clone();
        attack.repeat(move |_| hold(address, bytes.clone(), Duration::from_secs(1)));
    }
}

fn endless_frames(attack: &mut Attack, at: &Target) {
    const CONTINUE: u8 = 0;
    const PONG: u8 = 0xa;
    let claim = [&[FIN | TEXT, 0xff][..], &(1u64 << 40).to_be_bytes(), &[0; 4]].concat();
    let floods = [
        (claim, vec![b'a'; 65_536]),
        (Vec::new(), frame(FIN | PONG, b"").repeat(1_000)),
        (frame(TEXT, b""), frame(CONTINUE, b"").repeat(1_000)),
        (frame(TEXT, b"a"), frame(CONTINUE, &[b'a'; 4_000])),
    ];
    let address = at.address;
    for n in 0..16 {
        let (first, then) = floods[n % floods.len()].clone();
        let begin = [at.upgrade(), first].concat();
        attack.repeat(move |_| press(address, begin.clone(), then.clone(), 1_000));
    }
}
