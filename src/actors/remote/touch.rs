//! Whether this node is in touch with database and bus, looked at by itself: what is done about shards may wait for either.
//!
//! A node that does not reach one of them for the lease closes its sessions: their clients resume elsewhere. Then it says by the
//! database, if that answers, that it is alone: nobody waits for it, until it is back.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::cluster::{Cluster, on_store};
use super::hear::close_all;
use crate::actors::registries::Registries;

/// How often one looks.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// A database that did not answer anyone for so long is asked.
const ASK_AFTER: Duration = Duration::from_millis(500);
/// How long a node that was cut off hears the others before it takes sessions: they look who is there meanwhile.
const BACK_FOR: Duration = Duration::from_secs(1);

/// What the looks have shown so far.
#[derive(Default)]
struct Looks {
    /// A question to the database that is under way: one at a time, whatever becomes of it.
    question: Option<JoinHandle<bool>>,
    /// Whether it drains because it is cut off.
    drains_itself: bool,
    /// Whether the others were told not to wait for this node.
    is_alone: bool,
    /// Since when both database and bus answer again to a node that was cut off.
    back_since: Option<Duration>,
}

/// Looks until the actors' thread ends.
pub(crate) async fn keep_in_touch(cluster: Arc<Cluster>, actors: Arc<Registries>) {
    let mut looks = Looks::default();
    cluster.contact.answered(cluster.clock.elapsed());
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        ask_database(&cluster, &mut looks).await;
        look(&cluster, &actors, &mut looks).await;
    }
}

/// Asks the database something if nobody else did, and does not wait for it.
async fn ask_database(cluster: &Arc<Cluster>, looks: &mut Looks) {
    if let Some(question) = looks.question.take_if(|question| question.is_finished())
        && question.await.unwrap_or(false)
    {
        cluster.contact.answered(cluster.clock.elapsed());
    }
    if looks.question.is_none() && cluster.contact.without_database(cluster.clock.elapsed()) >= ASK_AFTER {
        let asks = cluster.clone();
        looks.question = Some(tokio::task::spawn_blocking(move || asks.shards.view().is_ok()));
    }
}

async fn look(cluster: &Arc<Cluster>, actors: &Registries, looks: &mut Looks) {
    cluster.give_up_waiting();
    if actors.context.accepting_or_cut_off().is_err() {
        return;
    }
    let now = cluster.clock.elapsed();
    let without_database = cluster.contact.without_database(now);
    let without_bus = cluster.links().map_or(Duration::ZERO, |links| links.cut_off_for());
    let is_silent = without_database.max(without_bus) >= cluster.lease;
    let was_cut_off = cluster.is_cut_off.load(Ordering::Acquire);
    if is_silent && !was_cut_off {
        cluster.is_cut_off.store(true, Ordering::Release);
        // What nobody reaches others should own; without a database nobody hears of it.
        if !cluster.contact.drains.load(Ordering::Acquire) {
            looks.drains_itself = true;
            cluster.drain(true);
        }
        tracing::error!(
            database_ms = without_database.as_millis(),
            bus_ms = without_bus.as_millis(),
            "cut off from the other nodes: sessions are closed"
        );
    }
    if is_silent || !was_cut_off {
        looks.back_since = None;
    } else {
        come_back(cluster, looks, now).await;
    }
    if cluster.is_cut_off.load(Ordering::Acquire) {
        close_all(&actors.context);
        // Nobody answers a node that is cut off. Who waits for that, a session that ends among them, waits no longer: as long as one is here
        // all the others wait for this node.
        cluster.questions.nobody_answers_anything();
        let database_answers = without_database < 2 * ASK_AFTER;
        if is_silent && database_answers && !looks.is_alone && actors.context.presence.here().is_empty() {
            looks.is_alone = say_alone(cluster, true).await;
        }
    }
}

/// The others wait for this node again, and a while later it takes sessions.
async fn come_back(cluster: &Arc<Cluster>, looks: &mut Looks, now: Duration) {
    if looks.is_alone {
        looks.is_alone = !say_alone(cluster, false).await;
        looks.back_since = None;
    }
    if looks.is_alone || now.saturating_sub(*looks.back_since.get_or_insert(now)) < BACK_FOR {
        return;
    }
    if std::mem::take(&mut looks.drains_itself) {
        cluster.drain(false);
    }
    cluster.is_cut_off.store(false, Ordering::Release);
    tracing::info!("the other nodes are there again");
}

/// Says by the database whether nobody needs to wait for this node; returns whether it was written.
async fn say_alone(cluster: &Arc<Cluster>, alone: bool) -> bool {
    let told = on_store(cluster, move |cluster| cluster.shards.set_alone(alone)).await;
    if let Err(error) = &told {
        tracing::debug!(%error, alone, "the other nodes were not told whether to wait for this one");
    }
    told.is_ok()
}
