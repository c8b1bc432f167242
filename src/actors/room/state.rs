//! Who is in a room, and until when it stands. Pure: time comes in, decisions go out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::rules::MembersAttributes;
use crate::actors::connection::Link;
use crate::actors::delivery::link_set::Roster;
use crate::model::{Conversation, UserId, UserProfile};
use crate::store::RoomRecord;

/// Where a member is.
#[derive(Debug)]
enum Place {
    /// At this link.
    Here(Arc<Link>),
    /// The link with this number was lost; the place is kept until then. It knows the attributes of that time.
    Away { number: u64, until: Duration, attributes_version: u64 },
}

impl Place {
    fn number(&self) -> u64 {
        match self {
            Self::Here(link) => link.number,
            Self::Away { number, .. } => *number,
        }
    }
}

#[derive(Debug)]
struct Member {
    profile: UserProfile,
    place: Place,
}

/// A room that exists.
#[derive(Debug)]
pub(super) struct RoomState {
    pub(super) record: RoomRecord,
    pub(super) members_attributes: MembersAttributes,
    /// Counts changes of attributes, of the room and of members.
    pub(super) attributes_version: u64,
    members: BTreeMap<UserId, Member>,
    roster: Roster,
    destroy_at: Option<Duration>,
}

/// What entering did.
#[derive(Debug)]
pub(super) enum Entered {
    /// A new member.
    Joined,
    /// The user was inside already, at this link or at a lost one.
    Back,
    /// The user was inside at another link, which is out now.
    Replaced(Arc<Link>),
}

impl RoomState {
    /// A room nobody is in yet; it stands until `destroy_at` unless someone enters.
    pub(super) fn empty(record: RoomRecord, destroy_at: Duration) -> Self {
        let members_attributes = MembersAttributes::default();
        Self {
            record,
            members_attributes,
            attributes_version: 0,
            members: BTreeMap::new(),
            roster: Roster::default(),
            destroy_at: Some(destroy_at),
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

    pub(super) fn roster(&self) -> &Roster {
        &self.roster
    }

    /// Lets a user in, at this link.
    pub(super) fn enter(&mut self, profile: UserProfile, link: Arc<Link>) -> Entered {
        self.destroy_at = None;
        let user = profile.id.clone();
        let former = self.members.insert(user, Member { profile, place: Place::Here(link.clone()) });
        let number = link.number;
        self.roster.insert(link);
        match former.map(|member| member.place) {
            None => Entered::Joined,
            Some(Place::Here(old)) if old.number != number => {
                self.roster.remove(old.number);
                Entered::Replaced(old)
            }
            Some(Place::Here(_) | Place::Away { .. }) => Entered::Back,
        }
    }

    /// Takes a user out who is here at, or away from, the link of that number.
    pub(super) fn leave(&mut self, user: &UserId, number: u64, now: Duration) -> Option<UserProfile> {
        if self.members.get(user)?.place.number() != number {
            return None;
        }
        self.remove(user, now)
    }

    /// Takes a user out, wherever it is: the link that held the place, if it is here.
    pub(super) fn expel(&mut self, user: &UserId, now: Duration) -> Option<(UserProfile, u64, Option<Arc<Link>>)> {
        let place = &self.members.get(user)?.place;
        let (number, link) = match place {
            Place::Here(link) => (link.number, Some(link.clone())),
            Place::Away { number, .. } => (*number, None),
        };
        Some((self.remove(user, now)?, number, link))
    }

    /// Everyone inside, here or away, with the number of the link that holds the place.
    pub(super) fn places(&self) -> impl Iterator<Item = (&UserId, u64)> {
        self.members.iter().map(|(user, member)| (user, member.place.number()))
    }

    fn remove(&mut self, user: &UserId, now: Duration) -> Option<UserProfile> {
        let member = self.members.remove(user)?;
        self.roster.remove(member.place.number());
        if self.members.is_empty() {
            self.destroy_at = Some(now + Duration::from_secs(self.record.destroy_delay_seconds));
        }
        Some(member.profile)
    }

    /// The link of a member was lost; the place is kept until then. Source: spec Q40.
    pub(super) fn lose(&mut self, user: &UserId, number: u64, until: Duration) {
        if let Some(member) = self.members.get_mut(user).filter(|member| member.place.number() == number) {
            self.roster.remove(number);
            member.place = Place::Away { number, until, attributes_version: self.attributes_version };
        }
    }

    /// A member is back at a new link: whether attributes changed meanwhile. None: the place was given up.
    pub(super) fn come_back(&mut self, user: &UserId, link: Arc<Link>) -> Option<bool> {
        let member = self.members.get_mut(user)?;
        let missed = matches!(member.place, Place::Away { attributes_version, .. } if attributes_version != self.attributes_version);
        self.roster.remove(member.place.number());
        self.roster.insert(link.clone());
        member.place = Place::Here(link);
        Some(missed)
    }

    /// Takes out those who stayed away too long; gives the number of the link each one lost.
    pub(super) fn expire(&mut self, now: Duration) -> Vec<(UserProfile, u64)> {
        let gone = |member: &Member| match member.place {
            Place::Away { until, number, .. } if until <= now => Some((member.profile.id.clone(), number)),
            Place::Away { .. } | Place::Here(_) => None,
        };
        let due: Vec<(UserId, u64)> = self.members.values().filter_map(gone).collect();
        due.into_iter().filter_map(|(user, number)| Some((self.remove(&user, now)?, number))).collect()
    }

    /// Whether the room has stood empty long enough.
    pub(super) fn is_over(&self, now: Duration) -> bool {
        self.members.is_empty() && self.destroy_at.is_some_and(|at| at <= now)
    }

    /// Members after `next` in the order of their ids, and the next page's flag; "" at the end.
    pub(super) fn page(&self, next: &str, count: usize) -> (Vec<UserProfile>, String) {
        let after = self.members.values().filter(|member| member.profile.id.as_str() > next);
        let page: Vec<UserProfile> = after.take(count + 1).map(|member| member.profile.clone()).collect();
        if page.len() <= count {
            return (page, String::new());
        }
        let page: Vec<UserProfile> = page.into_iter().take(count).collect();
        let flag = page.last().map_or_else(String::new, |profile| profile.id.to_string());
        (page, flag)
    }

    /// One member.
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

    fn link(number: u64) -> Arc<Link> {
        let limits = OutboxLimits { reliable_bytes_max: 1 << 20, reliable_frames_max: 64, lossy_bytes_max: 1 << 16 };
        Arc::new(Link::new(number, Outbox::new(limits, Arc::new(ManualClock::at(0))), None, Duration::ZERO, Duration::from_secs(30)))
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
        };
        RoomState::empty(record, Duration::ZERO)
    }

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn a_lost_place_is_kept_for_the_grace_and_then_given_up() {
        let mut room = room(0);
        room.enter(profile("a"), link(1));
        room.lose(&UserId::trusted("a"), 1, 30 * S);
        assert!(room.contains(&UserId::trusted("a")) && room.roster().is_empty());
        assert!(room.expire(30 * S - Duration::from_millis(1)).is_empty());
        room.attributes_version += 1;
        assert_eq!(room.come_back(&UserId::trusted("a"), link(2)), Some(true), "it missed a change of attributes");
        assert!(room.expire(31 * S).is_empty(), "who came back stays");
        room.lose(&UserId::trusted("a"), 2, 61 * S);
        let gone = room.expire(61 * S);
        assert_eq!(gone.len(), 1);
        assert_eq!(gone[0].1, 2);
        assert!(room.is_over(61 * S));
        assert_eq!(room.come_back(&UserId::trusted("a"), link(3)), None);
    }

    #[test]
    fn an_empty_room_stands_for_its_delay_and_an_entry_saves_it() {
        let mut room = room(10);
        room.enter(profile("a"), link(1));
        assert!(room.leave(&UserId::trusted("a"), 1, 5 * S).is_some());
        assert!(!room.is_over(14 * S) && room.is_over(15 * S));
        room.enter(profile("b"), link(2));
        assert!(!room.is_over(100 * S));
    }

    #[test]
    fn another_device_takes_the_place_and_the_old_one_cannot_leave_for_it() {
        let mut room = room(0);
        room.enter(profile("a"), link(1));
        assert!(matches!(room.enter(profile("a"), link(2)), Entered::Replaced(old) if old.number == 1));
        assert!(room.leave(&UserId::trusted("a"), 1, S).is_none());
        room.lose(&UserId::trusted("a"), 1, S);
        assert_eq!(room.roster().iter().count(), 1);
        assert_eq!(room.len(), 1);
    }

    #[test]
    fn pages_cover_everyone_once() {
        let mut room = room(0);
        for n in 0..25 {
            room.enter(profile(&format!("u{n:02}")), link(n + 1));
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
