//! The children of a combined message, as JSON, and the handle by which clients ask for them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64_URL;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::model::{Body, Child, Combine, Conversation, Invalid};
use crate::protocol::RawJson;

/// Names a combined message: where the outermost is kept, and the way from there through nested ones. Clients do not
/// look into it; a user who may read the conversation may read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CombineRef {
    /// The conversation that keeps the outermost message.
    pub(crate) conversation: Conversation,
    /// The seq of the outermost message.
    pub(crate) seq: u64,
    /// The position of the nested message in each, from there on.
    pub(crate) path: Vec<usize>,
}

pub(super) fn combine_id(conversation: &Conversation, seq: u64, path: &[usize]) -> String {
    let place = CombineRef { conversation: conversation.clone(), seq, path: path.to_vec() };
    BASE64_URL.encode(serde_json::to_vec(&place).expect("strings and numbers always serialize"))
}

impl CombineRef {
    /// Reads a `combineID` that this broker gave out.
    ///
    /// # Errors
    /// [`Invalid`] naming the field.
    pub(crate) fn parse(text: &str) -> Result<Self, Invalid> {
        let bytes = BASE64_URL.decode(text).ok();
        let place = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        place.ok_or_else(|| Invalid::new("message.combineID", "is not a combineID of this broker"))
    }

    fn inside(&self, n: usize) -> Vec<usize> {
        let mut path = self.path.clone();
        path.push(n);
        path
    }
}

/// Puts a page of children, each JSON, into their combined message.
pub(crate) fn with_children(message: &RawJson, children: &[String]) -> RawJson {
    // The message is an object: its closing brace makes way for the list.
    let open = message.0.strip_suffix('}').unwrap_or_default();
    RawJson(format!("{open},\"messageList\":[{}]}}", children.join(",")).into())
}

/// Describes one child. The children of a nested combined message are asked for by its own `combineID`.
pub(crate) fn child_wire(child: &Child, parent: &CombineRef, n: usize) -> Value {
    let mut wire = json!({
        "type": child.body.kind().number(), "messageID": child.id.to_string(), "senderUserID": child.sender,
        "timestamp": child.timestamp_ms, "sentStatus": 1,
    });
    if !child.extended_data.is_empty() {
        wire["extendedData"] = child.extended_data.as_str().into();
    }
    match &child.body {
        Body::Text(text) => wire["message"] = text.as_str().into(),
        Body::Custom { message, sub_type, searched_content } => {
            wire["message"] = message.as_str().into();
            wire["subType"] = (*sub_type).into();
            wire["searchedContent"] = searched_content.as_str().into();
        }
        Body::Combine(Combine { title, summary, .. }) => {
            wire["title"] = title.as_str().into();
            wire["summary"] = summary.as_str().into();
            wire["combineID"] = combine_id(&parent.conversation, parent.seq, &parent.inside(n)).into();
        }
        Body::Media(media) => {
            if let Value::Object(wire) = &mut wire {
                super::media::put_media(wire, media);
            }
        }
        Body::Barrage(_) | Body::Command(_) | Body::Tips(_) | Body::Revoke(_) => {}
    }
    wire
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{GroupId, UserId, child_at};

    fn text(n: u64) -> Child {
        Child { id: n, sender: UserId::trusted("a"), timestamp_ms: n, extended_data: String::new(), body: Body::Text(n.to_string()) }
    }

    #[test]
    fn a_handle_comes_back_and_leads_to_what_is_nested() {
        let nested = Combine {
            title: "t".into(),
            summary: "s".into(),
            children: vec![text(1), text(2)],
            copied_from: String::new(),
            uploaded: None,
            held: None,
        };
        let children = vec![text(3), Child { body: Body::Combine(nested), ..text(4) }];
        let place = CombineRef { conversation: Conversation::Group(GroupId::trusted("g")), seq: 7, path: Vec::new() };
        let wire = child_wire(&children[1], &place, 1);
        let inner = CombineRef::parse(wire["combineID"].as_str().unwrap()).unwrap();
        assert_eq!(inner, CombineRef { path: vec![1], ..place });
        assert_eq!(child_at(children.clone(), &inner.path).unwrap().len(), 2);
        assert_eq!(child_at(children.clone(), &[0]), None, "a text holds nothing");
        assert_eq!(child_at(children, &[2]), None);
        assert!(CombineRef::parse("x").is_err());
    }
}
