//! The SQL of a consolidation. What reads or writes the user's table runs under his search path, with every name qualified;
//! the rest runs with `search_path = pg_catalog, pg_temp`.

use crate::consolidation::plan::{Columns, Normalize};
use crate::db::catalog::{Column, Table};
use crate::db::spi::literal;

/// The statements on the user's own table.
pub struct Target<'a> {
    pub table: &'a Table,
    pub columns: &'a Columns,
    pub flag: Option<&'a Column>,
    pub normalize: Normalize,
}

impl Target<'_> {
    pub fn lock(&self) -> String {
        format!("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE", self.table.name)
    }

    /// Raises what Postgres would raise for the write itself: a missing right, above all.
    pub fn check_rights(&self) -> String {
        let flag = self.flag.map(|f| format!(", {q} = t.{q}", q = f.quoted)).unwrap_or_default();
        format!(
            "EXPLAIN UPDATE {} AS t SET {q} = t.{q}{flag} WHERE t.{} IS NOT NULL AND t.{} IS NOT NULL",
            self.table.in_from(),
            self.columns.site.quoted,
            self.columns.row_id.quoted,
            q = self.columns.login.quoted,
        )
    }

    fn login(&self) -> String {
        format!("t.{}::pg_catalog.text", self.columns.login.quoted)
    }

    /// repeated: hashes of keys that come twice; they are many times smaller than the keys.
    pub fn find_repeated(&self) -> String {
        format!(
            "CREATE TEMPORARY TABLE pg_temp.pg_identity_repeated ON COMMIT DROP AS
             SELECT k.hash FROM (SELECT pg_catalog.hashtextextended({key}, 0) AS hash FROM {from} AS t) AS k
             WHERE k.hash IS NOT NULL GROUP BY k.hash HAVING pg_catalog.count(*) OPERATOR(pg_catalog.>) 1;
             ANALYZE pg_temp.pg_identity_repeated",
            key = self.normalize.key(&self.login()),
            from = self.table.in_from(),
        )
    }

    /// member: the rows of these keys, and those whose key begins as a new name would.
    pub fn find_members(&self, prefixes: &[String]) -> String {
        let begins =
            prefixes.iter().map(|p| format!(" OR pg_catalog.starts_with(m.key, {})", self.normalize.key(&literal(p))));
        let flag = self.flag.map_or("NULL".to_string(), |f| format!("t.{}", f.quoted));
        format!(
            "CREATE TEMPORARY TABLE pg_temp.pg_identity_member ON COMMIT DROP AS
             SELECT m.*, r.hash IS NOT NULL AS doubled
             FROM (SELECT t.tableoid AS oid, t.ctid AS tid, t.{site}::pg_catalog.text AS site, t.{row}::pg_catalog.text AS row_id,
                     {site_order} AS site_order, {row_order} AS row_order, {login} AS login, {key} AS key,
                     {flag}::pg_catalog.text AS flag
                   FROM {from} AS t WHERE t.{column} IS NOT NULL OFFSET 0) AS m
             LEFT JOIN pg_temp.pg_identity_repeated AS r ON r.hash OPERATOR(pg_catalog.=) pg_catalog.hashtextextended(m.key, 0)
             WHERE r.hash IS NOT NULL{begins}",
            site = self.columns.site.quoted,
            row = self.columns.row_id.quoted,
            site_order = number(&self.columns.site),
            row_order = number(&self.columns.row_id),
            login = self.login(),
            key = self.normalize.key(&self.login()),
            column = self.columns.login.quoted,
            from = self.table.in_from(),
            begins = begins.collect::<String>(),
        )
    }

    /// Keys of the table among new names that do not begin as their prefix does: composition may change its last character.
    pub fn take_odd_names(&self) -> String {
        format!(
            "INSERT INTO pg_temp.pg_identity_taken (key)
             SELECT k.key FROM (SELECT {key} AS key FROM {from} AS t OFFSET 0) AS k
             WHERE k.key IN (SELECT o.new_key FROM pg_temp.pg_identity_pending AS o WHERE o.odd)",
            key = self.normalize.key(&self.login()),
            from = self.table.in_from(),
        )
    }

    /// Gives the new names.
    pub fn rename(&self) -> String {
        let flag = self.flag.map(|f| if is_boolean(f) { "true" } else { "1" }.to_string());
        self.give("new_login", flag, "true")
    }

    /// Gives old names back to the rows from `first` to `last`.
    pub fn restore(&self, first: i64, last: i64) -> String {
        let flag = self.flag.map(|f| format!("CAST(p.old_flag AS {})", f.base_name));
        let rows = format!("p.status OPERATOR(pg_catalog.=) 'restored' AND p.n BETWEEN {first} AND {last}");
        self.give("old_login", flag, &rows)
    }

    /// Gives pending rows the name in a column of theirs, and the flag a value. done: those that were given, as the table has
    /// them.
    fn give(&self, name: &str, flag: Option<String>, rows: &str) -> String {
        let flag = self.flag.zip(flag).map(|(column, value)| format!(", {} = {value}", column.quoted));
        format!(
            "WITH given AS (
               UPDATE {from} AS t SET {column} = CAST(p.{name} AS {kind}){flag} FROM pg_temp.pg_identity_pending AS p
               WHERE t.tableoid OPERATOR(pg_catalog.=) p.oid AND t.ctid OPERATOR(pg_catalog.=) p.tid AND {rows}
               RETURNING p.n, {login} AS login)
             INSERT INTO pg_temp.pg_identity_done (n, login) SELECT g.n, g.login FROM given AS g",
            from = self.table.in_from(),
            column = self.columns.login.quoted,
            kind = self.columns.login.base_name,
            flag = flag.unwrap_or_default(),
            login = self.login(),
        )
    }

    /// member, for an undo: the rows of the run as they are now, and all others with a name that is to be given back.
    pub fn find_present(&self) -> String {
        format!(
            "CREATE TEMPORARY TABLE pg_temp.pg_identity_member ON COMMIT DROP AS
             SELECT m.* FROM (SELECT t.tableoid AS oid, t.ctid AS tid, t.{row}::pg_catalog.text AS row_id, {login} AS login, {key} AS key
                   FROM {from} AS t OFFSET 0) AS m
             WHERE m.row_id IN (SELECT u.row_id FROM pg_temp.pg_identity_undo AS u) OR m.key IN (SELECT u.login_key FROM pg_temp.pg_identity_undo AS u WHERE u.todo)",
            row = self.columns.row_id.quoted,
            login = self.login(),
            key = self.normalize.key(&self.login()),
            from = self.table.in_from(),
        )
    }
}

pub fn is_boolean(column: &Column) -> bool {
    column.base_name == "boolean"
}

/// A site or a row's id as a number, where it is one.
fn number(column: &Column) -> String {
    let value = format!("t.{}", column.quoted);
    if ["smallint", "integer", "bigint"].contains(&column.base_name.as_str()) {
        return format!("{value}::pg_catalog.int8");
    }
    let text = format!("{value}::pg_catalog.text");
    format!("CASE WHEN {text} OPERATOR(pg_catalog.~) '^-?[0-9]{{1,100}}$' THEN {text}::pg_catalog.numeric END")
}

/// The order of rows: by site, then by id; as numbers where they are numbers.
fn order(alias: &str) -> String {
    format!("{alias}.site_order, {alias}.site COLLATE \"C\", {alias}.row_order, {alias}.row_id COLLATE \"C\"")
}

pub const CREATE_PREFIXES: &str = "
CREATE TEMPORARY TABLE pg_temp.pg_identity_prefix ON COMMIT DROP AS
SELECT p.* FROM ROWS FROM (unnest($1), unnest($2)) AS p (site, prefix)";

/// grouped: the rows of keys that come twice, those of the main site first.
pub fn group() -> String {
    format!(
        "CREATE TEMPORARY TABLE pg_temp.pg_identity_grouped ON COMMIT DROP AS
         SELECT g.* FROM (
           SELECT m.oid, m.tid, m.site, m.row_id, m.site_order, m.row_order, m.login, m.key, m.flag, p.prefix, count(*) OVER (PARTITION BY m.key) AS members,
             row_number() OVER (PARTITION BY m.key ORDER BY p.prefix IS NOT NULL, {order}) AS place
           FROM pg_temp.pg_identity_member AS m LEFT JOIN pg_temp.pg_identity_prefix AS p ON p.site = m.site WHERE m.doubled) AS g
         WHERE g.members > 1;
         ANALYZE pg_temp.pg_identity_grouped (row_id, key)",
        order = order("m"),
    )
}

/// A row_id that does not tell one row, if there is one.
pub const AMBIGUOUS_ROW: &str = "
SELECT COALESCE(g.row_id, 'NULL') FROM pg_temp.pg_identity_grouped AS g GROUP BY g.row_id HAVING count(*) > 1 OR g.row_id IS NULL LIMIT 1";

fn limited(text: &str, max_length: Option<i32>) -> String {
    max_length.map_or(text.to_string(), |most| format!("left({text}, {most})"))
}

/// taken: keys that no new name may have.
pub const CREATE_TAKEN: &str = "
CREATE TEMPORARY TABLE pg_temp.pg_identity_taken (key text COLLATE \"C\") ON COMMIT DROP;
INSERT INTO pg_temp.pg_identity_taken (key) SELECT DISTINCT m.key FROM pg_temp.pg_identity_member AS m";

/// pending: the rows that get another name, in order. stem: the key of prefix and name. The first row of a stem has that
/// name at once, if it is free; the others wait for a counter.
pub fn create_pending(normalize: Normalize, keep_first: bool, max_length: Option<i32>) -> String {
    format!(
        "CREATE TEMPORARY TABLE pg_temp.pg_identity_pending ON COMMIT DROP AS
         SELECT w.n, w.oid, w.tid, w.site, w.row_id, w.site_order, w.row_order, w.login, w.key, w.flag, w.prefix, w.stem, 1::int8 AS tried,
           CASE WHEN w.plain THEN w.name END AS new_login, CASE WHEN w.plain THEN w.stem END AS new_key,
           CASE WHEN w.plain THEN 1::int8 END AS counter, w.plain AND NOT starts_with(w.stem, {prefix_key}) AS odd
         FROM (
           SELECT q.*, row_number() OVER (PARTITION BY q.stem ORDER BY q.n) = 1
               AND NOT EXISTS (SELECT FROM pg_temp.pg_identity_taken AS t WHERE t.key = q.stem) AS plain
           FROM (
             SELECT row_number() OVER (ORDER BY {order}) AS n, g.*, {name} AS name, {stem} AS stem
             FROM pg_temp.pg_identity_grouped AS g WHERE g.prefix IS NOT NULL{keep}) AS q) AS w;
         CREATE TEMPORARY TABLE pg_temp.pg_identity_done (n int8, login text) ON COMMIT DROP",
        prefix_key = normalize.key("w.prefix"),
        order = order("g"),
        name = limited("g.prefix || g.login", max_length),
        stem = normalize.key(&limited("g.prefix || g.login", max_length)),
        keep = if keep_first { " AND g.place > 1" } else { "" },
    )
}

pub fn take_reserved(normalize: Normalize, column: &str, query: &str) -> String {
    format!(
        "INSERT INTO pg_temp.pg_identity_taken (key) SELECT {} FROM (\n{query}\n) AS r WHERE r.{column} IS NOT NULL",
        normalize.key(&format!("r.{column}::pg_catalog.text"))
    )
}

/// Former names of rows of this table stay theirs: read as the owner of the records, and taken as the caller.
pub fn former(normalize: Normalize, target: &str) -> String {
    format!(
        "SELECT {} FROM identity.dedup_rows AS r JOIN identity.dedup_runs AS u ON u.run_id = r.run_id
         WHERE u.target = {} AND r.new_login IS NOT NULL AND NOT r.restored",
        normalize.key("r.old_login"),
        literal(target),
    )
}

pub const TAKE: &str = "INSERT INTO pg_temp.pg_identity_taken (key) SELECT k.key FROM unnest($1) AS k (key)";

/// One round: for each stem, the rows that still wait get the first counters that are free, in order. `breadth`: how many
/// counters are tried for each row.
pub fn allocate(normalize: Normalize, max_length: Option<i32>, breadth: i64) -> String {
    let name = |counter: &str| {
        let suffix = format!("CASE {counter} WHEN 1 THEN '' ELSE {counter}::text END");
        match max_length {
            None => format!("p.prefix || p.login || {suffix}"),
            Some(most) => format!(
                "left(p.prefix || left(p.login, GREATEST({most} - length(p.prefix) - length({suffix}), 0)) || {suffix}, {most})"
            ),
        }
    };
    format!(
        "WITH stem AS (
           SELECT p.stem, count(*) AS waiting, min(p.n) AS first, max(p.tried) AS tried FROM pg_temp.pg_identity_pending AS p WHERE p.new_login IS NULL
           GROUP BY p.stem),
         free AS (
           SELECT s.stem, c.counter, row_number() OVER (PARTITION BY s.stem ORDER BY c.counter) AS place
           FROM stem AS s JOIN pg_temp.pg_identity_pending AS p ON p.n = s.first
           CROSS JOIN LATERAL generate_series(s.tried + 1, s.tried + s.waiting * {breadth}) AS c (counter)
           WHERE NOT EXISTS (SELECT FROM pg_temp.pg_identity_taken AS t WHERE t.key = {key_of_try})),
         want AS (
           SELECT p.n, p.stem, row_number() OVER (PARTITION BY p.stem ORDER BY p.n) AS place FROM pg_temp.pg_identity_pending AS p WHERE p.new_login IS NULL),
         candidate AS (
           SELECT p.n, f.counter, {name} AS login, {prefix_key} AS prefix_key FROM want AS w JOIN free AS f ON f.stem = w.stem AND f.place = w.place
           JOIN pg_temp.pg_identity_pending AS p ON p.n = w.n),
         keyed AS (SELECT c.*, {key} AS key FROM candidate AS c),
         won AS (
           SELECT DISTINCT ON (k.key) k.* FROM keyed AS k WHERE NOT EXISTS (SELECT FROM pg_temp.pg_identity_taken AS t WHERE t.key = k.key)
           ORDER BY k.key, k.counter, k.n),
         moved AS (
           UPDATE pg_temp.pg_identity_pending AS p SET tried = s.tried + s.waiting * {breadth} FROM stem AS s
           WHERE s.stem = p.stem AND p.new_login IS NULL AND NOT EXISTS (SELECT FROM won AS w WHERE w.n = p.n))
         UPDATE pg_temp.pg_identity_pending AS p SET new_login = w.login, new_key = w.key, counter = w.counter, odd = NOT starts_with(w.key, w.prefix_key)
         FROM won AS w WHERE w.n = p.n",
        key_of_try = normalize.key(&format!("({})", name("c.counter"))),
        name = name("f.counter"),
        prefix_key = normalize.key("p.prefix"),
        key = normalize.key("c.login"),
    )
}

/// Takes back new names that are odd, and that the table has after all.
pub const DROP_ODD: &str = "
UPDATE pg_temp.pg_identity_pending AS p SET new_login = NULL, new_key = NULL, counter = NULL, odd = false
WHERE p.odd AND p.new_key IN (SELECT t.key FROM pg_temp.pg_identity_taken AS t);
UPDATE pg_temp.pg_identity_pending AS p SET odd = false WHERE p.odd";

pub const ANY_ODD: &str = "SELECT EXISTS (SELECT FROM pg_temp.pg_identity_pending AS p WHERE p.odd)";

/// New names of this round are taken for the next one.
pub const TAKE_NEW: &str = "
INSERT INTO pg_temp.pg_identity_taken (key) SELECT p.new_key FROM pg_temp.pg_identity_pending AS p WHERE p.new_key IS NOT NULL
EXCEPT SELECT t.key FROM pg_temp.pg_identity_taken AS t";

pub const WAITING: &str = "SELECT count(*) FROM pg_temp.pg_identity_pending AS p WHERE p.new_login IS NULL";

fn row_json(alias: &str) -> String {
    format!("jsonb_build_object('site', {alias}.site, 'row_id', {alias}.row_id, 'login', {alias}.login)")
}

pub fn report(run_id: &str, dry_run: bool) -> String {
    let (login, applied) = if dry_run { ("p.new_login", "true") } else { ("d.login", "d.n IS NOT NULL") };
    format!(
        "SELECT {run}::uuid, r.site, r.row_id, r.old_login, r.new_login, r.duplicate_of, r.reason FROM (
           SELECT p.site, p.row_id, p.site_order, p.row_order, p.login AS old_login, CASE WHEN {applied} THEN {login} ELSE p.login END AS new_login,
             CASE WHEN g.row_id <> p.row_id THEN {keeper} END AS duplicate_of,
             CASE WHEN NOT {applied} THEN 'a trigger or a policy left the row as it was'
                  WHEN {login} <> p.new_login THEN 'a trigger changed the new name'
                  ELSE concat('the site''s prefix', CASE WHEN p.counter > 1 THEN ', and a counter: the name was taken' END,
                    CASE WHEN strpos(p.new_login, p.login) = 0 THEN '; cut to the limit' END) END AS reason
           FROM pg_temp.pg_identity_pending AS p JOIN pg_temp.pg_identity_grouped AS g ON g.key = p.key AND g.place = 1 LEFT JOIN pg_temp.pg_identity_done AS d ON d.n = p.n
           UNION ALL
           SELECT m.site, m.row_id, m.site_order, m.row_order, m.login, m.login, {keeper}, 'the main site''s rows are not renamed'
           FROM pg_temp.pg_identity_grouped AS m JOIN pg_temp.pg_identity_grouped AS g ON g.key = m.key AND g.place = 1 WHERE m.prefix IS NULL AND m.place > 1) AS r
         ORDER BY {order}",
        run = literal(run_id),
        keeper = row_json("g"),
        order = order("r"),
    )
}

pub fn duplicates() -> String {
    format!(
        "SELECT g.key, count(*)::int4, (
             SELECT array_agg(s.site ORDER BY s.place) FROM (
               SELECT f.site, min(f.place) AS place FROM unnest(array_agg(g.site), array_agg(g.place)) AS f (site, place)
               GROUP BY f.site) AS s),
           jsonb_agg({row} ORDER BY g.place), (array_agg({row} ORDER BY g.place))[1]
         FROM pg_temp.pg_identity_grouped AS g GROUP BY g.key ORDER BY g.key",
        row = row_json("g")
    )
}

pub const RECORD_RUN: &str = "
INSERT INTO identity.dedup_runs (run_id, target, login, site, row_id, flag, normalize, prefixes, keep, run_by, renamed)
VALUES ($1::uuid, $2, $3, $4, $5, $6, $7, $8::jsonb, $9, $10, $11)";

/// What is recorded of a run, a row each. It is read as the caller, and handed over as values: the owner of the records runs
/// no statement on a table of the caller's, which the caller's own functions could have made into something else.
pub const RECORDED_ROWS: &str = "
SELECT p.row_id, p.site, p.key::text, k.row_id, p.login, d.login, p.flag
FROM pg_temp.pg_identity_done AS d JOIN pg_temp.pg_identity_pending AS p ON p.n = d.n
JOIN pg_temp.pg_identity_grouped AS k ON k.key = p.key AND k.place = 1
UNION ALL
SELECT g.row_id, g.site, g.key::text, NULL, g.login, NULL, g.flag
FROM pg_temp.pg_identity_grouped AS g WHERE g.prefix IS NULL AND g.place > 1";

pub const RECORD_ROWS: &str = "
INSERT INTO identity.dedup_rows (run_id, row_id, site, login_key, keeper, old_login, new_login, old_flag)
SELECT $1::uuid, r.* FROM ROWS FROM (unnest($2), unnest($3), unnest($4), unnest($5), unnest($6), unnest($7), unnest($8)) AS r";

/// undo: the rows of a run; todo: those that have their new name from it.
pub const CREATE_UNDO: &str = "
CREATE TEMPORARY TABLE pg_temp.pg_identity_undo ON COMMIT DROP AS
SELECT r.row_id, r.site, r.login_key, r.keeper, r.old_login, r.new_login, r.old_flag, r.new_login IS NOT NULL AND NOT r.restored AS todo
FROM identity.dedup_rows AS r WHERE r.run_id = $1::uuid";

pub const DECIDE_UNDO: &str = "
CREATE TEMPORARY TABLE pg_temp.pg_identity_done (n int8, login text) ON COMMIT DROP;
CREATE TEMPORARY TABLE pg_temp.pg_identity_pending ON COMMIT DROP AS
SELECT row_number() OVER (ORDER BY u.site COLLATE \"C\", length(u.row_id), u.row_id COLLATE \"C\") AS n, m.oid, m.tid, u.row_id, u.site, u.old_login, u.new_login, u.old_flag,
  m.login AS login, o.row_id AS other,
  CASE WHEN m.row_id IS NULL THEN 'missing' WHEN m.login <> u.new_login THEN 'changed'
       WHEN o.row_id IS NOT NULL THEN 'taken' ELSE 'restored' END AS status,
  NULL::text AS reason
FROM pg_temp.pg_identity_undo AS u
LEFT JOIN pg_temp.pg_identity_member AS m ON m.row_id = u.row_id
LEFT JOIN (
  SELECT x.key, min(x.row_id) AS row_id FROM pg_temp.pg_identity_member AS x
  WHERE NOT EXISTS (SELECT FROM pg_temp.pg_identity_undo AS k WHERE k.login_key = x.key AND (k.row_id = x.row_id OR k.keeper = x.row_id)) GROUP BY x.key) AS o
  ON o.key = u.login_key
WHERE u.todo";

pub const REFUSE_UNDO: &str =
    "UPDATE pg_temp.pg_identity_pending AS p SET status = 'refused', reason = $2 WHERE p.n = $1";

pub const REPORT_UNDO: &str = "
SELECT p.site, p.row_id, CASE p.status WHEN 'restored' THEN p.new_login ELSE p.login END,
  CASE p.status WHEN 'restored' THEN p.old_login END, p.status,
  CASE p.status WHEN 'missing' THEN 'there is no such row'
                WHEN 'changed' THEN 'the row has another name by now'
                WHEN 'taken' THEN concat('row ', p.other, ' has the name now') ELSE p.reason END
FROM pg_temp.pg_identity_pending AS p ORDER BY p.n";

pub const RESTORED: &str = "SELECT p.row_id FROM pg_temp.pg_identity_pending AS p WHERE p.status = 'restored'";

pub const RECORD_UNDO: &str = "
UPDATE identity.dedup_rows AS r SET restored = true WHERE r.run_id = $1::uuid AND r.row_id = ANY ($2)";

/// The caller reads what the owner of the records has put together.
pub fn show_undo(role: &str) -> String {
    format!("GRANT SELECT ON pg_temp.pg_identity_undo TO {role}")
}

pub const COUNT_PENDING: &str = "SELECT count(*) FROM pg_temp.pg_identity_pending";
pub const COUNT_DONE: &str = "SELECT count(*) FROM pg_temp.pg_identity_done";

pub fn drop(tables: &[&str]) -> String {
    format!("DROP TABLE {}", temporary(tables))
}

fn temporary(tables: &[&str]) -> String {
    tables.iter().map(|name| format!("pg_temp.pg_identity_{name}")).collect::<Vec<_>>().join(", ")
}

/// Rows that a trigger or a policy kept as they were.
pub const REFUSE_KEPT: &str = "
UPDATE pg_temp.pg_identity_pending AS p SET status = 'refused', reason = 'a trigger or a policy left the row as it was'
WHERE p.status = 'restored' AND NOT EXISTS (SELECT FROM pg_temp.pg_identity_done AS d WHERE d.n = p.n)";
