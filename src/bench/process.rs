//! What is measured, from outside: a child process, the processor time and memory the kernel says it used, and its counters.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::error::BenchError;

/// What the line begins with by which a child says that it serves.
pub(super) const LISTENING: &str = "listening on ";
/// `USER_HZ`, the unit of `/proc/PID/stat`: 100 on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;
/// How long a scrape may take; a broker that is flooded answers late.
const SCRAPE_TIMEOUT: Duration = Duration::from_secs(20);
/// How often, and at what distances, it is tried whether someone else's program takes connections: ten seconds.
const START_LOOKS: u32 = 500;
const START_LOOK_EVERY: Duration = Duration::from_millis(20);

/// A running server: a child of ours, or one that runs already.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) address: SocketAddr,
    pid: Option<u32>,
    child: Option<Child>,
    // Its pipe must stay open, or its last words would fail.
    _stdout: Option<BufReader<ChildStdout>>,
    _folder: Option<Folder>,
}

/// Returns the processor seconds that a process's `stat` says, from behind its name.
pub(super) fn cpu_of(rest: &str) -> Option<f64> {
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let ticks = |field: usize| fields.get(field)?.parse::<u64>().ok();
    Some((ticks(11)? + ticks(12)?) as f64 / TICKS_PER_SECOND)
}

impl Server {
    /// Starts a child and waits for the line that says where it listens. With a folder, that is where it runs.
    pub(super) fn start(
        program: &Path,
        arguments: &[String],
        env: &[(String, String)],
        folder: Option<Folder>,
    ) -> Result<Self, BenchError> {
        let (mut server, stdout) = Self::spawn(program, arguments, env, folder)?;
        server.listens(wait_until_it_listens(stdout)?);
        Ok(server)
    }

    /// Starts a child that is to say where it listens; several are started side by side by this.
    pub(super) fn spawn(
        program: &Path,
        arguments: &[String],
        env: &[(String, String)],
        folder: Option<Folder>,
    ) -> Result<(Self, BufReader<ChildStdout>), BenchError> {
        let mut command = Command::new(program);
        // Settings of the caller's shell must not change what is measured.
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TIDINGS_")) {
            command.env_remove(name);
        }
        if let Some(folder) = &folder {
            command.current_dir(&folder.0);
        }
        command.args(arguments).envs(env.iter().map(|(name, value)| (name, value))).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| BenchError::io(format!("cannot start {}", program.display()), error))?;
        let stdout = child.stdout.take().map(BufReader::new).ok_or_else(|| BenchError::Subject("its output is not ours to read".into()))?;
        let server =
            Self { address: ([127, 0, 0, 1], 0).into(), pid: Some(child.id()), child: Some(child), _stdout: None, _folder: folder };
        Ok((server, stdout))
    }

    /// Notes what a child has said by [`wait_until_it_listens`].
    pub(super) fn listens(&mut self, said: (SocketAddr, BufReader<ChildStdout>)) {
        self.address = said.0;
        self._stdout = Some(said.1);
    }

    /// Starts someone else's program, which does not say when it serves: it does when it takes connections. It runs in
    /// its folder, and what it says is in `output` there.
    pub(super) async fn start_at(program: &Path, arguments: &[String], address: SocketAddr, folder: Folder) -> Result<Self, BenchError> {
        let failed = |error| BenchError::io(format!("cannot start {}", program.display()), error);
        let output = folder.0.join("output");
        let (out, err) = fs::File::create(&output).and_then(|file| Ok((file.try_clone()?, file))).map_err(failed)?;
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&folder.0).stdin(Stdio::null()).stdout(out).stderr(err);
        let child = command.spawn().map_err(failed)?;
        let mut server = Self { address, pid: Some(child.id()), child: Some(child), _stdout: None, _folder: Some(folder) };
        for _ in 0..START_LOOKS {
            let ended = server.child.as_mut().is_some_and(|child| !matches!(child.try_wait(), Ok(None)));
            if ended {
                break;
            }
            if tokio::net::TcpStream::connect(address).await.is_ok() {
                return Ok(server);
            }
            tokio::time::sleep(START_LOOK_EVERY).await;
        }
        let said = fs::read_to_string(&output).unwrap_or_default();
        let said = said.lines().last().unwrap_or("it said nothing");
        Err(BenchError::Subject(format!("{} does not listen on {address}: {said}", program.display())))
    }

    /// One that runs already; without its process id nothing is known of its cost.
    pub(super) fn running(address: SocketAddr, pid: Option<u32>) -> Self {
        Self { address, pid, child: None, _stdout: None, _folder: None }
    }

    /// Processor seconds since it started, in user and system together.
    pub(super) fn cpu_seconds(&self) -> Option<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid?)).ok()?;
        // The second field is the program's name in brackets, which may hold blanks.
        cpu_of(stat.rsplit_once(')')?.1)
    }

    /// Kills it at once, as a machine that dies does; its folder stays until it is dropped.
    pub(super) fn kill(&mut self) -> Result<(), BenchError> {
        let Some(child) = &mut self.child else { return Ok(()) };
        child.kill().and_then(|()| child.wait()).map_err(|error| BenchError::io("cannot kill a broker", error))?;
        Ok(())
    }

    /// Processor seconds of every PostgreSQL process on this machine, since each started.
    pub(super) fn database_cpu_seconds() -> f64 {
        let processes = fs::read_dir("/proc").into_iter().flatten().filter_map(|entry| {
            let stat = fs::read_to_string(entry.ok()?.path().join("stat")).ok()?;
            let (name, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
            (name == "postgres").then(|| cpu_of(rest)).flatten()
        });
        processes.sum()
    }

    /// Resident memory now, KiB.
    pub(super) fn resident_kib(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid?)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().trim_end_matches(" kB").parse().ok()
    }

    /// Returns what it has caused to be written to disks since it started, bytes. Source: proc(5), `write_bytes`.
    pub(super) fn disk_bytes(&self) -> Option<u64> {
        let io = fs::read_to_string(format!("/proc/{}/io", self.pid?)).ok()?;
        io.lines().find_map(|line| line.strip_prefix("write_bytes:"))?.trim().parse().ok()
    }

    /// Returns the broker's counters; blocks.
    pub(super) fn counters(&self) -> Result<Counters, BenchError> {
        get(self.address, "/metrics").map(|text| Counters::read(&text))
    }
}

/// Reads what a child says until it says where it listens; blocks.
pub(super) fn wait_until_it_listens(mut stdout: BufReader<ChildStdout>) -> Result<(SocketAddr, BufReader<ChildStdout>), BenchError> {
    let mut line = String::new();
    loop {
        line.clear();
        let read = stdout.read_line(&mut line).map_err(|error| BenchError::io("cannot read the server's output", error))?;
        if read == 0 {
            return Err(BenchError::Subject("the server ended before it listened".into()));
        }
        if let Some(address) = line.trim().strip_prefix(LISTENING) {
            let address = address.trim_start_matches("http://");
            let address = address.parse().map_err(|_| BenchError::Subject(format!("{address:?} is not an address")))?;
            return Ok((address, stdout));
        }
    }
}

/// Returns an answer with its head; blocks.
pub(super) fn get(address: SocketAddr, path: &str) -> Result<String, BenchError> {
    let failed = |error| BenchError::io(format!("GET http://{address}{path}"), error);
    let mut socket = TcpStream::connect(address).map_err(failed)?;
    socket.set_read_timeout(Some(SCRAPE_TIMEOUT)).map_err(failed)?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).map_err(failed)?;
    let mut text = String::new();
    socket.read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It has nothing to keep: its folder goes with it.
            if child.kill().is_ok() && child.wait().is_err() {
                tracing::debug!("a server under test was not there to wait for");
            }
        }
    }
}

/// What a scrape says, by name with labels.
#[derive(Debug, Clone, Default)]
pub(super) struct Counters(BTreeMap<String, u64>);

impl Counters {
    pub(super) fn read(text: &str) -> Self {
        let sample = |line: &str| {
            let (name, value) = line.rsplit_once(' ')?;
            // What is a whole number may be written as a fraction.
            let value = value.trim();
            Some((name.to_owned(), value.strip_suffix(".0").unwrap_or(value).parse().ok()?))
        };
        Self(text.lines().filter(|line| line.starts_with("tidings_")).filter_map(sample).collect())
    }

    /// Returns one counter.
    pub(super) fn one(&self, name: &str) -> Option<u64> {
        self.0.get(name).copied()
    }

    /// Adds those of another broker.
    pub(super) fn add(&mut self, other: Self) {
        other.0.into_iter().for_each(|(name, value)| *self.0.entry(name).or_default() += value);
    }

    /// Returns what the store did since `before`: commits, and messages it took. Nothing when there are no such counters.
    pub(super) fn stored_since(&self, before: &Self) -> Option<(u64, u64)> {
        let since = |name: &str| Some(self.0.get(name)?.saturating_sub(before.0.get(name).copied().unwrap_or(0)));
        since("tidings_store_flushes_total").zip(since("tidings_store_appended_total"))
    }

    /// Returns what was dropped since `before`, by `class/priority/reason`.
    pub(super) fn dropped_since(&self, before: &Self) -> BTreeMap<String, u64> {
        let labels = self.0.iter().filter_map(|(name, value)| {
            let labels = name.strip_prefix("tidings_messages_dropped_total{")?.strip_suffix('}')?;
            let since = value - before.0.get(name).copied().unwrap_or(0).min(*value);
            let values: Vec<&str> = labels.split(',').filter_map(|label| Some(label.split_once('=')?.1.trim_matches('"'))).collect();
            (since > 0).then(|| (values.join("/"), since))
        });
        labels.collect()
    }
}

/// A folder that goes when its owner does.
#[derive(Debug)]
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    /// Returns a new one below `within`.
    pub(super) fn new(within: &Path) -> Result<Self, BenchError> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let path = within.join(format!("tidings-bench-{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed)));
        fs::create_dir(&path).map_err(|error| BenchError::io(format!("cannot make {}", path.display()), error))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, path = %self.0.display(), "a folder of the bench could not be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_are_read_by_class_priority_and_reason() {
        let line = r#"tidings_messages_dropped_total{class="barrage",priority="low",reason="outbox_full"}"#;
        let before = Counters::read(&format!("HTTP/1.1 200 OK\n# TYPE x\n{line} 3\n"));
        let after = Counters::read(&format!("{line} 10\ntidings_sessions 4\ntidings_cluster_owned_shards 32.0\n"));
        assert_eq!(after.one("tidings_cluster_owned_shards"), Some(32));
        assert_eq!(after.dropped_since(&before), BTreeMap::from([("barrage/low/outbox_full".to_owned(), 7)]));
        assert_eq!(after.dropped_since(&after), BTreeMap::new());
    }

    #[test]
    fn commits_are_read_with_what_was_in_them() {
        let before = Counters::read("tidings_store_flushes_total 3\ntidings_store_appended_total 10\n");
        let after = Counters::read("tidings_store_flushes_total 5\ntidings_store_appended_total 30\n");
        assert_eq!(after.stored_since(&before), Some((2, 20)));
        assert_eq!(after.stored_since(&Counters::default()), Some((5, 30)));
        assert_eq!(Counters::default().stored_since(&before), None);
    }

    #[test]
    fn the_kernel_tells_of_this_process() {
        let here = Server::running(([127, 0, 0, 1], 1).into(), Some(std::process::id()));
        assert!(here.cpu_seconds().is_some());
        assert!(here.resident_kib().unwrap() > 100);
        assert!(here.disk_bytes().is_some());
    }
}
