//! How much of a message a client of a given version may see. Source: spec 1.6.

use crate::model::SdkVersion;

/// Versions that see messages alike share one encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Variant {
    /// Below 2.0.0: kinds it does not know are not sent at all.
    Ancient,
    /// 2.0.0 up to 2.8.0: a custom message arrives as kind 0, without content.
    NoCustom,
    /// 2.8.0 and later: everything there is today.
    Full,
}

impl Variant {
    /// All of them, as indices into per-variant tables.
    pub(crate) const ALL: [Self; 3] = [Self::Ancient, Self::NoCustom, Self::Full];

    /// The variant of a version.
    #[must_use]
    pub(crate) fn of(version: SdkVersion) -> Self {
        if version < SdkVersion::UNKNOWN_KINDS {
            Self::Ancient
        } else if version < SdkVersion::CUSTOM {
            Self::NoCustom
        } else {
            Self::Full
        }
    }

    /// Position in [`Variant::ALL`].
    #[must_use]
    pub(crate) fn index(self) -> usize {
        match self {
            Self::Ancient => 0,
            Self::NoCustom => 1,
            Self::Full => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_has_the_variant_of_its_row_in_the_table() {
        for (version, variant) in [
            ("1.9.9", Variant::Ancient),
            ("2.0.0", Variant::NoCustom),
            ("2.7.9", Variant::NoCustom),
            ("2.8.0", Variant::Full),
            ("2.14.0", Variant::Full),
            ("3.1.0", Variant::Full),
        ] {
            assert_eq!(Variant::of(SdkVersion::parse(version).unwrap()), variant, "{version}");
        }
        for (n, variant) in Variant::ALL.into_iter().enumerate() {
            assert_eq!(variant.index(), n);
        }
    }
}
