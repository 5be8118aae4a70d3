#!/usr/bin/env bash
# A site in a real MariaDB: other column names, integer times and phone numbers, latin1 and utf8mb4 text, salted md5. It is staged
# through a foreign table, deduplicated, and a user logs in with his old password.
. "$(dirname "$0")/../lib.sh"
if [ "$(ask -c "SELECT count(*) FROM pg_available_extensions WHERE name = 'mysql_fdw'")" = 0 ]; then
    echo "left out: this server has no mysql_fdw"
    exit 0
fi
home=$(mktemp -d)
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
if [ "$(id -u)" = 0 ]; then as=(--user=root); else as=(); fi
mariadb-install-db --no-defaults --auth-root-authentication-method=normal --datadir="$home/data" "${as[@]}" >"$home/log" 2>&1
mariadbd --no-defaults --datadir="$home/data" --socket="$home/socket" --pid-file="$home/pid" --bind-address=127.0.0.1 \
    --port="$port" "${as[@]}" >>"$home/log" 2>&1 &
server=$!
trap 'kill $server 2>/dev/null; wait $server || true; rm -rf "$home"' EXIT
maria() { mariadb --no-defaults --socket="$home/socket" --user=root --default-character-set=utf8mb4 "$@"; }
for _ in $(seq 150); do maria -e 'SELECT 1' >/dev/null 2>&1 && break || sleep 0.2; done

maria <<'SQL'
CREATE DATABASE forum;
USE forum;
CREATE USER reader@'127.0.0.1' IDENTIFIED BY 'let me read';
GRANT SELECT ON forum.* TO reader@'127.0.0.1';
CREATE TABLE forum.phpbb_users (
  user_id INT UNSIGNED PRIMARY KEY, user_name CHAR(40) CHARACTER SET latin1, real_name VARCHAR(80) CHARACTER SET utf8mb4,
  mail VARCHAR(80) CHARACTER SET latin1, mail_ok CHAR(1), tel BIGINT, pass CHAR(32), salt CHAR(5), reg_time INT UNSIGNED, last_visit INT UNSIGNED);
INSERT INTO forum.phpbb_users VALUES
  (1, 'bob', 'Bob 😀', 'bob@forum.example', 'Y', 1701234567, MD5(CONCAT('a1b2c', 'old secret')), 'a1b2c', 1262304000, 1700000000),
  (2, 'Jürgen', 'Jürgen Müller 李', 'juergen@forum.example', 'N', 1701234568, MD5(CONCAT('zzzzz', 'Käse')), 'zzzzz', 1262304000, 1700000000),
  (3, 'dead', 'Nobody', NULL, 'N', NULL, NULL, NULL, 1262304000, 0),
  (4, 'broken', 'No such number', 'broken@forum.example', 'N', 12, NULL, NULL, 1262304000, 1700000000);
INSERT INTO forum.phpbb_users SELECT 100 + seq, CONCAT('user', seq), CONCAT('User ', seq), CONCAT('user', seq, '@forum.example'), 'Y', NULL,
  MD5(CONCAT('abcde', seq)), 'abcde', 1262304000, 1700000000 FROM seq_1_to_5000;
SQL

ask >/dev/null <<SQL
SET client_min_messages = warning;
CREATE EXTENSION mysql_fdw;
CREATE SERVER forum FOREIGN DATA WRAPPER mysql_fdw OPTIONS (host '127.0.0.1', port '$port');
CREATE USER MAPPING FOR CURRENT_USER SERVER forum OPTIONS (username 'reader', password 'let me read');
CREATE FOREIGN TABLE phpbb_users (user_id bigint, user_name text, real_name text, mail text, mail_ok text, tel bigint, pass text, salt text, reg_time bigint, last_visit bigint)
  SERVER forum OPTIONS (dbname 'forum', table_name 'phpbb_users');
SELECT identity.add_realm('merger'), identity.add_site('merger', 1, 'main'), identity.add_site('merger', 2, 'forum', 'fz_');
SELECT * FROM identity.import_identities('merger', '[{"traits": {"username": "bob"}, "credentials": {"password": {"config": {"password": "main secret"}}}}]');
SQL
stage() {
    ask -v ON_ERROR_STOP=1 2>/dev/null <<'SQL'
SELECT string_agg(format('%s %s', rows, status), ', ' ORDER BY status) FROM (
  SELECT status, count(*) AS rows FROM identity.stage_site('merger', 'forum', 'phpbb_users', '{
    "original_id": "user_id", "username": "user_name", "display_name": "real_name", "email": "mail",
    "email_verified": {"column": "mail_ok", "true": "Y", "false": "N"}, "phone": {"column": "tel", "country": "DE"},
    "password_hash": {"column": "pass", "scheme": "md5", "format": "{SALT}{PASSWORD}"}, "password_salt": "salt",
    "registered_at": {"column": "reg_time", "epoch": "seconds"},
    "last_login_at": {"column": "last_visit", "epoch": "seconds", "null": 0}}',
    '{"never_logged_in_registered_before": "2020-01-01"}', report => 'all') GROUP BY status) AS s;
SQL
}
login() { ask -c "SELECT concat_ws(' ', verdict, promoted, reason) FROM identity.authenticate('merger', '$1', '$2')"; }
expect "rows by status" "1 invalid, 1 quarantined, 5002 staged" "$(stage)"
expect "rows by status, staged again" "1 invalid, 1 quarantined, 5002 unchanged" "$(stage)"
maria -e "UPDATE forum.phpbb_users SET mail = 'new@forum.example' WHERE user_id = 2; UPDATE forum.phpbb_users SET tel = NULL WHERE user_id = 4"
expect "what changed there is updated here" "1 quarantined, 1 staged, 5001 unchanged, 1 updated" "$(stage)"
expect "text of both character sets, times and numbers" "Jürgen|Jürgen Müller 李|new@forum.example|+491701234568|2010-01-01" "$(
    ask -c "SELECT username, display_name, email, phone, registered_at::date FROM identity.staged_identities WHERE original_id = '2'")"
expect "the forum's bob is renamed" "bob|fz_bob" "$(ask -c "SELECT old_login, new_login FROM identity.dedup_site_logins('merger')" 2>/dev/null)"
expect "he is told" "email|bob@forum.example|bob|fz_bob" "$(
    ask -c "SELECT channel, address, old_login, new_login FROM identity.pending_notices('merger')")"
expect "his old password is not the main bob's" "denied f wrong_password" "$(login bob 'old secret')"
expect "he logs in with his new name and his old password" "authenticated t" "$(login FZ_Bob 'old secret')"
expect "and again, now from the main tables" "authenticated f" "$(login bob@forum.example 'old secret')"
expect "an umlaut in name and password" "authenticated t" "$(login JÜRGEN Käse)"
expect "a wrong password" "denied f wrong_password" "$(login user7 8)"
expect "two of the forum are in the main tables" "forum:1 forum:2" "$(
    ask -c "SELECT string_agg(external_id, ' ' ORDER BY external_id) FROM identity.identities WHERE external_id IS NOT NULL")"
