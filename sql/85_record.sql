-- Which tables are on record: all but those that are listed here. A table that is added gets its triggers here.

CREATE FUNCTION identity_internal.unrecorded_tables() RETURNS TABLE (name text, reason text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    VALUES ('identity.audit_events', 'it is the record'),
           ('identity.audit_heads', 'it is the record'),
           ('identity.audit_values', 'it is the record'),
           ('identity.login_failures', 'it has the counts of the last minutes, and each failed login is an event of its own'),
           ('identity_internal.login_secrets', 'it has a random secret of each realm, made with the realm'),
           ('identity_internal.login_decoys', 'it is a summary of other tables, made anew from time to time'),
           ('identity_internal.merged_rows', 'it has copies of rows whose changes are on record, with their secrets')
$$;
COMMENT ON FUNCTION identity_internal.unrecorded_tables() IS 'Internal: the tables of the extension whose changes are not on record, and why';

DO $$
DECLARE
    recorded record;
BEGIN
    FOR recorded IN
        SELECT c.oid::pg_catalog.regclass AS name
        FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
        WHERE n.nspname OPERATOR(pg_catalog.=) ANY ('{identity,identity_internal}'::pg_catalog.name[])
          AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p}'::pg_catalog."char"[])
          AND pg_catalog.format('%I.%I', n.nspname, c.relname) OPERATOR(pg_catalog.<>) ALL (
              SELECT u.name FROM identity_internal.unrecorded_tables() AS u)
    LOOP
        EXECUTE pg_catalog.format(
            'CREATE TRIGGER audit_insert AFTER INSERT ON %1$s REFERENCING NEW TABLE AS new_rows
                 FOR EACH STATEMENT EXECUTE FUNCTION identity_internal.record_changes();
             CREATE TRIGGER audit_update AFTER UPDATE ON %1$s REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
                 FOR EACH STATEMENT EXECUTE FUNCTION identity_internal.record_changes();
             CREATE TRIGGER audit_delete AFTER DELETE ON %1$s REFERENCING OLD TABLE AS old_rows
                 FOR EACH STATEMENT EXECUTE FUNCTION identity_internal.record_changes();
             CREATE TRIGGER audit_truncate BEFORE TRUNCATE ON %1$s
                 FOR EACH STATEMENT EXECUTE FUNCTION identity_internal.record_truncate()', recorded.name);
    END LOOP;
END
$$;
