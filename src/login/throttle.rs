//! Failed logins, counted by subject and by address in a sliding window.
//!
//! A failure is a row of its own, so that logins that fail at one time do not wait for each other.

use crate::db::plan::{self, Argument, Plan};
use crate::db::scan::{Index, Key, Reader};
use crate::db::session;
use crate::error::{Error, Result, shown};
use pgrx::pg_sys::{self, INT8OID, TEXTOID, TIMESTAMPTZOID};
use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting, IntoDatum};
use std::net::{IpAddr, Ipv6Addr};

static MAX_FAILURES: GucSetting<i32> = GucSetting::<i32>::new(10);
static MAX_ADDRESS_FAILURES: GucSetting<i32> = GucSetting::<i32>::new(100);
static FAILURE_WINDOW: GucSetting<i32> = GucSetting::<i32>::new(900);

pub fn define_settings() {
    for (name, what, setting) in [
        (
            c"identity.login_max_failures",
            c"Failed logins of one identity, or login name, after which the next is held back.",
            &MAX_FAILURES,
        ),
        (
            c"identity.login_max_address_failures",
            c"Failed logins from one address after which the next is held back.",
            &MAX_ADDRESS_FAILURES,
        ),
    ] {
        let long = c"Counted over identity.login_failure_window. 0: no limit.";
        GucRegistry::define_int_guc(name, what, long, setting, 0, i32::MAX, GucContext::Suset, GucFlags::default());
    }
    GucRegistry::define_int_guc(
        c"identity.login_failure_window",
        c"How long a failed login counts.",
        c"The window slides: a login is held back until the oldest of the failures that fill it is out of it.",
        &FAILURE_WINDOW,
        1,
        i32::MAX / 1000,
        GucContext::Suset,
        GucFlags::UNIT_S,
    );
}

/// The failure that is the last but `limit - 1`, if it is in the window, of the subject and of the address: the later one holds
/// the login back. And whether there is anything to forget.
static HELD: Plan = Plan::new(
    "SELECT GREATEST(
       (SELECT f.failed_at FROM identity.login_failures AS f
        WHERE f.realm OPERATOR(pg_catalog.=) $1 AND f.kind OPERATOR(pg_catalog.=) 'subject'
          AND f.key OPERATOR(pg_catalog.=) $2 AND f.failed_at OPERATOR(pg_catalog.>) $4
        ORDER BY f.failed_at DESC OFFSET $5 LIMIT 1),
       (SELECT f.failed_at FROM identity.login_failures AS f
        WHERE f.realm OPERATOR(pg_catalog.=) $1 AND f.kind OPERATOR(pg_catalog.=) 'address'
          AND f.key OPERATOR(pg_catalog.=) $3 AND f.failed_at OPERATOR(pg_catalog.>) $4
        ORDER BY f.failed_at DESC OFFSET $6 LIMIT 1)),
       EXISTS (SELECT FROM identity.login_failures AS f
               WHERE f.realm OPERATOR(pg_catalog.=) $1 AND f.kind OPERATOR(pg_catalog.=) 'subject'
                 AND f.key OPERATOR(pg_catalog.=) $2)",
    &[TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID, INT8OID, INT8OID],
);

static ADD: Plan = Plan::new(
    "INSERT INTO identity.login_failures (realm, kind, key, failed_at)
     SELECT $1, k.kind, k.key, $4 FROM (VALUES ('subject', $2), ('address', $3)) AS k (kind, key) WHERE k.key IS NOT NULL",
    &[TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID],
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
         AND o.failed_at OPERATOR(pg_catalog.<=) $1
       FOR UPDATE SKIP LOCKED))",
    &[TIMESTAMPTZOID],
);

static FORGET: Plan = Plan::new(
    "DELETE FROM identity.login_failures AS f WHERE f.ctid OPERATOR(pg_catalog.=) ANY (ARRAY(
       SELECT o.ctid FROM identity.login_failures AS o
       WHERE o.realm OPERATOR(pg_catalog.=) $1 AND o.kind OPERATOR(pg_catalog.=) 'subject' AND o.key OPERATOR(pg_catalog.=) $2
       FOR UPDATE SKIP LOCKED))",
    &[TEXTOID, TEXTOID],
);

/// realm, kind, key, failed_at, id
const FAILURES: Index = Index::covering(c"login_failures", c"login_failures_pkey", &[1, 2, 3, 4, 5]);

/// Whether any failure of the login's subject, or from its address, is on record. Most logins have none.
pub fn on_record(reader: &mut Reader, login: &Login) -> Result<bool> {
    let address = login.address.as_deref().map(|address| ("address", address));
    for (kind, key) in [("subject", login.subject)].into_iter().chain(address) {
        let mut found = false;
        reader.rows(&FAILURES, &[Key::Is(login.realm), Key::Is(kind), Key::Is(key)], |_| {
            found = true;
            false
        })?;
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Who logs in, from where.
pub struct Login<'a> {
    pub realm: &'a str,
    pub subject: &'a str,
    pub address: Option<String>,
}

/// What the failures so far mean for the next login.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Held {
    /// Microseconds until it may be tried.
    pub wait: Option<i64>,
    /// The subject has failed before.
    pub failed_before: bool,
}

impl<'a> Login<'a> {
    pub fn new(realm: &'a str, subject: &'a str, address: Option<&str>) -> Result<Self> {
        Ok(Login { realm, subject, address: address.map(network).transpose()? })
    }

    pub fn held(&self) -> Result<Held> {
        let now = session::clock();
        let mut held = Held::default();
        let arguments = [
            plan::text(self.realm),
            plan::text(self.subject),
            self.address(),
            timestamp(now - window()),
            offset(MAX_FAILURES.get()).into_datum(),
            offset(MAX_ADDRESS_FAILURES.get()).into_datum(),
        ];
        HELD.read(&arguments, |row| {
            held = Held { wait: row.get::<i64>(1).map(|since| since + window() - now), failed_before: row.flag(2) };
            Ok(())
        })?;
        Ok(held)
    }

    pub fn failed(&self) -> Result<()> {
        let now = session::clock();
        let failure = [plan::text(self.realm), plan::text(self.subject), self.address(), timestamp(now)];
        ADD.write_latest(&failure, |_| Ok(()))?;
        REMOVE_OLD.write_latest(&[timestamp(now - window())], |_| Ok(()))
    }

    /// What another session is about to remove is left to it.
    pub fn succeeded(&self) -> Result<()> {
        FORGET.write_latest(&[plan::text(self.realm), plan::text(self.subject)], |_| Ok(()))
    }

    fn address(&self) -> Argument {
        self.address.as_deref().and_then(plan::text)
    }
}

/// Microseconds.
fn window() -> i64 {
    i64::from(FAILURE_WINDOW.get()) * 1_000_000
}

/// Of the failures from the last one on; without a limit, one that nobody has.
fn offset(limit: i32) -> i64 {
    if limit == 0 { i64::MAX } else { i64::from(limit) - 1 }
}

fn timestamp(microseconds: i64) -> Argument {
    Some(pg_sys::Datum::from(microseconds))
}

/// What failures from an address are counted under. Who has an IPv6 address has 2⁶⁴ of them.
pub fn network(address: &str) -> Result<String> {
    Ok(match parse(address)? {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    })
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

    #[test]
    fn an_address_counts_as_the_network_of_one_client() {
        assert_eq!(network("192.0.2.7").unwrap(), "192.0.2.7");
        assert_eq!(network("::ffff:192.0.2.7").unwrap(), "192.0.2.7");
        assert_eq!(network("2001:db8:1:2:3:4:5:6").unwrap(), "2001:db8:1:2::/64");
        assert_eq!(network("2001:db8:1:2::").unwrap(), "2001:db8:1:2::/64");
        for wrong in ["", "192.0.2.7:80", "192.0.2.0/24", "localhost"] {
            assert_eq!(network(wrong).unwrap_err().sqlstate, "22023");
        }
    }

    #[test]
    fn the_nth_failure_holds_back() {
        assert_eq!(offset(1), 0);
        assert_eq!(offset(10), 9);
        assert_eq!(offset(0), i64::MAX);
    }
}
