//! The key that was probably meant.

/// Returns the known key closest to `key`: one of the same name in another section, else one within a few edits.
pub(super) fn suggestion<'a>(key: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    let name = last(key);
    let near = known
        .map(|candidate| (if last(candidate) == name { 0 } else { distance(key, candidate) }, candidate))
        .min_by_key(|(edits, _)| *edits)?;
    (near.0 <= (key.len() / 4).max(2)).then(|| near.1.to_owned())
}

fn last(key: &str) -> &str {
    key.rsplit_once('.').map_or(key, |(_, name)| name)
}

/// Levenshtein's distance in bytes; both texts cut at 100, as long as no key is.
fn distance(a: &str, b: &str) -> usize {
    let a = &a.as_bytes()[..a.len().min(100)];
    let b = &b.as_bytes()[..b.len().min(100)];
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_single_edits() {
        assert_eq!(distance("listen", "listen"), 0);
        assert_eq!(distance("liste", "listen"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }

    #[test]
    fn a_key_of_the_same_name_elsewhere_wins_and_nothing_is_better_than_nonsense() {
        let known = ["server.listen", "rate.burst", "limits.text_bytes_max"];
        assert_eq!(suggestion("server.text_bytes_max", known.into_iter()).as_deref(), Some("limits.text_bytes_max"));
        assert_eq!(suggestion("listen", known.into_iter()).as_deref(), Some("server.listen"));
        assert_eq!(suggestion("rate.brust", known.into_iter()).as_deref(), Some("rate.burst"));
        assert_eq!(suggestion("kafka.topic", known.into_iter()), None);
    }
}
