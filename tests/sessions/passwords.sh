#!/usr/bin/env bash
# Hashes of every family, made by other implementations (tests/passwords/generate.py), through SQL: the right password is
# verified, another one is not, and each is taken by an import.
. "$(dirname "$0")/../lib.sh"
hashes=$(cd "$(dirname "$0")/../passwords" && pwd)/hashes.tsv
ask <<SQL
CREATE TABLE hashes (scheme text, password text, hash text);
\copy hashes FROM '$hashes'
SELECT identity.add_realm('acme');
SQL
total=$(wc -l <"$hashes")
expect "hashes" "$total" "$(ask -c 'SELECT count(*) FROM hashes')"
expect "hashes that are not known by their scheme" 0 "$(ask -c 'SELECT count(*) FROM hashes h, identity.inspect_password_hash(h.hash) i WHERE i.scheme IS DISTINCT FROM h.scheme OR NOT i.supported')"
expect "passwords that are not verified" 0 "$(ask -c 'SELECT count(*) FROM hashes WHERE NOT identity.verify_password(hash, password)')"
expect "wrong passwords that are verified" 0 "$(ask -c "SELECT count(*) FROM hashes WHERE identity.verify_password(hash, left(password, 40) || '!')")"
expect "hashes that an import does not take" 0 "$(ask -c "
    SELECT count(*) FROM identity.import_identities('acme', (SELECT jsonb_agg(jsonb_build_object('traits', jsonb_build_object('username', hash),
        'credentials', jsonb_build_object('password', jsonb_build_object('config', jsonb_build_object('hashed_password', hash))))) FROM hashes))
    WHERE status <> 'inserted' AND sqlstate <> '23505'" 2>/dev/null)"
