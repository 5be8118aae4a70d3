#!/usr/bin/env bash
# Row-level security over a million rows, as docs/authorization.md shows it: a check for each row, and a list made once. Both let the same
# rows through; the plans are those that the document promises.
. "$(dirname "$0")/../lib.sh"
role=identity_rls_reader
ask -c "DO \$\$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '$role') THEN CREATE ROLE $role; END IF; END \$\$"
trap 'ask -c "DROP OWNED BY $role" -c "DROP ROLE $role"' EXIT
ask >/dev/null <<SQL
SELECT identity.grant_access('$role', 'application');
SELECT identity.add_realm('acme'), identity.add_resource_type('acme', 'documents', '{view}');
CREATE TABLE documents (id text COLLATE "C" PRIMARY KEY, body text);
INSERT INTO documents SELECT 'd' || n, 'text ' || n FROM generate_series(1, 1000000) n;
VACUUM ANALYZE documents;
GRANT SELECT ON documents TO $role;
-- user:few may view a thousand, user:most all but a thousand, user:none none.
INSERT INTO identity.permissions (realm, subject, resource_type, resource, scope) SELECT 'acme', 'user:few', 'documents', 'd' || n * 1000, 'view' FROM generate_series(1, 1000) n;
INSERT INTO identity.permissions (realm, subject, resource_type, scope) VALUES ('acme', 'user:most', 'documents', 'view');
INSERT INTO identity.permissions (realm, subject, resource_type, resource, scope, effect) SELECT 'acme', 'user:most', 'documents', 'd' || n * 1000, 'view', 'deny' FROM generate_series(1, 1000) n;
ALTER TABLE documents ENABLE ROW LEVEL SECURITY;
SQL
as() { ask -c "SET ROLE $role" -c "SET app.subject = '$1'" -c "SET max_parallel_workers_per_gather = 0" "${@:2}"; }
counts() { for who in few most none; do as "user:$who" -c 'SELECT count(*) FROM documents'; done | xargs; }
plan() { as "$1" -c "EXPLAIN (COSTS OFF) $2"; }

# A check for each row that the query comes to.
ask -c "CREATE POLICY each_row ON documents FOR SELECT USING (identity.check_permission('acme', current_setting('app.subject'), 'view', 'documents', id))"
expect "rows by a check for each" "1000 999000 0" "$(counts)"
expect "one row by its key" "Index Scan using documents_pkey on documents" "$(plan user:few "SELECT * FROM documents WHERE id = 'd1000'" | head -n 1)"
expect "all rows, one after the other" "  ->  Seq Scan on documents" "$(plan user:few 'SELECT count(*) FROM documents' | sed -n 2p)"
as user:few -c '\timing on' -c 'SELECT count(*) FROM documents' | sed -n 's/^Time/a check for each of a million rows/p'
for who in few most; do as "user:$who" -c "\copy (SELECT id FROM documents ORDER BY id) TO STDOUT" | md5sum >"/tmp/$db.$who"; done

# A list, made once for the statement: the type's answer, and the resources that have another one.
ask -c 'DROP POLICY each_row ON documents' -c "CREATE POLICY listed ON documents FOR SELECT USING (
    CASE WHEN (SELECT identity.check_permission('acme', current_setting('app.subject'), 'view', 'documents'))
         THEN id NOT IN (SELECT resource FROM identity.permitted_resources('acme', current_setting('app.subject'), 'view', 'documents', max_rows => 100000)
                         WHERE NOT permitted AND resource IS NOT NULL)
         ELSE id IN (SELECT resource FROM identity.permitted_resources('acme', current_setting('app.subject'), 'view', 'documents', max_rows => 100000)
                     WHERE permitted AND resource IS NOT NULL) END)"
expect "rows by a list" "1000 999000 0" "$(counts)"
for who in few most; do
    expect "the same rows for user:$who" "$(cat "/tmp/$db.$who")" "$(as "user:$who" -c "\copy (SELECT id FROM documents ORDER BY id) TO STDOUT" | md5sum)"
    rm -f "/tmp/$db.$who"
done
expect "each question is asked once" "InitPlan 1 SubPlan 2 SubPlan 3" "$(plan user:few 'SELECT count(*) FROM documents' | grep -o -e '^ *InitPlan [0-9]' -e '^ *SubPlan [0-9]' | xargs)"
expect "the lists are hashed" 2 "$(plan user:few 'SELECT count(*) FROM documents' | grep -o 'hashed SubPlan' | wc -l)"
as user:few -c '\timing on' -c 'SELECT count(*) FROM documents' | sed -n 's/^Time/a list for a million rows/p'

# Without the policy: the query itself goes by the list, and so by the index.
ask -c 'ALTER TABLE documents DISABLE ROW LEVEL SECURITY'
listed="SELECT count(*) FROM documents WHERE id = ANY (ARRAY(SELECT resource FROM identity.permitted_resources('acme', 'user:few', 'view', 'documents') WHERE permitted))"
expect "a list in the query" 999 "$(ask -c "$listed")"
expect "by the index" 1 "$(ask -c "EXPLAIN (COSTS OFF) $listed" | grep -c 'Index Only Scan using documents_pkey')"
ask -c '\timing on' -c "$listed" | sed -n 's/^Time/a list and the index/p'
