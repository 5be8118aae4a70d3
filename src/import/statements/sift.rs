//! Sifting keys by their hash.

use super::*;

impl Statements<'_> {
    pub fn is_sieved(&self, position: usize) -> bool {
        self.sieved && self.table.keys[position].hashable()
    }

    /// `hashes`: a hash of every key of every row, so that a key is computed once for all that is asked of it.
    pub fn create_hashes(&self, positions: &[usize], rows: &Rows) -> Sql {
        let hashes = concat(positions.iter().map(|&position| {
            let key = &self.table.keys[position];
            sql!(
                ", CASE WHEN {predicate} THEN {hash} END AS h{position}",
                predicate = predicate(key),
                hash = key_hash(key, |_, part| part_sql(part)),
                position,
            )
        }));
        sql!(
            "CREATE TEMPORARY TABLE {name} ON COMMIT DROP AS SELECT r.{row} AS rn{hashes} FROM {rows} AS r; ANALYZE {name}",
            name = self.names.hashes,
            row = self.names.row,
            hashes,
            rows = self.rows_sql(rows),
        )
    }

    /// Fills the sieve of a key with the source's hashes, and notes those that come twice.
    pub fn fill_sieve(&self, position: usize) -> Sql {
        sql!(
            "WITH maybe AS MATERIALIZED (
               SELECT h.h{position} AS hash FROM {hashes} AS h WHERE identity_internal.import_sieve_add({position}, h.h{position}))
             INSERT INTO {contest} (ord, rn, kind, ref)
             SELECT {ord}, 0, {suspect}, h.h{position} FROM {hashes} AS h
             WHERE h.h{position} OPERATOR(pg_catalog.=) ANY (SELECT m.hash FROM maybe AS m)
             GROUP BY h.h{position} HAVING pg_catalog.count(*) OPERATOR(pg_catalog.>) 1",
            position,
            hashes = self.names.hashes,
            contest = self.names.contest,
            ord = key_ord(position),
            suspect = KIND_SUSPECT,
        )
    }

    /// `near`: the rows of the target of which a key may be in the source. The target is read once, by parallel workers
    /// where it is large; OFFSET 0 has each key computed once, and the sieve above that.
    pub fn create_near(&self, positions: &[usize]) -> Sql {
        let keys = || positions.iter().map(|&position| (position, &self.table.keys[position]));
        let parts = keys().flat_map(|(position, key)| {
            key.parts.iter().enumerate().map(move |(i, part)| {
                sql!(
                    ", CASE WHEN {predicate} THEN {part} END AS {near}",
                    predicate = predicate(key),
                    part = part_sql(part),
                    near = near_part(position, i),
                )
            })
        });
        let hashes = keys().map(|(position, key)| {
            let hash = key_hash(key, |i, _| sql!("t.{near}", near = near_part(position, i)));
            sql!(", {hash} AS h{position}", hash, position)
        });
        sql!(
            "CREATE TEMPORARY TABLE {near} ON COMMIT DROP AS
             SELECT t.* FROM (SELECT t.*{hashes} FROM (SELECT {place}, {shown}{parts} FROM {from} AS t OFFSET 0) AS t OFFSET 0) AS t
             WHERE {passes};
             ANALYZE {near}",
            near = self.names.near,
            hashes = concat(hashes),
            place = self.place(),
            shown = self.shown(),
            parts = concat(parts),
            from = self.table.in_from(),
            passes = any(positions.iter().map(|&p| passes_sieve(p, &sql!("t"), p))),
        )
    }

    /// `met`: the rows of the source of which a key may be in `near`, by their hashes; `close`: these rows themselves. Each
    /// key is then compared over them alone. Here too a sieve is many times faster than a hash join.
    pub fn create_close(&self, positions: &[usize], rows: &Rows) -> Sql {
        let Names { met, close, near, hashes, row, .. } = self.names;
        let own_sieve = |position: usize| self.table.keys.len() + position;
        let added = positions.iter().map(|&position| {
            let slot = own_sieve(position);
            sql!("pg_catalog.count(identity_internal.import_sieve_add({slot}, t.h{position}))", slot, position)
        });
        sql!(
            "SELECT {added} FROM {near} AS t;
             CREATE TEMPORARY TABLE {met} ON COMMIT DROP AS SELECT h.* FROM {hashes} AS h WHERE {meets};
             ANALYZE {met};
             CREATE TEMPORARY TABLE {close} ON COMMIT DROP AS
             SELECT s.* FROM {relation} AS s WHERE s.{row} OPERATOR(pg_catalog.=) ANY (SELECT m.rn FROM {met} AS m);
             ANALYZE {close} ({row})",
            added = comma(added),
            near,
            met,
            hashes,
            meets = any(positions.iter().map(|&p| passes_sieve(own_sieve(p), &sql!("h"), p))),
            close,
            relation = rows.relation,
            row,
        )
    }

    pub fn drop_sifted(&self) -> Sql {
        let Names { hashes, near, met, close, .. } = self.names;
        sql!("DROP TABLE {tables}", tables = comma([hashes, near, met, close]))
    }

    /// Keys of which a hash comes twice in the source.
    pub fn suspected_keys(&self) -> Sql {
        sql!(
            "SELECT COALESCE(pg_catalog.jsonb_agg(DISTINCT c.ord), '[]') FROM {contest} AS c
             WHERE c.kind OPERATOR(pg_catalog.=) {suspect}",
            contest = self.names.contest,
            suspect = KIND_SUSPECT,
        )
    }
}

/// Whether the hash of the key at a position, of a row `alias`, may have been added to a sieve.
fn passes_sieve(slot: usize, alias: &Sql, position: usize) -> Sql {
    sql!("identity_internal.import_sieve_holds({slot}, {alias}.h{position})", slot, alias, position)
}
