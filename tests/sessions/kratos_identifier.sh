#!/usr/bin/env bash
# Kratos' form of an identifier, over all of Unicode and in random texts, against its rules as tests/kratos/identifier.py reads them. The texts are of
# the characters that Python's own version of Unicode has.
. "$(dirname "$0")/../lib.sh"
judge=$(cd "$(dirname "$0")/../kratos" && pwd)/identifier.py
seed=${SEED:-$RANDOM}
echo "seed $seed"
texts=$(mktemp)
trap 'rm -f "$texts"' EXIT
python3 "$judge" make "$seed" >"$texts"
ask -c 'CREATE TABLE texts (n int GENERATED ALWAYS AS IDENTITY, line text)' -c "\\copy texts (line) FROM '$texts' WITH (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02')"
expect "answers" fine "$(ask -c "\\copy (SELECT json_build_array(line::json #>> '{}', identity.kratos_identifier(line::json #>> '{}')) FROM texts ORDER BY n) TO STDOUT WITH (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02')" | python3 "$judge" judge)"
expect "an identifier in Kratos' form is its own" 0 "$(ask -c "SELECT count(*) FROM (SELECT identity.kratos_identifier(line::json #>> '{}') AS key FROM texts OFFSET 0) AS t WHERE identity.kratos_identifier(key) <> key")"
