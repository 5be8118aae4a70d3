-- Addresses as Ory Kratos, and programs made from its types, send them.
SET client_min_messages = warning;
SET timezone = 'UTC';
SELECT identity.add_realm('acme');
CREATE VIEW shown AS SELECT role, via, key, verified, status, verified_at FROM identity.addresses ORDER BY key, role;
-- All fields that they have. What was never set is null, or the zero of Go.
SELECT row_number, status, path, message FROM identity.import_identities('acme', '[
  {"traits": {"email": "ann@example.com"},
   "verifiable_addresses": [{"id": "2f0dc9bb-3c19-4a0b-9a51-4cf1a1a0a001", "value": "ann@example.com", "via": "email", "verified": true, "status": "completed",
     "verified_at": "2015-03-04T05:06:07.25+02:00", "created_at": "2015-03-04T05:00:00Z", "updated_at": "2015-03-04T05:06:07Z"}],
   "recovery_addresses": [{"id": "2f0dc9bb-3c19-4a0b-9a51-4cf1a1a0a002", "value": "ann@example.com", "via": "email",
     "break_glass_for_organization": null, "created_at": "2015-03-04T05:00:00Z", "updated_at": "2015-03-04T05:00:00Z"}]},
  {"traits": {"email": "bob@example.com"},
   "verifiable_addresses": [{"id": "00000000-0000-0000-0000-000000000000", "value": "bob@example.com", "via": "email", "verified": false, "status": "pending",
     "verified_at": null, "created_at": "0001-01-01T00:00:00Z", "updated_at": "0001-01-01T00:00:00Z"}],
   "recovery_addresses": [{"id": "00000000-0000-0000-0000-000000000000", "value": "bob@example.com", "via": "email",
     "created_at": "0001-01-01T00:00:00Z", "updated_at": "0001-01-01T00:00:00Z"}]}]');
SELECT * FROM shown;
-- What is not kept is told.
SELECT row_number, status, warning FROM identity.import_identities('acme', '[
  {"traits": {"username": "dan"}, "recovery_addresses": [{"value": "dan@example.com", "via": "email", "break_glass_for_organization": "2f0dc9bb-3c19-4a0b-9a51-4cf1a1a0a003"},
     {"value": "dan2@example.com", "via": "email", "break_glass_for_organization": "2f0dc9bb-3c19-4a0b-9a51-4cf1a1a0a003"}]}]', report => 'problems');
-- An address without a channel, or with an empty one, is an e-mail address.
SELECT row_number, status, path, message FROM identity.import_identities('acme', '[
  {"traits": {"username": "cid"}, "verifiable_addresses": [{"value": "cid@example.com", "via": "", "verified": true}, {"value": "cid2@example.com"}],
   "recovery_addresses": [{"value": "Cid@Example.com", "via": ""}, {"value": "cid2@example.com", "via": null}]},
  {"traits": {"username": "x"}, "verifiable_addresses": [{"value": "+49 30 123456", "via": ""}], "recovery_addresses": [{"value": "x@example.com", "via": "owl"}, {"value": "x@example.com", "via": 7}]}]');
SELECT * FROM shown WHERE key LIKE 'cid%';
-- Values that Kratos refuses, each by its path.
SELECT row_number, status, path, sqlstate, message FROM identity.import_identities('acme', '[
  {"traits": {"username": "x"},
   "verifiable_addresses": [{"id": "7", "value": "x@example.com", "via": "email", "verified_at": "yesterday", "created_at": 7, "updated_at": "2015-02-29T00:00:00Z", "seen_at": null}],
   "recovery_addresses": [{"value": "x@example.com", "via": "email", "verified_at": null, "break_glass_for_organization": "acme"}]}]');
-- A region of Ory Network has no effect; one that there is not is an error of its identity.
SELECT row_number, status, path, message FROM identity.import_identities('acme', '[{"traits": {"username": "fay"}, "region": "eu-central"}, {"traits": {"username": "gus"}, "region": "mars"}]');
-- An update keeps when an address of the traits was verified, and takes what a document says.
SELECT identity.set_identity_schema('acme', 'default', '{"properties": {"traits": {"properties": {"email": {"format": "email",
  "ory.sh/kratos": {"credentials": {"password": {"identifier": true}}, "verification": {"via": "email"}}}}}}}');
UPDATE identity.identities SET external_id = traits ->> 'email';
SELECT row_number, status FROM identity.import_identities('acme', '[
  {"external_id": "ann@example.com", "traits": {"email": "Ann@example.com"}},
  {"external_id": "bob@example.com", "verifiable_addresses": [{"value": "bob@example.com", "via": "email", "verified": true, "verified_at": "2020-01-01T00:00:00Z"}]}]', 'update');
SELECT * FROM shown;
DROP VIEW shown;
DELETE FROM identity.identities;
DELETE FROM identity.identity_schemas;
DELETE FROM identity.realms;
DELETE FROM identity.import_runs;
