-- What a hash is, and whether it can be verified. All families are verified in tests/sessions/passwords.sh.
DELETE FROM identity.import_runs;
\pset format unaligned
SELECT i.* FROM unnest(ARRAY[
    '$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy',
    '$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHRzYWx0$QWxhZGRpbjpvcGVuIHNlc2FtZSBhbmQgc28gb24',
    '$pbkdf2-sha256$i=100000,l=32$c2FsdHNhbHRzYWx0$QWxhZGRpbjpvcGVuIHNlc2FtZSBhbmQgc28gb24',
    '$scrypt$ln=16384,r=8,p=1$c2FsdHNhbHRzYWx0$QWxhZGRpbjpvcGVuIHNlc2FtZSBhbmQgc28gb24',
    '5f4dcc3b5aa765d61d8327deb882cf99',
    -- Over the limits.
    '$2a$16$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy',
    '$argon2id$v=19$m=1048577,t=3,p=4$c2FsdHNhbHRzYWx0$QWxhZGRpbjpvcGVuIHNlc2FtZSBhbmQgc28gb24',
    '$pbkdf2-sha256$i=10000001,l=32$c2FsdHNhbHRzYWx0$QWxhZGRpbjpvcGVuIHNlc2FtZSBhbmQgc28gb24',
    '$scrypt$ln=262144,r=8,p=1$c2FsdHNhbHRzYWx0$QWxhZGRpbjpvcGVuIHNlc2FtZSBhbmQgc28gb24',
    '$sha512-crypt$rounds=1000001$saltsalt$x',
    -- Malformed, unsupported, unknown.
    '$2a$10$short', '$argon2d$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2g', 'opensesame', '', NULL]) WITH ORDINALITY AS h (hash, n),
    identity.inspect_password_hash(h.hash) AS i ORDER BY n;
\pset format aligned

SELECT identity.verify_password('$2b$04$MSQah2e5/ruYtDu/sNncUOiQI5Qg7yrXnteEa/XJVS7UxAekakG8.', '') AS empty,
    identity.verify_password('$2b$04$MSQah2e5/ruYtDu/sNncUOiQI5Qg7yrXnteEa/XJVS7UxAekakG8.', 'x') AS wrong,
    identity.verify_password('5f4dcc3b5aa765d61d8327deb882cf99', 'password') AS md5,
    identity.verify_password(NULL, 'x') AS no_hash, identity.verify_password('5f4dcc3b5aa765d61d8327deb882cf99', NULL) AS no_password;
-- An error for what cannot be verified at all: it is not a wrong password. Nothing of the hash is shown.
SELECT identity.verify_password('opensesame', 'opensesame');
SELECT identity.verify_password('$2a$31$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy', 'x');
-- A dear hash ends with the statement's time.
SET statement_timeout = '200ms';
SELECT identity.verify_password('$argon2id$v=19$m=524288,t=4,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaGhhc2g', 'x');
RESET statement_timeout;

-- A plain password becomes an argon2id hash by the settings.
SELECT identity.add_realm('r');
SET identity.argon2_min_memory = '8kB';
SET identity.argon2_min_iterations = 1;
SET identity.argon2_memory = '64kB';
SET identity.argon2_iterations = 3;
SET identity.argon2_parallelism = 2;
SELECT status FROM identity.import_identities('r', '[{"traits": {"username": "bob"}, "credentials": {"password": {"config": {"password": "opensesame"}}}}]');
SELECT i.scheme, i.parameters, identity.verify_password(c.config ->> 'hashed_password', 'opensesame') AS verified,
    identity.verify_password(c.config ->> 'hashed_password', 'Opensesame') AS wrong, c.config::text LIKE '%sesame%' AS plain
FROM identity.credentials c, identity.inspect_password_hash(c.config ->> 'hashed_password') i;
-- Settings that argon2 does not take are a row's problem.
SET identity.argon2_parallelism = 16;
SELECT status, path, sqlstate, message FROM identity.import_identities('r', '[{"traits": {"username": "kim"}, "credentials": {"password": {"config": {"password": "opensesame"}}}}]');
SELECT status, message FROM identity.import_identities('r', '[{"traits": {"username": "kim"}, "credentials": {"password": {"config": {"password": "opensesame"}}}}]', dry_run => true);
-- More than there may be: 22023.
\set VERBOSITY sqlstate
SET identity.argon2_memory = '2GB';
\set VERBOSITY default
RESET identity.argon2_memory;
RESET identity.argon2_iterations;
RESET identity.argon2_parallelism;
-- Hashing answers to cancel too.
SET identity.argon2_memory = '1GB';
SET identity.argon2_iterations = 10;
SET statement_timeout = '200ms';
SELECT status FROM identity.import_identities('r', '[{"traits": {"username": "kim"}, "credentials": {"password": {"config": {"password": "opensesame"}}}}]');
RESET statement_timeout;
SELECT username FROM identity.identities_view;
DELETE FROM identity.identities;
DELETE FROM identity.realms;
DELETE FROM identity.import_runs;
