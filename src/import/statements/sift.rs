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
        sql!("SELECT r.{row} AS rn{hashes} FROM {rows} AS r", row = self.names.row, hashes, rows = self.rows_sql(rows),)
    }

    /// Fills the sieve of a key with the source's hashes, and notes those that come twice.
    pub fn fill_sieve(&self, position: usize) -> Sql {
        sql!(
            "WITH maybe AS MATERIALIZED (
               SELECT h.h{position} AS hash FROM {hashes} AS h WHERE identity_internal.import_sieve_add({position}, h.h{position}))
             SELECT {ord} AS ord, 0::pg_catalog.int8 AS rn, {suspect} AS kind, h.h{position} AS ref FROM {hashes} AS h
             WHERE h.h{position} OPERATOR(pg_catalog.=) ANY (SELECT m.hash FROM maybe AS m)
             GROUP BY h.h{position} HAVING pg_catalog.count(*) OPERATOR(pg_catalog.>) 1",
            position,
            hashes = self.names.hashes,
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
            "SELECT t.* FROM (SELECT t.*{hashes} FROM (SELECT {place}, {shown}{parts} FROM {from} AS t OFFSET 0) AS t OFFSET 0) AS t
             WHERE {passes}",
            hashes = concat(hashes),
            place = self.place(),
            shown = self.shown(),
            parts = concat(parts),
            from = self.table.in_from(),
            passes = any(positions.iter().map(|&p| passes_sieve(p, &sql!("t"), p))),
        )
    }

    /// Fills the sieves of `near`.
    pub fn add_near(&self, positions: &[usize]) -> Sql {
        let added = positions.iter().map(|&position| {
            let slot = self.sieve_of_near(position);
            sql!("pg_catalog.count(identity_internal.import_sieve_add({slot}, t.h{position}))", slot, position)
        });
        sql!("SELECT {added} FROM {near} AS t", added = comma(added), near = self.names.near)
    }

    /// `met`: the rows of the source of which a key may be in `near`, by their hashes. Each key is then compared over them alone. Here too a
    /// sieve is many times faster than a hash join.
    pub fn create_met(&self, positions: &[usize]) -> Sql {
        let meets = any(positions.iter().map(|&p| passes_sieve(self.sieve_of_near(p), &sql!("h"), p)));
        sql!("SELECT h.* FROM {hashes} AS h WHERE {meets}", hashes = self.names.hashes, meets)
    }

    fn sieve_of_near(&self, position: usize) -> usize {
        self.table.keys.len() + position
    }

    /// Keys of which a hash comes twice in the source.
    pub fn suspected_keys(&self) -> Sql {
        sql!(
            "SELECT DISTINCT c.ord FROM {contest} AS c WHERE c.kind OPERATOR(pg_catalog.=) {suspect}",
            contest = self.names.contest,
            suspect = KIND_SUSPECT,
        )
    }
}

/// Whether the hash of the key at a position, of a row `alias`, may have been added to a sieve.
fn passes_sieve(slot: usize, alias: &Sql, position: usize) -> Sql {
    sql!("identity_internal.import_sieve_holds({slot}, {alias}.h{position})", slot, alias, position)
}
