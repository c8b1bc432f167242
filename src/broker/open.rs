//! Opens the parts that the configuration names and the host did not bring.

use std::sync::Arc;
use std::time::Duration;

use super::error::StartError;
use crate::auth::{DemoKey, MediaTokens, SecretSource, Tokens};
use crate::clock::Clock;
use crate::clock::guard::ClockGuard;
use crate::config::{Config, MediaEngine, StoreEngine};
use crate::documents::{Documents, FolderDocuments};
use crate::hooks::{Authenticator, ChainedModerator, DynAuthenticator, DynModerator, LoginRequest, Recognised};
use crate::media::{DiskMediaStore, DynMediaStore, NoMediaStore};
#[cfg(feature = "s3")]
use crate::media::{ObjectMediaStore, S3Options};
use crate::model::Refusal;
use crate::model::order_key::made_ms;
use crate::rate::{GateQuota, Quotas, SendGate};
use crate::store::{MemoryStore, OpenError, SledOptions, SledStore, Store, StoreError};
#[cfg(feature = "postgres")]
use crate::store::{PostgresDocuments, PostgresOptions, PostgresStore};

/// How users prove who they are.
pub(super) struct Identity {
    /// What signs and verifies the broker's own tokens; none when the host authenticates.
    pub(super) tokens: Option<Arc<Tokens>>,
    pub(super) secret: SecretSource,
    pub(super) authenticator: Arc<dyn DynAuthenticator>,
}

impl Identity {
    /// Takes the host's authenticator, or opens the tokens signed with the configured secret.
    pub(super) fn open(given: Option<Arc<dyn DynAuthenticator>>, config: &Config, clock: &Arc<dyn Clock>) -> Result<Self, StartError> {
        if let Some(authenticator) = given {
            return Ok(Self { tokens: None, secret: SecretSource::Configured, authenticator });
        }
        let (tokens, secret) = Tokens::open(config, clock.clone())?;
        let tokens = Arc::new(tokens);
        let authenticator = Arc::new(TokenAuthenticator(tokens.clone()));
        Ok(Self { tokens: Some(tokens), secret, authenticator })
    }

    /// Makes the key of the demo page, where tokens are signed with a secret that nobody chose. The store must be open: it is what keeps
    /// a second broker out of the data directory.
    pub(super) fn demo_key(&self, config: &Config) -> Result<Option<Arc<DemoKey>>, StartError> {
        if self.secret == SecretSource::Configured || !config.is_loopback() {
            return Ok(None);
        }
        Ok(Some(Arc::new(DemoKey::make(&config.server.data_dir)?)))
    }

    /// Returns what signs the tokens for files.
    pub(super) fn media_tokens(&self, clock: &Arc<dyn Clock>) -> Result<MediaTokens, StartError> {
        match &self.tokens {
            Some(tokens) => Ok(tokens.media()),
            None => Ok(MediaTokens::random(clock.clone())?),
        }
    }
}

/// Recognises users by the broker's own tokens.
struct TokenAuthenticator(Arc<Tokens>);

impl Authenticator for TokenAuthenticator {
    async fn authenticate(&self, request: LoginRequest) -> Result<Recognised, Refusal> {
        let claims = self.0.verify(&request.token, &request.user)?;
        Ok(Recognised { expires_at_ms: claims.expires_at_ms })
    }
}

/// Combines the host's moderator with the backend's, which looks at what the first lets through.
pub(super) fn moderators(host: Option<Arc<dyn DynModerator>>, backend: Option<Arc<dyn DynModerator>>) -> Option<Arc<dyn DynModerator>> {
    match (host, backend) {
        (Some(first), Some(second)) => Some(Arc::new(ChainedModerator { first, second })),
        (first, second) => first.or(second),
    }
}

pub(super) fn send_gate(config: &Config, clock: Arc<dyn Clock>) -> SendGate {
    SendGate::new(quotas(config), clock)
}

/// Returns the quotas of all classes.
pub(super) fn quotas(config: &Config) -> Quotas {
    let rate = &config.rate;
    [
        GateQuota::per_second(rate.sends_per_second, rate.burst),
        GateQuota::per_second(rate.high_priority_per_second, rate.high_priority_burst),
        GateQuota::per_second(rate.commands_per_second, rate.commands_burst),
        GateQuota::per_second(rate.changes_per_second, rate.changes_burst),
        GateQuota::per_minute(rate.rooms_per_minute),
        GateQuota::per_minute(rate.groups_per_minute),
        GateQuota::per_minute(rate.invites_per_minute),
        GateQuota::per_second(rate.searches_per_second, rate.searches_per_second),
        GateQuota::per_day(config.limits.stored_bytes_per_user_per_day_max),
    ]
}

pub(super) fn open_store(config: &Config, accept_data_loss: bool, clock: &Arc<dyn Clock>) -> Result<Arc<dyn Store>, OpenError> {
    Ok(match config.store.engine {
        StoreEngine::Memory => Arc::new(MemoryStore::new(clock.clone())),
        StoreEngine::Sled => {
            let options = SledOptions { accept_data_loss, ..sled_options(config) };
            Arc::new(SledStore::open(options, clock.clone())?)
        }
        #[cfg(feature = "postgres")]
        StoreEngine::Postgres if !config.cluster.nats.is_empty() => {
            Arc::new(PostgresStore::open_shared(postgres_options(config), clock.clone())?)
        }
        #[cfg(feature = "postgres")]
        StoreEngine::Postgres => Arc::new(PostgresStore::open(postgres_options(config), clock.clone())?),
        #[cfg(not(feature = "postgres"))]
        StoreEngine::Postgres => {
            let reason = "this program was built without the feature `postgres`".to_owned();
            return Err(OpenError::Io { path: "store.engine = \"postgres\"".to_owned(), reason });
        }
    })
}

/// Returns how the configuration wants a sled store: no damage accepted, and a wait of 5 s for another process to let go.
#[must_use]
pub fn sled_options(config: &Config) -> SledOptions {
    SledOptions {
        cache_bytes: config.store.cache_bytes,
        retention_days: config.history.retention_days.into(),
        gather: Duration::from_micros(config.store.gather_us),
        ballast_bytes: config.store.ballast_bytes,
        seen_bytes: config.store.seen_bytes,
        ..SledOptions::new(config.store_dir())
    }
}

/// Returns where documents of operators are kept: in the data directory or, with a store that brokers share, beside it.
///
/// # Errors
/// [`OpenError`]: the database cannot be reached or refuses.
pub fn documents(config: &Config) -> Result<Arc<dyn Documents>, OpenError> {
    #[cfg(feature = "postgres")]
    if config.store.engine == StoreEngine::Postgres {
        return Ok(Arc::new(PostgresDocuments::open(postgres_options(config))?));
    }
    Ok(Arc::new(FolderDocuments::of(&config.server.data_dir)))
}

/// Returns what this broker is called among those that share a store.
#[cfg(feature = "postgres")]
pub(super) fn node_name(config: &Config) -> String {
    if !config.cluster.node.is_empty() {
        return config.cluster.node.clone();
    }
    let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{machine}:{}", config.server.listen.port())
}

/// Returns how the configuration wants a store in PostgreSQL, with a wait of 10 s for another process to let go.
#[cfg(feature = "postgres")]
#[must_use]
pub fn postgres_options(config: &Config) -> PostgresOptions {
    let (postgres, cluster) = (&config.store.postgres, &config.cluster);
    let node = node_name(config);
    PostgresOptions {
        connections_max: postgres.connections_max,
        tls_ca: Some(postgres.tls_ca.clone()).filter(|file| !file.as_os_str().is_empty()),
        gather: Duration::from_micros(config.store.gather_us),
        shards: cluster.shards,
        lease: Duration::from_millis(cluster.lease_ms),
        node,
        address: cluster.address.clone(),
        retention_days: config.history.retention_days.into(),
        seen_bytes: config.store.seen_bytes,
        ..PostgresOptions::new(postgres.url.clone())
    }
}

/// Returns how far the clock may be from the newest time in the store without being doubted.
#[must_use]
pub fn clock_jump_max(config: &Config) -> Duration {
    Duration::from_secs(u64::from(config.history.clock_jump_max_hours) * 3600)
}

/// Begins with the newest time that the store noted before this start, or with that of its newest message.
pub(super) fn guard_clock(config: &Config, store: &dyn Store, clock: &Arc<dyn Clock>) -> Result<ClockGuard, StoreError> {
    let newest_ms = Some(store.last_message_id()).filter(|id| *id > 0).map(made_ms);
    Ok(ClockGuard::new(clock.clone(), store.noted_time()?.or(newest_ms), clock_jump_max(config)))
}

pub(super) fn open_media_store(config: &Config) -> Result<Arc<dyn DynMediaStore>, StartError> {
    match config.media.store {
        MediaEngine::Disk => Ok(Arc::new(DiskMediaStore::new(config.media_dir()))),
        MediaEngine::None => Ok(Arc::new(NoMediaStore)),
        #[cfg(feature = "s3")]
        MediaEngine::S3 => {
            let media = &config.media;
            let options = S3Options {
                bucket: media.s3_bucket.clone(),
                endpoint: Some(media.s3_endpoint.clone()).filter(|endpoint| !endpoint.is_empty()),
                prefix: media.s3_prefix.clone(),
            };
            Ok(Arc::new(ObjectMediaStore::s3(&options).map_err(|error| StartError::Media(error.to_string()))?))
        }
        #[cfg(not(feature = "s3"))]
        MediaEngine::S3 => Err(StartError::Media("media.store is \"s3\", but this program was built without the feature `s3`".into())),
    }
}
