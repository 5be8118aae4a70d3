-- An undo gives back what was taken and has not been revoked since, and no more.
SET client_min_messages = warning;
\set VERBOSITY terse
SELECT identity.add_realm('undone'), identity.add_resource_type('undone', 'clients', '{view,manage}');
CREATE TABLE clients AS SELECT 'c' || n AS client_id FROM generate_series(1, 3) n;
CREATE FUNCTION may(subject text, scope text DEFAULT 'view') RETURNS boolean LANGUAGE sql AS $$ SELECT identity.check_permission('undone', subject, scope, 'clients', 'c1') $$;
CREATE FUNCTION collapse() RETURNS uuid LANGUAGE sql AS $$ SELECT run_id FROM identity.collapse_permissions('undone', 'clients', 'clients', false) WHERE run_id IS NOT NULL LIMIT 1 $$;
CREATE FUNCTION grant_each(subject text, scope text DEFAULT 'view') RETURNS void LANGUAGE sql AS $$ INSERT INTO identity.permissions (realm, subject, resource_type, resource, scope) SELECT 'undone', subject, 'clients', client_id, scope FROM clients ON CONFLICT DO NOTHING $$;

-- A collapse, and nothing since.
SELECT grant_each('user:1'); SELECT collapse() AS run \gset
SELECT may('user:1'); SELECT * FROM identity.undo_collapse(:'run'); SELECT may('user:1');
DELETE FROM identity.permissions;
-- What was revoked since stays revoked.
SELECT grant_each('user:1'), grant_each('user:2'); SELECT collapse() AS run \gset
SELECT identity.revoke_permission('undone', 'user:1', 'clients', '{view}');
SELECT may('user:1'), may('user:2');
SELECT * FROM identity.undo_collapse(:'run');
SELECT may('user:1'), may('user:2');
SELECT * FROM identity.undo_collapse(:'run');
DELETE FROM identity.permissions;
-- What was revoked and granted anew is another permission: it stays, and nothing comes back with it.
SELECT grant_each('user:1'); SELECT collapse() AS run \gset
SELECT identity.revoke_permission('undone', 'user:1', 'clients', '{view}');
SELECT identity.grant_permission('undone', 'user:1', 'clients', '{view}');
SELECT * FROM identity.undo_collapse(:'run');
SELECT subject, resource, scope, effect, policy FROM identity.permissions;
DELETE FROM identity.permissions;
-- So is one that has been changed: to a denial, to another subject, to one with a condition.
SELECT grant_each('user:' || n) FROM generate_series(1, 3) n; SELECT collapse() AS run \gset
UPDATE identity.permissions SET effect = 'deny' WHERE subject = 'user:1';
UPDATE identity.permissions SET policy = 'never' WHERE subject = 'user:2';
UPDATE identity.permissions SET subject = 'user:9' WHERE subject = 'user:3';
SELECT * FROM identity.undo_collapse(:'run');
SELECT subject, resource, effect, policy FROM identity.permissions ORDER BY 1;
DELETE FROM identity.permissions;
-- A permission on the type that was there before: revoking it revokes what it stood for, too.
SELECT identity.grant_permission('undone', 'user:1', 'clients', '{view}'), grant_each('user:1'); SELECT collapse() AS run \gset
SELECT identity.revoke_permission('undone', 'user:1', 'clients', '{view}');
SELECT * FROM identity.undo_collapse(:'run');
SELECT may('user:1');
DELETE FROM identity.permissions;
-- Two runs for one permission: undoing the one takes nothing from the other.
SELECT grant_each('user:1'); SELECT collapse() AS first \gset
SELECT grant_each('user:1'); SELECT collapse() AS second \gset
SELECT * FROM identity.undo_collapse(:'first');
SELECT may('user:1');
SELECT * FROM identity.undo_collapse(:'second');
SELECT may('user:1'), count(*) FROM identity.permissions;
DELETE FROM identity.permissions;
-- Who cannot grant brings nothing back by rows of the record: the permission that they stand on has to be there.
SELECT grant_each('user:1'); SELECT collapse() AS run \gset
INSERT INTO identity.collapsed_permissions SELECT realm, run_id, 999, 'user:eve', resource_type, 'c1', scope FROM identity.collapsed_permissions WHERE run_id = :'run' LIMIT 1;
INSERT INTO identity.collapse_runs SELECT realm, run_id, resource_type, 'user:eve', scope, false, permission_id FROM identity.collapse_runs WHERE run_id = :'run';
SELECT * FROM identity.undo_collapse(:'run');
SELECT may('user:eve');
DELETE FROM identity.permissions;

-- Names of sites: who was promoted, linked, renamed or lost the name since gets nothing back.
SELECT identity.add_site('undone', 2, 'forum'), identity.add_site('undone', 3, 'shop');
SELECT count(*) FROM identity.import_identities('undone', (SELECT jsonb_agg(jsonb_build_object('traits', jsonb_build_object('username', 'name' || n))) FROM generate_series(1, 6) n));
CREATE FUNCTION stage(site text, names text) RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM identity.stage_site('undone', site, names, '{"original_id": "id", "username": "u", "email": "e", "email_verified": {"column": "v"}, "password_hash": "p"}', '{"no_identifier": false}', report => 'all') $$;
SELECT stage('forum', $$SELECT n AS id, 'name' || n AS u, NULL AS e, true AS v, md5('p') AS p FROM generate_series(1, 6) n$$);
SELECT run_id AS run FROM identity.dedup_site_logins('undone') LIMIT 1 \gset
SELECT status FROM identity.promote_identity('undone', 'forum', '1');
SELECT stage('forum', $$SELECT n AS id, 'other' || n AS u, NULL AS e, true AS v, md5('p') AS p FROM generate_series(2, 2) n$$);
DELETE FROM identity.staged_identifiers WHERE original_id = '3';
DELETE FROM identity.identifiers WHERE key = 'name4';
SET identity.former_name_grace = 0; -- Or a former name is not given away.
SELECT count(*) FROM identity.import_identities('undone', '[{"traits": {"username": "name4"}}]');
RESET identity.former_name_grace;
UPDATE identity.staged_identities SET state = 'quarantined', rule = 'test_accounts' WHERE original_id = '5';
SELECT row_id, login, restored, status FROM identity.undo_dedup(:'run', dry_run => true);
SELECT row_id, login, restored, status FROM identity.undo_dedup(:'run');
SELECT original_id, value, logs_in FROM identity.staged_identifiers WHERE site_id = 2 ORDER BY 1;
SELECT s.state, count(*) FROM identity.staged_identities s GROUP BY 1 ORDER BY 1;
SELECT row_id, status FROM identity.undo_dedup(:'run');

-- A link: its names go with it, but for those that another link of the same identity brings; what was taken away since stays away.
SELECT count(*) FROM identity.import_identities('undone', '[{"id": "00000000-0000-4000-8000-00000000000a", "traits": {"username": "ann"}, "verifiable_addresses": [{"via": "email", "value": "ann@example.com", "verified": true}]}]');
SELECT stage('forum', $$SELECT 'f' AS id, 'annie' AS u, 'ann@example.com' AS e, true AS v, md5('p') AS p$$), stage('shop', $$SELECT 's' AS id, 'Annie' AS u, 'ann@example.com' AS e, true AS v, md5('q') AS p$$);
INSERT INTO identity.link_proposals (realm, site_id, original_id, identity_id, kind, address) VALUES ('undone', 2, 'f', '00000000-0000-4000-8000-00000000000a', 'email', 'ann@example.com'), ('undone', 3, 's', '00000000-0000-4000-8000-00000000000a', 'email', 'ann@example.com');
SELECT proposal_id AS forum FROM identity.link_proposals WHERE site_id = 2 \gset
SELECT proposal_id AS shop FROM identity.link_proposals WHERE site_id = 3 \gset
SELECT login, status FROM identity.accept_link('undone', :forum);
SELECT login, status FROM identity.accept_link('undone', :shop);
SELECT identity.undo_link('undone', :forum);
SELECT key FROM identity.identifiers WHERE identity_id = '00000000-0000-4000-8000-00000000000a' ORDER BY 1;
SELECT site_id, state, moved FROM identity.link_proposals ORDER BY 1;
DELETE FROM identity.identifiers WHERE key = 'annie';
SELECT identity.undo_link('undone', :shop);
SELECT key FROM identity.identifiers WHERE identity_id = '00000000-0000-4000-8000-00000000000a' ORDER BY 1;
SELECT site_id, state, moved FROM identity.link_proposals ORDER BY 1;
-- A name that has gone to somebody else since is that one's.
SELECT login, status FROM identity.accept_link('undone', :shop);
UPDATE identity.identifiers SET identity_id = (SELECT min(id::text)::uuid FROM identity.identities WHERE id <> '00000000-0000-4000-8000-00000000000a') WHERE key = 'annie';
SELECT identity.undo_link('undone', :shop);
SELECT key, identity_id <> '00000000-0000-4000-8000-00000000000a' AS of_another FROM identity.identifiers WHERE key = 'annie';

-- A table of one's own: rows that are gone, renamed or taken since.
CREATE TABLE logins (id int PRIMARY KEY, site int, login text, renamed int DEFAULT 0);
INSERT INTO logins SELECT 10 * n + site, site, 'user' || n FROM generate_series(1, 4) n, generate_series(1, 2) site;
SELECT run_id AS run FROM identity.dedup_logins('logins', 'login', 'site', 'id', '{"2": "fz_"}', flag => 'renamed') LIMIT 1 \gset
DELETE FROM logins WHERE id = 12;
UPDATE logins SET login = 'chosen', renamed = 0 WHERE id = 22;
UPDATE logins SET login = 'gone' WHERE id = 31; INSERT INTO logins VALUES (99, 1, 'user3');
SELECT row_id, restored, status FROM identity.undo_dedup(:'run');
SELECT * FROM logins ORDER BY id;
SELECT row_id, status FROM identity.undo_dedup(:'run');

DROP TABLE clients, logins;
DROP FUNCTION may, collapse, grant_each, stage;
DELETE FROM identity.dedup_rows; DELETE FROM identity.dedup_runs; DELETE FROM identity.import_runs;
TRUNCATE identity.permissions, identity.policies, identity.resource_types, identity.implied_scopes, identity.collapse_runs, identity.collapsed_permissions;
DELETE FROM identity.former_logins; DELETE FROM identity.site_dedup_runs; DELETE FROM identity.staged_identities; DELETE FROM identity.sites; DELETE FROM identity.identities;
DELETE FROM identity.realms;
