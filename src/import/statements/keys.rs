//! Rows whose key is held, or wanted twice.

use super::*;

impl Statements<'_> {
    /// Which parts of a key are NULL in a row, as bits: for a key that finds NULLs equal.
    pub fn null_patterns(&self, position: usize, rows: &Rows) -> Option<Sql> {
        let key = &self.table.keys[position];
        let nullable: Vec<usize> = (0..key.parts.len()).filter(|&i| key.parts[i].nullable).collect();
        if key.nulls_distinct || key.exclusion || nullable.is_empty() {
            return None;
        }
        let bits = nullable
            .iter()
            .map(|&i| sql!("CASE WHEN s.{k} IS NULL THEN {bit} ELSE 0 END", k = part_name(i), bit = 1_i64 << i));
        let pattern = bits.reduce(|a, b| sql!("{a} OPERATOR(pg_catalog.|) {b}", a, b)).unwrap_or_default();
        Some(sql!(
            "SELECT DISTINCT ({pattern})::pg_catalog.int8 AS nulls FROM {keyed} AS s",
            pattern,
            keyed = self.keyed_row(key, rows)
        ))
    }

    /// Rows whose key the target holds already. `nulls`: the parts, as bits, that are NULL in both rows, and equal for that.
    pub fn find_conflicts(&self, position: usize, rows: &Rows, nulls: i64) -> Sql {
        let key = &self.table.keys[position];
        let not_own = if rows.merged {
            sql!(
                "(s.own_tid IS NULL OR NOT (s.own_oid OPERATOR(pg_catalog.=) t.holder_oid
                   AND s.own_tid OPERATOR(pg_catalog.=) t.holder_tid))"
            )
        } else {
            sql!("true")
        };
        let joined = all(key.parts.iter().enumerate().map(|(i, p)| {
            let k = part_name(i);
            if nulls >> i & 1 == 1 {
                sql!("s.{k} IS NULL AND t.{k} IS NULL", k)
            } else {
                sql!("t.{k} {equal} s.{k}", k, equal = p.operator.operator())
            }
        }));
        // An update may free the place of each holder of an exclusion constraint: then it must be known who all of them are.
        let (once, order) = match key.exclusion && !rows.merged {
            true => (sql!("DISTINCT ON (s.rn)"), sql!("ORDER BY s.rn")),
            false => (sql!(""), sql!("")),
        };
        let problem = Problem {
            name: text(&key.name),
            columns: column_names(&key.columns),
            key: self.key_json(key, &sql!("s")),
            existing: self.holder_json(),
            sqlstate: text(key_sqlstate(key)),
            message: text("the key is held by an existing row"),
            holder: sql!("t.holder_oid, t.holder_tid"),
            ..Problem::new(sql!("s.rn"), key_ord(position), "conflict")
        };
        sql!(
            "SELECT {once} {problem} FROM {pairs} WHERE {not_own} {order}",
            once,
            problem = problem.select(),
            pairs = if nulls == 0 && self.is_sieved(position) {
                self.sifted_pairs(position, rows)
            } else {
                sql!(
                    "{keyed} AS s JOIN {holders} AS t ON {joined}",
                    keyed = self.keyed_row(key, rows),
                    holders = self.holders(key),
                    joined,
                )
            },
            not_own,
            order,
        )
    }

    /// Source rows `s` and target rows `t` with an equal key, where keys are sifted: the target's rows that passed the
    /// sieve, those of them whose hash the source has, and then those whose key it has. IS TRUE keeps the planner from
    /// computing the keys of all source rows for a hash join, when only a few are to be compared.
    fn sifted_pairs(&self, position: usize, rows: &Rows) -> Sql {
        let key = &self.table.keys[position];
        let equal = all(key.parts.iter().enumerate().map(|(i, p)| {
            sql!(
                "t.{near} {equal} s.{k}",
                near = near_part(position, i),
                equal = p.operator.operator(),
                k = part_name(i)
            )
        }));
        sql!(
            "{near} AS t JOIN {met} AS h ON h.h{position} OPERATOR(pg_catalog.=) t.h{position}
             JOIN {keyed} AS s ON s.rn OPERATOR(pg_catalog.=) h.rn AND ({equal}) IS TRUE",
            near = self.names.near,
            met = self.names.met,
            position,
            keyed = self.keyed_row(key, &Rows { relation: self.names.close.clone(), ..rows.clone() }),
            equal,
        )
    }

    /// Keys that more than one row of the source wants, and the rows that want them.
    /// `clear`: no two of its keys have the same hash.
    pub fn find_contests(&self, position: usize, rows: &Rows, clear: bool) -> Vec<Sql> {
        let key = &self.table.keys[position];
        if key.exclusion || !key.parts.iter().all(|p| p.groups) {
            return vec![self.find_rivals(position, rows)];
        }
        let mut statements = Vec::new();
        if !clear {
            statements.push(self.find_repeated(position, &self.given_keys(position, rows)));
        }
        if !key.nulls_distinct && key.parts.iter().any(|p| p.nullable) {
            let some_null = any((0..key.parts.len()).map(|i| sql!("s.{k} IS NULL", k = part_name(i))));
            let null_keys =
                sql!("SELECT s.* FROM {keyed} AS s WHERE {some_null}", keyed = self.keyed_row(key, rows), some_null);
            statements.push(self.find_repeated(position, &null_keys));
        }
        statements
    }

    /// The keys without NULL; where they are sifted, only those whose hash comes twice.
    fn given_keys(&self, position: usize, rows: &Rows) -> Sql {
        let key = &self.table.keys[position];
        let keyed = self.keyed_row(key, rows);
        if !self.is_sieved(position) {
            let given = all((0..key.parts.len()).map(|i| sql!("s.{k} IS NOT NULL", k = part_name(i))));
            return sql!("SELECT s.* FROM {keyed} AS s WHERE {given}", keyed, given);
        }
        sql!(
            "SELECT s.* FROM {hashes} AS h JOIN {keyed} AS s ON s.rn OPERATOR(pg_catalog.=) h.rn
             WHERE h.h{position} OPERATOR(pg_catalog.=) ANY (SELECT c.ref FROM {contest} AS c
               WHERE c.kind OPERATOR(pg_catalog.=) {suspect} AND c.ord OPERATOR(pg_catalog.=) {ord})",
            hashes = self.names.hashes,
            keyed,
            position,
            contest = self.names.contest,
            suspect = KIND_SUSPECT,
            ord = key_ord(position),
        )
    }

    /// Enters the rows of `keys` that have an equal key, under a number of their own for each key. NULLs are equal here.
    fn find_repeated(&self, position: usize, keys: &Sql) -> Sql {
        sql!(
            "SELECT {ord} AS ord, w.rn, {kind} AS kind, w.number OPERATOR(pg_catalog.+)
               (SELECT COALESCE(pg_catalog.max(c.ref), 0) FROM {contest} AS c WHERE c.kind OPERATOR(pg_catalog.=) {kind}) AS ref
             FROM (SELECT k.rn, pg_catalog.count(*) OVER (PARTITION BY {parts}) AS members,
                          pg_catalog.dense_rank() OVER (ORDER BY {parts}) AS number
                   FROM ({keys}) AS k) AS w
             WHERE w.members OPERATOR(pg_catalog.>) 1",
            contest = self.names.contest,
            ord = key_ord(position),
            kind = KIND_KEY,
            parts = comma((0..self.table.keys[position].parts.len()).map(part_name)),
            keys,
        )
    }

    /// An exclusion constraint's operators are no equality: which earlier rows exclude a row. Ranges are first divided into those that hang together,
    /// so that not every row is compared with every other.
    fn find_rivals(&self, position: usize, rows: &Rows) -> Sql {
        let key = &self.table.keys[position];
        let joined = all(key
            .parts
            .iter()
            .enumerate()
            .map(|(i, p)| sql!("e.{k} {excludes} s.{k}", k = part_name(i), excludes = p.operator.operator())));
        let ranges = key.parts.iter().position(KeyPart::is_overlap);
        let keyed = self.keyed_row(key, rows);
        let (keyed, joined) = match ranges {
            Some(position) => (
                islands(&keyed, &part_name(position)),
                sql!("e.island OPERATOR(pg_catalog.=) s.island AND {joined}", joined),
            ),
            None => (keyed, joined),
        };
        sql!(
            "WITH keyed AS MATERIALIZED (SELECT * FROM {keyed} AS k),
             pair AS (SELECT s.rn, e.rn AS earlier FROM keyed AS s JOIN keyed AS e
               ON {joined} AND e.rn OPERATOR(pg_catalog.<) s.rn)
             SELECT {ord} AS ord, p.rn, {rival} AS kind, p.earlier AS ref FROM pair AS p
             UNION ALL SELECT DISTINCT {ord}, p.earlier, {present}, 0::pg_catalog.int8 FROM pair AS p",
            keyed,
            joined,
            ord = key_ord(position),
            rival = KIND_RIVAL,
            present = KIND_PRESENT,
        )
    }

    /// With `on_conflict => 'update'`: conflicts with a row of the target that the source updates. Whether they stand is
    /// for the contest to tell: the holder may have given up the key before.
    pub fn find_waits(&self, rows: &Rows) -> Sql {
        let Names { row, contest, .. } = self.names;
        let keys = || (0..self.table.keys.len()).map(key_ord);
        sql!(
            "WITH held AS MATERIALIZED (
               SELECT p.rn, p.ord, m.{row} AS holder, pg_catalog.dense_rank() OVER (ORDER BY p.ord, p.holder_oid, p.holder_tid) AS number
               FROM {pairs} WHERE p.status OPERATOR(pg_catalog.=) 'conflict' AND p.ord OPERATOR(pg_catalog.=) ANY (ARRAY[{keys}]))
             SELECT DISTINCT h.ord, h.rn, {wait} AS kind, h.number AS ref FROM held AS h
             UNION ALL
             -- A holder that keeps its key wants it too, and is in one contest with the row that waits.
             SELECT DISTINCT h.ord, h.holder, {free}, h.number FROM held AS h
             WHERE NOT EXISTS (
               SELECT FROM {contest} AS a JOIN {contest} AS b ON a.ref OPERATOR(pg_catalog.=) b.ref AND a.ord OPERATOR(pg_catalog.=) b.ord
               WHERE a.kind OPERATOR(pg_catalog.=) {key} AND b.kind OPERATOR(pg_catalog.=) {key}
                 AND a.rn OPERATOR(pg_catalog.=) h.rn AND b.rn OPERATOR(pg_catalog.=) h.holder AND a.ord OPERATOR(pg_catalog.=) h.ord)
             AND NOT EXISTS (
               SELECT FROM {contest} AS c WHERE c.kind OPERATOR(pg_catalog.=) {rival} AND c.ord OPERATOR(pg_catalog.=) h.ord
                 AND c.rn OPERATOR(pg_catalog.=) h.rn AND c.ref OPERATOR(pg_catalog.=) h.holder)",
            row,
            pairs = self.held_by_updated(rows),
            keys = comma(keys()),
            contest,
            wait = KIND_WAIT,
            free = KIND_FREE,
            key = KIND_KEY,
            rival = KIND_RIVAL,
        )
    }

    /// Problems `p` that are conflicts with a row of the target which a row `m` of the source updates.
    fn held_by_updated(&self, rows: &Rows) -> Sql {
        let Names { own_oid, own_tid, problem, .. } = self.names;
        sql!(
            "{problem} AS p JOIN {relation} AS m
               ON m.{own_oid} OPERATOR(pg_catalog.=) p.holder_oid AND m.{own_tid} OPERATOR(pg_catalog.=) p.holder_tid",
            problem,
            relation = rows.relation,
            own_oid,
            own_tid,
        )
    }

    /// The contest's entries in source order: row, whether it is out already, kind, rule, reference. `waits`: some may be out for a while.
    pub fn contest_in_order(&self, rows: &Rows, waits: bool) -> Sql {
        let Names { row, own_oid, own_tid, problem, contest, .. } = self.names;
        let stands = match waits {
            true => sql!(
                " LEFT JOIN {relation} AS m ON p.status OPERATOR(pg_catalog.=) 'conflict' AND m.{own_oid} OPERATOR(pg_catalog.=) p.holder_oid
                   AND m.{own_tid} OPERATOR(pg_catalog.=) p.holder_tid WHERE m.{row} IS NULL",
                relation = rows.relation,
                own_oid,
                own_tid,
                row,
            ),
            false => sql!(""),
        };
        sql!(
            "SELECT c.rn, p.rn IS NOT NULL AS dead, c.kind, c.ord, c.ref
             FROM {contest} AS c LEFT JOIN (SELECT DISTINCT p.rn FROM {problem} AS p{stands}) AS p ON p.rn OPERATOR(pg_catalog.=) c.rn
             WHERE c.kind OPERATOR(pg_catalog.<>) {suspect} ORDER BY c.rn, c.kind, c.ord, c.ref",
            problem,
            contest,
            stands,
            suspect = KIND_SUSPECT,
        )
    }

    /// `problem` without the conflicts of `losers` whose holders have given up their keys.
    pub fn without_freed(&self, rows: &Rows) -> Sql {
        let Names { own_oid, own_tid, problem, losers, .. } = self.names;
        sql!(
            "SELECT p.* FROM {problem} AS p LEFT JOIN {losers} AS f
               ON f.rn OPERATOR(pg_catalog.=) p.rn AND f.ord OPERATOR(pg_catalog.=) p.ord AND p.status OPERATOR(pg_catalog.=) 'conflict'
             LEFT JOIN (SELECT DISTINCT u.{own_oid}, u.{own_tid} FROM {relation} AS u WHERE u.{own_tid} IS NOT NULL) AS m
               ON m.{own_oid} OPERATOR(pg_catalog.=) p.holder_oid AND m.{own_tid} OPERATOR(pg_catalog.=) p.holder_tid
             WHERE f.rn IS NULL OR m.{own_tid} IS NULL",
            problem,
            losers,
            relation = rows.relation,
            own_oid,
            own_tid,
        )
    }

    /// `problem` without what `losers` lost to rows that did not go in.
    pub fn without_withdrawn(&self) -> Sql {
        sql!(
            "SELECT p.* FROM {problem} AS p WHERE NOT EXISTS (
               SELECT FROM {losers} AS w WHERE w.rn OPERATOR(pg_catalog.=) p.rn AND w.ord OPERATOR(pg_catalog.=) p.ord
                 AND w.winner OPERATOR(pg_catalog.=) p.winner AND p.status OPERATOR(pg_catalog.=) 'duplicate')",
            problem = self.names.problem,
            losers = self.names.losers,
        )
    }

    /// `problem` with one holder for each conflict.
    pub fn with_one_holder(&self) -> Sql {
        sql!(
            "SELECT DISTINCT ON (p.rn, p.ord, p.status, p.constraint_name, p.columns) p.* FROM {problem} AS p
             ORDER BY p.rn, p.ord, p.status, p.constraint_name, p.columns, p.holder_oid, p.holder_tid",
            problem = self.names.problem
        )
    }

    /// Report rows for `losers` that lost a key to earlier rows.
    pub fn report_duplicates(&self, position: usize, rows: &Rows) -> Sql {
        let key = &self.table.keys[position];
        let problem = Problem {
            name: text(&key.name),
            columns: column_names(&key.columns),
            key: self.key_json(key, &sql!("s")),
            winner: sql!("l.winner"),
            sqlstate: text(key_sqlstate(key)),
            message: sql!("pg_catalog.concat('the key was taken by row ', l.winner, ' of the source')"),
            ..Problem::new(sql!("s.rn"), key_ord(position), "duplicate")
        };
        // A key that is held by the target too is reported once.
        sql!(
            "SELECT {select} FROM {losers} AS l JOIN {keyed} AS s ON s.rn OPERATOR(pg_catalog.=) l.rn
             WHERE NOT EXISTS (SELECT FROM {problem} AS p WHERE p.rn OPERATOR(pg_catalog.=) l.rn AND p.ord OPERATOR(pg_catalog.=) {ord})",
            select = problem.select(),
            losers = self.names.losers,
            keyed = self.keyed_row(key, rows),
            problem = self.names.problem,
            ord = key_ord(position),
        )
    }
}

/// The rows of `keyed`, each with the number of the ranges that hang together with its own: one begins where all before have ended.
fn islands(keyed: &Sql, range: &Sql) -> Sql {
    sql!(
        "(SELECT f.*, pg_catalog.sum(f.begins) OVER (ORDER BY f.{range} USING OPERATOR(pg_catalog.<), f.rn) AS island
          FROM (SELECT k.*, CASE WHEN pg_catalog.bool_or(pg_catalog.upper_inf(k.{range})) OVER before IS NOT TRUE
                  AND (pg_catalog.max(pg_catalog.upper(k.{range})) OVER before OPERATOR(pg_catalog.<) pg_catalog.lower(k.{range})
                    OR pg_catalog.max(pg_catalog.upper(k.{range})) OVER before OPERATOR(pg_catalog.=) pg_catalog.lower(k.{range})
                      AND NOT pg_catalog.bool_or(pg_catalog.upper_inc(k.{range})) OVER before) THEN 1 ELSE 0 END AS begins
                FROM {keyed} AS k WHERE NOT pg_catalog.isempty(k.{range})
                WINDOW before AS (ORDER BY k.{range} USING OPERATOR(pg_catalog.<), k.rn ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) AS f)",
        range,
        keyed,
    )
}
