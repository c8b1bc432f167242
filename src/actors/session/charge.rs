//! What a client's request is charged to, beside messages, which their conversation's actor charges.

use crate::model::{Refusal, UserId};
use crate::protocol::{GroupRequest, Request, RoomRequest};
use crate::rate::{QuotaClass, SendGate};

/// Charges a request to its user's quotas.
///
/// # Errors
/// [`Refusal::RateLimited`]: it is not to be carried out.
pub(super) fn charge(gate: &SendGate, request: &Request, user: &UserId) -> Result<(), Refusal> {
    for (class, count) in charges(request).into_iter().flatten() {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        gate.check_many(user, class, count).map_err(|retry| Refusal::RateLimited { retry_after_ms: retry.ms })?;
    }
    Ok(())
}

/// Returns the quotas a request draws from, and how much of each.
fn charges(request: &Request) -> [Option<(QuotaClass, usize)>; 2] {
    use QuotaClass::{Change, Groups, Invites, Rooms, Searches};
    match request {
        Request::Room(
            RoomRequest::Create { .. }
            | RoomRequest::Enter { .. }
            | RoomRequest::Join { .. }
            | RoomRequest::Switch { .. }
            | RoomRequest::Leave { .. }
            | RoomRequest::LeaveAll,
        ) => [Some((Rooms, 1)), None],
        Request::Group(GroupRequest::Create { users, .. }) => [Some((Invites, users.len())), Some((Groups, 1))],
        Request::Group(GroupRequest::Invite { users, .. }) => [Some((Invites, users.len())), None],
        Request::Group(GroupRequest::Join { .. } | GroupRequest::Leave { .. } | GroupRequest::Dismiss { .. }) => [Some((Groups, 1)), None],
        Request::Group(GroupRequest::Search { .. } | GroupRequest::SearchMembers { .. }) | Request::Search(_) => {
            [Some((Searches, 1)), None]
        }
        other => [other.writes().then_some((Change, 1)), None],
    }
}
