//! Messages: single ones, pages, and what came after a stamp.

use super::{CONV, Connection, Reader, direction, seen_by};
use crate::model::{Conversation, LocalMessageId, Message, UserId};
use crate::store::error::StoreError;
use crate::store::format::rows::Tail;
use crate::store::postgres::message_row::{COLUMNS, Stored, message_at};
use crate::store::postgres::place::{conversation_at, number, unsigned};
use crate::store::postgres::stamp::{RETRY_DAYS, day_of};
use crate::store::shards::StampedMessages;
use crate::store::types::{Anchor, Appended, Page, PageRead, Since, SinceRead};

/// Messages that are fetched at a time: a page of large ones must not be in memory several times over.
const FETCH: usize = 256;

pub(in crate::store::postgres) fn message_text() -> String {
    format!("SELECT {COLUMNS} FROM messages m WHERE m.conv = {CONV} AND m.seq = $5")
}

/// Returns one message, if it is kept.
pub(in crate::store::postgres) async fn message(
    reader: Reader,
    conversation: Conversation,
    seq: u64,
) -> Result<Option<Stored>, StoreError> {
    let connection = reader.connection().await?;
    let row = connection.row_of(&conversation, &message_text(), &[&number(seq)]).await?;
    row.map(|row| message_at(&row, 0, &conversation)).transpose()
}

/// Returns the seq of a message's id.
pub(in crate::store::postgres) async fn seq_of(reader: Reader, conversation: Conversation, id: u64) -> Result<Option<u64>, StoreError> {
    let connection = reader.connection().await?;
    // The search ends at the seq, or before one that is gone: from there on it is the next.
    let text = format!(
        "SELECT m.seq FROM messages m WHERE m.conv = {CONV} AND m.seq >= seq_at({CONV}, $5, true) AND m.id = $5 ORDER BY m.seq LIMIT 1"
    );
    let row = connection.row_of(&conversation, &text, &[&number(id)]).await?;
    Ok(row.and_then(|row| row.get::<_, Option<i64>>(0)).map(unsigned))
}

/// As of the last commit that this process was told of, `$5`: what is newer is about to be told live.
pub(in crate::store::postgres) fn tail_text() -> String {
    format!(
        "SELECT c.seq, c.order_key, c.stamp FROM conversations c WHERE c.conv = {CONV} AND c.seq > 0 AND c.stamp <= $5
         UNION ALL
         SELECT m.seq, m.order_key, m.stamp FROM conversations c JOIN LATERAL (
             SELECT * FROM messages m WHERE m.conv = c.conv AND m.stamp <= $5 ORDER BY m.seq DESC LIMIT 1) m ON true
         WHERE c.conv = {CONV} AND c.stamp > $5"
    )
}

/// Returns where a conversation ends.
pub(in crate::store::postgres) async fn tail(reader: Reader, conversation: Conversation) -> Result<Option<Tail>, StoreError> {
    let connection = reader.connection().await?;
    let told = number(reader.state.told(&conversation));
    let row = connection.row_of(&conversation, &tail_text(), &[&told]).await?;
    Ok(row.map(|row| Tail { seq: unsigned(row.get(0)), order_key: unsigned(row.get(1)), commit: unsigned(row.get(2)) }))
}

/// Returns the conversations that were written to after a stamp.
pub(in crate::store::postgres) async fn written_after(reader: Reader, commit: u64) -> Result<Vec<Conversation>, StoreError> {
    let connection = reader.connection().await?;
    let rows = connection.rows("SELECT kind, one, other, incarnation FROM conversations WHERE stamp > $1", &[&number(commit)]).await?;
    rows.iter().map(|row| conversation_at(row, 0)).collect()
}

pub(in crate::store::postgres) fn retry_text() -> String {
    format!(
        "SELECT {COLUMNS} FROM retries r JOIN messages m ON m.conv = r.conv AND m.seq = r.seq AND m.stamp = r.stamp
         WHERE r.conv = {CONV} AND r.sender = $5 AND r.local_id = $6 AND r.day = ANY($7)"
    )
}

/// Returns the first result of a local id, if there is one.
pub(in crate::store::postgres) async fn first_result(
    reader: Reader,
    conversation: Conversation,
    sender: UserId,
    local_id: LocalMessageId,
) -> Result<Option<Appended>, StoreError> {
    let connection = reader.connection().await?;
    let today = day_of(reader.state.stamps.peek());
    let days: Vec<i32> = (today - RETRY_DAYS..=today + 1).collect();
    let text = retry_text();
    let row = connection.row_of(&conversation, &text, &[&sender.as_str(), &local_id.as_str(), &days]).await?;
    let stored = row.map(|row| message_at(&row, 0, &conversation)).transpose()?;
    Ok(stored.map(|Stored { message, stamp, .. }| Appended { message, commit: stamp, duplicate: true }))
}

pub(in crate::store::postgres) fn page_text(backwards: bool, has_viewer: bool) -> String {
    let (seen, direction) = (seen_by("$10", has_viewer), direction(backwards));
    format!(
        "SELECT {COLUMNS} FROM messages m WHERE m.conv = {CONV} AND m.seq >= $5 AND m.seq < $6 AND m.stamp > $7 AND m.stamp <= $9 {seen}
         ORDER BY m.seq {direction} LIMIT $8"
    )
}

/// What part of a conversation is fetched.
struct Stretch<'a> {
    conversation: &'a Conversation,
    viewer: Option<&'a UserId>,
    /// Messages of this stamp and before it are not wanted.
    after: u64,
    /// From this seq on and below the other.
    low: u64,
    high: u64,
    backwards: bool,
}

impl Stretch<'_> {
    /// Fetches the next messages of what is left. What this process was not told of yet is left out.
    async fn fetch(&self, connection: &Connection, count: usize) -> Result<Vec<Stored>, StoreError> {
        let text = page_text(self.backwards, self.viewer.is_some());
        let (low, high, after, count) = (number(self.low), number(self.high), number(self.after), number(count as u64));
        let (told, viewer) = (number(connection.told(self.conversation)), self.viewer.map_or("", UserId::as_str));
        let mut params: Vec<&(dyn tokio_postgres::types::ToSql + Sync)> = vec![&low, &high, &after, &count, &told];
        if self.viewer.is_some() {
            params.push(&viewer);
        }
        let rows = connection.rows_of(self.conversation, &text, &params).await?;
        rows.iter().map(|row| message_at(row, 0, self.conversation)).collect()
    }

    /// Goes on behind a message.
    fn pass(&mut self, message: &Message) {
        if self.backwards { self.high = message.seq } else { self.low = message.seq + 1 }
    }
}

/// Returns the seqs that a page is about: from the first on and below the second.
pub(super) async fn seqs_of(connection: &Connection, conversation: &Conversation, page: &Page) -> Result<(u64, u64), StoreError> {
    let low = page.first_seq;
    Ok(match (page.anchor, page.backwards) {
        (Anchor::End, _) => (low, u64::MAX),
        (Anchor::Seq(seq), true) => (low, seq),
        (Anchor::Seq(seq), false) => (low.max(seq.saturating_add(1)), u64::MAX),
        (Anchor::OrderKey(order_key), true) => (low, seq_at(connection, conversation, order_key).await?),
        (Anchor::OrderKey(order_key), false) => (low.max(seq_at(connection, conversation, order_key.saturating_add(1)).await?), u64::MAX),
    })
}

async fn seq_at(connection: &Connection, conversation: &Conversation, order_key: u64) -> Result<u64, StoreError> {
    let text = format!("SELECT seq_at({CONV}, $5, false)");
    let row = connection.row_of(conversation, &text, &[&number(order_key)]).await?;
    Ok(row.and_then(|row| row.get::<_, Option<i64>>(0)).map_or(u64::MAX, unsigned))
}

/// Reads a page of a conversation.
pub(in crate::store::postgres) async fn page(reader: Reader, conversation: Conversation, page: Page) -> Result<PageRead, StoreError> {
    let mut read = PageRead::default();
    if page.count == 0 {
        return Ok(read);
    }
    let connection = reader.connection().await?;
    let (low, high) = seqs_of(&connection, &conversation, &page).await?;
    let (viewer, backwards) = (page.viewer.as_ref(), page.backwards);
    let mut stretch = Stretch { conversation: &conversation, viewer, after: 0, low, high, backwards };
    let mut bytes = 0;
    while !read.cut && read.messages.len() < page.count && stretch.low < stretch.high {
        let wanted = FETCH.min(page.count - read.messages.len());
        let fetched = stretch.fetch(&connection, wanted).await?;
        let is_last = fetched.len() < wanted;
        for stored in fetched {
            read.cut = !read.messages.is_empty() && bytes + stored.bytes > page.bytes_max;
            if read.cut {
                break;
            }
            bytes += stored.bytes;
            stretch.pass(&stored.message);
            read.messages.push(stored.message);
        }
        if is_last {
            break;
        }
    }
    if page.backwards {
        read.messages.reverse();
    }
    Ok(read)
}

/// Reads a conversation's messages after a stamp, ascending; of too many the newest.
pub(in crate::store::postgres) async fn since(reader: Reader, conversation: Conversation, since: Since) -> Result<SinceRead, StoreError> {
    let mut read = SinceRead::default();
    let connection = reader.connection().await?;
    let (viewer, low) = (since.viewer.as_ref(), since.first_seq);
    let mut stretch = Stretch { conversation: &conversation, viewer, after: since.commit, low, high: u64::MAX, backwards: true };
    let mut bytes = 0;
    loop {
        // One more than is wanted, to know whether there is more.
        let wanted = FETCH.min((since.count_max - read.messages.len()).saturating_add(1));
        let fetched = stretch.fetch(&connection, wanted).await?;
        let is_last = fetched.len() < wanted;
        for stored in fetched {
            bytes += stored.bytes;
            read.cut = read.messages.len() == since.count_max || bytes > since.bytes_max;
            if read.cut {
                break;
            }
            stretch.pass(&stored.message);
            read.messages.push((stored.stamp, stored.message));
        }
        if read.cut || is_last {
            break;
        }
    }
    read.messages.reverse();
    Ok(read)
}

/// Returns messages of shards after a stamp, in the order of their stamps, and whether there are more. Those of one stamp, which two
/// processes may have made, stay together.
pub(in crate::store::postgres) async fn written_since(
    reader: Reader,
    shards: Vec<i16>,
    stamp: u64,
    count_max: usize,
) -> Result<(StampedMessages, bool), StoreError> {
    let text = format!(
        "SELECT c.kind, c.one, c.other, c.incarnation, {COLUMNS} FROM conversations c
         JOIN messages m ON m.conv = c.conv AND m.stamp > $2
         WHERE c.shard = ANY($1) AND c.stamp > $2 ORDER BY m.stamp, m.conv FETCH FIRST ($3) ROWS ONLY"
    );
    let wanted = count_max.max(1);
    let mut limit = number(wanted as u64).saturating_add(1);
    let connection = reader.connection().await?;
    loop {
        let rows = connection.rows(&text, &[&shards, &number(stamp), &limit]).await?;
        let is_cut = rows.len() as u64 >= unsigned(limit);
        let stamps: Vec<u64> = rows.iter().map(|row| unsigned(row.get(5))).collect();
        // Up to the last of the wanted ones, or of its equals; those after a cut may have equals that were not fetched.
        let kept = if is_cut { stamps.partition_point(|one| *one < stamps[stamps.len() - 1]) } else { stamps.len() };
        if is_cut && kept == 0 {
            limit = limit.saturating_mul(2);
            continue;
        }
        let messages = rows[..kept].iter().map(|row| {
            let stored = message_at(row, 4, &conversation_at(row, 0)?)?;
            Ok((stored.stamp, stored.message))
        });
        return Ok((messages.collect::<Result<_, _>>()?, is_cut));
    }
}
