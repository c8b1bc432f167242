//! [`Broker`] itself, and what it says of its own state.

use std::sync::Arc;
use std::time::Duration;

use super::server_api::ServerApiState;
use super::subscribe::Subscription;
use super::thread::BrokerThread;
use super::vendor_api::VendorApiState;
use crate::actors::context::BrokerContext;
use crate::actors::registries::Registries;
use crate::actors::runtime::reply::{Reply, answered};
use crate::audit::Audit;
use crate::auth::{DemoKey, Tokens};
use crate::clock::ClockDoubt;
use crate::config::Config;
use crate::console::{Console, ConsoleError};
use crate::model::Refusal;
use crate::webhooks::Webhooks;

/// A running broker.
#[derive(Debug, Clone)]
pub struct Broker {
    pub(crate) context: Arc<BrokerContext>,
    pub(crate) actors: Arc<Registries>,
    pub(crate) tokens: Option<Arc<Tokens>>,
    pub(crate) demo_key: Option<Arc<DemoKey>>,
    pub(super) webhooks: Option<Webhooks>,
    pub(crate) server_api: Arc<ServerApiState>,
    pub(crate) console: Arc<Console>,
    pub(crate) audit: Arc<Audit>,
    pub(crate) vendor_api: Arc<VendorApiState>,
    pub(super) thread: Arc<BrokerThread>,
}

impl Broker {
    /// Returns the configuration it runs with now.
    #[must_use]
    pub fn config(&self) -> Arc<Config> {
        self.context.config()
    }

    /// Deletes files that no kept message carries any more, and those that waited too long for their message. Done every
    /// hour besides. Says how many were deleted.
    ///
    /// # Errors
    /// [`Refusal::StoreUnavailable`], [`Refusal::Busy`].
    pub async fn collect_files(&self) -> Result<usize, Refusal> {
        let context = self.context.clone();
        self.on_thread(async move { crate::actors::media::collect(&context).await }).await
    }

    /// Makes the token of a new link to the console, while it has no password: `…/console#setup=TOKEN` lets one set it, for half an
    /// hour, once. A link made before works no more. `None`: there is a password, or the console is switched off.
    ///
    /// # Errors
    /// [`ConsoleError`] when the console's file in the data directory cannot be read.
    pub fn console_link(&self) -> Result<Option<String>, ConsoleError> {
        if self.context.config().console.enabled { self.console.link() } else { Ok(None) }
    }

    /// Returns whether the console waits for its first password: whoever has a link may set it. False while it is switched off.
    ///
    /// # Errors
    /// [`ConsoleError`] when the console's file in the data directory cannot be read.
    pub fn console_waits(&self) -> Result<bool, ConsoleError> {
        Ok(self.context.config().console.enabled && !self.console.is_set_up()?)
    }

    /// Returns the key of the demo page: `…/#demo=KEY` opens it, and it then gets a token for any name. New at each start; also in the
    /// file `demo-key` of the data directory. `None` unless the broker serves loopback with a secret that it made itself.
    #[must_use]
    pub fn demo_key(&self) -> Option<&str> {
        self.demo_key.as_deref().map(DemoKey::as_str)
    }

    /// Hears what happens from now on. A listener that falls more than 1,024 events behind is told how many it
    /// missed and goes on with the newest.
    #[must_use]
    pub fn subscribe(&self) -> Subscription {
        Subscription::new(self.context.events.subscribe())
    }

    /// Returns what is told to, and asked of, a backend; `None` without `webhooks.url` and `webhooks.before_send_url`.
    #[must_use]
    pub fn webhooks(&self) -> Option<Webhooks> {
        self.webhooks.clone()
    }

    /// Checks whether new work is taken and can be kept.
    ///
    /// # Errors
    /// The [`Refusal`] a send would get: draining, a store that does not take writes, or a disk that is nearly full.
    pub fn ready(&self) -> Result<(), Refusal> {
        self.context.accepting()?;
        self.context.nodes.as_ref().map_or(Ok(()), |nodes| nodes.ready())?;
        self.context.keeping()
    }

    /// Returns why nothing is deleted for its age: the clock is too far from the newest time in the store.
    #[must_use]
    pub fn clock_doubt(&self) -> Option<ClockDoubt> {
        self.context.clock_guard.deletion_time().err()
    }

    /// Says whether the actors' thread takes its turns: false when one does not come within `patience`. For a watchdog.
    pub async fn is_alive(&self, patience: Duration) -> bool {
        let (reply, turn) = Reply::channel();
        let asked = self.context.arbiter.spawn(async move { crate::actors::runtime::reply::answer(reply, Ok(())) });
        asked && tokio::time::timeout(patience, answered(turn)).await.is_ok_and(|turn| turn.is_ok())
    }
}
