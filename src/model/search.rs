//! What a search looks for, and whether a message is it. Pure.
//! Source: ZIM API reference, `ZIMMessageSearchConfig`.

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;

use super::{Body, Invalid, Limits, Message, UserId};

/// Parts of a text, all of them, whatever their case or width.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keywords(Vec<String>);

impl Keywords {
    /// Words that must all be there; `limits.search_keywords_max` at most.
    ///
    /// # Errors
    /// [`Invalid`]: too many, an empty one, or one longer than a text may be.
    pub fn parse(keywords: &[String], limits: &Limits) -> Result<Self, Invalid> {
        if keywords.len() > limits.search_keywords_max {
            return Err(Invalid::too_many("config.keywords", keywords.len(), limits.search_keywords_max));
        }
        if let Some(long) = keywords.iter().find(|keyword| keyword.len() > limits.text_bytes_max) {
            return Err(Invalid::too_long("config.keywords", long.len(), limits.text_bytes_max));
        }
        let keywords: Vec<String> = keywords.iter().map(|keyword| normalised(keyword.trim())).collect();
        if keywords.iter().any(String::is_empty) {
            return Err(Invalid::new("config.keywords", "has an empty one"));
        }
        Ok(Self(keywords))
    }

    /// Returns whether a text has all of them.
    #[must_use]
    pub fn found_in(&self, text: &str) -> bool {
        let text = normalised(text);
        self.0.iter().all(|keyword| text.contains(keyword.as_str()))
    }

    /// Nothing is looked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns them as they are compared: see [`searched_words`].
    #[must_use]
    pub fn normalised(&self) -> &[String] {
        &self.0
    }
}

/// What to look for among groups and members.
/// Source: ZIM API reference, `searchLocalGroups` and `searchLocalGroupMembers`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupSearch {
    /// All of them must be in one name.
    pub keywords: Keywords,
    /// A group is found by its members' names, too.
    pub by_user_name: bool,
    /// And by their nicknames.
    pub by_nickname: bool,
}

/// What is looked for: everything given must hold; an empty list holds always.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Search {
    keywords: Keywords,
    /// One of these sent it.
    pub senders: Vec<UserId>,
    /// Its kind is one of these, by number.
    pub kinds: Vec<u16>,
    /// Of a custom message: its sub-kind is one of these.
    pub sub_kinds: Vec<u16>,
    /// Accepted at this time or later, Unix milliseconds.
    pub from_ms: u64,
    /// Accepted before or at this time, Unix milliseconds; 0: any.
    pub to_ms: u64,
}

/// Characters that nobody sees: soft hyphen, zero-width space, non-joiner, joiner, word joiner, byte order mark.
pub(crate) const UNSEEN: [char; 6] = ['\u{AD}', '\u{200B}', '\u{200C}', '\u{200D}', '\u{2060}', '\u{FEFF}'];

/// The small sigma at the end of a word, and as it is elsewhere.
pub(crate) const FINAL_SIGMA: (char, char) = ('ς', 'σ');

/// What a dotted capital I becomes in lower case, and what it is compared as.
pub(crate) const DOTTED_I: (&str, &str) = ("i\u{307}", "i");

/// As it is compared: compatible forms are one (full and half width), case is none, and what is not seen is not there.
fn normalised(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let seen = text.nfkc().filter(|c| !UNSEEN.contains(c));
    let lower = seen.flat_map(char::to_lowercase).map(|c| if c == FINAL_SIGMA.0 { FINAL_SIGMA.1 } else { c });
    lower.collect::<String>().replace(DOTTED_I.0, DOTTED_I.1)
}

/// Returns the text of a message that keywords are looked for in, as it is compared; none: keywords never find it.
///
/// Of a custom message it is what its sender gave for searching: nothing else of it is ever looked at.
#[must_use]
pub fn searched_words(body: &Body) -> Option<String> {
    words_of(body).map(normalised)
}

fn words_of(body: &Body) -> Option<&str> {
    match body {
        Body::Text(text) => Some(text),
        Body::Custom { searched_content, .. } => Some(searched_content),
        Body::Media(media) => Some(&media.name),
        Body::Command(_) | Body::Barrage(_) | Body::Combine(_) | Body::Tips(_) | Body::Revoke(_) => None,
    }
}

impl Search {
    /// With these keywords.
    ///
    /// # Errors
    /// Those of [`Keywords::parse`].
    pub fn for_keywords(keywords: &[String], limits: &Limits) -> Result<Self, Invalid> {
        Ok(Self { keywords: Keywords::parse(keywords, limits)?, ..Self::default() })
    }

    /// Returns whether this message is looked for.
    #[must_use]
    pub fn finds(&self, message: &Message) -> bool {
        let kind = message.content.body.kind().number();
        let sub_kind = if let Body::Custom { sub_type, .. } = &message.content.body { Some(*sub_type) } else { None };
        (self.kinds.is_empty() || self.kinds.contains(&kind))
            && (self.sub_kinds.is_empty() || sub_kind.is_some_and(|sub_kind| self.sub_kinds.contains(&sub_kind)))
            && (self.senders.is_empty() || self.senders.contains(&message.sender))
            && message.timestamp_ms >= self.from_ms
            && (self.to_ms == 0 || message.timestamp_ms <= self.to_ms)
            && (self.keywords.is_empty() || words_of(&message.content.body).is_some_and(|words| self.keywords.found_in(words)))
    }

    /// Returns the keywords; all of them must be there.
    #[must_use]
    pub fn keywords(&self) -> &Keywords {
        &self.keywords
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Conversation, Draft, GroupId};

    fn message(body: Body) -> Message {
        let group = Conversation::Group(GroupId::trusted("g"));
        Message { seq: 1, ..Draft::of(body).into_message(1, UserId::trusted("alice"), group, 1, 500) }
    }

    fn search(keywords: &[&str]) -> Search {
        let keywords: Vec<String> = keywords.iter().map(ToString::to_string).collect();
        Search::for_keywords(&keywords, &Limits::default()).unwrap()
    }

    #[test]
    fn parts_of_words_are_found_in_any_script_case_and_width() {
        let text = |text: &str| message(Body::Text(text.into()));
        for (words, keyword, found) in [
            ("Meet at NOON", "noon", true),
            ("明天下午三点开会", "下午三点", true),
            ("明天下午三点开会", "上午", false),
            ("ＡＢＣ１２３", "abc12", true),
            ("Straße", "STRASSE", false),
            ("ÉCOLE", "école", true),
            ("ΟΔΥΣΣΕΥΣ", "Οδυσσεύς", false),
            ("ΟΔΟΣ", "οδός", false),
            ("ΣΟΦΟΣ", "σοφος", true),
            ("σοφος", "ΣΟΦΟΣ", true),
            ("İSTANBUL", "istanbul", true),
            ("istanbul", "İstanbul", true),
            ("co\u{AD}operate", "cooperate", true),
            ("می\u{200C}خواهم", "میخواهم", true),
            ("میخواهم", "می\u{200C}خواهم", true),
        ] {
            assert_eq!(search(&[keyword]).finds(&text(words)), found, "{keyword} in {words}");
        }
        assert!(search(&["tea", "milk"]).finds(&text("milk with tea")));
        assert!(!search(&["tea", "milk"]).finds(&text("tea")), "all of them");
    }

    #[test]
    fn of_a_custom_message_only_what_its_sender_gave_for_searching_is_looked_at() {
        let custom = message(Body::Custom { message: "secret".into(), sub_type: 7, searched_content: "lunch poll".into() });
        assert!(search(&["poll"]).finds(&custom));
        assert!(!search(&["secret"]).finds(&custom));
        assert!(Search { sub_kinds: vec![7], ..search(&["poll"]) }.finds(&custom));
        assert!(!Search { sub_kinds: vec![8], ..search(&["poll"]) }.finds(&custom));
    }

    #[test]
    fn sender_kind_and_time_narrow_it_at_their_edges() {
        let text = message(Body::Text("hi".into()));
        let with = |change: fn(&mut Search)| {
            let mut search = search(&["hi"]);
            change(&mut search);
            search.finds(&text)
        };
        assert!(with(|search| search.senders = vec![UserId::trusted("alice")]));
        assert!(!with(|search| search.senders = vec![UserId::trusted("bob")]));
        assert!(with(|search| search.kinds = vec![1]) && !with(|search| search.kinds = vec![200]));
        assert!(with(|search| (search.from_ms, search.to_ms) = (500, 500)));
        assert!(!with(|search| search.from_ms = 501) && !with(|search| search.to_ms = 499));
        assert!(!with(|search| search.sub_kinds = vec![0]));
        let none = Search::for_keywords(&[], &Limits::default()).unwrap();
        assert!(none.finds(&text));
    }

    #[test]
    fn five_keywords_and_not_six_and_none_empty() {
        let many = |count: usize| Search::for_keywords(&vec!["x".to_owned(); count], &Limits::default());
        assert!(many(5).is_ok() && many(6).is_err());
        assert!(Search::for_keywords(&[" ".to_owned()], &Limits::default()).is_err());
    }
}
