//! What calls of backends share: keys, quotas, answers that were given before.

use std::sync::Arc;
use std::time::Duration;

use super::idempotency::KeptAnswers;
use crate::auth::{ApiKeyFile, ApiKeyRing};
use crate::clock::Clock;
use crate::config::Config;
use crate::documents::Documents;
use crate::model::Refusal;
use crate::rate::{CallGate, GateQuota, RollingCap};
use crate::store::SharedState;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What one broker keeps of the server API from call to call.
#[derive(Debug)]
pub(crate) struct ServerApiState {
    pub(crate) keys: ApiKeyRing,
    pub(crate) calls: CallGate,
    pub(crate) answers: KeptAnswers,
    broadcasts_of_second: RollingCap,
    broadcasts_of_day: RollingCap,
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
            calls: CallGate::new(calls(config), clock.clone()),
            answers: KeptAnswers::new(shared),
            broadcasts_of_second: RollingCap::new(SECOND),
            broadcasts_of_day: RollingCap::new(DAY),
        }
    }

    /// Takes the quotas of another configuration.
    pub(super) fn reconfigure(&self, config: &Config) {
        self.calls.set(calls(config));
    }

    /// Takes one broadcast from both quotas. Source: ZIM server API reference, `SendMessageToAllUsers`.
    ///
    /// # Errors
    /// [`Refusal::RateLimited`].
    pub(crate) fn charge_broadcast(&self, config: &Config, now: Duration) -> Result<(), Refusal> {
        // The second's first: what is taken from it in vain comes back soon.
        let refused = |retry: crate::rate::RetryAfter| Refusal::RateLimited { retry_after_ms: retry.ms };
        self.broadcasts_of_second.check(now, config.api.broadcasts_per_second).map_err(refused)?;
        self.broadcasts_of_day.check(now, config.api.broadcasts_per_day).map_err(refused)
    }
}

fn calls(config: &Config) -> GateQuota {
    GateQuota::per_second(config.api.requests_per_second, config.api.requests_burst)
}
