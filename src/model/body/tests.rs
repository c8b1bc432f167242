//! The limits of every kind at their edges.

use super::*;

fn custom(message: usize, sub_type: u16, searched: usize) -> Body {
    Body::Custom { message: "m".repeat(message), sub_type, searched_content: "s".repeat(searched) }
}

/// For each limit L: L is accepted, L + 1 refused.
#[test]
fn every_body_limit_holds_at_its_edge() {
    let limits = Limits::default();
    let accepted = [
        Body::Text("t".repeat(32_768)),
        Body::Barrage("b".repeat(5_120)),
        Body::Command(Bytes::from(vec![0; 5_120])),
        custom(32_768, 200, 64),
        custom(0, 0, 0),
    ];
    for body in accepted {
        assert_eq!(body.validate(&limits), Ok(()), "{:?}", body.kind());
    }
    let refused = [
        (Body::Text("t".repeat(32_769)), "message.message is 32769 bytes, the limit is 32768"),
        (Body::Barrage("b".repeat(5_121)), "message.message is 5121 bytes, the limit is 5120"),
        (Body::Command(Bytes::from(vec![0; 5_121])), "message.message is 5121 bytes, the limit is 5120"),
        (custom(32_769, 0, 0), "message.message is 32769 bytes, the limit is 32768"),
        (custom(1, 201, 0), "message.subType is 201, the range is 0 to 200"),
        (custom(1, 0, 65), "message.searchedContent is 65 bytes, the limit is 64"),
        (Body::Text(String::new()), "message.message is empty"),
        (Body::Text(" \n".into()), "message.message is empty"),
        (Body::Command(Bytes::new()), "message.message is empty"),
    ];
    for (body, reason) in refused {
        assert_eq!(body.validate(&limits).unwrap_err().to_string(), reason);
    }
}

#[test]
fn limits_count_utf8_bytes_not_characters() {
    let limits = Limits::default();
    // 10,922 three-byte characters are 32,766 bytes.
    assert!(Body::Text("字".repeat(10_922)).validate(&limits).is_ok());
    assert!(Body::Text("字".repeat(10_923)).validate(&limits).is_err());
}

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
        held: None,
    }
}

#[test]
fn every_limit_of_a_combine_holds_at_its_edge() {
    let limits = Limits::default();
    assert!(of(1000).validate(&limits).is_ok());
    assert_eq!(of(1001).validate(&limits).unwrap_err().to_string(), "message.messageList makes more than 1000 messages in all, the limit");
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
