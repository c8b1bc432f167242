//! One call, and what actions have in common.

use serde_json::{Map, Value, json};

use super::codes::{Fault, code, code_of};
use super::input::Input;
use crate::actors::session::on_behalf::OnBehalfOf;
use crate::broker::Broker;
use crate::model::{GroupChange, GroupId, Refusal, RoomId, UserId};
use crate::protocol::result::user::ErrorUser;
use crate::protocol::{GroupRequest, Outcome as Answer, Request};

/// A call that was carried out.
#[derive(Debug, Default)]
pub(super) struct Success {
    pub(super) fields: Map<String, Value>,
    /// What was asked for besides and not done.
    pub(super) notes: Vec<String>,
}

impl Success {
    /// Returns `success`, and what was not done.
    pub(super) fn message(&self) -> String {
        std::iter::once("success").chain(self.notes.iter().map(String::as_str)).collect::<Vec<_>>().join("; ")
    }

    pub(super) fn noting(self, notes: Vec<String>) -> Self {
        Self { notes, ..self }
    }
}

impl From<Map<String, Value>> for Success {
    fn from(fields: Map<String, Value>) -> Self {
        Self { fields, notes: Vec::new() }
    }
}

/// What becomes of a call.
pub(super) type Outcome = Result<Success, Fault>;

/// A call that is rightly signed.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) broker: &'a Broker,
    pub(super) input: Input,
}

impl Call<'_> {
    /// Carries out an operation of the wire protocol.
    pub(super) async fn run(&self, whom: OnBehalfOf, request: Request) -> Result<Answer, Refusal> {
        self.broker.call(whom, request).await
    }

    /// Carries out an operation on a group in its owner's name.
    pub(super) async fn as_owner(&self, group: &GroupId, request: GroupRequest) -> Result<Answer, Refusal> {
        self.run(OnBehalfOf::OwnerOf(group.clone()), Request::Group(request)).await
    }

    /// Changes a group in its owner's name.
    pub(super) async fn change_group(&self, group: &GroupId, change: GroupChange) -> Result<Answer, Refusal> {
        self.as_owner(group, GroupRequest::Change { group: group.clone(), change }).await
    }

    /// Carries out an operation in the name of the server's own user, to whom every group and room is open.
    pub(super) async fn ask(&self, request: Request) -> Result<Answer, Refusal> {
        self.run(OnBehalfOf::System, request).await
    }

    /// Checks an id that may be a user's.
    pub(super) fn user_id(&self, field: &str, id: &str) -> Result<UserId, Fault> {
        let limits = &self.broker.config().limits;
        let max = limits.user_id_bytes_max;
        if id.len() > max {
            return Err(Fault::new(code::USER_ID_LONG, format!("{field} is {} bytes, the limit is {max}", id.len())));
        }
        Ok(UserId::parse(field, id, limits)?)
    }

    /// Returns the ids of a list, each once; at least one.
    pub(super) fn user_ids(&self, field: &str, max: usize) -> Result<Vec<String>, Fault> {
        let mut ids: Vec<String> = Vec::new();
        for id in self.input.texts(field)? {
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        self.count(field, ids.len(), max).map(|()| ids)
    }

    /// Checks that a list of users has as many as it may, and one at least.
    pub(super) fn count(&self, field: &str, count: usize, max: usize) -> Result<(), Fault> {
        match count {
            0 => Err(self.input.wrong(field, "is empty")),
            count if count > max => Err(Fault::new(code::TOO_MANY_USERS, format!("{field} has {count} entries, the limit is {max}"))),
            _ => Ok(()),
        }
    }

    pub(super) async fn is_known(&self, user: &UserId) -> Result<bool, Refusal> {
        Ok(self.broker.context.is_system(user) || self.broker.users().get(user).await?.is_some())
    }

    /// Returns `FromUserId`, a known user.
    pub(super) async fn operator(&self) -> Result<UserId, Fault> {
        let user = self.user_id("FromUserId", self.input.text("FromUserId")?)?;
        if self.is_known(&user).await? { Ok(user) } else { Err(Fault::new(code::OPERATOR, format!("FromUserId {user} is not registered"))) }
    }

    pub(super) fn group(&self) -> Result<GroupId, Fault> {
        Ok(GroupId::parse("GroupId", self.input.text("GroupId")?, &self.broker.config().limits)?)
    }

    pub(super) fn room(&self) -> Result<RoomId, Fault> {
        Ok(RoomId::parse("RoomId", self.input.text("RoomId")?, &self.broker.config().limits)?)
    }

    /// Returns how many entries a page has: as asked for, or `max` for none, nothing and more than that.
    pub(super) fn limit(&self, max: usize) -> Result<usize, Fault> {
        let asked = self.input.maybe_number("Limit")?.and_then(|asked| usize::try_from(asked).ok());
        Ok(asked.filter(|asked| (1..=max).contains(asked)).unwrap_or(max))
    }

    /// Returns `Next`: 0 or none at first.
    pub(super) fn next(&self) -> Result<u64, Fault> {
        let next = self.input.maybe_number("Next")?.unwrap_or(0);
        u64::try_from(next).map_err(|_| self.input.wrong("Next", "is negative"))
    }
}

/// Makes a JSON object of these fields.
pub(super) fn fields<const N: usize>(pairs: [(&str, Value); N]) -> Map<String, Value> {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Makes an entry of a list of what failed.
pub(super) fn failed(user: &str, code: u32) -> Value {
    json!({"UserId": user, "SubCode": code})
}

/// Ends a call of which some parts failed: badly only if all did, with the first one's number.
pub(super) fn partly(list: &str, errors: Vec<Value>, succeeded: usize, mut fields: Map<String, Value>) -> Outcome {
    let first = errors.first().and_then(|error| error["SubCode"].as_u64()).and_then(|code| u32::try_from(code).ok());
    fields.insert(list.to_owned(), errors.into());
    match first {
        Some(code) if succeeded == 0 => Err(Fault::new(code, format!("nothing was done: see {list}")).with(fields)),
        _ => Ok(fields.into()),
    }
}

/// Returns the `errorUserList` of an operation as the vendor's calls have it. The protocol's own numbers are no use there.
pub(super) fn errors_of(list: &[ErrorUser]) -> Vec<Value> {
    list.iter().map(|error| failed(error.user_id.as_str(), vendor_code(error.reason))).collect()
}

/// Returns the number for servers of a client's: the vendor has a set for each.
fn vendor_code(reason: u32) -> u32 {
    let like = |refusal: Refusal| code_of(&refusal);
    match reason {
        6_000_204 => like(Refusal::UserMissing(String::new())),
        6_000_321 => like(Refusal::NotInRoom(String::new())),
        6_000_521 => like(Refusal::NotInGroup(String::new())),
        6_000_523 => like(Refusal::GroupMissing(String::new())),
        6_000_525 => like(Refusal::GroupFull { members_max: 0 }),
        6_000_541 => like(Refusal::NoAuthority),
        6_000_001 => code::INVALID,
        _ => code::GENERAL,
    }
}
