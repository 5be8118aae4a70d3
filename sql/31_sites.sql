-- The SSO layer: sites, and what is staged of them until each user logs in. Duplicates across the main tables and the layer,
-- the proposals to link two accounts, the notices of new names.
--
-- Security: the source of stage_site, and its list of domains, are read as the caller, to their end, into texts. All else is done
-- as the owner of the extension, and runs no code but that of the extension and of triggers on its tables. Nothing that it uses has a
-- name in the caller's session.

CREATE TABLE identity.sites (
    realm text COLLATE "C" NOT NULL REFERENCES identity.realms,
    site_id int NOT NULL CHECK (site_id OPERATOR(pg_catalog.>) 0),
    name text COLLATE "C" NOT NULL
        CHECK (name OPERATOR(pg_catalog.~) '^[^[:cntrl:]]+$' AND pg_catalog.octet_length(name) OPERATOR(pg_catalog.<=) 255),
    prefix text COLLATE "C"
        CHECK (pg_catalog.normalize(prefix, 'NFKC') OPERATOR(pg_catalog.~) '^[^[:cntrl:][:space:]@+][^[:cntrl:][:space:]@]{0,63}$'),
    added_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    PRIMARY KEY (realm, site_id),
    UNIQUE (realm, name)
);
SELECT pg_catalog.pg_extension_config_dump('identity.sites', '');
COMMENT ON TABLE identity.sites IS 'Where sets of identities came from. Site 1 is the main site';
COMMENT ON COLUMN identity.sites.realm IS 'The realm';
COMMENT ON COLUMN identity.sites.site_id IS 'Its number: of two sites with one login name, the one with the lower number keeps it';
COMMENT ON COLUMN identity.sites.name IS 'Its name, unique within the realm';
COMMENT ON COLUMN identity.sites.prefix IS 'What its users'' names begin with once they are renamed; NULL: its users are never renamed';
COMMENT ON COLUMN identity.sites.added_at IS 'When it was added';

CREATE TABLE identity.staged_identities (
    realm text COLLATE "C" NOT NULL,
    site_id int NOT NULL,
    original_id text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL
        CHECK (state OPERATOR(pg_catalog.=) ANY ('{staged,quarantined,promoted,linked}'::pg_catalog.text[])),
    rule text COLLATE "C",
    released boolean NOT NULL DEFAULT false,
    identity_id uuid,
    username text,
    email text,
    email_verified boolean NOT NULL DEFAULT false,
    phone text,
    phone_verified boolean NOT NULL DEFAULT false,
    password_hash text,
    registered_at timestamptz,
    last_login_at timestamptz,
    display_name text,
    active boolean NOT NULL DEFAULT true,
    traits jsonb NOT NULL DEFAULT '{}' CHECK (pg_catalog.jsonb_typeof(traits) OPERATOR(pg_catalog.=) 'object'),
    staged_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    changed_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    PRIMARY KEY (realm, site_id, original_id),
    FOREIGN KEY (realm, site_id) REFERENCES identity.sites,
    CONSTRAINT quarantine_names_its_rule CHECK ((state OPERATOR(pg_catalog.=) 'quarantined') OPERATOR(pg_catalog.=) (rule IS NOT NULL)),
    CONSTRAINT tombstone_names_its_identity
        CHECK ((state OPERATOR(pg_catalog.=) ANY ('{promoted,linked}'::pg_catalog.text[])) OPERATOR(pg_catalog.=) (identity_id IS NOT NULL))
);
CREATE INDEX staged_identities_identity_id_idx ON identity.staged_identities (realm, identity_id) WHERE identity_id IS NOT NULL;
SELECT pg_catalog.pg_extension_config_dump('identity.staged_identities', '');
COMMENT ON TABLE identity.staged_identities IS 'The users of the sites, as identity.stage_site() read them. Secret: only the access level admin reads it';
COMMENT ON COLUMN identity.staged_identities.realm IS 'The realm';
COMMENT ON COLUMN identity.staged_identities.site_id IS 'The site';
COMMENT ON COLUMN identity.staged_identities.original_id IS 'The user''s key at the site';
COMMENT ON COLUMN identity.staged_identities.state IS 'staged; quarantined (kept out by a rule); promoted (in the main tables now: what is left is a tombstone); linked (to an identity of the main tables)';
COMMENT ON COLUMN identity.staged_identities.rule IS 'The rule that keeps a quarantined user out';
COMMENT ON COLUMN identity.staged_identities.released IS 'Rules do not apply to it any more';
COMMENT ON COLUMN identity.staged_identities.identity_id IS 'The identity of the main tables that it became, or is linked to';
COMMENT ON COLUMN identity.staged_identities.username IS 'As the site has it: the name that logs in now is in identity.staged_identifiers';
COMMENT ON COLUMN identity.staged_identities.email IS 'As the site has it';
COMMENT ON COLUMN identity.staged_identities.email_verified IS 'The site says that the user has proved it to be their own';
COMMENT ON COLUMN identity.staged_identities.phone IS 'As the site has it; in E.164 form where the mapping names a country';
COMMENT ON COLUMN identity.staged_identities.phone_verified IS 'The site says that the user has proved it to be their own';
COMMENT ON COLUMN identity.staged_identities.password_hash IS 'The site''s own hash, in a form that says its scheme and salt';
COMMENT ON COLUMN identity.staged_identities.registered_at IS 'When the user joined the site';
COMMENT ON COLUMN identity.staged_identities.last_login_at IS 'The last login there; NULL: never, or not known';
COMMENT ON COLUMN identity.staged_identities.display_name IS 'The name that others see';
COMMENT ON COLUMN identity.staged_identities.active IS 'False: the user may not log in';
COMMENT ON COLUMN identity.staged_identities.traits IS 'What else the mapping took';
COMMENT ON COLUMN identity.staged_identities.staged_at IS 'When it was staged first';
COMMENT ON COLUMN identity.staged_identities.changed_at IS 'When it changed last';

-- A link does not outlive its identity: the user is staged again.
CREATE FUNCTION identity_internal.unlink_staged() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE identity.staged_identities AS s SET state = 'staged', identity_id = NULL, changed_at = clock_timestamp()
    FROM gone AS g WHERE s.realm = g.realm AND s.identity_id = g.id AND s.state = 'linked';
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION identity_internal.unlink_staged() IS 'Internal: after the deletion of identities that staged users are linked to';
CREATE TRIGGER unlink_staged AFTER DELETE ON identity.identities REFERENCING OLD TABLE AS gone
FOR EACH STATEMENT EXECUTE FUNCTION identity_internal.unlink_staged();

CREATE TABLE identity.staged_identifiers (
    realm text COLLATE "C" NOT NULL,
    site_id int NOT NULL,
    original_id text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL CHECK (kind OPERATOR(pg_catalog.=) ANY ('{username,email,phone}'::pg_catalog.text[])),
    value text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL CHECK (key OPERATOR(pg_catalog.<>) ''),
    logs_in boolean NOT NULL DEFAULT true,
    unicode_version text COLLATE "C" NOT NULL DEFAULT identity.unicode_version(),
    PRIMARY KEY (realm, site_id, original_id, kind),
    FOREIGN KEY (realm, site_id, original_id) REFERENCES identity.staged_identities ON DELETE CASCADE
);
CREATE INDEX staged_identifiers_key_idx ON identity.staged_identifiers (realm, key);
SELECT pg_catalog.pg_extension_config_dump('identity.staged_identifiers', '');
COMMENT ON TABLE identity.staged_identifiers IS 'The names of staged users. Two may have one key until identity.dedup_site_logins() has run';
COMMENT ON COLUMN identity.staged_identifiers.realm IS 'The realm';
COMMENT ON COLUMN identity.staged_identifiers.site_id IS 'The site';
COMMENT ON COLUMN identity.staged_identifiers.original_id IS 'The user';
COMMENT ON COLUMN identity.staged_identifiers.kind IS 'username, email or phone';
COMMENT ON COLUMN identity.staged_identifiers.value IS 'The name: a username may have been renamed';
COMMENT ON COLUMN identity.staged_identifiers.key IS 'What is compared, by byte: identity.normalize_identifier(kind, value)';
COMMENT ON COLUMN identity.staged_identifiers.logs_in IS 'False: an address that is somebody else''s login name, and only a contact here';
COMMENT ON COLUMN identity.staged_identifiers.unicode_version IS 'The Unicode version by which the key was made';

CREATE TABLE identity.site_dedup_runs (
    realm text COLLATE "C" NOT NULL REFERENCES identity.realms,
    run_id uuid NOT NULL,
    run_by name NOT NULL,
    started_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    renamed bigint NOT NULL,
    withdrawn bigint NOT NULL,
    proposed bigint NOT NULL,
    PRIMARY KEY (realm, run_id)
);
SELECT pg_catalog.pg_extension_config_dump('identity.site_dedup_runs', '');
COMMENT ON TABLE identity.site_dedup_runs IS 'One row a run of identity.dedup_site_logins()';
COMMENT ON COLUMN identity.site_dedup_runs.realm IS 'The realm';
COMMENT ON COLUMN identity.site_dedup_runs.run_id IS 'Time-ordered identifier of the run';
COMMENT ON COLUMN identity.site_dedup_runs.run_by IS 'The role that ran it, and may undo it';
COMMENT ON COLUMN identity.site_dedup_runs.started_at IS 'When, by the clock';
COMMENT ON COLUMN identity.site_dedup_runs.renamed IS 'Usernames that were changed';
COMMENT ON COLUMN identity.site_dedup_runs.withdrawn IS 'Addresses that do not log in any more';
COMMENT ON COLUMN identity.site_dedup_runs.proposed IS 'New link proposals';

CREATE TABLE identity.former_logins (
    realm text COLLATE "C" NOT NULL,
    run_id uuid NOT NULL,
    site_id int NOT NULL,
    original_id text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    old_value text COLLATE "C" NOT NULL,
    old_key text COLLATE "C" NOT NULL,
    new_value text COLLATE "C",
    new_key text COLLATE "C",
    duplicate_of jsonb NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    restored_at timestamptz,
    PRIMARY KEY (realm, run_id, site_id, original_id, kind),
    FOREIGN KEY (realm, run_id) REFERENCES identity.site_dedup_runs,
    FOREIGN KEY (realm, site_id, original_id) REFERENCES identity.staged_identities ON DELETE CASCADE
);
CREATE INDEX former_logins_old_key_idx ON identity.former_logins (realm, old_key);
SELECT pg_catalog.pg_extension_config_dump('identity.former_logins', '');
COMMENT ON TABLE identity.former_logins IS 'Login names that identity.dedup_site_logins() took away, each with what came in its place. For identity.former_name_grace they log their owner in, and no import gives them to others';
COMMENT ON COLUMN identity.former_logins.realm IS 'The realm';
COMMENT ON COLUMN identity.former_logins.run_id IS 'The run';
COMMENT ON COLUMN identity.former_logins.site_id IS 'The owner''s site';
COMMENT ON COLUMN identity.former_logins.original_id IS 'The owner';
COMMENT ON COLUMN identity.former_logins.kind IS 'username, email or phone';
COMMENT ON COLUMN identity.former_logins.old_value IS 'The name before';
COMMENT ON COLUMN identity.former_logins.old_key IS 'Its key';
COMMENT ON COLUMN identity.former_logins.new_value IS 'The name after; NULL for an address that is only a contact since';
COMMENT ON COLUMN identity.former_logins.new_key IS 'Its key';
COMMENT ON COLUMN identity.former_logins.duplicate_of IS 'Who keeps the name';
COMMENT ON COLUMN identity.former_logins.changed_at IS 'When it was taken away';
COMMENT ON COLUMN identity.former_logins.restored_at IS 'When identity.undo_dedup() gave it back';

-- Who had a name until a while ago keeps it for identity.former_name_grace, against all but those whose it is.
CREATE VIEW identity_internal.former_names AS
SELECT f.realm, f.old_key AS key, f.kind, f.old_value AS value, f.site_id, f.original_id, s.identity_id, f.changed_at AS until, f.duplicate_of,
    CASE WHEN f.kind OPERATOR(pg_catalog.=) 'email' THEN s.email_verified WHEN f.kind OPERATOR(pg_catalog.=) 'phone' THEN s.phone_verified ELSE false END AS verified
FROM identity.former_logins AS f
JOIN identity.staged_identities AS s USING (realm, site_id, original_id)
WHERE f.restored_at IS NULL AND s.state OPERATOR(pg_catalog.<>) 'quarantined'
  AND f.changed_at OPERATOR(pg_catalog.>) (pg_catalog.now() OPERATOR(pg_catalog.-)
      COALESCE(pg_catalog.current_setting('identity.former_name_grace', true), '90d')::pg_catalog.interval);
COMMENT ON VIEW identity_internal.former_names IS 'Internal: former login names that still log their owners in';

-- Not such a name: that of its keeper, of whoever has proved an address that the owner has not, and of users of a site without a prefix, whose
-- names stay as they are.
CREATE VIEW identity_internal.late_names AS
SELECT n.realm, n.site_id, n.original_id, n.kind, n.key, f.site_id AS owner_site_id, f.original_id AS owner_original_id
FROM identity_internal.former_names AS f
JOIN identity.staged_identifiers AS n ON n.realm OPERATOR(pg_catalog.=) f.realm AND n.key OPERATOR(pg_catalog.=) f.key
JOIN identity.staged_identities AS s ON s.realm OPERATOR(pg_catalog.=) n.realm AND s.site_id OPERATOR(pg_catalog.=) n.site_id
    AND s.original_id OPERATOR(pg_catalog.=) n.original_id
JOIN identity.sites AS t ON t.realm OPERATOR(pg_catalog.=) n.realm AND t.site_id OPERATOR(pg_catalog.=) n.site_id
WHERE n.logs_in AND s.state OPERATOR(pg_catalog.=) 'staged' AND s.changed_at OPERATOR(pg_catalog.>) f.until AND t.prefix IS NOT NULL
  AND (n.site_id OPERATOR(pg_catalog.<>) f.site_id OR n.original_id OPERATOR(pg_catalog.<>) f.original_id)
  AND NOT f.duplicate_of OPERATOR(pg_catalog.@>) pg_catalog.jsonb_build_object('site_id', n.site_id, 'row_id', n.original_id)
  AND (f.verified OR NOT CASE WHEN n.kind OPERATOR(pg_catalog.=) 'email' THEN s.email_verified
                              WHEN n.kind OPERATOR(pg_catalog.=) 'phone' THEN s.phone_verified ELSE false END);
COMMENT ON VIEW identity_internal.late_names IS 'Internal: login names of staged users that came, or changed, after they had become the former name of somebody else, who keeps them';

CREATE TABLE identity.notices (
    realm text COLLATE "C" NOT NULL,
    notice_id bigint GENERATED BY DEFAULT AS IDENTITY,
    site_id int NOT NULL,
    original_id text COLLATE "C" NOT NULL,
    run_id uuid,
    channel text COLLATE "C" CHECK (channel OPERATOR(pg_catalog.=) ANY ('{email,phone}'::pg_catalog.text[])),
    address text,
    old_login text NOT NULL,
    new_login text NOT NULL,
    state text COLLATE "C" NOT NULL DEFAULT 'pending'
        CHECK (state OPERATOR(pg_catalog.=) ANY ('{pending,sent,bounced,skipped,acknowledged}'::pg_catalog.text[])),
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    changed_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    PRIMARY KEY (realm, notice_id),
    FOREIGN KEY (realm, site_id, original_id) REFERENCES identity.staged_identities ON DELETE CASCADE
);
CREATE INDEX notices_pending_idx ON identity.notices (realm, notice_id) WHERE state OPERATOR(pg_catalog.=) 'pending';
CREATE INDEX notices_owner_idx ON identity.notices (realm, site_id, original_id);
SELECT pg_catalog.pg_extension_config_dump('identity.notices', '');
SELECT pg_catalog.pg_extension_config_dump('identity.notices_notice_id_seq', '');
COMMENT ON TABLE identity.notices IS 'What renamed users are to be told, one row a rename';
COMMENT ON COLUMN identity.notices.realm IS 'The realm';
COMMENT ON COLUMN identity.notices.notice_id IS 'The notice';
COMMENT ON COLUMN identity.notices.site_id IS 'The user''s site';
COMMENT ON COLUMN identity.notices.original_id IS 'The user';
COMMENT ON COLUMN identity.notices.run_id IS 'The run that renamed the user; NULL where one was undone';
COMMENT ON COLUMN identity.notices.channel IS 'email, else phone; NULL where the user has neither';
COMMENT ON COLUMN identity.notices.address IS 'Where to';
COMMENT ON COLUMN identity.notices.old_login IS 'The name before';
COMMENT ON COLUMN identity.notices.new_login IS 'The name to log in with';
COMMENT ON COLUMN identity.notices.state IS 'pending, sent, bounced, skipped (there is no address, or nothing to say any more) or acknowledged (the user logged in since)';
COMMENT ON COLUMN identity.notices.created_at IS 'When the name was changed';
COMMENT ON COLUMN identity.notices.changed_at IS 'When the state changed';

CREATE TABLE identity.link_proposals (
    realm text COLLATE "C" NOT NULL,
    proposal_id bigint GENERATED BY DEFAULT AS IDENTITY,
    site_id int NOT NULL,
    original_id text COLLATE "C" NOT NULL,
    identity_id uuid NOT NULL,
    kind text COLLATE "C" NOT NULL CHECK (kind OPERATOR(pg_catalog.=) ANY ('{email,phone}'::pg_catalog.text[])),
    address text NOT NULL,
    state text COLLATE "C" NOT NULL DEFAULT 'proposed'
        CHECK (state OPERATOR(pg_catalog.=) ANY ('{proposed,accepted,rejected}'::pg_catalog.text[])),
    moved text[] NOT NULL DEFAULT '{}',
    proposed_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    decided_at timestamptz,
    decided_by name,
    PRIMARY KEY (realm, proposal_id),
    UNIQUE (realm, site_id, original_id, identity_id),
    FOREIGN KEY (realm, site_id, original_id) REFERENCES identity.staged_identities ON DELETE CASCADE,
    FOREIGN KEY (realm, identity_id) REFERENCES identity.identities ON DELETE CASCADE
);
CREATE INDEX link_proposals_identity_id_idx ON identity.link_proposals (realm, identity_id);
SELECT pg_catalog.pg_extension_config_dump('identity.link_proposals', '');
SELECT pg_catalog.pg_extension_config_dump('identity.link_proposals_proposal_id_seq', '');
COMMENT ON TABLE identity.link_proposals IS 'Staged users and identities with the same verified address: perhaps one person. Nothing is linked until a person decides: identity.accept_link(), reject_link()';
COMMENT ON COLUMN identity.link_proposals.realm IS 'The realm';
COMMENT ON COLUMN identity.link_proposals.proposal_id IS 'The proposal';
COMMENT ON COLUMN identity.link_proposals.site_id IS 'The staged user''s site';
COMMENT ON COLUMN identity.link_proposals.original_id IS 'The staged user';
COMMENT ON COLUMN identity.link_proposals.identity_id IS 'The identity of the main tables';
COMMENT ON COLUMN identity.link_proposals.kind IS 'email or phone';
COMMENT ON COLUMN identity.link_proposals.address IS 'What both have verified';
COMMENT ON COLUMN identity.link_proposals.state IS 'proposed, accepted or rejected';
COMMENT ON COLUMN identity.link_proposals.moved IS 'Keys of the login names that the identity got when it was accepted';
COMMENT ON COLUMN identity.link_proposals.proposed_at IS 'When it was found';
COMMENT ON COLUMN identity.link_proposals.decided_at IS 'When it was decided';
COMMENT ON COLUMN identity.link_proposals.decided_by IS 'By which role';

CREATE FUNCTION identity_internal.site_id(realm text, site text) RETURNS int
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found CONSTANT int := (SELECT s.site_id FROM identity.sites AS s WHERE s.realm = $1 AND s.name = $2);
BEGIN
    PERFORM identity_internal.check_realm(realm);
    IF found IS NULL THEN
        RAISE EXCEPTION 'site "%" does not exist in realm "%"', identity_internal.shown(site), realm
            USING ERRCODE = 'undefined_object', HINT = 'Add it: SELECT identity.add_site(realm, site_id, name). SELECT name FROM identity.sites shows the sites.';
    END IF;
    RETURN found;
END
$$;
COMMENT ON FUNCTION identity_internal.site_id(text, text) IS 'Internal: a site''s number; raises where there is no such site';

CREATE FUNCTION identity_internal.lock_staged(realm text, alone boolean) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'lock_staged_wrapper';
COMMENT ON FUNCTION identity_internal.lock_staged(text, boolean) IS
'Internal: keeps names and states of staged users from being changed by others until the end of the transaction; not alone: together with others who change those of single users';

CREATE FUNCTION identity_internal.add_site(realm text, site_id int, name text, prefix text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    given CONSTANT text := NULLIF(CASE WHEN site_id > 1 THEN COALESCE(prefix, name || '_') ELSE prefix END, '');
    taken text;
BEGIN
    PERFORM identity_internal.check_realm(realm);
    IF site_id IS NULL OR site_id < 1 OR name IS NULL OR octet_length(name) > 255 OR name !~ '^[^[:cntrl:]]+$' THEN
        RAISE EXCEPTION 'invalid site: number %, name "%"', COALESCE(site_id::text, 'NULL'), identity_internal.shown(name)
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'A site has a number from 1 on, and a name of 1 to 255 bytes without control characters.';
    END IF;
    IF octet_length(given) > 1024 OR normalize(given, NFKC) !~ '^[^[:cntrl:][:space:]@+][^[:cntrl:][:space:]@]{0,63}$' THEN
        RAISE EXCEPTION 'invalid prefix: "%"', identity_internal.shown(given)
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'A prefix has 1 to 64 characters, no white space and no @, and does not begin with +. Give one where the name cannot be part of it; '''' for none.';
    END IF;
    INSERT INTO identity.sites (realm, site_id, name, prefix) VALUES ($1, $2, $3, given);
    PERFORM identity_internal.audit(realm, 'add_site', name, jsonb_build_object('site_id', site_id, 'prefix', given));
EXCEPTION WHEN unique_violation THEN
    GET STACKED DIAGNOSTICS taken = CONSTRAINT_NAME;
    RAISE EXCEPTION 'site % exists already', CASE taken WHEN 'sites_pkey' THEN site_id::text ELSE quote_ident(name) END
        USING ERRCODE = 'duplicate_object', HINT = 'SELECT * FROM identity.sites shows the sites.';
END
$$;
COMMENT ON FUNCTION identity_internal.add_site(text, int, text, text) IS 'Internal: what identity.add_site() carries out';

CREATE FUNCTION identity.add_site(realm text, site_id int, name text, prefix text = NULL) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'admin_gate_wrapper';
COMMENT ON FUNCTION identity.add_site(text, int, text, text) IS
'Adds a site to a realm.
site_id: 1 is the main site; lower numbers keep their login names first. prefix: what the names of its users begin with once they are renamed; where none is given, none for site 1, and name and "_" for the others; '''' for none.
Errors: 42704 no such realm, 22023 invalid number, name or prefix, 42710 it exists already.';

CREATE FUNCTION identity.stage_site(
    realm text, site text, source text, mapping jsonb, rules jsonb = '{}', dry_run boolean = false, report text = 'problems')
RETURNS TABLE (row_number bigint, original_id text, status text, field text, reason text, sqlstate text)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'stage_site_wrapper';
COMMENT ON FUNCTION identity.stage_site(text, text, text, jsonb, jsonb, boolean, text) IS
'Loads the users of a site into the SSO layer: new ones are added, those that changed are updated, the rest is left. It reads source with the rights of its caller.
source: the name of a relation (a foreign table too) or a query. mapping: {"field": "column"} or {"field": {"column": ..., conversions}}; fields are original_id, username, email, email_verified, phone, phone_verified, password_hash, password_salt, registered_at, last_login_at, display_name, active; any other is a trait.
rules: users who are kept out (quarantined) until identity.release_staged(): not_logged_in_since, never_logged_in_registered_before, no_identifier, test_accounts, disposable_domains.
report: problems, all or none. status: staged, updated, unchanged, quarantined (reason is the rule), promoted and linked (left alone), invalid (a value that does not convert or fit: field and reason say which), duplicate (an original_id that came before).
docs/consolidation.md has all conversions. Errors: 42704 no such realm or site, 42703 no such column, 22023 bad mapping or rules.';

CREATE FUNCTION identity_internal.release_staged(realm text, site text, original_ids text[], rule text) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    number CONSTANT int := identity_internal.site_id(realm, site);
    released bigint;
BEGIN
    UPDATE identity.staged_identities AS s SET state = 'staged', rule = NULL, released = true, changed_at = clock_timestamp()
    WHERE s.realm = $1 AND s.site_id = number AND s.state = 'quarantined'
      AND (original_ids IS NULL OR s.original_id = ANY (original_ids)) AND ($4 IS NULL OR s.rule = $4);
    GET DIAGNOSTICS released = ROW_COUNT;
    PERFORM identity_internal.audit(realm, 'release_staged', site, jsonb_build_object('released', released, 'rule', rule));
    RETURN released;
END
$$;
COMMENT ON FUNCTION identity_internal.release_staged(text, text, text[], text) IS 'Internal: what identity.release_staged() carries out';

CREATE FUNCTION identity.release_staged(realm text, site text, original_ids text[] = NULL, rule text = NULL) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'admin_gate_wrapper';
COMMENT ON FUNCTION identity.release_staged(text, text, text[], text) IS
'Takes users of a site out of quarantine, for good: rules do not apply to them any more.
original_ids: which; all, where it is NULL. rule: only those that this rule keeps out.
Returns how many. Errors: 42704 no such realm or site.';

CREATE FUNCTION identity.dedup_site_logins(realm text, dry_run boolean = false)
RETURNS TABLE (run_id uuid, site text, row_id text, old_login text, new_login text, duplicate_of jsonb, reason text, kind text)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'dedup_site_logins_wrapper';
COMMENT ON FUNCTION identity.dedup_site_logins(text, boolean) IS
'Finds the login names that staged users share with identities of the main tables or with each other, and leaves each to one: to the main tables, else to the owner of the address where it is one (first who has it verified), else by site, then by original_id.
A username gets the site''s prefix (with a counter where the new name is taken), and a notice. An e-mail address or phone number is never changed: it stops being a login name (new_login is NULL) and stays a contact. The same verified address on both sides is listed in identity.link_proposals.
Returns a row for each name that changed, and for each that should and cannot, with the reason. identity.undo_dedup(run_id) gives the names back.
Errors: 42704 no such realm.';

-- Whoever has a name now that a run has taken from its owner, and was no member of its group: who had it then and has not changed since was one.
CREATE FUNCTION identity_internal.taken_since(former identity.former_logins, started_at timestamptz) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_nestloop = on
SET jit = off
AS $$
BEGIN
    RETURN (
        SELECT 'identity ' || i.identity_id AS holder FROM identity.identifiers AS i
        WHERE i.realm = former.realm AND i.key = former.old_key AND i.identity_id::text IS DISTINCT FROM former.duplicate_of ->> 'identity_id'
        UNION ALL
        SELECT format('%s of site %s', o.original_id, o.site_id) FROM identity.staged_identifiers AS o
        JOIN identity.staged_identities AS t USING (realm, site_id, original_id)
        WHERE o.realm = former.realm AND o.key = former.old_key AND o.logs_in AND t.state = 'staged' AND t.changed_at > taken_since.started_at
          AND (o.site_id, o.original_id) <> (former.site_id, former.original_id)
          AND NOT EXISTS (
            SELECT FROM identity.former_logins AS m
            WHERE m.realm = former.realm AND m.run_id = former.run_id AND m.old_key = former.old_key
              AND (m.duplicate_of ->> 'row_id' = o.original_id AND (m.duplicate_of ->> 'site_id')::int = o.site_id
                   OR (m.site_id, m.original_id) = (o.site_id, o.original_id)))
        LIMIT 1);
END
$$;
COMMENT ON FUNCTION identity_internal.taken_since(identity.former_logins, timestamptz) IS 'Internal: who has a former name that undo_dedup() would give back, and had it not when the run began; NULL: nobody';

-- One statement does it, so that each name is looked at once. Without statistics a nested loop could read the names of the run again for each row
-- of a table.
CREATE FUNCTION identity_internal.undo_site_dedup(run_id uuid, dry_run boolean)
RETURNS TABLE (site text, row_id text, login text, restored text, status text, reason text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET enable_nestloop = off SET jit = off
AS $$
DECLARE
    changes bigint := 0;
BEGIN
    PERFORM identity_internal.lock_staged(r.realm, true) FROM identity.site_dedup_runs AS r WHERE r.run_id = undo_site_dedup.run_id;
    FOR site, row_id, login, restored, status, reason IN
        WITH undone AS MATERIALIZED (
            SELECT f.realm, f.site_id, f.original_id, f.kind, f.old_value, f.old_key, f.new_value, n.value,
                CASE WHEN s.state IN ('promoted', 'linked') THEN s.state
                     WHEN n.kind IS NULL THEN 'missing'
                     WHEN n.value <> COALESCE(f.new_value, f.old_value) OR n.logs_in <> (f.new_value IS NOT NULL) THEN 'changed'
                     WHEN h.holder IS NOT NULL THEN 'taken'
                     ELSE 'restored' END AS status,
                h.holder
            FROM identity.former_logins AS f
            JOIN identity.site_dedup_runs AS r USING (realm, run_id)
            JOIN identity.staged_identities AS s USING (realm, site_id, original_id)
            LEFT JOIN identity.staged_identifiers AS n USING (realm, site_id, original_id, kind)
            CROSS JOIN LATERAL (SELECT identity_internal.taken_since(f, r.started_at) AS holder OFFSET 0) AS h
            WHERE f.run_id = undo_site_dedup.run_id AND f.restored_at IS NULL
        ), names AS (
            UPDATE identity.staged_identifiers AS n SET value = u.old_value, key = u.old_key, logs_in = true
            FROM undone AS u
            WHERE NOT dry_run AND u.status = 'restored' AND (n.realm, n.site_id, n.original_id, n.kind) = (u.realm, u.site_id, u.original_id, u.kind)
        ), former AS (
            UPDATE identity.former_logins AS f SET restored_at = now()
            FROM undone AS u
            WHERE NOT dry_run AND u.status = 'restored' AND f.run_id = undo_site_dedup.run_id
              AND (f.realm, f.site_id, f.original_id, f.kind) = (u.realm, u.site_id, u.original_id, u.kind)
        ), told AS (
            -- Who was told of the new name is told of the old one; for the others there is nothing to say.
            INSERT INTO identity.notices (realm, site_id, original_id, channel, address, old_login, new_login)
            SELECT o.realm, o.site_id, o.original_id, o.channel, o.address, o.new_login, o.old_login
            FROM undone AS u JOIN identity.notices AS o USING (realm, site_id, original_id)
            WHERE NOT dry_run AND u.status = 'restored' AND u.kind = 'username' AND o.run_id = undo_site_dedup.run_id
              AND o.state IN ('sent', 'acknowledged')
        ), untold AS (
            UPDATE identity.notices AS o SET state = 'skipped', changed_at = now()
            FROM undone AS u
            -- Pending ones; said in this way, which the index of those does not fit, each is found by its owner.
            WHERE NOT dry_run AND u.status = 'restored' AND u.kind = 'username' AND o.run_id = undo_site_dedup.run_id
              AND o.state <> ALL ('{sent,bounced,skipped,acknowledged}')
              AND (o.realm, o.site_id, o.original_id) = (u.realm, u.site_id, u.original_id)
        )
        SELECT t.name, u.original_id, u.value, CASE u.status WHEN 'restored' THEN u.old_value END, u.status,
            CASE u.status WHEN 'missing' THEN 'the user has no such name any more'
                          WHEN 'changed' THEN 'the user has another name by now'
                          WHEN 'promoted' THEN 'the user is in the main tables by now'
                          WHEN 'linked' THEN 'the user is linked to an identity by now'
                          WHEN 'taken' THEN u.holder || ' has the name now' END
        FROM undone AS u JOIN identity.sites AS t USING (realm, site_id)
        ORDER BY u.site_id, length(u.original_id), u.original_id, u.kind
    LOOP
        changes := changes + (restored IS NOT NULL)::int;
        RETURN NEXT;
    END LOOP;
    PERFORM identity_internal.audit(r.realm, 'undo_dedup', r.run_id::text, jsonb_build_object('restored', changes))
    FROM identity.site_dedup_runs AS r WHERE r.run_id = undo_site_dedup.run_id AND NOT dry_run;
END
$$;
COMMENT ON FUNCTION identity_internal.undo_site_dedup(uuid, boolean) IS 'Internal: identity.undo_dedup() for a run of identity.dedup_site_logins()';

CREATE FUNCTION identity_internal.pending_notices(realm text, max_rows int)
RETURNS TABLE (notice_id bigint, site text, original_id text, identity_id uuid, channel text, address text, old_login text, new_login text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM identity_internal.check_realm(realm);
    RETURN QUERY
    WITH mine AS MATERIALIZED (
        SELECT n.* FROM identity.notices AS n
        WHERE n.realm = pending_notices.realm AND n.state = 'pending'
        ORDER BY n.notice_id LIMIT GREATEST(COALESCE(max_rows, 1000), 0)
        FOR NO KEY UPDATE SKIP LOCKED)
    SELECT m.notice_id, t.name::text, m.original_id::text, s.identity_id, m.channel::text, m.address, m.old_login, m.new_login
    FROM mine AS m
    JOIN identity.sites AS t USING (realm, site_id)
    JOIN identity.staged_identities AS s USING (realm, site_id, original_id)
    ORDER BY m.notice_id;
END
$$;
COMMENT ON FUNCTION identity_internal.pending_notices(text, int) IS 'Internal: what identity.pending_notices() carries out';

CREATE FUNCTION identity.pending_notices(realm text, max_rows int = 1000)
RETURNS TABLE (notice_id bigint, site text, original_id text, identity_id uuid, channel text, address text, old_login text, new_login text)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'notifier_gate_wrapper';
COMMENT ON FUNCTION identity.pending_notices(text, int) IS
'The oldest notices that nobody has sent yet, at most max_rows. They are this transaction''s until it ends: another worker gets others. Send them, identity.mark_notices(), commit.
channel: email or phone. Errors: 42704 no such realm.';

CREATE FUNCTION identity_internal.mark_notices(realm text, notice_ids bigint[], state text) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    marked bigint;
BEGIN
    PERFORM identity_internal.check_realm(realm);
    IF state IS NULL OR state <> ALL ('{pending,sent,bounced,skipped,acknowledged}'::text[]) THEN
        RAISE EXCEPTION 'unknown state of a notice: "%"', identity_internal.shown(state)
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Use sent, bounced, skipped, acknowledged; or pending, to send it again.';
    END IF;
    -- Who has logged in by the new name meanwhile knows it, whatever became of the message.
    UPDATE identity.notices AS n SET state = $3, changed_at = now()
    WHERE n.realm = $1 AND n.notice_id = ANY (notice_ids) AND n.state <> $3 AND NOT (n.state = 'acknowledged' AND $3 IN ('sent', 'bounced'));
    GET DIAGNOSTICS marked = ROW_COUNT;
    RETURN marked;
END
$$;
COMMENT ON FUNCTION identity_internal.mark_notices(text, bigint[], text) IS 'Internal: what identity.mark_notices() carries out';

CREATE FUNCTION identity.mark_notices(realm text, notice_ids bigint[], state text) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'notifier_gate_wrapper';
COMMENT ON FUNCTION identity.mark_notices(text, bigint[], text) IS
'Says what became of notices: sent, bounced, skipped or acknowledged; pending sends them again. One that is acknowledged, because the user has logged in by the new name, is not made sent or bounced. Returns how many changed. Errors: 42704 no such realm, 22023 unknown state.';

CREATE FUNCTION identity_internal.decide_link(realm text, proposal_id bigint, needed text) RETURNS identity.link_proposals
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    proposal identity.link_proposals;
BEGIN
    PERFORM identity_internal.check_realm(realm);
    PERFORM identity_internal.lock_staged(realm, false);
    SELECT p.* INTO proposal FROM identity.link_proposals AS p WHERE p.realm = $1 AND p.proposal_id = $2 FOR UPDATE;
    IF proposal IS NULL THEN
        RAISE EXCEPTION 'link proposal % does not exist in realm "%"', COALESCE(proposal_id::text, 'NULL'), realm
            USING ERRCODE = 'undefined_object', HINT = 'SELECT * FROM identity.link_proposals shows the proposals.';
    ELSIF proposal.state <> ALL (string_to_array(needed, ',')) THEN
        RAISE EXCEPTION 'link proposal % is %', proposal_id, proposal.state
            USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = format('It was decided by %s.', COALESCE(proposal.decided_by, 'nobody')),
                  HINT = 'identity.undo_link() takes a decision back.';
    END IF;
    RETURN proposal;
END
$$;
COMMENT ON FUNCTION identity_internal.decide_link(text, bigint, text) IS 'Internal: a link proposal, locked, in one of the states needed';

-- What reads as an address may be somebody else's: it comes along if the site, or the identity, has it verified, and nobody else.
CREATE FUNCTION identity_internal.reads_as_address(key text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT $1 ~ '.@.' OR $1 ~ '^\+[0-9]+$'
$$;
COMMENT ON FUNCTION identity_internal.reads_as_address(text) IS 'Internal: whether a login name is an e-mail address or a telephone number by its looks, whatever kind of name it is';

CREATE FUNCTION identity_internal.may_bring(realm text, site_id int, original_id text, identity_id uuid, key text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT (NOT identity_internal.reads_as_address($5)
        OR NOT EXISTS (SELECT FROM identity.addresses AS a WHERE a.realm = $1 AND a.key = $5 COLLATE "C" AND a.verified AND a.identity_id <> $4)
       AND (EXISTS (SELECT FROM identity.addresses AS a WHERE a.realm = $1 AND a.key = $5 COLLATE "C" AND a.verified AND a.identity_id = $4)
            OR EXISTS (
              SELECT FROM identity.staged_identifiers AS n JOIN identity.staged_identities AS s USING (realm, site_id, original_id)
              WHERE (n.realm, n.site_id, n.original_id, n.key) = ($1, $2, $3, $5 COLLATE "C")
                AND CASE n.kind WHEN 'email' THEN s.email_verified WHEN 'phone' THEN s.phone_verified ELSE false END)))
       AND NOT EXISTS (SELECT FROM identity_internal.late_names AS l WHERE (l.realm, l.key, l.site_id, l.original_id) = ($1, $5 COLLATE "C", $2, $3))
$$;
COMMENT ON FUNCTION identity_internal.may_bring(text, int, text, uuid, text) IS 'Internal: whether a staged user''s login name goes to the identity that the user is linked to';

CREATE FUNCTION identity_internal.accept_link(realm text, proposal_id bigint)
RETURNS TABLE (identity_id uuid, login text, status text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    p CONSTANT identity.link_proposals := identity_internal.decide_link(realm, proposal_id, 'proposed');
    present text;
    keys text[];
BEGIN
    SELECT s.state INTO present FROM identity.staged_identities AS s
    WHERE (s.realm, s.site_id, s.original_id) = (p.realm, p.site_id, p.original_id) FOR UPDATE;
    IF present <> 'staged' THEN
        RAISE EXCEPTION 'the user is %, not staged', present
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'identity.reject_link() closes the proposal; identity.release_staged() takes a user out of quarantine.';
    END IF;
    WITH moved AS (
        INSERT INTO identity.identifiers (realm, key, kind, value, identity_id)
        SELECT DISTINCT ON (k.key) n.realm, k.key, n.kind, n.value, p.identity_id FROM identity.staged_identifiers AS n
        CROSS JOIN LATERAL (SELECT identity.normalize_identifier(n.kind, n.value) COLLATE "C" AS key) AS k
        WHERE (n.realm, n.site_id, n.original_id) = (p.realm, p.site_id, p.original_id) AND n.logs_in
          AND identity_internal.may_bring(p.realm, p.site_id, p.original_id, p.identity_id, k.key)
        ORDER BY k.key, n.kind
        ON CONFLICT DO NOTHING RETURNING key)
    SELECT COALESCE(array_agg(m.key ORDER BY m.key), '{}') INTO keys FROM moved AS m;
    UPDATE identity.staged_identities AS s SET state = 'linked', identity_id = p.identity_id, changed_at = now()
    WHERE (s.realm, s.site_id, s.original_id) = (p.realm, p.site_id, p.original_id);
    UPDATE identity.link_proposals AS q SET state = 'accepted', moved = keys, decided_at = now(), decided_by = session_user
    WHERE (q.realm, q.proposal_id) = (p.realm, p.proposal_id);
    PERFORM identity_internal.audit(realm, 'accept_link', p.identity_id::text, jsonb_build_object('proposal_id', proposal_id, 'moved', cardinality(keys)));
    RETURN QUERY
    SELECT p.identity_id, n.value::text, CASE WHEN k.key = ANY (keys) THEN 'moved' WHEN i.identity_id = p.identity_id THEN 'had'
        WHEN i.identity_id IS NULL AND n.logs_in AND NOT identity_internal.reads_as_address(k.key) THEN 'kept by another'
        WHEN i.identity_id IS NULL AND n.logs_in THEN 'not verified' ELSE 'held by another' END
    FROM identity.staged_identifiers AS n
    CROSS JOIN LATERAL (SELECT identity.normalize_identifier(n.kind, n.value) COLLATE "C" AS key) AS k
    LEFT JOIN identity.identifiers AS i ON i.realm = n.realm AND i.key = k.key
    WHERE (n.realm, n.site_id, n.original_id) = (p.realm, p.site_id, p.original_id) ORDER BY n.kind, n.key;
END
$$;
COMMENT ON FUNCTION identity_internal.accept_link(text, bigint) IS 'Internal: what identity.accept_link() carries out';

CREATE FUNCTION identity.accept_link(realm text, proposal_id bigint)
RETURNS TABLE (identity_id uuid, login text, status text)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'admin_gate_wrapper';
COMMENT ON FUNCTION identity.accept_link(text, bigint) IS
'Decides that a staged user and an identity are one person. The identity gets those of the user''s login names that nobody else has; its password, its state and its rights stay its own, and the site''s password is not taken over.
Returns the user''s names: moved (the identity logs in with it now), had (it did before), held by another, not verified (it reads as an address, and neither the site nor the identity has it verified, or somebody else has: it stays behind), or kept by another (it was another user''s login name until a while ago).
Errors: 42704 no such realm or proposal, 55000 it is decided already, or the user is not staged (any more).';

CREATE FUNCTION identity_internal.reject_link(realm text, proposal_id bigint) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    p CONSTANT identity.link_proposals := identity_internal.decide_link(realm, proposal_id, 'proposed');
BEGIN
    UPDATE identity.link_proposals AS q SET state = 'rejected', decided_at = now(), decided_by = session_user
    WHERE (q.realm, q.proposal_id) = (p.realm, p.proposal_id);
    PERFORM identity_internal.audit(realm, 'reject_link', p.identity_id::text, jsonb_build_object('proposal_id', proposal_id));
END
$$;
COMMENT ON FUNCTION identity_internal.reject_link(text, bigint) IS 'Internal: what identity.reject_link() carries out';

CREATE FUNCTION identity.reject_link(realm text, proposal_id bigint) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'admin_gate_wrapper';
COMMENT ON FUNCTION identity.reject_link(text, bigint) IS
'Decides that a staged user and an identity are two persons: the proposal does not come again. Errors: 42704 no such realm or proposal, 55000 it is decided already.';

CREATE FUNCTION identity_internal.undo_link(realm text, proposal_id bigint) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    p CONSTANT identity.link_proposals := identity_internal.decide_link(realm, proposal_id, 'accepted,rejected');
BEGIN
    -- A name that another accepted link of the identity brings too is that link's from now on.
    WITH kept AS (
        SELECT DISTINCT ON (k.key) q.proposal_id, k.key FROM identity.link_proposals AS q
        JOIN identity.staged_identifiers AS n USING (realm, site_id, original_id)
        CROSS JOIN LATERAL (SELECT identity.normalize_identifier(n.kind, n.value) COLLATE "C" AS key) AS k
        WHERE q.realm = p.realm AND q.identity_id = p.identity_id AND q.state = 'accepted' AND q.proposal_id <> p.proposal_id
          AND n.logs_in AND k.key = ANY (p.moved)
        ORDER BY k.key, q.proposal_id),
    handed_over AS (
        UPDATE identity.link_proposals AS q SET moved = q.moved || g.keys
        FROM (SELECT h.proposal_id, array_agg(h.key::text ORDER BY h.key) AS keys FROM kept AS h GROUP BY h.proposal_id) AS g
        WHERE q.realm = p.realm AND q.proposal_id = g.proposal_id)
    DELETE FROM identity.identifiers AS i
    WHERE i.realm = p.realm AND i.key = ANY (p.moved) AND i.identity_id = p.identity_id AND i.key NOT IN (SELECT h.key FROM kept AS h);
    UPDATE identity.staged_identities AS s SET state = 'staged', identity_id = NULL, changed_at = now()
    WHERE (s.realm, s.site_id, s.original_id) = (p.realm, p.site_id, p.original_id) AND s.state = 'linked' AND s.identity_id = p.identity_id;
    UPDATE identity.link_proposals AS q SET state = 'proposed', moved = '{}', decided_at = NULL, decided_by = NULL
    WHERE (q.realm, q.proposal_id) = (p.realm, p.proposal_id);
    PERFORM identity_internal.audit(realm, 'undo_link', p.identity_id::text, jsonb_build_object('proposal_id', proposal_id));
END
$$;
COMMENT ON FUNCTION identity_internal.undo_link(text, bigint) IS 'Internal: what identity.undo_link() carries out';

CREATE FUNCTION identity.undo_link(realm text, proposal_id bigint) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'admin_gate_wrapper';
COMMENT ON FUNCTION identity.undo_link(text, bigint) IS
'Takes the decision on a link proposal back: the user is staged again, and the identity loses the names that it got, but for those that another accepted link brings too. Errors: 42704 no such realm or proposal, 55000 it is not decided.';
