-- Two identities of one person become one, and two again.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SELECT identity.add_realm('merged'), identity.add_organization('merged', 'acme'), identity.add_organization('merged', 'globex'), identity.add_organization('merged', 'initech');
SET datestyle = 'ISO';
\set a 00000000-0000-4000-8000-00000000000a
\set b 00000000-0000-4000-8000-00000000000b
SELECT status FROM identity.import_identities('merged', format($$[
    {"id": "%s", "external_id": "crm:1", "traits": {"username": "ann", "email": "ann@example.org"},
     "verifiable_addresses": [{"value": "ann@example.org", "via": "email", "verified": true, "status": "completed"}],
     "credentials": {"password": {"config": {"hashed_password": "5f4dcc3b5aa765d61d8327deb882cf99"}},
                     "oidc": {"config": {"providers": [{"provider": "google", "subject": "g1"}]}}}},
    {"id": "%s", "external_id": "crm:2", "traits": {"username": "annie", "email": "annie@example.org", "phone": "+4915112345678", "city": "Bonn"}, "metadata_admin": {"note": "old"}, "state": "inactive",
     "created_at": "2011-01-02T03:04:05Z",
     "recovery_addresses": [{"value": "annie@example.org", "via": "email"}],
     "credentials": {"password": {"config": {"hashed_password": "e99a18c428cb38d5f260853678922e03"}},
                     "oidc": {"config": {"providers": [{"provider": "google", "subject": "g2"}, {"provider": "github", "subject": "h2"}]}},
                     "totp": {"config": {"totp_url": "otpauth://totp/acme:annie?secret=JBSWY3DPEHPK3PXP"}}}}]$$, :'a', :'b')::jsonb);
SELECT identity.add_membership('merged', :'a', 'acme', '{"is_default": true}'), identity.add_membership('merged', :'b', 'acme'), identity.add_membership('merged', :'b', 'globex', '{"is_default": true}');
SELECT identity.add_resource_type('merged', 'clients', '{view}'), identity.grant_permission('merged', 'user:' || :'b', 'clients', '{view}');
CREATE VIEW everything AS
SELECT right(i.id::text, 1) AS id, 'identity' AS item, concat_ws(' ', i.external_id, i.state, i.traits, i.metadata_admin, CASE WHEN i.created_at < '2020-01-01' THEN i.created_at AT TIME ZONE 'UTC' END) AS value FROM identity.identities AS i WHERE i.realm = 'merged'
UNION ALL SELECT right(n.identity_id::text, 1), n.kind, n.value FROM identity.identifiers AS n WHERE n.realm = 'merged'
UNION ALL SELECT right(a.identity_id::text, 1), a.role, concat_ws(' ', a.via, a.key, a.verified) FROM identity.addresses AS a WHERE a.realm = 'merged'
UNION ALL SELECT right(c.identity_id::text, 1), 'credential', concat_ws(' ', c.type, c.config) FROM identity.credentials AS c WHERE c.realm = 'merged'
UNION ALL SELECT right(m.identity_id::text, 1), 'membership', concat_ws(' ', m.organization, m.is_default) FROM identity.memberships AS m WHERE m.realm = 'merged';
CREATE TABLE before_merge AS SELECT * FROM everything;
TABLE before_merge ORDER BY id, item, value;

SELECT merge_id, item, value, status, reason FROM identity.merge_identities('merged', :'a', :'b', dry_run => true);
SELECT count(*) FROM (TABLE everything EXCEPT TABLE before_merge) AS changed;
SELECT item, value, status, reason FROM identity.merge_identities('merged', :'a', :'b');
SELECT item, value FROM everything ORDER BY item, value;
-- Both names log in, with the password of the one that stayed.
SELECT login, verdict, identity_id FROM unnest('{ann,annie,annie@example.org,+4915112345678}'::text[]) AS login, identity.authenticate('merged', login, 'password');
SELECT right(kept::text, 1) AS kept, right(dropped::text, 1) AS dropped, undone_at FROM identity.merges WHERE realm = 'merged';
SELECT e.action, e.subject, e.detail - 'merge_id' AS detail FROM identity.audit_events AS e WHERE e.realm = 'merged' AND e.action LIKE '%merge_identities' ORDER BY e.seq;
-- Undone, all is as it was.
SELECT merge_id AS merge FROM identity.merges WHERE realm = 'merged' \gset
SELECT item, value, status, reason FROM identity.undo_merge('merged', :'merge');
(TABLE everything EXCEPT TABLE before_merge) UNION ALL (TABLE before_merge EXCEPT TABLE everything);
SELECT count(*) FROM identity.undo_merge('merged', :'merge');
SELECT count(*) FROM identity_internal.merged_rows WHERE realm = 'merged';

-- No more comes back than was taken and has not been changed since.
SELECT count(*) FROM identity.merge_identities('merged', :'a', :'b');
SELECT identity.remove_identifier('merged', :'a', 'phone', '+4915112345678');
DELETE FROM identity.credentials WHERE realm = 'merged' AND type = 'totp';
UPDATE identity.credentials SET config = jsonb_set(config, '{providers}', (config -> 'providers') - 2) WHERE realm = 'merged' AND type = 'oidc';
DELETE FROM identity.addresses WHERE realm = 'merged' AND role = 'recovery';
SELECT identity.remove_membership('merged', :'a', 'globex');
SELECT count(*) FROM identity.import_identities('merged', '[{"id": "00000000-0000-4000-8000-00000000000c", "external_id": "crm:2", "traits": {"phone": "+4915112345678"}}]');
SELECT merge_id AS merge FROM identity.merges WHERE realm = 'merged' AND undone_at IS NULL \gset
SELECT item, value, status, reason FROM identity.undo_merge('merged', :'merge');
SELECT * FROM everything EXCEPT TABLE before_merge ORDER BY 1, 2, 3;
TABLE before_merge EXCEPT SELECT * FROM everything ORDER BY 1, 2, 3;

-- With nothing of its own, the identity that stays gets the external_id and the credentials; what is secret goes with it when it is deleted.
SELECT identity.create_identity('merged', '{"id": "00000000-0000-4000-8000-00000000000d", "traits": {"username": "dora"}}');
SELECT item, value, status FROM identity.merge_identities('merged', '00000000-0000-4000-8000-00000000000d', :'a') ORDER BY 1, 2;
SELECT item, value FROM everything WHERE id = 'd' ORDER BY item, value;
SELECT count(*) FROM identity_internal.merged_rows WHERE realm = 'merged';
SELECT identity.delete_identity('merged', '00000000-0000-4000-8000-00000000000d');
SELECT count(*) FROM identity_internal.merged_rows WHERE realm = 'merged';
SELECT * FROM identity.undo_merge('merged', (SELECT merge_id FROM identity.merges WHERE realm = 'merged' AND kept = '00000000-0000-4000-8000-00000000000d'));

-- A staged user who was promoted goes on to log in where the identity went; a passkey goes with its name.
SELECT identity.add_site('merged', 2, 'forum', 'fz_');
SELECT count(*) FROM identity.stage_site('merged', 'forum', $$SELECT '1' AS id, 'bob' AS login, md5('bob') AS pw$$, '{"original_id": "id", "username": "login", "password_hash": "pw"}');
SELECT verdict, promoted, identity_id AS bob FROM identity.authenticate('merged', 'bob', 'bob') \gset
SELECT identity.create_identity('merged', '{"id": "00000000-0000-4000-8000-00000000000e", "traits": {"username": "robert"}, "credentials": {"passkey": {"config": {"credentials": [{"id": "Y3JlZDE=", "public_key": "cGsx"}], "user_handle": "dXNlcjE="}}}}');
SELECT item, value, status FROM identity.merge_identities('merged', '00000000-0000-4000-8000-00000000000e', :'bob');
SELECT state, right(identity_id::text, 1) AS identity FROM identity.staged_identities WHERE realm = 'merged';
SELECT identity.create_identity('merged', '{"id": "00000000-0000-4000-8000-00000000000f", "traits": {"username": "rob"}, "credentials": {"passkey": {"config": {"credentials": [{"id": "Y3JlZDI=", "public_key": "cGsy"}], "user_handle": "dXNlcjI="}}}}');
SELECT item, value, status, reason FROM identity.merge_identities('merged', '00000000-0000-4000-8000-00000000000e', '00000000-0000-4000-8000-00000000000f');
SELECT item, value FROM everything WHERE id = 'e' ORDER BY item, value;
SELECT merge_id AS merge FROM identity.merges WHERE realm = 'merged' AND dropped = '00000000-0000-4000-8000-00000000000f' \gset
SELECT item, value, status, reason FROM identity.undo_merge('merged', :'merge');

-- What is refused.
SELECT * FROM identity.merge_identities('merged', :'b', :'b');
SELECT * FROM identity.merge_identities('merged', :'b', NULL);
SELECT * FROM identity.merge_identities('merged', NULL, :'b');
SELECT * FROM identity.merge_identities('merged', :'b', '00000000-0000-4000-8000-000000000001');
SELECT * FROM identity.merge_identities('nowhere', :'b', :'a');
SELECT * FROM identity.merge_identities('merged', :'b', '00000000-0000-4000-8000-00000000000c', NULL);
SELECT * FROM identity.undo_merge('merged', :'b');
SELECT count(*) FROM identity.merge_identities('merged', '00000000-0000-4000-8000-00000000000c', :'b');
SELECT identity.create_identity('merged', format('{"id": "%s", "traits": {"username": "again"}}', :'b')::jsonb);
SELECT * FROM identity.undo_merge('merged', (SELECT merge_id FROM identity.merges WHERE realm = 'merged' AND kept = '00000000-0000-4000-8000-00000000000c'));

DROP VIEW everything;
DROP TABLE before_merge;
DELETE FROM identity.login_failures WHERE realm = 'merged';
DELETE FROM identity.permissions WHERE realm = 'merged';
DELETE FROM identity.resource_types WHERE realm = 'merged';
DELETE FROM identity.staged_identities WHERE realm = 'merged';
DELETE FROM identity.sites WHERE realm = 'merged';
DELETE FROM identity.identities WHERE realm = 'merged';
DELETE FROM identity.organizations WHERE realm = 'merged';
DELETE FROM identity.import_runs WHERE realm = 'merged';
DELETE FROM identity.realms WHERE name = 'merged';
