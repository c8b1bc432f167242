//! What the command line can do, and what each failure exits with.
//!
//! | exit code | meaning |
//! |---|---|
//! | 0 | done |
//! | 1 | something failed while running |
//! | 2 | the arguments are not understood |
//! | 65 | the store is damaged; see `--accept-data-loss` |
//! | 75 | the store is in use by another process |
//! | 78 | the configuration is not valid |

#[cfg(feature = "bench")]
mod bench;
mod console;
mod key;
mod logs;
#[cfg(feature = "otlp")]
mod otlp;
mod serve;
mod supervisor;
mod token;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use thiserror::Error;
use tidings::broker::StartError;
use tidings::config::{Config, ConfigError, Loader};
use tidings::store::OpenError;

/// An actor-based instant-messaging broker. Without a subcommand it serves.
#[derive(Debug, Parser)]
#[command(name = "tidings", version, about, args_conflicts_with_subcommands = true)]
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
    #[error("{0}")]
    Usage(String),
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

impl Failure {
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) | Self::Start(StartError::Config(_)) => 78,
            Self::Start(StartError::Store(OpenError::Damaged { .. } | OpenError::NewerFormat { .. })) => 65,
            Self::Start(StartError::Store(OpenError::InUse { .. })) => 75,
            Self::Usage(_) => 2,
            Self::Start(_) | Self::Other(_) => 1,
        }
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
        #[cfg(feature = "bench")]
        Some(Command::Bench(bench)) => bench::run(bench),
        #[cfg(feature = "bench")]
        Some(Command::BenchFloor(floor)) => bench::run_floor(&floor),
    }
}

impl Settings {
    /// The configuration after file, environment and flags.
    fn load(&self, flags: Vec<(String, String)>) -> Result<Config, Failure> {
        let mut overrides = flags;
        if let Some(dir) = &self.data_dir {
            overrides.push(("server.data_dir".into(), dir.display().to_string()));
        }
        let cwd = std::env::current_dir().map_err(anyhow::Error::from)?;
        let env = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Ok(Loader { file: self.config.clone(), env: env.collect(), overrides, cwd }.load()?)
    }
}
