#!/usr/bin/env bash
# The role that owns the extension, as whoever installs it meets it: default privileges, a role that was there before, several
# databases, dump and restore of grants, removal.
. "$(dirname "$0")/../lib.sh"
other=${db}_other
as_app() { ask -U owner_app "$@"; }
fresh() { psql -Xq -d postgres -c "DROP DATABASE IF EXISTS $1 WITH (FORCE)" -c "CREATE DATABASE $1" 2>/dev/null; }
grantees="SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(c.relacl) a
  WHERE n.nspname LIKE 'identity%' AND a.grantee NOT IN (c.relowner)"
callers="SELECT count(*) FROM pg_proc f JOIN pg_namespace n ON n.oid = f.pronamespace, aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) a
  WHERE n.nspname LIKE 'identity%' AND a.grantee <> f.proowner"

# Default privileges of the role that installs do not survive.
ask -c "DROP ROLE IF EXISTS owner_app; CREATE ROLE owner_app LOGIN" 2>/dev/null
fresh "$other"
ask -d "$other" -c "ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO owner_app; ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO PUBLIC;
  ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO owner_app WITH GRANT OPTION; ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO owner_app;
  CREATE EXTENSION pg_identity"
expect "nobody has a right on a table" 0 "$(ask -d "$other" -c "$grantees")"
expect "nobody may call a function" 0 "$(ask -d "$other" -c "$callers")"
expect "nobody may use a schema" f "$(ask -d "$other" -c "SELECT bool_or(has_schema_privilege('owner_app', n, p)) FROM unnest('{identity,identity_internal}'::text[]) n, unnest('{USAGE,CREATE}'::text[]) p")"
ask -d "$other" -c "SELECT identity.add_realm('acme'); SELECT identity.grant_access('owner_app', 'application')" >/dev/null
expect "an application does not write the audit" "42501" "$(as_app -d "$other" -v VERBOSITY=sqlstate -c "SELECT identity_internal.audit('acme', 'forged', NULL, '{}')" 2>&1 | sed -n 's/^ERROR:  //p')"
expect "nor removes it" "42501" "$(as_app -d "$other" -v VERBOSITY=sqlstate -c "SELECT identity.expire_audit('acme', now())" 2>&1 | sed -n 's/^ERROR:  //p')"

# Grants by realm come back from a dump, in another database under the same names.
ask -d "$other" -c "SELECT identity.add_realm('theirs'); SELECT identity.grant_access('owner_app', 'application', '{acme}')" >/dev/null
fresh "${other}_copy"
pg_dump "$other" | psql -Xq -v ON_ERROR_STOP=1 -d "${other}_copy" >/dev/null
expect "grants after a restore" "owner_app|application|acme" "$(ask -d "${other}_copy" -c "SELECT * FROM identity.access_grants")"
expect "what the role sees after it" "acme" "$(as_app -d "${other}_copy" -c "SELECT name FROM identity.realms")"
expect "owner after it" "identity_owner" "$(ask -d "${other}_copy" -c "SELECT DISTINCT relowner::regrole FROM pg_class WHERE relnamespace IN ('identity'::regnamespace, 'identity_internal'::regnamespace)")"

# expire_audit() works without rights in the server, for whoever is granted it.
ask -d "$other" -c "GRANT EXECUTE ON FUNCTION identity.expire_audit TO owner_app" >/dev/null
expect "expire_audit" t "$(as_app -d "$other" -c "SELECT identity.expire_audit('acme', now()) > 0")"
expect "the audit after it" t "$(ask -d "$other" -c "SELECT bool_and(intact) FROM identity.verify_audit('acme')")"
expect "by hand not even a superuser deletes" "42501" "$(ask -d "$other" -v VERBOSITY=sqlstate -c "DELETE FROM identity.audit_events" 2>&1 | sed -n 's/^ERROR:  //p')"

# A role of the owner's name that may do more is refused.
fresh "${other}_copy"
refused() { ask -d "${other}_copy" -v VERBOSITY=sqlstate -c "CREATE EXTENSION pg_identity" 2>&1 | sed -n 's/^ERROR:  //p'; }
ask -c "ALTER ROLE identity_owner LOGIN"
expect "an owner that may log in" 55000 "$(refused)"
ask -c "ALTER ROLE identity_owner NOLOGIN SUPERUSER"
expect "an owner that is a superuser" 55000 "$(refused)"
ask -c "ALTER ROLE identity_owner NOSUPERUSER; ALTER ROLE identity_owner SET search_path = public"
expect "an owner with settings" 55000 "$(refused)"
ask -c "ALTER ROLE identity_owner RESET ALL"
ask -d "${other}_copy" -c "REVOKE TEMP ON DATABASE ${other}_copy FROM PUBLIC; CREATE EXTENSION pg_identity; SELECT identity.add_realm('acme')" >/dev/null
expect "an import where PUBLIC has no TEMP" inserted "$(ask -d "${other}_copy" -c "SELECT status FROM identity.import_identities('acme', '[{\"traits\": {\"username\": \"a\"}}]')" 2>/dev/null)"

ask -c "DROP DATABASE ${other}_copy" -c "DROP DATABASE $other WITH (FORCE)" -c "DROP ROLE owner_app"
