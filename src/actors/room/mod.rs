//! One room: who is inside, what is said, and how much barrage passes.
//!
//! Owns members and barrage budget; identity and name are a store row, so that history outlives the process, and
//! members are not: after a restart they enter again. Mailbox full: temporary refusal, barrage is shed.
//! Stops while nobody is inside, and is started again by whoever comes in, or when the room has stood empty for its delay: then
//! it ends, and its history with it.

pub(crate) mod attributes;
mod handover;
pub(crate) mod host;
mod lifetime;
pub(crate) mod membership;
pub(crate) mod messages;
pub(crate) mod rules;
pub(crate) mod state;

use std::sync::{Arc, Weak};
use std::time::Duration;

use actix::prelude::*;

pub(crate) use self::attributes::{ChangeAttributes, QueryAttributes, SetMemberAttributes, Whose};
pub(crate) use self::handover::Rejoin;
pub(crate) use self::host::{CreateByHost, DescribeRoom, Destroy, Kick, RoomSnapshot};
use self::membership::announce_members;
pub(crate) use self::messages::{
    Admit, Disconnected, Entry, Leave, Members, MembersPage, PlaceHolders, PlaceLost, Reconnected, Wake, Which,
};
use self::state::RoomState;
use crate::actors::connection::feed::FeedItem;
use crate::actors::context::BrokerContext;
use crate::actors::conversation::actor::{Access, ConversationActor};
use crate::actors::conversation::messages::{Authorize, Confirm, Publish, Revise};
use crate::actors::conversation::pipeline::MessagePipeline;
use crate::actors::conversation::revise_rules::Moderates;
use crate::actors::conversation::{publish, receipts, revise};
use crate::actors::delivery::batch::{Batch, Broadcaster, Item, schedule};
use crate::actors::delivery::broadcast::Listener;
use crate::actors::delivery::fanout::{Audience, announce, fan_out};
use crate::actors::delivery::outsiders;
use crate::actors::delivery::written::InFlight;
use crate::actors::runtime::registry::{Leased, Registered, Registration};
use crate::actors::runtime::reply::answer;
use crate::actors::runtime::route::Home;
use crate::hooks::{Event, EventDetails};
use crate::model::{Body, Conversation, MessageClass, Refusal, RoomId, UserId, UserProfile};
use crate::protocol::event::room::{MembersCounted, Movement, UnnamedMovements};
use crate::protocol::event::session::BarrageDropped;
use crate::rate::{Allowance, BarrageBudget, DropReason, RoomSize};

/// How often deadlines are looked at. Our choice: a second, a thirtieth of the shortest of them.
const TICK: Duration = Duration::from_secs(1);

pub(crate) struct Room {
    context: Arc<BrokerContext>,
    id: RoomId,
    registration: Registration<Self>,
    place_holders: Weak<dyn PlaceHolders>,
    pipeline: MessagePipeline,
    state: Option<RoomState>,
    budget: BarrageBudget,
    shed: [u32; 3],
    /// How many barrages came, by priority.
    barrages: [u64; 3],
    movements: Vec<(Movement, UserProfile)>,
    /// How many of them are told by name.
    allowance: Allowance,
    /// Who came and went since the last tick and was not told by name.
    unnamed: UnnamedMovements,
    size: RoomSize,
    unreadable: Option<Refusal>,
    /// What the last owner may not have delivered, for members that tell later that they are inside.
    again: Option<handover::Again>,
}

/// What a room needs from outside.
#[derive(Debug, Clone)]
pub(crate) struct RoomServices {
    pub(crate) context: Arc<BrokerContext>,
    pub(crate) place_holders: Weak<dyn PlaceHolders>,
}

impl Registered for Room {
    type Key = RoomId;
    const KIND: &'static str = "room";
    type Services = RoomServices;

    fn home(id: &RoomId) -> Home {
        Home::Conversation(Conversation::Room(id.clone(), 0))
    }

    fn mailbox_max(RoomServices { context, .. }: &RoomServices) -> usize {
        context.config().actors.room_mailbox
    }

    fn new(RoomServices { context, place_holders }: RoomServices, id: RoomId, registration: Registration<Self>) -> Self {
        let budget = BarrageBudget::new(context.config().shed.room_barrages_per_second, context.config().shed.room_barrages_burst);
        let pipeline = MessagePipeline::new(context.clone());
        Self {
            context,
            place_holders,
            id,
            registration,
            pipeline,
            state: None,
            budget,
            shed: [0; 3],
            barrages: [0; 3],
            movements: Vec::new(),
            allowance: Allowance::default(),
            unnamed: UnnamedMovements::default(),
            size: RoomSize::default(),
            unreadable: None,
            again: None,
        }
    }
}

impl Actor for Room {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.context.metrics.actors_changed(Self::KIND, 1);
        publish::listen(self, ctx);
        ctx.run_interval(TICK, Self::tick);
        let (archive, id) = (self.context.archive.clone(), self.id.clone());
        let load = async move { archive.read(move |store| store.room(&id)).await };
        ctx.wait(load.into_actor(self).map(|found, room, _| match found {
            // Nobody is inside: it stands as long as was noted, or members get the grace to come back and then its own delay runs.
            Ok(Some(mut record)) => {
                // The members who set these are not inside.
                record.attributes.retain(|_, attribute| !attribute.until_left);
                let stands = room.context.config().room.grace_seconds + record.destroy_delay_seconds;
                let until = room.context.standing.until(&room.id);
                let until = until.unwrap_or_else(|| room.context.clock.elapsed() + Duration::from_secs(stands));
                room.state = Some(room.empty(record, until));
            }
            Ok(None) => {}
            Err(refusal) => room.unreadable = Some(refusal),
        }));
    }

    fn stopped(&mut self, _: &mut Context<Self>) {
        self.context.metrics.actors_changed(Self::KIND, -1);
    }
}

impl Room {
    /// Returns the room, if it exists.
    fn existing(&mut self) -> Result<&mut RoomState, Refusal> {
        let missing = || self.unreadable.clone().unwrap_or_else(|| Refusal::RoomMissing(self.id.to_string()));
        match self.state {
            Some(ref mut state) => Ok(state),
            None => Err(missing()),
        }
    }

    fn id(&self) -> &RoomId {
        &self.id
    }

    fn state_mut(&mut self) -> Option<&mut RoomState> {
        self.state.as_mut()
    }

    /// Returns the room, if it exists and the user is inside; the system's user need not be.
    fn inside(&mut self, user: &UserId) -> Result<&mut RoomState, Refusal> {
        let not_in_room = Refusal::NotInRoom(self.id.to_string());
        let from_outside = self.context.is_system(user);
        let state = self.existing()?;
        if from_outside || state.contains(user) { Ok(state) } else { Err(not_in_room) }
    }

    fn tick(&mut self, ctx: &mut Context<Self>) {
        let now = self.context.clock.elapsed();
        let Some(state) = &mut self.state else { return self.leave_if_unused(ctx) };
        let expired = state.expire(now);
        let gone: Vec<UserId> = expired.iter().map(|(profile, _)| profile.id.clone()).collect();
        for (profile, connection_id) in expired {
            self.tell_place_lost(profile.id.clone(), connection_id);
            self.tell_left(&profile.id, false);
            self.movements.push((Movement::Left, profile));
        }
        self.attributes_left(&gone);
        self.report_shed();
        self.report_unnamed();
        self.forget_again();
        if self.has_more() {
            schedule(self, ctx);
        }
        if !self.end_if_over(ctx) {
            self.save_at_rest(ctx);
            self.leave_if_unused(ctx);
        }
    }

    fn tell_left(&self, user: &UserId, kicked: bool) {
        self.context.tell_host_more(|| {
            let by = if kicked { self.context.system().id } else { user.clone() };
            (Event::RoomLeft { room: self.id.clone(), user: user.clone(), kicked }, EventDetails::RoomLeft { by })
        });
    }

    /// Tells the members how much the room shed since the last tick.
    fn report_shed(&mut self) {
        let shed = std::mem::take(&mut self.shed);
        if let Some(state) = self.state.as_ref().filter(|_| shed.iter().any(|count| *count > 0)) {
            announce(&BarrageDropped::by_room(&self.id, shed), state.connections().iter());
        }
    }
}

impl Handler<Leased<Publish>> for Room {
    type Result = ();

    fn handle(&mut self, leased: Leased<Publish>, ctx: &mut Context<Self>) {
        let publish = leased.open();
        let conversation = match self.may_write(&publish) {
            Ok(conversation) => conversation,
            Err(refusal) => {
                answer(publish.reply, Err(refusal));
                return self.leave_if_unused(ctx);
            }
        };
        if !matches!(publish.draft.content.body, Body::Barrage(_)) {
            return publish::publish(self, publish, &conversation, ctx);
        }
        match self.admit_barrage(&publish) {
            Ok(()) => publish::publish_unstored(self, publish, &conversation, ctx),
            Err(reason) => self.shed(publish, &conversation, reason),
        }
    }
}

impl Room {
    /// Decides whether a barrage passes: by the load of the broker, then by the room's own budget.
    fn admit_barrage(&mut self, publish: &Publish) -> Result<(), DropReason> {
        let priority = publish.draft.priority;
        let nth = &mut self.barrages[priority.index()];
        *nth += 1;
        if self.context.load.level().sheds(MessageClass::Barrage, priority, *nth - 1) {
            return Err(DropReason::Overloaded);
        }
        let config = self.context.config();
        self.measure();
        let per_second = self.size.barrages_per_second(config.shed.room_barrages_per_second, config.room.node_bytes_per_second);
        let is_bounded = per_second < config.shed.room_barrages_per_second;
        let burst = if is_bounded { config.shed.room_barrages_burst.min(per_second) } else { config.shed.room_barrages_burst };
        self.budget.set(per_second, burst);
        self.budget.admit(self.context.clock.elapsed(), &publish.sender, priority)?;
        self.size.note_barrage(publish.draft.content.weight());
        Ok(())
    }

    /// Notes how large the room is just now.
    fn measure(&mut self) {
        self.size.set_members(self.state.as_ref().map_or(0, |state| state.connections().most_at_one_node()));
    }

    /// Takes out of what waits who is not told by name: more than members have to be told.
    fn leave_unnamed(&mut self) {
        self.measure();
        let room = &self.context.config().room;
        let per_second = self.size.movements_per_second(room.movements_per_second, room.node_bytes_per_second);
        let named = self.allowance.take(self.context.clock.elapsed(), per_second, self.movements.len());
        for (movement, _) in self.movements.drain(named..) {
            self.unnamed.count(movement);
        }
    }

    /// Tells the members how many came and went since the last tick who were not told by name.
    fn report_unnamed(&mut self) {
        let unnamed = std::mem::take(&mut self.unnamed);
        if let Some(state) = self.state.as_ref().filter(|_| !unnamed.is_empty()) {
            announce(&MembersCounted::new(&self.id, state.len(), unnamed), state.connections().iter());
        }
    }

    /// Drops a barrage; the members are told with the next tick how many there were.
    fn shed(&mut self, publish: Publish, conversation: &Conversation, reason: DropReason) {
        self.shed[publish.draft.priority.index()] += 1;
        self.pipeline.shed(publish, conversation, reason);
    }
}

impl Handler<Leased<Authorize>> for Room {
    type Result = ();

    fn handle(&mut self, leased: Leased<Authorize>, ctx: &mut Context<Self>) {
        let Authorize { user, reply } = leased.open();
        // Without room history nothing is ever visible, though it is kept for order and retries while the room lives.
        let first_seq = if self.context.config().room.history { 1 } else { u64::MAX };
        answer(reply, self.inside(&user).map(|state| (state.conversation(), first_seq)));
        self.leave_if_unused(ctx);
    }
}

impl ConversationActor for Room {
    fn context(&self) -> &Arc<BrokerContext> {
        &self.context
    }

    fn pipeline(&mut self) -> &mut MessagePipeline {
        &mut self.pipeline
    }

    fn may_write(&mut self, publish: &Publish) -> Result<Conversation, Refusal> {
        let state = if publish.source.must_be_inside() { self.inside(&publish.sender) } else { self.existing() };
        state.map(|state| state.conversation())
    }

    /// Refuses every change but the server's own: what is said in a room is not changed by those inside.
    fn access_of(&mut self, user: &UserId) -> Result<Access, Refusal> {
        let (is_system, is_kept) = (self.context.is_system(user), self.context.config().room.history);
        self.existing()?;
        if is_system && is_kept { Ok(Access { moderates: Moderates::Everyone, first_seq: 1 }) } else { Err(Refusal::MessageMissing) }
    }

    fn conversation(&self) -> Conversation {
        Conversation::Room(self.id.clone(), self.state.as_ref().map_or(0, |state| state.record.incarnation))
    }

    fn listeners(&self) -> Vec<Listener> {
        Listener::to_all(self.state.iter().flat_map(|state| state.connections().iter()))
    }

    /// Does nothing: rooms are in nobody's list.
    fn feed(&self, _: &Arc<FeedItem>) {}

    fn has_finished(&mut self) -> bool {
        self.pipeline.is_idle() && self.state.as_ref().is_none_or(|state| !state.is_unsaved)
    }

    fn stop_for_good(&mut self, ctx: &mut Context<Self>) {
        self.registration.leave_for_good(&self.id);
        ctx.stop();
    }

    fn done(&mut self, ctx: &mut Context<Self>) {
        self.leave_if_unused(ctx);
    }
}

impl Handler<Leased<Revise>> for Room {
    type Result = ();

    fn handle(&mut self, leased: Leased<Revise>, ctx: &mut Context<Self>) {
        revise::revise(self, leased.open(), ctx);
    }
}

impl Handler<Leased<Confirm>> for Room {
    type Result = ();

    fn handle(&mut self, leased: Leased<Confirm>, ctx: &mut Context<Self>) {
        receipts::confirm(self, leased.open(), ctx);
    }
}

impl Broadcaster for Room {
    fn batch(&mut self) -> &mut Batch {
        self.pipeline.batch()
    }

    fn write_late(&self) -> Duration {
        self.context.load.write_late()
    }

    fn audience(&self) -> usize {
        self.state.as_ref().map_or(0, |state| state.connections().len())
    }

    fn has_more(&self) -> bool {
        !self.movements.is_empty()
    }

    fn deliver(&mut self, items: Vec<Item>, batch: &Arc<InFlight>) {
        self.leave_unnamed();
        let movements = std::mem::take(&mut self.movements);
        let Some(state) = &self.state else { return };
        for run in movements.chunk_by(|one, next| one.0 == next.0) {
            announce_members(&self.id, run, state);
        }
        if !items.is_empty() {
            outsiders::tell(&self.context, &items, |user| state.contains(user));
            fan_out(&self.context, &items, &Audience::of_all(state.connections().iter()), batch);
        }
    }
}
