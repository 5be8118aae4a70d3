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
               SELECT h.h{position} AS hash FROM {hashes} AS h WHERE identity_internal.import_sieve_add({position}, h.h{position}))
             INSERT INTO {contest} (ord, rn, kind, ref)
             SELECT {ord}, 0, {KIND_SUSPECT}, h.h{position} FROM {hashes} AS h
             WHERE h.h{position} IN (SELECT m.hash FROM maybe AS m)
             GROUP BY h.h{position} HAVING pg_catalog.count(*) OPERATOR(pg_catalog.>) 1",
            hashes = self.names.hashes,
            contest = self.names.contest,
            ord = key_ord(position),
        )
    }

    /// `near`: the rows of the target of which a key may be in the source. The target is read once, by parallel workers
    /// where it is large; OFFSET 0 has each key computed once, and the sieve above that.
    pub fn create_near(&self, positions: &[usize]) -> String {
        let each_part = |of: &dyn Fn(usize, usize, &Key) -> String| -> String {
            let keys = positions.iter().map(|&p| (p, &self.table.keys[p]));
            keys.flat_map(|(p, key)| (0..key.parts.len()).map(move |i| (p, i, key)))
                .map(|(p, i, key)| format!(", {}", of(p, i, key)))
                .collect()
        };
        let parts = each_part(&|p, i, key| {
            format!("CASE WHEN {} THEN {} END AS {}", predicate(key), part_sql(&key.parts[i]), near_part(p, i))
        });
        let hashes: String = positions
            .iter()
            .map(|&p| format!(", {} AS h{p}", key_hash(&self.table.keys[p], |i, _| format!("t.{}", near_part(p, i)))))
            .collect();
        let passes = positions.iter().map(|&p| passes_sieve(p, &format!("t.h{p}")));
        format!(
            "CREATE TEMPORARY TABLE {name} ON COMMIT DROP AS
             SELECT t.* FROM (SELECT t.*{hashes} FROM (SELECT {place}, {shown}{parts} FROM {from} AS t OFFSET 0) AS t OFFSET 0) AS t
             WHERE {passes};
             ANALYZE {near}",
            name = unqualified(&self.names.near),
            near = self.names.near,
            place = self.place(),
            shown = self.shown(),
            from = self.table.in_from(),
            passes = passes.collect::<Vec<_>>().join(" OR "),
        )
    }

    /// `met`: the rows of the source of which a key may be in `near`, by their hashes; `close`: these rows themselves. Each
    /// key is then compared over them alone. Here too a sieve is many times faster than a hash join.
    pub fn create_close(&self, positions: &[usize], rows: &Rows) -> String {
        let Names { met, close, near, hashes, row, .. } = self.names;
        let own_sieve = |position: usize| self.table.keys.len() + position;
        let added = positions
            .iter()
            .map(|&p| format!("pg_catalog.count(identity_internal.import_sieve_add({}, t.h{p}))", own_sieve(p)));
        let meets = positions.iter().map(|&p| passes_sieve(own_sieve(p), &format!("h.h{p}")));
        format!(
            "SELECT {added} FROM {near} AS t;
             CREATE TEMPORARY TABLE {new_met} ON COMMIT DROP AS SELECT h.* FROM {hashes} AS h WHERE {meets};
             ANALYZE {met};
             CREATE TEMPORARY TABLE {new_close} ON COMMIT DROP AS
             SELECT s.* FROM {source} AS s WHERE s.{row} IN (SELECT m.rn FROM {met} AS m);
             ANALYZE {close} ({row})",
            added = comma(added),
            meets = meets.collect::<Vec<_>>().join(" OR "),
            new_met = unqualified(met),
            new_close = unqualified(close),
            source = rows.relation,
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

/// Whether a hash may have been added to a sieve.
fn passes_sieve(slot: usize, hash: &str) -> String {
    format!("identity_internal.import_sieve_holds({slot}, {hash})")
}
