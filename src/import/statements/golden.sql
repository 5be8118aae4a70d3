==== describe_source, read_source
SELECT s.* FROM (
SELECT 1 -- a comment at the end
) AS s LIMIT 0
==== describe_source, read_source
SELECT pg_catalog.row_number() OVER () AS "?row?", s.* FROM (
SELECT 1 -- a comment at the end
) AS s
==== explain_insert
EXPLAIN INSERT INTO "s'"";pwned"."t USING gist(r);pwned;--" ("a, pwned", "@pwned $1", "größe
\pwned'", """pwned""") VALUES (DEFAULT, DEFAULT, DEFAULT, DEFAULT)
==== explain_update
EXPLAIN UPDATE ONLY "s'"";pwned"."t USING gist(r);pwned;--" AS t SET "@pwned $1" = t."@pwned $1", "größe
\pwned'" = t."größe
\pwned'", """pwned""" = t."""pwned"""
==== explain_update
EXPLAIN UPDATE ONLY "s'"";pwned"."t USING gist(r);pwned;--" AS t SET "@pwned $1" = t."@pwned $1", "größe
\pwned'" = t."größe
\pwned'", """pwned""" = t."""pwned"""
==== explain_holders
EXPLAIN SELECT * FROM (SELECT t.tableoid AS holder_oid, t.ctid AS holder_tid, t."a, pwned" AS p0, ("a, pwned") AS k1 FROM ONLY "s'"";pwned"."t USING gist(r);pwned;--" AS t WHERE true) AS t
==== explain_holders
EXPLAIN SELECT * FROM (SELECT t.tableoid AS holder_oid, t.ctid AS holder_tid, t."a, pwned" AS p0, (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS k1, ("s'"";pwned"."function pwned';--"("@pwned $1")) AS k2 FROM ONLY "s'"";pwned"."t USING gist(r);pwned;--" AS t WHERE ("@pwned $1" IS NOT NULL)) AS t
==== explain_holders
EXPLAIN SELECT * FROM (SELECT t.tableoid AS holder_oid, t.ctid AS holder_tid, t."a, pwned" AS p0, (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS k1, ("s'"";pwned"."function pwned';--"("@pwned $1")) AS k2 FROM ONLY "s'"";pwned"."t USING gist(r);pwned;--" AS t WHERE ("@pwned $1" IS NOT NULL)) AS t
==== values_of
SELECT r."?row?", pg_catalog.jsonb_build_object('a, pwned', r."a, pwned"::pg_catalog.text)::pg_catalog.text AS value FROM "pg_identity_raw" AS r
             WHERE r."?row?" OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.int8[])
==== without_echoes_of_conversion
SELECT p.* FROM "pg_identity_problem" AS p WHERE NOT EXISTS (
               SELECT FROM "pg_identity_problem" AS b
               WHERE b.ord OPERATOR(pg_catalog.=) -1 AND b.rn OPERATOR(pg_catalog.=) p.rn
                 AND p.ord OPERATOR(pg_catalog.>) -1 AND p.columns OPERATOR(pg_catalog.&&) b.columns)
==== merge, updates
WITH m AS MATERIALIZED (
               SELECT k.rn AS "?row?", h."?oid", h."?tid", h."?key"
               FROM (SELECT r."?row?" AS rn, (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS k1, ("s'"";pwned"."function pwned';--"("@pwned $1")) AS k2 FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_identity_rows" AS s) AS r) AS r WHERE ("@pwned $1" IS NOT NULL)) AS k JOIN (SELECT t.tableoid AS "?oid", t.ctid AS "?tid", pg_catalog.jsonb_build_object('a, pwned', t."a, pwned") AS "?key", (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS k1, ("s'"";pwned"."function pwned';--"("@pwned $1")) AS k2
              FROM ONLY "s'"";pwned"."t USING gist(r);pwned;--" AS t WHERE ("@pwned $1" IS NOT NULL)) AS h ON h.k1 OPERATOR("s'"";pwned".=) k.k1 AND h.k2 OPERATOR("s'"";pwned".=) k.k2 FOR NO KEY UPDATE OF h)
             SELECT r."?row?", m."?oid", m."?tid", m."?key", r."a, pwned", r."@pwned $1", r."größe
\pwned'", r."""pwned"""
             FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_identity_rows" AS s) AS r) AS r LEFT JOIN m ON m."?row?" OPERATOR(pg_catalog.=) r."?row?"
             ORDER BY r."?row?"
==== merge, updates
SELECT s."?row?" FROM "pg_identity_rows" AS s WHERE s."?tid" IS NOT NULL
==== probe
SELECT pg_catalog.count(ROW(r."{pwned}", ("@pwned $1" <> 'it''s pwned'), ("a, pwned"), true, (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--"), ("s'"";pwned"."function pwned';--"("@pwned $1")), ("@pwned $1" IS NOT NULL), (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--"), ("s'"";pwned"."function pwned';--"("@pwned $1")), ("@pwned $1" IS NOT NULL))) FROM (
               SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (
                 SELECT s.* FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_identity_rows" AS s) AS s OFFSET 0) AS r
               WHERE identity_internal.import_mark(r."?row?") OFFSET 0) AS r
==== find_broken_rules
SELECT c.rn AS rn, 0 AS ord, 'invalid'::pg_catalog.text AS status, v.name AS constraint_name, v.columns AS columns, c.keys[v.n] AS key,
               NULL::pg_catalog.jsonb AS existing, NULL::pg_catalog.int8 AS winner, v.sqlstate AS sqlstate, v.message AS message, NULL::pg_catalog.oid AS holder_oid, NULL::pg_catalog.tid AS holder_tid
             FROM (SELECT "?row?" AS rn, ARRAY[("a, pwned" IS NOT DISTINCT FROM NULL), (("@pwned $1" <> 'it''s pwned') IS FALSE)]::pg_catalog.bool[] AS broken, ARRAY[pg_catalog.jsonb_build_object('a, pwned', NULL::pg_catalog.text), pg_catalog.jsonb_build_object('@pwned $1', "@pwned $1")]::pg_catalog.jsonb[] AS keys
                   FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_identity_rows" AS s) AS r) AS r WHERE (("a, pwned" IS NOT DISTINCT FROM NULL) OR (("@pwned $1" <> 'it''s pwned') IS FALSE)) OFFSET 0) AS c
             CROSS JOIN (VALUES (1, NULL::pg_catalog.text, ARRAY['a, pwned']::pg_catalog.text[], '23502'::pg_catalog.text, 'null value in column "a, pwned" of relation "t USING gist(r);pwned;--" violates not-null constraint'::pg_catalog.text), (2, 'c ''pwned''', ARRAY['@pwned $1']::pg_catalog.text[], '23514'::pg_catalog.text, 'new row for relation "t USING gist(r);pwned;--" violates check constraint "c ''pwned''"'::pg_catalog.text)) AS v (n, name, columns, sqlstate, message)
             WHERE c.broken[v.n]
==== find_missing_references
SELECT r."?row?" AS rn, 1 AS ord, 'invalid'::pg_catalog.text AS status, 'f $1 pwned'::pg_catalog.text AS constraint_name, ARRAY[E'größe
\\pwned''']::pg_catalog.text[] AS columns, pg_catalog.jsonb_build_object(E'größe
\\pwned''', r."größe
\pwned'") AS key,
               NULL::pg_catalog.jsonb AS existing, NULL::pg_catalog.int8 AS winner, '23503'::pg_catalog.text AS sqlstate, 'insert or update on table "t USING gist(r);pwned;--" violates foreign key constraint "f $1 pwned"'::pg_catalog.text AS message, NULL::pg_catalog.oid AS holder_oid, NULL::pg_catalog.tid AS holder_tid FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_identity_rows" AS s) AS r) AS r WHERE (((r."größe
\pwned'" IS NOT NULL) AND NOT (r."größe
\pwned'" IS NOT NULL)) OR (r."größe
\pwned'" IS NOT NULL
               AND NOT EXISTS (SELECT FROM ONLY "s'"";pwned"."table pwned';--" AS x WHERE x."a, pwned" OPERATOR("s'"";pwned".=) r."größe
\pwned'") AND NOT EXISTS (SELECT FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_identity_rows" AS s) AS r) AS p WHERE p."a, pwned" OPERATOR("s'"";pwned".=) r."größe
\pwned'")))
==== find_unrouted
SELECT "?row?" AS rn, 100000 AS ord, 'invalid'::pg_catalog.text AS status, NULL::pg_catalog.text AS constraint_name, NULL::pg_catalog.text[] AS columns, NULL::pg_catalog.jsonb AS key,
               NULL::pg_catalog.jsonb AS existing, NULL::pg_catalog.int8 AS winner, '23514'::pg_catalog.text AS sqlstate, 'no partition of relation "t USING gist(r);pwned;--" found for row'::pg_catalog.text AS message, NULL::pg_catalog.oid AS holder_oid, NULL::pg_catalog.tid AS holder_tid FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_identity_rows" AS s) AS r) AS r WHERE (true) AND (false) IS NOT TRUE
==== find_parents
WITH edge AS (SELECT r."?row?" AS child, p."?row?" AS parent FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_identity_rows" AS s) AS r) AS r JOIN (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_identity_rows" AS s) AS r) AS p ON p."a, pwned" OPERATOR("s'"";pwned".=) r."größe
\pwned'"
               WHERE NOT (r."a, pwned" OPERATOR("s'"";pwned".=) r."größe
\pwned'") AND NOT EXISTS (SELECT FROM ONLY "s'"";pwned"."table pwned';--" AS x WHERE x."a, pwned" OPERATOR("s'"";pwned".=) r."größe
\pwned'"))
             SELECT 1 AS ord, e.child AS rn, 2 AS kind, e.parent AS ref FROM edge AS e
             UNION ALL SELECT DISTINCT 1, e.parent, 3, 0::pg_catalog.int8 FROM edge AS e
==== report_orphans
SELECT r."?row?" AS rn, 1 AS ord, 'invalid'::pg_catalog.text AS status, 'f $1 pwned'::pg_catalog.text AS constraint_name, ARRAY[E'größe
\\pwned''']::pg_catalog.text[] AS columns, pg_catalog.jsonb_build_object(E'größe
\\pwned''', r."größe
\pwned'") AS key,
               NULL::pg_catalog.jsonb AS existing, NULL::pg_catalog.int8 AS winner, '23503'::pg_catalog.text AS sqlstate, 'insert or update on table "t USING gist(r);pwned;--" violates foreign key constraint "f $1 pwned": no row of the table or earlier in the source is referred to'::pg_catalog.text AS message, NULL::pg_catalog.oid AS holder_oid, NULL::pg_catalog.tid AS holder_tid FROM "pg_identity_losers" AS l JOIN (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_identity_rows" AS s) AS r) AS r ON r."?row?" OPERATOR(pg_catalog.=) l.rn
==== create_hashes
SELECT r."?row?" AS rn, CASE WHEN true THEN "s'"";pwned"."hash pwned';--"(("a, pwned"), 0::pg_catalog.int8) END AS h0, CASE WHEN ("@pwned $1" IS NOT NULL) THEN "s'"";pwned"."hash pwned';--"(("s'"";pwned"."function pwned';--"("@pwned $1")), CASE WHEN (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") IS DISTINCT FROM NULL
                   THEN pg_catalog.hash_array_extended(ARRAY[CAST((("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS "s'"";pwned"."type pwned';--")], 0::pg_catalog.int8) END) END AS h1 FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_identity_rows" AS s) AS r) AS r
==== fill_sieve
WITH maybe AS MATERIALIZED (
               SELECT h.h1 AS hash FROM "pg_identity_hashes" AS h WHERE identity_internal.import_sieve_add(1, h.h1))
             SELECT 1001 AS ord, 0::pg_catalog.int8 AS rn, 4 AS kind, h.h1 AS ref FROM "pg_identity_hashes" AS h
             WHERE h.h1 OPERATOR(pg_catalog.=) ANY (SELECT m.hash FROM maybe AS m)
             GROUP BY h.h1 HAVING pg_catalog.count(*) OPERATOR(pg_catalog.>) 1
==== create_near
SELECT t.* FROM (SELECT t.*, "s'"";pwned"."hash pwned';--"(t.k0_0, 0::pg_catalog.int8) AS h0, "s'"";pwned"."hash pwned';--"(t.k1_1, CASE WHEN t.k1_0 IS DISTINCT FROM NULL
                   THEN pg_catalog.hash_array_extended(ARRAY[CAST(t.k1_0 AS "s'"";pwned"."type pwned';--")], 0::pg_catalog.int8) END) AS h1 FROM (SELECT t.tableoid AS holder_oid, t.ctid AS holder_tid, t."a, pwned" AS p0, CASE WHEN true THEN ("a, pwned") END AS k0_0, CASE WHEN ("@pwned $1" IS NOT NULL) THEN (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") END AS k1_0, CASE WHEN ("@pwned $1" IS NOT NULL) THEN ("s'"";pwned"."function pwned';--"("@pwned $1")) END AS k1_1 FROM ONLY "s'"";pwned"."t USING gist(r);pwned;--" AS t OFFSET 0) AS t OFFSET 0) AS t
             WHERE (identity_internal.import_sieve_holds(0, t.h0) OR identity_internal.import_sieve_holds(1, t.h1))
==== add_near, create_met
SELECT pg_catalog.count(identity_internal.import_sieve_add(3, t.h0)), pg_catalog.count(identity_internal.import_sieve_add(4, t.h1)) FROM "pg_identity_near" AS t
==== add_near, create_met
SELECT h.* FROM "pg_identity_hashes" AS h WHERE (identity_internal.import_sieve_holds(3, h.h0) OR identity_internal.import_sieve_holds(4, h.h1))
==== suspected_keys
SELECT DISTINCT c.ord FROM "pg_identity_contest" AS c WHERE c.kind OPERATOR(pg_catalog.=) 4
==== null_patterns
SELECT DISTINCT (CASE WHEN s.k1 IS NULL THEN 1 ELSE 0 END OPERATOR(pg_catalog.|) CASE WHEN s.k2 IS NULL THEN 2 ELSE 0 END)::pg_catalog.int8 AS nulls FROM (SELECT r."?row?" AS rn, (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS k1, ("s'"";pwned"."function pwned';--"("@pwned $1")) AS k2 FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_identity_rows" AS s) AS r) AS r WHERE ("@pwned $1" IS NOT NULL)) AS s
==== find_conflicts
SELECT  s.rn AS rn, 1000 AS ord, 'conflict'::pg_catalog.text AS status, 'p"''pwned'::pg_catalog.text AS constraint_name, ARRAY['a, pwned']::pg_catalog.text[] AS columns, pg_catalog.jsonb_build_object('a, pwned', s.k1) AS key,
               pg_catalog.jsonb_build_object('a, pwned', t.p0) AS existing, NULL::pg_catalog.int8 AS winner, '23505'::pg_catalog.text AS sqlstate, 'the key is held by an existing row'::pg_catalog.text AS message, t.holder_oid, t.holder_tid FROM (SELECT r."?row?" AS rn, ("a, pwned") AS k1 FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_identity_rows" AS s) AS r) AS r WHERE true) AS s JOIN (SELECT t.tableoid AS holder_oid, t.ctid AS holder_tid, t."a, pwned" AS p0, ("a, pwned") AS k1 FROM ONLY "s'"";pwned"."t USING gist(r);pwned;--" AS t WHERE true) AS t ON t.k1 OPERATOR("s'"";pwned".=) s.k1 WHERE true 
==== find_conflicts
SELECT  s.rn AS rn, 1001 AS ord, 'conflict'::pg_catalog.text AS status, 'u @ord {} pwned'::pg_catalog.text AS constraint_name, ARRAY[E'größe
\\pwned''', '@pwned $1']::pg_catalog.text[] AS columns, pg_catalog.jsonb_build_object(E'größe
\\pwned''', s.k1, 'f(''pwned'')', s.k2) AS key,
               pg_catalog.jsonb_build_object('a, pwned', t.p0) AS existing, NULL::pg_catalog.int8 AS winner, '23505'::pg_catalog.text AS sqlstate, 'the key is held by an existing row'::pg_catalog.text AS message, t.holder_oid, t.holder_tid FROM (SELECT r."?row?" AS rn, (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS k1, ("s'"";pwned"."function pwned';--"("@pwned $1")) AS k2 FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_identity_rows" AS s) AS r) AS r WHERE ("@pwned $1" IS NOT NULL)) AS s JOIN (SELECT t.tableoid AS holder_oid, t.ctid AS holder_tid, t."a, pwned" AS p0, (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS k1, ("s'"";pwned"."function pwned';--"("@pwned $1")) AS k2 FROM ONLY "s'"";pwned"."t USING gist(r);pwned;--" AS t WHERE ("@pwned $1" IS NOT NULL)) AS t ON t.k1 OPERATOR("s'"";pwned".=) s.k1 AND t.k2 OPERATOR("s'"";pwned".=) s.k2 WHERE true 
==== find_conflicts
SELECT DISTINCT ON (s.rn) s.rn AS rn, 1002 AS ord, 'conflict'::pg_catalog.text AS status, 'x USING gist(r);pwned;--'::pg_catalog.text AS constraint_name, ARRAY[E'größe
\\pwned''', '@pwned $1']::pg_catalog.text[] AS columns, pg_catalog.jsonb_build_object(E'größe
\\pwned''', s.k1, 'f(''pwned'')', s.k2) AS key,
               pg_catalog.jsonb_build_object('a, pwned', t.p0) AS existing, NULL::pg_catalog.int8 AS winner, '23P01'::pg_catalog.text AS sqlstate, 'the key is held by an existing row'::pg_catalog.text AS message, t.holder_oid, t.holder_tid FROM (SELECT r."?row?" AS rn, (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS k1, ("s'"";pwned"."function pwned';--"("@pwned $1")) AS k2 FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_identity_rows" AS s) AS r) AS r WHERE ("@pwned $1" IS NOT NULL)) AS s JOIN (SELECT t.tableoid AS holder_oid, t.ctid AS holder_tid, t."a, pwned" AS p0, (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS k1, ("s'"";pwned"."function pwned';--"("@pwned $1")) AS k2 FROM ONLY "s'"";pwned"."t USING gist(r);pwned;--" AS t WHERE ("@pwned $1" IS NOT NULL)) AS t ON t.k1 OPERATOR("s'"";pwned".=) s.k1 AND t.k2 OPERATOR("s'"";pwned".=) s.k2 WHERE true ORDER BY s.rn
==== find_conflicts, of NULLs
SELECT  s.rn AS rn, 1001 AS ord, 'conflict'::pg_catalog.text AS status, 'u @ord {} pwned'::pg_catalog.text AS constraint_name, ARRAY[E'größe
\\pwned''', '@pwned $1']::pg_catalog.text[] AS columns, pg_catalog.jsonb_build_object(E'größe
\\pwned''', s.k1, 'f(''pwned'')', s.k2) AS key,
               pg_catalog.jsonb_build_object('a, pwned', t.p0) AS existing, NULL::pg_catalog.int8 AS winner, '23505'::pg_catalog.text AS sqlstate, 'the key is held by an existing row'::pg_catalog.text AS message, t.holder_oid, t.holder_tid FROM (SELECT r."?row?" AS rn, (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS k1, ("s'"";pwned"."function pwned';--"("@pwned $1")) AS k2 FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_identity_rows" AS s) AS r) AS r WHERE ("@pwned $1" IS NOT NULL)) AS s JOIN (SELECT t.tableoid AS holder_oid, t.ctid AS holder_tid, t."a, pwned" AS p0, (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS k1, ("s'"";pwned"."function pwned';--"("@pwned $1")) AS k2 FROM ONLY "s'"";pwned"."t USING gist(r);pwned;--" AS t WHERE ("@pwned $1" IS NOT NULL)) AS t ON t.k1 OPERATOR("s'"";pwned".=) s.k1 AND s.k2 IS NULL AND t.k2 IS NULL WHERE true 
==== find_contests
SELECT 1000 AS ord, w.rn, 0 AS kind, w.number OPERATOR(pg_catalog.+)
               (SELECT COALESCE(pg_catalog.max(c.ref), 0) FROM "pg_identity_contest" AS c WHERE c.kind OPERATOR(pg_catalog.=) 0) AS ref
             FROM (SELECT k.rn, pg_catalog.count(*) OVER (PARTITION BY k1) AS members,
                          pg_catalog.dense_rank() OVER (ORDER BY k1) AS number
                   FROM (SELECT s.* FROM (SELECT r."?row?" AS rn, ("a, pwned") AS k1 FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_identity_rows" AS s) AS r) AS r WHERE true) AS s WHERE s.k1 IS NOT NULL) AS k) AS w
             WHERE w.members OPERATOR(pg_catalog.>) 1
==== find_contests
SELECT 1001 AS ord, w.rn, 0 AS kind, w.number OPERATOR(pg_catalog.+)
               (SELECT COALESCE(pg_catalog.max(c.ref), 0) FROM "pg_identity_contest" AS c WHERE c.kind OPERATOR(pg_catalog.=) 0) AS ref
             FROM (SELECT k.rn, pg_catalog.count(*) OVER (PARTITION BY k1, k2) AS members,
                          pg_catalog.dense_rank() OVER (ORDER BY k1, k2) AS number
                   FROM (SELECT s.* FROM (SELECT r."?row?" AS rn, (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS k1, ("s'"";pwned"."function pwned';--"("@pwned $1")) AS k2 FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_identity_rows" AS s) AS r) AS r WHERE ("@pwned $1" IS NOT NULL)) AS s WHERE s.k1 IS NOT NULL AND s.k2 IS NOT NULL) AS k) AS w
             WHERE w.members OPERATOR(pg_catalog.>) 1
==== find_contests
SELECT 1001 AS ord, w.rn, 0 AS kind, w.number OPERATOR(pg_catalog.+)
               (SELECT COALESCE(pg_catalog.max(c.ref), 0) FROM "pg_identity_contest" AS c WHERE c.kind OPERATOR(pg_catalog.=) 0) AS ref
             FROM (SELECT k.rn, pg_catalog.count(*) OVER (PARTITION BY k1, k2) AS members,
                          pg_catalog.dense_rank() OVER (ORDER BY k1, k2) AS number
                   FROM (SELECT s.* FROM (SELECT r."?row?" AS rn, (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS k1, ("s'"";pwned"."function pwned';--"("@pwned $1")) AS k2 FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_identity_rows" AS s) AS r) AS r WHERE ("@pwned $1" IS NOT NULL)) AS s WHERE (s.k1 IS NULL OR s.k2 IS NULL)) AS k) AS w
             WHERE w.members OPERATOR(pg_catalog.>) 1
==== find_contests
WITH keyed AS MATERIALIZED (SELECT * FROM (SELECT r."?row?" AS rn, (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS k1, ("s'"";pwned"."function pwned';--"("@pwned $1")) AS k2 FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_identity_rows" AS s) AS r) AS r WHERE ("@pwned $1" IS NOT NULL)) AS k),
             pair AS (SELECT s.rn, e.rn AS earlier FROM keyed AS s JOIN keyed AS e
               ON e.k1 OPERATOR("s'"";pwned".=) s.k1 AND e.k2 OPERATOR("s'"";pwned".=) s.k2 AND e.rn OPERATOR(pg_catalog.<) s.rn)
             SELECT 1002 AS ord, p.rn, 1 AS kind, p.earlier AS ref FROM pair AS p
             UNION ALL SELECT DISTINCT 1002, p.earlier, 3, 0::pg_catalog.int8 FROM pair AS p
==== report_duplicates
SELECT s.rn AS rn, 1001 AS ord, 'duplicate'::pg_catalog.text AS status, 'u @ord {} pwned'::pg_catalog.text AS constraint_name, ARRAY[E'größe
\\pwned''', '@pwned $1']::pg_catalog.text[] AS columns, pg_catalog.jsonb_build_object(E'größe
\\pwned''', s.k1, 'f(''pwned'')', s.k2) AS key,
               NULL::pg_catalog.jsonb AS existing, l.winner AS winner, '23505'::pg_catalog.text AS sqlstate, pg_catalog.concat('the key was taken by row ', l.winner, ' of the source') AS message, NULL::pg_catalog.oid AS holder_oid, NULL::pg_catalog.tid AS holder_tid FROM "pg_identity_losers" AS l JOIN (SELECT r."?row?" AS rn, (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS k1, ("s'"";pwned"."function pwned';--"("@pwned $1")) AS k2 FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_identity_rows" AS s) AS r) AS r WHERE ("@pwned $1" IS NOT NULL)) AS s ON s.rn OPERATOR(pg_catalog.=) l.rn
             WHERE NOT EXISTS (SELECT FROM "pg_identity_problem" AS p WHERE p.rn OPERATOR(pg_catalog.=) l.rn AND p.ord OPERATOR(pg_catalog.=) 1001)
==== key_of_rows
SELECT pg_catalog.jsonb_build_object(E'größe
\\pwned''', s.k1, 'f(''pwned'')', s.k2)::pg_catalog.text AS key FROM (SELECT r."?row?" AS rn, (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS k1, ("s'"";pwned"."function pwned';--"("@pwned $1")) AS k2 FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_identity_rows" AS s) AS r) AS r WHERE ("@pwned $1" IS NOT NULL)) AS s
==== find_conflicts, sieved
SELECT  s.rn AS rn, 1001 AS ord, 'conflict'::pg_catalog.text AS status, 'u @ord {} pwned'::pg_catalog.text AS constraint_name, ARRAY[E'größe
\\pwned''', '@pwned $1']::pg_catalog.text[] AS columns, pg_catalog.jsonb_build_object(E'größe
\\pwned''', s.k1, 'f(''pwned'')', s.k2) AS key,
               pg_catalog.jsonb_build_object('a, pwned', t.p0) AS existing, NULL::pg_catalog.int8 AS winner, '23505'::pg_catalog.text AS sqlstate, 'the key is held by an existing row'::pg_catalog.text AS message, t.holder_oid, t.holder_tid FROM "pg_identity_near" AS t JOIN "pg_identity_met" AS h ON h.h1 OPERATOR(pg_catalog.=) t.h1
             JOIN (SELECT r."?row?" AS rn, (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS k1, ("s'"";pwned"."function pwned';--"("@pwned $1")) AS k2 FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", CAST(E'\\'' pwned' AS "s'"";pwned"."type pwned';--") AS """pwned""" FROM "pg_identity_close" AS s) AS r) AS r WHERE ("@pwned $1" IS NOT NULL)) AS s ON s.rn OPERATOR(pg_catalog.=) h.rn AND (t.k1_0 OPERATOR("s'"";pwned".=) s.k1 AND t.k1_1 OPERATOR("s'"";pwned".=) s.k2) IS TRUE WHERE true 
==== find_contests, sieved
SELECT 1001 AS ord, w.rn, 0 AS kind, w.number OPERATOR(pg_catalog.+)
               (SELECT COALESCE(pg_catalog.max(c.ref), 0) FROM "pg_identity_contest" AS c WHERE c.kind OPERATOR(pg_catalog.=) 0) AS ref
             FROM (SELECT k.rn, pg_catalog.count(*) OVER (PARTITION BY k1, k2) AS members,
                          pg_catalog.dense_rank() OVER (ORDER BY k1, k2) AS number
                   FROM (SELECT s.* FROM "pg_identity_hashes" AS h JOIN (SELECT r."?row?" AS rn, (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS k1, ("s'"";pwned"."function pwned';--"("@pwned $1")) AS k2 FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", CAST(E'\\'' pwned' AS "s'"";pwned"."type pwned';--") AS """pwned""" FROM "pg_identity_rows" AS s) AS r) AS r WHERE ("@pwned $1" IS NOT NULL)) AS s ON s.rn OPERATOR(pg_catalog.=) h.rn
             WHERE h.h1 OPERATOR(pg_catalog.=) ANY (SELECT c.ref FROM "pg_identity_contest" AS c
               WHERE c.kind OPERATOR(pg_catalog.=) 4 AND c.ord OPERATOR(pg_catalog.=) 1001)) AS k) AS w
             WHERE w.members OPERATOR(pg_catalog.>) 1
==== find_contests, sieved
SELECT 1001 AS ord, w.rn, 0 AS kind, w.number OPERATOR(pg_catalog.+)
               (SELECT COALESCE(pg_catalog.max(c.ref), 0) FROM "pg_identity_contest" AS c WHERE c.kind OPERATOR(pg_catalog.=) 0) AS ref
             FROM (SELECT k.rn, pg_catalog.count(*) OVER (PARTITION BY k1, k2) AS members,
                          pg_catalog.dense_rank() OVER (ORDER BY k1, k2) AS number
                   FROM (SELECT s.* FROM (SELECT r."?row?" AS rn, (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS k1, ("s'"";pwned"."function pwned';--"("@pwned $1")) AS k2 FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", CAST(E'\\'' pwned' AS "s'"";pwned"."type pwned';--") AS """pwned""" FROM "pg_identity_rows" AS s) AS r) AS r WHERE ("@pwned $1" IS NOT NULL)) AS s WHERE (s.k1 IS NULL OR s.k2 IS NULL)) AS k) AS w
             WHERE w.members OPERATOR(pg_catalog.>) 1
==== find_conflicts, merged
SELECT  s.rn AS rn, 1000 AS ord, 'conflict'::pg_catalog.text AS status, 'p"''pwned'::pg_catalog.text AS constraint_name, ARRAY['a, pwned']::pg_catalog.text[] AS columns, pg_catalog.jsonb_build_object('a, pwned', s.k1) AS key,
               pg_catalog.jsonb_build_object('a, pwned', t.p0) AS existing, NULL::pg_catalog.int8 AS winner, '23505'::pg_catalog.text AS sqlstate, 'the key is held by an existing row'::pg_catalog.text AS message, t.holder_oid, t.holder_tid FROM (SELECT r."?row?" AS rn, r."?oid" AS own_oid, r."?tid" AS own_tid, ("a, pwned") AS k1 FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."?oid", s."?tid", s."?key", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_identity_rows" AS s) AS r) AS r WHERE true) AS s JOIN (SELECT t.tableoid AS holder_oid, t.ctid AS holder_tid, t."a, pwned" AS p0, ("a, pwned") AS k1 FROM ONLY "s'"";pwned"."t USING gist(r);pwned;--" AS t WHERE true) AS t ON t.k1 OPERATOR("s'"";pwned".=) s.k1 WHERE (s.own_tid IS NULL OR NOT (s.own_oid OPERATOR(pg_catalog.=) t.holder_oid
                   AND s.own_tid OPERATOR(pg_catalog.=) t.holder_tid)) 
==== find_conflicts, merged
SELECT  s.rn AS rn, 1002 AS ord, 'conflict'::pg_catalog.text AS status, 'x USING gist(r);pwned;--'::pg_catalog.text AS constraint_name, ARRAY[E'größe
\\pwned''', '@pwned $1']::pg_catalog.text[] AS columns, pg_catalog.jsonb_build_object(E'größe
\\pwned''', s.k1, 'f(''pwned'')', s.k2) AS key,
               pg_catalog.jsonb_build_object('a, pwned', t.p0) AS existing, NULL::pg_catalog.int8 AS winner, '23P01'::pg_catalog.text AS sqlstate, 'the key is held by an existing row'::pg_catalog.text AS message, t.holder_oid, t.holder_tid FROM (SELECT r."?row?" AS rn, r."?oid" AS own_oid, r."?tid" AS own_tid, (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS k1, ("s'"";pwned"."function pwned';--"("@pwned $1")) AS k2 FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."?oid", s."?tid", s."?key", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_identity_rows" AS s) AS r) AS r WHERE ("@pwned $1" IS NOT NULL)) AS s JOIN (SELECT t.tableoid AS holder_oid, t.ctid AS holder_tid, t."a, pwned" AS p0, (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS k1, ("s'"";pwned"."function pwned';--"("@pwned $1")) AS k2 FROM ONLY "s'"";pwned"."t USING gist(r);pwned;--" AS t WHERE ("@pwned $1" IS NOT NULL)) AS t ON t.k1 OPERATOR("s'"";pwned".=) s.k1 AND t.k2 OPERATOR("s'"";pwned".=) s.k2 WHERE (s.own_tid IS NULL OR NOT (s.own_oid OPERATOR(pg_catalog.=) t.holder_oid
                   AND s.own_tid OPERATOR(pg_catalog.=) t.holder_tid)) 
==== find_waits
WITH held AS MATERIALIZED (
               SELECT p.rn, p.ord, m."?row?" AS holder, pg_catalog.dense_rank() OVER (ORDER BY p.ord, p.holder_oid, p.holder_tid) AS number
               FROM "pg_identity_problem" AS p JOIN "pg_identity_rows" AS m
               ON m."?oid" OPERATOR(pg_catalog.=) p.holder_oid AND m."?tid" OPERATOR(pg_catalog.=) p.holder_tid WHERE p.status OPERATOR(pg_catalog.=) 'conflict' AND p.ord OPERATOR(pg_catalog.=) ANY (ARRAY[1000, 1001, 1002]))
             SELECT DISTINCT h.ord, h.rn, 5 AS kind, h.number AS ref FROM held AS h
             UNION ALL
             -- A holder that keeps its key wants it too, and is in one contest with the row that waits.
             SELECT DISTINCT h.ord, h.holder, 6, h.number FROM held AS h
             WHERE NOT EXISTS (
               SELECT FROM "pg_identity_contest" AS a JOIN "pg_identity_contest" AS b ON a.ref OPERATOR(pg_catalog.=) b.ref AND a.ord OPERATOR(pg_catalog.=) b.ord
               WHERE a.kind OPERATOR(pg_catalog.=) 0 AND b.kind OPERATOR(pg_catalog.=) 0
                 AND a.rn OPERATOR(pg_catalog.=) h.rn AND b.rn OPERATOR(pg_catalog.=) h.holder AND a.ord OPERATOR(pg_catalog.=) h.ord)
             AND NOT EXISTS (
               SELECT FROM "pg_identity_contest" AS c WHERE c.kind OPERATOR(pg_catalog.=) 1 AND c.ord OPERATOR(pg_catalog.=) h.ord
                 AND c.rn OPERATOR(pg_catalog.=) h.rn AND c.ref OPERATOR(pg_catalog.=) h.holder)
==== contest_in_order
SELECT c.rn, p.rn IS NOT NULL AS dead, c.kind, c.ord, c.ref
             FROM "pg_identity_contest" AS c LEFT JOIN (SELECT DISTINCT p.rn FROM "pg_identity_problem" AS p) AS p ON p.rn OPERATOR(pg_catalog.=) c.rn
             WHERE c.kind OPERATOR(pg_catalog.<>) 4 ORDER BY c.rn, c.kind, c.ord, c.ref
==== contest_in_order
SELECT c.rn, p.rn IS NOT NULL AS dead, c.kind, c.ord, c.ref
             FROM "pg_identity_contest" AS c LEFT JOIN (SELECT DISTINCT p.rn FROM "pg_identity_problem" AS p LEFT JOIN "pg_identity_rows" AS m ON p.status OPERATOR(pg_catalog.=) 'conflict' AND m."?oid" OPERATOR(pg_catalog.=) p.holder_oid
                   AND m."?tid" OPERATOR(pg_catalog.=) p.holder_tid WHERE m."?row?" IS NULL) AS p ON p.rn OPERATOR(pg_catalog.=) c.rn
             WHERE c.kind OPERATOR(pg_catalog.<>) 4 ORDER BY c.rn, c.kind, c.ord, c.ref
==== without_freed, without_withdrawn, with_one_holder
SELECT p.* FROM "pg_identity_problem" AS p LEFT JOIN "pg_identity_losers" AS f
               ON f.rn OPERATOR(pg_catalog.=) p.rn AND f.ord OPERATOR(pg_catalog.=) p.ord AND p.status OPERATOR(pg_catalog.=) 'conflict'
             LEFT JOIN (SELECT DISTINCT u."?oid", u."?tid" FROM "pg_identity_rows" AS u WHERE u."?tid" IS NOT NULL) AS m
               ON m."?oid" OPERATOR(pg_catalog.=) p.holder_oid AND m."?tid" OPERATOR(pg_catalog.=) p.holder_tid
             WHERE f.rn IS NULL OR m."?tid" IS NULL
==== without_freed, without_withdrawn, with_one_holder
SELECT p.* FROM "pg_identity_problem" AS p WHERE NOT EXISTS (
               SELECT FROM "pg_identity_losers" AS w WHERE w.rn OPERATOR(pg_catalog.=) p.rn AND w.ord OPERATOR(pg_catalog.=) p.ord
                 AND w.winner OPERATOR(pg_catalog.=) p.winner AND p.status OPERATOR(pg_catalog.=) 'duplicate')
==== without_freed, without_withdrawn, with_one_holder
SELECT DISTINCT ON (p.rn, p.ord, p.status, p.constraint_name, p.columns) p.* FROM "pg_identity_problem" AS p
             ORDER BY p.rn, p.ord, p.status, p.constraint_name, p.columns, p.holder_oid, p.holder_tid
==== write
INSERT INTO "s'"";pwned"."t USING gist(r);pwned;--" AS t ("a, pwned", "@pwned $1", "größe
\pwned'", """pwned""") OVERRIDING SYSTEM VALUE SELECT s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_identity_rows" AS s WHERE identity_internal.import_take(s."?row?") ON CONFLICT DO NOTHING RETURNING identity_internal.import_current() AS rn, t.tableoid AS oid, t.ctid AS tid, pg_catalog.jsonb_build_object('a, pwned', t."a, pwned") AS existing
==== write
INSERT INTO "s'"";pwned"."t USING gist(r);pwned;--" AS t ("a, pwned", "@pwned $1", "größe
\pwned'", """pwned""") OVERRIDING SYSTEM VALUE SELECT s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_identity_rows" AS s WHERE identity_internal.import_take(s."?row?") ORDER BY s."a, pwned" COLLATE pg_catalog."C" OFFSET 0) AS s WHERE (s."?row?" OPERATOR(pg_catalog.%) 100 OPERATOR(pg_catalog.<>) 0
                          OR identity_internal.import_mark(s."?row?", 100))
==== write
INSERT INTO "s'"";pwned"."t USING gist(r);pwned;--" AS t ("a, pwned", "@pwned $1", "größe
\pwned'", """pwned""") OVERRIDING SYSTEM VALUE SELECT s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_identity_rows" AS s WHERE identity_internal.import_take(s."?row?") ORDER BY s."a, pwned" COLLATE pg_catalog."C" OFFSET 0) AS s WHERE identity_internal.import_mark(s."?row?") RETURNING identity_internal.import_current() AS rn, t.tableoid AS oid, t.ctid AS tid, NULL::pg_catalog.jsonb AS existing
==== write
INSERT INTO "s'"";pwned"."t USING gist(r);pwned;--" AS t ("a, pwned", "@pwned $1", "größe
\pwned'", """pwned""") OVERRIDING SYSTEM VALUE SELECT s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_identity_rows" AS s WHERE identity_internal.import_take(s."?row?") RETURNING t.ctid
==== rows_to_fire, same_target
SELECT s."?row?" AS rn, CAST(ROW(s."a, pwned", s."@pwned $1", NULL, s."größe
\pwned'", s."""pwned""") AS "s'"";pwned"."t USING gist(r);pwned;--") AS shown FROM "pg_identity_rows" AS s
==== rows_to_fire, same_target
SELECT o."?row?" FROM "pg_identity_rows" AS o JOIN "pg_identity_fired" AS s
               ON o."?tid" OPERATOR(pg_catalog.=) s."?tid" AND o."?oid" OPERATOR(pg_catalog.=) s."?oid"
==== fill_fired
SELECT x.rn AS "?row?", (x.r)."a, pwned", (x.r)."@pwned $1"
             FROM (SELECT u.rn, CAST(u.txt AS "s'"";pwned"."t USING gist(r);pwned;--") AS r
                   FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.int8[]), pg_catalog.unnest($2::pg_catalog.text[])) AS u (rn, txt)
                   WHERE u.txt IS NOT NULL OFFSET 0) AS x
==== name_winners
SELECT p.rn, p.ord, CASE WHEN w.rn IS NULL THEN p.status ELSE 'duplicate' END AS status, p.constraint_name, p.columns, p.key,
               CASE WHEN w.rn IS NULL THEN p.existing END AS existing, COALESCE(w.rn, p.winner) AS winner, p.sqlstate,
               CASE WHEN w.rn IS NULL THEN p.message ELSE pg_catalog.concat('the key was taken by row ', w.rn, ' of the source') END AS message,
               p.holder_oid, p.holder_tid
             FROM "pg_identity_problem" AS p LEFT JOIN ROWS FROM (pg_catalog.unnest($1::pg_catalog.oid[]), pg_catalog.unnest($2::pg_catalog.tid[]),
               pg_catalog.unnest($3::pg_catalog.int8[])) AS w (oid, tid, rn)
               ON w.oid OPERATOR(pg_catalog.=) p.holder_oid AND w.tid OPERATOR(pg_catalog.=) p.holder_tid
             WHERE (w.rn OPERATOR(pg_catalog.>) p.rn) IS NOT TRUE
==== check_now
SET CONSTRAINTS "s'"";pwned"."primary pwned';--" IMMEDIATE
==== check_now
SET CONSTRAINTS "s'"";pwned"."primary pwned';--" DEFERRED
==== write
INSERT INTO "s'"";pwned"."t USING gist(r);pwned;--" AS t ("a, pwned", "@pwned $1", "größe
\pwned'", """pwned""") OVERRIDING SYSTEM VALUE SELECT s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_identity_rows" AS s WHERE identity_internal.import_take(s."?row?") AND s."?tid" IS NULL ON CONFLICT DO NOTHING RETURNING identity_internal.import_current() AS rn, t.tableoid AS oid, t.ctid AS tid, pg_catalog.jsonb_build_object('a, pwned', t."a, pwned") AS existing
==== write
INSERT INTO "s'"";pwned"."t USING gist(r);pwned;--" AS t ("a, pwned", "@pwned $1", "größe
\pwned'", """pwned""") OVERRIDING SYSTEM VALUE SELECT s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_identity_rows" AS s WHERE identity_internal.import_take(s."?row?") AND s."?tid" IS NULL ORDER BY s."a, pwned" COLLATE pg_catalog."C" OFFSET 0) AS s WHERE (s."?row?" OPERATOR(pg_catalog.%) 100 OPERATOR(pg_catalog.<>) 0
                          OR identity_internal.import_mark(s."?row?", 100))
==== write
INSERT INTO "s'"";pwned"."t USING gist(r);pwned;--" AS t ("a, pwned", "@pwned $1", "größe
\pwned'", """pwned""") OVERRIDING SYSTEM VALUE SELECT s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_identity_rows" AS s WHERE identity_internal.import_take(s."?row?") AND s."?tid" IS NULL ORDER BY s."a, pwned" COLLATE pg_catalog."C" OFFSET 0) AS s WHERE identity_internal.import_mark(s."?row?") RETURNING identity_internal.import_current() AS rn, t.tableoid AS oid, t.ctid AS tid, NULL::pg_catalog.jsonb AS existing
==== write
INSERT INTO "s'"";pwned"."t USING gist(r);pwned;--" AS t ("a, pwned", "@pwned $1", "größe
\pwned'", """pwned""") OVERRIDING SYSTEM VALUE SELECT s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_identity_rows" AS s WHERE identity_internal.import_take(s."?row?") AND s."?tid" IS NULL RETURNING t.ctid
==== write
UPDATE ONLY "s'"";pwned"."t USING gist(r);pwned;--" AS t SET "@pwned $1" = s."@pwned $1", "größe
\pwned'" = s."größe
\pwned'", """pwned""" = s."""pwned"""
             FROM (SELECT s."?row?", s."?oid", s."?tid", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_identity_rows" AS s
                   WHERE s."?tid" IS NOT NULL AND identity_internal.import_take(s."?row?") OFFSET 0) AS s
             WHERE t.tableoid OPERATOR(pg_catalog.=) s."?oid" AND t.ctid OPERATOR(pg_catalog.=) s."?tid"
               AND identity_internal.import_mark(s."?row?", t.ctid) RETURNING identity_internal.import_current() AS rn, t.tableoid AS oid, t.ctid AS tid, NULL::pg_catalog.jsonb AS existing
==== find_again
SELECT s."?row?", h.holder_oid AS "?oid", h.holder_tid AS "?tid", s."?key", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_identity_rows" AS s
             LEFT JOIN (SELECT k.rn, t.holder_oid, t.holder_tid FROM (SELECT r."?row?" AS rn, r."?oid" AS own_oid, r."?tid" AS own_tid, (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS k1, ("s'"";pwned"."function pwned';--"("@pwned $1")) AS k2 FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."?oid", s."?tid", s."?key", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_identity_rows" AS s) AS r) AS r WHERE ("@pwned $1" IS NOT NULL)) AS k JOIN (SELECT t.tableoid AS holder_oid, t.ctid AS holder_tid, t."a, pwned" AS p0, (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS k1, ("s'"";pwned"."function pwned';--"("@pwned $1")) AS k2 FROM ONLY "s'"";pwned"."t USING gist(r);pwned;--" AS t WHERE ("@pwned $1" IS NOT NULL)) AS t ON t.k1 OPERATOR("s'"";pwned".=) k.k1 AND t.k2 OPERATOR("s'"";pwned".=) k.k2) AS h
               ON h.rn OPERATOR(pg_catalog.=) s."?row?" ORDER BY s."?row?"
==== rows_to_fire, same_target
SELECT s."?row?" AS rn, CAST(ROW(s."a, pwned", s."@pwned $1", NULL, s."größe
\pwned'", s."""pwned""") AS "s'"";pwned"."t USING gist(r);pwned;--") AS shown FROM "pg_identity_rows" AS s
==== rows_to_fire, same_target
SELECT o."?row?" FROM "pg_identity_rows" AS o JOIN "pg_identity_fired" AS s
               ON o."?tid" OPERATOR(pg_catalog.=) s."?tid" AND o."?oid" OPERATOR(pg_catalog.=) s."?oid"
==== fill_fired
SELECT x.rn AS "?row?", (x.r)."a, pwned", (x.r)."@pwned $1"
             FROM (SELECT u.rn, CAST(u.txt AS "s'"";pwned"."t USING gist(r);pwned;--") AS r
                   FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.int8[]), pg_catalog.unnest($2::pg_catalog.text[])) AS u (rn, txt)
                   WHERE u.txt IS NOT NULL OFFSET 0) AS x
==== name_winners
SELECT p.rn, p.ord, CASE WHEN w.rn IS NULL THEN p.status ELSE 'duplicate' END AS status, p.constraint_name, p.columns, p.key,
               CASE WHEN w.rn IS NULL THEN p.existing END AS existing, COALESCE(w.rn, p.winner) AS winner, p.sqlstate,
               CASE WHEN w.rn IS NULL THEN p.message ELSE pg_catalog.concat('the key was taken by row ', w.rn, ' of the source') END AS message,
               p.holder_oid, p.holder_tid
             FROM "pg_identity_problem" AS p LEFT JOIN ROWS FROM (pg_catalog.unnest($1::pg_catalog.oid[]), pg_catalog.unnest($2::pg_catalog.tid[]),
               pg_catalog.unnest($3::pg_catalog.int8[])) AS w (oid, tid, rn)
               ON w.oid OPERATOR(pg_catalog.=) p.holder_oid AND w.tid OPERATOR(pg_catalog.=) p.holder_tid
             WHERE (w.rn OPERATOR(pg_catalog.>) p.rn) IS NOT TRUE
==== check_now
SET CONSTRAINTS "s'"";pwned"."primary pwned';--" IMMEDIATE
==== check_now
SET CONSTRAINTS "s'"";pwned"."primary pwned';--" DEFERRED
==== count_by_status
SELECT w.status, pg_catalog.count(*) AS n FROM (
               SELECT DISTINCT ON (p.rn) p.rn, p.status FROM "pg_identity_problem" AS p
               ORDER BY p.rn, pg_catalog.array_position('{invalid,conflict,duplicate,suppressed}'::pg_catalog.text[], p.status)) AS w
             GROUP BY w.status
==== first_problems
SELECT pg_catalog.concat('row ', p.rn, ': ', p.status, ' ', p.constraint_name, ' ', p.key, ': ', p.message)
             FROM "pg_identity_problem" AS p ORDER BY p.rn, p.ord LIMIT 5
==== report
SELECT $1::pg_catalog.uuid, p.rn, NULL::pg_catalog.text, p.status, p.constraint_name, p.columns, p.key, p.existing, p.winner,
               p.sqlstate, p.message
             FROM (SELECT b.rn, b.ord, b.status, b.constraint_name, b.columns, b.key, b.existing, b.winner, b.sqlstate,
                     b.message FROM "pg_identity_problem" AS b) AS p 
             ORDER BY p.rn, p.ord, p.constraint_name, p.columns
==== report
SELECT $1::pg_catalog.uuid, p.rn, raw."row;""pwned"::pg_catalog.text, p.status, p.constraint_name, p.columns, p.key, p.existing, p.winner,
               p.sqlstate, p.message
             FROM (SELECT b.rn, b.ord, b.status, b.constraint_name, b.columns, b.key, b.existing, b.winner, b.sqlstate,
                     b.message FROM "pg_identity_problem" AS b UNION ALL SELECT s."?row?", 0, 'inserted', NULL, NULL, NULL, COALESCE(NULL::pg_catalog.jsonb, l.existing), NULL, NULL, NULL
              FROM "pg_identity_rows" AS s LEFT JOIN "pg_identity_landed" AS l ON l.rn OPERATOR(pg_catalog.=) s."?row?"
              WHERE identity_internal.import_take(s."?row?")) AS p LEFT JOIN "pg_identity_raw" AS raw ON raw."?row?" OPERATOR(pg_catalog.=) p.rn
             ORDER BY p.rn, p.ord, p.constraint_name, p.columns
==== failure, suppressed
SELECT f.rn, $2::pg_catalog.int4 AS ord, $3::pg_catalog.text AS status, f.constraint_name, f.columns, f.key, f.existing, f.winner,
               f.sqlstate, f.message, f.holder_oid, f.holder_tid FROM (SELECT $1::pg_catalog.int8 AS rn, 0 AS ord, ''::pg_catalog.text AS status, $4 AS constraint_name, $5::pg_catalog.text[] AS columns, $6::pg_catalog.jsonb AS key,
               NULL::pg_catalog.jsonb AS existing, NULL::pg_catalog.int8 AS winner, $7 AS sqlstate, $8 AS message, NULL::pg_catalog.oid AS holder_oid, NULL::pg_catalog.tid AS holder_tid) AS f
==== failure, suppressed
SELECT u.rn AS rn, 100000 AS ord, 'suppressed'::pg_catalog.text AS status, NULL::pg_catalog.text AS constraint_name, NULL::pg_catalog.text[] AS columns, NULL::pg_catalog.jsonb AS key,
               NULL::pg_catalog.jsonb AS existing, NULL::pg_catalog.int8 AS winner, NULL::pg_catalog.text AS sqlstate, 'a BEFORE trigger dropped the row'::pg_catalog.text AS message, NULL::pg_catalog.oid AS holder_oid, NULL::pg_catalog.tid AS holder_tid FROM pg_catalog.unnest($1::pg_catalog.int8[]) AS u (rn)
==== count_by_status
SELECT w.status, pg_catalog.count(*) AS n FROM (
               SELECT DISTINCT ON (p.rn) p.rn, p.status FROM "pg_identity_problem" AS p
               ORDER BY p.rn, pg_catalog.array_position('{invalid,conflict,duplicate,suppressed}'::pg_catalog.text[], p.status)) AS w
             GROUP BY w.status
==== first_problems
SELECT pg_catalog.concat('row ', p.rn, ': ', p.status, ' ', p.constraint_name, ' ', p.key, ': ', p.message)
             FROM "pg_identity_problem" AS p ORDER BY p.rn, p.ord LIMIT 5
==== report
SELECT $1::pg_catalog.uuid, p.rn, NULL::pg_catalog.text, p.status, p.constraint_name, p.columns, p.key, p.existing, p.winner,
               p.sqlstate, p.message
             FROM (SELECT b.rn, b.ord, b.status, b.constraint_name, b.columns, b.key, b.existing, b.winner, b.sqlstate,
                     b.message FROM "pg_identity_problem" AS b) AS p 
             ORDER BY p.rn, p.ord, p.constraint_name, p.columns
==== report
SELECT $1::pg_catalog.uuid, p.rn, raw."row;""pwned"::pg_catalog.text, p.status, p.constraint_name, p.columns, p.key, p.existing, p.winner,
               p.sqlstate, p.message
             FROM (SELECT b.rn, b.ord, b.status, b.constraint_name, b.columns, b.key, b.existing, b.winner, b.sqlstate,
                     b.message FROM "pg_identity_problem" AS b UNION ALL SELECT s."?row?", 0, CASE WHEN s."?tid" IS NULL THEN 'inserted' ELSE 'updated' END, NULL, NULL, NULL, COALESCE(s."?key", l.existing), NULL, NULL, NULL
              FROM "pg_identity_rows" AS s LEFT JOIN "pg_identity_landed" AS l ON l.rn OPERATOR(pg_catalog.=) s."?row?"
              WHERE identity_internal.import_take(s."?row?")) AS p LEFT JOIN "pg_identity_raw" AS raw ON raw."?row?" OPERATOR(pg_catalog.=) p.rn
             ORDER BY p.rn, p.ord, p.constraint_name, p.columns
==== failure, suppressed
SELECT f.rn, $2::pg_catalog.int4 AS ord, $3::pg_catalog.text AS status, f.constraint_name, f.columns, f.key, f.existing, f.winner,
               f.sqlstate, f.message, f.holder_oid, f.holder_tid FROM (SELECT $1::pg_catalog.int8 AS rn, 0 AS ord, ''::pg_catalog.text AS status, $4 AS constraint_name, $5::pg_catalog.text[] AS columns, $6::pg_catalog.jsonb AS key,
               NULL::pg_catalog.jsonb AS existing, NULL::pg_catalog.int8 AS winner, $7 AS sqlstate, $8 AS message, NULL::pg_catalog.oid AS holder_oid, NULL::pg_catalog.tid AS holder_tid) AS f
==== failure, suppressed
SELECT u.rn AS rn, 100000 AS ord, 'suppressed'::pg_catalog.text AS status, NULL::pg_catalog.text AS constraint_name, NULL::pg_catalog.text[] AS columns, NULL::pg_catalog.jsonb AS key,
               NULL::pg_catalog.jsonb AS existing, NULL::pg_catalog.int8 AS winner, NULL::pg_catalog.text AS sqlstate, 'a BEFORE trigger dropped the row'::pg_catalog.text AS message, NULL::pg_catalog.oid AS holder_oid, NULL::pg_catalog.tid AS holder_tid FROM pg_catalog.unnest($1::pg_catalog.int8[]) AS u (rn)
