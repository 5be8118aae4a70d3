-- Identities as Ory Kratos answers with them, and as its tables have them.
SET client_min_messages = warning;
SET timezone = 'UTC';
SELECT identity.add_realm('acme');
CREATE VIEW shown AS SELECT external_id AS who, state, created_at, NULLIF(updated_at, now()) AS updated_at, NULLIF(state_changed_at, now()) AS state_changed_at,
    state_changed_at = now() AS changed_now FROM identity.identities ORDER BY 1;
-- Times are kept, also those that a query over a table with columns of the type timestamp makes.
BEGIN;
SELECT row_number, status, path, message FROM identity.import_identities('acme', jsonb_build_array(
  '{"external_id": "ann", "traits": {"username": "ann"}, "state": "inactive", "created_at": "2015-03-04T05:06:07.123456Z", "updated_at": "2016-03-04T05:06:07+01:00", "state_changed_at": "2017-03-04T05:06:07Z"}',
  jsonb_build_object('external_id', 'bob', 'traits', '{"username": "bob"}'::jsonb, 'created_at', timestamp '2015-03-04 05:06:07', 'updated_at', timestamptz '2016-03-04 05:06:07+02', 'state_changed_at', null)));
SELECT * FROM shown;
SELECT path, sqlstate, message FROM identity.import_identities('acme', '[{"traits": {"username": "x"}, "created_at": "yesterday", "updated_at": 7, "state_changed_at": ""}]');
-- An update keeps what its document does not say.
SELECT status FROM identity.import_identities('acme', '[{"external_id": "ann", "state": "inactive"}, {"external_id": "bob", "state": "inactive", "created_at": "2014-01-01T00:00:00Z"}]', 'update');
SELECT * FROM shown;
SELECT status FROM identity.import_identities('acme', '[{"external_id": "ann", "state": "active", "state_changed_at": "2018-01-01T00:00:00Z", "updated_at": "2018-01-02T00:00:00Z"}]', 'update');
SELECT * FROM shown;
COMMIT;
DROP VIEW shown;
DELETE FROM identity.identities;
DELETE FROM identity.identity_schemas;
DELETE FROM identity.realms;
DELETE FROM identity.import_runs;
