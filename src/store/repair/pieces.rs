//! Records in several pieces, put together once all that the log has of them was found.
//!
//! Only a whole record proves itself. So a piece from a frame that does not match its checksum decides nothing: it is one more
//! that may fit, besides what older frames say.

use std::collections::HashMap;

use crate::store::backend::sled::piece_key;

/// Whether a word stood in a frame that matches its checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Sound,
    Damaged,
}

/// A further piece: the newest from a sound frame and the newest from damaged ones.
#[derive(Default)]
struct Piece {
    sound: Option<Vec<u8>>,
    damaged: Option<Vec<u8>>,
}

impl Piece {
    fn of(&self, first: Source) -> Option<&Vec<u8>> {
        match first {
            Source::Sound => self.sound.as_ref().or(self.damaged.as_ref()),
            Source::Damaged => self.damaged.as_ref().or(self.sound.as_ref()),
        }
    }
}

/// What was found of records in several pieces.
#[derive(Default)]
pub(crate) struct Pieces {
    /// By key: how many further pieces there are, and the first; the newest word first.
    firsts: HashMap<Vec<u8>, Vec<(u16, Vec<u8>)>>,
    /// By their own keys.
    further: HashMap<Vec<u8>, Piece>,
}

impl Pieces {
    /// Takes the first piece of a record, which says how many follow. Newer ones come before older ones.
    pub(crate) fn first(&mut self, key: Vec<u8>, count: u16, piece: &[u8]) {
        self.firsts.entry(key).or_default().push((count, piece.to_vec()));
    }

    /// Takes a further piece. Newer ones come before older ones.
    pub(crate) fn further(&mut self, key: Vec<u8>, piece: &[u8], source: Source) {
        let found = self.further.entry(key).or_default();
        let place = if source == Source::Sound { &mut found.sound } else { &mut found.damaged };
        place.get_or_insert_with(|| piece.to_vec());
    }

    /// Returns the records that can be put together, each with its key. Where a piece is missing, the record is lost.
    pub(crate) fn join(self, is_record: impl Fn(&[u8], &[u8]) -> bool) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut joined = Vec::new();
        for (key, firsts) in &self.firsts {
            let mut records = firsts.iter().flat_map(|(count, first)| {
                [Source::Sound, Source::Damaged].into_iter().filter_map(|source| self.join_one(key, *count, first, source))
            });
            joined.extend(records.find(|record| is_record(key, record)).map(|record| (key.clone(), record)));
        }
        joined
    }

    fn join_one(&self, key: &[u8], count: u16, first: &[u8], source: Source) -> Option<Vec<u8>> {
        let mut record = first.to_vec();
        for piece in 0..count {
            record.extend_from_slice(self.further.get(&piece_key(key, piece))?.of(source)?);
        }
        Some(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_found_among_sound_and_damaged_pieces() {
        let mut pieces = Pieces::default();
        pieces.first(b"k".to_vec(), 40_000, b"no");
        pieces.first(b"k".to_vec(), 2, b"a");
        pieces.further(piece_key(b"k", 0), b"?", Source::Damaged);
        pieces.further(piece_key(b"k", 0), b"b", Source::Sound);
        pieces.further(piece_key(b"k", 1), b"c", Source::Damaged);
        assert_eq!(pieces.join(|_, record| record == b"abc"), [(b"k".to_vec(), b"abc".to_vec())]);
    }

    #[test]
    fn what_lacks_a_piece_is_lost() {
        let mut pieces = Pieces::default();
        pieces.first(b"k".to_vec(), 1, b"a");
        assert!(pieces.join(|_, _| true).is_empty());
    }
}
