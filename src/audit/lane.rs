//! Which chain of each realm a transaction writes into.

use crate::db::{lock, replication, session};
use std::ops::Range;

/// Chains that a realm can have: more than a server can have open transactions. event_id is made with this number.
pub const LANES: u32 = 1 << 20;

/// Those of a database that a subscription fills: the others are its publisher's, which goes on with them.
const SUBSCRIBERS: Range<u32> = LANES / 2..LANES;

/// Takes a lane that no other transaction holds, in all realms, until the end of this one: a statement may concern any number of them.
pub fn take() -> i32 {
    let own = lanes(replication::fills(&[c"audit_heads", c"audit_events"]));
    let (process, processes) = session::number();
    let mut free = of_process(own.clone(), process, processes).filter(|lane| lock::try_lock(number(*lane)));
    let lane = free.next().unwrap_or_else(|| {
        lock::lock(number(own.start));
        own.start
    });
    lane as i32
}

/// The lanes that a database writes into.
fn lanes(subscriber: bool) -> Range<u32> {
    if subscriber { SUBSCRIBERS } else { 0..SUBSCRIBERS.start }
}

/// Those of a server process: no other process that is running takes them. All but the first are for when a prepared transaction
/// that had the same number holds it.
fn of_process(lanes: Range<u32>, process: u32, processes: u32) -> impl Iterator<Item = u32> {
    lanes.skip(process as usize).step_by(processes as usize)
}

fn number(lane: u32) -> u64 {
    lock::number(&[b"audit", &lane.to_le_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn processes_have_lanes_of_their_own() {
        for own in [lanes(false), lanes(true)] {
            let mut met = BTreeSet::new();
            for process in 0..100 {
                for lane in of_process(own.clone(), process, 100).take(50) {
                    assert!(own.contains(&lane) && met.insert(lane));
                }
            }
        }
        assert_eq!(of_process(lanes(false), 3, 100).take(3).collect::<Vec<u32>>(), [3, 103, 203]);
        assert_eq!(of_process(lanes(true), 3, 100).next(), Some(LANES / 2 + 3));
    }

    #[test]
    fn a_subscriber_keeps_off_the_lanes_of_its_publisher() {
        assert_eq!(lanes(false).end, lanes(true).start);
        assert_eq!((lanes(false).start, lanes(true).end), (0, LANES));
    }

    #[test]
    fn lanes_have_locks_of_their_own() {
        let numbers: BTreeSet<u64> = (0..1000).chain(lanes(true).take(1000)).map(number).collect();
        assert_eq!(numbers.len(), 2000);
    }
}
