//! Several messages forwarded as one. Source: spec S10, S61, 3.12 Combine.

use serde::{Deserialize, Serialize};

use super::{Body, FileUid, Invalid, Limits, MessageClass, UserId};

/// A combined message. Kept in two parts: title and summary with the message, the children beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Combine {
    /// Shown as its head.
    pub title: String,
    /// Shown below it.
    pub summary: String,
    /// What it holds: only of a draft and of a combine inside another; a stored message's are read on demand.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Child>,
    /// Of a draft that passes a received one on: its `combineID`, in whose place the children come.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub copied_from: String,
    /// Of a draft too large for a frame: the upload that holds its children.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uploaded: Option<FileUid>,
}

/// One message inside a combined one: a copy that nothing changes any more. Source: spec Q29.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Child {
    /// The id of the message it is a copy of.
    pub id: u64,
    /// Who sent that.
    pub sender: UserId,
    /// When, Unix milliseconds.
    pub timestamp_ms: u64,
    /// What travelled with it.
    pub extended_data: String,
    /// What it said.
    pub body: Body,
}

impl Combine {
    /// One that is to hold what another holds.
    #[must_use]
    pub fn copy_of(title: String, summary: String, combine_id: String) -> Self {
        Self { title, summary, children: Vec::new(), copied_from: combine_id, uploaded: None }
    }

    /// Checks title, summary and everything inside. Source: spec Q29, Q31.
    ///
    /// # Errors
    /// [`Invalid`] naming the field, its value and the limit.
    pub fn validate(&self, limits: &Limits) -> Result<(), Invalid> {
        let mut left = limits.combine_children_max;
        self.check("message", limits, &mut left, 1)?;
        let bytes = self.weight();
        if bytes > limits.combine_bytes_max {
            return Err(Invalid::too_long("message.messageList", bytes, limits.combine_bytes_max));
        }
        Ok(())
    }

    fn check(&self, field: &str, limits: &Limits, left: &mut usize, depth: usize) -> Result<(), Invalid> {
        let lengths = [
            ("title", self.title.len(), limits.combine_title_bytes_max),
            ("summary", self.summary.len(), limits.combine_summary_bytes_max),
        ];
        for (name, bytes, bytes_max) in lengths {
            if bytes > bytes_max {
                return Err(Invalid::too_long(format!("{field}.{name}"), bytes, bytes_max));
            }
        }
        let list = format!("{field}.messageList");
        if self.children.is_empty() && self.copied_from.is_empty() && self.uploaded.is_none() {
            return Err(Invalid::new(list, "is empty"));
        }
        if depth > limits.combine_depth_max {
            return Err(Invalid::new(list, format!("is nested more than {} deep, the limit", limits.combine_depth_max)));
        }
        if self.children.len() > *left {
            return Err(Invalid::new(list, format!("makes more than {} messages in all, the limit", limits.combine_children_max)));
        }
        *left -= self.children.len();
        for (n, child) in self.children.iter().enumerate() {
            let field = format!("{list}[{n}]");
            if child.extended_data.len() > limits.extended_data_bytes_max {
                return Err(Invalid::too_long(format!("{field}.extendedData"), child.extended_data.len(), limits.extended_data_bytes_max));
            }
            match &child.body {
                Body::Combine(combine) => combine.check(&field, limits, left, depth + 1)?,
                body if body.class() == MessageClass::Storable && body.is_sendable() => body.validate(limits)?,
                body => return Err(Invalid::new(format!("{field}.type"), format!("is {}, which is not combined", body.kind().number()))),
            }
        }
        Ok(())
    }

    /// About how many bytes it holds.
    #[must_use]
    pub fn weight(&self) -> usize {
        let children = self.children.iter().map(|child| child.extended_data.len() + 64 + child.body.weight());
        self.title.len() + self.summary.len() + children.sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn child(body: Body) -> Child {
        Child { id: 1, sender: UserId::trusted("alice"), timestamp_ms: 1, extended_data: String::new(), body }
    }

    fn of(children: usize) -> Combine {
        let text = |_| child(Body::Text("hi".into()));
        Combine {
            title: "t".into(),
            summary: "s".into(),
            children: (0..children).map(text).collect(),
            copied_from: String::new(),
            uploaded: None,
        }
    }

    #[test]
    fn every_limit_of_a_combine_holds_at_its_edge() {
        let limits = Limits::default();
        assert!(of(1000).validate(&limits).is_ok());
        assert_eq!(
            of(1001).validate(&limits).unwrap_err().to_string(),
            "message.messageList makes more than 1000 messages in all, the limit"
        );
        assert!(of(0).validate(&limits).is_err());
        let titled = |title: usize, summary: usize| Combine { title: "t".repeat(title), summary: "s".repeat(summary), ..of(1) };
        assert!(titled(20, 100).validate(&limits).is_ok());
        assert_eq!(titled(21, 0).validate(&limits).unwrap_err().field, "message.title");
        assert_eq!(titled(0, 101).validate(&limits).unwrap_err().field, "message.summary");
        let heavy = |texts: usize| Combine { children: vec![child(Body::Text("x".repeat(32_768))); texts], ..of(1) };
        assert!(heavy(319).validate(&limits).is_ok());
        assert_eq!(heavy(321).validate(&limits).unwrap_err().field, "message.messageList");
    }

    #[test]
    fn nesting_counts_and_ends_and_what_is_not_kept_is_not_combined() {
        let limits = Limits::default();
        let mut nested = of(1);
        for _ in 1..8 {
            nested = Combine { children: vec![child(Body::Combine(nested))], ..of(1) };
        }
        assert!(nested.validate(&limits).is_ok());
        let deeper = Combine { children: vec![child(Body::Combine(nested))], ..of(1) };
        assert!(deeper.validate(&limits).unwrap_err().to_string().contains("nested more than 8 deep"));
        for body in [Body::Command(bytes::Bytes::from_static(b"x")), Body::Barrage("b".into())] {
            let refused = Combine { children: vec![child(Body::Text("a".into())), child(body)], ..of(1) }.validate(&limits).unwrap_err();
            assert_eq!(refused.field, "message.messageList[1].type");
        }
    }
}
