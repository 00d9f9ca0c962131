-- Abnormal ends are few, and what is asked for first. abnormal_end() is Sockeye's own (schema.cc): the definition is in one
-- place.
ALTER TABLE session ADD COLUMN abnormal INTEGER NOT NULL DEFAULT 0;
UPDATE session SET abnormal = 1 WHERE ended != 9223372036854775807 AND abnormal_end(end_reason, close_code);
CREATE INDEX session_abnormal ON session(ended, number) WHERE abnormal = 1;
-- Pages of the console itself were taken for sessions of the fleet.
DELETE FROM session WHERE instance = '' AND service = 'sockeye-console' AND route = 'console';
