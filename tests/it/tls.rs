//! HTTPS and WSS by the broker's own server: the socket taken over at the upgrade is one inside TLS.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use rustls::ClientConfig;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use serde_json::{Value, json};
use tempfile::TempDir;
use tidings::config::TlsVersion;
use tidings::http::Server;
use tidings::{Config, Event, Eviction};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::hostile::Program;
use crate::support::{Client, Login, To, World, pluck, soon, until};

/// Takes any certificate: which one it was is what the tests ask.
#[derive(Debug)]
struct Anyone(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.supported_schemes()
    }
}

pub(crate) fn connector(versions: &[&'static rustls::SupportedProtocolVersion]) -> TlsConnector {
    let provider = ring::default_provider();
    let verifier = Arc::new(Anyone(provider.signature_verification_algorithms));
    let config = ClientConfig::builder_with_provider(Arc::new(provider)).with_protocol_versions(versions).unwrap();
    TlsConnector::from(Arc::new(config.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()))
}

/// Asks for a path; returns head and body.
pub(crate) async fn fetch_over(mut stream: TlsStream<TcpStream>, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    soon("an answer", stream.read_to_string(&mut answer)).await.unwrap();
    answer
}

/// Makes a key and a certificate for it, good until that year, in two files.
pub(crate) fn make_pair(folder: &Path, year: i32) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut parameters = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    parameters.not_after = rcgen::date_time_ymd(year, 1, 1);
    let pair = (parameters.self_signed(&key).unwrap().pem(), key.serialize_pem());
    write_pair(folder, &pair);
    pair
}

fn write_pair(folder: &Path, pair: &(String, String)) {
    std::fs::write(folder.join("key.pem"), &pair.1).unwrap();
    std::fs::write(folder.join("cert.pem"), &pair.0).unwrap();
}

struct Secure {
    world: World,
    folder: TempDir,
}

impl Secure {
    fn start() -> Self {
        Self::with(|_| {})
    }

    /// With a pair good until 2040, looked at every second.
    fn with(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        make_pair(folder.path(), 2040);
        let world = World::builder().no_rates().config(|config| {
            config.tls.certificate = folder.path().join("cert.pem");
            config.tls.key = folder.path().join("key.pem");
            config.tls.check_seconds = 1;
            change(config);
        });
        Self { world: world.start(), folder }
    }

    async fn over(&self, socket: TcpStream) -> TlsStream<TcpStream> {
        let versions = connector(&[&rustls::version::TLS13, &rustls::version::TLS12]);
        soon("a handshake", versions.connect("localhost".try_into().unwrap(), socket)).await.unwrap()
    }

    async fn connect(&self) -> TlsStream<TcpStream> {
        self.over(TcpStream::connect(self.world.address()).await.unwrap()).await
    }

    async fn login_over(&self, stream: TlsStream<TcpStream>, user: &str) -> Client {
        let mut client = Client::over_any(Box::new(stream), self.world.address(), "/ws", &[]).await.unwrap();
        client.login(&self.world.token(user), Login { user, ..Login::default() }).await;
        client
    }

    async fn client(&self, user: &str) -> Client {
        self.login_over(self.connect().await, user).await
    }

    async fn fetch(&self, path: &str) -> String {
        fetch_over(self.connect().await, path).await
    }

    async fn certificate(&self) -> Vec<u8> {
        self.connect().await.get_ref().1.peer_certificates().unwrap()[0].to_vec()
    }

    fn counts(&self, sample: &str) -> bool {
        self.world.broker.metrics_text().lines().any(|line| line == sample)
    }
}

#[tokio::test]
async fn pages_are_served_and_sessions_hear_each_other() {
    let secure = Secure::start();
    assert!(secure.fetch("/readyz").await.starts_with("HTTP/1.1 200 OK"));
    assert!(secure.fetch("/").await.ends_with("</html>\n"), "a page of many records");
    let (mut alice, mut bob) = (secure.client("alice").await, secure.client("bob").await);
    // Far more than a record takes, and than a socket takes at once.
    let long = "tidings ".repeat(4_000);
    let mut asked = Vec::new();
    for n in 0..50 {
        asked.push(alice.request("sendMessage", To::Peer("bob").args(&json!({"type": 1, "message": format!("{n} {long}")}))).await);
    }
    let heard = bob.texts(50).await;
    assert!(heard.iter().enumerate().all(|(n, text)| *text == format!("{n} {long}")), "all of it, in order");
    for id in asked {
        alice.reply(id).await.unwrap();
    }
    let page = bob.history(To::Peer("alice"), json!({"count": 3, "reverse": true})).await.unwrap();
    assert_eq!(pluck(&page["messageList"], "message").last(), Some(&format!("49 {long}")));
    assert_eq!(secure.world.broker.stats().eviction, Eviction::Full);
    bob.ok("logout", json!({})).await;
    bob.closed().await;
    bob.ended().await;
}

/// What is behind the upgrade request is inside TLS already, before the socket is taken over.
#[tokio::test]
async fn frames_behind_the_upgrade_request_are_answered() {
    let secure = Secure::start();
    let mut stream = secure.connect().await;
    let mut request = b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        .to_vec();
    // A ping with a mask of zeros.
    request.extend([0x89, 0x82, 0, 0, 0, 0, b'h', b'i']);
    stream.write_all(&request).await.unwrap();
    let mut answer = Vec::new();
    let read = async {
        while !answer.ends_with(&[0x8A, 2, b'h', b'i']) {
            assert!(stream.read_buf(&mut answer).await.unwrap() > 0, "{answer:?}");
        }
    };
    soon("a pong", read).await;
}

#[tokio::test]
async fn a_new_pair_is_used_by_the_next_connection_and_sessions_stay() {
    let secure = Secure::start();
    let (mut alice, mut bob) = (secure.client("alice").await, secure.client("bob").await);
    let first = secure.certificate().await;
    assert!(secure.counts("tidings_tls_certificate_expiry_timestamp_seconds 2208988800"));
    make_pair(secure.folder.path(), 2041);
    until("the new certificate", || secure.counts("tidings_tls_certificate_expiry_timestamp_seconds 2240611200")).await;
    assert_ne!(secure.certificate().await, first);
    alice.say(To::Peer("bob"), "still here").await;
    assert_eq!(bob.texts(1).await, ["still here"]);
    assert_eq!(secure.client("carol").await.hello["userID"], "carol");
}

#[tokio::test]
async fn a_pair_that_is_no_good_is_kept_out_until_it_is() {
    let secure = Secure::start();
    let (first, folder) = (secure.certificate().await, secure.folder.path());
    let other = make_pair(tempfile::tempdir().unwrap().path(), 2050);
    // Half written: the certificate is not of the key.
    std::fs::write(folder.join("cert.pem"), &other.0).unwrap();
    until("a refusal", || secure.counts("tidings_tls_certificate_loads_total{outcome=\"refused\"} 1")).await;
    assert_eq!(secure.certificate().await, first);
    std::fs::write(folder.join("cert.pem"), "no certificate").unwrap();
    until("another refusal", || secure.counts("tidings_tls_certificate_loads_total{outcome=\"refused\"} 2")).await;
    assert_eq!(secure.certificate().await, first);
    write_pair(folder, &other);
    until("the good pair", || secure.counts("tidings_tls_certificate_loads_total{outcome=\"ok\"} 1")).await;
    assert_ne!(secure.certificate().await, first);
}

#[tokio::test]
async fn who_stalls_in_the_handshake_is_cut_and_who_speaks_http_is_told() {
    let secure = Secure::with(|config| config.tls.handshake_seconds = 1);
    let mut silent = TcpStream::connect(secure.world.address()).await.unwrap();
    let mut halfway = TcpStream::connect(secure.world.address()).await.unwrap();
    // The head of a record that does not come.
    halfway.write_all(&[22, 3, 1, 1, 0]).await.unwrap();
    let mut plain = TcpStream::connect(secure.world.address()).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut told = String::new();
    soon("an answer", plain.read_to_string(&mut told)).await.unwrap();
    assert!(told.starts_with("HTTP/1.1 400 ") && told.ends_with("use https:// or wss\n"), "{told}");
    let length: usize = told.split("Content-Length: ").nth(1).unwrap().split("\r\n").next().unwrap().parse().unwrap();
    assert_eq!(told.split("\r\n\r\n").nth(1).unwrap().len(), length);
    let mut noise = TcpStream::connect(secure.world.address()).await.unwrap();
    noise.write_all(&[0x80; 600]).await.unwrap();
    for socket in [&mut silent, &mut halfway, &mut noise] {
        let mut rest = Vec::new();
        // Closed, or reset because it was not read to its end.
        let _closed_or_reset = soon("the end", socket.read_to_end(&mut rest)).await;
    }
    until("both deadlines", || secure.counts("tidings_tls_handshakes_total{outcome=\"timeout\"} 2")).await;
    until("both errors", || secure.counts("tidings_tls_handshakes_total{outcome=\"failed\"} 2")).await;
    assert!(secure.fetch("/healthz").await.starts_with("HTTP/1.1 200 OK"), "it goes on");
}

#[tokio::test]
async fn noise_inside_a_session_ends_that_session_alone() {
    let secure = Secure::start();
    let mut events = secure.world.broker.subscribe();
    let mut bob = secure.client("bob").await;
    let socket = TcpStream::connect(secure.world.address()).await.unwrap().into_std().unwrap();
    let mut raw = TcpStream::from_std(socket.try_clone().unwrap()).unwrap();
    let alice = secure.login_over(secure.over(TcpStream::from_std(socket).unwrap()).await, "alice").await;
    raw.write_all(&[23, 3, 3, 0, 32].into_iter().chain([7; 32]).collect::<Vec<u8>>()).await.unwrap();
    crate::support::session_ended(&mut events, "alice").await;
    drop(alice);
    assert_eq!(bob.ok("ping", json!({})).await.as_object().unwrap().len(), 1);
}

/// The same as on a bare socket: 1 s of `stalled_seconds`, 5 s of parting, the reaper's looks, and time for a busy machine.
const GONE_WITHIN: Duration = Duration::from_secs(15);

#[tokio::test]
async fn who_does_not_read_is_cut() {
    let secure = Secure::with(|config| {
        config.shed.stalled_seconds = 1;
        (config.shed.room_barrages_per_second, config.shed.room_barrages_burst) = (1_000_000, 1_000_000);
    });
    let mut events = secure.world.broker.subscribe();
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let stream = secure.over(socket.connect(secure.world.address()).await.unwrap()).await;
    let mut deaf = secure.login_over(stream, "deaf").await;
    let mut talker = secure.client("talker").await;
    for client in [&mut deaf, &mut talker] {
        client.ok("enterRoom", json!({"roomInfo": {"roomID": "hall"}})).await;
    }
    let barrage = To::Room("hall").args(&json!({"type": 20, "message": "~".repeat(4_096)}));
    let flood = async {
        while secure.world.broker.stats().dropped.iter().map(|drops| drops.messages).sum::<u64>() < 100 {
            talker.ok("sendMessage", barrage.clone()).await;
        }
    };
    soon("a full outbox", flood).await;
    let gone = async { while !matches!(events.next().await.unwrap(), Event::SessionEnded { user, .. } if user.as_str() == "deaf") {} };
    timeout(GONE_WITHIN, gone).await.expect("who does not read is gone");
    assert_eq!(secure.world.broker.stats().connections, 1);
}

#[tokio::test]
async fn an_old_version_gets_no_connection_where_the_new_one_is_wanted() {
    let secure = Secure::with(|config| config.tls.min_version = TlsVersion::Tls13);
    let socket = TcpStream::connect(secure.world.address()).await.unwrap();
    let old = connector(&[&rustls::version::TLS12]).connect("localhost".try_into().unwrap(), socket);
    soon("a refusal", old).await.unwrap_err();
    assert!(secure.fetch("/healthz").await.starts_with("HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn a_server_does_not_start_with_a_pair_that_is_no_good() {
    let world = World::start();
    let folder = tempfile::tempdir().unwrap();
    make_pair(folder.path(), 2040);
    let mut config = (*world.broker.config()).clone();
    config.tls.certificate = folder.path().join("cert.pem");
    let half = config.validate().unwrap_err().to_string();
    assert!(half.contains("tls.key"), "{half}");
    config.tls.key = folder.path().join("missing.pem");
    config.server.data_dir = folder.path().join("data");
    let broker = tidings::Broker::builder().config(config).start().unwrap();
    let refused = Server::start(&broker).unwrap_err().to_string();
    assert!(refused.starts_with("tls.certificate: cannot read") && refused.contains("missing.pem"), "{refused}");
    broker.shutdown(Duration::from_secs(5)).await;
}

/// The program says where it listens in the words of its scheme, and looks at the pair when told to by SIGHUP.
#[tokio::test]
async fn the_program_says_https_and_takes_a_new_pair_at_sighup() {
    use tokio::io::{AsyncBufReadExt as _, BufReader};
    let folder = tempfile::tempdir().unwrap();
    make_pair(folder.path(), 2040);
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let settings = [("tls.certificate", path("cert.pem")), ("tls.key", path("key.pem")), ("tls.check_seconds", "3600".to_owned())];
    let settings: Vec<(&str, &str)> = settings.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let program = Program::with(&settings);
    let mut child = program.spawn();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said = String::new();
    let address = loop {
        let line = soon("the program's words", lines.next_line()).await.unwrap().unwrap_or_else(|| panic!("{}", program.log()));
        if let Some(address) = line.strip_prefix("listening on https://") {
            break address.parse::<std::net::SocketAddr>().unwrap();
        }
        said.push_str(&line);
    };
    assert_eq!(said, "", "links are for a terminal");
    let certificate = async || {
        let socket = TcpStream::connect(address).await.unwrap();
        let stream = connector(&[&rustls::version::TLS13]).connect("localhost".try_into().unwrap(), socket).await.unwrap();
        stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
    };
    let first = certificate().await;
    make_pair(folder.path(), 2041);
    assert_eq!(certificate().await, first, "nobody looked yet");
    let kill = tokio::process::Command::new("kill").args(["-HUP", &child.id().unwrap().to_string()]).status().await.unwrap();
    assert!(kill.success());
    until("the reload", || program.log().contains("certificate loaded") && program.log().contains("configuration reloaded")).await;
    assert_ne!(certificate().await, first);
}

/// Returns exit code, standard output and standard error of a command of the program.
async fn told(program: &Program, arguments: &[&str]) -> (i32, String, String) {
    let output = soon("the command's end", program.command(arguments).output()).await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn the_command_line_speaks_tls_to_the_broker_its_settings_are_of_and_to_no_impostor() {
    let folder = tempfile::tempdir().unwrap();
    make_pair(folder.path(), 2040);
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (certificate, key) = (path("cert.pem"), path("key.pem"));
    let program = Program::with(&[("tls.certificate", &certificate), ("tls.key", &key)]);
    let running = program.run().await;
    let url = format!("https://{}", running.address);
    let (code, out, err) = told(&program, &["doctor", "--running", "--json", "--url", &url]).await;
    let checks: Value = serde_json::from_str(&out).unwrap();
    let detail =
        |name: &str| checks["checks"].as_array().unwrap().iter().find(|check| check["name"] == name).unwrap()["detail"].to_string();
    assert_eq!(code, 0, "{out}{err}");
    assert!(detail("certificate").contains("01 Jan 2040") && detail("broker").contains("ready"), "{out}");
    let (code, out, _) = told(&program, &["config", "check"]).await;
    assert!(code == 0 && out.contains("the certificate is good until Sun, 01 Jan 2040"), "{out}");

    let token = program.token("bob");
    let mut tail = program.command(&["tail", "--user", "bob", "--url", &url, "--token", &token, "--count", "1"]);
    let mut tail = tail.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut listening = [0; 16];
    soon("the listener", tail.stderr.as_mut().unwrap().read_exact(&mut listening)).await.unwrap();
    let (code, _, err) = told(&program, &["send", "--from", "alice", "--to", "bob", "--text", "hello", "--url", &url]).await;
    assert_eq!(code, 0, "{err}");
    let heard = soon("the end of the listener", tail.wait_with_output()).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&heard.stdout), "alice: hello\n");
    let (code, key, _) = told(&program, &["key", "new", "--name", "backup"]).await;
    assert_eq!(code, 0);
    let (code, out, err) = told(&program, &["store", "backup", "nightly", "--url", &url, "--key", key.trim()]).await;
    assert!(code == 0 && out.starts_with("backup nightly has 1 messages"), "{out}{err}");

    // Another certificate, also for a name that fits, is not that of this broker.
    make_pair(folder.path(), 2041);
    let (code, _, err) = told(&program, &["send", "--from", "alice", "--to", "bob", "--text", "hello", "--url", &url]).await;
    assert!(code == 69 && err.contains("TLS") && err.contains("certificate"), "{code} {err}");
    make_pair(folder.path(), 2020);
    let (code, out, _) = told(&program, &["doctor", "--json"]).await;
    assert!(code == 1 && out.contains("ended at Wed, 01 Jan 2020"), "{out}");
    std::fs::write(folder.path().join("key.pem"), "no key").unwrap();
    let (code, _, err) = told(&program, &["config", "check"]).await;
    assert!(code == 78 && err.contains("key.pem") && err.contains("private key"), "{code} {err}");
}
