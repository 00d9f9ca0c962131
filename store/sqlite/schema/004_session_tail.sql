-- The last eight digits of a session's id, by which people name it.
CREATE INDEX session_tail ON session(substr(id, 13));
