//! Schedules by the thousand, and one for each rule that is broken on purpose.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::Defect;
use super::check::{Tally, play};

/// In so many schedules each defect is found.
const SCHEDULES: u64 = 2000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// Plays schedules on two threads until one fails; returns its seed.
fn first_failure(count: u64, defect: Option<Defect>) -> Option<u64> {
    let (next, found, is_over) = (AtomicU64::new(0), AtomicU64::new(u64::MAX), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= count {
                        break;
                    }
                    if catch_unwind(AssertUnwindSafe(|| play(seed, defect))).is_err() {
                        found.fetch_min(seed, Ordering::Relaxed);
                        is_over.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let found = found.into_inner();
    (found != u64::MAX).then_some(found)
}

#[test]
fn whatever_happens_nothing_acknowledged_is_lost_and_every_reader_gets_everything() {
    if let Some(seed) = number("TIDINGS_SIM_SEED") {
        play(seed, None);
        return;
    }
    let failed = first_failure(number("TIDINGS_SIM_SCHEDULES").unwrap_or(SCHEDULES), None);
    assert_eq!(failed, None, "play it again with TIDINGS_SIM_SEED");
}

#[test]
fn schedules_are_full_of_what_they_try() {
    let mut all = Tally::default();
    (0..100).for_each(|seed| all.add(play(seed, None)));
    let Tally { stored, boots, claims, resent, losses, displaced, shed } = all;
    assert!(stored > 10_000 && boots > 500 && claims > 1500, "{all:?}");
    assert!(resent > 5000 && losses > 20 && displaced > 50 && shed > 5000, "{all:?}");
}

fn is_found(defect: Defect) {
    assert!(first_failure(SCHEDULES, Some(defect)).is_some(), "{defect:?} is not found in {SCHEDULES} schedules");
}

#[test]
fn a_fence_that_is_not_read_is_found() {
    is_found(Defect::FenceNotRead);
}

#[test]
fn a_ring_that_is_too_short_and_silent_is_found() {
    is_found(Defect::RingTooShort);
}

#[test]
fn an_acknowledgement_after_a_release_is_found() {
    is_found(Defect::LateRelease);
}

#[test]
fn a_share_that_does_not_come_back_is_found() {
    is_found(Defect::ShareNotReturned);
}

#[test]
fn a_login_that_puts_nobody_out_is_found() {
    is_found(Defect::SeatNotDisplaced);
}

#[test]
fn an_heir_that_vouches_early_is_found() {
    is_found(Defect::HeirVouchesEarly);
}

#[test]
fn a_mark_that_no_heir_can_know_is_found() {
    is_found(Defect::MarkNotWritten);
}

#[test]
fn an_owner_that_vouches_to_whoever_has_just_come_is_found() {
    is_found(Defect::HelloNotAwaited);
}

#[test]
fn newer_messages_that_overtake_those_delivered_again_are_found() {
    is_found(Defect::NotHeld);
}

#[test]
fn connections_numbered_by_a_clock_alone_are_found() {
    is_found(Defect::ConnectionByClock);
}
