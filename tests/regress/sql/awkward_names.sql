-- Names of realms, sites, columns and users that would be something else in SQL, or in a template of it.
SET client_min_messages = warning;
CREATE TABLE awkward (n int, realm text);
INSERT INTO awkward VALUES (1, 'm@site'), (2, '@realm'), (3, '$1'), (4, 'it''s'), (5, 'a"b'), (6, 'back\slash'), (7, '@item @clean {}'), (8, '; DROP TABLE awkward; --'),
    (9, 'm2'), (10, ''' OR true --'), (11, 'größe $$x$$'), (12, 'm');
SELECT identity.add_realm(realm) FROM awkward;
SELECT identity.add_realm(E'two\nlines');
SELECT identity.add_site(realm, 1, 'main'), identity.add_site(realm, 2, realm, 'r_'), identity.add_site(realm, 3, '@site ' || realm, 's_') FROM awkward;

-- Users of two sites each, with one name in all realms and sites.
CREATE TABLE people ("last, first" text, "it's" text, "a""b" text, "$1" text, "@site" text, "s.x" text, "(SELECT 1)" text, "größe
in two lines" text, "--" text);
INSERT INTO people VALUES ('1, $2', '@realm', 'a"b', '$1', 'ulla@site.example', '{}', 'x', 'tall', md5('p'));
CREATE FUNCTION mapping(username text) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('original_id', 'last, first', 'username', username, 'email', '@site', '@item', 'a"b', 'it''s', '(SELECT 1)', 'two
lines', 'größe
in two lines', 'password_hash', '--', '$1', 's.x')
$$;
SELECT n, s.* FROM awkward, identity.stage_site(realm, realm, 'people', mapping('$1'), report => 'all') AS s ORDER BY n;
SELECT n, s.status FROM awkward, identity.stage_site(realm, '@site ' || realm, 'SELECT * FROM people -- to the end of the line', mapping('$1'), report => 'all') AS s ORDER BY n;
-- Again: nothing has changed; then a name has.
SELECT status, count(*) FROM awkward, identity.stage_site(realm, realm, 'people', mapping('$1'), report => 'all') AS s GROUP BY 1;
SELECT status, count(*) FROM awkward, identity.stage_site(realm, realm, 'people', mapping('it''s'), report => 'all') AS s GROUP BY 1;
SELECT status, count(*) FROM awkward, identity.stage_site(realm, realm, 'people', mapping('$1'), report => 'all') AS s GROUP BY 1;
SELECT n, count(*), array_agg(s.site_id ORDER BY s.site_id) AS sites, min(s.original_id) AS id, min(s.username) AS username, min(s.traits::text) AS traits
FROM awkward JOIN identity.staged_identities AS s USING (realm) GROUP BY n ORDER BY n;

-- Duplicates are those of the realm.
SELECT n, d.row_id, d.old_login, d.new_login, d.kind, d.duplicate_of ->> 'row_id' AS of FROM awkward, identity.dedup_site_logins(realm) AS d ORDER BY n, d.kind;
SELECT n, u.status, count(*) FROM awkward JOIN identity.site_dedup_runs AS r USING (realm), identity.undo_dedup(r.run_id) AS u GROUP BY 1, 2 ORDER BY 1;
SELECT n, i.value, i.kind, i.logs_in FROM awkward JOIN identity.staged_identifiers AS i USING (realm) WHERE i.site_id = 3 ORDER BY n, 3;
-- A login is asked of its own realm.
DELETE FROM identity.staged_identities WHERE realm IN (SELECT realm FROM awkward) AND (realm <> 'm@site' OR site_id = 3);
SELECT n, a.verdict, a.promoted, a.reason FROM awkward, identity.authenticate(realm, '$1', 'p') AS a ORDER BY n;
SELECT realm, traits FROM identity.identities WHERE realm IN (SELECT realm FROM awkward);

-- Identities, new and updated, in conflict with others and with themselves.
CREATE FUNCTION documents(name text) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_array(
        jsonb_build_object('external_id', '@realm ' || name, 'traits', jsonb_build_object('username', name, '@item', '@claim'), 'metadata_admin', jsonb_build_object('$1', '{}')),
        jsonb_build_object('traits', jsonb_build_object('username', name)),
        jsonb_build_object('traits', jsonb_build_object('username', '@noun ' || name)))
$$;
SELECT n, i.row_number, i.status, i.identifier, i.winner_row, i.message FROM awkward, identity.import_identities(realm, documents(realm)) AS i ORDER BY 1, 2;
SELECT status, count(*) FROM awkward, identity.import_identities(realm, documents(realm)) AS i GROUP BY 1;
SELECT status, count(*) FROM awkward, identity.import_identities_from(realm, format('SELECT e -- %s
    FROM jsonb_array_elements(documents(%L)) AS e', n, realm), 'update', report => 'all') AS i GROUP BY 1;
SELECT n, count(*), min(i.external_id) FROM awkward JOIN identity.identities AS i USING (realm) WHERE NOT traits ? '$1' GROUP BY 1 ORDER BY 1;
SELECT n, a.key, a.kind FROM awkward JOIN identity.identifiers AS a USING (realm) WHERE a.kind = 'username' ORDER BY n, a.key;
-- A refusal of the store's names the realm in its DETAIL, by which the claim is found.
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.value LIKE 'refused%' THEN RAISE unique_violation USING MESSAGE = 'refused', DETAIL = format('Key (realm, key)=(%s, %s) already exists.', NEW.realm, NEW.key); END IF;
    RETURN NEW; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON identity.identifiers FOR EACH ROW EXECUTE FUNCTION refuse();
SELECT n, i.row_number, i.status, i.identifier_kind, i.identifier, i.message FROM awkward,
    identity.import_identities(realm, '[{"traits": {"username": "fine"}}, {"traits": {"username": "refused $1 @realm"}}]', report => 'problems') AS i ORDER BY 1;
DROP TRIGGER refuse ON identity.identifiers;

SELECT identity.add_resource_type(realm, 'clients', '{view}'), identity.grant_permission(realm, '*', 'clients', '{view}', 'a''b') FROM awkward;
SELECT n, c.subject, c.action FROM awkward, identity.collapse_permissions(realm, 'clients', 'SELECT ''a''''b'' AS "last, first"') AS c ORDER BY 1;
SELECT count(*) FROM awkward;

DELETE FROM identity.permissions WHERE realm IN (SELECT realm FROM awkward);
DELETE FROM identity.resource_types WHERE realm IN (SELECT realm FROM awkward);
DELETE FROM identity.identities WHERE realm IN (SELECT realm FROM awkward);
DELETE FROM identity.staged_identities WHERE realm IN (SELECT realm FROM awkward);
DELETE FROM identity.site_dedup_runs WHERE realm IN (SELECT realm FROM awkward);
DELETE FROM identity.sites WHERE realm IN (SELECT realm FROM awkward);
DELETE FROM identity.realms WHERE name IN (SELECT realm FROM awkward);
DELETE FROM identity.import_runs WHERE realm IN (SELECT realm FROM awkward);
DROP TABLE awkward, people;
DROP FUNCTION mapping, documents, refuse;
