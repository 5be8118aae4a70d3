#!/usr/bin/env bash
# 100,000 identities out of the tables of a Kratos database and into those of another: export_kratos beside a plain query that builds the JSON of the
# same rows, import_kratos beside plain INSERT … SELECT of finished rows. Prints seconds
# and ratios.
. "$(dirname "$0")/lib.sh"
rows=${ROWS:-100000}
db=bench_kratos
run -d postgres -c "DROP DATABASE IF EXISTS $db" -c "CREATE DATABASE $db" 2>/dev/null
run -d $db -c 'CREATE EXTENSION pg_identity' -c 'CREATE SCHEMA ory' -c 'CREATE SCHEMA fresh'
PGOPTIONS='-c search_path=ory' run -d $db -f "$(dirname "$0")/../tests/kratos/tables.sql"
PGOPTIONS='-c search_path=fresh' run -d $db -f "$(dirname "$0")/../tests/kratos/tables.sql"
run -d $db -v rows="$rows" <<'SQL'
SET search_path = ory;
CREATE FUNCTION id(what text, n int) RETURNS uuid LANGUAGE sql IMMUTABLE AS 'SELECT md5(what || n)::uuid';
CREATE FUNCTION kind(name text) RETURNS uuid LANGUAGE sql STABLE AS 'SELECT id FROM ory.identity_credential_types AS t WHERE t.name = $1';
INSERT INTO networks VALUES (id('network', 1), '2020-01-01', '2020-01-01');
INSERT INTO fresh.networks SELECT * FROM networks;
-- Each has an e-mail address and a username with a password, which is verified and for recovery too; one in ten has a second factor and a provider.
INSERT INTO identities SELECT id('identity', n), 'default', jsonb_build_object('email', 'user' || n || '@example.com', 'username', 'user' || n, 'name', jsonb_build_object('first', 'First' || n, 'last', 'Last' || n)),
    '2020-01-01'::timestamp + n * interval '1 minute', '2021-01-01', id('network', 1), 'active', '2021-01-01', '{"plan": "free"}', NULL, 'aal1' FROM generate_series(1, :rows) AS n;
INSERT INTO identity_credentials SELECT id('password', n), jsonb_build_object('hashed_password', '$2a$10$' || substr(md5(n || 'h') || md5(n || 'g'), 1, 52) || '.'), kind('password'), id('identity', n), '2020-01-01', '2020-01-01', id('network', 1), 1 FROM generate_series(1, :rows) AS n;
INSERT INTO identity_credential_identifiers SELECT id('name' || e, n), CASE e WHEN 1 THEN 'user' || n ELSE 'user' || n || '@example.com' END, id('password', n), '2020-01-01', '2020-01-01', id('network', 1), kind('password'), id('identity', n) FROM generate_series(1, :rows) AS n, generate_series(1, 2) AS e;
INSERT INTO identity_credentials SELECT id('totp', n), jsonb_build_object('totp_url', 'otpauth://totp/x?secret=ABC'), kind('totp'), id('identity', n), '2020-01-01', '2020-01-01', id('network', 1), 0 FROM generate_series(1, :rows, 10) AS n;
INSERT INTO identity_credential_identifiers SELECT id('totp name', n), id('identity', n)::text, id('totp', n), '2020-01-01', '2020-01-01', id('network', 1), kind('totp'), id('identity', n) FROM generate_series(1, :rows, 10) AS n;
INSERT INTO identity_credentials SELECT id('oidc', n), jsonb_build_object('providers', jsonb_build_array(jsonb_build_object('subject', 's' || n, 'provider', 'google', 'initial_id_token', 'x', 'initial_access_token', '', 'initial_refresh_token', ''))), kind('oidc'), id('identity', n), '2020-01-01', '2020-01-01', id('network', 1), 0 FROM generate_series(5, :rows, 10) AS n;
INSERT INTO identity_credential_identifiers SELECT id('oidc name', n), 'google:s' || n, id('oidc', n), '2020-01-01', '2020-01-01', id('network', 1), kind('oidc'), id('identity', n) FROM generate_series(5, :rows, 10) AS n;
INSERT INTO identity_verifiable_addresses SELECT id('verifiable', n), 'completed', 'email', true, 'user' || n || '@example.com', '2020-02-01', id('identity', n), '2020-01-01', '2020-01-01', id('network', 1) FROM generate_series(1, :rows) AS n;
INSERT INTO identity_recovery_addresses SELECT id('recovery', n), 'email', 'user' || n || '@example.com', id('identity', n), '2020-01-01', '2020-01-01', id('network', 1) FROM generate_series(1, :rows) AS n;
VACUUM ANALYZE;
-- What one would write who knows the tables.
CREATE VIEW plain AS
SELECT jsonb_build_object(
    'id', i.id, 'schema_id', i.schema_id, 'external_id', i.external_id, 'state', i.state, 'traits', i.traits, 'metadata_public', i.metadata_public,
    'metadata_admin', i.metadata_admin, 'organization_id', i.organization_id, 'created_at', i.created_at, 'updated_at', i.updated_at, 'state_changed_at', i.state_changed_at,
    'verifiable_addresses', v.addresses, 'recovery_addresses', r.addresses, 'credentials', c.credentials) AS document
FROM identities AS i
LEFT JOIN (SELECT c.identity_id, jsonb_object_agg(t.name, jsonb_build_object('identifiers', n.identifiers, 'created_at', c.created_at, 'updated_at', c.updated_at, 'config', c.config)) AS credentials
           FROM identity_credentials AS c JOIN identity_credential_types AS t ON t.id = c.identity_credential_type_id
           LEFT JOIN (SELECT n.identity_credential_id, jsonb_agg(n.identifier) AS identifiers FROM identity_credential_identifiers AS n GROUP BY 1) AS n ON n.identity_credential_id = c.id
           GROUP BY 1) AS c ON c.identity_id = i.id
LEFT JOIN (SELECT v.identity_id, jsonb_agg(jsonb_build_object('value', v.value, 'via', v.via, 'verified', v.verified, 'status', v.status, 'verified_at', v.verified_at, 'created_at', v.created_at, 'updated_at', v.updated_at)) AS addresses
           FROM identity_verifiable_addresses AS v GROUP BY 1) AS v ON v.identity_id = i.id
LEFT JOIN (SELECT v.identity_id, jsonb_agg(jsonb_build_object('value', v.value, 'via', v.via, 'created_at', v.created_at, 'updated_at', v.updated_at)) AS addresses
           FROM identity_recovery_addresses AS v GROUP BY 1) AS r ON r.identity_id = i.id
ORDER BY i.id;
SQL
# Both are written into a table, in turn; the best of five.
once() { seconds $db -c "CREATE TABLE ory.out AS SELECT document FROM $1"; run -d $db -c 'DROP TABLE ory.out' -c CHECKPOINT; }
least() { sort -n | head -n 1; }
queries=() exports=()
for _ in 1 2 3 4 5; do
    queries+=("$(once ory.plain)")
    exports+=("$(once "identity.export_kratos('ory')")")
done
query=$(printf '%s\n' "${queries[@]}" | least)
out=$(printf '%s\n' "${exports[@]}" | least)
echo "$rows identities out: plain query ${query} s, export_kratos ${out} s, ratio $(ratio "$out" "$query") (goal 1.2)"

# Into the tables of an empty database: import_kratos beside INSERT … SELECT of the rows that it has made, into the same five tables.
tables='identities identity_credentials identity_credential_identifiers identity_verifiable_addresses identity_recovery_addresses'
run -d $db -c "CREATE TABLE documents AS SELECT document FROM identity.export_kratos('ory')" -c 'VACUUM ANALYZE documents'
empty() { run -d $db -c 'TRUNCATE fresh.identities CASCADE' -c CHECKPOINT; }
into() { seconds $db -c "SELECT count(*) FROM identity.import_kratos('fresh', 'documents')"; }
into >/dev/null
for table in $tables; do run -d $db -c "CREATE TABLE public.ready_$table AS SELECT * FROM fresh.$table ORDER BY id" -c "VACUUM ANALYZE public.ready_$table"; done
imported=$(run -d $db -Atc 'SELECT count(*) FROM fresh.identities')
[ "$imported" = "$rows" ] || { echo "only $imported of $rows identities were imported"; exit 1; }
imports=() inserts=()
for _ in 1 2 3; do
    empty
    inserts+=("$(for table in $tables; do printf "INSERT INTO fresh.%s SELECT * FROM public.ready_%s;\n" "$table" "$table"; done >/tmp/kratos_ready.$$ && seconds $db -f /tmp/kratos_ready.$$)")
    empty
    imports+=("$(into)")
done
rm -f /tmp/kratos_ready.$$
insert=$(printf '%s\n' "${inserts[@]}" | least)
import=$(printf '%s\n' "${imports[@]}" | least)
echo "$rows identities in: INSERT … SELECT of finished rows ${insert} s, import_kratos ${import} s, ratio $(ratio "$import" "$insert") (goal 1.5)"
echo "once more, all of them held: $(into) s"
