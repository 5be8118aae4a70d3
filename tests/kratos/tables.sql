-- The tables of identities as the migrations of Ory Kratos make them (July 2026), in the schema that comes first in the search path: all columns,
-- types, defaults, constraints and indexes that PostgreSQL has there. What refers to them (sessions, flows, codes) is not here.
CREATE TABLE networks (
    id uuid PRIMARY KEY,
    created_at timestamp NOT NULL,
    updated_at timestamp NOT NULL
);

CREATE TABLE identities (
    id uuid PRIMARY KEY,
    schema_id varchar(2048) NOT NULL,
    traits jsonb NOT NULL,
    created_at timestamp NOT NULL,
    updated_at timestamp NOT NULL,
    nid uuid CONSTRAINT identities_nid_fk_idx REFERENCES networks ON UPDATE RESTRICT ON DELETE CASCADE,
    state varchar(255) NOT NULL DEFAULT 'active',
    state_changed_at timestamp,
    metadata_public jsonb,
    metadata_admin jsonb,
    available_aal varchar(4),
    organization_id uuid,
    external_id varchar(64) CONSTRAINT identities_external_id_check CHECK (external_id IS NULL OR external_id <> '')
);
CREATE UNIQUE INDEX identities_nid_external_id_idx ON identities (nid, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX identities_nid_id_idx ON identities (nid, id);
CREATE INDEX identities_nid_organization_id_idx ON identities (organization_id);

CREATE TABLE identity_credential_types (
    id uuid PRIMARY KEY,
    name varchar(32) NOT NULL
);
CREATE UNIQUE INDEX identity_credential_types_name_idx ON identity_credential_types (name);
INSERT INTO identity_credential_types VALUES
    ('78c1b41d-8341-4507-aa60-aff1d4369670', 'password'),
    ('6fa5e2e0-bfce-4631-b62b-cf2b0252b289', 'oidc'),
    ('7bddcf6c-f50e-4a18-9b0f-429114c33419', 'saml'),
    ('5e29b036-aa47-457f-9fe6-aa8b854a752b', 'totp'),
    ('567a0730-7f48-4dd7-a13d-df87a51c245f', 'lookup_secret'),
    ('6b213fa0-e6ad-46cb-8878-b088d2ce2e3c', 'webauthn'),
    ('8d0ca544-9bf6-45d3-bd75-0bbb3aeba3c7', 'passkey'),
    ('14f3b7e2-8725-4068-be39-8a796485fd97', 'code'),
    ('26433aa2-c33a-4870-85dc-230af354e0bf', 'deviceauthn');

CREATE TABLE identity_credentials (
    id uuid PRIMARY KEY,
    config jsonb NOT NULL,
    identity_credential_type_id uuid NOT NULL REFERENCES identity_credential_types ON DELETE CASCADE,
    identity_id uuid NOT NULL REFERENCES identities ON DELETE CASCADE,
    created_at timestamp NOT NULL,
    updated_at timestamp NOT NULL,
    nid uuid CONSTRAINT identity_credentials_nid_fk_idx REFERENCES networks ON UPDATE RESTRICT ON DELETE CASCADE,
    version int NOT NULL DEFAULT 0
);
CREATE INDEX identity_credentials_identity_id_idx ON identity_credentials (identity_id);

CREATE TABLE identity_credential_identifiers (
    id uuid PRIMARY KEY,
    identifier varchar(255) NOT NULL,
    identity_credential_id uuid NOT NULL REFERENCES identity_credentials ON DELETE CASCADE,
    created_at timestamp NOT NULL,
    updated_at timestamp NOT NULL,
    nid uuid CONSTRAINT identity_credential_identifiers_nid_fk_idx REFERENCES networks ON UPDATE RESTRICT ON DELETE CASCADE,
    identity_credential_type_id uuid NOT NULL
        CONSTRAINT identity_credential_identifiers_type_id_fk_idx REFERENCES identity_credential_types ON UPDATE RESTRICT ON DELETE CASCADE,
    identity_id uuid NOT NULL CONSTRAINT identity_credential_identifiers_identities_id_fk REFERENCES identities ON UPDATE RESTRICT ON DELETE CASCADE
);
CREATE UNIQUE INDEX identity_credential_identifiers_identifier_nid_type_uq_idx
    ON identity_credential_identifiers (nid, identity_credential_type_id, identifier);
CREATE INDEX identity_credential_identifiers_ici_nid_i_idx ON identity_credential_identifiers (identity_credential_id, nid, identifier);
CREATE INDEX identity_credential_identifiers_identities_id_fk_idx ON identity_credential_identifiers (identity_id);
CREATE INDEX identity_credential_identifiers_nid_i_ici_idx ON identity_credential_identifiers (nid, identifier, identity_credential_id);

CREATE TABLE identity_verifiable_addresses (
    id uuid PRIMARY KEY,
    status varchar(16) NOT NULL,
    via varchar(16) NOT NULL,
    verified boolean NOT NULL,
    value varchar(400) NOT NULL,
    verified_at timestamp,
    identity_id uuid NOT NULL REFERENCES identities ON DELETE CASCADE,
    created_at timestamp NOT NULL,
    updated_at timestamp NOT NULL,
    nid uuid CONSTRAINT identity_verifiable_addresses_nid_fk_idx REFERENCES networks ON UPDATE RESTRICT ON DELETE CASCADE
);
CREATE UNIQUE INDEX identity_verifiable_addresses_status_via_uq_idx ON identity_verifiable_addresses (nid, via, value);
CREATE INDEX identity_verifiable_addresses_identity_id_idx ON identity_verifiable_addresses (identity_id);

CREATE TABLE identity_recovery_addresses (
    id uuid PRIMARY KEY,
    via varchar(16) NOT NULL,
    value varchar(400) NOT NULL,
    identity_id uuid NOT NULL REFERENCES identities ON DELETE CASCADE,
    created_at timestamp NOT NULL,
    updated_at timestamp NOT NULL,
    nid uuid CONSTRAINT identity_recovery_addresses_nid_fk_idx REFERENCES networks ON UPDATE RESTRICT ON DELETE CASCADE,
    break_glass_for_organization uuid
);
CREATE UNIQUE INDEX identity_recovery_addresses_status_via_uq_idx ON identity_recovery_addresses (nid, via, value);
CREATE INDEX identity_recovery_addresses_identity_id_idx ON identity_recovery_addresses (identity_id);
