//! Rows whose key is held, or wanted twice.

use super::*;

impl Statements<'_> {
    /// Rows whose key the target holds already.
    pub fn find_conflicts(&self, position: usize, rows: &Rows) -> Vec<Sql> {
        null_patterns(&self.table.keys[position])
            .into_iter()
            .map(|nulls| self.find_conflicts_of(position, rows, &nulls))
            .collect()
    }

    /// `nulls`: the parts that are NULL in both rows, and equal for that.
    fn find_conflicts_of(&self, position: usize, rows: &Rows, nulls: &[usize]) -> Sql {
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
            if nulls.contains(&i) {
                sql!("s.{k} IS NULL AND t.{k} IS NULL", k)
            } else {
                sql!("t.{k} {equal} s.{k}", k, equal = p.operator.operator())
            }
        }));
        let (once, order) = match key.exclusion {
            true => (sql!("DISTINCT ON (s.rn)"), sql!("ORDER BY s.rn")),
            false => (sql!(""), sql!("")),
        };
        sql!(
            "INSERT INTO {problem} (rn, ord, status, constraint_name, columns, key, existing, sqlstate, message,
               holder_oid, holder_tid, late)
             SELECT {once} s.rn, {ord}, 'conflict', {name}, {columns}, {key_json}, {holder}, {sqlstate},
               'the key is held by an existing row', t.holder_oid, t.holder_tid, {late}
             FROM {pairs} WHERE {not_own} {order}",
            problem = self.names.problem,
            once,
            ord = key_ord(position),
            name = literal(&key.name),
            columns = column_names(&key.columns),
            key_json = self.key_json(key, &sql!("s")),
            sqlstate = literal(key_sqlstate(key)),
            late = self.late,
            holder = self.holder_json(),
            pairs = if nulls.is_empty() && self.is_sieved(position) {
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
            "INSERT INTO {contest} (ord, rn, kind, ref)
             SELECT {ord}, w.rn, {kind}, w.number OPERATOR(pg_catalog.+)
               (SELECT COALESCE(pg_catalog.max(c.ref), 0) FROM {contest} AS c WHERE c.kind OPERATOR(pg_catalog.=) {kind})
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

    /// An exclusion constraint's operators are no equality: which earlier rows exclude a row.
    fn find_rivals(&self, position: usize, rows: &Rows) -> Sql {
        let key = &self.table.keys[position];
        let joined = all(key
            .parts
            .iter()
            .enumerate()
            .map(|(i, p)| sql!("e.{k} {excludes} s.{k}", k = part_name(i), excludes = p.operator.operator())));
        sql!(
            "WITH pair AS (SELECT s.rn, e.rn AS earlier FROM {keyed} AS s JOIN {keyed} AS e
               ON {joined} AND e.rn OPERATOR(pg_catalog.<) s.rn)
             INSERT INTO {contest} (ord, rn, kind, ref)
             SELECT {ord}, p.rn, {rival}, p.earlier FROM pair AS p
             UNION ALL SELECT DISTINCT {ord}, p.earlier, {present}, 0 FROM pair AS p",
            keyed = self.keyed_row(key, rows),
            joined,
            contest = self.names.contest,
            ord = key_ord(position),
            rival = KIND_RIVAL,
            present = KIND_PRESENT,
        )
    }

    /// Gives the staged rows the index of an exclusion constraint.
    pub fn index_exclusion(&self, key: &Key, rows: &Rows) -> Sql {
        let parts =
            comma(key.parts.iter().map(|p| sql!("{part} {class}", part = part_sql(p), class = p.operator_class.sql())));
        sql!(
            "CREATE INDEX ON {relation} USING {method} ({parts}) WHERE {predicate}",
            relation = rows.relation,
            method = ident(&key.access_method),
            parts,
            predicate = predicate(key),
        )
    }

    /// With `on_conflict => 'update'`: conflicts with a row of the target that the source updates. Whether they stand is
    /// for the contest to tell: the holder may have given up the key before.
    pub fn find_waits(&self, rows: &Rows) -> Sql {
        let Names { row, own_oid, own_tid, problem, contest, .. } = self.names;
        let keys = (0..self.table.keys.len()).filter(|&p| !self.table.keys[p].exclusion).map(key_ord);
        sql!(
            "WITH held AS MATERIALIZED (
               SELECT p.rn, p.ord, m.{row} AS holder, pg_catalog.dense_rank() OVER (ORDER BY p.ord, p.holder_oid, p.holder_tid) AS number
               FROM {problem} AS p JOIN {relation} AS m
                 ON m.{own_oid} OPERATOR(pg_catalog.=) p.holder_oid AND m.{own_tid} OPERATOR(pg_catalog.=) p.holder_tid
               WHERE p.status OPERATOR(pg_catalog.=) 'conflict' AND p.ord OPERATOR(pg_catalog.=) ANY (ARRAY[{keys}]))
             INSERT INTO {contest} (ord, rn, kind, ref)
             SELECT DISTINCT h.ord, h.rn, {wait}, h.number FROM held AS h
             UNION ALL
             -- A holder that keeps its key wants it too, and is in one contest with the row that waits.
             SELECT DISTINCT h.ord, h.holder, {free}, h.number FROM held AS h
             WHERE NOT EXISTS (
               SELECT FROM {contest} AS a JOIN {contest} AS b ON a.ref OPERATOR(pg_catalog.=) b.ref AND a.ord OPERATOR(pg_catalog.=) b.ord
               WHERE a.kind OPERATOR(pg_catalog.=) {key} AND b.kind OPERATOR(pg_catalog.=) {key}
                 AND a.rn OPERATOR(pg_catalog.=) h.rn AND b.rn OPERATOR(pg_catalog.=) h.holder AND a.ord OPERATOR(pg_catalog.=) h.ord)",
            row,
            problem,
            relation = rows.relation,
            own_oid,
            own_tid,
            keys = comma(keys),
            contest,
            wait = KIND_WAIT,
            free = KIND_FREE,
            key = KIND_KEY,
        )
    }

    pub fn has_duplicates(&self) -> Sql {
        sql!(
            "SELECT EXISTS (SELECT FROM {problem} AS p WHERE p.status OPERATOR(pg_catalog.=) 'duplicate')",
            problem = self.names.problem
        )
    }

    pub fn depends_on_order(&self) -> Sql {
        sql!(
            "SELECT EXISTS (SELECT FROM {contest} AS c WHERE c.kind OPERATOR(pg_catalog.=) ANY (ARRAY[{need}, {wait}]))",
            contest = self.names.contest,
            need = KIND_NEED,
            wait = KIND_WAIT,
        )
    }

    /// Takes back the conflicts of rows ($1) under rules ($2).
    pub fn forget_freed(&self) -> Sql {
        sql!(
            "DELETE FROM {problem} AS p
             USING ROWS FROM (pg_catalog.unnest($1::pg_catalog.int8[]), pg_catalog.unnest($2::pg_catalog.int4[])) AS f (rn, ord)
             WHERE p.rn OPERATOR(pg_catalog.=) f.rn AND p.ord OPERATOR(pg_catalog.=) f.ord
               AND p.status OPERATOR(pg_catalog.=) 'conflict'",
            problem = self.names.problem
        )
    }

    /// The contest's entries in source order: row, whether it is out already, kind, rule, reference.
    pub fn contest_in_order(&self) -> Sql {
        sql!(
            "SELECT c.rn, p.rn IS NOT NULL, c.kind, c.ord, c.ref
             FROM {contest} AS c LEFT JOIN (
               SELECT DISTINCT p.rn FROM {problem} AS p
               LEFT JOIN {contest} AS w ON w.kind OPERATOR(pg_catalog.=) {wait}
                 AND w.rn OPERATOR(pg_catalog.=) p.rn AND w.ord OPERATOR(pg_catalog.=) p.ord
               WHERE w.rn IS NULL) AS p ON p.rn OPERATOR(pg_catalog.=) c.rn
             WHERE c.kind OPERATOR(pg_catalog.<>) {suspect} ORDER BY c.rn, c.kind, c.ord, c.ref",
            problem = self.names.problem,
            contest = self.names.contest,
            wait = KIND_WAIT,
            suspect = KIND_SUSPECT,
        )
    }

    /// Report rows for the rows ($1) that lost a key to earlier ones ($2).
    pub fn report_duplicates(&self, position: usize, rows: &Rows) -> Sql {
        let key = &self.table.keys[position];
        sql!(
            "INSERT INTO {problem} (rn, ord, status, constraint_name, columns, key, winner, sqlstate, message, late)
             SELECT s.rn, {ord}, 'duplicate', {name}, {columns}, {key_json}, l.winner, {sqlstate},
               pg_catalog.concat('the key was taken by row ', l.winner, ' of the source'), {late}
             FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.int8[]), pg_catalog.unnest($2::pg_catalog.int8[])) AS l (rn, winner)
             JOIN {keyed} AS s ON s.rn OPERATOR(pg_catalog.=) l.rn",
            problem = self.names.problem,
            ord = key_ord(position),
            name = literal(&key.name),
            columns = column_names(&key.columns),
            key_json = self.key_json(key, &sql!("s")),
            sqlstate = literal(key_sqlstate(key)),
            late = self.late,
            keyed = self.keyed_row(key, rows),
        )
    }
}

/// Which parts of a key are NULL when two keys are compared: never any, unless the key says NULLS NOT DISTINCT.
///
/// A join on one pattern is an equality that can be hashed; a key of n nullable parts has 2^n of them.
fn null_patterns(key: &Key) -> Vec<Vec<usize>> {
    let nullable: Vec<usize> = (0..key.parts.len()).filter(|&i| key.parts[i].nullable).collect();
    if key.nulls_distinct || key.exclusion {
        return vec![vec![]];
    }
    (0..1usize << nullable.len().min(16))
        .map(|bits| nullable.iter().enumerate().filter(|(bit, _)| bits >> bit & 1 == 1).map(|(_, &i)| i).collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nulls_not_distinct_compares_every_pattern_of_nulls() {
        let part = |nullable| KeyPart { nullable, ..KeyPart::default() };
        let mut key = Key { parts: vec![part(true), part(false), part(true)], nulls_distinct: true, ..Key::default() };
        assert_eq!(null_patterns(&key), [Vec::<usize>::new()]);
        key.nulls_distinct = false;
        assert_eq!(null_patterns(&key), [vec![], vec![0], vec![2], vec![0, 2]]);
    }
}
