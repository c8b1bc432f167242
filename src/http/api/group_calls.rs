//! What calls about groups and about their members have in common.

use crate::actors::session::on_behalf::OnBehalfOf;
use crate::broker::Broker;
use crate::model::{GroupChange, GroupId, Refusal};
use crate::protocol::{GroupRequest, Outcome, Request};

/// Changes a group in its owner's name.
pub(super) async fn change(broker: &Broker, group: &GroupId, change: GroupChange) -> Result<Outcome, Refusal> {
    as_owner(broker, group, GroupRequest::Change { group: group.clone(), change }).await
}

/// Carries out an operation on a group in its owner's name.
pub(super) async fn as_owner(broker: &Broker, group: &GroupId, request: GroupRequest) -> Result<Outcome, Refusal> {
    broker.call(OnBehalfOf::OwnerOf(group.clone()), Request::Group(request)).await
}

/// Asks about a group in the server's own name, to whom every group is open.
pub(super) async fn ask(broker: &Broker, request: GroupRequest) -> Result<Outcome, Refusal> {
    broker.call(OnBehalfOf::System, Request::Group(request)).await
}

/// The duration that means for good.
pub(super) fn for_good() -> i64 {
    -1
}
