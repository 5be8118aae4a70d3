//! Where rows of the source have gone. Rows that go in one after the other lie one after the other in a page: they are kept as runs.

use crate::db::version::{self, Place};
use crate::error::Result;
use crate::import::numbers::NumberSet;
use std::collections::{BTreeMap, BTreeSet, HashMap};

#[derive(Debug, Clone, Copy)]
struct Run {
    /// How many rows.
    len: u16,
    /// The first row's number in the source.
    row: i64,
}

#[derive(Debug, Default)]
pub struct Landed {
    runs: BTreeMap<Place, Run>,
    last: Option<Place>,
    rows: NumberSet,
    /// Where rows are that have been changed since.
    moved: HashMap<Place, i64>,
}

impl Landed {
    /// Notes that a row has gone in; and where, if that may be known.
    pub fn add(&mut self, row: i64, place: Option<Place>) {
        self.rows.insert(row);
        let Some(place) = place else { return };
        if let Some(last) = self.last
            && let Some(run) = self.runs.get_mut(&last)
            && (last.0, last.1) == (place.0, place.1)
            && u32::from(last.2) + u32::from(run.len) == u32::from(place.2)
            && run.row + i64::from(run.len) == row
        {
            run.len += 1;
            return;
        }
        self.runs.insert(place, Run { len: 1, row });
        self.last = Some(place);
    }

    pub fn contains(&self, row: i64) -> bool {
        self.rows.contains(row)
    }

    /// The row of the source that lies in a place.
    pub fn at(&self, place: Place) -> Option<i64> {
        let (first, run) = self.runs.range(..=place).next_back()?;
        let offset = place.2.checked_sub(first.2)?;
        ((first.0, first.1) == (place.0, place.1) && offset < run.len).then(|| run.row + i64::from(offset))
    }

    /// The same of a place to which a trigger may have moved it since. Where this transaction has changed many rows, all are looked at when one is not
    /// known yet: a trigger that does so has moved most of them.
    pub fn now_at(&mut self, place: Place) -> Result<Option<i64>> {
        if let Some(row) = self.at(place).or_else(|| self.moved.get(&place).copied()) {
            return Ok(Some(row));
        }
        if self.runs.is_empty() || !version::is_own(place)? {
            return Ok(None);
        }
        let mut moved = HashMap::new();
        let tables: BTreeSet<u32> = self.runs.keys().map(|place| place.0).collect();
        for table in tables {
            let rows: Vec<(Place, i64)> = self.places().filter(|(place, _)| place.0 == table).collect();
            let mut numbers = rows.iter().map(|(_, row)| *row);
            version::latest(table, rows.iter().map(|(place, _)| *place), |before, now| {
                let row = numbers.next().unwrap_or(0);
                if before != now {
                    moved.insert(now, row);
                }
            })?;
        }
        self.moved = moved;
        Ok(self.moved.get(&place).copied())
    }

    /// All places, each with the row that lies there.
    fn places(&self) -> impl Iterator<Item = (Place, i64)> {
        self.runs.iter().flat_map(|(place, run)| {
            (0..run.len).map(|offset| ((place.0, place.1, place.2 + offset), run.row + i64::from(offset)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_where_they_lie() {
        let mut landed = Landed::default();
        for (row, place) in [(1, (7, 0, 1)), (2, (7, 0, 2)), (4, (7, 0, 3)), (5, (7, 1, 1)), (6, (8, 1, 2))] {
            landed.add(row, Some(place));
        }
        landed.add(9, None);
        assert_eq!(landed.at((7, 0, 2)), Some(2));
        assert_eq!(landed.at((7, 0, 3)), Some(4));
        assert_eq!(landed.at((7, 0, 4)), None);
        assert_eq!(landed.at((7, 1, 2)), None);
        assert_eq!(landed.at((8, 1, 2)), Some(6));
        assert_eq!(landed.at((6, 9, 9)), None);
        assert!(landed.contains(9) && !landed.contains(3));
        assert_eq!(landed.places().map(|(_, row)| row).collect::<Vec<_>>(), [1, 2, 4, 5, 6]);
    }
}
