//! A NATS server for the time of a test run: on a port of loopback that the system picks. It ends with this process, however that ends.

use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

/// Runs the server until its input ends; a line kills it, the next one starts it again.
const SHELL: &str = r#"
start() { "$@" >/dev/null 2>&1 & pid=$!; }
start "$@"
while read -r what; do
  case $what in
    kill) kill -KILL "$pid" ;;
    start) start "$@" ;;
  esac
done
kill -KILL "$pid"
"#;

/// Returns where the server's program is. None, said loudly: NATS is not installed; where `CI` is `true` that is a failure.
pub(crate) fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    let found = folders.map(|folder| folder.join("nats-server")).find(|program| program.is_file());
    if found.is_none() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "nats-server is not installed (Debian: nats-server)");
        eprintln!("SKIPPED: nats-server is not installed (Debian: nats-server)");
    }
    found
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// A running server.
#[derive(Debug)]
pub(crate) struct NatsServer {
    port: u16,
    shell: Mutex<(Child, ChildStdin)>,
}

impl NatsServer {
    /// Returns the server that the tests of this process share; none: see [`program`].
    pub(crate) fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<NatsServer>> = OnceLock::new();
        SHARED.get_or_init(Self::start).as_ref()
    }

    /// Starts a server of one's own; none: see [`program`].
    pub(crate) fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    /// Starts three that are one NATS cluster; none: see [`program`].
    #[allow(dead_code, reason = "not every crate of tests does")]
    pub(crate) fn three() -> Option<Vec<Self>> {
        let ports = [free_port(), free_port(), free_port()];
        let routes = ports.map(|port| format!("nats://127.0.0.1:{port}"));
        let all = routes.join(",");
        routes.iter().map(|own| Self::start_with(&["--cluster_name", "tests", "--cluster", own, "--routes", &all])).collect()
    }

    #[expect(clippy::disallowed_methods, reason = "nobody is told that a port listens")]
    fn start_with(more: &[&str]) -> Option<Self> {
        let program = program()?;
        let port = free_port();
        let mut command = Command::new("sh");
        command.args(["-c", SHELL, "sh"]).arg(program).args(["-a", "127.0.0.1", "-p", &port.to_string()]).args(more).stdin(Stdio::piped());
        let mut shell = command.spawn().unwrap();
        let input = shell.stdin.take().unwrap();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(Self { port, shell: Mutex::new((shell, input)) })
    }

    /// Kills it, or starts it again: `kill`, `start`.
    #[allow(dead_code, reason = "not every crate of tests does")]
    pub(crate) fn tell(&self, what: &str) {
        writeln!(self.shell.lock().unwrap().1, "{what}").unwrap();
    }

    /// Returns its port.
    #[allow(dead_code, reason = "not every crate of tests asks")]
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Returns its address.
    pub(crate) fn address(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }
}
