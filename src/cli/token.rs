//! `tidings token`: one token on standard output, for scripts and for trying things out.

use std::sync::Arc;

use tidings::auth::Tokens;
use tidings::clock::SystemClock;
use tidings::model::UserId;

use super::{Failure, TokenArguments, TokenFormat};

pub(super) fn run(arguments: &TokenArguments) -> Result<(), Failure> {
    let config = arguments.settings.load(Vec::new())?;
    let user = UserId::parse("--user", &arguments.user, &config.limits).map_err(|invalid| Failure::Usage(invalid.to_string()))?;
    let (tokens, _) = Tokens::open(&config, Arc::new(SystemClock::new())).map_err(anyhow::Error::from)?;
    let ttl = arguments.ttl.unwrap_or(config.auth.token_ttl_seconds_default);
    let token = match arguments.format {
        TokenFormat::Jwt => tokens.issue_jwt(&user, ttl),
        TokenFormat::Token04 => tokens.issue_token04(&user, ttl).map_err(|error| Failure::Usage(error.to_string()))?,
    };
    println!("{token}");
    Ok(())
}
