//! What the writer asks before it plans a batch.

use std::borrow::Cow;

use tokio_postgres::{Client, Error};

use super::heads::Heads;
use super::job::Work;
use super::plan::{Found, digest_of};
use super::sql::{Sql, Statements};
use crate::model::{Body, Conversation, FileUid};
use crate::store::error::StoreError;
use crate::store::postgres::message_row::message_at;
use crate::store::postgres::place::number;
use crate::store::postgres::stamp::RETRY_DAYS;
use crate::store::types::RowWrite;

/// What can go wrong: the database, or what is in it.
pub(super) type Looked<T> = Result<Result<T, StoreError>, Error>;

/// Asks for the heads that a batch needs, what its retries repeat, and whether what it refers to is there. `trusts`: what the filter
/// of local ids says counts. `today`: the day of the next stamp.
pub(super) async fn look_up(
    (client, statements): (&Client, &Statements),
    heads: &mut Heads,
    batch: &[Work],
    trusts: bool,
    today: i32,
) -> Looked<Found> {
    let named = conversations(batch);
    let named: Vec<(&Conversation, bool)> = named.iter().map(|(conversation, make)| (&**conversation, *make)).collect();
    if let Err(error) = heads.learn(client, statements, &named).await? {
        return Ok(Err(error));
    }
    let mut found = Found::default();
    if let Err(error) = retries((client, statements), heads, batch, trusts, today, &mut found).await? {
        return Ok(Err(error));
    }
    lists(client, statements, batch, &mut found).await?;
    messages(client, statements, heads, batch, &mut found).await?;
    Ok(Ok(found))
}

/// Returns the conversations that a batch names, and of each whether it is to be made.
pub(super) fn conversations(batch: &[Work]) -> Vec<(Cow<'_, Conversation>, bool)> {
    let mut named = Vec::with_capacity(batch.len());
    for job in batch {
        match job {
            Work::Append(new) => named.push((Cow::Borrowed(&new.append.conversation), true)),
            Work::Revise(revision) => named.push((Cow::Borrowed(&revision.conversation), false)),
            Work::Rows(rows) => named.extend(rows.iter().filter_map(conversation_of_row)),
        }
    }
    named
}

fn conversation_of_row(row: &RowWrite) -> Option<(Cow<'_, Conversation>, bool)> {
    match row {
        RowWrite::PutEntry(_, conversation, _) => Some((Cow::Borrowed(conversation), true)),
        RowWrite::Delete(_, conversation, _) => Some((Cow::Borrowed(conversation), false)),
        RowWrite::PutFormer(group, ..) => Some((Cow::Owned(Conversation::Group(group.clone())), false)),
        _ => None,
    }
}

async fn retries(
    (client, statements): (&Client, &Statements),
    heads: &Heads,
    batch: &[Work],
    trusts: bool,
    today: i32,
    found: &mut Found,
) -> Looked<()> {
    let (mut positions, mut convs, mut senders, mut local_ids) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (at, job) in batch.iter().enumerate() {
        let Work::Append(job) = job else { continue };
        let Some(local_id) = &job.append.draft.local_id else { continue };
        let Some(head) = heads.get(&job.append.conversation).filter(|head| head.seq > 0) else { continue };
        if !(trusts && job.certainly_new) {
            positions.push(i32::try_from(at).unwrap_or(i32::MAX));
            convs.push(head.conv);
            senders.push(job.append.sender.as_str());
            local_ids.push(local_id.as_str());
        }
    }
    if positions.is_empty() {
        return Ok(Ok(()));
    }
    let days: Vec<i32> = (today - RETRY_DAYS..=today + 1).collect();
    let rows = client.query(statements.get(Sql::FindRetries), &[&positions, &convs, &senders, &local_ids, &days]).await?;
    for row in rows {
        let at = usize::try_from(row.get::<_, i32>(0)).unwrap_or(usize::MAX);
        let Some(Work::Append(job)) = batch.get(at) else { continue };
        match message_at(&row, 2, &job.append.conversation) {
            Ok(stored) => drop(found.retries.insert(at, (digest_of(row.get(1)), stored))),
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(()))
}

/// Asks for the lists that forwarded messages hold.
async fn lists(client: &Client, statements: &Statements, batch: &[Work], found: &mut Found) -> Result<(), Error> {
    let mut wanted = Vec::new();
    for job in batch {
        if let Work::Append(job) = job
            && let Body::Combine(combine) = &job.append.draft.content.body
            && let Some(held) = &combine.held
        {
            wanted.push(held.list.to_string());
        }
    }
    if !wanted.is_empty() {
        for row in client.query(statements.get(Sql::FindLists), &[&wanted]).await? {
            found.lists.extend(file_of(row.get(0)));
        }
    }
    Ok(())
}

/// Asks for the messages that are to be changed.
async fn messages(client: &Client, statements: &Statements, heads: &Heads, batch: &[Work], found: &mut Found) -> Result<(), Error> {
    for (at, job) in batch.iter().enumerate() {
        if let Work::Revise(revision) = job
            && let Some(head) = heads.get(&revision.conversation)
        {
            let row = client.query_one(statements.get(Sql::Exists), &[&head.conv, &number(revision.seq)]).await?;
            if row.get::<_, i64>(0) > 0 {
                found.messages.insert(at);
            }
        }
    }
    Ok(())
}

/// Reads a file's name as the database writes it, with hyphens.
pub(in crate::store::postgres) fn file_of(uuid: &str) -> Option<FileUid> {
    FileUid::parse(&uuid.replace('-', ""))
}
