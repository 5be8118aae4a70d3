-- Bulk import into the store, in the shape of Ory Kratos.
--
-- Security: the source of import_identities_from is read as the caller, to its end, into texts. Then the store is written as the
-- owner of the extension, so a caller needs EXECUTE on these functions and no right on the tables. Nothing that the owner's part uses
-- has a name in the caller's session.

CREATE FUNCTION identity.import_identities(
    realm text,
    identities jsonb,
    on_conflict text = 'skip',
    dry_run boolean = false,
    report text = 'all')
RETURNS TABLE (
    run_id uuid,
    row_number bigint,
    patch_id text,
    status text,
    identity_id uuid,
    identifier_kind text,
    identifier text,
    existing_identity uuid,
    winner_row bigint,
    path text,
    sqlstate text,
    message text,
    warning text)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'import_identities_wrapper';

COMMENT ON FUNCTION identity.import_identities(text, jsonb, text, boolean, text) IS
'Imports identities into a realm of the store, and reports what becomes of each. An identity goes in whole or not at all; one that loses takes none of its keys.
identities: the body of Ory Kratos'' PATCH /admin/identities, or its array, or an array of the bodies in "create", or of what GET /admin/identities answers.
on_conflict: skip (import the rest), update (an identity with the same id, or else the same external_id, is updated: what the body has is replaced), abort (nothing goes in if anything is wrong), error (as abort, but raises).
dry_run: the same report, nothing written. report: all, problems (and warnings), counts (one row: row_number is the number of identities, status is imported or given up, message has the counts by status as a JSON object) or none.
Returns a row an identity, or one for each of its problems; status is inserted, updated, conflict, duplicate or invalid. path: a JSON pointer (RFC 6901) into identities. warning: it goes in, but a name looks like another''s (UTS #39), or it has no name to log in with, or something of its document is not kept.
Errors: 42704 no such realm, 22023 bad argument, 22004 an argument is NULL, 25006 read-only transaction, 23000 with on_conflict => error.';

CREATE FUNCTION identity.import_identities_from(
    realm text,
    source text,
    on_conflict text = 'skip',
    dry_run boolean = false,
    report text = 'problems',
    mapping jsonb = NULL)
RETURNS TABLE (
    run_id uuid,
    row_number bigint,
    patch_id text,
    status text,
    identity_id uuid,
    identifier_kind text,
    identifier text,
    existing_identity uuid,
    winner_row bigint,
    path text,
    sqlstate text,
    message text,
    warning text)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'import_identities_from_wrapper';

COMMENT ON FUNCTION identity.import_identities_from(text, text, text, boolean, text, jsonb) IS
'As identity.import_identities(), for millions: source is a relation''s name or one query, with one json or jsonb column, an identity a row (a body, or an item with "create"). path is a JSON pointer into the row''s document.
mapping: for a source with columns of its own. It says which column is which field, as for identity.stage_site(): {"original_id": "uid", "username": "login", "email": "mail", "email_verified": {"constant": true}, "password_hash": "pw"}. original_id is the external_id; id the identity''s id; other names are traits, which an update replaces together. path is the field then.
The source is read with the caller''s rights.
Errors: as import_identities(); 42804 where the source has not just one json or jsonb column, and no mapping is given; 22023 bad mapping; 42703 the source has not a column that it names.';

CREATE FUNCTION identity_internal.patch_answer(status text, patch_id text, identity_id uuid, reason text, problems jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT jsonb_strip_nulls(jsonb_build_object('patch_id', patch_id)) || CASE status
        WHEN 'inserted' THEN jsonb_build_object('action', 'create', 'identity', identity_id)
        WHEN 'invalid' THEN jsonb_build_object('action', 'error', 'error', jsonb_build_object(
            'code', 400, 'status', 'Bad Request', 'message', 'The identity is invalid.', 'reason', reason,
            'details', jsonb_build_object('problems', problems)))
        ELSE jsonb_build_object('action', 'error', 'error', jsonb_build_object(
            'code', 409, 'status', 'Conflict', 'message', 'The identity conflicts with another one.', 'reason', reason,
            'details', jsonb_build_object('problems', problems))) END
$$;
COMMENT ON FUNCTION identity_internal.patch_answer(text, text, uuid, text, jsonb) IS 'Internal: one entry of the response of PATCH /admin/identities';

-- The limits are those of Kratos. A program that works with it has smaller requests; one that does not is to be told here as there.
CREATE FUNCTION identity_internal.patch_problem(body jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE
        WHEN unknown.names IS NOT NULL THEN format('It has unknown fields beside "identities": %s.', unknown.names)
        WHEN items.n > 1000 THEN format('It has %s identities, and 1000 at most can be created at once.', items.n)
        WHEN items.plain > 200 THEN format('It has %s passwords in plain text, and 200 at most can be hashed at once.', items.plain)
        END
    FROM (SELECT string_agg(to_json(k)::text, ', ') FROM jsonb_object_keys(body) AS k WHERE k <> 'identities') AS unknown (names)
    CROSS JOIN (
        SELECT count(*), count(*) FILTER (WHERE i.item #>> '{create,credentials,password,config,password}' <> '')
        FROM jsonb_array_elements(NULLIF(body -> 'identities', 'null')) AS i (item)) AS items (n, plain)
$$;
COMMENT ON FUNCTION identity_internal.patch_problem(jsonb) IS 'Internal: why the whole request of PATCH /admin/identities is refused; NULL where it is not';

CREATE FUNCTION identity.patch_identities(realm text, body jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET client_min_messages = 'warning'
AS $$
DECLARE
    problem text;
BEGIN
    PERFORM identity_internal.check_realm(realm);
    IF jsonb_typeof(body) IS DISTINCT FROM 'object' OR jsonb_typeof(COALESCE(body -> 'identities', 'null')) NOT IN ('array', 'null') THEN
        RAISE EXCEPTION 'the body is not an object with an array "identities"'
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Give {"identities": [{"patch_id": "...", "create": {"traits": {...}}}]}.';
    END IF;
    problem := identity_internal.patch_problem(body);
    IF problem IS NOT NULL THEN
        RETURN jsonb_build_object('error', jsonb_build_object(
            'code', 400, 'status', 'Bad Request', 'message', 'The request is refused as a whole.', 'reason', problem));
    ELSIF COALESCE(body -> 'identities', 'null') = 'null' THEN
        RETURN '{"identities": []}';
    END IF;
    RETURN (
        WITH told AS MATERIALIZED (
            SELECT row_number() OVER () AS place, t.* FROM identity.import_identities(realm, body, 'skip', false, 'all') AS t
        ), answers AS (
            SELECT t.row_number,
                   identity_internal.patch_answer(
                       CASE WHEN bool_or(t.status = 'invalid') THEN 'invalid' ELSE min(t.status) END,
                       min(t.patch_id), (min(t.identity_id::text))::uuid,
                       string_agg(concat_ws(': ', COALESCE(t.identifier_kind || ' ' || quote_literal(t.identifier), t.path), t.message),
                                  '; ' ORDER BY t.place),
                       jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
                           'status', t.status, 'path', t.path, 'kind', t.identifier_kind, 'value', t.identifier,
                           'existing_identity', t.existing_identity, 'winner', t.winner_row - 1, 'sqlstate', t.sqlstate,
                           'message', t.message)) ORDER BY t.place)) AS answer
            FROM told AS t
            GROUP BY t.row_number
        )
        SELECT jsonb_build_object('identities', COALESCE(jsonb_agg(COALESCE(a.answer, 'null') ORDER BY i.n), '[]'))
        FROM jsonb_array_elements(body -> 'identities') WITH ORDINALITY AS i (item, n)
        LEFT JOIN answers AS a ON a.row_number = i.n);
END
$$;
COMMENT ON FUNCTION identity.patch_identities(text, jsonb) IS
'Request and response of Ory Kratos'' PATCH /admin/identities: creates identities, and answers each in the order of the request: {"action": "create", "identity": id}, {"action": "error", "error": {code, status, message, reason, details}}, or null where create is null.
code is 409 for a conflict and 400 for an invalid body. details.problems has one entry a problem: kind and value of the identifier, the identity that holds it (existing_identity) or the index of the item that took it (winner), or the path of what is invalid.
A request of more than 1000 identities, or of more than 200 with a password in plain text, or with a field beside "identities", is answered as a whole, and nothing of it is done: {"error": {code 400, status, message, reason}}.
Errors: 42704 no such realm, 22023 the body is not {"identities": [...]}.';
