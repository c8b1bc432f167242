//! A PostgreSQL cluster for the time of a test run: in a temporary folder, on a socket in it, nothing that is there is touched.
//!
//! The server belongs to a shell that reads from a pipe of this process: when the process ends, however, the pipe closes, the shell
//! stops the server and removes the folder. As root it all runs as the user `postgres`, as PostgreSQL demands.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};

/// What the server is started with: as little as a test needs, and nothing that waits for a disk.
const SETTINGS: &str = "-c listen_addresses= -c shared_buffers=64MB -c jit=off -c fsync=off -c full_page_writes=off \
    -c deadlock_timeout=200ms -c max_connections=300 -c log_min_messages=warning -c autovacuum_naptime=5s";

/// The shell: makes the cluster, starts it, starts it again on each line `start`, and cleans up at the end of its input.
const SHELL: &str = r#"
set -u
dir=$(mktemp -d /tmp/tidings-pg.XXXXXX) || exit 1
"$1/initdb" -D "$dir/data" -A trust -U tidings -E UTF8 --locale=C --no-sync >"$dir/initdb.log" 2>&1 || { cat "$dir/initdb.log" >&2; exit 1; }
start() { "$1/pg_ctl" -D "$dir/data" -w -t 30 -l "$dir/log" -o "-k $dir $2" start >/dev/null 2>&1; }
start "$1" "$2" || { cat "$dir/log" >&2; rm -rf "$dir"; exit 1; }
echo "$dir"
while read -r what; do
  case $what in
    start) until start "$1" "$2"; do sleep 0.2; done ;;
    stop) "$1/pg_ctl" -D "$dir/data" -w -m fast stop >/dev/null ;;
    kill) kill -KILL "$(head -1 "$dir/data/postmaster.pid")" ;;
  esac
  echo "$what"
done
"$1/pg_ctl" -D "$dir/data" -m immediate stop >/dev/null 2>&1
rm -rf "$dir"
"#;

/// A running cluster.
#[derive(Debug)]
pub(crate) struct Cluster {
    folder: PathBuf,
    programs: PathBuf,
    shell: Mutex<(Child, ChildStdin, BufReader<std::process::ChildStdout>)>,
    databases: AtomicU32,
}

impl Cluster {
    /// Returns the cluster that the tests of this process share. None, said loudly: PostgreSQL is not installed; where `CI` is
    /// `true` that is a failure.
    pub(crate) fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
        SHARED.get_or_init(Self::start).as_ref()
    }

    /// Starts a cluster of one's own.
    pub(crate) fn start() -> Option<Self> {
        Self::start_with(SETTINGS)
    }

    /// The same with settings of one's own, as `postgres` takes them.
    pub(crate) fn start_with(settings: &str) -> Option<Self> {
        let Some(programs) = programs() else {
            missing();
            return None;
        };
        let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
        let mut command = if is_root {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--", "sh"]);
            command
        } else {
            Command::new("sh")
        };
        let shell = command.arg("-c").arg(SHELL).arg("sh").arg(&programs).arg(settings).current_dir("/");
        let mut shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let input = shell.stdin.take().unwrap();
        let mut output = BufReader::new(shell.stdout.take().unwrap());
        let mut folder = String::new();
        output.read_line(&mut folder).unwrap();
        assert!(!folder.trim().is_empty(), "PostgreSQL did not start");
        let shell = Mutex::new((shell, input, output));
        Some(Self { folder: folder.trim().into(), programs, shell, databases: AtomicU32::new(0) })
    }

    /// Returns the folder of its socket.
    #[allow(dead_code, reason = "not every crate of tests asks")]
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the folder of its data.
    #[allow(dead_code, reason = "not every crate of tests asks")]
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Returns the processes of the server: its first one, and those that it has now.
    #[allow(dead_code, reason = "not every crate of tests asks")]
    pub(crate) fn processes(&self) -> Vec<u32> {
        let first = std::fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        let Some(first) = first.lines().next().and_then(|pid| pid.parse().ok()) else { return Vec::new() };
        let children = std::fs::read_to_string(format!("/proc/{first}/task/{first}/children")).unwrap_or_default();
        std::iter::once(first).chain(children.split_whitespace().filter_map(|pid| pid.parse().ok())).collect()
    }

    /// Makes an empty database; returns its address.
    pub(crate) fn database(&self) -> String {
        let name = format!("t{}", self.databases.fetch_add(1, Ordering::SeqCst));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        self.address(&name)
    }

    /// Returns the address of a database.
    pub(crate) fn address(&self, name: &str) -> String {
        format!("host={} user=tidings dbname={name}", self.folder.display())
    }

    /// Runs SQL in a database; returns what it gives, unaligned, without headers.
    pub(crate) fn sql(&self, database: &str, text: &str) -> String {
        psql(&self.programs, &self.folder, database, text)
    }

    /// The same beside the test.
    pub(crate) async fn sql_aside(&self, database: &str, text: &str) {
        let (programs, folder) = (self.programs.clone(), self.folder.clone());
        let (database, text) = (database.to_owned(), text.to_owned());
        tokio::task::spawn_blocking(move || psql(&programs, &folder, &database, &text)).await.unwrap();
    }

    /// Tells the shell what to do with the server: `start`, `stop`, `kill`; waits until that is done.
    pub(crate) fn tell(&self, what: &str) {
        let mut shell = self.shell.lock().unwrap();
        writeln!(shell.1, "{what}").unwrap();
        let mut done = String::new();
        shell.2.read_line(&mut done).unwrap();
        assert_eq!(done.trim(), what);
    }
}

fn psql(programs: &Path, folder: &Path, database: &str, text: &str) -> String {
    let output = Command::new(programs.join("psql"))
        .args(["-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-U", "tidings", "-d", database, "-c", text, "-h"])
        .arg(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{text}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Returns whether PostgreSQL is installed; where it is not, what [`Cluster::shared`] says is said.
#[allow(dead_code, reason = "not every crate of tests asks")]
pub(crate) fn is_installed() -> bool {
    let is_there = programs().is_some();
    if !is_there {
        missing();
    }
    is_there
}

/// Says loudly that PostgreSQL is not installed; where `CI` is `true` that is a failure.
fn missing() {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "PostgreSQL is not installed (Debian: postgresql)");
    eprintln!("SKIPPED: PostgreSQL is not installed (Debian: postgresql)");
}

/// Returns where the server's programs are.
fn programs() -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|path| path.join("initdb").exists())
        .collect();
    found.sort();
    let on_path = std::env::var_os("PATH").and_then(|path| std::env::split_paths(&path).find(|folder| folder.join("initdb").exists()));
    found.pop().or(on_path)
}
