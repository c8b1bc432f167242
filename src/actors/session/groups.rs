//! Operations on groups: handed to the group, or read from the store when they are about several.

use super::caller::Dispatcher;
use super::responder::Responder;
use crate::actors::group;
use crate::actors::group::{Created, Invited, Kicked, MembersPage, Which, profile};
use crate::actors::runtime::reply::{Reply, answer, answered, ask};
use crate::model::{Conversation, GroupId, GroupInfo, GroupMember, GroupSearch, Refusal, Target, UserId, UserProfile, page_by_position};
use crate::protocol::result::group::{
    GroupAttributes, GroupCreated, GroupDescribed, GroupInvited, GroupKicked, GroupLeft, GroupList, GroupMemberCount, GroupMemberDescribed,
    GroupMembers, GroupsFound,
};
use crate::protocol::{GroupRequest, Outcome};
use crate::store::{GroupRecord, Store, StoreError};

/// A group that was found, and the members it was found by.
struct FoundGroup {
    info: GroupInfo,
    members: Vec<(GroupMember, UserProfile)>,
}

impl Dispatcher {
    pub(super) fn dispatch_group(&self, request: GroupRequest, responder: Responder) {
        let (actors, user, is_trusted) = (self.actors.clone(), self.caller.profile.clone(), self.caller.source.is_trusted());
        match request {
            GroupRequest::Create { id, name, avatar_url, advanced, users } => {
                let id = id.unwrap_or_else(|| GroupId::trusted(&format!("#{:x}", self.context().ids.next())));
                let asked = GroupInfo::parse(id.clone(), name, avatar_url, advanced, &self.context().config().limits).and_then(|info| {
                    ask(|reply| actors.groups.try_send(&id, group::Create { owner: user, info, users, is_trusted, reply }))
                });
                responder.later(asked, created);
            }
            GroupRequest::Join { group } => {
                let asked = ask(|reply| actors.groups.try_send(&group, group::Join { user, reply }));
                responder.later(asked, |info| described(&info, false));
            }
            GroupRequest::Leave { group } => {
                let asked = ask(|reply| actors.groups.try_send(&group, group::Quit { user, reply }));
                responder.later(asked, move |()| Outcome::GroupLeft(GroupLeft { group_id: group }));
            }
            GroupRequest::Dismiss { group } => {
                let asked = ask(|reply| actors.groups.try_send(&group, group::Dismiss { user, reply }));
                responder.later(asked, move |()| Outcome::GroupLeft(GroupLeft { group_id: group }));
            }
            GroupRequest::Invite { group, users } => {
                let asked = ask(|reply| actors.groups.try_send(&group, group::Invite { by: user, users, is_trusted, reply }));
                responder.later(asked, move |invited| joined(group, &invited));
            }
            GroupRequest::Kick { group, users } => {
                let asked = ask(|reply| actors.groups.try_send(&group, group::Kick { by: user, users, reply }));
                responder.later(asked, move |kicked: Kicked| Outcome::GroupKicked(GroupKicked::new(group, kicked.users, &kicked.failed)));
            }
            GroupRequest::Change { group, change } => {
                let asked = ask(|reply| actors.groups.try_send(&group, group::Update { by: user, change, reply }));
                responder.later(asked, |updated| Outcome::GroupUpdated(Box::new(updated)));
            }
            GroupRequest::QueryList => self.group_list(user.id, responder),
            GroupRequest::QueryInfo { group } => self.group_info(group, user.id, responder),
            GroupRequest::QueryAttributes { group, keys } => self.group_attributes(group, keys, user.id, responder),
            GroupRequest::Search { search, count, next } => self.search_groups(user.id, search, count, next, responder),
            GroupRequest::QueryMemberList { group, count, next, muted } => {
                let which = if muted { Which::Muted } else { Which::Everyone };
                self.group_members(group, user.id, (which, next, count), responder, members);
            }
            GroupRequest::SearchMembers { group, search, count, next } => {
                self.group_members(group, user.id, (Which::Matching(search), next, count), responder, members);
            }
            GroupRequest::QueryMember { group, user: wanted } => {
                self.group_members(group, user.id, (Which::Just(wanted), 0, 1), responder, member);
            }
            GroupRequest::QueryMemberCount { group } => {
                self.group_members(group, user.id, (Which::Everyone, u64::MAX, 1), responder, member_count);
            }
        }
    }

    fn group_members(
        &self,
        group: GroupId,
        asker: UserId,
        (which, next, count): (Which, u64, usize),
        responder: Responder,
        outcome_of: impl FnOnce(GroupId, MembersPage) -> Outcome + 'static,
    ) {
        let actors = self.actors.clone();
        let asked = ask(|reply| actors.groups.try_send(&group, group::Members { asker, which, next, count, reply }));
        responder.later(asked, move |page| outcome_of(group, page));
    }

    /// Answers with what the store says, read outside every mailbox.
    fn read_groups<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
        responder: Responder,
        outcome_of: impl FnOnce(T) -> Outcome + 'static,
    ) {
        let archive = self.context().archive.clone();
        let asked = ask(|reply: Reply<T>| {
            actix::spawn(async move { answer(reply, archive.read(read).await) });
            Ok(())
        });
        responder.later(asked, outcome_of);
    }

    fn group_list(&self, user: UserId, responder: Responder) {
        let read = move |store: &dyn Store| store.groups(&user);
        self.read_groups(read, responder, |groups| {
            let groups: Vec<(GroupInfo, bool)> = groups.into_iter().map(|(record, entry)| (record.info, entry.muted)).collect();
            Outcome::GroupList(GroupList::new(&groups))
        });
    }

    /// Answers with a group's info, which anyone may read but for what its members are to read; whether it is muted is the
    /// caller's own setting.
    fn group_info(&self, group: GroupId, user: UserId, responder: Responder) {
        let actors = self.actors.clone();
        let asked = ask(|reply| {
            let info = ask(|reply| actors.groups.try_send(&group, group::Info { reply }))?;
            let inside = actors.authorize(&Target::Group(group.clone()), &user)?;
            actix::spawn(async move {
                let found = async {
                    let info = answered(info).await?;
                    let info = if answered(inside).await.is_ok() { info } else { info.for_strangers() };
                    let muted = actors.context.archive.read(move |store| is_muted(store, &user, &group)).await?;
                    Ok((info, muted))
                };
                answer(reply, found.await);
            });
            Ok(())
        });
        responder.later(asked, |(info, muted): (GroupInfo, bool)| described(&info, muted));
    }

    /// Answers a member with the group's attributes. Source: ZIM API reference, "queryGroupAttributes".
    fn group_attributes(&self, group: GroupId, keys: Option<Vec<String>>, asker: UserId, responder: Responder) {
        let actors = self.actors.clone();
        let asked = ask(|reply: Reply<_>| {
            let info = ask(|reply| actors.groups.try_send(&group, group::Info { reply }))?;
            let inside = self.actors.authorize(&Target::Group(group.clone()), &asker)?;
            actix::spawn(async move {
                let found = async {
                    answered(inside).await?;
                    let mut attributes = answered(info).await?.attributes;
                    if let Some(keys) = keys {
                        if let Some(missing) = keys.iter().find(|key| !attributes.contains_key(*key)) {
                            return Err(Refusal::GroupAttributeMissing(missing.clone()));
                        }
                        attributes.retain(|key, _| keys.contains(key));
                    }
                    Ok(GroupAttributes { group_attributes: attributes, group_id: group })
                };
                answer(reply, found.await);
            });
            Ok(())
        });
        responder.later(asked, Outcome::GroupAttributes);
    }

    /// Searches the user's groups by their name and, when asked for, by their members. Source: ZIM API reference,
    /// "searchLocalGroups".
    fn search_groups(&self, user: UserId, search: GroupSearch, count: usize, next: u64, responder: Responder) {
        let read = move |store: &dyn Store| {
            let mut all = Vec::new();
            for (GroupRecord { info, .. }, _) in store.groups(&user)? {
                let mut members = Vec::new();
                if search.by_user_name || search.by_nickname {
                    for (member, found) in store.members(&info.id, None, usize::MAX)? {
                        let profile = profile(&member.user, found);
                        let by_name = search.by_user_name && search.keywords.found_in(&profile.name);
                        if by_name || search.by_nickname && search.keywords.found_in(&member.nickname) {
                            members.push((member, profile));
                        }
                    }
                }
                if search.keywords.found_in(&info.name) || !members.is_empty() {
                    all.push(FoundGroup { info, members });
                }
            }
            Ok(page_by_position(all, next, count))
        };
        self.read_groups(read, responder, |(page, next): (Vec<FoundGroup>, u64)| {
            let found = page.iter().map(|found| (&found.info, &found.members[..]));
            Outcome::GroupsFound(GroupsFound::new(found, next))
        });
    }
}

fn is_muted(store: &dyn Store, user: &UserId, group: &GroupId) -> Result<bool, StoreError> {
    Ok(store.entry(user, &Conversation::Group(group.clone()))?.muted)
}

fn created(created: Created) -> Outcome {
    Outcome::GroupCreated(Box::new(GroupCreated::new(&created.info, &created.members, &created.failed)))
}

fn described(info: &GroupInfo, muted: bool) -> Outcome {
    Outcome::GroupDescribed(Box::new(GroupDescribed::new(info, muted)))
}

fn joined(group: GroupId, invited: &Invited) -> Outcome {
    Outcome::GroupInvited(GroupInvited::new(group, &invited.members, &invited.failed))
}

fn members(group: GroupId, page: MembersPage) -> Outcome {
    Outcome::GroupMembers(GroupMembers::new(group, &page.members, page.next))
}

fn member(group: GroupId, page: MembersPage) -> Outcome {
    Outcome::GroupMemberDescribed(Box::new(GroupMemberDescribed::new(group, page.members.first())))
}

fn member_count(group_id: GroupId, page: MembersPage) -> Outcome {
    Outcome::GroupMemberCount(GroupMemberCount { count: page.total, group_id })
}
