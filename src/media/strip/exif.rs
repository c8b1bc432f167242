//! The one thing of EXIF that an image cannot do without: how it is turned.

use super::at;

/// How to show an image: turned, mirrored.
const ORIENTATION: u16 = 0x0112;

/// Entries looked at.
const ENTRIES_MAX: u16 = 512;

/// Returns a block of EXIF that says how an image is turned and nothing else, made of one that says more; none: it stands upright.
/// Both begin with the head of a TIFF.
pub(super) fn only_orientation(exif: &[u8]) -> Option<Vec<u8>> {
    let orientation = orientation(exif).filter(|turned| (2..=8).contains(turned))?;
    let [high, low] = orientation.to_be_bytes();
    let mut made = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01".to_vec();
    made.extend([high, low, 0, 0, 0, 0, 0, 0]);
    Some(made)
}

fn orientation(exif: &[u8]) -> Option<u16> {
    let is_little = match at::<4>(exif, 0)? {
        [b'I', b'I', 42, 0] => true,
        [b'M', b'M', 0, 42] => false,
        _ => return None,
    };
    let short = |offset| at(exif, offset).map(if is_little { u16::from_le_bytes } else { u16::from_be_bytes });
    let long = |offset| at(exif, offset).map(if is_little { u32::from_le_bytes } else { u32::from_be_bytes });
    let directory = usize::try_from(long(4)?).ok()?;
    for n in 0..short(directory)?.min(ENTRIES_MAX) {
        let entry = directory.checked_add(2 + 12 * usize::from(n))?;
        // A short, one of them.
        if (short(entry)?, short(entry + 2)?, long(entry + 4)?) == (ORIENTATION, 3, 1) {
            return short(entry + 8);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_says_how_it_is_turned_and_nothing_else() {
        let little = b"II*\0\x08\0\0\0\x02\0\x0f\x01\x02\0\x04\0\0\0abc\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
        let made = only_orientation(little).unwrap();
        assert_eq!((made.len(), orientation(&made)), (26, Some(6)));
        assert_eq!(only_orientation(&made), Some(made.clone()));
        let mut upright = made.clone();
        upright[19] = 1;
        assert_eq!(only_orientation(&upright), None);
        for end in 0..made.len() - 6 {
            assert_eq!(only_orientation(&made[..end]), None, "cut at {end}");
        }
        assert_eq!(only_orientation(b"MM\0*\xFF\xFF\xFF\xFF"), None);
    }
}
