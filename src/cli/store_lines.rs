//! Stores as exported lines, in whatever engine they are: `tidings store export | import | convert`.

use std::io::{BufRead, Write};
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use tidings::auth::ApiKeyFile;
#[cfg(feature = "postgres")]
use tidings::broker::postgres_options;
use tidings::broker::{documents, sled_options};
use tidings::config::{Config, StoreEngine};
use tidings::console::ConsoleFile;
use tidings::store::{self, LineCounts, OpenError, SledOptions, StoreReport};
#[cfg(feature = "postgres")]
use tidings::store::{DatabaseCheck, PostgresOptions};

use super::failure::Failure;
use super::progress::Progress;
use super::settings::Settings;

/// How long another process may take to let go of the store.
const LOCK_WAIT: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
pub(super) struct Common {
    #[command(flatten)]
    pub(super) settings: Settings,
    /// One JSON object on standard output.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ConvertArguments {
    #[command(flatten)]
    common: Common,
    /// The engine to make the store for: in the data directory, or in the database of `store.postgres.url`.
    #[arg(long, value_name = "ENGINE", value_parser = ["sled", "postgres"])]
    to: String,
}

/// Returns the options of the store in the data directory, whatever engine is configured.
pub(super) fn options_of_sled(config: &Config) -> SledOptions {
    SledOptions { lock_wait: LOCK_WAIT, ..sled_options(config) }
}

pub(super) fn print_report(report: &StoreReport) {
    say!("format {}, commit {}, {} week(s)", report.format, report.commit, report.weeks.len());
    for (what, count) in &report.counts {
        say!("{count:>12} {what}");
    }
}

pub(super) fn as_json<T: serde::Serialize>(value: &T) -> Result<Value, Failure> {
    Ok(serde_json::to_value(value).map_err(anyhow::Error::from)?)
}

/// A store that lines are of.
pub(super) enum LineStore {
    Sled(SledOptions),
    #[cfg(feature = "postgres")]
    Postgres(Box<PostgresOptions>),
}

/// What a store that was made of lines holds.
pub(super) enum Made {
    Sled(StoreReport),
    #[cfg(feature = "postgres")]
    Postgres(DatabaseCheck),
}

impl LineStore {
    /// Returns the store of an engine where the configuration has it.
    pub(super) fn of(config: &Config, engine: StoreEngine) -> Result<Self, Failure> {
        match engine {
            StoreEngine::Sled => Ok(Self::Sled(options_of_sled(config))),
            StoreEngine::Memory => Err(Failure::Usage("store.engine is \"memory\": there is nothing to read or to keep".to_owned())),
            #[cfg(feature = "postgres")]
            StoreEngine::Postgres if config.store.postgres.url.is_empty() => {
                Err(Failure::Usage("store.postgres.url is empty: set the database's address".to_owned()))
            }
            #[cfg(feature = "postgres")]
            StoreEngine::Postgres => Ok(Self::Postgres(Box::new(postgres_options(config)))),
            #[cfg(not(feature = "postgres"))]
            StoreEngine::Postgres => Err(Failure::Usage("this program was built without the feature postgres".to_owned())),
        }
    }

    /// Writes it as lines.
    pub(super) fn export(&self, out: &mut dyn Write, wrote: &mut dyn FnMut(u64)) -> Result<LineCounts, OpenError> {
        match self {
            Self::Sled(options) => store::export(options, out, wrote),
            #[cfg(feature = "postgres")]
            Self::Postgres(options) => store::export_database(options, out, wrote),
        }
    }

    /// Makes it of lines.
    pub(super) fn import(&self, from: &mut dyn BufRead, read: &mut dyn FnMut(u64)) -> Result<Made, OpenError> {
        match self {
            Self::Sled(options) => store::import(options, from, read).map(Made::Sled),
            #[cfg(feature = "postgres")]
            Self::Postgres(options) => store::import_database(options, from, read).map(Made::Postgres),
        }
    }

    /// Refuses a store that a broker serves; one in files refuses by itself.
    fn require_unserved(&self) -> Result<(), OpenError> {
        match self {
            Self::Sled(_) => Ok(()),
            #[cfg(feature = "postgres")]
            Self::Postgres(options) => store::require_unserved(options),
        }
    }
}

impl Made {
    pub(super) fn print(&self) {
        match self {
            Self::Sled(report) => print_report(report),
            #[cfg(feature = "postgres")]
            Self::Postgres(found) => print_found(found),
        }
    }

    pub(super) fn as_json(&self) -> Result<Value, Failure> {
        match self {
            Self::Sled(report) => as_json(report),
            #[cfg(feature = "postgres")]
            Self::Postgres(found) => as_json(found),
        }
    }
}

/// Prints what is in a database, and what does not hold together.
#[cfg(feature = "postgres")]
pub(super) fn print_found(found: &DatabaseCheck) {
    for (table, count) in &found.counts {
        say!("{count:>12} {table}");
    }
    found.problems.iter().for_each(|problem| say!("{problem}"));
    if found.problems.is_empty() {
        say!("no gaps, and every head is its last message");
    }
}

/// Makes the store of the other engine of the one that is configured.
pub(super) fn convert(arguments: &ConvertArguments) -> Result<(), Failure> {
    let config = arguments.common.settings.load(Vec::new())?;
    let from = config.store.engine;
    let to = if arguments.to == "sled" { StoreEngine::Sled } else { StoreEngine::Postgres };
    if from == to {
        return Err(Failure::Usage(format!("store.engine is {:?} already: there is nothing to convert", to.name())));
    }
    let (source, target) = (LineStore::of(&config, from)?, LineStore::of(&config, to)?);
    source.require_unserved()?;
    let progress = Progress::of("converting", None);
    let export = |out: &mut dyn Write| source.export(out, &mut |_| {});
    let import = |lines: &mut dyn BufRead| target.import(lines, &mut |bytes| progress.add(bytes));
    let (lines, made) = store::pipe(export, import)?;
    drop(progress);
    let carried = carry_documents(&config, to)?;
    let (from, to) = (from.name(), to.name());
    if arguments.common.json {
        let (records, messages) = (lines.records, lines.messages);
        let made = made.as_json()?;
        say!("{}", json!({"from": from, "to": to, "records": records, "messages": messages, "store": made, "documents": carried}));
    } else {
        made.print();
        say!(
            "converted {} records, {} of them messages, from {from} to {to}; the store of {from} is as it was",
            lines.records,
            lines.messages
        );
        carried.iter().for_each(|name| say!("carried over {name}"));
        say!("now set store.engine = {to:?} and start the broker");
    }
    Ok(())
}

/// Carries the keys of the server API and the console's password over, where the other side has none; returns which documents.
fn carry_documents(config: &Config, to: StoreEngine) -> Result<Vec<&'static str>, Failure> {
    let mut other = config.clone();
    other.store.engine = to;
    let (source, target) = (documents(config)?, documents(&other)?);
    let mut carried = Vec::new();
    for name in [ApiKeyFile::DOCUMENT, ConsoleFile::DOCUMENT] {
        let content = source.read(name).map_err(anyhow::Error::from)?;
        if let Some(content) = content
            && target.replace(name, None, &content).map_err(anyhow::Error::from)?
        {
            carried.push(name);
        }
    }
    Ok(carried)
}
