//! What a session asks of groups: handed to the group, or read from the store when it is about several.

use serde_json::json;

use super::Session;
use super::dispatch::{ask, reply_json};
use super::messages::authorize;
use super::responder::Responder;
use crate::actors::group;
use crate::actors::group::{Created, Invited, Kicked, Which, profile};
use crate::actors::runtime::reply::{Reply, answer};
use crate::model::{Conversation, GroupId, GroupInfo, GroupMember, GroupSearch, Refusal, Target, UserId, UserProfile};
use crate::protocol::{GroupRequest, error_users, group_base, group_full, group_member, group_short};
use crate::store::{Store, StoreError};

/// A group that was found, and the members it was found by.
struct FoundGroup {
    info: GroupInfo,
    members: Vec<(GroupMember, UserProfile)>,
}

impl Session {
    pub(super) fn dispatch_group(&self, work: GroupRequest, me: &UserProfile, responder: Responder) {
        let (context, user) = (self.context.clone(), me.clone());
        match work {
            GroupRequest::Create { id, name, avatar_url, advanced, users } => {
                let id = id.unwrap_or_else(|| GroupId::trusted(&format!("#{:x}", context.ids.next())));
                let asked = GroupInfo::parse(id.clone(), name, avatar_url, advanced, &context.config().limits)
                    .and_then(|info| ask(|reply| context.groups.tell(&context, &id, group::Create { owner: user, info, users, reply })));
                responder.later(asked, reply_json(created));
            }
            GroupRequest::Join { group } => {
                let asked = ask(|reply| context.groups.tell(&context, &group, group::Join { user, reply }));
                responder.later(asked, reply_json(|info| json!({"groupInfo": group_full(&info, false)})));
            }
            GroupRequest::Leave { group } => {
                let asked = ask(|reply| context.groups.tell(&context, &group, group::Quit { user, reply }));
                responder.later(asked, reply_json(move |()| json!({"groupID": group})));
            }
            GroupRequest::Dismiss { group } => {
                let asked = ask(|reply| context.groups.tell(&context, &group, group::Dismiss { user, reply }));
                responder.later(asked, reply_json(move |()| json!({"groupID": group})));
            }
            GroupRequest::Invite { group, users } => {
                let asked = ask(|reply| context.groups.tell(&context, &group, group::Invite { by: user, users, reply }));
                responder.later(asked, reply_json(move |invited| joined(&group, &invited)));
            }
            GroupRequest::Kick { group, users } => {
                let asked = ask(|reply| context.groups.tell(&context, &group, group::Kick { by: user, users, reply }));
                responder.later(asked, reply_json(move |kicked: Kicked| {
                    json!({"groupID": group, "kickedUserIDs": kicked.users, "errorUserList": error_users(&kicked.failed)})
                }));
            }
            GroupRequest::Change { group, change } => {
                let asked = ask(|reply| context.groups.tell(&context, &group, group::Update { by: user, change, reply }));
                responder.later(asked, reply_json(|result| result));
            }
            GroupRequest::QueryList => self.group_list(user.id, responder),
            GroupRequest::QueryInfo { group } => self.group_info(group, user.id, responder),
            GroupRequest::QueryAttributes { group, keys } => self.group_attributes(group, keys, user.id, responder),
            GroupRequest::QueryMemberList { group, count, next, muted } => {
                let which = if muted { Which::Muted } else { Which::Everyone };
                self.group_members(
                    group,
                    user.id,
                    (which, next, count),
                    responder,
                    |group, page| json!({"groupID": group, "userList": members(&page.members), "nextFlag": page.next}),
                );
            }
            GroupRequest::SearchMembers { group, search, count, next } => {
                self.group_members(
                    group,
                    user.id,
                    (Which::Found(search), next, count),
                    responder,
                    |group, page| json!({"groupID": group, "userList": members(&page.members), "nextFlag": page.next}),
                );
            }
            GroupRequest::QueryMember { group, user: wanted } => {
                self.group_members(
                    group,
                    user.id,
                    (Which::Just(wanted), 0, 1),
                    responder,
                    |group, page| json!({"groupID": group, "userInfo": members(&page.members).pop()}),
                );
            }
            GroupRequest::QueryMemberCount { group } => {
                self.group_members(
                    group,
                    user.id,
                    (Which::Everyone, u64::MAX, 1),
                    responder,
                    |group, page| json!({"groupID": group, "count": page.total}),
                );
            }
            GroupRequest::Search { search, count, next } => self.search_groups(user.id, search, count, next, responder),
        }
    }

    fn group_members(
        &self,
        group: GroupId,
        asker: UserId,
        (which, next, count): (Which, u64, usize),
        responder: Responder,
        make: impl FnOnce(GroupId, group::MembersPage) -> serde_json::Value + 'static,
    ) {
        let context = self.context.clone();
        let asked = ask(|reply| context.groups.tell(&context, &group, group::Members { asker, which, next, count, reply }));
        responder.later(asked, reply_json(move |page| make(group, page)));
    }

    /// What the store says, read beside every mailbox.
    fn read_groups<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
        responder: Responder,
        make: impl FnOnce(T) -> serde_json::Value + 'static,
    ) {
        let archive = self.context.archive.clone();
        let asked = ask(|reply: Reply<T>| {
            actix::spawn(async move { answer(reply, archive.read(read).await) });
            Ok(())
        });
        responder.later(asked, reply_json(make));
    }

    fn group_list(&self, user: UserId, responder: Responder) {
        let read = move |store: &dyn Store| {
            let mut groups = Vec::new();
            for group in own_groups(store, &user)? {
                let muted = is_muted(store, &user, &group.id)?;
                groups.push((group, muted));
            }
            Ok(groups)
        };
        self.read_groups(read, responder, |groups: Vec<(GroupInfo, bool)>| {
            json!({"groupList": groups.iter().map(|(info, muted)| group_short(info, *muted)).collect::<Vec<_>>(), "nextFlag": 0})
        });
    }

    /// Anyone may ask; whether it disturbs is the asker's own.
    fn group_info(&self, group: GroupId, user: UserId, responder: Responder) {
        let context = self.context.clone();
        let asked = ask(|reply| {
            let info = ask(|reply| context.groups.tell(&context, &group, group::Info { reply }))?;
            actix::spawn(async move {
                let found = async {
                    let info = crate::actors::runtime::reply::answered(info).await?;
                    let muted = context.archive.read(move |store| is_muted(store, &user, &group)).await?;
                    Ok((info, muted))
                };
                answer(reply, found.await);
            });
            Ok(())
        });
        responder.later(asked, reply_json(|(info, muted): (GroupInfo, bool)| json!({"groupInfo": group_full(&info, muted)})));
    }

    /// Asked by a member. Source: spec 3.7, queryGroupAttributes.
    fn group_attributes(&self, group: GroupId, keys: Option<Vec<String>>, asker: UserId, responder: Responder) {
        let context = self.context.clone();
        let asked = ask(|reply: Reply<_>| {
            let info = ask(|reply| context.groups.tell(&context, &group, group::Info { reply }))?;
            let inside = authorize(&context, &Target::Group(group.clone()), &asker)?;
            actix::spawn(async move {
                let found = async {
                    crate::actors::runtime::reply::answered(inside).await?;
                    let mut attributes = crate::actors::runtime::reply::answered(info).await?.attributes;
                    if let Some(keys) = keys {
                        if let Some(missing) = keys.iter().find(|key| !attributes.contains_key(*key)) {
                            return Err(Refusal::GroupAttributeMissing(missing.clone()));
                        }
                        attributes.retain(|key, _| keys.contains(key));
                    }
                    Ok((group, attributes))
                };
                answer(reply, found.await);
            });
            Ok(())
        });
        responder.later(asked, reply_json(|(group, attributes)| json!({"groupID": group, "groupAttributes": attributes})));
    }

    /// Groups one is in, by their name and, when asked for, by their members. Source: spec 3.7, searchLocalGroups.
    fn search_groups(&self, user: UserId, search: GroupSearch, count: usize, next: u64, responder: Responder) {
        let skip = usize::try_from(next).unwrap_or(usize::MAX);
        let read = move |store: &dyn Store| {
            let mut all = Vec::new();
            for info in own_groups(store, &user)? {
                let mut members = Vec::new();
                if search.by_user_name || search.by_nickname {
                    for member in store.group_members(&info.id)? {
                        let profile = profile(store, &member.user)?;
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
            let total = all.len();
            let page: Vec<FoundGroup> = all.into_iter().skip(skip).take(count).collect();
            let next = skip.saturating_add(page.len());
            Ok((page, if next < total { next } else { 0 }))
        };
        self.read_groups(read, responder, |(page, next): (Vec<FoundGroup>, usize)| {
            let infos = page.iter().map(|found| json!({"groupInfo": group_base(&found.info), "userList": members(&found.members)}));
            json!({"groupSearchInfoList": infos.collect::<Vec<_>>(), "nextFlag": next})
        });
    }
}

fn own_groups(store: &dyn Store, user: &UserId) -> Result<Vec<GroupInfo>, StoreError> {
    let mut groups = Vec::new();
    for group in store.groups_of(user)? {
        groups.extend(store.group(&group)?.filter(|record| !record.dismissed).map(|record| record.info));
    }
    Ok(groups)
}

fn is_muted(store: &dyn Store, user: &UserId, group: &GroupId) -> Result<bool, StoreError> {
    Ok(store.entry(user, &Conversation::Group(group.clone()))?.muted)
}

fn members(list: &[(GroupMember, UserProfile)]) -> Vec<crate::protocol::GroupMemberWire> {
    list.iter().map(|(member, profile)| group_member(member, profile)).collect()
}

fn created(created: Created) -> serde_json::Value {
    let members = members(&created.members);
    json!({"groupInfo": group_full(&created.info, false), "userList": members, "errorUserList": error_users(&created.failed)})
}

fn joined(group: &GroupId, invited: &Invited) -> serde_json::Value {
    json!({"groupID": group, "userList": members(&invited.members), "errorUserList": error_users(&invited.failed)})
}
