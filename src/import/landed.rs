//! Where rows of the source have gone. Rows that go in one after the other lie one after the other in a page: they are kept as runs.

use std::collections::BTreeMap;

/// A place in a table: the table, the page, the number in the page.
pub type Place = (u32, u32, u16);

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
    rows: super::numbers::NumberSet,
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

    /// All places, each with the row that lies there.
    pub fn places(&self) -> impl Iterator<Item = (Place, i64)> {
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
