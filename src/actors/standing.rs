//! Rooms that stand empty: until when each stands, and who made it.
//!
//! An empty room costs its row and a place here, not an actor: whoever comes in starts one, and so does the end of its time.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::model::{RoomId, UserId};

/// Written by rooms only, each for itself, and at the start for all there were.
#[derive(Debug, Default)]
pub(crate) struct StandingRooms(Mutex<Standing>);

#[derive(Debug, Default)]
struct Standing {
    rooms: HashMap<RoomId, StandingRoom>,
    /// The same in the order of their ends.
    by_end: BTreeSet<(Duration, RoomId)>,
    by_maker: HashMap<UserId, HashSet<RoomId>>,
}

#[derive(Debug)]
struct StandingRoom {
    until: Duration,
    maker: Option<UserId>,
}

impl StandingRooms {
    fn locked(&self) -> MutexGuard<'_, Standing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a room is empty and stands until then, by the monotonic clock. `maker`: whom it counts for.
    pub(crate) fn put(&self, room: &RoomId, until: Duration, maker: Option<&UserId>) {
        self.locked().put(room, until, maker);
    }

    /// Returns whether a user may make one more room: those it made that stand empty, and `others` that it is inside or about
    /// to be, are fewer than so many.
    pub(crate) fn may_make(&self, maker: &UserId, others: usize, rooms_max: usize) -> bool {
        self.locked().by_maker.get(maker).map_or(0, HashSet::len) + others < rooms_max
    }

    /// Notes that a room is not empty any more, or is gone.
    pub(crate) fn take(&self, room: &RoomId) {
        self.locked().take(room);
    }

    /// Forgets the rooms that are another node's matter.
    #[cfg_attr(not(feature = "cluster"), allow(dead_code, reason = "only between nodes"))]
    pub(crate) fn retain(&self, keep: impl Fn(&RoomId) -> bool) {
        let mut standing = self.locked();
        let gone: Vec<RoomId> = standing.rooms.keys().filter(|room| !keep(room)).cloned().collect();
        gone.iter().for_each(|room| standing.take(room));
    }

    /// Returns until when an empty room stands.
    pub(crate) fn until(&self, room: &RoomId) -> Option<Duration> {
        self.locked().rooms.get(room).map(|standing| standing.until)
    }

    /// Returns the rooms whose time is over, the first first.
    pub(crate) fn due(&self, now: Duration) -> Vec<RoomId> {
        self.locked().by_end.iter().take_while(|(until, _)| *until <= now).map(|(_, room)| room.clone()).collect()
    }
}

impl Standing {
    fn put(&mut self, room: &RoomId, until: Duration, maker: Option<&UserId>) {
        self.take(room);
        self.by_end.insert((until, room.clone()));
        if let Some(maker) = maker {
            self.by_maker.entry(maker.clone()).or_default().insert(room.clone());
        }
        self.rooms.insert(room.clone(), StandingRoom { until, maker: maker.cloned() });
    }

    fn take(&mut self, room: &RoomId) {
        let Some(StandingRoom { until, maker }) = self.rooms.remove(room) else { return };
        self.by_end.remove(&(until, room.clone()));
        let Some(maker) = maker else { return };
        if let Some(rooms) = self.by_maker.get_mut(&maker) {
            rooms.remove(room);
            if rooms.is_empty() {
                self.by_maker.remove(&maker);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn rooms_come_due_in_the_order_of_their_ends_and_nothing_stays_behind() {
        let (standing, alice) = (StandingRooms::default(), UserId::trusted("alice"));
        let room = |id: &str| RoomId::trusted(id);
        standing.put(&room("late"), 9 * S, Some(&alice));
        standing.put(&room("soon"), 5 * S, None);
        standing.put(&room("late"), 7 * S, Some(&alice));
        assert_eq!((standing.until(&room("late")), standing.due(4 * S)), (Some(7 * S), vec![]));
        assert_eq!(standing.due(8 * S), [room("soon"), room("late")]);
        standing.take(&room("soon"));
        standing.take(&room("late"));
        standing.take(&room("late"));
        let rest = standing.locked();
        assert!(rest.rooms.is_empty() && rest.by_end.is_empty() && rest.by_maker.is_empty());
    }

    #[test]
    fn a_maker_has_as_many_as_it_may_and_one_more_when_one_is_gone() {
        let (standing, alice) = (StandingRooms::default(), UserId::trusted("alice"));
        let room = |id: &str| RoomId::trusted(id);
        standing.put(&room("a"), S, Some(&alice));
        standing.put(&room("b"), S, Some(&alice));
        assert!(standing.may_make(&alice, 0, 3) && !standing.may_make(&alice, 1, 3), "those it is inside count, too");
        standing.put(&room("c"), S, Some(&alice));
        assert!(!standing.may_make(&alice, 0, 3), "the fourth");
        standing.take(&room("a"));
        assert!(standing.may_make(&alice, 0, 3) && standing.may_make(&UserId::trusted("bob"), 0, 1));
    }
}
