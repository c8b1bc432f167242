//! What a room's budget admits, by priority and by sender.

use proptest::prelude::*;

use super::senders::{IDLE_CAPACITY_MAX, SENDERS_MAX};
use super::*;

const MS: Duration = Duration::from_millis(1);

fn user(n: usize) -> UserId {
    UserId::trusted(&format!("u{n}"))
}

/// Runs 5 s in steps of 0.1 ms; `flooder` tries at each step, each of `others` `each` times per 103.7 ms, so that
/// they fall on every part of a window. Returns admitted: of the flooder, of the others; and how many these tried.
fn flood(budget: &mut BarrageBudget, others: u32, each: u32, priority: Priority) -> (u32, u32, u32) {
    let (mut flooder, mut honest, mut tried) = (0, 0, 0);
    for step in 0..50_000 {
        let now = MS * step / 10;
        flooder += u32::from(budget.admit(now, &user(0), priority).is_ok());
        for other in (1..=others).filter(|other| (step + other * 37).is_multiple_of(1037 / each)) {
            let admitted = budget.admit(now, &user(other as usize), priority).is_ok();
            // In the first windows the budget cannot know that there are others.
            if step >= 2000 {
                tried += 1;
                honest += u32::from(admitted);
            }
        }
    }
    (flooder, honest, tried)
}

/// Runs 10 s of a room that passes on 1,000 per second, offered so many times that by 30 senders, each of all three
/// priorities in turn. Returns which part of each priority's offers was admitted: low, medium, high.
fn shares_at(overload: f64) -> [f64; 3] {
    let mut budget = BarrageBudget::new(1000, 100);
    let (mut admitted, mut offered) = ([0_u32; 3], [0_u32; 3]);
    for step in 0..(10_000.0 * overload) as u32 {
        let now = Duration::from_secs_f64(f64::from(step) / overload / 1000.0);
        let at = (step / 30 + step) as usize % 3;
        offered[at] += 1;
        admitted[at] += u32::from(budget.admit(now, &user(step as usize % 30), Priority::ALL[at]).is_ok());
    }
    [0, 1, 2].map(|at| f64::from(admitted[at]) / f64::from(offered[at]))
}

#[test]
fn high_priority_is_whole_up_to_twice_the_budget() {
    for overload in [0.5, 1.0, 1.5, 2.0] {
        let [_, _, high] = shares_at(overload);
        assert!((high - 1.0).abs() < f64::EPSILON, "{overload} times: {high}");
    }
}

#[test]
fn under_lasting_overload_priority_is_strict_and_the_lower_ones_keep_a_tenth_each() {
    // A third of the load each.
    for (overload, right) in [(1.0, [1.0; 3]), (2.0, [0.15, 0.35, 1.0]), (3.0, [0.1, 0.1, 0.8]), (20.0, [0.015, 0.015, 0.12])] {
        let shares = shares_at(overload);
        for (share, right) in shares.iter().zip(right) {
            assert!((right * 0.95..=right * 1.1).contains(share), "{overload} times: {shares:?}");
        }
    }
}

#[test]
fn what_the_lower_ones_keep_is_the_higher_ones_while_they_do_not_want_it() {
    let mut budget = BarrageBudget::new(1000, 100);
    let admitted = (0..20_000).filter(|step| budget.admit(MS * *step / 2, &user(*step as usize % 10), Priority::High).is_ok()).count();
    assert!((10_000..=10_100).contains(&admitted), "{admitted}");
}

#[test]
fn a_flooder_does_not_silence_a_sender_of_one_barrage_per_window() {
    for (per_second, burst, others) in [(200, 50, 1), (200, 50, 10), (1000, 10, 1), (100, 100, 5), (50, 10, 2)] {
        for priority in Priority::ALL {
            let (flooder, honest, tried) = flood(&mut BarrageBudget::new(per_second, burst), others, 1, priority);
            // Ten at once are too few to keep one for each of two who come together.
            let at_least = if burst == 10 { tried * 97 / 100 } else { tried };
            assert!(honest >= at_least, "{per_second}/s, burst {burst}, {others} others, {priority:?}: {honest} of {tried}");
            let left = (per_second * 5 + burst).saturating_sub(honest);
            assert!(flooder >= left * 7 / 10, "what the others leave is not wasted: {flooder} of {left}");
        }
    }
}

#[test]
fn a_flooder_leaves_the_others_their_whole_share() {
    // 20 per window and six senders: three each.
    let (flooder, honest, tried) = flood(&mut BarrageBudget::new(200, 50), 5, 3, Priority::Low);
    assert!(honest * 100 >= tried * 98, "{honest} of {tried}");
    assert!(flooder >= 200, "{flooder}");
}

#[test]
fn when_there_is_not_one_per_window_for_everyone_flooders_still_get_no_more_than_others() {
    // 20 flooders without pause and 40 who try every 100 ms share 10 per second: in windows of 100 ms the flooders take all.
    let mut budget = BarrageBudget::new(10, 10);
    let (mut flooders, mut honest) = (0, 0);
    for step in 0..60_000u32 {
        let now = MS * step;
        (0..20).for_each(|n| flooders += u32::from(budget.admit(now, &user(n), Priority::Low).is_ok()));
        for n in (20..60).filter(|n| (step + *n as u32 * 7).is_multiple_of(100)) {
            honest += u32::from(budget.admit(now, &user(n), Priority::Low).is_ok());
        }
    }
    assert!(honest >= flooders, "{honest} of 40 honest senders, {flooders} of 20 flooders");
}

#[test]
fn a_sender_alone_has_the_budget_to_itself() {
    let mut budget = BarrageBudget::new(10, 10);
    let at_once = (0..100).filter(|_| budget.admit(Duration::ZERO, &user(0), Priority::High).is_ok()).count();
    assert_eq!(at_once, 5, "what the lower ones keep stays, and of the common part a fifth for whoever comes next");
    assert!(budget.admit(Duration::ZERO, &user(1), Priority::High).is_ok());
    let (admitted, _, _) = flood(&mut BarrageBudget::new(200, 50), 0, 1, Priority::Low);
    assert!((1000..=1050).contains(&admitted), "{admitted}");
}

#[test]
fn what_low_leaves_medium_may_use_and_what_medium_leaves_high_may_use() {
    let mut budget = BarrageBudget::new(0, 100);
    let mut admitted =
        |priority, from: usize| (from..from + 100).filter(|n| budget.admit(Duration::ZERO, &user(*n), priority).is_ok()).count();
    // Of the common 80 and of its own ten.
    assert_eq!(admitted(Priority::Low, 0), 48 + 10);
    assert_eq!(admitted(Priority::Medium, 100), 16 + 10);
    assert_eq!(admitted(Priority::Low, 200), 0);
    assert_eq!(admitted(Priority::High, 300), 16);
    assert_eq!(admitted(Priority::High, 400), 0);
}

#[test]
fn at_overload_higher_priorities_get_the_larger_share() {
    let mut budget = BarrageBudget::new(100, 50);
    let mut admitted = [0u32; 3];
    for step in 0..30_000usize {
        // 3000 barrages per second, thirty times the budget, of 300 senders.
        let priority = Priority::ALL[step % 3];
        admitted[step % 3] += u32::from(budget.admit(MS * step as u32 / 3, &user(step % 300), priority).is_ok());
    }
    let [low, medium, high] = admitted;
    assert!(high >= medium && medium >= low, "{admitted:?}");
    assert!(low + medium + high >= 1000, "{admitted:?}");
}

#[test]
fn the_smallest_budgets_admit_every_priority_and_none_admits_nothing() {
    for burst in 1..5 {
        for priority in Priority::ALL {
            assert!(BarrageBudget::new(1, burst).admit(MS, &user(0), priority).is_ok(), "{burst} {priority:?}");
        }
    }
    assert_eq!(BarrageBudget::new(10, 0).admit(MS, &user(0), Priority::High), Err(DropReason::OverBudget));
}

#[test]
fn the_reason_says_whether_the_room_or_the_sender_is_over() {
    let mut budget = BarrageBudget::new(20, 100);
    assert!(budget.admit(Duration::ZERO, &user(1), Priority::Low).is_ok());
    let refused = (0..100).find_map(|_| budget.admit(Duration::ZERO, &user(0), Priority::Low).err());
    assert_eq!(refused, Some(DropReason::Unfair));
    assert!(budget.admit(Duration::ZERO, &user(2), Priority::Low).is_ok());
    for n in 3..100 {
        let _verdict = budget.admit(Duration::ZERO, &user(n), Priority::Low);
    }
    assert_eq!(budget.admit(Duration::ZERO, &user(100), Priority::Low), Err(DropReason::OverBudget));
}

#[test]
fn senders_kept_in_memory_are_bounded_and_forgotten() {
    let mut budget = BarrageBudget::new(1_000_000, 1_000_000);
    for n in 0..3 * SENDERS_MAX {
        let _verdict = budget.admit(MS, &user(n), Priority::Low);
    }
    let senders = |budget: &BarrageBudget| budget.classes[0].senders.clone();
    assert_eq!(senders(&budget).window.seen.len(), SENDERS_MAX);
    assert_eq!(senders(&budget).window.others as usize, 2 * SENDERS_MAX);
    for second in [60, 120, 180] {
        let _verdict = budget.admit(Duration::from_secs(second), &user(0), Priority::Low);
    }
    let senders = &budget.classes[0].senders;
    assert_eq!(senders.count, 1);
    assert!(senders.window.seen.capacity() + senders.previous.seen.capacity() <= 4 * IDLE_CAPACITY_MAX);
}

#[test]
fn extreme_numbers_do_not_overflow() {
    for (per_second, burst) in [(u32::MAX, u32::MAX), (u32::MAX, 1), (1, u32::MAX), (0, 0)] {
        let mut budget = BarrageBudget::new(per_second, burst);
        for now in [Duration::ZERO, Duration::MAX, MS, Duration::MAX] {
            for n in 0..5 {
                let _verdict = budget.admit(now, &user(n % 2), Priority::Low);
            }
        }
    }
}

/// Steps of time in microseconds, sender, priority.
fn arrivals() -> impl Strategy<Value = Vec<(u64, usize, usize)>> {
    prop::collection::vec((prop_oneof![Just(0u64), 0u64..2_000, 0u64..300_000], 0usize..8, 0usize..3), 0..400)
}

proptest! {
    #[test]
    fn never_admits_more_than_rate_and_burst_allow(per_second in 0u32..500, burst in 0u32..100, arrivals in arrivals()) {
        let mut budget = BarrageBudget::new(per_second, burst);
        let (mut now, mut admitted) = (0u64, Vec::new());
        for (step, sender, priority) in arrivals {
            now += step;
            if budget.admit(Duration::from_micros(now), &user(sender), Priority::ALL[priority]).is_ok() {
                admitted.push(now);
            }
        }
        // In any span, not only from the beginning.
        for (first, from) in admitted.iter().enumerate().step_by(7) {
            for (last, to) in admitted.iter().enumerate().skip(first).step_by(3) {
                let allowed = u64::from(per_second) * (to - from) / 1_000_000 + u64::from(burst);
                prop_assert!((last - first + 1) as u64 <= allowed, "{} in {} us", last - first + 1, to - from);
            }
        }
    }

    #[test]
    fn what_a_priority_is_granted_of_the_common_part_a_higher_one_is_granted_too(burst in 1u32..100, arrivals in arrivals()) {
        let mut budget = BarrageBudget::new(50, burst);
        let mut now = Duration::ZERO;
        for (step, sender, priority) in arrivals {
            now += Duration::from_micros(step);
            budget.refill(now);
            let mut common = budget.clone();
            common.classes.iter_mut().for_each(|class| class.kept.level = 0);
            let granted = Priority::ALL.map(|priority| common.clone().admit(now, &user(sender), priority).is_ok());
            prop_assert!(granted.is_sorted(), "low, medium, high: {:?}", granted);
            let _verdict = budget.admit(now, &user(sender), Priority::ALL[priority]);
        }
    }

    #[test]
    fn under_budget_nothing_is_refused(senders in prop::collection::vec((0usize..8, 0usize..3, 0u64..20), 1..300), burst in 1u32..50) {
        // 100 per second, and never two within 10 ms.
        let mut budget = BarrageBudget::new(100, burst);
        let mut now = 0;
        for (sender, priority, pause) in senders {
            now += 10 + pause;
            let admitted = budget.admit(Duration::from_millis(now), &user(sender), Priority::ALL[priority]);
            prop_assert_eq!(admitted, Ok(()));
        }
    }
}
