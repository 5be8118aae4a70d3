-- One identity at a time, for applications: a conflict is an error with the constraint, the key and the holder.
--
-- Security: each function asks for its level and is carried out as the owner of the extension. It runs no code but that of the extension and of
-- triggers on its tables.

CREATE FUNCTION identity_internal.write_identity(realm text, document jsonb, updates boolean)
RETURNS TABLE (
    run_id uuid, row_number bigint, patch_id text, status text, identity_id uuid, identifier_kind text, identifier text, existing_identity uuid,
    winner_row bigint, path text, sqlstate text, message text, warning text)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'write_identity_wrapper';
COMMENT ON FUNCTION identity_internal.write_identity(text, jsonb, boolean) IS
'Internal: identity.import_identities() of one document, without a record of the run; updates: as on_conflict => update';

CREATE FUNCTION identity_internal.constraint_of(kind text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN kind = 'id' THEN 'identities_pkey' WHEN kind = 'external_id' THEN 'identities_external_id_key'
                WHEN kind IN ('verifiable_address', 'recovery_address') THEN 'addresses_pkey' ELSE 'identifiers_pkey' END
$$;
COMMENT ON FUNCTION identity_internal.constraint_of(text) IS 'Internal: by which constraint a key of this kind belongs to one identity';

CREATE FUNCTION identity_internal.written_identity(realm text, document jsonb, updates boolean) RETURNS uuid
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- So many problems are told.
    most CONSTANT int := 20;
    told record;
    first record;
    details text := '';
    problems int := 0;
BEGIN
    IF document IS NULL OR jsonb_typeof(document) <> 'object' THEN
        RAISE EXCEPTION 'the identity is not a JSON object'
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Give what an import takes: {"traits": {"username": "ann"}}.';
    END IF;
    FOR told IN SELECT w.* FROM identity_internal.write_identity(realm, document, updates) AS w LOOP
        IF told.status IN ('inserted', 'updated') THEN
            RETURN told.identity_id;
        END IF;
        problems := problems + 1;
        IF problems = 1 THEN
            first := told;
        END IF;
        IF problems <= most THEN
            details := concat_ws(E'\n', NULLIF(details, ''), concat(
                told.identifier_kind || ' ' || quote_literal(told.identifier) || ' ', 'at ' || NULLIF(told.path, '') || ' ',
                'of identity ' || told.existing_identity || ' ', '(' || told.message || ')'));
        END IF;
    END LOOP;
    IF problems > most THEN
        details := details || format(E'\nand %s more', problems - most);
    END IF;
    IF problems = 0 THEN
        RAISE EXCEPTION 'the document asks for no identity' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Give what an import takes: {"traits": {"username": "ann"}}.';
    ELSIF first.sqlstate = '23505' THEN
        RAISE EXCEPTION '%', first.message
            USING ERRCODE = 'unique_violation', DETAIL = details, HINT = 'Nothing was written. Choose another one, or change the identity that holds it.',
                  SCHEMA = 'identity', TABLE = split_part(identity_internal.constraint_of(first.identifier_kind), '_', 1),
                  CONSTRAINT = identity_internal.constraint_of(first.identifier_kind);
    END IF;
    RAISE EXCEPTION 'the identity is not valid'
        USING ERRCODE = first.sqlstate, DETAIL = details, HINT = 'Nothing was written. The path is a JSON pointer into the document.';
END
$$;
COMMENT ON FUNCTION identity_internal.written_identity(text, jsonb, boolean) IS 'Internal: writes an identity, or raises what is wrong with it';

-- Locked, so that who changes an identity and who removes it come one after the other.
CREATE FUNCTION identity_internal.check_identity(realm text, identity_id uuid) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM identity_internal.check_realm(realm);
    PERFORM FROM identity.identities AS i WHERE i.realm = $1 AND i.id = $2 FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'identity % does not exist in realm "%"', COALESCE(identity_id::text, 'NULL'), realm
            USING ERRCODE = 'undefined_object', HINT = 'SELECT id, username FROM identity.identities_view shows the identities.';
    END IF;
END
$$;
COMMENT ON FUNCTION identity_internal.check_identity(text, uuid) IS 'Internal: locks an identity, or raises that there is none';

CREATE FUNCTION identity_internal.create_identity(realm text, identity jsonb) RETURNS uuid
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM identity_internal.check_realm(realm);
    RETURN identity_internal.written_identity(realm, identity, false);
END
$$;
COMMENT ON FUNCTION identity_internal.create_identity(text, jsonb) IS 'Internal: what identity.create_identity() carries out';

CREATE FUNCTION identity.create_identity(realm text, identity jsonb) RETURNS uuid
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'registrar_gate_wrapper';
COMMENT ON FUNCTION identity.create_identity(text, jsonb) IS
'Creates an identity, and returns its id. identity: a document as identity.import_identities() takes it: {"traits": {"username": "ann", "email": "ann@example.com"}, "credentials": {"password": {"config": {"password": "..."}}}}.
Errors: 42704 no such realm; 23505 another identity has one of its keys: CONSTRAINT and TABLE are in the error''s fields, DETAIL has a line for each key, with its holder; 22023, 22004, 22001, 22P02, 42703 the document is not valid: DETAIL has a line for each place that is wrong, of the first twenty.';

CREATE FUNCTION identity_internal.update_identity(realm text, identity_id uuid, identity jsonb) RETURNS uuid
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM identity_internal.check_identity(realm, identity_id);
    IF identity ? 'id' AND lower(identity ->> 'id') IS DISTINCT FROM identity_id::text THEN
        RAISE EXCEPTION 'an identity keeps its id'
            USING ERRCODE = 'invalid_parameter_value', DETAIL = format('The document has the id %s, and the identity %s.', identity ->> 'id', identity_id),
                  HINT = 'Leave id out.';
    END IF;
    RETURN identity_internal.written_identity(realm, identity || jsonb_build_object('id', identity_id), true);
END
$$;
COMMENT ON FUNCTION identity_internal.update_identity(text, uuid, jsonb) IS 'Internal: what identity.update_identity() carries out';

CREATE FUNCTION identity.update_identity(realm text, identity_id uuid, identity jsonb) RETURNS uuid
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'importer_gate_wrapper';
COMMENT ON FUNCTION identity.update_identity(text, uuid, jsonb) IS
'Changes an identity: what the document has is replaced, the rest stays, as with identity.import_identities(..., on_conflict => ''update''). traits are replaced whole, and the login names and addresses that come from them with them. Returns the id.
Errors: as identity.create_identity(): 42704 also no such identity; 23505; 22023, 22004, 22001, 22P02, 42703 the document is not valid.';

CREATE FUNCTION identity_internal.set_password(realm text, identity_id uuid, password text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    new_hash text;
    had boolean;
BEGIN
    PERFORM identity_internal.check_identity(realm, identity_id);
    IF password IS NULL THEN
        RAISE EXCEPTION 'the password is NULL' USING ERRCODE = 'null_value_not_allowed', HINT = 'Give the new password as a bind parameter.';
    END IF;
    new_hash := CASE WHEN identity_internal.password_fits(password) THEN identity_internal.hash_password(password) END;
    IF new_hash IS NULL THEN
        RAISE EXCEPTION 'the password cannot be hashed'
            USING ERRCODE = 'invalid_parameter_value', DETAIL = format('It has %s bytes.', octet_length(password)), HINT = 'A password has 1 to 4096 bytes.';
    END IF;
    had := EXISTS (SELECT FROM identity.credentials AS c WHERE c.realm = $1 AND c.identity_id = $2 AND c.type = 'password');
    INSERT INTO identity.credentials AS c (realm, identity_id, type, config)
    VALUES ($1, $2, 'password', jsonb_build_object('hashed_password', new_hash))
    ON CONFLICT ON CONSTRAINT credentials_pkey DO UPDATE SET config = excluded.config;
    RETURN had;
END
$$;
COMMENT ON FUNCTION identity_internal.set_password(text, uuid, text) IS 'Internal: what identity.set_password() carries out';

CREATE FUNCTION identity.set_password(realm text, identity_id uuid, password text) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'importer_gate_wrapper';
COMMENT ON FUNCTION identity.set_password(text, uuid, text) IS
'Gives an identity a new password, which is kept as an argon2id hash of the configured costs; returns whether it had one before. Give the password as a bind parameter: what stands in a statement''s text is seen in pg_stat_activity and in logs.
Errors: 42704 no such realm or identity, 22004 the password is NULL, 22023 it is empty or has more than 4096 bytes.';

CREATE FUNCTION identity_internal.set_identity_state(realm text, identity_id uuid, state text) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    former text;
BEGIN
    PERFORM identity_internal.check_identity(realm, identity_id);
    IF state IS NULL OR state NOT IN ('active', 'inactive') THEN
        RAISE EXCEPTION 'unknown state: %', COALESCE(format('"%s"', identity_internal.shown(state)), 'NULL')
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Use ''active'' or ''inactive''.';
    END IF;
    SELECT i.state INTO former FROM identity.identities AS i WHERE i.realm = $1 AND i.id = $2;
    UPDATE identity.identities AS i SET state = $3, state_changed_at = now(), updated_at = now()
    WHERE i.realm = $1 AND i.id = $2 AND i.state <> $3 COLLATE "C";
    RETURN former;
END
$$;
COMMENT ON FUNCTION identity_internal.set_identity_state(text, uuid, text) IS 'Internal: what identity.set_identity_state() carries out';

CREATE FUNCTION identity.set_identity_state(realm text, identity_id uuid, state text) RETURNS text
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'importer_gate_wrapper';
COMMENT ON FUNCTION identity.set_identity_state(text, uuid, text) IS
'Makes an identity active or inactive (it does not log in); returns the state that it had.
Errors: 42704 no such realm or identity, 22023 another state.';

CREATE FUNCTION identity_internal.delete_identity(realm text, identity_id uuid) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM identity_internal.check_realm(realm);
    DELETE FROM identity.identities AS i WHERE i.realm = $1 AND i.id = $2;
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION identity_internal.delete_identity(text, uuid) IS 'Internal: what identity.delete_identity() carries out';

CREATE FUNCTION identity.delete_identity(realm text, identity_id uuid) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'admin_gate_wrapper';
COMMENT ON FUNCTION identity.delete_identity(text, uuid) IS
'Removes an identity, with its login names, credentials, addresses and memberships; returns whether it was there. What the audit has of it stays; identity.erase_audit_values() erases that.
Errors: 42704 no such realm; 23503 a table of the user''s refers to it.';

CREATE FUNCTION identity_internal.identifier_problem(kind text, value text) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'identifier_problem_wrapper';
COMMENT ON FUNCTION identity_internal.identifier_problem(text, text) IS 'Internal: what is wrong with a value as a new identifier; NULL: nothing';

-- As an import decides it: a staged user's verified address, and a former login name within its grace, are not given away.
CREATE FUNCTION identity_internal.keeper_of_name(realm text, key text, identity_id uuid) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    proved CONSTANT boolean := EXISTS (
        SELECT FROM identity.addresses AS a WHERE a.realm = $1 AND a.identity_id = $3 AND a.key = $2 COLLATE "C" AND a.verified);
BEGIN
    RETURN (
        SELECT k.keeper FROM (
            SELECT format('a staged user of site %s, who has verified it', t.name) AS keeper
            FROM identity.staged_identifiers AS n
            JOIN identity.staged_identities AS s USING (realm, site_id, original_id)
            JOIN identity.sites AS t USING (realm, site_id)
            WHERE n.realm = $1 AND n.key = $2 COLLATE "C" AND s.state = 'staged' AND NOT proved
              AND CASE n.kind WHEN 'email' THEN s.email_verified WHEN 'phone' THEN s.phone_verified ELSE false END
            UNION ALL
            SELECT format('a user of site %s, who had it as a login name until %s', t.name, f.until::date)
            FROM identity_internal.former_names AS f
            JOIN identity.sites AS t USING (realm, site_id)
            WHERE f.realm = $1 AND f.key = $2 COLLATE "C" AND f.identity_id IS DISTINCT FROM $3 AND (f.verified OR NOT proved)) AS k
        LIMIT 1);
END
$$;
COMMENT ON FUNCTION identity_internal.keeper_of_name(text, text, uuid) IS 'Internal: who keeps a name that no identity has from being given away; NULL: nobody';

CREATE FUNCTION identity_internal.add_identifier(realm text, identity_id uuid, kind text, value text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    name_key text;
    holder uuid;
    keeper text;
BEGIN
    PERFORM identity_internal.check_identity(realm, identity_id);
    IF kind IS NULL OR kind NOT IN ('username', 'email', 'phone') THEN
        RAISE EXCEPTION 'unknown kind of identifier: %', COALESCE(format('"%s"', identity_internal.shown(kind)), 'NULL')
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Use ''username'', ''email'' or ''phone''. Identifiers of other kinds come with their credentials: identity.update_identity().';
    END IF;
    IF value IS NULL OR identity_internal.identifier_problem(kind, value) IS NOT NULL THEN
        RAISE EXCEPTION 'the % is not valid', kind
            USING ERRCODE = 'invalid_parameter_value', DETAIL = format('The %s %s.', kind, COALESCE(identity_internal.identifier_problem(kind, value), 'is NULL')),
                  HINT = 'Nothing was written.';
    END IF;
    name_key := identity.normalize_identifier(kind, value);
    INSERT INTO identity.identifiers AS n (realm, kind, value, identity_id) VALUES ($1, $3, $4, $2)
    ON CONFLICT ON CONSTRAINT identifiers_pkey DO NOTHING;
    IF FOUND THEN
        keeper := identity_internal.keeper_of_name(realm, name_key, identity_id);
    ELSE
        SELECT n.identity_id INTO holder FROM identity.identifiers AS n WHERE n.realm = $1 AND n.key = name_key COLLATE "C";
        IF holder = identity_id THEN
            RETURN false;
        END IF;
        keeper := COALESCE('identity ' || holder, 'an identity that this transaction does not see');
    END IF;
    IF keeper IS NOT NULL THEN
        RAISE EXCEPTION 'the % is taken', kind
            USING ERRCODE = 'unique_violation', DETAIL = format('Key (realm, key)=(%s, %s) belongs to %s.', realm, name_key, keeper),
                  HINT = 'Choose another one, or change who holds it.', SCHEMA = 'identity', TABLE = 'identifiers', CONSTRAINT = 'identifiers_pkey';
    END IF;
    RETURN true;
END
$$;
COMMENT ON FUNCTION identity_internal.add_identifier(text, uuid, text, text) IS 'Internal: what identity.add_identifier() carries out';

CREATE FUNCTION identity.add_identifier(realm text, identity_id uuid, kind text, value text) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'importer_gate_wrapper';
COMMENT ON FUNCTION identity.add_identifier(text, uuid, text, text) IS
'Gives an identity one more login name; returns false where it has it already. kind: username, email or phone. The traits stay as they are: a later change of them replaces the login names.
Errors: 42704 no such realm or identity; 22023 the value is no identifier of this kind; 23505 somebody else has it: CONSTRAINT and TABLE are in the error''s fields, DETAIL has the key and the holder.';

CREATE FUNCTION identity_internal.remove_identifier(realm text, identity_id uuid, kind text, value text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    name_key CONSTANT text := identity.normalize_identifier(kind, value);
BEGIN
    PERFORM identity_internal.check_identity(realm, identity_id);
    DELETE FROM identity.identifiers AS n
    WHERE n.realm = $1 AND n.key = name_key COLLATE "C" AND n.identity_id = $2 AND n.kind = $3 COLLATE "C";
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION identity_internal.remove_identifier(text, uuid, text, text) IS 'Internal: what identity.remove_identifier() carries out';

CREATE FUNCTION identity.remove_identifier(realm text, identity_id uuid, kind text, value text) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'importer_gate_wrapper';
COMMENT ON FUNCTION identity.remove_identifier(text, uuid, text, text) IS
'Takes a login name from an identity; returns whether it had it. The last one can be taken, too: then nobody logs in as this identity by a name. The traits stay as they are.
Errors: 42704 no such realm or identity, 22023 the value is no identifier of this kind.';
