//! How the attributes of a room and of its members may change. Pure.

use std::collections::BTreeMap;

use crate::model::{AttributeTerms, Attributes, Limits, Refusal, RoomAttribute, RoomChange, UserId, page_by_key};
use crate::store::MemberAttributes;

/// A room's attributes as they are kept.
pub(super) type RoomAttributes = BTreeMap<String, RoomAttribute>;

/// What one change did: set attributes, or delete them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Update {
    pub(super) deleted: bool,
    pub(super) attributes: Attributes,
}

/// Changes that were allowed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AttributeChanges {
    pub(super) attributes: RoomAttributes,
    pub(super) updates: Vec<Update>,
    /// Keys that others own, or that were not there to be deleted.
    pub(super) error_keys: Vec<String>,
}

/// Carries out changes one after the other, all or none. Source: ZIM API reference, "setRoomAttributes".
pub(super) fn change_attributes(
    current: &RoomAttributes,
    by: &UserId,
    changes: &[RoomChange],
    terms: AttributeTerms,
    limits: &Limits,
) -> Result<AttributeChanges, Refusal> {
    let mut agreed = AttributeChanges { attributes: current.clone(), updates: Vec::new(), error_keys: Vec::new() };
    for change in changes {
        let mut update = Update { deleted: matches!(change, RoomChange::Delete(_)), attributes: Attributes::new() };
        match change {
            RoomChange::Set(pairs) => {
                for (key, value) in pairs {
                    let before = agreed.attributes.get(key);
                    if before.is_some_and(|before| before.owner != *by && !terms.force) {
                        agreed.error_keys.push(key.clone());
                        continue;
                    }
                    let owner = before.filter(|_| !terms.take_over).map_or(by, |before| &before.owner).clone();
                    let attribute = RoomAttribute { value: value.clone(), owner, until_left: terms.until_left };
                    agreed.attributes.insert(key.clone(), attribute);
                    update.attributes.insert(key.clone(), value.clone());
                }
            }
            RoomChange::Delete(keys) => {
                for key in keys {
                    match agreed.attributes.get(key) {
                        Some(before) if before.owner == *by || terms.force => {
                            update.attributes.insert(key.clone(), before.value.clone());
                            agreed.attributes.remove(key);
                        }
                        _ => agreed.error_keys.push(key.clone()),
                    }
                }
            }
        }
        if !update.attributes.is_empty() {
            agreed.updates.push(update);
        }
    }
    if agreed.updates.is_empty() {
        return Err(Refusal::NoAttributeChanged);
    }
    limits.room_attributes().check_all(agreed.attributes.iter().map(|(key, attribute)| (key, &attribute.value)))?;
    Ok(agreed)
}

/// Deletes the attributes that end with these users; returns what was deleted.
pub(super) fn without(current: &mut RoomAttributes, gone: &[UserId]) -> Option<Update> {
    let goes = |attribute: &RoomAttribute| attribute.until_left && gone.contains(&attribute.owner);
    let attributes: Attributes =
        current.iter().filter(|(_, attribute)| goes(attribute)).map(|(key, attribute)| (key.clone(), attribute.value.clone())).collect();
    current.retain(|_, attribute| !goes(attribute));
    (!attributes.is_empty()).then_some(Update { deleted: true, attributes })
}

/// The attributes of those members that have any.
#[derive(Debug, Default)]
pub(super) struct MembersAttributes {
    members: BTreeMap<UserId, MemberAttributes>,
}

impl MembersAttributes {
    /// Takes up what was kept of those who left; what was to last only until then is dropped.
    pub(super) fn kept(mut members: BTreeMap<UserId, MemberAttributes>) -> Self {
        members.retain(|_, member| !member.until_left);
        Self { members }
    }

    /// Returns what is to be kept while nobody is inside.
    pub(super) fn to_keep(&self) -> &BTreeMap<UserId, MemberAttributes> {
        &self.members
    }

    /// Adds attributes to each of these users; to none of them when a limit refuses it.
    pub(super) fn set(&mut self, users: &[UserId], attributes: &Attributes, until_left: bool, limits: &Limits) -> Result<(), Refusal> {
        let mut members = self.members.clone();
        for user in users {
            let member = members.entry(user.clone()).or_default();
            member.attributes.extend(attributes.clone());
            member.until_left = until_left;
            limits.room_member_attributes().check_all(&member.attributes)?;
        }
        let members_max = limits.room_attributed_members_max;
        if members.len() > members_max {
            return Err(Refusal::TooManyWithAttributes { members_max });
        }
        self.members = members;
        Ok(())
    }

    pub(super) fn of(&self, user: &UserId) -> Attributes {
        self.members.get(user).map(|member| member.attributes.clone()).unwrap_or_default()
    }

    /// Drops what was to last only as long as the user is inside.
    pub(super) fn left(&mut self, user: &UserId) {
        if self.members.get(user).is_some_and(|member| member.until_left) {
            self.members.remove(user);
        }
    }

    /// Returns those after `next` in the order of their ids, and the next page's flag, "" at the end.
    pub(super) fn page(&self, next: &str, count: usize) -> (Vec<(UserId, Attributes)>, String) {
        let after = self.members.iter().filter(|(user, _)| user.as_str() > next);
        page_by_key(after.map(|(user, member)| (user.clone(), member.attributes.clone())), count, |(user, _)| user.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: &str) -> UserId {
        UserId::trusted(id)
    }

    fn set(pairs: &[(&str, &str)]) -> RoomChange {
        RoomChange::Set(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
    }

    fn delete(keys: &[&str]) -> RoomChange {
        RoomChange::Delete(keys.iter().map(ToString::to_string).collect())
    }

    const MINE: AttributeTerms = AttributeTerms { force: false, take_over: false, until_left: false };
    const FORCE: AttributeTerms = AttributeTerms { force: true, ..MINE };

    fn carry_out(current: &RoomAttributes, by: &str, change: RoomChange, terms: AttributeTerms) -> Result<AttributeChanges, Refusal> {
        change_attributes(current, &user(by), &[change], terms, &Limits::default())
    }

    #[test]
    fn a_key_is_its_owners_unless_forced_and_ownership_moves_only_when_asked() {
        let room = carry_out(&RoomAttributes::new(), "ann", set(&[("seat1", "a"), ("seat2", "b")]), MINE).unwrap().attributes;
        assert_eq!(carry_out(&room, "ben", set(&[("seat1", "x")]), MINE), Err(Refusal::NoAttributeChanged));
        let partly = carry_out(&room, "ben", set(&[("seat1", "x"), ("seat3", "y")]), MINE).unwrap();
        assert_eq!((partly.error_keys, partly.updates[0].attributes.len()), (vec!["seat1".to_owned()], 1));
        let forced = carry_out(&room, "ben", set(&[("seat1", "x")]), FORCE).unwrap().attributes;
        assert_eq!((forced["seat1"].value.as_str(), &forced["seat1"].owner), ("x", &user("ann")));
        let taken = carry_out(&room, "ben", set(&[("seat1", "x")]), AttributeTerms { take_over: true, ..FORCE }).unwrap().attributes;
        assert_eq!(taken["seat1"].owner, user("ben"));
        assert_eq!(carry_out(&room, "ben", delete(&["seat1"]), MINE), Err(Refusal::NoAttributeChanged));
        let gone = carry_out(&room, "ann", delete(&["seat1", "seat9"]), MINE).unwrap();
        assert_eq!((gone.error_keys, gone.attributes.len()), (vec!["seat9".to_owned()], 1));
    }

    #[test]
    fn a_batch_is_carried_out_in_order_and_as_a_whole() {
        let limits = Limits::default();
        let changes = [set(&[("a", "1"), ("b", "2")]), delete(&["a"]), set(&[("a", "3")])];
        let agreed = change_attributes(&RoomAttributes::new(), &user("ann"), &changes, MINE, &limits).unwrap();
        assert_eq!(agreed.updates.iter().map(|update| update.deleted).collect::<Vec<_>>(), [false, true, false]);
        assert_eq!(agreed.attributes["a"].value, "3");
        let many: Vec<(String, String)> = (0..21).map(|n| (format!("k{n}"), String::new())).collect();
        let too_many = RoomChange::Set(many.into_iter().collect());
        assert!(matches!(change_attributes(&agreed.attributes, &user("ann"), &[too_many], MINE, &limits), Err(Refusal::Attributes { .. })));
    }

    #[test]
    fn what_lasts_as_long_as_its_owner_goes_with_it() {
        let terms = AttributeTerms { until_left: true, ..MINE };
        let mut room = carry_out(&RoomAttributes::new(), "ann", set(&[("mic", "a")]), terms).unwrap().attributes;
        room = carry_out(&room, "ben", set(&[("topic", "t")]), MINE).unwrap().attributes;
        assert_eq!(without(&mut room, &[user("ben")]), None);
        assert!(without(&mut room, &[user("ann")]).unwrap().attributes.contains_key("mic"));
        assert_eq!(room.keys().collect::<Vec<_>>(), ["topic"]);
    }

    #[test]
    fn members_attributes_add_up_to_their_limits_and_go_with_their_member() {
        let limits = Limits { room_attributed_members_max: 2, ..Limits::default() };
        let pairs = |n: usize, value: usize| (0..n).map(|n| (format!("k{n:02}"), "v".repeat(value))).collect::<Attributes>();
        let mut members = MembersAttributes::default();
        let mut set = |user: &str, n: usize, value: usize| members.set(&[self::user(user)], &pairs(n, value), user == "ann", &limits);
        assert!(set("ann", 30, 1).is_ok(), "30 keys of 3 bytes and a value of 1 are 120");
        assert!(matches!(set("ann", 31, 0), Err(Refusal::Attributes { .. })));
        assert!(set("ben", 12, 9).is_ok() && set("ben", 13, 9).is_err(), "144 bytes and not 156");
        assert!(matches!(set("cat", 1, 1), Err(Refusal::TooManyWithAttributes { members_max: 2 })));
        members.left(&user("ann"));
        members.left(&user("ben"));
        assert!(members.of(&user("ann")).is_empty() && members.of(&user("ben")).len() == 12);
        let (page, next) = members.page("", 1);
        assert_eq!((page.len(), next.as_str()), (1, ""));
    }
}
