//! Who is in a room, and until when the room stands. It is given the time and returns decisions; what others may know of it,
//! who is inside and
//! until when it stands empty, it keeps up to date in [`RoomPlaces`] and [`StandingRooms`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::rules::MembersAttributes;
use crate::actors::connection::{Connection, ConnectionId};
use crate::actors::delivery::connection_set::ConnectionSet;
use crate::actors::places::RoomPlaces;
use crate::actors::standing::StandingRooms;
use crate::model::{Conversation, UserId, UserProfile, page_by_key};
use crate::store::RoomRecord;

/// Where a member is.
#[derive(Debug)]
enum MemberPlace {
    /// At this connection.
    Here(Arc<Connection>),
    /// The connection with this number was lost, and the place is kept until then; `attributes_version` is what the
    /// member had seen.
    Away { connection_id: ConnectionId, until: Duration, attributes_version: u64 },
}

impl MemberPlace {
    fn connection_id(&self) -> ConnectionId {
        match self {
            Self::Here(connection) => connection.id,
            Self::Away { connection_id, .. } => *connection_id,
        }
    }
}

#[derive(Debug)]
struct Member {
    profile: UserProfile,
    place: MemberPlace,
}

/// A room that exists.
#[derive(Debug)]
pub(super) struct RoomState {
    pub(super) record: RoomRecord,
    pub(super) members_attributes: MembersAttributes,
    /// Counts changes of attributes, of the room and of members.
    pub(super) attributes_version: u64,
    /// Whether its row does not hold yet what members were given.
    pub(super) is_unsaved: bool,
    members: BTreeMap<UserId, Member>,
    connections: ConnectionSet,
    destroy_at: Option<Duration>,
    places: Arc<RoomPlaces>,
    standing: Arc<StandingRooms>,
}

impl Drop for RoomState {
    /// A room that ends, or whose actor does, has nobody inside.
    fn drop(&mut self) {
        let conversation = self.conversation();
        self.members.keys().for_each(|user| self.places.leave(user, &conversation));
    }
}

/// What entering changed.
#[derive(Debug)]
pub(super) enum Entered {
    /// A new member.
    Joined,
    /// The user was inside already, at this connection or at one that was lost.
    Back,
    /// The user was inside at another connection, which has lost its place now.
    Replaced(Arc<Connection>),
}

impl RoomState {
    /// Makes a room nobody is in yet; it stands until `destroy_at` unless someone enters.
    pub(super) fn empty(mut record: RoomRecord, destroy_at: Duration, places: Arc<RoomPlaces>, standing: Arc<StandingRooms>) -> Self {
        let members_attributes = MembersAttributes::kept(std::mem::take(&mut record.members_attributes));
        standing.put(&record.id, destroy_at, record.made_by.as_ref());
        Self {
            record,
            members_attributes,
            attributes_version: 0,
            is_unsaved: false,
            members: BTreeMap::new(),
            connections: ConnectionSet::default(),
            destroy_at: Some(destroy_at),
            places,
            standing,
        }
    }

    pub(super) fn conversation(&self) -> Conversation {
        Conversation::Room(self.record.id.clone(), self.record.incarnation)
    }

    pub(super) fn contains(&self, user: &UserId) -> bool {
        self.members.contains_key(user)
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(super) fn connections(&self) -> &ConnectionSet {
        &self.connections
    }

    /// Lets a user in at a connection.
    pub(super) fn enter(&mut self, profile: UserProfile, connection: Arc<Connection>) -> Entered {
        self.destroy_at = None;
        self.standing.take(&self.record.id);
        let user = profile.id.clone();
        self.places.enter(&user, &self.conversation());
        let former = self.members.insert(user, Member { profile, place: MemberPlace::Here(connection.clone()) });
        let connection_id = connection.id;
        self.connections.insert(connection);
        match former.map(|member| member.place) {
            None => Entered::Joined,
            Some(MemberPlace::Here(old)) if old.id != connection_id => {
                self.connections.remove(old.id);
                Entered::Replaced(old)
            }
            Some(MemberPlace::Here(_) | MemberPlace::Away { .. }) => Entered::Back,
        }
    }

    /// Takes out a user whose place is held by the connection of that number, or was when that connection was lost.
    pub(super) fn leave(&mut self, user: &UserId, connection_id: ConnectionId, now: Duration) -> Option<UserProfile> {
        if self.members.get(user)?.place.connection_id() != connection_id {
            return None;
        }
        self.remove(user, now)
    }

    /// Takes a user out, wherever it is; returns its profile, the number of its connection, and the connection if it
    /// still lives.
    pub(super) fn expel(&mut self, user: &UserId, now: Duration) -> Option<(UserProfile, ConnectionId, Option<Arc<Connection>>)> {
        let place = &self.members.get(user)?.place;
        let (connection_id, connection) = match place {
            MemberPlace::Here(connection) => (connection.id, Some(connection.clone())),
            MemberPlace::Away { connection_id, .. } => (*connection_id, None),
        };
        Some((self.remove(user, now)?, connection_id, connection))
    }

    /// Returns whether an attribute waits for its owner to come in, which an empty room's row would not keep.
    pub(super) fn awaits_an_owner(&self) -> bool {
        self.record.attributes.values().any(|attribute| attribute.until_left)
    }

    /// Returns everyone inside, here or away, with the number of the connection that has the place.
    pub(super) fn places(&self) -> impl Iterator<Item = (&UserId, ConnectionId)> {
        self.members.iter().map(|(user, member)| (user, member.place.connection_id()))
    }

    fn remove(&mut self, user: &UserId, now: Duration) -> Option<UserProfile> {
        let member = self.members.remove(user)?;
        self.connections.remove(member.place.connection_id());
        self.places.leave(user, &self.conversation());
        if self.members.is_empty() {
            let until = now + Duration::from_secs(self.record.destroy_delay_seconds);
            self.destroy_at = Some(until);
            self.standing.put(&self.record.id, until, self.record.made_by.as_ref());
        }
        Some(member.profile)
    }

    /// Notes that the connection of a member was lost; its place is kept until then.
    pub(super) fn lose(&mut self, user: &UserId, connection_id: ConnectionId, until: Duration) {
        if let Some(member) = self.members.get_mut(user).filter(|member| member.place.connection_id() == connection_id) {
            self.connections.remove(connection_id);
            member.place = MemberPlace::Away { connection_id, until, attributes_version: self.attributes_version };
        }
    }

    /// Puts a member that was away at its new connection; returns whether attributes changed meanwhile, `None` if its
    /// place was given up.
    pub(super) fn come_back(&mut self, user: &UserId, connection: Arc<Connection>) -> Option<bool> {
        let member = self.members.get_mut(user)?;
        let missed = matches!(member.place, MemberPlace::Away { attributes_version, .. } if attributes_version != self.attributes_version);
        self.connections.remove(member.place.connection_id());
        self.connections.insert(connection.clone());
        member.place = MemberPlace::Here(connection);
        Some(missed)
    }

    /// Puts a member in that the room's last owner had inside, at a connection, or away until then; returns whether it may have missed
    /// changes of attributes.
    pub(super) fn rejoin(
        &mut self,
        profile: UserProfile,
        connection: Option<Arc<Connection>>,
        connection_id: ConnectionId,
        until: Duration,
    ) -> bool {
        let user = profile.id.clone();
        if self.contains(&user) {
            // It came in anew, or came back, before its node heard of the new owner.
            return connection.is_some_and(|connection| self.come_back(&user, connection) == Some(true));
        }
        self.destroy_at = None;
        self.standing.take(&self.record.id);
        self.places.enter(&user, &self.conversation());
        let place = match connection {
            Some(connection) => {
                self.connections.insert(connection.clone());
                MemberPlace::Here(connection)
            }
            None => MemberPlace::Away { connection_id, until, attributes_version: self.attributes_version },
        };
        self.members.insert(user, Member { profile, place });
        self.attributes_version > 0
    }

    /// Takes out those who stayed away too long; returns each with the number of the connection it lost.
    pub(super) fn expire(&mut self, now: Duration) -> Vec<(UserProfile, ConnectionId)> {
        let gone = |member: &Member| match member.place {
            MemberPlace::Away { until, connection_id, .. } if until <= now => Some((member.profile.id.clone(), connection_id)),
            MemberPlace::Away { .. } | MemberPlace::Here(_) => None,
        };
        let due: Vec<(UserId, ConnectionId)> = self.members.values().filter_map(gone).collect();
        due.into_iter().filter_map(|(user, connection_id)| Some((self.remove(&user, now)?, connection_id))).collect()
    }

    /// Returns the row of the room while nobody is inside.
    pub(super) fn row_at_rest(&self) -> RoomRecord {
        RoomRecord { members_attributes: self.members_attributes.to_keep().clone(), ..self.record.clone() }
    }

    /// Returns whether the room has stood empty long enough.
    pub(super) fn is_over(&self, now: Duration) -> bool {
        self.members.is_empty() && self.destroy_at.is_some_and(|at| at <= now)
    }

    /// Returns the members after `next` in the order of their ids, and the next page's flag, "" at the end.
    pub(super) fn page(&self, next: &str, count: usize) -> (Vec<UserProfile>, String) {
        let after = self.members.values().filter(|member| member.profile.id.as_str() > next);
        page_by_key(after.map(|member| member.profile.clone()), count, |last| last.id.to_string())
    }

    /// Returns one member.
    pub(super) fn member(&self, user: &UserId) -> Option<&UserProfile> {
        self.members.get(user).map(|member| &member.profile)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actors::connection::outbox::{Outbox, OutboxLimits};
    use crate::clock::ManualClock;
    use crate::model::RoomId;

    fn connection(id: u64) -> Arc<Connection> {
        let limits = OutboxLimits { reliable_bytes_max: 1 << 20, reliable_frames_max: 64, lossy_bytes_max: 1 << 16 };
        Arc::new(Connection::new(
            ConnectionId(id),
            Outbox::new(limits, Arc::new(ManualClock::at(0))),
            None,
            Duration::ZERO,
            Duration::from_secs(30),
        ))
    }

    fn profile(id: &str) -> UserProfile {
        UserProfile::new(UserId::trusted(id), id.to_owned())
    }

    fn room(delay: u64) -> RoomState {
        let record = RoomRecord {
            id: RoomId::trusted("r"),
            incarnation: 1,
            name: String::new(),
            destroy_delay_seconds: delay,
            attributes: BTreeMap::new(),
            made_by: None,
            members_attributes: BTreeMap::new(),
        };
        RoomState::empty(record, Duration::ZERO, Arc::default(), Arc::default())
    }

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn a_lost_place_is_kept_for_the_grace_and_then_given_up() {
        let mut room = room(0);
        room.enter(profile("a"), connection(1));
        room.lose(&UserId::trusted("a"), ConnectionId(1), 30 * S);
        assert!(room.contains(&UserId::trusted("a")) && room.connections().is_empty());
        assert!(room.expire(30 * S - Duration::from_millis(1)).is_empty());
        room.attributes_version += 1;
        assert_eq!(room.come_back(&UserId::trusted("a"), connection(2)), Some(true), "it missed a change of attributes");
        assert!(room.expire(31 * S).is_empty(), "who came back stays");
        room.lose(&UserId::trusted("a"), ConnectionId(2), 61 * S);
        let gone = room.expire(61 * S);
        assert_eq!(gone.len(), 1);
        assert_eq!(gone[0].1, ConnectionId(2));
        assert!(room.is_over(61 * S));
        assert_eq!(room.come_back(&UserId::trusted("a"), connection(3)), None);
    }

    #[test]
    fn an_empty_room_stands_for_its_delay_and_an_entry_saves_it() {
        let mut room = room(10);
        room.enter(profile("a"), connection(1));
        assert!(room.leave(&UserId::trusted("a"), ConnectionId(1), 5 * S).is_some());
        assert!(!room.is_over(14 * S) && room.is_over(15 * S));
        room.enter(profile("b"), connection(2));
        assert!(!room.is_over(100 * S));
    }

    #[test]
    fn another_device_takes_the_place_and_the_old_one_cannot_leave_for_it() {
        let mut room = room(0);
        room.enter(profile("a"), connection(1));
        assert!(matches!(room.enter(profile("a"), connection(2)), Entered::Replaced(old) if old.id == ConnectionId(1)));
        assert!(room.leave(&UserId::trusted("a"), ConnectionId(1), S).is_none());
        room.lose(&UserId::trusted("a"), ConnectionId(1), S);
        assert_eq!(room.connections().iter().count(), 1);
        assert_eq!(room.len(), 1);
    }

    #[test]
    fn pages_cover_everyone_once() {
        let mut room = room(0);
        for n in 0..25 {
            room.enter(profile(&format!("u{n:02}")), connection(n + 1));
        }
        let (mut seen, mut next) = (Vec::new(), String::new());
        loop {
            let (page, flag) = room.page(&next, 10);
            seen.extend(page.into_iter().map(|profile| profile.name));
            if flag.is_empty() {
                break;
            }
            next = flag;
        }
        assert_eq!(seen, (0..25).map(|n| format!("u{n:02}")).collect::<Vec<_>>());
    }
}
