//! An order in which what is made of parts comes after them.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

/// `ids`, the earlier the better, each after its parts; those that have a part which does not come are left out.
/// `made_of`: pairs of a whole and one of its parts.
pub fn after_parts<'a>(ids: &[&'a str], made_of: &[(&str, &str)]) -> Vec<&'a str> {
    let places: HashMap<&str, usize> = ids.iter().enumerate().map(|(place, id)| (*id, place)).collect();
    let mut waiting = vec![0; ids.len()];
    let mut wholes: Vec<Vec<usize>> = vec![Vec::new(); ids.len()];
    for (whole, part) in made_of {
        if let Some(whole) = places.get(whole) {
            waiting[*whole] += 1;
            if let Some(part) = places.get(part) {
                wholes[*part].push(*whole);
            }
        }
    }
    let mut ready: BinaryHeap<Reverse<usize>> =
        (0..ids.len()).filter(|place| waiting[*place] == 0).map(Reverse).collect();
    let mut order = Vec::new();
    while let Some(Reverse(place)) = ready.pop() {
        order.push(ids[place]);
        for whole in &wholes[place] {
            waiting[*whole] -= 1;
            if waiting[*whole] == 0 {
                ready.push(Reverse(*whole));
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_first_and_otherwise_the_order_stays() {
        let made_of = [("a", "d"), ("b", "a"), ("b", "d"), ("b", "d")];
        assert_eq!(after_parts(&["a", "b", "c", "d", "e"], &made_of), ["c", "d", "a", "b", "e"]);
        assert_eq!(after_parts(&["a", "b"], &[("a", "gone"), ("gone", "b")]), ["b"]);
        assert_eq!(after_parts(&["a", "b", "c"], &[("a", "b"), ("b", "a")]), ["c"]);
    }
}
