-- Login routing: organizations, memberships, and the way from an identity to the organization that it logs in to.
--
-- Security: resolve_login and preview_login ask what their caller may do, and then go on as the owner of the extension, so that the
-- application's role needs no right on the tables. Nothing here refers from a membership to its organization: that one may be gone, and the login goes on to another.

CREATE FUNCTION identity_internal.is_sso_url(url text) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'is_sso_url_wrapper';
COMMENT ON FUNCTION identity_internal.is_sso_url(text) IS 'Internal: whether it is an absolute http or https URL with a host and no password';

CREATE FUNCTION identity_internal.are_domains(domains text[]) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'are_domains_wrapper';
COMMENT ON FUNCTION identity_internal.are_domains(text[]) IS 'Internal: whether all are domain names in ASCII and lower case';

CREATE TABLE identity.organizations (
    realm text COLLATE "C" NOT NULL REFERENCES identity.realms,
    name text COLLATE "C" NOT NULL
        CHECK (name OPERATOR(pg_catalog.~) '^[^[:cntrl:]]+$' AND pg_catalog.octet_length(name) OPERATOR(pg_catalog.<=) 255),
    state text COLLATE "C" NOT NULL DEFAULT 'active'
        CHECK (state OPERATOR(pg_catalog.=) ANY ('{active,suspended,deleted}'::pg_catalog.text[])),
    mfa_required boolean NOT NULL DEFAULT false,
    sso_required boolean NOT NULL DEFAULT false,
    sso_url text COLLATE "C" CONSTRAINT is_sso_url CHECK (identity_internal.is_sso_url(sso_url)),
    sso_connection text COLLATE "C" CHECK (sso_connection OPERATOR(pg_catalog.<>) ''),
    allowed_networks cidr[] CHECK (pg_catalog.array_position(allowed_networks, NULL) IS NULL),
    verified_domains text[] COLLATE "C" CONSTRAINT are_domains CHECK (identity_internal.are_domains(verified_domains)),
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    PRIMARY KEY (realm, name)
);
CREATE INDEX organizations_verified_domains_idx ON identity.organizations USING gin (verified_domains);
SELECT pg_catalog.pg_extension_config_dump('identity.organizations', '');
COMMENT ON TABLE identity.organizations IS 'What identities log in to, with the rules for it';
COMMENT ON COLUMN identity.organizations.realm IS 'The realm';
COMMENT ON COLUMN identity.organizations.name IS 'The organization''s name, which is its key: 1 to 255 bytes, compared by byte';
COMMENT ON COLUMN identity.organizations.state IS 'active; suspended or deleted: nobody logs in to it';
COMMENT ON COLUMN identity.organizations.mfa_required IS 'A second factor is asked for';
COMMENT ON COLUMN identity.organizations.sso_required IS 'Its members log in by its own single sign-on';
COMMENT ON COLUMN identity.organizations.sso_url IS 'Where they are sent for that: an http or https URL. Without one, sso_required lets nobody in';
COMMENT ON COLUMN identity.organizations.sso_connection IS 'The single sign-on that counts; NULL: any that was done for this organization';
COMMENT ON COLUMN identity.organizations.allowed_networks IS 'Where its members may log in from; NULL or empty: anywhere';
COMMENT ON COLUMN identity.organizations.verified_domains IS 'Domains of e-mail addresses that it has proved to be its own';
COMMENT ON COLUMN identity.organizations.created_at IS 'When it was added';

CREATE TABLE identity.memberships (
    realm text COLLATE "C" NOT NULL,
    identity_id uuid NOT NULL,
    organization text COLLATE "C" NOT NULL CHECK (organization OPERATOR(pg_catalog.<>) ''),
    state text COLLATE "C" NOT NULL DEFAULT 'active'
        CHECK (state OPERATOR(pg_catalog.=) ANY ('{active,suspended}'::pg_catalog.text[])),
    is_default boolean NOT NULL DEFAULT false,
    last_used boolean NOT NULL DEFAULT false,
    last_login timestamptz,
    joined_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    PRIMARY KEY (realm, identity_id, organization),
    FOREIGN KEY (realm, identity_id) REFERENCES identity.identities ON DELETE CASCADE
) WITH (fillfactor = 90);
CREATE INDEX memberships_joined_at_idx ON identity.memberships (realm, identity_id, joined_at, organization);
CREATE UNIQUE INDEX memberships_is_default_key ON identity.memberships (realm, identity_id) WHERE is_default;
CREATE INDEX memberships_last_used_idx ON identity.memberships (realm, identity_id) WHERE last_used;
SELECT pg_catalog.pg_extension_config_dump('identity.memberships', '');
COMMENT ON TABLE identity.memberships IS 'Who belongs to which organization. A membership may outlive its organization';
COMMENT ON COLUMN identity.memberships.realm IS 'The realm';
COMMENT ON COLUMN identity.memberships.identity_id IS 'The member';
COMMENT ON COLUMN identity.memberships.organization IS 'The organization''s name';
COMMENT ON COLUMN identity.memberships.state IS 'active; suspended: no login to this organization';
COMMENT ON COLUMN identity.memberships.is_default IS 'The organization that the member chose as the first; at most one';
COMMENT ON COLUMN identity.memberships.last_used IS 'The organization of the member''s last login';
COMMENT ON COLUMN identity.memberships.last_login IS 'When the member last logged in to this organization';
COMMENT ON COLUMN identity.memberships.joined_at IS 'Since when; the oldest membership is tried before the younger ones';

-- One key, so that whatever the planner believes of its size there is one index by which failures are counted.
CREATE TABLE identity.login_failures (
    realm text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL CHECK (kind OPERATOR(pg_catalog.=) ANY
        ('{name and address,name,identity,address,network,realm,factor}'::pg_catalog.text[])),
    key text COLLATE "C" NOT NULL,
    failed_at timestamptz NOT NULL,
    slot int NOT NULL DEFAULT -1,
    id uuid NOT NULL DEFAULT pg_catalog.gen_random_uuid(),
    PRIMARY KEY (realm, kind, key, failed_at, slot, id)
);
SELECT pg_catalog.pg_extension_config_dump('identity.login_failures', '');
COMMENT ON TABLE identity.login_failures IS 'Failed logins of the last while, by which further ones are held back. Old rows are removed as new ones come';
COMMENT ON COLUMN identity.login_failures.realm IS 'The realm';
COMMENT ON COLUMN identity.login_failures.kind IS 'What is counted: name and address, name, identity, address, network, realm; or factor: wrong second factors. A failed login is counted for each';
COMMENT ON COLUMN identity.login_failures.key IS 'Of a name: a keyed digest of the login name that was tried, or the id of an identity that has proved itself. Of an identity: its id, or the name''s digest where the name is nobody''s. Of an address: of IPv4 32 bits, of IPv6 64. Of a network: of IPv4 24 bits, of IPv6 48';
COMMENT ON COLUMN identity.login_failures.failed_at IS 'When';
COMMENT ON COLUMN identity.login_failures.slot IS 'Which of the failures that are allowed it is: no two logins at one time have the same. -1: it is counted without';
COMMENT ON COLUMN identity.login_failures.id IS 'Sets apart what failed in one moment';

CREATE TABLE identity.known_addresses (
    realm text COLLATE "C" NOT NULL,
    identity_id uuid NOT NULL,
    address text COLLATE "C" NOT NULL,
    last_login timestamptz NOT NULL,
    PRIMARY KEY (realm, identity_id, address),
    FOREIGN KEY (realm, identity_id) REFERENCES identity.identities ON DELETE CASCADE
);
SELECT pg_catalog.pg_extension_config_dump('identity.known_addresses', '');
COMMENT ON TABLE identity.known_addresses IS 'Where identities have logged in from: there strangers'' failed logins do not hold them back. The latest 50 of each, for identity.known_address_lifetime';
COMMENT ON COLUMN identity.known_addresses.realm IS 'The realm';
COMMENT ON COLUMN identity.known_addresses.identity_id IS 'The identity';
COMMENT ON COLUMN identity.known_addresses.address IS 'The address: of IPv4 32 bits, of IPv6 64';
COMMENT ON COLUMN identity.known_addresses.last_login IS 'When it last logged in from there; written at most once a day';

-- The secret of a realm: by it login names that were tried are counted without being kept, and nobody can work out what an unknown
-- name is answered with. No level of access reads it.
CREATE TABLE identity_internal.login_secrets (
    realm text COLLATE "C" PRIMARY KEY,
    secret bytea NOT NULL
);
SELECT pg_catalog.pg_extension_config_dump('identity_internal.login_secrets', '');
COMMENT ON TABLE identity_internal.login_secrets IS 'Internal: a random secret of each realm. Nobody has a right on it';

CREATE FUNCTION identity_internal.add_secret(realm text) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO identity_internal.login_secrets (realm, secret)
    VALUES ($1, decode(replace(concat(gen_random_uuid(), gen_random_uuid()), '-', ''), 'hex')) ON CONFLICT DO NOTHING
$$;
COMMENT ON FUNCTION identity_internal.add_secret(text) IS 'Internal: draws a secret for a realm that has none';

-- A dump brings the secrets of its realms, before or after the realms themselves.
CREATE FUNCTION identity_internal.draw_secret() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        DELETE FROM identity_internal.login_secrets AS s WHERE s.realm = OLD.name;
        DELETE FROM identity_internal.login_decoys AS d WHERE d.realm = OLD.name;
    END IF;
    IF NOT identity_internal.restoring() THEN
        PERFORM identity_internal.add_secret(NEW.name);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION identity_internal.draw_secret() IS 'Internal: trigger of identity.realms';
CREATE TRIGGER draw_secret AFTER INSERT OR UPDATE OF name ON identity.realms FOR EACH ROW EXECUTE FUNCTION identity_internal.draw_secret();

CREATE FUNCTION identity_internal.drop_secret() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM identity_internal.login_secrets AS s WHERE s.realm = OLD.name;
    DELETE FROM identity_internal.login_decoys AS d WHERE d.realm = OLD.name;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION identity_internal.drop_secret() IS 'Internal: trigger of identity.realms';
CREATE TRIGGER drop_secret AFTER DELETE ON identity.realms FOR EACH ROW EXECUTE FUNCTION identity_internal.drop_secret();

CREATE FUNCTION identity_internal.keyed_digest(realm text, value text) RETURNS bytea
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    secret CONSTANT bytea := COALESCE((SELECT s.secret FROM identity_internal.login_secrets AS s WHERE s.realm = $1), convert_to(realm, 'UTF8'));
BEGIN
    RETURN sha256(secret || sha256(secret || convert_to(value, 'UTF8')));
END
$$;
COMMENT ON FUNCTION identity_internal.keyed_digest(text, text) IS 'Internal: a digest that can be made with the realm''s secret alone';

CREATE FUNCTION identity_internal.key_as_counted(realm text, key text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN 'login:' || encode(identity_internal.keyed_digest(realm, 'name ' || key), 'hex');
END
$$;
COMMENT ON FUNCTION identity_internal.key_as_counted(text, text) IS
'Internal: what failed logins with a name are counted under. It is kept instead of the name, which may be a password that was typed into the wrong field';

CREATE FUNCTION identity_internal.login_begins(
    realm text, name text, subject text, identity_id uuid, address text, OUT wait interval, OUT failed_before boolean, OUT slot int)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'login_begins_wrapper';
COMMENT ON FUNCTION identity_internal.login_begins(text, text, text, uuid, text) IS
'Internal: a login that is about to be decided. wait: how long it is held back; NULL: not at all, and then it has the slot until the end of the transaction, or until it has succeeded. It waits for no other session';

CREATE FUNCTION identity_internal.login_failed(realm text, name text, subject text, identity_id uuid, address text, slot int) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'login_failed_wrapper';
COMMENT ON FUNCTION identity_internal.login_failed(text, text, text, uuid, text, int) IS 'Internal: counts a failed login. It waits for no other session';

CREATE FUNCTION identity_internal.login_succeeded(realm text, name text, identity_id uuid, address text, failed_before boolean, slot int) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'login_succeeded_wrapper';
COMMENT ON FUNCTION identity_internal.login_succeeded(text, text, uuid, text, boolean, int) IS
'Internal: forgets the failed logins of a name from an address, and remembers that the identity logged in from there. It waits for no other session';

CREATE FUNCTION identity_internal.wait_for_step(started timestamptz) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'wait_for_step_wrapper';
COMMENT ON FUNCTION identity_internal.wait_for_step(timestamptz) IS
'Internal: waits, half a millisecond at the most, until a whole number of half milliseconds has passed: refused logins then take the same time, whatever it is that they differ in';

CREATE FUNCTION identity_internal.login_address(address text) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'login_address_wrapper';
COMMENT ON FUNCTION identity_internal.login_address(text) IS
'Internal: what failed logins from an address are counted under: the IPv4 address, or the IPv6 network of 64 bits. Errors: 22023 not an IP address';

CREATE FUNCTION identity_internal.context_address(context jsonb) RETURNS text
LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'context_address_wrapper';
COMMENT ON FUNCTION identity_internal.context_address(jsonb) IS 'Internal: the address in the context of a login. Errors: 22023 the context is not of the form that identity.resolve_login() takes';

-- Whom failures are counted for: a subject is an identity's id, or a login name, which stands for whom it logs in.
CREATE FUNCTION identity_internal.counted_subjects(realm text, subject text) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    owners CONSTANT text[] := ARRAY[subject] || ARRAY(SELECT COALESCE(c.identity_id::text, c.site_id || ':' || c.original_id)
        FROM unnest(identity_internal.candidates(realm, subject, identity_internal.key_as_counted(realm, subject))) AS c);
BEGIN
    RETURN owners || identity_internal.key_as_counted(realm, identity_internal.login_key(subject)) || ARRAY(
        SELECT identity_internal.key_as_counted(realm, k.key) FROM (
            SELECT i.key FROM identity.identifiers AS i WHERE i.realm = $1 AND i.identity_id::text = ANY (owners)
            UNION ALL
            SELECT n.key FROM identity.staged_identifiers AS n WHERE n.realm = $1 AND n.site_id || ':' || n.original_id = ANY (owners)
            UNION ALL
            SELECT f.old_key FROM identity.former_logins AS f JOIN identity.staged_identities AS s USING (realm, site_id, original_id)
            WHERE f.realm = $1 AND (s.identity_id::text = ANY (owners) OR s.site_id || ':' || s.original_id = ANY (owners))) AS k);
END
$$;
COMMENT ON FUNCTION identity_internal.counted_subjects(text, text) IS 'Internal: the keys that failed logins of an identity, or with a login name, are counted under';

CREATE FUNCTION identity_internal.clear_login_failures(realm text, subject text, address text) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    client CONSTANT text := identity_internal.login_address(address);
    subjects text[];
    cleared bigint;
BEGIN
    PERFORM identity_internal.check_realm(realm);
    IF subject IS NULL AND client IS NULL THEN
        RAISE EXCEPTION 'neither subject nor address is given'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Give an identity''s id, a login name, or an IP address: clear_login_failures(realm, address => ''192.0.2.7'').';
    END IF;
    subjects := CASE WHEN subject IS NOT NULL THEN identity_internal.counted_subjects(realm, subject) END;
    DELETE FROM identity.login_failures AS f
    WHERE f.realm = clear_login_failures.realm
      AND CASE f.kind WHEN 'name and address' THEN split_part(f.key, ' ', 1) = ANY (subjects) OR split_part(f.key, ' ', 2) = client
                      WHEN 'address' THEN f.key = client
                      WHEN 'network' THEN client::inet <<= f.key::inet
                      WHEN 'realm' THEN false
                      ELSE f.key = ANY (subjects) END;
    GET DIAGNOSTICS cleared = ROW_COUNT;
    PERFORM identity_internal.audit(realm, 'clear_login_failures', subject, jsonb_build_object('address', client, 'cleared', cleared));
    RETURN cleared;
END
$$;
COMMENT ON FUNCTION identity_internal.clear_login_failures(text, text, text) IS 'Internal: what identity.clear_login_failures() carries out';

CREATE FUNCTION identity.clear_login_failures(realm text, subject text = NULL, address text = NULL) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'admin_gate_wrapper';
COMMENT ON FUNCTION identity.clear_login_failures(text, text, text) IS
'Forgets the failed logins of a subject (an identity''s id, or a login name: by whichever name of the same identity; wrong second factors too) or from an address and its network, so that the next one is not held back. Returns how many rows of identity.login_failures; a failure has several.
Errors: 42704 no such realm, 22023 neither is given, or address is no IP address.';

CREATE FUNCTION identity_internal.organization_settings(settings jsonb) RETURNS jsonb
LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'organization_settings_wrapper';
COMMENT ON FUNCTION identity_internal.organization_settings(jsonb) IS
'Internal: the settings of an organization as they are stored. Errors: 22023 unknown setting, or a value that it cannot have';

CREATE FUNCTION identity_internal.membership_settings(settings jsonb) RETURNS jsonb
LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'membership_settings_wrapper';
COMMENT ON FUNCTION identity_internal.membership_settings(jsonb) IS
'Internal: the settings of a membership as they are stored. Errors: 22023 unknown setting, or a value that it cannot have';

CREATE FUNCTION identity_internal.check_organization(realm text, organization text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM identity_internal.check_realm(realm);
    IF organization IS NULL
       OR NOT EXISTS (SELECT FROM identity.organizations AS o WHERE o.realm = $1 AND o.name = $2) THEN
        RAISE EXCEPTION 'organization "%" does not exist in realm "%"', identity_internal.shown(organization), realm
            USING ERRCODE = 'undefined_object', HINT = 'Add it: SELECT identity.add_organization(realm, name). SELECT name FROM identity.organizations shows the organizations.';
    END IF;
END
$$;
COMMENT ON FUNCTION identity_internal.check_organization(text, text) IS 'Internal: raises where there is no such organization';

CREATE FUNCTION identity.add_organization(realm text, name text, settings jsonb = '{}') RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    stored CONSTANT jsonb := identity_internal.organization_settings(settings);
BEGIN
    PERFORM identity_internal.check_realm(realm);
    IF name IS NULL OR octet_length(name) > 255 OR name !~ '^[^[:cntrl:]]+$' THEN
        RAISE EXCEPTION 'invalid name of an organization: "%"', identity_internal.shown(name)
            USING ERRCODE = 'invalid_parameter_value', HINT = 'An organization''s name has 1 to 255 bytes and no control characters.';
    END IF;
    INSERT INTO identity.organizations
    SELECT o.* FROM jsonb_populate_record(NULL::identity.organizations,
        jsonb_build_object('state', 'active', 'mfa_required', false, 'sso_required', false) || stored
        || jsonb_build_object('realm', realm, 'name', name, 'created_at', now())) AS o
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'organization "%" exists already in realm "%"', name, realm
            USING ERRCODE = 'duplicate_object', HINT = 'Change it: SELECT identity.set_organization(realm, name, settings).';
    END IF;
END
$$;
COMMENT ON FUNCTION identity.add_organization(text, text, jsonb) IS
'Adds an organization to a realm.
settings: state (active, suspended, deleted), mfa_required, sso_required (true or false), sso_url (an http or https URL), sso_connection (the name of a single sign-on), allowed_networks (["192.0.2.0/24"]), verified_domains (["example.com"]).
Errors: 42704 no such realm, 42710 it exists already, 22023 an unknown setting, or a value that it cannot have.';

CREATE FUNCTION identity.set_organization(realm text, name text, settings jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    stored CONSTANT jsonb := identity_internal.organization_settings(settings);
BEGIN
    PERFORM identity_internal.check_organization(realm, name);
    UPDATE identity.organizations AS o
    SET (state, mfa_required, sso_required, sso_url, sso_connection, allowed_networks, verified_domains) = (
        SELECT s.state, s.mfa_required, s.sso_required, s.sso_url, s.sso_connection, s.allowed_networks, s.verified_domains
        FROM jsonb_populate_record(o, stored) AS s)
    WHERE o.realm = $1 AND o.name = $2;
END
$$;
COMMENT ON FUNCTION identity.set_organization(text, text, jsonb) IS
'Changes the settings of an organization that are given; the others stay. null empties sso_url, sso_connection, allowed_networks or verified_domains.
settings: as of identity.add_organization(). {"state": "deleted"} closes it for good; the row may also be deleted: its memberships then point at nothing, and logins go on to another organization.
Errors: 42704 no such realm or organization, 22023 an unknown setting, or a value that it cannot have.';

CREATE FUNCTION identity_internal.organizations_of_email(realm text, email text) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    domain CONSTANT text := split_part(identity.normalize_identifier('email', email), '@', -1);
BEGIN
    PERFORM identity_internal.check_realm(realm);
    RETURN QUERY
    SELECT o.name::text FROM identity.organizations AS o
    WHERE o.realm = $1 AND o.state = 'active' AND o.verified_domains @> ARRAY[domain] ORDER BY o.name;
END
$$;
COMMENT ON FUNCTION identity_internal.organizations_of_email(text, text) IS 'Internal: what identity.organizations_of_email() carries out';

CREATE FUNCTION identity.organizations_of_email(realm text, email text) RETURNS SETOF text
LANGUAGE c STABLE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'application_gate_wrapper';
COMMENT ON FUNCTION identity.organizations_of_email(text, text) IS
'The active organizations of which the domain of an e-mail address is a verified one: where a login page may send who types it.
Errors: 42704 no such realm.';

CREATE FUNCTION identity_internal.add_membership(realm text, identity_id uuid, organization text, settings jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    stored CONSTANT jsonb := identity_internal.membership_settings(settings);
    state CONSTANT text := COALESCE(stored ->> 'state', 'active');
    is_default CONSTANT boolean := COALESCE((stored ->> 'is_default')::boolean, false);
    former text;
BEGIN
    PERFORM identity_internal.check_organization(realm, organization);
    IF NOT EXISTS (SELECT FROM identity.identities AS i WHERE i.realm = $1 AND i.id = $2) THEN
        RAISE EXCEPTION 'identity % does not exist in realm "%"', COALESCE(identity_id::text, 'NULL'), realm
            USING ERRCODE = 'undefined_object', HINT = 'SELECT id, username FROM identity.identities_view shows the identities.';
    END IF;
    IF is_default THEN
        UPDATE identity.memberships AS m SET is_default = false
        WHERE m.realm = $1 AND m.identity_id = $2 AND m.is_default AND m.organization <> $3
        RETURNING m.organization INTO former;
    END IF;
    INSERT INTO identity.memberships AS m (realm, identity_id, organization, state, is_default) VALUES ($1, $2, $3, state, is_default)
    ON CONFLICT ON CONSTRAINT memberships_pkey DO NOTHING;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'identity % is a member of organization "%" already', identity_id, organization
            USING ERRCODE = 'duplicate_object', HINT = 'Change it: SELECT identity.set_membership(realm, identity_id, organization, settings).';
    END IF;
    PERFORM identity_internal.audit(realm, 'add_membership', identity_id::text, jsonb_strip_nulls(jsonb_build_object(
        'organization', organization, 'state', state, 'is_default', is_default, 'former_default', former)));
END
$$;
COMMENT ON FUNCTION identity_internal.add_membership(text, uuid, text, jsonb) IS 'Internal: what identity.add_membership() carries out';

CREATE FUNCTION identity.add_membership(realm text, identity_id uuid, organization text, settings jsonb = '{}') RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'admin_gate_wrapper';
COMMENT ON FUNCTION identity.add_membership(text, uuid, text, jsonb) IS
'Makes an identity a member of an organization.
settings: state (active or suspended), is_default (true: in place of the organization that was its default).
Errors: 42704 no such realm, identity or organization, 42710 it is a member already, 22023 an unknown setting, or a value that it cannot have.';

CREATE FUNCTION identity.import_memberships(realm text, source text, dry_run boolean = false)
RETURNS TABLE (row_number bigint, status text, identity_id uuid, organization text, sqlstate text, message text)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'import_memberships_wrapper';
COMMENT ON FUNCTION identity.import_memberships(text, text, boolean) IS
'Makes identities members of organizations: as identity.add_membership(), for many.
source: a relation''s name or one query, which is read with the caller''s rights. Its columns: identity_id (uuid), organization (text) and, where it has them, state (active or suspended) and is_default (boolean: in place of the organization that was the identity''s default; of several the first).
dry_run: the same report, nothing written. Returns a row for each row of the source. status: added; conflict (the identity is a member already: nothing is changed); duplicate (a row before it has the same identity and organization); invalid (NULL, an unknown state, no such identity or organization), with SQLSTATE and message.
Errors: 42704 no such realm, 42703 other columns, 22P02 an identity_id that is no UUID or an is_default that is no boolean, 25006 read-only transaction.';

CREATE FUNCTION identity.set_membership(realm text, identity_id uuid, organization text, settings jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    stored CONSTANT jsonb := identity_internal.membership_settings(settings);
BEGIN
    PERFORM identity_internal.check_membership(realm, identity_id, organization);
    IF (stored ->> 'is_default')::boolean THEN
        UPDATE identity.memberships AS m SET is_default = false
        WHERE m.realm = $1 AND m.identity_id = $2 AND m.is_default AND m.organization <> $3;
    END IF;
    UPDATE identity.memberships AS m
    SET state = COALESCE(stored ->> 'state', m.state), is_default = COALESCE((stored ->> 'is_default')::boolean, m.is_default)
    WHERE m.realm = $1 AND m.identity_id = $2 AND m.organization = $3;
END
$$;
COMMENT ON FUNCTION identity.set_membership(text, uuid, text, jsonb) IS
'Changes the settings of a membership that are given; the others stay. settings: as of identity.add_membership().
Errors: 42704 no such realm or membership, 22023 an unknown setting, or a value that it cannot have.';

CREATE FUNCTION identity.remove_membership(realm text, identity_id uuid, organization text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM identity_internal.check_membership(realm, identity_id, organization);
    DELETE FROM identity.memberships AS m WHERE m.realm = $1 AND m.identity_id = $2 AND m.organization = $3;
END
$$;
COMMENT ON FUNCTION identity.remove_membership(text, uuid, text) IS
'Ends a membership, also of an organization that is gone. Errors: 42704 no such realm or membership.';

CREATE FUNCTION identity_internal.check_membership(realm text, identity_id uuid, organization text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM identity_internal.check_realm(realm);
    IF NOT EXISTS (SELECT FROM identity.memberships AS m WHERE m.realm = $1 AND m.identity_id = $2 AND m.organization = $3) THEN
        RAISE EXCEPTION 'identity % is no member of organization "%"', COALESCE(identity_id::text, 'NULL'), identity_internal.shown(organization)
            USING ERRCODE = 'undefined_object', HINT = 'identity.memberships has the memberships.';
    END IF;
END
$$;
COMMENT ON FUNCTION identity_internal.check_membership(text, uuid, text) IS 'Internal: raises where there is no such membership';

CREATE FUNCTION identity.resolve_login(
    realm text, identity_id uuid, organization text = NULL, context jsonb = '{}', max_attempts int = 10, fallback boolean = true,
    OUT decision text, OUT organization text, OUT reason text, OUT redirect_url text, OUT switched boolean, OUT attempts int,
    OUT event_id bigint, OUT retry_after interval)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'resolve_login_wrapper';
COMMENT ON FUNCTION identity.resolve_login(text, uuid, text, jsonb, int, boolean) IS
'Decides which organization an identity, which has proved itself, logs in to; and puts it on record.
identity_id: as identity.authenticate() returned it. NULL, where that let nobody in, is a deny with the reason identity_missing; it counts as no failure of its own.
organization: the one asked for. If it cannot be logged in to, the others of the identity are tried: the last used, the default, then the oldest membership first; at most max_attempts, and for no longer than identity.login_deadline. fallback: false tries the first alone.
context: {"factors": ["password"], "organizations": {"acme": {"factors": ["totp"], "sso": ["connection"]}}, "ip": "192.0.2.7", "failed_factors": []}; other keys are refused. A factor counts for the organization that it was given for; a second factor that was wrong counts until a right one comes.
decision: allow; mfa_required, mfa_setup_required, sso_redirect (to redirect_url): what the organization asks for; deny; throttled (until retry_after is over). reason: why it is not allow; where switched is true, why the organization asked for was not taken.
identity.login_attempts(realm, event_id) has the organizations that were tried.
Errors: 42704 no such realm, 22004 realm, max_attempts or fallback is NULL, 22023 bad context or max_attempts, 25006 read-only transaction.';

CREATE FUNCTION identity.preview_login(
    realm text, identity_id uuid, organization text = NULL, context jsonb = '{}', max_attempts int = 10, fallback boolean = true,
    OUT decision text, OUT organization text, OUT reason text, OUT redirect_url text, OUT switched boolean, OUT attempts int,
    OUT event_id bigint, OUT retry_after interval)
LANGUAGE c STABLE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'preview_login_wrapper';
COMMENT ON FUNCTION identity.preview_login(text, uuid, text, jsonb, int, boolean) IS
'What identity.resolve_login() would decide. Writes nothing, counts nothing, and works on a standby. event_id is NULL.
Errors: 42704 no such realm, 22004 realm, max_attempts or fallback is NULL, 22023 bad context or max_attempts.';

CREATE FUNCTION identity_internal.login_attempts(realm text, event_id bigint)
RETURNS TABLE (attempt int, organization text, outcome text, reason text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    tried jsonb;
BEGIN
    PERFORM identity_internal.check_realm(realm);
    SELECT e.detail -> 'attempts' INTO tried FROM identity.audit_events AS e
    WHERE e.realm = $1 AND e.lane = $2 % 1048576 AND e.seq = $2 / 1048576 AND e.action = 'resolve_login';
    IF NOT FOUND THEN
        RAISE EXCEPTION 'event % of realm "%" is no login', COALESCE(event_id::text, 'NULL'), realm
            USING ERRCODE = 'undefined_object', HINT = 'Give the event_id that identity.resolve_login() returned.';
    END IF;
    RETURN QUERY
    SELECT t.n::int, t.value ->> 'organization', t.value ->> 'outcome', t.value ->> 'reason'
    FROM jsonb_array_elements(tried) WITH ORDINALITY AS t (value, n) ORDER BY t.n;
END
$$;
COMMENT ON FUNCTION identity_internal.login_attempts(text, bigint) IS 'Internal: what identity.login_attempts() carries out';

CREATE FUNCTION identity.login_attempts(realm text, event_id bigint)
RETURNS TABLE (attempt int, organization text, outcome text, reason text)
LANGUAGE c STABLE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'application_gate_wrapper';
COMMENT ON FUNCTION identity.login_attempts(text, bigint) IS
'The organizations that a login tried, in order. outcome: failed (it could not be logged in to, for the reason), or the decision that it led to.
event_id: as identity.resolve_login() returned it. Errors: 42704 no such realm, or no such login.';
