//! Which versions of what processes say to each other they speak: written down in the store that they share.

/// The versions of what processes say to each other that one of them speaks, both ends included. 0 and 0: it says nothing to others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Speaks {
    /// The oldest.
    pub from: u8,
    /// The newest.
    pub to: u8,
}

#[cfg_attr(not(feature = "cluster"), allow(dead_code, reason = "only between nodes"))]
impl Speaks {
    pub(crate) fn contains(self, version: u8) -> bool {
        (self.from..=self.to).contains(&version)
    }

    /// Returns the newest version that all of these speak; none: there is no such.
    pub(crate) fn in_common(all: impl IntoIterator<Item = Self>) -> Option<u8> {
        let both = |one: Self, other: Self| Self { from: one.from.max(other.from), to: one.to.min(other.to) };
        all.into_iter().reduce(both).filter(|common| common.from <= common.to).map(|common| common.to)
    }
}

/// What this program speaks.
///
/// A release that changes what nodes say adds the new version at the end and goes on to speak the one before, so that nodes of both
/// work together while they are replaced: what only the new version knows is sent once all speak it.
pub const SPEAKS: Speaks = Speaks { from: 1, to: 1 };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_that_all_speak_is_spoken() {
        let common = |all: &[(u8, u8)]| Speaks::in_common(all.iter().map(|(from, to)| Speaks { from: *from, to: *to }));
        assert_eq!(
            [common(&[]), common(&[(1, 1)]), common(&[(1, 2), (2, 3)]), common(&[(1, 3), (2, 3)])],
            [None, Some(1), Some(2), Some(3)]
        );
        assert_eq!([common(&[(1, 2), (3, 4)]), common(&[(1, 2), (2, 3), (3, 4)])], [None, None]);
    }
}
