//! Searches of messages. Source: ZIM API reference, "searchLocalMessages" and the like.

use serde_json::{Value, json};

use crate::support::{Client, To, World};

async fn find(client: &mut Client, config: Value) -> (Vec<String>, Value) {
    let found = client.ok("searchGlobalLocalMessages", json!({"config": config})).await;
    let texts = found["messageList"].as_array().unwrap().iter().map(|message| message["message"].as_str().unwrap_or("").to_owned());
    (texts.collect(), found["nextMessage"].clone())
}

#[tokio::test]
async fn messages_are_found_by_parts_of_their_text_in_what_one_may_read() {
    let world = World::builder().no_rates().start();
    let mut alice = world.client("alice").await;
    let mut bob = world.client("bob").await;
    let mut eve = world.client("eve").await;
    alice.ok("createGroup", json!({"groupInfo": {"groupID": "g"}, "userIDs": ["bob"]})).await;
    alice.say(To::Peer("bob"), "Lunch at noon?").await;
    alice.say(To::Group("g"), "明天下午三点开会").await;
    let gone = bob.say(To::Peer("alice"), "LUNCH it is").await;
    let custom = json!({"type": 200, "message": "lunch secret", "subType": 5, "searchedContent": "menu"});
    alice.send(To::Peer("bob"), custom).await.unwrap();
    alice.say(To::Peer("eve"), "no lunch for you").await;
    let keyword = |word: &str| json!({"keywords": [word], "count": 10});
    assert_eq!(find(&mut bob, keyword("lunch")).await, (vec!["LUNCH it is".into(), "Lunch at noon?".into()], Value::Null));
    assert_eq!(find(&mut bob, keyword("下午三点")).await.0, ["明天下午三点开会"]);
    assert_eq!(find(&mut bob, keyword("menu")).await.0, ["lunch secret"], "by what was given for searching");
    assert_eq!(find(&mut bob, keyword("secret")).await.0, [""; 0]);
    assert_eq!(find(&mut eve, keyword("lunch")).await.0, ["no lunch for you"]);
    assert_eq!(find(&mut bob, json!({"keywords": ["lunch"], "senderUserIDs": ["alice"], "count": 10})).await.0, ["Lunch at noon?"]);
    assert_eq!(find(&mut bob, json!({"keywords": ["lunch", "noon"], "count": 10})).await.0, ["Lunch at noon?"]);
    assert_eq!(find(&mut bob, json!({"keywords": [], "messageTypes": [200], "subMessageTypes": [5], "count": 10})).await.0.len(), 1);
    for (said, asked) in
        [("ΣΟΦΟΣ λόγος", "σοφος"), ("İZMİR", "izmir"), ("co\u{AD}oper\u{200B}ate", "COOPERATE"), ("می\u{200C}خواهم", "میخواهم")]
    {
        alice.say(To::Peer("bob"), said).await;
        assert_eq!(find(&mut bob, keyword(asked)).await.0, [said]);
    }
    // In one conversation, oldest first.
    let args = json!({"conversationID": "alice", "conversationType": 0, "config": {"keywords": ["lunch"], "order": 1, "count": 10}});
    let found = bob.ok("searchLocalMessages", args).await;
    assert_eq!((&found["conversationID"], &found["messageList"][0]["message"]), (&json!("alice"), &json!("Lunch at noon?")));
    let group = json!({"conversationID": "g", "conversationType": 2, "config": {"keywords": ["x"], "count": 1}});
    assert_eq!(eve.code("searchLocalMessages", group).await, 6_000_521);
    // By conversation, with counts.
    let config = json!({"keywords": ["lunch"], "totalConversationCount": 10, "conversationMessageCount": 1});
    let found = bob.ok("searchLocalConversations", json!({"config": config})).await;
    let infos = found["conversationSearchInfoList"].as_array().unwrap();
    assert_eq!((infos.len(), &infos[0]["conversationID"], &infos[0]["totalMessageCount"]), (1, &json!("alice"), &json!(2)));
    assert_eq!((infos[0]["messageList"].as_array().unwrap().len(), &found["nextFlag"]), (1, &json!(0)));
    // What is deleted or taken back is found no more, and an edit is found by its new words.
    let message = json!({"messageID": gone["messageID"], "messageSeq": gone["messageSeq"], "conversationID": "bob", "conversationType": 0});
    let delete = json!({"messageList": [message], "conversationID": "bob", "conversationType": 0});
    alice.ok("deleteMessages", delete).await;
    assert_eq!(find(&mut alice, keyword("lunch")).await.0, ["no lunch for you", "Lunch at noon?"]);
    let mine =
        json!({"messageID": gone["messageID"], "conversationID": "alice", "conversationType": 0, "type": 1, "message": "dinner then"});
    bob.ok("editMessage", json!({"message": mine})).await;
    assert_eq!(find(&mut bob, keyword("lunch")).await.0, ["Lunch at noon?"]);
    assert_eq!(find(&mut bob, keyword("dinner")).await.0, ["dinner then"]);
    bob.ok("revokeMessage", json!({"message": mine})).await;
    assert_eq!(find(&mut bob, keyword("dinner")).await.0, [""; 0]);
}

#[tokio::test]
async fn pages_of_any_size_in_either_order_find_the_same_across_conversations() {
    let world = World::builder().no_rates().config(|config| config.limits.search_messages_max = 100).start();
    let mut bob = world.client("bob").await;
    for user in ["u1", "u2", "u3"] {
        let mut friend = world.client(user).await;
        for n in 0..40 {
            friend.say(To::Peer("bob"), &format!("{user} {n} {}", if n % 4 == 0 { "needle" } else { "hay" })).await;
        }
    }
    for order in [0, 1] {
        let mut sizes = Vec::new();
        for count in [1, 7, 100] {
            let (mut all, mut next) = (Vec::new(), Value::Null);
            loop {
                let config = json!({"keywords": ["needle"], "count": count, "order": order, "nextMessage": next});
                let (found, further) = find(&mut bob, config).await;
                all.extend(found);
                next = further;
                if next.is_null() {
                    break;
                }
            }
            assert_eq!(all.len(), 30, "order {order}, pages of {count}");
            sizes.push(all);
        }
        assert!(sizes.windows(2).all(|pair| pair[0] == pair[1]));
        assert!(sizes[0][0].starts_with(if order == 0 { "u3 36" } else { "u1 0" }), "{:?}", sizes[0][0]);
    }
}
