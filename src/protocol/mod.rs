//! What travels on the wire: frames, operations, events, codes. `PROTOCOL.md` beside this file is its description.
//!
//! Knows the model and nothing else: no actor, no socket. Decoding turns bytes into checked values or a
//! [`Refusal`](crate::model::Refusal); encoding turns a message into bytes once per [`Variant`], to be shared by all its receivers.

mod args;
mod code;
mod combined;
mod draft_args;
mod encoded;
mod entry_ops;
mod frame;
mod group_ops;
mod handle;
mod later;
mod media_wire;
mod message_ops;
mod ops;
mod reply;
mod room_ops;
mod search_ops;
mod user_ops;
mod variant;
mod wire;

pub(crate) use args::read_object;
pub use code::{CloseCode, code_of};
pub(crate) use combined::{CombineRef, child_at, child_wire};
pub(crate) use draft_args::{draft_of, uploaded_children};
pub(crate) use encoded::{Encoded, Info, message_event};
pub(crate) use entry_ops::{EntryAnchor, EntryFilter, EntryWork};
pub(crate) use frame::decode;
pub(crate) use group_ops::GroupWork;
pub(crate) use handle::MessageHandle;
pub(crate) use media_wire::{media_path, media_record};
pub(crate) use message_ops::{Change, Inquiry, MessageWork};
pub(crate) use ops::{HistoryQuery, Login, Op, Work};
pub(crate) use reply::{
    GroupMemberWire, OperatedInfo, PageCut, encode_error, encode_event, encode_reply, encode_reply_raw, error_users, group_base,
    group_full, group_member, group_short, muted_info, room_full, user_full, user_wire, verify_info,
};
pub(crate) use room_ops::{RoomStart, RoomWork};
pub(crate) use search_ops::{SearchAnchor, SearchWork};
pub(crate) use user_ops::UserWork;
pub(crate) use variant::Variant;
#[cfg(any(test, feature = "bench"))]
pub(crate) use wire::encode_message;
pub(crate) use wire::{Dress, broadcast_event, encode_dressed};
