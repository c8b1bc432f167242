//! What travels on the wire: frames, operations, events, codes. `PROTOCOL.md` beside this file is its description.
//!
//! Knows the model and nothing else: no actor, no socket. Decoding turns bytes into checked values or a
//! [`Refusal`](crate::model::Refusal); encoding turns a message into bytes once per [`ClientLevel`], to be shared by all its receivers.

mod code;
pub(crate) mod event;
mod frame;
pub(crate) mod message;
mod request;
pub(crate) mod result;
mod whole_numbers;

pub use code::{CloseCode, code_of};
pub(crate) use frame::decode;
pub(crate) use message::combined::{CombineRef, child_wire, with_children};
pub(crate) use message::draft::{ChildArgs, DraftArgs, SendConfigArgs, draft_of, uploaded_children};
#[cfg(any(test, feature = "bench"))]
pub(crate) use message::encode_message;
#[cfg(feature = "cluster")]
pub(crate) use message::encoded::with_cursor;
pub(crate) use message::encoded::{Encoded, Envelope, Info, message_event};
pub(crate) use message::level::ClientLevel;
pub(crate) use message::media::{media_path, media_record};
pub(crate) use message::{MessageView, encode_broadcast, encode_for_host, encode_view};
pub(crate) use request::args::{read_object, some_users, user_list};
pub(crate) use request::conversations::{EntryAnchor, EntryAnchorArgs, EntryFilter, ListRequest, listed_target};
pub(crate) use request::group_changes;
pub(crate) use request::groups::{GroupRequest, NewGroupArgs, NewGroupConfigArgs, NewGroupInfoArgs};
pub(crate) use request::handle::{HandleArgs, MessageHandle};
pub(crate) use request::messages::{Change, MessageQuery, MessageRequest};
pub(crate) use request::rooms::{RoomRequest, RoomStart, room_change};
pub(crate) use request::search::{SearchAnchor, SearchConfigArgs, SearchRequest};
pub(crate) use request::users::UserRequest;
pub(crate) use request::{HistoryQuery, Login, Operation, Request};
pub(crate) use result::group::group_member;
pub(crate) use result::user::error_users;
pub(crate) use result::{Outcome, RawJson, encode_error, encode_reply};
