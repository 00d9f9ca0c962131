-- Which fields fleet.data and total.data have, and in which order (series.h): a later version is refused, not misread.
ALTER TABLE fleet ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
UPDATE fleet SET version = 2 WHERE length(data) >= 136;  -- with covered_ms
ALTER TABLE total ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
