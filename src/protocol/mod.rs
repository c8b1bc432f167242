//! What travels on the wire: frames, operations, events, codes. `PROTOCOL.md` beside this file is its description.
//!
//! Knows the model and nothing else: no actor, no socket. Decoding turns bytes into checked values or a
//! [`Refusal`](crate::model::Refusal); encoding turns a message into bytes once per [`Variant`], to be shared by all its receivers.

mod args;
mod code;
mod frame;
mod later;
mod ops;
mod reply;
mod variant;
mod wire;

pub use code::{CloseCode, code_of};
pub(crate) use frame::decode;
pub(crate) use ops::{GroupWork, HistoryQuery, Login, Op, RoomWork, Work};
pub(crate) use reply::{
    GroupMemberWire, OperatedInfo, PageCut, encode_error, encode_event, encode_reply, encode_reply_raw, error_users, group_full,
    group_member, group_short, room_full, user_full, user_wire,
};
pub(crate) use variant::Variant;
pub(crate) use wire::{Encoded, Info, broadcast_event, encode_message, message_event};
