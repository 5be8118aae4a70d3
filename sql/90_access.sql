-- Who may call what, and for which realms.
--
-- A role has a level for some realms or for all. The level is a list of privileges, which are granted on the objects themselves; the
-- realms are checked by every function when it is called, as the role that calls it, and by row-level security where a role reads or
-- writes the tables. PUBLIC gets nothing.

-- level "any": every level has it. level "owner": no level has it; it is listed so that each function and table has its place here.
CREATE FUNCTION identity_internal.access_rights()
RETURNS TABLE (level text, privilege text, object text)
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    VALUES ('any', 'USAGE', 'SCHEMA identity'),
           ('any', 'EXECUTE', 'FUNCTION identity.normalize_identifier(text, text)'),
           ('any', 'EXECUTE', 'FUNCTION identity.identifier_skeleton(text)'),
           ('any', 'EXECUTE', 'FUNCTION identity.kratos_identifier(text)'),
           ('any', 'EXECUTE', 'FUNCTION identity.unicode_version()'),
           ('any', 'EXECUTE', 'FUNCTION identity.new_id()'),
           ('any', 'EXECUTE', 'FUNCTION identity.inspect_password_hash(text)'),
           ('any', 'EXECUTE', 'FUNCTION identity.verify_password(text, text)'),
           ('any', 'SELECT', 'TABLE identity.realms'),
           ('any', 'EXECUTE', 'FUNCTION identity_internal.shown(text)'),
           ('any', 'EXECUTE', 'FUNCTION identity_internal.check_realm(text)'),
           ('any', 'EXECUTE', 'FUNCTION identity_internal.has_all_realms(text)'),
           ('any', 'EXECUTE', 'FUNCTION identity_internal.my_realms(text)'),
           ('application', 'SELECT', 'TABLE identity.identities_view'),
           ('application', 'SELECT', 'TABLE identity.sites'),
           ('application', 'EXECUTE', 'FUNCTION identity.login_candidates(text, text)'),
           ('application', 'EXECUTE', 'FUNCTION identity.authenticate(text, text, text, jsonb)'),
           ('application', 'EXECUTE', 'FUNCTION identity.check_permission(text, text, text, text, text, jsonb)'),
           ('application', 'EXECUTE', 'FUNCTION identity.check_permissions(text, text, text, text[], text[], jsonb)'),
           ('application', 'EXECUTE', 'FUNCTION identity.explain_permission(text, text, text, text, text, jsonb)'),
           ('application', 'EXECUTE', 'FUNCTION identity.permitted_resources(text, text, text, text, text, int, jsonb, boolean)'),
           ('application', 'EXECUTE', 'FUNCTION identity.permitted_subjects(text, text, text, text, text, int, jsonb)'),
           ('application', 'EXECUTE', 'FUNCTION identity.permission_cache_status()'),
           ('application', 'EXECUTE', 'FUNCTION identity.resolve_login(text, uuid, text, jsonb, int, boolean)'),
           ('application', 'EXECUTE', 'FUNCTION identity.preview_login(text, uuid, text, jsonb, int, boolean)'),
           ('application', 'EXECUTE', 'FUNCTION identity.login_attempts(text, bigint)'),
           ('application', 'EXECUTE', 'FUNCTION identity.organizations_of_email(text, text)'),
           ('registrar', 'EXECUTE', 'FUNCTION identity.import_identities(text, jsonb, text, boolean, text)'),
           ('registrar', 'EXECUTE', 'FUNCTION identity.import_identities_from(text, text, text, boolean, text, jsonb)'),
           ('registrar', 'EXECUTE', 'FUNCTION identity.patch_identities(text, jsonb)'),
           ('registrar', 'EXECUTE', 'FUNCTION identity_internal.patch_answer(text, text, uuid, text, jsonb)'),
           ('registrar', 'EXECUTE', 'FUNCTION identity_internal.patch_problem(jsonb)'),
           ('registrar', 'USAGE', 'SCHEMA identity_internal'),
           ('registrar', 'EXECUTE', 'FUNCTION identity.create_identity(text, jsonb)'),
           ('importer', 'EXECUTE', 'FUNCTION identity.update_identity(text, uuid, jsonb)'),
           ('importer', 'EXECUTE', 'FUNCTION identity.set_password(text, uuid, text)'),
           ('importer', 'EXECUTE', 'FUNCTION identity.set_identity_state(text, uuid, text)'),
           ('importer', 'EXECUTE', 'FUNCTION identity.add_identifier(text, uuid, text, text)'),
           ('importer', 'EXECUTE', 'FUNCTION identity.remove_identifier(text, uuid, text, text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity.delete_identity(text, uuid)'),
           ('notifier', 'EXECUTE', 'FUNCTION identity.pending_notices(text, int)'),
           ('notifier', 'EXECUTE', 'FUNCTION identity.mark_notices(text, bigint[], text)'),
           ('auditor', 'SELECT', 'TABLE identity.audit_events'),
           ('auditor', 'SELECT', 'TABLE identity.audit_heads'),
           ('auditor', 'SELECT', 'TABLE identity.audit_values'),
           ('auditor', 'EXECUTE', 'FUNCTION identity.audit_checkpoint(text)'),
           ('auditor', 'EXECUTE', 'FUNCTION identity.audit_changes(text, bigint)'),
           ('auditor', 'EXECUTE', 'FUNCTION identity.verify_audit(text, jsonb)'),
           ('importer', 'EXECUTE', 'FUNCTION identity.import_rows(regclass, text, text, text[], boolean, text, bigint, text)'),
           ('importer', 'EXECUTE', 'FUNCTION identity.export_kratos(text, uuid, text)'),
           ('importer', 'EXECUTE', 'FUNCTION identity.import_kratos(text, text, uuid, jsonb, text, boolean, text, text)'),
           ('importer', 'EXECUTE', 'FUNCTION identity_internal.import_mark(bigint, int)'),
           ('importer', 'EXECUTE', 'FUNCTION identity_internal.import_mark(bigint, tid)'),
           ('importer', 'EXECUTE', 'FUNCTION identity_internal.import_take(bigint)'),
           ('importer', 'EXECUTE', 'FUNCTION identity_internal.import_current()'),
           ('importer', 'EXECUTE', 'FUNCTION identity_internal.import_sieve_add(integer, bigint)'),
           ('importer', 'EXECUTE', 'FUNCTION identity_internal.import_sieve_holds(integer, bigint)'),
           ('importer', 'SELECT', 'TABLE identity.import_progress'),
           ('importer', 'EXECUTE', 'FUNCTION identity.recheck_identifiers(text)'),
           ('importer', 'SELECT', 'TABLE identity.identity_schemas'),
           ('importer', 'EXECUTE', 'FUNCTION identity_internal.dedup_note(text)'),
           ('importer', 'EXECUTE', 'FUNCTION identity_internal.dedup_may_repeat(text)'),
           ('importer', 'EXECUTE', 'FUNCTION identity_internal.dedup_keep(oid, tid, text, text, text, text)'),
           ('importer', 'EXECUTE', 'FUNCTION identity.find_duplicates(regclass, text, text, text, text)'),
           ('importer', 'EXECUTE', 'FUNCTION identity.dedup_logins(regclass, text, text, text, jsonb, text, text, text, int, text, boolean)'),
           ('importer', 'EXECUTE', 'FUNCTION identity.undo_dedup(uuid, boolean, regclass)'),
           ('importer', 'EXECUTE', 'FUNCTION identity_internal.site_id(text, text)'),
           ('importer', 'EXECUTE', 'FUNCTION identity.stage_site(text, text, text, jsonb, jsonb, boolean, text)'),
           ('importer', 'EXECUTE', 'FUNCTION identity.dedup_site_logins(text, boolean)'),
           ('importer', 'EXECUTE', 'FUNCTION identity.promote_identity(text, text, text)'),
           ('importer', 'EXECUTE', 'FUNCTION identity.promote_site(text, text, bigint)'),
           ('importer', 'SELECT', 'TABLE identity.dedup_runs'),
           ('importer', 'SELECT', 'TABLE identity.dedup_rows'),
           ('importer', 'SELECT', 'TABLE identity.import_runs'),
           ('admin', 'EXECUTE', 'FUNCTION identity.add_realm(text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity.set_identity_schema(text, text, jsonb)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.schema_problem(jsonb)'),
           ('admin', 'INSERT, UPDATE, DELETE', 'TABLE identity.realms'),
           ('admin', 'INSERT, UPDATE, DELETE', 'TABLE identity.identity_schemas'),
           ('admin', 'SELECT, INSERT, UPDATE, DELETE', 'TABLE identity.identities'),
           ('admin', 'SELECT, INSERT, UPDATE, DELETE', 'TABLE identity.identifiers'),
           ('admin', 'SELECT, INSERT, UPDATE, DELETE', 'TABLE identity.credentials'),
           ('admin', 'SELECT, INSERT, UPDATE, DELETE', 'TABLE identity.addresses'),
           ('admin', 'EXECUTE', 'FUNCTION identity.add_site(text, int, text, text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity.release_staged(text, text, text[], text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity.set_password_scheme(text, text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.decide_link(text, bigint, text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity.accept_link(text, bigint)'),
           ('admin', 'EXECUTE', 'FUNCTION identity.reject_link(text, bigint)'),
           ('admin', 'EXECUTE', 'FUNCTION identity.undo_link(text, bigint)'),
           ('admin', 'INSERT, UPDATE, DELETE', 'TABLE identity.sites'),
           ('admin', 'SELECT, INSERT, UPDATE, DELETE', 'TABLE identity.staged_identities'),
           ('admin', 'SELECT, INSERT, UPDATE, DELETE', 'TABLE identity.staged_identifiers'),
           ('admin', 'SELECT', 'TABLE identity.site_dedup_runs'),
           ('admin', 'SELECT', 'TABLE identity.former_logins'),
           ('admin', 'SELECT, UPDATE', 'TABLE identity.notices'),
           ('admin', 'SELECT, UPDATE', 'TABLE identity.link_proposals'),
           ('admin', 'SELECT', 'TABLE identity.merges'),
           ('admin', 'EXECUTE', 'FUNCTION identity.merge_identities(text, uuid, uuid, boolean)'),
           ('admin', 'EXECUTE', 'FUNCTION identity.undo_merge(text, uuid)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.is_subject(text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.is_name(text, int)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.are_names(text[])'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.policy_problem(text, jsonb)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.reaches(text, text, text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.implied_circle(text, text[], text[])'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.policy_circle(text, text[])'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.circle(text[], text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.stands_in(text, text, text, text, text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.lock_realm(text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.check_subject(text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.check_name(text, text, int)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.check_scopes(text, text, text[])'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.check_containment(text, text, text, text, text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.check_permission_arguments(text, text, text, text[], text, text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity.add_resource_type(text, text, text[], text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity.imply_scope(text, text, text, text, text, boolean, text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity.add_member(text, text, text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity.remove_member(text, text, text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity.add_container(text, text, text, text, text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity.remove_container(text, text, text, text, text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity.add_policy(text, text, text, jsonb, boolean)'),
           ('admin', 'EXECUTE', 'FUNCTION identity.remove_policy(text, text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.add_permissions(text, text, text, text[], text, text, text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity.grant_permission(text, text, text, text[], text, text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity.deny_permission(text, text, text, text[], text, text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity.revoke_permission(text, text, text, text[], text, text, text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity.permission_problems(text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.keycloak_quirks(text, boolean)'),
           ('admin', 'EXECUTE', 'FUNCTION identity.add_keycloak_types(text, text, boolean)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.keycloak_source(text, text, boolean)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.keycloak_policies_read(text, text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.keycloak_members_read(text, text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.keycloak_read(text, text, boolean)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.keycloak_span(jsonb, text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.keycloak_policy(jsonb, jsonb, jsonb, jsonb, text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.keycloak_order(text[], text[], text[])'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.keycloak_names(text, jsonb)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.keycloak_converted(jsonb, jsonb, jsonb, jsonb, jsonb, text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.keycloak_permissions(jsonb, jsonb, jsonb)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.keycloak_policy_rows(jsonb, jsonb, jsonb, text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.keycloak_permission_rows(text, jsonb, text[], text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.keycloak_delete_permissions(text, jsonb)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.keycloak_add_permissions(text, jsonb)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.keycloak_add_policies(text, jsonb)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.keycloak_delete_policies(text, jsonb)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.keycloak_write_members(text, text[], text[])'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.keycloak_write_containers(text, text[], text[], text[], text[], text[], text[])'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.keycloak_types(text, text, boolean, jsonb)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.keycloak_import(text, text, text, text, text, boolean)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.keycloak_permission_report(text, jsonb, jsonb, text[], text[], text[], text[])'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.keycloak_askers(text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.keycloak_answers(text, text, text, text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.keycloak_digests(text, jsonb)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.keycloak_differing(jsonb, jsonb, jsonb, jsonb)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.keycloak_asked(text, jsonb, jsonb, text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.keycloak_state(text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.keycloak_version1(text, boolean)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.keycloak_of_version1(jsonb)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.keycloak_change(text, text, boolean, boolean, text[], boolean, boolean, text[])'),
           ('admin', 'EXECUTE', 'FUNCTION identity.import_keycloak(text, text, text, text, text, boolean, boolean)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.keycloak_gains(jsonb, jsonb, jsonb, jsonb, jsonb)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.collapse_obstacle(text, text, text, text, text[])'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.collapse_listed(text, text, text[], boolean, uuid)'),
           ('admin', 'EXECUTE', 'FUNCTION identity.collapse_permissions(text, text, text, boolean)'),
           ('admin', 'EXECUTE', 'FUNCTION identity.undo_collapse(uuid)'),
           ('admin', 'SELECT, INSERT, UPDATE, DELETE', 'TABLE identity.collapse_runs'),
           ('admin', 'SELECT, INSERT, UPDATE, DELETE', 'TABLE identity.collapsed_permissions'),
           ('admin', 'SELECT, INSERT, UPDATE, DELETE', 'TABLE identity.permissions'),
           ('admin', 'USAGE', 'SEQUENCE identity.permissions_id_seq'),
           ('admin', 'SELECT, INSERT, UPDATE, DELETE', 'TABLE identity.members'),
           ('admin', 'SELECT, INSERT, UPDATE, DELETE', 'TABLE identity.resource_containers'),
           ('admin', 'SELECT, INSERT, UPDATE, DELETE', 'TABLE identity.resource_types'),
           ('admin', 'SELECT, INSERT, UPDATE, DELETE', 'TABLE identity.implied_scopes'),
           ('admin', 'SELECT, INSERT, UPDATE, DELETE', 'TABLE identity.policies'),
           ('admin', 'SELECT, INSERT, UPDATE, DELETE', 'TABLE identity.organizations'),
           ('admin', 'SELECT, INSERT, UPDATE, DELETE', 'TABLE identity.memberships'),
           ('admin', 'SELECT', 'TABLE identity.login_failures'),
           ('admin', 'SELECT, DELETE', 'TABLE identity.known_addresses'),
           ('admin', 'EXECUTE', 'FUNCTION identity.add_organization(text, text, jsonb)'),
           ('admin', 'EXECUTE', 'FUNCTION identity.set_organization(text, text, jsonb)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.organization_settings(jsonb)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.check_organization(text, text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.is_sso_url(text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.are_domains(text[])'),
           ('admin', 'EXECUTE', 'FUNCTION identity.add_membership(text, uuid, text, jsonb)'),
           ('admin', 'EXECUTE', 'FUNCTION identity.import_memberships(text, text, boolean)'),
           ('admin', 'EXECUTE', 'FUNCTION identity.set_membership(text, uuid, text, jsonb)'),
           ('admin', 'EXECUTE', 'FUNCTION identity.remove_membership(text, uuid, text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.membership_settings(jsonb)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.check_membership(text, uuid, text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity.clear_login_failures(text, text, text)'),
           ('owner', 'EXECUTE', 'FUNCTION identity.expire_audit(text, timestamptz)'),
           ('owner', 'EXECUTE', 'FUNCTION identity.expire_audit_values(text, timestamptz)'),
           ('owner', 'EXECUTE', 'FUNCTION identity.erase_audit_values(text, uuid)'),
           ('owner', 'EXECUTE', 'FUNCTION identity.grant_access(text, text, text[])'),
           ('owner', 'EXECUTE', 'FUNCTION identity.revoke_access(text)'),
           ('owner', 'SELECT', 'TABLE identity.access_grants')
$$;
COMMENT ON FUNCTION identity_internal.access_rights() IS 'Internal: what each level of access consists of';

CREATE FUNCTION identity_internal.access_role(role text) RETURNS regrole
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found CONSTANT oid := (SELECT r.oid FROM pg_roles AS r WHERE r.rolname = role);
BEGIN
    IF found IS NULL THEN
        RAISE EXCEPTION 'role "%" does not exist', COALESCE(role, 'NULL')
            USING ERRCODE = 'undefined_object', HINT = 'Give the exact name of a role: SELECT rolname FROM pg_roles.';
    END IF;
    RETURN found;
END
$$;
COMMENT ON FUNCTION identity_internal.access_role(text) IS 'Internal: a role by its name; raises where there is no such role';

CREATE FUNCTION identity_internal.revoke_all_access(role regrole) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    entitled record;
BEGIN
    DELETE FROM identity.access_grants AS g
    WHERE g.role = $1 OR NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.oid = g.role);
    FOR entitled IN SELECT r.privilege, r.object FROM identity_internal.access_rights() AS r LOOP
        EXECUTE format('REVOKE %s ON %s FROM %s', entitled.privilege, entitled.object, role);
    END LOOP;
END
$$;
COMMENT ON FUNCTION identity_internal.revoke_all_access(regrole) IS 'Internal: takes from a role all that any level consists of';

CREATE FUNCTION identity.grant_access(role text, level text, realms text[] = NULL) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    levels CONSTANT text[] := '{application,registrar,notifier,auditor,importer,admin}';
    grantee CONSTANT regrole := identity_internal.access_role(role);
    entitled record;
BEGIN
    IF level IS NULL OR level <> ALL (levels) THEN
        RAISE EXCEPTION 'invalid value for argument "level": %', COALESCE('"' || level || '"', 'NULL')
            USING ERRCODE = 'invalid_parameter_value', HINT = format('Valid values are %s.', array_to_string(levels, ', '));
    ELSIF cardinality(realms) = 0 OR array_position(realms, NULL) IS NOT NULL THEN
        RAISE EXCEPTION 'invalid value for argument "realms": %', quote_literal(realms)
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Give the names of realms, or NULL for all of them.';
    END IF;
    PERFORM identity_internal.check_realm(r) FROM unnest(realms) AS r;
    PERFORM identity_internal.revoke_all_access(grantee);
    INSERT INTO identity.access_grants (role, level, realm)
    SELECT DISTINCT grantee, $2, r FROM unnest(COALESCE(realms, '{NULL}')) AS r;
    FOR entitled IN
        SELECT r.privilege, r.object FROM identity_internal.access_rights() AS r
        WHERE r.level = 'any' OR identity_internal.level_includes(grant_access.level, r.level)
    LOOP
        EXECUTE format('GRANT %s ON %s TO %s', entitled.privilege, entitled.object, grantee);
    END LOOP;
    PERFORM identity_internal.audit(COALESCE(r, ''), 'grant_access', role, jsonb_build_object('level', level))
    FROM unnest(COALESCE(realms, '{NULL}')) AS r;
END
$$;
COMMENT ON FUNCTION identity.grant_access(text, text, text[]) IS
'Gives a role a level of access to pg_identity, in place of the one that it had. What a role inherits from others adds up.
level: application (authenticates, routes logins, checks permissions, reads identities without their secrets), registrar (adds identities, changes none), notifier (sends the notices of new login names), auditor (reads and verifies the audit, with the values of rows that are on record), importer (imports, stages, consolidates; and what application, registrar and notifier may do), admin (everything, the tables with their credentials included).
realms: the realms that the role may act on. To it, all others do not exist. NULL: all realms, those to come included.
Run it as a superuser. Errors: 42704 no such role or realm, 22023 unknown level, or realms is empty.';

CREATE FUNCTION identity.revoke_access(role text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM identity_internal.revoke_all_access(identity_internal.access_role(role));
    PERFORM identity_internal.audit('', 'revoke_access', role, '{}');
END
$$;
COMMENT ON FUNCTION identity.revoke_access(text) IS
'Takes from a role what identity.grant_access() gave it. Errors: 42704 no such role.';

-- Row-level security: what a role reads and writes of the tables directly. The owner of the tables, and so every function that works
-- as this role, passes by it.
DO $$
DECLARE
    secured record;
    of_realms CONSTANT text :=
        '((SELECT identity_internal.has_all_realms(%3$L)) OR %2$I IN (SELECT identity_internal.my_realms(%3$L)))';
BEGIN
    FOR secured IN SELECT * FROM (VALUES
        ('realms', 'name', 'ALL', 'admin'),
        ('realms', 'name', 'SELECT', NULL),
        ('identity_schemas', 'realm', 'ALL', 'admin'),
        ('identity_schemas', 'realm', 'SELECT', 'importer'),
        ('identities', 'realm', 'ALL', 'admin'),
        ('identifiers', 'realm', 'ALL', 'admin'),
        ('credentials', 'realm', 'ALL', 'admin'),
        ('addresses', 'realm', 'ALL', 'admin'),
        ('sites', 'realm', 'ALL', 'admin'),
        ('sites', 'realm', 'SELECT', 'application'),
        ('staged_identities', 'realm', 'ALL', 'admin'),
        ('staged_identifiers', 'realm', 'ALL', 'admin'),
        ('site_dedup_runs', 'realm', 'ALL', 'admin'),
        ('former_logins', 'realm', 'ALL', 'admin'),
        ('notices', 'realm', 'ALL', 'admin'),
        ('link_proposals', 'realm', 'ALL', 'admin'),
        ('merges', 'realm', 'ALL', 'admin'),
        ('organizations', 'realm', 'ALL', 'admin'),
        ('memberships', 'realm', 'ALL', 'admin'),
        ('login_failures', 'realm', 'ALL', 'admin'),
        ('known_addresses', 'realm', 'ALL', 'admin'),
        ('resource_types', 'realm', 'ALL', 'admin'),
        ('implied_scopes', 'realm', 'ALL', 'admin'),
        ('members', 'realm', 'ALL', 'admin'),
        ('resource_containers', 'realm', 'ALL', 'admin'),
        ('policies', 'realm', 'ALL', 'admin'),
        ('permissions', 'realm', 'ALL', 'admin'),
        ('collapse_runs', 'realm', 'ALL', 'admin'),
        ('collapsed_permissions', 'realm', 'ALL', 'admin'),
        ('audit_events', 'realm', 'SELECT', 'auditor'),
        ('audit_heads', 'realm', 'SELECT', 'auditor'),
        ('audit_values', 'realm', 'SELECT', 'auditor'),
        ('import_runs', 'realm', 'SELECT', 'admin')) AS t (name, realm, command, level)
    LOOP
        EXECUTE pg_catalog.format(
            'ALTER TABLE identity.%1$I ENABLE ROW LEVEL SECURITY;
             CREATE POLICY %5$I ON identity.%1$I FOR %4$s USING ' OPERATOR(pg_catalog.||) of_realms,
            secured.name, secured.realm, secured.level, secured.command,
            pg_catalog.concat('realms_of_', COALESCE(secured.level, 'any')));
    END LOOP;
END
$$;

-- Of runs on the users' own tables, which belong to no realm, each role sees its own.
CREATE POLICY own_runs ON identity.import_runs FOR SELECT USING (run_by OPERATOR(pg_catalog.=) CURRENT_USER);
ALTER TABLE identity.dedup_runs ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_runs ON identity.dedup_runs FOR SELECT USING (run_by OPERATOR(pg_catalog.=) CURRENT_USER);
ALTER TABLE identity.dedup_rows ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_runs ON identity.dedup_rows FOR SELECT
USING (run_id IN (SELECT r.run_id FROM identity.dedup_runs AS r WHERE r.run_by OPERATOR(pg_catalog.=) CURRENT_USER));

-- Who may write all tables of the server (pg_write_all_data) grants nothing here.
ALTER TABLE identity.access_grants ENABLE ROW LEVEL SECURITY;
CREATE POLICY readable ON identity.access_grants FOR SELECT USING (true);

-- Everything belongs to identity_owner; nobody else has a right, whatever the default privileges of the role that installs are. The
-- owner comes first: grants that are made before it changes would be taken for grants of the role that installs.
DO $$
DECLARE
    item record;
BEGIN
    FOR item IN
        SELECT pg_catalog.format('%s %I.%I', CASE WHEN c.relkind OPERATOR(pg_catalog.=) 'v' THEN 'VIEW' WHEN c.relkind OPERATOR(pg_catalog.=) 'c' THEN 'TYPE' ELSE 'TABLE' END, n.nspname, c.relname) AS object
        FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
        WHERE n.nspname OPERATOR(pg_catalog.=) ANY ('{identity,identity_internal}'::pg_catalog.name[])
          AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,v,c}'::pg_catalog."char"[])
        UNION ALL
        SELECT pg_catalog.format('TYPE %I.%I', n.nspname, t.typname)
        FROM pg_catalog.pg_type AS t JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) t.typnamespace
        WHERE n.nspname OPERATOR(pg_catalog.=) ANY ('{identity,identity_internal}'::pg_catalog.name[])
          AND t.typtype OPERATOR(pg_catalog.=) 'e'
        UNION ALL
        SELECT pg_catalog.format('FUNCTION %s', f.oid::pg_catalog.regprocedure)
        FROM pg_catalog.pg_proc AS f JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) f.pronamespace
        WHERE n.nspname OPERATOR(pg_catalog.=) ANY ('{identity,identity_internal}'::pg_catalog.name[])
    LOOP
        EXECUTE pg_catalog.concat('ALTER ', item.object, ' OWNER TO identity_owner');
    END LOOP;
    FOR item IN
        SELECT DISTINCT o.object, CASE WHEN a.grantee OPERATOR(pg_catalog.=) 0::pg_catalog.oid THEN 'PUBLIC' ELSE a.grantee::pg_catalog.regrole::pg_catalog.text END AS grantee
        FROM (
            SELECT pg_catalog.format('SCHEMA %I', n.nspname) AS object, n.nspowner AS owner, n.nspacl AS acl
            FROM pg_catalog.pg_namespace AS n
            WHERE n.nspname OPERATOR(pg_catalog.=) ANY ('{identity,identity_internal}'::pg_catalog.name[])
            UNION ALL
            SELECT pg_catalog.format('%s %I.%I', CASE WHEN c.relkind OPERATOR(pg_catalog.=) 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, n.nspname, c.relname), c.relowner, c.relacl
            FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
            WHERE n.nspname OPERATOR(pg_catalog.=) ANY ('{identity,identity_internal}'::pg_catalog.name[])
              AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,v,S}'::pg_catalog."char"[])
            UNION ALL
            SELECT pg_catalog.format('FUNCTION %s', f.oid::pg_catalog.regprocedure), f.proowner,
                   COALESCE(f.proacl, pg_catalog.acldefault('f', f.proowner))
            FROM pg_catalog.pg_proc AS f JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) f.pronamespace
            WHERE n.nspname OPERATOR(pg_catalog.=) ANY ('{identity,identity_internal}'::pg_catalog.name[])) AS o
        CROSS JOIN LATERAL pg_catalog.aclexplode(o.acl) AS a
        WHERE a.grantee OPERATOR(pg_catalog.<>) o.owner
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON %s FROM %s', item.object, item.grantee);
    END LOOP;
    GRANT USAGE ON SCHEMA identity, identity_internal TO identity_owner;
    SELECT f.oid::pg_catalog.regprocedure AS function INTO item
    FROM pg_catalog.pg_proc AS f
    JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) f.pronamespace
    JOIN pg_catalog.pg_roles AS r ON r.oid OPERATOR(pg_catalog.=) f.proowner
    WHERE n.nspname OPERATOR(pg_catalog.=) ANY ('{identity,identity_internal}'::pg_catalog.name[]) AND f.prosecdef
      AND (r.rolsuper OR f.proconfig IS NULL OR NOT f.proconfig OPERATOR(pg_catalog.@>) '{"search_path=pg_catalog, pg_temp"}'::pg_catalog.text[]);
    IF FOUND THEN
        RAISE EXCEPTION 'function % runs as its owner, and is not safe for that', item.function
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'It must not belong to a superuser, and needs a search_path of its own.';
    END IF;
END
$$;
