//! Mending frames of which one bit is not as it was written.
//!
//! A frame's checksum tells more than that it does not match: as long as one bit alone is wrong it also tells which. Such a frame
//! is read as it was written, so a flipped bit costs nothing wherever it is: it would otherwise cost every record of which
//! the newest word stands in that frame, up to a whole page of them.

use super::log_segment::{FRAME_HEADER_BYTES_MAX, Header, read_frame, walk};

/// CRC-32 of IEEE 802.3, bits reversed.
const POLYNOMIAL: u32 = 0xEDB8_8320;
/// The checksum comes first in a frame; it covers the body, then the rest of the header.
const SUM_BYTES: usize = 4;

/// Mends what can be mended of a segment's frames; returns how many were.
pub(crate) fn mend(segment: &mut [u8]) -> usize {
    let (mut from, mut mended) = (0, 0);
    loop {
        let found = walk(segment);
        let starts = found.gaps.iter().map(|gap| gap.range.start).filter(|at| *at >= from);
        let Some((at, bit)) = starts.into_iter().find_map(|at| Some((at, wrong_bit(segment, at, found.number)?))) else {
            return mended;
        };
        flip(segment, bit);
        (from, mended) = (at + 1, mended + 1);
    }
}

/// Bits are counted from the segment's first byte on, the lowest of each byte first.
fn flip(segment: &mut [u8], bit: usize) {
    segment[bit / 8] ^= 1 << (bit % 8);
}

/// Returns the one bit without which the frame at a place matches its checksum; none: there is none, or no frame.
fn wrong_bit(segment: &mut [u8], at: usize, number: Option<u64>) -> Option<usize> {
    if let Some(header) = read_frame(segment, at, number)
        && let Some(bit) = wrong_bit_of_frame(&header)
    {
        return Some(bit);
    }
    // With another length, number or kind it would be another frame.
    let header_end = segment.len().min(at + FRAME_HEADER_BYTES_MAX);
    ((at + SUM_BYTES) * 8..header_end * 8).find(|bit| {
        flip(segment, *bit);
        let is_sound = read_frame(segment, at, number).is_some_and(|header| header.is_sound());
        flip(segment, *bit);
        is_sound
    })
}

/// Returns which bit of checksum or body is wrong, if the header is as it was written.
fn wrong_bit_of_frame(header: &Header) -> Option<usize> {
    let difference = header.stored ^ header.computed?;
    if difference.is_power_of_two() {
        return Some(header.frame.at * 8 + difference.trailing_zeros() as usize);
    }
    let body = &header.frame.body;
    let header_bits = (body.start - header.frame.at - SUM_BYTES) * 8;
    // What one wrong bit does to a checksum: first that of the last bit of all, then that of the one before it, and so on.
    let effects = std::iter::successors(Some(POLYNOMIAL), |sum| Some((sum >> 1) ^ if sum & 1 == 1 { POLYNOMIAL } else { 0 }));
    let of_body = (body.start * 8..body.end * 8).rev().zip(effects.skip(header_bits));
    of_body.into_iter().find_map(|(bit, effect)| (effect == difference).then_some(bit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::backend::log_segment::{SEGMENT_HEADER_BYTES, sealed_frame, sealed_segment};

    #[test]
    fn every_bit_of_a_frame_can_be_mended() {
        let frames = [sealed_frame(8, 3, 1, b"one"), sealed_frame(10, 3, 2, &[7; 120]), sealed_frame(10, 3, 3, b"last")];
        let mut whole = sealed_segment(3, &frames);
        whole.truncate(1024);
        assert_eq!(mend(&mut whole.clone()), 0);
        let begin = SEGMENT_HEADER_BYTES * 8;
        for bit in begin..begin + frames.concat().len() * 8 {
            let mut segment = whole.clone();
            flip(&mut segment, bit);
            assert_eq!(mend(&mut segment), 1, "bit {bit}");
            assert!(segment == whole, "bit {bit}");
        }
    }

    #[test]
    fn two_frames_with_a_wrong_bit_each_are_mended_and_one_with_two_is_not() {
        let frames = [sealed_frame(10, 3, 1, &[1; 50]), sealed_frame(10, 3, 2, &[2; 50]), sealed_frame(10, 3, 3, &[3; 50])];
        let whole = sealed_segment(3, &frames);
        let second = SEGMENT_HEADER_BYTES + frames[0].len();
        let mut segment = whole.clone();
        segment[second - 1] ^= 4;
        segment[second + 20] ^= 16;
        assert_eq!(mend(&mut segment), 2);
        assert!(segment == whole);

        segment[second + 20] ^= 17;
        let damaged = segment.clone();
        assert_eq!(mend(&mut segment), 0);
        assert!(segment == damaged);
    }
}
