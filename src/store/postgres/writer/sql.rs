//! What the writer says to the database. Every statement is prepared when the connection is made: only such may be sent one behind
//! the other without waiting for answers.

use tokio_postgres::{Client, Error, Statement};

macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $text:expr;)*) => {
        /// A prepared statement.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(in crate::store::postgres) enum Sql { $($(#[$doc])* $name),* }

        /// Their texts, in the order of [`Sql`].
        const TEXTS: &[&str] = &[$($text),*];
    };
}

statements! {
    /// Shards, boot. Raises (22012) unless this process owns them: a statement that found nothing would stop nothing behind it.
    Fence = "SELECT 1 / ((count(*) = cardinality($1::int2[]))::int) FROM
        (SELECT FROM owners WHERE shard = ANY($1) AND boot = $2 FOR SHARE) owned";
    /// The same of a process that shares the store, and whether it is still taken to live. It may name no shard.
    FenceOfMany = "WITH slot AS MATERIALIZED (SELECT FROM slots WHERE boot = $2 FOR SHARE)
        SELECT 1 / ((count(*) = cardinality($1::int2[]) AND (SELECT count(*) FROM slot) = 1)::int) FROM
        (SELECT FROM owners WHERE shard = ANY($1) AND boot = $2 FOR SHARE) owned";
    /// Lists that messages of the batch will hold. Raises unless all are there, and keeps them from whoever lets go of their last use.
    HoldLists = "SELECT 1 / ((count(*) = cardinality($1::text[]))::int) FROM
        (SELECT FROM lists WHERE list = ANY($1::text[]::uuid[]) FOR KEY SHARE) held";
    /// conv, seq: before its uses are counted, whoever is about to use one has done so.
    LockLists = "SELECT count(*) FROM (SELECT FROM lists l WHERE l.list IN
        (SELECT file FROM media_uses WHERE conv = $1 AND seq = $2) FOR UPDATE) locked";
    /// conv, seq before, seq, order key, stamp, message id. Raises unless every head stood where it was thought to.
    Heads = "WITH moved AS (UPDATE conversations c SET seq = x.seq, order_key = x.order_key, stamp = x.stamp,
            message_id = greatest(c.message_id, x.id)
        FROM unnest($1::int8[], $2::int8[], $3::int8[], $4::int8[], $5::int8[], $6::int8[]) x(conv, before, seq, order_key, stamp, id)
        WHERE c.conv = x.conv AND c.seq = x.before RETURNING 1)
        SELECT 1 / ((count(*) = cardinality($1::int8[]))::int) FROM moved";
    Messages = "INSERT INTO messages (conv, stamp, seq, id, order_key, at_ms, priority, kind, flags, mentions_all, sender, local_id,
            mentions, words, content, state)
        SELECT conv, stamp, seq, id, order_key, at_ms, priority, kind, flags, mentions_all, sender, local_id,
            CASE WHEN mentions IS NOT NULL THEN ARRAY(SELECT json_array_elements_text(mentions::json)) END, words, content::json, state::json
        FROM unnest($1::int8[], $2::int8[], $3::int8[], $4::int8[], $5::int8[], $6::int8[], $7::int2[], $8::int2[], $9::int2[],
            $10::bool[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[])
            x(conv, stamp, seq, id, order_key, at_ms, priority, kind, flags, mentions_all, sender, local_id, mentions, words, content, state)";
    /// Raises when one of them is there already: this process then knew less than the database.
    Retries = "WITH kept AS (INSERT INTO retries (conv, sender, local_id, day, seq, stamp, content)
        SELECT * FROM unnest($1::int8[], $2::text[], $3::text[], $4::int4[], $5::int8[], $6::int8[], $7::bytea[]) x(c, s, l, d, q, t, b)
        ORDER BY c, s, l ON CONFLICT DO NOTHING RETURNING 1)
        SELECT 1 / ((count(*) = cardinality($1::int8[]))::int) FROM kept";
    /// Both sides of conversations of two that began.
    Links = "INSERT INTO entries (user_id, conv, kind, other_id)
        SELECT * FROM unnest($1::text[], $2::int8[], $3::int2[], $4::text[]) x(u, c, k, o) ORDER BY u, c ON CONFLICT DO NOTHING";
    Replies = "INSERT INTO replies (conv, root_seq, seq, stamp) SELECT * FROM unnest($1::int8[], $2::int8[], $3::int8[], $4::int8[]) x
        ON CONFLICT DO NOTHING";
    Uses = "INSERT INTO media_uses (file, conv, seq, stamp)
        SELECT f::uuid, c, q, t FROM unnest($1::text[], $2::int8[], $3::int8[], $4::int8[]) x(f, c, q, t) ORDER BY f, c, q
        ON CONFLICT DO NOTHING";
    Lists = "INSERT INTO lists (list, stamp, children) SELECT l::uuid, t, c::json FROM unnest($1::text[], $2::int8[], $3::text[]) x(l, t, c)
        ORDER BY l ON CONFLICT DO NOTHING";

    // ---- changes of one message: nothing happens where it is gone
    Revise = "UPDATE messages SET content = $3::text::json, state = $4::text::json, words = $5, flags = $6, kind = $7, mentions_all = $8,
            mentions = CASE WHEN $9::text IS NOT NULL THEN ARRAY(SELECT json_array_elements_text($9::text::json)) END
        WHERE conv = $1 AND seq = $2";
    Changed = "WITH noted AS (INSERT INTO changes (conv, stamp, seq, kind)
            SELECT m.conv, $3, m.seq, $4 FROM messages m WHERE m.conv = $1 AND m.seq = $2 LIMIT 1 RETURNING 1)
        UPDATE conversations SET changed = $3 WHERE conv = $1 AND EXISTS (SELECT FROM noted)";
    PutReaction = "INSERT INTO reactions (conv, seq, stamp, reaction, user_id, at_ms)
        SELECT m.conv, m.seq, m.stamp, $3, $4, $5 FROM messages m WHERE m.conv = $1 AND m.seq = $2 LIMIT 1
        ON CONFLICT (conv, seq, reaction, user_id, stamp) DO UPDATE SET at_ms = excluded.at_ms";
    DeleteReaction = "DELETE FROM reactions WHERE conv = $1 AND seq = $2 AND reaction = $3 AND user_id = $4";
    PutReceipt = "INSERT INTO receipts (conv, seq, stamp, user_id, at_ms)
        SELECT m.conv, m.seq, m.stamp, $3, $4 FROM messages m WHERE m.conv = $1 AND m.seq = $2 LIMIT 1
        ON CONFLICT (conv, seq, user_id, stamp) DO UPDATE SET at_ms = excluded.at_ms";
    DeleteReceipt = "DELETE FROM receipts WHERE conv = $1 AND seq = $2 AND user_id = $3";
    Pins = "UPDATE conversations SET pins = $2::text::json WHERE conv = $1";
    /// conv, seq: a message that was taken back holds no list any more, and a list that nobody holds goes.
    LetGo = "WITH gone AS (DELETE FROM media_uses u USING lists l WHERE u.conv = $1 AND u.seq = $2 AND l.list = u.file RETURNING u.file)
        DELETE FROM lists l WHERE l.list IN (SELECT file FROM gone)
            AND NOT EXISTS (SELECT FROM media_uses u WHERE u.file = l.list AND NOT (u.conv = $1 AND u.seq = $2))";

    // ---- rows
    PutUser = "INSERT INTO users (user_id, name, avatar_url, extended_data, banned, record) VALUES ($1, $2, $3, $4, $5, $6::text::json)
        ON CONFLICT (user_id) DO UPDATE SET name = excluded.name, avatar_url = excluded.avatar_url,
            extended_data = excluded.extended_data, banned = excluded.banned, record = excluded.record";
    PutFollowing = "INSERT INTO followings (user_id, record) VALUES ($1, $2::text::json)
        ON CONFLICT (user_id) DO UPDATE SET record = excluded.record";
    PutRoom = "INSERT INTO rooms (room_id, incarnation, name, record) VALUES ($1, $2, $3, $4::text::json)
        ON CONFLICT (room_id) DO UPDATE SET incarnation = excluded.incarnation, name = excluded.name, record = excluded.record";
    DeleteRoom = "DELETE FROM rooms WHERE room_id = $1";
    PutGroup = "INSERT INTO groups (group_id, name, dismissed, record) VALUES ($1, $2, $3, $4::text::json)
        ON CONFLICT (group_id) DO UPDATE SET name = excluded.name, dismissed = excluded.dismissed, record = excluded.record";
    PutMember = "INSERT INTO group_members (group_id, user_id, role, joined, nickname, record) VALUES ($1, $2, $3, $4, $5, $6::text::json)
        ON CONFLICT (group_id, user_id) DO UPDATE SET role = excluded.role, joined = excluded.joined, nickname = excluded.nickname,
            record = excluded.record";
    DeleteMember = "DELETE FROM group_members WHERE group_id = $1 AND user_id = $2";
    PutFormer = "INSERT INTO former_members (user_id, group_id, first_seq, last_seq, left_ms) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (user_id, group_id) DO UPDATE SET first_seq = excluded.first_seq, last_seq = excluded.last_seq,
            left_ms = excluded.left_ms";
    DeleteFormer = "DELETE FROM former_members WHERE user_id = $1 AND group_id = $2";
    /// The stamp is that of the last message, when all is read; else 0: then an earlier one still holds, if no less is read than before.
    PutEntry = "INSERT INTO entries (user_id, conv, kind, other_id, read_seq, read_stamp, pinned_ms, record)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8::text::json)
        ON CONFLICT (user_id, conv) DO UPDATE SET read_seq = excluded.read_seq, pinned_ms = excluded.pinned_ms, record = excluded.record,
            read_stamp = CASE WHEN excluded.read_stamp > 0 THEN excluded.read_stamp
                WHEN excluded.read_seq >= entries.read_seq THEN entries.read_stamp ELSE 0 END";
    PutMedia = "INSERT INTO media (file, user_id, bytes, at_ms, record) VALUES ($1::text::uuid, $2, $3, $4, $5::text::json)
        ON CONFLICT (file) DO UPDATE SET user_id = excluded.user_id, bytes = excluded.bytes, at_ms = excluded.at_ms, record = excluded.record";
    DeleteMedia = "DELETE FROM media WHERE file = $1::text::uuid";
    /// user, conv, seqs
    Delete = "INSERT INTO deletions (user_id, conv, seq, stamp)
        SELECT $1, m.conv, m.seq, m.stamp FROM messages m WHERE m.conv = $2 AND m.seq = ANY($3::int8[]) ORDER BY m.seq
        ON CONFLICT DO NOTHING";
    Removal = "INSERT INTO removals (conv) VALUES ($1) ON CONFLICT DO NOTHING";

    // ---- read before a batch is planned, on the writing connection
    FindHeads = "SELECT c.conv, c.kind, c.one, c.other, c.incarnation, c.seq, c.order_key, c.stamp
        FROM unnest($1::int2[], $2::text[], $3::text[], $4::int8[]) x(kind, one, other, incarnation)
        JOIN conversations c ON c.one = x.one AND c.other = x.other AND c.kind = x.kind AND c.incarnation = x.incarnation";
    MakeConversations = "INSERT INTO conversations (shard, kind, one, other, incarnation)
        SELECT * FROM unnest($1::int2[], $2::int2[], $3::text[], $4::text[], $5::int8[]) x(s, k, o, t, i) ORDER BY o, t, k, i
        ON CONFLICT DO NOTHING";
    /// What is stored under local ids, each with the position that was asked for; the message's columns follow.
    FindRetries = "SELECT x.at, r.content, m.seq, m.stamp, m.id, m.order_key, m.at_ms, m.priority, m.sender, m.local_id, m.content::text,
            m.state::text
        FROM unnest($1::int4[], $2::int8[], $3::text[], $4::text[]) x(at, conv, sender, local_id)
        JOIN retries r ON r.conv = x.conv AND r.sender = x.sender AND r.local_id = x.local_id AND r.day = ANY($5::int4[])
        JOIN messages m ON m.conv = r.conv AND m.seq = r.seq AND m.stamp = r.stamp";
    FindLists = "SELECT list::text FROM lists WHERE list = ANY($1::text[]::uuid[])";
    Exists = "SELECT count(*) FROM messages WHERE conv = $1 AND seq = $2";
    Stands = "SELECT count(*) FROM messages WHERE conv = $1 AND seq = $2 AND stamp = $3 AND id = $4";
}

impl Sql {
    /// Returns what is said.
    pub(in crate::store::postgres) fn text(self) -> &'static str {
        TEXTS[self as usize]
    }
}

/// The writer's statements on one connection.
#[derive(Debug)]
pub(in crate::store::postgres) struct Statements(Vec<Statement>);

impl Statements {
    /// Prepares all of them, sent one behind the other.
    pub(super) async fn prepare(client: &Client) -> Result<Self, Error> {
        let all = TEXTS.iter().map(|text| client.prepare(text));
        Ok(Self(futures_util::future::try_join_all(all).await?))
    }

    pub(super) fn get(&self, sql: Sql) -> &Statement {
        &self.0[sql as usize]
    }
}
