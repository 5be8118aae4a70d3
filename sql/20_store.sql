-- The built-in store: realms, and the identities in them. The realm leads every key, so that partitioning and sharding
-- by realm stay open. Rows may also be written by plain INSERT or COPY: the constraints are the rules.

CREATE TABLE identity.realms (
    name text COLLATE "C" PRIMARY KEY
        CHECK (name OPERATOR(pg_catalog.~) '^[^[:cntrl:]]+$' AND pg_catalog.octet_length(name) OPERATOR(pg_catalog.<=) 255),
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
SELECT pg_catalog.pg_extension_config_dump('identity.realms', '');
COMMENT ON TABLE identity.realms IS 'The spaces in which a login name is unique: one row a realm (a tenant)';
COMMENT ON COLUMN identity.realms.name IS 'The realm''s name, which is its key: 1 to 255 bytes, compared by byte';
COMMENT ON COLUMN identity.realms.created_at IS 'When it was added';

CREATE FUNCTION identity_internal.schema_problem(schema jsonb) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'schema_problem_wrapper';
COMMENT ON FUNCTION identity_internal.schema_problem(jsonb) IS 'Internal: why a document is no identity schema; NULL where it is one';

CREATE TABLE identity.identity_schemas (
    realm text COLLATE "C" NOT NULL REFERENCES identity.realms,
    schema_id text COLLATE "C" NOT NULL CHECK (schema_id OPERATOR(pg_catalog.<>) ''),
    schema jsonb NOT NULL CONSTRAINT is_identity_schema CHECK (identity_internal.schema_problem(schema) IS NULL),
    PRIMARY KEY (realm, schema_id)
);
SELECT pg_catalog.pg_extension_config_dump('identity.identity_schemas', '');
COMMENT ON TABLE identity.identity_schemas IS 'Identity schemas of Ory Kratos: which traits are identifiers, which are addresses. A realm without any takes the traits email, username and phone as identifiers';
COMMENT ON COLUMN identity.identity_schemas.realm IS 'The realm';
COMMENT ON COLUMN identity.identity_schemas.schema_id IS 'As an identity''s schema_id names it; "default" serves identities that name none';
COMMENT ON COLUMN identity.identity_schemas.schema IS 'The JSON Schema. Only its "ory.sh/kratos" extensions below properties.traits are read; traits are not validated against the rest';

CREATE FUNCTION identity.new_id() RETURNS uuid
LANGUAGE c VOLATILE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'new_id_wrapper';
COMMENT ON FUNCTION identity.new_id() IS
'A new id for an identity: a UUID of version 7 (RFC 9562), which begins with the time, so that new rows are added at the end of the indexes. The default of identity.identities.id.';

CREATE TABLE identity.identities (
    realm text COLLATE "C" NOT NULL REFERENCES identity.realms,
    id uuid NOT NULL DEFAULT identity.new_id(),
    external_id text COLLATE "C" CHECK (external_id OPERATOR(pg_catalog.<>) ''),
    schema_id text COLLATE "C" NOT NULL DEFAULT 'default',
    state text COLLATE "C" NOT NULL DEFAULT 'active' CHECK (state OPERATOR(pg_catalog.=) ANY ('{active,inactive}'::pg_catalog.text[])),
    traits jsonb NOT NULL DEFAULT '{}' CHECK (pg_catalog.jsonb_typeof(traits) OPERATOR(pg_catalog.=) 'object'),
    metadata_public jsonb,
    metadata_admin jsonb,
    organization_id uuid,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    updated_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    PRIMARY KEY (realm, id)
);
CREATE UNIQUE INDEX identities_external_id_key ON identity.identities (realm, external_id) WHERE external_id IS NOT NULL;
SELECT pg_catalog.pg_extension_config_dump('identity.identities', '');
COMMENT ON TABLE identity.identities IS 'One row an identity: a person''s or a service''s account';
COMMENT ON COLUMN identity.identities.realm IS 'The realm';
COMMENT ON COLUMN identity.identities.id IS 'A UUID by identity.new_id(), unless whoever wrote the row gave one';
COMMENT ON COLUMN identity.identities.external_id IS 'The identity''s key in another system, unique within the realm';
COMMENT ON COLUMN identity.identities.schema_id IS 'The identity schema that its traits follow';
COMMENT ON COLUMN identity.identities.state IS 'active, or inactive: may not log in';
COMMENT ON COLUMN identity.identities.traits IS 'What the identity says of itself: e-mail, name and so on';
COMMENT ON COLUMN identity.identities.metadata_public IS 'What the application keeps of it, and the identity may see';
COMMENT ON COLUMN identity.identities.metadata_admin IS 'What only administrators may see';
COMMENT ON COLUMN identity.identities.organization_id IS 'The organization that the identity came with from elsewhere, for reference';
COMMENT ON COLUMN identity.identities.created_at IS 'When it was written first';
COMMENT ON COLUMN identity.identities.updated_at IS 'When it was written last';

CREATE TABLE identity.identifiers (
    realm text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL CHECK (key OPERATOR(pg_catalog.<>) ''),
    kind text COLLATE "C" NOT NULL
        CHECK (kind OPERATOR(pg_catalog.=) ANY ('{username,email,phone,oidc,saml}'::pg_catalog.text[])),
    value text COLLATE "C" NOT NULL,
    identity_id uuid NOT NULL,
    unicode_version text COLLATE "C" NOT NULL DEFAULT identity.unicode_version(),
    skeleton text COLLATE "C" GENERATED ALWAYS AS (
        CASE WHEN kind OPERATOR(pg_catalog.=) ANY ('{username,email}'::pg_catalog.text[])
             THEN identity.identifier_skeleton(key) END) STORED,
    PRIMARY KEY (realm, key),
    FOREIGN KEY (realm, identity_id) REFERENCES identity.identities ON DELETE CASCADE
);
CREATE INDEX identifiers_identity_id_idx ON identity.identifiers (realm, identity_id);
CREATE INDEX identifiers_skeleton_idx ON identity.identifiers (realm, skeleton) WHERE skeleton IS NOT NULL;
SELECT pg_catalog.pg_extension_config_dump('identity.identifiers', '');
COMMENT ON TABLE identity.identifiers IS 'The names that identities log in with. One key space a realm for all kinds: a username that is somebody''s e-mail address is a conflict';
COMMENT ON COLUMN identity.identifiers.realm IS 'The realm';
COMMENT ON COLUMN identity.identifiers.key IS 'What is compared, by byte: identity.normalize_identifier(kind, value). Leave it out, and it is made; another key is refused';
COMMENT ON COLUMN identity.identifiers.kind IS 'username, email, phone, oidc or saml (provider:subject)';
COMMENT ON COLUMN identity.identifiers.value IS 'As it was written';
COMMENT ON COLUMN identity.identifiers.identity_id IS 'The identity that holds it';
COMMENT ON COLUMN identity.identifiers.unicode_version IS 'The Unicode version by which the key was made; it is written with the key, whatever is given';
COMMENT ON COLUMN identity.identifiers.skeleton IS 'Equal for keys that look alike (UTS #39): for warnings';

-- A CHECK would refuse, when a dump is restored, the rows whose keys were made by the tables of another version: of Unicode or of
-- the numbering plans. And it could not make a key. The WHEN keeps rows that are as they should be from the function.
CREATE FUNCTION identity_internal.own_key() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    made CONSTANT text := identity.normalize_identifier(NEW.kind, NEW.value);
BEGIN
    IF made IS NULL THEN
        -- It is for NOT NULL to refuse the kind or the value, not the key that is not given.
        NEW.key := COALESCE(NEW.key, '');
        RETURN NEW;
    ELSIF identity_internal.restoring() THEN
        RETURN NEW;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        IF (NEW.kind, NEW.value, NEW.key) = (OLD.kind, OLD.value, OLD.key) AND NEW.key <> made THEN
            NEW.unicode_version := OLD.unicode_version;
            RETURN NEW;
        ELSIF NEW.key = OLD.key THEN
            NEW.key := made;
        END IF;
    END IF;
    IF NEW.key <> made THEN
        RAISE EXCEPTION 'the key of an identifier is not the one of its value'
            USING ERRCODE = 'check_violation', DETAIL = format('The key of %s "%s" is "%s", not "%s".', NEW.kind, NEW.value, made, NEW.key),
                  HINT = 'Leave key out: it is made from kind and value.',
                  SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME, COLUMN = 'key';
    END IF;
    NEW.key := made;
    NEW.unicode_version := identity.unicode_version();
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION identity_internal.own_key() IS
'Internal: trigger of identity.identifiers. It makes a key that is not given, makes it anew with a new value, and refuses one that is not the value''s own; unicode_version goes with it. Rows that a dump or logical replication brings stay as they are, and so do keys of an earlier version until something of them is changed: identity.recheck_identifiers() finds those that are to be made anew';
CREATE TRIGGER own_key BEFORE INSERT OR UPDATE OF kind, value, key, unicode_version ON identity.identifiers
FOR EACH ROW WHEN ((NEW.key OPERATOR(pg_catalog.=) identity.normalize_identifier(NEW.kind, NEW.value)
                    AND NEW.unicode_version OPERATOR(pg_catalog.=) identity.unicode_version()) IS NOT TRUE)
EXECUTE FUNCTION identity_internal.own_key();

CREATE TABLE identity.credentials (
    realm text COLLATE "C" NOT NULL,
    identity_id uuid NOT NULL,
    type text COLLATE "C" NOT NULL CHECK (type OPERATOR(pg_catalog.=) ANY
        ('{password,oidc,saml,totp,lookup_secret,webauthn,passkey}'::pg_catalog.text[])),
    config jsonb NOT NULL CHECK (pg_catalog.jsonb_typeof(config) OPERATOR(pg_catalog.=) 'object'),
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    PRIMARY KEY (realm, identity_id, type),
    FOREIGN KEY (realm, identity_id) REFERENCES identity.identities ON DELETE CASCADE
);
SELECT pg_catalog.pg_extension_config_dump('identity.credentials', '');
COMMENT ON TABLE identity.credentials IS 'What identities prove themselves with. Secret: only the access level admin reads it';
COMMENT ON COLUMN identity.credentials.realm IS 'The realm';
COMMENT ON COLUMN identity.credentials.identity_id IS 'The identity';
COMMENT ON COLUMN identity.credentials.type IS 'password, oidc, saml, totp, lookup_secret, webauthn or passkey';
COMMENT ON COLUMN identity.credentials.config IS 'As in Ory Kratos; for a password {"hashed_password": ...}, never the password';
COMMENT ON COLUMN identity.credentials.created_at IS 'When it was written';

CREATE TABLE identity.addresses (
    realm text COLLATE "C" NOT NULL,
    role text COLLATE "C" NOT NULL CHECK (role OPERATOR(pg_catalog.=) ANY ('{verifiable,recovery}'::pg_catalog.text[])),
    via text COLLATE "C" NOT NULL CHECK (via OPERATOR(pg_catalog.=) ANY ('{email,sms}'::pg_catalog.text[])),
    key text COLLATE "C" NOT NULL CHECK (key OPERATOR(pg_catalog.<>) ''),
    value text COLLATE "C" NOT NULL,
    identity_id uuid NOT NULL,
    verified boolean NOT NULL DEFAULT false,
    status text COLLATE "C" NOT NULL DEFAULT 'pending'
        CHECK (status OPERATOR(pg_catalog.=) ANY ('{pending,sent,completed}'::pg_catalog.text[])),
    PRIMARY KEY (realm, role, via, key),
    FOREIGN KEY (realm, identity_id) REFERENCES identity.identities ON DELETE CASCADE
);
CREATE INDEX addresses_identity_id_idx ON identity.addresses (realm, identity_id);
SELECT pg_catalog.pg_extension_config_dump('identity.addresses', '');
COMMENT ON TABLE identity.addresses IS 'Where identities can be reached: to verify them, or to recover an account. Unique within the realm for each role and channel';
COMMENT ON COLUMN identity.addresses.realm IS 'The realm';
COMMENT ON COLUMN identity.addresses.role IS 'verifiable or recovery';
COMMENT ON COLUMN identity.addresses.via IS 'email or sms';
COMMENT ON COLUMN identity.addresses.key IS 'What is compared, by byte: normalised as an identifier of kind email or phone';
COMMENT ON COLUMN identity.addresses.value IS 'As it was written';
COMMENT ON COLUMN identity.addresses.identity_id IS 'The identity that it belongs to';
COMMENT ON COLUMN identity.addresses.verified IS 'The identity has proved that it is its own';
COMMENT ON COLUMN identity.addresses.status IS 'Of the verification: pending, sent or completed';

CREATE VIEW identity.identities_view WITH (security_barrier) AS
SELECT i.realm, i.id, i.external_id, i.state, n.username, n.email, n.phone, n.identifiers, i.schema_id, i.traits, i.metadata_public,
       i.organization_id, a.verifiable_addresses, a.recovery_addresses, c.credential_types, i.created_at, i.updated_at
FROM identity.identities AS i
LEFT JOIN LATERAL (
    SELECT pg_catalog.min(h.value) FILTER (WHERE h.kind OPERATOR(pg_catalog.=) 'username') AS username,
           pg_catalog.min(h.value) FILTER (WHERE h.kind OPERATOR(pg_catalog.=) 'email') AS email,
           pg_catalog.min(h.value) FILTER (WHERE h.kind OPERATOR(pg_catalog.=) 'phone') AS phone,
           pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('kind', h.kind, 'value', h.value) ORDER BY h.kind, h.key) AS identifiers
    FROM identity.identifiers AS h
    WHERE h.realm OPERATOR(pg_catalog.=) i.realm AND h.identity_id OPERATOR(pg_catalog.=) i.id) AS n ON true
LEFT JOIN LATERAL (
    SELECT pg_catalog.jsonb_agg(
               pg_catalog.jsonb_build_object('via', d.via, 'value', d.value, 'verified', d.verified, 'status', d.status)
               ORDER BY d.via, d.key) FILTER (WHERE d.role OPERATOR(pg_catalog.=) 'verifiable') AS verifiable_addresses,
           pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('via', d.via, 'value', d.value) ORDER BY d.via, d.key)
               FILTER (WHERE d.role OPERATOR(pg_catalog.=) 'recovery') AS recovery_addresses
    FROM identity.addresses AS d
    WHERE d.realm OPERATOR(pg_catalog.=) i.realm AND d.identity_id OPERATOR(pg_catalog.=) i.id) AS a ON true
LEFT JOIN LATERAL (
    SELECT pg_catalog.array_agg(s.type ORDER BY s.type) AS credential_types
    FROM identity.credentials AS s
    WHERE s.realm OPERATOR(pg_catalog.=) i.realm AND s.identity_id OPERATOR(pg_catalog.=) i.id) AS c ON true
WHERE (SELECT identity_internal.has_all_realms('application')) OR i.realm IN (SELECT identity_internal.my_realms('application'));
COMMENT ON VIEW identity.identities_view IS 'One row an identity of the realms that the reader has access to, without secrets and without metadata_admin. username, email, phone: its identifier of that kind (the first by byte, where it has several: identifiers has all)';

CREATE FUNCTION identity.add_realm(name text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF name IS NULL OR octet_length(name) > 255 OR name !~ '^[^[:cntrl:]]+$' THEN
        RAISE EXCEPTION 'invalid name of a realm: "%"', identity_internal.shown(name)
            USING ERRCODE = 'invalid_parameter_value', HINT = 'A realm''s name has 1 to 255 bytes and no control characters.';
    ELSIF NOT identity_internal.has_all_realms('admin') THEN
        RAISE EXCEPTION 'permission denied to add a realm'
            USING ERRCODE = 'insufficient_privilege', DETAIL = format('Role "%s" does not have access to all realms.', current_user),
                  HINT = 'A role with the access level admin for all realms adds realms.';
    END IF;
    INSERT INTO identity.realms (name) VALUES (add_realm.name);
EXCEPTION WHEN unique_violation THEN
    RAISE EXCEPTION 'realm "%" exists already', name
        USING ERRCODE = 'duplicate_object', HINT = 'SELECT name FROM identity.realms shows the realms.';
END
$$;
COMMENT ON FUNCTION identity.add_realm(text) IS
'Adds a realm: a space in which login names are unique. Needs the access level admin for all realms. Errors: 22023 invalid name, 42710 it exists already, 42501 not for all realms.';

CREATE FUNCTION identity_internal.check_realm(realm text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF realm IS NULL OR NOT EXISTS (SELECT FROM identity.realms AS r WHERE r.name = check_realm.realm) THEN
        RAISE EXCEPTION 'realm "%" does not exist', identity_internal.shown(realm)
            USING ERRCODE = 'undefined_object', HINT = 'Add it: SELECT identity.add_realm(''name''). SELECT name FROM identity.realms shows the realms.';
    END IF;
END
$$;
COMMENT ON FUNCTION identity_internal.check_realm(text) IS 'Internal: raises where there is no such realm';

CREATE FUNCTION identity.set_identity_schema(realm text, schema_id text, schema jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    problem CONSTANT text := identity_internal.schema_problem(schema);
BEGIN
    PERFORM identity_internal.check_realm(realm);
    IF schema_id IS NULL OR schema_id = '' OR schema IS NULL OR problem IS NOT NULL THEN
        RAISE EXCEPTION 'invalid identity schema "%"', identity_internal.shown(schema_id)
            USING ERRCODE = 'invalid_parameter_value', DETAIL = COALESCE(problem, 'schema_id or schema is NULL or empty.'),
                  HINT = 'Give the JSON Schema that Ory Kratos has: {"properties": {"traits": {"properties": {"email": {"type": "string", "ory.sh/kratos": {"credentials": {"password": {"identifier": true}}}}}}}}';
    END IF;
    INSERT INTO identity.identity_schemas AS s (realm, schema_id, schema) VALUES ($1, $2, $3)
    ON CONFLICT ON CONSTRAINT identity_schemas_pkey DO UPDATE SET schema = excluded.schema;
END
$$;
COMMENT ON FUNCTION identity.set_identity_schema(text, text, jsonb) IS
'Adds an identity schema of Ory Kratos to a realm, or replaces it. It says for identities imported from now on which traits are identifiers ("ory.sh/kratos": credentials.....identifier) and which are addresses (verification.via, recovery.via).
Errors: 42704 no such realm, 22023 no identity schema.';

CREATE FUNCTION identity_internal.recheck_identifiers(realm text)
RETURNS TABLE (identity_id uuid, kind text, value text, key text, new_key text, held_by uuid, unicode_version text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM identity_internal.check_realm(realm);
    RETURN QUERY
    SELECT h.identity_id, h.kind::text, h.value::text, h.key::text, n.key, o.identity_id, h.unicode_version::text
    FROM identity.identifiers AS h
    CROSS JOIN LATERAL (SELECT identity.normalize_identifier(h.kind, h.value) AS key OFFSET 0) AS n
    LEFT JOIN identity.identifiers AS o ON o.realm = h.realm AND o.key = n.key AND o.identity_id <> h.identity_id
    WHERE h.realm = recheck_identifiers.realm AND n.key <> h.key
    ORDER BY h.key;
END
$$;
COMMENT ON FUNCTION identity_internal.recheck_identifiers(text) IS 'Internal: what identity.recheck_identifiers() carries out';

CREATE FUNCTION identity.recheck_identifiers(realm text)
RETURNS TABLE (identity_id uuid, kind text, value text, key text, new_key text, held_by uuid, unicode_version text)
LANGUAGE c STABLE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'importer_gate_wrapper';
COMMENT ON FUNCTION identity.recheck_identifiers(text) IS
'The identifiers of a realm whose key the present Unicode version (or normalisation) would make differently: the key stored, the new one, and the identity that holds the new one already, if there is one. No rows: all keys are as they should be. UPDATE identity.identifiers SET key = new_key takes the new one.
Errors: 42704 no such realm.';
