//! `tidings key`: keys of the server API. `new` and `rotate` print the key and nothing else.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;
use tidings::auth::{ApiKeyError, ApiKeyFile, ROTATION_GRACE_SECONDS, Scope};
use tidings::broker::documents;
use tidings::clock::{Clock as _, SystemClock};

use super::failure::Failure;
use super::settings::Settings;

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Make a key and print it; it is shown this once.
    New(NewArguments),
    /// Make another key of that name and scopes and print it; the one before goes on to work for a while.
    Rotate(RotateArguments),
    /// What is known of the keys; not the keys.
    List(ListArguments),
    /// End every key of that name.
    Revoke(NamedArguments),
}

#[derive(Debug, Args)]
pub(super) struct NamedArguments {
    #[command(flatten)]
    settings: Settings,
    /// What the key is called: 1 to 64 of letters, digits, _, - and .
    #[arg(long, value_name = "NAME")]
    name: String,
}

#[derive(Debug, Args)]
pub(super) struct NewArguments {
    #[command(flatten)]
    named: NamedArguments,
    /// What it may be used for, may be given several times: broadcast, messages:read, messages:write, users:…, tokens:write,
    /// keys:…, rooms:…, groups:…, ops:…, or * for everything (the default).
    #[arg(long = "scope", value_name = "SCOPE", value_parser = scope)]
    scopes: Vec<Scope>,
    /// For how long it works, seconds; default: until it is revoked.
    #[arg(long, value_name = "SECONDS")]
    ttl: Option<u64>,
}

#[derive(Debug, Args)]
pub(super) struct RotateArguments {
    #[command(flatten)]
    named: NamedArguments,
    /// For how long the key before goes on to work, seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = ROTATION_GRACE_SECONDS)]
    grace: u64,
}

#[derive(Debug, Args)]
pub(super) struct ListArguments {
    #[command(flatten)]
    settings: Settings,
    /// One JSON array.
    #[arg(long)]
    json: bool,
}

fn scope(text: &str) -> Result<Scope, String> {
    let names = || Scope::ALL.map(Scope::as_str).join(", ");
    Scope::parse(text).ok_or_else(|| format!("is not a scope; there are {}", names()))
}

pub(super) fn run(command: &KeyCommand) -> Result<(), Failure> {
    let now_ms = SystemClock::new().wall_ms();
    match command {
        KeyCommand::New(NewArguments { named, scopes, ttl }) => {
            let scopes = if scopes.is_empty() { vec![Scope::All] } else { scopes.clone() };
            let expires_ms = ttl.map_or(0, |seconds| now_ms.saturating_add(seconds.saturating_mul(1000)));
            println!("{}", file(&named.settings)?.make(&named.name, scopes, now_ms, expires_ms).map_err(failure)?);
        }
        KeyCommand::Rotate(RotateArguments { named, grace }) => {
            println!("{}", file(&named.settings)?.rotate(&named.name, now_ms, Duration::from_secs(*grace)).map_err(failure)?);
        }
        KeyCommand::Revoke(named) => {
            let keys = file(&named.settings)?.revoke(&named.name).map_err(failure)?;
            eprintln!("revoked {keys} key(s) named {}", named.name);
        }
        KeyCommand::List(ListArguments { settings, json }) => {
            let keys = file(settings)?.list().map_err(failure)?;
            if *json {
                let list: Vec<_> = keys
                    .iter()
                    .map(|key| json!({"name": key.name, "scopes": key.scopes, "createTime": key.created_ms, "expireTime": key.expires_ms}))
                    .collect();
                println!("{}", serde_json::Value::Array(list));
                return Ok(());
            }
            for key in keys {
                let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.as_str()).collect();
                let until = match key.expires_ms {
                    0 => "until revoked".to_owned(),
                    ends if ends <= now_ms => "ended".to_owned(),
                    ends => format!("for {} s yet", (ends - now_ms) / 1000),
                };
                println!("{}\t{}\t{until}", key.name, scopes.join(","));
            }
        }
    }
    Ok(())
}

fn file(settings: &Settings) -> Result<ApiKeyFile, Failure> {
    let config = settings.load(Vec::new())?;
    super::folder::require(&config)?;
    Ok(ApiKeyFile::among(documents(&config)?))
}

fn failure(error: ApiKeyError) -> Failure {
    match error {
        ApiKeyError::Name(_) | ApiKeyError::Exists(_) | ApiKeyError::Missing(_) => Failure::Usage(error.to_string()),
        other => anyhow::Error::from(other).into(),
    }
}
