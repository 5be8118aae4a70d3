-- A live database of Ory Kratos.
--
-- Security: nothing here has more rights on Kratos' tables than the caller. Names of the caller's own search path are used for the caller's source
-- alone, which is read to its end first.

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
