use proptest::prelude::*;

use super::*;

/// Short ids over few letters, so that one id is often the beginning of another.
fn id() -> impl Strategy<Value = String> {
    proptest::collection::vec(prop_oneof![Just('a'), Just('b'), Just('~')], 1..6).prop_map(String::from_iter)
}

fn conversation() -> impl Strategy<Value = Conversation> {
    prop_oneof![
        (id(), id()).prop_map(|(a, b)| Conversation::peer(&UserId::trusted(&a), &UserId::trusted(&b))),
        (id(), any::<u64>()).prop_map(|(r, n)| Conversation::Room(RoomId::trusted(&r), n)),
        (id(), 0..3u64).prop_map(|(r, n)| Conversation::Room(RoomId::trusted(&r), n)),
        id().prop_map(|g| Conversation::Group(GroupId::trusted(&g))),
    ]
}

proptest! {
    #[test]
    fn keys_sort_by_conversation_then_seq(a in conversation(), b in conversation(), m in any::<u64>(), n in any::<u64>()) {
        let by_key = message(&a, m).cmp(&message(&b, n));
        let by_value = head(&a).cmp(&head(&b)).then(m.cmp(&n));
        prop_assert_eq!(by_key, by_value);
        prop_assert_eq!(head(&a) == head(&b), a == b);
    }

    #[test]
    fn no_conversation_is_a_prefix_of_another(a in conversation(), b in conversation()) {
        prop_assert!(a == b || !head(&a).starts_with(&head(&b)));
    }

    #[test]
    fn keys_tell_what_they_were_made_of(a in conversation(), seq in any::<u64>(), u in id(), l in id(), g in id()) {
        let key = message(&a, seq);
        let (prefix, found) = split_message(&key).unwrap();
        prop_assert_eq!(found, seq);
        prop_assert_eq!(head_of_prefix(prefix), head(&a));
        prop_assert_eq!(conversation_of(&key), Some(a.clone()));
        prop_assert_eq!(conversation_of(&head(&a)), Some(a.clone()));
        let key = dedup(&a, &UserId::trusted(&u), &LocalMessageId::trusted(&l));
        prop_assert_eq!(split_dedup(&key), Some((u.as_str(), l.as_str(), a.clone())));
        prop_assert_eq!(conversation_in(&key), Some(a));
        let key = sender_dedup(&UserId::trusted(&u), &LocalMessageId::trusted(&l));
        prop_assert_eq!(split_sender_dedup(&key), Some((u.as_str(), l.as_str())));
        let key = membership(&UserId::trusted(&u), &GroupId::trusted(&g));
        prop_assert_eq!(split_membership(&key), Some(GroupId::trusted(&g)));
        let key = member(&GroupId::trusted(&g), &UserId::trusted(&u));
        prop_assert_eq!(split_member(&key), Some(GroupId::trusted(&g)));
        let key = peer(&UserId::trusted(&u), &UserId::trusted(&l));
        prop_assert_eq!(split_peer(&key), Some(UserId::trusted(&l)));
        prop_assert_eq!(split_period(&period(seq)), Some(seq));
    }

    #[test]
    fn keys_of_notes_and_entries_tell_what_they_were_made_of(a in conversation(), seq in any::<u64>(), u in id(), r in id()) {
        let user = UserId::trusted(&u);
        for one in [Note::Receipt(user.clone()), Note::Reaction(r, user.clone())] {
            let key = note(&a, seq, &one);
            let (from, to) = notes(&a, seq);
            prop_assert!(from <= key && key < to);
            prop_assert_eq!(split_note(&key), Some(one));
        }
        let key = entry(&user, &a);
        let (from, to) = entries_of(&user);
        prop_assert!(from <= key && key < to);
        prop_assert_eq!(split_entry(&key), Some(a.clone()));
        prop_assert_eq!(last_number(&change(&a, seq)), Some(seq));
        prop_assert_eq!(last_number(&reply(&a, 3, seq)), Some(seq));
    }

    #[test]
    fn a_list_holds_its_own_and_no_others(owner in id(), other in id(), entry in id()) {
        let (from, to) = members(&GroupId::trusted(&owner));
        let key = member(&GroupId::trusted(&other), &UserId::trusted(&entry));
        prop_assert_eq!(from <= key && key < to, owner == other);
    }
}
