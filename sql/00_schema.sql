-- Keys are made of characters by the tables of Unicode, and a text is handed to Rust as it is: in UTF-8.
DO $$
BEGIN
    IF pg_catalog.getdatabaseencoding() OPERATOR(pg_catalog.<>) 'UTF8' THEN
        RAISE EXCEPTION 'the database''s encoding is %', pg_catalog.getdatabaseencoding()
            USING ERRCODE = 'feature_not_supported', DETAIL = 'pg_identity needs a database with encoding UTF8.',
                  HINT = 'Create one: CREATE DATABASE name TEMPLATE template0 ENCODING ''UTF8''.';
    END IF;
END
$$;

-- The schema. PUBLIC has no right on it: identity.grant_access() gives a role what it needs.
CREATE SCHEMA identity;
CREATE SCHEMA identity_internal;
COMMENT ON SCHEMA identity IS 'pg_identity: import, consolidation, authorization and login routing';
