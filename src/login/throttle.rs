//! Failed logins, counted in sliding windows: by whom and from where, by whom alone, by where alone; wrong second factors apart.
//!
//! A failure is a row of its own, so that logins that fail at one time do not wait for each other. Of a name and an address, and of
//! second factors, a row also takes one of so many slots as failures are allowed. A login takes a free slot by a lock that waits for
//! nobody, before it is decided, and keeps it if it fails: so many sessions at one time get no more tries than one.

use crate::db::plan::{self, Argument, Plan};
use crate::db::scan::{Index, Key, Reader};
use crate::db::{lock, session};
use crate::error::{Error, Result, shown};
use crate::login::known;
use pgrx::pg_sys::{self, INT4ARRAYOID, TEXTARRAYOID, TEXTOID, TIMESTAMPTZOID};
use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting, IntoDatum, Uuid};
use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

static MAX_FAILURES: GucSetting<i32> = GucSetting::<i32>::new(10);
static MAX_NAME_FAILURES: GucSetting<i32> = GucSetting::<i32>::new(100);
static MAX_IDENTITY_FAILURES: GucSetting<i32> = GucSetting::<i32>::new(300);
static MAX_ADDRESS_FAILURES: GucSetting<i32> = GucSetting::<i32>::new(100);
static MAX_NETWORK_FAILURES: GucSetting<i32> = GucSetting::<i32>::new(1000);
static MAX_REALM_FAILURES: GucSetting<i32> = GucSetting::<i32>::new(0);
static FAILURE_WINDOW: GucSetting<i32> = GucSetting::<i32>::new(900);
static MAX_FACTOR_FAILURES: GucSetting<i32> = GucSetting::<i32>::new(10);
static MAX_FACTOR_FAILURES_IN_ALL: GucSetting<i32> = GucSetting::<i32>::new(100);
static FACTOR_WINDOW: GucSetting<i32> = GucSetting::<i32>::new(30 * 24 * 3600);

pub fn define_settings() {
    for (name, what, setting) in [
        (
            c"identity.login_max_failures",
            c"Failed logins of one name from one address, after which the next from there is held back.",
            &MAX_FAILURES,
        ),
        (
            c"identity.login_max_name_failures",
            c"Failed logins of one name, from wherever, after which the next is held back.",
            &MAX_NAME_FAILURES,
        ),
        (
            c"identity.login_max_identity_failures",
            c"Failed logins of one identity, by whichever of its names, after which the next is held back.",
            &MAX_IDENTITY_FAILURES,
        ),
        (
            c"identity.login_max_address_failures",
            c"Failed logins from one address (IPv4: 32 bits, IPv6: 64 bits) after which the next is held back.",
            &MAX_ADDRESS_FAILURES,
        ),
        (
            c"identity.login_max_network_failures",
            c"Failed logins from one network (IPv4: 24 bits, IPv6: 48 bits) after which the next is held back.",
            &MAX_NETWORK_FAILURES,
        ),
        (
            c"identity.login_max_realm_failures",
            c"Failed logins of a realm after which the next of any name is held back.",
            &MAX_REALM_FAILURES,
        ),
        (
            c"identity.login_max_factor_failures",
            c"Wrong second factors of one identity after which the next is held back.",
            &MAX_FACTOR_FAILURES,
        ),
    ] {
        let long = c"Counted over identity.login_failure_window. 0: no limit.";
        GucRegistry::define_int_guc(name, what, long, setting, 0, i32::MAX, GucContext::Suset, GucFlags::default());
    }
    GucRegistry::define_int_guc(
        c"identity.login_max_factor_failures_in_all",
        c"Wrong second factors of one identity, since its last right one, after which the next is held back.",
        c"Counted over identity.login_factor_window. 0: no limit.",
        &MAX_FACTOR_FAILURES_IN_ALL,
        0,
        i32::MAX,
        GucContext::Suset,
        GucFlags::default(),
    );
    for (name, what, setting) in [
        (c"identity.login_failure_window", c"How long a failed login counts.", &FAILURE_WINDOW),
        (
            c"identity.login_factor_window",
            c"How long a wrong second factor counts, unless a right one comes before.",
            &FACTOR_WINDOW,
        ),
    ] {
        let long =
            c"The window slides: a login is held back until the oldest of the failures that fill it is out of it.";
        let most = i32::MAX / 1000;
        GucRegistry::define_int_guc(name, what, long, setting, 1, most, GucContext::Suset, GucFlags::UNIT_S);
    }
}

static ADD: Plan = Plan::new(
    "INSERT INTO identity.login_failures (realm, kind, key, slot, failed_at)
     SELECT $1, k.kind, k.key, k.slot, $5 FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4))
       AS k (kind, key, slot)",
    &[TEXTOID, TEXTARRAYOID, TEXTARRAYOID, INT4ARRAYOID, TIMESTAMPTZOID],
);

/// Those of one page of the table, whichever it is: more than come in. It takes no index, and no time.
static REMOVE_OLD: Plan = Plan::new(
    "WITH page AS MATERIALIZED (
       SELECT pg_catalog.floor(pg_catalog.random() OPERATOR(pg_catalog.*)
         (pg_catalog.pg_relation_size('identity.login_failures') OPERATOR(pg_catalog./)
          pg_catalog.current_setting('block_size')::pg_catalog.int8))::pg_catalog.int8 AS number)
     DELETE FROM identity.login_failures AS f WHERE f.ctid OPERATOR(pg_catalog.=) ANY (ARRAY(
       SELECT o.ctid FROM identity.login_failures AS o
       WHERE o.ctid OPERATOR(pg_catalog.>=) (SELECT pg_catalog.format('(%s,0)', p.number)::pg_catalog.tid FROM page AS p)
         AND o.ctid OPERATOR(pg_catalog.<) (SELECT pg_catalog.format('(%s,0)', p.number OPERATOR(pg_catalog.+) 1)::pg_catalog.tid FROM page AS p)
         AND o.failed_at OPERATOR(pg_catalog.<=) CASE o.kind WHEN 'factor' THEN $2 ELSE $1 END
       FOR UPDATE SKIP LOCKED))",
    &[TIMESTAMPTZOID, TIMESTAMPTZOID],
);

static FORGET: Plan = Plan::new(
    "DELETE FROM identity.login_failures AS f WHERE f.ctid OPERATOR(pg_catalog.=) ANY (ARRAY(
       SELECT o.ctid FROM identity.login_failures AS o
       WHERE o.realm OPERATOR(pg_catalog.=) $1 AND o.kind OPERATOR(pg_catalog.=) $2 AND o.key OPERATOR(pg_catalog.=) $3
       FOR UPDATE SKIP LOCKED))",
    &[TEXTOID, TEXTOID, TEXTOID],
);

/// realm, kind, key, failed_at, slot, id
const FAILURES: Index = Index::covering(c"login_failures", c"login_failures_pkey", &[1, 2, 3, 4, 5, 6]);
const FAILED_AT: i16 = 4;
const SLOT: i16 = 5;

/// Of a realm's failures at most so many are counted: of more that are allowed, each with such a chance that so many mean the limit.
const MOST_OF_REALM: i32 = 100;

/// How long a login is told to wait while others of its kind are being decided, in microseconds.
const BUSY: i64 = 1_000_000;

/// What failures are counted under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// One name, from one address.
    NameAddress,
    Name,
    Identity,
    Address,
    Network,
    Realm,
    Factor,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::NameAddress => "name and address",
            Kind::Name => "name",
            Kind::Identity => "identity",
            Kind::Address => "address",
            Kind::Network => "network",
            Kind::Realm => "realm",
            Kind::Factor => "factor",
        }
    }

    fn limit(self) -> usize {
        let setting = match self {
            Kind::NameAddress => MAX_FAILURES.get(),
            Kind::Name => MAX_NAME_FAILURES.get(),
            Kind::Identity => MAX_IDENTITY_FAILURES.get(),
            Kind::Address => MAX_ADDRESS_FAILURES.get(),
            Kind::Network => MAX_NETWORK_FAILURES.get(),
            Kind::Realm => MAX_REALM_FAILURES.get().min(MOST_OF_REALM),
            Kind::Factor => MAX_FACTOR_FAILURES.get(),
        };
        setting.unsigned_abs() as usize
    }
}

/// Where a login comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// What one client has: of IPv4 an address, of IPv6 a network of 64 bits.
    pub address: String,
    /// What one operator has: 24 bits of IPv4, 48 of IPv6.
    network: String,
}

/// Who logs in, from where.
pub struct Login<'a> {
    pub realm: &'a str,
    /// The name that was given, as it is counted; of an identity that has proved itself its id.
    pub name: &'a str,
    /// Whose name it is: an identity's id; or the name again, where it is nobody's.
    pub subject: &'a str,
    pub identity: Option<Uuid>,
    pub client: Option<Client>,
    /// It has proved itself by single sign-on.
    pub signed_on: bool,
}

/// What the failures so far mean for the next login.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Held {
    /// Microseconds until it may be tried.
    pub wait: Option<i64>,
    /// There are failures of its own that a success forgets.
    pub failed_before: bool,
    /// What it takes if it fails.
    pub slot: Option<i32>,
}

/// What went wrong.
#[derive(Debug, Clone, Copy, Default)]
pub struct Failure {
    /// The login, in this slot.
    pub login: Option<Option<i32>>,
    /// A second factor, in this slot.
    pub factor: Option<Option<i32>>,
}

/// A failure on record.
#[derive(Debug, Clone, Copy)]
struct Failed {
    at: i64,
    slot: i32,
}

impl<'a> Login<'a> {
    /// Of an identity that has proved itself.
    pub fn proved(realm: &'a str, identity: Uuid, id: &'a str, ip: Option<&str>, signed_on: bool) -> Result<Self> {
        let client = ip.map(client).transpose()?;
        Ok(Login { realm, name: id, subject: id, identity: Some(identity), client, signed_on })
    }

    /// Whether the next login is held back, by failures that the reader sees. What strangers did holds nobody back who has signed
    /// on elsewhere, or has logged in from this address before.
    pub fn held(&self, reader: &mut Reader) -> Result<Held> {
        let own = self.failures(reader, Kind::NameAddress)?;
        let mut held =
            Held { wait: wait(&own, Kind::NameAddress.limit(), window()), failed_before: !own.is_empty(), slot: None };
        if held.wait.is_none() && !self.signed_on {
            held.wait = self.held_by_strangers(reader)?;
        }
        Ok(held)
    }

    fn held_by_strangers(&self, reader: &mut Reader) -> Result<Option<i64>> {
        let mut longest = None;
        for kind in [Kind::Name, Kind::Identity, Kind::Address, Kind::Network, Kind::Realm] {
            longest = longest.max(wait(&self.failures(reader, kind)?, kind.limit(), window()));
        }
        match (longest, self.identity, &self.client) {
            (Some(_), Some(identity), Some(client)) if known::is_known(reader, self.realm, identity, client)? => {
                Ok(None)
            }
            _ => Ok(longest),
        }
    }

    /// The same for a login that is about to be decided: it takes a slot, or is held back.
    pub fn enter(&self) -> Result<Held> {
        let held = self.held(&mut latest())?;
        if held.wait.is_some() {
            return Ok(held);
        }
        let (slot, wait) = self.take_slot(Kind::NameAddress)?;
        Ok(Held { slot, wait, ..held })
    }

    /// Whether a second factor is held back.
    pub fn factor_held(&self, reader: &mut Reader) -> Result<Held> {
        let failures = self.failures_since(reader, Kind::Factor, factor_window())?;
        let soon = wait(&recent(&failures, window()), Kind::Factor.limit(), window());
        let in_all = wait(&failures, MAX_FACTOR_FAILURES_IN_ALL.get().unsigned_abs() as usize, factor_window());
        Ok(Held { wait: soon.max(in_all), failed_before: !failures.is_empty(), slot: None })
    }

    /// The same for one that is about to be decided.
    pub fn enter_factor(&self) -> Result<Held> {
        let held = self.factor_held(&mut latest())?;
        if held.wait.is_some() {
            return Ok(held);
        }
        let (slot, wait) = self.take_slot(Kind::Factor)?;
        Ok(Held { slot, wait, ..held })
    }

    /// A slot that nobody has, or how long to wait for one. Whoever had it until now may have left a failure there: so it is looked
    /// at again once it is taken.
    fn take_slot(&self, kind: Kind) -> Result<(Option<i32>, Option<i64>)> {
        let limit = kind.limit();
        let mut taken = slots(&self.failures(&mut latest(), kind)?);
        for slot in 0..i32::try_from(limit).unwrap_or(i32::MAX) {
            if taken.contains(&slot) || !lock::try_lock(self.slot_lock(kind, slot)) {
                continue;
            }
            let failures = self.failures(&mut latest(), kind)?;
            taken = slots(&failures);
            let wait = wait(&failures, limit, window());
            if wait.is_none() && !taken.contains(&slot) {
                return Ok((Some(slot), None));
            }
            lock::unlock(self.slot_lock(kind, slot));
            if wait.is_some() {
                return Ok((None, wait));
            }
        }
        Ok((None, (limit > 0).then_some(BUSY)))
    }

    fn slot_lock(&self, kind: Kind, slot: i32) -> u64 {
        let key = self.key(kind).unwrap_or_default();
        let names = [b"login", self.realm.as_bytes(), kind.name().as_bytes(), key.as_bytes(), &slot.to_be_bytes()];
        lock::number(&names)
    }

    /// Puts a failure on record.
    pub fn failed(&self, failure: Failure) -> Result<()> {
        let now = session::clock();
        let (mut kinds, mut keys, mut slots) = (Vec::new(), Vec::new(), Vec::new());
        for (kind, slot) in self.counted(failure) {
            let Some(key) = self.key(kind) else { continue };
            kinds.push(kind.name().to_string());
            keys.push(key);
            slots.push(slot.unwrap_or(NO_SLOT));
        }
        let rows = [plan::text(self.realm), kinds.into_datum(), keys.into_datum(), slots.into_datum(), timestamp(now)];
        ADD.write_latest(&rows)?;
        REMOVE_OLD.write_latest(&[timestamp(now - window()), timestamp(now - factor_window())])
    }

    /// Under what a failure is counted. Each is a row, also where the name is nobody's: it takes as long.
    fn counted(&self, failure: Failure) -> Vec<(Kind, Option<i32>)> {
        let mut counted = Vec::new();
        if let Some(slot) = failure.login {
            counted.extend([(Kind::NameAddress, slot), (Kind::Name, None), (Kind::Identity, None)]);
        }
        if let Some(slot) = failure.factor {
            counted.push((Kind::Factor, slot));
        }
        counted.extend([(Kind::Address, None), (Kind::Network, None)]);
        if is_counted_for_realm() {
            counted.push((Kind::Realm, None));
        }
        counted
    }

    /// What another session is about to remove is left to it.
    pub fn succeeded(&self, held: Held) -> Result<()> {
        self.over(Kind::NameAddress, held)
    }

    /// A right second factor.
    pub fn factor_succeeded(&self, held: Held) -> Result<()> {
        self.over(Kind::Factor, held)
    }

    fn over(&self, kind: Kind, held: Held) -> Result<()> {
        if held.failed_before {
            let key = self.key(kind);
            let rows = [plan::text(self.realm), plan::text(kind.name()), key.as_deref().and_then(plan::text)];
            FORGET.write_latest(&rows)?;
        }
        self.leave(kind, held.slot);
        Ok(())
    }

    /// Gives a second factor's slot back, where none was wrong.
    pub fn leave_factor(&self, held: Held) {
        self.leave(Kind::Factor, held.slot);
    }

    fn leave(&self, kind: Kind, slot: Option<i32>) {
        if let Some(slot) = slot {
            lock::unlock(self.slot_lock(kind, slot));
        }
    }

    /// `None`: nothing is counted under it.
    fn key(&self, kind: Kind) -> Option<String> {
        let client = self.client.as_ref();
        match kind {
            Kind::NameAddress => Some(format!("{} {}", self.name, client.map_or("-", |client| &client.address))),
            // An identity that has proved itself is counted as a whole.
            Kind::Name => (self.identity.is_none() || self.name != self.subject).then(|| self.name.to_string()),
            Kind::Identity => Some(self.subject.to_string()),
            Kind::Address => client.map(|client| client.address.clone()),
            Kind::Network => client.map(|client| client.network.clone()),
            Kind::Realm => Some(String::new()),
            Kind::Factor => Some(self.subject.to_string()),
        }
    }

    /// In the order in which they came. Without a limit nothing is looked for.
    fn failures(&self, reader: &mut Reader, kind: Kind) -> Result<Vec<Failed>> {
        if kind.limit() == 0 { Ok(Vec::new()) } else { self.failures_since(reader, kind, window()) }
    }

    fn failures_since(&self, reader: &mut Reader, kind: Kind, window: i64) -> Result<Vec<Failed>> {
        let mut failures = Vec::new();
        if let Some(key) = self.key(kind) {
            reader.rows(&FAILURES, &[Key::Is(self.realm), Key::Is(kind.name()), Key::Is(&key)], |row| {
                failures.push(Failed { at: row.number(FAILED_AT), slot: row.get(SLOT).unwrap_or(NO_SLOT) });
                true
            })?;
        }
        Ok(recent(&failures, window))
    }
}

/// What is committed now, and what this transaction has done.
pub fn latest() -> Reader {
    session::see_own_changes();
    Reader::latest()
}

/// A failure that takes none.
const NO_SLOT: i32 = -1;

fn slots(failures: &[Failed]) -> HashSet<i32> {
    failures.iter().map(|failed| failed.slot).collect()
}

fn recent(failures: &[Failed], window: i64) -> Vec<Failed> {
    let since = session::clock() - window;
    failures.iter().filter(|failed| failed.at > since).copied().collect()
}

/// How long, in microseconds, until the failures are fewer than the limit.
fn wait(failures: &[Failed], limit: usize, window: i64) -> Option<i64> {
    let nth = failures.len().checked_sub(limit).filter(|_| limit > 0)?;
    Some((failures[nth].at + window - session::clock()).max(1))
}

/// Whether this failure is one of those that are counted for the realm.
fn is_counted_for_realm() -> bool {
    let limit = MAX_REALM_FAILURES.get();
    if limit <= MOST_OF_REALM {
        return limit > 0;
    }
    let mut random = [0; 4];
    // Without random numbers each is counted: too many hold back too early.
    getrandom::fill(&mut random).is_err()
        || u32::from_ne_bytes(random) % limit.unsigned_abs() < MOST_OF_REALM.unsigned_abs()
}

/// Microseconds.
fn window() -> i64 {
    i64::from(FAILURE_WINDOW.get()) * 1_000_000
}

fn factor_window() -> i64 {
    i64::from(FACTOR_WINDOW.get().max(FAILURE_WINDOW.get())) * 1_000_000
}

fn timestamp(microseconds: i64) -> Argument {
    Some(pg_sys::Datum::from(microseconds))
}

/// What failures from an address are counted under. Whoever has an IPv6 address has 2^64 of them, and an operator 2^16 times as many.
/// An IPv4 address that is written as one of IPv6, by a translator between the two, is that IPv4 address.
pub fn client(address: &str) -> Result<Client> {
    Ok(match translated(parse(address)?) {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            Client { address: address.to_string(), network: format!("{a}.{b}.{c}.0/24") }
        }
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            let network = |d, bits| format!("{}/{bits}", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0));
            Client { address: network(d, 64), network: network(0, 48) }
        }
    })
}

/// Of NAT64 (RFC 6052, 64:ff9b::/96) the IPv4 address that is in it.
fn translated(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => match v6.segments() {
            [0x64, 0xff9b, 0, 0, 0, 0, high, low] => IpAddr::V4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))),
            _ => address,
        },
        IpAddr::V4(_) => address,
    }
}

/// An address; of IPv4 also where it is written as one of IPv6.
pub fn parse(address: &str) -> Result<IpAddr> {
    address.trim().parse().map(|ip: IpAddr| ip.to_canonical()).map_err(|_| {
        Error::invalid_argument("not an IP address")
            .detail(format!("The address is \"{}\".", shown(address)))
            .hint("Give the client's address without a port, such as 192.0.2.7 or 2001:db8::7.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(address: &str) -> (String, String) {
        let client = client(address).unwrap();
        (client.address, client.network)
    }

    #[test]
    fn an_address_counts_as_one_client_and_as_one_network() {
        let of = |address: &str, network: &str| (address.to_string(), network.to_string());
        assert_eq!(counted("192.0.2.7"), of("192.0.2.7", "192.0.2.0/24"));
        assert_eq!(counted("::ffff:192.0.2.7"), of("192.0.2.7", "192.0.2.0/24"));
        assert_eq!(counted("64:ff9b::192.0.2.7"), of("192.0.2.7", "192.0.2.0/24"));
        assert_eq!(counted("2001:db8:1:2:3:4:5:6"), of("2001:db8:1:2::/64", "2001:db8:1::/48"));
        assert_eq!(counted("2001:db8:1:2::"), of("2001:db8:1:2::/64", "2001:db8:1::/48"));
        for wrong in ["", "192.0.2.7:80", "192.0.2.0/24", "localhost"] {
            assert_eq!(client(wrong).unwrap_err().sqlstate, "22023");
        }
    }
}
