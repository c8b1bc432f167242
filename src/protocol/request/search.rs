//! Operations that search messages. The names say "local", as the vendor's do; here the broker searches.

use serde::Deserialize;

use super::args::{count, read, user_list};
use super::conversations::listed_target;
use super::handle::HandleArgs;
use crate::model::{Invalid, Limits, Refusal, Search, Target};

/// The message a search goes on after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SearchAnchor {
    pub(crate) order_key: u64,
    pub(crate) id: u64,
}

#[derive(Debug)]
pub(crate) enum SearchRequest {
    /// Searches messages of one conversation, or of all.
    Messages { target: Option<Target>, search: Search, ascending: bool, count: usize, after: Option<SearchAnchor> },
    /// Searches conversations; says how many and which messages are found in each.
    Conversations { search: Search, count: usize, messages: usize, next: usize },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SearchArgs {
    #[serde(rename = "conversationID", default)]
    conversation_id: String,
    #[serde(default)]
    conversation_type: Option<i64>,
    config: SearchConfigArgs,
}

/// What a search asks for, before it is checked.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct SearchConfigArgs {
    pub(crate) keywords: Vec<String>,
    #[serde(rename = "senderUserIDs")]
    pub(crate) sender_user_ids: Vec<String>,
    pub(crate) message_types: Vec<u16>,
    pub(crate) sub_message_types: Vec<u16>,
    pub(crate) start_time: u64,
    pub(crate) end_time: u64,
    pub(crate) order: i64,
    pub(crate) count: i64,
    pub(crate) next_message: Option<HandleArgs>,
    pub(crate) total_conversation_count: i64,
    pub(crate) conversation_message_count: i64,
    pub(crate) next_flag: usize,
}

impl SearchConfigArgs {
    /// Checks what is looked for: words, senders, kinds and times.
    ///
    /// # Errors
    /// [`Invalid`] naming the argument of `searchLocalMessages`.
    pub(crate) fn search(&self, limits: &Limits) -> Result<Search, Invalid> {
        if self.end_time > 0 && self.end_time < self.start_time {
            return Err(Invalid::new("config.endTime", format!("is {}, before startTime {}", self.end_time, self.start_time)));
        }
        let mut search = Search::for_keywords(&self.keywords, limits)?;
        search.senders = user_list("config.senderUserIDs", &self.sender_user_ids, limits.status_query_max, limits)?;
        search.kinds.clone_from(&self.message_types);
        search.sub_kinds.clone_from(&self.sub_message_types);
        (search.from_ms, search.to_ms) = (self.start_time, self.end_time);
        Ok(search)
    }
}

impl SearchRequest {
    /// Reads a search; returns `None` for other operations.
    pub(super) fn decode(op: &str, args: &str, limits: &Limits) -> Result<Option<Self>, Refusal> {
        if !matches!(op, "searchLocalMessages" | "searchGlobalLocalMessages" | "searchLocalConversations") {
            return Ok(None);
        }
        let SearchArgs { conversation_id, conversation_type, config } = read(args)?;
        let search = config.search(limits)?;
        if op == "searchLocalConversations" {
            return Ok(Some(Self::Conversations {
                search,
                count: count("config.totalConversationCount", config.total_conversation_count, limits.search_page_max)?,
                messages: count("config.conversationMessageCount", config.conversation_message_count, limits.search_page_max)?,
                next: config.next_flag,
            }));
        }
        let target = match op {
            "searchLocalMessages" => {
                let kind = conversation_type.ok_or_else(|| Invalid::new("conversationType", "is missing"))?;
                Some(listed_target(&conversation_id, kind, limits)?)
            }
            _ => None,
        };
        let ascending = match config.order {
            0 => false,
            1 => true,
            other => return Err(Invalid::out_of_range("config.order", other, 0, 1).into()),
        };
        let after = config.next_message.as_ref().map(HandleArgs::search_anchor).transpose()?;
        let count = count("config.count", config.count, limits.search_page_max)?;
        Ok(Some(Self::Messages { target, search, ascending, count, after }))
    }
}

impl HandleArgs {
    fn search_anchor(&self) -> Result<SearchAnchor, Invalid> {
        let id = self.handle("config.nextMessage").ok().and_then(|handle| handle.id);
        match (self.order_key, id) {
            (order_key, Some(id)) if order_key > 0 => Ok(SearchAnchor { order_key, id }),
            _ => Err(Invalid::new("config.nextMessage", "lacks orderKey or messageID")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pages_and_anchors_are_checked() {
        let limits = Limits::default();
        let ok = |op: &str, config: serde_json::Value| {
            let args = json!({"conversationID": "bob", "conversationType": 0, "config": config});
            SearchRequest::decode(op, &args.to_string(), &limits).is_ok()
        };
        let search = "searchGlobalLocalMessages";
        assert!(ok(search, json!({"keywords": ["x"], "count": 100})) && !ok(search, json!({"keywords": ["x"], "count": 101})));
        assert!(ok(search, json!({"count": 1, "order": 1})) && !ok(search, json!({"count": 1, "order": 2})));
        assert!(ok(search, json!({"count": 1, "nextMessage": {"orderKey": 5, "messageID": "7"}})));
        assert!(!ok(search, json!({"count": 1, "nextMessage": {"orderKey": 5}})));
        assert!(!ok(search, json!({"count": 1, "startTime": 5, "endTime": 4})));
        let conversations =
            |all: i64, each: i64| ok("searchLocalConversations", json!({"totalConversationCount": all, "conversationMessageCount": each}));
        assert!(conversations(100, 100) && !conversations(101, 1) && !conversations(1, 0));
        let room = json!({"conversationID": "r", "conversationType": 1, "config": {"count": 1}});
        assert!(SearchRequest::decode("searchLocalMessages", &room.to_string(), &limits).is_err());
    }
}
