//! What a question gives, page by page, and what its rows say.

use tokio_postgres::{Client, Row};

use super::CopyError;
use crate::model::{Conversation, FileUid};
use crate::store::error::StoreError;
use crate::store::format::record::Head;
use crate::store::postgres::place::{conversation_at, unsigned};
use crate::store::postgres::writer::look_up::file_of;
use crate::store::types::SINGLE_NODE_EPOCH;

/// The columns that name a conversation.
pub(super) const NAMED: &str = "c.kind, c.one, c.other, c.incarnation";
/// What is not on its way out.
pub(super) const LIVE: &str = "NOT EXISTS (SELECT FROM removals r WHERE r.conv = c.conv)";

/// Rows that are fetched at once.
const PAGE_ROWS: usize = 500;
/// The same of what may be megabytes each.
const LARGE_ROWS: usize = 8;

/// Hands each row that a question gives to `take`, and holds no more than a page of them.
pub(super) async fn each_row(client: &Client, text: &str, take: impl FnMut(&Row) -> Result<(), StoreError>) -> Result<(), CopyError> {
    pages_of(client, PAGE_ROWS, text, take).await
}

/// The same with large rows.
pub(super) async fn each_large_row(client: &Client, text: &str, take: impl FnMut(&Row) -> Result<(), StoreError>) -> Result<(), CopyError> {
    pages_of(client, LARGE_ROWS, text, take).await
}

async fn pages_of(
    client: &Client,
    page_rows: usize,
    text: &str,
    mut take: impl FnMut(&Row) -> Result<(), StoreError>,
) -> Result<(), CopyError> {
    client.batch_execute(&format!("DECLARE page NO SCROLL CURSOR FOR {text}")).await?;
    let fetch = client.prepare(&format!("FETCH {page_rows} FROM page")).await?;
    loop {
        let rows = client.query(&fetch, &[]).await?;
        rows.iter().try_for_each(&mut take)?;
        if rows.len() < page_rows {
            break;
        }
    }
    client.batch_execute("CLOSE page").await?;
    Ok(())
}

/// Reads `seq, order_key, stamp, whole_from` behind the columns of a conversation.
pub(super) fn head_at(row: &Row) -> Head {
    let [seq, order_key, commit, whole_from] = [4, 5, 6, 7].map(|at| unsigned(row.get(at)));
    Head { seq, order_key, epoch: SINGLE_NODE_EPOCH, commit, whole_from }
}

/// Reads a file's name, which is text here.
pub(super) fn file_at(row: &Row, at: usize) -> Result<FileUid, StoreError> {
    file_of(row.get(at)).ok_or_else(|| StoreError::Damaged("the name of a file cannot be read".into()))
}

/// Reads the conversation in the first columns, and the seq in the fifth.
pub(super) fn place_at(row: &Row) -> Result<(Conversation, u64), StoreError> {
    Ok((conversation_at(row, 0)?, unsigned(row.get(4))))
}
