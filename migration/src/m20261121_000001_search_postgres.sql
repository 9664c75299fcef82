-- What keys and accounts are found by, one row a text, in lower case. Texts are compared byte by byte, as SQLite does.
CREATE TABLE search_terms (
    id BIGINT NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    object_kind SMALLINT NOT NULL,
    object_id UUID NOT NULL,
    text TEXT COLLATE "C" NOT NULL
);
CREATE INDEX search_terms_object ON search_terms (object_id);
CREATE INDEX search_terms_text ON search_terms (text, object_kind, object_id);

-- Every three letters in a row of a text. Not pg_trgm, which knows letters and digits only, and in the locale C no others
-- than those of ASCII.
CREATE FUNCTION search_grams (text) RETURNS TEXT[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT ARRAY(SELECT substr($1, place, 3) FROM generate_series(1, length($1) - 2) AS place)
$$;
-- Without a list of pending entries, which every search would read from its beginning to its end.
CREATE INDEX search_terms_grams ON search_terms USING gin (search_grams(text)) WITH (fastupdate = off);
