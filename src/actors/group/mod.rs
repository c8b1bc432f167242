//! One group: its members, its conversation.
//!
//! Owns membership and roles; each change is a row in the store before anyone is told. Keeps links of the members
//! that are online, so that a message costs nothing for those who are not. Full mailbox: temporary refusal.
//! Leaves when idle with nobody online; everything it knows is in the store.
//! How membership changes is next door, in `group_change`.

pub(crate) mod membership;
pub(crate) mod rules;
pub(crate) mod settings;
pub(crate) mod state;

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;

pub(crate) use self::membership::{Create, Created, Dismiss, Invite, Invited, Join, Kick, Kicked, Quit};
pub(crate) use self::settings::Alter;
use self::state::GroupState;
use crate::actors::connection::Link;
use crate::actors::connection::feed::News;
use crate::actors::context::Core;
use crate::actors::conversation::publish;
use crate::actors::conversation::publish::{Lane, Owner, Publish};
use crate::actors::conversation::revise;
use crate::actors::conversation::revise::{Amend, Confirm, Keeper, Right};
use crate::actors::conversation::revise_rules::Moderates;
use crate::actors::delivery::batch::{Batch, Deliver, Item, news_of};
use crate::actors::delivery::fanout::{Envelope, fan_out};
use crate::actors::room::Authorize;
use crate::actors::runtime::registry::{Held, Holds, Resident};
use crate::actors::runtime::reply::{Reply, answer};
use crate::model::{Conversation, GroupId, GroupInfo, GroupMember, GroupRole, GroupSearch, Refusal, UserId, UserProfile};
use crate::store::{Store, StoreError};

/// A member's sessions changed.
pub(crate) struct Presence {
    pub(crate) user: UserId,
}

/// What is the group called? Anyone may ask.
pub(crate) struct Info {
    pub(crate) reply: Reply<GroupInfo>,
}

/// Who owns the group?
pub(crate) struct WhoOwns {
    pub(crate) reply: Reply<UserId>,
}

/// Who is in the group? Asked by a member.
pub(crate) struct Members {
    pub(crate) asker: UserId,
    pub(crate) which: Which,
    pub(crate) next: u64,
    pub(crate) count: usize,
    pub(crate) reply: Reply<MembersPage>,
}

/// Which members are asked for.
pub(crate) enum Which {
    Everyone,
    /// Those who may not speak now.
    Muted,
    Just(UserId),
    Found(GroupSearch),
}

/// Members with what is known of them; the next page's flag, 0 at the end; how many there are.
pub(crate) struct MembersPage {
    pub(crate) members: Vec<(GroupMember, UserProfile)>,
    pub(crate) next: u64,
    pub(crate) total: usize,
}

impl MembersPage {
    /// Source: spec 3.7, `searchLocalGroupMembers`.
    fn keep_found(&mut self, search: &GroupSearch, count: usize) {
        self.members.retain(|(member, profile)| found(search, member, profile));
        if self.members.len() > count {
            self.members.truncate(count);
            self.next = self.members.last().map_or(0, |(member, _)| member.joined);
        }
    }
}

/// By name, or, when asked for, by nickname.
fn found(search: &GroupSearch, member: &GroupMember, profile: &UserProfile) -> bool {
    search.keywords.found_in(&profile.name) || search.by_nickname && search.keywords.found_in(&member.nickname)
}

/// What became of a group id.
pub(super) enum Standing {
    /// Never used.
    Free,
    /// A group.
    Exists(Box<GroupState>),
    /// Was a group; never again.
    Dismissed,
    /// The store could not say.
    Unreadable(Refusal),
}

pub(crate) struct Group {
    pub(super) core: Arc<Core>,
    pub(super) id: GroupId,
    holds: Holds,
    lane: Lane,
    pub(super) standing: Standing,
    busy: bool,
}

impl Resident for Group {
    type Key = GroupId;
    const KIND: &'static str = "group";

    fn mailbox_max(core: &Core) -> usize {
        core.config().actors.group_mailbox
    }

    fn new(core: Arc<Core>, id: GroupId, holds: Holds) -> Self {
        Self { lane: Lane::new(core.clone()), core, id, holds, standing: Standing::Free, busy: true }
    }
}

impl Actor for Group {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.core.metrics.actors_changed(Self::KIND, 1);
        publish::open(self, ctx);
        ctx.run_interval(self.core.idle(), |group, ctx| {
            if !std::mem::take(&mut group.busy) {
                group.leave_if_unused(ctx);
            }
        });
        let (archive, id) = (self.core.archive.clone(), self.id.clone());
        let load = async move {
            archive
                .read(move |store| match store.group(&id)? {
                    None => Ok(Standing::Free),
                    Some(record) if record.dismissed => Ok(Standing::Dismissed),
                    Some(record) => Ok(Standing::Exists(Box::new(GroupState::new(record.info, store.group_members(&id)?)))),
                })
                .await
        };
        ctx.wait(load.into_actor(self).map(|loaded, group, _| {
            group.standing = loaded.unwrap_or_else(Standing::Unreadable);
            // Read after the directory lists this owner: whoever comes online from here on tells it.
            if let Standing::Exists(state) = &mut group.standing {
                let users: Vec<UserId> = state.users().cloned().collect();
                for user in users {
                    state.set_online(&user, group.core.presence.links(&user));
                }
            }
        }));
    }

    fn stopped(&mut self, _: &mut Context<Self>) {
        self.core.metrics.actors_changed(Self::KIND, -1);
    }
}

impl Group {
    /// The group, if it exists.
    pub(super) fn existing(&mut self) -> Result<&mut GroupState, Refusal> {
        match &mut self.standing {
            Standing::Exists(state) => Ok(state),
            Standing::Free | Standing::Dismissed => Err(Refusal::GroupMissing(self.id.to_string())),
            Standing::Unreadable(refusal) => Err(refusal.clone()),
        }
    }

    /// Leaves when nobody needs this owner: it can be found again.
    pub(super) fn leave_if_unused(&mut self, ctx: &mut Context<Self>) {
        let needed = matches!(&self.standing, Standing::Exists(state) if !state.roster().is_empty());
        if !needed && self.lane.is_idle() && self.core.groups.leave(&self.id, &self.holds) {
            ctx.stop();
        }
    }

    /// Ids that nothing lives under must not pile up as actors.
    pub(super) fn leave_if_nothing(&mut self, ctx: &mut Context<Self>) {
        if !matches!(self.standing, Standing::Exists(_)) {
            self.leave_if_unused(ctx);
        }
    }
}

/// What is known of one user; of an unknown one only the id.
pub(super) fn profile(store: &dyn Store, user: &UserId) -> Result<UserProfile, StoreError> {
    Ok(store.user(user)?.unwrap_or_else(|| UserProfile::new(user.clone(), String::new())))
}

/// What is known of users, in the order asked; an unknown one has only its id.
pub(super) async fn profiles(core: &Core, users: Vec<UserId>) -> Result<Vec<UserProfile>, Refusal> {
    core.archive.read(move |store| users.iter().map(|user| profile(store, user)).collect()).await
}

impl Handler<Held<Publish>> for Group {
    type Result = ();

    fn handle(&mut self, held: Held<Publish>, ctx: &mut Context<Self>) {
        self.busy = true;
        let publish = held.open();
        match self.may_write(&publish) {
            Ok(conversation) => publish::publish(self, publish, &conversation, ctx),
            Err(refusal) => {
                answer(publish.reply, Err(refusal));
                self.leave_if_nothing(ctx);
            }
        }
    }
}

impl Handler<Held<Authorize>> for Group {
    type Result = ();

    fn handle(&mut self, held: Held<Authorize>, ctx: &mut Context<Self>) {
        self.busy = true;
        let Authorize { user, reply } = held.open();
        let from_outside = self.core.is_system(&user);
        let first_seq = |state: &GroupState| if from_outside { Ok(1) } else { state.inside(&user).map(|member| member.first_seq) };
        answer(reply, self.existing().and_then(|state| Ok((state.conversation(), first_seq(state)?))));
        self.leave_if_nothing(ctx);
    }
}

impl Handler<Held<Presence>> for Group {
    type Result = ();

    fn handle(&mut self, held: Held<Presence>, _: &mut Context<Self>) {
        let user = held.open().user;
        let links = self.core.presence.links(&user);
        if let Standing::Exists(state) = &mut self.standing {
            state.set_online(&user, links);
        }
    }
}

impl Handler<Held<Info>> for Group {
    type Result = ();

    fn handle(&mut self, held: Held<Info>, ctx: &mut Context<Self>) {
        self.busy = true;
        answer(held.open().reply, self.existing().map(|state| state.info.clone()));
        self.leave_if_nothing(ctx);
    }
}

impl Handler<Held<WhoOwns>> for Group {
    type Result = ();

    fn handle(&mut self, held: Held<WhoOwns>, ctx: &mut Context<Self>) {
        let missing = Refusal::GroupMissing(self.id.to_string());
        let owner = self.existing().and_then(|state| {
            let owner = state.members().find(|member| member.role == GroupRole::Owner);
            owner.map(|owner| owner.user.clone()).ok_or(missing)
        });
        answer(held.open().reply, owner);
        self.leave_if_nothing(ctx);
    }
}

impl Handler<Held<Members>> for Group {
    type Result = ();

    fn handle(&mut self, held: Held<Members>, ctx: &mut Context<Self>) {
        self.busy = true;
        let Members { asker, which, next, count, reply } = held.open();
        let now_ms = self.core.clock.wall_ms();
        let from_outside = self.core.is_system(&asker);
        let page = self.existing().and_then(|state| {
            if !from_outside {
                state.inside(&asker)?;
            }
            let (members, next) = match &which {
                Which::Just(user) => (vec![state.inside(user)?.clone()], 0),
                Which::Muted => state.page(next, count, |member| member.muted.lasts(now_ms)),
                // Names are not known here: who is found is picked below, from all.
                Which::Found(_) => state.page(next, usize::MAX, |_| true),
                Which::Everyone => state.page(next, count, |_| true),
            };
            Ok((members, next, state.len()))
        });
        let (members, next, total) = match page {
            Ok(page) => page,
            Err(refusal) => {
                answer(reply, Err(refusal));
                return self.leave_if_nothing(ctx);
            }
        };
        let core = self.core.clone();
        // Names are read beside the mailbox: the page is fixed, nobody has to wait for it.
        let complete = async move {
            let users = members.iter().map(|member| member.user.clone()).collect();
            let named = profiles(&core, users).await;
            answer(
                reply,
                named.map(|names| {
                    let mut page = MembersPage { members: members.into_iter().zip(names).collect(), next, total };
                    if let Which::Found(search) = &which {
                        page.keep_found(search, count);
                    }
                    page
                }),
            );
        };
        ctx.spawn(complete.into_actor(self));
    }
}

impl Owner for Group {
    fn lane(&mut self) -> &mut Lane {
        &mut self.lane
    }

    fn may_write(&mut self, publish: &Publish) -> Result<Conversation, Refusal> {
        let now_ms = self.core.clock.wall_ms();
        let (sender, is_system) = (&publish.sender, self.core.is_system(&publish.sender));
        let state = self.existing()?;
        // Who is inside keeps to what holds for members, also when the host sends for it.
        if !(is_system || publish.from_outside && state.inside(sender).is_err()) {
            state.speaker(sender, now_ms)?;
        }
        Ok(state.conversation())
    }

    fn answered(&mut self, root_seq: u64, ctx: &mut Context<Self>) {
        revise::answered(self, root_seq, ctx);
    }
}

impl Keeper for Group {
    fn core(&self) -> &Arc<Core> {
        &self.core
    }

    fn place(&self) -> Conversation {
        Conversation::Group(self.id.clone())
    }

    fn right_of(&mut self, user: &UserId) -> Result<Right, Refusal> {
        if self.core.is_system(user) {
            return self.existing().map(|_| Right { moderates: Moderates::Everyone, first_seq: 1 });
        }
        let state = self.existing()?;
        let member = state.inside(user)?;
        let moderates = match member.role {
            GroupRole::Owner => Moderates::Everyone,
            GroupRole::Admin => {
                let managers = state.members().filter(|member| member.role.manages());
                Moderates::AllBut(managers.map(|member| member.user.clone()).collect())
            }
            GroupRole::Member | GroupRole::Custom(_) => Moderates::Nobody,
        };
        Ok(Right { moderates, first_seq: member.first_seq })
    }

    fn everyone(&self) -> Vec<Arc<Link>> {
        if let Standing::Exists(state) = &self.standing { state.others(&[]).cloned().collect() } else { Vec::new() }
    }

    fn notify(&self, news: &Arc<News>) {
        if let Standing::Exists(state) = &self.standing {
            state.notify(news);
        }
    }

    fn settled(&mut self, ctx: &mut Context<Self>) {
        self.leave_if_nothing(ctx);
    }
}

impl Handler<Held<Amend>> for Group {
    type Result = ();

    fn handle(&mut self, held: Held<Amend>, ctx: &mut Context<Self>) {
        self.busy = true;
        revise::amend(self, held.open(), ctx);
        self.leave_if_nothing(ctx);
    }
}

impl Handler<Held<Confirm>> for Group {
    type Result = ();

    fn handle(&mut self, held: Held<Confirm>, ctx: &mut Context<Self>) {
        self.busy = true;
        revise::confirm(self, held.open(), ctx);
        self.leave_if_nothing(ctx);
    }
}

impl Deliver for Group {
    fn batch(&mut self) -> &mut Batch {
        self.lane.batch()
    }

    fn write_late(&self) -> Duration {
        self.core.pressure.write_late()
    }

    fn audience(&self) -> usize {
        if let Standing::Exists(state) = &self.standing { state.roster().len() } else { 0 }
    }

    fn deliver(&mut self, items: Vec<Item>) {
        if let Standing::Exists(state) = &self.standing {
            if let Some(news) = news_of(&items) {
                state.notify(&news);
            }
            let envelope = Envelope { event: "receiveGroupMessage", from: self.id.as_str() };
            fan_out(&self.core, envelope, &items, state.roster().iter());
        }
    }
}
