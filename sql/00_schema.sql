-- The schema. PUBLIC has no right on it: identity.grant_access() gives a role what it needs.
CREATE SCHEMA identity;
CREATE SCHEMA identity_internal;
COMMENT ON SCHEMA identity IS 'pg_identity: import, consolidation, authorization and login routing';

CREATE FUNCTION identity_internal.shown(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT CASE WHEN value IS NULL THEN 'NULL' WHEN octet_length(value) > 600 THEN left(value, 100) || '...' ELSE value END $$;
COMMENT ON FUNCTION identity_internal.shown(text) IS 'Internal: a text as a message shows it: one that is longer than any name is cut';
