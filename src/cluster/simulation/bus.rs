//! The simulated bus: it loses, doubles, delays and parts.

use std::collections::BTreeSet;

use super::PLACES;
use super::random::Random;

/// What is wrong with it now.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// In a thousand.
    pub(super) loss: u64,
    pub(super) doubling: u64,
    /// The longest delay, ms. Above one, what is sent later may come earlier.
    pub(super) delay_max: u64,
    /// Places that reach nobody, themselves included.
    pub(super) cut: BTreeSet<usize>,
    /// Pairs of places that do not reach each other.
    pub(super) parted: BTreeSet<(usize, usize)>,
}

impl Faults {
    /// Returns after how many milliseconds each copy of a packet arrives.
    pub(super) fn arrivals(&self, from: usize, to: usize, random: &mut Random) -> Vec<u64> {
        let is_parted = self.parted.contains(&(from.min(to), from.max(to)));
        if self.cut.contains(&from) || self.cut.contains(&to) || is_parted || random.chance(self.loss) {
            return Vec::new();
        }
        let copies = 1 + u64::from(random.chance(self.doubling));
        (0..copies).map(|_| 1 + random.below(self.delay_max.max(1))).collect()
    }

    /// Makes something worse.
    pub(super) fn worsen(&mut self, random: &mut Random) {
        match random.below(5) {
            0 => self.loss = random.between(1, 300),
            1 => self.doubling = random.between(1, 200),
            2 => self.delay_max = random.between(2, 400),
            3 => {
                self.cut.insert(random.index(PLACES));
            }
            _ => {
                let one = random.index(PLACES);
                let other = (one + 1) % PLACES;
                self.parted.insert((one.min(other), one.max(other)));
            }
        }
    }
}
