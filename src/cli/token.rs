//! `tidings token`: one token on standard output, for scripts and for trying things out.

use std::sync::Arc;

use clap::{Args, ValueEnum};
use tidings::auth::Tokens;
use tidings::clock::SystemClock;
use tidings::config::Config;
use tidings::model::UserId;

use super::failure::Failure;
use super::folder::nothing_in;
use super::settings::Settings;

#[derive(Debug, Args)]
pub(super) struct TokenArguments {
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

pub(super) fn run(arguments: &TokenArguments) -> Result<(), Failure> {
    let config = arguments.settings.load(Vec::new())?;
    let user = UserId::parse("--user", &arguments.user, &config.limits).map_err(|invalid| Failure::Usage(invalid.to_string()))?;
    let tokens = tokens_of(&config)?;
    let ttl = arguments.ttl.unwrap_or(config.auth.token_ttl_seconds_default);
    let token = match arguments.format {
        TokenFormat::Jwt => tokens.issue_jwt(&user, ttl),
        TokenFormat::Token04 => tokens.issue_token04(&user, ttl),
    };
    let token = token.map_err(|error| Failure::Usage(error.to_string()))?;
    println!("{token}");
    Ok(())
}

/// Returns the keys that a broker with these settings checks tokens with; none are made.
pub(super) fn tokens_of(config: &Config) -> Result<Tokens, Failure> {
    let found = Tokens::find(config, Arc::new(SystemClock::new())).map_err(anyhow::Error::from)?;
    found.ok_or_else(|| nothing_in(config))
}
