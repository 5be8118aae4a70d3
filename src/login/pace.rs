//! When a refused login is answered: after a whole number of steps of time, so that what little one refusal takes more than another is not seen.

use crate::db::session;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys;
use pgrx::prelude::*;
use std::time::{Duration, Instant};

/// In microseconds. Refusals differ by some: by whether there is a row to be read, or a text is longer.
const STEP: i64 = 500;

/// What the operating system needs to wake somebody up.
const SLACK: Duration = Duration::from_micros(100);

/// See the comment on `identity_internal.wait_for_step` in `sql/50_login.sql`.
#[pg_extern(sql = false)]
fn wait_for_step(started: TimestampWithTimeZone) {
    let started: pg_sys::TimestampTz = started.into();
    let rest = Duration::from_micros(rest_of_step(session::clock() - started));
    let until = Instant::now() + rest;
    if rest > SLACK {
        std::thread::sleep(rest - SLACK);
    }
    while Instant::now() < until {
        std::hint::spin_loop();
    }
}

fn rest_of_step(elapsed: i64) -> u64 {
    (STEP - elapsed.rem_euclid(STEP)).unsigned_abs() % STEP.unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_is_made_a_whole_number_of_steps() {
        for elapsed in [-1, 0, 1, 430, 499, 500, 501, 60_000, 60_250] {
            let rest = rest_of_step(elapsed);
            assert!(rest < 500);
            assert_eq!((elapsed + rest as i64) % 500, 0);
        }
    }
}
