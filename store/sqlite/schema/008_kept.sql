-- What arrived before is not kept any more. One row at most; a moment on our own clock, in milliseconds.
CREATE TABLE kept(since INTEGER NOT NULL);

-- Somebody was there before presences were written down: figures of a fleet tell of it.
INSERT OR IGNORE INTO presence
SELECT 0, '', first, last, first, 1, '', '', ''
FROM (SELECT min(time) AS first, max(time) AS last FROM fleet
      WHERE time < (SELECT ifnull(min(began), 9223372036854775807) FROM presence WHERE who = 0))
WHERE first IS NOT NULL;
