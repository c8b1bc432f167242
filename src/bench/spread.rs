//! Who is at which of several brokers, decided by a seed.

/// Numbers that look like chance and are the same for the same seed. Source: `SplitMix64`, Steele, Lea and Flood 2014.
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns a number below `sides`, which is not 0.
    pub(super) fn below(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % sides.max(1) as u64).unwrap_or(0)
    }
}

/// Returns the broker of each of so many members: chance says who is where, and each broker has as many, to one.
pub(super) fn spread(members: usize, nodes: usize, dice: &mut Dice) -> Vec<usize> {
    let mut places: Vec<usize> = (0..members).map(|n| n % nodes).collect();
    for n in (1..places.len()).rev() {
        places.swap(n, dice.below(n + 1));
    }
    places
}

/// Returns a broker other than this one, if there is another.
pub(super) fn elsewhere(node: usize, nodes: usize, dice: &mut Dice) -> usize {
    if nodes < 2 { node } else { (node + 1 + dice.below(nodes - 1)) % nodes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_broker_has_as_many_and_the_same_seed_the_same_places() {
        let places = |seed| spread(10, 3, &mut Dice::new(seed));
        let mut counts = [0; 3];
        places(1).into_iter().for_each(|node| counts[node] += 1);
        assert_eq!(counts, [4, 3, 3]);
        assert_eq!(places(1), places(1));
        assert_ne!(places(1), places(2));
    }

    #[test]
    fn elsewhere_is_never_here_and_can_be_anywhere_else() {
        let mut dice = Dice::new(7);
        let mut seen = [false; 4];
        (0..100).for_each(|_| seen[elsewhere(2, 4, &mut dice)] = true);
        assert_eq!(seen, [true, true, false, true]);
        assert_eq!(elsewhere(0, 1, &mut dice), 0);
    }
}
