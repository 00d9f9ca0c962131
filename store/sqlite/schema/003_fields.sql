-- Kinds of spans that an operation has, as bits; 0: not noted by the version that saw it last.
ALTER TABLE operation ADD COLUMN kinds INTEGER NOT NULL DEFAULT 0;

-- 1: fields of events, scopes, status and trace state are in the block's filter, too.
ALTER TABLE block ADD COLUMN fields INTEGER NOT NULL DEFAULT 0;
