-- Columns of the spans of a block: what calls are sorted, filtered and grouped by. Blocks without are read span by span,
-- until the console has made theirs in passing.
CREATE TABLE columns(
  block INTEGER PRIMARY KEY,
  data BLOB NOT NULL
);
-- The largest in the block, 0 where none is known; NULL: not looked at yet.
ALTER TABLE block ADD COLUMN max_first_chunk INTEGER;
ALTER TABLE block ADD COLUMN max_last_chunk INTEGER;
ALTER TABLE block ADD COLUMN max_longest_pause INTEGER;
ALTER TABLE block ADD COLUMN max_perceived INTEGER;

-- How a roll-up's histograms are written: 0 a sketch, 2 a sketch with counts of schema 2 among its own, 1 as schema 2
-- wrote them (buckets 19 % wide).
ALTER TABLE rollup ADD COLUMN scale INTEGER NOT NULL DEFAULT 1;
