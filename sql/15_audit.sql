-- The audit: who did what to whom, and when. Events are added and read, never changed.
--
-- Security: only the owner of the tables writes here, and only functions of the extension do it in its name. Each event has the hash
-- of the one before it in its lane, so that a change by one who can get past grants and triggers is found. A realm has 64 lanes:
-- a transaction writes into one that no other holds; eight of them are for databases that a subscription fills with the others. Events
-- are numbered within their lane while it is held, not by a sequence, so that a missing one is seen. A foreign key to identity.realms
-- is not wanted: the events of a realm outlive it.

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
COMMENT ON COLUMN identity.audit_heads.lane IS 'The chain: 0 to 55; 56 to 63 for what is done in a database that a subscription fills with the events of another';
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
COMMENT ON COLUMN identity.audit_events.event_id IS 'Its number in the realm: seq times 64, and lane';
COMMENT ON COLUMN identity.audit_events.at IS 'When, by the server''s clock';
COMMENT ON COLUMN identity.audit_events.session_role IS 'The role that logged in to the database';
COMMENT ON COLUMN identity.audit_events.acting_role IS 'The role that it worked as, by SET ROLE';
COMMENT ON COLUMN identity.audit_events.application_name IS 'The application, as it names itself';
COMMENT ON COLUMN identity.audit_events.client_addr IS 'The address that the database was reached from; NULL for a local socket';
COMMENT ON COLUMN identity.audit_events.action IS 'The function of the extension; or INSERT, UPDATE or DELETE and a table';
COMMENT ON COLUMN identity.audit_events.subject IS 'Whom or what it was done to: an identity, a role, a table';
COMMENT ON COLUMN identity.audit_events.detail IS 'What was done, without secrets';
COMMENT ON COLUMN identity.audit_events.prev IS 'The hash of the event before it in its lane; empty for the first';
COMMENT ON COLUMN identity.audit_events.hash IS 'SHA-256 of prev and of all else in this row';

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

CREATE FUNCTION identity_internal.records(relation regclass, depth int) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'records_wrapper';
COMMENT ON FUNCTION identity_internal.records(regclass, int) IS
'Internal: says that what is written into a table from now on, at this depth of triggers and in this subtransaction, is put on record by the caller, so that the triggers of the table write no event. NULL: no more. For functions that run as the owner of the extension; nobody else may call it';

CREATE FUNCTION identity_internal.is_recorded(relation regclass, depth int) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'is_recorded_wrapper';
COMMENT ON FUNCTION identity_internal.is_recorded(regclass, int) IS 'Internal: whether identity_internal.records() was said of a table at this depth of triggers';

CREATE FUNCTION identity_internal.refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- identity.expire_audit() alone runs as the owner of the table and deletes.
    IF TG_OP = 'DELETE' AND current_user::regrole = (SELECT c.relowner FROM pg_class AS c WHERE c.oid = TG_RELID) THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'events of the audit cannot be changed or removed'
        USING ERRCODE = 'insufficient_privilege', DETAIL = format('%s on %I.%I.', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME),
              HINT = 'SELECT identity.expire_audit(realm, before) removes old events, and leaves that on record.';
END
$$;
COMMENT ON FUNCTION identity_internal.refuse_change() IS 'Internal: trigger of identity.audit_events';

CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON identity.audit_events
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

CREATE FUNCTION identity_internal.audit_statement() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found record;
BEGIN
    IF identity_internal.restoring() OR identity_internal.is_recorded(TG_RELID, pg_trigger_depth() - 1) THEN
        RETURN NULL;
    END IF;
    EXECUTE format(
        'SELECT count(*) AS rows, min(c.%1$I) AS realm, min(c.%1$I) = max(c.%1$I) AS one,
                (SELECT jsonb_agg(to_jsonb(k)) FROM (SELECT %2$s FROM changed AS s LIMIT 10) AS k) AS first
         FROM changed AS c',
        TG_ARGV[0], (SELECT string_agg(format('s.%I', a), ', ') FROM unnest(TG_ARGV::text[]) AS a)) INTO found;
    IF found.rows > 0 THEN
        PERFORM identity_internal.audit(
            CASE WHEN found.one THEN found.realm ELSE '' END, TG_OP || ' ' || TG_TABLE_NAME, NULL,
            jsonb_build_object('rows', found.rows, 'first', found.first));
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION identity_internal.audit_statement() IS
'Internal: statement trigger that writes an event a statement, with the number of rows and the keys of the first ten. The transition table is "changed"; arguments: the column of the realm, then the other columns of the key';

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

CREATE FUNCTION identity_internal.audit_checkpoint(realm text) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM identity_internal.check_audited(realm);
    RETURN jsonb_build_object('realm', realm, 'at', clock_timestamp(), 'heads', COALESCE((
        SELECT jsonb_agg(jsonb_build_object('lane', h.lane, 'seq', h.seq, 'hash', encode(h.hash, 'hex')) ORDER BY h.lane)
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
RETURNS TABLE (lane int, events bigint, intact boolean, first_broken bigint)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
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
        SELECT k.lane, k.seq, decode(k.hash, 'hex') AS hash
        FROM jsonb_to_recordset(checkpoint -> 'heads') AS k (lane int, seq bigint, hash text)),
    chained AS (
        SELECT e.lane, e.seq, e.hash,
               COALESCE(s.seq, 0) + row_number() OVER w AS expected_seq,
               e.prev = COALESCE(lag(e.hash) OVER w, s.hash, '') AS follows,
               e.event_id = e.seq * 64 + e.lane AND e.hash = identity_internal.audit_hash(
                   e.prev, e.realm, e.lane, e.seq, e.at, e.session_role, e.acting_role, e.application_name, e.client_addr,
                   e.action, e.subject, e.detail) AS unchanged
        FROM identity.audit_events AS e LEFT JOIN starts AS s ON s.lane = e.lane
        WHERE e.realm = verify_audit.realm
        WINDOW w AS (PARTITION BY e.lane ORDER BY e.seq)),
    read AS (
        SELECT c.lane, count(*) AS events, max(c.seq) AS last_seq,
               min(c.expected_seq) FILTER (WHERE c.seq <> c.expected_seq OR NOT c.follows OR NOT c.unchanged) AS broken
        FROM chained AS c GROUP BY c.lane),
    ended AS (
        SELECT l.lane, COALESCE(r.events, 0) AS events, LEAST(
            r.broken,
            CASE WHEN h.lane IS NULL THEN 1
                 WHEN h.seq <> COALESCE(r.last_seq, s.seq, 0) THEN LEAST(h.seq, COALESCE(r.last_seq, s.seq, 0)) + 1
                 WHEN h.hash <> COALESCE(c.hash, s.hash, '') THEN h.seq END,
            (SELECT min(k.seq) FROM known AS k
             LEFT JOIN chained AS o ON o.lane = k.lane AND o.seq = k.seq
             WHERE k.lane = l.lane AND k.seq > 0 AND k.seq >= COALESCE(s.seq, 0)
               AND k.hash IS DISTINCT FROM COALESCE(o.hash, CASE WHEN s.seq = k.seq THEN s.hash END))) AS broken
        FROM (SELECT h.lane FROM heads AS h UNION SELECT r.lane FROM read AS r UNION SELECT s.lane FROM starts AS s
              UNION SELECT k.lane FROM known AS k) AS l
        LEFT JOIN heads AS h ON h.lane = l.lane
        LEFT JOIN read AS r ON r.lane = l.lane
        LEFT JOIN starts AS s ON s.lane = l.lane
        LEFT JOIN chained AS c ON c.lane = h.lane AND c.seq = h.seq)
    SELECT e.lane, e.events, e.broken IS NULL, e.broken * 64 + e.lane FROM ended AS e ORDER BY e.lane;
END
$$;
COMMENT ON FUNCTION identity_internal.verify_audit(text, jsonb) IS 'Internal: what identity.verify_audit() carries out';

CREATE FUNCTION identity.verify_audit(realm text, checkpoint jsonb = NULL)
RETURNS TABLE (lane int, events bigint, intact boolean, first_broken bigint)
LANGUAGE c STABLE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'auditor_gate_wrapper';
COMMENT ON FUNCTION identity.verify_audit(text, jsonb) IS
'Checks every event of a realm against the chain of hashes it is in.
checkpoint: what identity.audit_checkpoint(realm) returned earlier; without it a chain that was written anew as a whole passes.
Returns a row a lane: how many events it has, whether all are as they were written, and the event_id of the first that was changed, removed, inserted or moved. Reads the realm''s events whole; works on a standby.
realm: '''' for the database itself. Errors: 42704 no such realm, 22023 not a checkpoint of this realm.';

CREATE FUNCTION identity_internal.remove_events(realm text, removed jsonb) RETURNS bigint
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
    WITH gone AS (
        DELETE FROM identity.audit_events AS e
        USING jsonb_to_recordset(removed) AS s (lane int, seq bigint)
        WHERE e.realm = remove_events.realm AND e.lane = s.lane AND e.seq <= s.seq
        RETURNING 1)
    SELECT count(*) FROM gone
$$;
COMMENT ON FUNCTION identity_internal.remove_events(text, jsonb) IS 'Internal: removes the events of each lane up to a number';

CREATE FUNCTION identity.expire_audit(realm text, before timestamptz) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    removed jsonb;
    events bigint;
BEGIN
    PERFORM identity_internal.check_audited(realm);
    IF before IS NULL OR before > clock_timestamp() THEN
        RAISE EXCEPTION 'before is no time in the past'
            USING ERRCODE = 'invalid_parameter_value', DETAIL = format('before is %s.', COALESCE(before::text, 'NULL')),
                  HINT = 'Give the time up to which events are to be removed: now() - interval ''1 year''.';
    END IF;
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
'Removes the events of a realm that are older than before, and returns how many. Each lane loses its oldest events up to the first that stays; an event of the audit keeps the hashes they ended with, so that identity.verify_audit() still verifies the rest.
realm: '''' for the database itself. Errors: 42704 no such realm, 22023 before is NULL or in the future.';
