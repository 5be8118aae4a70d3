==== create_raw
CREATE TEMPORARY TABLE "pg_temp"."pg_identity_raw_7" ON COMMIT DROP AS
             SELECT 0::pg_catalog.int8 AS "?row?", s.* FROM (
SELECT 1 -- a comment at the end
) AS s WITH NO DATA
==== fill_raw
INSERT INTO "pg_temp"."pg_identity_raw_7" SELECT pg_catalog.row_number() OVER (), s.* FROM (
SELECT 1 -- a comment at the end
) AS s
==== columns_of_raw
SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
               'name', a.attname, 'type_oid', a.atttypid::pg_catalog.int8,
               'typmod', a.atttypmod, 'collation_oid', a.attcollation::pg_catalog.int8) ORDER BY a.attnum), '[]')
             FROM pg_catalog.pg_attribute AS a
             WHERE a.attrelid OPERATOR(pg_catalog.=) '"pg_temp"."pg_identity_raw_7"'::pg_catalog.regclass AND a.attnum OPERATOR(pg_catalog.>) 1
==== create_problem
CREATE TEMPORARY TABLE "pg_temp"."pg_identity_problem_7" (
                   rn pg_catalog.int8, ord pg_catalog.int4, status pg_catalog.text, constraint_name pg_catalog.text,
                   columns pg_catalog.text[], key pg_catalog.jsonb, existing pg_catalog.jsonb, winner pg_catalog.int8,
                   sqlstate pg_catalog.text, message pg_catalog.text,
                   holder_oid pg_catalog.oid, holder_tid pg_catalog.tid, late pg_catalog.bool) ON COMMIT DROP;
CREATE TEMPORARY TABLE "pg_temp"."pg_identity_contest_7" (ord pg_catalog.int4, rn pg_catalog.int8, kind pg_catalog.int4, ref pg_catalog.int8)
                   ON COMMIT DROP;
CREATE TEMPORARY TABLE "pg_temp"."pg_identity_landed_7" (rn pg_catalog.int8, oid pg_catalog.oid, tid pg_catalog.tid) ON COMMIT DROP
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
==== create_typed
CREATE TEMPORARY TABLE "pg_temp"."pg_identity_staged_7" ("?row?" pg_catalog.int8, "a, pwned" "s'"";pwned"."type pwned';--", "@pwned $1" "s'"";pwned"."type pwned';--", "{pwned}" "s'"";pwned"."type pwned';--", "größe
\pwned'" "s'"";pwned"."type pwned';--", """pwned""" "s'"";pwned"."type pwned';--" COLLATE "s'"";pwned"."collation pwned';--") ON COMMIT DROP
==== convert
INSERT INTO "pg_temp"."pg_identity_staged_7" ("?row?", "a, pwned", "@pwned $1", "größe
\pwned'", """pwned""") SELECT r."?row?", r."a, pwned", CAST(r."@pwned $1" AS "s'"";pwned"."base pwned';--"), CAST(CAST(r."größe
\pwned'" AS pg_catalog.text) AS "s'"";pwned"."base pwned';--"), r."""pwned""" FROM "pg_temp"."pg_identity_raw_7" AS r
             WHERE NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_7" AS p WHERE p.rn OPERATOR(pg_catalog.=) r."?row?")
==== convert
INSERT INTO "pg_temp"."pg_identity_staged_7" ("?row?", "a, pwned", "@pwned $1", "größe
\pwned'", """pwned""") SELECT r."?row?", CASE WHEN 'a, pwned' OPERATOR(pg_catalog.=) ANY (p.failed) THEN NULL ELSE r."a, pwned" END, CASE WHEN '@pwned $1' OPERATOR(pg_catalog.=) ANY (p.failed) THEN NULL ELSE CAST(r."@pwned $1" AS "s'"";pwned"."base pwned';--") END, CASE WHEN E'größe
\\pwned''' OPERATOR(pg_catalog.=) ANY (p.failed) THEN NULL ELSE CAST(CAST(r."größe
\pwned'" AS pg_catalog.text) AS "s'"";pwned"."base pwned';--") END, CASE WHEN '"pwned"' OPERATOR(pg_catalog.=) ANY (p.failed) THEN NULL ELSE r."""pwned""" END FROM "pg_temp"."pg_identity_raw_7" AS r
             JOIN (SELECT b.rn, pg_catalog.array_agg(b.columns[1]) AS failed FROM "pg_temp"."pg_identity_problem_7" AS b
                   WHERE b.ord OPERATOR(pg_catalog.=) -1 GROUP BY b.rn) AS p
               ON p.rn OPERATOR(pg_catalog.=) r."?row?"
==== convert_column
INSERT INTO "pg_temp"."pg_identity_probe_7" ("?row?", "a, pwned") SELECT r."?row?", r."a, pwned"
             FROM (SELECT s."?row?", s."a, pwned" FROM "pg_temp"."pg_identity_raw_7" AS s WHERE s."?row?" OPERATOR(pg_catalog.>) 7
                   ORDER BY s."?row?" OFFSET 0) AS r
             WHERE identity_internal.import_mark(r."?row?")
==== convert_column
INSERT INTO "pg_temp"."pg_identity_probe_7" ("?row?", "@pwned $1") SELECT r."?row?", CAST(r."@pwned $1" AS "s'"";pwned"."base pwned';--")
             FROM (SELECT s."?row?", s."@pwned $1" FROM "pg_temp"."pg_identity_raw_7" AS s WHERE s."?row?" OPERATOR(pg_catalog.>) 7
                   ORDER BY s."?row?" OFFSET 0) AS r
             WHERE identity_internal.import_mark(r."?row?")
==== convert_column
INSERT INTO "pg_temp"."pg_identity_probe_7" ("?row?", "größe
\pwned'") SELECT r."?row?", CAST(CAST(r."größe
\pwned'" AS pg_catalog.text) AS "s'"";pwned"."base pwned';--")
             FROM (SELECT s."?row?", s."größe
\pwned'" FROM "pg_temp"."pg_identity_raw_7" AS s WHERE s."?row?" OPERATOR(pg_catalog.>) 7
                   ORDER BY s."?row?" OFFSET 0) AS r
             WHERE identity_internal.import_mark(r."?row?")
==== convert_column
INSERT INTO "pg_temp"."pg_identity_probe_7" ("?row?", """pwned""") SELECT r."?row?", r."""pwned"""
             FROM (SELECT s."?row?", s."""pwned""" FROM "pg_temp"."pg_identity_raw_7" AS s WHERE s."?row?" OPERATOR(pg_catalog.>) 7
                   ORDER BY s."?row?" OFFSET 0) AS r
             WHERE identity_internal.import_mark(r."?row?")
==== value_of
SELECT pg_catalog.jsonb_build_object('a, pwned', r."a, pwned"::pg_catalog.text)::pg_catalog.text FROM "pg_temp"."pg_identity_raw_7" AS r
             WHERE r."?row?" OPERATOR(pg_catalog.=) $1
==== forget_echoes_of_conversion
DELETE FROM "pg_temp"."pg_identity_problem_7" AS p USING "pg_temp"."pg_identity_problem_7" AS b
             WHERE b.ord OPERATOR(pg_catalog.=) -1 AND b.rn OPERATOR(pg_catalog.=) p.rn
               AND p.ord OPERATOR(pg_catalog.>) -1 AND p.columns OPERATOR(pg_catalog.&&) b.columns
==== index_by_number
CREATE INDEX ON "pg_temp"."pg_identity_staged_7" ("?row?"); ANALYZE "pg_temp"."pg_identity_staged_7" ("?row?")
==== index_landed, index_problems, index_winners
CREATE INDEX ON "pg_temp"."pg_identity_landed_7" (rn); CREATE INDEX ON "pg_temp"."pg_identity_landed_7" (tid)
==== index_landed, index_problems, index_winners
CREATE INDEX ON "pg_temp"."pg_identity_problem_7" (rn); ANALYZE "pg_temp"."pg_identity_problem_7" (rn)
==== index_landed, index_problems, index_winners
CREATE INDEX ON "pg_temp"."pg_identity_problem_7" (winner)
==== create_merged
CREATE TEMPORARY TABLE "pg_temp"."pg_identity_merged_7" ON COMMIT DROP AS
             WITH m AS MATERIALIZED (
               SELECT k.rn AS "?row?", h."?oid", h."?tid", h."?key"
               FROM (SELECT r."?row?" AS rn, (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS k1, ("s'"";pwned"."function pwned';--"("@pwned $1")) AS k2 FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_temp"."pg_identity_staged_7" AS s WHERE true) AS r) AS r WHERE ("@pwned $1" IS NOT NULL)) AS k JOIN (SELECT t.tableoid AS "?oid", t.ctid AS "?tid", pg_catalog.jsonb_build_object('a, pwned', t."a, pwned") AS "?key", (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS k1, ("s'"";pwned"."function pwned';--"("@pwned $1")) AS k2
              FROM ONLY "s'"";pwned"."t USING gist(r);pwned;--" AS t WHERE ("@pwned $1" IS NOT NULL)) AS h ON h.k1 OPERATOR("s'"";pwned".=) k.k1 AND h.k2 OPERATOR("s'"";pwned".=) k.k2 FOR NO KEY UPDATE OF h)
             SELECT r."?row?", m."?oid", m."?tid", m."?key", r."a, pwned", r."@pwned $1", r."größe
\pwned'", r."""pwned"""
             FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_temp"."pg_identity_staged_7" AS s WHERE true) AS r) AS r LEFT JOIN m ON m."?row?" OPERATOR(pg_catalog.=) r."?row?"
             ORDER BY r."?row?"
==== probe
SELECT pg_catalog.count(ROW(r."{pwned}", ("@pwned $1" <> 'it''s pwned'), ("a, pwned"), true, (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--"), ("s'"";pwned"."function pwned';--"("@pwned $1")), ("@pwned $1" IS NOT NULL), (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--"), ("s'"";pwned"."function pwned';--"("@pwned $1")), ("@pwned $1" IS NOT NULL))) FROM (
               SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (
                 SELECT s.* FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_temp"."pg_identity_staged_7" AS s WHERE NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_7" AS p WHERE p.rn OPERATOR(pg_catalog.=) s."?row?"
                   AND p.ord OPERATOR(pg_catalog.=) -2)) AS s WHERE s."?row?" OPERATOR(pg_catalog.>) 7 ORDER BY s."?row?" OFFSET 0) AS r
               WHERE identity_internal.import_mark(r."?row?") OFFSET 0) AS r
==== find_broken_rules
INSERT INTO "pg_temp"."pg_identity_problem_7" (rn, ord, status, constraint_name, columns, key, sqlstate, message, late)
             SELECT c.rn, 0, 'invalid', v.name, v.columns, c.keys[v.n], v.sqlstate, v.message, false
             FROM (SELECT "?row?" AS rn, ARRAY[("a, pwned" IS NOT DISTINCT FROM NULL), (("@pwned $1" <> 'it''s pwned') IS FALSE)]::pg_catalog.bool[] AS broken, ARRAY[pg_catalog.jsonb_build_object('a, pwned', NULL::pg_catalog.text), pg_catalog.jsonb_build_object('@pwned $1', "@pwned $1")]::pg_catalog.jsonb[] AS keys
                   FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_temp"."pg_identity_staged_7" AS s WHERE true) AS r) AS r WHERE (("a, pwned" IS NOT DISTINCT FROM NULL) OR (("@pwned $1" <> 'it''s pwned') IS FALSE)) OFFSET 0) AS c
             CROSS JOIN (VALUES (1, NULL::pg_catalog.text, ARRAY['a, pwned']::pg_catalog.text[], '23502', 'null value in column "a, pwned" of relation "t USING gist(r);pwned;--" violates not-null constraint'), (2, 'c ''pwned''', ARRAY['@pwned $1']::pg_catalog.text[], '23514', 'new row for relation "t USING gist(r);pwned;--" violates check constraint "c ''pwned''"')) AS v (n, name, columns, sqlstate, message)
             WHERE c.broken[v.n]
==== find_missing_references
INSERT INTO "pg_temp"."pg_identity_problem_7" (rn, ord, status, constraint_name, columns, key, sqlstate, message, late)
             SELECT r."?row?", 1, 'invalid', 'f $1 pwned', ARRAY[E'größe
\\pwned''']::pg_catalog.text[], pg_catalog.jsonb_build_object(E'größe
\\pwned''', r."größe
\pwned'"), '23503', 'insert or update on table "t USING gist(r);pwned;--" violates foreign key constraint "f $1 pwned"', false FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_temp"."pg_identity_staged_7" AS s WHERE true) AS r) AS r WHERE (((r."größe
\pwned'" IS NOT NULL) AND NOT (r."größe
\pwned'" IS NOT NULL)) OR (r."größe
\pwned'" IS NOT NULL
               AND NOT EXISTS (SELECT FROM ONLY "s'"";pwned"."table pwned';--" AS x WHERE x."a, pwned" OPERATOR("s'"";pwned".=) r."größe
\pwned'") AND NOT EXISTS (SELECT FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_temp"."pg_identity_staged_7" AS s WHERE true) AS r) AS p WHERE p."a, pwned" OPERATOR("s'"";pwned".=) r."größe
\pwned'")))
==== find_parents
WITH edge AS (SELECT r."?row?" AS child, p."?row?" AS parent FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_temp"."pg_identity_staged_7" AS s WHERE true) AS r) AS r JOIN (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_temp"."pg_identity_staged_7" AS s WHERE true) AS r) AS p ON p."a, pwned" OPERATOR("s'"";pwned".=) r."größe
\pwned'"
               WHERE NOT (r."a, pwned" OPERATOR("s'"";pwned".=) r."größe
\pwned'") AND NOT EXISTS (SELECT FROM ONLY "s'"";pwned"."table pwned';--" AS x WHERE x."a, pwned" OPERATOR("s'"";pwned".=) r."größe
\pwned'"))
             INSERT INTO "pg_temp"."pg_identity_contest_7" (ord, rn, kind, ref)
             SELECT 1, e.child, 2, e.parent FROM edge AS e
             UNION ALL SELECT DISTINCT 1, e.parent, 3, 0 FROM edge AS e
==== report_orphans
INSERT INTO "pg_temp"."pg_identity_problem_7" (rn, ord, status, constraint_name, columns, key, sqlstate, message, late)
             SELECT r."?row?", 1, 'invalid', 'f $1 pwned', ARRAY[E'größe
\\pwned''']::pg_catalog.text[], pg_catalog.jsonb_build_object(E'größe
\\pwned''', r."größe
\pwned'"), '23503', 'insert or update on table "t USING gist(r);pwned;--" violates foreign key constraint "f $1 pwned": no row of the table or earlier in the source is referred to', false FROM pg_catalog.unnest($1::pg_catalog.int8[]) AS l (rn) JOIN (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_temp"."pg_identity_staged_7" AS s WHERE true) AS r) AS r ON r."?row?" OPERATOR(pg_catalog.=) l.rn
==== create_hashes
CREATE TEMPORARY TABLE "pg_temp"."pg_identity_hashes_7" ON COMMIT DROP AS SELECT r."?row?" AS rn, CASE WHEN true THEN "s'"";pwned"."hash pwned';--"(("a, pwned"), 0::pg_catalog.int8) END AS h0, CASE WHEN ("@pwned $1" IS NOT NULL) THEN "s'"";pwned"."hash pwned';--"(("s'"";pwned"."function pwned';--"("@pwned $1")), CASE WHEN (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") IS DISTINCT FROM NULL
                   THEN pg_catalog.hash_array_extended(ARRAY[CAST((("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS "s'"";pwned"."type pwned';--")], 0::pg_catalog.int8) END) END AS h1 FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_temp"."pg_identity_staged_7" AS s WHERE true) AS r) AS r; ANALYZE "pg_temp"."pg_identity_hashes_7"
==== fill_sieve
WITH maybe AS MATERIALIZED (
               SELECT h.h1 AS hash FROM "pg_temp"."pg_identity_hashes_7" AS h WHERE identity_internal.import_sieve_add(1, h.h1))
             INSERT INTO "pg_temp"."pg_identity_contest_7" (ord, rn, kind, ref)
             SELECT 1001, 0, 4, h.h1 FROM "pg_temp"."pg_identity_hashes_7" AS h
             WHERE h.h1 OPERATOR(pg_catalog.=) ANY (SELECT m.hash FROM maybe AS m)
             GROUP BY h.h1 HAVING pg_catalog.count(*) OPERATOR(pg_catalog.>) 1
==== create_near
CREATE TEMPORARY TABLE "pg_temp"."pg_identity_near_7" ON COMMIT DROP AS
             SELECT t.* FROM (SELECT t.*, "s'"";pwned"."hash pwned';--"(t.k0_0, 0::pg_catalog.int8) AS h0, "s'"";pwned"."hash pwned';--"(t.k1_1, CASE WHEN t.k1_0 IS DISTINCT FROM NULL
                   THEN pg_catalog.hash_array_extended(ARRAY[CAST(t.k1_0 AS "s'"";pwned"."type pwned';--")], 0::pg_catalog.int8) END) AS h1 FROM (SELECT t.tableoid AS holder_oid, t.ctid AS holder_tid, t."a, pwned" AS p0, CASE WHEN true THEN ("a, pwned") END AS k0_0, CASE WHEN ("@pwned $1" IS NOT NULL) THEN (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") END AS k1_0, CASE WHEN ("@pwned $1" IS NOT NULL) THEN ("s'"";pwned"."function pwned';--"("@pwned $1")) END AS k1_1 FROM ONLY "s'"";pwned"."t USING gist(r);pwned;--" AS t OFFSET 0) AS t OFFSET 0) AS t
             WHERE (identity_internal.import_sieve_holds(0, t.h0) OR identity_internal.import_sieve_holds(1, t.h1));
             ANALYZE "pg_temp"."pg_identity_near_7"
==== create_close
SELECT pg_catalog.count(identity_internal.import_sieve_add(3, t.h0)), pg_catalog.count(identity_internal.import_sieve_add(4, t.h1)) FROM "pg_temp"."pg_identity_near_7" AS t;
             CREATE TEMPORARY TABLE "pg_temp"."pg_identity_met_7" ON COMMIT DROP AS SELECT h.* FROM "pg_temp"."pg_identity_hashes_7" AS h WHERE (identity_internal.import_sieve_holds(3, h.h0) OR identity_internal.import_sieve_holds(4, h.h1));
             ANALYZE "pg_temp"."pg_identity_met_7";
             CREATE TEMPORARY TABLE "pg_temp"."pg_identity_close_7" ON COMMIT DROP AS
             SELECT s.* FROM "pg_temp"."pg_identity_staged_7" AS s WHERE s."?row?" OPERATOR(pg_catalog.=) ANY (SELECT m.rn FROM "pg_temp"."pg_identity_met_7" AS m);
             ANALYZE "pg_temp"."pg_identity_close_7" ("?row?")
==== suspected_keys, drop_sifted
SELECT COALESCE(pg_catalog.jsonb_agg(DISTINCT c.ord), '[]') FROM "pg_temp"."pg_identity_contest_7" AS c
             WHERE c.kind OPERATOR(pg_catalog.=) 4
==== suspected_keys, drop_sifted
DROP TABLE "pg_temp"."pg_identity_hashes_7", "pg_temp"."pg_identity_near_7", "pg_temp"."pg_identity_met_7", "pg_temp"."pg_identity_close_7"
==== find_conflicts
INSERT INTO "pg_temp"."pg_identity_problem_7" (rn, ord, status, constraint_name, columns, key, existing, sqlstate, message,
               holder_oid, holder_tid, late)
             SELECT  s.rn, 1000, 'conflict', 'p"''pwned', ARRAY['a, pwned']::pg_catalog.text[], pg_catalog.jsonb_build_object('a, pwned', s.k1), pg_catalog.jsonb_build_object('a, pwned', t.p0), '23505',
               'the key is held by an existing row', t.holder_oid, t.holder_tid, false
             FROM (SELECT r."?row?" AS rn, ("a, pwned") AS k1 FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_temp"."pg_identity_staged_7" AS s WHERE true) AS r) AS r WHERE true) AS s JOIN (SELECT t.tableoid AS holder_oid, t.ctid AS holder_tid, t."a, pwned" AS p0, ("a, pwned") AS k1 FROM ONLY "s'"";pwned"."t USING gist(r);pwned;--" AS t WHERE true) AS t ON t.k1 OPERATOR("s'"";pwned".=) s.k1 WHERE true 
==== find_conflicts
INSERT INTO "pg_temp"."pg_identity_problem_7" (rn, ord, status, constraint_name, columns, key, existing, sqlstate, message,
               holder_oid, holder_tid, late)
             SELECT  s.rn, 1001, 'conflict', 'u @ord {} pwned', ARRAY[E'größe
\\pwned''', '@pwned $1']::pg_catalog.text[], pg_catalog.jsonb_build_object(E'größe
\\pwned''', s.k1, 'f(''pwned'')', s.k2), pg_catalog.jsonb_build_object('a, pwned', t.p0), '23505',
               'the key is held by an existing row', t.holder_oid, t.holder_tid, false
             FROM (SELECT r."?row?" AS rn, (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS k1, ("s'"";pwned"."function pwned';--"("@pwned $1")) AS k2 FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_temp"."pg_identity_staged_7" AS s WHERE true) AS r) AS r WHERE ("@pwned $1" IS NOT NULL)) AS s JOIN (SELECT t.tableoid AS holder_oid, t.ctid AS holder_tid, t."a, pwned" AS p0, (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS k1, ("s'"";pwned"."function pwned';--"("@pwned $1")) AS k2 FROM ONLY "s'"";pwned"."t USING gist(r);pwned;--" AS t WHERE ("@pwned $1" IS NOT NULL)) AS t ON t.k1 OPERATOR("s'"";pwned".=) s.k1 AND t.k2 OPERATOR("s'"";pwned".=) s.k2 WHERE true 
==== find_conflicts
INSERT INTO "pg_temp"."pg_identity_problem_7" (rn, ord, status, constraint_name, columns, key, existing, sqlstate, message,
               holder_oid, holder_tid, late)
             SELECT  s.rn, 1001, 'conflict', 'u @ord {} pwned', ARRAY[E'größe
\\pwned''', '@pwned $1']::pg_catalog.text[], pg_catalog.jsonb_build_object(E'größe
\\pwned''', s.k1, 'f(''pwned'')', s.k2), pg_catalog.jsonb_build_object('a, pwned', t.p0), '23505',
               'the key is held by an existing row', t.holder_oid, t.holder_tid, false
             FROM (SELECT r."?row?" AS rn, (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS k1, ("s'"";pwned"."function pwned';--"("@pwned $1")) AS k2 FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_temp"."pg_identity_staged_7" AS s WHERE true) AS r) AS r WHERE ("@pwned $1" IS NOT NULL)) AS s JOIN (SELECT t.tableoid AS holder_oid, t.ctid AS holder_tid, t."a, pwned" AS p0, (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS k1, ("s'"";pwned"."function pwned';--"("@pwned $1")) AS k2 FROM ONLY "s'"";pwned"."t USING gist(r);pwned;--" AS t WHERE ("@pwned $1" IS NOT NULL)) AS t ON s.k1 IS NULL AND t.k1 IS NULL AND t.k2 OPERATOR("s'"";pwned".=) s.k2 WHERE true 
==== find_conflicts
INSERT INTO "pg_temp"."pg_identity_problem_7" (rn, ord, status, constraint_name, columns, key, existing, sqlstate, message,
               holder_oid, holder_tid, late)
             SELECT  s.rn, 1001, 'conflict', 'u @ord {} pwned', ARRAY[E'größe
\\pwned''', '@pwned $1']::pg_catalog.text[], pg_catalog.jsonb_build_object(E'größe
\\pwned''', s.k1, 'f(''pwned'')', s.k2), pg_catalog.jsonb_build_object('a, pwned', t.p0), '23505',
               'the key is held by an existing row', t.holder_oid, t.holder_tid, false
             FROM (SELECT r."?row?" AS rn, (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS k1, ("s'"";pwned"."function pwned';--"("@pwned $1")) AS k2 FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_temp"."pg_identity_staged_7" AS s WHERE true) AS r) AS r WHERE ("@pwned $1" IS NOT NULL)) AS s JOIN (SELECT t.tableoid AS holder_oid, t.ctid AS holder_tid, t."a, pwned" AS p0, (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS k1, ("s'"";pwned"."function pwned';--"("@pwned $1")) AS k2 FROM ONLY "s'"";pwned"."t USING gist(r);pwned;--" AS t WHERE ("@pwned $1" IS NOT NULL)) AS t ON t.k1 OPERATOR("s'"";pwned".=) s.k1 AND s.k2 IS NULL AND t.k2 IS NULL WHERE true 
==== find_conflicts
INSERT INTO "pg_temp"."pg_identity_problem_7" (rn, ord, status, constraint_name, columns, key, existing, sqlstate, message,
               holder_oid, holder_tid, late)
             SELECT  s.rn, 1001, 'conflict', 'u @ord {} pwned', ARRAY[E'größe
\\pwned''', '@pwned $1']::pg_catalog.text[], pg_catalog.jsonb_build_object(E'größe
\\pwned''', s.k1, 'f(''pwned'')', s.k2), pg_catalog.jsonb_build_object('a, pwned', t.p0), '23505',
               'the key is held by an existing row', t.holder_oid, t.holder_tid, false
             FROM (SELECT r."?row?" AS rn, (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS k1, ("s'"";pwned"."function pwned';--"("@pwned $1")) AS k2 FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_temp"."pg_identity_staged_7" AS s WHERE true) AS r) AS r WHERE ("@pwned $1" IS NOT NULL)) AS s JOIN (SELECT t.tableoid AS holder_oid, t.ctid AS holder_tid, t."a, pwned" AS p0, (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS k1, ("s'"";pwned"."function pwned';--"("@pwned $1")) AS k2 FROM ONLY "s'"";pwned"."t USING gist(r);pwned;--" AS t WHERE ("@pwned $1" IS NOT NULL)) AS t ON s.k1 IS NULL AND t.k1 IS NULL AND s.k2 IS NULL AND t.k2 IS NULL WHERE true 
==== find_conflicts
INSERT INTO "pg_temp"."pg_identity_problem_7" (rn, ord, status, constraint_name, columns, key, existing, sqlstate, message,
               holder_oid, holder_tid, late)
             SELECT DISTINCT ON (s.rn) s.rn, 1002, 'conflict', 'x USING gist(r);pwned;--', ARRAY[E'größe
\\pwned''', '@pwned $1']::pg_catalog.text[], pg_catalog.jsonb_build_object(E'größe
\\pwned''', s.k1, 'f(''pwned'')', s.k2), pg_catalog.jsonb_build_object('a, pwned', t.p0), '23P01',
               'the key is held by an existing row', t.holder_oid, t.holder_tid, false
             FROM (SELECT r."?row?" AS rn, (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS k1, ("s'"";pwned"."function pwned';--"("@pwned $1")) AS k2 FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_temp"."pg_identity_staged_7" AS s WHERE true) AS r) AS r WHERE ("@pwned $1" IS NOT NULL)) AS s JOIN (SELECT t.tableoid AS holder_oid, t.ctid AS holder_tid, t."a, pwned" AS p0, (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS k1, ("s'"";pwned"."function pwned';--"("@pwned $1")) AS k2 FROM ONLY "s'"";pwned"."t USING gist(r);pwned;--" AS t WHERE ("@pwned $1" IS NOT NULL)) AS t ON t.k1 OPERATOR("s'"";pwned".=) s.k1 AND t.k2 OPERATOR("s'"";pwned".=) s.k2 WHERE true ORDER BY s.rn
==== find_contests
INSERT INTO "pg_temp"."pg_identity_contest_7" (ord, rn, kind, ref)
             SELECT 1000, w.rn, 0, w.number OPERATOR(pg_catalog.+)
               (SELECT COALESCE(pg_catalog.max(c.ref), 0) FROM "pg_temp"."pg_identity_contest_7" AS c WHERE c.kind OPERATOR(pg_catalog.=) 0)
             FROM (SELECT k.rn, pg_catalog.count(*) OVER (PARTITION BY k1) AS members,
                          pg_catalog.dense_rank() OVER (ORDER BY k1) AS number
                   FROM (SELECT s.* FROM (SELECT r."?row?" AS rn, ("a, pwned") AS k1 FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_temp"."pg_identity_staged_7" AS s WHERE true) AS r) AS r WHERE true) AS s WHERE s.k1 IS NOT NULL) AS k) AS w
             WHERE w.members OPERATOR(pg_catalog.>) 1
==== find_contests
INSERT INTO "pg_temp"."pg_identity_contest_7" (ord, rn, kind, ref)
             SELECT 1001, w.rn, 0, w.number OPERATOR(pg_catalog.+)
               (SELECT COALESCE(pg_catalog.max(c.ref), 0) FROM "pg_temp"."pg_identity_contest_7" AS c WHERE c.kind OPERATOR(pg_catalog.=) 0)
             FROM (SELECT k.rn, pg_catalog.count(*) OVER (PARTITION BY k1, k2) AS members,
                          pg_catalog.dense_rank() OVER (ORDER BY k1, k2) AS number
                   FROM (SELECT s.* FROM (SELECT r."?row?" AS rn, (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS k1, ("s'"";pwned"."function pwned';--"("@pwned $1")) AS k2 FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_temp"."pg_identity_staged_7" AS s WHERE true) AS r) AS r WHERE ("@pwned $1" IS NOT NULL)) AS s WHERE s.k1 IS NOT NULL AND s.k2 IS NOT NULL) AS k) AS w
             WHERE w.members OPERATOR(pg_catalog.>) 1
==== find_contests
INSERT INTO "pg_temp"."pg_identity_contest_7" (ord, rn, kind, ref)
             SELECT 1001, w.rn, 0, w.number OPERATOR(pg_catalog.+)
               (SELECT COALESCE(pg_catalog.max(c.ref), 0) FROM "pg_temp"."pg_identity_contest_7" AS c WHERE c.kind OPERATOR(pg_catalog.=) 0)
             FROM (SELECT k.rn, pg_catalog.count(*) OVER (PARTITION BY k1, k2) AS members,
                          pg_catalog.dense_rank() OVER (ORDER BY k1, k2) AS number
                   FROM (SELECT s.* FROM (SELECT r."?row?" AS rn, (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS k1, ("s'"";pwned"."function pwned';--"("@pwned $1")) AS k2 FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_temp"."pg_identity_staged_7" AS s WHERE true) AS r) AS r WHERE ("@pwned $1" IS NOT NULL)) AS s WHERE (s.k1 IS NULL OR s.k2 IS NULL)) AS k) AS w
             WHERE w.members OPERATOR(pg_catalog.>) 1
==== find_contests
WITH pair AS (SELECT s.rn, e.rn AS earlier FROM (SELECT r."?row?" AS rn, (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS k1, ("s'"";pwned"."function pwned';--"("@pwned $1")) AS k2 FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_temp"."pg_identity_staged_7" AS s WHERE true) AS r) AS r WHERE ("@pwned $1" IS NOT NULL)) AS s JOIN (SELECT r."?row?" AS rn, (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS k1, ("s'"";pwned"."function pwned';--"("@pwned $1")) AS k2 FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_temp"."pg_identity_staged_7" AS s WHERE true) AS r) AS r WHERE ("@pwned $1" IS NOT NULL)) AS e
               ON e.k1 OPERATOR("s'"";pwned".=) s.k1 AND e.k2 OPERATOR("s'"";pwned".=) s.k2 AND e.rn OPERATOR(pg_catalog.<) s.rn)
             INSERT INTO "pg_temp"."pg_identity_contest_7" (ord, rn, kind, ref)
             SELECT 1002, p.rn, 1, p.earlier FROM pair AS p
             UNION ALL SELECT DISTINCT 1002, p.earlier, 3, 0 FROM pair AS p
==== index_exclusion
CREATE INDEX ON "pg_temp"."pg_identity_staged_7" USING "gi'st pwned" ((("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") "s'"";pwned"."class pwned';--", ("s'"";pwned"."function pwned';--"("@pwned $1")) "s'"";pwned"."class pwned';--") WHERE ("@pwned $1" IS NOT NULL)
==== report_duplicates
INSERT INTO "pg_temp"."pg_identity_problem_7" (rn, ord, status, constraint_name, columns, key, winner, sqlstate, message, late)
             SELECT s.rn, 1001, 'duplicate', 'u @ord {} pwned', ARRAY[E'größe
\\pwned''', '@pwned $1']::pg_catalog.text[], pg_catalog.jsonb_build_object(E'größe
\\pwned''', s.k1, 'f(''pwned'')', s.k2), l.winner, '23505',
               pg_catalog.concat('the key was taken by row ', l.winner, ' of the source'), false
             FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.int8[]), pg_catalog.unnest($2::pg_catalog.int8[])) AS l (rn, winner)
             JOIN (SELECT r."?row?" AS rn, (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS k1, ("s'"";pwned"."function pwned';--"("@pwned $1")) AS k2 FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_temp"."pg_identity_staged_7" AS s WHERE s."?row?" OPERATOR(pg_catalog.=) 7) AS r) AS r WHERE ("@pwned $1" IS NOT NULL)) AS s ON s.rn OPERATOR(pg_catalog.=) l.rn
==== key_of_row
SELECT pg_catalog.jsonb_build_object(E'größe
\\pwned''', s.k1, 'f(''pwned'')', s.k2) FROM (SELECT r."?row?" AS rn, (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS k1, ("s'"";pwned"."function pwned';--"("@pwned $1")) AS k2 FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_temp"."pg_identity_staged_7" AS s WHERE true) AS r) AS r WHERE ("@pwned $1" IS NOT NULL)) AS s WHERE s.rn OPERATOR(pg_catalog.=) 7
==== find_conflicts, sieved
INSERT INTO "pg_temp"."pg_identity_problem_7" (rn, ord, status, constraint_name, columns, key, existing, sqlstate, message,
               holder_oid, holder_tid, late)
             SELECT  s.rn, 1001, 'conflict', 'u @ord {} pwned', ARRAY[E'größe
\\pwned''', '@pwned $1']::pg_catalog.text[], pg_catalog.jsonb_build_object(E'größe
\\pwned''', s.k1, 'f(''pwned'')', s.k2), pg_catalog.jsonb_build_object('a, pwned', t.p0), '23505',
               'the key is held by an existing row', t.holder_oid, t.holder_tid, true
             FROM "pg_temp"."pg_identity_near_7" AS t JOIN "pg_temp"."pg_identity_met_7" AS h ON h.h1 OPERATOR(pg_catalog.=) t.h1
             JOIN (SELECT r."?row?" AS rn, (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS k1, ("s'"";pwned"."function pwned';--"("@pwned $1")) AS k2 FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", CAST(E'\\'' pwned' AS "s'"";pwned"."type pwned';--") AS """pwned""" FROM "pg_temp"."pg_identity_close_7" AS s WHERE true) AS r) AS r WHERE ("@pwned $1" IS NOT NULL)) AS s ON s.rn OPERATOR(pg_catalog.=) h.rn AND (t.k1_0 OPERATOR("s'"";pwned".=) s.k1 AND t.k1_1 OPERATOR("s'"";pwned".=) s.k2) IS TRUE WHERE true 
==== find_conflicts, sieved
INSERT INTO "pg_temp"."pg_identity_problem_7" (rn, ord, status, constraint_name, columns, key, existing, sqlstate, message,
               holder_oid, holder_tid, late)
             SELECT  s.rn, 1001, 'conflict', 'u @ord {} pwned', ARRAY[E'größe
\\pwned''', '@pwned $1']::pg_catalog.text[], pg_catalog.jsonb_build_object(E'größe
\\pwned''', s.k1, 'f(''pwned'')', s.k2), pg_catalog.jsonb_build_object('a, pwned', t.p0), '23505',
               'the key is held by an existing row', t.holder_oid, t.holder_tid, true
             FROM (SELECT r."?row?" AS rn, (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS k1, ("s'"";pwned"."function pwned';--"("@pwned $1")) AS k2 FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", CAST(E'\\'' pwned' AS "s'"";pwned"."type pwned';--") AS """pwned""" FROM "pg_temp"."pg_identity_raw_7" AS s WHERE true) AS r) AS r WHERE ("@pwned $1" IS NOT NULL)) AS s JOIN (SELECT t.tableoid AS holder_oid, t.ctid AS holder_tid, t."a, pwned" AS p0, (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS k1, ("s'"";pwned"."function pwned';--"("@pwned $1")) AS k2 FROM ONLY "s'"";pwned"."t USING gist(r);pwned;--" AS t WHERE ("@pwned $1" IS NOT NULL)) AS t ON s.k1 IS NULL AND t.k1 IS NULL AND t.k2 OPERATOR("s'"";pwned".=) s.k2 WHERE true 
==== find_conflicts, sieved
INSERT INTO "pg_temp"."pg_identity_problem_7" (rn, ord, status, constraint_name, columns, key, existing, sqlstate, message,
               holder_oid, holder_tid, late)
             SELECT  s.rn, 1001, 'conflict', 'u @ord {} pwned', ARRAY[E'größe
\\pwned''', '@pwned $1']::pg_catalog.text[], pg_catalog.jsonb_build_object(E'größe
\\pwned''', s.k1, 'f(''pwned'')', s.k2), pg_catalog.jsonb_build_object('a, pwned', t.p0), '23505',
               'the key is held by an existing row', t.holder_oid, t.holder_tid, true
             FROM (SELECT r."?row?" AS rn, (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS k1, ("s'"";pwned"."function pwned';--"("@pwned $1")) AS k2 FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", CAST(E'\\'' pwned' AS "s'"";pwned"."type pwned';--") AS """pwned""" FROM "pg_temp"."pg_identity_raw_7" AS s WHERE true) AS r) AS r WHERE ("@pwned $1" IS NOT NULL)) AS s JOIN (SELECT t.tableoid AS holder_oid, t.ctid AS holder_tid, t."a, pwned" AS p0, (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS k1, ("s'"";pwned"."function pwned';--"("@pwned $1")) AS k2 FROM ONLY "s'"";pwned"."t USING gist(r);pwned;--" AS t WHERE ("@pwned $1" IS NOT NULL)) AS t ON t.k1 OPERATOR("s'"";pwned".=) s.k1 AND s.k2 IS NULL AND t.k2 IS NULL WHERE true 
==== find_conflicts, sieved
INSERT INTO "pg_temp"."pg_identity_problem_7" (rn, ord, status, constraint_name, columns, key, existing, sqlstate, message,
               holder_oid, holder_tid, late)
             SELECT  s.rn, 1001, 'conflict', 'u @ord {} pwned', ARRAY[E'größe
\\pwned''', '@pwned $1']::pg_catalog.text[], pg_catalog.jsonb_build_object(E'größe
\\pwned''', s.k1, 'f(''pwned'')', s.k2), pg_catalog.jsonb_build_object('a, pwned', t.p0), '23505',
               'the key is held by an existing row', t.holder_oid, t.holder_tid, true
             FROM (SELECT r."?row?" AS rn, (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS k1, ("s'"";pwned"."function pwned';--"("@pwned $1")) AS k2 FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", CAST(E'\\'' pwned' AS "s'"";pwned"."type pwned';--") AS """pwned""" FROM "pg_temp"."pg_identity_raw_7" AS s WHERE true) AS r) AS r WHERE ("@pwned $1" IS NOT NULL)) AS s JOIN (SELECT t.tableoid AS holder_oid, t.ctid AS holder_tid, t."a, pwned" AS p0, (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS k1, ("s'"";pwned"."function pwned';--"("@pwned $1")) AS k2 FROM ONLY "s'"";pwned"."t USING gist(r);pwned;--" AS t WHERE ("@pwned $1" IS NOT NULL)) AS t ON s.k1 IS NULL AND t.k1 IS NULL AND s.k2 IS NULL AND t.k2 IS NULL WHERE true 
==== find_contests, sieved
INSERT INTO "pg_temp"."pg_identity_contest_7" (ord, rn, kind, ref)
             SELECT 1001, w.rn, 0, w.number OPERATOR(pg_catalog.+)
               (SELECT COALESCE(pg_catalog.max(c.ref), 0) FROM "pg_temp"."pg_identity_contest_7" AS c WHERE c.kind OPERATOR(pg_catalog.=) 0)
             FROM (SELECT k.rn, pg_catalog.count(*) OVER (PARTITION BY k1, k2) AS members,
                          pg_catalog.dense_rank() OVER (ORDER BY k1, k2) AS number
                   FROM (SELECT s.* FROM "pg_temp"."pg_identity_hashes_7" AS h JOIN (SELECT r."?row?" AS rn, (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS k1, ("s'"";pwned"."function pwned';--"("@pwned $1")) AS k2 FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", CAST(E'\\'' pwned' AS "s'"";pwned"."type pwned';--") AS """pwned""" FROM "pg_temp"."pg_identity_raw_7" AS s WHERE true) AS r) AS r WHERE ("@pwned $1" IS NOT NULL)) AS s ON s.rn OPERATOR(pg_catalog.=) h.rn
             WHERE h.h1 OPERATOR(pg_catalog.=) ANY (SELECT c.ref FROM "pg_temp"."pg_identity_contest_7" AS c
               WHERE c.kind OPERATOR(pg_catalog.=) 4 AND c.ord OPERATOR(pg_catalog.=) 1001)) AS k) AS w
             WHERE w.members OPERATOR(pg_catalog.>) 1
==== find_contests, sieved
INSERT INTO "pg_temp"."pg_identity_contest_7" (ord, rn, kind, ref)
             SELECT 1001, w.rn, 0, w.number OPERATOR(pg_catalog.+)
               (SELECT COALESCE(pg_catalog.max(c.ref), 0) FROM "pg_temp"."pg_identity_contest_7" AS c WHERE c.kind OPERATOR(pg_catalog.=) 0)
             FROM (SELECT k.rn, pg_catalog.count(*) OVER (PARTITION BY k1, k2) AS members,
                          pg_catalog.dense_rank() OVER (ORDER BY k1, k2) AS number
                   FROM (SELECT s.* FROM (SELECT r."?row?" AS rn, (("größe
\pwned'") COLLATE "s'"";pwned"."collation pwned';--") AS k1, ("s'"";pwned"."function pwned';--"("@pwned $1")) AS k2 FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", CAST(E'\\'' pwned' AS "s'"";pwned"."type pwned';--") AS """pwned""" FROM "pg_temp"."pg_identity_raw_7" AS s WHERE true) AS r) AS r WHERE ("@pwned $1" IS NOT NULL)) AS s WHERE (s.k1 IS NULL OR s.k2 IS NULL)) AS k) AS w
             WHERE w.members OPERATOR(pg_catalog.>) 1
==== find_conflicts, merged
INSERT INTO "pg_temp"."pg_identity_problem_7" (rn, ord, status, constraint_name, columns, key, existing, sqlstate, message,
               holder_oid, holder_tid, late)
             SELECT  s.rn, 1000, 'conflict', 'p"''pwned', ARRAY['a, pwned']::pg_catalog.text[], pg_catalog.jsonb_build_object('a, pwned', s.k1), pg_catalog.jsonb_build_object('a, pwned', t.p0), '23505',
               'the key is held by an existing row', t.holder_oid, t.holder_tid, false
             FROM (SELECT r."?row?" AS rn, r."?oid" AS own_oid, r."?tid" AS own_tid, ("a, pwned") AS k1 FROM (SELECT r.*, ("@pwned $1" <> 'it''s pwned') AS "{pwned}" FROM (SELECT s."?row?", s."?oid", s."?tid", s."?key", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_temp"."pg_identity_merged_7" AS s WHERE s."?tid" IS NOT NULL) AS r) AS r WHERE true) AS s JOIN (SELECT t.tableoid AS holder_oid, t.ctid AS holder_tid, t."a, pwned" AS p0, ("a, pwned") AS k1 FROM ONLY "s'"";pwned"."t USING gist(r);pwned;--" AS t WHERE true) AS t ON t.k1 OPERATOR("s'"";pwned".=) s.k1 WHERE (s.own_tid IS NULL OR NOT (s.own_oid OPERATOR(pg_catalog.=) t.holder_oid
                   AND s.own_tid OPERATOR(pg_catalog.=) t.holder_tid)) 
==== find_waits
WITH held AS MATERIALIZED (
               SELECT p.rn, p.ord, m."?row?" AS holder, pg_catalog.dense_rank() OVER (ORDER BY p.ord, p.holder_oid, p.holder_tid) AS number
               FROM "pg_temp"."pg_identity_problem_7" AS p JOIN "pg_temp"."pg_identity_merged_7" AS m
                 ON m."?oid" OPERATOR(pg_catalog.=) p.holder_oid AND m."?tid" OPERATOR(pg_catalog.=) p.holder_tid
               WHERE p.status OPERATOR(pg_catalog.=) 'conflict' AND p.ord OPERATOR(pg_catalog.=) ANY (ARRAY[1000, 1001]))
             INSERT INTO "pg_temp"."pg_identity_contest_7" (ord, rn, kind, ref)
             SELECT DISTINCT h.ord, h.rn, 5, h.number FROM held AS h
             UNION ALL
             -- A holder that keeps its key wants it too, and is in one contest with the row that waits.
             SELECT DISTINCT h.ord, h.holder, 6, h.number FROM held AS h
             WHERE NOT EXISTS (
               SELECT FROM "pg_temp"."pg_identity_contest_7" AS a JOIN "pg_temp"."pg_identity_contest_7" AS b ON a.ref OPERATOR(pg_catalog.=) b.ref AND a.ord OPERATOR(pg_catalog.=) b.ord
               WHERE a.kind OPERATOR(pg_catalog.=) 0 AND b.kind OPERATOR(pg_catalog.=) 0
                 AND a.rn OPERATOR(pg_catalog.=) h.rn AND b.rn OPERATOR(pg_catalog.=) h.holder AND a.ord OPERATOR(pg_catalog.=) h.ord)
==== has_duplicates, depends_on_order
SELECT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_7" AS p WHERE p.status OPERATOR(pg_catalog.=) 'duplicate')
==== has_duplicates, depends_on_order
SELECT EXISTS (SELECT FROM "pg_temp"."pg_identity_contest_7" AS c WHERE c.kind OPERATOR(pg_catalog.=) ANY (ARRAY[2, 5]))
==== forget_freed
DELETE FROM "pg_temp"."pg_identity_problem_7" AS p
             USING ROWS FROM (pg_catalog.unnest($1::pg_catalog.int8[]), pg_catalog.unnest($2::pg_catalog.int4[])) AS f (rn, ord)
             WHERE p.rn OPERATOR(pg_catalog.=) f.rn AND p.ord OPERATOR(pg_catalog.=) f.ord
               AND p.status OPERATOR(pg_catalog.=) 'conflict'
==== contest_in_order
SELECT c.rn, p.rn IS NOT NULL, c.kind, c.ord, c.ref
             FROM "pg_temp"."pg_identity_contest_7" AS c LEFT JOIN (
               SELECT DISTINCT p.rn FROM "pg_temp"."pg_identity_problem_7" AS p
               LEFT JOIN "pg_temp"."pg_identity_contest_7" AS w ON w.kind OPERATOR(pg_catalog.=) 5
                 AND w.rn OPERATOR(pg_catalog.=) p.rn AND w.ord OPERATOR(pg_catalog.=) p.ord
               WHERE w.rn IS NULL) AS p ON p.rn OPERATOR(pg_catalog.=) c.rn
             WHERE c.kind OPERATOR(pg_catalog.<>) 4 ORDER BY c.rn, c.kind, c.ord, c.ref
==== write
WITH w AS (INSERT INTO "s'"";pwned"."t USING gist(r);pwned;--" AS t ("a, pwned", "@pwned $1", "größe
\pwned'", """pwned""") OVERRIDING SYSTEM VALUE SELECT s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_temp"."pg_identity_staged_7" AS s WHERE s."?row?" OPERATOR(pg_catalog.>=) 3 AND s."?row?" OPERATOR(pg_catalog.<=) 9 AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_7" AS p
               WHERE p.rn OPERATOR(pg_catalog.=) s."?row?" AND p.rn OPERATOR(pg_catalog.>=) 3 AND p.rn OPERATOR(pg_catalog.<=) 9) ORDER BY s."?row?" OFFSET 0) AS s
             WHERE identity_internal.import_mark(s."?row?") ON CONFLICT DO NOTHING RETURNING identity_internal.import_current() AS rn, t.tableoid AS oid, t.ctid AS tid)
             INSERT INTO "pg_temp"."pg_identity_landed_7" (rn, oid, tid) SELECT w.rn, w.oid, w.tid FROM w
==== write
INSERT INTO "s'"";pwned"."t USING gist(r);pwned;--" AS t ("a, pwned", "@pwned $1", "größe
\pwned'", """pwned""") OVERRIDING SYSTEM VALUE SELECT s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_temp"."pg_identity_staged_7" AS s WHERE s."?row?" OPERATOR(pg_catalog.>=) 3 AND s."?row?" OPERATOR(pg_catalog.<=) 9 AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_7" AS p
               WHERE p.rn OPERATOR(pg_catalog.=) s."?row?" AND p.rn OPERATOR(pg_catalog.>=) 3 AND p.rn OPERATOR(pg_catalog.<=) 9) ORDER BY s."a, pwned" COLLATE pg_catalog."C" OFFSET 0) AS s
             WHERE (s."?row?" OPERATOR(pg_catalog.%) 100 OPERATOR(pg_catalog.<>) 0
              OR identity_internal.import_mark(s."?row?", 100))
==== write
INSERT INTO "s'"";pwned"."t USING gist(r);pwned;--" AS t ("a, pwned", "@pwned $1", "größe
\pwned'", """pwned""") OVERRIDING SYSTEM VALUE SELECT s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_temp"."pg_identity_staged_7" AS s WHERE s."?row?" OPERATOR(pg_catalog.>=) 3 AND s."?row?" OPERATOR(pg_catalog.<=) 9 AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_7" AS p
               WHERE p.rn OPERATOR(pg_catalog.=) s."?row?" AND p.rn OPERATOR(pg_catalog.>=) 3 AND p.rn OPERATOR(pg_catalog.<=) 9) ORDER BY s."?row?" OFFSET 0) AS s
             WHERE (s."?row?" OPERATOR(pg_catalog.%) 100 OPERATOR(pg_catalog.<>) 0
              OR identity_internal.import_mark(s."?row?", 100)) RETURNING t.ctid
==== write all
WITH w AS (INSERT INTO "s'"";pwned"."t USING gist(r);pwned;--" AS t ("a, pwned", "@pwned $1", "größe
\pwned'", """pwned""") OVERRIDING SYSTEM VALUE SELECT s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM (SELECT s."?row?", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_temp"."pg_identity_staged_7" AS s WHERE true AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_7" AS p
               WHERE p.rn OPERATOR(pg_catalog.=) s."?row?" AND true) ORDER BY s."?row?" OFFSET 0) AS s
             WHERE identity_internal.import_mark(s."?row?") RETURNING identity_internal.import_current() AS rn, t.tableoid AS oid, t.ctid AS tid)
             INSERT INTO "pg_temp"."pg_identity_landed_7" (rn, oid, tid) SELECT w.rn, w.oid, w.tid FROM w
==== is_update
SELECT false
==== last_clean
SELECT pg_catalog.max(s."?row?") FROM "pg_temp"."pg_identity_staged_7" AS s WHERE s."?row?" OPERATOR(pg_catalog.>=) 3 AND s."?row?" OPERATOR(pg_catalog.<=) 9 AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_7" AS p
               WHERE p.rn OPERATOR(pg_catalog.=) s."?row?" AND p.rn OPERATOR(pg_catalog.>=) 3 AND p.rn OPERATOR(pg_catalog.<=) 9)
==== losers
SELECT s."?row?" FROM "pg_temp"."pg_identity_staged_7" AS s WHERE s."?row?" OPERATOR(pg_catalog.>=) 3 AND s."?row?" OPERATOR(pg_catalog.<=) 9 AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_7" AS p
               WHERE p.rn OPERATOR(pg_catalog.=) s."?row?" AND p.rn OPERATOR(pg_catalog.>=) 3 AND p.rn OPERATOR(pg_catalog.<=) 9)
             AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_landed_7" AS l WHERE l.rn OPERATOR(pg_catalog.=) s."?row?")
==== losers_to_fire
SELECT s."?row?", CAST(ROW(s."a, pwned", s."@pwned $1", NULL, s."größe
\pwned'", s."""pwned""") AS "s'"";pwned"."t USING gist(r);pwned;--")
             FROM "pg_temp"."pg_identity_staged_7" AS s WHERE s."?row?" OPERATOR(pg_catalog.=) ANY (SELECT s."?row?" FROM "pg_temp"."pg_identity_staged_7" AS s WHERE s."?row?" OPERATOR(pg_catalog.>=) 3 AND s."?row?" OPERATOR(pg_catalog.<=) 9 AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_7" AS p
               WHERE p.rn OPERATOR(pg_catalog.=) s."?row?" AND p.rn OPERATOR(pg_catalog.>=) 3 AND p.rn OPERATOR(pg_catalog.<=) 9)
             AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_landed_7" AS l WHERE l.rn OPERATOR(pg_catalog.=) s."?row?")) ORDER BY s."?row?"
==== fill_fired, empty_fired
INSERT INTO "pg_temp"."pg_identity_fired_7" ("?row?", "a, pwned", "@pwned $1") SELECT x.rn, (x.r)."a, pwned", (x.r)."@pwned $1"
             FROM (SELECT u.rn, CAST(u.txt AS "s'"";pwned"."t USING gist(r);pwned;--") AS r
                   FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.int8[]), pg_catalog.unnest($2::pg_catalog.text[])) AS u (rn, txt)
                   WHERE u.txt IS NOT NULL OFFSET 0) AS x
==== fill_fired, empty_fired
TRUNCATE "pg_temp"."pg_identity_fired_7"
==== release
WITH gone AS (DELETE FROM "pg_temp"."pg_identity_problem_7" AS p WHERE p.status OPERATOR(pg_catalog.=) 'duplicate'
               AND p.winner OPERATOR(pg_catalog.=) 7 RETURNING p.rn, p.ord)
             SELECT DISTINCT g.rn FROM gone AS g WHERE NOT EXISTS (
               SELECT FROM "pg_temp"."pg_identity_problem_7" AS p WHERE p.rn OPERATOR(pg_catalog.=) g.rn
               AND NOT EXISTS (SELECT FROM gone AS o WHERE o.rn OPERATOR(pg_catalog.=) p.rn AND o.ord OPERATOR(pg_catalog.=) p.ord))
             ORDER BY 1
==== forget_others, name_winners
DELETE FROM "pg_temp"."pg_identity_problem_7" AS p WHERE p.rn OPERATOR(pg_catalog.=) $1 AND p.late
               AND p.status OPERATOR(pg_catalog.=) ANY (ARRAY['conflict', 'duplicate'])
               AND (p.constraint_name OPERATOR(pg_catalog.=) $2::pg_catalog.text) IS NOT TRUE
==== forget_others, name_winners
DELETE FROM "pg_temp"."pg_identity_problem_7" AS p USING "pg_temp"."pg_identity_landed_7" AS l
             WHERE p.status OPERATOR(pg_catalog.=) 'conflict' AND p.late AND l.rn OPERATOR(pg_catalog.>) p.rn
               AND l.oid OPERATOR(pg_catalog.=) p.holder_oid AND l.tid OPERATOR(pg_catalog.=) p.holder_tid;
             UPDATE "pg_temp"."pg_identity_problem_7" AS p SET status = 'duplicate', existing = NULL, winner = l.rn,
               message = pg_catalog.concat('the key was taken by row ', l.rn, ' of the source')
             FROM "pg_temp"."pg_identity_landed_7" AS l
             WHERE p.status OPERATOR(pg_catalog.=) 'conflict' AND p.late
               AND l.oid OPERATOR(pg_catalog.=) p.holder_oid AND l.tid OPERATOR(pg_catalog.=) p.holder_tid
==== check_now
SET CONSTRAINTS "s'"";pwned"."primary pwned';--" IMMEDIATE;
SET CONSTRAINTS "s'"";pwned"."primary pwned';--" DEFERRED
==== write
WITH w AS (INSERT INTO "s'"";pwned"."t USING gist(r);pwned;--" AS t ("a, pwned", "@pwned $1", "größe
\pwned'", """pwned""") OVERRIDING SYSTEM VALUE SELECT s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM (SELECT s."?row?", s."?oid", s."?tid", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_temp"."pg_identity_merged_7" AS s WHERE s."?row?" OPERATOR(pg_catalog.>=) 3 AND s."?row?" OPERATOR(pg_catalog.<=) 9 AND s."?tid" IS NULL AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_7" AS p
               WHERE p.rn OPERATOR(pg_catalog.=) s."?row?" AND p.rn OPERATOR(pg_catalog.>=) 3 AND p.rn OPERATOR(pg_catalog.<=) 9) ORDER BY s."?row?" OFFSET 0) AS s
             WHERE identity_internal.import_mark(s."?row?") ON CONFLICT DO NOTHING RETURNING identity_internal.import_current() AS rn, t.tableoid AS oid, t.ctid AS tid)
             INSERT INTO "pg_temp"."pg_identity_landed_7" (rn, oid, tid) SELECT w.rn, w.oid, w.tid FROM w
==== write
INSERT INTO "s'"";pwned"."t USING gist(r);pwned;--" AS t ("a, pwned", "@pwned $1", "größe
\pwned'", """pwned""") OVERRIDING SYSTEM VALUE SELECT s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM (SELECT s."?row?", s."?oid", s."?tid", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_temp"."pg_identity_merged_7" AS s WHERE s."?row?" OPERATOR(pg_catalog.>=) 3 AND s."?row?" OPERATOR(pg_catalog.<=) 9 AND s."?tid" IS NULL AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_7" AS p
               WHERE p.rn OPERATOR(pg_catalog.=) s."?row?" AND p.rn OPERATOR(pg_catalog.>=) 3 AND p.rn OPERATOR(pg_catalog.<=) 9) ORDER BY s."a, pwned" COLLATE pg_catalog."C" OFFSET 0) AS s
             WHERE (s."?row?" OPERATOR(pg_catalog.%) 100 OPERATOR(pg_catalog.<>) 0
              OR identity_internal.import_mark(s."?row?", 100))
==== write
INSERT INTO "s'"";pwned"."t USING gist(r);pwned;--" AS t ("a, pwned", "@pwned $1", "größe
\pwned'", """pwned""") OVERRIDING SYSTEM VALUE SELECT s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM (SELECT s."?row?", s."?oid", s."?tid", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_temp"."pg_identity_merged_7" AS s WHERE s."?row?" OPERATOR(pg_catalog.>=) 3 AND s."?row?" OPERATOR(pg_catalog.<=) 9 AND s."?tid" IS NULL AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_7" AS p
               WHERE p.rn OPERATOR(pg_catalog.=) s."?row?" AND p.rn OPERATOR(pg_catalog.>=) 3 AND p.rn OPERATOR(pg_catalog.<=) 9) ORDER BY s."?row?" OFFSET 0) AS s
             WHERE (s."?row?" OPERATOR(pg_catalog.%) 100 OPERATOR(pg_catalog.<>) 0
              OR identity_internal.import_mark(s."?row?", 100)) RETURNING t.ctid
==== write
WITH w AS (UPDATE ONLY "s'"";pwned"."t USING gist(r);pwned;--" AS t SET "@pwned $1" = s."@pwned $1", "größe
\pwned'" = s."größe
\pwned'", """pwned""" = s."""pwned""" FROM (SELECT s."?row?", s."?oid", s."?tid", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_temp"."pg_identity_merged_7" AS s WHERE s."?row?" OPERATOR(pg_catalog.>=) 3 AND s."?row?" OPERATOR(pg_catalog.<=) 9 AND s."?tid" IS NOT NULL AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_7" AS p
               WHERE p.rn OPERATOR(pg_catalog.=) s."?row?" AND p.rn OPERATOR(pg_catalog.>=) 3 AND p.rn OPERATOR(pg_catalog.<=) 9) ORDER BY s."?row?" OFFSET 0) AS s
             WHERE t.tableoid OPERATOR(pg_catalog.=) s."?oid" AND t.ctid OPERATOR(pg_catalog.=) s."?tid"
               AND identity_internal.import_mark(s."?row?", t.ctid) RETURNING identity_internal.import_current() AS rn, t.tableoid AS oid, t.ctid AS tid)
             INSERT INTO "pg_temp"."pg_identity_landed_7" (rn, oid, tid) SELECT w.rn, w.oid, w.tid FROM w
==== write all
WITH w AS (INSERT INTO "s'"";pwned"."t USING gist(r);pwned;--" AS t ("a, pwned", "@pwned $1", "größe
\pwned'", """pwned""") OVERRIDING SYSTEM VALUE SELECT s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM (SELECT s."?row?", s."?oid", s."?tid", s."a, pwned", s."@pwned $1", s."größe
\pwned'", s."""pwned""" FROM "pg_temp"."pg_identity_merged_7" AS s WHERE true AND s."?tid" IS NULL AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_7" AS p
               WHERE p.rn OPERATOR(pg_catalog.=) s."?row?" AND true) ORDER BY s."?row?" OFFSET 0) AS s
             WHERE identity_internal.import_mark(s."?row?") RETURNING identity_internal.import_current() AS rn, t.tableoid AS oid, t.ctid AS tid)
             INSERT INTO "pg_temp"."pg_identity_landed_7" (rn, oid, tid) SELECT w.rn, w.oid, w.tid FROM w
==== is_update
SELECT s."?tid" IS NOT NULL FROM "pg_temp"."pg_identity_merged_7" AS s WHERE s."?row?" OPERATOR(pg_catalog.=) 7
==== turns, updated_by
SELECT g.updates, pg_catalog.min(g.rn), pg_catalog.max(g.rn) FROM (
               SELECT s."?row?" AS rn, s."?tid" IS NOT NULL AS updates,
                 pg_catalog.row_number() OVER (ORDER BY s."?row?") OPERATOR(pg_catalog.-)
                 pg_catalog.row_number() OVER (PARTITION BY s."?tid" IS NOT NULL ORDER BY s."?row?") AS run
               FROM "pg_temp"."pg_identity_merged_7" AS s) AS g
             GROUP BY g.updates, g.run ORDER BY 2
==== turns, updated_by
SELECT pg_catalog.min(l.rn) FROM "pg_temp"."pg_identity_merged_7" AS s
             JOIN "pg_temp"."pg_identity_merged_7" AS o ON o."?tid" OPERATOR(pg_catalog.=) s."?tid" AND o."?oid" OPERATOR(pg_catalog.=) s."?oid"
             JOIN "pg_temp"."pg_identity_landed_7" AS l ON l.rn OPERATOR(pg_catalog.=) o."?row?"
             WHERE s."?row?" OPERATOR(pg_catalog.=) 7 AND o."?row?" OPERATOR(pg_catalog.<) 7
==== count_updates
SELECT pg_catalog.count(*) FROM "pg_temp"."pg_identity_merged_7" AS s WHERE s."?tid" IS NOT NULL
             AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_7" AS p WHERE p.rn OPERATOR(pg_catalog.=) s."?row?")
==== last_clean
SELECT pg_catalog.max(s."?row?") FROM "pg_temp"."pg_identity_merged_7" AS s WHERE s."?row?" OPERATOR(pg_catalog.>=) 3 AND s."?row?" OPERATOR(pg_catalog.<=) 9 AND s."?tid" IS NULL AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_7" AS p
               WHERE p.rn OPERATOR(pg_catalog.=) s."?row?" AND p.rn OPERATOR(pg_catalog.>=) 3 AND p.rn OPERATOR(pg_catalog.<=) 9)
==== losers
SELECT s."?row?" FROM "pg_temp"."pg_identity_merged_7" AS s WHERE s."?row?" OPERATOR(pg_catalog.>=) 3 AND s."?row?" OPERATOR(pg_catalog.<=) 9 AND s."?tid" IS NULL AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_7" AS p
               WHERE p.rn OPERATOR(pg_catalog.=) s."?row?" AND p.rn OPERATOR(pg_catalog.>=) 3 AND p.rn OPERATOR(pg_catalog.<=) 9)
             AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_landed_7" AS l WHERE l.rn OPERATOR(pg_catalog.=) s."?row?")
==== losers_to_fire
SELECT s."?row?", CAST(ROW(s."a, pwned", s."@pwned $1", NULL, s."größe
\pwned'", s."""pwned""") AS "s'"";pwned"."t USING gist(r);pwned;--")
             FROM "pg_temp"."pg_identity_merged_7" AS s WHERE s."?row?" OPERATOR(pg_catalog.=) ANY (SELECT s."?row?" FROM "pg_temp"."pg_identity_merged_7" AS s WHERE s."?row?" OPERATOR(pg_catalog.>=) 3 AND s."?row?" OPERATOR(pg_catalog.<=) 9 AND s."?tid" IS NULL AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_7" AS p
               WHERE p.rn OPERATOR(pg_catalog.=) s."?row?" AND p.rn OPERATOR(pg_catalog.>=) 3 AND p.rn OPERATOR(pg_catalog.<=) 9)
             AND NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_landed_7" AS l WHERE l.rn OPERATOR(pg_catalog.=) s."?row?")) ORDER BY s."?row?"
==== fill_fired, empty_fired
INSERT INTO "pg_temp"."pg_identity_fired_7" ("?row?", "a, pwned", "@pwned $1") SELECT x.rn, (x.r)."a, pwned", (x.r)."@pwned $1"
             FROM (SELECT u.rn, CAST(u.txt AS "s'"";pwned"."t USING gist(r);pwned;--") AS r
                   FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.int8[]), pg_catalog.unnest($2::pg_catalog.text[])) AS u (rn, txt)
                   WHERE u.txt IS NOT NULL OFFSET 0) AS x
==== fill_fired, empty_fired
TRUNCATE "pg_temp"."pg_identity_fired_7"
==== release
WITH gone AS (DELETE FROM "pg_temp"."pg_identity_problem_7" AS p WHERE p.status OPERATOR(pg_catalog.=) 'duplicate'
               AND p.winner OPERATOR(pg_catalog.=) 7 RETURNING p.rn, p.ord)
             SELECT DISTINCT g.rn FROM gone AS g WHERE NOT EXISTS (
               SELECT FROM "pg_temp"."pg_identity_problem_7" AS p WHERE p.rn OPERATOR(pg_catalog.=) g.rn
               AND NOT EXISTS (SELECT FROM gone AS o WHERE o.rn OPERATOR(pg_catalog.=) p.rn AND o.ord OPERATOR(pg_catalog.=) p.ord))
             ORDER BY 1
==== forget_others, name_winners
DELETE FROM "pg_temp"."pg_identity_problem_7" AS p WHERE p.rn OPERATOR(pg_catalog.=) $1 AND p.late
               AND p.status OPERATOR(pg_catalog.=) ANY (ARRAY['conflict', 'duplicate'])
               AND (p.constraint_name OPERATOR(pg_catalog.=) $2::pg_catalog.text) IS NOT TRUE
==== forget_others, name_winners
DELETE FROM "pg_temp"."pg_identity_problem_7" AS p USING "pg_temp"."pg_identity_landed_7" AS l
             WHERE p.status OPERATOR(pg_catalog.=) 'conflict' AND p.late AND l.rn OPERATOR(pg_catalog.>) p.rn
               AND l.oid OPERATOR(pg_catalog.=) p.holder_oid AND l.tid OPERATOR(pg_catalog.=) p.holder_tid;
             UPDATE "pg_temp"."pg_identity_problem_7" AS p SET status = 'duplicate', existing = NULL, winner = l.rn,
               message = pg_catalog.concat('the key was taken by row ', l.rn, ' of the source')
             FROM "pg_temp"."pg_identity_landed_7" AS l
             WHERE p.status OPERATOR(pg_catalog.=) 'conflict' AND p.late
               AND l.oid OPERATOR(pg_catalog.=) p.holder_oid AND l.tid OPERATOR(pg_catalog.=) p.holder_tid
==== check_now
SET CONSTRAINTS "s'"";pwned"."primary pwned';--" IMMEDIATE;
SET CONSTRAINTS "s'"";pwned"."primary pwned';--" DEFERRED
==== count_by_status, count_problem_rows
SELECT COALESCE(pg_catalog.jsonb_object_agg(c.status, c.n), '{}') FROM (
               SELECT w.status, pg_catalog.count(*) AS n FROM (
                 SELECT DISTINCT ON (p.rn) p.rn, p.status FROM "pg_temp"."pg_identity_problem_7" AS p
                 ORDER BY p.rn, pg_catalog.array_position('{invalid,conflict,duplicate,suppressed}'::pg_catalog.text[], p.status)) AS w
               GROUP BY w.status) AS c
==== count_by_status, count_problem_rows
SELECT pg_catalog.count(DISTINCT p.rn) FROM "pg_temp"."pg_identity_problem_7" AS p
==== first_problems
SELECT pg_catalog.concat('row ', p.rn, ': ', p.status, ' ', p.constraint_name, ' ', p.key, ': ', p.message)
             FROM "pg_temp"."pg_identity_problem_7" AS p ORDER BY p.rn, p.ord LIMIT 5
==== report
SELECT 'run'::pg_catalog.uuid, p.rn, NULL::pg_catalog.text, p.status, p.constraint_name, p.columns, p.key, p.existing, p.winner,
               p.sqlstate, p.message
             FROM (SELECT b.rn, b.ord, b.status, b.constraint_name, b.columns, b.key, b.existing, b.winner, b.sqlstate,
                     b.message FROM "pg_temp"."pg_identity_problem_7" AS b) AS p 
             ORDER BY p.rn, p.ord, p.constraint_name, p.columns
==== report
SELECT 'run'::pg_catalog.uuid, p.rn, raw."row;""pwned"::pg_catalog.text, p.status, p.constraint_name, p.columns, p.key, p.existing, p.winner,
               p.sqlstate, p.message
             FROM (SELECT b.rn, b.ord, b.status, b.constraint_name, b.columns, b.key, b.existing, b.winner, b.sqlstate,
                     b.message FROM "pg_temp"."pg_identity_problem_7" AS b UNION ALL SELECT s."?row?", 0, 'inserted', NULL, NULL, NULL, COALESCE(NULL::pg_catalog.jsonb, CASE WHEN t.ctid IS NOT NULL THEN pg_catalog.jsonb_build_object('a, pwned', t."a, pwned") END), NULL, NULL, NULL
              FROM "pg_temp"."pg_identity_staged_7" AS s LEFT JOIN "pg_temp"."pg_identity_landed_7" AS l ON l.rn OPERATOR(pg_catalog.=) s."?row?"
                     LEFT JOIN ONLY "s'"";pwned"."t USING gist(r);pwned;--" AS t ON t.tableoid OPERATOR(pg_catalog.=) l.oid AND t.ctid OPERATOR(pg_catalog.=) l.tid
              WHERE NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_7" AS q WHERE q.rn OPERATOR(pg_catalog.=) s."?row?")) AS p LEFT JOIN "pg_temp"."pg_identity_raw_7" AS raw ON raw."?row?" OPERATOR(pg_catalog.=) p.rn
             ORDER BY p.rn, p.ord, p.constraint_name, p.columns
==== add_failure, add_suppressed, count_reported
INSERT INTO "pg_temp"."pg_identity_problem_7" (rn, ord, status, constraint_name, columns, key, sqlstate, message, late)
             VALUES ($1, $2, $3, $4, $5, $6::pg_catalog.jsonb, $7, $8, false)
==== add_failure, add_suppressed, count_reported
INSERT INTO "pg_temp"."pg_identity_problem_7" (rn, ord, status, message, late)
             SELECT u.rn, 100000, 'suppressed', 'a BEFORE trigger dropped the row', false
             FROM pg_catalog.unnest($1::pg_catalog.int8[]) AS u (rn)
==== add_failure, add_suppressed, count_reported
SELECT pg_catalog.count(*) FROM "pg_temp"."pg_identity_problem_7" AS p WHERE p.rn OPERATOR(pg_catalog.=) $1
             AND (p.constraint_name OPERATOR(pg_catalog.=) $2
                  OR ($2 IS NULL AND $3 OPERATOR(pg_catalog.=) ANY (p.columns)))
==== count_by_status, count_problem_rows
SELECT COALESCE(pg_catalog.jsonb_object_agg(c.status, c.n), '{}') FROM (
               SELECT w.status, pg_catalog.count(*) AS n FROM (
                 SELECT DISTINCT ON (p.rn) p.rn, p.status FROM "pg_temp"."pg_identity_problem_7" AS p
                 ORDER BY p.rn, pg_catalog.array_position('{invalid,conflict,duplicate,suppressed}'::pg_catalog.text[], p.status)) AS w
               GROUP BY w.status) AS c
==== count_by_status, count_problem_rows
SELECT pg_catalog.count(DISTINCT p.rn) FROM "pg_temp"."pg_identity_problem_7" AS p
==== first_problems
SELECT pg_catalog.concat('row ', p.rn, ': ', p.status, ' ', p.constraint_name, ' ', p.key, ': ', p.message)
             FROM "pg_temp"."pg_identity_problem_7" AS p ORDER BY p.rn, p.ord LIMIT 5
==== report
SELECT 'run'::pg_catalog.uuid, p.rn, NULL::pg_catalog.text, p.status, p.constraint_name, p.columns, p.key, p.existing, p.winner,
               p.sqlstate, p.message
             FROM (SELECT b.rn, b.ord, b.status, b.constraint_name, b.columns, b.key, b.existing, b.winner, b.sqlstate,
                     b.message FROM "pg_temp"."pg_identity_problem_7" AS b) AS p 
             ORDER BY p.rn, p.ord, p.constraint_name, p.columns
==== report
SELECT 'run'::pg_catalog.uuid, p.rn, raw."row;""pwned"::pg_catalog.text, p.status, p.constraint_name, p.columns, p.key, p.existing, p.winner,
               p.sqlstate, p.message
             FROM (SELECT b.rn, b.ord, b.status, b.constraint_name, b.columns, b.key, b.existing, b.winner, b.sqlstate,
                     b.message FROM "pg_temp"."pg_identity_problem_7" AS b UNION ALL SELECT s."?row?", 0, CASE WHEN s."?tid" IS NULL THEN 'inserted' ELSE 'updated' END, NULL, NULL, NULL, COALESCE(s."?key", CASE WHEN t.ctid IS NOT NULL THEN pg_catalog.jsonb_build_object('a, pwned', t."a, pwned") END), NULL, NULL, NULL
              FROM "pg_temp"."pg_identity_merged_7" AS s LEFT JOIN "pg_temp"."pg_identity_landed_7" AS l ON l.rn OPERATOR(pg_catalog.=) s."?row?"
                     LEFT JOIN ONLY "s'"";pwned"."t USING gist(r);pwned;--" AS t ON t.tableoid OPERATOR(pg_catalog.=) l.oid AND t.ctid OPERATOR(pg_catalog.=) l.tid
              WHERE NOT EXISTS (SELECT FROM "pg_temp"."pg_identity_problem_7" AS q WHERE q.rn OPERATOR(pg_catalog.=) s."?row?")) AS p LEFT JOIN "pg_temp"."pg_identity_raw_7" AS raw ON raw."?row?" OPERATOR(pg_catalog.=) p.rn
             ORDER BY p.rn, p.ord, p.constraint_name, p.columns
==== add_failure, add_suppressed, count_reported
INSERT INTO "pg_temp"."pg_identity_problem_7" (rn, ord, status, constraint_name, columns, key, sqlstate, message, late)
             VALUES ($1, $2, $3, $4, $5, $6::pg_catalog.jsonb, $7, $8, true)
==== add_failure, add_suppressed, count_reported
INSERT INTO "pg_temp"."pg_identity_problem_7" (rn, ord, status, message, late)
             SELECT u.rn, 100000, 'suppressed', 'a BEFORE trigger dropped the row', true
             FROM pg_catalog.unnest($1::pg_catalog.int8[]) AS u (rn)
==== add_failure, add_suppressed, count_reported
SELECT pg_catalog.count(*) FROM "pg_temp"."pg_identity_problem_7" AS p WHERE p.rn OPERATOR(pg_catalog.=) $1
             AND (p.constraint_name OPERATOR(pg_catalog.=) $2
                  OR ($2 IS NULL AND $3 OPERATOR(pg_catalog.=) ANY (p.columns)))
