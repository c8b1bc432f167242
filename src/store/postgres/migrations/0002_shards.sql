-- Several processes own shards of one store at a time.

-- A living process holds a slot: a small number for its ids, and its fence for what belongs to no conversation. A slot is free when it
-- is nobody's, or when its process has no row any more.
CREATE TABLE slots (
  slot smallint PRIMARY KEY,
  boot bigint                                       -- the process that holds it; NULL: nobody
) WITH (fillfactor = 50);
CREATE UNIQUE INDEX slots_boot ON slots (boot);
INSERT INTO slots (slot) SELECT generate_series(0, 1023);

ALTER TABLE nodes
  ADD draining boolean NOT NULL DEFAULT false,      -- it wants to own no shard any more
  ADD mark_max bigint NOT NULL DEFAULT 0,           -- it vouches for no stamp above this: an heir's are above it
  ADD control  int[] NOT NULL DEFAULT '{}';         -- pg_backend_pid() of the connection by which it claims: an heir may end it
-- Of a process that holds a slot `safe_stamp` is up to where everything was delivered to every node.

-- Up to this stamp everything in the shard was delivered to every node before its owner took it, or when nobody owns it: before it was
-- let go. The greatest there is: its owner has the whole store to itself, and nothing is ever delivered again.
ALTER TABLE owners ADD delivered bigint NOT NULL DEFAULT 9007199254740991;

-- Deletes lists that no message holds. Another process may be about to use one: it is locked first and looked at afterwards.
CREATE FUNCTION drop_lists() RETURNS void LANGUAGE plpgsql AS $$
DECLARE unused uuid[];
BEGIN
  SELECT array_agg(list) INTO unused FROM (
    SELECT l.list FROM tidings.lists l WHERE NOT EXISTS (SELECT FROM tidings.media_uses u WHERE u.file = l.list)
    ORDER BY l.list FOR UPDATE) x;
  DELETE FROM tidings.lists l WHERE l.list = ANY(unused) AND NOT EXISTS (SELECT FROM tidings.media_uses u WHERE u.file = l.list);
END $$;
