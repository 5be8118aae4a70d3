-- Who may call what. PUBLIC gets nothing; a role gets a level, and each level has what those below it have.

CREATE FUNCTION identity_internal.access_rights()
RETURNS TABLE (level text, privilege text, object text)
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    VALUES ('checker', 'USAGE', 'SCHEMA identity'),
           ('checker', 'EXECUTE', 'FUNCTION identity.normalize_identifier(text, text)'),
           ('checker', 'EXECUTE', 'FUNCTION identity.identifier_skeleton(text)'),
           ('checker', 'EXECUTE', 'FUNCTION identity.unicode_version()'),
           ('checker', 'EXECUTE', 'FUNCTION identity.inspect_password_hash(text)'),
           ('checker', 'EXECUTE', 'FUNCTION identity.verify_password(text, text)'),
           ('checker', 'SELECT', 'TABLE identity.realms'),
           ('checker', 'EXECUTE', 'FUNCTION identity_internal.shown(text)'),
           ('checker', 'EXECUTE', 'FUNCTION identity_internal.check_realm(text)'),
           ('checker', 'SELECT', 'TABLE identity.identities_view'),
           ('importer', 'EXECUTE', 'FUNCTION identity.import_rows(regclass, text, text, text[], boolean, text, bigint, text)'),
           ('importer', 'EXECUTE', 'FUNCTION identity_internal.import_mark(bigint, int)'),
           ('importer', 'EXECUTE', 'FUNCTION identity_internal.import_mark(bigint, tid)'),
           ('importer', 'EXECUTE', 'FUNCTION identity_internal.import_current()'),
           ('importer', 'EXECUTE', 'FUNCTION identity_internal.import_sieve_add(integer, bigint)'),
           ('importer', 'EXECUTE', 'FUNCTION identity_internal.import_sieve_holds(integer, bigint)'),
           ('importer', 'EXECUTE', 'FUNCTION identity_internal.import_before_insert(anyelement)'),
           ('importer', 'SELECT', 'TABLE identity.import_progress'),
           ('importer', 'EXECUTE', 'FUNCTION identity.import_identities(text, jsonb, text, boolean, text)'),
           ('importer', 'EXECUTE', 'FUNCTION identity.import_identities_from(text, text, text, boolean, text)'),
           ('importer', 'EXECUTE', 'FUNCTION identity.patch_identities(text, jsonb)'),
           ('importer', 'EXECUTE', 'FUNCTION identity_internal.patch_answer(text, text, uuid, text, jsonb)'),
           ('importer', 'EXECUTE', 'FUNCTION identity.recheck_identifiers(text)'),
           ('importer', 'SELECT', 'TABLE identity.identity_schemas'),
           ('admin', 'EXECUTE', 'FUNCTION identity.add_realm(text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity.set_identity_schema(text, text, jsonb)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.schema_problem(jsonb)'),
           ('admin', 'INSERT, UPDATE, DELETE', 'TABLE identity.realms'),
           ('admin', 'INSERT, UPDATE, DELETE', 'TABLE identity.identity_schemas'),
           ('admin', 'SELECT, INSERT, UPDATE, DELETE', 'TABLE identity.identities'),
           ('admin', 'SELECT, INSERT, UPDATE, DELETE', 'TABLE identity.identifiers'),
           ('admin', 'SELECT, INSERT, UPDATE, DELETE', 'TABLE identity.credentials'),
           ('admin', 'SELECT, INSERT, UPDATE, DELETE', 'TABLE identity.addresses'),
           ('importer', 'EXECUTE', 'FUNCTION identity_internal.dedup_note(text)'),
           ('importer', 'EXECUTE', 'FUNCTION identity_internal.dedup_may_repeat(text)'),
           ('importer', 'EXECUTE', 'FUNCTION identity_internal.dedup_keep(oid, tid, text, text, text, text)'),
           ('importer', 'EXECUTE', 'FUNCTION identity.find_duplicates(regclass, text, text, text, text)'),
           ('importer', 'EXECUTE', 'FUNCTION identity.dedup_logins(regclass, text, text, text, jsonb, text, text, text, int, text, boolean)'),
           ('importer', 'EXECUTE', 'FUNCTION identity.undo_dedup(uuid, boolean)'),
           ('checker', 'SELECT', 'TABLE identity.sites'),
           ('checker', 'EXECUTE', 'FUNCTION identity_internal.site_id(text, text)'),
           ('checker', 'EXECUTE', 'FUNCTION identity.login_candidates(text, text)'),
           ('checker', 'EXECUTE', 'FUNCTION identity.authenticate(text, text, text, jsonb)'),
           ('importer', 'EXECUTE', 'FUNCTION identity.stage_site(text, text, text, jsonb, jsonb, boolean, text)'),
           ('importer', 'EXECUTE', 'FUNCTION identity.dedup_site_logins(text, boolean)'),
           ('importer', 'EXECUTE', 'FUNCTION identity.promote_identity(text, text, text)'),
           ('importer', 'EXECUTE', 'FUNCTION identity.pending_notices(text, int)'),
           ('importer', 'EXECUTE', 'FUNCTION identity.mark_notices(bigint[], text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity.add_site(text, int, text, text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity.release_staged(text, text, text[], text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity.set_password_scheme(text, text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.decide_link(text, bigint, text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity.accept_link(text, bigint)'),
           ('admin', 'EXECUTE', 'FUNCTION identity.reject_link(text, bigint)'),
           ('admin', 'EXECUTE', 'FUNCTION identity.undo_link(text, bigint)'),
           ('admin', 'SELECT, INSERT, UPDATE, DELETE', 'TABLE identity.sites'),
           ('admin', 'SELECT, INSERT, UPDATE, DELETE', 'TABLE identity.staged_identities'),
           ('admin', 'SELECT, INSERT, UPDATE, DELETE', 'TABLE identity.staged_identifiers'),
           ('admin', 'SELECT', 'TABLE identity.site_dedup_runs'),
           ('admin', 'SELECT', 'TABLE identity.former_logins'),
           ('admin', 'SELECT, UPDATE', 'TABLE identity.notices'),
           ('admin', 'SELECT, UPDATE', 'TABLE identity.link_proposals'),
           ('checker', 'EXECUTE', 'FUNCTION identity.check_permission(text, text, text, text, text, jsonb)'),
           ('checker', 'EXECUTE', 'FUNCTION identity.check_permissions(text, text, text, text[], text[], jsonb)'),
           ('checker', 'EXECUTE', 'FUNCTION identity.explain_permission(text, text, text, text, text, jsonb)'),
           ('checker', 'EXECUTE', 'FUNCTION identity.permitted_resources(text, text, text, text, text, int, jsonb)'),
           ('checker', 'EXECUTE', 'FUNCTION identity.permitted_subjects(text, text, text, text, text, int, jsonb)'),
           ('checker', 'EXECUTE', 'FUNCTION identity.permission_cache_status()'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.is_subject(text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.is_name(text, int)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.are_names(text[])'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.policy_problem(text, jsonb)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.implied_circle(text, text[], text[])'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.policy_circle(text, text[])'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.circle(text[], text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.reaches(text, text, text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.stands_in(text, text, text, text, text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.lock_realm(text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.check_subject(text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.check_name(text, text, int)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.check_scopes(text, text, text[])'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.check_containment(text, text, text, text, text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.check_permission_arguments(text, text, text, text[], text, text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity.add_resource_type(text, text, text[])'),
           ('admin', 'EXECUTE', 'FUNCTION identity.imply_scope(text, text, text, text, text, boolean)'),
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
           ('admin', 'EXECUTE', 'FUNCTION identity.add_keycloak_types(text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.keycloak_read(text, text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.keycloak_span(jsonb, text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.keycloak_policy(text, text, jsonb, text, boolean, text[], text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.keycloak_policies(text, text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.keycloak_members(text, text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity.import_keycloak(text, text, text, text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.collapse_obstacle(text, text, text, text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.collapse_listed(text, text, boolean, uuid)'),
           ('admin', 'EXECUTE', 'FUNCTION identity.collapse_permissions(text, text, text, boolean)'),
           ('admin', 'EXECUTE', 'FUNCTION identity.undo_collapse(uuid)'),
           ('admin', 'SELECT, INSERT, UPDATE, DELETE', 'TABLE identity.collapse_runs'),
           ('admin', 'SELECT, INSERT, UPDATE, DELETE', 'TABLE identity.collapsed_permissions'),
           ('admin', 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE', 'TABLE identity.permissions'),
           ('admin', 'USAGE', 'SEQUENCE identity.permissions_id_seq'),
           ('admin', 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE', 'TABLE identity.members'),
           ('admin', 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE', 'TABLE identity.resource_containers'),
           ('admin', 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE', 'TABLE identity.resource_types'),
           ('admin', 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE', 'TABLE identity.implied_scopes'),
           ('admin', 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE', 'TABLE identity.policies'),
           ('admin', 'SELECT', 'TABLE identity.dedup_runs'),
           ('admin', 'SELECT', 'TABLE identity.dedup_rows'),
           ('admin', 'SELECT', 'TABLE identity.import_runs'),
           ('admin', 'SELECT', 'TABLE identity.audit_events'),
           ('admin', 'SELECT', 'TABLE identity.audit_heads'),
           ('admin', 'EXECUTE', 'FUNCTION identity.audit_checkpoint(text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity.verify_audit(text, jsonb)'),
           ('checker', 'EXECUTE', 'FUNCTION identity.resolve_login(text, uuid, text, jsonb, int, boolean)'),
           ('checker', 'EXECUTE', 'FUNCTION identity.preview_login(text, uuid, text, jsonb, int, boolean)'),
           ('checker', 'EXECUTE', 'FUNCTION identity.login_attempts(text, bigint)'),
           ('checker', 'EXECUTE', 'FUNCTION identity.organizations_of_email(text, text)'),
           ('admin', 'SELECT, INSERT, UPDATE, DELETE', 'TABLE identity.organizations'),
           ('admin', 'SELECT, INSERT, UPDATE, DELETE', 'TABLE identity.memberships'),
           ('admin', 'SELECT', 'TABLE identity.login_failures'),
           ('admin', 'EXECUTE', 'FUNCTION identity.add_organization(text, text, jsonb)'),
           ('admin', 'EXECUTE', 'FUNCTION identity.set_organization(text, text, jsonb)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.organization_settings(jsonb)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.check_organization(text, text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.is_sso_url(text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.are_domains(text[])'),
           ('admin', 'EXECUTE', 'FUNCTION identity.add_membership(text, uuid, text, jsonb)'),
           ('admin', 'EXECUTE', 'FUNCTION identity.set_membership(text, uuid, text, jsonb)'),
           ('admin', 'EXECUTE', 'FUNCTION identity.remove_membership(text, uuid, text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.membership_settings(jsonb)'),
           ('admin', 'EXECUTE', 'FUNCTION identity_internal.check_membership(text, uuid, text)'),
           ('admin', 'EXECUTE', 'FUNCTION identity.clear_login_failures(text, text, text)')
$$;
COMMENT ON FUNCTION identity_internal.access_rights() IS 'Internal: what each level of access consists of';

CREATE FUNCTION identity_internal.access_role(role text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF role IS NULL OR NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = role) THEN
        RAISE EXCEPTION 'role "%" does not exist', COALESCE(role, 'NULL')
            USING ERRCODE = 'undefined_object', HINT = 'Give the exact name of a role: SELECT rolname FROM pg_roles.';
    END IF;
    RETURN quote_ident(role);
END
$$;
COMMENT ON FUNCTION identity_internal.access_role(text) IS 'Internal: a role''s name, quoted; raises where there is no such role';

CREATE FUNCTION identity_internal.take_access(role text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    name CONSTANT text := identity_internal.access_role(role);
    entitled record;
BEGIN
    FOR entitled IN SELECT r.privilege, r.object FROM identity_internal.access_rights() AS r LOOP
        EXECUTE format('REVOKE %s ON %s FROM %s', entitled.privilege, entitled.object, name);
    END LOOP;
END
$$;
COMMENT ON FUNCTION identity_internal.take_access(text) IS 'Internal: takes from role all that any level consists of';

CREATE FUNCTION identity.grant_access(role text, level text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    levels CONSTANT text[] := '{checker,importer,admin}';
    name CONSTANT text := identity_internal.access_role(role);
    entitled record;
BEGIN
    IF level IS NULL OR level <> ALL (levels) THEN
        RAISE EXCEPTION 'unknown level: "%"', COALESCE(level, 'NULL')
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Use checker, importer or admin.';
    END IF;
    PERFORM identity_internal.take_access(role);
    FOR entitled IN
        SELECT r.privilege, r.object FROM identity_internal.access_rights() AS r
        WHERE array_position(levels, r.level) <= array_position(levels, grant_access.level)
    LOOP
        EXECUTE format('GRANT %s ON %s TO %s', entitled.privilege, entitled.object, name);
    END LOOP;
    PERFORM identity_internal.audit('', 'grant_access', role, jsonb_build_object('level', level));
END
$$;
COMMENT ON FUNCTION identity.grant_access(text, text) IS
'Gives role a level of access to pg_identity, in place of the one it had.
level: checker (checks, and identities without their secrets), importer (and imports), admin (and realms, the tables of the store with their credentials, the records of all runs).
Run it as the owner of the extension. Errors: 42704 no such role, 22023 unknown level.';

CREATE FUNCTION identity.revoke_access(role text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM identity_internal.take_access(role);
    PERFORM identity_internal.audit('', 'revoke_access', role, '{}');
END
$$;
COMMENT ON FUNCTION identity.revoke_access(text) IS
'Takes from role what identity.grant_access() gave it. Errors: 42704 no such role.';

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA identity FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA identity FROM PUBLIC;
