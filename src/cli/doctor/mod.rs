//! `tidings doctor`: whether this machine and these settings make a broker that works, and what to do if not.

mod shared;

use std::fs::{self, File};
use std::io::{self, IsTerminal as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, SystemTime};

use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};
use tidings::broker::clock_jump_max;
use tidings::clock::{Clock, ClockDoubt, SystemClock};
use tidings::config::{Config, StoreEngine};
use tidings::store::{StoreSummary, noted_time, summary};

use super::broker::{BrokerUrl, PATIENCE};
use super::certificate::{Standing, standing};
use super::failure::Failure;
use super::files;
use super::settings::Settings;

const GIB: u64 = 1 << 30;
/// Below this much room the store may fail in the middle of a write.
const DISK_FAIL_BYTES: u64 = 256 << 20;
const DISK_WARN_BYTES: u64 = 2 * GIB;
/// 2024-01-01T00:00:00Z: order keys count from there.
const CLOCK_MIN_MS: u64 = 1_704_067_200_000;
const FSYNC_TRIES: u32 = 8;
/// Each flush carries many messages, but each message waits for one.
const FSYNC_WARN: Duration = Duration::from_millis(30);

#[derive(Debug, Args)]
pub(super) struct DoctorArguments {
    #[command(flatten)]
    settings: Settings,
    /// The broker, such as <http://127.0.0.1:7080>; default: where server.listen says.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Fail when no broker is running and ready: for health checks.
    #[arg(long)]
    running: bool,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Ok,
    Warn,
    Fail,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    status: Status,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

fn ok(name: &'static str, detail: impl Into<String>) -> Check {
    Check { name, status: Status::Ok, detail: detail.into(), hint: None }
}

fn warn(name: &'static str, detail: impl Into<String>, hint: impl Into<String>) -> Check {
    Check { name, status: Status::Warn, detail: detail.into(), hint: Some(hint.into()) }
}

fn fail(name: &'static str, detail: impl Into<String>, hint: impl Into<String>) -> Check {
    Check { status: Status::Fail, ..warn(name, detail, hint) }
}

pub(super) fn run(arguments: &DoctorArguments) -> Result<(), Failure> {
    let mut checks = Vec::new();
    match arguments.settings.load(Vec::new()) {
        Err(Failure::Config(error)) => {
            checks.push(fail("configuration", error.to_string(), "see `tidings config default` for every key and its range"))
        }
        Err(other) => return Err(other),
        Ok(config) => examine(arguments, &config, &mut checks)?,
    }
    let worst = checks.iter().map(|check| check.status).max().unwrap_or(Status::Ok);
    if arguments.json {
        say!("{}", json!({"ok": worst != Status::Fail, "version": env!("CARGO_PKG_VERSION"), "checks": checks}));
    } else {
        print(&checks);
    }
    if worst == Status::Fail { Err(Failure::AlreadyReported(1)) } else { Ok(()) }
}

fn print(checks: &[Check]) {
    let colours = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    for Check { name, status, detail, hint } in checks {
        let (word, colour) = match status {
            Status::Ok => ("ok  ", "32"),
            Status::Warn => ("warn", "33"),
            Status::Fail => ("FAIL", "31"),
        };
        let word = if colours { format!("\x1b[{colour}m{word}\x1b[0m") } else { word.to_owned() };
        say!("{word}  {name:<14} {detail}");
        if let Some(hint) = hint {
            say!("                      → {hint}");
        }
    }
}

fn examine(arguments: &DoctorArguments, config: &Config, checks: &mut Vec<Check>) -> Result<(), Failure> {
    let dir = &config.server.data_dir;
    checks.push(ok("configuration", "valid"));
    checks.push(exposure(config));
    checks.extend(certificate(config));
    checks.push(metrics(config));
    checks.push(folder(dir));
    checks.push(disk(dir));
    checks.push(fsync(dir));
    checks.push(files(config));
    checks.push(clock(dir, config, &SystemClock::new()));
    if config.store.engine == StoreEngine::Postgres {
        shared::database(config, checks);
        if !config.cluster.nats.is_empty() {
            shared::bus(config, checks);
        }
    }
    let found = (config.store.engine == StoreEngine::Sled).then(|| summary(&config.store_dir()));
    if config.store.engine != StoreEngine::Postgres {
        checks.push(store(found.as_ref()));
    }
    let place = BrokerUrl::of(arguments.url.as_deref(), config)?;
    let mut answers = broker(&place, arguments.running);
    let is_held = found.is_none_or(|found| found.in_use);
    if arguments.url.is_none() && answers.status == Status::Ok && answers.detail.starts_with("running") && !is_held {
        let detail = format!("{}, but no process holds the store in {}", answers.detail, dir.display());
        answers = warn(
            answers.name,
            detail,
            "it keeps its data in another folder: name that with --data-dir, or the settings it runs with with --config",
        );
    }
    if answers.status != Status::Ok || !answers.detail.starts_with("running") {
        checks.push(port(config));
    }
    checks.push(answers);
    Ok(())
}

fn exposure(config: &Config) -> Check {
    let (name, listen) = ("address", config.server.listen);
    if config.is_loopback() {
        return ok(name, format!("{listen}: this machine only"));
    }
    let sections = serde_json::to_value(config).unwrap_or_default();
    let has_tls = sections["tls"]["certificate"].as_str().is_some_and(|certificate| !certificate.is_empty());
    if has_tls {
        ok(name, format!("{listen}, with TLS"))
    } else {
        warn(name, format!("{listen} without TLS"), "put a proxy that speaks TLS before it: tokens and messages travel in clear")
    }
}

/// Reads the certificate and its key, if the settings name them.
fn certificate(config: &Config) -> Option<Check> {
    let name = "certificate";
    let hint = "the broker takes a new pair of files within tls.check_seconds, without a restart";
    match standing(config, SystemClock::new().wall_ms()) {
        Err(failure) => Some(fail(name, failure.to_string(), "the broker does not start with it")),
        Ok(None) => None,
        Ok(Some(Standing::Good(text))) => Some(ok(name, text)),
        Ok(Some(Standing::Ending(text))) => Some(warn(name, text, hint)),
        Ok(Some(Standing::Ended(text))) => Some(fail(name, text, hint)),
    }
}

/// Says where the metrics are, which tell much about who uses the broker and how.
fn metrics(config: &Config) -> Check {
    let (name, server) = ("metrics", &config.server);
    if server.metrics_public && !config.is_loopback() {
        let hint = "set server.private_listen to an address that only your scraper reaches, and server.metrics_public to false";
        return warn(name, format!("anyone who reaches {} can read /metrics and openapi.json", server.listen), hint);
    }
    match (server.private_listen.as_str(), server.metrics_public || config.auth.secret.is_empty()) {
        ("", true) => ok(name, format!("at {}", server.listen)),
        ("", false) => ok(name, "nowhere: set server.private_listen to have them scraped"),
        (address, _) => ok(name, format!("at {address}")),
    }
}

#[cfg(unix)]
fn mode_of(path: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).ok().map(|about| about.permissions().mode() & 0o777)
}

#[cfg(not(unix))]
fn mode_of(_: &Path) -> Option<u32> {
    None
}

fn folder(dir: &Path) -> Check {
    let (name, shown) = ("data directory", dir.display());
    if !dir.exists() {
        return ok(name, format!("{shown} is made at the first start"));
    }
    let probe = dir.join(format!(".doctor-{}", std::process::id()));
    if let Err(error) = File::create_new(&probe).and_then(|_| fs::remove_file(&probe)) {
        return fail(name, format!("{shown} cannot be written: {error}"), "it must belong to the user the broker runs as");
    }
    match mode_of(dir).filter(|mode| mode & 0o077 != 0) {
        Some(mode) => warn(name, format!("{shown} has mode {mode:o}"), format!("chmod 700 {shown}: it holds keys and messages")),
        None => ok(name, format!("{shown} is writable and private")),
    }
}

/// Returns the folder, or the one it will be made in.
fn existing(dir: &Path) -> &Path {
    dir.ancestors().find(|dir| !dir.as_os_str().is_empty() && dir.exists()).unwrap_or_else(|| Path::new("."))
}

fn disk(dir: &Path) -> Check {
    let name = "disk";
    match rustix::fs::statvfs(existing(dir)) {
        Err(error) => warn(name, format!("cannot be asked: {error}"), "look at the free space yourself"),
        Ok(about) => {
            let free = about.f_bavail.saturating_mul(about.f_frsize);
            let detail = format!("{:.1} GiB free", free as f64 / GIB as f64);
            let hint = "make room, or lower history.retention_days and media.total_bytes_max";
            match free {
                _ if free < DISK_FAIL_BYTES => fail(name, detail, hint),
                _ if free < DISK_WARN_BYTES => warn(name, detail, hint),
                _ => ok(name, detail),
            }
        }
    }
}

/// Measures the median of some writes as the store makes them.
fn fsync(dir: &Path) -> Check {
    let name = "fsync";
    let path = existing(dir).join(format!(".doctor-fsync-{}", std::process::id()));
    let clock = SystemClock::new();
    let measure = || -> io::Result<Duration> {
        let mut file = File::create_new(&path)?;
        let mut times = Vec::new();
        for _ in 0..FSYNC_TRIES {
            let began = clock.elapsed();
            file.write_all(&[7; 4096])?;
            file.sync_data()?;
            times.push(clock.elapsed() - began);
        }
        times.sort_unstable();
        Ok(times[times.len() / 2])
    };
    let measured = measure();
    if path.exists() && fs::remove_file(&path).is_err() {
        return warn(name, format!("{} could not be removed", path.display()), "remove it");
    }
    match measured {
        Err(error) => fail(name, format!("cannot write and sync: {error}"), "the broker could not keep a message"),
        Ok(time) if time > FSYNC_WARN => warn(
            name,
            format!("{:.1} ms for 4 KiB", time.as_secs_f64() * 1000.0),
            "each message waits for it: use a faster disk for server.data_dir",
        ),
        Ok(time) => ok(name, format!("{:.2} ms for 4 KiB", time.as_secs_f64() * 1000.0)),
    }
}

fn files(config: &Config) -> Check {
    let name = "open files";
    let needed = files::needed(config.server.connections_max);
    match rlimit::getrlimit(rlimit::Resource::NOFILE) {
        Err(error) => warn(name, format!("cannot be asked: {error}"), "look at `ulimit -n` yourself"),
        // The broker takes what it needs, up to that.
        Ok((_, hard)) if hard < needed => warn(
            name,
            format!("{hard} allowed here, server.connections_max of {} needs {needed}", config.server.connections_max),
            format!("LimitNOFILE={needed} in the service's unit, or `ulimit -Hn {needed}`"),
        ),
        Ok((_, hard)) => ok(name, format!("{hard} allowed, {needed} needed at most")),
    }
}

fn clock(dir: &Path, config: &Config, clock: &dyn Clock) -> Check {
    let (name, now_ms) = ("clock", clock.wall_ms());
    if now_ms < CLOCK_MIN_MS {
        return fail(name, "is before 2024", "set it: tokens and the order of messages depend on it");
    }
    let noted_ms = noted_time(&config.store_dir()).unwrap_or_default();
    if let Some(doubt) = noted_ms.and_then(|noted_ms| ClockDoubt::between(now_ms, noted_ms, clock_jump_max(config))) {
        return fail(name, doubt.to_string(), "set it with a time service such as chrony; if it is right, `tidings store accept-clock`");
    }
    let newest = |path: &Path| fs::metadata(path).and_then(|about| about.modified()).ok();
    let written = newest(&dir.join("store").join("commit.mark"));
    let ahead_ms = written
        .and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok())
        .map_or(0, |time| (u64::try_from(time.as_millis()).unwrap_or(u64::MAX)).saturating_sub(now_ms));
    if ahead_ms > 60_000 {
        return warn(name, format!("is {} s behind the store's last write", ahead_ms / 1000), "run a time service such as chrony");
    }
    ok(name, "not behind what is stored")
}

fn store(found: Option<&StoreSummary>) -> Check {
    let name = "store";
    let Some(found) = found else { return warn(name, "store.engine is \"memory\"", "messages are gone at the end; \"sled\" keeps them") };
    match found {
        StoreSummary { problem: Some(problem), .. } => {
            fail(name, problem.clone(), "`tidings store check` tells more; `tidings store restore` brings a backup back")
        }
        StoreSummary { format: None, .. } => ok(name, "made at the first start"),
        StoreSummary { format: Some(format), commit, in_use, known, .. } => {
            let held = if *in_use { "in use by a process" } else { "not in use" };
            let commit = commit.map_or_else(|| "no mark".to_owned(), |commit| format!("commit {commit}"));
            let detail = format!("format {format}, {commit}, {held}");
            if format < known {
                warn(name, detail, format!("the next start copies it aside and brings it to format {known}"))
            } else {
                ok(name, detail)
            }
        }
    }
}

fn port(config: &Config) -> Check {
    let (name, listen) = ("port", config.server.listen);
    match TcpListener::bind(listen) {
        Ok(_) => ok(name, format!("{listen} is free")),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            fail(name, format!("{listen} is taken by another program"), "choose another with server.listen or --listen")
        }
        Err(error) => fail(name, format!("{listen}: {error}"), "choose an address of this machine with server.listen"),
    }
}

fn broker(place: &BrokerUrl, must_run: bool) -> Check {
    let name = "broker";
    let hint = "start it with `tidings serve`";
    let not = |detail: String| if must_run { fail(name, detail, hint) } else { ok(name, detail) };
    let asked = place.request("GET", "/healthz", None, None, PATIENCE);
    let Ok((200, body)) = asked else { return not(format!("none answers at {}", place.host)) };
    let health: Value = serde_json::from_str(&body).unwrap_or_default();
    let Some(version) = health["version"].as_str() else {
        return fail(name, format!("something else answers at {}", place.host), "choose another port with server.listen");
    };
    match place.request("GET", "/readyz", None, None, PATIENCE) {
        Ok((200, _)) if version == env!("CARGO_PKG_VERSION") => ok(name, format!("running at {}, version {version}, ready", place.host)),
        Ok((200, _)) => {
            warn(name, format!("running at {}, version {version}", place.host), format!("this program is {}", env!("CARGO_PKG_VERSION")))
        }
        Ok((_, body)) => {
            let problem: Value = serde_json::from_str(&body).unwrap_or_default();
            fail(
                name,
                format!("running at {} and not ready: {}", place.host, problem["detail"].as_str().unwrap_or("no reason given")),
                "see its log",
            )
        }
        Err(error) => fail(name, error.to_string(), "see its log"),
    }
}
