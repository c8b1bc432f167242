-- Processes of two versions work together while they are replaced one after the other.

-- The versions of what processes say to each other that this one speaks. 0: it says nothing to others.
ALTER TABLE nodes
  ADD speaks_from smallint NOT NULL DEFAULT 0,
  ADD speaks_to   smallint NOT NULL DEFAULT 0;
