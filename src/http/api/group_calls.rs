//! What calls about groups and about their members have in common.

use serde_json::Value;

use super::response::ApiError;
use crate::actors::session::on_behalf::OnBehalfOf;
use crate::broker::Broker;
use crate::model::GroupId;

/// Carries out an operation in the name of the group's owner; the result is JSON text.
pub(super) async fn as_owner(broker: &Broker, group: &GroupId, op: &str, mut args: Value) -> Result<String, ApiError> {
    args["groupID"] = group.as_str().into();
    Ok(broker.run(OnBehalfOf::OwnerOf(group.clone()), op, &args).await?)
}

/// Asks about a group in the server's own name.
pub(super) async fn ask(broker: &Broker, group: &GroupId, op: &str, mut args: Value) -> Result<Value, ApiError> {
    args["groupID"] = group.as_str().into();
    Ok(serde_json::from_str(&broker.run(OnBehalfOf::System, op, &args).await?).unwrap_or_default())
}

/// The duration that means for good.
pub(super) fn for_good() -> i64 {
    -1
}
