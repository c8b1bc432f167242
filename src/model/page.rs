//! Parts of lists, and the flags by which the next part is asked for.

/// Returns the first `count` of some items, and the flag of the last of them where more follow; the flag's default at the end.
pub(crate) fn page_by_key<T, F: Default>(items: impl Iterator<Item = T>, count: usize, flag_of: impl FnOnce(&T) -> F) -> (Vec<T>, F) {
    let mut page: Vec<T> = items.take(count.saturating_add(1)).collect();
    let more = page.len() > count;
    page.truncate(count);
    let flag = page.last().filter(|_| more).map_or_else(F::default, flag_of);
    (page, flag)
}

/// Returns the items from position `next` on, `count` at most, and the position of the next part; 0 at the end.
pub(crate) fn page_by_position<T>(list: Vec<T>, next: u64, count: usize) -> (Vec<T>, u64) {
    let from = usize::try_from(next).unwrap_or(usize::MAX);
    let total = list.len();
    let page: Vec<T> = list.into_iter().skip(from).take(count).collect();
    let reached = from.saturating_add(page.len());
    (page, if reached < total { reached as u64 } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_by_position_cover_a_list_once() {
        let list: Vec<u32> = (0..5).collect();
        assert_eq!(page_by_position(list.clone(), 0, 2), (vec![0, 1], 2));
        assert_eq!(page_by_position(list.clone(), 2, 2), (vec![2, 3], 4));
        assert_eq!(page_by_position(list.clone(), 4, 2), (vec![4], 0));
        assert_eq!(page_by_position(list.clone(), 0, 5), (vec![0, 1, 2, 3, 4], 0));
        assert_eq!(page_by_position(list, u64::MAX, 5), (vec![], 0));
    }

    #[test]
    fn parts_by_key_end_with_the_default_flag() {
        let after = |next: u32| page_by_key((1..=5).filter(move |n| *n > next), 2, |last| *last);
        assert_eq!((after(0), after(2), after(4)), ((vec![1, 2], 2), (vec![3, 4], 4), (vec![5], 0)));
        assert_eq!(page_by_key(1..=3, usize::MAX, |last| *last), (vec![1, 2, 3], 0));
    }
}
