//! Where conversations stand, as far as the writer remembers.

use std::collections::HashMap;

use tokio_postgres::{Client, Error};

use super::sql::{Sql, Statements};
use crate::model::Conversation;
use crate::store::error::StoreError;
use crate::store::format::key;
use crate::store::postgres::place::{Columns, conversation_at, shard_of, unsigned};

/// With so many conversations remembered all are forgotten before the next batch. Our choice: some 10 MiB.
const HEADS_MAX: usize = 65_536;

/// Where a conversation stands, and its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub conv: i64,
    pub shard: i16,
    pub seq: u64,
    pub order_key: u64,
    pub stamp: u64,
}

/// The heads of the conversations that were written last. All of it is forgotten after a batch whose outcome is not certain.
#[derive(Debug, Default)]
pub(super) struct Heads {
    known: HashMap<Conversation, Head>,
    shards: i16,
}

impl Heads {
    pub(super) fn new(shards: i16) -> Self {
        Self { known: HashMap::new(), shards }
    }

    /// Returns the shard of a conversation.
    pub(super) fn shard_of(&self, conversation: &Conversation) -> i16 {
        shard_of(conversation, self.shards)
    }

    pub(super) fn forget_all(&mut self) {
        self.known.clear();
    }

    pub(super) fn forget(&mut self, conversation: &Conversation) {
        self.known.remove(conversation);
    }

    pub(super) fn get(&self, conversation: &Conversation) -> Option<Head> {
        self.known.get(conversation).copied()
    }

    pub(super) fn put(&mut self, conversation: Conversation, head: Head) {
        self.known.insert(conversation, head);
    }

    /// Reads the heads of those that are not known, and of those that are to be written makes what is not there yet.
    pub(super) async fn learn(
        &mut self,
        client: &Client,
        statements: &Statements,
        wanted: &[(&Conversation, bool)],
    ) -> Result<Result<(), StoreError>, Error> {
        if self.known.len() >= HEADS_MAX {
            self.known.clear();
        }
        let mut unknown: Vec<(&Conversation, bool)> = wanted.iter().copied().filter(|(one, _)| !self.known.contains_key(*one)).collect();
        // Those to be made first among equals, which are one then.
        unknown.sort_unstable_by_key(|(conversation, make)| (key::head(conversation), !make));
        unknown.dedup_by_key(|(conversation, _)| *conversation);
        if unknown.is_empty() {
            return Ok(Ok(()));
        }
        if let Err(error) = self.read(client, statements, &unknown).await? {
            return Ok(Err(error));
        }
        let missing: Vec<(&Conversation, bool)> =
            unknown.into_iter().filter(|(conversation, make)| *make && !self.known.contains_key(*conversation)).collect();
        if missing.is_empty() {
            return Ok(Ok(()));
        }
        let shards: Vec<i16> = missing.iter().map(|(conversation, _)| shard_of(conversation, self.shards)).collect();
        let Columns { kinds, ones, others, incarnations } = Columns::of(missing.iter().map(|(conversation, _)| *conversation));
        client.execute(statements.get(Sql::MakeConversations), &[&shards, &kinds, &ones, &others, &incarnations]).await?;
        self.read(client, statements, &missing).await
    }

    async fn read(
        &mut self,
        client: &Client,
        statements: &Statements,
        wanted: &[(&Conversation, bool)],
    ) -> Result<Result<(), StoreError>, Error> {
        let Columns { kinds, ones, others, incarnations } = Columns::of(wanted.iter().map(|(conversation, _)| *conversation));
        for row in client.query(statements.get(Sql::FindHeads), &[&kinds, &ones, &others, &incarnations]).await? {
            let conversation = match conversation_at(&row, 1) {
                Ok(conversation) => conversation,
                Err(error) => return Ok(Err(error)),
            };
            let head = Head {
                conv: row.get(0),
                shard: shard_of(&conversation, self.shards),
                seq: unsigned(row.get(5)),
                order_key: unsigned(row.get(6)),
                stamp: unsigned(row.get(7)),
            };
            self.put(conversation, head);
        }
        Ok(Ok(()))
    }
}
