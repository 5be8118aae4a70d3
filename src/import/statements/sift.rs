//! Sifting keys by their hash.

use super::*;

impl Statements<'_> {
    pub fn is_sieved(&self, position: usize) -> bool {
        self.sieved && self.table.keys[position].hashable()
    }

    /// `hashes`: a hash of every key of every row, so that a key is computed once for all that is asked of it.
    pub fn create_hashes(&self, positions: &[usize], rows: &Rows) -> String {
        let hashes: String = positions
            .iter()
            .map(|&position| {
                let key = &self.table.keys[position];
                // The hash functions are strict: a key with a NULL has none.
                let hash = key_hash(key, |_, part| part_sql(part));
                format!(", CASE WHEN {} THEN {hash} END AS h{position}", predicate(key))
            })
            .collect();
        format!(
            "CREATE TEMPORARY TABLE {} ON COMMIT DROP AS SELECT r.{} AS rn{hashes} FROM {} AS r; ANALYZE {}",
            unqualified(&self.names.hashes),
            self.names.row,
            self.rows_sql(rows),
            self.names.hashes
        )
    }

    /// Fills the sieve of a key with the source's hashes, and notes those that come twice.
    pub fn fill_sieve(&self, position: usize) -> String {
        format!(
            "WITH maybe AS MATERIALIZED (
               SELECT h.h{position} AS hash FROM {hashes} AS h WHERE identity._import_sieve_add({position}, h.h{position}))
             INSERT INTO {contest} (ord, rn, kind, ref)
             SELECT {ord}, 0, {KIND_SUSPECT}, h.h{position} FROM {hashes} AS h
             WHERE h.h{position} IN (SELECT m.hash FROM maybe AS m)
             GROUP BY h.h{position} HAVING pg_catalog.count(*) OPERATOR(pg_catalog.>) 1",
            hashes = self.names.hashes,
            contest = self.names.contest,
            ord = key_ord(position),
        )
    }

    /// Keys of which a hash comes twice in the source.
    pub fn suspected_keys(&self) -> String {
        format!(
            "SELECT COALESCE(pg_catalog.jsonb_agg(DISTINCT c.ord), '[]') FROM {} AS c
             WHERE c.kind OPERATOR(pg_catalog.=) {KIND_SUSPECT}",
            self.names.contest
        )
    }
}
