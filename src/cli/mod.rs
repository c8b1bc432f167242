//! What the command line can do, and what each failure exits with.
//!
//! | exit code | meaning |
//! |---|---|
//! | 0 | done |
//! | 1 | something failed while running |
//! | 2 | the arguments are not understood |
//! | 65 | store or backup is damaged, not finished, or of a later version; see `--accept-data-loss` |
//! | 66 | no broker ran in that folder |
//! | 69 | no broker can be reached there |
//! | 71 | there is no room on the disk to open the store |
//! | 73 | what is to be made exists already, or its folder is not empty |
//! | 74 | the store could not be flushed at the end: the disk is full or broken |
//! | 75 | the store is in use by another process |
//! | 76 | the other nodes speak nothing that this program speaks |
//! | 78 | the configuration is not valid |
//!
//! [`EXIT_CODES`] says the same to who asks for help or reads the manual.

#[macro_use]
mod output;
#[cfg(feature = "bench")]
mod bench;
mod broker;
mod certificate;
#[cfg(feature = "postgres")]
mod cluster;
mod config;
mod console;
mod doctor;
mod failure;
mod files;
mod folder;
mod key;
mod logs;
mod manual;
#[cfg(feature = "otlp")]
mod otlp;
mod progress;
mod serve;
mod settings;
mod signals;
#[cfg(feature = "postgres")]
mod standby;
mod store;
mod store_lines;
mod supervisor;
mod talk;
mod token;
mod trust;

use clap::{CommandFactory as _, Parser, Subcommand};

pub(crate) use self::failure::Failure;

/// What a script may rely on.
const EXIT_CODES: &str = "\
Exit codes:
  0   done
  1   something failed while running; of doctor: a check failed
  2   the arguments are not understood
  65  store or backup is damaged, not finished, or of a later version
  66  no broker ran in that folder
  69  no broker can be reached there
  71  there is no room on the disk to open the store
  73  what is to be made exists already, or its folder is not empty
  74  the store could not be flushed at the end: the disk is full or broken
  75  the store is in use by another process
  76  the other nodes speak nothing that this program speaks
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
    serve: serve::ServeArguments,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the broker (the default).
    Serve(serve::ServeArguments),
    /// Print one token for a user, and nothing else.
    Token(token::TokenArguments),
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
    /// Brokers that share a store.
    #[cfg(feature = "postgres")]
    #[command(subcommand)]
    Cluster(cluster::ClusterCommand),
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
        #[cfg(feature = "postgres")]
        Some(Command::Cluster(command)) => cluster::run(command),
        Some(Command::Completions(arguments)) => {
            manual::completions(&arguments, &mut Arguments::command());
            Ok(())
        }
        Some(Command::Man(arguments)) => manual::man(&arguments, Arguments::command()),
        #[cfg(feature = "bench")]
        Some(Command::Bench(bench)) => bench::run(bench),
        #[cfg(feature = "bench")]
        Some(Command::BenchFloor(floor)) => bench::run_floor(&floor),
    }
}
