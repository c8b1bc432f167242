//! `tidings serve`: a broker and its HTTP server, until a signal.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::time::Duration;

use clap::Args;
use tidings::broker::{BrokerBuilder, ShutdownReport};
use tidings::config::Config;
use tidings::http::Server;
use tidings::{Broker, StartError};

use super::failure::Failure;
use super::files;
use super::logs::{self, Logs};
use super::settings::Settings;
use super::signals::{SignalAction, Signals};
use super::supervisor::Supervisor;

/// How long a broker that lost its store goes on answering. Nothing can be kept any more, and whoever is connected should go.
const LOST_GRACE: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
pub(super) struct ServeArguments {
    #[command(flatten)]
    settings: Settings,
    /// Address and port to listen on; port 0 lets the system choose. Default: server.listen (127.0.0.1:7080).
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Open a damaged store with what can be read of it, after copying it aside.
    #[arg(long)]
    accept_data_loss: bool,
}

pub(super) fn run(arguments: &ServeArguments) -> Result<(), Failure> {
    let config = load(arguments)?;
    let logs = logs::start(&config.log)?;
    logs::warn_of_variables(&arguments.settings.loader(Vec::new())?);
    files::raise(config.server.connections_max);
    let outcome = actix::System::new().block_on(serve(config, arguments, &logs));
    logs.end();
    outcome
}

/// Loads the configuration as file, environment and flags say now.
fn load(arguments: &ServeArguments) -> Result<Config, Failure> {
    arguments.settings.load(flags(arguments))
}

fn flags(arguments: &ServeArguments) -> Vec<(String, String)> {
    arguments.listen.clone().map(|address| ("server.listen".to_owned(), address)).into_iter().collect()
}

/// Returns where each setting comes from; nothing, where that cannot be read any more.
fn origins(arguments: &ServeArguments) -> BTreeMap<String, String> {
    let explained = arguments.settings.loader(flags(arguments)).ok().and_then(|loader| loader.explain().ok());
    explained.unwrap_or_default().into_iter().map(|setting| (setting.key, setting.origin)).collect()
}

async fn serve(config: Config, arguments: &ServeArguments, logs: &Logs) -> Result<(), Failure> {
    // Heard from the first moment on: a signal during start-up must not be lost.
    let mut signals = Signals::listen()?;
    let mut again = false;
    loop {
        let Some((builder, lost)) = prepare(&config, arguments, &mut signals, again).await? else { return Ok(()) };
        match serve_until(builder, lost, arguments, &mut signals, logs).await? {
            End::Asked => return Ok(()),
            End::Lost => again = true,
        }
    }
}

/// Why serving ended.
enum End {
    /// It was asked to.
    Asked,
    /// Another broker owns the store now.
    Lost,
}

/// Tells once another broker owns the store.
#[cfg(feature = "postgres")]
type Lost = Option<tokio::sync::watch::Receiver<bool>>;
#[cfg(not(feature = "postgres"))]
type Lost = ();

/// Waits until that is so; for ever, where no other broker can.
#[cfg(feature = "postgres")]
async fn lost(lost: &mut Lost) {
    if let Some(lost) = lost
        && lost.wait_for(|lost| *lost).await.is_ok()
    {
        return;
    }
    std::future::pending().await
}

#[cfg(not(feature = "postgres"))]
async fn lost((): &mut Lost) {
    std::future::pending().await
}

/// Describes the broker, and waits until it may own a store that others share; none: it was asked to stop meanwhile.
#[cfg_attr(not(feature = "postgres"), expect(clippy::unused_async, reason = "only a shared store is waited for"))]
async fn prepare(
    config: &Config,
    arguments: &ServeArguments,
    signals: &mut Signals,
    again: bool,
) -> Result<Option<(BrokerBuilder, Lost)>, Failure> {
    let builder = Broker::builder().config(config.clone()).accept_data_loss(arguments.accept_data_loss);
    #[cfg(feature = "postgres")]
    if config.store.engine == tidings::config::StoreEngine::Postgres {
        let Some(store) = super::standby::store(config, signals, again).await? else { return Ok(None) };
        let lost = store.losing();
        return Ok(Some((builder.store(store), Some(lost))));
    }
    #[cfg(not(feature = "postgres"))]
    let (_, _) = (signals, again);
    Ok(Some((builder, Lost::default())))
}

/// Starts a broker and its server, and serves until a signal, or until another broker owns the store.
async fn serve_until(
    builder: BrokerBuilder,
    mut lost_store: Lost,
    arguments: &ServeArguments,
    signals: &mut Signals,
    logs: &Logs,
) -> Result<End, Failure> {
    let started = tokio::task::spawn_blocking(|| builder.start());
    let broker = started.await.map_err(anyhow::Error::from)?.map_err(|error: StartError| Failure::Start(error))?;
    let grace = Duration::from_secs(broker.config().server.shutdown_seconds);
    let server = match Server::start(&broker) {
        Ok(server) => server,
        Err(error) => {
            broker.shutdown(grace).await;
            return Err(anyhow::Error::from(error).into());
        }
    };
    broker.note_origins(origins(arguments), &[]);
    announce(&broker, &server);
    let supervisor = Supervisor::ready(&broker);
    let why = loop {
        let action = tokio::select! {
            action = signals.next() => action,
            () = lost(&mut lost_store) => {
                tracing::warn!("another broker owns the store: every session is sent there");
                tokio::join!(server.stop(), broker.shutdown(LOST_GRACE.min(grace)));
                return Ok(End::Lost);
            }
        };
        match action {
            SignalAction::Stop(why) => break why,
            SignalAction::Reload => {
                supervisor.reloading();
                reload(arguments, &broker, &server, logs);
                supervisor.reloaded();
            }
        }
    };
    tracing::info!("{why}");
    supervisor.stopping();
    stop(server, broker, grace).await.map(|()| End::Asked)
}

/// Stops within the grace, or at once when it is asked twice.
async fn stop(server: Server, broker: Broker, grace: Duration) -> Result<(), Failure> {
    let down = async { tokio::join!(server.stop(), broker.shutdown(grace)).1 };
    tokio::select! {
        report = down => {
            let ShutdownReport { writes_unfinished, connections_cut, store_failed, .. } = report;
            tracing::info!(clean = report.is_clean(), writes_unfinished, connections_cut, store_failed, "stopped");
            if store_failed {
                eprintln!("tidings: the store could not be flushed at the end; what was acknowledged is kept, look at the disk");
                return Err(Failure::AlreadyReported(74));
            }
        }
        again = second_stop_signal() => {
            again?;
            tracing::warn!("asked twice, stopping now");
        }
    }
    Ok(())
}

/// Takes what changed in the configuration and can change now, and looks at the certificate. What is not good changes
/// nothing and is logged.
fn reload(arguments: &ServeArguments, broker: &Broker, server: &Server, logs: &Logs) {
    server.reload_certificate();
    let not_read = |reason: &dyn std::fmt::Display| {
        broker.reload_failed();
        tracing::error!(%reason, "the configuration is not reloaded, nothing changed");
    };
    let config = match load(arguments) {
        Ok(config) => config,
        Err(failure) => return not_read(&failure),
    };
    let filter = match logs::read(&config.log.filter) {
        Ok(filter) => filter,
        Err(error) => return not_read(&error),
    };
    let report = match broker.reconfigure(&config) {
        Ok(report) => report,
        Err(error) => return tracing::error!(reason = %error, "the configuration is not reloaded, nothing changed"),
    };
    if report.applied.iter().any(|key| key == "log.filter") {
        logs.set(filter);
    }
    broker.note_origins(origins(arguments), &report.restart);
    tracing::info!(applied = ?report.applied, later = ?report.later, "configuration reloaded");
    if !report.restart.is_empty() {
        tracing::warn!(keys = ?report.restart, "these settings changed and need a restart");
    }
}

/// Waits for a signal that is a second wish and not an echo of the first: some supervisors signal the process and its
/// group in one breath, which must not cost the drain.
async fn second_stop_signal() -> Result<(), Failure> {
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut signals = Signals::listen()?;
    while !matches!(signals.next().await, SignalAction::Stop(_)) {}
    Ok(())
}

/// Returns where the console is or, while it has no password, a link to set it, which works for half an hour, once. The token stands
/// behind the `#`, which a browser sends to nobody.
fn console(broker: &Broker, url: &str) -> String {
    if !broker.config().console.enabled {
        return "off (console.enabled)".to_owned();
    }
    match broker.console_link() {
        Ok(Some(token)) => format!("{url}/console#setup={token}"),
        Ok(None) => format!("{url}/console"),
        Err(error) => error.to_string(),
    }
}

/// Returns where the page is; where demo tokens are given out, with the key that opens them behind the `#`.
fn page(broker: &Broker, url: &str) -> String {
    broker.demo_key().map_or_else(|| format!("{url}/"), |key| format!("{url}/#demo={key}"))
}

/// Tells that it serves: a line of the log for a collector, the box for a person at a terminal, and the one line a script reads.
fn announce(broker: &Broker, server: &Server) {
    let config = broker.config();
    let url = format!("{}://{}", if server.is_secure() { "https" } else { "http" }, server.address());
    let dir = config.server.data_dir.display();
    let private = server.private_address().map(|address| format!("http://{address}/metrics"));
    let engine = config.store.engine.name();
    let version = env!("CARGO_PKG_VERSION");
    tracing::info!(version, address = url, private, data = %dir, engine, pid = std::process::id(), "started");
    // As it was called: the command must work as printed, also where `tidings` is not on the path.
    let program = std::env::args().next().unwrap_or_else(|| "tidings".into());
    if std::io::stdout().is_terminal() {
        print_box(&[
            format!("Tidings {version}"),
            String::new(),
            format!("open    {}", page(broker, &url)),
            format!("token   {program} token --user alice --data-dir {dir}"),
            format!("check   curl {url}/readyz"),
            format!("client  {url}/sdk/tidings.js"),
            format!("console {}", console(broker, &url)),
            format!("data    {dir}"),
        ]);
    } else if broker.console_waits().is_ok_and(|waits| waits) {
        // What is logged is kept and read by others: a link that opens the console stands nowhere but on a terminal.
        tracing::info!("the console has no password yet: `{program} console reset --data-dir {dir}` prints a link to set one");
    }
    println!("listening on {url}");
}

fn print_box(lines: &[String]) {
    let width = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    let rule = "─".repeat(width + 2);
    println!("┌{rule}┐");
    for line in lines {
        println!("│ {line:<width$} │");
    }
    println!("└{rule}┘");
}
