==== row_texts
SELECT pg_catalog.to_json(r)::pg_catalog.text FROM (SELECT s."last, first", s."a""b", s."it's", s."$1", s."@site", s."{query}", s."s.x", s."two
lines", s."größe", s.") AS s; --" FROM (
SELECT * FROM people -- {column} $1
) AS s) AS r
==== column_texts
SELECT s."last, first"::pg_catalog.text FROM (
SELECT * FROM people -- {column} $1
) AS s
==== column_texts
SELECT s."a""b"::pg_catalog.text FROM (
SELECT * FROM people -- {column} $1
) AS s
==== column_texts
SELECT s."it's"::pg_catalog.text FROM (
SELECT * FROM people -- {column} $1
) AS s
==== column_texts
SELECT s."$1"::pg_catalog.text FROM (
SELECT * FROM people -- {column} $1
) AS s
==== column_texts
SELECT s."@site"::pg_catalog.text FROM (
SELECT * FROM people -- {column} $1
) AS s
==== column_texts
SELECT s."{query}"::pg_catalog.text FROM (
SELECT * FROM people -- {column} $1
) AS s
==== column_texts
SELECT s."s.x"::pg_catalog.text FROM (
SELECT * FROM people -- {column} $1
) AS s
==== column_texts
SELECT s."two
lines"::pg_catalog.text FROM (
SELECT * FROM people -- {column} $1
) AS s
==== column_texts
SELECT s."größe"::pg_catalog.text FROM (
SELECT * FROM people -- {column} $1
) AS s
==== column_texts
SELECT s.") AS s; --"::pg_catalog.text FROM (
SELECT * FROM people -- {column} $1
) AS s
==== list_texts
SELECT l."last, first"::pg_catalog.text FROM (
SELECT * FROM people -- {column} $1
) AS l WHERE l."last, first" IS NOT NULL
==== list_texts
SELECT l."a""b"::pg_catalog.text FROM (
SELECT * FROM people -- {column} $1
) AS l WHERE l."a""b" IS NOT NULL
==== list_texts
SELECT l."it's"::pg_catalog.text FROM (
SELECT * FROM people -- {column} $1
) AS l WHERE l."it's" IS NOT NULL
==== list_texts
SELECT l."$1"::pg_catalog.text FROM (
SELECT * FROM people -- {column} $1
) AS l WHERE l."$1" IS NOT NULL
==== list_texts
SELECT l."@site"::pg_catalog.text FROM (
SELECT * FROM people -- {column} $1
) AS l WHERE l."@site" IS NOT NULL
==== list_texts
SELECT l."{query}"::pg_catalog.text FROM (
SELECT * FROM people -- {column} $1
) AS l WHERE l."{query}" IS NOT NULL
==== list_texts
SELECT l."s.x"::pg_catalog.text FROM (
SELECT * FROM people -- {column} $1
) AS l WHERE l."s.x" IS NOT NULL
==== list_texts
SELECT l."two
lines"::pg_catalog.text FROM (
SELECT * FROM people -- {column} $1
) AS l WHERE l."two
lines" IS NOT NULL
==== list_texts
SELECT l."größe"::pg_catalog.text FROM (
SELECT * FROM people -- {column} $1
) AS l WHERE l."größe" IS NOT NULL
==== list_texts
SELECT l.") AS s; --"::pg_catalog.text FROM (
SELECT * FROM people -- {column} $1
) AS l WHERE l.") AS s; --" IS NOT NULL
