//! Every operation a client may ask for. Names are those of the client's methods.

pub(crate) mod args;
pub(crate) mod conversations;
pub(crate) mod group_changes;
pub(crate) mod groups;
pub(crate) mod handle;
pub(crate) mod messages;
pub(crate) mod rooms;
pub(crate) mod search;
pub(crate) mod unsupported;
pub(crate) mod users;

use self::args::{HistoryArgs, LoginArgs, TokenArgs, UsersArgs, read, user_list};
use self::conversations::ListRequest;
use self::groups::GroupRequest;
use self::messages::MessageRequest;
use self::rooms::RoomRequest;
use self::search::SearchRequest;
use self::users::UserRequest;
use crate::model::{DeviceId, Draft, Invalid, Limits, Refusal, SdkVersion, Target, UserId};
use crate::protocol::message::draft::SendArgs;

/// A request whose arguments are within their limits. What needs a look at who is where comes later.
#[derive(Debug)]
pub(crate) enum Operation {
    Login(Login),
    Logout,
    RenewToken { token: String },
    RenewMediaToken,
    Ping,
    Request(Request),
}

/// What only someone who is logged in may ask for.
#[derive(Debug)]
pub(crate) enum Request {
    SendMessage { target: Target, draft: Draft },
    QueryHistory(HistoryQuery),
    QueryUsersInfo { users: Vec<UserId> },
    List(ListRequest),
    Message(MessageRequest),
    User(UserRequest),
    Search(SearchRequest),
    Room(RoomRequest),
    Group(GroupRequest),
}

#[derive(Debug)]
pub(crate) struct Login {
    pub(crate) user: UserId,
    pub(crate) name: String,
    pub(crate) token: String,
    pub(crate) device: Option<DeviceId>,
    pub(crate) version: SdkVersion,
    /// The commit the client has everything up to.
    pub(crate) resume_from: Option<u64>,
}

#[derive(Debug)]
pub(crate) struct HistoryQuery {
    pub(crate) target: Target,
    pub(crate) count: usize,
    pub(crate) backwards: bool,
    pub(crate) anchor_seq: Option<u64>,
    pub(crate) anchor_order_key: Option<u64>,
}

impl Operation {
    /// Finds the operation and checks its arguments.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] naming the argument; [`Refusal::Unsupported`] for what the vendor has and we do not yet.
    pub(crate) fn decode(op: &str, args: &str, limits: &Limits) -> Result<Self, Refusal> {
        Ok(match op {
            "ping" => Self::Ping,
            "login" => Self::Login(read::<LoginArgs>(args)?.check(limits)?),
            "logout" => Self::Logout,
            "renewMediaToken" => Self::RenewMediaToken,
            "renewToken" => Self::RenewToken { token: read::<TokenArgs>(args)?.token },
            work => Self::Request(Request::decode(work, args, limits)?),
        })
    }
}

impl Request {
    /// Whether it changes what the store keeps beside messages: of a message that was sent, of a list, of a user.
    pub(crate) fn writes(&self) -> bool {
        match self {
            Self::List(work) => !matches!(work, ListRequest::Query { .. } | ListRequest::List { .. } | ListRequest::Total { .. }),
            Self::Message(work) => matches!(work, MessageRequest::Change { .. } | MessageRequest::Receipts { .. }),
            Self::User(work) => !matches!(work, UserRequest::Statuses(_) | UserRequest::Following(_)),
            Self::SendMessage { .. } | Self::QueryHistory(_) | Self::QueryUsersInfo { .. } | Self::Search(_) => false,
            Self::Room(work) => work.writes(),
            Self::Group(work) => work.writes(),
        }
    }

    /// Whether more is kept in the store after it: what is not begun while the disk is nearly full. Messages are their
    /// owner's matter, because some are not kept.
    pub(crate) fn keeps_more(&self) -> bool {
        match self {
            Self::Room(work) => matches!(work, RoomRequest::Create { .. }),
            Self::Group(GroupRequest::Create { .. } | GroupRequest::Join { .. } | GroupRequest::Invite { .. }) => true,
            other => other.writes(),
        }
    }

    /// Finds the operation and checks its arguments.
    ///
    /// # Errors
    /// As [`Operation::decode`].
    pub(crate) fn decode(op: &str, args: &str, limits: &Limits) -> Result<Self, Refusal> {
        Ok(match op {
            "sendMessage" => {
                let (target, draft) = read::<SendArgs>(args)?.check(limits)?;
                Self::SendMessage { target, draft }
            }
            "queryHistoryMessage" => Self::QueryHistory(read::<HistoryArgs>(args)?.check(limits)?),
            "queryUsersInfo" => {
                let users = user_list("userIDs", &read::<UsersArgs>(args)?.user_ids, limits.user_query_max, limits)?;
                Self::QueryUsersInfo { users }
            }
            other => {
                if let Some(room) = RoomRequest::decode(other, args, limits)? {
                    return Ok(Self::Room(room));
                }
                if let Some(group) = GroupRequest::decode(other, args, limits)? {
                    return Ok(Self::Group(group));
                }
                if let Some(entry) = ListRequest::decode(other, args, limits)? {
                    return Ok(Self::List(entry));
                }
                if let Some(message) = MessageRequest::decode(other, args, limits)? {
                    return Ok(Self::Message(message));
                }
                if let Some(user) = UserRequest::decode(other, args, limits)? {
                    return Ok(Self::User(user));
                }
                if let Some(search) = SearchRequest::decode(other, args, limits)? {
                    return Ok(Self::Search(search));
                }
                return Err(not_an_operation(other));
            }
        })
    }
}

fn not_an_operation(op: &str) -> Refusal {
    if unsupported::is_known_elsewhere(op) {
        return Refusal::Unsupported(format!("operation {op}"));
    }
    let shown: String = op.chars().take(64).collect();
    Invalid::new("op", format!("is {shown:?}, which is not an operation")).into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{Body, Content};
    use crate::protocol::code_of;

    fn send(message: serde_json::Value) -> Result<Operation, Refusal> {
        let args = json!({"message": message, "toConversationID": "bob", "conversationType": 0});
        Operation::decode("sendMessage", &args.to_string(), &Limits::default())
    }

    #[test]
    fn kinds_only_the_broker_makes_are_refused_and_unknown_ones_too() {
        for kind in [30, 31, 32, 0, 99, -1] {
            let refusal = send(json!({"type": kind, "message": "x"})).unwrap_err();
            assert_eq!(code_of(&refusal), 6_000_001, "{kind}");
            assert!(refusal.to_string().starts_with("message.type is"), "{refusal}");
        }
        assert_eq!(code_of(&send(json!({"type": 10, "message": "x"})).unwrap_err()), 6_000_013);
        for (kind, code) in [(11, 6_000_211), (12, 6_000_211), (13, 6_000_001), (14, 6_000_001)] {
            assert_eq!(code_of(&send(json!({"type": kind, "message": "x"})).unwrap_err()), code, "{kind}");
        }
    }

    #[test]
    fn stray_fields_of_a_message_object_are_tolerated() {
        let op = send(json!({"type": 1, "message": "hi", "reactions": [], "direction": 0, "sentStatus": 2, "orderKey": 12})).unwrap();
        assert!(
            matches!(op, Operation::Request(Request::SendMessage { draft: Draft { content: Content { body: Body::Text(text), .. }, .. }, .. }) if text == "hi")
        );
    }

    #[test]
    fn mentions_are_read_and_by_default_there_are_none() {
        let mentions = |users: serde_json::Value, all: bool| {
            let op = send(json!({"type": 1, "message": "hi", "mentionedUserIDs": users, "isMentionAll": all})).unwrap();
            let Operation::Request(Request::SendMessage { draft, .. }) = op else { panic!("{op:?}") };
            (draft.content.mentions.users.iter().map(ToString::to_string).collect::<Vec<_>>(), draft.content.mentions.all)
        };
        assert_eq!(mentions(json!([]), false), (Vec::new(), false));
        assert_eq!(mentions(json!(["carol", "bob"]), true), (vec!["carol".to_owned(), "bob".to_owned()], true));
    }

    #[test]
    fn list_and_page_limits_hold_at_their_edges() {
        let limits = Limits::default();
        let users = |n: usize| json!((0..n).map(|n| format!("u{n}")).collect::<Vec<_>>());
        let ok = |op: &str, args: serde_json::Value| Operation::decode(op, &args.to_string(), &limits).is_ok();
        assert!(ok("queryUsersInfo", json!({"userIDs": users(10)})));
        assert!(!ok("queryUsersInfo", json!({"userIDs": users(11)})));
        assert!(ok("inviteUsersIntoGroup", json!({"groupID": "g", "userIDs": users(100)})));
        assert!(!ok("inviteUsersIntoGroup", json!({"groupID": "g", "userIDs": users(101)})));
        assert!(ok("kickGroupMembers", json!({"groupID": "g", "userIDs": users(50)})));
        assert!(!ok("kickGroupMembers", json!({"groupID": "g", "userIDs": users(51)})));
        assert!(ok("createGroup", json!({"groupInfo": {"groupName": "x"}, "userIDs": users(100)})));
        assert!(!ok("createGroup", json!({"groupInfo": {"groupName": "x"}, "userIDs": users(101)})));
        let history = |count: i64| json!({"conversationID": "b", "conversationType": 0, "config": {"count": count}});
        assert!(ok("queryHistoryMessage", history(100)) && ok("queryHistoryMessage", history(1)));
        assert!(!ok("queryHistoryMessage", history(101)) && !ok("queryHistoryMessage", history(0)));
        let room = |delay: u64| json!({"roomInfo": {"roomID": "r"}, "config": {"roomDestroyDelayTime": delay}});
        assert!(ok("createRoom", room(10_800)));
        assert!(!ok("createRoom", room(10_801)));
        let priority = |n: i64| json!({"message": {"type": 1, "message": "x"}, "toConversationID": "b", "conversationType": 0, "config": {"priority": n}});
        assert!(ok("sendMessage", priority(3)) && ok("sendMessage", priority(1)));
        assert!(!ok("sendMessage", priority(4)) && !ok("sendMessage", priority(0)));
    }
}
