"""The functions as an application calls them from psycopg: every value is a bind parameter."""

import json
import threading
import time

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

passed = 0


def check(test):
    global passed
    test()
    passed += 1
    print("ok:", test.__doc__)


connection = psycopg.connect(autocommit=True, row_factory=dict_row)


def one(sql, *values):
    return connection.execute(sql, values).fetchone()


def every(sql, *values):
    return connection.execute(sql, values).fetchall()


one("SELECT identity.add_realm(%s)", "acme")


@check
def _():
    """import_identities with a jsonb parameter"""
    documents = [
        {"traits": {"username": "Bob", "email": "bob@example.com"}, "metadata_admin": {"note": "it's “quoted” \\ 密码"}},
        {"traits": {"username": "BOB@example.com"}},
        {"traits": {"username": "x"}, "credentials": {"password": {"config": {"hashed_password": "$2a$99$secret"}}}},
    ]
    rows = every("SELECT * FROM identity.import_identities(%s, %s)", "acme", Jsonb(documents))
    assert [row["status"] for row in rows] == ["inserted", "duplicate", "invalid"], rows
    assert rows[1]["winner_row"] == 1 and rows[1]["identifier_kind"] == "username"
    assert rows[2]["path"] == "/2/credentials/password/config/hashed_password"
    assert "secret" not in json.dumps(rows, default=str)


@check
def _():
    """import_identities_from a table that COPY filled"""
    connection.execute("CREATE TABLE docs (n bigint GENERATED ALWAYS AS IDENTITY, doc jsonb)")
    with connection.cursor().copy("COPY docs (doc) FROM STDIN") as copy:
        for n in range(2000):
            copy.write_row([Jsonb({"traits": {"username": f"user{n % 1900}", "email": f"u{n}@example.com"}})])
    rows = every("SELECT * FROM identity.import_identities_from(%s, %s, report => %s)", "acme", "SELECT doc FROM docs ORDER BY n", "all")
    assert sum(row["status"] == "inserted" for row in rows) == 1900
    assert [(row["row_number"], row["winner_row"]) for row in rows if row["status"] == "duplicate"] == [(n + 1, n - 1899) for n in range(1900, 2000)]


@check
def _():
    """patch_identities in Kratos's shape"""
    body = {"identities": [{"patch_id": "1", "create": {"traits": {"username": "bob"}}}, {"create": None}]}
    answer = one("SELECT identity.patch_identities(%s, %s) AS answer", "acme", Jsonb(body))["answer"]
    bob = one("SELECT id FROM identity.identities_view WHERE username = %s", "Bob")["id"]
    error = answer["identities"][0]["error"]
    assert (error["code"], error["status"], answer["identities"][1]) == (409, "Conflict", None)
    assert error["details"]["problems"][0]["existing_identity"] == str(bob)
    assert "bob" in error["reason"]


@check
def _():
    """a prepared statement, many times, with other values"""
    for n in range(12):
        sql = "SELECT identity.normalize_identifier(%s, %s) AS key"
        key = connection.execute(sql, ("username", f" USER {n} "), prepare=True).fetchone()["key"]
        assert key == f"user {n}"


@check
def _():
    """a refused call leaves the transaction to its savepoint"""
    with connection.transaction():
        try:
            with connection.transaction():
                one("SELECT * FROM identity.import_identities(%s, %s)", "nowhere", Jsonb([]))
        except psycopg.errors.UndefinedObject as error:
            assert "add_realm" in error.diag.message_hint
        rows = every("SELECT status FROM identity.import_identities(%s, %s)", "acme", Jsonb([{"traits": {"username": "after"}}]))
        assert rows == [{"status": "inserted"}]
    assert one("SELECT count(*) AS n FROM identity.identities_view WHERE username = 'after'")["n"] == 1


@check
def _():
    """a cancel from the client ends the dearest password at once"""
    threading.Timer(0.3, connection.cancel).start()
    started = time.monotonic()
    try:
        one("SELECT identity.verify_password(%s, %s)", "$argon2id$v=19$m=1048576,t=10,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaGhhc2g", "x")
        raise AssertionError("it was not cancelled")
    except psycopg.errors.QueryCanceled:
        pass
    # It takes ten times as long to its end.
    assert time.monotonic() - started < 3
    assert one("SELECT 1 AS alive") == {"alive": 1}


connection.close()
print(f"{passed} passed, 0 failed")
