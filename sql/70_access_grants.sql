-- The levels of access that roles have, and for which realms. What a level consists of is in sql/90_access.sql.

CREATE TABLE identity.access_grants (
    role regrole NOT NULL,
    level text COLLATE "C" NOT NULL
        CHECK (level OPERATOR(pg_catalog.=) ANY ('{application,registrar,notifier,auditor,importer,admin}'::pg_catalog.text[])),
    realm text COLLATE "C" REFERENCES identity.realms ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE UNIQUE INDEX access_grants_role_key ON identity.access_grants (role, (COALESCE(realm, '')));
-- A role that was dropped is not dumped: its number may be that of another role elsewhere.
SELECT pg_catalog.pg_extension_config_dump(
    'identity.access_grants', 'WHERE role::pg_catalog.oid IN (SELECT r.oid FROM pg_catalog.pg_roles AS r)');
COMMENT ON TABLE identity.access_grants IS 'The levels of access that identity.grant_access() has given: one row a role and realm';
COMMENT ON COLUMN identity.access_grants.role IS 'The role. It is kept by its number: a role of the same name that is created later has nothing of it';
COMMENT ON COLUMN identity.access_grants.level IS 'application, registrar, notifier, auditor, importer or admin';
COMMENT ON COLUMN identity.access_grants.realm IS 'The realm; NULL: all realms, those to come included';

CREATE TRIGGER a_inserted AFTER INSERT ON identity.access_grants REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION identity_internal.permissions_changed();
CREATE TRIGGER a_updated AFTER UPDATE ON identity.access_grants REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION identity_internal.permissions_changed();
CREATE TRIGGER a_deleted AFTER DELETE ON identity.access_grants REFERENCING OLD TABLE AS old_rows
FOR EACH STATEMENT EXECUTE FUNCTION identity_internal.permissions_changed();
CREATE TRIGGER a_truncated AFTER TRUNCATE ON identity.access_grants
FOR EACH STATEMENT EXECUTE FUNCTION identity_internal.permissions_changed();
CREATE TRIGGER a_row_replicated AFTER INSERT OR UPDATE OR DELETE ON identity.access_grants
FOR EACH ROW EXECUTE FUNCTION identity_internal.permissions_changed();
ALTER TABLE identity.access_grants ENABLE ALWAYS TRIGGER a_inserted, ENABLE ALWAYS TRIGGER a_updated,
    ENABLE ALWAYS TRIGGER a_deleted, ENABLE ALWAYS TRIGGER a_truncated, ENABLE REPLICA TRIGGER a_row_replicated;
