//! Numbers that stand for something: named in the document, so that a generated client has names for them, too.

use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::{ObjectBuilder, Ref, RefOr, Schema, Type};

/// A schema of the document whose values are numbers with names.
pub(in crate::http::api) struct Numbers {
    /// What the schema is called.
    pub name: &'static str,
    /// What the numbers say.
    about: &'static str,
    /// Each number with its name.
    pub values: &'static [(i32, &'static str)],
}

impl Numbers {
    /// Returns the schema: `enum` with `x-enum-varnames`, which generators of clients know.
    pub(in crate::http::api) fn schema(&self) -> RefOr<Schema> {
        let names: Vec<_> = self.values.iter().map(|(_, name)| *name).collect();
        let listed: Vec<_> = self.values.iter().map(|(number, name)| format!("{number} {name}")).collect();
        let extensions = ExtensionsBuilder::new().add("x-enum-varnames", serde_json::json!(names)).build();
        ObjectBuilder::new()
            .schema_type(Type::Integer)
            .description(Some(format!("{} {}.", self.about, listed.join(", "))))
            .enum_values(Some(self.values.iter().map(|(number, _)| *number)))
            .extensions(Some(extensions))
            .into()
    }
}

/// Names the schemas, and beside each the function that refers to it.
macro_rules! numbers {
    ($($refer:ident $name:literal $about:literal [$($number:literal $value:literal),* $(,)?]),* $(,)?) => {
        /// All of them.
        pub(in crate::http::api) const NUMBERS: &[Numbers] = &[$(Numbers { name: $name, about: $about, values: &[$(($number, $value)),*] }),*];
        $(
            #[doc = concat!("Refers to `", $name, "`.")]
            pub(in crate::http::api) fn $refer() -> Ref {
                Ref::from_schema_name($name)
            }
        )*
    };
}

numbers! {
    conversation_type "ConversationType" "What a conversation is:" [0 "peer", 1 "room", 2 "group"],
    listed_type "ListedConversationType" "What a conversation in a user's list is:" [0 "peer", 2 "group"],
    message_place "MessageConversationType" "Where a message is:" [-1 "broadcast", 0 "peer", 1 "room", 2 "group"],
    message_type "MessageType" "What a message is:" [
        1 "text", 2 "command", 11 "image", 12 "file", 13 "audio", 14 "video", 20 "barrage", 31 "revoked", 32 "tips", 100 "combine", 200 "custom",
    ],
    sendable_type "SendableMessageType" "What is sent; barrage to rooms only:" [
        1 "text", 2 "command", 11 "image", 12 "file", 13 "audio", 14 "video", 20 "barrage", 100 "combine", 200 "custom",
    ],
    priority "MessagePriority" "How a message goes before others:" [1 "low", 2 "medium", 3 "high"],
    online_status "OnlineStatus" "Whether a user has a session:" [0 "online", 1 "offline"],
    notification_status "NotificationStatus" "Whether a user is told of messages:" [1 "notify", 2 "doNotDisturb"],
    join_mode "GroupJoinMode" "Who comes into a group by itself:" [0 "anyone", 1 "byApplication", 2 "nobody"],
    invite_mode "GroupInviteMode" "Who invites into a group:" [0 "anyone", 1 "ownerAndAdmins"],
    be_invite_mode "GroupBeInviteMode" "Whether who is invited must agree:" [0 "noConsent", 1 "consent"],
    mute_mode "GroupMuteMode" "Who may not speak in a group:" [0 "nobody", 1 "ordinaryMembers", 2 "everyone", 3 "theseRoles"],
    mute_target "GroupMuteTarget" "Whom it mutes:" [1 "ordinaryMembers", 2 "everyone", 3 "theseRoles"],
    enter_type "GroupEnterType" "How a member came into a group:" [0 "unknown", 1 "created", 3 "joined", 4 "invited"],
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ConversationKind, MessageKind};

    fn values(name: &str) -> Vec<i32> {
        NUMBERS.iter().find(|numbers| numbers.name == name).unwrap().values.iter().map(|(number, _)| *number).collect()
    }

    #[test]
    fn the_numbers_are_those_of_the_model() {
        // What the broker neither takes nor makes, the vendor having given it up.
        let unused = [MessageKind::Multiple, MessageKind::System];
        let kinds = (0..=i64::from(u8::MAX)).filter_map(MessageKind::from_number).filter(|kind| !unused.contains(kind));
        assert_eq!(values("MessageType"), kinds.map(|kind| i32::from(kind.number())).collect::<Vec<_>>());
        let conversations = (0..=i64::from(u8::MAX)).filter_map(|number| ConversationKind::from_number("type", number).ok());
        assert_eq!(values("ConversationType"), conversations.map(|kind| i32::from(kind.number())).collect::<Vec<_>>());
    }

    #[test]
    fn every_name_is_there_once_and_every_number_has_one() {
        for Numbers { name, values, .. } in NUMBERS {
            assert_eq!(NUMBERS.iter().filter(|other| other.name == *name).count(), 1, "{name}");
            let numbers: std::collections::BTreeSet<_> = values.iter().map(|(number, _)| number).collect();
            let names: std::collections::BTreeSet<_> = values.iter().map(|(_, name)| name).collect();
            assert_eq!((numbers.len(), names.len()), (values.len(), values.len()), "{name}");
        }
    }
}
