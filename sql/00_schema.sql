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

-- The schemas and the role that everything in them belongs to.
--
-- identity: what users meet. identity_internal: what carries it out. PUBLIC has no right on either; identity.grant_access() gives a
-- role what its level consists of (sql/90_access.sql).
--
-- The role identity_owner owns all tables and functions. It cannot log in, has no other right in the cluster, and is a member of
-- nothing: who breaks a function that runs as its owner has the tables of this extension, and not the server. Roles belong to the
-- cluster, so that the extensions of all its databases share this one; it stays when the extension is dropped.
DO $$
DECLARE
    present record;
BEGIN
    BEGIN
        CREATE ROLE identity_owner NOLOGIN NOINHERIT;
        COMMENT ON ROLE identity_owner IS 'Owns the tables and functions of the extension pg_identity. Nobody logs in as this role';
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
        -- Another database of the cluster has the extension, or is getting it at this moment.
        NULL;
    END;
    SELECT r.rolsuper OR r.rolcanlogin OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls AS has_rights,
           EXISTS (SELECT FROM pg_catalog.pg_db_role_setting AS s WHERE s.setrole OPERATOR(pg_catalog.=) r.oid) AS has_settings,
           EXISTS (SELECT FROM pg_catalog.pg_auth_members AS m WHERE m.member OPERATOR(pg_catalog.=) r.oid) AS is_member
    INTO present FROM pg_catalog.pg_roles AS r WHERE r.rolname OPERATOR(pg_catalog.=) 'identity_owner';
    IF present.has_rights OR present.has_settings THEN
        RAISE EXCEPTION 'role "identity_owner" cannot own this extension'
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = 'It may log in, has rights beyond its tables, or has settings of its own.',
                  HINT = 'ALTER ROLE identity_owner NOLOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION NOBYPASSRLS; ALTER ROLE identity_owner RESET ALL; or rename it, if it belongs to something else.';
    ELSIF present.is_member THEN
        RAISE WARNING 'role "identity_owner" is a member of other roles'
            USING DETAIL = 'Functions of this extension run with the rights that it can take on from them.',
                  HINT = 'Revoke these memberships.';
    END IF;
END
$$;

CREATE SCHEMA identity;
COMMENT ON SCHEMA identity IS 'pg_identity: import, consolidation, authorization and login routing';
CREATE SCHEMA identity_internal;
COMMENT ON SCHEMA identity_internal IS 'pg_identity: what the functions of the schema identity are made of. Nothing here is meant to be called, or stays as it is';

CREATE FUNCTION identity_internal.shown(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT CASE WHEN value IS NULL THEN 'NULL' WHEN octet_length(value) > 600 THEN left(value, 100) || '...' ELSE value END $$;
COMMENT ON FUNCTION identity_internal.shown(text) IS 'Internal: a text as a message shows it: one that is longer than any name is cut';
