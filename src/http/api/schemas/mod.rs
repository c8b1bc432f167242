//! The objects of the server API: those of the wire protocol, and a few of an operator's.

mod message;
pub(super) mod numbers;
mod place;
mod user;

pub(super) use self::message::{Message, MessageDraft, SendMessage};
pub(super) use self::place::{AttributesPatch, Group, GroupMember, GroupSettings, Room};
pub(super) use self::user::{Conversation, ErrorUser, Member, Session, User, UserBan, UserIds, UserNow};
