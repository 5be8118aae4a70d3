#!/usr/bin/env bash
# From one Kratos into the store, and from there into another; and from the one into the other at once: everybody who could log in can, and nobody else.
# Who logs in is found by Kratos' rule for a credential's identifier, in plain SQL; hashes are verified by other libraries (tests/kratos/logins.py).
. "$(dirname "$0")/../lib.sh"
cd "$(dirname "$0")/../.."
python=.work/venv/bin/python
for schema in one two three; do
    ask >/dev/null -c "CREATE SCHEMA $schema" -c "SET search_path = $schema" -f tests/kratos/tables.sql -c "INSERT INTO networks VALUES (md5('$schema')::uuid, '2020-01-01', '2020-01-01')"
done
ask >/dev/null <<'SQL'
CREATE TABLE hashes (n int GENERATED ALWAYS AS IDENTITY, scheme text, password text, hash text);
\copy hashes (scheme, password, hash) FROM 'tests/passwords/hashes.tsv'
SELECT identity.add_realm('acme');
-- The users of an old application, each with a hash of some family; it goes in if Kratos has a form of it.
CREATE TABLE reported AS SELECT * FROM identity.import_kratos('one', $$SELECT jsonb_build_object('external_id', 'h' || n,
    'traits', jsonb_build_object('username', 'Hash ' || n, 'email', 'Hash.' || n || '@Exämple.org'),
    'credentials', jsonb_build_object('password', jsonb_build_object('config', jsonb_build_object('hashed_password', hash)))) FROM hashes ORDER BY n$$, report => 'all');
-- Others as Kratos has made them, some long ago.
SET search_path = one;
CREATE FUNCTION public.person(who text, creds jsonb, state text = 'active') RETURNS void LANGUAGE plpgsql AS $$
DECLARE i uuid := md5(who)::uuid; c record; made uuid; nid CONSTANT uuid := md5('one');
BEGIN
    INSERT INTO identities VALUES (i, 'default', jsonb_build_object('name', who), '2015-01-01', '2016-01-01', nid, state, '2016-01-01', '{"m": 1}', NULL, NULL, NULL, NULL);
    FOR c IN SELECT key, value, t.id FROM jsonb_each(creds) JOIN identity_credential_types AS t ON t.name = key LOOP
        made := gen_random_uuid();
        INSERT INTO identity_credentials VALUES (made, c.value -> 'config', c.id, i, '2015-01-01', '2016-01-01', nid, COALESCE((c.value ->> 'version')::int, 0));
        INSERT INTO identity_credential_identifiers SELECT gen_random_uuid(), replace(n, '(id)', i::text), made, '2015-01-01', '2016-01-01', nid, c.id, i FROM jsonb_array_elements_text(c.value -> 'identifiers') AS n;
    END LOOP;
    INSERT INTO identity_verifiable_addresses VALUES (gen_random_uuid(), 'completed', 'email', true, who || '@x.org', '2015-06-01', i, '2015-01-01', '2016-01-01', nid);
    INSERT INTO identity_recovery_addresses VALUES (gen_random_uuid(), 'email', who || '@x.org', i, '2015-01-01', '2016-01-01', nid, NULL);
END $$;
SELECT public.person('plain', '{"password": {"config": {"hashed_password": "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"}, "identifiers": ["plain", "name@x.org", "straße"], "version": 1}}'),
    public.person('inactive', '{"password": {"config": {"hashed_password": "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"}, "identifiers": ["inactive"], "version": 1}}', 'inactive'),
    public.person('hooked', '{"password": {"config": {"hashed_password": "", "use_password_migration_hook": true}, "identifiers": ["hooked"]}}'),
    public.person('empty', '{"password": {"config": {}, "identifiers": ["empty"]}}'),
    public.person('nobody', '{}'),
    public.person('social', '{"oidc": {"config": {"providers": [{"subject": "S:1", "provider": "google", "initial_id_token": "t", "initial_access_token": "", "initial_refresh_token": ""}]}, "identifiers": ["google:S:1"]}, "saml": {"config": {"providers": [{"subject": "s", "provider": "okta", "initial_id_token": "", "initial_access_token": "", "initial_refresh_token": ""}]}, "identifiers": ["okta:s"]}}'),
    public.person('second', '{"password": {"config": {"hashed_password": "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"}, "identifiers": ["second"]}, "totp": {"config": {"totp_url": "otpauth://totp/x?secret=ABC"}, "identifiers": ["(id)"]}, "lookup_secret": {"config": {"recovery_codes": [{"code": "a"}, {"code": "b", "used_at": "2020-01-01T00:00:00Z"}]}, "identifiers": ["(id)"]}}'),
    public.person('keys', '{"webauthn": {"config": {"credentials": [{"id": "QUJD", "public_key": "QUJD", "attestation_type": "none", "display_name": "", "added_at": "2020-01-01T00:00:00Z", "is_passwordless": true}], "user_handle": "QUJD"}, "identifiers": ["keys@x.org"], "version": 1}, "passkey": {"config": {"credentials": [{"id": "QUJE", "public_key": "QUJD", "attestation_type": "none", "display_name": "", "added_at": "2020-01-01T00:00:00Z", "is_passwordless": true}], "user_handle": "QUJE"}, "identifiers": ["ABD"], "version": 1}}'),
    public.person('coded', '{"code": {"config": {"addresses": [{"channel": "email", "address": "coded@x.org"}, {"channel": "sms", "address": "+8613800138000"}]}, "identifiers": ["coded@x.org", "+8613800138000"], "version": 1}, "deviceauthn": {"config": {"keys": [1]}, "identifiers": ["(id)"]}}');
RESET search_path;
-- Straight on, and by the store.
CREATE TABLE straight AS SELECT * FROM identity.import_kratos('two', $$SELECT document FROM identity.export_kratos('one')$$, report => 'all');
CREATE TABLE stored AS SELECT * FROM identity.import_identities_from('acme', $$SELECT document FROM identity.export_kratos('one')$$, report => 'all');
CREATE VIEW documents AS
SELECT jsonb_build_object(
         'id', i.id, 'external_id', i.external_id, 'schema_id', i.schema_id, 'state', i.state, 'traits', i.traits, 'metadata_public', i.metadata_public,
         'metadata_admin', i.metadata_admin, 'organization_id', i.organization_id, 'created_at', i.created_at, 'updated_at', i.updated_at,
         'state_changed_at', i.state_changed_at, 'verifiable_addresses', a.verifiable, 'recovery_addresses', a.recovery,
         'credentials', jsonb_build_object('password', jsonb_build_object('identifiers', COALESCE(n.names, '[]'))) || COALESCE(c.credentials, '{}')) AS doc
FROM identity.identities AS i
LEFT JOIN LATERAL (
    SELECT jsonb_agg(h.value) AS names FROM identity.identifiers AS h
    WHERE h.realm = i.realm AND h.identity_id = i.id AND h.kind IN ('username', 'email', 'phone')) AS n ON true
LEFT JOIN LATERAL (
    SELECT jsonb_object_agg(s.type, jsonb_build_object('config', s.config, 'created_at', s.created_at)
             || CASE WHEN s.type IN ('password', 'webauthn') THEN jsonb_build_object('identifiers', n.names) ELSE '{}' END) AS credentials
    FROM identity.credentials AS s WHERE s.realm = i.realm AND s.identity_id = i.id) AS c ON true
LEFT JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_object('value', d.value, 'via', d.via, 'verified', d.verified, 'status', d.status, 'verified_at', d.verified_at))
             FILTER (WHERE d.role = 'verifiable') AS verifiable,
           jsonb_agg(jsonb_build_object('value', d.value, 'via', d.via)) FILTER (WHERE d.role = 'recovery') AS recovery
    FROM identity.addresses AS d WHERE d.realm = i.realm AND d.identity_id = i.id) AS a ON true
WHERE i.realm = 'acme';
CREATE TABLE returned AS SELECT * FROM identity.import_kratos('three', 'documents', report => 'all');
SQL
expect "users of the old application that did not go in" "invalid|phpass" "$(ask -c "SELECT DISTINCT r.status, h.scheme FROM reported r JOIN hashes h ON h.n = r.row_number WHERE r.status <> 'inserted' ORDER BY 2")"
expect "those whose hash may mean something else to Kratos" "pbkdf2-sha224
pbkdf2-sha384" "$(ask -c "SELECT DISTINCT h.scheme FROM reported r JOIN hashes h ON h.n = r.row_number WHERE r.warning LIKE 'Kratos reads %' ORDER BY 1")"
for table in straight stored returned; do
    expect "$table: identities that did not go in" 0 "$(ask -c "SELECT count(*) FROM $table WHERE status <> 'inserted'")"
    expect "$table: identities" "$(ask -c 'SELECT count(*) FROM one.identities')" "$(ask -c "SELECT count(*) FROM $table")"
done

# Kratos looks for a credential's identifier as it is typed, and in its own form; only one who is active gets in.
ask >/dev/null <<'SQL'
CREATE FUNCTION found(kratos text, of_type text, typed text) RETURNS TABLE (identity_id uuid, config jsonb) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format('SELECT c.identity_id, c.config FROM %1$I.identity_credential_identifiers AS n
        JOIN %1$I.identity_credential_types AS t ON t.id = n.identity_credential_type_id
        JOIN %1$I.identity_credentials AS c ON c.id = n.identity_credential_id
        JOIN %1$I.identities AS i ON i.id = c.identity_id
        WHERE t.name = $1 AND n.identifier IN ($2, CASE WHEN $1 IN (''password'', ''webauthn'', ''code'') THEN identity.kratos_identifier($2) ELSE $2 END)
          AND n.nid = i.nid AND c.nid = i.nid AND i.nid = (SELECT id FROM %1$I.networks) AND i.state = ''active''
        ORDER BY n.identifier = $2 DESC LIMIT 1', kratos) USING of_type, typed;
END $$;
-- Everybody's names, as they may be typed, with the right password and with a wrong one.
CREATE TABLE attempts AS
SELECT row_number() OVER () AS n, a.* FROM (
    SELECT typed, p AS password FROM hashes AS h, unnest(ARRAY['Hash ' || h.n, 'HASH ' || h.n, ' hash.' || h.n || '@EXÄMPLE.org', 'Ｈash ' || h.n]) AS typed,
        unnest(ARRAY[h.password, left(h.password, 40) || '!']) AS p
    UNION ALL
    SELECT typed, p FROM unnest('{plain,NAME@x.org,Straße,strasse,inactive,hooked,empty,nobody,second,keys@x.org,plain@x.org}'::text[]) AS typed, unnest('{password,wrong,U*U}'::text[]) AS p) AS a;
SQL
logins() { # schema: who gets in by which attempt
    ask -c "\\copy (SELECT json_build_array(f.config ->> 'hashed_password', a.password) FROM attempts a LEFT JOIN LATERAL found('$1', 'password', a.typed) f ON true ORDER BY a.n) TO STDOUT WITH (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02')" |
        "$python" tests/kratos/logins.py >"$out/$1.verified"
    ask -c "SELECT f.identity_id FROM attempts a LEFT JOIN LATERAL found('$1', 'password', a.typed) f ON true ORDER BY a.n" | paste - "$out/$1.verified" | awk -F'\t' '{ print ($2 == "true" ? $1 : "nobody") }'
}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
for schema in one two three; do logins $schema >"$out/$schema"; done
# 72 bytes are as many as bcrypt reads: Kratos lets in nobody whose password is longer.
able=$(ask -c "SELECT count(*) FROM reported r JOIN hashes h ON h.n = r.row_number WHERE r.status = 'inserted' AND r.warning IS NULL AND NOT (h.scheme = 'bcrypt' AND octet_length(h.password) > 72)")
got_in=$(ask -c "SELECT a.n, COALESCE(h.scheme IN ('pbkdf2-sha224', 'pbkdf2-sha384'), false), a.typed ~* 'ash' AND a.password = h.password FROM attempts a LEFT JOIN hashes h ON h.n = substring(a.typed FROM '[0-9]+')::int ORDER BY a.n" | paste -d'|' - "$out/one" | grep '|f|t|' | grep -vc '|nobody$')
expect "logins of the old application's users, each in four ways" "$((able * 4))" "$got_in"
wrong=$(ask -c "SELECT a.n, a.typed ~* 'ash' AND a.password <> h.password FROM attempts a LEFT JOIN hashes h ON h.n = substring(a.typed FROM '[0-9]+')::int ORDER BY a.n" | paste -d'|' - "$out/one" | grep '|t|' | grep -vc '|nobody$' || true)
expect "logins with a wrong password" 0 "$wrong"
expect "logins before and after, straight" same "$(cmp -s "$out/one" "$out/two" && echo same || diff "$out/one" "$out/two" | head)"
expect "logins before and after, by the store" same "$(cmp -s "$out/one" "$out/three" && echo same || diff "$out/one" "$out/three" | head)"

# Whatever else one gets in with: the same identifiers find the same credentials.
content() { # schema: each credential with its identifiers, addresses, dates
    ask <<SQL
SELECT i.id, i.state, i.traits, i.metadata_public, i.created_at, i.updated_at, i.state_changed_at, t.name, CASE t.name WHEN 'oidc' THEN replace(c.config::text, '": "t"', '": ""') WHEN 'password' THEN replace(c.config::text, '"hashed_password": "", ', '') ELSE c.config::text END,
    (SELECT string_agg(n.identifier, ',' ORDER BY n.identifier COLLATE "C") FROM $1.identity_credential_identifiers n WHERE n.identity_credential_id = c.id)
FROM $1.identities i LEFT JOIN $1.identity_credentials c ON c.identity_id = i.id LEFT JOIN $1.identity_credential_types t ON t.id = c.identity_credential_type_id ${2:-} ORDER BY i.id, t.name;
SELECT identity_id, via, value, verified, status, verified_at FROM $1.identity_verifiable_addresses ORDER BY 1, 2, 3;
SELECT identity_id, via, value FROM $1.identity_recovery_addresses ORDER BY 1, 2, 3;
SQL
}
expect "rows to compare" t "$(content one | wc -l | awk '{ print ($1 > 300 ? "t" : "f") }')"
expect "the tables before and after, straight" same "$(cmp -s <(content one) <(content two) && echo same || diff <(content one) <(content two) | head)"
# The store has one list of names for all types of credentials.
expect "the tables before and after, by the store" same "$(cmp -s <(content one "WHERE t.name <> 'password'") <(content three "WHERE t.name <> 'password'") && echo same || diff <(content one "WHERE t.name <> 'password'") <(content three "WHERE t.name <> 'password'") | head)"
