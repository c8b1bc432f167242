//! The rules of [`Overview`](crate::store::Overview), held against every engine: what it says of generated worlds is what single
//! reads say, put together here in the plainest way.

mod lists;
mod searches;
mod town;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use self::town::{Step, Town};
use super::support::*;
use crate::model::UserId;

contract!(
    a_list_is_what_single_reads_say,
    last_messages_are_what_single_reads_say,
    what_was_missed_is_what_single_reads_say,
    what_was_changed_is_what_single_reads_say,
    a_search_finds_what_single_reads_show,
    a_search_through_conversations_finds_what_single_reads_show,
    rows_of_many_are_what_single_reads_say,
    nobody_has_a_list_and_finds_nothing,
);

/// Makes towns, and holds each of their users to a rule. `choice` is another one in each town.
fn in_towns(world: &World, rule: impl Fn(&Town, &UserId, usize)) {
    let cases = if world.kind == BackendKind::Memory { 24 } else { 6 };
    let mut runner = TestRunner::new(ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() });
    let steps = proptest::collection::vec(any::<Step>(), 20..160);
    let held = runner.run(&(steps, any::<usize>()), |(steps, choice)| {
        let town = Town::of(World::new(world.kind), &steps);
        town.users().iter().for_each(|user| rule(&town, user, choice));
        Ok(())
    });
    held.unwrap();
}

fn a_list_is_what_single_reads_say(world: World) {
    in_towns(&world, lists::list);
}

fn last_messages_are_what_single_reads_say(world: World) {
    in_towns(&world, |town, user, _| lists::last_messages(town, user));
}

fn what_was_missed_is_what_single_reads_say(world: World) {
    in_towns(&world, lists::missed);
}

fn what_was_changed_is_what_single_reads_say(world: World) {
    in_towns(&world, lists::changed);
}

fn a_search_finds_what_single_reads_show(world: World) {
    in_towns(&world, searches::messages);
}

fn a_search_through_conversations_finds_what_single_reads_show(world: World) {
    in_towns(&world, searches::conversations);
}

fn rows_of_many_are_what_single_reads_say(world: World) {
    in_towns(&world, |town, user, choice| {
        lists::rows(town, choice);
        lists::groups(town, user);
    });
}

fn nobody_has_a_list_and_finds_nothing(world: World) {
    let nobody = user("nobody");
    assert_eq!(world.store.list(&nobody, 9, 99), Ok(Vec::new()));
    assert_eq!(world.store.listed(&nobody, &[group("g")], 99), Ok(vec![None]));
    assert_eq!(world.store.changed(&nobody, 0, 9), Ok(Vec::new()));
    assert_eq!(world.store.users(&[]), Ok(Vec::new()));
    searches::nothing(&world, &nobody);
}
