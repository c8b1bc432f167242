//! A PostgreSQL of the bench's own: a new cluster in a temporary folder, on a loopback port that the system picks, with a password.
//!
//! The server belongs to a shell that reads from a pipe of this process: when the process ends, however, the pipe closes, the shell
//! stops the server and removes the folder. As root it all runs as the user `postgres`, as PostgreSQL demands.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::bench::error::BenchError;
use crate::bench::peers::start::free_port;
use crate::bench::process::cpu_of;
use crate::model::hex;

/// What it is started with besides address and folder; everything else is PostgreSQL's own default, so it waits for the disk.
const SETTINGS: &str =
    "-c listen_addresses=127.0.0.1 -c shared_buffers=256MB -c jit=off -c random_page_cost=1.1 -c max_wal_size=2GB -c max_connections=300";

const MISSING: &str = "PostgreSQL's programs are not installed, which several brokers keep their messages in: apt install postgresql";

/// The shell: `$1` programs, `$2` folder to work in, `$3` port, `$4` settings. It says the server's process id.
const SHELL: &str = r#"
set -u
umask 077
dir=$(mktemp -d "$2/tidings-bench-pg.XXXXXX") || exit 1
printf '%s' "$TIDINGS_BENCH_PASSWORD" >"$dir/password"
{ "$1/initdb" -D "$dir/data" -A scram-sha-256 --pwfile="$dir/password" -U tidings -E UTF8 --locale=C --no-sync &&
  "$1/pg_ctl" -D "$dir/data" -w -t 60 -l "$dir/said" -o "-p $3 -k $dir $4" start; } >"$dir/log" 2>&1 ||
  { tail -n 3 "$dir/log" "$dir/said" >&2; rm -rf "$dir"; exit 1; }
head -n 1 "$dir/data/postmaster.pid"
while read -r _; do :; done
"$1/pg_ctl" -D "$dir/data" -m immediate stop >/dev/null 2>&1
rm -rf "$dir"
"#;

/// A running server.
#[derive(Debug)]
pub(in crate::bench) struct Database {
    programs: PathBuf,
    port: u16,
    password: String,
    /// Its first process, of which all others are children.
    first: u32,
    made: AtomicU32,
    shell: Child,
    /// The shell ends when this closes.
    input: Option<ChildStdin>,
}

impl Database {
    /// Starts it; also returns a line for the report.
    pub(super) fn start(within: &Path) -> Result<(Self, String), BenchError> {
        let programs = programs().ok_or_else(|| BenchError::NotInstalled(MISSING.to_owned()))?;
        let (port, password) = (free_port()?.port(), password()?);
        let is_root = fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
        let mut command = Command::new(if is_root { "runuser" } else { "sh" });
        if is_root {
            command.args(["-u", "postgres", "--", "sh"]);
        }
        command.args(["-c", SHELL, "sh"]).arg(&programs).arg(within).args([port.to_string().as_str(), SETTINGS]);
        // Whoever interrupts the bench at a terminal must not interrupt what cleans up after it.
        command.current_dir("/").env("TIDINGS_BENCH_PASSWORD", &password).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let failed = |error| BenchError::io("cannot start PostgreSQL", error);
        let mut shell = command.spawn().map_err(failed)?;
        let (input, output, errors) = (shell.stdin.take(), shell.stdout.take(), shell.stderr.take());
        let mut line = String::new();
        if let Some(output) = output {
            BufReader::new(output).read_line(&mut line).map_err(failed)?;
        }
        let Ok(first) = line.trim().parse() else {
            let mut said = String::new();
            if let Some(mut errors) = errors {
                errors.read_to_string(&mut said).map_err(failed)?;
            }
            shell.wait().map_err(failed)?;
            return Err(BenchError::Subject(format!("PostgreSQL did not start in {}: {}", within.display(), said.trim())));
        };
        let label = format!("PostgreSQL: {}, its defaults, on 127.0.0.1 with {}", version(&programs), SETTINGS.replace("-c ", ""));
        Ok((Self { programs, port, password, first, made: AtomicU32::new(0), shell, input }, label))
    }

    /// Makes an empty database; returns its address.
    pub(super) fn make(&self) -> Result<String, BenchError> {
        let Self { port, password, .. } = self;
        let name = format!("bench{}", self.made.fetch_add(1, Ordering::Relaxed));
        let mut command = Command::new(self.programs.join("createdb"));
        command.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-U", "tidings", &name]).env("PGPASSWORD", password).stdin(Stdio::null());
        let output = command.output().map_err(|error| BenchError::io("cannot start createdb", error))?;
        if !output.status.success() {
            return Err(BenchError::Subject(format!("no database could be made: {}", String::from_utf8_lossy(&output.stderr).trim())));
        }
        Ok(format!("postgres://tidings:{password}@127.0.0.1:{port}/{name}?sslmode=disable"))
    }

    /// Processor seconds of all its processes, those that have ended among them.
    pub(in crate::bench) fn cpu_seconds(&self) -> Option<f64> {
        let first = self.first;
        let children = fs::read_to_string(format!("/proc/{first}/task/{first}/children")).ok()?;
        let stat = |pid: &str| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            Some(stat.rsplit_once(')')?.1.to_owned())
        };
        let own = stat(&first.to_string())?;
        // Those that have ended: proc(5), `cutime` and `cstime`, two fields behind those of the process itself.
        let (_, ended) = own.trim_start().split_once(' ').and_then(|(_, rest)| rest.split_once(' '))?;
        // A child that ends meanwhile is missed once and counted with its parent the next time.
        let alive = children.split_whitespace().filter_map(stat).filter_map(|stat| cpu_of(&stat)).sum::<f64>();
        Some(cpu_of(&own)? + cpu_of(ended)? + alive)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        drop(self.input.take());
        if let Err(error) = self.shell.wait() {
            tracing::warn!(%error, "the bench's PostgreSQL could not be waited for");
        }
    }
}

/// Returns where the server's programs are: of Debian's versions the newest, or on the path.
fn programs() -> Option<PathBuf> {
    let has_them = |folder: &PathBuf| ["initdb", "pg_ctl", "createdb"].iter().all(|name| folder.join(name).is_file());
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().filter_map(|entry| {
        let entry = entry.ok()?;
        let version: u32 = entry.file_name().to_str()?.parse().ok()?;
        Some((version, entry.path().join("bin")))
    });
    let newest = versions.filter(|(_, folder)| has_them(folder)).max();
    let path = std::env::var_os("PATH").unwrap_or_default();
    newest.map(|(_, folder)| folder).or_else(|| std::env::split_paths(&path).find(has_them))
}

fn version(programs: &Path) -> String {
    let said = Command::new(programs.join("postgres")).arg("--version").stdin(Stdio::null()).output();
    said.map_or_else(|_| "of unknown version".to_owned(), |said| String::from_utf8_lossy(&said.stdout).trim().to_owned())
}

/// Returns a password that nobody guesses: any user of this machine can reach its loopback.
fn password() -> Result<String, BenchError> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| BenchError::Subject(format!("no random bytes to have: {error}")))?;
    Ok(hex(&bytes))
}
