-- Identifiers and password hashes: functions of their arguments alone, which the store and every application share.

CREATE FUNCTION identity.normalize_identifier(kind text, value text) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10
AS 'MODULE_PATHNAME', 'normalize_identifier_wrapper';
COMMENT ON FUNCTION identity.normalize_identifier(text, text) IS
'The key by which an identifier is compared, byte by byte. It never fails for a known kind: a value that is no e-mail address or phone number still has a key.
kind: username, email, phone, oidc or saml.
username: Unicode NFKC, full case folding, no invisible characters, trimmed (toNFKC_Casefold, Unicode D147). email: so, and the domain by IDNA (UTS #46) in ASCII. phone: E.164 where the number is valid with its country code, else as username. oidc, saml: "provider:subject" as it is.
Immutable for one Unicode version: identity.unicode_version() tells it, identity.recheck_identifiers() finds what another one would change.
Errors: 22023 unknown kind, 54000 a value of more than 65536 bytes.';

CREATE FUNCTION identity.identifier_skeleton(key text) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10
AS 'MODULE_PATHNAME', 'identifier_skeleton_wrapper';
COMMENT ON FUNCTION identity.identifier_skeleton(text) IS
'The skeleton of a key by Unicode UTS #39: two keys with one skeleton look alike ("admin" with a Cyrillic U+0430 and "admin"; also "bob1" and "bobl"). For review, not for refusal.';

CREATE FUNCTION identity.unicode_version() RETURNS text
LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'unicode_version_wrapper';
COMMENT ON FUNCTION identity.unicode_version() IS 'The version of the Unicode tables by which keys are made; each identifier keeps the one of its own key';

CREATE FUNCTION identity.inspect_password_hash(hash text)
RETURNS TABLE (scheme text, parameters jsonb, supported boolean, problem text)
LANGUAGE c STABLE PARALLEL SAFE ROWS 1
AS 'MODULE_PATHNAME', 'inspect_password_hash_wrapper';
COMMENT ON FUNCTION identity.inspect_password_hash(text) IS
'What a password hash is: its scheme, its costs and sizes, and whether identity.verify_password() takes it. It shows no part of the hash or its salt.
problem: why it is not supported: unknown, malformed, or over a limit of cost. docs/passwords.md lists schemes, limits and the settings that lower them.';

CREATE FUNCTION identity.verify_password(hash text, password text) RETURNS boolean
LANGUAGE c STABLE PARALLEL SAFE COST 100000
AS 'MODULE_PATHNAME', 'verify_password_wrapper';
COMMENT ON FUNCTION identity.verify_password(text, text) IS
'True where password is the one that hash was made of. NULL in either is false. Give both as bind parameters, so that no statement log has them.
It answers to cancel and statement_timeout at any cost that it takes.
Errors: 22023 a hash that is unknown, malformed or over the limits (see identity.inspect_password_hash).';
