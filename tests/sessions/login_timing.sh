#!/usr/bin/env bash
# The work for a login name that nobody has is that of the realm's names: in the same shares, the same for a name each time, and none of
# a neighbour's. Milliseconds are not asserted: only that no threshold tells many names apart, which it does where the neighbour's hash
# is taken.
. "$(dirname "$0")/../lib.sh"
ask -f "$(dirname "$0")/../../bench/login_timing.sql"
hashes="{5f4dcc3b5aa765d61d8327deb882cf99,\$2b\$06\$MSQah2e5/ruYtDu/sNncUOiQI5Qg7yrXnteEa/XJVS7UxAekakG8.,\$2b\$09\$MSQah2e5/ruYtDu/sNncUOiQI5Qg7yrXnteEa/XJVS7UxAekakG8.}"
ask -c "SELECT timing.fill('$hashes', 1500)" -c 'ANALYZE' >/dev/null

# In the same shares.
apart="WITH said AS (SELECT d[1] AS outline, count(*) / 3000.0 AS share FROM (SELECT identity_internal.decoys('mixed', 'nobody' || n) AS d FROM generate_series(1, 3000) AS n) AS s GROUP BY 1),
    real AS (SELECT identity_internal.hash_outline(c.config ->> 'hashed_password') AS outline, count(*) / 1500.0 AS share FROM identity.credentials AS c GROUP BY 1)
    SELECT count(*), max(abs(s.share - r.share)) < 0.05 FROM said AS s FULL JOIN real AS r USING (outline)"
expect "shares of decoys beside those of the realm" "3|t" "$(ask -c "$apart")"
# Always the same one; also when others come and go, for about as many as the shares change.
ask -c "CREATE TABLE before AS SELECT n, identity_internal.decoys('mixed', 'nobody' || n) AS d FROM generate_series(1, 1000) AS n"
changed="SELECT count(*) FROM before AS b WHERE b.d <> identity_internal.decoys('mixed', 'nobody' || b.n)"
expect "names whose answer changed" 0 "$(ask -c "$changed")"
ask -c "UPDATE identity_internal.login_decoys SET made_at = made_at - interval '11 minutes'" -c "DELETE FROM identity.credentials WHERE ctid IN (SELECT ctid FROM identity.credentials ORDER BY random() LIMIT 30)"
expect "names whose answer changed, a little later" 0 "$(ask -c "$changed")"
ask -c "UPDATE identity_internal.login_decoys SET made_at = made_at - interval '11 minutes'" \
    -c "UPDATE identity.credentials SET config = '{\"hashed_password\": \"\$2b\$05\$MSQah2e5/ruYtDu/sNncUOiQI5Qg7yrXnteEa/XJVS7UxAekakG8.\"}' WHERE identity_id IN (SELECT identity_id FROM identity.credentials ORDER BY random() LIMIT 150)"
expect "after a tenth of the realm changed" t "$(ask -c "WITH c AS ($changed) SELECT count BETWEEN 60 AND 160 FROM c")"
# Nothing of anybody's hash is kept; nobody can ask.
expect "hashes in the summary" 0 "$(ask -c "SELECT count(*) FROM identity_internal.login_decoys AS d WHERE d.outlines::text ~ '5f4dcc3b|MSQah2e5'")"
# Names that several staged users have are tried several times, and so are those that nobody has.
ask >/dev/null 2>&1 <<'SQL'
SELECT identity.add_realm('twins'), identity.add_site('twins', 2, 'forum'), identity.add_site('twins', 3, 'shop');
SELECT count(*) FROM (VALUES ('forum', 400), ('shop', 200)) AS s (s, n), LATERAL identity.stage_site('twins', s, format('SELECT g AS id, ''u'' || g AS login, md5(''x'' || g) AS pw FROM generate_series(1, %s) AS g', n),
    '{"original_id": "id", "username": "login", "password_hash": "pw"}');
SQL
expect "of 400 staged names 200 are tried twice, and so is about a half of those that nobody has" t \
    "$(ask -c "SELECT abs(avg((cardinality(identity_internal.decoys('twins', 'nobody' || n)) = 2)::int) - 0.5) < 0.05 FROM generate_series(1, 2000) AS n")"
# A realm without passwords verifies nothing.
ask -qc "SELECT identity.add_realm('empty')" -c "INSERT INTO identity.identities (realm) VALUES ('empty')" >/dev/null
expect "a realm without passwords" "denied|unknown_login" "$(ask -c "SELECT verdict, reason FROM identity.authenticate('empty', 'x', 'y')")"

shares() { # what
    ask -c 'DELETE FROM identity.login_failures' -c 'VACUUM ANALYZE' -c 'CALL timing.measure(120, 2)' >/dev/null
    ask -F ': ' -c "SELECT '$1, ' || feature, share || ' right, standard error ' || error FROM timing.shares()"
    told=$(ask -c 'SELECT max(share) > 0.67 FROM timing.shares()')
}
shares "decoys of the realm"
expect "a threshold tells many names" f "$told"
# The same measurement sees what there is to see.
ask <<'SQL'
CREATE OR REPLACE FUNCTION identity_internal.decoys(realm text, login text) RETURNS text[]
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT ARRAY[(SELECT c.config ->> 'hashed_password' FROM identity.identifiers AS n JOIN identity.credentials AS c USING (realm, identity_id)
                  WHERE n.realm = $1 AND n.key > $2 COLLATE "C" ORDER BY n.key LIMIT 1)]
$$;
SQL
shares "hash of the neighbour"
expect "a threshold tells many names by the neighbour's hash" t "$told"
