//! A backend that is called: it notes every call, and answers as the test wants.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// The secret that worlds with a sink sign with.
pub(crate) const HOOK_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// The settings, besides its URL, of programs that tell a sink of every stored message, and again soon until it is taken.
pub(crate) const PERSISTENT_HOOK: [(&str, &str); 6] = [
    ("webhooks.secret", HOOK_SECRET),
    ("webhooks.events", "message.sent"),
    ("webhooks.allow_private_addresses", "true"),
    ("webhooks.retry_first_ms", "10"),
    ("webhooks.retry_most_ms", "20"),
    ("webhooks.attempts_max", "100"),
];

/// One call.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Value,
    pub(crate) raw: Vec<u8>,
    /// It was answered with 2xx.
    pub(crate) accepted: bool,
}

impl Call {
    pub(crate) fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }

    pub(crate) fn event(&self) -> &str {
        self.body["type"].as_str().unwrap()
    }

    /// What the message told of says.
    pub(crate) fn text(&self) -> &str {
        self.body["data"]["message"]["message"].as_str().unwrap_or_default()
    }

    /// Returns whether the signature is the one a backend computes from its own copy of the secret.
    pub(crate) fn is_signed(&self) -> bool {
        let key = BASE64.decode(HOOK_SECRET.strip_prefix("whsec_").unwrap()).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(format!("{}.{}.", self.id(), self.headers["webhook-timestamp"]).as_bytes());
        mac.update(&self.raw);
        self.headers.get("webhook-signature") == Some(&format!("v1,{}", BASE64.encode(mac.finalize().into_bytes())))
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    Status(u16),
    With(u16, Vec<(&'static str, String)>, String),
    Bytes(u16, Vec<u8>),
    /// After a time.
    Late(Duration, Box<Reply>),
    /// Never.
    Stall,
    /// The connection is cut.
    Cut,
    /// With a head, and a body that never comes.
    HeadOnly(u16),
}

impl Reply {
    pub(crate) fn json(body: &Value) -> Self {
        Self::With(200, Vec::new(), body.to_string())
    }

    /// To `before_send`.
    pub(crate) fn result(result: u8) -> Self {
        Self::json(&json!({"result": result}))
    }

    pub(crate) fn late(self, ms: u64) -> Self {
        Self::Late(Duration::from_millis(ms), Box::new(self))
    }
}

type Behaviour = Box<dyn FnMut(&Call) -> Reply + Send>;

struct Shared {
    calls: Mutex<Vec<Call>>,
    behaviour: Mutex<Behaviour>,
}

/// The test's handle of it; when it is dropped, the backend is gone.
pub(crate) struct Sink {
    pub(crate) address: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

impl Sink {
    /// Starts one on a port of the system's choice, which accepts everything.
    pub(crate) async fn start() -> Self {
        Self::on(SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    pub(crate) async fn on(address: SocketAddr) -> Self {
        Self::serve(address, None).await
    }

    pub(crate) async fn tls(acceptor: TlsAcceptor) -> Self {
        Self::serve(SocketAddr::from(([127, 0, 0, 1], 0)), Some(acceptor)).await
    }

    async fn serve(address: SocketAddr, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared { calls: Mutex::default(), behaviour: Mutex::new(Box::new(|_| Reply::Status(204))) });
        let scheme = if tls.is_some() { "https" } else { "http" };
        let its_shared = shared.clone();
        let serving = tokio::spawn(async move {
            // Dropped with this task, and every connection with it.
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (shared, tls) = (its_shared.clone(), tls.clone());
                connections.spawn(async move {
                    match tls {
                        None => talk(stream, &shared).await,
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => talk(stream, &shared).await,
                            Err(_) => None,
                        },
                    }
                });
            }
        });
        Self { address, scheme, shared, serving }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}://localhost:{}{path}", self.scheme, self.address.port())
    }

    pub(crate) fn behave(&self, behaviour: impl FnMut(&Call) -> Reply + Send + 'static) {
        *self.shared.behaviour.lock().unwrap() = Box::new(behaviour);
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.shared.calls.lock().unwrap().clone()
    }

    /// Returns the calls that were accepted.
    pub(crate) fn accepted(&self) -> Vec<Call> {
        self.calls().into_iter().filter(|call| call.accepted).collect()
    }

    /// Returns their ids. Copies no more than that: there may be thousands, and this thread has the calls to answer.
    pub(crate) fn accepted_ids(&self) -> BTreeSet<String> {
        self.shared.calls.lock().unwrap().iter().filter(|call| call.accepted).map(|call| call.id().to_owned()).collect()
    }

    fn accepted_count(&self) -> usize {
        self.shared.calls.lock().unwrap().iter().filter(|call| call.accepted).count()
    }

    /// Waits for so many accepted calls, and returns them.
    pub(crate) async fn heard(&self, count: usize) -> Vec<Call> {
        super::until(&format!("{count} accepted calls"), || self.accepted_count() >= count).await;
        self.accepted()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn talk<S: AsyncRead + AsyncWrite + Unpin>(stream: S, shared: &Shared) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut first = String::new();
        if stream.read_line(&mut first).await.ok()? == 0 {
            return None;
        }
        assert!(first.starts_with("POST ") && first.ends_with(" HTTP/1.1\r\n"), "{first}");
        let path = first.split(' ').nth(1)?.to_owned();
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await.ok()?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            assert!(headers.insert(name.to_ascii_lowercase(), value.trim().to_owned()).is_none(), "{name} twice");
        }
        let mut raw = vec![0; headers["content-length"].parse().unwrap()];
        stream.read_exact(&mut raw).await.ok()?;
        let body = serde_json::from_slice(&raw).unwrap();
        let mut call = Call { path, headers, body, raw, accepted: false };
        let mut reply = (shared.behaviour.lock().unwrap())(&call);
        let late = if let Reply::Late(after, then) = reply {
            reply = *then;
            Some(after)
        } else {
            None
        };
        let (status, headers, body) = match reply {
            Reply::Status(status) => (status, Vec::new(), Vec::new()),
            Reply::With(status, headers, body) => (status, headers, body.into_bytes()),
            Reply::Bytes(status, body) => (status, Vec::new(), body),
            Reply::Stall | Reply::Late(..) => {
                shared.calls.lock().unwrap().push(call.clone());
                std::future::pending().await
            }
            Reply::HeadOnly(status) => {
                call.accepted = (200..300).contains(&status);
                shared.calls.lock().unwrap().push(call.clone());
                stream.get_mut().write_all(format!("HTTP/1.1 {status} x\r\ncontent-length: 7\r\n\r\n").as_bytes()).await.ok()?;
                stream.get_mut().flush().await.ok()?;
                std::future::pending().await
            }
            Reply::Cut => {
                shared.calls.lock().unwrap().push(call.clone());
                return None;
            }
        };
        call.accepted = (200..300).contains(&status);
        if let Some(late) = late {
            tokio::time::sleep(late).await;
        }
        shared.calls.lock().unwrap().push(call);
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let length = if status == 204 { String::new() } else { format!("content-length: {}\r\n", body.len()) };
        let head = format!("HTTP/1.1 {status} x\r\n{length}{headers}\r\n");
        stream.get_mut().write_all(&[head.as_bytes(), &body].concat()).await.ok()?;
        stream.get_mut().flush().await.ok()?;
    }
}
