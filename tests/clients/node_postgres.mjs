// The functions as an application calls them from node-postgres: every value is a bind parameter.
import assert from "node:assert/strict";
import { createRequire } from "node:module";

const pg = createRequire(process.env.PG_IDENTITY_NODE + "/package.json")("pg");
const client = new pg.Client();
await client.connect();

let passed = 0;
async function check(what, test) {
  await test();
  passed += 1;
  console.log(`ok: ${what}`);
}
const one = async (sql, ...values) => (await client.query(sql, values)).rows[0];
const all = async (sql, ...values) => (await client.query(sql, values)).rows;

await client.query("SELECT identity.add_realm($1)", ["acme"]);
const body = {
  identities: [
    { patch_id: "1", create: { traits: { username: "Bob", note: "it's “quoted” \\ 密码" }, credentials: { password: { config: { password: "opensesame" } } } } },
    { patch_id: "2", create: { traits: { username: "BOB" } } },
    { patch_id: "3", create: null },
    { patch_id: "4", create: { traits: { username: "kim" }, state: "gone" } },
  ],
};

await check("patch_identities answers in the order of the request", async () => {
  const { answer } = await one("SELECT identity.patch_identities($1, $2) AS answer", "acme", body);
  assert.deepEqual(answer.identities.map((a) => a && a.action), ["create", "error", null, "error"]);
  assert.deepEqual(answer.identities.map((a) => a && a.error && a.error.code), [undefined, 409, null, 400]);
  assert.equal(answer.identities[1].error.details.problems[0].winner, 0);
  assert.equal(answer.identities[3].error.details.problems[0].path, "/identities/3/create/state");
});
await check("a password that was imported in plain text is verified, and another is not", async () => {
  const { hash } = await one("SELECT config ->> 'hashed_password' AS hash FROM identity.credentials WHERE realm = $1", "acme");
  assert.equal((await one("SELECT identity.verify_password($1, $2) AS fine", hash, "opensesame")).fine, true);
  assert.equal((await one("SELECT identity.verify_password($1, $2) AS fine", hash, "Opensesame")).fine, false);
  assert.equal((await one("SELECT (identity.inspect_password_hash($1)).scheme", hash)).scheme, "argon2id");
});
await check("import_identities reports the holder", async () => {
  const held = await one("SELECT id FROM identity.identities_view WHERE realm = $1 AND username = $2", "acme", "Bob");
  const rows = await all("SELECT * FROM identity.import_identities($1, $2, on_conflict => $3, dry_run => $4)", "acme", JSON.stringify([{ traits: { email: "new@x.com", username: "ｂｏｂ" } }]), "skip", true);
  assert.equal(rows.length, 1);
  assert.equal(rows[0].existing_identity, held.id);
  assert.equal(rows[0].row_number, "1");
});
await check("what was written is what is read", async () => {
  const { traits } = await one("SELECT traits FROM identity.identities_view WHERE username = $1", "Bob");
  assert.deepEqual(traits, body.identities[0].create.traits);
});
await check("normalize_identifier", async () => {
  assert.equal((await one("SELECT identity.normalize_identifier($1, $2) AS key", "email", "Bob@BÜCHER.de")).key, "bob@xn--bcher-kva.de");
});
await check("import_rows, with names and a query as parameters", async () => {
  await client.query('CREATE TABLE "My Users" (id serial PRIMARY KEY, name text UNIQUE)');
  await client.query('INSERT INTO "My Users" (name) VALUES ($1)', ["bob"]);
  const rows = await all("SELECT * FROM identity.import_rows($1, $2, report => $3)", '"My Users"', "SELECT name FROM (VALUES ('bob'), ('kim')) v (name)", "all");
  assert.deepEqual(rows.map((r) => r.status), ["conflict", "inserted"]);
  assert.deepEqual(rows[0].existing, { id: 1 });
});
await check("errors have their SQLSTATE, DETAIL and HINT", async () => {
  await assert.rejects(client.query("SELECT * FROM identity.import_identities($1, $2)", ["nowhere", "[]"]), (e) => e.code === "42704" && /add_realm/.test(e.hint));
  await assert.rejects(client.query("SELECT identity.verify_password($1, $2)", ["nonsense", "x"]), (e) => e.code === "22023" && !!e.detail && !/nonsense/.test(JSON.stringify(e)));
});
await client.end();
console.log(`${passed} passed, 0 failed`);
