-- Bulk import with a report that names every conflict.
--
-- Security: the functions run as their caller. They read the source and write the target with the caller's
-- rights, under the caller's row-level security; only the row in identity.import_runs is written as the owner of the extension.

CREATE TABLE identity.import_runs (
    run_id uuid PRIMARY KEY,
    target text NOT NULL,
    realm text,
    source text NOT NULL,
    on_conflict text NOT NULL,
    outcome text NOT NULL CHECK (outcome OPERATOR(pg_catalog.=) ANY ('{imported,given up}'::pg_catalog.text[])),
    run_by name NOT NULL,
    started_at timestamptz NOT NULL,
    duration interval NOT NULL,
    rows_total bigint NOT NULL,
    inserted bigint NOT NULL,
    updated bigint NOT NULL,
    conflict bigint NOT NULL,
    duplicate bigint NOT NULL,
    invalid bigint NOT NULL,
    suppressed bigint NOT NULL,
    withheld bigint NOT NULL,
    CONSTRAINT counts_add_up CHECK (
        inserted OPERATOR(pg_catalog.+) updated OPERATOR(pg_catalog.+) conflict OPERATOR(pg_catalog.+) duplicate
        OPERATOR(pg_catalog.+) invalid OPERATOR(pg_catalog.+) suppressed OPERATOR(pg_catalog.+) withheld
        OPERATOR(pg_catalog.=) rows_total)
);
SELECT pg_catalog.pg_extension_config_dump('identity.import_runs', '');

COMMENT ON TABLE identity.import_runs IS 'One row an import: what came from where, and how many rows ended in which status. The counts add up to rows_total.';
COMMENT ON COLUMN identity.import_runs.run_id IS 'Time-ordered identifier of the run, as the report has it';
COMMENT ON COLUMN identity.import_runs.target IS 'The table imported into, qualified';
COMMENT ON COLUMN identity.import_runs.realm IS 'The realm of the store imported into; NULL for a table of the user';
COMMENT ON COLUMN identity.import_runs.source IS 'The source as the caller gave it; of identities, which may hold secrets, a relation''s name or the kind of source';
COMMENT ON COLUMN identity.import_runs.on_conflict IS 'skip, update or abort; a run with error that failed leaves no row';
COMMENT ON COLUMN identity.import_runs.outcome IS 'imported; or given up: nothing was written, because of on_conflict or max_problems';
COMMENT ON COLUMN identity.import_runs.run_by IS 'The role that ran it';
COMMENT ON COLUMN identity.import_runs.started_at IS 'When it began, by the clock';
COMMENT ON COLUMN identity.import_runs.duration IS 'How long it took';
COMMENT ON COLUMN identity.import_runs.rows_total IS 'Rows of the source';
COMMENT ON COLUMN identity.import_runs.inserted IS 'Rows that went in as new';
COMMENT ON COLUMN identity.import_runs.updated IS 'Rows that updated the row found by match_on';
COMMENT ON COLUMN identity.import_runs.conflict IS 'Rows of which a key is held by an existing row, and which are not invalid';
COMMENT ON COLUMN identity.import_runs.duplicate IS 'Rows of which a key was taken by an earlier row of the source, and nothing worse';
COMMENT ON COLUMN identity.import_runs.invalid IS 'Rows that break a rule of their own: type, length, NOT NULL, CHECK, foreign key, trigger';
COMMENT ON COLUMN identity.import_runs.suppressed IS 'Rows that a BEFORE trigger dropped';
COMMENT ON COLUMN identity.import_runs.withheld IS 'Clean rows of a run that was given up';

CREATE VIEW identity.import_progress AS
SELECT p.pid,
       a.usename AS run_by,
       CASE WHEN p.param16 OPERATOR(pg_catalog.<>) 0 THEN pg_catalog.concat(
           pg_catalog.lpad(pg_catalog.to_hex(p.param16), 16, '0'),
           pg_catalog.lpad(pg_catalog.to_hex(p.param17), 16, '0'))::pg_catalog.uuid END AS run_id,
       p.relid::pg_catalog.regclass AS target,
       ('{reading,checking,writing,reporting,indexing}'::pg_catalog.text[])[p.param12] AS phase,
       p.param14 AS rows_done,
       p.param13 AS rows_total,
       p.param15 AS problems
FROM pg_catalog.pg_stat_get_progress_info('COPY') AS p
JOIN pg_catalog.pg_stat_activity AS a ON a.pid OPERATOR(pg_catalog.=) p.pid
WHERE p.param11 OPERATOR(pg_catalog.=) 1885825380
  AND a.datname OPERATOR(pg_catalog.=) pg_catalog.current_database();

COMMENT ON VIEW identity.import_progress IS 'Imports, stagings and deduplications of sites that are running in this database, as far as the reader may see other sessions (those of the reader''s own role, or all with pg_read_all_stats)';
COMMENT ON COLUMN identity.import_progress.pid IS 'Process of the session that imports: pg_cancel_backend(pid) stops it';
COMMENT ON COLUMN identity.import_progress.run_by IS 'The session''s user';
COMMENT ON COLUMN identity.import_progress.run_id IS 'The run, as identity.import_runs or identity.site_dedup_runs will have it after its commit; NULL of identity.stage_site(), which has no record';
COMMENT ON COLUMN identity.import_progress.target IS 'The table imported into; identity.staged_identities of identity.stage_site(), identity.staged_identifiers of identity.dedup_site_logins()';
COMMENT ON COLUMN identity.import_progress.phase IS 'reading the source, checking it, writing what is clean, indexing (the indexes of many rows are filled after the rows are written), or reporting';
COMMENT ON COLUMN identity.import_progress.rows_done IS 'Rows handed to the executor in the phase writing; in the phase indexing, about how many of the rows that were written last are in the indexes';
COMMENT ON COLUMN identity.import_progress.rows_total IS 'Rows of the source; 0 while it is being read';
COMMENT ON COLUMN identity.import_progress.problems IS 'Rows with a problem so far';

CREATE FUNCTION identity.import_rows(
    target regclass,
    source text,
    on_conflict text = 'skip',
    match_on text[] = NULL,
    dry_run boolean = false,
    report text = 'problems',
    max_problems bigint = NULL,
    row_id text = NULL)
RETURNS TABLE (
    run_id uuid,
    row_number bigint,
    row_id text,
    status text,
    constraint_name text,
    columns text[],
    key jsonb,
    existing jsonb,
    winner_row bigint,
    sqlstate text,
    message text)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'import_rows_wrapper';

COMMENT ON FUNCTION identity.import_rows(regclass, text, text, text[], boolean, text, bigint, text) IS
'Imports the rows of source (a relation''s name, or one query) into target, as if they were inserted one by one in source order, and reports each row that does not go in.
on_conflict: skip (import the rest), update (the row found by match_on is updated), abort (nothing goes in if anything is wrong), error (as abort, but raises).
match_on: the columns of the unique key that finds the row to update.
dry_run: the same report, nothing written.
report: problems, all (inserted and updated rows too), counts (one row, for \gset: row_number is the number of rows of the source, status is imported or given up, message has the counts by status as a JSON object) or none.
max_problems: with more problem rows than this nothing is imported.
row_id: a column of the source whose value the report repeats.
Returns a row for each constraint that a row breaks; status is inserted, updated, conflict, duplicate, invalid or suppressed.
Errors: 22023 bad argument, 42501 missing right, 42703 unknown column, 42809 target is no table, 25006 read-only transaction, 23000 with on_conflict => error.';

-- Used inside the statements of an import, and of no use elsewhere: they read and change numbers in the session's own memory, and
-- nothing where no import is running.
CREATE FUNCTION identity_internal.import_mark(row_number bigint, rows int = 1) RETURNS boolean
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 1
AS 'MODULE_PATHNAME', 'import_mark_wrapper';
COMMENT ON FUNCTION identity_internal.import_mark(bigint, int) IS 'Internal: notes which source row the executor has in hand; rows: how many it stands for';

CREATE FUNCTION identity_internal.import_mark(row_number bigint, place tid) RETURNS boolean
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 1
AS 'MODULE_PATHNAME', 'import_mark_at_wrapper';
COMMENT ON FUNCTION identity_internal.import_mark(bigint, tid) IS 'Internal: as import_mark(bigint, int), after the row of the target has been found';

CREATE FUNCTION identity_internal.import_take(row_number bigint) RETURNS boolean
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 1
AS 'MODULE_PATHNAME', 'import_take_wrapper';
COMMENT ON FUNCTION identity_internal.import_take(bigint) IS 'Internal: whether a source row is to go in; if so, notes that the executor has it in hand';

CREATE FUNCTION identity_internal.import_current() RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1
AS 'MODULE_PATHNAME', 'import_current_wrapper';
COMMENT ON FUNCTION identity_internal.import_current() IS 'Internal: the source row that was noted last';

CREATE FUNCTION identity_internal.import_sieve_add(slot integer, hash bigint) RETURNS boolean
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 1
AS 'MODULE_PATHNAME', 'import_sieve_add_wrapper';
COMMENT ON FUNCTION identity_internal.import_sieve_add(integer, bigint) IS 'Internal: notes the hash of a key; true where it may have come before';

-- PARALLEL RESTRICTED: the filter is in the leader's memory; what it is asked about may come from workers.
CREATE FUNCTION identity_internal.import_sieve_holds(slot integer, hash bigint) RETURNS boolean
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED COST 1
AS 'MODULE_PATHNAME', 'import_sieve_holds_wrapper';
COMMENT ON FUNCTION identity_internal.import_sieve_holds(integer, bigint) IS 'Internal: whether the hash of a key may have been noted';
