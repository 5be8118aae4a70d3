#!/usr/bin/env bash
# Real records: the maintainers and uploaders of this machine's own Debian package lists, with their real duplicates and
# real Unicode. Every source row is accounted for, and every report row is true.
. "$(dirname "$0")/../lib.sh"
people=$(mktemp)
apt-cache dumpavail | sed -n 's/^Maintainer: //p; s/^Original-Maintainer: //p; s/^Uploaders: //p' | sed 's/>, */>\n/g' |
    awk 'match($0, /<[^<>]+>[[:space:]]*$/) { name = substr($0, 1, RSTART - 1); mail = substr($0, RSTART + 1); sub(/>.*$/, "", mail);
         gsub(/^[ "]+|[ "]+$/, "", name); gsub(/\t|\\/, " ", name); print name "\t" mail }' >"$people"
total=$(wc -l <"$people")
[ "$total" -ge 1000 ] || { echo "NOT OK: only $total people in the package lists"; exit 1; }
echo "people in the package lists: $total"

ask <<SQL
CREATE TABLE people (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL CHECK (name <> ''), mail text NOT NULL);
CREATE UNIQUE INDEX people_mail ON people (lower(mail));
CREATE UNIQUE INDEX people_name ON people (lower(name)) WHERE name NOT LIKE '%Team%';
CREATE TABLE staging (n bigint GENERATED ALWAYS AS IDENTITY, name text, mail text);
\copy staging (name, mail) FROM '$people'
-- Half of the first hundred are there already, under other spellings.
INSERT INTO people (name, mail) SELECT 'Old ' || min(name), upper(mail) FROM (SELECT * FROM staging WHERE n % 2 = 0 ORDER BY n LIMIT 50) s GROUP BY mail
  ON CONFLICT DO NOTHING;
CREATE TABLE held AS SELECT * FROM people;
CREATE TABLE report AS SELECT * FROM identity.import_rows('people', 'SELECT n, name, mail FROM staging ORDER BY n', row_id => 'n', report => 'all');
CREATE INDEX ON report (row_number);
CREATE INDEX ON staging (n);
CREATE INDEX ON people (lower(name));
ANALYZE;
SQL
expect "rows with a status" "$total" "$(ask -c 'SELECT count(DISTINCT row_number) FROM report')"
expect "row ids that are the row numbers" "$total" "$(ask -c 'SELECT count(DISTINCT row_number) FROM report WHERE row_id::bigint = row_number')"
expect "new rows" "$(ask -c "SELECT count(*) FROM report WHERE status = 'inserted'")" \
    "$(ask -c 'SELECT (SELECT count(*) FROM people) - (SELECT count(*) FROM held)')"
expect "counts that add up" "$total" "$(ask -c 'SELECT inserted + updated + conflict + duplicate + invalid + suppressed + withheld FROM identity.import_runs')"
expect "statuses" "conflict,duplicate,inserted" "$(ask -c "SELECT string_agg(DISTINCT status, ',' ORDER BY status) FROM report WHERE status <> 'invalid'")"
expect "inserted rows that are not in the table as the source has them" 0 "$(ask -c "
    SELECT count(*) FROM report r JOIN staging s ON s.n = r.row_number WHERE r.status = 'inserted'
      AND NOT EXISTS (SELECT FROM people p WHERE p.id = (r.existing ->> 'id')::bigint AND p.name = s.name AND p.mail = s.mail)")"
expect "conflicts whose holder does not hold the key" 0 "$(ask -c "
    SELECT count(*) FROM report r JOIN staging s ON s.n = r.row_number WHERE r.status = 'conflict' AND NOT EXISTS (
      SELECT FROM held h WHERE h.id = (r.existing ->> 'id')::bigint AND CASE r.constraint_name
        WHEN 'people_mail' THEN lower(h.mail) = r.key ->> 'lower(mail)' AND lower(h.mail) = lower(s.mail)
        ELSE lower(h.name) = r.key ->> 'lower(name)' AND lower(h.name) = lower(s.name) END)")"
expect "duplicates whose winner did not take the key, or came later" 0 "$(ask -c "
    SELECT count(*) FROM report r JOIN staging s ON s.n = r.row_number JOIN staging w ON w.n = r.winner_row WHERE r.status = 'duplicate'
      AND NOT (w.n < s.n AND EXISTS (SELECT FROM report i WHERE i.row_number = w.n AND i.status = 'inserted')
        AND CASE r.constraint_name WHEN 'people_mail' THEN lower(w.mail) = lower(s.mail) ELSE lower(w.name) = lower(s.name) END)")"
expect "rows left out without need" 0 "$(ask -c "
    SELECT count(*) FROM staging s WHERE s.name <> '' AND NOT EXISTS (SELECT FROM people p WHERE lower(p.mail) = lower(s.mail)
      OR (lower(p.name) = lower(s.name) AND p.name NOT LIKE '%Team%' AND s.name NOT LIKE '%Team%'))")"
ask -F ' ' -c "SELECT status, count(DISTINCT row_number) FROM report GROUP BY 1 ORDER BY 1"
# A second import of the same people finds every one of them.
expect "a second import" 0 "$(ask -c "SELECT count(*) FROM identity.import_rows('people', 'SELECT name, mail FROM staging ORDER BY n', report => 'all') WHERE status IN ('inserted', 'duplicate')" 2>/dev/null)"
rm -f "$people"
