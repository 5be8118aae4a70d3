//! The SQL of the SSO layer. It runs as the owner of the extension with `search_path = pg_catalog, pg_temp`, on the extension's own tables and on the
//! rows that the run keeps (`db::store`): the caller's tables are read before, as the caller.
//!
//! `$1` is the realm; `$2` is the site that is staged, or the run that looks for duplicates. No value becomes part of a text.

use crate::db::sql::{Sql, comma, ident, sql};
use pgrx::pg_sys::{BOOLOID, INT4OID, INT8OID, JSONBOID, Oid, TEXTARRAYOID, TEXTOID, TIMESTAMPTZOID};

/// A user of the source.
pub const GIVEN: [(&str, Oid); 18] = [
    ("rn", INT8OID),
    ("original_id", TEXTOID),
    ("username", TEXTOID),
    ("username_key", TEXTOID),
    ("email", TEXTOID),
    ("email_key", TEXTOID),
    ("email_verified", BOOLOID),
    ("phone", TEXTOID),
    ("phone_key", TEXTOID),
    ("phone_verified", BOOLOID),
    ("password_hash", TEXTOID),
    ("registered_at", TEXTOID),
    ("last_login_at", TEXTOID),
    ("display_name", TEXTOID),
    ("active", BOOLOID),
    ("traits", JSONBOID),
    ("rule", TEXTOID),
    ("rule_field", TEXTOID),
];

/// The same, and what is to be done with it: a status for the report, insert or update, the kinds of its names that are not as they were staged. first:
/// the row of the source that has its original_id first.
pub const ITEM: [(&str, Oid); 24] = [
    ("rn", INT8OID),
    ("realm", TEXTOID),
    ("site_id", INT4OID),
    ("original_id", TEXTOID),
    ("username", TEXTOID),
    ("username_key", TEXTOID),
    ("email", TEXTOID),
    ("email_key", TEXTOID),
    ("email_verified", BOOLOID),
    ("phone", TEXTOID),
    ("phone_key", TEXTOID),
    ("phone_verified", BOOLOID),
    ("password_hash", TEXTOID),
    ("registered_at", TIMESTAMPTZOID),
    ("last_login_at", TIMESTAMPTZOID),
    ("display_name", TEXTOID),
    ("active", BOOLOID),
    ("traits", JSONBOID),
    ("rule", TEXTOID),
    ("rule_field", TEXTOID),
    ("first", INT8OID),
    ("status", TEXTOID),
    ("todo", TEXTOID),
    ("changed", TEXTARRAYOID),
];

/// A value that does not convert.
pub const FAULT: [(&str, Oid); 5] =
    [("rn", INT8OID), ("original_id", TEXTOID), ("field", TEXTOID), ("reason", TEXTOID), ("sqlstate", TEXTOID)];

pub const MOVED: [(&str, Oid); 2] = [("rn", INT8OID), ("state", TEXTOID)];

/// Staged users of all realms and sites, about.
pub const STORED: &str = "
SELECT GREATEST(c.reltuples::int8, pg_relation_size(c.oid) / 300) FROM pg_class AS c WHERE c.oid = 'identity.staged_identities'::regclass";

/// How items find their rows in a table of the site's.
#[derive(Clone, Copy)]
pub enum Found {
    /// Both sides are read once: all rows of the site.
    InBulk,
    /// Item by item. The table's key is compared with the items' columns alone: to constants the planner, without statistics,
    /// expects one row, and would read all rows of the site for each item.
    ByIndex,
}

impl Found {
    fn of_item(self, alias: &str) -> Sql {
        let alias = ident(alias);
        match self {
            Found::InBulk => {
                sql!("{alias}.realm = $1 AND {alias}.site_id = $2 AND {alias}.original_id = i.original_id", alias)
            }
            Found::ByIndex => sql!(
                "{alias}.realm = i.realm AND {alias}.site_id = i.site_id AND {alias}.original_id = i.original_id",
                alias
            ),
        }
    }
}

/// What is to be done with each user of the source. One who was released is not quarantined again.
pub fn decide(found: Found) -> Sql {
    let same = comma(
        ["username", "email", "phone", "password_hash", "display_name"]
            .iter()
            .map(|name| sql!("s.{name} COLLATE \"C\"", name = ident(name))),
    );
    sql!(
        "SELECT i.rn, i.realm, i.site_id, i.original_id, i.username, i.username_key, i.email, i.email_key, i.email_verified, i.phone, i.phone_key,
           i.phone_verified, i.password_hash, i.registered_at, i.last_login_at, i.display_name, i.active, i.traits, r.rule, i.rule_field, i.first,
           CASE WHEN i.first < i.rn THEN 'duplicate'
                WHEN s.state IS NULL THEN CASE WHEN r.rule IS NULL THEN 'staged' ELSE 'quarantined' END
                WHEN s.state IN ('promoted', 'linked') THEN s.state
                WHEN r.rule IS NOT NULL THEN 'quarantined'
                WHEN d.differs THEN 'updated' ELSE 'unchanged' END AS status,
           CASE WHEN i.first < i.rn THEN NULL
                WHEN s.state IS NULL THEN 'insert'
                WHEN s.state NOT IN ('promoted', 'linked') AND d.differs THEN 'update' END AS todo,
           array_remove(ARRAY[
             CASE WHEN i.username IS DISTINCT FROM s.username COLLATE \"C\" THEN 'username' END,
             CASE WHEN i.email IS DISTINCT FROM s.email COLLATE \"C\" THEN 'email' END,
             CASE WHEN i.phone IS DISTINCT FROM s.phone COLLATE \"C\" THEN 'phone' END], NULL) AS changed
         FROM (
           SELECT g.rn, $1 AS realm, $2 AS site_id, g.original_id, g.username, g.username_key, g.email, g.email_key, g.email_verified, g.phone,
             g.phone_key, g.phone_verified, g.password_hash, g.registered_at::timestamptz, g.last_login_at::timestamptz, g.display_name, g.active,
             g.traits, g.rule, g.rule_field, min(g.rn) OVER (PARTITION BY g.original_id) AS first
           FROM given AS g) AS i
         LEFT JOIN identity.staged_identities AS s ON i.first = i.rn AND {of_item}
         CROSS JOIN LATERAL (SELECT CASE WHEN s.released THEN NULL ELSE i.rule END AS rule) AS r
         CROSS JOIN LATERAL (
           SELECT ({same}, s.email_verified, s.phone_verified, s.registered_at, s.last_login_at, s.active, s.traits, s.rule)
                  IS DISTINCT FROM
                  (i.username, i.email, i.phone, i.password_hash, i.display_name, i.email_verified, i.phone_verified, i.registered_at, i.last_login_at,
                   i.active, i.traits, r.rule) AS differs) AS d
         ORDER BY i.rn",
        of_item = found.of_item("s"),
        same
    )
}

/// Locks the users that are to be updated; those who have moved on to the main tables meanwhile.
pub fn lock(found: Found) -> Sql {
    sql!(
        "WITH locked AS MATERIALIZED (
           SELECT i.rn, s.state FROM identity.staged_identities AS s JOIN item AS i ON {of_item}
           WHERE i.todo = 'update' FOR UPDATE OF s)
         SELECT l.rn, l.state FROM locked AS l WHERE l.state IN ('promoted', 'linked')",
        of_item = found.of_item("s")
    )
}

pub const LEAVE_MOVED: &str = "
SELECT i.rn, i.realm, i.site_id, i.original_id, i.username, i.username_key, i.email, i.email_key, i.email_verified, i.phone, i.phone_key,
  i.phone_verified, i.password_hash, i.registered_at, i.last_login_at, i.display_name, i.active, i.traits, i.rule, i.rule_field, i.first,
  COALESCE(m.state, i.status) AS status, CASE WHEN m.rn IS NULL THEN i.todo END AS todo, i.changed
FROM item AS i LEFT JOIN moved AS m ON m.rn = i.rn ORDER BY i.rn";

/// Writes what is new, and what changed. A name that the site has changed logs in as it is now; one that it has not changed
/// stays as `dedup_site_logins` left it.
pub fn write(found: Found) -> [Sql; 5] {
    [
        sql!(
            "INSERT INTO identity.staged_identities (realm, site_id, original_id, state, rule, username, email, email_verified, phone,
               phone_verified, password_hash, registered_at, last_login_at, display_name, active, traits)
             SELECT i.realm, i.site_id, i.original_id, i.status, i.rule, i.username, i.email, i.email_verified, i.phone, i.phone_verified,
               i.password_hash, i.registered_at, i.last_login_at, i.display_name, i.active, i.traits
             FROM item AS i WHERE i.todo = 'insert'"
        ),
        sql!(
            "DELETE FROM identity.staged_identifiers AS n USING item AS i
             WHERE i.todo = 'update' AND {of_item} AND n.kind = ANY (i.changed)",
            of_item = found.of_item("n")
        ),
        // Pending ones; said in this way, which the index of those does not fit, each is found by its owner.
        sql!(
            "UPDATE identity.notices AS o SET state = 'skipped', changed_at = now()
             FROM item AS i
             WHERE i.todo = 'update' AND 'username' = ANY (i.changed) AND o.state <> ALL ('{{sent,bounced,skipped,acknowledged}}') AND {of_item}",
            of_item = found.of_item("o")
        ),
        sql!(
            "UPDATE identity.staged_identities AS s
             SET state = CASE WHEN i.rule IS NULL THEN 'staged' ELSE 'quarantined' END, rule = i.rule, username = i.username, email = i.email,
               email_verified = i.email_verified, phone = i.phone, phone_verified = i.phone_verified, password_hash = i.password_hash,
               registered_at = i.registered_at, last_login_at = i.last_login_at, display_name = i.display_name, active = i.active,
               traits = i.traits, changed_at = clock_timestamp()
             FROM item AS i
             WHERE i.todo = 'update' AND {of_item}",
            of_item = found.of_item("s")
        ),
        sql!(
            "INSERT INTO identity.staged_identifiers (realm, site_id, original_id, kind, value, key)
             SELECT i.realm, i.site_id, i.original_id, n.kind, n.value, n.key FROM item AS i
             CROSS JOIN LATERAL (VALUES ('username', i.username, i.username_key), ('email', i.email, i.email_key), ('phone', i.phone, i.phone_key))
               AS n (kind, value, key)
             WHERE i.todo IS NOT NULL AND n.value IS NOT NULL
             ON CONFLICT DO NOTHING"
        ),
    ]
}

/// Rows of the source by status.
pub const COUNT: &str = "
SELECT i.status, count(*) FROM item AS i GROUP BY i.status
UNION ALL
SELECT 'invalid', count(DISTINCT f.rn) FROM fault AS f WHERE NOT EXISTS (SELECT FROM item AS i WHERE i.rn = f.rn) HAVING count(*) > 0";

/// What became of the source's rows: of all, or of those that something is said of.
pub fn report(everything: bool) -> Sql {
    let rows =
        if everything { sql!("true") } else { sql!("i.status IN ('quarantined', 'duplicate') OR f.rn IS NOT NULL") };
    sql!(
        "SELECT COALESCE(i.rn, f.rn), COALESCE(i.original_id, f.original_id)::text, COALESCE(i.status, 'invalid'),
           COALESCE(f.field, CASE i.status WHEN 'quarantined' THEN i.rule_field WHEN 'duplicate' THEN 'original_id' END),
           CASE WHEN f.rn IS NOT NULL THEN f.reason || CASE WHEN i.rn IS NOT NULL THEN ': left out' ELSE '' END
                WHEN i.status = 'quarantined' THEN i.rule
                WHEN i.status = 'duplicate' THEN concat('row ', i.first, ' of the source has it') END,
           COALESCE(f.sqlstate, CASE i.status WHEN 'duplicate' THEN '23505' END)
         FROM item AS i FULL JOIN fault AS f ON f.rn = i.rn
         WHERE {rows} ORDER BY 1, 4",
        rows
    )
}

/// Names of staged users that log in.
pub const FIND_LOGINS: &str = "
SELECT n.site_id, n.original_id, n.kind, n.value, n.key, s.username AS original,
  CASE n.kind WHEN 'email' THEN s.email_verified WHEN 'phone' THEN s.phone_verified ELSE false END AS verified
FROM identity.staged_identifiers AS n
JOIN identity.staged_identities AS s USING (realm, site_id, original_id)
WHERE n.realm = $1 AND n.logs_in AND s.state = 'staged'";

/// Those of them that came after they had become somebody's former name.
pub const FIND_LATE: &str = "
SELECT DISTINCT l.key, l.site_id, l.original_id, l.kind FROM identity_internal.late_names AS l WHERE l.realm = $1";

/// Keys of them that somebody else has too, or keeps.
pub const FIND_REPEATED: &str = "
SELECT l.key FROM login AS l GROUP BY l.key HAVING count(*) > 1
UNION
SELECT l.key FROM late AS l
UNION
SELECT l.key FROM login AS l JOIN identity.identifiers AS i ON i.realm = $1 AND i.key = l.key";

/// Everybody who has one of these keys, and to whom it is left: first the main tables; then those who had it before it became a former name; then whose
/// former name it is, who is in no group but to be found there; then whose address it is, for a username that reads as an address is none, and a
/// verified address beats others; then sites without a prefix; then by site and original_id.
pub const GROUP: &str = r#"
SELECT g.site_id, g.site, g.original_id, g.row_order, g.kind, g.value, g.key, g.original, g.prefix, g.holder, g.keeper, g.duplicate_of
FROM (
  SELECT m.*, first_value(m.holder) OVER w AS keeper, first_value(m.described) OVER w AS duplicate_of
  FROM (
    SELECT NULL::int AS site_id, NULL AS site, NULL AS original_id, NULL::numeric AS row_order, i.kind, i.value, i.key, NULL AS original,
      NULL AS prefix, NULL::bool AS verified, i.identity_id::text AS holder,
      jsonb_build_object('identity_id', i.identity_id, 'kind', i.kind, 'login', i.value) AS described, 0 AS rank
    FROM identity.identifiers AS i JOIN repeated AS r ON r.key = i.key WHERE i.realm = $1
    UNION ALL
    SELECT l.site_id, t.name, l.original_id, CASE WHEN l.original_id ~ '^-?[0-9]{1,100}$' THEN l.original_id::numeric END, l.kind,
      l.value, l.key, l.original, t.prefix, l.verified, concat(l.site_id, ' ', l.original_id),
      jsonb_build_object('site', t.name, 'site_id', l.site_id, 'row_id', l.original_id, 'kind', l.kind, 'login', l.value),
      CASE WHEN a.key IS NULL THEN 1 ELSE 3 END
    FROM login AS l JOIN repeated AS r ON r.key = l.key
    JOIN identity.sites AS t ON t.realm = $1 AND t.site_id = l.site_id
    LEFT JOIN late AS a ON a.key = l.key AND a.site_id = l.site_id AND a.original_id = l.original_id AND a.kind = l.kind
    UNION ALL
    SELECT f.site_id, t.name, f.original_id, NULL, f.kind, f.value, f.key, NULL, NULL, f.verified, concat(f.site_id, ' ', f.original_id),
      jsonb_build_object('site', t.name, 'site_id', f.site_id, 'row_id', f.original_id, 'kind', f.kind, 'login', f.value, 'via', 'former name'), 2
    FROM (SELECT DISTINCT a.key FROM late AS a) AS a
    JOIN identity_internal.former_names AS f ON f.realm = $1 AND f.key = a.key
    JOIN identity.sites AS t ON t.realm = $1 AND t.site_id = f.site_id) AS m
  WINDOW w AS (
    PARTITION BY m.key ORDER BY m.rank, m.kind = 'username', NOT m.verified, m.prefix IS NOT NULL, m.site_id, m.row_order, m.original_id)) AS g
WHERE g.rank <> 2"#;

/// The usernames that get another one, in order. A name that reads as an address would be another address with a prefix: its @ goes.
pub const FIND_PENDING: &str = "
SELECT row_number() OVER (ORDER BY g.site_id, g.row_order, g.original_id) AS n, g.site_id, g.original_id, g.prefix,
  CASE WHEN strpos(g.key, '@') > 0 THEN replace(normalize(g.original, NFKC), '@', '.') ELSE g.original END AS login
FROM grouped AS g
WHERE g.holder <> g.keeper AND g.kind = 'username' AND g.prefix IS NOT NULL
ORDER BY 1";

/// The same with their new names.
pub const FIND_RENAMED: &str = "
SELECT p.n, p.site_id, p.original_id, a.login AS new_login, a.key AS new_key, a.counter FROM pending AS p JOIN allotted AS a ON a.n = p.n";

/// The prefixes of sites.
pub const PREFIXES: &str =
    "SELECT array_agg(DISTINCT t.prefix) FROM identity.sites AS t WHERE t.realm = $1 AND t.prefix IS NOT NULL";

/// Keys that somebody has or had, as far as they begin as a new name would: with one of `$2`.
pub const TAKEN: &str = r#"
SELECT k.key::text FROM (SELECT h.head COLLATE "C" AS prefix FROM unnest($2) AS h (head)) AS p
CROSS JOIN LATERAL (
  SELECT i.key FROM identity.identifiers AS i WHERE i.realm = $1 AND starts_with(i.key, p.prefix)
  UNION ALL
  SELECT n.key FROM identity.staged_identifiers AS n WHERE n.realm = $1 AND starts_with(n.key, p.prefix)
  UNION ALL
  SELECT f.old_key FROM identity.former_logins AS f WHERE f.realm = $1 AND starts_with(f.old_key, p.prefix)) AS k"#;

pub const RECORD_RUN: &str = "
INSERT INTO identity.site_dedup_runs (realm, run_id, run_by, renamed, withdrawn, proposed) VALUES ($1, $2::uuid, $3, 0, 0, 0)";

/// Usernames get their new value, addresses stop being login names; both are recorded, and the renamed told.
pub const APPLY: [&str; 4] = [
    "INSERT INTO identity.former_logins (realm, run_id, site_id, original_id, kind, old_value, old_key, new_value, new_key, duplicate_of)
     SELECT $1, $2::uuid, g.site_id, g.original_id, g.kind, g.value, g.key, p.new_login, p.new_key, g.duplicate_of
     FROM grouped AS g
     LEFT JOIN renamed AS p ON p.site_id = g.site_id AND p.original_id = g.original_id AND g.kind = 'username'
     WHERE g.holder <> g.keeper AND (g.kind <> 'username' OR p.n IS NOT NULL)",
    "UPDATE identity.staged_identifiers AS n
     SET value = COALESCE(f.new_value, n.value), key = COALESCE(f.new_key, n.key), logs_in = f.new_value IS NOT NULL
     FROM identity.former_logins AS f
     WHERE f.realm = $1 AND f.run_id = $2::uuid AND n.realm = $1 AND n.site_id = f.site_id AND n.original_id = f.original_id
       AND n.kind = f.kind",
    "INSERT INTO identity.notices (realm, site_id, original_id, run_id, channel, address, old_login, new_login, state)
     SELECT $1, f.site_id, f.original_id, f.run_id, a.kind, a.value, f.old_value, f.new_value, CASE WHEN a.kind IS NULL THEN 'skipped' ELSE 'pending' END
     FROM identity.former_logins AS f
     LEFT JOIN LATERAL (
       SELECT n.kind, n.value FROM identity.staged_identifiers AS n
       WHERE n.realm = $1 AND n.site_id = f.site_id AND n.original_id = f.original_id AND n.kind <> 'username'
       ORDER BY n.kind LIMIT 1) AS a ON true
     WHERE f.realm = $1 AND f.run_id = $2::uuid AND f.kind = 'username'
     ORDER BY f.site_id, f.original_id",
    "INSERT INTO identity.link_proposals (realm, site_id, original_id, identity_id, kind, address)
     SELECT DISTINCT ON (s.site_id, s.original_id, a.identity_id) $1, s.site_id, s.original_id, a.identity_id, n.kind, n.value
     FROM identity.staged_identities AS s
     JOIN identity.staged_identifiers AS n USING (realm, site_id, original_id)
     JOIN identity.addresses AS a ON a.realm = $1 AND a.role = 'verifiable' AND a.via = CASE n.kind WHEN 'email' THEN 'email' ELSE 'sms' END AND a.key = n.key AND a.verified
     WHERE s.realm = $1 AND s.state = 'staged' AND (n.kind = 'email' AND s.email_verified OR n.kind = 'phone' AND s.phone_verified)
     ORDER BY s.site_id, s.original_id, a.identity_id, n.kind
     ON CONFLICT DO NOTHING",
];

pub const COUNT_RUN: &str = "
UPDATE identity.site_dedup_runs AS r SET proposed = $3,
  renamed = (SELECT count(*) FROM identity.former_logins AS f WHERE f.realm = $1 AND f.run_id = $2::uuid AND f.kind = 'username'),
  withdrawn = (SELECT count(*) FROM identity.former_logins AS f WHERE f.realm = $1 AND f.run_id = $2::uuid AND f.kind <> 'username')
WHERE r.realm = $1 AND r.run_id = $2::uuid";

pub const REPORT_DEDUP: &str = "
SELECT $2::uuid, g.site::text, g.original_id::text, g.value::text, CASE WHEN g.kind = 'username' THEN COALESCE(p.new_login, g.value)::text END,
  g.duplicate_of,
  CASE WHEN g.kind <> 'username' THEN concat('it is another''s login name, and stays a contact', CASE WHEN NOT EXISTS (
         SELECT FROM identity.staged_identifiers AS n
         WHERE n.realm = $1 AND n.site_id = g.site_id AND n.original_id = g.original_id AND n.logs_in) THEN '; no login name is left' END)
       WHEN p.n IS NULL THEN 'users of a site without a prefix are not renamed'
       ELSE concat('the site''s prefix', CASE WHEN p.counter > 1 THEN ', and a counter: the name was taken' END) END,
  g.kind::text
FROM grouped AS g
LEFT JOIN renamed AS p ON p.site_id = g.site_id AND p.original_id = g.original_id AND g.kind = 'username'
WHERE g.holder <> g.keeper ORDER BY g.site_id, g.row_order, g.original_id, g.kind";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::golden::Golden;

    /// No statement has anything in it that came from a caller.
    #[test]
    fn golden_statements() {
        let mut golden = Golden::default();
        for (found, how) in [(Found::InBulk, "in bulk"), (Found::ByIndex, "by index")] {
            golden.add(&format!("decide {how}"), [decide(found), lock(found)]);
            golden.add(&format!("write {how}"), write(found));
        }
        golden.add("report", [report(true), report(false)]);
        golden.check("src/consolidation/sites/statements.golden.sql");
    }
}
