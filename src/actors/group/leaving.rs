//! How users leave a group: by themselves, put out, or with its end.

use actix::prelude::*;

use super::membership::{DISMISSED, KICKED, LEFT, operated, users_of};
use super::messages::{Dismiss, Kick, Kicked, Quit};
use super::{Group, GroupStatus, read_profiles};
use crate::actors::runtime::registry::Leased;
use crate::actors::runtime::reply::answer;
use crate::hooks::{Event, EventDetails};
use crate::model::{GroupMember, GroupRole, Refusal, TipsUser, UserId, UserProfile};
use crate::store::{GroupRecord, RowWrite};

impl Group {
    /// Tells the host that the group ended.
    fn tell_dismissed(&self, by: &UserId, owner: &UserId, users: Vec<UserId>) {
        self.context.tell_host_more(|| {
            let event = Event::GroupDismissed { group: self.id.clone(), by: by.clone() };
            (event, EventDetails::GroupDismissed { owner: owner.clone(), users })
        });
    }
}

impl Handler<Leased<Quit>> for Group {
    type Result = ();

    fn handle(&mut self, leased: Leased<Quit>, ctx: &mut Context<Self>) {
        let Quit { user, reply } = leased.open();
        let leaving = self.existing().and_then(|state| {
            let member = state.inside(&user.id)?.clone();
            let successor = if member.role == GroupRole::Owner { state.successor(&user.id) } else { None };
            Ok((member, successor, state.len() == 1, state.info.clone()))
        });
        let (member, successor, last, mut info) = match leaving {
            Ok(leaving) => leaving,
            Err(refusal) => {
                answer(reply, Err(refusal));
                return self.leave_if_nothing(ctx);
            }
        };
        let now_ms = self.context.clock.wall_ms();
        let mut rows = vec![RowWrite::PutFormer(self.id.clone(), user.id.clone(), member.first_seq, now_ms)];
        rows.extend(successor.clone().map(|successor| RowWrite::PutMember(self.id.clone(), successor)));
        info.note_gone([&member], now_ms);
        if last {
            rows.push(RowWrite::PutGroup(GroupRecord { info: info.clone(), dismissed: true }));
        } else {
            rows.extend(self.put_info(&info));
        }
        self.commit(rows, ctx, move |group, kept, ctx| {
            if kept.is_ok() {
                group.take_info(info);
                group.context.tell_host(|| Event::GroupLeft { group: group.id.clone(), user: user.id.clone() });
                group.tell(LEFT, &user, &[(member, user.clone())]);
                if let GroupStatus::Exists(state) = &mut group.status {
                    state.remove(&user.id);
                    if let Some(successor) = successor.clone() {
                        state.put(successor);
                    }
                }
                group.list_changed(std::iter::once(&user.id));
                if last {
                    group.status = GroupStatus::Dismissed;
                    group.tell_dismissed(&user.id, &user.id, Vec::new());
                } else {
                    let new_owner = successor.map(|successor| TipsUser { id: successor.user, name: String::new() });
                    group.post(LEFT, &user, std::iter::once(&user), new_owner);
                }
            }
            answer(reply, kept);
            group.leave_if_nothing(ctx);
        });
    }
}

impl Handler<Leased<Dismiss>> for Group {
    type Result = ();

    fn handle(&mut self, leased: Leased<Dismiss>, ctx: &mut Context<Self>) {
        let Dismiss { user, reply } = leased.open();
        let ending = self.existing().and_then(|state| {
            state.owner(&user.id)?;
            Ok((state.info.clone(), state.members().map(|member| (member.user.clone(), member.first_seq)).collect::<Vec<_>>()))
        });
        let (info, users) = match ending {
            Ok(ending) => ending,
            Err(refusal) => {
                answer(reply, Err(refusal));
                return self.leave_if_nothing(ctx);
            }
        };
        // The last thing said in it, before the members are out; they find it in their lists.
        self.post(DISMISSED, &user, std::iter::empty(), None);
        let now_ms = self.context.clock.wall_ms();
        let mut rows = vec![RowWrite::PutGroup(GroupRecord { info, dismissed: true })];
        rows.extend(users.iter().map(|(member, first_seq)| RowWrite::PutFormer(self.id.clone(), member.clone(), *first_seq, now_ms)));
        self.commit(rows, ctx, move |group, kept, ctx| {
            if kept.is_ok() {
                if let GroupStatus::Exists(state) = &group.status {
                    let operated = operated(state, &user);
                    for (member, _) in &users {
                        group.tell_self(state, DISMISSED, &operated, member);
                    }
                    group.list_changed(users.iter().map(|(member, _)| member));
                }
                group.status = GroupStatus::Dismissed;
                group.tell_dismissed(&user.id, &user.id, users.into_iter().map(|(member, _)| member).collect());
            }
            answer(reply, kept);
            group.leave_if_nothing(ctx);
        });
    }
}

impl Handler<Leased<Kick>> for Group {
    type Result = ();

    fn handle(&mut self, leased: Leased<Kick>, ctx: &mut Context<Self>) {
        let Kick { by, users, reply } = leased.open();
        let (mut going, mut failed) = (Vec::new(), Vec::new());
        let allowed = self.existing().and_then(|state| {
            let role = state.manager(&by.id)?.role;
            for user in users {
                match state.inside(&user) {
                    Ok(member) if role.is_above(member.role) => going.push(member.clone()),
                    Ok(_) => failed.push((user, Refusal::NoAuthority)),
                    Err(refusal) => failed.push((user, refusal)),
                }
            }
            if going.is_empty() { Err(Refusal::KickFailed) } else { Ok(()) }
        });
        if let Err(refusal) = allowed {
            answer(reply, Err(refusal));
            return self.leave_if_nothing(ctx);
        }
        let (context, named) = (self.context.clone(), going.iter().map(|member| member.user.clone()).collect());
        let look_up = async move { read_profiles(&context, named).await };
        ctx.wait(look_up.into_actor(self).map(move |names, group, ctx| {
            let names = match names {
                Ok(names) => names,
                Err(refusal) => return answer(reply, Err(refusal)),
            };
            let out: Vec<(GroupMember, UserProfile)> = going.into_iter().zip(names).collect();
            let now_ms = group.context.clock.wall_ms();
            let gone = out.iter().map(|(member, _)| RowWrite::PutFormer(group.id.clone(), member.user.clone(), member.first_seq, now_ms));
            let mut rows: Vec<RowWrite> = gone.collect();
            let mut info = match group.existing() {
                Ok(state) => state.info.clone(),
                Err(refusal) => return answer(reply, Err(refusal)),
            };
            info.note_gone(out.iter().map(|(member, _)| member), now_ms);
            rows.extend(group.put_info(&info));
            group.commit(rows, ctx, move |group, kept, _| {
                if let Err(refusal) = kept {
                    return answer(reply, Err(refusal));
                }
                group.take_info(info);
                group.context.tell_host(|| Event::GroupKicked { group: group.id.clone(), users: users_of(&out), by: by.id.clone() });
                group.tell(KICKED, &by, &out);
                if let GroupStatus::Exists(state) = &mut group.status {
                    for (member, _) in &out {
                        state.remove(&member.user);
                    }
                }
                group.list_changed(out.iter().map(|(member, _)| &member.user));
                group.post(KICKED, &by, out.iter().map(|(_, profile)| profile), None);
                answer(reply, Ok(Kicked { users: out.into_iter().map(|(member, _)| member.user).collect(), failed }));
            });
        }));
    }
}
