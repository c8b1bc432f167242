//! What calls of backends share: keys, quotas, answers that were given before.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use super::idempotency::KeptAnswers;
use super::places::PlaceCounter;
use crate::actors::context::BrokerContext;
use crate::auth::{ApiKeyFile, ApiKeyRing};
use crate::clock::Clock;
use crate::config::Config;
use crate::documents::Documents;
use crate::model::Refusal;
use crate::rate::{CallGate, GateQuota, RetryAfter, RollingCap};
use crate::store::SharedState;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What one broker keeps of the server API from call to call.
#[derive(Debug)]
pub(crate) struct ServerApiState {
    pub(crate) keys: ApiKeyRing,
    calls: CallGate,
    pub(crate) answers: KeptAnswers,
    broadcasts_of_second: RollingCap,
    broadcasts_of_day: RollingCap,
    pub(super) places: PlaceCounter,
    /// Where settings come from, by their keys, as the program around the broker told.
    pub(super) origins: RwLock<Arc<BTreeMap<String, String>>>,
}

impl ServerApiState {
    /// `shared`: what brokers share beside their store, if they do.
    pub(super) fn new(
        config: &Config,
        clock: &Arc<dyn Clock>,
        documents: Arc<dyn Documents>,
        shared: Option<Arc<dyn SharedState>>,
    ) -> Self {
        Self {
            keys: ApiKeyRing::of(ApiKeyFile::among(documents)),
            calls: CallGate::new(calls(config, |all| all), clock.clone()),
            answers: KeptAnswers::new(shared),
            broadcasts_of_second: RollingCap::new(SECOND),
            broadcasts_of_day: RollingCap::new(DAY),
            places: PlaceCounter::default(),
            origins: RwLock::default(),
        }
    }

    /// Takes one call of a key from its quota, of which each node has its part.
    ///
    /// # Errors
    /// [`RetryAfter`] when it is used up; nothing was taken.
    pub(crate) fn charge_call(&self, context: &BrokerContext, name: &str) -> Result<(), RetryAfter> {
        // When the configuration or the number of nodes changed, everyone begins anew.
        self.calls.set(calls(&context.config(), |all| context.share_of(all)));
        self.calls.check(name)
    }

    /// Takes one broadcast from both quotas, of which each node has its part. Source: ZIM server API reference,
    /// `SendMessageToAllUsers`.
    ///
    /// # Errors
    /// [`Refusal::RateLimited`].
    pub(crate) fn charge_broadcast(&self, context: &BrokerContext) -> Result<(), Refusal> {
        let (config, now) = (context.config(), context.clock.elapsed());
        // The second's first: what is taken from it in vain comes back soon.
        let refused = |retry: RetryAfter| Refusal::RateLimited { retry_after_ms: retry.ms };
        self.broadcasts_of_second.check(now, context.share_of(config.api.broadcasts_per_second)).map_err(refused)?;
        self.broadcasts_of_day.check(now, context.share_of(config.api.broadcasts_per_day)).map_err(refused)
    }
}

/// `share_of`: a node's part of what all may do.
fn calls(config: &Config, share_of: impl Fn(usize) -> usize) -> GateQuota {
    let share_of = |all: u32| u32::try_from(share_of(all as usize)).unwrap_or(all);
    GateQuota::per_second(share_of(config.api.requests_per_second), share_of(config.api.requests_burst))
}
