#!/usr/bin/env bash
# Many sessions that guess at one time get as many tries as one session: of a password, and of a second factor.
. "$(dirname "$0")/../lib.sh"
ask >/dev/null 2>&1 <<'SQL'
SELECT identity.add_realm('acme');
SELECT count(*) FROM identity.import_identities('acme', '[{"id": "00000000-0000-0000-0000-000000000001", "traits": {"username": "ann"},
    "credentials": {"password": {"config": {"password": "right"}}, "totp": {"config": {"totp_url": "otpauth://totp/x:a?secret=JBSWY3DPEHPK3PXP&issuer=x"}}}}]');
SELECT identity.add_organization('acme', 'north', '{"mfa_required": true}');
SELECT identity.add_membership('acme', '00000000-0000-0000-0000-000000000001', 'north');
SQL
at_once() { # query with %s for the number of the session
    local said number
    said=$(mktemp)
    for number in $(seq 60); do
        # shellcheck disable=SC2059
        ask -c "$(printf "$1" "$number")" >>"$said" &
    done
    wait
    sort "$said" | uniq -c | awk '{ printf "%s%s %s", (NR > 1 ? ", " : ""), $1, $2 }'
    rm -f "$said"
}
held() { # answers, verdict of one that was decided
    local decided
    decided=$(sed -n "s/\(^\|.*, \)\([0-9]*\) $2\(,.*\|$\)/\2/p" <<<"$1")
    [ -n "$decided" ] && [ "$decided" -ge 1 ] && [ "$decided" -le 10 ] && echo "at most 10"
}
passwords=$(at_once "SELECT verdict FROM identity.authenticate('acme', 'ann', 'wrong%s', '{\"ip\": \"192.0.2.1\"}')")
expect "60 passwords at one time: $passwords" "at most 10" "$(held "$passwords" denied)"
unknown=$(at_once "SELECT verdict FROM identity.authenticate('acme', 'nobody', 'wrong%s', '{\"ip\": \"192.0.2.1\"}')")
expect "60 passwords for a name that nobody has: $unknown" "at most 10" "$(held "$unknown" denied)"
codes=$(at_once "SELECT decision FROM identity.resolve_login('acme', '00000000-0000-0000-0000-000000000001', context => '{\"ip\": \"192.0.2.%s\", \"failed_factors\": [\"totp\"]}')")
expect "60 codes at one time: $codes" "at most 10" "$(held "$codes" mfa_required)"
counted=$(ask -c "SELECT string_agg(n::text, ' ' ORDER BY kind) FROM (SELECT kind, count(*) <= 10 AS n FROM identity.login_failures WHERE kind IN ('factor', 'name') GROUP BY kind, key) AS k")
expect "failures on record" "true true true" "$counted"
# Whoever logs in rightly is not in the way: many sessions of one name at one time.
ask -c "DELETE FROM identity.login_failures" -c "ALTER DATABASE $PGDATABASE SET identity.login_max_failures = 60"
right=$(at_once "SELECT verdict FROM identity.authenticate('acme', 'ann', 'right', '{\"ip\": \"192.0.2.1\"}') -- %s")
expect "60 right passwords at one time" "60 authenticated" "$right"
