//! Which chain of its realm a transaction writes into.

use crate::db::lock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Chains a realm: as many transactions can have written events of one realm, and still be open, without one waiting for another.
/// The column event_id in `sql/15_audit.sql` has this number too.
const LANES: u32 = 64;

/// The lane that this session used last; sessions settle in different ones.
static LAST: AtomicU32 = AtomicU32::new(u32::MAX);

/// Takes a lane that no other transaction holds, until the end of this one. If there is none, waits.
pub fn take(realm: &str) -> i32 {
    let last = match LAST.load(Ordering::Relaxed) {
        u32::MAX => std::process::id() % LANES,
        lane => lane,
    };
    let free = in_turn(last).find(|lane| lock::try_lock(number(realm, *lane)));
    let lane = free.unwrap_or_else(|| {
        lock::lock(number(realm, last));
        last
    });
    LAST.store(lane, Ordering::Relaxed);
    lane as i32
}

/// All lanes, from `first` on.
fn in_turn(first: u32) -> impl Iterator<Item = u32> {
    (0..LANES).map(move |step| (first + step) % LANES)
}

fn number(realm: &str, lane: u32) -> u64 {
    lock::number(&[b"audit", realm.as_bytes(), &lane.to_le_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_lane_is_tried_once() {
        for first in 0..LANES {
            assert_eq!(in_turn(first).collect::<BTreeSet<u32>>(), (0..LANES).collect());
            assert_eq!(in_turn(first).count() as u32, LANES);
        }
    }

    #[test]
    fn lanes_have_locks_of_their_own() {
        let numbers: BTreeSet<u64> =
            ["", "acme", "acme2"].iter().flat_map(|realm| (0..LANES).map(|lane| number(realm, lane))).collect();
        assert_eq!(numbers.len() as u32, 3 * LANES);
    }
}
