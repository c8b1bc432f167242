-- Processes that share the store: of two versions while they are replaced one after the other, and cut off from each other.

ALTER TABLE nodes
  ADD speaks_from smallint NOT NULL DEFAULT 0,      -- the versions of what processes say to each other that this one speaks;
  ADD speaks_to   smallint NOT NULL DEFAULT 0,      -- 0: it says nothing to others
  ADD alone boolean NOT NULL DEFAULT false;         -- it hears nothing of the others and has no sessions: nobody waits for it
