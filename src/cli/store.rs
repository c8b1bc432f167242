//! `tidings store`: looking after the data of a broker.

use std::fs::File;
use std::io::{self, BufReader, BufWriter};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tidings::backup::{self, BackupError, BackupReport, Order};
use tidings::clock::{Clock as _, SystemClock};
use tidings::config::{Config, MediaEngine, StoreEngine};
use tidings::store::{self, Maintenance as _, OpenError, Pace, SledOptions, SledStore};

use super::broker::{BrokerUrl, api_error};
use super::failure::Failure;
use super::progress::Progress;
use super::settings::Settings;
#[cfg(feature = "postgres")]
use super::store_lines::print_found;
use super::store_lines::{Common, ConvertArguments, LineStore, as_json, convert, options_of_sled, print_report};

/// How long a running broker may take for a backup.
const BACKUP_PATIENCE: Duration = Duration::from_secs(24 * 3600);

#[derive(Debug, Subcommand)]
pub(super) enum StoreCommand {
    /// Read and check everything in the store of a stopped broker, or a backup; exit code 65 when it is damaged. The store is
    /// read as a copy in the temporary folder (TMPDIR) and stays as it is.
    Check(CheckArguments),
    /// Write everything in the store of a stopped broker as lines of JSON. It is read as a copy, like by `check`. A store in a
    /// database may be served meanwhile: it is read as it is at one moment, in one transaction.
    Export(ExportArguments),
    /// Make a store of exported lines, where there is none. In a database all of it is one transaction.
    Import(ImportArguments),
    /// Make a store of the other engine, where there is none, of the one that is configured and that nobody serves. That one stays
    /// as it is.
    Convert(ConvertArguments),
    /// Copy store, files and keys into a folder; of a running broker through its server API.
    Backup(BackupArguments),
    /// Make a data directory of a backup, where there is none.
    Restore(RestoreArguments),
    /// Say that the clock of this machine is right, so that what is too old is deleted again; also while a broker runs.
    AcceptClock(AcceptClockArguments),
}

#[derive(Debug, Args)]
pub(super) struct CheckArguments {
    #[command(flatten)]
    common: Common,
    /// Check this backup, a name in `store.backup_dir` or a path, instead of the store.
    #[arg(long, value_name = "BACKUP")]
    backup: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct AcceptClockArguments {
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
pub(super) struct ExportArguments {
    #[command(flatten)]
    settings: Settings,
    /// Where to write; default, or -: standard output. Must not exist.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct ImportArguments {
    #[command(flatten)]
    common: Common,
    /// What to read; -: standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct BackupArguments {
    #[command(flatten)]
    common: Common,
    /// What it is to be called, 1 to 64 of letters, digits, _, - and .; default: the time in UTC. It is made in
    /// `store.backup_dir`.
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Ask the broker that runs there, such as <http://127.0.0.1:7080>, with a key of scope ops:write.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The key for it; default: `TIDINGS_API_KEY`, which others on this machine can't read.
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// How fast a stopped broker's data is copied, bytes per second; default: as fast as it goes.
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    bytes_per_second: u64,
}

#[derive(Debug, Args)]
pub(super) struct RestoreArguments {
    #[command(flatten)]
    common: Common,
    /// The backup: a name in `store.backup_dir`, or a path.
    #[arg(value_name = "BACKUP")]
    backup: String,
}

pub(super) fn run(command: StoreCommand) -> Result<(), Failure> {
    match command {
        StoreCommand::Check(arguments) => check(&arguments),
        StoreCommand::Export(arguments) => export(&arguments),
        StoreCommand::Import(arguments) => import(&arguments),
        StoreCommand::Convert(arguments) => convert(&arguments),
        StoreCommand::Backup(arguments) => back_up(&arguments),
        StoreCommand::Restore(arguments) => restore(&arguments),
        StoreCommand::AcceptClock(arguments) => accept_clock(&arguments),
    }
}

fn accept_clock(arguments: &AcceptClockArguments) -> Result<(), Failure> {
    let config = arguments.common.settings.load(Vec::new())?;
    let options = options(&config)?;
    let (before_ms, now_ms) = (store::noted_time(&options.path)?, SystemClock::new().wall_ms());
    store::note_time(&options.path, now_ms)?;
    if arguments.common.json {
        say!("{}", json!({"notedTime": now_ms, "notedBefore": before_ms}));
    } else {
        say!("noted {now_ms} (Unix milliseconds) as the right time; a running broker notices within a minute");
    }
    Ok(())
}

fn options(config: &Config) -> Result<SledOptions, Failure> {
    if config.store.engine != StoreEngine::Sled {
        return Err(Failure::Usage(match config.store.engine {
            StoreEngine::Postgres => "store.engine is \"postgres\": the store is in a database, whose business this is".to_owned(),
            _ => "store.engine is \"memory\": there is nothing on disk".to_owned(),
        }));
    }
    Ok(options_of_sled(config))
}

/// A name in the folder of backups, or a path.
fn backup_folder(config: &Config, backup: &str) -> PathBuf {
    let named = config.backup_dir().join(backup);
    if backup::check_name(backup).is_ok() && (named.exists() || !Path::new(backup).exists()) { named } else { PathBuf::from(backup) }
}

fn check(arguments: &CheckArguments) -> Result<(), Failure> {
    let Common { settings, json: as_lines } = &arguments.common;
    let config = settings.load(Vec::new())?;
    if let Some(backup) = &arguments.backup {
        let folder = backup_folder(&config, backup);
        let progress = Progress::of("checking", None);
        let manifest = backup::check(&folder, &mut |bytes| progress.add(bytes))?;
        drop(progress);
        if *as_lines {
            say!("{}", as_json(&manifest)?);
        } else {
            say!(
                "backup {} is whole: commit {}, {} messages, by {}",
                folder.display(),
                manifest.store.commit,
                manifest.store.messages,
                manifest.program
            );
        }
        return Ok(());
    }
    #[cfg(feature = "postgres")]
    if config.store.engine == StoreEngine::Postgres {
        return check_database(&config, *as_lines);
    }
    let report = store::check(&options(&config)?)?;
    if *as_lines {
        say!("{}", as_json(&report)?);
    } else {
        print_report(&report);
        say!("everything is there and matches its checksums");
    }
    Ok(())
}

/// Looks whether what is in the database holds together; it may be served meanwhile.
#[cfg(feature = "postgres")]
fn check_database(config: &Config, as_lines: bool) -> Result<(), Failure> {
    let found = store::check_database(&tidings::broker::postgres_options(config))?;
    if as_lines {
        say!("{}", as_json(&found)?);
    } else {
        print_found(&found);
    }
    if !found.problems.is_empty() {
        eprintln!("tidings: the store does not hold together");
        return Err(Failure::AlreadyReported(65));
    }
    Ok(())
}

fn export(arguments: &ExportArguments) -> Result<(), Failure> {
    let config = arguments.settings.load(Vec::new())?;
    let store = LineStore::of(&config, config.store.engine)?;
    let progress = Progress::of("exporting", None);
    let mut wrote = |bytes| progress.add(bytes);
    let file = arguments.file.as_ref().filter(|file| file.as_os_str() != "-");
    let lines = match file {
        None => store.export(&mut BufWriter::new(io::stdout().lock()), &mut wrote)?,
        Some(path) => {
            let created = File::create_new(path).map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => Failure::Backup(BackupError::Exists(path.clone())),
                _ => anyhow::anyhow!("cannot write {}: {error}", path.display()).into(),
            })?;
            let written = store.export(&mut BufWriter::new(&created), &mut wrote);
            let synced = written.map_err(Failure::from).and_then(|lines| {
                created.sync_all().map_err(anyhow::Error::from)?;
                Ok(lines)
            });
            if synced.is_err() && std::fs::remove_file(path).is_err() {
                eprintln!("tidings: {} is not complete and could not be removed", path.display());
            }
            synced?
        }
    };
    drop(progress);
    eprintln!("exported {} records, {} of them messages", lines.records, lines.messages);
    Ok(())
}

fn import(arguments: &ImportArguments) -> Result<(), Failure> {
    let config = arguments.common.settings.load(Vec::new())?;
    let store = LineStore::of(&config, config.store.engine)?;
    let is_input = arguments.file.as_os_str() == "-";
    let made = if is_input {
        let progress = Progress::of("importing", None);
        store.import(&mut io::stdin().lock(), &mut |bytes| progress.add(bytes))?
    } else {
        let file = File::open(&arguments.file).map_err(|error| anyhow::anyhow!("cannot read {}: {error}", arguments.file.display()))?;
        let progress = Progress::of("importing", file.metadata().ok().map(|about| about.len()));
        store.import(&mut BufReader::new(file), &mut |bytes| progress.add(bytes))?
    };
    if arguments.common.json {
        say!("{}", made.as_json()?);
    } else {
        made.print();
    }
    Ok(())
}

fn back_up(arguments: &BackupArguments) -> Result<(), Failure> {
    let config = arguments.common.settings.load(Vec::new())?;
    let now_ms = SystemClock::new().wall_ms();
    let name = arguments.name.clone().unwrap_or_else(|| backup::name_at(now_ms));
    backup::check_name(&name)?;
    let key = arguments.key.clone().or_else(|| std::env::var("TIDINGS_API_KEY").ok()).filter(|key| !key.is_empty());
    let report = match (&arguments.url, &key) {
        (Some(_), None) => return Err(Failure::Usage("--url needs --key or TIDINGS_API_KEY, a key of scope ops:write".to_owned())),
        (Some(url), Some(key)) => ask_for_backup(&BrokerUrl::of(Some(url), &config)?, key, &name)?,
        (None, key) => match (back_up_offline(arguments, &config, &name, now_ms), key) {
            // It runs; it can be asked.
            (Err(Failure::Start(_) | Failure::Open(OpenError::InUse { .. })), Some(key)) => {
                ask_for_backup(&BrokerUrl::of(None, &config)?, key, &name)?
            }
            (Err(Failure::Open(error @ OpenError::InUse { .. })), None) => {
                eprintln!("tidings: a running broker is backed up through its server API: set TIDINGS_API_KEY to a key of scope ops:write");
                return Err(error.into());
            }
            (outcome, _) => as_json(&outcome?)?,
        },
    };
    if arguments.common.json {
        say!("{report}");
    } else {
        let (messages, commit, bytes) = (&report["messages"], &report["commit"], &report["bytes"]);
        say!("backup {} has {messages} messages up to commit {commit}, {bytes} bytes", report["name"].as_str().unwrap_or(&name));
    }
    Ok(())
}

fn ask_for_backup(place: &BrokerUrl, key: &str, name: &str) -> Result<Value, Failure> {
    let (status, body) = place.request("POST", "/api/v1/backups", Some(key), Some(&json!({"name": name})), BACKUP_PATIENCE)?;
    match (status, serde_json::from_str::<Value>(&body)) {
        (200..300, Ok(report)) => Ok(report),
        _ => Err(api_error(status, &body)),
    }
}

fn back_up_offline(arguments: &BackupArguments, config: &Config, name: &str, now_ms: u64) -> Result<BackupReport, Failure> {
    let options = options(config)?;
    if !options.path.exists() {
        return Err(OpenError::Io { path: options.path.display().to_string(), reason: "there is no store".to_owned() }.into());
    }
    let order = Order {
        folder: config.backup_dir().join(name),
        data_dir: config.server.data_dir.clone(),
        media_dir: (config.media.store == MediaEngine::Disk).then(|| config.media_dir()),
        now_ms,
    };
    let store = SledStore::open(options, Arc::new(SystemClock::new()))?;
    let progress = Progress::of("copying", None);
    let mut watch = |bytes| {
        progress.add(bytes);
        ControlFlow::Continue(())
    };
    let taken = backup::take(&store, &order, Pace { bytes_per_second: arguments.bytes_per_second, watch: &mut watch });
    drop(store.close());
    Ok(taken?)
}

fn restore(arguments: &RestoreArguments) -> Result<(), Failure> {
    let config = arguments.common.settings.load(Vec::new())?;
    let options = options(&config)?;
    let folder = backup_folder(&config, &arguments.backup);
    let progress = Progress::of("restoring", None);
    let restored = backup::restore(&folder, &config.server.data_dir, &options, &mut |bytes| progress.add(bytes))?;
    drop(progress);
    if arguments.common.json {
        say!("{}", as_json(&restored)?);
    } else {
        print_report(&restored.store);
        say!("{:>12} media files", restored.media_files);
        say!("restored into {}; kept: {}", config.server.data_dir.display(), restored.kept.join(", "));
    }
    Ok(())
}
