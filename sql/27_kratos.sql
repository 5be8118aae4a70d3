-- A live database of Ory Kratos.
--
-- Security: nothing here has more rights on Kratos' tables than the caller. Names of the caller's own search path are used for the caller's source
-- alone, which is read to its end first.

CREATE FUNCTION identity.kratos_identifier(value text) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'kratos_identifier_wrapper';
COMMENT ON FUNCTION identity.kratos_identifier(text) IS
'What Ory Kratos compares a login name or an address by, and has in its column "identifier" of the types password, webauthn and code: PRECIS (RFC 8264) FreeformClass in lower case and NFKC; where that refuses the value, what it does not allow is taken away; E.164 for a valid international number. It is not the key that this extension compares by (normalize_identifier).';

CREATE FUNCTION identity.export_kratos(kratos text = 'public', nid uuid = NULL, ids text = NULL)
RETURNS TABLE (identity_id uuid, document jsonb, warning text)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'export_kratos_wrapper';

COMMENT ON FUNCTION identity.export_kratos(text, uuid, text) IS
'Reads the identities of an Ory Kratos database out of its tables, each as a document that identity.import_identities_from() and identity.import_kratos() take as it stands, in the order of their ids.
kratos: the schema of Kratos'' tables. nid: the network; it must be given where there are several. ids: a relation''s name, or one query, with one column: only these identities.
The login names are those of Kratos'' credentials ("identifiers"), dates are kept. warning: what of the identity is not in its document: tokens of providers, break_glass_for_organization, credentials of an unknown type.
The tables are read with the caller''s rights. Those of another role that is no superuser are refused if reading them could run code of that role.
Errors: 3F000 no tables of Kratos, 42P01 a table is missing, 42703 a column is missing or of another type, 42704 no such network, 22023 bad argument or several networks, 42501 missing right, or the tables'' owner is not to be trusted.';

CREATE FUNCTION identity.import_kratos(
    kratos text,
    source text,
    nid uuid = NULL,
    schemas jsonb = NULL,
    on_conflict text = 'skip',
    dry_run boolean = false,
    report text = 'problems',
    hashes text = 'report')
RETURNS TABLE (
    run_id uuid,
    row_number bigint,
    patch_id text,
    status text,
    identity_id uuid,
    identifier_kind text,
    identifier text,
    existing_identity uuid,
    winner_row bigint,
    path text,
    sqlstate text,
    message text,
    warning text)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'import_kratos_wrapper';

COMMENT ON FUNCTION identity.import_kratos(text, text, uuid, jsonb, text, boolean, text, text) IS
'Imports identities into the tables of a live Ory Kratos database, and reports what becomes of each. An identity goes in whole or not at all; one that loses takes none of its keys.
kratos: the schema of Kratos'' tables. source: a relation''s name or one query, with one json or jsonb column, an identity a row, as identity.import_identities_from() and identity.export_kratos() have it. nid: the network; it must be given where there are several.
schemas: Kratos'' identity schemas by their ids, {"default": {...}}; without them the traits email, phone and username are login names.
on_conflict: skip (import the rest), update (an identity with the same id, or else the same external_id, is updated: what the document has is replaced, credentials each by itself), abort (nothing goes in if anything is wrong), error (as abort, but raises).
dry_run: the same report, nothing written. report: as of identity.import_identities(). hashes: what becomes of a password whose hash Kratos cannot read: report (the identity is invalid), hook (Kratos asks its migration hook).
The columns are those of identity.import_identities(); identifier_kind is a type of credential, verifiable_address, recovery_address, external_id or id; identities are those of Kratos.
The tables are read and written with the caller''s rights. Those of another role that is no superuser are refused if that could run code of that role.
Errors: as identity.export_kratos(), and 42804 where the source has not just one json or jsonb column, 42809 no ordinary table, 25006 read-only transaction, 23000 with on_conflict => error.';
