-- What the migrations made is kept beside it, as the statements that make it again: so that a difference can be told, by
-- whoever looks, and mended, by whoever may (db/comparison.py).

CREATE TABLE balansity.intended (
    kind text NOT NULL,
    name text NOT NULL,
    definition text NOT NULL,                         -- the statement that makes it
    place text,                                       -- in the catalogue, which it keeps under another name
    PRIMARY KEY (kind, name)
);
COMMENT ON TABLE balansity.intended IS
'What is ours in this database, as the last migrate left it.';
