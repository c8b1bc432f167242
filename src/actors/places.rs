//! Which users are inside which rooms, readable by every actor without asking one.
//!
//! Written by the state of rooms only, each for its own members, the same moment they come and go; a room whose actor ends
//! takes its members out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::{Conversation, UserId};

/// The rooms of each user that is inside any, here or away for a moment.
#[derive(Debug, Default)]
pub(crate) struct RoomPlaces(Mutex<HashMap<UserId, Vec<Conversation>>>);

impl RoomPlaces {
    fn locked(&self) -> MutexGuard<'_, HashMap<UserId, Vec<Conversation>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a user came into a room.
    pub(crate) fn enter(&self, user: &UserId, room: &Conversation) {
        let mut places = self.locked();
        let rooms = places.entry(user.clone()).or_default();
        if !rooms.contains(room) {
            rooms.push(room.clone());
        }
    }

    /// Notes that a user is not inside a room any more.
    pub(crate) fn leave(&self, user: &UserId, room: &Conversation) {
        let mut places = self.locked();
        let Some(rooms) = places.get_mut(user) else { return };
        rooms.retain(|inside| inside != room);
        if rooms.is_empty() {
            places.remove(user);
        }
    }

    /// Returns whether a user is inside a room.
    pub(crate) fn is_inside(&self, user: &UserId, room: &Conversation) -> bool {
        self.locked().get(user).is_some_and(|rooms| rooms.contains(room))
    }

    /// Returns the rooms a user is inside.
    pub(crate) fn of(&self, user: &UserId) -> Vec<Conversation> {
        self.locked().get(user).cloned().unwrap_or_default()
    }
}

/// A user who looks at messages by their handles, wherever they are.
#[derive(Debug, Clone)]
pub(crate) struct Onlooker {
    /// Who looks.
    pub(crate) user: UserId,
    places: Arc<RoomPlaces>,
    is_system: bool,
    /// Where rooms of other nodes are asked; none: there are none.
    elsewhere: Option<Arc<dyn RoomsElsewhere>>,
}

/// Rooms that other nodes own.
pub(crate) trait RoomsElsewhere: std::fmt::Debug + Send + Sync {
    /// Asks whether a user is inside one. Blocks for a while: not for an actor's thread.
    fn is_inside(&self, user: &UserId, room: &Conversation) -> bool;
}

impl Onlooker {
    /// Makes one of a user; the system's user is inside every room.
    pub(crate) fn new(user: UserId, places: Arc<RoomPlaces>, is_system: bool) -> Self {
        Self { user, places, is_system, elsewhere: None }
    }

    /// Makes one whose places in rooms of other nodes count, too.
    pub(crate) fn with(self, elsewhere: Option<Arc<dyn RoomsElsewhere>>) -> Self {
        Self { elsewhere, ..self }
    }

    /// Returns whether the user is inside a room now.
    pub(crate) fn is_inside(&self, room: &Conversation) -> bool {
        let inside_here = self.is_system || self.places.is_inside(&self.user, room);
        inside_here || self.elsewhere.as_ref().is_some_and(|elsewhere| elsewhere.is_inside(&self.user, room))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RoomId;

    #[test]
    fn a_user_is_inside_until_it_leaves_and_only_in_that_life_of_the_room() {
        let (places, alice) = (Arc::new(RoomPlaces::default()), UserId::trusted("alice"));
        let room = |incarnation| Conversation::Room(RoomId::trusted("r"), incarnation);
        places.enter(&alice, &room(1));
        places.enter(&alice, &room(1));
        assert!(places.is_inside(&alice, &room(1)) && !places.is_inside(&alice, &room(2)));
        assert!(!Onlooker::new(UserId::trusted("eve"), places.clone(), false).is_inside(&room(1)));
        assert!(Onlooker::new(UserId::trusted("system"), places.clone(), true).is_inside(&room(1)));
        assert_eq!(places.of(&alice), [room(1)]);
        places.leave(&alice, &room(1));
        assert!(!places.is_inside(&alice, &room(1)));
        assert!(places.locked().is_empty());
    }
}
