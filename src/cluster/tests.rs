//! Two nodes' links over a private NATS server that is killed, started again and stopped for a while.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;

use super::bus::Bus;
use super::links::{LinkHandler, LinkOptions, LinkParts, Links, LinksError, Peer};
use super::nats::{Nats, NatsOptions};
use super::nats_server::program;
use crate::clock::{Clock, SystemClock};

const FRAMES: usize = 50_000;

/// A server on a port of its own, which stays the same when it is started again.
struct Server {
    program: PathBuf,
    port: u16,
    child: Option<Child>,
}

impl Server {
    fn new(program: &Path) -> Self {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        Self { program: program.to_owned(), port, child: None }
    }

    fn start(&mut self) {
        self.start_with(&[]);
    }

    fn start_with(&mut self, more: &[&str]) {
        let port = self.port.to_string();
        let mut command = Command::new(&self.program);
        command.args(["-a", "127.0.0.1", "-p", &port]).args(more).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.child = Some(command.spawn().unwrap());
        wait("the server to listen", || TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok());
    }

    /// Stops it or lets it go on: its machine goes on to accept connections and bytes.
    fn signal(&self, signal: &str) {
        let process = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &process]).status().unwrap().success());
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn wait(what: &str, mut is_there: impl FnMut() -> bool) {
    let clock = SystemClock::new();
    while !is_there() {
        assert!(clock.elapsed() < Duration::from_secs(60), "waited in vain for {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// Holds that frames come in order, each once.
#[derive(Default)]
struct Counter {
    next: AtomicUsize,
    wrong: AtomicUsize,
    lost: AtomicUsize,
    lossy: AtomicUsize,
}

impl LinkHandler for Counter {
    fn receive(&self, _: &Peer, payload: Bytes) {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        if *payload != *frame(next) {
            self.wrong.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn receive_lossy(&self, _: &Peer, _: Bytes) {
        self.lossy.fetch_add(1, Ordering::Relaxed);
    }

    fn lost(&self, _: &Peer) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    fn opened(&self, _: &Peer) {}

    fn closed(&self, _: &Peer) {}
}

fn frame(n: usize) -> Bytes {
    Bytes::from(format!("{n:0100}"))
}

fn peer(boot: i64) -> Peer {
    Peer { boot, slot: 0, name: format!("node-{boot}") }
}

fn nats(port: u16, name: &str) -> Arc<dyn Bus> {
    let servers = vec![format!("nats://127.0.0.1:{port}")];
    Arc::new(Nats::new(NatsOptions { servers, name: name.into(), ..NatsOptions::default() }))
}

fn start(port: u16, boot: i64, other: i64) -> (Arc<Links>, Arc<Counter>) {
    let handler = Arc::new(Counter::default());
    let (reliable, lossy) = (nats(port, "reliable"), nats(port, "lossy"));
    let clock = Arc::new(SystemClock::new());
    let links =
        Links::start(LinkParts { me: peer(boot), reliable, lossy, options: LinkOptions::new("test"), clock, handler: handler.clone() })
            .unwrap();
    links.set_peers(&[peer(boot), peer(other)]);
    (links, handler)
}

#[test]
fn frames_come_once_and_in_order_while_the_server_is_killed_twice_and_stopped_once() {
    let Some(program) = program() else { return };
    let mut server = Server::new(&program);
    // The links begin without a server.
    let (one, two) = (start(server.port, 1, 2), start(server.port, 2, 1));
    server.start();
    let heard = |of: &Arc<Counter>| of.next.load(Ordering::Relaxed);
    std::thread::scope(|scope| {
        for (links, to) in [(&one.0, 2), (&two.0, 1)] {
            scope.spawn(move || {
                for n in 0..FRAMES {
                    links.send(to, frame(n)).unwrap();
                    links.send_lossy(to, frame(n));
                    if n % 1000 == 999 {
                        // Never more than half of the ring.
                        wait("acknowledgements", || links.sent(to).unwrap() - links.acked(to).unwrap() < 30_000);
                        std::thread::park_timeout(Duration::from_millis(10));
                    }
                }
            });
        }
        for at in [FRAMES / 5, FRAMES / 2] {
            wait("frames", || heard(&one.1) > at && heard(&two.1) > at);
            server.kill();
            wait("both to notice", || [&one, &two].iter().all(|node| node.0.cut_off_for() > Duration::from_secs(1)));
            server.start();
        }
        wait("frames", || heard(&one.1) > FRAMES * 7 / 10 && heard(&two.1) > FRAMES * 7 / 10);
        server.signal("-STOP");
        wait("both to notice", || [&one, &two].iter().all(|node| node.0.cut_off_for() > Duration::from_secs(2)));
        server.signal("-CONT");
    });
    for (links, counter) in [&one, &two] {
        wait("all frames", || heard(counter) >= FRAMES);
        wait("the bus to answer", || links.cut_off_for() == Duration::ZERO);
        assert_eq!((heard(counter), counter.wrong.load(Ordering::Relaxed)), (FRAMES, 0));
        assert_eq!(counter.lost.load(Ordering::Relaxed), 0);
        assert!(links.stats().peers[0].sent.resent > 0, "nothing was lost on the way: {:#?}", links.stats());
        assert!(counter.lossy.load(Ordering::Relaxed) > 0);
        links.stop();
    }
}

#[test]
fn a_server_with_tls_and_a_password_is_reached_by_whoever_trusts_it() {
    let Some(program) = program() else { return };
    let folder = tempfile::tempdir().unwrap();
    let signed = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) = (folder.path().join("certificate.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate, signed.cert.pem()).unwrap();
    std::fs::write(&key, signed.signing_key.serialize_pem()).unwrap();
    let mut server = Server::new(&program);
    let tls = ["--tls", "--tlscert", certificate.to_str().unwrap(), "--tlskey", key.to_str().unwrap()];
    server.start_with(&[&tls[..], &["--user", "tidings", "--pass", "se:cret"]].concat());
    let start = |boot: i64, tls_ca: Option<PathBuf>, password: &str| {
        let servers = vec![format!("tls://tidings:{password}@127.0.0.1:{}", server.port)];
        let bus = Arc::new(Nats::new(NatsOptions { servers, tls_ca, ..NatsOptions::default() }));
        let (clock, handler) = (Arc::new(SystemClock::new()), Arc::new(Counter::default()));
        let links = Links::start(LinkParts {
            me: peer(boot),
            reliable: bus.clone(),
            lossy: bus.clone(),
            options: LinkOptions::new("test"),
            clock,
            handler: handler.clone(),
        })
        .unwrap();
        (links, handler, bus)
    };
    let (one, two) = (start(1, Some(certificate.clone()), "se%3Acret"), start(2, Some(certificate.clone()), "se%3Acret"));
    let (doubtful, unknown) = (start(3, None, "se%3Acret"), start(4, Some(certificate.clone()), "wrong"));
    one.0.set_peers(&[peer(2)]);
    two.0.set_peers(&[peer(1)]);
    one.0.send(2, frame(0)).unwrap();
    wait("a frame", || two.1.next.load(Ordering::Relaxed) == 1);
    wait("those who do not get in", || [&doubtful, &unknown].iter().all(|node| node.0.cut_off_for() > Duration::from_secs(1)));
    assert!(!doubtful.2.is_connected() && !unknown.2.is_connected());
}

#[test]
fn settings_that_cannot_work_are_told_at_once() {
    let missing = PathBuf::from("/nonexistent/file");
    let servers = vec!["nats://127.0.0.1:4222".to_owned()];
    let usual = NatsOptions { servers, ..NatsOptions::default() };
    for options in [
        NatsOptions { servers: vec![], ..usual.clone() },
        NatsOptions { servers: vec!["nats://[".into()], ..usual.clone() },
        NatsOptions { credentials: Some(missing.clone()), ..usual.clone() },
        NatsOptions { tls_ca: Some(missing.clone()), ..usual.clone() },
        NatsOptions { tls_client: Some((missing.clone(), missing)), ..usual.clone() },
    ] {
        let bus = Arc::new(Nats::new(options.clone()));
        let (clock, handler) = (Arc::new(SystemClock::new()), Arc::new(Counter::default()));
        let started =
            Links::start(LinkParts { me: peer(1), reliable: bus.clone(), lossy: bus, options: LinkOptions::new("test"), clock, handler });
        assert!(matches!(started, Err(LinksError::Bus(_))), "{options:?}");
    }
}
