-- on_conflict => 'update': an identity with the same id, or else the same external_id.
DELETE FROM identity.import_runs;
SELECT identity.add_realm('acme');
CREATE FUNCTION told(documents jsonb, dry_run boolean = false) RETURNS TABLE (n bigint, status text, id text, kind text, identifier text, holder text, winner bigint, code text, message text)
LANGUAGE sql AS $$
    SELECT r.row_number, r.status, i.traits ->> 'name', r.identifier_kind, r.identifier, h.traits ->> 'name', r.winner_row, r.sqlstate, r.message
    FROM identity.import_identities('acme', documents, 'update', dry_run) r
    LEFT JOIN identity.identities i ON i.realm = 'acme' AND i.id = r.identity_id
    LEFT JOIN identity.identities h ON h.realm = 'acme' AND h.id = r.existing_identity
$$;
SELECT n, status, id FROM told('[
  {"id": "00000000-0000-0000-0000-00000000000a", "external_id": "a", "traits": {"name": "A", "username": "ann", "email": "ann@x.com"}, "metadata_admin": {"k": 1}, "metadata_public": 1,
   "credentials": {"password": {"config": {"hashed_password": "5f4dcc3b5aa765d61d8327deb882cf99"}}, "oidc": {"config": {"providers": [{"provider": "g", "subject": "1"}]}}},
   "verifiable_addresses": [{"value": "ann@x.com", "via": "email", "verified": true}]},
  {"id": "00000000-0000-0000-0000-00000000000b", "external_id": "b", "traits": {"name": "B", "username": "bob"}},
  {"external_id": "c", "traits": {"name": "C", "username": "cid"}}]');
CREATE VIEW shown AS SELECT traits ->> 'name' AS name, external_id, state, (SELECT string_agg(kind || ' ' || key, ', ' ORDER BY key) FROM identity.identifiers h WHERE h.identity_id = i.id) AS identifiers,
    metadata_public AS public, metadata_admin AS admin, (SELECT string_agg(type, ', ' ORDER BY type) FROM identity.credentials c WHERE c.identity_id = i.id) AS credentials,
    (SELECT string_agg(role || ' ' || key, ', ') FROM identity.addresses a WHERE a.identity_id = i.id) AS addresses FROM identity.identities i ORDER BY 1;
SELECT * FROM shown;
-- What the document has is replaced, the rest stays.
SELECT * FROM told('[{"external_id": "a", "state": "inactive"}]');
SELECT * FROM told('[{"external_id": "a", "traits": {"name": "A", "username": "anne"}, "metadata_public": null}]');
SELECT * FROM shown WHERE name = 'A';
SELECT * FROM told('[{"id": "00000000-0000-0000-0000-00000000000a", "external_id": "a2", "credentials": {"totp": {"config": {"totp_url": "otpauth://totp/x?secret=A"}}}, "verifiable_addresses": []}]');
SELECT * FROM shown WHERE name = 'A';
-- Identifiers that others hold are conflicts, and nothing of the row is done.
SELECT * FROM told('[{"external_id": "b", "traits": {"name": "B", "username": "ANNE"}}, {"id": "00000000-0000-0000-0000-00000000000b", "external_id": "c"}]');
-- A second row for an identity is a duplicate, however each finds it.
SELECT * FROM told('[{"external_id": "b", "state": "inactive"}, {"external_id": "b", "state": "active"}, {"id": "00000000-0000-0000-0000-00000000000b", "state": "active"}]');
-- A key that a row gives up is free for the later ones, and held for the earlier.
SELECT * FROM told('[{"external_id": "c", "traits": {"name": "C", "username": "bob"}}]', dry_run => true);
SELECT * FROM told('[{"external_id": "c", "traits": {"name": "C", "username": "bob"}}, {"external_id": "b", "traits": {"name": "B", "username": "bert"}}, {"traits": {"name": "N", "username": "bob"}}, {"traits": {"name": "M", "username": "bob"}}]');
SELECT * FROM told('[{"id": "00000000-0000-0000-0000-00000000000b", "external_id": "b2"}, {"external_id": "c", "traits": {"name": "C", "username": "carl"}}, {"external_id": "d", "traits": {"name": "D", "username": "cid"}},
  {"id": "00000000-0000-0000-0000-00000000000a", "external_id": "b"}]');
SELECT * FROM shown;
-- Whoever is left without an identifier, or comes without one, is told of.
SELECT row_number, status, warning FROM identity.import_identities('acme', '[{"external_id": "b", "state": "active"}, {"external_id": "c", "traits": {"name": "C"}}, {"external_id": "new", "state": "active"}]', 'update', dry_run => true);
-- A key that an identity's own row keeps is held by it: said once.
SELECT * FROM told('[{"external_id": "c", "traits": {"name": "C", "username": "carl"}}, {"traits": {"username": "CARL"}}]');
-- A name from credentials that is a username too.
SELECT * FROM told('[{"external_id": "o", "traits": {"name": "O", "username": "g:7"}}]');
SELECT * FROM told('[{"external_id": "o", "credentials": {"oidc": {"config": {"providers": [{"provider": "g", "subject": "7"}]}}}}]');
SELECT * FROM shown WHERE name = 'O';
-- A dry run tells the same and does nothing.
SELECT * FROM told('[{"external_id": "c", "traits": {"name": "X", "username": "x"}}]', dry_run => true);
SELECT * FROM shown WHERE name IN ('C', 'X');
SELECT inserted, updated, conflict, duplicate, invalid FROM identity.import_runs ORDER BY run_id;
-- With identity schemas: the identity's own serves where the document names none, and addresses from traits are replaced with them.
SELECT identity.set_identity_schema('acme', 'default', '{"properties": {"traits": {"properties": {"mail": {"ory.sh/kratos": {"credentials": {"password": {"identifier": true}}, "verification": {"via": "email"}, "recovery": {"via": "email"}}}}}}}');
SELECT identity.set_identity_schema('acme', 'staff', '{"properties": {"traits": {"properties": {"login": {"ory.sh/kratos": {"credentials": {"password": {"identifier": true}}}}}}}}');
SELECT * FROM told('[{"external_id": "s", "traits": {"name": "S", "mail": "s@x.de"}}, {"external_id": "t", "schema_id": "staff", "traits": {"name": "T", "login": "neo"}}]');
UPDATE identity.addresses SET verified = true, status = 'completed' WHERE key = 's@x.de' AND role = 'verifiable';
SELECT * FROM told('[{"external_id": "s", "traits": {"name": "S", "mail": "S@x.de"}}, {"external_id": "t", "traits": {"name": "T", "login": "neo2", "mail": "t@x.de"}}]');
SELECT role, key, value, verified, status FROM identity.addresses ORDER BY role;
SELECT * FROM told('[{"external_id": "s", "traits": {"name": "S", "mail": "s2@x.de"}}, {"external_id": "u", "traits": {"name": "U", "mail": "s@x.de"}}]');
SELECT name, identifiers, addresses FROM shown WHERE name IN ('S', 'T', 'U');
DROP VIEW shown;
DROP FUNCTION told;
DELETE FROM identity.identities;
DELETE FROM identity.identity_schemas;
DELETE FROM identity.realms;
DELETE FROM identity.import_runs;
