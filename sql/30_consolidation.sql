-- Consolidation on the user's own table: duplicate login names of several sites are found, renamed, and given back.
--
-- Security: the functions run as their caller. They read and update the target with the caller's rights, under the caller's
-- row-level security; only the record of a run is read and written as the owner of the extension, when the table and the caller's
-- list have been read to their ends, and with rows that nothing of the caller's can name.

CREATE TABLE identity.dedup_runs (
    run_id uuid PRIMARY KEY,
    target text NOT NULL,
    target_oid oid NOT NULL,
    origin text NOT NULL,
    login text NOT NULL,
    site text NOT NULL,
    row_id text NOT NULL,
    flag text,
    normalize text NOT NULL,
    prefixes jsonb NOT NULL,
    keep text NOT NULL,
    run_by name NOT NULL DEFAULT CURRENT_USER,
    started_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    renamed bigint NOT NULL
);
SELECT pg_catalog.pg_extension_config_dump('identity.dedup_runs', '');
COMMENT ON TABLE identity.dedup_runs IS 'One row a run of identity.dedup_logins()';
COMMENT ON COLUMN identity.dedup_runs.run_id IS 'Time-ordered identifier of the run';
COMMENT ON COLUMN identity.dedup_runs.target IS 'The table, qualified, as its name was';
COMMENT ON COLUMN identity.dedup_runs.target_oid IS 'Its oid, by which an undo finds it in the database of the run, whatever its name is by then';
COMMENT ON COLUMN identity.dedup_runs.origin IS 'The cluster and the database of the run; in another one, restored from a dump, the table is found by its name';
COMMENT ON COLUMN identity.dedup_runs.login IS 'Its column of login names';
COMMENT ON COLUMN identity.dedup_runs.site IS 'Its column of sites';
COMMENT ON COLUMN identity.dedup_runs.row_id IS 'Its column by which a row is found again among those of its site';
COMMENT ON COLUMN identity.dedup_runs.flag IS 'Its column that was set on renamed rows, if one was named';
COMMENT ON COLUMN identity.dedup_runs.normalize IS 'How names were compared: exact, username or email';
COMMENT ON COLUMN identity.dedup_runs.prefixes IS 'The prefix of each site';
COMMENT ON COLUMN identity.dedup_runs.keep IS 'first or none';
COMMENT ON COLUMN identity.dedup_runs.run_by IS 'The role that ran it, and may undo it';
COMMENT ON COLUMN identity.dedup_runs.started_at IS 'When its names were given, by the clock';
COMMENT ON COLUMN identity.dedup_runs.renamed IS 'Rows that got another name';

CREATE TABLE identity.dedup_rows (
    run_id uuid NOT NULL,
    row_number bigint NOT NULL,
    site text COLLATE "C",
    row_id text COLLATE "C" NOT NULL,
    login_key text COLLATE "C" NOT NULL,
    keeper_site text COLLATE "C",
    keeper text COLLATE "C" NOT NULL,
    old_login text COLLATE "C" NOT NULL,
    new_login text COLLATE "C",
    old_flag text,
    restored boolean NOT NULL DEFAULT false,
    PRIMARY KEY (run_id, row_number)
);
SELECT pg_catalog.pg_extension_config_dump('identity.dedup_rows', '');
COMMENT ON TABLE identity.dedup_rows IS 'The rows that a run renamed, and those that it left with a name that others have; in a run a row is told by its site and its row_id';
COMMENT ON COLUMN identity.dedup_rows.run_id IS 'The run';
COMMENT ON COLUMN identity.dedup_rows.row_number IS 'Number of the row within the run: in the order of sites and row_ids';
COMMENT ON COLUMN identity.dedup_rows.site IS 'The site of the row, as text';
COMMENT ON COLUMN identity.dedup_rows.row_id IS 'The row of the target within its site, as text';
COMMENT ON COLUMN identity.dedup_rows.login_key IS 'What its group had in common';
COMMENT ON COLUMN identity.dedup_rows.keeper_site IS 'The site of the first row of its group, which kept the name unless keep was none';
COMMENT ON COLUMN identity.dedup_rows.keeper IS 'The row_id of that row';
COMMENT ON COLUMN identity.dedup_rows.old_login IS 'Its name before the run';
COMMENT ON COLUMN identity.dedup_rows.new_login IS 'Its name after it; NULL where it kept the old one';
COMMENT ON COLUMN identity.dedup_rows.old_flag IS 'The flag column before the run';
COMMENT ON COLUMN identity.dedup_rows.restored IS 'The old name was given back';

CREATE FUNCTION identity_internal.dedup_note(login text) RETURNS boolean
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'dedup_note_wrapper';
COMMENT ON FUNCTION identity_internal.dedup_note(text) IS 'Internal: shows a login name to the run in progress';

CREATE FUNCTION identity_internal.dedup_may_repeat(login text) RETURNS boolean
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'dedup_may_repeat_wrapper';
COMMENT ON FUNCTION identity_internal.dedup_may_repeat(text) IS 'Internal: whether a login name may come twice in the run in progress';

CREATE FUNCTION identity_internal.dedup_keep("table" oid, place tid, site text, row_id text, login text, flag text) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000
AS 'MODULE_PATHNAME', 'dedup_keep_wrapper';
COMMENT ON FUNCTION identity_internal.dedup_keep(oid, tid, text, text, text, text) IS 'Internal: keeps a row for the run in progress';

CREATE FUNCTION identity.find_duplicates(
    target regclass, login text, site text, row_id text, "normalize" text = 'username')
RETURNS TABLE (login_key text, members int, sites text[], rows jsonb, keeper jsonb)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'find_duplicates_wrapper';
COMMENT ON FUNCTION identity.find_duplicates(regclass, text, text, text, text) IS
'Finds the login names that several rows of a table share.
login, site, row_id: columns of the target. normalize: exact (as it is), username (identity.normalize_identifier) or email. SQL has the word for itself: write "normalize" => ''exact'', with the quotes.
row_id tells a row of its site: it need be unique within each site only.
Returns a row for each name that comes twice: what the rows have in common, how many they are, their sites, the rows in order, and the one that comes first (by site, then by row_id; as numbers where they are numbers).
It writes nothing, and runs in a read-only transaction and on a standby. Errors: 42703 no such column, 22023 bad argument, 42809 target is no table.';

CREATE FUNCTION identity.dedup_logins(
    target regclass,
    login text,
    site text,
    row_id text,
    prefixes jsonb,
    flag text = NULL,
    keep text = 'first',
    "normalize" text = 'username',
    max_length int = NULL,
    reserved text = NULL,
    dry_run boolean = false)
RETURNS TABLE (run_id uuid, site text, row_id text, old_login text, new_login text, duplicate_of jsonb, reason text)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'dedup_logins_wrapper';
COMMENT ON FUNCTION identity.dedup_logins(regclass, text, text, text, jsonb, text, text, text, int, text, boolean) IS
'Renames the rows of a table that share a login name, so that after one pass no two rows share one.
prefixes: {"site": "prefix"}; a site without one is the main site, whose rows are never renamed. A new name is prefix and old name, cut to max_length (the column''s own limit if that is smaller), with a counter when it is taken.
keep: first (one row of a group keeps its name: one of the main site, else the first by site and row_id) or none (every row of a site with a prefix is renamed).
row_id tells a row of its site: it need be unique within each site only. flag: an int or boolean column that is set on renamed rows. reserved: a relation or query with one column of names that are never given. dry_run: the same report, nothing written; it runs in a read-only transaction and on a standby.
Returns a row for each renamed row, and for each row that should be renamed and cannot be, with the reason.
The table is locked against other writers until the end of the transaction, for all its names have to be known; rights are checked before. Errors: 42703 no such column, 22023 bad argument, 42501 missing right.';

CREATE FUNCTION identity.undo_dedup(run_id uuid, dry_run boolean = false, target regclass = NULL)
RETURNS TABLE (site text, row_id text, login text, restored text, status text, reason text)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'undo_dedup_wrapper';
COMMENT ON FUNCTION identity.undo_dedup(uuid, boolean, regclass) IS
'Gives the rows that a run of identity.dedup_logins() renamed their old names back, and their flag.
The table is the one of the run, also where it was renamed or moved to another schema since; another table that has its name by now is not touched. In a database that was restored from a dump it is the table that has its name. target: the table, where it was made anew.
A row is found by its site and its row_id. status: restored; changed (the row has another name by now), missing (there is no such row), taken (a row that was no member of the group has the old name now) or refused (by the table). A row that was restored before is not touched again.
The table is locked against other writers until the end of the transaction; a dry run writes, and rolls back. Run it as the role that made the run, or a member of it. Errors: 42704 no such run, 42501 another''s run, 42P01 the table is gone.';
