#!/usr/bin/env bash
# What the time of a login with a wrong password tells of whether the name exists: in a realm whose passwords are hashed with argon2id and
# bcrypt (cost 10) and MD5, one call each of NAMES (200) names that exist and as many that do not, and of each with a "!"
# behind it. Prints the share of names that a threshold gets right, which was chosen on the other half of them; who guesses gets 0.5.
. "$(dirname "$0")/lib.sh"
names=${NAMES:-200}
run -d postgres -c 'DROP DATABASE IF EXISTS bench_timing' -c 'CREATE DATABASE bench_timing'
run -d bench_timing -c 'CREATE EXTENSION pg_identity' -f "$(dirname "$0")/login_timing.sql"
mixed="'{\$argon2id\$v=19\$m=19456,t=2,p=1\$AAAAAAAAAAAAAAAAAAAAAA\$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA,\$2b\$10\$MSQah2e5/ruYtDu/sNncUOiQI5Qg7yrXnteEa/XJVS7UxAekakG8.,5f4dcc3b5aa765d61d8327deb882cf99}'"
one="'{5f4dcc3b5aa765d61d8327deb882cf99}'"
for realm in "argon2id, bcrypt 10 and md5:$mixed" "md5 alone:$one"; do
    run -d bench_timing -c "DELETE FROM identity.identities" -c "DELETE FROM identity.login_failures" -c "DELETE FROM identity.realms" \
        -c "SELECT timing.fill(${realm#*:}, 2000)" -c 'VACUUM ANALYZE' -c "CALL timing.measure($names)" >/dev/null
    run -d bench_timing -At -F ' ' -c "SELECT 'login timing, ${realm%%:*}, $names + $names names: ' || feature || ': a threshold gets right ' || share || ' (standard error ' || error || ', a guess 0.5)' FROM timing.shares()"
    run -d bench_timing -At -F ' ' -c "SELECT 'median of one call: exists ' || round(percentile_cont(0.5) WITHIN GROUP (ORDER BY first) FILTER (WHERE exists)::numeric, 2) || ' ms, does not ' || round(percentile_cont(0.5) WITHIN GROUP (ORDER BY first) FILTER (WHERE NOT exists)::numeric, 2) || ' ms' FROM timing.calls"
done
