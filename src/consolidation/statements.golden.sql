==== check_rights
EXPLAIN UPDATE ONLY "s""a"."last, first" AS t SET "lo'g""in" = t."lo'g""in" WHERE t."{from}" IS NOT NULL AND t."$1" IS NOT NULL
==== readings
SELECT FROM ONLY "s""a"."last, first" AS t WHERE identity_internal.dedup_note(t."lo'g""in"::pg_catalog.text)
==== readings
SELECT FROM ONLY "s""a"."last, first" AS t WHERE identity_internal.dedup_may_repeat(t."lo'g""in"::pg_catalog.text)
             AND identity_internal.dedup_keep(t.tableoid, t.ctid, t."{from}"::pg_catalog.text, t."$1"::pg_catalog.text, t."lo'g""in"::pg_catalog.text, NULL::pg_catalog.text)
==== writings
UPDATE ONLY "s""a"."last, first" AS t SET "lo'g""in" = CAST(p.login AS pg_catalog.text) FROM given AS p
             WHERE t.tableoid OPERATOR(pg_catalog.=) p.oid AND t.ctid OPERATOR(pg_catalog.=) p.tid
             RETURNING p.n, (t."lo'g""in"::pg_catalog.text COLLATE pg_catalog."C") AS login, (t."lo'g""in"::pg_catalog.text COLLATE pg_catalog."C") OPERATOR(pg_catalog.<>) p.login AND (t."lo'g""in"::pg_catalog.text COLLATE pg_catalog."C") OPERATOR(pg_catalog.<>) p.old_login AS changed
==== writings
UPDATE ONLY "s""a"."last, first" AS t SET "lo'g""in" = CAST(p.login AS pg_catalog.text) FROM chunk AS p
             WHERE t.tableoid OPERATOR(pg_catalog.=) p.oid AND t.ctid OPERATOR(pg_catalog.=) p.tid
             RETURNING p.n, (t."lo'g""in"::pg_catalog.text COLLATE pg_catalog."C") AS login
==== lookups
SELECT k.key FROM (SELECT (t."lo'g""in"::pg_catalog.text COLLATE pg_catalog."C") AS key FROM ONLY "s""a"."last, first" AS t OFFSET 0) AS k JOIN changed AS c ON c.key OPERATOR(pg_catalog.=) k.key
             GROUP BY k.key HAVING pg_catalog.count(*) OPERATOR(pg_catalog.>) 1 LIMIT 1
==== lookups
SELECT u.n, m.oid, m.tid, m.login FROM (
               SELECT t.tableoid AS oid, t.ctid AS tid, (t."{from}"::pg_catalog.text COLLATE pg_catalog."C") AS site, (t."$1"::pg_catalog.text COLLATE pg_catalog."C") AS row_id, (t."lo'g""in"::pg_catalog.text COLLATE pg_catalog."C") AS login FROM ONLY "s""a"."last, first" AS t OFFSET 0) AS m
             JOIN undo AS u ON u.site OPERATOR(pg_catalog.=) m.site AND u.row_id OPERATOR(pg_catalog.=) m.row_id
             WHERE u.todo
==== lookups
SELECT m.key, m.site, m.row_id FROM (
               SELECT (t."lo'g""in"::pg_catalog.text COLLATE pg_catalog."C") AS key, (t."{from}"::pg_catalog.text COLLATE pg_catalog."C") AS site, (t."$1"::pg_catalog.text COLLATE pg_catalog."C") AS row_id FROM ONLY "s""a"."last, first" AS t OFFSET 0) AS m
             JOIN (SELECT DISTINCT u.login_key FROM undo AS u WHERE u.todo) AS u ON u.login_key OPERATOR(pg_catalog.=) m.key
==== check_rights
EXPLAIN UPDATE ONLY "s""a"."last, first" AS t SET "lo'g""in" = t."lo'g""in" WHERE t."{from}" IS NOT NULL AND t."$1" IS NOT NULL
==== readings
SELECT FROM ONLY "s""a"."last, first" AS t WHERE identity_internal.dedup_note(t."lo'g""in"::pg_catalog.text)
==== readings
SELECT FROM ONLY "s""a"."last, first" AS t WHERE identity_internal.dedup_may_repeat(t."lo'g""in"::pg_catalog.text)
             AND identity_internal.dedup_keep(t.tableoid, t.ctid, t."{from}"::pg_catalog.text, t."$1"::pg_catalog.text, t."lo'g""in"::pg_catalog.text, NULL::pg_catalog.text)
==== writings
UPDATE ONLY "s""a"."last, first" AS t SET "lo'g""in" = CAST(p.login AS pg_catalog.text) FROM given AS p
             WHERE t.tableoid OPERATOR(pg_catalog.=) p.oid AND t.ctid OPERATOR(pg_catalog.=) p.tid
             RETURNING p.n, (t."lo'g""in"::pg_catalog.text COLLATE pg_catalog."C") AS login, (t."lo'g""in"::pg_catalog.text COLLATE pg_catalog."C") OPERATOR(pg_catalog.<>) p.login AND (t."lo'g""in"::pg_catalog.text COLLATE pg_catalog."C") OPERATOR(pg_catalog.<>) p.old_login AS changed
==== writings
UPDATE ONLY "s""a"."last, first" AS t SET "lo'g""in" = CAST(p.login AS pg_catalog.text) FROM chunk AS p
             WHERE t.tableoid OPERATOR(pg_catalog.=) p.oid AND t.ctid OPERATOR(pg_catalog.=) p.tid
             RETURNING p.n, (t."lo'g""in"::pg_catalog.text COLLATE pg_catalog."C") AS login
==== lookups
SELECT k.key FROM (SELECT (identity.normalize_identifier('username', t."lo'g""in"::pg_catalog.text) COLLATE pg_catalog."C") AS key FROM ONLY "s""a"."last, first" AS t OFFSET 0) AS k JOIN changed AS c ON c.key OPERATOR(pg_catalog.=) k.key
             GROUP BY k.key HAVING pg_catalog.count(*) OPERATOR(pg_catalog.>) 1 LIMIT 1
==== lookups
SELECT u.n, m.oid, m.tid, m.login FROM (
               SELECT t.tableoid AS oid, t.ctid AS tid, (t."{from}"::pg_catalog.text COLLATE pg_catalog."C") AS site, (t."$1"::pg_catalog.text COLLATE pg_catalog."C") AS row_id, (t."lo'g""in"::pg_catalog.text COLLATE pg_catalog."C") AS login FROM ONLY "s""a"."last, first" AS t OFFSET 0) AS m
             JOIN undo AS u ON u.site OPERATOR(pg_catalog.=) m.site AND u.row_id OPERATOR(pg_catalog.=) m.row_id
             WHERE u.todo
==== lookups
SELECT m.key, m.site, m.row_id FROM (
               SELECT (identity.normalize_identifier('username', t."lo'g""in"::pg_catalog.text) COLLATE pg_catalog."C") AS key, (t."{from}"::pg_catalog.text COLLATE pg_catalog."C") AS site, (t."$1"::pg_catalog.text COLLATE pg_catalog."C") AS row_id FROM ONLY "s""a"."last, first" AS t OFFSET 0) AS m
             JOIN (SELECT DISTINCT u.login_key FROM undo AS u WHERE u.todo) AS u ON u.login_key OPERATOR(pg_catalog.=) m.key
==== check_rights
EXPLAIN UPDATE ONLY "s""a"."last, first" AS t SET "lo'g""in" = t."lo'g""in", "fl;ag" = t."fl;ag" WHERE t."{from}" IS NOT NULL AND t."$1" IS NOT NULL
==== readings
SELECT FROM ONLY "s""a"."last, first" AS t WHERE identity_internal.dedup_note(t."lo'g""in"::pg_catalog.text)
==== readings
SELECT FROM ONLY "s""a"."last, first" AS t WHERE identity_internal.dedup_may_repeat(t."lo'g""in"::pg_catalog.text)
             AND identity_internal.dedup_keep(t.tableoid, t.ctid, t."{from}"::pg_catalog.text, t."$1"::pg_catalog.text, t."lo'g""in"::pg_catalog.text, t."fl;ag"::pg_catalog.text)
==== writings
UPDATE ONLY "s""a"."last, first" AS t SET "lo'g""in" = CAST(p.login AS pg_catalog.text), "fl;ag" = true FROM given AS p
             WHERE t.tableoid OPERATOR(pg_catalog.=) p.oid AND t.ctid OPERATOR(pg_catalog.=) p.tid
             RETURNING p.n, (t."lo'g""in"::pg_catalog.text COLLATE pg_catalog."C") AS login, (t."lo'g""in"::pg_catalog.text COLLATE pg_catalog."C") OPERATOR(pg_catalog.<>) p.login AND (t."lo'g""in"::pg_catalog.text COLLATE pg_catalog."C") OPERATOR(pg_catalog.<>) p.old_login AS changed
==== writings
UPDATE ONLY "s""a"."last, first" AS t SET "lo'g""in" = CAST(p.login AS pg_catalog.text), "fl;ag" = CAST(p.flag AS pg_catalog.bool) FROM chunk AS p
             WHERE t.tableoid OPERATOR(pg_catalog.=) p.oid AND t.ctid OPERATOR(pg_catalog.=) p.tid
             RETURNING p.n, (t."lo'g""in"::pg_catalog.text COLLATE pg_catalog."C") AS login
==== lookups
SELECT k.key FROM (SELECT (t."lo'g""in"::pg_catalog.text COLLATE pg_catalog."C") AS key FROM ONLY "s""a"."last, first" AS t OFFSET 0) AS k JOIN changed AS c ON c.key OPERATOR(pg_catalog.=) k.key
             GROUP BY k.key HAVING pg_catalog.count(*) OPERATOR(pg_catalog.>) 1 LIMIT 1
==== lookups
SELECT u.n, m.oid, m.tid, m.login FROM (
               SELECT t.tableoid AS oid, t.ctid AS tid, (t."{from}"::pg_catalog.text COLLATE pg_catalog."C") AS site, (t."$1"::pg_catalog.text COLLATE pg_catalog."C") AS row_id, (t."lo'g""in"::pg_catalog.text COLLATE pg_catalog."C") AS login FROM ONLY "s""a"."last, first" AS t OFFSET 0) AS m
             JOIN undo AS u ON u.site OPERATOR(pg_catalog.=) m.site AND u.row_id OPERATOR(pg_catalog.=) m.row_id
             WHERE u.todo
==== lookups
SELECT m.key, m.site, m.row_id FROM (
               SELECT (t."lo'g""in"::pg_catalog.text COLLATE pg_catalog."C") AS key, (t."{from}"::pg_catalog.text COLLATE pg_catalog."C") AS site, (t."$1"::pg_catalog.text COLLATE pg_catalog."C") AS row_id FROM ONLY "s""a"."last, first" AS t OFFSET 0) AS m
             JOIN (SELECT DISTINCT u.login_key FROM undo AS u WHERE u.todo) AS u ON u.login_key OPERATOR(pg_catalog.=) m.key
==== check_rights
EXPLAIN UPDATE ONLY "s""a"."last, first" AS t SET "lo'g""in" = t."lo'g""in", "fl;ag" = t."fl;ag" WHERE t."{from}" IS NOT NULL AND t."$1" IS NOT NULL
==== readings
SELECT FROM ONLY "s""a"."last, first" AS t WHERE identity_internal.dedup_note(t."lo'g""in"::pg_catalog.text)
==== readings
SELECT FROM ONLY "s""a"."last, first" AS t WHERE identity_internal.dedup_may_repeat(t."lo'g""in"::pg_catalog.text)
             AND identity_internal.dedup_keep(t.tableoid, t.ctid, t."{from}"::pg_catalog.text, t."$1"::pg_catalog.text, t."lo'g""in"::pg_catalog.text, t."fl;ag"::pg_catalog.text)
==== writings
UPDATE ONLY "s""a"."last, first" AS t SET "lo'g""in" = CAST(p.login AS pg_catalog.text), "fl;ag" = true FROM given AS p
             WHERE t.tableoid OPERATOR(pg_catalog.=) p.oid AND t.ctid OPERATOR(pg_catalog.=) p.tid
             RETURNING p.n, (t."lo'g""in"::pg_catalog.text COLLATE pg_catalog."C") AS login, (t."lo'g""in"::pg_catalog.text COLLATE pg_catalog."C") OPERATOR(pg_catalog.<>) p.login AND (t."lo'g""in"::pg_catalog.text COLLATE pg_catalog."C") OPERATOR(pg_catalog.<>) p.old_login AS changed
==== writings
UPDATE ONLY "s""a"."last, first" AS t SET "lo'g""in" = CAST(p.login AS pg_catalog.text), "fl;ag" = CAST(p.flag AS pg_catalog.bool) FROM chunk AS p
             WHERE t.tableoid OPERATOR(pg_catalog.=) p.oid AND t.ctid OPERATOR(pg_catalog.=) p.tid
             RETURNING p.n, (t."lo'g""in"::pg_catalog.text COLLATE pg_catalog."C") AS login
==== lookups
SELECT k.key FROM (SELECT (identity.normalize_identifier('username', t."lo'g""in"::pg_catalog.text) COLLATE pg_catalog."C") AS key FROM ONLY "s""a"."last, first" AS t OFFSET 0) AS k JOIN changed AS c ON c.key OPERATOR(pg_catalog.=) k.key
             GROUP BY k.key HAVING pg_catalog.count(*) OPERATOR(pg_catalog.>) 1 LIMIT 1
==== lookups
SELECT u.n, m.oid, m.tid, m.login FROM (
               SELECT t.tableoid AS oid, t.ctid AS tid, (t."{from}"::pg_catalog.text COLLATE pg_catalog."C") AS site, (t."$1"::pg_catalog.text COLLATE pg_catalog."C") AS row_id, (t."lo'g""in"::pg_catalog.text COLLATE pg_catalog."C") AS login FROM ONLY "s""a"."last, first" AS t OFFSET 0) AS m
             JOIN undo AS u ON u.site OPERATOR(pg_catalog.=) m.site AND u.row_id OPERATOR(pg_catalog.=) m.row_id
             WHERE u.todo
==== lookups
SELECT m.key, m.site, m.row_id FROM (
               SELECT (identity.normalize_identifier('username', t."lo'g""in"::pg_catalog.text) COLLATE pg_catalog."C") AS key, (t."{from}"::pg_catalog.text COLLATE pg_catalog."C") AS site, (t."$1"::pg_catalog.text COLLATE pg_catalog."C") AS row_id FROM ONLY "s""a"."last, first" AS t OFFSET 0) AS m
             JOIN (SELECT DISTINCT u.login_key FROM undo AS u WHERE u.todo) AS u ON u.login_key OPERATOR(pg_catalog.=) m.key
==== check_rights
EXPLAIN UPDATE ONLY "s""a"."last, first" AS t SET "lo'g""in" = t."lo'g""in", "n" = t."n" WHERE t."{from}" IS NOT NULL AND t."$1" IS NOT NULL
==== readings
SELECT FROM ONLY "s""a"."last, first" AS t WHERE identity_internal.dedup_note(t."lo'g""in"::pg_catalog.text)
==== readings
SELECT FROM ONLY "s""a"."last, first" AS t WHERE identity_internal.dedup_may_repeat(t."lo'g""in"::pg_catalog.text)
             AND identity_internal.dedup_keep(t.tableoid, t.ctid, t."{from}"::pg_catalog.text, t."$1"::pg_catalog.text, t."lo'g""in"::pg_catalog.text, t."n"::pg_catalog.text)
==== writings
UPDATE ONLY "s""a"."last, first" AS t SET "lo'g""in" = CAST(p.login AS pg_catalog.text), "n" = 1 FROM given AS p
             WHERE t.tableoid OPERATOR(pg_catalog.=) p.oid AND t.ctid OPERATOR(pg_catalog.=) p.tid
             RETURNING p.n, (t."lo'g""in"::pg_catalog.text COLLATE pg_catalog."C") AS login, (t."lo'g""in"::pg_catalog.text COLLATE pg_catalog."C") OPERATOR(pg_catalog.<>) p.login AND (t."lo'g""in"::pg_catalog.text COLLATE pg_catalog."C") OPERATOR(pg_catalog.<>) p.old_login AS changed
==== writings
UPDATE ONLY "s""a"."last, first" AS t SET "lo'g""in" = CAST(p.login AS pg_catalog.text), "n" = CAST(p.flag AS pg_catalog.int4) FROM chunk AS p
             WHERE t.tableoid OPERATOR(pg_catalog.=) p.oid AND t.ctid OPERATOR(pg_catalog.=) p.tid
             RETURNING p.n, (t."lo'g""in"::pg_catalog.text COLLATE pg_catalog."C") AS login
==== lookups
SELECT k.key FROM (SELECT (t."lo'g""in"::pg_catalog.text COLLATE pg_catalog."C") AS key FROM ONLY "s""a"."last, first" AS t OFFSET 0) AS k JOIN changed AS c ON c.key OPERATOR(pg_catalog.=) k.key
             GROUP BY k.key HAVING pg_catalog.count(*) OPERATOR(pg_catalog.>) 1 LIMIT 1
==== lookups
SELECT u.n, m.oid, m.tid, m.login FROM (
               SELECT t.tableoid AS oid, t.ctid AS tid, (t."{from}"::pg_catalog.text COLLATE pg_catalog."C") AS site, (t."$1"::pg_catalog.text COLLATE pg_catalog."C") AS row_id, (t."lo'g""in"::pg_catalog.text COLLATE pg_catalog."C") AS login FROM ONLY "s""a"."last, first" AS t OFFSET 0) AS m
             JOIN undo AS u ON u.site OPERATOR(pg_catalog.=) m.site AND u.row_id OPERATOR(pg_catalog.=) m.row_id
             WHERE u.todo
==== lookups
SELECT m.key, m.site, m.row_id FROM (
               SELECT (t."lo'g""in"::pg_catalog.text COLLATE pg_catalog."C") AS key, (t."{from}"::pg_catalog.text COLLATE pg_catalog."C") AS site, (t."$1"::pg_catalog.text COLLATE pg_catalog."C") AS row_id FROM ONLY "s""a"."last, first" AS t OFFSET 0) AS m
             JOIN (SELECT DISTINCT u.login_key FROM undo AS u WHERE u.todo) AS u ON u.login_key OPERATOR(pg_catalog.=) m.key
==== check_rights
EXPLAIN UPDATE ONLY "s""a"."last, first" AS t SET "lo'g""in" = t."lo'g""in", "n" = t."n" WHERE t."{from}" IS NOT NULL AND t."$1" IS NOT NULL
==== readings
SELECT FROM ONLY "s""a"."last, first" AS t WHERE identity_internal.dedup_note(t."lo'g""in"::pg_catalog.text)
==== readings
SELECT FROM ONLY "s""a"."last, first" AS t WHERE identity_internal.dedup_may_repeat(t."lo'g""in"::pg_catalog.text)
             AND identity_internal.dedup_keep(t.tableoid, t.ctid, t."{from}"::pg_catalog.text, t."$1"::pg_catalog.text, t."lo'g""in"::pg_catalog.text, t."n"::pg_catalog.text)
==== writings
UPDATE ONLY "s""a"."last, first" AS t SET "lo'g""in" = CAST(p.login AS pg_catalog.text), "n" = 1 FROM given AS p
             WHERE t.tableoid OPERATOR(pg_catalog.=) p.oid AND t.ctid OPERATOR(pg_catalog.=) p.tid
             RETURNING p.n, (t."lo'g""in"::pg_catalog.text COLLATE pg_catalog."C") AS login, (t."lo'g""in"::pg_catalog.text COLLATE pg_catalog."C") OPERATOR(pg_catalog.<>) p.login AND (t."lo'g""in"::pg_catalog.text COLLATE pg_catalog."C") OPERATOR(pg_catalog.<>) p.old_login AS changed
==== writings
UPDATE ONLY "s""a"."last, first" AS t SET "lo'g""in" = CAST(p.login AS pg_catalog.text), "n" = CAST(p.flag AS pg_catalog.int4) FROM chunk AS p
             WHERE t.tableoid OPERATOR(pg_catalog.=) p.oid AND t.ctid OPERATOR(pg_catalog.=) p.tid
             RETURNING p.n, (t."lo'g""in"::pg_catalog.text COLLATE pg_catalog."C") AS login
==== lookups
SELECT k.key FROM (SELECT (identity.normalize_identifier('username', t."lo'g""in"::pg_catalog.text) COLLATE pg_catalog."C") AS key FROM ONLY "s""a"."last, first" AS t OFFSET 0) AS k JOIN changed AS c ON c.key OPERATOR(pg_catalog.=) k.key
             GROUP BY k.key HAVING pg_catalog.count(*) OPERATOR(pg_catalog.>) 1 LIMIT 1
==== lookups
SELECT u.n, m.oid, m.tid, m.login FROM (
               SELECT t.tableoid AS oid, t.ctid AS tid, (t."{from}"::pg_catalog.text COLLATE pg_catalog."C") AS site, (t."$1"::pg_catalog.text COLLATE pg_catalog."C") AS row_id, (t."lo'g""in"::pg_catalog.text COLLATE pg_catalog."C") AS login FROM ONLY "s""a"."last, first" AS t OFFSET 0) AS m
             JOIN undo AS u ON u.site OPERATOR(pg_catalog.=) m.site AND u.row_id OPERATOR(pg_catalog.=) m.row_id
             WHERE u.todo
==== lookups
SELECT m.key, m.site, m.row_id FROM (
               SELECT (identity.normalize_identifier('username', t."lo'g""in"::pg_catalog.text) COLLATE pg_catalog."C") AS key, (t."{from}"::pg_catalog.text COLLATE pg_catalog."C") AS site, (t."$1"::pg_catalog.text COLLATE pg_catalog."C") AS row_id FROM ONLY "s""a"."last, first" AS t OFFSET 0) AS m
             JOIN (SELECT DISTINCT u.login_key FROM undo AS u WHERE u.todo) AS u ON u.login_key OPERATOR(pg_catalog.=) m.key
==== changed
SELECT DISTINCT (d.login COLLATE pg_catalog."C") AS key FROM done AS d WHERE d.changed
==== changed
SELECT DISTINCT (identity.normalize_identifier('email', d.login) COLLATE pg_catalog."C") AS key FROM done AS d WHERE d.changed
