//! Looking through a conversation: the database compares, and sends whole only what is looked for.

use tokio_postgres::types::ToSql;

use super::messages::seqs_of;
use super::{CONV, Reader, direction, seen_by};
use crate::model::{Conversation, DOTTED_I, FINAL_SIGMA, Search, UNSEEN};
use crate::store::coarse::LookedAt;
use crate::store::error::StoreError;
use crate::store::postgres::message_row::message_at;
use crate::store::postgres::place::{number, unsigned, without_nul};
use crate::store::types::Page;

/// As a page of messages, with what they are compared by; what the columns cannot tell is compared again.
pub(in crate::store::postgres) fn look_text(backwards: bool, has_viewer: bool) -> String {
    let (seen, direction, words) = (seen_by("$14", has_viewer), direction(backwards), words());
    format!(
        "SELECT m.seq, m.stamp, m.id, m.order_key, m.at_ms, m.priority, m.sender, m.local_id,
                CASE WHEN x.wanted THEN m.content::text END, CASE WHEN x.wanted THEN m.state::text END
         FROM messages m CROSS JOIN LATERAL (SELECT (cardinality($9::int2[]) = 0 OR m.kind = ANY($9))
             AND (cardinality($10::text[]) = 0 OR m.sender = ANY($10)) AND m.at_ms >= $11 AND ($12::int8 = 0 OR m.at_ms <= $12)
             AND (cardinality($13::text[]) = 0 OR {words} LIKE ALL($13)) wanted) x
         WHERE m.conv = {CONV} AND m.seq >= $5 AND m.seq < $6 AND m.stamp <= $8 {seen}
         ORDER BY m.seq {direction} LIMIT $7"
    )
}

/// What a message is compared by: what was stored before some characters were told alike is brought there while it is read.
fn words() -> String {
    let ((sigma, compared), (dotted, plain)) = (FINAL_SIGMA, DOTTED_I);
    let unseen: String = UNSEEN.into_iter().collect();
    format!("replace(translate(m.words, '{sigma}{unseen}', '{compared}'), '{dotted}', '{plain}')")
}

/// Returns a keyword as a pattern that any text with it fits.
fn pattern(keyword: &str) -> String {
    let escaped = without_nul(keyword).replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}

/// Returns of a page where each message stands, and of those looked for all.
pub(in crate::store::postgres) async fn look(
    reader: Reader,
    conversation: Conversation,
    page: Page,
    search: Search,
) -> Result<Vec<LookedAt>, StoreError> {
    let connection = reader.connection().await?;
    let (low, high) = seqs_of(&connection, &conversation, &page).await?;
    let (low, high, count) = (number(low), number(high), number(page.count as u64));
    let told = number(connection.told(&conversation));
    let kinds: Vec<i16> = search.kinds.iter().map(|kind| i16::try_from(*kind).unwrap_or(-1)).collect();
    let senders: Vec<&str> = search.senders.iter().map(|sender| sender.as_str()).collect();
    let (from_ms, to_ms) = (number(search.from_ms), number(search.to_ms));
    let patterns: Vec<String> = search.keywords().normalised().iter().map(|keyword| pattern(keyword)).collect();
    let viewer = page.viewer.as_ref().map(|viewer| viewer.as_str());
    let mut params: Vec<&(dyn ToSql + Sync)> = vec![&low, &high, &count, &told, &kinds, &senders, &from_ms, &to_ms, &patterns];
    params.extend(viewer.as_ref().map(|viewer| viewer as &(dyn ToSql + Sync)));
    let rows = connection.rows_of(&conversation, &look_text(page.backwards, viewer.is_some()), &params).await?;
    let looked_at = rows.iter().map(|row| {
        let content: Option<&str> = row.get(8);
        let message = content.map(|_| message_at(row, 0, &conversation)).transpose()?;
        Ok(LookedAt {
            seq: unsigned(row.get(0)),
            order_key: unsigned(row.get(3)),
            id: unsigned(row.get(2)),
            found: message.map(|stored| stored.message).filter(|message| search.finds(message)),
        })
    });
    let mut looked_at: Vec<LookedAt> = looked_at.collect::<Result<_, _>>()?;
    if page.backwards {
        looked_at.reverse();
    }
    Ok(looked_at)
}
