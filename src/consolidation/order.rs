//! The order of rows: by site, then by row_id; as numbers where they are numbers. No SQL is run here.

/// Bytes that compare as the rows do which have these names, and are the same for one name alone.
pub fn place(site: Option<&str>, row_id: Option<&str>) -> Vec<u8> {
    let mut place = Vec::with_capacity(24);
    append(&mut place, site);
    append(&mut place, row_id);
    place
}

const NUMBER: u8 = 1;
const TEXT: u8 = 2;
const NULL: u8 = 3;

/// Ends what another value may continue; a text of the server has no such byte.
const END: u8 = 0;

/// Numbers come first, in their order; then texts, byte by byte; NULL is last.
fn append(place: &mut Vec<u8>, value: Option<&str>) {
    let Some(text) = value else { return place.push(NULL) };
    let Some(number) = number(text) else {
        place.push(TEXT);
        place.extend(text.bytes());
        return place.push(END);
    };
    place.push(NUMBER);
    let bytes = number.unsigned_abs().to_be_bytes();
    let bytes = &bytes[bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len())..];
    // A number of more digits is larger, and smaller below zero.
    if number < 0 {
        place.push(0x80 - bytes.len() as u8);
        place.extend(bytes.iter().map(|byte| !byte));
    } else {
        place.push(0x80 + bytes.len() as u8);
        place.extend(bytes);
    }
    // Of several spellings of one number the usual one is last.
    if is_usual(text) {
        place.push(1);
    } else {
        place.push(END);
        place.extend(text.bytes());
        place.push(END);
    }
}

fn number(text: &str) -> Option<i128> {
    let digits = text.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// Whether the text of a number is the one that numbers have when they are printed.
fn is_usual(text: &str) -> bool {
    text == "0" || !text.trim_start_matches('-').starts_with('0')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::cmp::Ordering;

    #[test]
    fn numbers_come_before_texts() {
        let order = ["-256", "-255", "-5", "0", "007", "7", "255", "256", "9223372036854775808", "", "a", "ab", "b"];
        let places: Vec<Vec<u8>> = order.iter().map(|text| place(Some("1"), Some(text))).collect();
        assert!(places.is_sorted_by(|one, two| one < two));
        assert!(place(Some("1"), None) > place(Some("1"), Some("z")));
        assert!(place(Some("1"), None) < place(Some("2"), Some("0")));
        assert!(place(Some("10"), Some("1")) > place(Some("9"), Some("20")));
        assert!(place(None, Some("1")) > place(Some("z"), Some("1")));
    }

    fn compare(one: &str, two: &str) -> Ordering {
        let last = |text: &str| number(text).is_none();
        last(one).cmp(&last(two)).then(number(one).cmp(&number(two)))
    }

    proptest! {
        #[test]
        fn places_compare_as_their_names_do(
            site in "-?[0-9]{0,3}|[ab]{0,2}",
            other_site in "-?[0-9]{0,3}|[ab]{0,2}",
            row in "-?[0-9]{0,40}|[a-c0]{0,3}",
            other in "-?[0-9]{0,40}|[a-c0]{0,3}",
        ) {
            let (one, two) = (place(Some(&site), Some(&row)), place(Some(&other_site), Some(&other)));
            prop_assert_eq!(one == two, (&site, &row) == (&other_site, &other));
            let expected = compare(&site, &other_site);
            if expected != Ordering::Equal {
                prop_assert_eq!(one.cmp(&two), expected);
            } else if site == other_site && compare(&row, &other) != Ordering::Equal {
                prop_assert_eq!(one.cmp(&two), compare(&row, &other));
            }
        }
    }
}
