#!/usr/bin/env bash
# No secret of an import is seen anywhere but where it was given: not in reports, errors, records, other sessions' view of this
# one, nor the server's log at its default settings.
. "$(dirname "$0")/../lib.sh"
log=$PGHOST/server.log
secret=Zq7secretZq7
hash='$2a$99$Zq7hashZq7Zq7hashZq7Zq7hashZq7Zq7hashZq7Zq7hashZq7Zq7ha'
before=$(stat -c %s "$log")
documents() { # bodies with the secret in every place where a secret belongs, right and wrong
    cat <<JSON
[{"traits": {"username": "u1"}, "credentials": {"password": {"config": {"password": "$secret"}}}},
 {"traits": {"username": "u2"}, "credentials": {"password": {"config": {"hashed_password": "$hash"}}}},
 {"traits": {"username": "u3"}, "credentials": {"password": {"config": {"password": {"$secret": "$secret"}}}}},
 {"traits": {"username": "u4"}, "credentials": {"password": {"config": {"password": "$secret", "hashed_password": "$hash"}}}},
 {"traits": {"username": "u5"}, "credentials": {"totp": {"config": {"totp_url": "$secret"}}}},
 {"traits": {"username": "u6"}, "credentials": {"lookup_secret": {"config": {"codes": ["$secret"]}}}},
 {"traits": {"username": "u7"}, "credentials": {"webauthn": {"config": {"credentials": [{"id": "!$secret"}]}}}},
 {"traits": {"username": "u8"}, "credentials": {"password": "$secret"}},
 {"traits": {"username": "u9"}, "credentials": "$secret"},
 {"traits": {"username": "u1"}, "credentials": {"password": {"config": {"password": "$secret"}}}}]
JSON
}
ask <<SQL
SELECT identity.add_realm('acme');
CREATE TABLE docs (doc json);
CREATE TABLE reports (line text);
SQL
documents | tr -d '\n' | ask -c '\copy docs FROM STDIN' >/dev/null
run() { ask -c "SELECT r.* FROM docs d, identity.import_identities('acme', d.doc::jsonb, $1) r" 2>&1 || true; }
reports=$(run "'skip', true"; run "'abort'"; run "'error'"; run "'skip'"
    ask -c "SELECT * FROM identity.import_identities_from('acme', 'SELECT e FROM docs, json_array_elements(doc) e', 'error')" 2>&1 || true
    ask -c "SELECT identity.patch_identities('acme', jsonb_build_object('identities', jsonb_agg(jsonb_build_object('create', e)))) FROM docs, json_array_elements(doc) e" 2>&1
    ask -c "SELECT identity.verify_password(NULLIF('$hash', ''), doc::text) FROM docs" 2>&1 || true
    ask -c 'SELECT * FROM identity.import_runs' -c 'SELECT * FROM identity.identities_view')
expect "identities that went in" 1 "$(ask -c 'SELECT count(*) FROM identity.identities')"
expect "reports, errors and records with a secret" 0 "$(grep -c -e 'Zq7' <<<"$reports" || true)"
expect "reports were told" t "$([ "$(wc -l <<<"$reports")" -gt 40 ] && echo t)"
expect "plain secrets in the store" 0 "$(ask -c "SELECT count(*) FROM identity.credentials WHERE config::text LIKE '%Zq7%'")"

# The log at its default settings has statements that failed, as they were written; the extension adds nothing to them.
logged=$(tail -c +$((before + 1)) "$log" | grep -v "NULLIF" || true)
expect "lines of the log with a secret" 0 "$(grep -c 'Zq7' <<<"$logged" || true)"
expect "the log has errors" t "$(grep -q 'ERROR' <<<"$logged" && echo t)"

# Another session sees the statement that the caller wrote, not those that it runs.
ask -c "SET identity.argon2_memory = '256MB'" -c "SET application_name = 'importing'" \
    -c "SELECT count(*) FROM docs d, generate_series(1, 20) n, identity.import_identities('acme', jsonb_build_array(jsonb_set(d.doc::jsonb -> 0, '{traits,username}', to_jsonb('more' || n)))) r" >/dev/null 2>&1 &
for _ in $(seq 40); do
    seen+=$(ask -c "SELECT query FROM pg_stat_activity WHERE application_name = 'importing'")
    sleep 0.02
done
wait
expect "the session was seen" t "$(grep -q 'generate_series' <<<"$seen" && echo t)"
expect "secrets seen in it" 0 "$(grep -c 'Zq7' <<<"$seen" || true)"
