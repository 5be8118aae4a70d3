-- The audit: who did what to whom, and when. Events are added and read, never changed.
--
-- Security: only the owner of the tables writes here, and only functions of the extension do it in its name. Each event has the hash
-- of the one before it in its lane, so that a change by one who can get past grants and triggers is found. A realm has as many lanes
-- as it needs: a transaction writes into one that no other holds; the upper half of their numbers is for databases that a subscription
-- fills with the others. Events are numbered within their lane while it is held, not by a sequence, so that a missing one is seen. A
-- foreign key to identity.realms is not wanted: the events of a realm outlive it.
--
-- What rows were before and are after is in identity.audit_values, apart from the chains, which have its digest: so a person's values
-- can be erased. Triggers on all other tables (sql/85_record.sql) write both.

CREATE TABLE identity.audit_heads (
    realm text COLLATE "C" NOT NULL,
    lane int NOT NULL,
    seq bigint NOT NULL DEFAULT 0,
    prev bytea NOT NULL DEFAULT '',
    hash bytea NOT NULL DEFAULT '',
    PRIMARY KEY (realm, lane)
) WITH (fillfactor = 50);
SELECT pg_catalog.pg_extension_config_dump('identity.audit_heads', '');
COMMENT ON TABLE identity.audit_heads IS 'The end of each chain of audit events';
COMMENT ON COLUMN identity.audit_heads.realm IS 'The realm; '''' for events that belong to none';
COMMENT ON COLUMN identity.audit_heads.lane IS 'The chain; from 524288 on for what is done in a database that a subscription fills with the events of another';
COMMENT ON COLUMN identity.audit_heads.seq IS 'The number of its last event';
COMMENT ON COLUMN identity.audit_heads.prev IS 'The hash of the event before that';
COMMENT ON COLUMN identity.audit_heads.hash IS 'The hash of its last event';

CREATE TABLE identity.audit_events (
    realm text COLLATE "C" NOT NULL,
    lane int NOT NULL,
    seq bigint NOT NULL,
    event_id bigint NOT NULL,
    at timestamptz NOT NULL,
    session_role text COLLATE "C" NOT NULL,
    acting_role text COLLATE "C" NOT NULL,
    application_name text COLLATE "C" NOT NULL,
    client_addr inet,
    action text COLLATE "C" NOT NULL,
    subject text COLLATE "C",
    detail jsonb NOT NULL,
    prev bytea NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (realm, lane, seq)
);
SELECT pg_catalog.pg_extension_config_dump('identity.audit_events', '');
COMMENT ON TABLE identity.audit_events IS 'What was done in each realm. Insert-only: identity.verify_audit() finds what was changed all the same, identity.expire_audit() removes what is old';
COMMENT ON COLUMN identity.audit_events.realm IS 'The realm; '''' for events that belong to none, but to the database';
COMMENT ON COLUMN identity.audit_events.lane IS 'The chain that the event is in';
COMMENT ON COLUMN identity.audit_events.seq IS 'Its number in the chain, without gaps';
COMMENT ON COLUMN identity.audit_events.event_id IS 'Its number in the realm: seq times 1048576, and lane';
COMMENT ON COLUMN identity.audit_events.at IS 'When, by the server''s clock';
COMMENT ON COLUMN identity.audit_events.session_role IS 'The role that logged in to the database';
COMMENT ON COLUMN identity.audit_events.acting_role IS 'The role that it worked as, by SET ROLE';
COMMENT ON COLUMN identity.audit_events.application_name IS 'The application, as it names itself';
COMMENT ON COLUMN identity.audit_events.client_addr IS 'The address that the database was reached from; NULL for a local socket';
COMMENT ON COLUMN identity.audit_events.action IS 'The function of the extension; or INSERT, UPDATE, DELETE or TRUNCATE and a table';
COMMENT ON COLUMN identity.audit_events.subject IS 'Whom or what it was done to: an identity, a role, a table';
COMMENT ON COLUMN identity.audit_events.detail IS 'What was done, without secrets; of rows that were changed, how many, and the digest of what identity.audit_values has of them';
COMMENT ON COLUMN identity.audit_events.prev IS 'The hash of the event before it in its lane; empty for the first';
COMMENT ON COLUMN identity.audit_events.hash IS 'SHA-256 of prev and of all else in this row';

-- Chunks fit a page as they are: only a row of more than that is compressed and stored apart.
CREATE TABLE identity.audit_values (
    realm text COLLATE "C" NOT NULL,
    lane int NOT NULL,
    seq bigint NOT NULL,
    chunk int NOT NULL,
    rows int NOT NULL,
    data bytea NOT NULL,
    PRIMARY KEY (realm, lane, seq, chunk)
) WITH (toast_tuple_target = 8160);
SELECT pg_catalog.pg_extension_config_dump('identity.audit_values', '');
COMMENT ON TABLE identity.audit_values IS 'What the rows that an event tells of were before and are after, many in one row. identity.audit_changes() returns them, identity.erase_audit_values() and identity.expire_audit_values() erase them';
COMMENT ON COLUMN identity.audit_values.realm IS 'The realm of the event';
COMMENT ON COLUMN identity.audit_values.lane IS 'Its lane';
COMMENT ON COLUMN identity.audit_values.seq IS 'Its number in the lane';
COMMENT ON COLUMN identity.audit_values.chunk IS 'From 0, in the order in which the rows were written';
COMMENT ON COLUMN identity.audit_values.rows IS 'How many rows it has';
COMMENT ON COLUMN identity.audit_values.data IS 'The rows: src/audit/changes.rs says in what form';

-- Nothing but its arguments takes part, and no setting of the session. It has no SET clause, so that it becomes part of the
-- statements that use it (tools/pgspot.sh knows).
CREATE FUNCTION identity_internal.audit_hash(
    prev bytea, realm text, lane int, seq bigint, at timestamptz, session_role text, acting_role text, application_name text,
    client_addr inet, action text, subject text, detail jsonb) RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT pg_catalog.sha256($1 OPERATOR(pg_catalog.||) pg_catalog.convert_to(
        pg_catalog.jsonb_build_array($2, $3, $4, EXTRACT(epoch FROM $5), $6, $7, $8, $9, $10, $11, $12)::pg_catalog.text, 'UTF8'))
$$;
COMMENT ON FUNCTION identity_internal.audit_hash(bytea, text, int, bigint, timestamptz, text, text, text, inet, text, text, jsonb) IS
'Internal: the hash of an event: SHA-256 of the hash before it and of a JSON array of its columns';

CREATE FUNCTION identity_internal.audit(realm text, action text, subject text, detail jsonb) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'audit_wrapper';
COMMENT ON FUNCTION identity_internal.audit(text, text, text, jsonb) IS
'Internal: adds an event, and returns its event_id. For functions that run as the owner of the extension; nobody else may call it';

CREATE FUNCTION identity_internal.values_digest(data bytea) RETURNS bytea
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'values_digest_wrapper';
COMMENT ON FUNCTION identity_internal.values_digest(bytea) IS 'Internal: the digest of the rows of identity.audit_values.data, the same whether values were erased or not; NULL where it is in no order';

CREATE FUNCTION identity_internal.values_erased(data bytea) RETURNS bigint
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'values_erased_wrapper';
COMMENT ON FUNCTION identity_internal.values_erased(bytea) IS 'Internal: how many of the rows of identity.audit_values.data were erased';

CREATE FUNCTION identity_internal.erase_values(data bytea, numbers int[]) RETURNS bytea
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'erase_values_wrapper';
COMMENT ON FUNCTION identity_internal.erase_values(bytea, int[]) IS 'Internal: identity.audit_values.data without the values of these rows';

CREATE FUNCTION identity_internal.values_rows(data bytea, columns text[], forms text)
RETURNS TABLE (number int, changed text[], old text, new text, erased boolean)
LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'values_rows_wrapper';
COMMENT ON FUNCTION identity_internal.values_rows(bytea, text[], text) IS 'Internal: the rows of identity.audit_values.data, by what the detail of the event says of its columns';

CREATE FUNCTION identity_internal.refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- identity.expire_audit() and its kin alone run as the owner of the table: they delete events, and delete or erase values.
    IF (TG_OP = 'DELETE' OR TG_OP = 'UPDATE' AND TG_TABLE_NAME = 'audit_values') AND current_user::regrole = (SELECT c.relowner FROM pg_class AS c WHERE c.oid = TG_RELID) THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'events of the audit cannot be changed or removed'
        USING ERRCODE = 'insufficient_privilege', DETAIL = format('%s on %I.%I.', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME),
              HINT = 'SELECT identity.expire_audit(realm, before) removes old events, and leaves that on record.';
END
$$;
COMMENT ON FUNCTION identity_internal.refuse_change() IS 'Internal: trigger of identity.audit_events and identity.audit_values';

CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON identity.audit_events
FOR EACH STATEMENT EXECUTE FUNCTION identity_internal.refuse_change();
CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON identity.audit_values
FOR EACH STATEMENT EXECUTE FUNCTION identity_internal.refuse_change();

-- pg_restore and the scripts of pg_dump load rows that have their events already. These settings are theirs; who owns the
-- extension could as well disable the trigger.
CREATE FUNCTION identity_internal.restoring() RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT current_setting('check_function_bodies') = 'off' AND current_setting('row_security') = 'off'
       AND pg_has_role(session_user, current_user, 'USAGE')
$$;
COMMENT ON FUNCTION identity_internal.restoring() IS 'Internal: whether the owner of the extension restores a dump in this session';

-- When this database got the extension: with a dump that is restored it gets it again.
DO $$
BEGIN
    EXECUTE pg_catalog.format(
        'CREATE FUNCTION identity_internal.installed_at() RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE
         SET search_path = pg_catalog, pg_temp AS %L', pg_catalog.format('SELECT %L::timestamptz', pg_catalog.clock_timestamp()));
END
$$;
COMMENT ON FUNCTION identity_internal.installed_at() IS 'Internal: when this database got the extension';

CREATE FUNCTION identity_internal.loading() RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT identity_internal.restoring() AND NOT EXISTS (
        SELECT FROM identity.audit_heads AS h JOIN identity.audit_events AS e USING (realm, lane, seq)
        WHERE e.at > identity_internal.installed_at())
$$;
COMMENT ON FUNCTION identity_internal.loading() IS
'Internal: whether rows come from a dump, which has their events too: a restore is going on, and nothing else has been done in this database yet';

CREATE FUNCTION identity_internal.record_changes() RETURNS trigger
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'record_changes_wrapper';
COMMENT ON FUNCTION identity_internal.record_changes() IS
'Internal: statement trigger that puts on record what a statement has changed: an event for each realm that its rows are of, and their values before and after. It has transition tables for both';

CREATE FUNCTION identity_internal.record_truncate() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    gone record;
    realm CONSTANT text := (
        SELECT format('t.%I', a.attname) FROM pg_attribute AS a
        WHERE a.attrelid = TG_RELID AND a.attname = CASE TG_TABLE_NAME WHEN 'realms' THEN 'name' ELSE 'realm' END AND NOT a.attisdropped);
    owner CONSTANT oid := (SELECT c.relowner FROM pg_class AS c WHERE c.oid = TG_RELID);
    any_rows boolean := false;
BEGIN
    IF NOT pg_has_role(owner, 'USAGE') THEN
        RAISE EXCEPTION 'permission denied to truncate table %', TG_TABLE_NAME
            USING ERRCODE = 'insufficient_privilege', DETAIL = 'It is on record, and the audit would not have what its rows were.',
                  HINT = 'Use DELETE, or run TRUNCATE as a superuser.';
    END IF;
    FOR gone IN EXECUTE format(
        'SELECT COALESCE(%s, %L) AS realm, count(*) AS rows FROM %s AS t GROUP BY 1 ORDER BY 1', COALESCE(realm, 'NULL'), '', TG_RELID::regclass)
    LOOP
        any_rows := true;
        PERFORM identity_internal.audit(gone.realm, 'TRUNCATE ' || TG_TABLE_NAME, NULL, jsonb_build_object('rows', gone.rows));
    END LOOP;
    IF NOT any_rows THEN
        PERFORM identity_internal.audit('', 'TRUNCATE ' || TG_TABLE_NAME, NULL, '{"rows": 0}');
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION identity_internal.record_truncate() IS
'Internal: statement trigger before a TRUNCATE: refuses it to all but the owner and superusers, and writes an event in each realm with the number of rows that go';

CREATE FUNCTION identity_internal.check_audited(realm text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF realm IS NULL OR realm <> '' AND NOT EXISTS (SELECT FROM identity.audit_heads AS h WHERE h.realm = check_audited.realm) THEN
        PERFORM identity_internal.check_realm(realm);
    END IF;
END
$$;
COMMENT ON FUNCTION identity_internal.check_audited(text) IS
'Internal: raises where there is no such realm and no event of one. '''' stands for the database itself';

CREATE FUNCTION identity_internal.check_past(before timestamptz, hint text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF before IS NULL OR before > clock_timestamp() THEN
        RAISE EXCEPTION 'before is no time in the past'
            USING ERRCODE = 'invalid_parameter_value', DETAIL = format('before is %s.', COALESCE(before::text, 'NULL')), HINT = hint;
    END IF;
END
$$;
COMMENT ON FUNCTION identity_internal.check_past(timestamptz, text) IS 'Internal: raises 22023 where before is NULL or in the future';

CREATE FUNCTION identity_internal.audit_checkpoint(realm text) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM identity_internal.check_audited(realm);
    RETURN jsonb_build_object('realm', realm, 'at', clock_timestamp(), 'heads', COALESCE((
        SELECT jsonb_agg(jsonb_build_object('lane', h.lane, 'seq', h.seq, 'hash', encode(h.hash, 'hex'), 'removed', COALESCE(
            (SELECT min(e.seq) - 1 FROM identity.audit_events AS e WHERE e.realm = h.realm AND e.lane = h.lane), h.seq)) ORDER BY h.lane)
        FROM identity.audit_heads AS h WHERE h.realm = audit_checkpoint.realm), '[]'));
END
$$;
COMMENT ON FUNCTION identity_internal.audit_checkpoint(text) IS 'Internal: what identity.audit_checkpoint() carries out';

CREATE FUNCTION identity.audit_checkpoint(realm text) RETURNS jsonb
LANGUAGE c STABLE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'auditor_gate_wrapper';
COMMENT ON FUNCTION identity.audit_checkpoint(text) IS
'The hashes that stand at the end of a realm''s audit now, to be kept where nobody who can write to this database gets at them. identity.verify_audit(realm, checkpoint) tells later whether all events up to then are as they were.
realm: '''' for the database itself. Errors: 42704 no such realm.';

CREATE FUNCTION identity_internal.audit_starts(realm text)
RETURNS TABLE (lane int, seq bigint, hash bytea)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT DISTINCT ON (s.lane) s.lane, s.seq, decode(s.hash, 'hex')
    FROM identity.audit_events AS e, jsonb_to_recordset(e.detail -> 'removed') AS s (lane int, seq bigint, hash text)
    WHERE e.realm = audit_starts.realm AND e.action = 'expire_audit'
    ORDER BY s.lane, s.seq DESC
$$;
COMMENT ON FUNCTION identity_internal.audit_starts(text) IS
'Internal: the last event of each lane that identity.expire_audit() removed, as its own events have it';

CREATE FUNCTION identity_internal.verify_audit(realm text, checkpoint jsonb)
RETURNS TABLE (lane int, events bigint, intact boolean, first_broken bigint, removed bigint, missing bigint, erased bigint)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
BEGIN
    PERFORM identity_internal.check_audited(realm);
    IF checkpoint IS NOT NULL
       AND (jsonb_typeof(checkpoint -> 'heads') IS DISTINCT FROM 'array' OR checkpoint ->> 'realm' IS DISTINCT FROM realm) THEN
        RAISE EXCEPTION 'checkpoint is not one of this realm'
            USING ERRCODE = 'invalid_parameter_value', DETAIL = format('The realm is "%s".', realm),
                  HINT = 'Give what identity.audit_checkpoint(realm) returned, or leave it out.';
    END IF;
    RETURN QUERY
    WITH heads AS (SELECT h.lane, h.seq, h.hash FROM identity.audit_heads AS h WHERE h.realm = verify_audit.realm),
    starts AS MATERIALIZED (SELECT s.lane, s.seq, s.hash FROM identity_internal.audit_starts(verify_audit.realm) AS s),
    known AS (
        SELECT k.lane, k.seq, decode(k.hash, 'hex') AS hash, COALESCE(k.removed, 0) AS removed
        FROM jsonb_to_recordset(checkpoint -> 'heads') AS k (lane int, seq bigint, hash text, removed bigint)),
    -- Lanes that the chains of the database have announced.
    opened AS (
        SELECT (o.detail ->> 'lane')::int AS lane FROM identity.audit_events AS o
        WHERE o.realm = '' AND o.action = 'open_lane' AND o.subject = verify_audit.realm
        UNION
        SELECT n.lane::int FROM identity.audit_events AS o, jsonb_array_elements_text(o.detail -> 'lanes') AS n (lane)
        WHERE verify_audit.realm = '' AND o.realm = '' AND o.action = 'open_lane' AND o.subject IS NULL),
    erasures AS (
        SELECT t.event_id, sum(t.rows) AS rows FROM identity.audit_events AS e,
            jsonb_to_recordset(e.detail -> 'erased') AS t (event_id bigint, rows bigint)
        WHERE e.realm = verify_audit.realm AND e.action = 'erase_audit_values' GROUP BY t.event_id),
    contents AS (
        SELECT v.lane, v.seq, sha256(string_agg(identity_internal.values_digest(v.data), '' ORDER BY v.chunk)) AS digest,
               sum(identity_internal.values_erased(v.data))::bigint AS erased
        FROM identity.audit_values AS v WHERE v.realm = verify_audit.realm GROUP BY v.lane, v.seq),
    expired AS MATERIALIZED (
        SELECT max((x.detail ->> 'before')::timestamptz) AS before FROM identity.audit_events AS x
        WHERE x.realm = verify_audit.realm AND x.action = 'expire_audit_values'),
    checked AS (
        SELECT e.lane, e.seq, e.hash, e.prev,
               e.event_id = e.seq * 1048576 + e.lane AND e.hash = identity_internal.audit_hash(
                   e.prev, e.realm, e.lane, e.seq, e.at, e.session_role, e.acting_role, e.application_name, e.client_addr,
                   e.action, e.subject, e.detail)
               AND COALESCE(CASE WHEN NOT e.detail ? 'values' THEN c.lane IS NULL
                                 WHEN c.lane IS NULL THEN e.at < x.before
                                 ELSE encode(c.digest, 'hex') = e.detail ->> 'values' AND c.erased = COALESCE(t.rows, 0) END, false) AS unchanged,
               COALESCE(c.erased, CASE WHEN e.detail ? 'values' THEN (e.detail ->> 'rows')::bigint END, 0) AS erased
        FROM identity.audit_events AS e
        CROSS JOIN expired AS x
        LEFT JOIN contents AS c ON c.lane = e.lane AND c.seq = e.seq
        LEFT JOIN erasures AS t ON t.event_id = e.event_id
        WHERE e.realm = verify_audit.realm),
    chained AS (
        SELECT e.lane, e.seq, e.hash, e.erased, e.unchanged,
               COALESCE(s.seq, 0) + row_number() OVER w AS expected_seq,
               e.prev = COALESCE(lag(e.hash) OVER w, s.hash, '') AS follows
        FROM checked AS e LEFT JOIN starts AS s ON s.lane = e.lane
        WINDOW w AS (PARTITION BY e.lane ORDER BY e.seq)),
    read AS (
        SELECT c.lane, count(*) AS events, max(c.seq) AS last_seq, sum(c.erased)::bigint AS erased,
               min(c.expected_seq) FILTER (WHERE c.seq <> c.expected_seq OR NOT c.follows OR NOT c.unchanged) AS broken
        FROM chained AS c GROUP BY c.lane),
    ended AS (
        SELECT l.lane, COALESCE(r.events, 0) AS events, COALESCE(s.seq, 0) AS removed, COALESCE(r.erased, 0) AS erased, LEAST(
            r.broken,
            CASE WHEN h.lane IS NULL THEN 1
                 WHEN h.seq <> COALESCE(r.last_seq, s.seq, 0) THEN LEAST(h.seq, COALESCE(r.last_seq, s.seq, 0)) + 1
                 WHEN h.hash <> COALESCE(c.hash, s.hash, '') THEN h.seq END,
            (SELECT min(k.seq) FROM known AS k
             LEFT JOIN chained AS o ON o.lane = k.lane AND o.seq = k.seq
             WHERE k.lane = l.lane AND k.seq > 0 AND k.seq >= COALESCE(s.seq, 0)
               AND k.hash IS DISTINCT FROM COALESCE(o.hash, CASE WHEN s.seq = k.seq THEN s.hash END))) AS broken,
            CASE WHEN checkpoint IS NOT NULL THEN COALESCE(
                (SELECT GREATEST(k.seq - k.removed - (SELECT count(*) FROM chained AS o WHERE o.lane = k.lane AND o.seq <= k.seq), 0)
                 FROM known AS k WHERE k.lane = l.lane), 0) END AS missing
        FROM (SELECT h.lane FROM heads AS h UNION SELECT r.lane FROM read AS r UNION SELECT s.lane FROM starts AS s
              UNION SELECT k.lane FROM known AS k UNION SELECT o.lane FROM opened AS o) AS l
        LEFT JOIN heads AS h ON h.lane = l.lane
        LEFT JOIN read AS r ON r.lane = l.lane
        LEFT JOIN starts AS s ON s.lane = l.lane
        LEFT JOIN chained AS c ON c.lane = h.lane AND c.seq = h.seq)
    SELECT e.lane, e.events, e.broken IS NULL, e.broken * 1048576 + e.lane, e.removed, e.missing, e.erased FROM ended AS e ORDER BY e.lane;
    -- Nothing is left: a realm has had an event when it was added.
    IF NOT FOUND AND (EXISTS (SELECT FROM identity.realms AS r WHERE r.name = verify_audit.realm)
                      OR verify_audit.realm = '' AND EXISTS (SELECT FROM identity.audit_heads)) THEN
        RETURN QUERY SELECT NULL::int, 0::bigint, false, NULL::bigint, 0::bigint, CASE WHEN checkpoint IS NOT NULL THEN 0::bigint END, 0::bigint;
    END IF;
END
$$;
COMMENT ON FUNCTION identity_internal.verify_audit(text, jsonb) IS 'Internal: what identity.verify_audit() carries out';

CREATE FUNCTION identity.verify_audit(realm text, checkpoint jsonb = NULL)
RETURNS TABLE (lane int, events bigint, intact boolean, first_broken bigint, removed bigint, missing bigint, erased bigint)
LANGUAGE c STABLE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'auditor_gate_wrapper';
COMMENT ON FUNCTION identity.verify_audit(text, jsonb) IS
'Checks every event of a realm against the chain of hashes that it is in, and the values of its rows against the event.
checkpoint: what identity.audit_checkpoint(realm) returned earlier; without it a chain that was written anew as a whole passes.
Returns a row a lane: how many events it has; whether all are as they were written, and the event_id of the first that was changed, removed, inserted or moved; how many events identity.expire_audit() has removed, as the record says; how many of those that the checkpoint knows are missing, whatever the record says; how many rows of values were erased, as the record says. A lane that is gone is not intact. Reads the realm''s events whole; works on a standby.
realm: '''' for the database itself. Errors: 42704 no such realm, 22023 not a checkpoint of this realm.';

CREATE FUNCTION identity_internal.audit_changes(realm text, event_id bigint)
RETURNS TABLE (event bigint, table_name text, operation text, row_number bigint, changed text[], old jsonb, new jsonb, erased boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
BEGIN
    PERFORM identity_internal.check_audited(realm);
    RETURN QUERY
    SELECT e.event_id, split_part(e.action, ' ', 2), split_part(e.action, ' ', 1),
           row_number() OVER (PARTITION BY e.seq ORDER BY v.chunk, r.number), r.changed, r.old::jsonb, r.new::jsonb, r.erased
    FROM identity.audit_events AS t
    JOIN identity.audit_events AS e ON e.realm = t.realm AND e.lane = t.lane
        AND e.seq BETWEEN COALESCE((t.detail ->> 'first_event')::bigint / 1048576, t.seq) AND t.seq
    JOIN identity.audit_values AS v ON v.realm = e.realm AND v.lane = e.lane AND v.seq = e.seq
    CROSS JOIN LATERAL identity_internal.values_rows(
        v.data, ARRAY(SELECT c FROM jsonb_array_elements_text(e.detail -> 'columns') AS c), e.detail ->> 'forms') AS r
    WHERE t.realm = $1 AND t.lane = $2 % 1048576 AND t.seq = $2 / 1048576 AND (e.seq = t.seq OR e.action <> 'INSERT import_runs')
    ORDER BY e.seq, v.chunk, r.number;
END
$$;
COMMENT ON FUNCTION identity_internal.audit_changes(text, bigint) IS 'Internal: what identity.audit_changes() carries out';

CREATE FUNCTION identity.audit_changes(realm text, event_id bigint)
RETURNS TABLE (event bigint, table_name text, operation text, row_number bigint, changed text[], old jsonb, new jsonb, erased boolean)
LANGUAGE c STABLE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'auditor_gate_wrapper';
COMMENT ON FUNCTION identity.audit_changes(text, bigint) IS
'The rows that an event of the audit tells of, in the order in which they were written: what each was before and is after. Of the event of an import: all rows that the import has written into the store.
changed: the columns that an UPDATE has changed. In the place of a secret stands {"withheld": scheme}. erased: the values were erased since.
realm: '''' for the database itself. Errors: 42704 no such realm.';

CREATE FUNCTION identity_internal.remove_events(realm text, removed jsonb) RETURNS bigint
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
    WITH removed_values AS (
        DELETE FROM identity.audit_values AS v
        USING jsonb_to_recordset(removed) AS s (lane int, seq bigint)
        WHERE v.realm = remove_events.realm AND v.lane = s.lane AND v.seq <= s.seq),
    gone AS (
        DELETE FROM identity.audit_events AS e
        USING jsonb_to_recordset(removed) AS s (lane int, seq bigint)
        WHERE e.realm = remove_events.realm AND e.lane = s.lane AND e.seq <= s.seq
        RETURNING 1)
    SELECT count(*) FROM gone
$$;
COMMENT ON FUNCTION identity_internal.remove_events(text, jsonb) IS 'Internal: removes the events of each lane up to a number, with their values';

CREATE FUNCTION identity.expire_audit(realm text, before timestamptz) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    removed jsonb;
    events bigint;
BEGIN
    PERFORM identity_internal.check_audited(realm);
    PERFORM identity_internal.check_past(before, 'Give the time up to which events are to be removed: now() - interval ''1 year''.');
    WITH kept AS (
        SELECT e.lane, min(e.seq) AS seq FROM identity.audit_events AS e
        WHERE e.realm = expire_audit.realm AND e.at >= before GROUP BY e.lane),
    last AS (
        SELECT DISTINCT ON (e.lane) e.lane, e.seq, e.hash FROM identity.audit_events AS e LEFT JOIN kept AS k ON k.lane = e.lane
        WHERE e.realm = expire_audit.realm AND (k.seq IS NULL OR e.seq < k.seq)
        ORDER BY e.lane, e.seq DESC)
    SELECT jsonb_agg(jsonb_build_object('lane', lane, 'seq', COALESCE(l.seq, s.seq), 'hash', encode(COALESCE(l.hash, s.hash), 'hex')) ORDER BY lane)
    INTO removed
    FROM last AS l FULL JOIN identity_internal.audit_starts(expire_audit.realm) AS s USING (lane);
    events := CASE WHEN removed IS NULL THEN 0 ELSE identity_internal.remove_events(realm, removed) END;
    IF events > 0 THEN
        PERFORM identity_internal.audit(realm, 'expire_audit', NULL, jsonb_build_object('before', before, 'events', events, 'removed', removed));
    END IF;
    RETURN events;
END
$$;
COMMENT ON FUNCTION identity.expire_audit(text, timestamptz) IS
'Removes the events of a realm that are older than before, with their values, and returns how many. Each lane loses its oldest events up to the first that stays; an event of the audit keeps the hashes they ended with, so that identity.verify_audit() still verifies the rest.
realm: '''' for the database itself. Errors: 42704 no such realm, 22023 before is NULL or in the future.';

CREATE FUNCTION identity.expire_audit_values(realm text, before timestamptz) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    erased bigint;
BEGIN
    PERFORM identity_internal.check_audited(realm);
    PERFORM identity_internal.check_past(before, 'Give the time up to which values are to be erased: now() - interval ''90 days''.');
    LOCK TABLE identity.audit_values IN SHARE UPDATE EXCLUSIVE MODE;
    WITH gone AS (
        DELETE FROM identity.audit_values AS v USING identity.audit_events AS e
        WHERE e.realm = $1 AND e.at < before AND v.realm = $1 AND v.lane = e.lane AND v.seq = e.seq
        RETURNING v.rows)
    SELECT COALESCE(sum(g.rows), 0) INTO erased FROM gone AS g;
    IF erased > 0 THEN
        PERFORM identity_internal.audit(realm, 'expire_audit_values', NULL, jsonb_build_object('before', before, 'rows', erased));
    END IF;
    RETURN erased;
END
$$;
COMMENT ON FUNCTION identity.expire_audit_values(text, timestamptz) IS
'Erases what the audit has of the values of rows, for all events of a realm that are older than before, and returns of how many rows. The events stay; one more says what was erased.
realm: '''' for the database itself. Errors: 42704 no such realm, 22023 before is NULL or in the future.';

CREATE FUNCTION identity_internal.values_of(realm text, identity_id uuid, staged text[])
RETURNS TABLE (lane int, seq bigint, chunk int, number int, staged_user text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH patterns AS (
        SELECT uuid_send($2) AS pattern UNION ALL SELECT convert_to(substr(s, position(':' IN s) + 1), 'UTF8') FROM unnest($3) AS s)
    SELECT v.lane, v.seq, v.chunk, r.number,
           CASE WHEN e.action LIKE '% staged\_identities' THEN concat_ws(':', r.one ->> 'site_id', r.one ->> 'original_id') END
    FROM identity.audit_values AS v
    JOIN identity.audit_events AS e ON e.realm = v.realm AND e.lane = v.lane AND e.seq = v.seq
    CROSS JOIN LATERAL (
        SELECT r.number, i.one::jsonb AS one FROM identity_internal.values_rows(
            v.data, ARRAY(SELECT c FROM jsonb_array_elements_text(e.detail -> 'columns') AS c), e.detail ->> 'forms') AS r,
            unnest(ARRAY[r.old, r.new]) AS i (one)
        WHERE i.one IS NOT NULL) AS r
    WHERE v.realm = $1 AND EXISTS (SELECT FROM patterns AS p WHERE position(p.pattern IN v.data) > 0)
      AND (e.action LIKE '% identities' AND r.one ->> 'id' = $2::text OR r.one ->> 'identity_id' = $2::text
           OR concat_ws(':', r.one ->> 'site_id', r.one ->> 'original_id') = ANY ($3))
$$;
COMMENT ON FUNCTION identity_internal.values_of(text, uuid, text[]) IS
'Internal: where the audit has values of an identity, and of staged users (site_id:original_id)';

CREATE FUNCTION identity.erase_audit_values(realm text, identity_id uuid) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    staged text[];
    erased jsonb;
    rows bigint;
BEGIN
    PERFORM identity_internal.check_audited(realm);
    IF identity_id IS NULL THEN
        RAISE EXCEPTION 'identity_id is NULL'
            USING ERRCODE = 'null_value_not_allowed', HINT = 'Give the id of the identity whose values are to be erased.';
    END IF;
    LOCK TABLE identity.audit_values IN SHARE UPDATE EXCLUSIVE MODE;
    -- The staged users that it came from, or is linked to, now and ever.
    SELECT COALESCE(array_agg(DISTINCT s.who), '{}') INTO staged FROM (
        SELECT concat_ws(':', s.site_id, s.original_id) AS who FROM identity.staged_identities AS s
        WHERE s.realm = $1 AND s.identity_id = $2
        UNION ALL
        SELECT v.staged_user FROM identity_internal.values_of($1, $2, '{}') AS v WHERE v.staged_user IS NOT NULL) AS s;
    WITH found AS MATERIALIZED (
        SELECT v.lane, v.seq, v.chunk, array_agg(DISTINCT v.number) AS numbers
        FROM identity_internal.values_of($1, $2, staged) AS v GROUP BY v.lane, v.seq, v.chunk),
    gone AS (
        UPDATE identity.audit_values AS v SET data = identity_internal.erase_values(v.data, f.numbers)
        FROM found AS f WHERE v.realm = $1 AND v.lane = f.lane AND v.seq = f.seq AND v.chunk = f.chunk
        RETURNING v.lane, v.seq, cardinality(f.numbers) AS rows),
    events AS (SELECT g.seq * 1048576 + g.lane AS event_id, sum(g.rows) AS rows FROM gone AS g GROUP BY 1)
    SELECT COALESCE(sum(e.rows), 0), jsonb_agg(jsonb_build_object('event_id', e.event_id, 'rows', e.rows) ORDER BY e.event_id)
    INTO rows, erased FROM events AS e;
    IF rows > 0 THEN
        PERFORM identity_internal.audit(realm, 'erase_audit_values', identity_id::text, jsonb_build_object('rows', rows, 'erased', erased));
    END IF;
    RETURN rows;
END
$$;
COMMENT ON FUNCTION identity.erase_audit_values(text, uuid) IS
'Erases what the audit has of the values of an identity''s rows: of itself, its names, credentials, addresses, memberships, and of the staged users that it came from. Returns of how many rows. That they were changed stays on record, when and by whom; an event says what was erased, so that identity.verify_audit() tells it from tampering. The identity itself is not touched.
Errors: 42704 no such realm, 22004 identity_id is NULL.';
