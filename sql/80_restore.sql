-- What makes a dump restorable in whatever order: the foreign keys of the extension are there before the rows that they refer to, and
-- several sessions of pg_restore fill the tables at once.
--
-- While a dump is restored the rows of one statement go in unchecked, as they were when they were dumped: a statement trigger
-- switches session_replication_role, which only a superuser may do, and another one switches it back.

CREATE FUNCTION identity_internal.restore_begins() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- It runs as whoever runs the statement; neither that role nor the one that logged in gets anything here that it has not.
    IF current_setting('check_function_bodies') = 'off' AND current_setting('row_security') = 'off'
       AND (SELECT bool_and(r.rolsuper) FROM pg_roles AS r WHERE r.rolname IN (session_user, current_user)) THEN
        PERFORM set_config('pg_identity.replication_role', current_setting('session_replication_role'), true);
        PERFORM set_config('session_replication_role', 'replica', true);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION identity_internal.restore_begins() IS
'Internal: statement trigger of the tables that refer to others. When a superuser restores a dump, the rows of the statement are not checked against the others: those may come later, by another session of pg_restore';

CREATE FUNCTION identity_internal.restore_ends() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM set_config('session_replication_role', current_setting('pg_identity.replication_role'), true);
    PERFORM set_config('pg_identity.replication_role', '', true);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION identity_internal.restore_ends() IS 'Internal: statement trigger that ends what identity_internal.restore_begins() began';

DO $$
DECLARE
    referring regclass;
BEGIN
    FOR referring IN
        SELECT DISTINCT c.conrelid FROM pg_catalog.pg_constraint AS c
        WHERE c.contype OPERATOR(pg_catalog.=) 'f' AND c.connamespace OPERATOR(pg_catalog.=) 'identity'::pg_catalog.regnamespace
    LOOP
        EXECUTE pg_catalog.format(
            'CREATE TRIGGER restore_begins BEFORE INSERT ON %1$s FOR EACH STATEMENT
                 WHEN (pg_catalog.current_setting(''check_function_bodies'') OPERATOR(pg_catalog.=) ''off'')
                 EXECUTE FUNCTION identity_internal.restore_begins();
             CREATE TRIGGER restore_ends AFTER INSERT ON %1$s FOR EACH STATEMENT
                 WHEN (pg_catalog.current_setting(''pg_identity.replication_role'', true) OPERATOR(pg_catalog.<>) '''')
                 EXECUTE FUNCTION identity_internal.restore_ends();
             ALTER TABLE %1$s ENABLE REPLICA TRIGGER restore_ends', referring);
    END LOOP;
END
$$;
