//! The addresses that identities have logged in from: strangers' failures hold nobody back there.

use crate::db::plan::{self, Plan};
use crate::db::scan::{Index, Key, Reader};
use crate::db::{lock, session};
use crate::error::Result;
use crate::login::throttle::{self, Client};
use pgrx::pg_sys::{TEXTOID, TIMESTAMPTZOID, UUIDOID};
use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting, IntoDatum, Uuid};

static LIFETIME: GucSetting<i32> = GucSetting::<i32>::new(90 * 24 * 3600);

pub fn define_settings() {
    GucRegistry::define_int_guc(
        c"identity.known_address_lifetime",
        c"How long after its last login from an address an identity is known there.",
        c"Strangers' failed logins do not hold it back there. 0: no address is known.",
        &LIFETIME,
        0,
        i32::MAX / 1000,
        GucContext::Suset,
        GucFlags::UNIT_S,
    );
}

/// realm, identity_id, address, last_login
const ADDRESSES: Index = Index::of(c"known_addresses", c"known_addresses_pkey");
const LAST_LOGIN: i16 = 4;

/// It is written so seldom, however often the identity logs in. In microseconds.
const FRESH: i64 = 24 * 3_600_000_000;

/// An identity that is being removed or locked is not waited for.
static ADD: Plan = Plan::new(
    "INSERT INTO identity.known_addresses AS k (realm, identity_id, address, last_login)
     SELECT i.realm, i.id, $3, $4 FROM identity.identities AS i
     WHERE i.realm OPERATOR(pg_catalog.=) $1 AND i.id OPERATOR(pg_catalog.=) $2
     FOR KEY SHARE SKIP LOCKED
     ON CONFLICT ON CONSTRAINT known_addresses_pkey DO UPDATE SET last_login = excluded.last_login",
    &[TEXTOID, UUIDOID, TEXTOID, TIMESTAMPTZOID],
);

/// So many are kept of an identity.
const MOST: usize = 50;

/// Those that are known no more, and all but the latest.
static REMOVE: Plan = Plan::new(
    "DELETE FROM identity.known_addresses AS k WHERE k.ctid OPERATOR(pg_catalog.=) ANY (ARRAY(
       SELECT o.ctid FROM (
         SELECT a.ctid, a.last_login, pg_catalog.row_number() OVER (ORDER BY a.last_login DESC) AS place
         FROM identity.known_addresses AS a
         WHERE a.realm OPERATOR(pg_catalog.=) $1 AND a.identity_id OPERATOR(pg_catalog.=) $2) AS o
       WHERE o.last_login OPERATOR(pg_catalog.<=) $3 OR o.place OPERATOR(pg_catalog.>) 50))",
    &[TEXTOID, UUIDOID, TIMESTAMPTZOID],
);

/// Whether the identity has logged in from there.
pub fn is_known(reader: &mut Reader, realm: &str, identity: Uuid, client: &Client) -> Result<bool> {
    let since = session::clock() - lifetime();
    Ok(last_login(reader, realm, identity, client)?.is_some_and(|at| at > since))
}

fn last_login(reader: &mut Reader, realm: &str, identity: Uuid, client: &Client) -> Result<Option<i64>> {
    let mut last = None;
    reader.rows(&ADDRESSES, &[Key::Is(realm), Key::IsUuid(identity), Key::Is(&client.address)], |row| {
        last = Some(row.number(LAST_LOGIN));
        false
    })?;
    Ok(last)
}

/// Remembers where an identity has logged in from. Of several logins at one time one remembers it: none waits.
pub fn remember(realm: &str, identity: Uuid, client: Option<&Client>) -> Result<()> {
    let Some(client) = client.filter(|_| lifetime() > 0) else { return Ok(()) };
    let now = session::clock();
    // It is written anew long before it is forgotten.
    let fresh = FRESH.min(lifetime() / 2);
    if last_login(&mut throttle::latest(), realm, identity, client)?.is_some_and(|at| at > now - fresh) {
        return Ok(());
    }
    if !lock::try_lock(lock::number(&[b"address", realm.as_bytes(), identity.as_bytes()])) {
        return Ok(());
    }
    let has_old = has_old(realm, identity, now - lifetime())?;
    let (realm, identity) = (plan::text(realm), identity.into_datum());
    ADD.write_latest(&[realm, identity, plan::text(&client.address), Some(session::now())])?;
    if has_old { REMOVE.write_latest(&[realm, identity, Some((now - lifetime()).into())]) } else { Ok(()) }
}

/// Whether any has to go, once one more has come.
fn has_old(realm: &str, identity: Uuid, since: i64) -> Result<bool> {
    let (mut count, mut old) = (0, false);
    throttle::latest().rows(&ADDRESSES, &[Key::Is(realm), Key::IsUuid(identity)], |row| {
        count += 1;
        old |= row.number(LAST_LOGIN) <= since;
        true
    })?;
    Ok(old || count >= MOST)
}

/// Microseconds.
fn lifetime() -> i64 {
    i64::from(LIFETIME.get()) * 1_000_000
}
