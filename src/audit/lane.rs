//! Which chain of its realm a transaction writes into.

use crate::db::{lock, replication};
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};

/// Chains a realm. The column event_id in `sql/15_audit.sql` has this number too.
const LANES: u32 = 64;

/// Those of a database that a subscription fills: the others are its publisher's, which goes on with them. As many transactions
/// as a database has lanes can have written events of one realm, and still be open, without one waiting for another.
const SUBSCRIBERS: Range<u32> = 56..LANES;

/// The lane that this session used last; sessions settle in different ones.
static LAST: AtomicU32 = AtomicU32::new(u32::MAX);

/// Takes a lane that no other transaction holds, until the end of this one. If there is none, waits.
pub fn take(realm: &str) -> i32 {
    let own = lanes(replication::fills(&[c"audit_heads", c"audit_events"]));
    let last = match LAST.load(Ordering::Relaxed) {
        lane if own.contains(&lane) => lane,
        _ => own.start + std::process::id() % own.len() as u32,
    };
    let free = in_turn(own, last).find(|lane| lock::try_lock(number(realm, *lane)));
    let lane = free.unwrap_or_else(|| {
        lock::lock(number(realm, last));
        last
    });
    LAST.store(lane, Ordering::Relaxed);
    lane as i32
}

/// The lanes that a database writes into.
fn lanes(subscriber: bool) -> Range<u32> {
    if subscriber { SUBSCRIBERS } else { 0..SUBSCRIBERS.start }
}

/// All of them, from `first` on.
fn in_turn(lanes: Range<u32>, first: u32) -> impl Iterator<Item = u32> {
    (first..lanes.end).chain(lanes.start..first)
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
        for own in [lanes(false), lanes(true)] {
            for first in own.clone() {
                assert_eq!(in_turn(own.clone(), first).collect::<BTreeSet<u32>>(), own.clone().collect());
                assert_eq!(in_turn(own.clone(), first).count(), own.len());
            }
        }
    }

    #[test]
    fn a_subscriber_keeps_off_the_lanes_of_its_publisher() {
        let all: Vec<u32> = lanes(false).chain(lanes(true)).collect();
        assert_eq!(all, (0..LANES).collect::<Vec<u32>>());
    }

    #[test]
    fn lanes_have_locks_of_their_own() {
        let numbers: BTreeSet<u64> =
            ["", "acme", "acme2"].iter().flat_map(|realm| (0..LANES).map(|lane| number(realm, lane))).collect();
        assert_eq!(numbers.len() as u32, 3 * LANES);
    }
}
