-- What keys and accounts are found by, one row a text, in lower case. The id is a column of its own, because SQLite may
-- number unnamed rows anew.
CREATE TABLE search_terms (
    id INTEGER NOT NULL PRIMARY KEY,
    object_kind SMALLINT NOT NULL,
    object_id UUID NOT NULL,
    text TEXT NOT NULL
);
CREATE INDEX search_terms_object ON search_terms (object_id);
-- The text comes first: with the kind in front, SQLite would rather read all texts of a kind than ask search_index.
CREATE INDEX search_terms_text ON search_terms (text, object_kind, object_id);

-- Every three letters in a row of every text. It keeps no copy of the texts; the triggers keep it in step.
CREATE VIRTUAL TABLE search_index USING fts5 (
    text, content = 'search_terms', content_rowid = 'id', tokenize = 'trigram case_sensitive 1'
);
CREATE TRIGGER search_terms_added AFTER INSERT ON search_terms BEGIN
    INSERT INTO search_index (rowid, text) VALUES (new.id, new.text);
END;
CREATE TRIGGER search_terms_removed AFTER DELETE ON search_terms BEGIN
    INSERT INTO search_index (search_index, rowid, text) VALUES ('delete', old.id, old.text);
END;
CREATE TRIGGER search_terms_changed AFTER UPDATE ON search_terms BEGIN
    INSERT INTO search_index (search_index, rowid, text) VALUES ('delete', old.id, old.text);
    INSERT INTO search_index (rowid, text) VALUES (new.id, new.text);
END;
