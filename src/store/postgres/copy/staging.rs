//! Rows on their way into the database, by table and column: many go at once.
//!
//! Some go to where they stay. Those of messages, and of what depends on which of several records is the newest, wait in tables of the
//! transaction: their stamps are known when all lines are read.

use std::collections::{BTreeSet, HashMap};

use tokio_postgres::Client;
use tokio_postgres::types::ToSql;

use super::CopyError;
use crate::model::Conversation;
use crate::store::postgres::place::{Columns, conversation_at, shard_of};
use crate::store::postgres::writer::sql::Sql;

/// The tables of the transaction. `week` is -1 of the permanent space; `base`: see [`copy`](super).
pub(super) const WAITING: &str = "
    CREATE TEMP TABLE new_messages (conv int8, seq int8, commit int8, base int8, id int8, order_key int8, at_ms int8, priority int8, kind int8,
        flags int8, mentions_all int8, sender text, local_id text, mentions text, words text, content text, state text) ON COMMIT DROP;
    CREATE TEMP TABLE new_changes (conv int8, seq int8, commit int8, base int8, kind int8) ON COMMIT DROP;
    CREATE TEMP TABLE new_heads (conv int8, week int8, seq int8, order_key int8, commit int8, whole_from int8) ON COMMIT DROP;
    CREATE TEMP TABLE new_pins (conv int8, week int8, pins text) ON COMMIT DROP;
    CREATE TEMP TABLE new_entries (conv int8, week int8, user_id text COLLATE \"C\", kind int8, other_id text, read_seq int8, pinned_ms int8,
        record text) ON COMMIT DROP;
    CREATE TEMP TABLE new_followings (week int8, user_id text COLLATE \"C\", record text) ON COMMIT DROP;
    CREATE TEMP TABLE new_retries (conv int8, seq int8, sender text, local_id text, content text) ON COMMIT DROP;
    CREATE TEMP TABLE new_notes (conv int8, seq int8, at_ms int8, reaction text, user_id text) ON COMMIT DROP;
    CREATE TEMP TABLE new_replies (conv int8, root_seq int8, seq int8) ON COMMIT DROP;
    CREATE TEMP TABLE new_uses (conv int8, seq int8, file text) ON COMMIT DROP;
    CREATE TEMP TABLE new_deletions (conv int8, seq int8, user_id text) ON COMMIT DROP;
    CREATE TEMP TABLE new_lists (list text, children text) ON COMMIT DROP;
    CREATE TEMP TABLE new_children (conv int8, seq int8, children text) ON COMMIT DROP;";

/// Where rows go, and what their columns are: `c` a conversation's number, `i` a number, `t` text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Table {
    Messages,
    Changes,
    Heads,
    Pins,
    Entries,
    Followings,
    Retries,
    Notes,
    Replies,
    Uses,
    Deletions,
    Lists,
    Children,
    Users,
    Groups,
    Members,
    Former,
    Rooms,
    Media,
    Removals,
}

impl Table {
    /// Returns the types of the columns, and what inserts them. Of what has a key the first row counts.
    fn shape(self) -> (&'static str, &'static str) {
        match self {
            Self::Messages => ("ciiiiiiiiiitttttt", "new_messages SELECT * FROM"),
            Self::Changes => ("ciiii", "new_changes SELECT * FROM"),
            Self::Heads => ("ciiiii", "new_heads SELECT * FROM"),
            Self::Pins => ("cit", "new_pins SELECT * FROM"),
            Self::Entries => ("cititiit", "new_entries SELECT * FROM"),
            Self::Followings => ("itt", "new_followings SELECT * FROM"),
            Self::Retries => ("cittt", "new_retries SELECT * FROM"),
            Self::Notes => ("ciitt", "new_notes SELECT * FROM"),
            Self::Replies => ("cii", "new_replies SELECT * FROM"),
            Self::Uses => ("cit", "new_uses SELECT * FROM"),
            Self::Deletions => ("cit", "new_deletions SELECT * FROM"),
            Self::Lists => ("tt", "new_lists SELECT * FROM"),
            Self::Children => ("cit", "new_children SELECT * FROM"),
            Self::Users => ("ttttit", "users SELECT p1, p2, p3, p4, p5 <> 0, p6::json FROM"),
            Self::Groups => ("ttit", "groups SELECT p1, p2, p3 <> 0, p4::json FROM"),
            Self::Members => ("ttiitt", "group_members SELECT p1, p2, p3, p4, p5, p6::json FROM"),
            Self::Former => ("ttiii", "former_members SELECT * FROM"),
            Self::Rooms => ("titt", "rooms SELECT p1, p2, p3, p4::json FROM"),
            Self::Media => ("ttiit", "media SELECT p1::uuid, p2, p3, p4, p5::json FROM"),
            Self::Removals => ("c", "removals (conv) SELECT p1 FROM"),
        }
    }

    fn types(self) -> impl Iterator<Item = char> {
        self.shape().0.chars()
    }

    fn text(self) -> String {
        let (mut arrays, mut names) = (Vec::new(), Vec::new());
        for (n, kind) in (1..).zip(self.types()) {
            arrays.push(format!("${n}::{}", if kind == 't' { "text[]" } else { "int8[]" }));
            names.push(format!("p{n}"));
        }
        format!("INSERT INTO {} unnest({}) x({}) ON CONFLICT DO NOTHING", self.shape().1, arrays.join(", "), names.join(", "))
    }
}

/// A value of a row.
#[derive(Debug)]
pub(super) enum Value {
    Conversation(Conversation),
    Number(i64),
    Text(Option<String>),
}

impl From<&Conversation> for Value {
    fn from(conversation: &Conversation) -> Self {
        Self::Conversation(conversation.clone())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(crate::store::postgres::place::number(number))
    }
}

impl From<bool> for Value {
    fn from(is_so: bool) -> Self {
        Self::Number(is_so.into())
    }
}

impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Self {
        Self::Text(text)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Some(text))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

/// Makes the values of a row.
macro_rules! row {
    ($($value:expr),* $(,)?) => { vec![$($crate::store::postgres::copy::staging::Value::from($value)),*] };
}
pub(super) use row;

/// The values of a column.
enum Column {
    Conversations(Vec<Conversation>),
    Numbers(Vec<i64>),
    Texts(Vec<Option<String>>),
}

/// Rows that wait to be sent.
#[derive(Default)]
pub(super) struct Batch {
    tables: HashMap<Table, Vec<Column>>,
}

impl Batch {
    /// Adds a row, whose values are those of its table in their order.
    pub(super) fn add(&mut self, table: Table, row: Vec<Value>) {
        debug_assert_eq!(row.len(), table.types().count(), "{table:?}");
        let columns = self.tables.entry(table).or_insert_with(|| {
            let column = |kind| match kind {
                'c' => Column::Conversations(Vec::new()),
                'i' => Column::Numbers(Vec::new()),
                _ => Column::Texts(Vec::new()),
            };
            table.types().map(column).collect()
        });
        for (column, value) in columns.iter_mut().zip(row) {
            match (column, value) {
                (Column::Conversations(all), Value::Conversation(one)) => all.push(one),
                (Column::Numbers(all), Value::Number(one)) => all.push(one),
                (Column::Texts(all), Value::Text(one)) => all.push(one),
                (_, value) => debug_assert!(false, "{table:?} has no place for {value:?}"),
            }
        }
    }
}

/// With so many conversations known all are forgotten before the next batch: some 10 MiB.
const KNOWN_MAX: usize = 65_536;

/// Sends batches, and knows the numbers of conversations.
pub(super) struct Sender {
    known: HashMap<Conversation, i64>,
    shards: i16,
}

impl Sender {
    pub(super) fn new(shards: i16) -> Self {
        Self { known: HashMap::new(), shards }
    }

    /// Writes the rows of a batch.
    pub(super) async fn send(&mut self, client: &Client, batch: Batch) -> Result<(), CopyError> {
        self.learn(client, &batch).await?;
        for (table, columns) in batch.tables {
            let columns: Vec<Box<dyn ToSql + Sync + Send>> = columns
                .into_iter()
                .map(|column| -> Box<dyn ToSql + Sync + Send> {
                    match column {
                        Column::Conversations(all) => {
                            Box::new(all.iter().map(|one| self.known.get(one).copied()).collect::<Vec<Option<i64>>>())
                        }
                        Column::Numbers(all) => Box::new(all),
                        Column::Texts(all) => Box::new(all),
                    }
                })
                .collect();
            let params: Vec<&(dyn ToSql + Sync)> = columns.iter().map(|column| &**column as &(dyn ToSql + Sync)).collect();
            client.execute(&table.text(), &params).await?;
        }
        Ok(())
    }

    /// Gives a number to each conversation that has none yet.
    async fn learn(&mut self, client: &Client, batch: &Batch) -> Result<(), CopyError> {
        if self.known.len() >= KNOWN_MAX {
            self.known.clear();
        }
        let mut unknown = BTreeSet::new();
        for column in batch.tables.values().flatten() {
            if let Column::Conversations(all) = column {
                unknown.extend(all.iter().filter(|one| !self.known.contains_key(*one)));
            }
        }
        let unknown: Vec<&Conversation> = unknown.into_iter().collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let shards: Vec<i16> = unknown.iter().map(|one| shard_of(one, self.shards)).collect();
        let Columns { kinds, ones, others, incarnations } = Columns::of(unknown.iter().copied());
        client.execute(Sql::MakeConversations.text(), &[&shards, &kinds, &ones, &others, &incarnations]).await?;
        for row in client.query(Sql::FindHeads.text(), &[&kinds, &ones, &others, &incarnations]).await? {
            self.known.insert(conversation_at(&row, 1)?, row.get(0));
        }
        Ok(())
    }
}
