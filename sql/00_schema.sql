-- The schema. PUBLIC has no right on it: identity.grant_access() gives a role what it needs.
CREATE SCHEMA identity;
CREATE SCHEMA identity_internal;
COMMENT ON SCHEMA identity IS 'pg_identity: import, consolidation, authorization and login routing';
