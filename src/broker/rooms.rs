//! What a host may know of rooms, and do to them from outside.

use std::collections::BTreeMap;

use super::handle::Broker;
use crate::actors::room::{CreateByHost, DescribeRoom, Destroy, Kick, RoomSnapshot};
use crate::actors::runtime::reply::{Reply, answered};
use crate::model::order_key::made_ms;
use crate::model::{Attributes, Invalid, Refusal, RoomAttribute, RoomId, RoomInfo, UserId};
use crate::protocol::RoomStart;

/// A room as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoomSummary {
    /// Id and name.
    pub info: RoomInfo,
    /// When it began, Unix milliseconds.
    pub created_ms: u64,
    /// How long it stands empty, seconds.
    pub destroy_delay_seconds: u64,
    /// How many are inside.
    pub members: usize,
    /// What those inside agreed on.
    pub attributes: BTreeMap<String, RoomAttribute>,
    /// How often that changed since the room began or was loaded.
    pub attributes_version: u64,
}

/// Everything about rooms; see [`Broker::rooms`].
#[derive(Debug, Clone)]
pub struct Rooms {
    broker: Broker,
}

impl Broker {
    /// Returns what a host may do to rooms: nobody has to be in one to make, end or look after it.
    #[must_use]
    pub fn rooms(&self) -> Rooms {
        Rooms { broker: self.clone() }
    }
}

impl Rooms {
    /// Makes a room with nobody inside. It ends when it stood empty for its delay, or for `room.grace_seconds` if that is
    /// more. Source: ZIM server API reference, `CreateRoom`.
    ///
    /// # Errors
    /// [`Refusal::RoomExists`]; [`Refusal::Invalid`] and [`Refusal::Attributes`] for what is over its limit.
    pub async fn create(&self, info: RoomInfo, destroy_delay_seconds: u64, attributes: Attributes) -> Result<(), Refusal> {
        self.create_for(None, info, RoomStart { destroy_delay_seconds, attributes, until_left: Vec::new() }).await
    }

    /// Makes a room in a user's name, who owns what it begins with and is not inside.
    ///
    /// # Errors
    /// As [`Rooms::create`].
    pub(crate) async fn create_for(&self, by: Option<UserId>, info: RoomInfo, start: RoomStart) -> Result<(), Refusal> {
        let context = &self.broker.context;
        let _open = context.take_request()?;
        let limits = &context.config().limits;
        let (delay, delay_max) = (start.destroy_delay_seconds, limits.room_destroy_delay_seconds_max);
        if delay > delay_max {
            return Err(Invalid::new("roomDestroyDelayTime", format!("is {delay}, the range is 0 to {delay_max} seconds")).into());
        }
        limits.room_attributes().check_each(&start.attributes)?;
        limits.room_attributes().check_all(&start.attributes)?;
        let (reply, outcome) = Reply::channel();
        let room = info.id.clone();
        self.broker.actors.rooms.try_send(&room, CreateByHost { info, start, by, reply })?;
        answered(outcome).await
    }

    /// Ends a room and its history, whoever is inside. Source: ZIM server API reference, `DestroyRoom`.
    ///
    /// # Errors
    /// [`Refusal::RoomMissing`], [`Refusal::StoreUnavailable`].
    pub async fn destroy(&self, room: &RoomId) -> Result<(), Refusal> {
        let context = &self.broker.context;
        let _open = context.take_request()?;
        let (reply, outcome) = Reply::channel();
        self.broker.actors.rooms.try_send(room, Destroy { reply })?;
        answered(outcome).await
    }

    /// Puts members out and returns those who were not inside. Source: ZIM server API reference, `KickoutRoomUser`.
    ///
    /// # Errors
    /// [`Refusal::RoomMissing`], [`Refusal::NoneInRoom`].
    pub async fn kick(&self, room: &RoomId, users: Vec<UserId>, reason: &str) -> Result<Vec<UserId>, Refusal> {
        let context = &self.broker.context;
        let _open = context.take_request()?;
        let (reply, outcome) = Reply::channel();
        self.broker.actors.rooms.try_send(room, Kick { users, reason: reason.to_owned(), reply })?;
        answered(outcome).await
    }

    /// Returns a room as it is now.
    ///
    /// # Errors
    /// [`Refusal::RoomMissing`].
    pub async fn about(&self, room: &RoomId) -> Result<RoomSummary, Refusal> {
        let (reply, outcome) = Reply::channel();
        self.broker.actors.rooms.try_send(room, DescribeRoom { reply })?;
        let RoomSnapshot { info, incarnation, destroy_delay_seconds, members, attributes, attributes_version } = answered(outcome).await?;
        let created_ms = made_ms(incarnation);
        Ok(RoomSummary { info, created_ms, destroy_delay_seconds, members, attributes, attributes_version })
    }

    /// Returns at most `count_max` rooms after one, in the order of their ids.
    ///
    /// # Errors
    /// [`Refusal::StoreUnavailable`], [`Refusal::Busy`].
    pub async fn list(&self, after: Option<&RoomId>, count_max: usize) -> Result<Vec<RoomSummary>, Refusal> {
        let mut records = self.broker.read(|store| store.rooms()).await?;
        records.sort_by(|one, other| one.id.cmp(&other.id));
        let wanted = records.into_iter().filter(|record| after.is_none_or(|after| record.id > *after)).take(count_max);
        let mut rooms = Vec::new();
        for record in wanted {
            match self.about(&record.id).await {
                Ok(room) => rooms.push(room),
                // Ended between the two looks.
                Err(Refusal::RoomMissing(_)) => {}
                Err(refusal) => return Err(refusal),
            }
        }
        Ok(rooms)
    }
}
