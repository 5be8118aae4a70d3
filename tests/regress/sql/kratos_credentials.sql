-- Credentials are judged as Ory Kratos judges them.
SET client_min_messages = warning;
SELECT identity.add_realm('acme');
CREATE FUNCTION told(credentials jsonb, username text = 'x') RETURNS TABLE (status text, kind text, identifier text, path text, code text, message text, warning text)
LANGUAGE sql AS $$
    SELECT r.status, r.identifier_kind, r.identifier, r.path, r.sqlstate, r.message, r.warning
    FROM identity.import_identities('acme', jsonb_build_array(jsonb_build_object('traits', jsonb_build_object('username', username), 'credentials', credentials))) AS r
$$;
-- A passkey has a user handle, which is a name to log in with: nobody else has it.
SELECT * FROM told('{"passkey": {"config": {"user_handle": "aGFuZGxlMQ==", "credentials": [{"id": "Y3JlZDE=", "public_key": "cGsx", "attestation_type": "none",
  "authenticator": {"aaguid": "AAAAAAAAAAAAAAAAAAAAAA==", "sign_count": 4294967295, "clone_warning": false}, "display_name": "phone", "added_at": "2024-01-02T03:04:05Z",
  "is_passwordless": true, "flags": {"user_present": true, "user_verified": true, "backup_eligible": false, "backup_state": false}, "transport": ["usb", "nfc"],
  "attestation": {"client_dataJSON": "AQ==", "client_data_hash": "AQ==", "authenticator_data": null, "public_key_algorithm": -7, "object": ""}}]}}}', 'ann');
SELECT * FROM told('{"passkey": {"config": {"user_handle": "aGFuZGxlMQ==", "credentials": [{"id": "Y3JlZDI=", "public_key": "cGsx"}]}}}', 'bob');
SELECT * FROM told('{"passkey": {"config": {"user_handle": "SGFuZGxlMQ==", "credentials": [{"id": "Y3JlZDI=", "public_key": "cGsx"}]}}}', 'cid');
SELECT kind, value, key = value AS as_it_is FROM identity.identifiers ORDER BY kind, value;
-- Without a handle or a credential nobody could log in.
SELECT path, code, message FROM told('{"passkey": {"config": {"credentials": [{"id": "Y3JlZDE=", "public_key": "cGsx"}]}}}');
SELECT path, code, message FROM told('{"passkey": {"config": {"user_handle": "", "credentials": []}}}');
SELECT path, code, message FROM told('{"passkey": {"config": {"user_handle": "aGFuZGxlMg"}}}');
-- Whatever Kratos could not read.
SELECT path, code, message FROM told('{"webauthn": {"config": {"user_handle": "_-==", "credentials": [{"id": "Y3JlZDE", "public_key": "", "attestation_type": 1, "display_name": 1, "added_at": "yesterday", "is_passwordless": "no", "nick": "x",
  "authenticator": {"aaguid": "x", "sign_count": -1, "clone_warning": 0, "nick": 1}, "flags": {"user_present": 1, "nick": 1}, "transport": [1], "attestation": {"client_dataJSON": "x", "public_key_algorithm": 0.5, "nick": 1}},
  {"authenticator": [], "flags": 1, "transport": "usb", "attestation": "x"}, 7]}},
  "lookup_secret": {"config": {"codes": [{"code": "a", "used_at": "yesterday"}, {"code": "b", "used_at": null}]}},
  "oidc": {"config": {"providers": [{"provider": "google", "subject": "1", "organization": "acme", "use_auto_link": "yes"}]}},
  "saml": {"config": {"providers": [{"provider": "okta", "subject": "1", "use_auto_link": true}]}}}');
-- Names that Kratos has beside those of its import.
SELECT status, path, message FROM told('{"totp": {"config": {"totp_url": "totp://example.com?secret=ABC"}}, "lookup_secret": {"config": {"recovery_codes": [{"code": "a"}]}}}', 'eve');
SELECT c.type, c.config FROM identity.credentials AS c JOIN identity.identities AS i ON i.id = c.identity_id WHERE i.traits ->> 'username' = 'eve' ORDER BY 1;
SELECT path, code, message FROM told('{"totp": {"config": {"totp_url": "totp://example.com"}}, "lookup_secret": {"config": {"recovery_codes": [{"code": ""}], "codes": []}}}');
-- An update with other credentials gives up the handle.
UPDATE identity.identities SET external_id = traits ->> 'username';
SELECT status, message FROM identity.import_identities('acme', '[{"external_id": "ann", "credentials": {}}, {"traits": {"username": "dan"},
  "credentials": {"passkey": {"config": {"user_handle": "aGFuZGxlMQ==", "credentials": [{"id": "Y3JlZDI=", "public_key": "cGsx"}]}}}}]', 'update');
SELECT i.traits ->> 'username' AS username, n.value FROM identity.identifiers AS n JOIN identity.identities AS i ON i.id = n.identity_id WHERE n.kind = 'passkey' ORDER BY 1;
-- By hand only in the one way in which a handle is written.
SELECT identity.normalize_identifier('passkey', 'passkey:AQ==');
DROP FUNCTION told;
DELETE FROM identity.identities;
DELETE FROM identity.realms;
DELETE FROM identity.import_runs;
