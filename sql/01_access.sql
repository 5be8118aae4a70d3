-- What a role may do, for the role whose rights apply when a function is called: answered from identity.access_grants
-- (sql/70_access_grants.sql). Views, policies of row-level security and functions that run as their caller ask here.

CREATE FUNCTION identity_internal.level_includes(level text, part text) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'level_includes_wrapper';
COMMENT ON FUNCTION identity_internal.level_includes(text, text) IS 'Internal: whether a level of access has all that another one has';

CREATE FUNCTION identity_internal.has_all_realms(level text) RETURNS boolean
LANGUAGE c STABLE PARALLEL SAFE COST 10
AS 'MODULE_PATHNAME', 'has_all_realms_wrapper';
COMMENT ON FUNCTION identity_internal.has_all_realms(text) IS
'Internal: whether the current role has a level of access for all realms, itself or through a role whose rights it inherits. NULL: any level. A superuser has every level';

CREATE FUNCTION identity_internal.my_realms(level text) RETURNS SETOF text
LANGUAGE c STABLE PARALLEL SAFE COST 10 ROWS 10
AS 'MODULE_PATHNAME', 'my_realms_wrapper';
COMMENT ON FUNCTION identity_internal.my_realms(text) IS
'Internal: the realms for which the current role has been given a level of access by name. NULL: any level';
