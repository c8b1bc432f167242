//! How a request names a message: by seq, by id, or both; a copy that went through JSON, or a part of one, will do.

use serde::{Deserialize, Deserializer, Serialize};

use crate::model::{ConversationKind, Invalid, Limits, Target};

/// A message as a request names it. At least one of the two is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MessageHandle {
    /// Its seq.
    pub(crate) seq: Option<u64>,
    /// Its id.
    pub(crate) id: Option<u64>,
}

/// The fields of a message object that a client sends back. Fields of no use here are ignored.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct HandleArgs {
    #[serde(rename = "messageID")]
    pub(crate) message_id: String,
    #[serde(deserialize_with = "lenient")]
    pub(crate) message_seq: u64,
    #[serde(deserialize_with = "lenient")]
    pub(crate) conversation_seq: u64,
    #[serde(rename = "conversationID")]
    pub(crate) conversation_id: String,
    pub(crate) conversation_type: Option<i64>,
    #[serde(rename = "combineID")]
    pub(crate) combine_id: String,
    #[serde(deserialize_with = "lenient")]
    pub(crate) order_key: u64,
}

/// Reads a number that may be missing, null or negative, because a copy that was never sent has it so; 0 then.
fn lenient<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let number: Option<f64> = Option::deserialize(deserializer)?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be whole, positive and below 2^53")]
    Ok(number.filter(|number| number.fract() == 0.0 && (0.0..9_007_199_254_740_992.0).contains(number)).map_or(0, |number| number as u64))
}

impl HandleArgs {
    /// Returns which message of its conversation the fields name.
    pub(super) fn handle(&self, field: &str) -> Result<MessageHandle, Invalid> {
        let seq = [self.message_seq, self.conversation_seq].into_iter().find(|seq| *seq > 0);
        let id = match self.message_id.as_str() {
            "" => None,
            id => Some(id.parse().map_err(|_| Invalid::new(format!("{field}.messageID"), "is not an id of this broker"))?),
        };
        if seq.is_none() && id.is_none() {
            return Err(Invalid::new(field, "has neither messageID nor messageSeq: it was not sent, or is not kept"));
        }
        Ok(MessageHandle { seq, id })
    }

    /// Returns the conversation that the fields name.
    pub(super) fn target(&self, field: &str, limits: &Limits) -> Result<Target, Invalid> {
        let name = format!("{field}.conversationType");
        let number = self.conversation_type.ok_or_else(|| Invalid::new(name.as_str(), "is missing"))?;
        let kind = ConversationKind::from_number(&name, number)?;
        Target::parse(&format!("{field}.conversationID"), kind, &self.conversation_id, limits)
    }
}

/// Reads the handles of a list, within its limit.
pub(super) fn handles(field: &str, list: &[HandleArgs]) -> Result<Vec<MessageHandle>, Invalid> {
    if list.is_empty() {
        return Err(Invalid::new(field, "is empty"));
    }
    list.iter().enumerate().map(|(n, args)| args.handle(&format!("{field}[{n}]"))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn handle(value: serde_json::Value) -> Result<MessageHandle, Invalid> {
        serde_json::from_value::<HandleArgs>(value).unwrap().handle("message")
    }

    #[test]
    fn a_part_of_a_copy_is_enough_and_what_was_never_sent_is_not() {
        let named = |seq, id| Ok(MessageHandle { seq, id });
        assert_eq!(handle(json!({"messageID": "17", "messageSeq": 3, "type": 1, "direction": 0})), named(Some(3), Some(17)));
        assert_eq!(handle(json!({"conversationSeq": 3})), named(Some(3), None));
        assert_eq!(handle(json!({"messageID": "17", "messageSeq": null})), named(None, Some(17)));
        assert!(handle(json!({"messageID": "", "messageSeq": 0})).is_err());
        assert!(handle(json!({"messageID": "x"})).is_err());
    }
}
