//! What is kept of messages under test, held against what was acknowledged.

use std::collections::BTreeMap;

use serde_json::json;

use super::error::BenchError;
use super::handshake::Handshake;
use super::marker;
use super::report::Audit;

/// Messages of one page, the most there may be.
const PAGE: u64 = 100;

/// One message of a conversation's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kept {
    seq: u64,
    /// Its number with its sender; 0 of one that is none of ours.
    number: u32,
}

/// Reads the whole history of a conversation of two with this person, from its beginning.
pub(super) async fn read(handshake: &mut Handshake, with: &str) -> Result<Vec<Kept>, BenchError> {
    let mut all = Vec::<Kept>::new();
    loop {
        let mut config = json!({"count": PAGE, "reverse": false});
        if let Some(last) = all.last() {
            config["nextMessage"] = json!({"messageSeq": last.seq});
        }
        let ask = json!({"conversationID": with, "conversationType": 0, "config": config});
        let page = handshake.ask("queryHistoryMessage", &ask).await?;
        let list = page["messageList"].as_array().filter(|list| !list.is_empty());
        let Some(list) = list else { return Ok(all) };
        for message in list {
            let mut number = 0;
            marker::each(message["message"].as_str().unwrap_or_default().as_bytes(), |marker, _| number = marker.number);
            all.push(Kept { seq: message["messageSeq"].as_u64().unwrap_or(0), number });
        }
    }
}

/// Adds to an audit what a history of one sender's messages lacks, has twice or in another order, and where its seq has gaps;
/// `acknowledged` are numbers, of which history must have each.
pub(super) fn hold(history: &[Kept], acknowledged: &[u32], audit: &mut Audit) {
    let mut times = BTreeMap::<u32, u64>::new();
    let (mut last, mut out_of_order) = (0, 0);
    for kept in history.iter().filter(|kept| kept.number > 0) {
        let times = times.entry(kept.number).or_default();
        *times += 1;
        out_of_order += u64::from(*times == 1 && kept.number < last);
        last = last.max(kept.number);
    }
    audit.storable_lost += acknowledged.iter().filter(|number| !times.contains_key(number)).count() as u64;
    audit.duplicates += times.values().map(|times| times - 1).sum::<u64>() + out_of_order;
    audit.seq_breaks += (1..).zip(history).filter(|(seq, kept)| *seq != kept.seq).count().min(1) as u64;
    *audit.in_history.get_or_insert(0) += history.len() as u64;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(numbers: &[u32], seqs: &[u64], acknowledged: &[u32]) -> [u64; 3] {
        let history: Vec<Kept> = numbers.iter().zip(seqs).map(|(number, seq)| Kept { seq: *seq, number: *number }).collect();
        let mut audit = Audit::default();
        hold(&history, acknowledged, &mut audit);
        assert_eq!(audit.in_history, Some(history.len() as u64));
        [audit.storable_lost, audit.duplicates, audit.seq_breaks]
    }

    #[test]
    fn what_is_lost_doubled_swapped_or_skipped_is_seen() {
        assert_eq!(wrong(&[1, 2, 3], &[1, 2, 3], &[1, 2]), [0, 0, 0], "more may be kept than was acknowledged");
        assert_eq!(wrong(&[1, 3], &[1, 2], &[1, 2, 3]), [1, 0, 0]);
        assert_eq!(wrong(&[1, 2, 2], &[1, 2, 3], &[1, 2]), [0, 1, 0]);
        assert_eq!(wrong(&[2, 1, 3], &[1, 2, 3], &[1, 2, 3]), [0, 1, 0]);
        assert_eq!(wrong(&[1, 2], &[1, 3], &[1, 2]), [0, 0, 1]);
        assert_eq!(wrong(&[1, 2], &[2, 3], &[1, 2]), [0, 0, 1]);
        assert_eq!(wrong(&[0, 1], &[1, 2], &[1]), [0, 0, 0], "what is none of ours has a seq, too");
    }
}
