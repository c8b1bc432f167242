//! What a host may know of groups. What it does to them it does in their owner's name: [`Broker::act`].

use super::handle::Broker;
use crate::actors::group::WhoOwns;
use crate::actors::runtime::reply::{Reply, answered};
use crate::model::{GroupId, GroupInfo, Refusal, UserId};

/// Everything about groups; see [`Broker::groups`].
#[derive(Debug, Clone)]
pub struct Groups {
    broker: Broker,
}

impl Broker {
    /// Returns what a host may know of groups.
    #[must_use]
    pub fn groups(&self) -> Groups {
        Groups { broker: self.clone() }
    }
}

impl Groups {
    /// Returns at most `count_max` groups after one, in the order of their ids, with how many members each has.
    ///
    /// # Errors
    /// [`Refusal::StoreUnavailable`], [`Refusal::Busy`].
    pub async fn list(&self, after: Option<&GroupId>, count_max: usize) -> Result<Vec<(GroupInfo, usize)>, Refusal> {
        let mut after = after.cloned();
        let read = move |store: &dyn crate::store::Store| {
            let mut groups = Vec::new();
            while groups.len() < count_max {
                let page = store.groups_after(after.as_ref(), count_max)?;
                let Some(last) = page.last() else { break };
                after = Some(last.info.id.clone());
                let left = count_max - groups.len();
                groups.extend(page.into_iter().filter(|record| !record.dismissed).map(|record| record.info).take(left));
            }
            let ids: Vec<GroupId> = groups.iter().map(|info: &GroupInfo| info.id.clone()).collect();
            Ok(groups.into_iter().zip(store.member_counts(&ids)?).collect())
        };
        self.broker.read(read).await
    }

    /// Returns the owner of a group.
    ///
    /// # Errors
    /// [`Refusal::GroupMissing`].
    pub async fn owner(&self, group: &GroupId) -> Result<UserId, Refusal> {
        let (reply, outcome) = Reply::channel();
        self.broker.actors.groups.try_send(group, WhoOwns { reply })?;
        answered(outcome).await
    }
}
