//! One group: its members and its conversation.
//!
//! Owns membership and roles; each change is a row in the store before anyone is told. Keeps connections of the members
//! that are online, so that a message costs nothing for those who are not. Full mailbox: temporary refusal.
//! Leaves when idle with nobody online; everything it knows is in the store.
//! How membership changes is in [`joining`] and [`leaving`].

mod candidates;
pub(crate) mod joining;
pub(crate) mod leaving;
pub(crate) mod membership;
pub(crate) mod messages;
pub(crate) mod rules;
pub(crate) mod settings;
pub(crate) mod state;

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;

pub(crate) use self::messages::{
    Create, Created, Dismiss, Info, Invite, Invited, Join, Kick, Kicked, MemberPresence, Members, MembersPage, Quit, Update, Which, WhoOwns,
};
use self::state::GroupState;
use crate::actors::connection::Connection;
use crate::actors::connection::feed::FeedItem;
use crate::actors::context::BrokerContext;
use crate::actors::conversation::actor::{Access, ConversationActor};
use crate::actors::conversation::handover::{NodeLost, Redeliver, Retire};
use crate::actors::conversation::messages::{Authorize, Confirm, Publish, Revise};
use crate::actors::conversation::pipeline::MessagePipeline;
use crate::actors::conversation::revise_rules::Moderates;
use crate::actors::conversation::{handover, publish, receipts, revise};
use crate::actors::delivery::batch::{Batch, Broadcaster, Item, feed_item_of};
use crate::actors::delivery::broadcast::Listener;
use crate::actors::delivery::fanout::{Audience, fan_out};
use crate::actors::delivery::outsiders;
use crate::actors::delivery::written::InFlight;
use crate::actors::runtime::registry::{Leased, Registered, Registration};
use crate::actors::runtime::reply::answer;
use crate::actors::runtime::route::Home;
use crate::model::{Conversation, GroupId, GroupMember, GroupRole, Refusal, UserId, UserProfile};
use crate::store::{Store, StoreError};

/// What a group id stands for.
enum GroupStatus {
    /// The id was never used.
    Free,
    /// There is a group.
    Exists(Box<GroupState>),
    /// There was a group, and there will never be another.
    Dismissed,
    /// The store could not be read.
    Unreadable(Refusal),
}

pub(crate) struct Group {
    context: Arc<BrokerContext>,
    id: GroupId,
    registration: Registration<Self>,
    pipeline: MessagePipeline,
    status: GroupStatus,
    busy: bool,
}

impl Registered for Group {
    type Key = GroupId;
    const KIND: &'static str = "group";
    type Services = Arc<BrokerContext>;

    fn home(id: &GroupId) -> Home {
        Home::Conversation(Conversation::Group(id.clone()))
    }

    fn mailbox_max(context: &Arc<BrokerContext>) -> usize {
        context.config().actors.group_mailbox
    }

    fn new(context: Arc<BrokerContext>, id: GroupId, registration: Registration<Self>) -> Self {
        Self { pipeline: MessagePipeline::new(context.clone()), context, id, registration, status: GroupStatus::Free, busy: true }
    }
}

impl Actor for Group {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.context.metrics.actors_changed(Self::KIND, 1);
        publish::listen(self, ctx);
        ctx.run_interval(self.context.idle(), |group, ctx| {
            if !std::mem::take(&mut group.busy) {
                group.leave_if_unused(ctx);
            }
        });
        let (archive, id) = (self.context.archive.clone(), self.id.clone());
        let load = async move {
            archive
                .read(move |store| match store.group(&id)? {
                    None => Ok(GroupStatus::Free),
                    Some(record) if record.dismissed => Ok(GroupStatus::Dismissed),
                    Some(record) => Ok(GroupStatus::Exists(Box::new(GroupState::new(record.info, store.group_members(&id)?)))),
                })
                .await
        };
        ctx.wait(load.into_actor(self).map(|loaded, group, _| {
            group.status = loaded.unwrap_or_else(GroupStatus::Unreadable);
            // Read after the registry lists this actor: a user who comes online from here on tells it.
            if let GroupStatus::Exists(state) = &mut group.status {
                let users: Vec<UserId> = state.users().cloned().collect();
                for user in users {
                    state.set_online(&user, group.context.presence.connections(&user));
                }
            }
        }));
    }

    fn stopped(&mut self, _: &mut Context<Self>) {
        self.context.metrics.actors_changed(Self::KIND, -1);
    }
}

impl Group {
    /// Returns the group, if it exists.
    fn existing(&mut self) -> Result<&mut GroupState, Refusal> {
        match &mut self.status {
            GroupStatus::Exists(state) => Ok(state),
            GroupStatus::Free | GroupStatus::Dismissed => Err(Refusal::GroupMissing(self.id.to_string())),
            GroupStatus::Unreadable(refusal) => Err(refusal.clone()),
        }
    }

    /// Stops when nobody needs this actor: it can be started again.
    fn leave_if_unused(&mut self, ctx: &mut Context<Self>) {
        let needed = matches!(&self.status, GroupStatus::Exists(state) if !state.connections().is_empty());
        if !needed && self.pipeline.is_idle() && self.registration.leave(&self.id) {
            ctx.stop();
        }
    }

    /// Stops when the id has no group: such ids must not pile up as actors.
    fn leave_if_nothing(&mut self, ctx: &mut Context<Self>) {
        if !matches!(self.status, GroupStatus::Exists(_)) {
            self.leave_if_unused(ctx);
        }
    }
}

/// Returns a user's profile; an unknown one has only its id.
pub(crate) fn profile(user: &UserId, found: Option<UserProfile>) -> UserProfile {
    found.unwrap_or_else(|| UserProfile::new(user.clone(), String::new()))
}

/// Reads the profiles of users, in the order asked.
///
/// # Errors
/// Every error of the store.
pub(crate) fn profiles(store: &dyn Store, users: &[UserId]) -> Result<Vec<UserProfile>, StoreError> {
    let found = store.users(users)?;
    Ok(users.iter().zip(found).map(|(user, found)| profile(user, found)).collect())
}

/// Reads the same outside the mailbox.
async fn read_profiles(context: &BrokerContext, users: Vec<UserId>) -> Result<Vec<UserProfile>, Refusal> {
    context.archive.read(move |store| profiles(store, &users)).await
}

impl Handler<Leased<Publish>> for Group {
    type Result = ();

    fn handle(&mut self, leased: Leased<Publish>, ctx: &mut Context<Self>) {
        self.busy = true;
        let publish = leased.open();
        match self.may_write(&publish) {
            Ok(conversation) => publish::publish(self, publish, &conversation, ctx),
            Err(refusal) => {
                answer(publish.reply, Err(refusal));
                self.leave_if_nothing(ctx);
            }
        }
    }
}

impl Handler<Leased<Authorize>> for Group {
    type Result = ();

    fn handle(&mut self, leased: Leased<Authorize>, ctx: &mut Context<Self>) {
        self.busy = true;
        let Authorize { user, reply } = leased.open();
        let from_outside = self.context.is_system(&user);
        let first_seq = |state: &GroupState| if from_outside { Ok(1) } else { state.inside(&user).map(|member| member.first_seq) };
        answer(reply, self.existing().and_then(|state| Ok((state.conversation(), first_seq(state)?))));
        self.leave_if_nothing(ctx);
    }
}

impl Handler<Leased<MemberPresence>> for Group {
    type Result = ();

    fn handle(&mut self, leased: Leased<MemberPresence>, _: &mut Context<Self>) {
        let user = leased.open().user;
        let connections = self.context.presence.connections(&user);
        if let GroupStatus::Exists(state) = &mut self.status {
            state.set_online(&user, connections);
        }
    }
}

impl Handler<Leased<NodeLost>> for Group {
    type Result = ();

    fn handle(&mut self, leased: Leased<NodeLost>, _: &mut Context<Self>) {
        let node = leased.open().node;
        let presence = &self.context.presence;
        if let GroupStatus::Exists(state) = &mut self.status {
            for user in state.users_at(node) {
                state.set_online(&user, presence.connections(&user));
            }
        }
    }
}

impl Handler<Leased<Info>> for Group {
    type Result = ();

    fn handle(&mut self, leased: Leased<Info>, ctx: &mut Context<Self>) {
        self.busy = true;
        answer(leased.open().reply, self.existing().map(|state| state.info.clone()));
        self.leave_if_nothing(ctx);
    }
}

impl Handler<Leased<WhoOwns>> for Group {
    type Result = ();

    fn handle(&mut self, leased: Leased<WhoOwns>, ctx: &mut Context<Self>) {
        let missing = Refusal::GroupMissing(self.id.to_string());
        let owner = self.existing().and_then(|state| {
            let owner = state.members().find(|member| member.role == GroupRole::Owner);
            owner.map(|owner| owner.user.clone()).ok_or(missing)
        });
        answer(leased.open().reply, owner);
        self.leave_if_nothing(ctx);
    }
}

impl Handler<Leased<Members>> for Group {
    type Result = ();

    fn handle(&mut self, leased: Leased<Members>, ctx: &mut Context<Self>) {
        self.busy = true;
        let Members { asker, which, next, count, reply } = leased.open();
        let now_ms = self.context.clock.wall_ms();
        let from_outside = self.context.is_system(&asker);
        let page = self.existing().and_then(|state| {
            if !from_outside {
                state.inside(&asker)?;
            }
            let (members, next) = match &which {
                Which::Just(user) => (vec![(0, state.inside(user)?.clone())], 0),
                Which::Muted => state.page(next, count, |member| member.muted.lasts(now_ms)),
                // Names are not known here: the members that match are picked below, from all.
                Which::Matching(_) => state.page(next, usize::MAX, |_| true),
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
        let context = self.context.clone();
        // Names are read outside the mailbox: the page is fixed, nobody has to wait for it.
        let complete = async move {
            let (ranks, members): (Vec<u64>, Vec<GroupMember>) = members.into_iter().unzip();
            let users = members.iter().map(|member| member.user.clone()).collect();
            let named = read_profiles(&context, users).await;
            answer(
                reply,
                named.map(|names| {
                    let mut page = MembersPage { members: members.into_iter().zip(names).collect(), next, total };
                    if let Which::Matching(search) = &which {
                        page.keep_found(search, count, ranks);
                    }
                    page
                }),
            );
        };
        ctx.spawn(complete.into_actor(self));
    }
}

impl ConversationActor for Group {
    fn context(&self) -> &Arc<BrokerContext> {
        &self.context
    }

    fn pipeline(&mut self) -> &mut MessagePipeline {
        &mut self.pipeline
    }

    fn may_write(&mut self, publish: &Publish) -> Result<Conversation, Refusal> {
        let now_ms = self.context.clock.wall_ms();
        let (sender, is_system) = (&publish.sender, self.context.is_system(&publish.sender));
        let state = self.existing()?;
        // A member is held to what members may do, also when the host sends for it.
        if !is_system && (publish.source.must_be_inside() || state.inside(sender).is_ok()) {
            state.speaker(sender, now_ms)?;
        }
        Ok(state.conversation())
    }

    fn access_of(&mut self, user: &UserId) -> Result<Access, Refusal> {
        if self.context.is_system(user) {
            return self.existing().map(|_| Access { moderates: Moderates::Everyone, first_seq: 1 });
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
        Ok(Access { moderates, first_seq: member.first_seq })
    }

    fn conversation(&self) -> Conversation {
        Conversation::Group(self.id.clone())
    }

    fn listeners(&self) -> Vec<Listener> {
        if let GroupStatus::Exists(state) = &self.status { state.listeners() } else { Vec::new() }
    }

    fn feed(&self, item: &Arc<FeedItem>) {
        if let GroupStatus::Exists(state) = &self.status {
            state.notify(item);
        }
    }

    fn stop_for_good(&mut self, ctx: &mut Context<Self>) {
        self.registration.leave_for_good(&self.id);
        ctx.stop();
    }

    fn done(&mut self, ctx: &mut Context<Self>) {
        self.leave_if_nothing(ctx);
    }
}

impl Handler<Leased<Revise>> for Group {
    type Result = ();

    fn handle(&mut self, leased: Leased<Revise>, ctx: &mut Context<Self>) {
        self.busy = true;
        revise::revise(self, leased.open(), ctx);
        self.leave_if_nothing(ctx);
    }
}

impl Handler<Leased<Confirm>> for Group {
    type Result = ();

    fn handle(&mut self, leased: Leased<Confirm>, ctx: &mut Context<Self>) {
        self.busy = true;
        receipts::confirm(self, leased.open(), ctx);
        self.leave_if_nothing(ctx);
    }
}

impl Handler<Leased<Redeliver>> for Group {
    type Result = ();

    fn handle(&mut self, leased: Leased<Redeliver>, ctx: &mut Context<Self>) {
        handover::redeliver(self, leased.open(), ctx, |_, _| {});
    }
}

impl Handler<Leased<Retire>> for Group {
    type Result = ();

    fn handle(&mut self, leased: Leased<Retire>, ctx: &mut Context<Self>) {
        handover::retire(self, leased.open().reply, ctx);
    }
}

impl Broadcaster for Group {
    fn batch(&mut self) -> &mut Batch {
        self.pipeline.batch()
    }

    fn write_late(&self) -> Duration {
        self.context.load.write_late()
    }

    fn audience(&self) -> usize {
        if let GroupStatus::Exists(state) = &self.status { state.connections().len() } else { 0 }
    }

    fn deliver(&mut self, items: Vec<Item>, batch: &Arc<InFlight>) {
        if let GroupStatus::Exists(state) = &self.status {
            if let Some(item) = feed_item_of(&items) {
                state.notify(&item);
            }
            let first_seq_of = |connection: &Connection| state.first_seq_of(connection);
            let audience = Audience { connections: state.connections().iter(), first_seq_of: &first_seq_of };
            outsiders::tell(&self.context, &items, |user| state.member(user).is_some());
            fan_out(&self.context, &items, &audience, batch);
        }
    }
}
