//! What the command line can do, and what each failure exits with.
//!
//! | exit code | meaning |
//! |---|---|
//! | 0 | done |
//! | 1 | something failed while running |
//! | 2 | the arguments are not understood |
//! | 65 | store or backup is damaged, not finished, or of a later version; see `--accept-data-loss` |
//! | 69 | no broker can be reached there |
//! | 73 | what is to be made exists already, or its folder is not empty |
//! | 75 | the store is in use by another process |
//! | 78 | the configuration is not valid |
//!
//! [`EXIT_CODES`] says the same to who asks for help or reads the manual.

/// `println!` for output that is piped into something which may stop reading, such as `head`.
macro_rules! say {
    ($($text:tt)*) => { $crate::cli::write_out(format_args!("{}\n", format_args!($($text)*))) };
}

#[cfg(feature = "bench")]
mod bench;
mod broker;
mod config;
mod console;
mod doctor;
mod key;
mod logs;
mod manual;
#[cfg(feature = "otlp")]
mod otlp;
mod progress;
mod serve;
mod store;
mod supervisor;
mod talk;
mod token;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use thiserror::Error;
use tidings::backup::BackupError;
use tidings::broker::StartError;
use tidings::config::{Config, ConfigError, Loader};
use tidings::store::OpenError;

/// What a script may rely on.
const EXIT_CODES: &str = "\
Exit codes:
  0   done
  1   something failed while running; of doctor: a check failed
  2   the arguments are not understood
  65  store or backup is damaged, not finished, or of a later version
  69  no broker can be reached there
  73  what is to be made exists already, or its folder is not empty
  75  the store is in use by another process
  78  the configuration is not valid

Environment:
  TIDINGS_SECTION__KEY  a setting, such as TIDINGS_SERVER__LISTEN
  TIDINGS_CONFIG        the settings file
  TIDINGS_API_KEY       the key of the server API, for store backup
  NO_COLOR              no colours";

/// An actor-based instant-messaging broker. Without a subcommand it serves.
#[derive(Debug, Parser)]
#[command(name = "tidings", version, about, args_conflicts_with_subcommands = true, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeArguments,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the broker (the default).
    Serve(ServeArguments),
    /// Print one token for a user, and nothing else.
    Token(TokenArguments),
    /// Keys of the server API.
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// The operator's page.
    #[command(subcommand)]
    Console(console::ConsoleCommand),
    /// Send a message to a running broker as a user.
    Send(talk::SendArguments),
    /// Print what reaches a user of a running broker.
    Tail(talk::TailArguments),
    /// Say what this machine and these settings lack for a broker that works; exit code 1 when something fails.
    Doctor(doctor::DoctorArguments),
    /// The settings: check, defaults, those in use.
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// The data of a broker: check, export, import, backup, restore.
    #[command(subcommand)]
    Store(store::StoreCommand),
    /// Print completions for a shell.
    Completions(manual::CompletionsArguments),
    /// Print the manual, or write a page per command.
    Man(manual::ManArguments),
    /// Measure what the broker carries, beside bare socket loops.
    #[cfg(feature = "bench")]
    Bench(bench::BenchArguments),
    /// A bare socket loop, for the bench to compare with.
    #[cfg(feature = "bench")]
    #[command(hide = true)]
    BenchFloor(bench::FloorArguments),
}

/// Where settings come from. Precedence: defaults < file < `TIDINGS_SECTION__KEY` < flags.
#[derive(Debug, Args)]
struct Settings {
    /// Settings file; default: `TIDINGS_CONFIG`, else ./tidings.toml if there is one.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where store and secrets live; default: `server.data_dir` (./data).
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct ServeArguments {
    #[command(flatten)]
    settings: Settings,
    /// Address and port to listen on; port 0 lets the system choose. Default: server.listen (127.0.0.1:7080).
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Open a damaged store with what can be read of it, after copying it aside.
    #[arg(long)]
    accept_data_loss: bool,
}

#[derive(Debug, Args)]
struct TokenArguments {
    #[command(flatten)]
    settings: Settings,
    /// Whom the token is for.
    #[arg(long, value_name = "ID")]
    user: String,
    /// How long it is valid, seconds; default: `auth.token_ttl_seconds_default`.
    #[arg(long, value_name = "SECONDS")]
    ttl: Option<u64>,
    /// What kind of token.
    #[arg(long, value_enum, default_value_t = TokenFormat::Jwt)]
    format: TokenFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TokenFormat {
    /// HS256 JSON Web Token, signed with auth.secret.
    Jwt,
    /// The vendor's format, sealed with `auth.token04_secret`.
    Token04,
}

/// Why a command failed; the text is for a person, the code for a script.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Backup(#[from] BackupError),
    #[error("no broker at {host}: {reason}")]
    Unreachable { host: String, reason: String },
    #[error("{0}")]
    Usage(String),
    /// All is said already.
    #[error("")]
    AlreadyReported(u8),
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

impl Failure {
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) | Self::Start(StartError::Config(_)) => 78,
            Self::Start(StartError::Store(error)) | Self::Open(error) | Self::Backup(BackupError::Open(error)) => store_exit_code(error),
            Self::Backup(BackupError::Damaged { .. } | BackupError::Unfinished(_) | BackupError::Newer { .. }) => 65,
            Self::Backup(BackupError::Exists(_) | BackupError::NotEmpty(_)) => 73,
            Self::Unreachable { .. } => 69,
            Self::Usage(_) | Self::Backup(BackupError::Name(_)) => 2,
            Self::AlreadyReported(code) => *code,
            Self::Start(_) | Self::Backup(_) | Self::Other(_) => 1,
        }
    }
}

fn store_exit_code(error: &OpenError) -> u8 {
    match error {
        OpenError::Damaged { .. } | OpenError::NewerFormat { .. } => 65,
        OpenError::NotEmpty { .. } => 73,
        OpenError::InUse { .. } => 75,
        _ => 1,
    }
}

/// Writes to standard output. Who stopped reading wants no more: the command ends, and that is no failure.
fn write_out(text: std::fmt::Arguments<'_>) {
    if let Err(error) = std::io::Write::write_fmt(&mut std::io::stdout(), text) {
        std::process::exit(i32::from(error.kind() != std::io::ErrorKind::BrokenPipe));
    }
}

/// Carries out what was asked.
pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.command {
        None => serve::run(&arguments.serve),
        Some(Command::Serve(serve)) => serve::run(&serve),
        Some(Command::Token(token)) => token::run(&token),
        Some(Command::Key(command)) => key::run(&command),
        Some(Command::Console(command)) => console::run(&command),
        Some(Command::Send(arguments)) => talk::send(&arguments),
        Some(Command::Tail(arguments)) => talk::tail(&arguments),
        Some(Command::Doctor(arguments)) => doctor::run(&arguments),
        Some(Command::Config(command)) => config::run(&command),
        Some(Command::Store(command)) => store::run(command),
        Some(Command::Completions(arguments)) => {
            manual::completions(&arguments);
            Ok(())
        }
        Some(Command::Man(arguments)) => manual::man(&arguments),
        #[cfg(feature = "bench")]
        Some(Command::Bench(bench)) => bench::run(bench),
        #[cfg(feature = "bench")]
        Some(Command::BenchFloor(floor)) => bench::run_floor(&floor),
    }
}

impl Settings {
    /// The configuration after file, environment and flags.
    fn load(&self, flags: Vec<(String, String)>) -> Result<Config, Failure> {
        Ok(self.loader(flags)?.load()?)
    }

    /// What reads it.
    fn loader(&self, flags: Vec<(String, String)>) -> Result<Loader, Failure> {
        let mut overrides = flags;
        if let Some(dir) = &self.data_dir {
            overrides.push(("server.data_dir".into(), dir.display().to_string()));
        }
        let cwd = std::env::current_dir().map_err(anyhow::Error::from)?;
        let env = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Ok(Loader { file: self.config.clone(), env: env.collect(), overrides, cwd })
    }
}
