-- Identity schemas of Kratos: which traits are identifiers and addresses.
SELECT identity.add_realm('acme');
SELECT identity.set_identity_schema('acme', 'customer', '{"$id": "customer", "properties": {"traits": {"type": "object", "properties": {
  "contact": {"type": "object", "properties": {
     "mail": {"type": "string", "format": "email", "ory.sh/kratos": {"credentials": {"password": {"identifier": true}}, "verification": {"via": "email"}, "recovery": {"via": "email"}}},
     "mobile": {"type": "string", "format": "tel", "ory.sh/kratos": {"recovery": {"via": "sms"}}}}},
  "nicks": {"type": "array", "items": {"type": "string", "ory.sh/kratos": {"credentials": {"password": {"identifier": true}}}}},
  "username": {"type": "string"}}}}}');
SELECT row_number, status, identifier, path, sqlstate, message FROM identity.import_identities('acme', '[
  {"schema_id": "customer", "traits": {"contact": {"mail": "Bob@x.com", "mobile": "+49 30 123456"}, "nicks": ["bob", "bobby", "BOB"], "username": "ignored"}},
  {"schema_id": "customer", "traits": {"contact": {"mail": "no"}, "nicks": [7]}},
  {"schema_id": "unknown", "traits": {"username": "eve"}},
  {"schema_id": "customer", "traits": {"username": "eve"}},
  {"traits": {"username": "ann", "nicks": ["bob"]}}]');
SELECT kind, key, value FROM identity.identifiers ORDER BY key;
SELECT role, via, key, verified, status FROM identity.addresses ORDER BY role, via;
-- Addresses given with the identity come before those of its traits.
SELECT row_number, status FROM identity.import_identities('acme', '[
  {"schema_id": "customer", "traits": {"contact": {"mail": "kim@x.com"}}, "verifiable_addresses": [{"value": "KIM@x.com", "via": "email", "verified": true}]}]');
SELECT role, key, value, verified, status FROM identity.addresses WHERE key = 'kim@x.com' ORDER BY role;
-- Replaced for the imports to come.
SELECT identity.set_identity_schema('acme', 'default', '{"properties": {"traits": {"properties": {"login": {"ory.sh/kratos": {"credentials": {"code": {"identifier": true}}}}}}}}');
SELECT row_number, status, message FROM identity.import_identities('acme', '[{"traits": {"username": "x"}}, {"traits": {"login": "x"}}]');
-- A reference and allOf are followed: what is behind them is as unique as any other name.
SELECT identity.set_identity_schema('acme', 'shared', '{"definitions": {"mail": {"type": "string", "format": "email", "ory.sh/kratos": {"credentials": {"password": {"identifier": true}}, "recovery": {"via": "email"}}}},
  "properties": {"traits": {"allOf": [{"properties": {"email": {"$ref": "#/definitions/mail"}}}], "properties": {"username": {"type": "string", "ory.sh/kratos": {"credentials": {"password": {"identifier": true}}}}}}}}');
SELECT row_number, status, identifier, winner_row, path FROM identity.import_identities('acme', '[
  {"schema_id": "shared", "traits": {"username": "zoe", "email": "zoe@example.com"}}, {"schema_id": "shared", "traits": {"username": "yan", "email": "ZOE@example.com"}}]');
-- What applies to some values only is refused by name.
SELECT identity.set_identity_schema('acme', 'bad', '{"properties": {"traits": {"properties": {"login": {"anyOf": [{"format": "email", "ory.sh/kratos": {"credentials": {"password": {"identifier": true}}}}, {"format": "tel"}]}}}}}');
SELECT identity.set_identity_schema('acme', 'bad', '{"properties": {"traits": {"properties": {"email": {"$ref": "https://example.com/mail.json"}}}}}');
-- Refused when they are written.
SELECT identity.set_identity_schema('acme', 'bad', '{"properties": {"traits": {"properties": {"email": {}}}}}');
SELECT identity.set_identity_schema('acme', 'bad', '{"properties": {"traits": {"properties": {"email": {"ory.sh/kratos": {"recovery": {"via": "owl"}}}}}}}');
SELECT identity.set_identity_schema('acme', NULL, '{}');
SELECT identity.set_identity_schema('nowhere', 'x', '{}');
INSERT INTO identity.identity_schemas VALUES ('acme', 'bad', '{}');
-- A stored schema that can no longer be read, by whatever way it came there, is not passed over: its names would be nobody's.
BEGIN;
ALTER TABLE identity.identity_schemas DROP CONSTRAINT is_identity_schema;
INSERT INTO identity.identity_schemas VALUES ('acme', 'bad', '{}');
SELECT count(*) FROM identity.import_identities('acme', '[{"traits": {"login": "y"}}]');
ROLLBACK;
DELETE FROM identity.identities;
DELETE FROM identity.identity_schemas;
DELETE FROM identity.realms;
DELETE FROM identity.import_runs;
