//! `tidings serve`: a broker and its HTTP server, until a signal.

use std::time::Duration;

use tidings::config::Config;
use tidings::http::Server;
use tidings::{Broker, StartError};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Failure, ServeArguments, logs};

pub(super) fn run(arguments: &ServeArguments) -> Result<(), Failure> {
    let flags = arguments.listen.map(|address| ("server.listen".to_owned(), address.to_string()));
    let config = arguments.settings.load(flags.into_iter().collect())?;
    logs::start(&config.log);
    actix::System::new().block_on(serve(config, arguments.accept_data_loss))
}

async fn serve(config: Config, accept_data_loss: bool) -> Result<(), Failure> {
    // Heard from the first moment on: a signal during start-up must not be lost.
    let mut signals = Signals::listen()?;
    let grace = Duration::from_secs(config.server.shutdown_seconds);
    let builder = Broker::builder().config(config).accept_data_loss(accept_data_loss);
    let started = tokio::task::spawn_blocking(|| builder.start());
    let broker = started.await.map_err(anyhow::Error::from)?.map_err(|error: StartError| Failure::Start(error))?;
    let server = match Server::start(&broker) {
        Ok(server) => server,
        Err(error) => {
            broker.shutdown(grace).await;
            return Err(anyhow::Error::from(error).into());
        }
    };
    announce(&broker, server.address());
    let why = signals.next().await;
    tracing::info!("{why}");
    let down = async { tokio::join!(server.stop(), broker.shutdown(grace)).1 };
    tokio::select! {
        report = down => tracing::info!(clean = report.is_clean(), writes_unfinished = report.writes_unfinished, connections_cut = report.connections_cut, "stopped"),
        again = asked_again() => {
            again?;
            tracing::warn!("asked twice, stopping now");
        }
    }
    Ok(())
}

/// The signals that end the broker, heard from the moment this is made.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> Result<Self, Failure> {
        let hear = |kind| signal(kind).map_err(anyhow::Error::from);
        Ok(Self { terminate: hear(SignalKind::terminate())?, interrupt: hear(SignalKind::interrupt())? })
    }

    /// Waits for the next, and says which.
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "asked to terminate",
            _ = self.interrupt.recv() => "interrupted",
        }
    }
}

/// Waits for a signal that is a second wish and not an echo of the first: some supervisors signal the process and its
/// group in one breath, which must not cost the drain.
async fn asked_again() -> Result<(), Failure> {
    tokio::time::sleep(Duration::from_secs(1)).await;
    Signals::listen()?.next().await;
    Ok(())
}

/// Where the console is; while it has no password, a link to set it, which works for half an hour, once. The token stands
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

/// The box a person reads, and the one line a script reads.
fn announce(broker: &Broker, address: std::net::SocketAddr) {
    let config = broker.config();
    let url = format!("http://{address}");
    let dir = config.server.data_dir.display();
    // As it was called: the command must work as printed, also where `tidings` is not on the path.
    let program = std::env::args().next().unwrap_or_else(|| "tidings".into());
    let lines = [
        format!("Tidings {}", env!("CARGO_PKG_VERSION")),
        String::new(),
        format!("open    {url}/"),
        format!("token   {program} token --user alice --data-dir {dir}"),
        format!("check   curl {url}/readyz"),
        format!("client  {url}/sdk/tidings.js"),
        format!("console {}", console(broker, &url)),
        format!("data    {dir}"),
    ];
    let width = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    let rule = "─".repeat(width + 2);
    println!("┌{rule}┐");
    for line in &lines {
        println!("│ {line:<width$} │");
    }
    println!("└{rule}┘");
    println!("listening on {url}");
}
